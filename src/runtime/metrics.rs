//! Metrics, in OpenMetrics. Labels are bounded: connections, lanes, reasons; never objects or texts.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// Seconds, around what a SCIM server takes: from a local one to the longest time-out.
const REQUEST_BUCKETS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Requests {
    connection: String,
    method: &'static str,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Durations {
    connection: String,
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Connections {
    connection: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operations {
    connection: String,
    r#type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Errors {
    connection: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Lanes {
    connection: String,
    lane: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct States {
    connection: String,
    state: &'static str,
}

/// The process's metrics; cloning shares them.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<Requests, Counter>,
    request_duration: Family<Durations, Histogram, fn() -> Histogram>,
    sweep_duration: Family<Connections, Gauge<f64, AtomicU64>>,
    operations: Family<Operations, Counter>,
    errors: Family<Errors, Counter>,
    queue: Family<Lanes, Gauge>,
    users: Family<States, Gauge>,
    leader: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("scim_operator");
        let (operations, errors) = (Family::default(), Family::default());
        let (requests, sweep_duration) = (Family::default(), Family::default());
        let request_duration: Family<Durations, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(REQUEST_BUCKETS));
        let (queue, users, leader) = (Family::default(), Family::default(), Gauge::default());
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The operator's version", build);
        registry.register("requests", "Requests to a SCIM server, by the status of the answer", requests.clone());
        let help = "From sending a request to the end of its answer";
        registry.register_with_unit("request_duration", help, Unit::Seconds, request_duration.clone());
        let help = "How long the last sweep of a connection took";
        registry.register_with_unit("sweep_duration", help, Unit::Seconds, sweep_duration.clone());
        registry.register("operations", "Writes at a SCIM server that took effect", operations.clone());
        registry.register("errors", "Requests to a SCIM server that failed, by class", errors.clone());
        registry.register("queue_depth", "Objects in the queue of a connection", queue.clone());
        registry.register("users", "ScimUsers of a connection", users.clone());
        registry.register("leader", "1 while this process holds the Lease", leader.clone());
        let registry = Arc::new(registry);
        Self { registry, requests, request_duration, sweep_duration, operations, errors, queue, users, leader }
    }
}

impl Metrics {
    /// A request ended: with an answer of this status, or with none.
    pub fn request(&self, connection: &str, method: &str, status: Option<u16>, took: Duration) {
        let connection = connection.to_owned();
        let method = known_method(method);
        let code = match status {
            Some(status @ 100..=599) => status.to_string(),
            Some(_) => "other".to_owned(),
            None => "none".to_owned(),
        };
        self.request_duration
            .get_or_create(&Durations { connection: connection.clone(), method })
            .observe(took.as_secs_f64());
        self.requests.get_or_create(&Requests { connection, method, code }).inc();
    }

    /// A sweep ended.
    pub fn sweep(&self, connection: &str, took: Duration) {
        self.sweep_duration.get_or_create(&Connections { connection: connection.to_owned() }).set(took.as_secs_f64());
    }

    /// A write took effect.
    pub fn operation(&self, connection: &str, kind: &'static str) {
        self.operations.get_or_create(&Operations { connection: connection.to_owned(), r#type: kind }).inc();
    }

    /// A request failed.
    pub fn error(&self, connection: &str, reason: &'static str) {
        self.errors.get_or_create(&Errors { connection: connection.to_owned(), reason }).inc();
    }

    /// The depth of a lane.
    pub fn queue_depth(&self, connection: &str, lane: &'static str, depth: usize) {
        let labels = Lanes { connection: connection.to_owned(), lane };
        self.queue.get_or_create(&labels).set(i64::try_from(depth).unwrap_or(i64::MAX));
    }

    /// The users in a state.
    pub fn users(&self, connection: &str, state: &'static str, count: i64) {
        self.users.get_or_create(&States { connection: connection.to_owned(), state }).set(count);
    }

    /// Whether this process holds the Lease.
    pub fn leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// The exposition.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing into a String can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn known_method(method: &str) -> &'static str {
    ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().find(|known| *known == method).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_exposed_with_bounded_labels() {
        let metrics = Metrics::default();
        metrics.request("ns/a", "GET", Some(200), Duration::from_millis(30));
        metrics.request("ns/a", "BREW", Some(999), Duration::from_millis(30));
        metrics.request("ns/a", "POST", None, Duration::from_secs(30));
        metrics.sweep("ns/a", Duration::from_millis(1500));
        metrics.operation("ns/a", "Create");
        metrics.error("ns/a", "timeout");
        metrics.queue_depth("ns/a", "removal", 3);
        metrics.users("ns/a", "Synced", 25);
        metrics.leader(true);
        let text = metrics.encode();
        for line in [
            concat!("scim_operator_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            r#"scim_operator_requests_total{connection="ns/a",method="GET",code="200"} 1"#,
            r#"scim_operator_requests_total{connection="ns/a",method="other",code="other"} 1"#,
            r#"scim_operator_requests_total{connection="ns/a",method="POST",code="none"} 1"#,
            r#"scim_operator_request_duration_seconds_bucket{le="0.05",connection="ns/a",method="GET"} 1"#,
            r#"scim_operator_sweep_duration_seconds{connection="ns/a"} 1.5"#,
            r#"scim_operator_operations_total{connection="ns/a",type="Create"} 1"#,
            r#"scim_operator_errors_total{connection="ns/a",reason="timeout"} 1"#,
            r#"scim_operator_queue_depth{connection="ns/a",lane="removal"} 3"#,
            r#"scim_operator_users{connection="ns/a",state="Synced"} 25"#,
            "scim_operator_leader 1",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
