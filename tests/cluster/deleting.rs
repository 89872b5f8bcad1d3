//! What deleting a ScimUser does: the table of the documentation, row by row.

use serde_json::{Value, json};

use crate::elsewhere::{fault, held};
use crate::kit::{PATIENCE, Place, condition};
use crate::support::{Sandbox, eventually};

/// The ways out, as every object that waits under deletion names them.
fn names_the_way_out(message: &str) {
    assert!(message.contains("kubectl annotate scimuser -n "), "{message}");
    assert!(message.contains("scim-operator.dev/release=true"), "{message}");
}

async fn still_active(place: &Place, id: &str) {
    let account = place.account(id).await.expect("the account");
    assert_eq!(account["active"], true, "{account}");
}

#[tokio::test]
async fn i10_what_was_never_bound_goes_at_once() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    place.user("twin", json!({"userName": "ada@example.com"}));
    place.is("twin", "False", "Conflict").await;
    let before = place.directory.writes().await;
    place.kubectl(&["delete", "scimuser", "twin", "--timeout=60s"]);
    assert_eq!(place.directory.writes().await, before);
    still_active(&place, &id).await;
}

#[tokio::test]
async fn i14_what_policy_or_protection_keeps_is_left_with_a_warning() {
    let place = Place::connected(json!({"guards": {"protected": ["*-breakglass@example.com"]}})).await;
    place.user("ada-breakglass", json!({}));
    place.user("retained", json!({"deletionPolicy": "Retain"}));
    place.user("released", json!({}));
    place.user("undisturbed", json!({}));
    let mut kept = Vec::new();
    for name in ["ada-breakglass", "retained", "released", "undisturbed"] {
        kept.push(place.synced(name).await);
    }
    place.annotate("released", "release=true");
    for name in ["ada-breakglass", "retained", "released"] {
        place.kubectl(&["delete", "scimuser", name, "--timeout=60s"]);
    }
    place.patch_connection(json!({"actions": ["Create", "Update"]}));
    place.kubectl(&["delete", "scimuser", "undisturbed", "--timeout=60s"]);
    for id in &kept {
        still_active(&place, id).await;
    }
    for name in ["ada-breakglass", "retained", "released", "undisturbed"] {
        eventually(PATIENCE, &format!("a Warning about {name}"), async || {
            let about = format!("involvedObject.name={name},involvedObject.kind=ScimUser,type=Warning");
            let events = place.kubectl(&["get", "events", "--field-selector", &about, "-o", "json"]);
            let events: Value = serde_json::from_str(&events).expect("JSON");
            let said = events["items"].to_string();
            if said.contains("the account stays as it is") { Ok(()) } else { Err(said) }
        })
        .await;
    }
}

