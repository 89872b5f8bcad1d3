//! How fast people are provisioned, against a plain loop that makes the same
//! requests: `make bench`, or `make bench BENCH_USERS=1000,10000`.
//!
//! Control plane, SCIM server, operator and this program share one machine, so
//! the ratios tell more than the times. Nothing here fails for being slow.

#![allow(clippy::pedantic, clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use scim_operator::api::{CLAIMED_ACCOUNT, FINALIZER, GROUP, ScimConnection, ScimUser, VERSION};
use serde_json::{Value, json};
use support::{ControlPlane, Operator, Process, Sandbox, eventually, http, waiting};

/// Requests at once: of the loop, and of the operator, which keeps one more for removals.
const CONCURRENCY: usize = 8;
const CONNECTION: &str = "bench";
/// Without a request for this long, no sweep is going on.
const QUIET: Duration = Duration::from_secs(3);
const SWEEPS: u32 = 2;

fn main() {
    let sizes = std::env::var("BENCH_USERS").unwrap_or_else(|_| "1000".to_owned());
    let sizes: Vec<usize> = sizes.split(',').map(|size| size.trim().parse().expect("BENCH_USERS=1000,10000")).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let measured: Vec<_> = sizes.iter().map(|&users| runtime.block_on(measure(users))).collect();
    print(&measured);
}

/// What a process has used so far.
#[derive(Clone, Copy)]
struct Used {
    cpu: f64,
    peak_mib: f64,
}

impl Used {
    fn by(process: &Process) -> Used {
        Used { cpu: process.cpu_seconds(), peak_mib: process.peak_mib() }
    }
}

type Requests = BTreeMap<String, u64>;

struct Measured {
    users: usize,
    /// The loop before the operator, and after it: an API server grows slower with what it has seen, and a machine
    /// has moods.
    raw: [Duration; 2],
    operator: Duration,
    requests: Requests,
    user_writes: usize,
    idle: Used,
    provisioned: Used,
    sweep_requests: Requests,
    sweep_user_writes: usize,
    sweep_connection_writes: usize,
    swept: Used,
}

async fn measure(users: usize) -> Measured {
    let cluster = ControlPlane::shared().await;
    cluster.install_crds().await;
    let first = raw_loop(cluster, users).await;

    let namespace = cluster.namespace().await;
    create_users(cluster, &namespace, users).await;
    let sandbox = Sandbox::start();
    let operator = Operator::builder(cluster.admin_kubeconfig(), &namespace).start();
    // It has seen every object when it has marked the last one as waiting for its connection.
    let settled = settle(cluster, &namespace, users).await;
    let idle = Used::by(operator.process());
    let began = Timestamp::now();
    connect(cluster, &namespace, &sandbox).await;
    await_synced(cluster, &namespace, users).await;
    // The connection's counts may be seconds old; the audit log knows the moment.
    let took = last_status(cluster, &namespace).duration_since(began);
    let user_writes = patches(cluster, &namespace, "scimusers") - settled;
    all_ready(cluster, &namespace, users).await;
    let provisioned = Used::by(operator.process());
    let requests = requests(&sandbox).await;
    eprintln!("{users} users: the operator took {:.1} s", took.as_secs_f64());

    quiet(&sandbox).await;
    let before = (patches(cluster, &namespace, "scimusers"), patches(cluster, &namespace, "scimconnections"));
    let at_rest = Used::by(operator.process());
    sandbox_reset(&sandbox).await;
    for _ in 0..SWEEPS {
        one_sweep(&sandbox).await;
    }
    let after = (patches(cluster, &namespace, "scimusers"), patches(cluster, &namespace, "scimconnections"));
    let end = Used::by(operator.process());
    let sweep_requests = self::requests(&sandbox).await;
    // First the operator, or it would deactivate everybody.
    operator.terminate();
    let connections: Api<ScimConnection> = Api::namespaced(cluster.client(), &namespace);
    connections.patch(CONNECTION, &PatchParams::default(), &without_finalizers()).await.expect("a patch");
    remove_users(cluster, &namespace, users).await;
    Measured {
        users,
        raw: [first, raw_loop(cluster, users).await],
        operator: took.try_into().expect("time goes on"),
        requests,
        user_writes,
        idle,
        provisioned: Used { cpu: provisioned.cpu - idle.cpu, ..provisioned },
        sweep_requests,
        sweep_user_writes: after.0 - before.0,
        sweep_connection_writes: after.1 - before.1,
        swept: Used { cpu: end.cpu - at_rest.cpu, ..end },
    }
}

