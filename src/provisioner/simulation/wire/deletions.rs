//! Deletions that are answered and not done, and what else a server says and doesn't do of accounts.

use std::time::Duration;

use serde_json::{Value, json};

use super::groups::{members, people, ready};
use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);

fn policy() -> Value {
    json!({
        "deletionPolicy": {"users": "Delete", "groups": "Delete"}, "driftPolicy": {"attributes": "Repair"},
    })
}

async fn account(world: &World, name: &str) -> Value {
    let all = world.accounts(&format!("{name}@example.com")).await;
    all.into_iter().find(|account| account["exists"] == json!(true)).unwrap_or_default()
}

fn told(world: &World, reason: &str) -> usize {
    world.effects.look().events.iter().filter(|(known, _)| known == reason).count()
}

fn person(name: &str, title: &str, active: bool) -> Value {
    json!({"userName": format!("{name}@example.com"), "active": active, "title": title})
}

#[tokio::test]
async fn i15_a_deletion_that_is_answered_and_not_done_is_not_told_as_done() {
    for quirks in
        [vec!["ignores_deletes"], vec!["ignores_deletes", "empty_changes"], vec!["ignores_deletes", "invites"]]
    {
        let mut world = World::start(&quirks, policy()).await;
        people(&world, &["ada", "bea"]);
        let members = json!([{"userRef": {"name": "bea"}}]);
        world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": members}));
        world.pass(3 * MINUTE).await;
        world.delete("ada");
        world.pass(3 * MINUTE).await;
        assert!(world.get("ada").is_none(), "{quirks:?}");
        assert_eq!(account(&world, "ada").await["active"], json!(false), "{quirks:?}: nobody has access by it");
        world.delete("team");
        world.pass(5 * MINUTE).await;
        assert!(ready(&world).contains("still shows it"), "{quirks:?}: {}", ready(&world));
        assert!(ready(&world).contains("scim-operator.dev/release"), "{quirks:?}: {}", ready(&world));
        world.requests().await;
        world.pass(20 * MINUTE).await;
        let deletions = world.admin("GET", "/stats", None).await["requests"]["DELETE"].clone();
        assert_eq!(deletions, Value::Null, "{quirks:?}: it isn't asked for again and again");
    }
    // Where the account was active, that is told.
    let mut world = World::start(&["ignores_deletes"], policy()).await;
    people(&world, &["ada"]);
    world.pass(3 * MINUTE).await;
    world.delete("ada");
    world.pass(3 * MINUTE).await;
    assert_eq!(told(&world, "NotDeleted"), 1);
}

/// What is read a moment later may be older.
#[tokio::test]
async fn i15_a_deletion_that_is_shown_a_moment_later_is_told_as_done() {
    let mut world = World::start(&[], policy()).await;
    people(&world, &["ada"]);
    world.pass(3 * MINUTE).await;
    let shown = account(&world, "ada").await["resource"].clone();
    let path = format!("/Users/{}", shown["id"].as_str().expect("an id"));
    let stale = json!({
        "match": {"method": "GET", "path_prefix": path, "count": 1},
        "fault": {"kind": "status", "code": 200, "body": shown.to_string()},
    });
    world.admin("POST", "/faults", Some(json!([stale]))).await;
    world.requests().await;
    world.delete("ada");
    world.pass(3 * MINUTE).await;
    let patched = world.admin("GET", "/stats", None).await["requests"]["PATCH"].clone();
    assert_eq!((told(&world, "NotDeleted"), patched), (0, Value::Null));
    assert!(world.get("ada").is_none());
}

/// It is looked at after the first deletion alone.
#[tokio::test]
async fn i02_a_server_that_deletes_is_looked_at_once() {
    let mut world = World::start(&[], policy()).await;
    people(&world, &["ada", "bea", "cyd"]);
    world.pass(3 * MINUTE).await;
    world.delete("ada");
    world.pass(MINUTE / 4).await;
    world.requests().await;
    world.delete("bea");
    world.delete("cyd");
    world.pass(MINUTE / 4).await;
    assert_eq!(world.requests().await, 2);
    assert_eq!(account(&world, "cyd").await, Value::Null);
}

