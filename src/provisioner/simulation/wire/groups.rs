//! Groups at servers that show or take them in ways of their own: stories of single quirks.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);

fn policy() -> Value {
    json!({
        "adoptionPolicy": {"groups": "Adopt"}, "driftPolicy": {"attributes": "Repair"},
        "deletionPolicy": {"users": "Delete", "groups": "Delete"},
    })
}

pub(super) fn people(world: &World, names: &[&str]) {
    for name in names {
        world.user(name, json!({"userName": format!("{name}@example.com"), "active": true}));
    }
}

fn team(world: &World, people: &[&str]) {
    let members: Vec<Value> = people.iter().map(|name| json!({"userRef": {"name": name}})).collect();
    world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": members}));
}

pub(super) fn ready(world: &World) -> String {
    let conditions = world.get_group("team").and_then(|group| group.status?.conditions).unwrap_or_default();
    let ready = conditions.iter().find(|known| known.type_ == "Ready");
    ready.map(|known| format!("{} {}: {}", known.status, known.reason, known.message)).unwrap_or_default()
}

pub(super) fn id(world: &World, name: &str) -> String {
    world.get(name).and_then(|user| user.status?.id).unwrap_or_default()
}

/// Who is in, by the names of the objects.
pub(super) async fn members(world: &World, names: &[&str]) -> Vec<String> {
    let groups = world.admin("GET", "/groups", None).await;
    let here = |id: &str| {
        let list = groups.as_array().into_iter().flatten().filter_map(|group| group["members"].as_array()).flatten();
        list.filter(|member| member["value"] == json!(id)).count() > 0
    };
    names.iter().filter(|name| here(&id(world, name))).map(|name| (*name).to_owned()).collect()
}

pub(super) async fn writes(world: &World) -> u64 {
    world.admin("GET", "/stats", None).await["writes"].as_u64().unwrap_or_default()
}

impl World {
    /// A write by somebody else, as the client sends it; returns the status.
    pub async fn by_hand(&self, method: &str, path: &str, body: Value) -> u16 {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        let request = request.header("content-type", "application/scim+json").body(body.to_string());
        request.send().await.expect("an answer").status().as_u16()
    }
}

/// A request by somebody else.
async fn by_hand(world: &World, operation: Value) {
    let id = world.get_group("team").and_then(|group| group.status?.id).unwrap_or_default();
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]});
    let status = world.by_hand("PATCH", &format!("/Groups/{id}"), body).await;
    assert!(status < 300, "{status}");
}

#[tokio::test]
async fn i18_whoever_is_dropped_goes_where_members_are_shown_on_request_alone() {
    let mut world = World::start(&["members_on_request"], policy()).await;
    people(&world, &["ada", "bea", "cyd"]);
    world.pass(3 * MINUTE).await;
    // A group that is there already, with somebody whom nobody declares a member.
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Team",
        "members": [{"value": id(&world, "cyd")}],
    });
    assert!(world.by_hand("POST", "/Groups", body).await < 300);
    team(&world, &["ada", "bea"]);
    world.pass(5 * MINUTE).await;
    assert_eq!(members(&world, &["ada", "bea", "cyd"]).await, ["ada", "bea"], "{}", ready(&world));
    assert_eq!(world.learned(), ["membersReadable: OnRequest"]);
    // Dropped while no operator was there to see it.
    team(&world, &["bea"]);
    world.restart();
    world.pass(3 * MINUTE).await;
    assert_eq!(members(&world, &["ada", "bea", "cyd"]).await, ["bea"], "{}", ready(&world));
    world.requests().await;
    world.pass(3 * MINUTE).await;
    assert_eq!(writes(&world).await, 0, "at rest");
}

#[tokio::test]
async fn i09_members_changed_by_others_are_found_where_no_group_shows_when_it_changed() {
    let mut world = World::start(&["groups_never_modified"], policy()).await;
    people(&world, &["ada", "bea", "cyd"]);
    team(&world, &["ada", "bea"]);
    world.pass(5 * MINUTE).await;
    assert_eq!(members(&world, &["ada", "bea", "cyd"]).await, ["ada", "bea"], "{}", ready(&world));
    let ada = id(&world, "ada");
    by_hand(&world, json!({"op": "remove", "path": format!("members[value eq \"{ada}\"]")})).await;
    by_hand(&world, json!({"op": "add", "path": "members", "value": [{"value": id(&world, "cyd")}]})).await;
    world.pass(5 * MINUTE).await;
    assert_eq!(members(&world, &["ada", "bea", "cyd"]).await, ["ada", "bea"], "{}", ready(&world));
}