/// What the operator does for a new person, and no more: finalizer, POST, status. The objects are as the operator finds
/// them, with the status of those who wait.
async fn raw_loop(cluster: &ControlPlane, users: usize) -> Duration {
    let namespace = cluster.namespace().await;
    create_users(cluster, &namespace, users).await;
    let sandbox = Sandbox::start();
    let api: Api<ScimUser> = Api::namespaced(cluster.client(), &namespace);
    let client = http();
    let url = format!("{}/Users", sandbox.base_url);
    let apply = PatchParams::apply("scim-operator").force();
    stream::iter(0..users)
        .for_each_concurrent(2 * CONCURRENCY, async |n| {
            let waiting = Patch::Apply(waiting(&name(n)));
            api.patch_status(&name(n), &apply, &waiting).await.expect("a status");
        })
        .await;
    let listed = api.list(&ListParams::default()).await.expect("the objects").items;
    assert_eq!(listed.len(), users);
    let began = Instant::now();
    stream::iter(listed)
        .for_each_concurrent(CONCURRENCY, async |user| {
            let name = user.metadata.name.as_deref().unwrap();
            let finalizer = json!({"metadata": {
                "resourceVersion": user.metadata.resource_version, "finalizers": [FINALIZER],
                "annotations": {CLAIMED_ACCOUNT: json!({"userName": user.spec.user_name}).to_string()},
            }});
            api.patch(name, &PatchParams::default(), &Patch::Merge(&finalizer)).await.expect("a finalizer");
            let mut body = attributes(name);
            body["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:User"]);
            let answer = client
                .post(&url)
                .bearer_auth(&sandbox.token)
                .header("content-type", "application/scim+json")
                .body(body.to_string())
                .send()
                .await
                .expect("an answer");
            assert_eq!(answer.status(), 201);
            let account: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
            api.patch_status(name, &apply, &Patch::Apply(&status(&user, &account))).await.expect("a status");
        })
        .await;
    let took = began.elapsed();
    eprintln!("{users} users: the loop took {:.1} s", took.as_secs_f64());
    assert_eq!(total(&requests(&sandbox).await, "POST"), users as u64);
    remove_users(cluster, &namespace, users).await;
    took
}

fn name(n: usize) -> String {
    format!("user-{n:06}")
}

fn attributes(name: &str) -> Value {
    json!({
        "userName": format!("{name}@example.com"),
        "externalId": format!("hr-{name}"),
        "active": true,
        "name": {"givenName": "Ada", "familyName": name},
        "displayName": format!("Ada {name}"),
        "title": "Engineer",
        "preferredLanguage": "en-GB",
        "emails": [{"value": format!("{name}@example.com"), "type": "work", "primary": true}],
    })
}

/// As large as what the operator writes.
fn status(user: &ScimUser, account: &Value) -> Value {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = |kind: &str| {
        json!({"type": kind, "status": "True", "reason": "Synced", "message": "The account is as declared",
            "observedGeneration": 1, "lastTransitionTime": now})
    };
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "ScimUser",
        "metadata": {"name": user.metadata.name, "uid": user.metadata.uid},
        "status": {
            "observedGeneration": 1,
            "state": "Active",
            "id": account["id"],
            "boundTo": "0000000000000000",
            "userName": account["userName"],
            "active": true,
            "lastAppliedActive": true,
            "lastOperation": {"type": "Create", "at": now},
            "managedAttributes": ["displayName", "emails", "externalId", "name.familyName", "name.givenName",
                "preferredLanguage", "title"],
            "conditions": [condition("Ready")],
        },
    })
}

async fn create_users(cluster: &ControlPlane, namespace: &str, users: usize) {
    let api: Api<ScimUser> = Api::namespaced(cluster.client(), namespace);
    stream::iter(0..users)
        .for_each_concurrent(2 * CONCURRENCY, async |n| {
            let name = name(n);
            let mut spec = attributes(&name);
            spec["connectionRef"] = json!({"name": CONNECTION});
            let user = serde_json::from_value(json!({
                "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "ScimUser",
                "metadata": {"name": name}, "spec": spec,
            }));
            api.create(&PostParams::default(), &user.expect("a ScimUser")).await.expect("an object");
        })
        .await;
}

fn without_finalizers() -> Patch<Value> {
    Patch::Merge(json!({"metadata": {"finalizers": null}}))
}

