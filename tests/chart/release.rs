//! A release's whole life: install, upgrade, roll back, uninstall, install again. Nobody's account is touched by it.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::kit::{PATIENCE, Place, user};
use crate::support::{ControlPlane, Helm, Operator, eventually, packaged_chart, repository};

const RELEASE: &str = "scim-operator";
const POLICIES: &str = "--set=admissionPolicies.approve.enabled=true,admissionPolicies.approve.separate=true,\
    admissionPolicies.guards.enabled=true,admissionPolicies.labels.enabled=true";

/// No pods run here: the operator is our own binary under the release's service account.
fn start(cluster: &ControlPlane, namespace: &str) -> Operator {
    let kubeconfig = cluster.kubeconfig_for_service_account(namespace, "scim-operator");
    Operator::builder(&kubeconfig, namespace).arg("--lease-duration=5").arg("--lease-renewal=1").start()
}

#[tokio::test]
async fn a_release_lives_and_nobodys_account_notices() {
    let cluster = ControlPlane::shared().await;
    let place = Place::without_operator().await;
    let namespace = cluster.namespace().await;
    cluster.kubectl_ok(&["label", "namespace", &namespace, "pod-security.kubernetes.io/enforce=restricted"]);
    let helm = Helm::admin(cluster.admin_kubeconfig(), &namespace);
    let chart = packaged_chart();

    let early = an_operator_waits_for_its_kinds(cluster).await;

    // The first chart of all, whose kinds were connections and users alone.
    let older = repository().join("tests/chart/scim-operator-0.1.0.tgz").to_string_lossy().into_owned();
    let values = json!({"grace": {"namespace": place.namespace, "spec": user("grace", json!({}))["spec"]}});
    let users = format!("--set-json=users={values}");
    helm.ok(&["install", RELEASE, &older, &users]);
    cluster.kubectl_ok(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
    let ada = as_the_old_one_left_it(&place).await;
    let before = place.directory.writes().await;

    // The upgrade brings the kinds that are new, and fields to the old ones.
    let shared = json!({"shared": {"spec": {"baseUrl": "https://scim.example.com", "delegation": [{"namespaceSelector": {"matchLabels": {"team": "x"}}}],
        "auth": {"bearerToken": {"secretKeyRef": {"name": "key", "key": "token"}}}}}});
    let shared = format!("--set-json=clusterConnections={shared}");
    let notes = helm.ok(&["upgrade", RELEASE, &chart, &shared]);
    assert!(notes.contains("Run the same command once more"), "{notes}");
    assert!(notes.contains("helm uninstall touches nobody's account"), "{notes}");
    cluster.await_kinds().await;
    eventually(PATIENCE, "the early one is ready", async || probe(&early, "/readyz").await).await;
    assert_eq!(early.terminate().code(), Some(0));
    the_pods_are_admitted(cluster, &helm, &namespace);

    // Who was bound stays so: under this policy nobody is taken over.
    let operator = start(cluster, &namespace);
    assert_eq!(place.synced("ada").await, ada);
    place.sweeps(1).await;
    assert_eq!(place.directory.writes().await, before, "an account was touched by the upgrade");

    // Now the kinds are served, and the users of the values are there; the operator works on under every policy.
    helm.ok(&["upgrade", RELEASE, &chart, &users, &shared, POLICIES]);
    let policies = || cluster.kubectl_ok(&["get", "validatingadmissionpolicies", "-o", "name"]).lines().count();
    assert_eq!(policies(), 5);
    let grace = place.synced("grace").await;
    let image = cluster.kubectl_ok(&["get", "-n", &namespace, "deployment", "-o", "jsonpath={..containers[0].image}"]);
    assert!(image.ends_with(concat!(":", env!("CARGO_PKG_VERSION"))), "{image}");
    the_test_pod_passes(&helm, &operator).await;

    let before = place.directory.writes().await;
    helm.ok(&["rollback", RELEASE, "1"]);
    assert_eq!(policies(), 0, "rolled back");
    everybody_is_there(&place, &[("ada", &ada), ("grace", &grace)]).await;

    helm.ok(&["uninstall", RELEASE]);
    everybody_is_there(&place, &[("ada", &ada), ("grace", &grace)]).await;
    operator.terminate();
    cluster.kubectl_ok(&["get", "clusterscimconnection", "shared"]);
    let rights = cluster.kubectl(&["get", "clusterrole", "scim-operator"]);
    assert!(!rights.status.success(), "the rights stayed");

    // The way that the notes print, while no operator runs.
    let no_finalizers = r#"{"metadata":{"finalizers":null}}"#;
    place.kubectl(&["patch", "scimuser", "ada", "--type=merge", "-p", no_finalizers]);
    place.kubectl(&["delete", "scimuser", "ada", "--timeout=30s"]);
    assert_eq!(place.directory.writes().await, before, "an account was touched");

    helm.ok(&["install", RELEASE, &chart]);
    let operator = start(cluster, &namespace);
    assert_eq!(place.synced("grace").await, grace);
    place.sweeps(1).await;
    assert_eq!(place.directory.writes().await, before, "an account was touched");
    place.user("grace", json!({"title": "Admiral"}));
    place.account_is(&grace, "the new title", |account| account["raw"]["title"] == "Admiral").await;
    assert_eq!(operator.terminate().code(), Some(0));
}

/// A connection, and a user whom an operator of that version has provisioned: their account, and what it recorded.
async fn as_the_old_one_left_it(place: &Place) -> String {
    eventually(PATIENCE, "kubectl knows the old kinds", async || {
        let connection = place.connection(json!({"adoptionPolicy": {"users": "Refuse"}})).to_string();
        let tried = place.cluster.try_apply(&place.namespace, &connection);
        if tried.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&tried.stderr).into_owned()) }
    })
    .await;
    place.secret(&place.directory.token);
    let mut ada = user("ada", json!({}));
    let mut account = ada["spec"].clone();
    account.as_object_mut().unwrap().remove("connectionRef");
    account["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:User"]);
    let (status, made) = place.directory.scim("POST", "/Users", Some(account)).await;
    assert_eq!(status, 201, "{made}");
    ada["metadata"]["finalizers"] = json!(["scim-operator.dev/deprovision"]);
    place.apply(ada);
    // The server's name: a hash over its address and the tenant, of which there is none.
    let server = Sha256::digest(format!("{}\0", place.directory.base_url));
    let server = server.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
    let status = json!({"status": {
        "observedGeneration": 1, "state": "Active", "id": made["id"], "boundTo": server, "userName": "ada@example.com",
        "active": true, "lastAppliedActive": true, "lastOperation": {"type": "Create", "at": "2026-11-24T10:00:00Z"},
        "managedAttributes": ["active", "name.familyName", "name.givenName", "userName"],
    }});
    place.kubectl(&["patch", "scimuser", "ada", "--subresource=status", "--type=merge", "-p", &status.to_string()]);
    made["id"].as_str().expect("an id").to_owned()
}

