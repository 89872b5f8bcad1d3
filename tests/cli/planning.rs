//! `plan`: what the operator would do, without doing it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Front, Sandbox, free_port, repository, scratch, unique};
use crate::{json_of, printed, program, stderr};

const KEY: &str = "plan-key";

/// A folder of manifests for a connection to this server.
struct Folder {
    path: PathBuf,
    key: PathBuf,
}

impl Folder {
    fn of(base_url: &str, key: &str, spec: &Value, objects: &[Value]) -> Self {
        let path = scratch().join(unique("plan"));
        std::fs::create_dir_all(path.join("people")).expect("a folder");
        let mut connection = json!({
            "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimConnection", "metadata": {"name": "c"},
            "spec": {"baseUrl": base_url, "auth": {"bearerToken": {"secretKeyRef": {"name": "key", "key": "token"}}},
                "rateLimits": [{"requests": 10_000, "period": "1s", "burst": 10_000}]},
        });
        for (field, value) in spec.as_object().into_iter().flatten() {
            connection["spec"][field] = value.clone();
        }
        std::fs::write(path.join("connection.yaml"), connection.to_string()).expect("a manifest");
        let key_file = path.join("key");
        std::fs::write(&key_file, format!("{key}\n")).expect("a key");
        let folder = Self { path, key: key_file };
        folder.declare(objects);
        folder
    }

    /// These objects, and no others.
    fn declare(&self, objects: &[Value]) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        std::fs::write(self.path.join("people/all.json"), list.to_string()).expect("manifests");
    }

    async fn plan(&self, more: &[&str]) -> std::process::Output {
        let mut command = program(Path::new("/there/is/none"));
        command.args(["plan", "-R", "-f"]).arg(&self.path).arg("--key-file").arg(&self.key);
        command.arg("--allow-loopback-http").args(more).stdin(std::process::Stdio::null());
        tokio::task::spawn_blocking(move || command.output().expect("kubectl-scim")).await.expect("it ran")
    }
}

fn user(name: &str, title: &str) -> Value {
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser", "metadata": {"name": name},
        "spec": {"connectionRef": {"name": "c"}, "userName": format!("{name}@example.com"), "title": title},
    })
}

fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|name| json!({"userRef": {"name": name}})).collect();
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {"name": name},
        "spec": {"connectionRef": {"name": "c"}, "displayName": name, "membership": "Exact", "members": members},
    })
}

async fn account(sandbox: &Sandbox, name: &str, title: &str) -> String {
    let schemas = json!(["urn:ietf:params:scim:schemas:core:2.0:User"]);
    let body = json!({"schemas": schemas, "userName": format!("{name}@example.com"), "title": title, "active": true});
    let (status, made) = sandbox.scim("POST", "/Users", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().expect("an id").to_owned()
}

/// What one object comes to.
fn object<'a>(plans: &'a Value, name: &str) -> &'a Value {
    let all = plans[0]["objects"].as_array().expect("objects");
    all.iter().find(|object| object["name"] == name).unwrap_or_else(|| panic!("no {name} in {plans:#}"))
}

#[tokio::test]
async fn a_plan_reads_and_sends_nothing_else() {
    let sandbox = Sandbox::start();
    for name in ["ada", "grace", "gone"] {
        account(&sandbox, name, "Engineer").await;
    }
    let front = Front::before(&sandbox.base_url, &sandbox.token).asking_for("authorization", "Bearer plan-key").open();
    let everybody = [user("ada", "Countess"), user("grace", "Engineer"), user("new", "Apprentice")];
    let folder = Folder::of(&front.base_url, KEY, &json!({}), &everybody);
    let before = Folder::of(&front.base_url, KEY, &json!({}), &[user("ada", "Engineer"), user("gone", "Engineer")]);
    std::fs::remove_file(before.path.join("connection.yaml")).expect("one connection is enough");
    let mut all = everybody.to_vec();
    all.push(group("team", &["ada", "new"]));
    folder.declare(&all);
    let output = folder.plan(&["-o", "json", "--before", before.path.to_str().expect("a path")]).await;
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let plans = json_of(&output);
    let seen = front.take();
    assert!(seen.len() > 3 && seen.iter().all(|request| request.method == "GET"), "{seen:#?}");

    let ada = object(&plans, "ada");
    assert_eq!((&ada["action"], &ada["requests"][0]["method"]), (&json!("adopt"), &json!("PATCH")), "{ada}");
    assert_eq!(ada["changes"], json!([{"attribute": "title", "old": "Engineer", "new": "Countess"}]));
    assert_eq!(object(&plans, "grace")["requests"], Value::Null, "it is as declared");
    let new = object(&plans, "new");
    assert_eq!((&new["action"], &new["requests"]), (&json!("create"), &json!([{"method": "POST", "path": "/Users"}])));
    assert_eq!(object(&plans, "gone")["action"], "deactivate", "{plans:#}");
    let team = object(&plans, "team");
    assert_eq!((&team["action"], &team["members"]["added"]), (&json!("create"), &json!(["ada", "new"])), "{team}");
    assert!(!printed(&output).contains(KEY) && !stderr(&output).contains(KEY));
}