async fn remove_users(cluster: &ControlPlane, namespace: &str, users: usize) {
    let api: Api<ScimUser> = Api::namespaced(cluster.client(), namespace);
    let patched: Result<(), kube::Error> = stream::iter((0..users).map(Ok))
        .try_for_each_concurrent(2 * CONCURRENCY, async |n| {
            api.patch(&name(n), &PatchParams::default(), &without_finalizers()).await.map(drop)
        })
        .await;
    patched.expect("no finalizers");
    api.delete_collection(&DeleteParams::default(), &ListParams::default()).await.expect("a deletion");
    eventually(Duration::from_secs(300), "the objects are gone", async || {
        let left = api.list(&ListParams::default().limit(1)).await.expect("a list").items.len();
        (left == 0).then_some(())
    })
    .await;
}

async fn connect(cluster: &ControlPlane, namespace: &str, sandbox: &Sandbox) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "key", "labels": {"scim-operator.dev/credentials": "true"}},
        "stringData": {"token": sandbox.token},
    });
    let secrets: Api<Secret> = Api::namespaced(cluster.client(), namespace);
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.expect("a Secret");
    let connection = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "ScimConnection",
        "metadata": {"name": CONNECTION},
        "spec": {
            "baseUrl": sandbox.base_url,
            "auth": {"bearerToken": {"secretKeyRef": {"name": "key", "key": "token"}}},
            "rateLimits": [{"requests": 100_000, "period": "1s", "burst": 100_000}],
            "maxInFlight": CONCURRENCY + 1,
            "resyncInterval": "10s",
        },
    });
    let connections: Api<ScimConnection> = Api::namespaced(cluster.client(), namespace);
    let connection = serde_json::from_value(connection).expect("a ScimConnection");
    connections.create(&PostParams::default(), &connection).await.expect("a connection");
}

/// Waits until the operator has marked every object as waiting for its
/// connection; how many writes that were.
async fn settle(cluster: &ControlPlane, namespace: &str, users: usize) -> usize {
    eventually(Duration::from_secs(600), "the operator knows every object", async || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = patches(cluster, namespace, "scimusers");
        if now >= users { Ok(now) } else { Err(now) }
    })
    .await
}

async fn await_synced(cluster: &ControlPlane, namespace: &str, users: usize) {
    let connections: Api<ScimConnection> = Api::namespaced(cluster.client(), namespace);
    eventually(Duration::from_secs(900), "everybody is Ready", async || {
        tokio::time::sleep(Duration::from_millis(450)).await;
        let status = connections.get_status(CONNECTION).await.expect("the connection").status;
        let synced = status.and_then(|status| status.users).and_then(|users| users.synced);
        if synced == Some(users as i64) { Ok(()) } else { Err(synced) }
    })
    .await;
}

async fn all_ready(cluster: &ControlPlane, namespace: &str, users: usize) {
    let api: Api<ScimUser> = Api::namespaced(cluster.client(), namespace);
    let listed = api.list(&ListParams::default()).await.expect("the objects").items;
    let ready = |user: &&ScimUser| {
        let conditions = user.status.as_ref().and_then(|status| status.conditions.as_ref());
        conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
    };
    assert_eq!(listed.iter().filter(ready).count(), users);
}

/// The operator's writes to objects of this kind: each is a patch.
fn patches(cluster: &ControlPlane, namespace: &str, resource: &str) -> usize {
    let writes = cluster.writes(namespace);
    writes.iter().filter(|event| event["verb"] == "patch" && event["objectRef"]["resource"] == resource).count()
}

fn last_status(cluster: &ControlPlane, namespace: &str) -> Timestamp {
    let writes = cluster.writes(namespace);
    let of_users = writes
        .iter()
        .filter(|event| event["objectRef"]["resource"] == "scimusers" && event["objectRef"]["subresource"] == "status");
    let at = |event: &Value| event["stageTimestamp"].as_str().unwrap().parse::<Timestamp>().unwrap();
    of_users.map(at).max().expect("a status")
}

async fn requests(sandbox: &Sandbox) -> Requests {
    let stats = sandbox.admin("GET", "/stats", None).await;
    let by_status: BTreeMap<String, BTreeMap<String, BTreeMap<String, u64>>> =
        serde_json::from_value(stats["requests"].clone()).expect("counts by method, route and status");
    let routes =
        by_status.iter().flat_map(|(method, routes)| routes.iter().map(move |(route, counts)| (method, route, counts)));
    routes.map(|(method, route, counts)| (format!("{method} {route}"), counts.values().sum())).collect()
}

