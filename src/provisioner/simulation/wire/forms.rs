//! Servers that take requests, or show accounts, in forms of their own: what comes of each.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);

async fn world(quirks: &[&str]) -> World {
    World::start(quirks, json!({"deletionPolicy": {"users": "Delete", "groups": "Delete"}})).await
}

fn declare(world: &World, more: &Value) {
    let mut spec = json!({"userName": "ada@example.com", "active": true, "title": "Engineer"});
    more.as_object().into_iter().flatten().for_each(|(name, value)| spec[name] = value.clone());
    world.user("ada", spec);
}

fn ready(world: &World, name: &str) -> String {
    let user = world.get(name).and_then(|user| user.status?.conditions);
    let conditions = user.or_else(|| world.get_group(name).and_then(|group| group.status?.conditions));
    let ready = conditions.into_iter().flatten().find(|known| known.type_ == "Ready");
    ready.map(|known| format!("{} {}: {}", known.status, known.reason, known.message)).unwrap_or_default()
}

/// The accounts that exist.
async fn accounts(world: &World) -> Vec<Value> {
    let all = world.admin("GET", "/users", None).await;
    all.as_array().into_iter().flatten().filter(|account| account["exists"] == json!(true)).cloned().collect()
}

#[tokio::test]
async fn i15_whoever_leaves_is_deactivated_where_patch_is_understood_in_one_form_alone() {
    for quirk in ["pathless_patch_422", "pathless_patch_500"] {
        let mut world = world(&[quirk]).await;
        declare(&world, &json!({}));
        world.pass(3 * MINUTE).await;
        declare(&world, &json!({"active": false}));
        world.pass(5 * MINUTE).await;
        let shown = accounts(&world).await;
        assert_eq!(shown[0]["active"], json!(false), "{quirk}: {}", ready(&world, "ada"));
        assert_eq!(world.learned(), ["writeUsers: Put"], "{quirk}");
        declare(&world, &json!({"active": false, "title": "Countess"}));
        world.pass(3 * MINUTE).await;
        assert!(ready(&world, "ada").starts_with("True Synced"), "{quirk}: {}", ready(&world, "ada"));
        assert_eq!(accounts(&world).await[0]["resource"]["title"], "Countess");
    }
}

#[tokio::test]
async fn i33_attributes_are_changed_where_patch_is_understood_in_one_form_alone() {
    let mut world = world(&["pathless_patch_422"]).await;
    declare(&world, &json!({}));
    world.pass(3 * MINUTE).await;
    declare(&world, &json!({"title": "Countess", "displayName": "Ada"}));
    world.pass(5 * MINUTE).await;
    assert!(ready(&world, "ada").starts_with("True Synced"), "{}", ready(&world, "ada"));
    assert_eq!(world.learned(), ["writeUsers: Put"]);
}

/// One attribute that is refused is no reason to replace accounts.
#[tokio::test]
async fn i33_to_replace_a_user_is_tried_once_and_not_learnt_where_it_does_not_help() {
    let mut world = world(&["refuses_phones"]).await;
    declare(&world, &json!({}));
    world.pass(3 * MINUTE).await;
    declare(&world, &json!({"phoneNumbers": [{"value": "1", "type": "work"}]}));
    world.pass(5 * MINUTE).await;
    assert!(ready(&world, "ada").contains("not a valid number"), "{}", ready(&world, "ada"));
    declare(&world, &json!({"title": "Countess", "phoneNumbers": [{"value": "2", "type": "work"}]}));
    world.pass(5 * MINUTE).await;
    assert_eq!(world.learned(), Vec::<String>::new());
    assert_eq!(accounts(&world).await[0]["resource"]["title"], "Countess");
}

