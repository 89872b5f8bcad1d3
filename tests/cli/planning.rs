//! `plan`: what the operator would do, without doing it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Front, Jackson, Library, Sandbox, Scim2Server, free_port, repository, scratch, unique};
use crate::{json_of, printed, program, stderr};

const KEY: &str = "plan-key";

/// A folder of manifests for a connection to this server.
pub struct Folder {
    pub path: PathBuf,
    pub key: PathBuf,
}

impl Folder {
    pub fn of(base_url: &str, key: &str, spec: &Value, objects: &[Value]) -> Self {
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
    pub fn declare(&self, objects: &[Value]) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        std::fs::write(self.path.join("people/all.json"), list.to_string()).expect("manifests");
    }

    /// Without its connection: another folder has it.
    pub fn without_connection(self) -> Self {
        std::fs::remove_file(self.path.join("connection.yaml")).expect("it had one");
        self
    }

    pub fn path(&self) -> &str {
        self.path.to_str().expect("a path")
    }

    pub async fn plan(&self, more: &[&str]) -> std::process::Output {
        let mut command = program(Path::new("/there/is/none"));
        command.args(["plan", "-R", "-f"]).arg(&self.path).arg("--key-file").arg(&self.key);
        command.arg("--allow-loopback-http").args(more).stdin(std::process::Stdio::null());
        tokio::task::spawn_blocking(move || command.output().expect("kubectl-scim")).await.expect("it ran")
    }
}

pub fn user(name: &str, title: &str) -> Value {
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser", "metadata": {"name": name},
        "spec": {"connectionRef": {"name": "c"}, "userName": format!("{name}@example.com"), "title": title},
    })
}

pub fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|name| json!({"userRef": {"name": name}})).collect();
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {"name": name},
        "spec": {"connectionRef": {"name": "c"}, "displayName": name, "membership": "Exact", "members": members},
    })
}

pub async fn account(sandbox: &Sandbox, name: &str, title: &str) -> String {
    let schemas = json!(["urn:ietf:params:scim:schemas:core:2.0:User"]);
    let body = json!({"schemas": schemas, "userName": format!("{name}@example.com"), "title": title, "active": true});
    let (status, made) = sandbox.scim("POST", "/Users", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().expect("an id").to_owned()
}

/// What one object comes to.
pub fn object<'a>(plans: &'a Value, name: &str) -> &'a Value {
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
    let mut all = everybody.to_vec();
    all.push(group("team", &["ada", "new"]));
    folder.declare(&all);
    let output = folder.plan(&["-o", "json", "--before", before.path()]).await;
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
    let schema = std::fs::read_to_string(repository().join("docs/plan.schema.json")).expect("the schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let wrong: Vec<String> = jsonschema::draft202012::new(&schema)
        .expect("a schema")
        .iter_errors(&plans)
        .map(|error| error.to_string())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
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
    let path = before.path().to_owned();
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

/// Whoever goes without ever having had an account takes nobody's turn.
#[tokio::test]
async fn who_goes_without_an_account_counts_against_no_guard() {
    let sandbox = Sandbox::start();
    let guards = json!({"guards": {"creates": {"maxCount": 2, "window": "24h"}}});
    let new = [user("new-1", "Apprentice"), user("new-2", "Apprentice")];
    let gone = ["a", "b", "c"].map(|name| user(&format!("gone-{name}"), "Engineer"));
    let folder = Folder::of(&sandbox.base_url, &sandbox.token, &guards, &new);
    let before = Folder::of(&sandbox.base_url, &sandbox.token, &guards, &gone);
    let output = folder.plan(&["-o", "json", "--before", before.path()]).await;
    let plans = json_of(&output);
    let sums = &plans[0]["sums"];
    assert_eq!((&sums["create"], &sums["queued"]), (&json!(2), &json!(0)), "{plans:#}");
    let creates =
        plans[0]["guards"].as_array().and_then(|all| all.iter().find(|guard| guard["name"] == "creates").cloned());
    assert_eq!(creates.expect("the guard")["used"], 2, "{plans:#}");
    for name in ["gone-a", "gone-b", "gone-c"] {
        assert_eq!(object(&plans, name)["action"], "nothing", "{plans:#}");
    }
}

/// Imports everything from a server into a folder; then nothing is to be changed. `shows` says whether the server shows
/// who is in a group.
async fn import_and_plan(base_url: &str, key: &str, spec: Value, (users, groups): (usize, usize), shows: bool) {
    let folder = Folder::of(base_url, key, &spec, &[]);
    std::fs::remove_file(folder.path.join("people/all.json")).expect("nobody is declared");
    let mut import = program(Path::new("/there/is/none"));
    import.arg("import").arg("-f").arg(folder.path.join("connection.yaml")).arg("--key-file").arg(&folder.key);
    import.args(["--allow-loopback-http", "--into"]).arg(folder.path.join("people"));
    let output = tokio::task::spawn_blocking(move || import.output().expect("kubectl-scim")).await.expect("it ran");
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(if shows { 0 } else { 2 }), "{base_url}: {told}");
    assert_eq!(told.contains("does not show its members"), !shows, "{base_url}: {told}");
    assert!(told.contains(&format!("{users} users and {groups} groups imported")), "{base_url}: {told}");
    let output = folder.plan(&[]).await;
    assert_eq!(output.status.code(), Some(0), "{base_url}: {}{}", printed(&output), stderr(&output));
    let text = printed(&output);
    let count = users + groups;
    assert!(text.contains(&format!("{count} to adopt; nothing is sent.")), "{base_url}: {text}");
}

