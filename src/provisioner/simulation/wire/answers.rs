//! What the answers to writes don't show, what is taken and not done, and what becomes of whoever is deactivated.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);

fn person(name: &str, active: bool, title: &str) -> Value {
    json!({
        "userName": format!("{name}@example.com"),
        "active": active,
        "title": title,
        "emails": [{"value": format!("{name}@example.com"), "type": "work", "primary": true}],
    })
}

/// Reason and message of Ready.
fn ready(world: &World, name: &str) -> (String, String) {
    let conditions = world.get(name).and_then(|user| user.status?.conditions).unwrap_or_default();
    let ready = conditions.into_iter().find(|known| known.type_ == "Ready");
    ready.map(|known| (format!("{} {}", known.status, known.reason), known.message)).unwrap_or_default()
}

fn reason(world: &World, name: &str) -> String {
    ready(world, name).0
}

fn is_recorded_active(world: &World, name: &str) -> Option<bool> {
    world.get(name).and_then(|user| user.status?.active)
}

fn id(world: &World, name: &str) -> Option<String> {
    world.get(name).and_then(|user| user.status?.id)
}

async fn account(world: &World, name: &str) -> Option<Value> {
    let all = world.accounts(&format!("{name}@example.com")).await;
    all.into_iter().find(|account| account["exists"] == json!(true))
}

async fn is_active(world: &World, name: &str) -> bool {
    account(world, name).await.is_some_and(|account| account["active"] == json!(true))
}

async fn writes(world: &World) -> u64 {
    world.admin("GET", "/stats", None).await["writes"].as_u64().unwrap_or_default()
}

/// Sentry, Langfuse and Figma remove whoever is deactivated.
#[tokio::test]
async fn i16_whoever_the_server_removed_at_their_deactivation_comes_back_anew() {
    let mut world = World::start(&["removes_inactive"], json!({})).await;
    let all = ["ada", "bea", "cyd"];
    for name in all {
        world.user(name, person(name, true, "Engineer"));
    }
    let members = json!([{"userRef": {"name": "ada"}}]);
    world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": members}));
    world.pass(3 * MINUTE).await;
    let before = id(&world, "ada");
    for name in all {
        world.user(name, person(name, false, "Engineer"));
    }
    world.pass(5 * MINUTE).await;
    for name in all {
        assert_eq!(reason(&world, name), "True Synced", "{name}");
        assert!(account(&world, name).await.is_none());
    }
    assert_eq!(world.learned(), ["deactivation: Removes"]);
    // At rest nobody is asked for who is gone.
    world.requests().await;
    world.pass(3 * MINUTE).await;
    let asked = world.admin("GET", "/stats", None).await["requests"]["GET"].to_string();
    assert!(!asked.contains("404"), "{asked}");
    world.restart();
    world.user("ada", person("ada", true, "Countess"));
    world.pass(5 * MINUTE).await;
    assert_eq!(reason(&world, "ada"), "True Synced", "{}", ready(&world, "ada").1);
    assert!(is_active(&world, "ada").await && id(&world, "ada") != before);
    let groups = world.admin("GET", "/groups", None).await;
    assert_eq!(groups[0]["members"][0]["value"].as_str(), id(&world, "ada").as_deref(), "{groups}");
    // Whom others delete isn't made again without being asked for.
    world.admin("DELETE", "/users/ada@example.com", None).await;
    world.pass(5 * MINUTE).await;
    assert_eq!(reason(&world, "ada"), "False DeletedAtServer");
    assert!(account(&world, "ada").await.is_none());
}