#[tokio::test]
async fn i15_a_suspended_object_waits_and_names_the_ways_out() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({}));
    place.user("grace", json!({}));
    let (ada, grace) = (place.synced("ada").await, place.synced("grace").await);
    place.user("ada", json!({"suspend": true, "title": "Officer"}));
    place.says("ada", "Suspended").await;
    let suspended = place.get("ada").await.expect("ada");
    assert_eq!(condition(&suspended, "Ready")["status"], "True", "what was Ready stays so: {suspended}");
    let before = place.directory.writes().await;
    place.delete("ada");
    eventually(PATIENCE, "it waits", async || {
        let user = place.get("ada").await.expect("still there");
        if user["status"]["state"] == "Deleting" { Ok(()) } else { Err(user["status"].clone()) }
    })
    .await;
    let message = place.says("ada", "Suspended").await;
    names_the_way_out(&message);
    assert!(message.contains("spec.suspend to false"), "{message}");
    place.sweeps(1).await;
    assert_eq!(place.directory.writes().await, before);
    place.kubectl(&["patch", "scimuser", "ada", "--type=merge", "-p", r#"{"spec":{"suspend":false}}"#]);
    place.is_gone("ada").await;
    assert_eq!(place.account(&ada).await.expect("ada")["active"], false);

    // The whole connection.
    place.patch_connection(json!({"suspend": true}));
    place.says("grace", "Suspended").await;
    place.delete("grace");
    eventually(PATIENCE, "it waits", async || {
        let user = place.get("grace").await.expect("still there");
        if user["status"]["state"] == "Deleting" { Ok(()) } else { Err(user["status"].clone()) }
    })
    .await;
    names_the_way_out(&place.says("grace", "Suspended").await);
    still_active(&place, &grace).await;
    place.annotate("grace", "release=true");
    place.is_gone("grace").await;
    still_active(&place, &grace).await;
}

#[tokio::test]
async fn i15_a_removal_waits_for_its_connection_and_names_the_ways_out() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
    for name in ["ada", "grace", "alan"] {
        place.user(name, json!({}));
        place.synced(name).await;
    }
    let active = async |name: &str| {
        let accounts = crate::elsewhere::held(&sandbox, &format!("{name}@example.com")).await;
        accounts[0]["active"].clone()
    };
    // The server refuses the key.
    sandbox.admin("POST", "/token", Some(json!({"token": "another"}))).await;
    place.connection_is("CredentialsRejected").await;
    place.delete("ada");
    place.delete("grace");
    for name in ["ada", "grace"] {
        let message = place.says(name, "ConnectionNotReady").await;
        assert!(message.contains("CredentialsRejected"), "{message}");
        names_the_way_out(&message);
        assert_eq!(active(name).await, true);
    }
    place.annotate("grace", "release=true");
    place.is_gone("grace").await;
    assert_eq!(active("grace").await, true);
    // Nothing else knows of that account any more.
    eventually(PATIENCE, "it is told that grace's account is left", async || match place.events("AccountLeft") {
        told if told.len() == 1 => Ok(()),
        told => Err(told),
    })
    .await;
    place.secret("another");
    place.is_gone("ada").await;
    assert_eq!(active("ada").await, false);

    // The connection gone, by force.
    place.kubectl(&["delete", "scimconnection", "jackson", "--wait=false"]);
    place.kubectl(&["patch", "scimconnection", "jackson", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#]);
    place.kubectl(&["wait", "--for=delete", "scimconnection/jackson", "--timeout=60s"]);
    place.delete("alan");
    names_the_way_out(&place.says("alan", "ConnectionNotFound").await);
    assert_eq!(active("alan").await, true);
    place.apply(place.generic(&sandbox.base_url, json!({})));
    place.is_gone("alan").await;
    assert_eq!(active("alan").await, false);
}

#[tokio::test]
async fn i06_another_server_is_sent_no_removal() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    let sandbox = Sandbox::start();
    place.secret(&sandbox.token);
    place.apply(place.generic(&sandbox.base_url, json!({})));
    place.connection_is("Connected").await;
    // The first plan after a change of server is held.
    place.says("ada", "Held").await;
    place.delete("ada");
    eventually(PATIENCE, "it waits", async || {
        let user = place.get("ada").await.expect("still there");
        if user["status"]["state"] == "Deleting" { Ok(()) } else { Err(user["status"].clone()) }
    })
    .await;
    names_the_way_out(&place.says("ada", "BoundElsewhere").await);
    assert_eq!(sandbox.admin("GET", "/stats", None).await["writes"], 0);
    still_active(&place, &id).await;
    place.secret(&place.directory.token);
    place.apply(place.connection(json!({})));
    place.is_gone("ada").await;
    assert_eq!(place.account(&id).await.expect("ada")["active"], false);
}

#[tokio::test]
async fn a_deletion_that_can_not_be_taken_back_asks_for_admission() {
    let place = Place::connected(json!({
        "deletionPolicy": {"users": "Delete"}, "dialect": {"deleteIrreversible": true},
    }))
    .await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    place.delete("ada");
    let message = place.says("ada", "IrreversibleDelete").await;
    assert!(message.contains("allowIrreversibleDelete"), "{message}");
    names_the_way_out(&message);
    still_active(&place, &id).await;
    let failed = |status: &Value| status["users"]["failed"] == 1;
    place.status_is("who left and can't be removed counts as failed, for the alert", failed).await;
    place.patch_connection(json!({"allowIrreversibleDelete": true}));
    place.is_gone("ada").await;
    assert_eq!(place.account(&id).await, None);
}

#[tokio::test]
async fn i15_a_removal_that_failed_is_tried_until_it_is_done() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
    for name in ["ada", "grace"] {
        place.user(name, json!({}));
        place.synced(name).await;
    }
    // Once refused; once done, with its answer lost.
    let patch = json!({"method": "PATCH", "count": 1});
    crate::elsewhere::fault(&sandbox, patch.clone(), json!({"kind": "status", "code": 503})).await;
    place.kubectl(&["delete", "scimuser", "ada", "--timeout=90s"]);
    crate::elsewhere::fault(&sandbox, patch, json!({"kind": "reset_after"})).await;
    place.kubectl(&["delete", "scimuser", "grace", "--timeout=90s"]);
    for name in ["ada", "grace"] {
        let accounts = crate::elsewhere::held(&sandbox, &format!("{name}@example.com")).await;
        assert_eq!(accounts[0]["active"], false, "{accounts:?}");
        assert_eq!(accounts[0]["history"]["deactivated"], 1, "{accounts:?}");
    }
}

/// The server deletes nobody, whatever the policy says: the access ends all the same, and the object says what is owed.
#[tokio::test]
async fn i15_whoever_can_not_be_deleted_is_deactivated() {
    for code in [403, 404, 405, 409] {
        let sandbox = Sandbox::start();
        let place = Place::at(&sandbox.base_url, &sandbox.token, json!({"deletionPolicy": {"users": "Delete"}})).await;
        place.user("ada", json!({}));
        place.synced("ada").await;
        fault(
            &sandbox,
            json!({"method": "DELETE"}),
            json!({"kind": "status", "code": code, "body": {"message": "no"}}),
        )
        .await;
        place.delete("ada");
        eventually(PATIENCE, "ada is inactive", async || {
            let accounts = held(&sandbox, "ada@example.com").await;
            if accounts[0]["active"] == false { Ok(()) } else { Err(accounts) }
        })
        .await;
        let message = eventually(PATIENCE, "it says why it waits", async || {
            let user = place.get("ada").await.ok_or(Value::Null)?;
            let ready = condition(&user, "Ready");
            let settled = user["status"]["state"] == "Deleting" && ready["reason"] != "Synced";
            if settled { Ok(ready["message"].to_string()) } else { Err(user["status"].clone()) }
        })
        .await;
        assert!(message.contains("scim-operator.dev/release=true"), "{code}: {message}");
        assert_eq!(sandbox.admin("GET", "/faults/log", None).await["status"], 2, "{code}: tried once more, then");
    }
}
