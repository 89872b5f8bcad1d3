//! Lists that fail, and what goes on beside them.

use std::time::Duration;

use serde_json::{Value, json};

use super::groups::{id, members as members_of, ready};
use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);

/// More than are read singly before a list was tried.
const MEMBERS: usize = 27;

async fn members(world: &World) -> usize {
    let groups = world.admin("GET", "/groups", None).await;
    let team = groups.as_array().into_iter().flatten().find(|group| group["displayName"] == json!("Team"));
    team.and_then(|team| team["members"].as_array()).map_or(0, Vec::len)
}

/// The list fails at its second page for good, and patterns protect somebody: whoever is to leave is looked at singly.
#[tokio::test]
async fn i17_members_leave_beside_a_list_that_fails() {
    let guards = json!({
        "protected": ["boss*"],
        "memberships": {"maxPercent": 100, "minCount": 100, "maxCount": 100, "window": "1h"},
    });
    let mut world = World::start(&["second_page_500"], json!({"guards": guards, "dialect": {"pageSize": 5}})).await;
    let mut all = Vec::new();
    for number in 0..MEMBERS {
        let name = format!("user-{number:02}");
        world.user(&name, json!({"userName": format!("{name}@example.com"), "active": true}));
        all.push(json!({"userRef": {"name": name}}));
    }
    let team = |members: Value| json!({"displayName": "Team", "membership": "Exact", "members": members});
    world.group("team", team(json!(all)));
    world.pass(10 * MINUTE).await;
    assert_eq!(members(&world).await, MEMBERS);
    world.restart();
    world.pass(2 * MINUTE).await;
    world.group("team", team(json!([])));
    world.pass(10 * MINUTE).await;
    assert_eq!(members(&world).await, 0);
}

/// Each try is preceded by a look at the whole list, which resumes the object's wait and says nothing of its creation.
#[tokio::test]
async fn i04_a_creation_that_fails_is_tried_less_and_less_often_where_only_the_list_finds_anybody() {
    let mut world = World::start(&["breaks", "ignores_filters"], json!({})).await;
    world.user("ada", json!({"userName": "ada@example.com", "active": true, "title": "broken"}));
    world.pass(60 * MINUTE).await;
    let stats = world.admin("GET", "/stats", None).await;
    let posts = stats["requests"]["POST"]["Users"].as_object().into_iter().flat_map(|counts| counts.values());
    let posts: u64 = posts.filter_map(Value::as_u64).sum();
    assert!((5..25).contains(&posts), "{posts} creations were tried within an hour");
}

fn told(world: &World, name: &str) -> String {
    let conditions = world.get(name).and_then(|user| user.status?.conditions).unwrap_or_default();
    let ready = conditions.iter().find(|known| known.type_ == "Ready");
    ready.map(|known| format!("{} {}: {}", known.status, known.reason, known.message)).unwrap_or_default()
}

async fn asked(world: &World, method: &str, collection: &str) -> u64 {
    let stats = world.admin("GET", "/stats", None).await;
    let counts = stats["requests"][method][collection].as_object().cloned().unwrap_or_default();
    counts.values().filter_map(Value::as_u64).sum()
}

/// The server shows the first hundred wherever a page is to begin, and says that these are all.
#[tokio::test]
async fn i11_whoever_stands_beyond_the_only_page_is_not_absent() {
    let policy = json!({"adoptionPolicy": {"users": "Adopt"}});
    let mut world = World::start(&["one_page", "ignores_filters"], policy).await;
    world.admin("POST", "/seed", Some(json!({"users": 130}))).await;
    world.user("last", json!({"userName": "seed-00129@example.com", "active": true}));
    world.user("ada", json!({"userName": "ada@example.com", "active": true}));
    world.pass(5 * MINUTE).await;
    let last = world.accounts("seed-00129@example.com").await;
    let bound = world.get("last").and_then(|user| user.status?.id);
    assert_eq!((last.len(), bound.as_deref()), (1, last[0]["id"].as_str()), "{}", told(&world, "last"));
    assert!(told(&world, "ada").starts_with("True Synced"), "{}", told(&world, "ada"));
    assert_eq!(asked(&world, "POST", "Users").await, 1, "nobody else was to be made");
}