#[tokio::test]
async fn i09_what_others_change_is_put_back_while_something_else_is_refused() {
    let mut world = World::start(&["refuses_phones", "unknown_member"], policy()).await;
    people(&world, &["bea", "cyd"]);
    let phone = json!([{"value": "1", "type": "work"}]);
    world.user(
        "ada",
        json!({"userName": "ada@example.com", "active": true, "title": "Countess", "phoneNumbers": phone}),
    );
    let members_of =
        [json!({"userRef": {"name": "ada"}}), json!({"userRef": {"name": "bea"}}), json!({"id": "nobody"})];
    world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": members_of}));
    world.pass(5 * MINUTE).await;
    let refused = world.get("ada").and_then(|user| user.status?.ignored_attributes).unwrap_or_default();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(ready(&world).starts_with("False Rejected"), "{}", ready(&world));
    world.admin("POST", "/users/ada@example.com/change", Some(json!({"title": "Nobody"}))).await;
    by_hand(&world, json!({"op": "add", "path": "members", "value": [{"value": id(&world, "cyd")}]})).await;
    world.pass(5 * MINUTE).await;
    let shown = world.accounts("ada@example.com").await;
    assert_eq!(shown[0]["resource"]["title"], "Countess");
    assert_eq!(members(&world, &["ada", "bea", "cyd"]).await, ["ada", "bea"], "{}", ready(&world));
    // What is refused isn't sent by each sweep all the same.
    world.requests().await;
    world.pass(10 * MINUTE).await;
    assert_eq!(writes(&world).await, 0);
    let posted = world.admin("GET", "/stats", None).await["requests"]["PATCH"].clone();
    assert_eq!(posted, Value::Null);
}

#[tokio::test]
async fn i33_a_group_that_must_not_be_empty_is_made_with_its_members() {
    let mut world = World::start(&["no_empty_groups"], policy()).await;
    team(&world, &["ada", "bea"]);
    world.pass(3 * MINUTE).await;
    assert!(ready(&world).starts_with("False Pending"), "{}", ready(&world));
    people(&world, &["ada", "bea"]);
    world.pass(3 * MINUTE).await;
    assert_eq!(members(&world, &["ada", "bea"]).await, ["ada", "bea"], "{}", ready(&world));
    assert!(ready(&world).starts_with("True Synced"), "{}", ready(&world));
    // One goes, and the last one can't.
    team(&world, &["bea"]);
    world.pass(3 * MINUTE).await;
    assert_eq!(members(&world, &["ada", "bea"]).await, ["bea"], "{}", ready(&world));
    team(&world, &[]);
    world.pass(3 * MINUTE).await;
    assert!(ready(&world).starts_with("False Rejected"), "{}", ready(&world));
    let groups = world.admin("GET", "/groups", None).await;
    assert_eq!(groups.as_array().map(Vec::len), Some(1), "{groups}");
}

#[tokio::test]
async fn i33_members_that_a_server_takes_with_their_reference_alone_are_sent_so() {
    for quirks in [vec!["needs_member_refs"], vec!["needs_member_refs", "no_empty_groups", "members_by_name"]] {
        let mut world = World::start(&quirks, policy()).await;
        people(&world, &["ada", "bea"]);
        team(&world, &["ada", "bea"]);
        world.pass(5 * MINUTE).await;
        assert_eq!(members(&world, &["ada", "bea"]).await, ["ada", "bea"], "{}", ready(&world));
        assert_eq!(world.learned(), ["memberRefs: true"]);
        team(&world, &["bea"]);
        world.pass(5 * MINUTE).await;
        assert_eq!(members(&world, &["ada", "bea"]).await, ["bea"], "{}", ready(&world));
        assert!(ready(&world).starts_with("True Synced"), "{}", ready(&world));
    }
}

