//! The life of an account: made, changed, renamed, handed over, ended.

use serde_json::{Value, json};

use crate::elsewhere::held;
use crate::kit::{ENTERPRISE, Place, condition};
use crate::support::{Sandbox, eventually};

#[tokio::test]
async fn a_team_becomes_ready() {
    let place = Place::connected(json!({})).await;
    place.user(
        "ada",
        json!({"title": "Officer", "enterprise": {"department": "Engineering", "employeeNumber": "70001"}}),
    );
    place.user("grace", json!({"enterprise": {"manager": {"userRef": {"name": "ada"}}}}));
    place.user(
        "alan",
        json!({"emails": [
            {"value": "alan@example.com", "type": "work", "primary": true},
            {"value": "alan@home.example.org", "type": "home"},
        ]}),
    );
    place.kubectl(&["wait", "--for=condition=Ready", "scimuser", "--all", "--timeout=90s"]);

    let accounts = place.directory.users().await;
    assert_eq!(accounts.len(), 3, "{accounts:?}");
    let ada = place.synced("ada").await;
    let raw = place.account(&ada).await.expect("ada")["raw"].clone();
    assert_eq!(raw["userName"], "ada@example.com");
    assert_eq!(raw["title"], "Officer");
    assert_eq!(raw["active"], true);
    assert_eq!(raw[ENTERPRISE]["department"], "Engineering");
    let grace = place.synced("grace").await;
    let raw = place.account(&grace).await.expect("grace")["raw"].clone();
    assert_eq!(raw[ENTERPRISE]["manager"]["value"], ada, "{raw}");
}

#[tokio::test]
async fn i01_at_rest_nothing_is_written() {
    let place = Place::connected(json!({})).await;
    for name in ["ada", "grace", "alan"] {
        place.user(name, json!({"title": "Engineer", "enterprise": {"department": "Engineering"}}));
    }
    for name in ["ada", "grace", "alan"] {
        place.synced(name).await;
    }
    // The one after a change may still read what it wrote.
    place.sweeps(1).await;
    let versions = async || -> Vec<Value> {
        let users = place.users().await;
        users.iter().map(|user| user["metadata"]["resourceVersion"].clone()).collect()
    };
    let (sent, before) = (place.directory.writes().await, versions().await);
    place.rests(2).await;
    assert_eq!(place.directory.writes().await, sent);
    assert_eq!(versions().await, before);
}

#[tokio::test]
async fn i06_a_rename_keeps_the_account() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    place.user(
        "ada",
        json!({
            "userName": "ada.king@example.com",
            "emails": [{"value": "ada.king@example.com", "type": "work", "primary": true}],
        }),
    );
    assert_eq!(place.synced("ada").await, id);
    let accounts = place.directory.users().await;
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    assert_eq!(accounts[0]["id"], *id);
    assert_eq!(accounts[0]["email"], "ada.king@example.com");
    assert_eq!(accounts[0]["raw"]["userName"], "ada.king@example.com");
}

#[tokio::test]
async fn i08_a_manifest_moved_to_another_name_costs_nobody_access() {
    let place = Place::connected(json!({"deletionPolicy": {"users": "Delete"}})).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    let before = place.directory.writes().await;

    let moved = crate::kit::user("ada", json!({})).to_string().replace("\"name\":\"ada\"}", "\"name\":\"ada-king\"}");
    place.cluster.apply(&place.namespace, &moved);
    let second = place.is("ada-king", "False", "Conflict").await;
    let message = condition(&second, "Ready")["message"].to_string();
    assert!(message.contains(&format!("{}/ada ", place.namespace)), "{message}");

    place.kubectl(&["delete", "scimuser", "ada"]);
    place.is_gone("ada").await;
    assert_eq!(place.synced("ada-king").await, id);
    let account = place.account(&id).await.expect("the account");
    assert_eq!(account["active"], true, "{account}");
    assert_eq!(place.directory.writes().await, before, "the account was touched");
}

/// ScimUsers of one commit, each with this userName.
fn commit(place: &Place, users: &[(&str, &str)]) {
    let items: Vec<Value> = users
        .iter()
        .map(|(name, user_name)| {
            let emails = json!([{"value": user_name, "type": "work", "primary": true}]);
            crate::kit::user(name, json!({"userName": user_name, "emails": emails}))
        })
        .collect();
    place.apply(json!({"apiVersion": "v1", "kind": "List", "items": items}));
}