/// A list that goes no further than a page, with 400 or with 500: whoever stands beyond is looked at singly, groups are
/// swept, and the list isn't begun again and again.
#[tokio::test]
async fn i11_a_list_that_breaks_off_for_good_is_taken_for_what_it_shows() {
    for code in [400, 500] {
        let policy = json!({"driftPolicy": {"attributes": "Repair"}, "dialect": {"pageSize": 5}});
        let mut world = World::start(&[], policy).await;
        world.admin("POST", "/seed", Some(json!({"users": 150}))).await;
        let break_off = json!([{"match": {"path_prefix": "/Users", "query_contains": "startIndex=6&"}, "fault": {"kind": "status", "code": code}}]);
        world.admin("POST", "/faults", Some(break_off)).await;
        for number in 0..8 {
            let name = format!("user-{number}");
            let spec = json!({"userName": format!("{name}@example.com"), "active": true, "title": "Cook"});
            world.user(&name, spec);
        }
        let members = json!([{"userRef": {"name": "user-0"}}]);
        world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": members}));
        world.pass(40 * MINUTE).await;
        world.requests().await;
        for number in 0..8 {
            let path = format!("/users/user-{number}@example.com/change");
            world.admin("POST", &path, Some(json!({"title": "Nobody"}))).await;
        }
        world.admin("DELETE", "/stats", None).await;
        world.pass(5 * MINUTE).await;
        for number in 0..8 {
            let accounts = world.accounts(&format!("user-{number}@example.com")).await;
            assert_eq!(accounts[0]["resource"]["title"], "Cook", "{code}: user-{number}");
        }
        // Two pages each minute, a read of whoever stands beyond, and what repairs take.
        let lists = asked(&world, "GET", "Users").await;
        assert!(lists < 120, "{code}: {lists} requests");
        let groups = asked(&world, "GET", "Groups").await;
        assert!(groups >= 4, "{code}: groups were asked for {groups} times");
        let conditions = world.connection().status.and_then(|status| status.conditions).unwrap_or_default();
        assert!(conditions.iter().any(|known| known.type_ == "Connected" && known.status == "True"));
        let gap = world.effects.look().events.iter().any(|(_, note)| note.contains("goes no further than 5"));
        assert!(gap, "{code}: it is told");
    }
}

/// Where nobody is listed without a filter, somebody may be gone all the same.
#[tokio::test]
async fn i12_whoever_is_gone_is_gone_where_nobody_is_listed() {
    for more in [None, Some("errors_as_message"), Some("finds_404")] {
        let quirks: Vec<&str> = ["needs_filter"].into_iter().chain(more).collect();
        let mut world = World::start(&quirks, json!({"deletionPolicy": {"users": "Delete"}})).await;
        for name in ["ada", "bea"] {
            world.user(name, json!({"userName": format!("{name}@example.com"), "active": true}));
        }
        world.pass(3 * MINUTE).await;
        for name in ["ada", "bea"] {
            world.admin("DELETE", &format!("/users/{name}@example.com"), None).await;
        }
        world.delete("bea");
        world.pass(5 * MINUTE).await;
        assert!(told(&world, "ada").starts_with("False DeletedAtServer"), "{quirks:?}: {}", told(&world, "ada"));
        assert!(world.get("bea").is_none(), "{quirks:?}: {}", told(&world, "bea"));
    }
}

/// There are servers that don't say 404 of an id that they don't know.
#[tokio::test]
async fn i12_whoever_no_list_shows_is_gone_whatever_a_read_is_answered() {
    for code in [400, 410, 422, 500] {
        let mut world = World::start(&[], json!({"deletionPolicy": {"users": "Delete"}})).await;
        for name in ["ada", "bea", "cyd"] {
            world.user(name, json!({"userName": format!("{name}@example.com"), "active": true}));
        }
        world.pass(3 * MINUTE).await;
        let mut rules = Vec::new();
        for name in ["ada", "bea"] {
            let id = world.get(name).and_then(|user| user.status?.id).unwrap_or_default();
            let path = format!("/Users/{id}");
            rules.push(json!({"match": {"path_prefix": path}, "fault": {"kind": "status", "code": code}}));
            world.admin("DELETE", &format!("/users/{name}@example.com"), None).await;
        }
        world.admin("POST", "/faults", Some(json!(rules))).await;
        world.delete("bea");
        world.pass(40 * MINUTE).await;
        assert!(told(&world, "ada").starts_with("False DeletedAtServer"), "{code}: {}", told(&world, "ada"));
        assert!(world.get("bea").is_none(), "{code}: {}", told(&world, "bea"));
        assert!(told(&world, "cyd").starts_with("True Synced"), "{code}");
    }
}

