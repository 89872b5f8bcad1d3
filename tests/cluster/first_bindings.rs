//! I6 and I7 at a server that has accounts of its own: what a creation is answered with, and ids that change.

use futures::{StreamExt, TryStreamExt};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use scim_operator::api::ScimUser;
use serde_json::{Value, json};

use crate::elsewhere::{fault, held};
use crate::groups::members_are;
use crate::kit::{PATIENCE, Place};
use crate::support::{Sandbox, Tenant, eventually};

/// How many creations of users the sandbox was asked for.
async fn creations(sandbox: &Sandbox) -> u64 {
    let log = sandbox.admin("GET", "/faults/log", None).await;
    log["status"].as_u64().unwrap_or(0)
}

#[tokio::test]
async fn i07_a_creation_answered_with_somebody_elses_account_takes_nobody_over() {
    let sandbox = Sandbox::start();
    let account = json!({
        "userName": "ada.lovelace", "externalId": "hr-0815", "active": true, "roles": [{"value": "admin"}],
        "emails": [{"value": "ada@example.com", "type": "work"}],
    });
    let made = sandbox.admin("POST", "/users", Some(account)).await;
    let body = made["resource"].clone();
    let id = body["id"].as_str().expect("its id").to_owned();
    let upserts = |code: u16| json!({"kind": "status", "code": code, "body": body});
    fault(&sandbox, json!({"method": "POST", "path_prefix": "/Users"}), upserts(200)).await;
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({"adoptionPolicy": {"users": "Adopt"}})).await;
    place.user("ada", json!({}));
    let message = place.says("ada", "Conflict").await;
    assert!(message.contains(&id) && message.contains("ada.lovelace"), "{message}");
    // 201 says no more: the account is there, under its name.
    sandbox.admin("DELETE", "/faults", None).await;
    fault(&sandbox, json!({"method": "POST", "path_prefix": "/Users"}), upserts(201)).await;
    place.user("grace", json!({}));
    let message = place.says("grace", "Conflict").await;
    assert!(message.contains(&id), "{message}");
    place.sweeps(2).await;
    assert_eq!(creations(&sandbox).await, 2, "it is not asked for again and again");
    for name in ["ada", "grace"] {
        assert_eq!(place.get(name).await.expect("there")["status"]["id"], Value::Null);
        place.delete(name);
        place.is_gone(name).await;
    }
    let lovelace = held(&sandbox, "ada.lovelace").await;
    assert_eq!(
        (lovelace[0]["writes"].as_u64(), lovelace[0]["active"].as_bool()),
        (Some(0), Some(true)),
        "{lovelace:?}"
    );
}

#[tokio::test]
async fn i06_accounts_and_groups_under_new_ids_are_bound_anew_and_nothing_is_made_twice() {
    let sandbox = Sandbox::start();
    let adopts = json!({"adoptionPolicy": {"users": "Adopt", "groups": "Adopt"}, "driftPolicy": {"deleted": "Repair"}});
    let place = Place::at(&sandbox.base_url, &sandbox.token, adopts).await;
    for name in ["ada", "bob"] {
        place.labelled(name, "platform", json!({}));
    }
    place.group("Platform", json!({"memberSelector": {"matchLabels": {"team": "platform"}}}));
    let old = [place.synced("ada").await, place.synced("bob").await];
    let old_group = place.group_synced("platform", 2).await;
    // Its database was rebuilt.
    sandbox.admin("POST", "/renumber", None).await;
    let mut new = Vec::new();
    for (name, old) in ["ada", "bob"].into_iter().zip(&old) {
        let id = eventually(PATIENCE * 2, "a new id", async || {
            let user = place.get(name).await.ok_or(Value::Null)?;
            match user["status"]["id"].as_str() {
                Some(id) if id != old => Ok(id.to_owned()),
                _ => Err(user["status"].clone()),
            }
        })
        .await;
        assert_eq!(place.synced(name).await, id);
        new.push(id);
    }
    let group = eventually(PATIENCE * 2, "a new id", async || {
        let group = place.get_group("platform").ok_or(Value::Null)?;
        match group["status"]["id"].as_str() {
            Some(id) if id != old_group => Ok(id.to_owned()),
            _ => Err(group["status"].clone()),
        }
    })
    .await;
    let tenant = Tenant { base_url: sandbox.base_url.clone(), token: sandbox.token.clone() };
    members_are(&tenant, &group, &new.iter().collect::<Vec<_>>()).await;
    place.group_synced("platform", 2).await;
    let stats = sandbox.admin("GET", "/stats", None).await;
    assert_eq!((&stats["users"], &stats["groups"]), (&json!(2), &json!(1)), "{stats}");
    let journal = sandbox.admin("GET", "/journal", None).await.to_string();
    let renumbered = old.iter().filter(|id| journal.matches(id.as_str()).count() > 2).count();
    assert_eq!(renumbered, 0, "an old id was written after it was given up: {journal}");
    let told = eventually(PATIENCE, "it is told", async || {
        Some(place.events("NewIds")).filter(|told| !told.is_empty()).ok_or("no")
    });
    assert_eq!(told.await.len(), 1, "once for all");
}