/// Where a server takes `active: false` and does nothing, it is done by replacing the account, or it is said that it isn't.
#[tokio::test]
async fn i15_a_removal_that_is_not_done_is_never_told_as_done() {
    for (quirk, goes) in
        [("ignores_patches", true), ("pretends_patches", true), ("ignores_patches", false), ("pretends_patches", false)]
    {
        let quirks: Vec<&str> = [quirk].into_iter().chain((!goes).then_some("no_put")).collect();
        let mut world = World::start(&quirks, json!({})).await;
        for name in ["ada", "bea"] {
            world.user(name, person(name, true, "Engineer"));
        }
        world.pass(3 * MINUTE).await;
        world.user("ada", person("ada", false, "Engineer"));
        world.delete("bea");
        world.pass(3 * MINUTE).await;
        let told = ready(&world, "ada");
        assert_eq!((is_active(&world, "ada").await, is_active(&world, "bea").await), (!goes, !goes), "{quirks:?}");
        assert_eq!(is_recorded_active(&world, "ada"), Some(!goes), "{quirks:?}: {told:?}");
        assert_eq!(told.0, if goes { "True Synced" } else { "False Rejected" }, "{quirks:?}: {}", told.1);
        assert_eq!(world.get("bea").is_none(), goes, "{quirks:?}: {:?}", ready(&world, "bea"));
        assert_eq!(world.learned(), if goes { vec!["writeUsers: Put"] } else { Vec::new() }, "{quirks:?}");
    }
}

#[tokio::test]
async fn i33_a_patch_that_changes_nothing_is_followed_by_a_put() {
    let mut world = World::start(&["ignores_patches"], json!({})).await;
    world.user("ada", person("ada", true, "Engineer"));
    world.pass(3 * MINUTE).await;
    world.user("ada", person("ada", true, "Countess"));
    world.pass(3 * MINUTE).await;
    let shown = account(&world, "ada").await.unwrap_or_default();
    assert_eq!((reason(&world, "ada").as_str(), &shown["resource"]["title"]), ("True Synced", &json!("Countess")));
    assert_eq!(world.learned(), ["writeUsers: Put"]);
}

/// An answer that shows less than the account, or nothing of it, is no account without attributes.
#[tokio::test]
async fn i04_what_an_answer_leaves_out_is_read_before_it_is_judged() {
    for quirk in ["short_answers", "bare_answers", "word_answers", "empty_changes"] {
        let policy = json!({"driftPolicy": {"attributes": "Repair"}});
        let mut world = World::start(&[quirk], policy).await;
        let all = ["ada", "bea", "cyd", "dan"];
        for name in all {
            world.user(name, person(name, true, "Engineer"));
        }
        let members = json!([{"userRef": {"name": "ada"}}]);
        world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": members}));
        world.pass(3 * MINUTE).await;
        let told = |world: &World, name: &str| {
            let status = world.get(name).and_then(|user| user.status).unwrap_or_default();
            (reason(world, name), status.ignored_attributes.unwrap_or_default().len())
        };
        for name in all {
            assert_eq!(told(&world, name), ("True Synced".to_owned(), 0), "{quirk}: {name} was made");
        }
        assert_eq!(writes(&world).await, 6, "{quirk}: four accounts, a group and its member");
        world.requests().await;
        for name in all {
            world.user(name, person(name, true, "Countess"));
        }
        world.pass(3 * MINUTE).await;
        for name in all {
            assert_eq!(told(&world, name), ("True Synced".to_owned(), 0), "{quirk}: {name} was changed");
        }
        assert_eq!(writes(&world).await, 4, "{quirk}");
        world.user("ada", person("ada", false, "Countess"));
        world.delete("bea");
        world.pass(3 * MINUTE).await;
        assert_eq!(told(&world, "ada"), ("True Synced".to_owned(), 0), "{quirk}: {}", ready(&world, "ada").1);
        assert_eq!(is_recorded_active(&world, "ada"), Some(false), "{quirk}");
        assert!(world.get("bea").is_none(), "{quirk}: {:?}", ready(&world, "bea"));
        assert!(!is_active(&world, "bea").await, "{quirk}");
        assert_eq!(world.learned(), Vec::<String>::new(), "{quirk}");
    }
}

