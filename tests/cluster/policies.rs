//! What a connection permits, and what people may ask for by annotation.

use serde_json::{Value, json};

use crate::kit::{PATIENCE, Place, condition, user};
use crate::support::eventually;

/// An account that was there before.
async fn there_before(place: &Place, name: &str) -> String {
    let email = format!("{name}@example.com");
    let account = json!({
        "userName": email, "active": true, "title": "Founder", "nickName": "kept",
        "name": {"givenName": name, "familyName": "Example"}, "emails": [{"value": email, "type": "work", "primary": true}],
    });
    let (status, made) = place.directory.scim("POST", "/Users", Some(account)).await;
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn i22_an_account_that_is_there_is_adopted_and_only_changed_where_declared() {
    let place = Place::connected(json!({})).await;
    let id = there_before(&place, "ada").await;
    place.user("ada", json!({"title": "Officer"}));
    assert_eq!(place.synced("ada").await, id);
    let account = place.account(&id).await.expect("ada");
    assert_eq!((&account["raw"]["title"], &account["raw"]["nickName"]), (&json!("Officer"), &json!("kept")));
    assert_eq!(place.directory.users().await.len(), 1);
    eventually(PATIENCE, "an event that says so", async || {
        let about = "involvedObject.name=ada,involvedObject.kind=ScimUser,reason=Adopted";
        let events = place.kubectl(&["get", "events", "--field-selector", about, "-o", "name"]);
        if events.trim().is_empty() { Err(events) } else { Ok(()) }
    })
    .await;
}

#[tokio::test]
async fn i22_adoption_can_be_refused_and_then_allowed_by_id() {
    let place = Place::connected(json!({"adoptionPolicy": {"users": "Refuse"}})).await;
    let id = there_before(&place, "ada").await;
    place.user("ada", json!({}));
    let ada = place.is("ada", "False", "AdoptionRefused").await;
    let message = condition(&ada, "Ready")["message"].to_string();
    assert!(message.contains(&id) && message.contains("scim-operator.dev/remote-id"), "{message}");
    assert_eq!(ada["status"]["id"], Value::Null);
    let before = place.directory.writes().await;
    // What the message says to do.
    place.annotate("ada", &format!("remote-id={id}"));
    assert_eq!(place.synced("ada").await, id);
    assert_eq!(place.directory.writes().await, before);
}

#[tokio::test]
async fn i06_a_remote_id_is_bound_under_the_same_checks() {
    let place = Place::connected(json!({})).await;
    let id = there_before(&place, "grace").await;
    for (name, remote_id, told) in [("ada", id.as_str(), "another userName"), ("alan", "nobody", "doesn't have")] {
        let mut manifest = user(name, json!({}));
        manifest["metadata"]["annotations"] = json!({"scim-operator.dev/remote-id": remote_id});
        place.apply(manifest);
        let it = place.is(name, "False", "Conflict").await;
        assert!(condition(&it, "Ready")["message"].to_string().contains(told), "{it}");
    }
    let accounts = place.directory.users().await;
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    assert_eq!(accounts[0]["raw"]["userName"], "grace@example.com");
}

#[tokio::test]
async fn each_action_can_be_switched_off() {
    let place = Place::connected(json!({"actions": ["Update", "Deprovision"]})).await;
    let told = async |name: &str, action: &str| {
        let it = place.is(name, "False", "ActionDisabled").await;
        let message = condition(&it, "Ready")["message"].to_string();
        assert!(message.contains(&format!("doesn't list {action}")), "{message}");
    };
    place.user("ada", json!({}));
    told("ada", "Create").await;
    assert_eq!(place.directory.writes().await, Vec::<Value>::new());
    place.patch_connection(json!({"actions": ["Create"]}));
    let id = place.synced("ada").await;
    place.user("ada", json!({"title": "Officer"}));
    told("ada", "Update").await;
    place.user("ada", json!({"active": false}));
    told("ada", "Deprovision").await;
    let account = place.account(&id).await.expect("ada");
    assert_eq!((&account["active"], &account["raw"]["title"]), (&json!(true), &Value::Null));
    place.patch_connection(json!({"actions": ["Deprovision"]}));
    place.synced("ada").await;
    assert_eq!(place.account(&id).await.expect("ada")["active"], false);
}

#[tokio::test]
async fn a_suspended_connection_writes_nothing() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    place.patch_connection(json!({"suspend": true}));
    place.says("ada", "Suspended").await;
    let before = place.directory.writes().await;
    place.user("ada", json!({"title": "Officer"}));
    place.user("grace", json!({}));
    place.says("grace", "Suspended").await;
    let grace = place.get("grace").await.expect("grace");
    assert_eq!(condition(&grace, "Ready")["status"], "Unknown", "{grace}");
    place.changed_by_others(&id, "title", json!("Nobody")).await;
    place.sweeps(1).await;
    let puts = place.directory.writes().await;
    assert_eq!(puts.len(), before.len() + 1, "more than what the test itself wrote: {puts:?}");
    place.patch_connection(json!({"suspend": false}));
    place.synced("ada").await;
    place.synced("grace").await;
    assert_eq!(place.account(&id).await.expect("ada")["raw"]["title"], "Officer");
}

