//! The console with 100,000 people, in a real browser: `make bench-console`; `BENCH_USERS=10000` for another size.
//!
//! An API server in memory lists them, with 5,000 groups, so that what is measured is the console: how soon all are listed,
//! its memory, the first paint of the list, and searches: a pasted name, one letter that finds everybody, and a name typed key
//! by key. It is the worst day: everybody is in a hold, all groups are in one of memberships, and the rows of a roster's people
//! are all gone; these three are opened and searched, too. Each search begins with the key and ends with what is shown. Where
//! a round is beyond a goal, that is told, and the exit code is 3.

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
use scim_operator::roster::Members;
use serde_json::{Value, json};
use support::{Process, guarded, part, repository, scratch};

/// What people may expect on two cores, with 100,000 people.
const FIRST_PAINT: f64 = 1000.0;
const SEARCH: f64 = 200.0;
const MEMORY: f64 = 300.0;
/// A round was beyond one of them.
const BEYOND: i32 = 3;
/// So many groups there are, if there are so many people.
const GROUPS: usize = 5000;
/// The holds: everybody is deactivated, all members of groups are taken out, the rows of a roster are gone.
const HOLDS: [(&str, &str); 3] = [
    ("3f2a9c0d11b2e477", "a hold of everybody"),
    ("4f2a9c0d11b2e477", "a hold of all memberships"),
    ("5f2a9c0d11b2e477", "a roster's hold of everybody"),
];

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
    browser.env("GROUPS", groups(users).to_string()).env("HOLDS", HOLDS.map(|(id, _)| id).join(","));
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
    let list = [
        ("firstPaint", "first paint of the list", FIRST_PAINT),
        ("pasted", "a pasted name: from the key to what it found", SEARCH),
        ("letter", "one letter that finds everybody: from the key to what is shown", SEARCH),
        ("typed", "a name typed key by key: from the last key to what it found", SEARCH),
        ("answer", "a search: the console's answer", SEARCH),
    ];
    let hold = [
        ("firstPaint", "first paint", FIRST_PAINT),
        ("pasted", "a pasted name", SEARCH),
        ("letter", "one letter that finds all of it", SEARCH),
    ];
    let of_list = list.map(|(name, what, goal)| (&times[name], what.to_owned(), goal));
    let of_holds = HOLDS
        .iter()
        .flat_map(|(id, which)| hold.map(|(name, what, goal)| (&times[id][name], format!("{which}: {what}"), goal)));
    for (rounds, what, goal) in of_list.into_iter().chain(of_holds) {
        let values: Vec<f64> = rounds.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        assert!(!values.is_empty(), "no round was measured of {what}: {times}");
        judge(&what, "ms", values.iter().copied().fold(0.0, f64::max), goal);
        values.into_iter().for_each(|value| run.add(&what, &column, "ms", value));
    }
    for (what, value) in [("memory of the console", console.memory_mib()), ("its peak", console.peak_mib())] {
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
            list((from..until).map(|number| user(number, *users)).collect(), (until < *users).then_some(until))
        }
        "scimgroups" => list((0..groups(*users)).map(|number| group(number, *users)).collect(), None),
        "scimconnections" => list(vec![connection(*users)], None),
        "scimrosters" => list(vec![roster(*users)], None),
        "selfsubjectaccessreviews" => Json(json!({"apiVersion": "authorization.k8s.io/v1", "spec": {},
            "kind": "SelfSubjectAccessReview", "status": {"allowed": true}}))
        .into_response(),
        _ => list(Vec::new(), None),
    }
}

/// Each has somebody.
fn groups(users: usize) -> usize {
    GROUPS.min(users)
}

