//! A connection that can't be used says why, and comes back without a restart.

use serde_json::{Value, json};

use crate::elsewhere::fault;
use crate::kit::{PATIENCE, Place, condition, counted};
use crate::support::{Sandbox, eventually};

#[tokio::test]
async fn a_secret_that_is_missing_unlabelled_or_empty_is_named_and_mended() {
    let place = Place::new().await;
    place.apply(place.connection(json!({})));
    let message = place.connection_is("SecretNotFound").await;
    assert!(message.contains("scim-operator.dev/credentials=true"), "{message}");

    // As most people make it: without the label, and the key under another name.
    place.kubectl(&["create", "secret", "generic", "key", "--from-literal=password=x"]);
    let message = place.connection_is("SecretNotLabelled").await;
    assert!(message.contains("kubectl label secret"), "{message}");
    place.kubectl(&["label", "secret", "key", "scim-operator.dev/credentials=true"]);
    let message = place.connection_is("SecretKeyMissing").await;
    assert!(message.contains("no key token"), "{message}");
    let ready = condition(&place.get_connection().await, "Ready");
    assert_eq!(ready["status"], "False", "{ready}");

    place.secret(&place.directory.token);
    place.connection_is("Connected").await;
    place.user("ada", json!({}));
    place.synced("ada").await;
}

#[tokio::test]
async fn a_labelled_secret_is_used_at_once() {
    let place = Place::new().await;
    let token = format!("--from-literal=token={}", place.directory.token);
    place.kubectl(&["create", "secret", "generic", "key", &token]);
    place.apply(place.connection(json!({})));
    place.connection_is("SecretNotLabelled").await;
    place.kubectl(&["label", "secret", "key", "scim-operator.dev/credentials=true"]);
    place.connection_is("Connected").await;
}

#[tokio::test]
async fn a_wrong_key_is_told_from_a_wrong_address() {
    let place = Place::new().await;
    place.secret("not-the-key");
    place.apply(place.connection(json!({})));
    place.connection_is("CredentialsRejected").await;
    place.user("ada", json!({}));
    place.secret(&place.directory.token);
    place.connection_is("Connected").await;
    place.synced("ada").await;

    let base = &place.directory.base_url;
    let origin = base.split("/api/").next().expect("an origin");
    place.apply(place.connection(json!({"baseUrl": format!("{origin}/no/such/path")})));
    place.connection_is("NotFound").await;
    place.apply(place.connection(json!({"baseUrl": "https://nobody.invalid/scim"})));
    place.connection_is("Unresolvable").await;
    place.apply(place.connection(json!({})));
    place.connection_is("Connected").await;
    place.synced("ada").await;
}

#[tokio::test]
async fn users_of_a_connection_that_never_worked_say_so() {
    let place = Place::new().await;
    place.secret("not-the-key");
    place.apply(place.connection(json!({})));
    place.connection_is("CredentialsRejected").await;
    place.user("ada", json!({}));
    let ada = place.is("ada", "False", "ConnectionNotReady").await;
    assert_eq!(condition(&ada, "Reconciling")["status"], "True");
}

#[tokio::test]
async fn a_directory_that_was_switched_off_is_not_scim_and_ends_nobody() {
    let place = Place::connected(json!({"driftPolicy": {"deleted": "Repair"}})).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    place.directory.deactivate().await;
    let before = place.directory.writes().await;
    place.connection_is("NotScim").await;
    assert_eq!(place.directory.writes().await, before, "an empty answer was taken for an empty directory");
    place.directory.activate().await;
    place.connection_is("Connected").await;
    assert_eq!(place.synced("ada").await, id);
}

#[tokio::test]
async fn i23_a_changed_key_that_is_wrong_stops_nothing() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    place.secret("mistyped");
    place.connection_is("NewKeyRejected").await;
    let label = format!("connection=\"{}/jackson\"", place.namespace);
    assert_eq!(counted("connected", &label).await, 1.0);
    eventually(PATIENCE, "an alert can speak of it", async || {
        let refused = counted("key_refused", &label).await;
        if refused == 1.0 { Ok(()) } else { Err(refused) }
    })
    .await;
    place.user("ada", json!({"title": "Officer"}));
    place.user("grace", json!({}));
    let id = place.synced("ada").await;
    place.synced("grace").await;
    assert_eq!(place.account(&id).await.expect("ada")["raw"]["title"], "Officer");
    place.secret(&place.directory.token);
    place.connection_is("Connected").await;
}

