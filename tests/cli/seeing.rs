//! `status`: what a gate is told by its exit code.

use serde_json::{Value, json};

use crate::kit::Place;
use crate::support::{scratch, unique};
use crate::workflows::block;
use crate::{printed, program, stderr};

fn ready(status: &str, reason: &str, message: &str) -> String {
    let condition = json!({"type": "Ready", "status": status, "reason": reason, "message": message,
        "lastTransitionTime": "2026-11-28T12:00:00Z"});
    json!({"status": {"conditions": [condition]}}).to_string()
}

/// While a roster can't be carried out leavers keep their access, and its ScimUsers stay Synced.
#[tokio::test]
async fn i31_status_fails_with_a_roster_and_where_nothing_is_there() {
    let place = Place::without_operator().await;
    place.cluster.install_crds().await;
    let namespace = place.namespace.as_str();
    // With the rights of the page: connections of the cluster are other tests' here.
    let file = scratch().join(format!("{}.yaml", unique("rights")));
    std::fs::write(&file, block("status.yaml").replace("namespace: identity", &format!("namespace: {namespace}")))
        .expect("a file");
    place.kubectl(&["apply", "-f", &file.to_string_lossy()]);
    let kubeconfig = place.cluster.kubeconfig_for_service_account(namespace, "scim-status");
    let status = || program(&kubeconfig).args(["-n", namespace, "status"]).output().expect("kubectl-scim");
    let nothing = status();
    let told = stderr(&nothing);
    assert_eq!(nothing.status.code(), Some(1), "{told}");
    assert!(told.contains(&format!("no connection, roster, user or group in the namespace {namespace}")), "{told}");
    let holds = program(&kubeconfig).args(["-n", namespace, "holds"]).output().expect("kubectl-scim");
    assert!(stderr(&holds).contains(&format!("nothing is held in the namespace {namespace}")), "{}", stderr(&holds));

    let patch = |kind: &str, name: &str, patch: &str| {
        place.kubectl(&["patch", kind, name, "--subresource=status", "--type=merge", "-p", patch]);
    };
    place.connect(json!({}));
    patch("scimconnection", "jackson", &ready("True", "Connected", ""));
    let roster = |suspend: bool| -> Value {
        json!({
            "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "people"},
            "spec": {"connectionRef": {"name": "jackson"}, "source": {"configMaps": {"namePrefix": "people"}},
                "mappings": [{"target": "userName", "value": "row.mail"}], "suspend": suspend},
        })
    };
    place.apply(roster(false));
    patch("scimroster", "people", &ready("True", "Synced", ""));
    assert_eq!(status().status.code(), Some(0), "{}", stderr(&status()));
    patch("scimroster", "people", &ready("False", "SourceNotFound", "no ConfigMap is called people"));
    let fails = status();
    assert_eq!(fails.status.code(), Some(2), "{}{}", printed(&fails), stderr(&fails));
    let said = format!("{namespace}/people: SourceNotFound: no ConfigMap is called people");
    assert!(printed(&fails).contains(&said), "{}", printed(&fails));
    place.apply(roster(true));
    assert_eq!(status().status.code(), Some(0), "what is suspended is meant so: {}", printed(&status()));
}