#[tokio::test]
async fn a_request_to_reconcile_is_answered() {
    let place = Place::connected(json!({"driftPolicy": {"attributes": "Report"}})).await;
    place.user("ada", json!({"title": "Officer"}));
    let id = place.synced("ada").await;
    for asked in ["first", "second"] {
        place.changed_by_others(&id, "title", json!("Nobody")).await;
        place.is("ada", "True", "Drifted").await;
        place.annotate("ada", &format!("reconcile-requested-at={asked}"));
        eventually(PATIENCE, "the answer", async || {
            let status = place.get("ada").await.expect("ada")["status"].clone();
            if status["lastHandledReconcileAt"] == asked { Ok(()) } else { Err(status) }
        })
        .await;
        assert_eq!(
            place.account(&id).await.expect("ada")["raw"]["title"],
            "Officer",
            "what was asked for was not done"
        );
        place.synced("ada").await;
    }
}

#[tokio::test]
async fn i08_a_manifest_moved_to_another_namespace_costs_nobody_access() {
    let place = Place::connected(json!({"deletionPolicy": {"users": "Delete"}})).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    // Another namespace, another connection, the same server.
    let mut other = Place::new().await;
    other.directory = place.directory.clone();
    other.connect(json!({"deletionPolicy": {"users": "Delete"}}));
    other.connection_is("Connected").await;
    let before = place.directory.writes().await;
    other.user("ada", json!({}));
    let second = other.is("ada", "False", "Conflict").await;
    let message = condition(&second, "Ready")["message"].to_string();
    assert!(message.contains(&format!("{}/ada ", place.namespace)), "{message}");
    place.kubectl(&["delete", "scimuser", "ada", "--timeout=60s"]);
    assert_eq!(other.synced("ada").await, id);
    assert_eq!(other.get("ada").await.expect("ada")["status"]["lastOperation"]["type"], "Handover");
    assert_eq!(place.account(&id).await.expect("ada")["active"], true);
    assert_eq!(place.directory.writes().await, before, "the account was touched");
}

#[tokio::test]
async fn i08_a_rename_onto_another_ones_account_is_a_conflict() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({}));
    let ada = place.synced("ada").await;
    place.user("grace", json!({}));
    let grace = place.synced("grace").await;
    // The elder wants the younger one's name.
    place.user("ada", json!({"userName": "grace@example.com"}));
    let refused = place.is("ada", "False", "Conflict").await;
    assert!(condition(&refused, "Ready")["message"].to_string().contains("/grace "), "{refused}");
    assert_eq!(place.account(&ada).await.expect("ada")["raw"]["userName"], "ada@example.com");
    assert_eq!(place.account(&grace).await.expect("grace")["raw"]["userName"], "grace@example.com");
    place.synced("grace").await;
    // And back.
    place.user("ada", json!({}));
    assert_eq!(place.synced("ada").await, ada);
}

#[tokio::test]
async fn waiting_for_ready_does_not_return_early_on_a_new_object() {
    let place = Place::new().await;
    place.user("ada", json!({}));
    let wait = ["-n", &place.namespace, "wait", "--for=condition=Ready", "scimuser", "--all", "--timeout=2s"];
    assert!(!place.cluster.kubectl(&wait).status.success(), "nothing has been provisioned yet");
    place.connect(json!({}));
    let wait = ["wait", "--for=condition=Ready", "scimuser", "--all", "--timeout=90s"];
    place.kubectl(&wait);
    assert_eq!(place.directory.users().await.len(), 1);
    // Many times over: a change is there when the wait for it ends.
    let id = place.synced("ada").await;
    for number in 0..10 {
        let title = format!("Officer {number}");
        place.user("ada", json!({"title": title}));
        place.kubectl(&wait);
        assert_eq!(place.account(&id).await.expect("ada")["raw"]["title"], title);
    }
}

#[tokio::test]
async fn access_windows_open_and_close_an_account() {
    let place = Place::connected(json!({})).await;
    let window = |from: &str, until: &str| json!({"access": {"notBefore": from, "notAfter": until}});
    place.user("ada", window("2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z"));
    place.is("ada", "True", "OutsideAccessWindow").await;
    assert_eq!(place.directory.users().await.len(), 0, "an account that would begin inactive isn't created");
    place.user("ada", window("2020-01-01T00:00:00Z", "2120-02-01T00:00:00Z"));
    let id = place.synced("ada").await;
    place.user("ada", window("2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z"));
    place.is("ada", "True", "OutsideAccessWindow").await;
    assert_eq!(place.account(&id).await.expect("ada")["active"], false);
}
