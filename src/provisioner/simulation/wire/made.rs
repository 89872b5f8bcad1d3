//! Servers whose answer to a creation shows something else than they do afterwards.

use std::time::Duration;

use serde_json::{Value, json};

use super::groups::{id, members, people, ready};
use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);

fn policy() -> Value {
    json!({
        "adoptionPolicy": {"users": "Refuse", "groups": "Refuse"}, "driftPolicy": {"attributes": "Repair"},
        "deletionPolicy": {"users": "Delete", "groups": "Delete"},
    })
}

fn team(world: &World, display_name: &str, people: &[&str]) {
    let members: Vec<Value> = people.iter().map(|name| json!({"userRef": {"name": name}})).collect();
    world.group("team", json!({"displayName": display_name, "membership": "Exact", "members": members}));
}

fn ada(world: &World) -> String {
    let conditions = world.get("ada").and_then(|user| user.status?.conditions).unwrap_or_default();
    let ready = conditions.iter().find(|known| known.type_ == "Ready");
    ready.map(|known| format!("{} {}: {}", known.status, known.reason, known.message)).unwrap_or_default()
}

fn events(world: &World, reason: &str) -> usize {
    world.effects.look().events.iter().filter(|(known, _)| known == reason).count()
}

async fn exist(world: &World) -> (usize, usize) {
    let count = |all: Value| {
        let there = |one: &&Value| one["exists"] != json!(false);
        all.as_array().into_iter().flatten().filter(there).count()
    };
    (count(world.admin("GET", "/users", None).await), count(world.admin("GET", "/groups", None).await))
}

async fn writes(world: &World) -> u64 {
    world.admin("GET", "/stats", None).await["writes"].as_u64().unwrap_or_default()
}

/// What the operator made is its own, whatever the server calls it, and goes with its object.
async fn live(quirks: &[&str]) {
    let mut world = World::start(quirks, policy()).await;
    people(&world, &["ada", "bea"]);
    team(&world, "Team", &["ada", "bea"]);
    world.pass(10 * MINUTE).await;
    assert!(ada(&world).starts_with("True Synced"), "{quirks:?}: {}", ada(&world));
    assert!(ready(&world).starts_with("True Synced"), "{quirks:?}: {}", ready(&world));
    assert_eq!(members(&world, &["ada", "bea"]).await, ["ada", "bea"], "{quirks:?}: {}", ready(&world));
    assert_eq!((exist(&world).await, events(&world, "NewIds")), ((2, 1), 0), "{quirks:?}");
    // A restart knows it, and nothing is written.
    world.restart();
    world.requests().await;
    world.pass(5 * MINUTE).await;
    assert_eq!(writes(&world).await, 0, "{quirks:?}: at rest");
    team(&world, "Crew", &["ada"]);
    world.pass(5 * MINUTE).await;
    assert_eq!(members(&world, &["ada", "bea"]).await, ["ada"], "{quirks:?}: {}", ready(&world));
    assert!(ready(&world).starts_with("True Synced"), "{quirks:?}: {}", ready(&world));
    world.requests().await;
    world.pass(5 * MINUTE).await;
    assert_eq!(writes(&world).await, 0, "{quirks:?}: at rest after a rename");
    for name in ["team", "ada", "bea"] {
        world.delete(name);
    }
    world.pass(5 * MINUTE).await;
    assert_eq!(exist(&world).await, (0, 0), "{quirks:?}");
}

#[tokio::test]
async fn i07_what_was_made_is_bound_though_its_name_has_a_domain_of_the_server() {
    live(&["names_in_domain"]).await;
    live(&["names_in_domain", "empty_changes"]).await;
}

#[tokio::test]
async fn i07_what_was_made_is_bound_under_the_id_that_it_has_and_not_under_the_one_that_was_answered() {
    live(&["answers_names_for_ids"]).await;
}

/// Nobody deleted it, and nobody is told so.
#[tokio::test]
async fn i15_who_was_made_and_is_never_shown_is_told_of_and_not_forgotten_in_silence() {
    let mut world = World::start(&["hides_created"], policy()).await;
    people(&world, &["ada"]);
    world.pass(10 * MINUTE).await;
    assert!(ada(&world).starts_with("False DeletedAtServer"), "{}", ada(&world));
    assert!(ada(&world).contains("has shown it to nobody"), "{}", ada(&world));
    assert!(!id(&world, "ada").is_empty());
    let told = ada(&world);
    world.restart();
    world.pass(5 * MINUTE).await;
    assert_eq!(ada(&world), told);
    world.user("ada", json!({"userName": "ada@example.com", "active": false}));
    world.pass(5 * MINUTE).await;
    assert!(ada(&world).starts_with("False NotSupported"), "{}", ada(&world));
    assert!(ada(&world).contains("may be active"), "{}", ada(&world));
    world.delete("ada");
    world.pass(5 * MINUTE).await;
    assert!(world.get("ada").is_none(), "{}", ada(&world));
    assert_eq!((exist(&world).await.0, events(&world, "AccountLeft")), (1, 1));
}

#[tokio::test]
async fn i07_whoever_is_made_under_a_name_that_the_server_made_of_theirs_is_the_objects() {
    let mut world = World::start(&["cuts_names"], policy()).await;
    world.user("ada", json!({"userName": "ada+cook@example.com", "externalId": "e-1", "active": true}));
    world.pass(5 * MINUTE).await;
    assert!(ada(&world).starts_with("True"), "{}", ada(&world));
    assert_eq!(exist(&world).await.0, 1);
    world.requests().await;
    world.restart();
    world.pass(5 * MINUTE).await;
    assert_eq!(writes(&world).await, 0, "at rest");
    world.delete("ada");
    world.pass(5 * MINUTE).await;
    assert!(world.get("ada").is_none());
    assert_eq!(exist(&world).await.0, 0, "nobody keeps access");
}

/// A time that all have, or that is none, says nothing of what a creation made.
#[tokio::test]
async fn i07_what_was_made_is_its_own_where_no_date_tells_that_it_is_new() {
    for quirk in ["zero_dates", "one_date"] {
        live_among(&[quirk]).await;
    }
}

/// The same beside somebody whom others made.
async fn live_among(quirks: &[&str]) {
    let mut world = World::start(quirks, policy()).await;
    world.admin("POST", "/users", Some(json!({"userName": "zoe@example.com"}))).await;
    people(&world, &["ada", "bea"]);
    team(&world, "Team", &["ada", "bea"]);
    world.pass(10 * MINUTE).await;
    assert!(ada(&world).starts_with("True Synced"), "{quirks:?}: {}", ada(&world));
    assert!(ready(&world).starts_with("True Synced"), "{quirks:?}: {}", ready(&world));
    assert_eq!(members(&world, &["ada", "bea"]).await, ["ada", "bea"], "{quirks:?}: {}", ready(&world));
    assert_eq!(exist(&world).await, (3, 1), "{quirks:?}");
    // Whoever was there before isn't taken for it.
    world.user("zoe", json!({"userName": "zoe@example.com", "active": true}));
    world.pass(10 * MINUTE).await;
    assert_eq!(id(&world, "zoe"), "", "{quirks:?}");
    for name in ["team", "ada", "bea"] {
        world.delete(name);
    }
    world.pass(10 * MINUTE).await;
    assert_eq!(exist(&world).await, (1, 0), "{quirks:?}: what was made goes with its object");
}
