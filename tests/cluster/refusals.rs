//! What a server refuses of a request: it is named, and everything else is sent. Nothing but a URL and a key is given.

use serde_json::{Value, json};

use crate::elsewhere::held;
use crate::kit::{PATIENCE, Place, condition};
use crate::support::{Front, Sandbox, eventually};

/// A server with these quirks, somebody who counts what is asked of it, and a connection without any settings.
async fn with(quirks: &[&str]) -> (Sandbox, Front, Place) {
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
        assert_eq!(front.take_writes()[0].status, 200, "{quirks:?}");
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