#[tokio::test]
async fn i33_attributes_that_are_shown_under_the_core_schema_are_read() {
    let mut world = world(&["core_nested"]).await;
    let zoe = world.admin("POST", "/users", Some(json!({"userName": "zoe@example.com"}))).await;
    world.user("zoe", json!({"userName": "zoe@example.com", "active": true}));
    declare(&world, &json!({}));
    let members = json!([{"userRef": {"name": "ada"}}]);
    world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": members}));
    world.pass(5 * MINUTE).await;
    for name in ["ada", "team"] {
        assert!(ready(&world, name).starts_with("True Synced"), "{}", ready(&world, name));
    }
    let found = world.get("zoe").and_then(|user| user.status?.id);
    let refused = ready(&world, "zoe").contains("AdoptionRefused");
    assert!(refused || found.as_deref() == zoe["id"].as_str(), "{}", ready(&world, "zoe"));
    declare(&world, &json!({"active": false}));
    world.pass(3 * MINUTE).await;
    assert!(ready(&world, "ada").starts_with("True Synced"), "{}", ready(&world, "ada"));
    world.delete("ada");
    world.pass(3 * MINUTE).await;
    assert!(world.get("ada").is_none(), "{}", ready(&world, "ada"));
    assert_eq!(accounts(&world).await.len(), 1, "zoe's alone");
}

#[tokio::test]
async fn i07_a_creation_that_keeps_an_email_as_the_name_makes_one_account_and_it_is_the_objects() {
    let mut world = world(&["names_by_email"]).await;
    let emails = json!([{"value": "ada@example.com", "type": "work"}]);
    declare(&world, &json!({"userName": "ada", "emails": emails}));
    world.pass(3 * 60 * MINUTE).await;
    let shown = accounts(&world).await;
    assert_eq!(shown.len(), 1, "{shown:?}");
    let bound = world.get("ada").and_then(|user| user.status?.id);
    assert_eq!(bound.as_deref(), shown[0]["id"].as_str(), "{}", ready(&world, "ada"));
    assert!(ready(&world, "ada").starts_with("True"), "{}", ready(&world, "ada"));
    world.delete("ada");
    world.pass(5 * MINUTE).await;
    assert_eq!(accounts(&world).await.len(), 0, "{}", ready(&world, "ada"));
}

#[tokio::test]
async fn i12_a_search_that_is_answered_404_finds_nobody() {
    let mut world = world(&["finds_404"]).await;
    declare(&world, &json!({}));
    world.user("bea", json!({"userName": "bea@example.com", "active": true}));
    let members = |names: &[&str]| {
        let members: Vec<Value> = names.iter().map(|name| json!({"userRef": {"name": name}})).collect();
        json!({"displayName": "Team", "membership": "Exact", "members": members})
    };
    world.group("team", members(&["ada", "bea"]));
    world.pass(3 * MINUTE).await;
    assert!(ready(&world, "team").starts_with("True Synced"), "{}", ready(&world, "team"));
    // Another one comes, while somebody leaves the first.
    world.group("other", json!({"displayName": "Other", "membership": "Exact", "members": []}));
    world.group("team", members(&["bea"]));
    world.pass(3 * MINUTE).await;
    for name in ["team", "other"] {
        assert!(ready(&world, name).starts_with("True Synced"), "{name}: {}", ready(&world, name));
    }
    let groups = world.admin("GET", "/groups", None).await;
    let team = groups.as_array().into_iter().flatten().find(|group| group["displayName"] == json!("Team"));
    assert_eq!(team.and_then(|team| team["members"].as_array()).map(Vec::len), Some(1));
}

#[tokio::test]
async fn i18_members_leave_where_a_path_with_a_filter_is_answered_500() {
    let mut world = world(&["member_paths_500"]).await;
    declare(&world, &json!({}));
    world.user("bea", json!({"userName": "bea@example.com", "active": true}));
    let both = json!([{"userRef": {"name": "ada"}}, {"userRef": {"name": "bea"}}]);
    world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": both}));
    world.pass(3 * MINUTE).await;
    let one = json!([{"userRef": {"name": "bea"}}]);
    world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": one}));
    world.pass(5 * MINUTE).await;
    assert!(ready(&world, "team").starts_with("True Synced"), "{}", ready(&world, "team"));
    assert_eq!(world.learned(), ["writeGroups: Put"]);
    let groups = world.admin("GET", "/groups", None).await;
    assert_eq!(groups[0]["members"].as_array().map(Vec::len), Some(1), "{groups}");
}