#[tokio::test]
async fn i13_what_would_be_held_is_shown_as_held_and_ends_with_3() {
    let sandbox = Sandbox::start();
    let mut everybody = Vec::new();
    for number in 0..9 {
        let name = format!("person-{number}");
        account(&sandbox, &name, "Engineer").await;
        everybody.push(user(&name, "Engineer"));
    }
    let before = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &everybody);
    let folder = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &everybody[..2]);
    std::fs::remove_file(before.path.join("connection.yaml")).expect("one connection is enough");
    let path = before.path.to_str().expect("a path").to_owned();
    let output = folder.plan(&["-o", "json", "--before", &path]).await;
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let plans = json_of(&output);
    assert_eq!(plans[0]["sums"]["held"], 7, "all of them or none: {plans:#}");
    assert_eq!(plans[0]["holds"][0]["deactivations"], 7, "{plans:#}");
    let one = object(&plans, "person-5");
    assert_eq!(one["held"], json!({"by": "removals", "needsAnswer": true}), "{one}");
    let shown = folder.plan(&["--before", &path, "-o", "markdown"]).await;
    let text = printed(&shown);
    assert!(
        text.contains("| deactivate (held) |") && text.contains("Held by guards.removals: 7 deactivations"),
        "{text}"
    );
}

#[tokio::test]
async fn what_was_imported_needs_no_change() {
    let sandbox = Sandbox::start();
    sandbox.admin("POST", "/seed", Some(json!({"users": 120}))).await;
    let folder = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &[]);
    std::fs::remove_file(folder.path.join("people/all.json")).expect("nobody is declared");
    let mut import = program(Path::new("/there/is/none"));
    import.arg("import").arg("-f").arg(folder.path.join("connection.yaml")).arg("--key-file").arg(&folder.key);
    import.arg("--allow-loopback-http").arg("--into").arg(folder.path.join("people"));
    let output = tokio::task::spawn_blocking(move || import.output().expect("kubectl-scim")).await.expect("it ran");
    assert!(output.status.success(), "{}", stderr(&output));
    let output = folder.plan(&[]).await;
    assert_eq!(output.status.code(), Some(0), "{}{}", printed(&output), stderr(&output));
    assert!(printed(&output).contains("120 to adopt; nothing is sent."), "{}", printed(&output));
}

#[tokio::test]
async fn i29_what_can_not_be_planned_is_said_in_a_sentence() {
    let sandbox = Sandbox::start();
    let ended = |output: &std::process::Output, needle: &str| {
        let text = stderr(output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(needle) && !text.contains("panicked") && text.lines().count() <= 3, "{needle}: {text}");
    };
    let wrong_key = Folder::of(&sandbox.base_url, "not-the-key", &json!({}), &[user("ada", "")]);
    ended(&wrong_key.plan(&[]).await, "CredentialsRejected");
    let dead = format!("http://127.0.0.1:{}/scim/v2", free_port());
    ended(&Folder::of(&dead, KEY, &json!({}), &[]).plan(&[]).await, "Unreachable");
    let folder = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &[user("ada", "Countess")]);
    ended(&folder.plan(&["user/grace"]).await, "there is no ScimUser grace");
    ended(&folder.plan(&["d"]).await, "there is no connection d; there are: default/c");
    let mut typo = user("ada", "Countess");
    typo["spec"]["tittle"] = json!("Countess");
    folder.declare(&[typo]);
    ended(&folder.plan(&[]).await, "title may be meant");
    std::fs::write(
        folder.path.join("people/half.yaml"),
        "apiVersion: scim-operator.dev/v1alpha1\nkind: ScimUser\nspec: [",
    )
    .expect("half");
    ended(&folder.plan(&[]).await, "half.yaml");
}

#[tokio::test]
async fn a_first_look_takes_seconds_and_no_cluster() {
    let mut command = std::process::Command::new(repository().join("examples/try/run"));
    let bin = Path::new(env!("CARGO_BIN_EXE_kubectl-scim")).parent().expect("a directory");
    command.env("BIN", bin).stdin(std::process::Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().expect("bash")).await.expect("it ran");
    let text = printed(&output);
    assert!(output.status.success(), "{text}{}", stderr(&output));
    for line in ["deactivate (held)", "Somebody changed this by hand → Rear Admiral", "POST /Users", "exit code 3"] {
        assert!(text.contains(line), "{line}: {text}");
    }
}
