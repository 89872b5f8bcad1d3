//! How fast people are provisioned, against a plain loop that makes the same
//! requests: `make bench`, or `make bench BENCH_USERS=1000,10000 BENCH_PAIRS=5`.
//!
//! Control plane, SCIM server, operator and this program share one machine, so
//! the ratios tell more than the times. Nothing here fails for being slow.

#![allow(clippy::pedantic, clippy::unwrap_used)]

#[path = "support/saved.rs"]
mod saved;
#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use saved::Run;
use scim_operator::api::{CLAIMED_ACCOUNT, FINALIZER, GROUP, ScimConnection, ScimUser, VERSION};
use serde_json::{Value, json};
use support::{ControlPlane, Operator, Process, Sandbox, eventually, http, waiting};

/// Requests at once: of the loop, and of the operator, which keeps one more for removals.
const CONCURRENCY: usize = 8;
const CONNECTION: &str = "bench";
/// Without a request for this long, no sweep is going on.
const QUIET: Duration = Duration::from_secs(3);
const SWEEPS: u32 = 3;
const CHANGES: usize = 40;

fn main() {
    let of = |name: &str, otherwise: &str| std::env::var(name).unwrap_or_else(|_| otherwise.to_owned());
    let sizes = of("BENCH_USERS", "1000");
    let sizes: Vec<usize> = sizes.split(',').map(|size| size.trim().parse().expect("BENCH_USERS=1000,10000")).collect();
    let pairs: usize = of("BENCH_PAIRS", "5").parse().expect("BENCH_PAIRS=5");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut run = Run::of("provision");
    for users in sizes {
        for pair in 0..pairs {
            runtime.block_on(measure(&mut run, users, pair % 2 == 0));
        }
    }
    run.save();
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

/// One pair: the loop and the operator, in this order or the other. An API server grows slower with what it has seen, and
/// a machine has moods.
async fn measure(run: &mut Run, users: usize, loop_first: bool) {
    let cluster = ControlPlane::shared().await;
    cluster.install_crds().await;
    let column = format!("{users} users");
    let early = if loop_first { Some(raw_loop(run, cluster, users, &column).await) } else { None };
    let took = operator(run, cluster, users, &column).await;
    let raw = match early {
        Some(raw) => raw,
        None => raw_loop(run, cluster, users, &column).await,
    };
    let per_second = |took: Duration| users as f64 / took.as_secs_f64();
    run.add("plain loop: users/s", &column, "", per_second(raw));
    run.add("operator: users/s", &column, "", per_second(took));
    run.add("operator / plain loop", &column, "", raw.as_secs_f64() / took.as_secs_f64());
}

/// What the API server has done so far.
struct Server {
    cpu: f64,
    /// Of the events about ScimUsers that it has sent to watches.
    watched_bytes: f64,
    requests: f64,
}

impl Server {
    async fn now(cluster: &ControlPlane) -> Server {
        let request = http::Request::get("/metrics").body(Vec::new()).expect("a request");
        let metrics = cluster.client().request_text(request).await.expect("the API server's metrics");
        let sum = |name: &str, of: &str| -> f64 {
            let lines = metrics.lines().filter(|line| line.starts_with(name) && line.contains(of));
            lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        Server {
            cpu: cluster.cpu_seconds(),
            watched_bytes: sum("apiserver_watch_events_sizes_sum{", "scimusers"),
            requests: sum("apiserver_request_total{", ""),
        }
    }

    /// Adds what it has done since for each person.
    async fn until_now(self, run: &mut Run, cluster: &ControlPlane, whose: &str, users: usize, column: &str) {
        let now = Server::now(cluster).await;
        let mut each = |what: &str, unit, sum: f64| {
            run.add(&format!("{whose}: {what} per user"), column, unit, sum / users as f64);
        };
        each("the API server's CPU", "ms", (now.cpu - self.cpu) * 1e3);
        each("requests to the API server", "", now.requests - self.requests);
        each("KiB received by watches", "", (now.watched_bytes - self.watched_bytes) / 1024.0);
    }
}

/// Keeps these objects from now on, by a watch.
async fn watch(api: &Api<ScimUser>, users: usize) -> tokio::task::JoinHandle<()> {
    let (store, writer) = reflector::store();
    let watched = watcher(api.clone(), watcher::Config::default()).reflect(writer).applied_objects();
    let task = tokio::spawn(watched.for_each(|event| async { drop(event.expect("an event")) }));
    store.wait_until_ready().await.expect("a list");
    assert_eq!(store.len(), users);
    task
}

/// How long the operator took; everything else that it is measured by goes into rows.
async fn operator(run: &mut Run, cluster: &ControlPlane, users: usize, column: &str) -> Duration {
    let namespace = cluster.namespace().await;
    create_users(cluster, &namespace, users).await;
    let sandbox = Sandbox::start();
    let operator = Operator::builder(cluster.admin_kubeconfig(), &namespace).start();
    // It has seen every object when it has marked the last one as waiting for its connection.
    let settled = settle(cluster, &namespace, users).await;
    let idle = Used::by(operator.process());
    let server = Server::now(cluster).await;
    let began = Timestamp::now();
    connect(cluster, &namespace, &sandbox).await;
    await_synced(cluster, &namespace, users).await;
    // The connection's counts may be seconds old; the audit log knows the moment.
    let (first, last) = work_on_users(cluster, &namespace, began);
    let since = |then: Timestamp| Duration::try_from(then.duration_since(began)).expect("time goes on");
    let took = since(last);
    run.add("connection created to the first write for a user", column, "ms", since(first).as_secs_f64() * 1e3);
    server.until_now(run, cluster, "operator", users, column).await;
    let user_writes = patches(cluster, &namespace, "scimusers") - settled;
    all_ready(cluster, &namespace, users).await;
    let made = Used::by(operator.process());
    let asked = requests(&sandbox).await;
    eprintln!("{users} users: the operator took {:.1} s", took.as_secs_f64());
    let (posts, gets) = (total(&asked, "POST"), total(&asked, "GET"));
    run.add("connection created to all Ready", column, "s", took.as_secs_f64());
    run.add("SCIM POSTs", column, "", posts as f64);
    run.add("SCIM GETs", column, "", gets as f64);
    run.add("other SCIM requests", column, "", (asked.values().sum::<u64>() - posts - gets) as f64);
    run.add("Kubernetes writes per user", column, "", user_writes as f64 / users as f64);
    run.add("operator: CPU per user", column, "ms", (made.cpu - idle.cpu) * 1e3 / users as f64);
    run.add("operator: peak memory, all objects known", column, "MiB", idle.peak_mib);
    run.add("operator: peak memory, all accounts made", column, "MiB", made.peak_mib);
    sweeps(run, cluster, (&namespace, &sandbox, operator.process()), users, column).await;
    changes(run, cluster, &namespace, &sandbox, column).await;
    // First the operator, or it would deactivate everybody.
    operator.terminate();
    let connections: Api<ScimConnection> = Api::namespaced(cluster.client(), &namespace);
    connections.patch(CONNECTION, &PatchParams::default(), &without_finalizers()).await.expect("a patch");
    remove_users(cluster, &namespace, users).await;
    took
}

/// Sweeps in which nothing has changed.
async fn sweeps(
    run: &mut Run,
    cluster: &ControlPlane,
    (namespace, sandbox, operator): (&str, &Sandbox, &Process),
    users: usize,
    column: &str,
) {
    resync(cluster, namespace, "10s").await;
    // Two read what the creations told of, and compare it.
    for _ in 0..2 {
        one_sweep(sandbox).await;
    }
    let writes = || (patches(cluster, namespace, "scimusers"), patches(cluster, namespace, "scimconnections"));
    let (before, at_rest) = (writes(), Used::by(operator));
    sandbox_reset(sandbox).await;
    for _ in 0..SWEEPS {
        one_sweep(sandbox).await;
    }
    let (after, end) = (writes(), Used::by(operator));
    let asked = requests(sandbox).await;
    let mut each = |what: &str, unit, sum: f64| run.add(what, column, unit, sum / f64::from(SWEEPS));
    let gets = total(&asked, "GET");
    each("a sweep: SCIM GETs", "", gets as f64);
    each("a sweep: other SCIM requests", "", (asked.values().sum::<u64>() - gets) as f64);
    each("a sweep: writes to ScimUsers", "", (after.0 - before.0) as f64);
    each("a sweep: writes to the connection", "", (after.1 - before.1) as f64);
    each("a sweep: CPU", "ms", (end.cpu - at_rest.cpu) * 1e3);
    each("a sweep: CPU per account", "µs", (end.cpu - at_rest.cpu) * 1e6 / users as f64);
    run.add("operator: peak memory, after sweeps", column, "MiB", end.peak_mib);
}

/// Changes of one person each, while nothing else is done.
async fn changes(run: &mut Run, cluster: &ControlPlane, namespace: &str, sandbox: &Sandbox, column: &str) {
    resync(cluster, namespace, "30m").await;
    quiet(sandbox).await;
    let api: Api<ScimUser> = Api::namespaced(cluster.client(), namespace);
    let mut took = Vec::new();
    for n in 0..CHANGES {
        let before = total(&requests(sandbox).await, "PATCH");
        let title = Patch::Merge(json!({"spec": {"title": format!("Engineer {n}")}}));
        api.patch(&name(n), &PatchParams::default(), &title).await.expect("a change");
        let began = Instant::now();
        while total(&requests(sandbox).await, "PATCH") == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        took.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    took.sort();
    let ms = |took: Duration| took.as_secs_f64() * 1e3;
    run.add("one change → on the wire, median", column, "ms", ms(took[CHANGES / 2]));
    run.add("one change → on the wire, the slowest", column, "ms", ms(took[CHANGES - 1]));
}

async fn resync(cluster: &ControlPlane, namespace: &str, interval: &str) {
    let connections: Api<ScimConnection> = Api::namespaced(cluster.client(), namespace);
    let interval = Patch::Merge(json!({"spec": {"resyncInterval": interval}}));
    connections.patch(CONNECTION, &PatchParams::default(), &interval).await.expect("a patch");
}

/// What the operator does for a new person, and no more: finalizer, POST, status. The objects are as the operator finds
/// them, with the status of those who wait; and as the operator does, the loop is told of each change and keeps the objects.
async fn raw_loop(run: &mut Run, cluster: &ControlPlane, users: usize, column: &str) -> Duration {
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
    let watcher = watch(&api, users).await;
    let server = Server::now(cluster).await;
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
    server.until_now(run, cluster, "plain loop", users, column).await;
    watcher.abort();
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

/// The first and the last write to a ScimUser since then.
fn work_on_users(cluster: &ControlPlane, namespace: &str, since: Timestamp) -> (Timestamp, Timestamp) {
    let writes = cluster.writes(namespace);
    let of_users = writes.iter().filter(|event| event["objectRef"]["resource"] == "scimusers");
    let at = |event: &Value| event["stageTimestamp"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let since: Vec<Timestamp> = of_users.map(at).filter(|&at| at >= since).collect();
    (*since.iter().min().expect("a write"), *since.iter().max().expect("a write"))
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
