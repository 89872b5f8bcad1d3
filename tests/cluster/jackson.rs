//! Jackson's traps, one by one, at the real one.

use serde_json::{Value, json};

use crate::elsewhere::asked;
use crate::kit::{PATIENCE, Place, condition, user};
use crate::support::{Jackson, eventually};

fn unlimited() -> Value {
    json!({"rateLimits": [{"requests": 10_000, "period": "1s", "burst": 10_000}], "maxInFlight": 8})
}

#[tokio::test]
async fn i11_more_people_than_its_totals_count() {
    const PEOPLE: usize = 63;
    let place = Place::connected(unlimited()).await;
    let people: Vec<_> = (0..PEOPLE).map(|n| user(&format!("person-{n}"), json!({"title": "Engineer"}))).collect();
    place.apply(json!({"apiVersion": "v1", "kind": "List", "items": people}));
    place.kubectl(&["wait", "--for=condition=Ready", "scimuser", "--all", "--timeout=120s"]);
    place.sweeps(1).await;
    assert_eq!(place.directory.users().await.len(), PEOPLE);
    let posts = place.directory.writes().await;
    assert_eq!(posts.len(), PEOPLE, "each was written once");
    // Newest first: the very first one is on the second page, past what the totals admit.
    let first = place.synced("person-0").await;
    place.changed_by_others(&first, "title", json!("Nobody")).await;
    place.account_is(&first, "the title is back", |account| account["raw"]["title"] == "Engineer").await;
    // And nobody is taken for gone.
    place.sweeps(1).await;
    for user in place.users().await {
        assert_eq!(condition(&user, "Ready")["reason"], "Synced", "{user}");
    }
}

#[tokio::test]
async fn i02_a_change_is_one_get_and_one_put() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    place.sweeps(1).await;
    let before = place.directory.requests().await.len();
    place.user("ada", json!({"title": "Officer"}));
    place.synced("ada").await;
    let mut seen = asked(&place.directory, before).await;
    seen.retain(|request| request != "GET /Users");
    assert_eq!(seen, [format!("GET /Users/{id}"), format!("PUT /Users/{id}")]);
}

#[tokio::test]
async fn a_put_neither_re_activates_nor_forgets_what_others_wrote() {
    let place = Place::connected(json!({"driftPolicy": {"attributes": "Repair"}})).await;
    place.user("ada", json!({"title": "Officer"}));
    let id = place.synced("ada").await;
    place.changed_by_others(&id, "favouriteColour", json!("green")).await;
    place.user("ada", json!({"title": "Officer", "active": false}));
    place.synced("ada").await;
    place.user("ada", json!({"title": "Retired", "active": false}));
    place.synced("ada").await;
    let account = place.account(&id).await.expect("ada");
    assert_eq!(account["active"], false, "{account}");
    assert_eq!(account["raw"]["active"], false, "{account}");
    assert_eq!(account["raw"]["title"], "Retired", "{account}");
    assert_eq!(account["raw"]["favouriteColour"], "green", "{account}");
    assert_eq!(account["first_name"], "ada", "{account}");
}

#[tokio::test]
async fn a_base_url_with_a_query_is_understood() {
    let place = Place::new().await;
    let directory = Jackson::shared().await.new_directory("azure-scim-v2").await;
    assert!(directory.base_url.ends_with("?aadOptscim062020"), "{}", directory.base_url);
    place.secret(&directory.token);
    place.apply(place.connection(json!({"baseUrl": directory.base_url})));
    place.connection_is("Connected").await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    place.user("ada", json!({"title": "Officer"}));
    assert_eq!(place.synced("ada").await, id);
    // The same server, however it is written: nobody is bound elsewhere.
    let plain = directory.base_url.split("?").next().expect("its beginning");
    place.apply(place.connection(json!({"baseUrl": plain})));
    place.user("ada", json!({"title": "Admiral"}));
    assert_eq!(place.synced("ada").await, id);
    let accounts = directory.users().await;
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    assert_eq!(accounts[0]["raw"]["title"], "Admiral");
}

#[tokio::test]
async fn i06_an_address_that_jackson_still_files_under_the_old_name_makes_nobody_twice() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    let renamed = json!({
        "userName": "countess@example.org",
        "emails": [{"value": "countess@example.org", "type": "work", "primary": true}],
    });
    place.user("ada", renamed.clone());
    assert_eq!(place.synced("ada").await, id);
    // Jackson finds her by the old address only.
    let (_, old) = place.directory.scim("GET", "/Users?filter=userName%20eq%20%22ada@example.com%22", None).await;
    let (_, new) = place.directory.scim("GET", "/Users?filter=userName%20eq%20%22countess@example.org%22", None).await;
    assert_eq!((&old["totalResults"], &new["totalResults"]), (&json!(1), &json!(0)));

    // Status lost, as by a restore from Git: she is found in the list, by the name that she has now.
    place.annotate("ada", "release=true");
    place.kubectl(&["delete", "scimuser", "ada", "--timeout=60s"]);
    place.user("ada", renamed);
    assert_eq!(place.synced("ada").await, id);
    // Whoever comes with the old name is somebody else, and isn't given her account.
    place.user(
        "second",
        json!({
            "userName": "ada@example.com",
            "emails": [{"value": "ada@example.com", "type": "work", "primary": true}],
        }),
    );
    place.is("second", "False", "Conflict").await;
    assert_eq!(place.account(&id).await.expect("ada")["raw"]["userName"], "countess@example.org");
    assert_eq!(place.directory.users().await.len(), 1);
}

#[tokio::test]
async fn i16_an_account_without_an_object_that_is_switched_off_meanwhile_is_told() {
    let place = Place::connected(json!({})).await;
    let account = json!({"userName": "ada@example.com", "active": false,
        "name": {"givenName": "Ada", "familyName": "L"}, "emails": [{"value": "ada@example.com", "primary": true}]});
    let (status, made) = place.directory.scim("POST", "/Users", Some(account)).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().expect("an id").to_owned();
    place.sweeps(1).await;
    let mut manifest = user("ada", json!({}));
    manifest["spec"].as_object_mut().expect("a spec").remove("active");
    place.apply(manifest);
    let ada = place.is("ada", "False", "DeactivatedAtServer").await;
    assert!(condition(&ada, "Ready")["message"].to_string().contains("active: true"), "{ada}");
    assert_eq!(place.account(&id).await.expect("ada")["active"], false);
    place.user("ada", json!({}));
    assert_eq!(place.synced("ada").await, id);
    eventually(PATIENCE, "active again", async || {
        let account = place.account(&id).await.expect("ada");
        if account["active"] == true { Ok(()) } else { Err(account) }
    })
    .await;
}