/// Started before the CRDs are there: one line, and no end.
async fn an_operator_waits_for_its_kinds(cluster: &ControlPlane) -> Operator {
    let operator = Operator::start(cluster.admin_kubeconfig(), &cluster.namespace().await);
    eventually(PATIENCE, "it says what it waits for", async || {
        operator.log().contains("waiting for the CRDs").then_some(())
    })
    .await;
    let said = probe(&operator, "/readyz").await.expect_err("it can't be ready");
    assert!(said.contains("503"), "{said}");
    probe(&operator, "/livez").await.expect("it lives");
    assert_eq!(operator.log().matches("waiting for the CRDs").count(), 1, "{}", operator.log());
    operator
}

/// `scim-operator probe`, as the test pod runs it.
async fn probe(operator: &Operator, path: &str) -> Result<(), String> {
    let url = format!("http://{}{path}", operator.address().await);
    let asked = Command::new(env!("CARGO_BIN_EXE_scim-operator")).args(["probe", &url]).output().unwrap();
    if asked.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&asked.stderr).into_owned()) }
}

/// The lines of the pages, each page after the other, in a cluster that has never seen a release.
#[tokio::test]
async fn the_pages_install_it_by_their_own_lines() {
    let cluster = ControlPlane::another("pages", &[]).await;
    let (helm, chart) = (Helm::admin(cluster.admin_kubeconfig(), "scim-operator"), packaged_chart());
    let mut installed = 0;
    for page in ["charts/scim-operator/README.md", "README.md", "docs/install.md"] {
        let text = fs::read_to_string(repository().join(page)).unwrap().replace("\\\n", " ");
        // No pods run here, which is what `helm test` takes.
        let lines = text.lines().filter(|line| line.starts_with("helm ") && !line.starts_with("helm test"));
        for line in lines.map(|line| line.replace("oci://ghcr.io/scim-operator/charts/scim-operator", &chart)) {
            if line.starts_with("helm install") {
                if installed > 0 {
                    helm.line("helm uninstall scim-operator -n scim-operator");
                }
                installed += 1;
            }
            helm.line(&line);
        }
    }
    assert_eq!(installed, 3, "a page has no line that installs");
}

