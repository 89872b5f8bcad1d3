//! The same lives at servers with other ways than Jackson's, and how many requests they take (promise I2).

use serde_json::{Value, json};

use crate::elsewhere::held;
use crate::kit::{PATIENCE, Place, condition};
use crate::support::{Front, Sandbox, Scim2Server, Tenant, eventually, scratch};

/// The methods of what came through about accounts, without sweeps and tests of the connection.
fn methods(front: &Front) -> Vec<String> {
    let listed = |query: &str| query.contains("startIndex") && !query.contains("filter");
    let of_server = |path: &str| ["/Me", "/ServiceProviderConfig", "/Schemas"].iter().any(|end| path.ends_with(end));
    // The search for nobody, when a connection begins.
    let nobody = |query: &str| query.contains("nobody-");
    let seen = front.take().into_iter();
    let seen = seen.filter(|seen| !listed(&seen.query) && !of_server(&seen.path) && !nobody(&seen.query));
    seen.map(|request| request.method).collect()
}

async fn shown(tenant: &Tenant, id: &str) -> Value {
    let (status, shown) = tenant.scim("GET", &format!("/Users/{id}"), None).await;
    if status == 200 { shown } else { Value::Null }
}

/// Create, update, rename, deactivate, re-activate, drift, delete.
async fn a_life(place: &Place, tenant: &Tenant, front: &Front, update: &[&str]) {
    front.take();
    place.user("ada", json!({"title": "Engineer", "nickName": "Countess"}));
    let id = place.synced("ada").await;
    assert_eq!(methods(front), ["POST"]);

    place.user("ada", json!({"title": "Officer", "enterprise": {"department": "Engineering"}}));
    assert_eq!(place.synced("ada").await, id);
    assert_eq!(methods(front), update, "an update, and nickName dropped");
    let account = shown(tenant, &id).await;
    assert_eq!(account["title"], "Officer", "{account}");
    assert_eq!(account["nickName"], Value::Null, "{account}");
    assert_eq!(account[crate::kit::ENTERPRISE]["department"], "Engineering", "{account}");

    let renamed = json!({
        "title": "Officer", "userName": "ada.king@example.com",
        "emails": [{"value": "ada.king@example.com", "type": "work", "primary": true}],
    });
    place.user("ada", renamed.clone());
    assert_eq!(place.synced("ada").await, id);
    assert_eq!(methods(front), update, "a rename");
    assert_eq!(shown(tenant, &id).await["userName"], "ada.king@example.com");

    for active in [false, true] {
        place.user("ada", crate::elsewhere::with(renamed.clone(), json!({"active": active})));
        assert_eq!(place.synced("ada").await, id);
        // The first deactivation of a process is read back, if its answer isn't anyhow.
        let read: &[&str] = if active || update.last() == Some(&"GET") { &[] } else { &["GET"] };
        assert_eq!(methods(front), [update, read].concat(), "active: {active}");
        assert_eq!(shown(tenant, &id).await["active"], active);
    }

    let drifted = crate::elsewhere::with(shown(tenant, &id).await, json!({"title": "Mistress of None"}));
    let (status, answer) = tenant.scim("PUT", &format!("/Users/{id}"), Some(drifted)).await;
    assert_eq!(status, 200, "{answer}");
    eventually(PATIENCE, "the title is back", async || {
        let account = shown(tenant, &id).await;
        if account["title"] == "Officer" { Ok(()) } else { Err(account) }
    })
    .await;
    place.sweeps(1).await;
    assert_eq!(methods(front), update, "drift");

    place.kubectl(&["delete", "scimuser", "ada", "--timeout=90s"]);
    assert_eq!(shown(tenant, &id).await, Value::Null);
    // The first deletion of a process is looked at once.
    let last = methods(front);
    assert!(last.iter().skip_while(|method| *method == "GET").eq(["DELETE", "GET"]), "{last:?}");
    assert_eq!(last.iter().filter(|method| *method != "GET").count(), 1, "{last:?}");
}

fn deleting() -> Value {
    json!({"deletionPolicy": {"users": "Delete"}})
}

#[tokio::test]
async fn i02_scim2_server_whose_patch_answers_204() {
    let tenant = Scim2Server::shared().await.tenant();
    let front = Front::before(&tenant.base_url, &tenant.token).open();
    let place = Place::at(&front.base_url, "any", deleting()).await;
    // An answer that shows nothing is read back, once.
    a_life(&place, &tenant, &front, &["PATCH", "GET"]).await;
}

