//! What a connection learns of its server's schemas, and what it tells of a server that does otherwise than it should.

use serde_json::{Value, json};

use crate::elsewhere::fault;
use crate::kit::{PATIENCE, Place, condition};
use crate::support::{Front, Sandbox, eventually};

/// What `status.server` says, as soon as it fits.
async fn differs(place: &Place, fits: impl Fn(&str) -> bool) -> String {
    eventually(PATIENCE, "status.server.differs", async || {
        let said = place.get_connection().await["status"]["server"]["differs"].to_string();
        if fits(&said) { Ok(said) } else { Err(said) }
    })
    .await
}

#[tokio::test]
async fn an_attribute_that_the_servers_schema_lacks_is_listed_and_not_sent() {
    let sandbox = Sandbox::start_with(&["--dialect", "datadog"]);
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
    place.user("ada", json!({"title": "Engineer", "nickName": "Countess", "name": {"formatted": "Ada"}}));
    let ignored = |user: &Value| user["status"]["ignoredAttributes"][0].clone();
    let user = place.is("ada", "True", "Synced").await;
    assert_eq!((&ignored(&user)["path"], &ignored(&user)["reason"]), (&json!("nickName"), &json!("Unsupported")));
    let dialect = place.get_connection().await["status"]["effective"]["dialect"]["attributes"].to_string();
    assert!(dialect.contains("title") && !dialect.contains("nickName"), "{dialect}");

    // Somebody knows better than the schema, or thinks so.
    place.patch_connection(json!({"dialect": {"attributes": ["*"]}}));
    eventually(PATIENCE, "it is sent", async || {
        let user = place.get("ada").await.unwrap_or_default();
        if ignored(&user)["reason"] == "NotPersisted" { Ok(()) } else { Err(user["status"].clone()) }
    })
    .await;
}

#[tokio::test]
async fn i25_schemas_that_make_no_sense_teach_nothing() {
    for answer in
        [json!({"kind": "html_200"}), json!({"kind": "status", "code": 403}), json!({"kind": "truncated_body"})]
    {
        let sandbox = Sandbox::start_with(&["--dialect", "datadog"]);
        fault(&sandbox, json!({"path_prefix": "/Schemas"}), answer.clone()).await;
        let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
        let log = sandbox.admin("GET", "/faults/log", None).await.to_string();
        assert!(log.contains(answer["kind"].as_str().unwrap()), "the schemas were not asked for: {log}");
        place.user("ada", json!({"title": "Engineer", "name": {"formatted": "Ada"}}));
        place.synced("ada").await;
        let dialect = place.get_connection().await["status"]["effective"]["dialect"].clone();
        assert_eq!(dialect["attributes"], Value::Null, "{answer}");
    }
}

#[tokio::test]
async fn what_a_server_is_seen_to_do_is_told_with_the_override() {
    let sandbox = Sandbox::start();
    for name in ["grace", "alan", "kay"] {
        let person = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name});
        assert_eq!(sandbox.scim("POST", "/Users", Some(person)).await.0, 201);
    }
    fault(&sandbox, json!({"query_contains": "filter"}), json!({"kind": "ignore_query"})).await;
    fault(&sandbox, json!({"query_contains": "startIndex=1&count=100"}), json!({"kind": "wrong_total", "total": 2}))
        .await;
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({"dialect": {"trustTotals": true}})).await;
    // The one is learnt when the connection begins, the other told by the sweep.
    let told = differs(&place, |said| said.contains("trustTotals to false")).await;
    assert!(told.contains("a total of 2 and showed 3"), "{told}");
    assert_eq!(condition(&place.get_connection().await, "Connected")["status"], "True");
    place.user("ada", json!({}));
    place.synced("ada").await;
    place.sweeps(2).await;
    assert_eq!(learned(&place.get_connection().await), ["filters", "filters"]);
    for (reason, said) in [("DialectLearned", "a filter by userName"), ("ServerDiffers", "told a total")] {
        // Events are published with the next report.
        eventually(PATIENCE, said, async || {
            let events = place.events(reason);
            if events.iter().filter(|note| note.contains(said)).count() == 1 { Ok(()) } else { Err(events) }
        })
        .await;
    }
    place.patch_connection(json!({"dialect": {"trustTotals": false, "filters": []}}));
    differs(&place, |said| said == "null").await;
}

