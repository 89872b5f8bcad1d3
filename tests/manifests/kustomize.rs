//! The way without Helm: what `kubectl apply -k` of this repository brings is what the chart renders.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::support::{ControlPlane, Helm, Operator, eventually, http, repository};

const FILE: &str = "deploy/operator.yaml";
const HEAD: &str = "# What the chart renders with its defaults, but for its CRDs. Written by `make deploy`.\n";

/// The chart with its defaults, without what only helm knows what to do with.
fn rendered() -> String {
    let mut text = HEAD.to_owned();
    for mut object in Helm::offline("scim-operator").template("scim-operator", &["--set=crds.enabled=false"]) {
        if object["metadata"]["annotations"]["helm.sh/hook"].is_string() {
            continue;
        }
        for labels in ["/metadata/labels", "/spec/template/metadata/labels"] {
            if let Some(labels) = object.pointer_mut(labels).and_then(Value::as_object_mut) {
                labels.retain(|name, _| name != "helm.sh/chart" && name != "app.kubernetes.io/managed-by");
            }
        }
        write!(text, "---\n{}", serde_saphyr::to_string(&object).unwrap()).unwrap();
    }
    text
}

#[test]
fn the_kustomization_is_what_the_chart_renders() {
    let file = repository().join(FILE);
    if std::env::var_os("WRITE_DEPLOY").is_some() {
        fs::write(&file, rendered()).unwrap();
    }
    assert_eq!(fs::read_to_string(file).unwrap(), rendered(), "{FILE} is old: run `make deploy`");
}

#[tokio::test]
async fn apply_k_brings_an_operator_that_works() {
    let cluster = ControlPlane::shared().await;
    cluster.kubectl_ok(&["apply", "--server-side", "-k", repository().to_str().unwrap()]);
    cluster.await_kinds().await;
    let deployed = cluster.kubectl_ok(&["get", "deployment", "scim-operator", "-n", "scim-operator", "-o", "name"]);
    assert_eq!(deployed.trim(), "deployment.apps/scim-operator");
    // No pods run here: the operator is our own binary under the service account that was brought.
    let kubeconfig = cluster.kubeconfig_for_service_account("scim-operator", "scim-operator");
    let operator = Operator::start(&kubeconfig, "scim-operator");
    eventually(std::time::Duration::from_secs(60), "it leads and is ready", async || {
        let address = operator.address().await;
        let get =
            async |path: &str| http().get(format!("http://{address}{path}")).send().await.map_err(|e| e.to_string());
        let metrics = get("/metrics").await?.text().await.map_err(|e| e.to_string())?;
        let ready = get("/readyz").await?.status();
        if ready == 200 && metrics.contains("scim_operator_leader 1\n") { Ok(()) } else { Err(format!("{ready}")) }
    })
    .await;
    assert_eq!(operator.terminate().code(), Some(0));
    // Once more changes nothing: it is declared as a whole.
    let again = cluster.kubectl_ok(&["apply", "--server-side", "-k", repository().to_str().unwrap()]);
    assert!(again.lines().all(|line| line.ends_with("serverside-applied")), "{again}");
}
