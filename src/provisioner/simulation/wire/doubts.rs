//! Servers that seem to have ways of their own, and show what they took later, or never keep it: nothing is learnt of that,
//! and what was learnt is taken back.

use std::time::Duration;

use serde_json::{Value, json};

use super::groups::{id, members, people, ready};
use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);
const ALL: [&str; 3] = ["ada", "bea", "cyd"];

fn policy() -> Value {
    json!({"adoptionPolicy": {"groups": "Adopt"}, "driftPolicy": {"attributes": "Repair"}})
}

fn team(world: &World, name: &str, people: &[&str]) {
    group(world, "team", name, people);
}

fn group(world: &World, object: &str, name: &str, people: &[&str]) {
    let members: Vec<Value> = people.iter().map(|name| json!({"userRef": {"name": name}})).collect();
    world.group(object, json!({"displayName": name, "membership": "Exact", "members": members}));
}

/// What reads of groups show is as it was before the last change, until that is over.
async fn lags(world: &World, lags: bool) {
    if lags {
        let stale = json!({
            "match": {"method": "GET", "path_prefix": "/Groups"}, "fault": {"kind": "stale_read", "ms": 1_000_000_000},
        });
        world.admin("POST", "/faults", Some(json!([stale]))).await;
    } else {
        world.admin("DELETE", "/faults", None).await;
    }
}

async fn by_hand(world: &World, operation: Value) {
    let id = world.get_group("team").and_then(|group| group.status?.id).unwrap_or_default();
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]});
    let status = world.by_hand("PATCH", &format!("/Groups/{id}"), body).await;
    assert!(status < 300, "{status}");
}

async fn name(world: &World) -> String {
    let groups = world.admin("GET", "/groups", None).await;
    let all: Vec<&str> =
        groups.as_array().into_iter().flatten().filter_map(|one| one["displayName"].as_str()).collect();
    all.join(", ")
}

async fn patched(world: &World) -> u64 {
    let patched = world.admin("GET", "/stats", None).await["requests"]["PATCH"]["Groups"].clone();
    patched.as_object().into_iter().flat_map(|counts| counts.values()).filter_map(Value::as_u64).sum()
}

#[tokio::test]
async fn i11_a_server_that_takes_members_and_keeps_none_is_not_taken_for_one_that_hides_them() {
    for quirks in [
        vec!["keeps_no_members"],
        vec!["keeps_no_members", "empty_changes"],
        vec!["keeps_no_members", "ignores_filters"],
        vec!["keeps_no_members", "refuses_filters", "empty_changes"],
    ] {
        let mut world = World::start(&quirks, policy()).await;
        people(&world, &ALL);
        team(&world, "Team", &["ada", "bea"]);
        group(&world, "crew", "Crew", &["ada", "cyd"]);
        world.pass(10 * MINUTE).await;
        for restarts in [false, true] {
            let told = format!("{quirks:?} {restarts}: {}", ready(&world));
            assert!(!world.learned().iter().any(|field| field.starts_with("membersReadable")), "{told}");
            assert!(ready(&world).starts_with("True NotPersisted: 0 of 2"), "{told}");
            assert!(ready(&world).contains("n/ada") && ready(&world).contains("n/bea"), "{told}");
            world.restart();
            world.pass(10 * MINUTE).await;
        }
        // It keeps them by now.
        world.admin("DELETE", "/quirks", None).await;
        world.pass(90 * MINUTE).await;
        assert_eq!(members(&world, &ALL).await, ALL, "{quirks:?}: {}", ready(&world));
        assert!(ready(&world).starts_with("True Synced: 2 of 2"), "{quirks:?}: {}", ready(&world));
    }
}

/// One account in two groups is one, and one moment is one.
#[tokio::test]
async fn i33_a_server_that_shows_members_later_is_not_taken_for_one_that_hides_them() {
    let mut world = World::start(&["empty_changes"], policy()).await;
    people(&world, &ALL);
    lags(&world, true).await;
    team(&world, "Team", &["ada", "bea"]);
    world.pass(MINUTE / 4).await;
    team(&world, "Team", &ALL);
    world.pass(MINUTE / 4).await;
    lags(&world, false).await;
    world.pass(5 * MINUTE).await;
    assert_eq!(world.learned(), Vec::<String>::new(), "{}", ready(&world));
    assert!(ready(&world).starts_with("True Synced: 3 of 3"), "{}", ready(&world));
}