#[tokio::test]
async fn i06_members_that_are_named_by_user_name_are_the_accounts_of_that_name() {
    let mut world = World::start(&["members_by_name"], policy()).await;
    people(&world, &["ada", "bea", "cyd"]);
    team(&world, &["ada", "bea"]);
    world.pass(5 * MINUTE).await;
    assert_eq!(members(&world, &["ada", "bea", "cyd"]).await, ["ada", "bea"], "{}", ready(&world));
    assert!(ready(&world).starts_with("True Synced"), "{}", ready(&world));
    world.restart();
    world.requests().await;
    world.pass(5 * MINUTE).await;
    assert_eq!(writes(&world).await, 0, "at rest");
    team(&world, &["bea"]);
    world.pass(5 * MINUTE).await;
    assert_eq!(members(&world, &["ada", "bea", "cyd"]).await, ["bea"], "{}", ready(&world));
    assert!(ready(&world).starts_with("True Synced"), "{}", ready(&world));
}

/// Neither a list nor a search tells whose the names are: of those who are declared by their ids each is read.
#[tokio::test]
async fn i33_members_declared_by_id_stay_in_where_they_are_named_by_user_name_and_nobody_is_listed() {
    let mut world = World::start(&["members_by_name", "needs_filter", "filters_find_nobody"], policy()).await;
    people(&world, &["ada"]);
    let made = world.admin("POST", "/users", Some(json!({"userName": "zoe@example.com"}))).await;
    let zoe = made["id"].as_str().expect("an id").to_owned();
    // Nobody declares it, and nothing tells that it is none of those who are.
    let stranger = world.admin("POST", "/users", Some(json!({"userName": "joe@example.com"}))).await["id"].clone();
    let declared = json!([{"userRef": {"name": "ada"}}, {"id": zoe}, {"userRef": {"name": "bea"}}]);
    people(&world, &["bea"]);
    world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": declared}));
    world.pass(5 * MINUTE).await;
    assert!(ready(&world).starts_with("True Synced"), "{}", ready(&world));
    by_hand(&world, json!({"op": "add", "path": "members", "value": [{"value": stranger}]})).await;
    world.restart();
    world.pass(10 * MINUTE).await;
    let groups = world.admin("GET", "/groups", None).await.to_string();
    assert!(groups.contains(&zoe), "{groups}");
    assert!(ready(&world).starts_with("True"), "{}", ready(&world));
}

/// A whole group is sent a few members at a time, each time on top of those who are in by then.
#[tokio::test]
async fn i18_nobody_is_left_out_of_a_group_that_is_replaced_and_shows_members_on_request_alone() {
    let mut world = World::start(&["no_patch", "members_on_request", "few_operations"], policy()).await;
    people(&world, &["ada", "bea", "cyd", "dan", "eve"]);
    team(&world, &["ada", "bea", "cyd", "dan", "eve"]);
    world.pass(10 * MINUTE).await;
    let all = ["ada", "bea", "cyd", "dan", "eve"];
    assert_eq!(members(&world, &all).await, all, "{}", ready(&world));
    assert!(ready(&world).starts_with("True Synced"), "{}", ready(&world));
}

/// What neither the answer nor a group shows isn't believed to be done.
#[tokio::test]
async fn i33_members_that_a_server_takes_and_does_not_keep_are_named() {
    let mut world = World::start(&["no_patch", "put_keeps_members"], policy()).await;
    people(&world, &["ada", "bea"]);
    team(&world, &["ada", "bea"]);
    world.pass(5 * MINUTE).await;
    assert!(ready(&world).starts_with("True NotPersisted: 0 of 2"), "{}", ready(&world));
}

#[tokio::test]
async fn i33_what_a_server_repeats_and_does_not_keep_is_learnt_all_the_same() {
    let mut world = World::start(&["drops_names", "echoes_creations"], policy()).await;
    for name in ["ada", "bea", "cyd"] {
        world.user(name, json!({"userName": format!("{name}@example.com"), "active": true, "displayName": name}));
    }
    world.pass(5 * MINUTE).await;
    assert_eq!(world.learned(), ["notKept: displayName"]);
}

