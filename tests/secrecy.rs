//! Keys never show (promise I23): not in a log at its most talkative, not in a status, an event, a metric or the audit
//! stream, whatever goes wrong, and not even when the server itself repeats them.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::pedantic)]

#[path = "cluster/kit.rs"]
#[allow(dead_code, reason = "another binary uses the rest")]
mod kit;
mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use kit::{Place, condition, install};
use support::{Operator, Sandbox, eventually, http, scratch};

const SECOND_KEY: &str = "second-key-9f86d081884c7d65";
const UNSENDABLE_KEY: &str = "third-key-2c26b46b68ffc68f";

/// A server that answers so, and repeats the key.
async fn repeats(sandbox: &Sandbox, method: &str, code: u16, key: &str) {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": code.to_string(), "detail": format!("Bearer {key} is not good enough"),
    });
    let fault = json!({"kind": "status", "code": code, "body": body});
    sandbox.admin("POST", "/faults", Some(json!([{"match": {"method": method}, "fault": fault}]))).await;
}

async fn says(place: &Place, words: &str) {
    place.status_is(words, |status| status["conditions"].to_string().contains(words)).await;
}

#[tokio::test]
async fn i23_the_key_appears_nowhere() {
    let sandbox = Sandbox::start();
    let place = Place::without_operator().await;
    let (namespace, _) = install(&[]).await;
    let kubeconfig = place.cluster.kubeconfig_for_service_account(&namespace, "scim-operator");
    let own: Value = serde_json::from_str(&std::fs::read_to_string(&kubeconfig).unwrap()).unwrap();
    let own = own["users"][0]["user"]["token"].as_str().unwrap().to_owned();
    let audit = scratch().join("data/audit.jsonl");
    let operator = Operator::builder(&kubeconfig, &namespace)
        .arg("--log-level=debug")
        .arg(&format!("--audit-log={}", audit.display()))
        .start();
    let test_anew = |number: usize| {
        let patch = json!({"spec": {"maxInFlight": number}}).to_string();
        place.kubectl(&["patch", "scimconnection", "jackson", "--type=merge", "-p", &patch]);
    };

    place.secret(&sandbox.token);
    place.apply(place.connection(json!({"provider": "Generic", "baseUrl": sandbox.base_url})));
    place.connection_is("Connected").await;
    place.user("ada", json!({}));
    place.synced("ada").await;

    repeats(&sandbox, "POST", 400, &sandbox.token).await;
    place.user("grace", json!({}));
    let grace = place.is("grace", "False", "Rejected").await;
    let message = condition(&grace, "Ready")["message"].to_string();
    assert!(message.contains("Bearer … is not good enough"), "{message}");
    sandbox.admin("DELETE", "/faults", None).await;
    for (number, (code, reason)) in
        [(401, "CredentialsRejected"), (403, "Forbidden"), (500, "ServerError")].into_iter().enumerate()
    {
        repeats(&sandbox, "GET", code, &sandbox.token).await;
        test_anew(5 + number);
        place.connection_is(reason).await;
        sandbox.admin("DELETE", "/faults", None).await;
        place.connection_is("Connected").await;
    }
    // A key that the server refuses, and one that no header can carry.
    repeats(&sandbox, "GET", 401, SECOND_KEY).await;
    place.secret(SECOND_KEY);
    says(&place, "is not good enough").await;
    sandbox.admin("DELETE", "/faults", None).await;
    place.secret(&format!("{UNSENDABLE_KEY}\n{UNSENDABLE_KEY}"));
    says(&place, "can't be sent in a header").await;
    place.secret(&sandbox.token);
    place.connection_is("Connected").await;
    place.user("grace", json!({}));
    place.synced("grace").await;
    place.kubectl(&["delete", "scimuser", "ada", "--timeout=90s"]);

    let metrics = format!("http://{}/metrics", operator.address().await);
    let metrics = http().get(&metrics).send().await.unwrap().text().await.unwrap();
    assert!(operator.terminate().success());
    let audit = eventually(kit::PATIENCE, "the audit stream", async || std::fs::read_to_string(&audit).ok()).await;
    let kinds = "scimusers,scimconnections,events.events.k8s.io,leases,configmaps";
    let objects = place.cluster.kubectl_ok(&["get", kinds, "--all-namespaces", "-o", "yaml"]);
    let places = [("log", operator.log()), ("metrics", metrics), ("audit stream", audit), ("objects", objects)];
    // Each of them has something to tell.
    for ((place, text), word) in places.iter().zip(["answered request=", "scim_", "ada", "is not good enough"]) {
        assert!(text.contains(word), "the {place} doesn't say {word:?}: {}", text.len());
    }
    assert!(places[0].1.contains("otel.kind"), "the libraries tell what they have to");
    for secret in [sandbox.token.as_str(), SECOND_KEY, UNSENDABLE_KEY, &own] {
        for form in [secret.to_owned(), STANDARD.encode(secret)] {
            for (place, text) in &places {
                let line = text.lines().find(|line| line.contains(&form));
                assert_eq!(line, None, "a key shows in the {place}");
            }
        }
    }
}