/// Whoever was put in by others is seen, and goes, also in a process that begins later.
#[tokio::test]
async fn i33_members_that_are_shown_by_now_are_believed() {
    for restarts in [false, true] {
        let mut world = World::start(&["hides_members"], policy()).await;
        people(&world, &ALL);
        team(&world, "Team", &ALL);
        world.pass(5 * MINUTE).await;
        assert_eq!(world.learned(), ["membersReadable: Probe"], "{}", ready(&world));
        let made = world.admin("POST", "/users", Some(json!({"userName": "zoe@example.com"}))).await;
        let zoe = made["id"].as_str().expect("an id").to_owned();
        by_hand(&world, json!({"op": "add", "path": "members", "value": [{"value": zoe}]})).await;
        let bea = id(&world, "bea");
        by_hand(&world, json!({"op": "remove", "path": format!("members[value eq \"{bea}\"]")})).await;
        if restarts {
            world.restart();
            world.pass(3 * MINUTE).await;
            assert_eq!(world.learned(), ["membersReadable: Probe"], "{}", ready(&world));
        }
        world.admin("DELETE", "/quirks", None).await;
        world.pass(5 * MINUTE).await;
        assert_eq!(world.learned(), Vec::<String>::new(), "{}", ready(&world));
        assert_eq!(members(&world, &ALL).await, ALL, "{}", ready(&world));
        let groups = world.admin("GET", "/groups", None).await.to_string();
        assert!(!groups.contains(&format!("\"value\":\"{zoe}\"")), "{}", ready(&world));
        assert!(
            ready(&world).starts_with("True Synced: 3 of 3") && !ready(&world).contains("own record"),
            "{}",
            ready(&world)
        );
        // A good server by now: what it says is all there is.
        world.restart();
        world.pass(5 * MINUTE).await;
        assert!(
            ready(&world).starts_with("True Synced: 3 of 3") && !ready(&world).contains("own record"),
            "{}",
            ready(&world)
        );
    }
}

#[tokio::test]
async fn i33_a_name_that_is_shown_later_teaches_no_other_form() {
    for quirks in [vec!["empty_changes"], vec!["answers_before"]] {
        let mut world = World::start(&quirks, policy()).await;
        people(&world, &ALL);
        team(&world, "Team", &ALL);
        world.pass(5 * MINUTE).await;
        lags(&world, true).await;
        world.requests().await;
        team(&world, "Crew", &ALL);
        world.pass(MINUTE / 2).await;
        assert!(
            ready(&world).starts_with("False Pending") && ready(&world).contains("still shows"),
            "{}",
            ready(&world)
        );
        lags(&world, false).await;
        world.pass(5 * MINUTE).await;
        assert_eq!(world.learned(), Vec::<String>::new(), "{quirks:?}: {}", ready(&world));
        assert!(ready(&world).starts_with("True Synced: 3 of 3"), "{quirks:?}: {}", ready(&world));
        assert_eq!((name(&world).await.as_str(), patched(&world).await), ("Crew", 1), "{quirks:?}");
    }
}

/// What an answer shows may be what was.
#[tokio::test]
async fn i33_an_answer_with_the_name_of_before_teaches_no_other_form() {
    let mut world = World::start(&["answers_before"], policy()).await;
    people(&world, &ALL);
    team(&world, "Team", &ALL);
    world.pass(5 * MINUTE).await;
    for declared in ["Crew", "Gang", "Band"] {
        world.requests().await;
        team(&world, declared, &ALL);
        world.pass(5 * MINUTE).await;
        assert_eq!((name(&world).await.as_str(), patched(&world).await), (declared, 1), "{}", ready(&world));
        assert!(ready(&world).starts_with("True Synced"), "{declared}: {}", ready(&world));
        assert_eq!(world.learned(), Vec::<String>::new(), "{declared}");
    }
}

/// Some of its letters, or the same in another case: that is somebody else's name for it.
#[tokio::test]
async fn i09_a_name_that_others_gave_in_other_letters_is_put_back() {
    let mut world = World::start(&[], policy()).await;
    people(&world, &ALL);
    team(&world, "Admins EU", &ALL);
    world.pass(5 * MINUTE).await;
    for renamed in [false, true] {
        for by_others in ["admins", "ADMINS EU", "A", "Admins-EU"] {
            by_hand(&world, json!({"op": "replace", "path": "displayName", "value": by_others})).await;
            world.pass(90 * MINUTE).await;
            let declared = if renamed { "Admins US" } else { "Admins EU" };
            assert_eq!(name(&world).await, declared, "{by_others}: {}", ready(&world));
        }
        team(&world, "Admins US", &ALL);
        world.pass(5 * MINUTE).await;
    }
}

/// Found in the server's form, or declared in other letters: one request, and that is how it is kept.
#[tokio::test]
async fn i05_a_name_that_stays_in_the_servers_form_is_tried_once() {
    for quirks in [vec!["lowers_group_names"], vec!["lowers_group_names", "empty_changes"]] {
        let mut world = World::start(&quirks, policy()).await;
        people(&world, &ALL);
        team(&world, "Team One", &ALL);
        world.pass(5 * MINUTE).await;
        world.restart();
        world.requests().await;
        team(&world, "TEAM ONE", &ALL);
        world.pass(10 * MINUTE).await;
        assert!(ready(&world).starts_with("True Synced"), "{quirks:?}: {}", ready(&world));
        assert_eq!((world.learned(), patched(&world).await), (Vec::new(), 1), "{quirks:?}");
    }
}

