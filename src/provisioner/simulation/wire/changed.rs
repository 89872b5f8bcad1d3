//! What is tried again when the connection changes, and what is learnt of the first request of its kind.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);

/// Less than between two lists of the whole.
const SOON: Duration = Duration::from_secs(15);

fn team(display_name: &str, membership: &str, people: &[&str], more: &[&str]) -> Value {
    let people = people.iter().map(|name| json!({"userRef": {"name": name}}));
    let members: Vec<Value> = people.chain(more.iter().map(|id| json!({"id": id}))).collect();
    json!({"displayName": display_name, "membership": membership, "members": members})
}

async fn members(world: &World) -> Vec<String> {
    let groups = world.admin("GET", "/groups", None).await;
    let ids = groups[0]["members"].as_array().into_iter().flatten();
    ids.filter_map(|member| member["value"].as_str().map(str::to_owned)).collect()
}

fn id(world: &World, name: &str) -> String {
    world.get(name).and_then(|user| user.status?.id).unwrap_or_default()
}

async fn requests_of(world: &World, method: &str, collection: &str) -> u64 {
    let stats = world.admin("GET", "/stats", None).await;
    let by_status = stats["requests"][method][collection].as_object().cloned().unwrap_or_default();
    by_status.values().filter_map(Value::as_u64).sum()
}

/// What makes the connection another.
#[derive(Clone, Copy, Debug)]
enum Change {
    Dialect,
    Key,
    WhileNobodyLooked,
}

#[tokio::test]
async fn i21_what_was_refused_is_tried_at_once_when_the_connection_or_its_key_changes() {
    for change in [Change::Dialect, Change::Key, Change::WhileNobodyLooked] {
        let mut world = World::start(&["refuses_phones", "unknown_member_400"], json!({})).await;
        let phone = json!([{"value": "15550100", "type": "work"}]);
        world.user("ada", json!({"userName": "ada@example.com", "active": true, "phoneNumbers": phone}));
        world.group("team", team("Team", "Exact", &["ada"], &["stranger"]));
        // Nothing of this one is taken.
        let refused =
            json!([{"match": {"method": "POST", "body_contains": "bea@"}, "fault": {"kind": "status", "code": 403}}]);
        world.admin("POST", "/faults", Some(refused)).await;
        world.user("bea", json!({"userName": "bea@example.com", "active": true}));
        world.pass(3 * MINUTE).await;
        world.admin("DELETE", "/quirks", None).await;
        world.admin("DELETE", "/faults", None).await;
        world.requests().await;
        world.pass(3 * MINUTE).await;
        let writes = world.admin("GET", "/stats", None).await["writes"].clone();
        assert_eq!(writes, 0, "{change:?}: it rests");
        match change {
            Change::Dialect => {
                world.edit_connection(|spec| spec.dialect.get_or_insert_default().page_size = Some(50));
            }
            Change::Key => world.change_key(),
            Change::WhileNobodyLooked => {
                world.edit_unseen(|spec| spec.dialect.get_or_insert_default().page_size = Some(50));
                world.restart();
            }
        }
        world.pass(MINUTE).await;
        let ada = world.accounts("ada@example.com").await;
        assert_eq!(ada[0]["resource"]["phoneNumbers"][0]["value"], "15550100", "{change:?}");
        assert!(members(&world).await.contains(&"stranger".to_owned()), "{change:?}");
        assert_eq!(world.accounts("bea@example.com").await.len(), 1, "{change:?}");
        // Each once, and then it rests again.
        world.requests().await;
        world.pass(3 * MINUTE).await;
        assert_eq!(world.admin("GET", "/stats", None).await["writes"], 0, "{change:?}");
    }
}

/// A connection that was only lost and found again is no other: what was refused rests.
#[tokio::test]
async fn i21_what_was_refused_rests_over_an_outage_and_a_restart() {
    let mut world = World::start(&["refuses_phones"], json!({})).await;
    let phone = json!([{"value": "15550100", "type": "work"}]);
    world.user("ada", json!({"userName": "ada@example.com", "active": true, "phoneNumbers": phone}));
    world.pass(3 * MINUTE).await;
    world.requests().await;
    world.restart();
    world.pass(3 * MINUTE).await;
    assert_eq!(requests_of(&world, "PATCH", "Users").await, 0);
}

#[tokio::test]
async fn i18_a_removal_that_is_answered_and_not_done_is_seen_at_once() {
    for membership in ["Exact", "Additive"] {
        for quirks in [vec!["ignores_member_paths", "empty_changes"], vec!["ignores_member_paths"]] {
            let mut world = World::start(&quirks, json!({})).await;
            for name in ["ada", "bea"] {
                world.user(name, json!({"userName": format!("{name}@example.com"), "active": true}));
            }
            world.group("team", team("Team", membership, &["ada", "bea"], &[]));
            world.pass(3 * MINUTE).await;
            world.group("team", team("Team", membership, &["ada"], &[]));
            world.pass(SOON).await;
            assert_eq!(members(&world).await, [id(&world, "ada")], "{membership} {quirks:?}");
            assert_eq!(world.learned(), ["writeGroups: Put"], "{membership} {quirks:?}");
        }
    }
}

#[tokio::test]
async fn i02_a_server_that_takes_members_out_is_looked_at_once() {
    let mut world = World::start(&["empty_changes"], json!({})).await;
    let everybody = ["ada", "bea", "cyd", "dan"];
    for name in everybody {
        world.user(name, json!({"userName": format!("{name}@example.com"), "active": true}));
    }
    world.group("team", team("Team", "Exact", &everybody, &[]));
    // Between two lists of the whole.
    world.pass(3 * MINUTE + Duration::from_secs(5)).await;
    // Before and after the first removal.
    for (left, looks) in [(3, 2), (2, 0), (1, 0)] {
        world.requests().await;
        world.group("team", team("Team", "Exact", &everybody[..left], &[]));
        world.pass(SOON).await;
        assert_eq!(members(&world).await.len(), left);
        let sent = (requests_of(&world, "GET", "Groups").await, requests_of(&world, "PATCH", "Groups").await);
        assert_eq!(sent, (looks, 1), "{left} are left");
    }
}

#[tokio::test]
async fn i33_a_rename_that_only_a_replacement_carries_out_is_learnt_of_the_first() {
    let mut world = World::start(&["no_group_renames"], json!({})).await;
    world.user("ada", json!({"userName": "ada@example.com", "active": true}));
    world.user("bea", json!({"userName": "bea@example.com", "active": true}));
    world.group("team", team("Team", "Exact", &["ada"], &[]));
    world.pass(3 * MINUTE).await;
    // There is PATCH for members.
    world.group("team", team("Team", "Exact", &["ada", "bea"], &[]));
    world.pass(MINUTE).await;
    for (name, refused) in [("Team One", 1), ("Team Two", 0)] {
        world.requests().await;
        world.group("team", team(name, "Exact", &["ada", "bea"], &[]));
        world.pass(SOON).await;
        let groups = world.admin("GET", "/groups", None).await;
        assert_eq!((&groups[0]["displayName"], members(&world).await.len()), (&json!(name), 2));
        assert_eq!(requests_of(&world, "PATCH", "Groups").await, refused, "{name}");
        assert_eq!(world.learned(), ["writeGroups: Put"]);
    }
}
