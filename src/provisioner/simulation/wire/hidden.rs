//! Servers that never show who is in a group.

use std::time::Duration;

use serde_json::{Value, json};

use super::groups::{id, members, people, ready, writes};
use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);
const ALL: [&str; 4] = ["ada", "bea", "cyd", "dan"];

fn policy() -> Value {
    json!({"adoptionPolicy": {"groups": "Adopt"}, "driftPolicy": {"attributes": "Repair"}})
}

fn team(world: &World, membership: &str, people: &[&str]) {
    let members: Vec<Value> = people.iter().map(|name| json!({"userRef": {"name": name}})).collect();
    world.group("team", json!({"displayName": "Team", "membership": membership, "members": members}));
}

#[tokio::test]
async fn i18_whoever_is_dropped_goes_where_nobody_is_ever_shown() {
    // Without a filter nothing tells that somebody is in: nothing is learnt.
    for (quirks, learned) in [
        (vec!["hides_members"], true),
        (vec!["hides_members", "ignores_filters"], false),
        (vec!["hides_members", "refuses_filters", "empty_changes"], false),
    ] {
        for membership in ["Exact", "Additive"] {
            let mut world = World::start(&quirks, policy()).await;
            people(&world, &ALL);
            team(&world, membership, &["ada", "bea", "cyd"]);
            world.pass(5 * MINUTE).await;
            let told = || format!("{quirks:?} {membership}: {}, {:?}", ready(&world), world.learned());
            assert_eq!(members(&world, &ALL).await, ["ada", "bea", "cyd"], "{}", told());
            assert_eq!(world.learned().contains(&"membersReadable: Probe".to_owned()), learned, "{}", told());
            if learned {
                assert!(ready(&world).starts_with("True Synced: 3 of 3"), "{}", told());
                assert!(
                    ready(&world).contains("by the operator's own record, and not seen at the server"),
                    "{}",
                    told()
                );
            } else {
                assert!(ready(&world).starts_with("True NotPersisted"), "{}", told());
                assert!(ready(&world).contains("spec.dialect.membersReadable of the connection to No"), "{}", told());
            }
            world.requests().await;
            world.pass(5 * MINUTE).await;
            assert_eq!(writes(&world).await, 0, "{quirks:?}: at rest");
            team(&world, membership, &["bea", "cyd"]);
            world.pass(MINUTE).await;
            assert_eq!(members(&world, &ALL).await, ["bea", "cyd"], "{quirks:?} {membership}: {}", ready(&world));
            // Dropped while no operator was there to see it.
            team(&world, membership, &["cyd", "dan"]);
            world.restart();
            world.pass(5 * MINUTE).await;
            assert_eq!(members(&world, &ALL).await, ["cyd", "dan"], "{quirks:?} {membership}: {}", ready(&world));
            assert_eq!(ready(&world).contains("2 of 2"), learned, "{quirks:?} {membership}: {}", ready(&world));
        }
    }
}

/// Somebody who is dropped goes before it is known that nobody is shown, also over a restart.
#[tokio::test]
async fn i18_whoever_no_reading_ever_showed_is_taken_out_all_the_same() {
    for restarts in [false, true] {
        let mut world = World::start(&["hides_members", "ignores_filters"], policy()).await;
        people(&world, &ALL);
        team(&world, "Exact", &["ada"]);
        world.pass(3 * MINUTE).await;
        assert_eq!(members(&world, &ALL).await, ["ada"], "{}", ready(&world));
        team(&world, "Exact", &[]);
        if restarts {
            world.restart();
        }
        world.pass(3 * MINUTE).await;
        assert_eq!(members(&world, &ALL).await, Vec::<String>::new(), "restarts: {restarts}: {}", ready(&world));
    }
}

/// What replaces a group must name whoever isn't shown.
#[tokio::test]
async fn i03_nobody_is_left_out_of_a_group_that_is_replaced_and_shows_nobody() {
    let mut world = World::start(&["hides_members", "no_patch"], policy()).await;
    people(&world, &ALL);
    team(&world, "Exact", &["ada", "bea"]);
    world.pass(MINUTE / 2).await;
    assert_eq!(members(&world, &ALL).await, ["ada", "bea"], "{}", ready(&world));
    team(&world, "Exact", &["ada", "bea", "cyd"]);
    world.pass(MINUTE / 4).await;
    let there = members(&world, &ALL).await;
    assert!(there.starts_with(&["ada".to_owned(), "bea".to_owned()]), "{there:?}: {}", ready(&world));
    world.pass(5 * MINUTE).await;
    let there = members(&world, &ALL).await;
    assert!(there.starts_with(&["ada".to_owned(), "bea".to_owned()]), "{there:?}: {}", ready(&world));
}

/// A server that shows members is believed where it shows none.
#[tokio::test]
async fn i33_one_member_whom_a_server_does_not_keep_says_nothing_of_the_others() {
    let mut world = World::start(&["drops_unknown_members"], policy()).await;
    world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": [{"id": "nobody-there"}]}));
    world.pass(5 * MINUTE).await;
    assert_eq!(world.learned(), Vec::<String>::new(), "{}", ready(&world));
    assert!(ready(&world).starts_with("True NotPersisted"), "{}", ready(&world));
}

