//! How fast a roster generates ScimUsers, against a plain loop that makes the same writes: `make bench-rosters`, or
//! `make bench-rosters BENCH_ROWS=1000,50000`.
//!
//! Control plane, operator and this program share one machine, so the ratios tell more than the times. Nothing here
//! fails for being slow.

#![allow(clippy::pedantic, clippy::unwrap_used)]

#[path = "support/saved.rs"]
mod saved;
#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use saved::Run;
use scim_operator::api::{GROUP, ScimConnection, ScimRoster, ScimUser, VERSION};
use serde_json::json;
use support::{ControlPlane, Operator, eventually, http, waiting};

/// Writes at once, of the loop and of a roster.
const CONCURRENCY: usize = 8;
const ROWS_EACH: usize = 5_000;
/// So many objects tell how fast the loops are.
const LOOPED: usize = 5_000;
const PATIENCE: Duration = Duration::from_secs(3_600);

fn main() {
    let sizes = std::env::var("BENCH_ROWS").unwrap_or_else(|_| "5000".to_owned());
    let sizes: Vec<usize> = sizes.split(',').map(|size| size.trim().parse().expect("BENCH_ROWS=1000,50000")).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut run = Run::of("rosters");
    for rows in sizes {
        add(&mut run, &runtime.block_on(measure(rows)));
    }
    run.save();
}

struct Measured {
    rows: usize,
    /// Applies a second by the plain loop, and writes to status by a second one.
    plain: [f64; 2],
    generated: Duration,
    /// The operator's other writes in that time: people are marked as waiting for a connection that isn't there.
    marked: usize,
    all_marked: Duration,
    peak_mib: f64,
    cpu: f64,
    change: Duration,
    change_writes: usize,
    restart_writes: usize,
    restart_peak_mib: f64,
    restart: Duration,
}

async fn measure(rows: usize) -> Measured {
    let cluster = ControlPlane::shared().await;
    cluster.install_crds().await;
    let plain = plain_loops(cluster, rows.min(LOOPED)).await;
    eprintln!("{rows} rows: the loops make {:.0} applies and {:.0} statuses a second", plain[0], plain[1]);

    let namespace = cluster.namespace().await;
    // The loop's objects are not the operator's to know.
    let arg = format!("--watch-namespaces={namespace}");
    let operator = Operator::builder(cluster.admin_kubeconfig(), &namespace).arg(&arg).start();
    eventually(PATIENCE, "it leads", async || operator.log().contains("provisioning begins").then_some(())).await;
    for part in 0..rows.div_ceil(ROWS_EACH) {
        write_part(cluster, &namespace, part, rows, "Engineer").await;
    }
    let connections: Api<ScimConnection> = Api::namespaced(cluster.client(), &namespace);
    connections.create(&PostParams::default(), &nowhere()).await.expect("a connection");
    let rosters: Api<ScimRoster> = Api::namespaced(cluster.client(), &namespace);
    let began = Instant::now();
    rosters.create(&PostParams::default(), &roster()).await.expect("a roster");
    await_generated(&rosters, rows).await;
    let generated = began.elapsed();
    let marked = writes(cluster, &namespace, true);
    let peak_mib = operator.process().peak_mib();
    eprintln!("{rows} rows: the roster took {:.1} s; {marked} marked, {peak_mib:.0} MiB", generated.as_secs_f64());
    eventually(PATIENCE, "everybody is marked", async || {
        // Reading the whole audit log costs what is measured.
        tokio::time::sleep(Duration::from_secs(10)).await;
        let marked = writes(cluster, &namespace, true);
        if marked >= rows { Ok(()) } else { Err(marked) }
    })
    .await;
    let all_marked = began.elapsed();
    let (cpu, peak_mib) = (operator.process().cpu_seconds(), operator.process().peak_mib());

    let (change, change_writes) = one_changed(cluster, &namespace, rows).await;
    let peak_after_change = operator.process().peak_mib();

    operator.terminate();
    let before = cluster.writes(&namespace).len();
    let began = Instant::now();
    let operator = operator.again();
    looked(&operator, &format!("{namespace}/people")).await;
    let restart = began.elapsed();
    let restart_peak_mib = operator.process().peak_mib();
    operator.terminate();
    let restart_writes = cluster.writes(&namespace).len() - before;
    Measured {
        rows,
        plain,
        generated,
        marked,
        all_marked,
        peak_mib: peak_mib.max(peak_after_change),
        cpu,
        change,
        change_writes,
        restart_writes,
        restart_peak_mib,
        restart,
    }
}