async fn everybody_is_there(place: &Place, people: &[(&str, &str)]) {
    for (name, id) in people {
        let object = place.get(name).await.expect("the object stays");
        assert_eq!(object["metadata"]["deletionTimestamp"], Value::Null, "{object}");
        assert_eq!(object["status"]["id"], *id);
        assert_eq!(place.account(id).await.expect("the account stays")["active"], true);
    }
}

/// By the API server's own admission, in a namespace that enforces the restricted standard.
fn the_pods_are_admitted(cluster: &ControlPlane, helm: &Helm, namespace: &str) {
    let all = helm.template(RELEASE, &["--set=extraContainers=null"]);
    let deployment = all.iter().find(|object| object["kind"] == "Deployment").unwrap();
    let pods = [
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "as-deployed"},
            "spec": deployment["spec"]["template"]["spec"]}),
        all.iter().find(|object| object["kind"] == "Pod").unwrap().clone(),
    ];
    for pod in pods {
        cluster.apply(namespace, &pod.to_string());
        let name = pod["metadata"]["name"].as_str().unwrap();
        cluster.kubectl_ok(&["delete", "pod", name, "-n", namespace, "--grace-period=0", "--force"]);
    }
    let rude = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "rude"},
        "spec": {"containers": [{"name": "a", "image": "b"}]}});
    assert!(!cluster.try_apply(namespace, &rude.to_string()).status.success(), "the standard is not enforced");
}

/// What the pod of `helm test` runs, but for the address.
async fn the_test_pod_passes(helm: &Helm, operator: &Operator) {
    let hooks = helm.ok(&["get", "hooks", RELEASE]);
    let pod = &crate::support::objects(&hooks)[0];
    assert_eq!(pod["metadata"]["annotations"]["helm.sh/hook"], "test");
    let args = pod["spec"]["containers"][0]["args"].as_array().unwrap();
    let service = format!("http://scim-operator.{}.svc:8080", helm.namespace);
    let address = format!("http://{}", operator.address().await);
    let args: Vec<String> = args.iter().map(|arg| arg.as_str().unwrap().replace(&service, &address)).collect();
    assert!(args.contains(&format!("{address}/readyz")), "{args:?}");
    let passed = Command::new(env!("CARGO_BIN_EXE_scim-operator")).args(args).output().unwrap();
    assert!(passed.status.success(), "{passed:?}");
    probe(operator, "/nothing-here").await.expect_err("404 is not good");
}