/// However the server spells `emails[].value`, and whether the account is told of by an e-mail alone.
#[tokio::test]
async fn i14_whoever_is_protected_by_an_e_mail_is_known_in_any_spelling() {
    let policy = json!({
        "guards": {"protected": ["boss@*"]},
        "adoptionPolicy": {"users": "Adopt", "groups": "Adopt"},
        "deletionPolicy": {"users": "Delete", "groups": "Delete"},
    });
    let mut world = World::start(&["pascal_case"], policy).await;
    let root = json!({
        "userName": "root", "active": true, "emails": [{"value": "boss@example.com", "type": "work"}],
    });
    let root = world.admin("POST", "/users", Some(root)).await["id"].as_str().expect("an id").to_owned();
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Team", "members": [{"value": root}],
    });
    assert_eq!(world.by_hand("POST", "/Groups", body).await, 201);
    world.user("root", json!({"userName": "root", "active": false}));
    declare(&world, &json!({}));
    let ada = json!([{"userRef": {"name": "ada"}}]);
    world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": ada}));
    world.pass(10 * MINUTE).await;
    let shown = accounts(&world).await;
    let boss = shown.iter().find(|account| account["id"] == json!(root));
    assert_eq!(boss.map(|boss| &boss["active"]), Some(&json!(true)), "{}", ready(&world, "root"));
    assert!(ready(&world, "root").starts_with("False Protected"), "{}", ready(&world, "root"));
    let groups = world.admin("GET", "/groups", None).await;
    let members: Vec<&Value> = groups[0]["members"].as_array().into_iter().flatten().map(|one| &one["value"]).collect();
    assert!(members.len() == 2 && members.contains(&&json!(root)), "{members:?}: {}", ready(&world, "team"));
    assert!(ready(&world, "team").starts_with("False Protected"), "{}", ready(&world, "team"));
}

/// A word is no proof: what is refused with `active` and without it is refused for something else.
#[tokio::test]
async fn i33_a_refusal_that_names_active_teaches_nothing_before_it_has_helped() {
    for (status, detail) in [
        (400, "the domain bad.example is not active"),
        (400, "no active subscription"),
        (500, "an active user store is not supported for bad.example"),
    ] {
        let mut world = world(&[]).await;
        let matching = json!({"method": "POST", "path_prefix": "/Users", "body_contains": "bad.example"});
        let fault = json!({"kind": "status", "code": status, "body": {"detail": detail}});
        world.admin("POST", "/faults", Some(json!([{"match": matching, "fault": fault}]))).await;
        world.user("eve", json!({"userName": "eve@bad.example", "active": true}));
        world.pass(10 * MINUTE).await;
        declare(&world, &json!({}));
        world.pass(3 * MINUTE).await;
        assert_eq!(world.learned(), Vec::<String>::new(), "{detail}");
        assert!(ready(&world, "ada").starts_with("True Synced"), "{}", ready(&world, "ada"));
        assert!(accounts(&world).await.iter().all(|account| account["resource"]["userName"] != "eve@bad.example"));
    }
}

/// Where it helped, it is known from then on.
#[tokio::test]
async fn i33_a_creation_that_is_taken_without_active_teaches_that() {
    for (status, detail) in [(400, "active: not allowed here"), (500, "writing active is not supported")] {
        let mut world = world(&[]).await;
        let matching = json!({"method": "POST", "path_prefix": "/Users", "body_contains": "\"active\""});
        let fault = json!({"kind": "status", "code": status, "body": {"detail": detail}});
        world.admin("POST", "/faults", Some(json!([{"match": matching, "fault": fault}]))).await;
        declare(&world, &json!({}));
        world.pass(10 * MINUTE).await;
        assert!(ready(&world, "ada").starts_with("True Synced"), "{detail}: {}", ready(&world, "ada"));
        assert_eq!(world.learned(), ["activeAtCreation: false"], "{detail}");
    }
}