#[tokio::test]
async fn i22_a_group_of_the_name_in_other_letters_is_named_with_the_way_to_it() {
    for quirks in [vec!["unique_group_names"], vec!["unique_group_names", "group_list_500"]] {
        let mut world = World::start(&quirks, policy()).await;
        let body =
            json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "tEAM", "members": []});
        assert!(world.by_hand("POST", "/Groups", body).await < 300);
        let groups = world.admin("GET", "/groups", None).await;
        let there = groups[0]["id"].as_str().expect("an id").to_owned();
        people(&world, &["ada"]);
        team(&world, &["ada"]);
        world.pass(5 * MINUTE).await;
        let told = ready(&world);
        assert!(told.starts_with("False Conflict") && told.contains("\"tEAM\"") && told.contains(&there), "{told}");
        assert!(told.contains("scim-operator.dev/remote-id"), "{told}");
        world.group(
            "team",
            json!({"displayName": "tEAM", "membership": "Exact", "members": [{"userRef": {"name": "ada"}}]}),
        );
        world.pass(5 * MINUTE).await;
        assert_eq!(members(&world, &["ada"]).await, ["ada"], "{}", ready(&world));
        assert!(ready(&world).starts_with("True"), "{}", ready(&world));
    }
}

/// The server takes whoever is inactive out of their groups, or doesn't let them in: nobody needs to do anything about it.
#[tokio::test]
async fn i18_who_is_inactive_and_out_of_a_group_is_put_in_again_with_the_account() {
    for quirks in [
        vec!["deactivation_leaves_groups"],
        vec!["deactivation_leaves_groups", "refuses_inactive_members"],
        vec!["deactivation_leaves_groups", "refuses_inactive_members", "no_patch"],
        vec!["deactivation_leaves_groups", "refuses_inactive_members", "hides_members"],
    ] {
        // Where nobody is shown, it may be found out only once the account is active, and is left so by Report.
        let hidden = quirks.contains(&"hides_members");
        let ways = [(true, false), (false, false), (true, true)];
        for (repair, by_id) in ways.into_iter().filter(|(repair, by_id)| !hidden || *repair && !by_id) {
            let mut policy = policy();
            policy["driftPolicy"] = json!({"attributes": if repair { "Repair" } else { "Report" }});
            let mut world = World::start(&quirks, policy).await;
            let all = ["ada", "bea", "cyd"];
            people(&world, &all);
            team(&world, &all);
            world.pass(5 * MINUTE).await;
            assert_eq!(members(&world, &all).await, all, "{quirks:?} {repair}: {}", ready(&world));
            if by_id {
                let ids: Vec<Value> = all.iter().map(|name| json!({"id": id(&world, name)})).collect();
                world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": ids}));
                world.pass(5 * MINUTE).await;
            }
            world.user("ada", json!({"userName": "ada@example.com", "active": false}));
            world.pass(5 * MINUTE).await;
            assert!(ready(&world).starts_with("True Synced"), "{quirks:?} {repair}: {}", ready(&world));
            if !hidden {
                assert!(ready(&world).contains("1 is inactive"), "{quirks:?} {repair}: {}", ready(&world));
            }
            let drifted = |(reason, _): &(String, String)| reason == "Drifted";
            assert!(!world.effects.look().events.iter().any(drifted), "{quirks:?} {repair}");
            world.requests().await;
            world.pass(90 * MINUTE).await;
            assert_eq!(writes(&world).await, 0, "{quirks:?} {repair}: at rest");
            // Another process finds it so, too.
            world.restart();
            world.pass(5 * MINUTE).await;
            assert!(ready(&world).starts_with("True Synced"), "{quirks:?} {repair}: {}", ready(&world));
            world.user("ada", json!({"userName": "ada@example.com", "active": true}));
            world.pass(5 * MINUTE).await;
            if !hidden {
                assert_eq!(members(&world, &all).await, all, "{quirks:?} {repair}: {}", ready(&world));
            }
            assert!(ready(&world).starts_with("True Synced: 3 of 3"), "{quirks:?} {repair}: {}", ready(&world));
        }
    }
}
