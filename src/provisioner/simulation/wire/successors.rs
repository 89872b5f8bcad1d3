//! A manifest that was moved: who is to take over the account meets the server's trouble, or the cluster's.

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

/// Who waits for a list that fails hasn't had its turn.
#[tokio::test]
async fn i08_an_account_outlives_the_trouble_that_its_next_object_meets() {
    let policy = json!({"deletionPolicy": {"users": "Delete"}, "dialect": {"pageSize": 5}});
    let mut world = World::start(&["ignores_filters"], policy).await;
    person(&world, "ada");
    for number in 0..8 {
        world.user(&format!("p-{number}"), json!({"userName": format!("p-{number}@example.com"), "active": true}));
    }
    world.pass(3 * MINUTE).await;
    let id = world.get("ada").and_then(|user| user.status?.id);
    world.admin("POST", "/quirks", Some(json!(["ignores_filters", "second_page_500"]))).await;
    world.restart();
    world.pass(3 * MINUTE).await;
    world.delete("ada");
    person(&world, "ada-moved");
    world.pass(60 * MINUTE).await;
    assert!(exists(&world).await, "{} / {}", told(&world, "ada"), told(&world, "ada-moved"));
    world.admin("DELETE", "/quirks", None).await;
    world.pass(90 * MINUTE).await;
    assert!(exists(&world).await && world.get("ada").is_none(), "{}", told(&world, "ada"));
    let bound = world.get("ada-moved").and_then(|user| user.status?.id);
    assert_eq!(bound, id, "{}", told(&world, "ada-moved"));
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