/// The server itself is ill, and the list shows them still: nobody is gone.
#[tokio::test]
async fn i12_whoever_a_list_shows_is_not_gone_for_an_error() {
    let mut world = World::start(&[], json!({})).await;
    world.user("ada", json!({"userName": "ada@example.com", "active": true}));
    world.pass(3 * MINUTE).await;
    let id = world.get("ada").and_then(|user| user.status?.id).unwrap_or_default();
    let ill = json!([{"match": {"path_prefix": format!("/Users/{id}")}, "fault": {"kind": "status", "code": 400}}]);
    world.admin("POST", "/faults", Some(ill)).await;
    world.restart();
    world.user("ada", json!({"userName": "ada@example.com", "active": true, "title": "Countess"}));
    world.pass(10 * MINUTE).await;
    assert!(told(&world, "ada").starts_with("False Rejected"), "{}", told(&world, "ada"));
    assert_eq!(world.accounts("ada@example.com").await.len(), 1);
}

/// It pages by cursor, whatever it is asked for, and doesn't say so of itself.
#[tokio::test]
async fn i11_a_list_that_goes_on_by_its_cursor_alone_is_followed() {
    let policy = json!({"dialect": {"pageSize": 2}, "adoptionPolicy": {"users": "Adopt"}});
    let mut world = World::start(&["cursors_only"], policy).await;
    for name in ["ada", "bea", "cyd", "dan", "eve"] {
        world.user(name, json!({"userName": format!("{name}@example.com"), "active": true}));
    }
    world.pass(5 * MINUTE).await;
    let complete = world.connection().status.and_then(|status| status.sweep?.complete);
    assert_eq!(complete, Some(true));
    let told = world.effects.look().events.iter().map(|(_, note)| note.clone()).collect::<Vec<_>>().join("; ");
    assert!(!told.contains("the key may not"), "{told}");
}

fn team_told(world: &World) -> String {
    let conditions = world.get_group("team").and_then(|group| group.status?.conditions).unwrap_or_default();
    let ready = conditions.iter().find(|known| known.type_ == "Ready");
    ready.map(|known| format!("{} {}: {}", known.status, known.reason, known.message)).unwrap_or_default()
}

/// Where the list of groups fails for good, a search tells that the collection is there.
#[tokio::test]
async fn i12_a_group_that_is_gone_is_gone_where_the_list_of_groups_fails() {
    for code in [500, 403] {
        let mut world = World::start(&[], json!({"deletionPolicy": {"groups": "Delete"}})).await;
        let fails = json!([{
            "match": {"method": "GET", "path_prefix": "/Groups", "query_contains": "excludedAttributes"},
            "fault": {"kind": "status", "code": code},
        }]);
        world.admin("POST", "/faults", Some(fails)).await;
        world.user("ada", json!({"userName": "ada@example.com", "active": true}));
        let members = json!([{"userRef": {"name": "ada"}}]);
        world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": members}));
        world.pass(5 * MINUTE).await;
        assert!(team_told(&world).starts_with("True"), "{code}: {}", team_told(&world));
        let id = world.get_group("team").and_then(|group| group.status?.id).expect("bound");
        assert_eq!(world.by_hand("DELETE", &format!("/Groups/{id}"), json!({})).await, 204);
        let bea = json!([{"userRef": {"name": "ada"}}, {"id": "nobody"}]);
        world.group("team", json!({"displayName": "Crew", "membership": "Exact", "members": bea}));
        world.pass(10 * MINUTE).await;
        assert!(team_told(&world).starts_with("False DeletedAtServer"), "{code}: {}", team_told(&world));
        world.delete("team");
        world.pass(10 * MINUTE).await;
        assert!(world.get_group("team").is_none(), "{code}: {}", team_told(&world));
    }
}

/// A list that went through before and fails now is in trouble: nothing is concluded of it.
#[tokio::test]
async fn i12_nothing_is_gone_while_a_list_fails_that_went_through() {
    let policy = json!({"deletionPolicy": {"groups": "Delete"}, "driftPolicy": {"deleted": "Repair"}});
    let mut world = World::start(&[], policy).await;
    world.user("ada", json!({"userName": "ada@example.com", "active": true}));
    world.group(
        "team",
        json!({"displayName": "Team", "membership": "Exact", "members": [{"userRef": {"name": "ada"}}]}),
    );
    world.pass(5 * MINUTE).await;
    let fails = json!([
        {"match": {"method": "GET", "path_prefix": "/Groups/"}, "fault": {"kind": "status", "code": 404}},
        {"match": {"method": "GET", "query_contains": "excludedAttributes"}, "fault": {"kind": "status", "code": 500}},
    ]);
    world.admin("POST", "/faults", Some(fails)).await;
    world.group("team", json!({"displayName": "Crew", "membership": "Exact", "members": []}));
    world.pass(10 * MINUTE).await;
    world.admin("DELETE", "/faults", None).await;
    world.pass(90 * MINUTE).await;
    let groups = world.admin("GET", "/groups", None).await;
    let names: Vec<&Value> = groups.as_array().into_iter().flatten().map(|group| &group["displayName"]).collect();
    assert_eq!(names, ["Crew"], "{}", team_told(&world));
}

