//! Input that is wrong: a sentence that helps, never a panic.

use crate::support::{ControlPlane, scratch};
use crate::{program, stderr};

#[tokio::test]
async fn what_is_wrong_is_told_in_a_sentence() {
    let cluster = ControlPlane::shared().await;
    cluster.install_crds().await;
    let namespace = cluster.namespace().await;
    let nobody = cluster.kubeconfig_for_service_account(&namespace, "nobody");
    let nowhere = scratch().join("nowhere.kubeconfig");
    let text = std::fs::read_to_string(cluster.admin_kubeconfig()).expect("a kubeconfig");
    std::fs::write(&nowhere, text.replace(&cluster.server(), "https://127.0.0.1:1")).expect("a file");
    let missing = scratch().join("there-is-none");
    let admin = cluster.admin_kubeconfig();
    for (kubeconfig, args, expected) in [
        (nobody.as_path(), &["get", "users"][..], "may do"),
        (nobody.as_path(), &["status"], "cannot list"),
        (nowhere.as_path(), &["status"], "can't be reached"),
        (missing.as_path(), &["status"], "no way to a Kubernetes cluster"),
        (admin, &["get", "users", "--context", "other"], "has no context other"),
        (admin, &["get", "users", "--state", "Actve"], "there is no state \"Actve\""),
        (admin, &["holds", "3f2a"], "16 hex digits"),
        (admin, &["holds", "3f2a9c0d11b2e477"], "there is no hold"),
        (admin, &["sync", "users/"], "write KIND/NAME"),
        (admin, &["sync", "connection/none"], "there is no connection none"),
        (admin, &["suspend", "group/platform"], "can't be suspended by itself"),
        (admin, &["aprove", "x"], "approve"),
    ] {
        let tried = program(kubeconfig).args(["-n", &namespace]).args(args).output().expect("kubectl-scim");
        let told = stderr(&tried);
        assert_eq!(tried.status.code(), Some(1), "{args:?}: {told}");
        assert!(told.contains(expected) && !told.contains("panicked"), "{args:?}: {told}");
        assert!(told.lines().count() <= 8, "{args:?}: {told}");
    }
}