/// Whoever is made anew under another name: at no instant does status forget the account that was while the claim names
/// another than the one that is about to be made.
#[tokio::test]
async fn i07_the_claim_names_what_is_made_before_status_forgets_what_was() {
    let sandbox = Sandbox::start();
    let repair = json!({"driftPolicy": {"deleted": "Repair"}});
    let place = Place::at(&sandbox.base_url, &sandbox.token, repair).await;
    place.user("ada", json!({}));
    let old = place.synced("ada").await;
    let api: Api<ScimUser> = Api::namespaced(place.cluster.client(), &place.namespace);
    let (seen, versions) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut stream = watcher(api, watcher::Config::default()).applied_objects().boxed();
        let mut versions = Vec::new();
        while let Ok(Some(user)) = stream.try_next().await {
            let id = user.status.as_ref().and_then(|status| status.id.clone());
            let claimed = user.annotations().get("scim-operator.dev/claimed-account").cloned().unwrap_or_default();
            versions.push((id.clone(), claimed));
            if id.is_some_and(|id| id != versions[0].0.clone().unwrap_or_default()) {
                break;
            }
        }
        let _ = seen.send(versions);
    });
    assert_eq!(sandbox.scim("DELETE", &format!("/Users/{old}"), None).await.0, 204);
    place.user("ada", json!({"userName": "ada.new@example.com"}));
    let versions = tokio::time::timeout(PATIENCE * 2, versions).await.expect("in time").expect("versions");
    let forgotten: Vec<_> = versions.iter().filter(|(id, _)| id.is_none()).collect();
    assert!(!forgotten.is_empty(), "{versions:?}");
    assert!(forgotten.iter().all(|(_, claimed)| claimed.contains("ada.new@example.com")), "{versions:?}");
}

/// The database was rebuilt, and the objects are deleted before anything was bound anew.
#[tokio::test]
async fn i15_whoever_is_deleted_after_a_rebuild_keeps_no_access() {
    let sandbox = Sandbox::start();
    let adopts = json!({
        "adoptionPolicy": {"users": "Adopt", "groups": "Adopt"}, "deletionPolicy": {"groups": "Delete"},
        "resyncInterval": "1h",
    });
    let place = Place::at(&sandbox.base_url, &sandbox.token, adopts).await;
    for name in ["ada", "bob"] {
        place.labelled(name, "platform", json!({}));
        place.synced(name).await;
    }
    place.group("Platform", json!({"memberSelector": {"matchLabels": {"team": "platform"}}}));
    place.group_synced("platform", 2).await;
    sandbox.admin("POST", "/renumber", None).await;
    place.delete("ada");
    place.kubectl(&["delete", "scimgroup", "platform", "--wait=false"]);
    place.kubectl(&["wait", "--for=delete", "scimuser/ada", "scimgroup/platform", "--timeout=240s"]);
    assert_eq!(held(&sandbox, "ada@example.com").await[0]["active"], false);
    assert_eq!(held(&sandbox, "bob@example.com").await[0]["active"], true);
    let stats = sandbox.admin("GET", "/stats", None).await;
    assert_eq!((&stats["users"], &stats["groups"]), (&json!(2), &json!(0)), "{stats}");
}
