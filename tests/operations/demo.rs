//! `make demo` in a cluster that is there, which it leaves as it was.

use std::process::Output;

use crate::support::{ControlPlane, guarded, part, repository};

/// The demo as it is, but with what these tests have built: its own build would replace binaries that others run.
const DEMO: &str = r#"
import importlib.machinery, importlib.util, sys
from pathlib import Path
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("demo", sys.argv[1])
demo = importlib.util.module_from_spec(importlib.util.spec_from_loader("demo", loader))
loader.exec_module(demo)
demo.KUBECTL = sys.argv[2]
demo.bring_parts = lambda own_cluster: Path(sys.argv[3])
sys.exit(demo.main())
"#;

const CRDS: [&str; 4] = ["get", "crds", "-o", "jsonpath={.items[*].metadata.name}"];

async fn demo(cluster: &ControlPlane, context: &str) -> Output {
    let mut demo = guarded("python3");
    demo.args(["-c", DEMO]).arg(repository().join("examples/demo")).arg(part("bin/kubectl"));
    demo.arg(env!("CARGO_BIN_EXE_scim-operator"));
    demo.env("ONCE", "1").env("CONTEXT", context).env("KUBECONFIG", cluster.admin_kubeconfig());
    tokio::task::spawn_blocking(move || demo.output().expect("python3")).await.expect("an end")
}

fn refuses(told: &Output, because: &str) {
    let errors = String::from_utf8_lossy(&told.stderr);
    assert!(!told.status.success() && errors.contains(because), "{errors}");
    assert!(!errors.contains("Traceback"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_leaves_a_cluster_as_it_was() {
    let cluster = ControlPlane::another("demo", &[]).await;
    let has_crds = || cluster.kubectl_ok(&CRDS).contains("scim-operator.dev");
    let has_namespace = || cluster.kubectl(&["get", "namespace", "scim-demo"]).status.success();

    refuses(&demo(cluster, "nobody").await, "there is no context nobody");

    let told = demo(cluster, "test").await;
    let text = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success(), "{text}{}", String::from_utf8_lossy(&told.stderr));
    assert!(text.contains("25 accounts, 25 of them active"), "{text}");
    assert!(!has_crds() && !has_namespace(), "{text}");

    // Somebody's installation: its definitions stay, be they the same or others.
    cluster.kubectl_ok(&["apply", "--server-side", "-f", &repository().join("crds").to_string_lossy()]);
    let told = demo(cluster, "test").await;
    let text = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success(), "{text}{}", String::from_utf8_lossy(&told.stderr));
    assert!(text.contains("the custom resource definitions, which were there before"), "{text}");
    assert!(has_crds() && !has_namespace(), "{text}");

    let older = r#"[{"op": "replace", "path": "/spec/names/shortNames", "value": ["older"]}]"#;
    cluster.kubectl_ok(&["patch", "crd", "scimconnections.scim-operator.dev", "--type=json", "-p", older]);
    refuses(&demo(cluster, "test").await, "custom resource definitions, in another version");
    let names = ["get", "crd", "scimconnections.scim-operator.dev", "-o", "jsonpath={.spec.names.shortNames}"];
    assert_eq!(cluster.kubectl_ok(&names), r#"["older"]"#);
    assert!(!has_namespace());

    // An operator of another's is at work.
    cluster.kubectl_ok(&[
        "apply",
        "--server-side",
        "--force-conflicts",
        "-f",
        &repository().join("crds").to_string_lossy(),
    ]);
    let renewed = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string();
    let lease = serde_json::json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "scim-operator"}, "spec": {"holderIdentity": "another", "renewTime": renewed}});
    cluster.apply("default", &lease.to_string());
    refuses(&demo(cluster, "test").await, "an operator is at work in this cluster");
    assert!(!has_namespace());
}
