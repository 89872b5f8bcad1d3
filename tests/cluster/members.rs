//! Members of groups that the server shows badly, or not at all: nobody else waits for them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::elsewhere::fault;
use crate::groups::{members, members_are};
use crate::kit::{PATIENCE, Place, condition, counted};
use crate::support::{Front, Sandbox, Tenant, eventually};

const GHOST: &str = "00000000-0000-4000-8000-000000000000";

async fn made(tenant: &Tenant, collection: &str, body: Value) -> String {
    let (status, made) = tenant.scim("POST", collection, Some(body)).await;
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().expect("an id").to_owned()
}

fn schema(kind: &str) -> String {
    format!("urn:ietf:params:scim:schemas:core:2.0:{kind}")
}

/// The list of accounts never ends where it says, and one member's account is gone: whose it is can't be listed. Two
/// looks settle it, for every group, and nobody asks again.
#[tokio::test]
async fn i11_a_member_whose_account_is_gone_keeps_no_group_waiting() {
    let sandbox = Sandbox::start();
    let tenant = Tenant { base_url: sandbox.base_url.clone(), token: sandbox.token.clone() };
    let list = json!({"method": "GET", "path_prefix": "/Users", "query_contains": "startIndex"});
    fault(&sandbox, list, json!({"kind": "wrong_total", "delta": 5})).await;
    made(&tenant, "/Users", json!({"schemas": [schema("User")], "userName": "mallory"})).await;
    for name in ["emptied", "deleted"] {
        let body = json!({"schemas": [schema("Group")], "displayName": name, "members": [{"value": GHOST}]});
        made(&tenant, "/Groups", body).await;
    }
    let front = Front::before(&sandbox.base_url, &sandbox.token).open();
    let place = Place::at(
        &front.base_url,
        "any",
        json!({
            "guards": {"protected": ["*-breakglass@example.com"]}, "adoptionPolicy": {"groups": "Adopt"},
            "deletionPolicy": {"groups": "Delete"},
        }),
    )
    .await;
    place.group("deleted", json!({"membership": "Additive"}));
    place.group_is("deleted", "Synced", None).await;
    place.kubectl(&["delete", "scimgroup", "deleted", "--wait=false"]);
    place.group("emptied", json!({}));
    place.group_is_gone("deleted");
    let emptied = place.group_synced("emptied", 0).await;
    assert_eq!(members(&tenant, &emptied).await, Vec::<String>::new());
    // No sweep is ever complete, and each looks at every group.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let looks = front.take().iter().filter(|seen| seen.path.ends_with(GHOST)).count();
    assert_eq!(looks, 2, "one look, and one more a minute later");
}

/// The group's message, when Ready has this reason, whatever generation it is about.
async fn says(place: &Place, name: &str, reason: &str) -> String {
    eventually(PATIENCE, &format!("{name} says {reason}"), async || {
        let ready = condition(&place.get_group(name).ok_or(Value::Null)?, "Ready");
        let message = ready["message"].as_str().unwrap_or_default().to_owned();
        if ready["reason"] == reason { Ok(message) } else { Err(ready) }
    })
    .await
}

/// One account that the key may not read stays as it is; the others come and go.
#[tokio::test]
async fn i20_a_member_that_can_not_be_read_stops_nobody_else() {
    let sandbox = Sandbox::start();
    let tenant = Tenant { base_url: sandbox.base_url.clone(), token: sandbox.token.clone() };
    let person = json!({"schemas": [schema("User")], "userName": "mallory", "active": true});
    let mallory = made(&tenant, "/Users", person).await;
    let hidden = json!({"method": "GET", "path_prefix": format!("/Users/{GHOST}")});
    fault(&sandbox, hidden, json!({"kind": "status", "code": 403})).await;
    let list = json!([{"value": GHOST}, {"value": mallory}]);
    let platform =
        made(&tenant, "/Groups", json!({"schemas": [schema("Group")], "displayName": "platform", "members": list}))
            .await;
    let fields = json!({
        "guards": {"protected": ["*-breakglass@example.com"]}, "adoptionPolicy": {"groups": "Adopt"},
    });
    let place = Place::at(&sandbox.base_url, &sandbox.token, fields).await;
    place.user("ada", json!({}));
    let ada = place.synced("ada").await;
    place.group("platform", json!({"members": [{"userRef": {"name": "ada"}}]}));
    let ghost = GHOST.to_owned();
    members_are(&tenant, &platform, &[&ghost, &ada]).await;
    let message = says(&place, "platform", "Pending").await;
    assert!(message.starts_with("1 members stay as they are"), "{message}");
}

