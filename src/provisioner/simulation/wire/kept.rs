//! What servers make of what they are sent, and of whom they invite: stories of single quirks.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::World;
use crate::api::IgnoredReason;

const MINUTE: Duration = Duration::from_secs(60);

fn person(name: &str, phone: &str) -> Value {
    json!({
        "userName": format!("{name}@example.com"),
        "active": true,
        "name": {"givenName": name, "familyName": "Example"},
        "phoneNumbers": [{"value": phone, "type": "work"}],
    })
}

fn ready(world: &World, name: &str) -> String {
    let conditions = world.get(name).and_then(|user| user.status?.conditions).unwrap_or_default();
    let ready = conditions.iter().find(|known| known.type_ == "Ready");
    ready.map(|known| format!("{} {}", known.status, known.reason)).unwrap_or_default()
}

fn ignored(world: &World, name: &str) -> Vec<(String, IgnoredReason)> {
    let ignored = world.get(name).and_then(|user| user.status?.ignored_attributes).unwrap_or_default();
    ignored.into_iter().map(|entry| (entry.path, entry.reason)).collect()
}

fn id(world: &World, name: &str) -> Option<String> {
    world.get(name).and_then(|user| user.status?.id)
}

async fn writes(world: &World) -> u64 {
    world.admin("GET", "/stats", None).await["writes"].as_u64().unwrap_or_default()
}

async fn shown(world: &World, name: &str) -> Value {
    let all = world.accounts(&format!("{name}@example.com")).await;
    all.into_iter().find(|account| account["exists"] == json!(true)).unwrap_or_default()
}

#[tokio::test]
async fn i05_what_a_server_keeps_in_its_own_form_is_no_difference_and_a_change_of_it_is_seen() {
    let policy = json!({"driftPolicy": {"attributes": "Repair"}});
    let mut world = World::start(&["digits_only"], policy).await;
    world.user("ada", person("ada", "+1 (555) 010-01"));
    world.pass(3 * MINUTE).await;
    let phone = "phoneNumbers[type eq \"work\"]".to_owned();
    assert_eq!(ready(&world, "ada"), "True Synced");
    assert_eq!(ignored(&world, "ada"), [(phone, IgnoredReason::Reworded)]);
    // A restart knows it.
    world.restart();
    world.requests().await;
    world.pass(3 * MINUTE).await;
    assert_eq!(writes(&world).await, 0);
    // Either of the two changes: that is seen.
    let other = json!({"phoneNumbers": [{"value": "15550109", "type": "work"}]});
    world.admin("POST", "/users/ada@example.com/change", Some(other)).await;
    world.pass(3 * MINUTE).await;
    assert_eq!(shown(&world, "ada").await["resource"]["phoneNumbers"][0]["value"], "155501001");
    assert_eq!(writes(&world).await, 1);
    world.user("ada", person("ada", "+1 (555) 010-02"));
    world.pass(3 * MINUTE).await;
    assert_eq!(shown(&world, "ada").await["resource"]["phoneNumbers"][0]["value"], "155501002");
    assert_eq!((writes(&world).await, ready(&world, "ada").as_str()), (2, "True Synced"));
}

#[tokio::test]
async fn i33_the_form_of_an_attribute_is_learnt_of_several_accounts_and_counts_for_those_found() {
    let policy = json!({"adoptionPolicy": {"users": "Adopt"}});
    let mut world = World::start(&["digits_only"], policy).await;
    for name in ["ada", "bea"] {
        world.user(name, person(name, "+1 (555) 010-01"));
    }
    world.pass(3 * MINUTE).await;
    assert_eq!(world.learned(), Vec::<String>::new(), "two may be chance");
    world.user("cyd", person("cyd", "+1 (555) 010-03"));
    world.pass(3 * MINUTE).await;
    assert_eq!(world.learned(), ["keptAs: phoneNumbers.value Digits"]);
    assert!(world.effects.look().events.iter().any(|(reason, _)| reason == "DialectLearned"));
    // Found with what would come of it: nothing is owed, and of another number something is.
    for (name, phone) in [("dan", "155501004"), ("eve", "155501006")] {
        let body = json!({
            "userName": format!("{name}@example.com"), "active": true,
            "name": {"givenName": name, "familyName": "Example"}, "phoneNumbers": [{"value": phone, "type": "work"}],
        });
        world.admin("POST", "/users", Some(body)).await;
    }
    world.restart();
    world.requests().await;
    world.user("dan", person("dan", "+1 (555) 010-04"));
    world.user("eve", person("eve", "+1 (555) 010-05"));
    world.pass(3 * MINUTE).await;
    assert_eq!((writes(&world).await, ready(&world, "dan").as_str()), (1, "True Synced"));
    assert_eq!(shown(&world, "eve").await["resource"]["phoneNumbers"][0]["value"], "155501005");
}

