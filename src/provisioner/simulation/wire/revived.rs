//! Servers that remember whom they removed, and bring them back under the same id where the name is created again.

use std::time::Duration;

use serde_json::{Value, json};

use super::groups::{id, members, people, ready};
use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);

fn refuses(more: &Value) -> Value {
    let mut policy = json!({"adoptionPolicy": {"users": "Refuse", "groups": "Refuse"}});
    more.as_object().into_iter().flatten().for_each(|(name, value)| policy[name] = value.clone());
    policy
}

fn ada(world: &World, active: bool) {
    world.user("ada", json!({"userName": "ada@example.com", "active": active, "externalId": "e-1"}));
}

fn told(world: &World) -> String {
    let conditions = world.get("ada").and_then(|user| user.status?.conditions).unwrap_or_default();
    let ready = conditions.iter().find(|known| known.type_ == "Ready");
    ready.map(|known| format!("{} {}: {}", known.status, known.reason, known.message)).unwrap_or_default()
}

async fn is_active(world: &World) -> bool {
    let all = world.accounts("ada@example.com").await;
    all.iter().any(|account| account["exists"] == json!(true) && account["active"] == json!(true))
}

/// Their account was made a year ago, and shows it.
#[tokio::test]
async fn i08_whoever_comes_back_under_the_old_id_is_the_objects_own() {
    for restarts in [false, true] {
        let mut world = World::start(&["removes_inactive", "revives"], refuses(&json!({}))).await;
        ada(&world, true);
        world.pass(3 * MINUTE).await;
        let before = id(&world, "ada");
        ada(&world, false);
        world.pass(60 * MINUTE).await;
        assert!(!is_active(&world).await && told(&world).starts_with("True"), "{}", told(&world));
        if restarts {
            world.restart();
        }
        ada(&world, true);
        world.pass(5 * MINUTE).await;
        assert!(told(&world).starts_with("True Synced"), "{}", told(&world));
        assert_eq!((id(&world, "ada"), is_active(&world).await), (before, true), "{}", told(&world));
        // What it gave back is taken away again.
        world.delete("ada");
        world.pass(5 * MINUTE).await;
        assert!(world.get("ada").is_none() && !is_active(&world).await, "{}", told(&world));
    }
}

#[tokio::test]
async fn i08_a_group_that_comes_back_under_the_old_id_is_the_objects_own() {
    let mut world = World::start(&["revives"], refuses(&json!({"driftPolicy": {"deleted": "Repair"}}))).await;
    people(&world, &["ada", "bea"]);
    let team = |people: &[&str]| {
        let members: Vec<Value> = people.iter().map(|name| json!({"userRef": {"name": name}})).collect();
        json!({"displayName": "Team", "membership": "Exact", "members": members})
    };
    world.group("team", team(&["ada", "bea"]));
    world.pass(60 * MINUTE).await;
    let before = world.get_group("team").and_then(|group| group.status?.id).unwrap_or_default();
    assert_eq!(world.by_hand("DELETE", &format!("/Groups/{before}"), Value::Null).await, 204);
    world.pass(10 * MINUTE).await;
    assert!(ready(&world).starts_with("True Synced"), "{}", ready(&world));
    assert_eq!(world.get_group("team").and_then(|group| group.status?.id).as_deref(), Some(&*before));
    assert_eq!(members(&world, &["ada", "bea"]).await, ["ada", "bea"], "{}", ready(&world));
    world.group("team", team(&["ada"]));
    world.pass(5 * MINUTE).await;
    assert_eq!(members(&world, &["ada", "bea"]).await, ["ada"], "{}", ready(&world));
}

/// Another externalId is another person, also under the same id.
#[tokio::test]
async fn i06_whoever_comes_back_as_somebody_else_is_not_taken() {
    let mut world = World::start(&["removes_inactive", "revives"], refuses(&json!({}))).await;
    ada(&world, true);
    world.pass(3 * MINUTE).await;
    ada(&world, false);
    world.pass(60 * MINUTE).await;
    world.user("ada", json!({"userName": "ada@example.com", "active": true, "externalId": "e-2"}));
    world.pass(5 * MINUTE).await;
    assert!(told(&world).starts_with("False Conflict"), "{}", told(&world));
    assert!(told(&world).contains("e-1"), "{}", told(&world));
}
