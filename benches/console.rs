//! The console with 100,000 people, in a real browser: `make bench-console`; `BENCH_USERS=10000` for another size.
//!
//! An API server in memory lists them, with 5,000 groups, so that what is measured is the console: how soon all are listed,
//! its memory, the first paint of the list, and searches: a pasted name, one letter that finds everybody, and a name typed key
//! by key. Each begins with the key and ends with what is shown. Where a round is beyond a goal, that is told, and the exit code
//! is 3.

#![allow(clippy::pedantic, clippy::unwrap_used)]

#[path = "support/saved.rs"]
#[allow(dead_code)]
mod saved;
#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Json, Response};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use support::{Process, guarded, part, repository, scratch};

/// What people may expect on two cores, with 100,000 people.
const FIRST_PAINT: f64 = 1000.0;
const SEARCH: f64 = 200.0;
const MEMORY: f64 = 300.0;
/// A round was beyond one of them.
const BEYOND: i32 = 3;
/// So many groups there are.
const GROUPS: usize = 5000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let beyond = runtime.block_on(measure());
    if !beyond.is_empty() {
        beyond.iter().for_each(|told| eprintln!("{told}"));
        std::process::exit(BEYOND);
    }
}

/// What was beyond its goal.
async fn measure() -> Vec<String> {
    let users: usize = std::env::var("BENCH_USERS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let kubeconfig = scratch().join("bench-console.kubeconfig");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "a", "users": [{"name": "a", "user": {}}],
        "clusters": [{"name": "a", "cluster": {"server": format!("http://{address}")}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a", "namespace": "identity"}}],
    });
    std::fs::write(&kubeconfig, config.to_string()).unwrap();
    let router = Router::new().fallback(answer).with_state(Arc::new(users));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let mut command = guarded(env!("CARGO_BIN_EXE_kubectl-scim"));
    command.env("KUBECONFIG", &kubeconfig).args(["console", "-o", "json"]);
    let (console, link) = Process::announcing("bench-console", command);
    let mut browser = guarded("node");
    browser.arg(repository().join("tests/parts/browser/measure.mjs"));
    browser.env("BROWSER", part("browser")).env("LINK", link.as_str().unwrap()).env("USERS", users.to_string());
    let told = tokio::task::spawn_blocking(move || browser.output().unwrap()).await.unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let times: Value = serde_json::from_slice(&told.stdout).unwrap();
    let (mut run, column) = (saved::Run::of("console"), format!("{users} people"));
    let listed = Duration::from_millis(times["listedAt"].as_u64().unwrap_or_default());
    run.add("link to all of them listed", &column, "s", listed.as_secs_f64());
    let mut beyond = Vec::new();
    let mut judge = |what: &str, unit: &str, worst: f64, goal: f64| {
        if worst >= goal {
            beyond.push(format!("{what}: {worst:.0} {unit}, and the goal is below {goal:.0} {unit}"));
        }
    };
    for (name, what, goal) in [
        ("firstPaint", "first paint of the list", FIRST_PAINT),
        ("pasted", "a pasted name: from the key to what it found", SEARCH),
        ("letter", "one letter that finds everybody: from the key to what is shown", SEARCH),
        ("typed", "a name typed key by key: from the last key to what it found", SEARCH),
        ("answer", "a search: the console's answer", SEARCH),
    ] {
        let values: Vec<f64> = times[name].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        assert!(!values.is_empty(), "no round of {name} was measured: {times}");
        judge(what, "ms", values.iter().copied().fold(0.0, f64::max), goal);
        values.into_iter().for_each(|value| run.add(what, &column, "ms", value));
    }
    for (what, value) in
        [("memory of the console", console.memory_mib()), ("its peak, while listing", console.peak_mib())]
    {
        judge(what, "MiB", value, MEMORY);
        run.add(what, &column, "MiB", value);
    }
    run.save();
    beyond
}

/// What the console asks of an API server.
async fn answer(
    State(users): State<Arc<usize>>,
    Query(asked): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    let path = request.uri().path().to_owned();
    if asked.contains_key("watch") {
        // Nothing ever changes.
        let nothing = stream::pending::<Result<Bytes, Infallible>>().boxed();
        return Body::from_stream(nothing).into_response();
    }
    let kind = path.rsplit('/').next().unwrap_or_default();
    let list = |items: Vec<Value>, next: Option<usize>| {
        let next = next.map(|next| next.to_string()).unwrap_or_default();
        Json(json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": "List", "items": items,
            "metadata": {"resourceVersion": "1", "continue": next}}))
        .into_response()
    };
    match kind {
        "scimusers" => {
            let from: usize = asked.get("continue").and_then(|text| text.parse().ok()).unwrap_or_default();
            let limit: usize = asked.get("limit").and_then(|text| text.parse().ok()).unwrap_or(*users);
            let until = (from + limit).min(*users);
            list((from..until).map(user).collect(), (until < *users).then_some(until))
        }
        "scimgroups" => list((0..GROUPS).map(group).collect(), None),
        "scimconnections" => list(vec![connection(*users)], None),
        "selfsubjectaccessreviews" => Json(json!({"apiVersion": "authorization.k8s.io/v1", "spec": {},
            "kind": "SelfSubjectAccessReview", "status": {"allowed": true}}))
        .into_response(),
        _ => list(Vec::new(), None),
    }
}