/// All of a team are deleted by mistake, a person says no, and the manifests are applied again.
#[tokio::test]
async fn i33_what_a_server_never_keeps_is_owed_by_nobody_who_is_found() {
    let policy = json!({"adoptionPolicy": {"users": "Adopt"}});
    let mut world = World::start(&["drops_names"], policy).await;
    let names: Vec<String> = (0..25).map(|number| format!("p-{number:02}")).collect();
    let declare = |world: &World| {
        for name in &names {
            world.user(name, person(name, "15550100"));
        }
    };
    declare(&world);
    world.pass(5 * MINUTE).await;
    let ids: Vec<_> = names.iter().map(|name| id(&world, name)).collect();
    assert!(ids.iter().all(Option::is_some));
    assert!(world.learned().contains(&"notKept: name.givenName".to_owned()), "{:?}", world.learned());
    for name in &names {
        world.delete(name);
    }
    world.pass(5 * MINUTE).await;
    assert!(world.reject_hold(), "it is held");
    world.pass(5 * MINUTE).await;
    assert!(names.iter().all(|name| world.get(name).is_none()), "they go, and their accounts stay");
    world.restart();
    world.requests().await;
    declare(&world);
    world.pass(5 * MINUTE).await;
    for (name, id_before) in names.iter().zip(&ids) {
        assert_eq!((&id(&world, name), &*ready(&world, name)), (id_before, "True NotPersisted"), "{name}");
    }
    assert_eq!(writes(&world).await, 0, "nothing is owed");
    // A changed value is sent all the same, once.
    world.user("p-00", json!({"userName": "p-00@example.com", "active": true, "displayName": "Another"}));
    world.pass(3 * MINUTE).await;
    assert_eq!(writes(&world).await, 1);
}

#[tokio::test]
async fn i06_an_id_that_changes_when_an_invitation_is_accepted_is_taken_over() {
    let policy = json!({"adoptionPolicy": {"users": "Adopt"}});
    let mut world = World::start(&["invites"], policy).await;
    world.user("ada", json!({"userName": "ada@example.com", "active": true, "title": "Countess"}));
    let members = json!([{"userRef": {"name": "ada"}}]);
    world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": members}));
    world.pass(3 * MINUTE).await;
    assert_eq!(ready(&world, "ada"), "False AwaitingAcceptance");
    let before = id(&world, "ada");
    let accepted = world.admin("POST", "/users/ada@example.com/accept", None).await;
    world.pass(5 * MINUTE).await;
    assert_eq!(ready(&world, "ada"), "True Synced");
    assert_eq!(id(&world, "ada").as_deref(), accepted["id"].as_str());
    assert_ne!(id(&world, "ada"), before);
    let accounts = world.accounts("ada@example.com").await;
    assert_eq!(accounts.len(), 1, "{accounts:?}");
}

/// Nobody is listed without a filter, and one finds nobody: a name with an apostrophe is believed not to be there once a
/// search has found anybody, and where one like it is known, once that is found.
#[tokio::test]
async fn i33_a_name_with_an_apostrophe_is_created_where_nobody_is_listed() {
    let mut world = World::start(&["needs_filter"], json!({"adoptionPolicy": {"users": "Adopt"}})).await;
    for name in ["ada", "o'brien", "o'hara", "zo\u{eb}"] {
        let object = name.replace('\'', "").replace('\u{eb}', "e");
        world.user(&object, json!({"userName": format!("{name}@example.com"), "active": true}));
    }
    world.pass(5 * MINUTE).await;
    for (object, name) in [("ada", "ada"), ("obrien", "o'brien"), ("ohara", "o'hara"), ("zoe", "zo\u{eb}")] {
        assert_eq!(ready(&world, object), "True Synced", "{object}");
        assert_eq!(world.accounts(&format!("{name}@example.com")).await.len(), 1);
    }
}

