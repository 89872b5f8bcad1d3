//! Guards and holds: what is too much to be meant waits for a person (promise I13).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::kit::{PATIENCE, Place, condition, user};
use crate::support::eventually;

/// Removals that no default would let go.
fn many(people: usize) -> Value {
    each(people, |_| json!({}))
}

/// In one go: one by one, a busy machine makes several bursts of them, which a guard judges apart.
fn each(people: usize, fields: impl Fn(usize) -> Value) -> Value {
    let items: Vec<Value> = (0..people).map(|n| user(&format!("person-{n:04}"), fields(n))).collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn unlimited() -> Value {
    json!({"rateLimits": [{"for": "All", "requests": 1000, "burst": 1000}], "maxInFlight": 16})
}

async fn all_ready(place: &Place, people: usize) -> BTreeMap<String, String> {
    eventually(PATIENCE * 3, "everybody is Ready", async || {
        let users = place.users().await;
        let ready = users.iter().filter(|user| condition(user, "Ready")["status"] == "True");
        let ids: BTreeMap<String, String> =
            ready.map(|user| (user["metadata"]["name"].to_string(), user["status"]["id"].to_string())).collect();
        if ids.len() == people { Ok(ids) } else { Err(ids.len()) }
    })
    .await
}

/// The story that must end well. `SCIM_OPERATOR_STORY=2000` tells it at full length.
#[tokio::test]
async fn i13_everybody_deleted_by_mistake_loses_nobody() {
    let people = std::env::var("SCIM_OPERATOR_STORY").map_or(300, |size| size.parse().expect("a number"));
    let place = Place::connected(unlimited()).await;
    let manifests = many(people);
    place.apply(manifests.clone());
    let ids = all_ready(&place, people).await;
    let before = place.directory.writes().await;

    place.kubectl(&["delete", "scimuser", "--all", "--wait=false"]);
    let id = place.hold_id().await;
    place.status_is("all of them are held", |status| status["users"]["held"] == people).await;
    let status = place.get_connection().await["status"].clone();
    assert_eq!(status["holds"][0]["deactivations"], people);
    assert_eq!(status["holds"][0]["sample"].as_array().map(Vec::len), Some(20));
    let by_field = || {
        let found =
            place.kubectl(&["get", "scimuser", "--field-selector", &format!("status.hold.id={id}"), "-o", "name"]);
        found.lines().count()
    };
    eventually(PATIENCE, "every object names its hold", async || match by_field() {
        all if all == people => Ok(()),
        some => Err(some),
    })
    .await;
    let one = place.get("person-0000").await.expect("an object");
    let message = condition(&one, "Ready")["message"].to_string();
    assert!(message.contains("approvedHold") && message.contains("rejectedHold") && message.contains(&id), "{message}");
    assert_eq!(condition(&one, "Stalled")["reason"], "Held");
    let warnings = place.events("Held");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let holding = condition(&place.get_connection().await, "Holding");
    assert_eq!(holding["status"], "True");

    place.answer("rejectedHold", &id);
    eventually(PATIENCE, "the objects are gone", async || match place.users().await.len() {
        0 => Ok(()),
        left => Err(left),
    })
    .await;
    // Git has them again.
    place.apply(manifests);
    assert_eq!(all_ready(&place, people).await, ids, "every object is bound to its old account");
    assert_eq!(place.directory.writes().await, before, "nobody lost anything for an instant");
    place.status_is("nothing is held", |status| status["holds"].is_null() && status["users"]["held"] == 0).await;
}

#[tokio::test]
async fn i13_what_is_approved_goes_and_nothing_else() {
    let place = Place::connected(unlimited()).await;
    place.apply(many(8));
    all_ready(&place, 8).await;
    let inactive = async || {
        let accounts = place.directory.users().await;
        accounts.iter().filter(|account| account["active"] == false).count()
    };
    place.apply(each(7, |_| json!({"active": false})));
    let held = place.is("person-0003", "False", "Held").await;
    assert_eq!(held["status"]["state"], "Held");
    // The rest goes on meanwhile.
    place.user("newcomer", json!({}));
    place.synced("newcomer").await;
    place.user("person-0007", json!({"title": "Officer"}));
    place.synced("person-0007").await;

    let id = place.hold_id().await;
    // Its own change of mind leaves the hold, which is another then.
    place.user("person-0006", json!({"active": true}));
    place.synced("person-0006").await;
    assert_eq!(inactive().await, 0);
    place.answer("approvedHold", &id);
    for n in 0..6 {
        place.is(&format!("person-{n:04}"), "True", "Synced").await;
    }
    assert_eq!(inactive().await, 6);
    let removals = |status: &Value| {
        let guards = status["guards"].as_array().cloned().unwrap_or_default();
        guards.into_iter().find(|guard| guard["name"] == "removals").unwrap_or_default()
    };
    let status = place.status_is("the ledger counts them", |status| removals(status)["used"] == 6).await;
    assert_eq!(status["spentHolds"], json!([id]));
    // Good once: six more of the same are held again, whatever spec.approvedHold says.
    place.apply(each(6, |_| json!({"active": true})));
    for n in 0..6 {
        place.synced(&format!("person-{n:04}")).await;
    }
    place.apply(each(6, |_| json!({"active": false})));
    place.is("person-0003", "False", "Held").await;
    assert_ne!(place.hold_id().await, id);
    assert_eq!(inactive().await, 0);
}

#[tokio::test]
async fn i13_renames_of_many_are_held() {
    let place = Place::connected(unlimited()).await;
    place.apply(many(7));
    all_ready(&place, 7).await;
    let before = place.directory.writes().await;
    place.apply(each(7, |n| json!({"userName": format!("renamed-{n}@example.com")})));
    place.is("person-0000", "False", "Held").await;
    let id = place.hold_id().await;
    assert_eq!(place.directory.writes().await, before);
    place.answer("rejectedHold", &id);
    let message = eventually(PATIENCE, "the rejection is told", async || {
        let one = place.get("person-0000").await.ok_or(Value::Null)?;
        let message = condition(&one, "Ready")["message"].to_string();
        if message.contains("rejected;") { Ok(message) } else { Err(json!(message)) }
    })
    .await;
    assert!(message.contains(&id), "{message}");
    // The spec taken back, nothing is owed.
    place.apply(many(7));
    all_ready(&place, 7).await;
    assert_eq!(place.directory.writes().await, before);
}

#[tokio::test]
async fn i13_plan_shows_and_sends_nothing_until_it_is_approved() {
    let place = Place::new().await;
    let there = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "grace@example.com", "active": true,
        "name": {"givenName": "grace", "familyName": "Example"}, "title": "Clerk",
        "emails": [{"value": "grace@example.com", "type": "work", "primary": true}],
    });
    let (status, _) = place.directory.scim("POST", "/Users", Some(there)).await;
    assert_eq!(status, 201);
    place.connect(json!({"mode": "Plan"}));
    place.connection_is("Connected").await;
    let before = place.directory.writes().await;
    place.user("ada", json!({"title": "Officer"}));
    place.user("grace", json!({"title": "Admiral"}));

    let ada = place.is("ada", "False", "Planned").await;
    let message = condition(&ada, "Ready")["message"].to_string();
    assert!(message.contains("Create of") && message.contains("title"), "{message}");
    assert_eq!(ada["metadata"]["finalizers"], Value::Null, "nothing was begun");
    assert_eq!((condition(&ada, "Stalled"), condition(&ada, "Reconciling")), (Value::Null, Value::Null));
    let grace = place.is("grace", "False", "Planned").await;
    let message = condition(&grace, "Ready")["message"].to_string();
    assert!(message.contains("Adopt of title"), "{message}");
    let id = place.hold_id().await;
    let hold = place.get_connection().await["status"]["holds"][0].clone();
    assert_eq!((&hold["reason"], &hold["creates"], &hold["updates"]), (&json!("Plan"), &json!(1), &json!(1)));
    place.sweeps(1).await;
    assert_eq!(place.directory.writes().await, before);

    place.answer("approvedHold", &id);
    let grace = place.synced("grace").await;
    place.synced("ada").await;
    assert_eq!(place.account(&grace).await.expect("grace")["raw"]["title"], "Admiral");
    assert_eq!(place.directory.writes().await.len(), before.len() + 2);

    // Apply dissolves what Plan holds.
    place.user("alan", json!({}));
    place.is("alan", "False", "Planned").await;
    place.apply(place.connection(json!({"mode": "Apply"})));
    place.synced("alan").await;
}