#[tokio::test]
async fn i02_scim2_server_without_patch_and_with_two_on_a_page() {
    let config = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": false}, "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": 2}, "changePassword": {"supported": false},
        "sort": {"supported": true}, "etag": {"supported": true},
        "authenticationSchemes": [{
            "type": "oauthbearertoken", "name": "Bearer", "description": "A bearer token", "primary": true,
        }],
    });
    let file = scratch().join("data/two-on-a-page.json");
    std::fs::write(&file, config.to_string()).expect("a file");
    let server = Scim2Server::start(&["--service-provider-config", file.to_str().expect("a plain path")]).await;
    let tenant = server.tenant();
    let front = Front::before(&tenant.base_url, &tenant.token).open();
    // Somebody insists on PATCH.
    let insisting = crate::elsewhere::with(deleting(), json!({"dialect": {"writeUsers": "Patch"}}));
    let place = Place::at(&front.base_url, "any", insisting).await;
    place.user("grace", json!({}));
    let grace = place.synced("grace").await;
    place.user("grace", json!({"title": "Admiral"}));
    let refused = place.is("grace", "False", "NotSupported").await;
    assert!(condition(&refused, "Ready")["message"].to_string().contains("writeUsers"), "{refused}");
    let said = place.get_connection().await["status"]["server"].clone();
    assert_eq!((&said["patch"], &said["filter"], &said["maxResults"]), (&json!(false), &json!(true), &json!(2)));
    assert!(said["differs"].to_string().contains("spec.dialect.writeUsers to Put"), "{said}");
    assert!(place.events("ServerDiffers").iter().any(|note| note.contains("no PATCH")), "it was not told");
    // Left to itself, the connection learns.
    place.patch_connection(json!({"dialect": null}));
    assert_eq!(place.synced("grace").await, grace);
    eventually(PATIENCE, "no difference", async || {
        let said = place.get_connection().await["status"]["server"].clone();
        if said["differs"] == Value::Null { Ok(()) } else { Err(said) }
    })
    .await;
    let learnt = place.get_connection().await["status"]["effective"]["dialect"].clone();
    assert_eq!((&learnt["writeUsers"], &learnt["pageSize"]), (&json!("Put"), &json!(2)), "{learnt}");

    a_life(&place, &tenant, &front, &["GET", "PUT"]).await;

    // More people than a page holds: a sweep walks them all, and finds what changed on the last page.
    let names = ["p-1", "p-2", "p-3", "p-4"];
    for name in names {
        place.user(name, json!({"title": "Engineer"}));
    }
    for name in names {
        let id = place.synced(name).await;
        let drifted = crate::elsewhere::with(shown(&tenant, &id).await, json!({"title": "Nobody"}));
        tenant.scim("PUT", &format!("/Users/{id}"), Some(drifted)).await;
    }
    for name in names {
        let id = place.synced(name).await;
        eventually(PATIENCE, "the title is back", async || {
            let account = shown(&tenant, &id).await;
            if account["title"] == "Engineer" { Ok(()) } else { Err(account) }
        })
        .await;
    }
}

#[tokio::test]
async fn i02_one_change_is_one_request_where_the_answer_shows_the_result() {
    let sandbox = Sandbox::start();
    let front = Front::before(&sandbox.base_url, &sandbox.token).open();
    let place = Place::at(&front.base_url, "any", json!({})).await;
    place.user("ada", json!({"title": "Engineer"}));
    place.synced("ada").await;
    assert_eq!(methods(&front), ["POST"]);
    for change in [
        json!({"title": "Officer"}),
        json!({"title": "Officer", "roles": [{"value": "admin"}]}),
        json!({"title": "Officer", "roles": [{"value": "admin"}], "active": false}),
        json!({"title": "Officer", "roles": [{"value": "admin"}], "active": true}),
        json!({"userName": "ada.king@example.com"}),
    ] {
        place.user("ada", change.clone());
        place.synced("ada").await;
        // The first deactivation of a process is read back: what isn't done is never told as done.
        let first = change["active"] == false;
        assert_eq!(methods(&front), if first { vec!["PATCH", "GET"] } else { vec!["PATCH"] }, "{change}");
    }
    place.kubectl(&["delete", "scimuser", "ada", "--timeout=90s"]);
    assert_eq!(methods(&front), ["PATCH"], "a removal");
    assert_eq!(held(&sandbox, "ada.king@example.com").await[0]["active"], false);
}

#[tokio::test]
async fn i02_managers_that_form_a_cycle_cost_one_write_more() {
    let sandbox = Sandbox::start();
    let front = Front::before(&sandbox.base_url, &sandbox.token).open();
    let place = Place::at(&front.base_url, "any", json!({})).await;
    let led_by = |name: &str| json!({"enterprise": {"manager": {"userRef": {"name": name}}}});
    place.user("ada", led_by("grace"));
    let ada = place.is("ada", "True", "Synced").await;
    assert!(condition(&ada, "Ready")["message"].to_string().contains("manager.userRef names grace"), "{ada}");
    place.user("grace", led_by("ada"));
    let (ada, grace) = (place.synced("ada").await, place.synced("grace").await);
    eventually(PATIENCE, "each leads the other", async || {
        let leads = async |name: &str| {
            let account = held(&sandbox, &format!("{name}@example.com")).await.remove(0);
            account["resource"][crate::kit::ENTERPRISE]["manager"]["value"].clone()
        };
        let now = (leads("ada").await, leads("grace").await);
        if now == (json!(grace), json!(ada)) { Ok(()) } else { Err(now) }
    })
    .await;
    assert_eq!(methods(&front), ["POST", "POST", "PATCH"]);
}

#[tokio::test]
async fn i01_at_rest_a_connection_is_written_once_a_sweep() {
    let sandbox = Sandbox::start();
    let front = Front::before(&sandbox.base_url, &sandbox.token).open();
    let place = Place::at(&front.base_url, "any", json!({})).await;
    for name in ["ada", "grace", "alan"] {
        place.user(name, json!({"title": "Engineer"}));
    }
    for name in ["ada", "grace", "alan"] {
        place.synced(name).await;
    }
    // What was written last is reported with the sweep after it.
    place.sweeps(2).await;
    front.take();
    let before = place.cluster.writes(&place.namespace).len();
    let sweeps = place.rests(3).await;
    let written = place.cluster.writes(&place.namespace).split_off(before);
    let kinds: Vec<&Value> = written.iter().map(|event| &event["objectRef"]["resource"]).collect();
    assert!(kinds.iter().all(|kind| **kind == "scimconnections"), "{written:?}");
    // That of the sweep before may come after it was counted.
    assert!(kinds.len() <= sweeps + 1, "{sweeps} sweeps, and the connection was written {} times", kinds.len());
    let asked = front.take();
    assert!(asked.iter().all(|request| request.method == "GET"), "{asked:?}");
    // One page, and one more to see that there is none.
    assert!(asked.len() <= 2 * sweeps + 2, "{asked:?}");
}