/// Learnt of a server that has changed since.
#[tokio::test]
async fn i33_a_form_that_is_refused_by_now_is_given_up() {
    let mut world = World::start(&["pathless_group_renames"], policy()).await;
    people(&world, &ALL);
    team(&world, "Team", &ALL);
    world.pass(5 * MINUTE).await;
    team(&world, "Crew", &ALL);
    world.pass(5 * MINUTE).await;
    assert_eq!(world.learned(), ["groupPaths: None"], "{}", ready(&world));
    let fault = json!({
        "match": {"method": "PATCH", "path_prefix": "/Groups", "body_contains": "\"value\":{\"displayName\""},
        "fault": {"kind": "status", "code": 400, "body": "{\"detail\": \"a path is missing\"}"},
    });
    world.admin("DELETE", "/quirks", None).await;
    world.admin("POST", "/faults", Some(json!([fault]))).await;
    world.restart();
    world.pass(3 * MINUTE).await;
    team(&world, "Gang", &ALL);
    world.pass(5 * MINUTE).await;
    assert_eq!((name(&world).await.as_str(), world.learned()), ("Gang", Vec::new()), "{}", ready(&world));
}

/// A person says that members aren't shown; where they are all the same, nobody's access stays for it.
#[tokio::test]
async fn i18_whoever_is_dropped_goes_from_a_group_that_is_replaced_by_record() {
    let dialect = json!({"membersReadable": "No", "writeGroups": "Put"});
    let mut policy = policy();
    policy["dialect"] = dialect;
    let mut world = World::start(&["no_patch"], policy).await;
    people(&world, &ALL);
    team(&world, "Team", &ALL);
    world.pass(5 * MINUTE).await;
    assert_eq!(members(&world, &ALL).await, ALL, "{}", ready(&world));
    team(&world, "Crew", &["ada"]);
    world.pass(5 * MINUTE).await;
    assert_eq!(
        (members(&world, &ALL).await, name(&world).await.as_str()),
        (vec!["ada".to_owned()], "Crew"),
        "{}",
        ready(&world)
    );
}

/// The next read of one account shows what was before the last change.
async fn lags_once(world: &World) {
    let matching = json!({"method": "GET", "path_prefix": "/Users/", "count": 1});
    let fault = json!({"kind": "stale_read", "ms": 1_000_000_000});
    world.admin("POST", "/faults", Some(json!([{"match": matching, "fault": fault}]))).await;
}

fn ada(world: &World, active: bool, title: &str, phone: &str) {
    world.user(
        "ada",
        json!({
            "userName": "ada@example.com", "active": active, "title": title,
            "phoneNumbers": [{"value": phone, "type": "work"}],
        }),
    );
}

/// What was tried otherwise was never sent, for a second read showed that nothing was amiss.
#[tokio::test]
async fn i33_an_account_that_is_shown_later_teaches_no_other_form() {
    for (active, title, phone) in [(true, "Countess", "1"), (true, "Cook", "2"), (false, "Cook", "1")] {
        let mut world = World::start(&["empty_changes"], policy()).await;
        ada(&world, true, "Cook", "1");
        world.pass(5 * MINUTE).await;
        lags_once(&world).await;
        ada(&world, active, title, phone);
        world.pass(5 * MINUTE).await;
        let told = world.get("ada").and_then(|user| user.status).unwrap_or_default();
        assert_eq!(world.learned(), Vec::<String>::new(), "{active} {title} {phone}: {told:?}");
        assert_eq!((told.ignored_attributes, told.active), (None, Some(active)), "{title} {phone}");
        let puts = world.admin("GET", "/stats", None).await["requests"]["PUT"].clone();
        assert_eq!(puts, Value::Null, "{active} {title} {phone}");
    }
}

#[tokio::test]
async fn i33_a_deactivation_before_a_deletion_that_is_shown_later_teaches_no_other_form() {
    let mut policy = policy();
    policy["deletionPolicy"] = json!({"users": "Delete"});
    let mut world = World::start(&["empty_changes", "no_deletes"], policy).await;
    ada(&world, true, "Cook", "1");
    world.pass(5 * MINUTE).await;
    lags_once(&world).await;
    world.delete("ada");
    world.pass(5 * MINUTE).await;
    assert_eq!(world.learned(), Vec::<String>::new());
    let puts = world.admin("GET", "/stats", None).await["requests"]["PUT"].clone();
    let accounts = world.accounts("ada@example.com").await;
    assert_eq!((puts, &accounts[0]["active"]), (Value::Null, &json!(false)));
}