fn uid(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// What the operator tells of something in a hold.
fn held(what: &str, (id, _): (&str, &str), count: usize) -> Value {
    let patch = |field: &str| {
        format!(
            "kubectl patch scimconnection directory -n identity --type=merge -p '{{\"spec\":{{\"{field}\":\"{id}\"}}}}'"
        )
    };
    let message = format!(
        "{what} is held: it exceeds the connection's guards. Hold {id} has {count}. To see them: kubectl get \
         scimuser,scimgroup -A --field-selector status.hold.id={id}. To let them go: {}. To refuse them (deleted objects \
         go, their accounts stay; edits stay held): {}",
        patch("approvedHold"),
        patch("rejectedHold")
    );
    json!([{"type": "Ready", "status": "False", "observedGeneration": 2, "reason": "Held", "message": message,
        "lastTransitionTime": "2026-11-28T10:00:05Z"}])
}

fn metadata(name: &str, number: usize) -> Value {
    json!({
        "name": name, "namespace": "identity", "uid": uid(number), "generation": 2,
        "resourceVersion": "1", "creationTimestamp": "2026-11-28T10:00:00Z", "finalizers": ["scim-operator.dev/account"],
        "labels": {"team": format!("team-{number:04}"), "app.kubernetes.io/managed-by": "kustomize",
            "scim-operator.dev/roster": "people"},
        "managedFields": [{"manager": "kustomize-controller", "operation": "Apply", "apiVersion": "scim-operator.dev/v1alpha1",
            "time": "2026-11-28T10:00:00Z", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:userName": {}, "f:title": {}, "f:name": {"f:givenName": {}, "f:familyName": {}}}}}],
    })
}

fn user(number: usize, users: usize) -> Value {
    let name = format!("user-{number:06}");
    let id = format!("9b2f{number:028x}");
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser", "metadata": metadata(&name, number),
        "spec": {"connectionRef": {"kind": "ScimConnection", "name": "directory"}, "userName": format!("{name}@example.com"),
            "title": "Engineer", "active": true, "externalId": format!("HR-{number:06}"),
            "displayName": format!("Given{number} Example"), "phoneNumbers": [{"type": "work", "value": "+1 555 0100"}], "name": {"givenName": format!("Given{number}"), "familyName": "Example"},
            "emails": [{"type": "work", "value": format!("{name}@example.com"), "primary": true}]},
        "status": {"observedGeneration": 2, "state": "Held", "id": id,
            "boundTo": "3f2a9c0d11b2e4773f2a9c0d11b2e477", "userName": format!("{name}@example.com"), "active": true,
            "groups": {format!("g{}", number % groups(users)): id}, "hold": {"id": HOLDS[0].0, "operation": "Deactivate",
                "digest": "5d41402abc4b2a76"},
            "lastOperation": {"type": "Create", "at": "2026-11-28T10:00:05Z"},
            "managedAttributes": ["active", "emails[type eq \"work\"]", "name.familyName", "name.givenName", "title"],
            "conditions": held("Deactivate of active", HOLDS[0], users)},
    })
}

/// Nobody carries the labels that select its members any more.
fn group(number: usize, users: usize) -> Value {
    let name = format!("team-{number:04}");
    let out = (number..users).step_by(groups(users)).count();
    let what = if out == 1 { "Update of one membership".to_owned() } else { format!("Update of {out} memberships") };
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": metadata(&name, number),
        "spec": {"connectionRef": {"kind": "ScimConnection", "name": "directory"}, "displayName": name, "membership": "Exact",
            "memberSelector": {"matchLabels": {"team": name, "site": "north"}}},
        "status": {"state": "Held", "id": format!("g{number}"), "members": {"declared": 0, "present": out, "waiting": 0},
            "hold": {"id": HOLDS[1].0, "operation": "Update", "digest": "5d41402abc4b2a76"},
            "conditions": held(&what, HOLDS[1], users)},
    })
}

fn connection(users: usize) -> Value {
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimConnection", "metadata": metadata("directory", 0),
        "spec": {"baseUrl": "https://scim.example.com", "auth": {}},
        "status": {"users": {"declared": users, "synced": users}, "holds": [
            {"id": HOLDS[0].0, "reason": "removals", "since": "2026-11-28T10:00:00Z", "creates": 0, "updates": 0,
                "deactivations": users, "deletes": 0},
            {"id": HOLDS[1].0, "reason": "memberships", "since": "2026-11-28T10:00:00Z", "creates": 0, "updates": 0,
                "deactivations": 0, "deletes": 0, "memberships": users}], "conditions": [{"type": "Ready", "status": "True",
            "reason": "Connected", "message": "", "lastTransitionTime": "2026-11-28T10:00:00Z"}]},
    })
}

fn roster(users: usize) -> Value {
    let uids: Vec<String> = (0..users).map(uid).collect();
    let members = Members::of(uids.iter().map(String::as_str)).text();
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": metadata("people", 0),
        "spec": {"connectionRef": {"name": "directory"}, "source": {"inline": []}},
        "status": {"hold": {"id": HOLDS[2].0, "removals": users, "sample": ["user-000000"], "members": members}},
    })
}