#[tokio::test]
async fn i23_a_wrong_key_that_comes_during_an_outage_does_not_cost_the_good_one() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    fault(&sandbox, json!({"method": "GET"}), json!({"kind": "status", "code": 500})).await;
    place.secret("mistyped");
    place.connection_is("ServerError").await;
    sandbox.admin("DELETE", "/faults", None).await;
    place.connection_is("NewKeyRejected").await;
    place.user("grace", json!({}));
    place.synced("grace").await;
}

/// The server is away as the Secret is deleted, and comes back.
#[tokio::test]
async fn i23_a_secret_that_goes_during_an_outage_leaves_removals_to_the_last_key() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
    for name in ["ada", "bob"] {
        place.user(name, json!({"active": true}));
    }
    let ada = place.synced("ada").await;
    place.synced("bob").await;
    fault(&sandbox, json!({}), json!({"kind": "status", "code": 500})).await;
    place.kubectl(&["delete", "scimuser", "ada", "--wait=false"]);
    place.user("bob", json!({"active": true, "title": "Dr"}));
    place.connection_is("ServerError").await;
    place.kubectl(&["delete", "secret", "key"]);
    place.connection_is("SecretNotFound").await;
    sandbox.admin("DELETE", "/faults", None).await;
    place.kubectl(&["wait", "--for=delete", "scimuser/ada", "--timeout=120s"]);
    let accounts = sandbox.admin("GET", "/users", None).await;
    let ada = accounts.as_array().into_iter().flatten().find(|account| account["id"] == ada.as_str());
    assert_eq!(ada.expect("the account")["active"], false);
    place.connection_is("SecretNotFound").await;
}

#[tokio::test]
async fn a_connection_may_come_after_its_users() {
    let place = Place::new().await;
    place.user("ada", json!({}));
    let ada = place.is("ada", "False", "ConnectionNotFound").await;
    assert_eq!(condition(&ada, "Reconciling")["status"], "True");
    assert_eq!(condition(&ada, "Stalled"), Value::Null);
    place.connect(json!({}));
    place.synced("ada").await;
}

#[tokio::test]
async fn a_connection_with_users_stays_until_they_are_gone() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    place.kubectl(&["delete", "scimconnection", "jackson", "--wait=false"]);
    eventually(PATIENCE, "the connection says who keeps it", async || {
        let terminating = condition(&place.get_connection().await, "Terminating");
        let message = terminating["message"].as_str().unwrap_or_default();
        let said = message.contains("/ada") && message.contains("jackson scim-operator.dev/release=true");
        if said { Ok(()) } else { Err(terminating) }
    })
    .await;
    place.kubectl(&["delete", "scimuser", "ada", "--timeout=90s"]);
    assert_eq!(place.account(&id).await.expect("the account")["active"], false);
    place.kubectl(&["wait", "--for=delete", "scimconnection/jackson", "--timeout=90s"]);
}

#[tokio::test]
async fn a_namespace_deleted_as_a_whole_ends() {
    let place = Place::connected(json!({})).await;
    for name in ["ada", "grace", "alan"] {
        place.user(name, json!({}));
    }
    for name in ["ada", "grace", "alan"] {
        place.synced(name).await;
    }
    place.cluster.kubectl_ok(&["delete", "namespace", &place.namespace, "--wait=false"]);
    eventually(PATIENCE, "the namespace is gone", async || {
        let left = place.cluster.kubectl(&["get", "namespace", &place.namespace]);
        let users: Vec<Value> = place.users().await.into_iter().map(|user| user["status"].clone()).collect();
        if left.status.success() { Err(users) } else { Ok(()) }
    })
    .await;
    for account in place.directory.users().await {
        assert_eq!(account["active"], false, "{account}");
    }
}
