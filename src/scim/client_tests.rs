//! The client against a sandbox.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::sandbox::{Options, Sandbox};

async fn place(faults: Value) -> (Sandbox, Client) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let client = client(&sandbox);
    arm(&sandbox, faults).await;
    (sandbox, client)
}

fn client(sandbox: &Sandbox) -> Client {
    Client::new(ClientConfig {
        base_url: sandbox.base.parse().unwrap(),
        credentials: Credentials::Bearer("sandbox".to_owned().into()),
        trust: Trust::default(),
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(20),
        profile: Profile::generic(),
        user_agent: "test".into(),
    })
    .unwrap()
}

async fn arm(sandbox: &Sandbox, faults: Value) {
    let url = format!("{}/faults", sandbox.admin);
    let answer = reqwest::Client::new().post(url).body(faults.to_string()).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// How often a fault struck.
async fn struck(sandbox: &Sandbox, fault: &str) -> u64 {
    let log = reqwest::get(format!("{}/faults/log", sandbox.admin)).await.unwrap().bytes().await.unwrap();
    serde_json::from_slice::<Value>(&log).unwrap()[fault].as_u64().unwrap_or_default()
}

fn refuses(content_type: &str) -> Value {
    json!({"match": {"content_type": content_type}, "fault": {"kind": "status", "code": 415}})
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn person(number: usize) -> Attributes {
    json!({"userName": format!("person-{number}")}).as_object().cloned().unwrap()
}

async fn all_at_once(client: &Client, from: usize) -> Vec<Result<Written, Error>> {
    let made = (from..from + 8).map(|number| async move { client.create(Kind::Users, &person(number), soon()).await });
    futures::future::join_all(made).await
}

#[tokio::test]
async fn i21_the_other_content_type_is_learnt_however_many_are_refused_at_once() {
    let (sandbox, client) =
        place(json!([{"fault": {"kind": "latency", "ms": 100}}, refuses("application/scim+json")])).await;
    for answer in all_at_once(&client, 0).await {
        answer.unwrap();
    }
    let met = struck(&sandbox, "status").await;
    assert!((1..=8).contains(&met), "{met}");
    for answer in all_at_once(&client, 8).await {
        answer.unwrap();
    }
    let again = self::client(&sandbox).with_experience_of(&client);
    again.create(Kind::Users, &person(16), soon()).await.unwrap();
    assert_eq!(struck(&sandbox, "status").await, met, "what was learnt is kept, by the next session too");
}

#[tokio::test]
async fn i21_what_is_refused_in_both_content_types_is_refused_and_nothing_is_learnt() {
    let (sandbox, client) = place(json!([refuses("application/")])).await;
    for answer in all_at_once(&client, 0).await {
        assert_eq!(answer.unwrap_err().class(), Class::ContentType);
    }
    assert_eq!(struck(&sandbox, "status").await, 16, "each was sent as both, and not more often");
    assert!(!client.sends_plain_json());
}
