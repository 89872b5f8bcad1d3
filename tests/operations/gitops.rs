//! What Flux (kstatus) and Argo CD (the health script of the docs) make of objects as the operator leaves them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::connected;
use crate::kit::{PATIENCE, condition, user};
use crate::support::{eventually, part, repository};

const SCRIPT: &str = "docs/gitops/health.lua";

/// The two verdicts, and Argo CD's message.
fn judged(object: &Value) -> (String, String, String) {
    let mut judge = Command::new(part("bin/gitops"))
        .arg(repository().join(SCRIPT))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the judge");
    judge.stdin.take().unwrap().write_all(format!("{object}\n").as_bytes()).unwrap();
    let output = judge.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?} of {object}");
    let said: Value = serde_json::from_slice(&output.stdout).expect("a verdict");
    let text = |name: &str| said[name].as_str().unwrap().to_owned();
    (text("flux"), text("argo"), text("message"))
}

fn assert_judged(object: &Value, flux: &str, argo: &str) -> String {
    let (said_flux, said_argo, message) = judged(object);
    assert_eq!((said_flux.as_str(), said_argo.as_str()), (flux, argo), "{message}: {object:#}");
    message
}

#[tokio::test]
async fn objects_are_judged_as_they_stand() {
    let place = connected().await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    let ada = place.get("ada").await.expect("ada");
    assert_judged(&ada, "Current", "Healthy");
    assert_judged(&place.get_connection().await, "Current", "Healthy");

    // A twin wants the same account.
    place.user("twin", json!({"userName": "ada@example.com"}));
    let twin = place.is("twin", "False", "Conflict").await;
    let message = assert_judged(&twin, "Failed", "Degraded");
    assert!(message.starts_with("Conflict: "), "{message}");

    let mut changed = ada.clone();
    changed["metadata"]["generation"] = json!(99);
    assert_judged(&changed, "InProgress", "Progressing");
    let mut leaving = ada.clone();
    leaving["metadata"]["deletionTimestamp"] = json!("2026-11-24T10:00:00Z");
    let (flux, _, _) = judged(&leaving);
    assert_eq!(flux, "Terminating");

    place.user("ada", json!({"suspend": true}));
    let suspended = eventually(PATIENCE, "its suspension is seen", async || {
        let ada = place.get("ada").await.expect("ada");
        let current = ada["status"]["observedGeneration"] == ada["metadata"]["generation"];
        if current && condition(&ada, "Ready")["status"] == "True" { Ok(ada) } else { Err(ada["status"].clone()) }
    })
    .await;
    assert_judged(&suspended, "Current", "Suspended");

    place.secret("wrong");
    place.connection_is("NewKeyRejected").await;
    assert_judged(&place.get_connection().await, "Current", "Healthy");
}

#[tokio::test]
async fn a_connection_that_fails_is_degraded_and_a_new_object_is_in_progress() {
    crate::operator().await;
    let place = crate::kit::Place::without_operator().await;
    place.apply(place.connection(json!({})));
    place.connection_is("SecretNotFound").await;
    // It waits for what somebody else brings, or it is over: never done.
    let (flux, argo, message) = judged(&place.get_connection().await);
    assert!(["InProgress", "Failed"].contains(&flux.as_str()), "{flux}: {message}");
    assert!(["Progressing", "Degraded"].contains(&argo.as_str()), "{argo}: {message}");

    // As the API server makes it, before anybody looked at it.
    let mut new = user("grace", json!({"connectionRef": {"name": "nobody"}}));
    new["metadata"]["generation"] = json!(1);
    new["status"] = json!({"observedGeneration": -1});
    assert_judged(&new, "InProgress", "Progressing");
}

#[test]
fn the_docs_have_the_script() {
    let script = std::fs::read_to_string(repository().join(SCRIPT)).unwrap();
    let page = std::fs::read_to_string(repository().join("docs/gitops.md")).unwrap();
    let indented = |by: &str| {
        let lines = script.lines().map(|line| if line.is_empty() { String::new() } else { format!("{by}{line}") });
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(page.matches(&indented("    ")).count(), 2, "docs/gitops.md has another script than {SCRIPT}");
}