/// A filter can't be asked for such a name, and there is no list: whoever may be there isn't made once more.
#[tokio::test]
async fn i33_nobody_is_made_whom_neither_a_filter_nor_a_list_can_show() {
    let mut world = World::start(&["needs_filter", "refuses_special_letters"], json!({})).await;
    world.user("ada", json!({"userName": "ada@example.com", "active": true}));
    world.user("zoe", json!({"userName": "zo\u{eb}@example.com", "active": true}));
    world.pass(5 * MINUTE).await;
    assert_eq!((ready(&world, "ada"), ready(&world, "zoe")), ("True Synced".into(), "False NotSupported".into()));
    assert_eq!(world.accounts("zo\u{eb}@example.com").await.len(), 0);
}

#[tokio::test]
async fn i15_an_invitation_does_not_outlive_the_object_unsaid() {
    let mut world = World::start(&["invites"], json!({})).await;
    world.user("ada", json!({"userName": "ada@example.com", "active": true}));
    world.pass(3 * MINUTE).await;
    assert_eq!(ready(&world, "ada"), "False AwaitingAcceptance");
    let writes = async |world: &World| world.admin("GET", "/stats", None).await["writes"].as_u64().unwrap_or_default();
    let before = writes(&world).await;
    world.delete("ada");
    world.pass(3 * MINUTE).await;
    assert!(world.get("ada").is_none());
    assert_eq!(writes(&world).await, before + 1, "it is told once to be inactive");
    let events = world.effects.look().events.clone();
    let warned = |(reason, note): &(String, String)| reason == "AccountLeft" && note.contains("invitation");
    assert!(events.iter().any(warned), "{events:?}");
}

/// The server says that it has no PATCH, and has no PUT: the reverse is found out, and kept over a restart.
#[tokio::test]
async fn i33_a_method_that_a_server_denies_to_have_is_used_where_the_other_is_missing() {
    let mut world = World::start(&["says_no_patch", "no_put"], json!({})).await;
    world.user("ada", json!({"userName": "ada@example.com", "active": true, "title": "Engineer"}));
    let team =
        |name: &str| json!({"displayName": name, "membership": "Exact", "members": [{"userRef": {"name": "ada"}}]});
    world.group("team", team("Team"));
    world.pass(3 * MINUTE).await;
    world.user("ada", json!({"userName": "ada@example.com", "active": true, "title": "Countess"}));
    world.group("team", team("Team One"));
    world.pass(3 * MINUTE).await;
    assert_eq!(shown(&world, "ada").await["resource"]["title"], "Countess");
    assert_eq!(world.learned(), ["writeUsers: Patch", "writeGroups: Patch"]);
    world.restart();
    world.user("ada", json!({"userName": "ada@example.com", "active": true, "title": "Admiral"}));
    world.requests().await;
    world.pass(3 * MINUTE).await;
    assert_eq!(shown(&world, "ada").await["resource"]["title"], "Admiral");
    assert_eq!(world.admin("GET", "/stats", None).await["requests"]["PUT"], Value::Null, "it is known");
}

/// `externalId` can't be searched for: the userName is, and whoever is there isn't made twice.
#[tokio::test]
async fn i33_an_external_id_that_no_filter_finds_is_looked_for_in_the_list() {
    for quirk in ["refuses_filters", "filters_500", "ignores_filters", "filters_find_nobody"] {
        let mut world = World::start(&[quirk], json!({"adoptionPolicy": {"users": "Adopt"}})).await;
        let body = json!({"userName": "ada@example.com", "externalId": "e-1", "active": true});
        let there = world.admin("POST", "/users", Some(body)).await;
        world.user(
            "ada",
            json!({"userName": "ada@example.com", "externalId": "e-1", "active": true, "title": "Countess"}),
        );
        world.user("bea", json!({"userName": "bea@example.com", "externalId": "e-2", "active": true}));
        world.pass(5 * MINUTE).await;
        assert_eq!(id(&world, "ada").as_deref(), there["id"].as_str(), "{quirk}");
        assert_eq!(
            (ready(&world, "ada").as_str(), ready(&world, "bea").as_str()),
            ("True Synced", "True Synced"),
            "{quirk}"
        );
        assert_eq!(
            (world.accounts("ada@example.com").await.len(), world.accounts("bea@example.com").await.len()),
            (1, 1)
        );
    }
}

