//! Servers that take out others than those whom a request names, and that show not all who are in.

use std::time::Duration;

use serde_json::{Value, json};

use super::groups::{id, members, people, ready, writes};
use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);

fn policy(drift: &str) -> Value {
    json!({"adoptionPolicy": {"groups": "Adopt"}, "driftPolicy": {"attributes": drift}})
}

fn team(world: &World, membership: &str, people: &[&str], more: Value) {
    let members: Vec<Value> = people.iter().map(|name| json!({"userRef": {"name": name}})).collect();
    let mut spec = json!({"displayName": "Team", "membership": membership, "members": members});
    if let Value::Object(more) = more {
        more.into_iter().for_each(|(field, value)| spec[field] = value);
    }
    world.group("team", spec);
}

/// A group that is there, with somebody in it whom nobody declares; returns the id of that account.
async fn with_stranger(world: &World) -> String {
    let made = world.admin("POST", "/users", Some(json!({"userName": "zoe@example.com"}))).await;
    let zoe = made["id"].as_str().expect("an id").to_owned();
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Team",
        "members": [{"value": zoe}],
    });
    assert!(world.by_hand("POST", "/Groups", body).await < 300);
    zoe
}

async fn is_in(world: &World, id: &str) -> bool {
    world.admin("GET", "/groups", None).await.to_string().contains(&format!("\"value\":\"{id}\""))
}

fn losses(world: &World) -> usize {
    world.effects.look().events.iter().filter(|(reason, _)| reason == "MembersTakenOut").count()
}

const ALL: [&str; 4] = ["ada", "bea", "cyd", "dan"];

#[tokio::test]
async fn i03_whom_a_request_takes_out_unasked_is_put_in_again_strangers_too() {
    for quirks in [
        vec!["remove_empties"],
        vec!["remove_empties", "empty_changes"],
        vec!["add_replaces", "empty_changes"],
        vec!["add_replaces", "answers_before"],
        vec!["remove_empties", "answers_before"],
        vec!["remove_empties", "add_replaces", "errors_mute"],
    ] {
        let mut world = World::start(&quirks, policy("Repair")).await;
        people(&world, &ALL);
        let zoe = with_stranger(&world).await;
        team(&world, "Additive", &["ada", "bea", "cyd"], json!({}));
        world.pass(5 * MINUTE).await;
        assert_eq!(members(&world, &ALL).await, ["ada", "bea", "cyd"], "{quirks:?}: {}", ready(&world));
        assert!(is_in(&world, &zoe).await, "{quirks:?}: {}", ready(&world));
        team(&world, "Additive", &["ada", "bea"], json!({}));
        world.pass(5 * MINUTE).await;
        assert_eq!(members(&world, &ALL).await, ["ada", "bea"], "{quirks:?}: {}", ready(&world));
        assert!(is_in(&world, &zoe).await, "{quirks:?}: {}", ready(&world));
        assert!(ready(&world).starts_with("True Synced"), "{quirks:?}: {}", ready(&world));
        assert_eq!((losses(&world), world.learned()), (1, vec!["writeGroups: Put".to_owned()]), "{quirks:?}");
        // No such request again, and whoever came back is nobody's of ours.
        team(&world, "Additive", &["ada", "dan"], json!({}));
        world.pass(5 * MINUTE).await;
        assert_eq!(members(&world, &ALL).await, ["ada", "dan"], "{quirks:?}: {}", ready(&world));
        assert!(is_in(&world, &zoe).await, "{quirks:?}: {}", ready(&world));
        assert_eq!(losses(&world), 1, "{quirks:?}");
        world.requests().await;
        world.pass(5 * MINUTE).await;
        assert_eq!(writes(&world).await, 0, "{quirks:?}: at rest");
    }
}

#[tokio::test]
async fn i09_what_a_request_of_ours_takes_out_is_no_change_by_others() {
    let mut world = World::start(&["remove_empties"], policy("Report")).await;
    people(&world, &ALL);
    team(&world, "Exact", &ALL, json!({}));
    world.pass(5 * MINUTE).await;
    assert_eq!(members(&world, &ALL).await, ALL, "{}", ready(&world));
    team(&world, "Exact", &["ada", "bea", "cyd"], json!({}));
    world.pass(5 * MINUTE).await;
    assert_eq!(members(&world, &ALL).await, ["ada", "bea", "cyd"], "{}", ready(&world));
    assert!(ready(&world).starts_with("True Synced"), "{}", ready(&world));
}

#[tokio::test]
async fn i03_a_group_that_a_new_external_id_empties_is_filled_again() {
    for (drift, answers) in [
        ("Repair", "empty_changes"),
        ("Report", "empty_changes"),
        ("Repair", "answers_before"),
        ("Report", "answers_before"),
    ] {
        let mut world = World::start(&["replace_empties", answers], policy(drift)).await;
        people(&world, &ALL);
        let zoe = with_stranger(&world).await;
        team(&world, "Additive", &["ada"], json!({}));
        world.pass(5 * MINUTE).await;
        team(&world, "Additive", &["ada"], json!({"externalId": "e-1"}));
        world.pass(5 * MINUTE).await;
        assert_eq!(members(&world, &ALL).await, ["ada"], "{}", ready(&world));
        assert!(is_in(&world, &zoe).await, "{}", ready(&world));
        assert!(ready(&world).starts_with("True Synced"), "{}", ready(&world));
        assert_eq!(losses(&world), 1);
    }
}