/// As frameworks do that know no empty page.
#[tokio::test]
async fn i11_a_list_that_is_refused_beyond_its_end_is_complete() {
    for (quirks, size, users) in [
        (vec!["ends_404"], 100, 3),
        (vec!["ends_404", "ignores_filters"], 100, 3),
        (vec!["ends_404", "ignores_filters"], 5, 13),
        (vec!["ends_404", "finds_404"], 5, 13),
    ] {
        let policy = json!({"dialect": {"pageSize": size}, "adoptionPolicy": {"users": "Adopt"}});
        let mut world = World::start(&quirks, policy).await;
        world.admin("POST", "/seed", Some(json!({"users": users}))).await;
        world.user("ada", json!({"userName": "ada@example.com", "active": true}));
        world.user("last", json!({"userName": format!("seed-{:05}@example.com", users - 1), "active": true}));
        let members = json!([{"userRef": {"name": "ada"}}]);
        world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": members}));
        world.pass(5 * MINUTE).await;
        for name in ["ada", "last"] {
            assert!(told(&world, name).starts_with("True Synced"), "{quirks:?} {size}: {}", told(&world, name));
        }
        assert!(team_told(&world).starts_with("True Synced"), "{quirks:?} {size}: {}", team_told(&world));
        let gaps = world.effects.look().events.iter().filter(|(_, note)| note.contains("goes no further")).count();
        assert_eq!(gaps, 0, "{quirks:?} {size}");
    }
}

/// What stands before a server refuses filters, with a page for people.
#[tokio::test]
async fn i33_whom_a_firewall_lets_nobody_search_for_is_looked_for_in_the_list() {
    for (path, filter) in [("/Users", "externalId"), ("/Groups", "displayName")] {
        let mut world = World::start(&[], json!({"adoptionPolicy": {"users": "Adopt", "groups": "Adopt"}})).await;
        let body = json!({"userName": "ada@example.com", "externalId": "e-1", "active": true});
        let there = world.admin("POST", "/users", Some(body)).await;
        let matching = json!({"method": "GET", "path_prefix": path, "query_contains": filter});
        let fault = json!({"kind": "status", "code": 403, "body": "<html><h1>Request blocked</h1></html>"});
        world.admin("POST", "/faults", Some(json!([{"match": matching, "fault": fault}]))).await;
        for (name, external_id) in [("ada", "e-1"), ("bea", "e-2")] {
            let user_name = format!("{name}@example.com");
            world.user(name, json!({"userName": user_name, "externalId": external_id, "active": true}));
        }
        let members = json!([{"userRef": {"name": "ada"}}, {"userRef": {"name": "bea"}}]);
        world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": members}));
        world.pass(10 * MINUTE).await;
        assert_eq!(id(&world, "ada"), there["id"].as_str().unwrap_or_default(), "{filter}");
        assert_eq!(members_of(&world, &["ada", "bea"]).await, ["ada", "bea"], "{filter}: {}", ready(&world));
    }
}

/// It counts from 0, so that the first of what it finds is never on the page that begins with 1.
#[tokio::test]
async fn i07_whom_a_server_counts_and_does_not_show_is_searched_for_without_pages() {
    let mut world = World::start(&["counts_from_0"], json!({"adoptionPolicy": {"users": "Adopt"}})).await;
    let body = json!({"userName": "ada@example.com", "active": true});
    let there = world.admin("POST", "/users", Some(body)).await;
    for name in ["ada", "bea"] {
        world.user(name, json!({"userName": format!("{name}@example.com"), "active": true}));
    }
    world.pass(10 * MINUTE).await;
    assert_eq!(id(&world, "ada"), there["id"].as_str().unwrap_or_default());
    assert!(!id(&world, "bea").is_empty());
    for name in ["ada", "bea"] {
        assert_eq!(world.accounts(&format!("{name}@example.com")).await.len(), 1, "{name}");
    }
}