/// Members are taken out by replacing the group where no path with a filter takes them out.
#[tokio::test]
async fn i18_whoever_leaves_a_group_leaves_it_also_where_no_path_names_a_member() {
    for quirk in ["no_member_paths", "ignores_member_paths"] {
        leaves(&[quirk], true).await;
    }
    // Where nothing takes them out, that is said, and nobody else loses anything by a guess.
    leaves(&["no_member_paths", "put_keeps_members"], false).await;
    leaves(&["ignores_member_paths", "put_keeps_members"], false).await;
}

async fn leaves(quirks: &[&str], goes: bool) {
    let mut world = World::start(quirks, json!({})).await;
    let members = |names: &[&str]| -> Value { names.iter().map(|name| json!({"userRef": {"name": name}})).collect() };
    let team = |names: &[&str]| json!({"displayName": "Team", "membership": "Exact", "members": members(names)});
    for name in ["ada", "bea", "cyd"] {
        world.user(name, json!({"userName": format!("{name}@example.com"), "active": true}));
    }
    world.group("team", team(&["ada", "bea"]));
    world.pass(3 * MINUTE).await;
    world.group("team", team(&["ada", "cyd"]));
    world.pass(3 * MINUTE).await;
    let status = world.get_group("team").and_then(|group| group.status).unwrap_or_default();
    let told = format!("{:?}", status.conditions);
    let said = if goes { "Synced" } else { "spec.dialect.memberRemoval" };
    assert!(told.contains(said), "{quirks:?}: {told}");
    let groups = world.admin("GET", "/groups", None).await;
    let of = |name: &str| id(&world, name);
    let is_in = |id: Option<String>| {
        let mut members = groups[0]["members"].as_array().into_iter().flatten();
        members.any(|member| member["value"].as_str() == id.as_deref())
    };
    assert_eq!((is_in(of("ada")), is_in(of("bea")), is_in(of("cyd"))), (true, !goes, true), "{quirks:?}: {groups}");
    assert_eq!(world.learned(), if goes { vec!["writeGroups: Put"] } else { Vec::new() }, "{quirks:?}");
    world.requests().await;
    world.pass(3 * MINUTE).await;
    assert_eq!(writes(&world).await, 0, "{quirks:?}");
}

/// What replaced a user in vain isn't tried again by this process. It may be about this attribute alone: the next one may.
#[tokio::test]
async fn i33_a_user_is_replaced_in_vain_once_a_process() {
    let mut world = World::start(&["own_display_names"], json!({})).await;
    let ada = |name: &str| json!({"userName": "ada@example.com", "active": true, "displayName": name});
    world.user("ada", ada("Ada L."));
    world.pass(3 * MINUTE).await;
    for (name, replaced) in [("Ada King", json!({"Users": {"200": 1}})), ("Countess", Value::Null)] {
        world.requests().await;
        world.user("ada", ada(name));
        world.pass(3 * MINUTE).await;
        let puts = world.admin("GET", "/stats", None).await["requests"]["PUT"].clone();
        assert_eq!((puts, world.learned()), (replaced, Vec::<String>::new()), "{name}");
        assert_eq!(ready(&world, "ada"), "True NotPersisted", "{name}");
    }
    world.restart();
    world.admin("DELETE", "/quirks", None).await;
    world.admin("POST", "/quirks", Some(json!(["heeds_active_alone"]))).await;
    world.user("ada", ada("Lovelace"));
    world.pass(3 * MINUTE).await;
    assert_eq!((world.learned(), &*ready(&world, "ada")), (vec!["writeUsers: Put".to_owned()], "True Synced"));
}