/// Whoever comes first: what takes `active` by PATCH need not take anything else.
#[tokio::test]
async fn i33_a_patch_that_changes_active_alone_is_no_patch_for_anything_else() {
    for quirk in ["heeds_active_alone", "patches_active_alone"] {
        let mut world = World::start(&[quirk], policy()).await;
        for name in ["ada", "bea"] {
            world.user(name, person(name, "Cook", true));
        }
        world.pass(3 * MINUTE).await;
        world.user("bea", person("bea", "Cook", false));
        world.pass(3 * MINUTE).await;
        assert_eq!(account(&world, "bea").await["active"], json!(false), "{quirk}");
        world.user("ada", person("ada", "Captain", true));
        world.pass(3 * MINUTE).await;
        assert_eq!(
            account(&world, "ada").await["resource"]["title"],
            json!("Captain"),
            "{quirk}: {:?}",
            world.learned()
        );
        assert_eq!(world.learned(), ["writeUsers: Put"], "{quirk}");
    }
}

fn user_ready(world: &World, name: &str) -> String {
    let conditions = world.get(name).and_then(|user| user.status?.conditions).unwrap_or_default();
    let ready = conditions.iter().find(|known| known.type_ == "Ready");
    ready.map(|known| format!("{} {}: {}", known.status, known.reason, known.message)).unwrap_or_default()
}

/// For most services the groups are the access: they are left, though a person has to see to the account.
#[tokio::test]
async fn i17_whoever_can_not_be_deactivated_leaves_their_groups_all_the_same() {
    for (quirks, users) in
        [(vec!["refuses_inactive"], "Deactivate"), (vec!["refuses_inactive", "no_deletes"], "Delete")]
    {
        let mut world = World::start(&quirks, json!({"deletionPolicy": {"users": users}})).await;
        people(&world, &["ada", "bea", "cyd"]);
        let all: Vec<Value> = ["ada", "bea", "cyd"].iter().map(|name| json!({"userRef": {"name": name}})).collect();
        world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": all}));
        world.pass(5 * MINUTE).await;
        assert_eq!(members(&world, &["ada", "bea", "cyd"]).await, ["ada", "bea", "cyd"], "{quirks:?}");
        world.delete("ada");
        // Whoever is declared is a member as long as they are.
        world.user("cyd", person("cyd", "Cook", false));
        world.pass(10 * MINUTE).await;
        let told = user_ready(&world, "ada");
        assert!(told.starts_with("False Rejected") || told.starts_with("False NotSupported"), "{quirks:?}: {told}");
        assert!(told.contains("scim-operator.dev/release"), "{quirks:?}: {told}");
        assert_eq!(account(&world, "ada").await["active"], json!(true), "{quirks:?}");
        assert_eq!(members(&world, &["ada", "bea", "cyd"]).await, ["bea", "cyd"], "{quirks:?}: {}", ready(&world));
    }
}

/// What a guard holds takes nobody out of a group either.
#[tokio::test]
async fn i17_whose_removal_is_held_stays_in_their_groups() {
    let guards = json!({"removals": {"maxPercent": 1, "minCount": 0, "maxCount": 1, "window": "1h"}});
    let mut world = World::start(&["refuses_inactive"], json!({"guards": guards})).await;
    let all = ["ada", "bea", "cyd"];
    people(&world, &all);
    let members_of: Vec<Value> = all.iter().map(|name| json!({"userRef": {"name": name}})).collect();
    world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": members_of}));
    world.pass(5 * MINUTE).await;
    for name in &all {
        world.delete(name);
    }
    world.pass(10 * MINUTE).await;
    assert!(user_ready(&world, "ada").contains("Held"), "{}", user_ready(&world, "ada"));
    assert_eq!(members(&world, &all).await, all, "{}", ready(&world));
}
