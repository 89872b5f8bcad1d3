//! Terminals, pipes, and input that is wrong: a sentence that helps, never a panic.

use std::process::Stdio;

use serde_json::json;

use crate::kit::Place;
use crate::support::{ControlPlane, scratch};
use crate::{printed, program, said};

#[tokio::test]
async fn a_table_fits_the_terminal_and_is_whole_in_a_pipe() {
    let place = Place::without_operator().await;
    place.cluster.install_crds().await;
    place.user("a-person-with-quite-a-long-name-for-a-table", json!({}));
    let bin = env!("CARGO_BIN_EXE_kubectl-scim");
    let at_terminal = |more: &str| {
        let line = format!("stty cols 60 && {bin} -n {} get users {more}", place.namespace);
        let mut command = std::process::Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).env("KUBECONFIG", place.cluster.admin_kubeconfig());
        command.env("TERM", "xterm").env_remove("NO_COLOR").stdin(Stdio::null());
        command
    };
    let narrow = printed(&at_terminal("").output().expect("script"));
    assert!(narrow.contains('\u{1b}'), "there are colours: {narrow:?}");
    let plain = printed(&at_terminal("--no-color").output().expect("script"));
    assert!(!plain.contains('\u{1b}') && plain.lines().all(|line| line.trim_end().chars().count() <= 60), "{plain}");
    let no_color = printed(&at_terminal("").env("NO_COLOR", "1").output().expect("script"));
    assert!(!no_color.contains('\u{1b}'), "{no_color:?}");
    let mut piped = program(place.cluster.admin_kubeconfig());
    let piped =
        printed(&piped.args(["-n", &place.namespace, "get", "users", "-o", "wide"]).output().expect("an answer"));
    assert!(piped.lines().count() == 2 && piped.lines().nth(1).is_some_and(|line| line.len() > 100), "{piped}");
    // A reader that goes away is no error.
    let line = format!("{bin} -n {} get users -o json | true; echo ${{PIPESTATUS[0]}}", place.namespace);
    let mut closed = std::process::Command::new("bash");
    closed.args(["-c", &line]).env("KUBECONFIG", place.cluster.admin_kubeconfig());
    assert_eq!(printed(&closed.output().expect("bash")).trim(), "0");
}

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
        (missing.as_path(), &["status"], "no way to a cluster"),
        (admin, &["get", "users", "--context", "other"], "no way to a cluster"),
        (admin, &["get", "users", "--state", "Actve"], "there is no state \"Actve\""),
        (admin, &["holds", "3f2a"], "16 hex digits"),
        (admin, &["holds", "3f2a9c0d11b2e477"], "there is no hold"),
        (admin, &["sync", "users/"], "write KIND/NAME"),
        (admin, &["sync", "connection/none"], "there is no connection none"),
        (admin, &["suspend", "group/platform"], "can't be suspended by itself"),
        (admin, &["aprove", "x"], "approve"),
    ] {
        let tried = program(kubeconfig).args(["-n", &namespace]).args(args).output().expect("kubectl-scim");
        let told = said(&tried);
        assert_eq!(tried.status.code(), Some(1), "{args:?}: {told}");
        assert!(told.contains(expected) && !told.contains("panicked"), "{args:?}: {told}");
        assert!(told.lines().count() <= 8, "{args:?}: {told}");
    }
}
