//! Groups, when answers are lost: none is made twice, and none is taken for another.

use serde_json::{Value, json};

use crate::elsewhere::fault;
use crate::groups::members_are;
use crate::kit::{PATIENCE, Place, condition};
use crate::support::{Sandbox, Tenant, eventually};

async fn at(fields: Value) -> (Sandbox, Tenant, Place) {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox.base_url, &sandbox.token, fields).await;
    let tenant = Tenant { base_url: sandbox.base_url.clone(), token: sandbox.token.clone() };
    (sandbox, tenant, place)
}

/// The server's groups, by name and id.
async fn groups(tenant: &Tenant) -> Vec<(String, String)> {
    let (_, list) = tenant.scim("GET", "/Groups", None).await;
    let text = |group: &Value, name: &str| group[name].as_str().unwrap_or_default().to_owned();
    let list = list["Resources"].as_array().cloned().unwrap_or_default();
    list.iter().map(|group| (text(group, "displayName"), text(group, "id"))).collect()
}

#[tokio::test]
async fn i07_a_group_renamed_before_a_lost_answer_is_looked_into_is_made_once() {
    let (sandbox, tenant, place) = at(json!({"deletionPolicy": {"groups": "Delete"}})).await;
    for deleted in [false, true] {
        // It is looked for before it is made, and then not found again.
        let looked_for = json!({
            "method": "GET", "path_prefix": "/Groups", "query_contains": "filter=", "nth": 2, "count": 1000,
        });
        fault(&sandbox, looked_for, json!({"kind": "status", "code": 500})).await;
        let create = json!({"method": "POST", "path_prefix": "/Groups", "count": 1});
        fault(&sandbox, create, json!({"kind": "reset_after"})).await;
        place.group("Platform", json!({}));
        let made = eventually(PATIENCE, "the group is made", async || match &groups(&tenant).await[..] {
            [(name, id)] if name == "Platform" => Ok(id.clone()),
            other => Err(other.to_vec()),
        })
        .await;
        let claimed = place.get_group("platform").expect("it")["metadata"]["annotations"].clone();
        let claim = claimed["scim-operator.dev/claimed-group"].as_str().unwrap_or_default();
        assert!(claim.contains("\"Platform\""), "{claimed}");
        let renamed = json!({"spec": {"displayName": "Infrastructure"}}).to_string();
        place.kubectl(&["patch", "scimgroup", "platform", "--type=merge", "-p", &renamed]);
        if deleted {
            place.kubectl(&["delete", "scimgroup", "platform", "--wait=false"]);
        }
        sandbox.admin("DELETE", "/faults", None).await;
        if !deleted {
            assert_eq!(place.group_synced("platform", 0).await, made);
            assert_eq!(groups(&tenant).await, [("Infrastructure".to_owned(), made)]);
            place.kubectl(&["delete", "scimgroup", "platform", "--wait=false"]);
        }
        place.group_is_gone("platform");
        assert_eq!(groups(&tenant).await, []);
    }
}

/// The next to declare the name finds nothing of it, whatever was listed before.
#[tokio::test]
async fn i12_a_group_whose_deletion_got_no_answer_is_taken_for_there_by_nobody() {
    let policy = json!({
        "deletionPolicy": {"groups": "Delete"}, "adoptionPolicy": {"groups": "Adopt"}, "resyncInterval": "1h",
    });
    let (sandbox, tenant, place) = at(policy).await;
    place.group("Platform", json!({}));
    let first = place.group_synced("platform", 0).await;
    let delete = json!({"method": "DELETE", "path_prefix": "/Groups", "count": 1});
    fault(&sandbox, delete, json!({"kind": "reset_after"})).await;
    place.kubectl(&["delete", "scimgroup", "platform", "--wait=false"]);
    place.group_is_gone("platform");
    assert_eq!(groups(&tenant).await, []);
    place.group("Platform", json!({}));
    let second = place.group_synced("platform", 0).await;
    assert_ne!(first, second);
    assert_eq!(groups(&tenant).await, [("Platform".to_owned(), second)]);
}

/// A change of the name may have taken effect: whoever declares the old one looks before taking the group.
#[tokio::test]
async fn i12_a_group_whose_renaming_got_no_answer_is_taken_under_its_old_name_by_nobody() {
    let (sandbox, tenant, place) = at(json!({"adoptionPolicy": {"groups": "Adopt"}, "resyncInterval": "1h"})).await;
    place.group("Platform", json!({}));
    let first = place.group_synced("platform", 0).await;
    let change = json!({"method": "PATCH", "path_prefix": "/Groups"});
    fault(&sandbox, change, json!({"kind": "reset_after"})).await;
    let renamed = json!({"spec": {"displayName": "Infrastructure"}}).to_string();
    place.kubectl(&["patch", "scimgroup", "platform", "--type=merge", "-p", &renamed]);
    eventually(PATIENCE, "it is renamed", async || match &groups(&tenant).await[..] {
        [(name, _)] if name == "Infrastructure" => Ok(()),
        other => Err(other.to_vec()),
    })
    .await;
    // It goes, and leaves its group behind under the new name.
    place.kubectl(&["delete", "scimgroup", "platform", "--timeout=60s"]);
    sandbox.admin("DELETE", "/faults", None).await;
    place.group("Platform", json!({}));
    let second = place.group_synced("platform", 0).await;
    assert_ne!(first, second);
    assert_eq!(groups(&tenant).await.len(), 2);
}

/// Whom we put in is ours to take out again, though we never heard that they came in.
#[tokio::test]
async fn i18_a_member_whose_coming_got_no_answer_goes_when_an_edit_says_so() {
    let (sandbox, tenant, place) = at(json!({})).await;
    for name in ["ada", "bob"] {
        place.labelled(name, "platform", json!({}));
        place.synced(name).await;
    }
    let change = json!({"method": "PATCH", "path_prefix": "/Groups", "count": 1});
    fault(&sandbox, change, json!({"kind": "reset_after"})).await;
    place.group("Platform", json!({"membership": "Additive", "memberSelector": {"matchLabels": {"team": "platform"}}}));
    let group = place.group_synced("platform", 2).await;
    place.kubectl(&["label", "scimuser", "ada", "team-"]);
    let bob = place.synced("bob").await;
    members_are(&tenant, &group, &[&bob]).await;
}

#[tokio::test]
async fn i15_a_group_under_deletion_waits_with_a_command_that_lets_it_go() {
    let (_sandbox, tenant, place) = at(json!({"deletionPolicy": {"groups": "Delete"}})).await;
    place.group("Platform", json!({}));
    place.group_synced("platform", 0).await;
    place.patch_connection(json!({"suspend": true}));
    place.kubectl(&["delete", "scimgroup", "platform", "--wait=false"]);
    let message = eventually(PATIENCE, "it says that it waits", async || {
        let group = place.get_group("platform").ok_or(Value::Null)?;
        let ready = condition(&group, "Ready");
        let message = ready["message"].as_str().unwrap_or_default().to_owned();
        if ready["reason"] == "Suspended" && message.contains("release=true") { Ok(message) } else { Err(ready) }
    })
    .await;
    let (_, command) = message.split_once("kubectl ").expect("a command");
    let words: Vec<&str> = command.split_whitespace().collect();
    assert_eq!(words[..4], ["annotate", "scimgroup", "-n", &place.namespace]);
    place.kubectl(&words);
    place.group_is_gone("platform");
    assert_eq!(groups(&tenant).await.len(), 1, "untouched");
}