#[tokio::test]
async fn i20_a_group_whose_members_have_no_readable_id_waits_and_says_so() {
    let sandbox = Sandbox::start();
    let tenant = Tenant { base_url: sandbox.base_url.clone(), token: sandbox.token.clone() };
    let body = json!({"schemas": [schema("Group")], "displayName": "platform", "members": [{"value": GHOST}]});
    let platform = made(&tenant, "/Groups", body).await;
    let shown = json!({
        "schemas": [schema("Group")], "id": platform, "displayName": "platform", "members": [{"display": "somebody"}],
    });
    let read = json!({"method": "GET", "path_prefix": format!("/Groups/{platform}")});
    fault(&sandbox, read, json!({"kind": "status", "code": 200, "body": shown})).await;
    let front = Front::before(&sandbox.base_url, &sandbox.token).open();
    let place = Place::at(&front.base_url, "any", json!({"adoptionPolicy": {"groups": "Adopt"}})).await;
    place.group("platform", json!({}));
    let message = says(&place, "platform", "Pending").await;
    assert!(message.contains("without a readable id") && message.contains("membersReadable"), "{message}");
    place.sweeps(1).await;
    assert_eq!(front.take_writes(), [], "nobody is taken out");
    sandbox.admin("DELETE", "/faults", None).await;
    place.group_synced("platform", 0).await;
    assert_eq!(members(&tenant, &platform).await, Vec::<String>::new());
}

/// The deactivation that goes before is refused; and a form of writing that the server takes only later.
#[tokio::test]
async fn i17_a_refused_deactivation_keeps_nobody_in_and_a_415_is_tried_again_soon() {
    let sandbox = Sandbox::start();
    let tenant = Tenant { base_url: sandbox.base_url.clone(), token: sandbox.token.clone() };
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({"deletionPolicy": {"users": "Delete"}})).await;
    for name in ["ada", "bob"] {
        place.labelled(name, "platform", json!({}));
    }
    let (ada, bob) = (place.synced("ada").await, place.synced("bob").await);
    place.group("Platform", json!({"memberSelector": {"matchLabels": {"team": "platform"}}}));
    let platform = place.group_synced("platform", 2).await;
    let deactivation = json!({"method": "PATCH", "path_prefix": "/Users", "body_contains": "active"});
    fault(&sandbox, deactivation, json!({"kind": "status", "code": 400})).await;
    place.delete("ada");
    place.is_gone("ada").await;
    assert_eq!(tenant.scim("GET", &format!("/Users/{ada}"), None).await.0, 404);
    members_are(&tenant, &platform, &[&bob]).await;

    sandbox.admin("DELETE", "/faults", None).await;
    for path in ["/Users", "/Groups"] {
        let writes = json!({"method": "PATCH,DELETE", "path_prefix": path});
        fault(&sandbox, writes, json!({"kind": "status", "code": 415})).await;
    }
    place.kubectl(&["label", "scimuser", "bob", "team-"]);
    let message = says(&place, "platform", "Pending").await;
    assert!(message.contains("it is tried again"), "{message}");
    place.delete("bob");
    let message = place.says("bob", "Pending").await;
    assert!(message.contains("it is tried again") && message.contains("release=true"), "{message}");
    sandbox.admin("DELETE", "/faults", None).await;
    place.is_gone("bob").await;
    members_are(&tenant, &platform, &[]).await;
    assert_eq!(tenant.scim("GET", &format!("/Users/{bob}"), None).await.0, 404);
}

