//! Input that is wrong: a sentence that helps, never a panic.

use serde_json::json;

use crate::kit::Place;
use crate::support::{ControlPlane, Sandbox, free_port, scratch, unique};
use crate::{by_file, printed, program, scim, stderr};

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

/// A list is not empty because of a name that there isn't.
#[tokio::test]
async fn a_filter_that_names_nothing_is_told() {
    let place = Place::without_operator().await;
    place.cluster.install_crds().await;
    place.connect(json!({}));
    place.user("ada", json!({}));
    for args in [
        &["failures", "--connection", "jakson"][..],
        &["get", "users", "--connection", "cluster/jackson"],
        &["drift", "--connection", "jakson"],
        &["unmanaged", "--connection", "jakson"],
        &["report", "access", "--connection", "jakson"],
    ] {
        let output = scim(&place.namespace, args).await;
        let told = stderr(&output);
        assert!(output.status.code() == Some(1) && told.contains("there are: jackson"), "{args:?}: {told}");
    }
    let output = scim(&place.namespace, &["failures", "--reason", "Rejectd"]).await;
    assert!(output.status.code() == Some(1) && stderr(&output).contains("Rejected"), "{}", stderr(&output));
    let output = scim(&place.namespace, &["get", "rosters", "--called", "ada"]).await;
    assert!(stderr(&output).contains("only users and groups are filtered"), "{}", stderr(&output));
    for args in [
        &["get", "users", "--connection", "jackson"][..],
        &["report", "access", "--connection", "jackson", "--inactive"],
    ] {
        let output = scim(&place.namespace, args).await;
        assert!(
            output.status.success() && printed(&output).contains("ada@example.com"),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_files_keys_and_servers_is_told_in_a_sentence() {
    let sandbox = Sandbox::start();
    let nowhere = format!("http://127.0.0.1:{}/scim/v2", free_port());
    let half = scratch().join(format!("{}.yaml", unique("half")));
    std::fs::write(&half, "apiVersion: scim-operator.dev/v1alpha1\nkind: ScimConnection\nspec: [").expect("a file");
    let broken = scratch().join(format!("{}.jsonl", unique("broken")));
    std::fs::write(&broken, "not the audit stream\n").expect("a file");
    let (half, broken) = (half.to_string_lossy().into_owned(), broken.to_string_lossy().into_owned());
    let wrong_key = by_file(&unique("wrong"), &sandbox.base_url, "not-the-key-of-anybody", json!({}));
    let no_server = by_file(&unique("nowhere"), &nowhere, "not-the-key-of-anybody", json!({}));
    let of = |command: &str, files: &[String]| {
        [command].into_iter().chain(files.iter().map(String::as_str)).map(str::to_owned).collect::<Vec<_>>()
    };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    for (args, code, expected) in [
        (of("import", &wrong_key), 1, "401"),
        (of("import", &no_server), 1, "127.0.0.1"),
        (words(&format!("import -f {half}")), 1, "is not YAML"),
        (words(&format!("test -f {half}")), 1, "is not YAML"),
        (words(&format!("history {broken}")), 1, "none of its 1 lines is of the audit stream"),
        (words("history /there/is/none"), 1, "can't be read"),
        (words("roster preview -f /there/is/none"), 1, "can't be read"),
    ] {
        let output = program(std::path::Path::new("/there/is/none")).args(&args).output().expect("kubectl-scim");
        let told = format!("{}{}", stderr(&output), printed(&output));
        assert!(output.status.code() == Some(code) && told.contains(expected), "{args:?}: {:?}: {told}", output.status);
        assert!(!told.contains("panicked") && !told.contains("not-the-key"), "{args:?}: {told}");
    }
}

#[tokio::test]
async fn shells_and_man_are_served() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = crate::alone(&["completion", shell]).await;
        assert!(script.status.success() && printed(&script).contains("approve"), "{shell}: {}", stderr(&script));
    }
    let completed = crate::alone(&["complete", "--", "ap"]).await;
    assert!(
        printed(&completed).starts_with("approve\t") && printed(&completed).ends_with(":4\n"),
        "{}",
        printed(&completed)
    );
    let directory = scratch().join(unique("man"));
    let written = crate::alone(&["man", &directory.to_string_lossy()]).await;
    assert!(written.status.success(), "{}", stderr(&written));
    let page = std::fs::read_to_string(directory.join("kubectl-scim-plan.1")).expect("a page a command");
    assert!(page.contains("\\-\\-against"), "{page}");
}
