//! What was measured: of processes, of the API server, of the SCIM server.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use crate::saved::Run;
use crate::support::{ControlPlane, Process, Sandbox, eventually, http};

/// Without a request for this long, no sweep is going on.
const QUIET: Duration = Duration::from_secs(3);

/// What a process has used so far.
#[derive(Clone, Copy)]
pub struct Used {
    pub cpu: f64,
    pub peak_mib: f64,
}

impl Used {
    pub fn by(process: &Process) -> Used {
        Used { cpu: process.cpu_seconds(), peak_mib: process.peak_mib() }
    }
}

pub type Requests = BTreeMap<String, u64>;

/// What the API server has done so far.
pub struct Server {
    pub cpu: f64,
    /// Of the events about ScimUsers that it has sent to watches.
    watched_bytes: f64,
    requests: f64,
}

impl Server {
    pub async fn now(cluster: &ControlPlane) -> Server {
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
    pub async fn until_now(self, run: &mut Run, cluster: &ControlPlane, whose: &str, users: usize, column: &str) {
        let now = Server::now(cluster).await;
        let mut each = |what: &str, unit, sum: f64| {
            run.add(&format!("{whose}: {what} per user"), column, unit, sum / users as f64);
        };
        each("the API server's CPU", "ms", (now.cpu - self.cpu) * 1e3);
        each("requests to the API server", "", now.requests - self.requests);
        each("KiB received by watches", "", (now.watched_bytes - self.watched_bytes) / 1024.0);
    }
}

/// The operator's writes to objects of this kind: each is a patch.
pub fn patches(cluster: &ControlPlane, namespace: &str, resource: &str) -> usize {
    let writes = cluster.writes(namespace);
    writes.iter().filter(|event| event["verb"] == "patch" && event["objectRef"]["resource"] == resource).count()
}

/// The first and the last write to a ScimUser since then.
pub fn work_on_users(cluster: &ControlPlane, namespace: &str, since: Timestamp) -> (Timestamp, Timestamp) {
    let writes = cluster.writes(namespace);
    let of_users = writes.iter().filter(|event| event["objectRef"]["resource"] == "scimusers");
    let at = |event: &Value| event["stageTimestamp"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let since: Vec<Timestamp> = of_users.map(at).filter(|&at| at >= since).collect();
    (*since.iter().min().expect("a write"), *since.iter().max().expect("a write"))
}

pub async fn requests(sandbox: &Sandbox) -> Requests {
    let stats = sandbox.admin("GET", "/stats", None).await;
    let by_status: BTreeMap<String, BTreeMap<String, BTreeMap<String, u64>>> =
        serde_json::from_value(stats["requests"].clone()).expect("counts by method, route and status");
    let routes =
        by_status.iter().flat_map(|(method, routes)| routes.iter().map(move |(route, counts)| (method, route, counts)));
    routes.map(|(method, route, counts)| (format!("{method} {route}"), counts.values().sum())).collect()
}

pub async fn sandbox_reset(sandbox: &Sandbox) {
    let url = format!("{}/stats", sandbox.admin_url);
    let answer = http().delete(url).bearer_auth(&sandbox.admin_token).send().await.expect("an answer");
    assert!(answer.status().is_success());
}

/// Waits until there has been no request for a while.
pub async fn quiet(sandbox: &Sandbox) {
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
pub async fn one_sweep(sandbox: &Sandbox) {
    let before = requests(sandbox).await;
    eventually(Duration::from_secs(60), "a sweep", async || (requests(sandbox).await != before).then_some(())).await;
    quiet(sandbox).await;
}

pub fn total(requests: &Requests, method: &str) -> u64 {
    requests.iter().filter(|(route, _)| route.starts_with(method)).map(|(_, count)| count).sum()
}
