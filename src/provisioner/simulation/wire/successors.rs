//! A manifest that was moved: who is to take over the account.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);

fn person(world: &World, object: &str) {
    world.user(object, json!({"userName": "ada@example.com", "active": true}));
}

async fn exists(world: &World) -> bool {
    let all = world.accounts("ada@example.com").await;
    all.iter().any(|account| account["exists"] == json!(true) && account["active"] == json!(true))
}

fn told(world: &World, name: &str) -> String {
    let conditions = world.get(name).and_then(|user| user.status?.conditions).unwrap_or_default();
    let ready = conditions.iter().find(|known| known.type_ == "Ready");
    ready.map(|known| format!("{} {}: {}", known.status, known.reason, known.message)).unwrap_or_default()
}

/// One that can't have it is still not waited for.
#[tokio::test]
async fn i15_whoever_may_not_take_the_account_over_is_not_waited_for() {
    let mut world = World::start(&[], json!({"deletionPolicy": {"users": "Delete"}})).await;
    person(&world, "ada");
    world.pass(3 * MINUTE).await;
    world.delete("ada");
    world.user("ada-moved", json!({"userName": "ada@example.com", "active": true, "suspend": true}));
    world.pass(30 * MINUTE).await;
    assert!(world.get("ada").is_none() && !exists(&world).await, "{}", told(&world, "ada"));
    let bound: Option<Value> = world.get("ada-moved").and_then(|user| user.status?.id).map(Value::from);
    assert_eq!(bound, None, "{}", told(&world, "ada-moved"));
}