async fn sandbox_reset(sandbox: &Sandbox) {
    let url = format!("{}/stats", sandbox.admin_url);
    let answer = http().delete(url).bearer_auth(&sandbox.admin_token).send().await.expect("an answer");
    assert!(answer.status().is_success());
}

/// Waits until there has been no request for a while.
async fn quiet(sandbox: &Sandbox) {
    let (mut seen, mut since) = (requests(sandbox).await, Instant::now());
    while since.elapsed() < QUIET {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = requests(sandbox).await;
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
    }
}

/// Waits for the next requests, and until they have ended.
async fn one_sweep(sandbox: &Sandbox) {
    let before = requests(sandbox).await;
    eventually(Duration::from_secs(60), "a sweep", async || (requests(sandbox).await != before).then_some(())).await;
    quiet(sandbox).await;
}

fn total(requests: &Requests, method: &str) -> u64 {
    requests.iter().filter(|(route, _)| route.starts_with(method)).map(|(_, count)| count).sum()
}

fn print(measured: &[Measured]) {
    let per_second = |one: &Measured, took: Duration| one.users as f64 / took.as_secs_f64();
    let mean = |one: &Measured| (one.raw[0] + one.raw[1]) / 2;
    let sweeps = f64::from(SWEEPS);
    let all = |requests: &Requests| requests.values().sum::<u64>();
    let others = |requests: &Requests| all(requests) - total(requests, "POST") - total(requests, "GET");
    type Cell<'a> = Box<dyn Fn(&Measured) -> String + 'a>;
    let rows: Vec<(&str, Cell)> = vec![
        ("plain loop before: users/s", Box::new(|m| format!("{:.0}", per_second(m, m.raw[0])))),
        ("plain loop after: users/s", Box::new(|m| format!("{:.0}", per_second(m, m.raw[1])))),
        ("operator: users/s", Box::new(|m| format!("{:.0}", per_second(m, m.operator)))),
        ("operator / plain loop", Box::new(|m| format!("{:.2}", mean(m).as_secs_f64() / m.operator.as_secs_f64()))),
        ("connection created to all Ready", Box::new(|m| format!("{:.1} s", m.operator.as_secs_f64()))),
        ("SCIM POSTs", Box::new(|m| total(&m.requests, "POST").to_string())),
        ("SCIM GETs", Box::new(|m| total(&m.requests, "GET").to_string())),
        ("other SCIM requests", Box::new(|m| others(&m.requests).to_string())),
        ("Kubernetes writes per user", Box::new(|m| format!("{:.2}", m.user_writes as f64 / m.users as f64))),
        ("operator: CPU", Box::new(|m| format!("{:.2} s", m.provisioned.cpu))),
        ("operator: CPU per user", Box::new(|m| format!("{:.2} ms", m.provisioned.cpu * 1e3 / m.users as f64))),
        ("operator: peak memory before", Box::new(|m| format!("{:.1} MiB", m.idle.peak_mib))),
        ("operator: peak memory", Box::new(|m| format!("{:.1} MiB", m.swept.peak_mib))),
        ("a sweep: SCIM requests", Box::new(|m| format!("{:.1}", all(&m.sweep_requests) as f64 / sweeps))),
        (
            "a sweep: SCIM writes",
            Box::new(|m| format!("{:.1}", (all(&m.sweep_requests) - total(&m.sweep_requests, "GET")) as f64 / sweeps)),
        ),
        ("a sweep: writes to ScimUsers", Box::new(|m| format!("{:.1}", m.sweep_user_writes as f64 / sweeps))),
        (
            "a sweep: writes to the connection",
            Box::new(|m| format!("{:.1}", m.sweep_connection_writes as f64 / sweeps)),
        ),
        ("a sweep: CPU", Box::new(|m| format!("{:.0} ms", m.swept.cpu * 1e3 / sweeps))),
    ];
    let line = |first: &str, cells: Vec<String>| {
        let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:>11} |")).collect();
        println!("| {first:<33} | {}", cells.join(" "));
    };
    line("", measured.iter().map(|m| format!("{} users", m.users)).collect());
    println!("|{}|{}", "-".repeat(35), "------------:|".repeat(measured.len()));
    for (what, cell) in rows {
        line(what, measured.iter().map(cell).collect());
    }
    for one in measured {
        eprintln!("{} users: provisioning {:?}, {SWEEPS} sweeps {:?}", one.users, one.requests, one.sweep_requests);
    }
}
