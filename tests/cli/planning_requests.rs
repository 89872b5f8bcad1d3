//! `plan` in a pull request: what is told of a folder of manifests, and what comes of applying it.

use serde_json::{Value, json};

use crate::importing::{all_ready, at};
use crate::planning::{Folder, group, object, user};
use crate::support::{Sandbox, scratch, unique};
use crate::{json_of, printed, program, scim, stderr};

/// A folder of manifests, what a pull request is told of it, and what comes of applying it.
#[tokio::test]
async fn a_pull_request_is_rehearsed() {
    let sandbox = Sandbox::start();
    let place = at(&sandbox).await;
    place.kubectl(&[
        "patch",
        "scimconnection",
        "jackson",
        "--type=merge",
        "-p",
        r#"{"spec": {"resyncInterval": "24h", "driftPolicy": {"attributes": "Repair"}}}"#,
    ]);
    let folder = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &[]).without_connection();
    let here = |mut object: Value| {
        object["spec"]["connectionRef"] = json!({"name": "jackson"});
        object
    };
    folder.declare(&[user("ada", "Countess"), user("grace", "Admiral"), group("team", &["ada", "grace"])].map(here));
    let path = folder.path().to_owned();
    let of_cluster = ["plan", "--allow-loopback-http"];
    let with_files = [&of_cluster[..], &["-R", "-f", &path, "--against", "-o", "markdown"]].concat();
    let output = scim(&place.namespace, &with_files).await;
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(2), "{text}{}", stderr(&output));
    assert!(text.contains("**3 to create; 4 requests.**") && text.contains("+ada, +grace"), "{text}");
    assert_eq!(sandbox.admin("GET", "/journal", None).await, json!([]), "nothing was written");

    place.kubectl(&["apply", "--server-side", "-R", "-f", &path]);
    all_ready(&place, "scimuser").await;
    all_ready(&place, "scimgroup").await;
    for args in [&of_cluster[..], &with_files] {
        let output = scim(&place.namespace, args).await;
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}{}", printed(&output), stderr(&output));
    }

    let ada = place.users().await.into_iter().find(|user| user["metadata"]["name"] == "ada").expect("ada");
    let id = ada["status"]["id"].as_str().expect("an id").to_owned();
    let by_hand = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "title", "value": "Mistake"}]});
    let (status, answer) = sandbox.scim("PATCH", &format!("/Users/{id}"), Some(by_hand)).await;
    assert!(status < 300, "{answer}");
    let output = scim(&place.namespace, &[&of_cluster[..], &["user/ada", "-o", "json"]].concat()).await;
    assert_eq!(output.status.code(), Some(2), "{}{}", printed(&output), stderr(&output));
    let plans = json_of(&output);
    let change = json!([{"attribute": "title", "old": "Mistake", "new": "Countess"}]);
    assert_eq!(object(&plans, "ada")["changes"], change, "{plans:#}");

    // What kubectl scim wrote stays where files say nothing of it, as kubectl apply leaves it.
    let suspended = scim(&place.namespace, &["suspend", "user/ada"]).await;
    assert!(suspended.status.success(), "{}", stderr(&suspended));
    let output = scim(&place.namespace, &[&with_files[..6], &["-o", "json"]].concat()).await;
    let plans = json_of(&output);
    assert_eq!(object(&plans, "ada")["requests"], Value::Null, "{plans:#}");
    assert_eq!(output.status.code(), Some(0), "{plans:#}");
    let mut elsewhere = here(user("ada", "Countess"));
    elsewhere["spec"]["connectionRef"] = json!({"name": "other"});
    let other = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &[elsewhere]).without_connection();
    let moved = scim(&place.namespace, &[&of_cluster[..], &["-R", "-f", other.path(), "--against"]].concat()).await;
    assert!(
        moved.status.code() == Some(1) && stderr(&moved).contains("connectionRef can't be changed"),
        "{}",
        stderr(&moved)
    );
    assert!(scim(&place.namespace, &["resume", "user/ada"]).await.status.success());

    let output = scim(&place.namespace, &["explain", "user/ada", "--live", "--allow-loopback-http"]).await;
    let text = printed(&output);
    for part in ["declares ada@example.com", "read now: the account", "now: update: title", "the operator sends PATCH"]
    {
        assert!(text.contains(part), "{part}: {text}{}", stderr(&output));
    }
    let output = scim(&place.namespace, &["explain", "group/team"]).await;
    assert!(printed(&output).contains("2 declared, 2 in the group, 0 waited for"), "{}", printed(&output));

    // With the rights of the page, and the key from the environment.
    let kubeconfig = place.cluster.kubeconfig_for_service_account(&place.namespace, "planner");
    let page =
        crate::workflows::block("plan.yaml").replace("namespace: identity", &format!("namespace: {}", place.namespace));
    let file = scratch().join(format!("{}.yaml", unique("rights")));
    std::fs::write(&file, page).expect("a file");
    place.kubectl(&["apply", "-f", &file.to_string_lossy()]);
    let account = format!("--serviceaccount={}:planner", place.namespace);
    place.kubectl(&["create", "rolebinding", "planner", "--role=scim-plan", &account]);
    let mut command = program(&kubeconfig);
    command
        .args(["-n", &place.namespace])
        .args(["plan", "jackson", "--allow-loopback-http"])
        .env("SCIM_KEY", &sandbox.token);
    let output = tokio::task::spawn_blocking(move || command.output().expect("kubectl-scim")).await.expect("it ran");
    assert_eq!(output.status.code(), Some(2), "{}{}", printed(&output), stderr(&output));
    let hook = async |people: Value| {
        // As a ConfigMap is mounted.
        let commit = scratch().join(unique("commit"));
        std::fs::create_dir_all(&commit).expect("a folder");
        std::fs::write(commit.join("people.yaml"), people.to_string()).expect("a file");
        let mut hook = crate::workflows::hook(&place.namespace, &commit.to_string_lossy(), &sandbox.base_url);
        hook.env("KUBECONFIG", &kubeconfig).env("SCIM_KEY", &sandbox.token);
        tokio::task::spawn_blocking(move || hook.output().expect("sh")).await.expect("it ran")
    };
    // What is about to be synced is planned, and not what is there.
    let output = hook(here(user("ada", "Admiral"))).await;
    assert_eq!(output.status.code(), Some(0), "a change is let through: {}{}", printed(&output), stderr(&output));
    assert!(printed(&output).contains("Admiral"), "{}", printed(&output));
    let mut moved = here(user("ada", "Admiral"));
    moved["spec"]["connectionRef"] = json!({"name": "nowhere"});
    let output = hook(moved).await;
    let said = format!("{}{}", printed(&output), stderr(&output));
    assert_ne!(output.status.code(), Some(0), "what can't be carried out keeps the sync back: {said}");
}