/// What has to be written: each ScimUser by server-side apply, and then the status of each.
async fn plain_loops(cluster: &ControlPlane, rows: usize) -> [f64; 2] {
    let namespace = cluster.namespace().await;
    let api: Api<ScimUser> = Api::namespaced(cluster.client(), &namespace);
    let name = |n: usize| format!("p{n:06}-example-com-00000000");
    let head = |name: &str| json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": "ScimUser", "metadata": {"name": name}});
    let params = PatchParams::apply("raw-loop").force();
    let began = Instant::now();
    stream::iter(0..rows)
        .for_each_concurrent(CONCURRENCY, async |n| {
            let mut object = head(&name(n));
            object["metadata"]["labels"] = json!({"scim-operator.dev/roster": "raw"});
            object["metadata"]["annotations"] = json!({"scim-operator.dev/generated": "0000000000000000"});
            object["spec"] = json!({
                "connectionRef": {"name": "nowhere"}, "userName": format!("p{n:06}@example.com"), "active": true,
                "title": "Engineer", "name": {"formatted": format!("Person {n}")},
                "emails": [{"value": format!("p{n:06}@example.com"), "type": "work", "primary": true}],
            });
            api.patch(&name(n), &params, &Patch::Apply(&object)).await.expect("an object");
        })
        .await;
    let per_second = |began: Instant| rows as f64 / began.elapsed().as_secs_f64();
    let applied = per_second(began);
    let began = Instant::now();
    stream::iter(0..rows)
        .for_each_concurrent(CONCURRENCY, async |n| {
            let waiting = Patch::Apply(waiting(&name(n)));
            api.patch_status(&name(n), &params, &waiting).await.expect("a status");
        })
        .await;
    [applied, per_second(began)]
}

/// Rows of one ConfigMap; the first of the whole table has this title.
async fn write_part(cluster: &ControlPlane, namespace: &str, part: usize, rows: usize, title: &str) {
    let mut text = "userPrincipalName,jobTitle,mail,displayName,IsSoftDeleted,department,city\n".to_owned();
    for n in part * ROWS_EACH..((part + 1) * ROWS_EACH).min(rows) {
        let title = if n == 0 { title } else { "Engineer" };
        let _ = writeln!(text, "p{n:06}@example.com,{title},p{n:06}@example.com,Person {n},False,R&D,London");
    }
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": format!("people-{part:03}"),
            "labels": {"scim-operator.dev/roster-source": "true", "part": "people"}},
        "data": {"users.csv": text},
    });
    let api: Api<ConfigMap> = Api::namespaced(cluster.client(), namespace);
    let name = format!("people-{part:03}");
    api.patch(&name, &PatchParams::apply("bench").force(), &Patch::Apply(&object)).await.expect("a ConfigMap");
}

/// Without its Secret: whoever is generated waits for it, and is marked so.
fn nowhere() -> ScimConnection {
    serde_json::from_value(json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "ScimConnection", "metadata": {"name": "nowhere"},
        "spec": {
            "provider": "Generic", "baseUrl": "https://scim.invalid/scim/v2",
            "auth": {"bearerToken": {"secretKeyRef": {"name": "nowhere", "key": "token"}}},
        },
    }))
    .expect("a ScimConnection")
}

fn roster() -> ScimRoster {
    serde_json::from_value(json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "ScimRoster", "metadata": {"name": "people"},
        "spec": {
            "connectionRef": {"name": "nowhere"}, "preset": "EntraDatadog",
            "source": {"configMaps": {"selector": {"matchLabels": {"part": "people"}}}},
        },
    }))
    .expect("a ScimRoster")
}

