//! What a server refuses of a request: it is named, and everything else is sent. Nothing but a URL and a key is given.

use serde_json::{Value, json};

use crate::elsewhere::held;
use crate::kit::{PATIENCE, Place, condition};
use crate::support::{Front, Sandbox, eventually};

/// A server with these quirks, somebody who counts what is asked of it, and a connection without any settings.
pub async fn with(quirks: &[&str]) -> (Sandbox, Front, Place) {
    let options: Vec<&str> = quirks.iter().flat_map(|quirk| ["--quirk", quirk]).collect();
    let sandbox = Sandbox::start_with(&options);
    let front = Front::before(&sandbox.base_url, &sandbox.token).open();
    let place = Place::at(&front.base_url, "any", json!({})).await;
    (sandbox, front, place)
}

/// The attributes that the server refuses, by status.
fn rejected(user: &Value) -> Vec<&str> {
    let ignored = user["status"]["ignoredAttributes"].as_array();
    let rejected = ignored.into_iter().flatten().filter(|one| one["reason"] == "Rejected");
    let mut paths: Vec<&str> = rejected.filter_map(|one| one["path"].as_str()).collect();
    paths.sort_unstable();
    paths
}

fn message(object: &Value) -> String {
    condition(object, "Ready")["message"].as_str().unwrap_or_default().to_owned()
}

const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value";

/// In words, and without any.
#[tokio::test]
async fn i33_whoever_has_one_attribute_that_is_refused_is_made_without_it() {
    for quirks in [
        ["refuses_phones", "refuses_managers", "errors_as_message"],
        ["refuses_phones", "refuses_managers", "errors_mute"],
    ] {
        let (sandbox, front, place) = with(&quirks).await;
        let fields = |title: &str| {
            json!({
                "title": title, "phoneNumbers": [{"value": "12", "type": "work"}],
                "enterprise": {"department": "Analysis", "manager": {"value": "nobody"}},
            })
        };
        place.user("ada", fields("Countess"));
        let ada = place.is("ada", "False", "Rejected").await;
        assert_eq!(rejected(&ada), ["phoneNumbers[type eq \"work\"]", MANAGER], "{ada}");
        if quirks[2] == "errors_as_message" {
            assert!(message(&ada).contains("not a valid number") && message(&ada).contains("no such user"), "{ada}");
        }
        let accounts = held(&sandbox, "ada@example.com").await;
        assert_eq!(accounts.len(), 1, "{accounts:?}");
        assert_eq!(accounts[0]["resource"]["title"], "Countess");
        let writes = front.take_writes();
        assert!(writes.len() <= 12, "{writes:?}");
        // Nothing of it is sent with each sweep.
        place.sweeps(3).await;
        assert_eq!(front.take_writes(), [], "{quirks:?}");
        place.connection_is("Connected").await;
        // What else changes is one request.
        place.user("ada", fields("Engineer"));
        eventually(PATIENCE, "the title is there", async || {
            let title = held(&sandbox, "ada@example.com").await[0]["resource"]["title"].clone();
            if title == "Engineer" { Ok(()) } else { Err(title) }
        })
        .await;
        assert_eq!(
            place.is("ada", "False", "Rejected").await["status"]["ignoredAttributes"],
            ada["status"]["ignoredAttributes"]
        );
        assert_eq!(front.take_writes().len(), 1, "{quirks:?}");
        // Asked for, it is tried; and once the server takes it, nothing is left of it.
        sandbox.admin("DELETE", "/quirks", None).await;
        place.kubectl(&["annotate", "scimuser", "ada", "scim-operator.dev/reconcile-requested-at=now"]);
        place.synced("ada").await;
        assert_eq!(place.get("ada").await.unwrap()["status"]["ignoredAttributes"], Value::Null);
        let account = &held(&sandbox, "ada@example.com").await[0];
        assert_eq!(account["resource"]["phoneNumbers"][0]["value"], "12", "{account}");
    }
}