/// Where a person says that groups aren't replaced, nobody else is taken out a second time, and whoever stays in is named.
#[tokio::test]
async fn i15_a_removal_that_would_take_out_others_is_named_and_not_sent_again() {
    let mut policy = policy("Repair");
    policy["dialect"] = json!({"writeGroups": "Patch"});
    let mut world = World::start(&["remove_empties"], policy).await;
    people(&world, &ALL);
    let zoe = with_stranger(&world).await;
    team(&world, "Additive", &["ada", "bea", "cyd"], json!({}));
    world.pass(5 * MINUTE).await;
    team(&world, "Additive", &["ada", "bea"], json!({}));
    world.pass(5 * MINUTE).await;
    assert_eq!(members(&world, &ALL).await, ["ada", "bea"], "{}", ready(&world));
    assert!(is_in(&world, &zoe).await, "{}", ready(&world));
    team(&world, "Additive", &["ada"], json!({}));
    world.pass(90 * MINUTE).await;
    assert_eq!((losses(&world), is_in(&world, &zoe).await), (1, true));
    assert!(ready(&world).starts_with("False Rejected"), "{}", ready(&world));
    assert!(ready(&world).contains("writeGroups"), "{}", ready(&world));
}

#[tokio::test]
async fn i18_several_who_leave_go_one_by_one_where_others_would_go_for_them() {
    for (quirks, dialect) in [
        (vec!["removes_by_index"], json!({})),
        (vec!["removes_by_index", "answers_before"], json!({})),
        (vec!["removes_by_index", "empty_changes"], json!({"writeGroups": "Patch"})),
    ] {
        let mut policy = policy("Report");
        policy["dialect"] = dialect;
        let mut world = World::start(&quirks, policy).await;
        people(&world, &ALL);
        let zoe = with_stranger(&world).await;
        team(&world, "Additive", &ALL, json!({}));
        world.pass(5 * MINUTE).await;
        // They are in by their ids, and gone at the first two places.
        let mut names = ALL.to_vec();
        names.sort_by_key(|name| id(&world, name));
        let mut stay = names.split_off(2);
        stay.sort_unstable();
        team(&world, "Additive", &stay, json!({}));
        world.pass(5 * MINUTE).await;
        assert_eq!(members(&world, &ALL).await, stay, "{quirks:?}: {}", ready(&world));
        assert!(is_in(&world, &zoe).await, "{quirks:?}: {}", ready(&world));
        assert!(ready(&world).starts_with("True Synced"), "{quirks:?}: {}", ready(&world));
        assert_eq!((losses(&world), world.learned()), (1, Vec::new()), "{quirks:?}");
    }
}

/// A person in the same instant isn't the server.
#[tokio::test]
async fn i33_a_server_that_takes_out_whom_it_is_told_to_is_read_once() {
    let mut world = World::start(&[], policy("Repair")).await;
    people(&world, &ALL);
    team(&world, "Exact", &ALL, json!({}));
    world.pass(5 * MINUTE).await;
    team(&world, "Exact", &["ada", "bea", "cyd"], json!({}));
    world.pass(MINUTE / 2).await;
    world.requests().await;
    team(&world, "Exact", &["ada", "bea"], json!({}));
    world.pass(MINUTE / 4).await;
    assert_eq!((world.requests().await, id(&world, "ada").is_empty()), (1, false));
}

const MANY: [&str; 8] = ["ada", "bea", "cyd", "dan", "eve", "fay", "gus", "hal"];

#[tokio::test]
async fn i11_a_group_that_shows_a_part_of_its_members_lacks_nobody() {
    for quirks in [vec!["shows_five_members"], vec!["shows_five_members", "empty_changes", "ignores_filters"]] {
        let mut world = World::start(&quirks, policy("Repair")).await;
        people(&world, &MANY);
        team(&world, "Exact", &MANY[..7], json!({}));
        world.pass(5 * MINUTE).await;
        assert_eq!(members(&world, &MANY).await, MANY[..7], "{quirks:?}: {}", ready(&world));
        world.pass(5 * MINUTE).await;
        assert!(ready(&world).starts_with("True Synced"), "{quirks:?}: {}", ready(&world));
        assert!(ready(&world).contains("7 of 7"), "{quirks:?}: {}", ready(&world));
        world.requests().await;
        world.pass(10 * MINUTE).await;
        assert_eq!(writes(&world).await, 0, "{quirks:?}: at rest");
        let patched = world.admin("GET", "/stats", None).await["requests"]["PATCH"].clone();
        assert_eq!(patched, Value::Null, "{quirks:?}: at rest");
        // Over a restart, too.
        world.restart();
        world.requests().await;
        world.pass(5 * MINUTE).await;
        let patched = world.admin("GET", "/stats", None).await["requests"]["PATCH"].clone();
        assert_eq!(patched, Value::Null, "{quirks:?}: after a restart");
        team(&world, "Exact", &MANY[1..], json!({}));
        world.pass(5 * MINUTE).await;
        assert_eq!(members(&world, &MANY).await, MANY[1..], "{quirks:?}: {}", ready(&world));
    }
}

#[tokio::test]
async fn i03_a_group_that_shows_a_part_of_its_members_is_not_replaced_whole() {
    let mut world = World::start(&["shows_five_members", "no_patch"], policy("Repair")).await;
    people(&world, &MANY);
    let zoe = with_stranger(&world).await;
    team(&world, "Additive", &MANY[..7], json!({}));
    world.pass(5 * MINUTE).await;
    // The last ones to come are in, and not shown.
    team(&world, "Additive", &MANY[..6], json!({}));
    world.pass(5 * MINUTE).await;
    assert_eq!(members(&world, &MANY).await, MANY[..7], "{}", ready(&world));
    assert!(is_in(&world, &zoe).await);
    assert!(ready(&world).starts_with("False NotSupported"), "{}", ready(&world));
    assert!(ready(&world).contains("a part of this group's members"), "{}", ready(&world));
}