#[tokio::test]
async fn what_was_imported_needs_no_change() {
    let sandbox = Sandbox::start();
    sandbox.admin("POST", "/seed", Some(json!({"users": 120}))).await;
    let (_, all) = sandbox.scim("GET", "/Users?count=2", None).await;
    let (status, answer) = sandbox.scim("POST", "/Groups", Some(engines(&all["Resources"]))).await;
    assert_eq!(status, 201, "{answer}");
    import_and_plan(&sandbox.base_url, &sandbox.token, json!({}), (120, 1), true).await;
    let jackson = Jackson::shared().await.new_directory("generic-scim-v2").await;
    let mut made = Vec::new();
    for name in ["ada", "grace"] {
        let (status, answer) = jackson.scim("POST", "/Users", Some(person(name))).await;
        assert_eq!(status, 201, "{answer}");
        made.push(answer);
    }
    let (status, answer) = jackson.scim("POST", "/Groups", Some(engines(&made.into()))).await;
    assert_eq!(status, 201, "{answer}");
    import_and_plan(&jackson.base_url, &jackson.token, json!({"provider": "Jackson"}), (2, 1), false).await;
    for tenant in [Scim2Server::shared().await.tenant(), Library::scim_sdk().await.tenant()] {
        let mut made = Vec::new();
        for name in ["ada", "grace"] {
            let (status, answer) = tenant.scim("POST", "/Users", Some(person(name))).await;
            assert_eq!(status, 201, "{}: {answer}", tenant.base_url);
            made.push(answer);
        }
        let (status, answer) = tenant.scim("POST", "/Groups", Some(engines(&made.into()))).await;
        assert_eq!(status, 201, "{}: {answer}", tenant.base_url);
        import_and_plan(&tenant.base_url, &tenant.token, json!({}), (2, 1), true).await;
    }
}

fn person(name: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": format!("{name}@example.com"), "active": true, "title": "Engineer",
        "name": {"givenName": name, "familyName": "Example"},
        "emails": [{"value": format!("{name}@example.com"), "type": "work", "primary": true}],
    })
}

/// A group with these in it.
fn engines(people: &Value) -> Value {
    let members: Vec<Value> = people.as_array().into_iter().flatten().map(|one| json!({"value": one["id"]})).collect();
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Engines", "members": members})
}

/// docs/plan.schema.json is what the types say; `WRITE_REFERENCE=1` writes it.
#[test]
fn the_schema_of_the_page_is_that_of_the_output() {
    let schema = schemars::schema_for!(Vec<scim_operator::provisioner::dry_run::Plan>);
    let text = format!("{}\n", serde_json::to_string_pretty(&schema).expect("JSON"));
    let file = repository().join("docs/plan.schema.json");
    if std::env::var_os("WRITE_REFERENCE").is_some() {
        std::fs::write(&file, &text).expect("the schema");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap_or_default(), text, "make reference writes it anew");
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
    let mut lost = user("lost", "");
    lost["spec"]["connectionRef"] = json!({"name": "d"});
    folder.declare(&[lost, user("ada", "Countess")]);
    let output = folder.plan(&[]).await;
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(3), "{text}{}", stderr(&output));
    assert!(text.contains("there is no connection default/d") && text.contains("1 to create"), "{text}");
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
