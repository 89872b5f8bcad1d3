//! How fast people are provisioned, against a plain loop that makes the same
//! requests: `make bench`, or `make bench BENCH_USERS=1000,10000 BENCH_PAIRS=5`.
//!
//! Control plane, SCIM server, operator and this program share one machine, so
//! the ratios tell more than the times. Nothing here fails for being slow.

#![allow(clippy::pedantic, clippy::unwrap_used)]

#[path = "provision/measured.rs"]
mod measured;
#[path = "provision/raw_loop.rs"]
mod raw_loop;
#[path = "support/saved.rs"]
mod saved;
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use measured::{Server, Used, one_sweep, patches, quiet, requests, sandbox_reset, total, work_on_users};
use raw_loop::raw_loop;
use saved::Run;
use scim_operator::api::{GROUP, ScimConnection, ScimUser, VERSION};
use serde_json::{Value, json};
use support::{ControlPlane, Operator, Process, Sandbox, eventually};

/// Requests at once: of the loop, and of the operator, which keeps one more for removals.
const CONCURRENCY: usize = 8;
const CONNECTION: &str = "bench";
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
