//! What an operator knows after a restart, and what it does with other switches.
//!
//! Two operators would both work on every object, so these tests take turns.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::pedantic)]

#[path = "cluster/kit.rs"]
#[allow(dead_code, reason = "another binary uses the rest")]
mod kit;
mod support;

use serde_json::{Value, json};
use tokio::sync::Mutex;

use kit::{Place, condition, operator_builder, start_operator, user};
use support::{Operator, OperatorBuilder, eventually};

static TURN: Mutex<()> = Mutex::const_new(());

/// Everybody's `resourceVersion`.
async fn versions(place: &Place) -> Vec<Value> {
    place.users().await.iter().map(|user| user["metadata"]["resourceVersion"].clone()).collect()
}

#[tokio::test]
async fn i30_a_restart_costs_one_sweep_and_makes_nobody_twice() {
    let _turn = TURN.lock().await;
    let operator = start_operator().await;
    let place = Place::without_operator().await;
    place.connect(json!({"resyncInterval": "1h"}));
    place.connection_is("Connected").await;
    for name in ["ada", "grace", "alan"] {
        place.user(name, json!({"title": "Engineer"}));
    }
    let ada = place.synced("ada").await;
    place.synced("grace").await;
    place.synced("alan").await;
    // Jackson goes on to file her under the name and address that she had at first.
    let renamed = json!({
        "userName": "countess@example.org",
        "emails": [{"value": "countess@example.org", "type": "work", "primary": true}],
    });
    place.user("ada", renamed.clone());
    assert_eq!(place.synced("ada").await, ada);
    operator.terminate();
    // Removed while nobody looked.
    place.kubectl(&["delete", "scimuser", "alan", "--wait=false"]);
    let (requests, writes) = (place.directory.requests().await.len(), place.directory.writes().await.len());
    let swept = place.get_connection().await["status"]["sweep"]["lastCompleted"].clone();

    let operator = operator.again();
    place.is_gone("alan").await;
    eventually(kit::PATIENCE, "a sweep", async || {
        let now = place.get_connection().await["status"]["sweep"]["lastCompleted"].clone();
        if now == swept { Err(now) } else { Ok(()) }
    })
    .await;
    let accounts = place.directory.users().await;
    assert_eq!(accounts.len(), 3, "{accounts:?}");
    let written = place.directory.writes().await.split_off(writes);
    assert_eq!(written.len(), 1, "only the removal: {written:?}");
    // The test, two pages, and what the removal by PUT reads.
    let asked = place.directory.requests().await.split_off(requests);
    assert!(asked.len() <= 6, "{asked:?}");

    // And once more, with nothing to do: nothing is written on either side.
    place.user("ada", renamed);
    let before = (place.directory.writes().await, versions(&place).await);
    operator.kill9();
    let swept = place.get_connection().await["status"]["sweep"]["lastCompleted"].clone();
    let operator = operator.again();
    eventually(kit::PATIENCE, "a sweep", async || {
        let now = place.get_connection().await["status"]["sweep"]["lastCompleted"].clone();
        if now == swept { Err(now) } else { Ok(()) }
    })
    .await;
    assert_eq!((place.directory.writes().await, versions(&place).await), before);
    operator.terminate();
}

async fn started(builder: OperatorBuilder) -> (Operator, Place) {
    let operator = builder.start();
    let place = Place::without_operator().await;
    place.connect(json!({}));
    (operator, place)
}

#[tokio::test]
async fn i24_without_the_switch_no_key_goes_over_plain_http() {
    let _turn = TURN.lock().await;
    let (operator, place) = started(operator_builder().await.without("--allow-loopback-http")).await;
    let message = place.connection_is("PlainHttpRefused").await;
    assert!(message.contains("--allow-loopback-http"), "{message}");
    assert_eq!(place.directory.requests().await, Vec::<Value>::new());
    operator.terminate();
}

#[tokio::test]
async fn i24_a_host_that_the_operator_does_not_allow_gets_no_key() {
    let _turn = TURN.lock().await;
    let (operator, place) = started(operator_builder().await.arg("--allowed-hosts=scim.example.com")).await;
    let message = place.connection_is("HostNotAllowed").await;
    assert!(message.contains("--allowed-hosts"), "{message}");
    assert_eq!(place.directory.requests().await, Vec::<Value>::new());
    operator.terminate();
}

#[tokio::test]
async fn i08_whose_account_it_is_survives_a_restart() {
    let _turn = TURN.lock().await;
    let operator = start_operator().await;
    let place = Place::without_operator().await;
    place.connect(json!({}));
    place.connection_is("Connected").await;
    place.user("zoe", json!({"userName": "ada@example.com"}));
    let id = place.synced("zoe").await;
    // First by its name, but bound to nothing.
    place.apply(user("ada", json!({})));
    place.is("ada", "False", "Conflict").await;
    let before = place.directory.writes().await;
    operator.kill9();
    let operator = operator.again();
    place.sweeps(1).await;
    assert_eq!(place.synced("zoe").await, id);
    let ada = place.is("ada", "False", "Conflict").await;
    assert_eq!(condition(&ada, "Stalled")["status"], "True");
    assert_eq!(place.directory.writes().await, before);
    operator.terminate();
}