#[tokio::test]
async fn i08_an_account_follows_its_object_and_a_removal_is_not_swallowed() {
    let sandbox = Sandbox::start();
    let refuse = json!({"adoptionPolicy": {"users": "Refuse"}});
    let place = Place::at(&sandbox.base_url, &sandbox.token, refuse).await;
    let account = async |user_name: &str| {
        let found = held(&sandbox, user_name).await;
        assert_eq!(found.len(), 1, "{found:?}");
        (found[0]["id"].as_str().unwrap_or_default().to_owned(), found[0]["active"].clone())
    };
    let as_they_were = [("hire", "bob@example.com"), ("old", "old.bob@example.com")];
    commit(&place, &[("old", "bob@example.com")]);
    let old = place.synced("old").await;
    commit(&place, &as_they_were);
    let hire = place.synced("hire").await;
    assert_eq!(place.synced("old").await, old);
    assert_eq!(account("old.bob@example.com").await, (old.clone(), json!(true)));
    assert_eq!(account("bob@example.com").await, (hire.clone(), json!(true)));

    // Two swap their names: nothing changes hands, and both are told.
    commit(&place, &[("hire", "old.bob@example.com"), ("old", "bob@example.com")]);
    for waits in ["old", "hire"] {
        let message = condition(&place.is(waits, "False", "Conflict").await, "Ready")["message"].to_string();
        assert!(["/old", "/hire", "interim"].iter().all(|word| message.contains(word)), "{message}");
    }
    assert_eq!(account("old.bob@example.com").await, (old.clone(), json!(true)));
    commit(&place, &as_they_were);
    place.synced("old").await;
    place.synced("hire").await;

    // One is deleted, and another one, which has an account, takes its name.
    place.kubectl(&["delete", "scimuser", "old", "--wait=false"]);
    commit(&place, &[("hire", "old.bob@example.com")]);
    place.is_gone("old").await;
    assert_eq!(account("old.bob@example.com").await, (old.clone(), json!(false)));
    assert_eq!(account("bob@example.com").await, (hire.clone(), json!(true)));
    let message = condition(&place.is("hire", "False", "Conflict").await, "Ready")["message"].to_string();
    assert!(message.contains(&old) && message.contains("rename or delete it at the server"), "{message}");
}

#[tokio::test]
async fn two_objects_for_one_account_conflict_on_the_younger() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    place.user("twin", json!({"userName": "ADA@example.com"}));
    let twin = place.is("twin", "False", "Conflict").await;
    assert_eq!(condition(&twin, "Stalled")["status"], "True");
    assert_eq!(twin["status"]["id"], Value::Null);
    assert_eq!(place.synced("ada").await, id);
    assert_eq!(place.directory.users().await.len(), 1);

    // What stands in the way gone, it has an account of its own.
    place.user("twin", json!({"userName": "twin@example.com"}));
    assert_ne!(place.synced("twin").await, id);
}

#[tokio::test]
async fn i10_i15_deleting_an_object_follows_the_policy() {
    let place = Place::connected(json!({"deletionPolicy": {"users": "Delete"}})).await;
    place.user("deleted", json!({}));
    place.user("deactivated", json!({"deletionPolicy": "Deactivate"}));
    place.user("retained", json!({"deletionPolicy": "Retain"}));
    place.user("released", json!({}));
    let deleted = place.synced("deleted").await;
    let deactivated = place.synced("deactivated").await;
    let retained = place.synced("retained").await;
    let released = place.synced("released").await;

    place.kubectl(&["annotate", "scimuser", "released", "scim-operator.dev/release=true"]);
    place.kubectl(&["delete", "scimuser", "--all", "--timeout=90s"]);

    assert_eq!(place.account(&deleted).await, None);
    for (id, active) in [(&deactivated, false), (&retained, true), (&released, true)] {
        let account = place.account(id).await.expect("the account");
        assert_eq!(account["active"], active, "{account}");
    }
}

#[tokio::test]
async fn i10_an_object_can_not_harden_the_policy() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({"deletionPolicy": "Delete"}));
    let id = place.synced("ada").await;
    place.kubectl(&["delete", "scimuser", "ada", "--timeout=90s"]);
    assert_eq!(place.account(&id).await.expect("the account")["active"], false);
}

#[tokio::test]
async fn i16_off_and_on_again_is_the_same_account() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({"title": "Officer"}));
    let id = place.synced("ada").await;
    place.user("ada", json!({"title": "Officer", "active": false}));
    assert_eq!(place.synced("ada").await, id);
    let account = place.account(&id).await.expect("the account");
    assert_eq!(account["active"], false, "{account}");
    assert_eq!(account["raw"]["title"], "Officer");
    eventually(crate::kit::PATIENCE, "its state", async || {
        let user = place.get("ada").await.expect("ada");
        if user["status"]["state"] == "Inactive" { Ok(()) } else { Err(user["status"].clone()) }
    })
    .await;

    place.user("ada", json!({"title": "Officer", "active": true}));
    assert_eq!(place.synced("ada").await, id);
    assert_eq!(place.account(&id).await.expect("the account")["active"], true);
    assert_eq!(place.directory.users().await.len(), 1);
}
