//! What servers make of a group's name.

use std::time::Duration;

use serde_json::{Value, json};

use super::groups::{people, ready, writes};
use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);

fn policy(drift: &str) -> Value {
    json!({"driftPolicy": {"attributes": drift}, "deletionPolicy": {"groups": "Delete"}})
}

fn team(world: &World, name: &str) {
    let members = json!([{"userRef": {"name": "ada"}}]);
    world.group("team", json!({"displayName": name, "membership": "Exact", "members": members}));
}

/// The names of the groups that there are.
async fn names(world: &World) -> Vec<String> {
    let groups = world.admin("GET", "/groups", None).await;
    let there = groups.as_array().into_iter().flatten().filter(|group| group["exists"] != json!(false));
    there
        .filter_map(|group| group["displayName"].as_str().or(group["resource"]["displayName"].as_str()))
        .map(str::to_owned)
        .collect()
}

async fn rename_by_hand(world: &World, name: &str) {
    let id = world.get_group("team").and_then(|group| group.status?.id).unwrap_or_default();
    let operation = json!({"op": "replace", "value": {"displayName": name}});
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]});
    assert!(world.by_hand("PATCH", &format!("/Groups/{id}"), body).await < 300);
}

/// Nothing is written for so long, and nothing is said but that all is well.
async fn rests(world: &mut World, what: &str) {
    world.requests().await;
    world.pass(5 * MINUTE).await;
    let patched = world.admin("GET", "/stats", None).await["requests"]["PATCH"].clone();
    assert_eq!((writes(world).await, patched), (0, Value::Null), "{what}: at rest");
    assert!(ready(world).starts_with("True Synced"), "{what}: {}", ready(world));
}

#[tokio::test]
async fn i05_a_groups_name_in_the_servers_own_form_is_no_difference_and_a_change_of_it_is_seen() {
    for (quirks, drift) in [
        (vec!["lowers_group_names"], "Repair"),
        (vec!["lowers_group_names", "empty_changes"], "Repair"),
        (vec!["lowers_group_names", "empty_changes", "echoes_creations"], "Report"),
        (vec!["lowers_group_names", "no_patch"], "Report"),
    ] {
        let what = format!("{quirks:?} {drift}");
        let mut world = World::start(&quirks, policy(drift)).await;
        people(&world, &["ada"]);
        team(&world, "Team One");
        world.pass(5 * MINUTE).await;
        rests(&mut world, &what).await;
        assert_eq!(names(&world).await, ["team one"], "{what}");
        team(&world, "Team Two");
        world.pass(5 * MINUTE).await;
        assert_eq!(names(&world).await, ["team two"], "{what}: {}", ready(&world));
        rests(&mut world, &what).await;
        world.restart();
        world.pass(3 * MINUTE).await;
        rests(&mut world, &what).await;
        // Somebody else's name for it is a change.
        if !quirks.contains(&"no_patch") {
            rename_by_hand(&world, "another").await;
            world.pass(3 * MINUTE).await;
            if drift == "Repair" {
                assert_eq!(names(&world).await, ["team two"], "{what}");
                rests(&mut world, &what).await;
            } else {
                assert!(ready(&world).contains("Drifted"), "{what}: {}", ready(&world));
            }
        }
    }
}

#[tokio::test]
async fn i33_a_name_that_no_path_changes_is_sent_without_one() {
    for quirks in [
        vec!["pathless_group_renames"],
        vec!["ignores_group_renames"],
        vec!["ignores_group_renames", "empty_changes"],
        vec!["pathless_group_renames", "lowers_group_names", "empty_changes"],
    ] {
        let mut world = World::start(&quirks, policy("Repair")).await;
        people(&world, &["ada"]);
        team(&world, "team");
        world.pass(5 * MINUTE).await;
        team(&world, "crew");
        world.pass(5 * MINUTE).await;
        assert_eq!(names(&world).await, ["crew"], "{quirks:?}: {}", ready(&world));
        assert_eq!(world.learned(), ["groupPaths: None"], "{quirks:?}");
        rests(&mut world, &format!("{quirks:?}")).await;
        // From then on it is one request.
        world.restart();
        world.pass(3 * MINUTE).await;
        team(&world, "gang");
        world.requests().await;
        world.pass(MINUTE / 4).await;
        let patched = world.admin("GET", "/stats", None).await["requests"]["PATCH"]["Groups"].clone();
        assert_eq!(names(&world).await, ["gang"], "{quirks:?}: {}", ready(&world));
        assert!(patched["200"] == json!(1) || patched["204"] == json!(1), "{quirks:?}: {patched}");
    }
}

/// No PATCH changes it, and a PUT does.
#[tokio::test]
async fn i33_a_name_that_no_patch_changes_goes_with_the_whole_group() {
    let mut world =
        World::start(&["ignores_group_renames", "pathless_group_renames", "no_group_renames"], policy("Repair")).await;
    people(&world, &["ada"]);
    team(&world, "team");
    world.pass(5 * MINUTE).await;
    team(&world, "crew");
    world.pass(5 * MINUTE).await;
    assert_eq!(names(&world).await, ["crew"], "{}", ready(&world));
    rests(&mut world, "put").await;
}

/// What a creation was answered with need not be what a list shows.
#[tokio::test]
async fn i05_a_group_that_was_answered_by_its_plain_name_is_left_alone() {
    for drift in ["Repair", "Report"] {
        let mut world = World::start(&["names_in_domain", "echoes_creations"], policy(drift)).await;
        people(&world, &["ada"]);
        team(&world, "team");
        world.pass(5 * MINUTE).await;
        rests(&mut world, drift).await;
        world.restart();
        world.pass(3 * MINUTE).await;
        rests(&mut world, drift).await;
    }
}

/// A good server is asked once what became of a name.
#[tokio::test]
async fn i02_a_server_that_renames_groups_is_looked_at_once() {
    let mut world = World::start(&["empty_changes"], policy("Repair")).await;
    people(&world, &["ada"]);
    team(&world, "team");
    world.pass(5 * MINUTE).await;
    team(&world, "crew");
    world.pass(MINUTE / 4).await;
    world.requests().await;
    team(&world, "gang");
    world.pass(MINUTE / 4).await;
    assert_eq!((names(&world).await, world.requests().await), (vec!["gang".to_owned()], 1));
}

/// What rests for an hour keeps nothing else of the group waiting: each form of the name is tried after a minute.
#[tokio::test]
async fn i33_a_name_is_tried_in_each_form_while_a_member_rests() {
    for quirks in [["ignores_group_renames", "drops_unknown_members"], ["ignores_group_renames", "hides_members"]] {
        let mut world = World::start(&quirks, policy("Repair")).await;
        people(&world, &["ada"]);
        let members = json!([{"userRef": {"name": "ada"}}, {"id": "nobody-there"}]);
        for name in ["Team", "Crew"] {
            world.group("team", json!({"displayName": name, "membership": "Exact", "members": members}));
            world.pass(10 * MINUTE).await;
        }
        assert_eq!(names(&world).await, ["Crew"], "{quirks:?}: {}", ready(&world));
    }
}
