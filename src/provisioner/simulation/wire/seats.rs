//! Services that sell seats, and those that only speak of people whose names have the letters of one.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);

fn condition(world: &World, name: &str) -> (String, String) {
    let conditions = world.get(name).and_then(|user| user.status?.conditions).unwrap_or_default();
    let ready = conditions.into_iter().find(|known| known.type_ == "Ready");
    ready.map(|known| (format!("{} {}", known.status, known.reason), known.message)).unwrap_or_default()
}

fn ready(world: &World, name: &str) -> String {
    condition(world, name).0
}

fn id(world: &World, name: &str) -> Option<String> {
    world.get(name).and_then(|user| user.status?.id)
}

/// How often a creation was answered with this status since that was last asked.
async fn answered(world: &World, status: &str) -> u64 {
    let counted = world.admin("GET", "/stats", None).await;
    counted["requests"]["POST"]["Users"][status].as_u64().unwrap_or_default()
}

async fn fault(world: &World, said: &str, status: u16, body: Value) {
    let matching = json!({"method": "POST", "path_prefix": "/Users", "body_contains": said});
    let fault = json!({"kind": "status", "code": status, "body": body});
    world.admin("POST", "/faults", Some(json!([{"match": matching, "fault": fault}]))).await;
}

#[tokio::test]
async fn a_seat_that_became_free_is_used_within_a_minute() {
    let mut world = World::start(&["two_seats"], json!({"deletionPolicy": {"users": "Delete"}})).await;
    for name in ["ada", "bea", "cyd"] {
        world.user(name, json!({"userName": format!("{name}@example.com"), "active": true}));
    }
    world.pass(3 * MINUTE).await;
    let waits: Vec<&str> = ["ada", "bea", "cyd"].into_iter().filter(|name| id(&world, name).is_none()).collect();
    assert_eq!(waits.len(), 1);
    let leaves = if waits[0] == "ada" { "bea" } else { "ada" };
    // One goes by our hand, and at another time by somebody else's.
    world.delete(leaves);
    world.pass(MINUTE).await;
    assert!(id(&world, waits[0]).is_some(), "{}", ready(&world, waits[0]));
    // In one burst: whoever goes makes room for whoever comes.
    let stays = ["ada", "bea", "cyd"].into_iter().find(|name| *name != leaves && *name != waits[0]).unwrap();
    world.user("dan", json!({"userName": "dan@example.com", "active": true}));
    world.delete(stays);
    world.requests().await;
    world.pass(MINUTE).await;
    assert_eq!(ready(&world, "dan"), "True Synced");
    let refused = world.admin("GET", "/stats", None).await["requests"]["POST"]["Users"]["403"].clone();
    assert_eq!(refused, Value::Null, "the removal went before the creation");
}

/// Whoever waits first wants no seat any more, or is gone.
#[tokio::test]
async fn a_seat_that_nobody_wants_any_more_keeps_nobody_else_waiting() {
    for gone in [false, true] {
        let mut world = World::start(&["two_seats"], json!({})).await;
        for name in ["ada", "bea"] {
            world.user(name, json!({"userName": format!("{name}@example.com"), "active": true}));
        }
        world.pass(3 * MINUTE).await;
        for name in ["cyd", "dan"] {
            world.user(name, json!({"userName": format!("{name}@example.com"), "active": true}));
            world.pass(MINUTE).await;
        }
        assert!(id(&world, "cyd").is_none() && id(&world, "dan").is_none());
        if gone {
            world.delete("cyd");
        } else {
            world.user("cyd", json!({"userName": "cyd@example.com", "active": false}));
        }
        world.pass(MINUTE).await;
        world.user("ada", json!({"userName": "ada@example.com", "active": false}));
        world.pass(2 * MINUTE).await;
        assert!(id(&world, "dan").is_some(), "{gone}: {}", ready(&world, "dan"));
    }
}

/// The server repeats what it refuses, and a name is no word about seats.
#[tokio::test]
async fn i21_whoever_has_the_letters_of_a_seat_in_their_name_waits_for_none() {
    for name in ["j.seaton@example.com", "ada@seat.es", "seat"] {
        let mut world = World::start(&["hides_inactive"], json!({})).await;
        let hidden = json!({"userName": name, "active": false});
        world.admin("POST", "/users", Some(hidden)).await;
        world.user("ada", json!({"userName": name, "active": true}));
        world.pass(30 * MINUTE).await;
        let (told, words) = condition(&world, "ada");
        assert!(told == "False Conflict" && words.contains("exists already"), "{name}: {told}: {words}");
        assert_eq!(answered(&world, "409").await, 1, "{name}");
    }
}

/// Something else is refused of them: they are made without it, and it is named.
#[tokio::test]
async fn i33_whoever_has_the_letters_of_a_seat_in_their_address_is_made_without_what_is_refused() {
    let mut world = World::start(&[], json!({})).await;
    fault(&world, "phoneNumbers", 400, json!({"detail": "ada@seat.es: the number of the seat leon is not valid"}))
        .await;
    let phone = json!([{"value": "+1 (555) 010-01", "type": "work"}]);
    world.user(
        "ada",
        json!({
            "userName": "ada@seat.es", "active": true, "displayName": "the seat leon", "phoneNumbers": phone,
        }),
    );
    world.pass(3 * MINUTE).await;
    assert!(id(&world, "ada").is_some(), "{:?}", condition(&world, "ada"));
    assert!(answered(&world, "400").await <= 3);
}

/// A limit of the rate that names somebody is one.
#[tokio::test]
async fn i19_a_limit_of_the_rate_that_names_somebody_is_no_want_of_a_seat() {
    let mut world = World::start(&[], json!({})).await;
    let too_many = json!({"detail": "too many requests for ada@seat.es"});
    let matching = json!({"method": "POST", "path_prefix": "/Users", "count": 2});
    let fault = json!({"kind": "status", "code": 429, "body": too_many});
    world.admin("POST", "/faults", Some(json!([{"match": matching, "fault": fault}]))).await;
    world.user("ada", json!({"userName": "ada@seat.es", "active": true}));
    world.pass(MINUTE).await;
    assert_eq!(ready(&world, "ada"), "True Synced", "{:?}", condition(&world, "ada"));
}

/// 402 is that, without a word.
#[tokio::test]
async fn a_payment_that_is_required_is_a_seat_that_is_waited_for() {
    let mut world = World::start(&[], json!({})).await;
    fault(&world, "userName", 402, Value::Null).await;
    for name in ["ada", "bea"] {
        let phone = json!([{"value": "+1 (555) 010-01", "type": "work"}]);
        world.user(name, json!({"userName": format!("{name}@example.com"), "active": true, "phoneNumbers": phone}));
    }
    world.pass(MINUTE / 2).await;
    assert_eq!(answered(&world, "402").await, 2, "one each, and none with less");
    assert!(condition(&world, "ada").1.contains("has a seat left"), "{:?}", condition(&world, "ada"));
    world.admin("DELETE", "/faults", None).await;
    world.pass(MINUTE).await;
    assert_eq!((ready(&world, "ada"), ready(&world, "bea")), ("True Synced".into(), "True Synced".into()));
}
