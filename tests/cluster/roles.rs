//! Roles, declared by id or by name, and what servers make of them.

use serde_json::{Value, json};

use crate::elsewhere::with;
use crate::kit::{PATIENCE, Place, condition};
use crate::support::{Front, Sandbox, eventually};

const ROLES: [&str; 4] = ["--role", "r-1=Standard", "--role", "r-2=Admin"];

async fn at(dialect: &str, fields: Value) -> (Sandbox, Front, Place) {
    let sandbox = Sandbox::start_with(&[&["--dialect", dialect], ROLES.as_slice()].concat());
    let front = Front::before(&sandbox.base_url, &sandbox.token).open();
    let place = Place::at(&front.base_url, "any", fields).await;
    (sandbox, front, place)
}

async fn roles(sandbox: &Sandbox, id: &str) -> Vec<String> {
    let (_, account) = sandbox.scim("GET", &format!("/Users/{id}"), None).await;
    let list = account["roles"].as_array().cloned().unwrap_or_default();
    list.iter().map(|role| role["value"].as_str().unwrap_or_default().to_owned()).collect()
}

fn message(user: &Value) -> String {
    condition(user, "Ready")["message"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_role_goes_by_its_name_and_what_is_dropped_is_told() {
    let (sandbox, front, place) = at("generic", json!({})).await;
    front.take();
    place.user("ada", json!({"roles": [{"display": "admin"}]}));
    let id = place.synced("ada").await;
    assert_eq!(roles(&sandbox, &id).await, ["r-2"]);
    assert_eq!(front.take_writes().len(), 1, "created with it");

    // By id, one of them unknown to the server: dropped there, and told here by name.
    place.user("ada", json!({"roles": [{"value": "r-2"}, {"value": "r-9"}]}));
    let told = place.is("ada", "True", "NotPersisted").await;
    assert!(message(&told).contains("roles (r-9)"), "{told}");
    assert_eq!(roles(&sandbox, &id).await, ["r-2"]);
    front.take();
    place.sweeps(2).await;
    assert_eq!(front.take_writes(), [], "it is not sent again");

    // A name that nothing explains takes nothing away, nor does it hold up the rest.
    place.user("ada", json!({"roles": [{"display": "Pope"}], "title": "Officer"}));
    let told = place.is("ada", "True", "NotPersisted").await;
    assert!(message(&told).contains(r#"roles "Pope""#), "{told}");
    assert_eq!(roles(&sandbox, &id).await, ["r-2"]);
    let (_, account) = sandbox.scim("GET", &format!("/Users/{id}"), None).await;
    assert_eq!(account["title"], "Officer");
    place.user("ada", json!({"roles": [{"display": "Standard"}]}));
    place.synced("ada").await;
    assert_eq!(roles(&sandbox, &id).await, ["r-1"]);
    let refused = place.refused(&crate::kit::user("bob", json!({"roles": [{"type": "x"}]})));
    assert!(refused.contains("write value, its id at the server, or display"), "{refused}");
}

#[tokio::test]
async fn datadogs_roles_are_known_by_the_names_that_accounts_show() {
    let policy = json!({"provider": "Datadog", "guards": {"protected": ["svc@example.com"]}});
    let (sandbox, _front, place) = at("datadog", policy).await;
    place.user("ada", json!({"roles": [{"display": "Admin"}]}));
    let told = place.is("ada", "True", "NotPersisted").await;
    assert!(message(&told).contains(r#"roles "Admin""#), "{told}");
    let id = told["status"]["id"].as_str().expect("an id").to_owned();
    // Somebody else has that role, and so its id is known.
    let boss = json!({"userName": "boss@example.com", "roles": [{"value": "r-2"}]});
    assert_eq!(sandbox.scim("POST", "/Users", Some(boss)).await.0, 201);
    eventually(PATIENCE, "ada is an admin", async || match roles(&sandbox, &id).await {
        list if list == ["r-2"] => Ok(()),
        other => Err(other),
    })
    .await;
    place.synced("ada").await;
    // None is left, and the server gives its default role: that is told too.
    place.user("ada", json!({"roles": [{"value": "r-9"}]}));
    let told = place.is("ada", "True", "NotPersisted").await;
    assert!(message(&told).contains("roles (r-9)"), "{told}");
    assert_eq!(roles(&sandbox, &id).await, ["r-1"]);
}

#[tokio::test]
async fn i13_roles_taken_from_many_are_held_and_given_to_many_are_not() {
    let guards = json!({"guards": {"rewrites": {"minCount": 1, "maxPercent": 0}}});
    let (sandbox, _front, place) = at("generic", guards).await;
    let names = ["ada", "bob", "cyd"];
    let with_roles = |list: Value| names.map(|name| place.user(name, with(json!({}), json!({"roles": list}))));
    with_roles(json!([{"value": "r-1"}]));
    let mut ids = Vec::new();
    for name in names {
        ids.push(place.synced(name).await);
    }
    with_roles(json!([{"value": "r-1"}, {"value": "r-2"}]));
    for (name, id) in names.iter().zip(&ids) {
        place.synced(name).await;
        assert_eq!(roles(&sandbox, id).await, ["r-1", "r-2"]);
    }
    with_roles(json!([{"value": "r-1"}]));
    place.is("ada", "False", "Held").await;
    for id in &ids {
        assert_eq!(roles(&sandbox, id).await, ["r-1", "r-2"]);
    }
    place.answer("approvedHold", &place.hold_id().await);
    for (name, id) in names.iter().zip(&ids) {
        place.synced(name).await;
        assert_eq!(roles(&sandbox, id).await, ["r-1"]);
    }
}