/// Both ways of writing.
#[tokio::test]
async fn i17_a_refused_attribute_keeps_no_removal_and_nothing_else() {
    for quirks in [vec!["refuses_phones"], vec!["refuses_phones", "no_patch"]] {
        let (sandbox, front, place) = with(&quirks).await;
        place.user("ada", json!({}));
        place.synced("ada").await;
        front.take_writes();
        let fields = json!({
            "phoneNumbers": [{"value": "12", "type": "work"}], "title": "Countess", "nickName": "Ada", "locale": "en",
            "timezone": "Europe/London", "userType": "Person", "preferredLanguage": "en", "profileUrl": "https://x.example",
        });
        place.user("ada", fields.clone());
        let ada = place.is("ada", "False", "Rejected").await;
        assert_eq!(rejected(&ada), ["phoneNumbers[type eq \"work\"]"], "{ada}");
        let account = held(&sandbox, "ada@example.com").await[0]["resource"].clone();
        for (name, value) in fields.as_object().unwrap().iter().filter(|(name, _)| *name != "phoneNumbers") {
            assert_eq!(account[name], *value, "{account}");
        }
        let writes = front.take_writes();
        assert!(writes.len() <= 8, "{quirks:?}: {writes:?}");
        let mut gone = fields;
        gone["active"] = json!(false);
        place.user("ada", gone);
        eventually(PATIENCE, "ada is inactive", async || {
            let active = held(&sandbox, "ada@example.com").await[0]["active"].clone();
            if active == false { Ok(()) } else { Err(active) }
        })
        .await;
        let first = eventually(PATIENCE, "a write", async || front.take_writes().first().cloned().ok_or("none")).await;
        assert_eq!(first.status, 200, "{quirks:?}");
    }
}

#[tokio::test]
async fn i17_active_goes_alone_and_first_where_it_is_refused_in_company() {
    let (sandbox, front, place) = with(&["active_alone"]).await;
    // A creation says that it is active, too: this server takes no such thing.
    sandbox.admin("DELETE", "/quirks", None).await;
    place.user("ada", json!({"title": "Countess"}));
    place.synced("ada").await;
    sandbox.admin("POST", "/quirks", Some(json!(["active_alone"]))).await;
    let account = async || held(&sandbox, "ada@example.com").await[0].clone();
    for (active, title) in [(false, "Engineer"), (true, "Officer")] {
        place.user("ada", json!({"title": title, "active": active}));
        eventually(PATIENCE, "active and title are as declared", async || {
            let account = account().await;
            let shown = (&account["active"], &account["resource"]["title"]);
            if shown == (&json!(active), &json!(title)) { Ok(()) } else { Err(account) }
        })
        .await;
        place.synced("ada").await;
    }
    let writes = front.take_writes();
    assert!(writes.len() <= 6, "{writes:?}");
}

#[tokio::test]
async fn i07_whoever_has_an_e_mail_that_another_account_has_is_made_without_it_and_once() {
    let (sandbox, front, place) = with(&["unique_emails"]).await;
    place.user("bob", json!({"emails": [{"value": "office@example.com", "type": "work"}]}));
    place.synced("bob").await;
    place.user("ada", json!({"title": "Countess", "emails": [{"value": "office@example.com", "type": "work"}]}));
    let ada = place.is("ada", "False", "Rejected").await;
    assert_eq!(rejected(&ada), ["emails[type eq \"work\"]"], "{ada}");
    assert!(message(&ada).contains("office@example.com is in use"), "{ada}");
    assert_eq!(held(&sandbox, "ada@example.com").await.len(), 1);
    let writes = front.take_writes();
    assert!(writes.len() <= 5, "{writes:?}");
    place.sweeps(2).await;
    assert_eq!(front.take_writes(), []);
    // Whom the e-mail names may be there under another name: a person looks.
    let grace = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ghopper", "emails": [{"value": "grace@example.com"}]});
    assert_eq!(sandbox.scim("POST", "/Users", Some(grace)).await.0, 201);
    place.user("grace", json!({}));
    let grace = place.is("grace", "False", "Conflict").await;
    assert!(message(&grace).contains("grace@example.com is in use"), "{grace}");
    assert_eq!(held(&sandbox, "grace@example.com").await.len(), 0);
}

