//! What Flux (kstatus) and Argo CD (the health script of the docs) make of objects as the operator leaves them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::connected;
use crate::kit::{PATIENCE, condition, user};
use crate::support::{eventually, objects, part, repository};

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
        if condition(&ada, "Ready")["reason"] == "Suspended" { Ok(ada) } else { Err(ada["status"].clone()) }
    })
    .await;
    // Its newest generation is not carried out, and observedGeneration says so.
    assert_judged(&suspended, "InProgress", "Suspended");

    place.secret("wrong");
    place.connection_is("NewKeyRejected").await;
    assert_judged(&place.get_connection().await, "Current", "Healthy");
}

#[tokio::test]
async fn rosters_are_judged_as_they_stand() {
    let place = connected().await;
    let roster = |fields: Value| {
        let mut spec = json!({"connectionRef": {"name": "jackson"}, "preset": "EntraGeneric", "source": {"inline": [{
            "userPrincipalName": "ada@example.com", "mail": "ada@example.com", "isSoftDeleted": false, "givenName": "Ada",
            "surname": "Lovelace",
        }]}});
        for (name, value) in fields.as_object().unwrap() {
            spec[name] = value.clone();
        }
        json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "people"}, "spec": spec})
    };
    let stands = async |reason: &str| {
        eventually(PATIENCE, reason, async || {
            let roster = place.kubectl(&["get", "scimroster", "people", "-o", "json"]);
            let roster: Value = serde_json::from_str(&roster).unwrap();
            let ready = condition(&roster, "Ready");
            let newest = ready["observedGeneration"] == roster["metadata"]["generation"];
            if ready["reason"] == reason && newest { Ok(roster) } else { Err(roster["status"].clone()) }
        })
        .await
    };
    place.apply(roster(json!({})));
    assert_judged(&stands("Generated").await, "Current", "Healthy");
    place.apply(roster(json!({"suspend": true})));
    assert_judged(&stands("Suspended").await, "InProgress", "Suspended");
    place.apply(roster(json!({"source": {"configMaps": {"names": ["nowhere"]}}})));
    let message = assert_judged(&stands("SourceNotFound").await, "Failed", "Degraded");
    assert!(message.starts_with("SourceNotFound: "), "{message}");
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

/// The block as the API server reads it, aliases and all, has the script for every kind that there is.
#[test]
fn the_docs_have_the_script_for_every_kind() {
    let script = std::fs::read_to_string(repository().join(SCRIPT)).unwrap();
    let page = std::fs::read_to_string(repository().join("docs/gitops.md")).unwrap();
    let block = page.split("```yaml\n").find(|block| block.contains("name: argocd-cm")).expect("the ConfigMap");
    let config_map = &objects(block.split("```").next().unwrap())[0];
    let crds = objects(&std::fs::read_to_string(repository().join("crds/crds.yaml")).unwrap());
    for kind in crds.iter().map(|crd| crd["spec"]["names"]["kind"].as_str().unwrap()) {
        let said = |what: &str| &config_map["data"][format!("resource.customizations.{what}.scim-operator.dev_{kind}")];
        assert_eq!(said("health"), &json!(script), "{kind}");
        assert_eq!(said("ignoreDifferences"), "jsonPointers: [/status]\n", "{kind}");
    }
}