const MANY: [&str; 9] = ["ada", "bea", "cyd", "dan", "eve", "fay", "gus", "hal", "ian"];

/// Dropped while no operator was there, and not shown.
#[tokio::test]
async fn i11_whoever_is_dropped_and_not_shown_goes_after_a_restart() {
    for left in [5, 6] {
        let mut world = World::start(&["shows_five_members"], policy()).await;
        people(&world, &MANY);
        // In by turns, so that it is known who isn't shown.
        team(&world, "Exact", &MANY[..5]);
        world.pass(5 * MINUTE).await;
        team(&world, "Exact", &MANY[..8]);
        world.pass(5 * MINUTE).await;
        assert_eq!(members(&world, &MANY).await, MANY[..8], "{}", ready(&world));
        team(&world, "Exact", &MANY[..left]);
        world.restart();
        world.pass(5 * MINUTE).await;
        assert_eq!(members(&world, &MANY).await, MANY[..left], "{left}: {}", ready(&world));
    }
}

/// A reading that was older than our own write is no proof for ever.
#[tokio::test]
async fn i11_a_group_that_is_shown_whole_again_is_believed_again() {
    let mut world = World::start(&["shows_five_members"], policy()).await;
    people(&world, &MANY);
    team(&world, "Exact", &MANY[..7]);
    world.pass(5 * MINUTE).await;
    assert!(ready(&world).contains("a part of this group's members"), "{}", ready(&world));
    world.admin("DELETE", "/quirks", None).await;
    world.pass(3 * MINUTE).await;
    assert!(!ready(&world).contains("a part of this group's members"), "{}", ready(&world));
    // Whom others put in is seen again, and goes.
    let made = world.admin("POST", "/users", Some(json!({"userName": "zoe@example.com"}))).await;
    let zoe = made["id"].as_str().expect("an id").to_owned();
    let id = world.get_group("team").and_then(|group| group.status?.id).unwrap_or_default();
    let operation = json!({"op": "add", "path": "members", "value": [{"value": zoe}]});
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]});
    assert!(world.by_hand("PATCH", &format!("/Groups/{id}"), body).await < 300);
    world.pass(3 * MINUTE).await;
    let groups = world.admin("GET", "/groups", None).await.to_string();
    assert!(!groups.contains(&format!("\"value\":\"{zoe}\"")), "{}", ready(&world));
}

/// A server that shows nobody refuses to put in whoever is in, and to take out whoever isn't: that is as it is to be.
#[tokio::test]
async fn i18_who_is_in_or_out_already_is_no_refusal_where_nobody_is_shown() {
    let by_record = json!({"membersReadable": "No"});
    for (quirks, dialect) in [
        (vec!["hides_members"], Value::Null),
        (vec!["hides_members"], json!({"membersReadable": "Probe"})),
        (vec!["hides_members", "refuses_filters"], by_record.clone()),
    ] {
        let quirks = [quirks, vec!["members_again_409", "strangers_out_404"]].concat();
        let mut policy = json!({"adoptionPolicy": {"groups": "Adopt"}});
        if !dialect.is_null() {
            policy["dialect"] = dialect.clone();
        }
        let mut world = World::start(&quirks, policy).await;
        let all = ["ada", "bea", "cyd"];
        people(&world, &all);
        world.pass(3 * MINUTE).await;
        let in_before: Vec<Value> = ["ada", "bea"].iter().map(|name| json!({"value": id(&world, name)})).collect();
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Team", "members": in_before,
        });
        assert_eq!(world.by_hand("POST", "/Groups", body).await, 201);
        let team = |people: &[&str]| {
            let members: Vec<Value> = people.iter().map(|name| json!({"userRef": {"name": name}})).collect();
            json!({"displayName": "Team", "membership": "Exact", "members": members})
        };
        world.group("team", team(&all));
        world.pass(10 * MINUTE).await;
        assert_eq!(members(&world, &all).await, all, "{quirks:?} {dialect}: {}", ready(&world));
        assert!(ready(&world).starts_with("True Synced: 3 of 3"), "{quirks:?} {dialect}: {}", ready(&world));
        // Somebody takes one out by hand, whom nobody declares any more.
        let group = world.get_group("team").and_then(|group| group.status?.id).unwrap_or_default();
        let bea = id(&world, "bea");
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "remove", "path": format!("members[value eq \"{bea}\"]")}],
        });
        assert!(world.by_hand("PATCH", &format!("/Groups/{group}"), body).await < 300);
        world.group("team", team(&["ada", "cyd"]));
        world.pass(5 * MINUTE).await;
        assert_eq!(members(&world, &all).await, ["ada", "cyd"], "{quirks:?} {dialect}: {}", ready(&world));
        assert!(ready(&world).starts_with("True Synced: 2 of 2"), "{quirks:?} {dialect}: {}", ready(&world));
        world.delete("bea");
        world.pass(10 * MINUTE).await;
        assert!(world.get("bea").is_none(), "{quirks:?} {dialect}");
        let stays = world.effects.look().events.iter().any(|(reason, _)| reason == "StaysInGroups");
        assert!(!stays, "{quirks:?} {dialect}");
    }
}