async fn await_generated(rosters: &Api<ScimRoster>, rows: usize) {
    eventually(PATIENCE, "everybody is generated", async || {
        let status = rosters.get("people").await.expect("the roster").status.unwrap_or_default();
        let ready = reason(&status.conditions);
        if ready.as_deref() == Some("Generated") && status.generated == Some(rows as i64) { Ok(()) } else { Err(ready) }
    })
    .await;
}

/// An operator tells how a roster stands once it has looked at it.
async fn looked(operator: &Operator, roster: &str) {
    let url = format!("http://{}/metrics", operator.address().await);
    let line = format!("scim_operator_roster_ready{{roster=\"{roster}\"}} 1");
    eventually(PATIENCE, "the roster was looked at", async || {
        let text = http().get(&url).send().await.ok()?.text().await.ok()?;
        text.contains(&line).then_some(())
    })
    .await;
}

fn reason(conditions: &Option<Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>>) -> Option<String> {
    conditions.iter().flatten().find(|one| one.type_ == "Ready").map(|ready| ready.reason.clone())
}

/// Writes to ScimUsers: to their status, or to the rest of them.
fn writes(cluster: &ControlPlane, namespace: &str, of_status: bool) -> usize {
    let writes = cluster.writes(namespace);
    let of_users = writes.iter().map(|event| &event["objectRef"]).filter(|object| object["resource"] == "scimusers");
    of_users.filter(|object| object["subresource"].is_string() == of_status).count()
}

/// From a change of one row to its write, which the watch of one object sees first; and the writes of the whole look.
async fn one_changed(cluster: &ControlPlane, namespace: &str, rows: usize) -> (Duration, usize) {
    let users: Api<ScimUser> = Api::namespaced(cluster.client(), namespace);
    let rosters: Api<ScimRoster> = Api::namespaced(cluster.client(), namespace);
    let version = async || rosters.get("people").await.expect("the roster").status.unwrap_or_default().source_version;
    let known = version().await;
    let all = users.list(&ListParams::default().limit(20)).await.expect("a list");
    let first = all.items.iter().find(|user| user.spec.user_name.starts_with("p000000@")).expect("the first");
    let name = first.metadata.name.clone().expect("a name");
    let before = writes(cluster, namespace, false);
    let began = Instant::now();
    write_part(cluster, namespace, 0, rows.min(ROWS_EACH), "Officer").await;
    eventually(PATIENCE, "the change is written", async || {
        let title = users.get(&name).await.expect("the first").spec.attributes.title;
        if title.as_deref() == Some("Officer") { Ok(()) } else { Err(title) }
    })
    .await;
    let took = began.elapsed();
    eventually(PATIENCE, "the look is over", async || (version().await != known).then_some(())).await;
    await_generated(&rosters, rows).await;
    (took, writes(cluster, namespace, false) - before)
}

fn add(run: &mut Run, m: &Measured) {
    let per_second = m.rows as f64 / m.generated.as_secs_f64();
    let same = m.rows as f64 / m.plain[0] + m.marked as f64 / m.plain[1];
    let column = format!("{} rows", m.rows);
    let mut row = |what: &str, unit, value: f64| run.add(what, &column, unit, value);
    row("plain loop: applies/s", "", m.plain[0]);
    row("plain loop: statuses/s", "", m.plain[1]);
    row("roster: ScimUsers/s", "", per_second);
    row("roster / plain loop", "", per_second / m.plain[0]);
    row("roster created to all generated", "s", m.generated.as_secs_f64());
    row("… statuses written meanwhile", "", m.marked as f64);
    row("… and / plain loops of the same writes", "", same / m.generated.as_secs_f64());
    row("… and all marked as waiting", "s", m.all_marked.as_secs_f64());
    row("operator: CPU", "s", m.cpu);
    row("operator: peak memory", "MiB", m.peak_mib);
    row("one row changed: to its write", "s", m.change.as_secs_f64());
    row("one row changed: writes to specs", "", m.change_writes as f64);
    row("restart: until looked at again", "s", m.restart.as_secs_f64());
    row("restart: writes of any kind", "", m.restart_writes as f64);
    row("restart: peak memory", "MiB", m.restart_peak_mib);
}