/// The key is good, and one request is answered 401, as servers do for an account that it may not touch.
#[tokio::test]
async fn i21_a_401_about_one_account_is_that_accounts() {
    let mut world = World::start(&[], json!({})).await;
    for name in ["ada", "bea"] {
        world.user(name, person(name, true, "Engineer"));
    }
    world.pass(3 * MINUTE).await;
    let refused =
        json!([{"match": {"method": "PATCH", "body_contains": "broken"}, "fault": {"kind": "status", "code": 401}}]);
    world.admin("POST", "/faults", Some(refused)).await;
    world.user("ada", person("ada", true, "broken"));
    for _ in 0..8 {
        world.pass(5 * MINUTE).await;
        let connected = world.connection().status.and_then(|status| status.conditions).unwrap_or_default();
        let connected = connected.into_iter().find(|known| known.type_ == "Connected");
        assert_eq!(connected.map(|known| known.reason).as_deref(), Some("Connected"));
        world.user("bea", person("bea", true, &format!("title {:?}", std::time::Instant::now())));
    }
    let (told, words) = ready(&world, "ada");
    assert_eq!(told, "False Rejected", "{words}");
    assert!(words.contains("401") && words.contains("serves others") && !words.contains("Secret"), "{words}");
    let log = world.admin("GET", "/faults/log", None).await;
    assert!(log["status"].as_u64().is_some_and(|met| met <= 12), "{log}");
}

/// Nobody can see who is active: that is said, and nobody is told the same for ever.
#[tokio::test]
async fn i15_where_no_account_shows_active_a_removal_is_told_once_and_ends() {
    let mut world = World::start(&["hides_active"], json!({})).await;
    for name in ["ada", "bea"] {
        world.user(name, person(name, true, "Engineer"));
    }
    world.pass(3 * MINUTE).await;
    world.user("ada", person("ada", false, "Engineer"));
    world.delete("bea");
    world.requests().await;
    world.pass(10 * MINUTE).await;
    let (told, words) = ready(&world, "ada");
    assert!(told == "True Synced" && words.contains("shows no `active`"), "{told}: {words}");
    assert_eq!((is_active(&world, "ada").await, is_active(&world, "bea").await), (false, false));
    assert!(world.get("bea").is_none());
    assert_eq!(writes(&world).await, 2);
    let events = world.effects.look().events.clone();
    assert!(
        events.iter().any(|(reason, note)| reason == "AccountLeft" && note.contains("may be active still")),
        "{events:?}"
    );
    world.user("ada", person("ada", true, "Engineer"));
    world.pass(3 * MINUTE).await;
    assert_eq!((reason(&world, "ada").as_str(), is_active(&world, "ada").await), ("True Synced", true));
    world.restart();
    world.requests().await;
    world.pass(3 * MINUTE).await;
    assert_eq!(writes(&world).await, 0);
}

#[tokio::test]
async fn i15_where_nobody_can_be_made_inactive_the_way_that_is_left_is_named() {
    let mut world = World::start(&["refuses_inactive"], json!({})).await;
    for name in ["ada", "bea"] {
        world.user(name, person(name, true, "Engineer"));
    }
    world.pass(3 * MINUTE).await;
    world.user("ada", person("ada", false, "Engineer"));
    world.delete("bea");
    world.pass(3 * MINUTE).await;
    for name in ["ada", "bea"] {
        let (told, words) = ready(&world, name);
        assert!(told == "False Rejected" && words.contains("deletionPolicy.users: Delete"), "{name} {told}: {words}");
    }
    world.edit_connection(|spec| spec.deletion_policy.users = crate::api::DeletionPolicy::Delete);
    world.pass(5 * MINUTE).await;
    assert!(world.get("bea").is_none() && account(&world, "bea").await.is_none(), "{:?}", ready(&world, "bea"));
}

