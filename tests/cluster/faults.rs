//! What servers do wrong: each has its word in a condition, and nothing is lost by it.

use serde_json::{Value, json};

use crate::elsewhere::{fault, held};
use crate::kit::{PATIENCE, Place, condition, counted};
use crate::support::{Sandbox, eventually, free_port};

#[tokio::test]
async fn i21_whatever_a_server_answers_has_a_reason_of_its_own() {
    let sandbox = Sandbox::start();
    let quick = json!({"timeouts": {"connect": "1s", "request": "1s"}});
    let place = Place::at(&sandbox.base_url, &sandbox.token, quick.clone()).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    let faults = [
        (json!({"kind": "status", "code": 403}), "Forbidden", true),
        (json!({"kind": "html_200"}), "NotScim", true),
        (json!({"kind": "empty_object_200"}), "NotScim", true),
        (json!({"kind": "status", "code": 302}), "NotScim", true),
        (json!({"kind": "hang", "ms": 60_000}), "Unreachable", false),
        (json!({"kind": "status", "code": 500}), "ServerError", false),
    ];
    for (number, (what, reason, stalled)) in faults.into_iter().enumerate() {
        fault(&sandbox, json!({"method": "GET"}), what.clone()).await;
        // A changed connection is tested at once.
        place.patch_connection(json!({"tenant": null, "maxInFlight": 3 + number}));
        let message = place.connection_is(reason).await;
        let connection = place.get_connection().await;
        assert_eq!(condition(&connection, "Ready")["reason"], reason, "{connection}");
        assert_eq!(condition(&connection, "Stalled")["status"] == "True", stalled, "{reason}: {connection}");
        assert!(!message.contains("Sign in"), "an answer that isn't SCIM was shown: {message}");
        // What owes nothing isn't rewritten for it.
        assert_eq!(condition(&place.get("ada").await.expect("ada"), "Ready")["reason"], "Synced");
        sandbox.admin("DELETE", "/faults", None).await;
        place.connection_is("Connected").await;
    }
    assert_eq!(place.synced("ada").await, id);
    let accounts = held(&sandbox, "ada@example.com").await;
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    assert_eq!(accounts[0]["writes"], 1, "{accounts:?}");
}

#[tokio::test]
async fn a_server_that_throttles_the_very_first_request_is_told_and_waited_for() {
    let sandbox = Sandbox::start();
    fault(&sandbox, json!({"method": "GET"}), json!({"kind": "status", "code": 429, "retry_after": 1})).await;
    let place = Place::new().await;
    place.secret(&sandbox.token);
    place.apply(place.generic(&sandbox.base_url, json!({})));
    place.connection_is("Throttled").await;
    place.user("ada", json!({}));
    place.says("ada", "ConnectionNotReady").await;
    sandbox.admin("DELETE", "/faults", None).await;
    place.connection_is("Connected").await;
    place.synced("ada").await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let place = Place::new().await;
    place.secret("any");
    place.apply(place.generic(&format!("http://127.0.0.1:{}/scim", free_port()), json!({})));
    place.connection_is("Unreachable").await;
    place.user("ada", json!({}));
    let message = place.says("ada", "ConnectionNotReady").await;
    assert!(message.contains("Unreachable"), "{message}");
}

#[tokio::test]
async fn i07_an_answer_that_was_lost_makes_nobody_twice() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
    let create = json!({"method": "POST", "path_prefix": "/Users", "count": 1});
    let lost = [
        ("ada", json!({"kind": "reset_after"})),
        ("grace", json!({"kind": "status", "code": 500, "effect": true})),
        ("alan", json!({"kind": "status", "code": 500})),
        ("kay", json!({"kind": "truncated_body"})),
        ("edsger", json!({"kind": "reset_before"})),
        ("barbara", json!({"kind": "html_200"})),
    ];
    for (name, what) in lost {
        fault(&sandbox, create.clone(), what.clone()).await;
        place.user(name, json!({}));
        place.synced(name).await;
        let accounts = held(&sandbox, &format!("{name}@example.com")).await;
        assert_eq!(accounts.len(), 1, "{what}: {accounts:?}");
        assert_eq!(place.get(name).await.expect("it")["status"]["id"], accounts[0]["id"], "{what}");
    }
}