fn metadata(name: &str, number: usize) -> Value {
    json!({
        "name": name, "namespace": "identity", "uid": format!("00000000-0000-4000-8000-{number:012}"), "generation": 2,
        "resourceVersion": "1", "creationTimestamp": "2026-11-28T10:00:00Z", "finalizers": ["scim-operator.dev/account"],
        "labels": {"team": format!("team-{}", number % GROUPS), "app.kubernetes.io/managed-by": "kustomize"},
        "managedFields": [{"manager": "kustomize-controller", "operation": "Apply", "apiVersion": "scim-operator.dev/v1alpha1",
            "time": "2026-11-28T10:00:00Z", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:userName": {}, "f:title": {}, "f:name": {"f:givenName": {}, "f:familyName": {}}}}}],
    })
}

fn user(number: usize) -> Value {
    let name = format!("user-{number:06}");
    let held = number.is_multiple_of(1000);
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser", "metadata": metadata(&name, number),
        "spec": {"connectionRef": {"kind": "ScimConnection", "name": "directory"}, "userName": format!("{name}@example.com"),
            "title": "Engineer", "active": true, "externalId": format!("HR-{number:06}"),
            "displayName": format!("Given{number} Example"), "phoneNumbers": [{"type": "work", "value": "+1 555 0100"}], "name": {"givenName": format!("Given{number}"), "familyName": "Example"},
            "emails": [{"type": "work", "value": format!("{name}@example.com"), "primary": true}]},
        "status": {"observedGeneration": 2, "state": if held { "Held" } else { "Active" }, "id": format!("9b2f{number:028x}"),
            "boundTo": "3f2a9c0d11b2e4773f2a9c0d11b2e477", "userName": format!("{name}@example.com"), "active": true,
            "groups": {format!("g{}", number % GROUPS): format!("9b2f{number:028x}")}, "lastOperation": {"type": "Create", "at": "2026-11-28T10:00:05Z"},
            "managedAttributes": ["active", "emails[type eq \"work\"]", "name.familyName", "name.givenName", "title"],
            "conditions": [{"type": "Ready", "status": if held { "False" } else { "True" }, "observedGeneration": 2,
                "reason": if held { "Held" } else { "Synced" }, "message": "the account is as declared",
                "lastTransitionTime": "2026-11-28T10:00:05Z"}]},
    })
}

fn group(number: usize) -> Value {
    let name = format!("team-{number}");
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": metadata(&name, number),
        "spec": {"connectionRef": {"kind": "ScimConnection", "name": "directory"}, "displayName": name, "membership": "Exact",
            "memberSelector": {"matchLabels": {"team": name}}},
        "status": {"state": "Synced", "id": format!("g{number}"), "members": {"declared": 20, "present": 20, "waiting": 0}},
    })
}

fn connection(users: usize) -> Value {
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimConnection", "metadata": metadata("directory", 0),
        "spec": {"baseUrl": "https://scim.example.com", "auth": {}},
        "status": {"users": {"declared": users, "synced": users}, "conditions": [{"type": "Ready", "status": "True",
            "reason": "Connected", "message": "", "lastTransitionTime": "2026-11-28T10:00:00Z"}]},
    })
}