/// Answered with nothing, which may have made something; and with something under another name each time.
#[tokio::test]
async fn i07_creations_that_show_nothing_of_their_own_are_counted() {
    let sandbox = Sandbox::start();
    let front = Front::before(&sandbox.base_url, &sandbox.token).open();
    let place = Place::at(&front.base_url, "any", json!({})).await;
    fault(&sandbox, json!({"method": "POST"}), json!({"kind": "empty_object_200"})).await;
    place.user("ada", json!({}));
    place.group("Platform", json!({}));
    let posts = |seen: &[crate::support::Seen], path: &str| {
        seen.iter().filter(|seen| seen.method == "POST" && seen.path.ends_with(path)).count()
    };
    for message in [place.says("ada", "Conflict").await, says(&place, "platform", "Conflict").await] {
        assert!(message.contains("two creations took effect") && message.contains("(not shown)"), "{message}");
    }
    let seen = front.take();
    assert_eq!((posts(&seen, "/Users"), posts(&seen, "/Groups")), (2, 2), "{seen:?}");

    sandbox.admin("DELETE", "/faults", None).await;
    for n in 1..4 {
        let user = json!({"schemas": [schema("User")], "id": format!("u-{n}"), "userName": format!("other-{n}")});
        let answer = json!({"kind": "status", "code": 201, "body": user});
        fault(&sandbox, json!({"method": "POST", "path_prefix": "/Users", "count": 1}), answer).await;
        let group = json!({"schemas": [schema("Group")], "id": format!("g-{n}"), "displayName": format!("other-{n}")});
        let answer = json!({"kind": "status", "code": 201, "body": group});
        fault(&sandbox, json!({"method": "POST", "path_prefix": "/Groups", "count": 1}), answer).await;
    }
    for n in 1..4 {
        place.user("bob", json!({"title": format!("No {n}")}));
        place.group(
            "Second",
            json!({"members": (1..n).map(|n| json!({"userName": format!("nobody-{n}")})).collect::<Vec<_>>()}),
        );
        let expected = if n < 3 { format!("other-{n}") } else { "two creations took effect".to_owned() };
        let group = eventually(PATIENCE, "the group's conflict", async || {
            let message = says(&place, "second", "Conflict").await;
            if message.contains(&expected) { Ok(()) } else { Err(message) }
        });
        group.await;
        eventually(PATIENCE, "the user's conflict", async || {
            let message = place.says("bob", "Conflict").await;
            if message.contains(&expected) { Ok(()) } else { Err(message) }
        })
        .await;
    }
    let seen = front.take();
    assert_eq!((posts(&seen, "/Users"), posts(&seen, "/Groups")), (2, 2), "{seen:?}");
}

#[tokio::test]
async fn groups_are_counted_as_users_are() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
    let connection = format!("connection=\"{}/jackson\"", place.namespace);
    place.group("Platform", json!({}));
    place.group_synced("platform", 0).await;
    assert!(counted("submitted_total", &connection).await >= 1.0);
    assert_eq!(counted("kubernetes_errors_total", &connection).await, 0.0);
    let unrouted = counted("unrouted_total", "").await;
    place.group("Lost", json!({"connectionRef": {"name": "nowhere"}}));
    says(&place, "lost", "ConnectionNotFound").await;
    assert!(counted("unrouted_total", "").await > unrouted);

    // A policy refuses the status that is to be written.
    let name = format!("no-status-{}", place.namespace);
    let of = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place.namespace}}});
    place.apply(json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{
                "apiGroups": ["scim-operator.dev"], "apiVersions": ["*"], "operations": ["UPDATE"],
                "resources": ["scimgroups/status"],
            }]},
            "validations": [{"expression": "false", "message": "no status today"}],
        },
    }));
    place.apply(json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"], "matchResources": of},
    }));
    eventually(PATIENCE, "a refused status is counted", async || {
        place.kubectl(&[
            "annotate",
            "--overwrite",
            "scimgroup",
            "platform",
            "scim-operator.dev/reconcile-requested-at=now",
        ]);
        place.kubectl(&[
            "annotate",
            "--overwrite",
            "scimgroup",
            "platform",
            "scim-operator.dev/reconcile-requested-at=later",
        ]);
        match counted("kubernetes_errors_total", &connection).await {
            errors if errors > 0.0 => Ok(()),
            errors => Err(errors),
        }
    })
    .await;
    place.kubectl(&["delete", "validatingadmissionpolicybinding", &name]);
    place.kubectl(&["delete", "validatingadmissionpolicy", &name]);
}

/// At a server that lists nobody without a filter: whom a group names by userName, and no object declares, is looked for.
#[tokio::test]
async fn i31_a_member_by_user_name_is_found_at_a_server_that_lists_nobody() {
    let sandbox = Sandbox::start_with(&["--quirk", "needs_filter"]);
    let tenant = Tenant { base_url: sandbox.base_url.clone(), token: sandbox.token.clone() };
    let person = |name: &str| json!({"schemas": [schema("User")], "userName": name, "active": true});
    let grace = made(&tenant, "/Users", person("grace@example.com")).await;
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
    place.user("ada", json!({"userName": "ada@example.com"}));
    place.synced("ada").await;
    let declared = json!([{"userName": "grace@example.com"}, {"userName": "alan@example.com"}]);
    place.group("team", json!({"members": declared}));
    let team =
        place.group_is("team", "Synced", Some((2, 1, 1))).await["status"]["id"].as_str().unwrap_or_default().to_owned();
    assert_eq!(members(&tenant, &team).await, std::slice::from_ref(&grace));
    let alan = made(&tenant, "/Users", person("alan@example.com")).await;
    let team = place.group_synced("team", 2).await;
    members_are(&tenant, &team, &[&grace, &alan]).await;
}