fn members(names: &[&str]) -> Value {
    let referred = names.iter().map(|name| json!({"userRef": {"name": name}}));
    referred.chain([json!({"id": "999"})]).collect()
}

#[tokio::test]
async fn i33_one_member_at_fault_keeps_no_other_out_and_is_named() {
    for (quirks, words) in [
        (vec!["unknown_member"], "999"),
        (vec!["unknown_member_400", "errors_as_message"], "invalid parameters"),
        (vec!["unknown_member_500"], "an unexpected error"),
    ] {
        let (sandbox, front, place) = with(&quirks).await;
        for name in ["ada", "bob", "grace", "kay"] {
            place.user(name, json!({}));
            place.synced(name).await;
        }
        front.take_writes();
        place.group("Team", json!({"members": members(&["ada", "bob", "grace", "kay"])}));
        let team = place.group_is("team", "Rejected", None).await;
        assert!(message(&team).contains("members[value eq \"999\"]") && message(&team).contains(words), "{team}");
        assert!(message(&team).starts_with("4 of 5 declared"), "{team}");
        assert_eq!(team["status"]["ignoredAttributes"].as_array().map(Vec::len), Some(1), "{team}");
        let id = team["status"]["id"].as_str().unwrap();
        let shown = sandbox.scim("GET", &format!("/Groups/{id}"), None).await.1["members"].clone();
        assert_eq!(shown.as_array().map(Vec::len), Some(4), "{shown}");
        let writes = front.take_writes();
        assert!(writes.len() <= 10, "{quirks:?}: {writes:?}");
        place.sweeps(3).await;
        assert_eq!(front.take_writes(), [], "{quirks:?}");
        // Whoever goes goes, and what is no longer declared is no longer told.
        place.group("Team", json!({"members": [{"userRef": {"name": "ada"}}]}));
        let team = place.group_is("team", "Synced", Some((1, 1, 0))).await;
        assert_eq!(team["status"]["ignoredAttributes"], Value::Null, "{team}");
        assert_eq!(front.take_writes().len(), 1, "{quirks:?}");
    }
}

#[tokio::test]
async fn i04_a_member_that_is_taken_and_not_kept_is_named_and_not_sent_again() {
    let (_sandbox, front, place) = with(&["drops_unknown_members"]).await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    place.group("Team", json!({"members": members(&["ada"])}));
    let team = place.group_is("team", "NotPersisted", None).await;
    assert!(message(&team).contains("members[value eq \"999\"]"), "{team}");
    front.take_writes();
    place.sweeps(3).await;
    assert_eq!(front.take_writes(), []);
}

#[tokio::test]
async fn i33_how_much_fits_into_a_request_is_learnt() {
    let (_sandbox, front, place) = with(&["few_operations"]).await;
    let names: Vec<String> = (0..12).map(|number| format!("person{number}")).collect();
    for name in &names {
        place.user(name, json!({}));
    }
    for name in &names {
        place.synced(name).await;
    }
    front.take_writes();
    let all: Vec<Value> = names.iter().map(|name| json!({"userRef": {"name": name}})).collect();
    place.group("Team", json!({"members": all}));
    place.group_synced("team", 12).await;
    let writes = front.take_writes();
    assert!(writes.len() <= 8, "{writes:?}");
    place.user(
        "person0",
        json!({
            "title": "Countess", "nickName": "Ada", "locale": "en", "timezone": "Europe/London", "userType": "Person",
        }),
    );
    place.synced("person0").await;
    assert!(front.take_writes().len() <= 5);
    place
        .status_is("what was learnt", |status| {
            let learned = status["effective"]["learned"].to_string();
            learned.contains("maxMembersPerPatch") && learned.contains("maxOperations")
        })
        .await;
}