fn learned(connection: &Value) -> Vec<&str> {
    let learned = connection["status"]["effective"]["learned"].as_array();
    learned.into_iter().flatten().filter_map(|field| field["field"].as_str()).collect()
}

/// Nothing but a URL and a key.
#[tokio::test]
async fn i33_a_generic_connection_finds_out_how_to_be_served() {
    for (quirks, fields) in [
        (vec!["no_patch", "refuses_paging", "errors_as_text", "bom"], vec!["paging", "writeUsers"]),
        (vec!["no_patch_route", "scim_json_unread", "refuses_filters"], vec!["contentType", "writeUsers", "filters"]),
        (vec!["patch_501", "needs_filter", "accepts_json_only"], vec!["contentType", "listUsers", "writeUsers"]),
    ] {
        let options: Vec<&str> = quirks.iter().flat_map(|quirk| ["--quirk", quirk]).collect();
        let sandbox = Sandbox::start_with(&options);
        let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
        place.user("ada", json!({"title": "Countess"}));
        let ada = place.synced("ada").await;
        place.user("ada", json!({"title": "Engineer"}));
        let title = |title: &'static str| move |account: &Value| account["resource"]["title"] == title;
        let account = async || sandbox.admin("GET", &format!("/users/{ada}"), None).await;
        eventually(PATIENCE, "the title is there", async || {
            let account = account().await;
            if title("Engineer")(&account) { Ok(()) } else { Err(account) }
        })
        .await;
        place.synced("ada").await;
        // Found by looking, in whatever way is left.
        sandbox.admin("POST", &format!("/users/{ada}/change"), Some(json!({"title": "Nobody"}))).await;
        eventually(PATIENCE, "drift is put right", async || {
            let account = account().await;
            if title("Engineer")(&account) { Ok(()) } else { Err(account) }
        })
        .await;
        // What a write taught shows with the next sweep.
        place.status_is("what was learnt", |status| learned(&json!({"status": status})) == fields).await;
        let stats = sandbox.admin("GET", "/stats", None).await;
        assert_eq!((&stats["users"], &stats["requests"]["POST"]["Users"]["201"]), (&json!(1), &json!(1)), "{stats}");
    }
}

/// Once all of them, once those of members alone.
#[tokio::test]
async fn i11_ids_that_are_numbers_are_taken_as_they_are() {
    for dialect in ["numericIds", "numericMembers"] {
        let sandbox = Sandbox::start_with(&["--dialect", dialect]);
        let front = Front::before(&sandbox.base_url, &sandbox.token).open();
        let place = Place::at(&front.base_url, "any", json!({})).await;
        place.user("ada", json!({}));
        let ada = place.synced("ada").await;
        place.group("Team", json!({"members": [{"userRef": {"name": "ada"}}]}));
        let team = place.group_synced("team", 1).await;
        // No digit is lost.
        let people = sandbox.scim("GET", "/Users", None).await.1;
        assert_eq!(people["Resources"][0]["id"].to_string().trim_matches('"'), ada, "{dialect}");
        place.sweeps(3).await;
        let writes = front.take_writes();
        let posts =
            |path: &str| writes.iter().filter(|write| write.method == "POST" && write.path.ends_with(path)).count();
        assert_eq!((posts("/Users"), posts("/Groups")), (1, 1), "{dialect}: {writes:?}");
        assert!(writes.len() <= 3, "{dialect}: the member is sent once: {writes:?}");

        // Who was put in by hand goes again, and ada stays.
        let person = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "mallory"});
        let mallory = sandbox.scim("POST", "/Users", Some(person)).await.1["id"].to_string();
        let id: u64 = mallory.trim_matches('"').parse().unwrap();
        let add = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "add", "path": "members", "value": [{"value": id}]}],
        });
        assert!(sandbox.scim("PATCH", &format!("/Groups/{team}"), Some(add)).await.0 < 300, "{dialect}");
        eventually(PATIENCE, "ada alone is in", async || {
            let shown = sandbox.scim("GET", &format!("/Groups/{team}"), None).await.1["members"].clone();
            let alone = shown.as_array().is_some_and(|members| members.len() == 1);
            if alone && shown[0]["value"].as_u64().map(|id| id.to_string()).as_ref() == Some(&ada) {
                Ok(())
            } else {
                Err(shown)
            }
        })
        .await;
        place.group_synced("team", 1).await;
        let again = front.take_writes();
        assert_eq!(again.len(), 1, "{dialect}: {again:?}");
    }
}