#[tokio::test]
async fn i07_whoever_is_renamed_before_a_lost_answer_is_looked_into_is_made_once() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
    for name in ["ada", "grace"] {
        let create = json!({"method": "POST", "path_prefix": "/Users", "count": 1});
        fault(&sandbox, json!({"method": "GET"}), json!({"kind": "status", "code": 500})).await;
        fault(&sandbox, create, json!({"kind": "reset_after"})).await;
        place.user(name, json!({}));
        let made = eventually(PATIENCE, "the account is made", async || {
            let accounts = held(&sandbox, &format!("{name}@example.com")).await;
            if accounts.len() == 1 { Ok(accounts[0]["id"].clone()) } else { Err(accounts) }
        })
        .await;
        place.user(name, json!({"userName": "renamed@example.com"}));
        if name == "grace" {
            place.kubectl(&["delete", "scimuser", name, "--wait=false"]);
        }
        sandbox.admin("DELETE", "/faults", None).await;
        if name == "ada" {
            assert_eq!(place.synced(name).await, made);
            let renamed = held(&sandbox, "renamed@example.com").await;
            assert_eq!(renamed.len(), 1, "{renamed:?}");
            place.kubectl(&["delete", "scimuser", name]);
        } else {
            place.kubectl(&["wait", "--for=delete", "scimuser", name, "--timeout=60s"]);
            let accounts = held(&sandbox, "grace@example.com").await;
            assert_eq!(accounts[0]["active"], false, "{accounts:?}");
        }
        let accounts = sandbox.admin("GET", "/users", None).await;
        assert_eq!(accounts.as_array().map(Vec::len), Some(if name == "ada" { 1 } else { 2 }), "{accounts}");
    }
}

#[tokio::test]
async fn i19_a_server_that_asks_for_patience_gets_it_and_fails_nobody() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
    let throttled = json!({"kind": "status", "code": 429, "retry_after": 2});
    fault(&sandbox, json!({"method": "POST", "count": 2}), throttled).await;
    for name in ["ada", "grace", "alan"] {
        place.user(name, json!({}));
    }
    for name in ["ada", "grace", "alan"] {
        let user = place.is(name, "True", "Synced").await;
        assert_eq!(condition(&user, "Stalled"), Value::Null);
    }
    assert_eq!(sandbox.admin("GET", "/faults/log", None).await["status"], 2);
    assert_eq!(sandbox.admin("GET", "/stats", None).await["writes"], 3);
}

#[tokio::test]
async fn i20_whom_the_server_refuses_hears_its_words_and_delays_nobody() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": "400", "scimType": "invalidValue", "detail": "emails: at least one is required",
    });
    // However little of her is sent.
    let hers = json!({"method": "POST", "body_contains": "ada@example.com"});
    fault(&sandbox, hers, json!({"kind": "status", "code": 400, "body": body})).await;
    place.user("ada", json!({"emails": null}));
    let ada = place.is("ada", "False", "Rejected").await;
    let message = condition(&ada, "Ready")["message"].to_string();
    assert!(message.contains("emails: at least one is required"), "{message}");
    assert_eq!(condition(&ada, "Stalled")["status"], "True");
    place.user("grace", json!({}));
    place.synced("grace").await;
    place.connection_is("Connected").await;
    eventually(PATIENCE, "the connection counts it", async || {
        let users = place.get_connection().await["status"]["users"].clone();
        if users["failed"] == 1 && users["synced"] == 1 { Ok(()) } else { Err(users) }
    })
    .await;
    // With what was missing, it is tried again at once.
    sandbox.admin("DELETE", "/faults", None).await;
    place.user("ada", json!({}));
    place.synced("ada").await;
}

#[tokio::test]
async fn i21_a_method_that_the_server_lacks_is_named_with_its_override() {
    let sandbox = Sandbox::start();
    // Somebody insists on PATCH: nothing else is learnt.
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({"dialect": {"writeUsers": "Patch"}})).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    fault(&sandbox, json!({"method": "PATCH"}), json!({"kind": "status", "code": 501})).await;
    place.user("ada", json!({"title": "Officer"}));
    let ada = place.is("ada", "False", "NotSupported").await;
    let message = condition(&ada, "Ready")["message"].to_string();
    assert!(message.contains("spec.dialect.writeUsers"), "{message}");
    place.patch_connection(json!({"dialect": {"writeUsers": "Put"}}));
    assert_eq!(place.synced("ada").await, id);
    assert_eq!(held(&sandbox, "ada@example.com").await[0]["resource"]["title"], "Officer");
}

#[tokio::test]
async fn i23_a_secret_that_goes_stops_everything_and_comes_back_without_a_restart() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    place.kubectl(&["delete", "secret", "key"]);
    place.connection_is("SecretNotFound").await;
    // An alert says so too.
    let label = format!("connection=\"{}/jackson\"", place.namespace);
    eventually(PATIENCE, "it counts as not connected", async || {
        let connected = counted("connected", &label).await;
        if connected == 0.0 { Ok(()) } else { Err(connected) }
    })
    .await;
    let before = place.directory.writes().await;
    place.user("ada", json!({"title": "Officer"}));
    place.says("ada", "ConnectionNotReady").await;
    assert_eq!(place.directory.writes().await, before);
    place.secret(&place.directory.token);
    place.connection_is("Connected").await;
    assert_eq!(place.synced("ada").await, id);
    assert_eq!(place.account(&id).await.expect("ada")["raw"]["title"], "Officer");
}