#[tokio::test]
async fn a_seat_that_became_free_is_used_at_once() {
    let (sandbox, front, place) = with(&["two_seats"]).await;
    for name in ["ada", "bob"] {
        place.user(name, json!({}));
        place.synced(name).await;
    }
    for name in ["grace", "kay"] {
        place.user(name, json!({}));
        let waits = place.is(name, "False", "Rejected").await;
        assert!(message(&waits).contains("No seats left"), "{waits}");
    }
    front.take_writes();
    place.kubectl(&["delete", "scimuser", "ada"]);
    let began = std::time::Instant::now();
    eventually(PATIENCE, "one of the two has the seat", async || {
        let mut made = 0;
        for name in ["grace", "kay"] {
            made += held(&sandbox, &format!("{name}@example.com")).await.len();
        }
        if made == 1 { Ok(()) } else { Err(made) }
    })
    .await;
    assert!(began.elapsed().as_secs() < 60);
    // One goes and one comes at once: whoever goes goes first.
    let writes = front.take_writes();
    assert!(writes.len() <= 4, "{writes:?}");
}

#[tokio::test]
async fn an_invitation_that_was_not_accepted_yet_is_told_and_heals() {
    let (sandbox, front, place) = with(&["invites"]).await;
    place.user("ada", json!({"title": "Countess"}));
    let ada = place.is("ada", "False", "AwaitingAcceptance").await;
    assert_eq!(ada["status"]["state"], "Invited");
    assert_eq!(condition(&ada, "Stalled"), Value::Null);
    let writes = front.take_writes();
    assert!(writes.len() <= 2, "{writes:?}");
    place.sweeps(2).await;
    assert_eq!(front.take_writes(), []);
    // What else is declared is sent meanwhile.
    place.user("ada", json!({"title": "Engineer"}));
    eventually(PATIENCE, "the title is there", async || {
        let title = held(&sandbox, "ada@example.com").await[0]["resource"]["title"].clone();
        if title == "Engineer" { Ok(()) } else { Err(title) }
    })
    .await;
    let id = held(&sandbox, "ada@example.com").await[0]["id"].as_str().unwrap().to_owned();
    sandbox.admin("POST", &format!("/users/{id}/change"), Some(json!({"active": true}))).await;
    assert_eq!(place.synced("ada").await, id);
}

#[tokio::test]
async fn i21_a_500_about_one_object_alone_is_its_own_and_disturbs_nobody() {
    let (_sandbox, front, place) = with(&["breaks"]).await;
    place.user("ada", json!({"title": "broken"}));
    for number in 0..3 {
        place.user(&format!("other{number}"), json!({}));
    }
    for number in 0..3 {
        place.synced(&format!("other{number}")).await;
    }
    place.user("other0", json!({"title": "Officer"}));
    let ada = place.is("ada", "False", "Rejected").await;
    assert!(message(&ada).contains("an unexpected error") && message(&ada).contains("hourly"), "{ada}");
    assert_eq!(condition(&ada, "Stalled")["status"], "True");
    place.connection_is("Connected").await;
    let asked = front.take();
    let tries = asked.iter().filter(|seen| seen.status == 500).count();
    assert!((5..=10).contains(&tries), "{tries}");
    place.sweeps(2).await;
    assert_eq!(front.take_writes(), []);
}

#[tokio::test]
async fn i33_a_name_that_no_filter_finds_is_looked_for_in_the_list() {
    let (sandbox, _front, place) = with(&["refuses_special_letters"]).await;
    let made = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "zoë@example.com", "title": "Old"});
    assert_eq!(sandbox.scim("POST", "/Users", Some(made)).await.0, 201);
    for (name, user_name) in [("zoe", "zoë@example.com"), ("back", "a\\b@example.com")] {
        place.user(name, json!({"userName": user_name, "title": "New"}));
        place.synced(name).await;
    }
    let all = sandbox.admin("GET", "/stats", None).await;
    assert_eq!(all["users"], 2, "{all}");
    // Others are still searched by the filter.
    assert_eq!(
        place.get_connection().await["status"]["effective"]["dialect"]["filters"],
        json!(["userName", "externalId"])
    );
}