/// Deletions and replacements that are refused for their form are sent in another.
#[tokio::test]
async fn i33_what_is_refused_for_its_form_is_sent_otherwise() {
    let policy = json!({"deletionPolicy": {"users": "Delete"}});
    let mut world = World::start(&["deletes_want_bodies", "no_patch", "refuses_read_only"], policy).await;
    for name in ["ada", "bea"] {
        world.user(name, person(name, true, "Engineer"));
    }
    let members = json!([{"userRef": {"name": "ada"}}]);
    world.group("team", json!({"displayName": "Team", "membership": "Exact", "members": members}));
    world.pass(3 * MINUTE).await;
    world.user("ada", person("ada", false, "Countess"));
    world.delete("bea");
    world.pass(3 * MINUTE).await;
    let ada = account(&world, "ada").await.unwrap_or_default();
    assert_eq!(
        (&ada["active"], &ada["resource"]["title"]),
        (&json!(false), &json!("Countess")),
        "{:?}",
        ready(&world, "ada")
    );
    assert!(world.get("bea").is_none() && account(&world, "bea").await.is_none(), "{:?}", ready(&world, "bea"));
}

/// An answer may show how it was, and teaches nothing.
#[tokio::test]
async fn i04_an_answer_that_shows_what_was_is_no_proof_that_nothing_was_kept() {
    let mut world = World::start(&["answers_before"], json!({})).await;
    let all = ["ada", "bea", "cyd"];
    for name in all {
        world.user(name, person(name, true, "Engineer"));
    }
    world.pass(3 * MINUTE).await;
    world.requests().await;
    for name in all {
        world.user(name, person(name, true, "Countess"));
    }
    world.pass(3 * MINUTE).await;
    world.user("ada", person("ada", false, "Countess"));
    world.pass(3 * MINUTE).await;
    for name in all {
        let ignored = world.get(name).and_then(|user| user.status?.ignored_attributes);
        assert_eq!((reason(&world, name).as_str(), ignored), ("True Synced", None), "{name}");
    }
    assert_eq!((writes(&world).await, world.learned()), (4, Vec::new()));
}

/// The server knows no `type` of e-mails: whoever declares one has the e-mail all the same.
#[tokio::test]
async fn i33_entries_go_without_their_types_where_these_are_refused() {
    for also in [None, Some("no_patch"), Some("drops_types")] {
        let quirks: Vec<&str> = ["refuses_types"].into_iter().chain(also).collect();
        let mut world = World::start(&quirks, json!({})).await;
        world.user("ada", person("ada", true, "Engineer"));
        world.pass(3 * MINUTE).await;
        let mut spec = person("ada", true, "Engineer");
        spec["emails"][0]["value"] = json!("countess@example.com");
        world.user("ada", spec);
        world.pass(3 * MINUTE).await;
        let shown = account(&world, "ada").await.unwrap_or_default();
        let emails = shown["resource"]["emails"].as_array().cloned().unwrap_or_default();
        assert_eq!(reason(&world, "ada"), "True Synced", "{quirks:?}: {}", ready(&world, "ada").1);
        assert!(emails.len() == 1 && emails[0]["value"] == "countess@example.com", "{quirks:?}: {emails:?}");
        assert!(world.learned().contains(&"entryTypes: false".to_owned()), "{quirks:?}: {:?}", world.learned());
    }
}

#[tokio::test]
async fn i33_an_attribute_of_an_extension_goes_nested_where_no_path_leads_to_it() {
    let mut world = World::start(&["no_extension_paths"], json!({})).await;
    let spec = |department: &str| {
        let mut spec = person("ada", true, department);
        spec["enterprise"] = json!({"department": department, "costCenter": department});
        spec
    };
    world.user("ada", spec("Navy"));
    world.pass(3 * MINUTE).await;
    world.user("ada", spec("Fleet"));
    world.pass(3 * MINUTE).await;
    let shown = account(&world, "ada").await.unwrap_or_default();
    let led = &shown["resource"]["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"];
    assert_eq!(
        (&led["department"], &led["costCenter"]),
        (&json!("Fleet"), &json!("Fleet")),
        "{:?}",
        ready(&world, "ada")
    );
    assert_eq!(
        (reason(&world, "ada").as_str(), world.learned()),
        ("True Synced", vec!["extensionPaths: Nested".to_owned()])
    );
}
