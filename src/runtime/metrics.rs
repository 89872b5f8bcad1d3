//! Metrics, in OpenMetrics. Labels are bounded: connections, lanes, reasons; never objects or texts.
//!
//! Every series of a connection is there from its beginning, at zero, so that a rate over it sees the first event,
//! and goes when the connection does.

mod groups;
mod rosters;
mod series;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// Seconds, around what a SCIM server takes: from a local one to the longest time-out.
const REQUEST_BUCKETS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "other"];
const LANES: [&str; 4] = ["removal", "change", "create", "drift"];
const OUTCOMES: [&str; 5] = ["done", "again", "retry", "after", "paused"];
const STATES: [&str; 4] = ["synced", "failed", "pending", "held"];
const OPERATIONS: [&str; 7] = ["Create", "Adopt", "Update", "Handover", "Deactivate", "Reactivate", "Delete"];
const GUARDS: [&str; 5] = ["removals", "memberships", "rewrites", "groups", "creates"];
const HELD: [&str; 5] = ["creates", "updates", "deactivations", "deletes", "memberships"];
/// The classes of [`crate::scim::Class`].
const REASONS: [&str; 15] = [
    "throttled",
    "transient",
    "credential",
    "forbidden",
    "not_found",
    "conflict",
    "precondition",
    "content_type",
    "unsupported",
    "not_scim",
    "rejected",
    "unreachable",
    "tls",
    "timeout",
    "empty",
];

/// A connection, and what else tells its series apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Requests {
    connection: String,
    method: &'static str,
    code: String,
}

macro_rules! labels {
    ($($name:ident $(: $label:ident)?),+) => {$(
        #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        struct $name {
            connection: String,
            $($label: &'static str,)?
        }

        impl $name {
            fn new(connection: &str, $($label: &'static str)?) -> Self {
                Self { connection: connection.to_owned(), $($label)? }
            }
        }
    )+};
}

labels!(Connection, Method: method, Lane: lane, Outcome: outcome, State: state, Type: r#type, Reason: reason, Guard: guard);

/// A roster, and which of its counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Roster {
    roster: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RosterCount {
    roster: String,
    count: &'static str,
}

/// The counts of a roster.
const ROSTER_COUNTS: [&str; 5] = ["rows", "in_scope", "generated", "rejected", "held"];

type Seconds = Gauge<f64, AtomicU64>;

/// Makes histograms of these buckets.
#[derive(Clone, Debug)]
struct Latency;

impl MetricConstructor<Histogram> for Latency {
    fn new_metric(&self) -> Histogram {
        Histogram::new(REQUEST_BUCKETS)
    }
}

macro_rules! families {
    ($($field:ident: $type:ty, $name:literal $(in $unit:ident)?, $help:literal;)+) => {
        /// The process's metrics; cloning shares them.
        #[derive(Clone, Debug)]
        pub struct Metrics {
            registry: Arc<Registry>,
            $($field: $type,)+
        }

        impl Default for Metrics {
            fn default() -> Self {
                let mut registry = Registry::with_prefix("scim_operator");
                registry.register("build", "The operator's version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
                $(let $field: $type = Fresh::fresh();)+
                $(families!(@register registry, $field, $name, $help $(, $unit)?);)+
                Self { registry: Arc::new(registry), $($field,)+ }
            }
        }
    };
    (@register $registry:ident, $field:ident, $name:literal, $help:literal) => {
        $registry.register($name, $help, $field.clone())
    };
    (@register $registry:ident, $field:ident, $name:literal, $help:literal, $unit:ident) => {
        $registry.register_with_unit($name, $help, Unit::$unit, $field.clone())
    };
}

/// An empty metric.
trait Fresh {
    fn fresh() -> Self;
}

impl Fresh for Gauge {
    fn fresh() -> Self {
        Self::default()
    }
}

impl Fresh for Counter {
    fn fresh() -> Self {
        Self::default()
    }
}

impl<S: Clone + std::hash::Hash + Eq, M: Default> Fresh for Family<S, M> {
    fn fresh() -> Self {
        Self::default()
    }
}

impl<S: Clone + std::hash::Hash + Eq> Fresh for Family<S, Histogram, Latency> {
    fn fresh() -> Self {
        Self::new_with_constructor(Latency)
    }
}

families! {
    leader: Gauge, "leader", "1 while this process holds the Lease";
    unrouted: Counter, "unrouted", "Objects looked at whose connection is not there";
    audit_failures: Counter, "audit_failures", "Lines of the audit stream that are lost";
    requests: Family<Requests, Counter>, "requests", "Requests to a SCIM server, by the status of the answer";
    request_duration: Family<Method, Histogram, Latency>, "request_duration" in Seconds, "From sending a request to the end of its answer";
    wait_duration: Family<Connection, Histogram, Latency>, "rate_limit_wait" in Seconds, "What requests waited for the rate limit";
    pass_duration: Family<Connection, Histogram, Latency>, "pass_duration" in Seconds, "From taking an object out of the queue to giving it back";
    paused: Family<Connection, Gauge>, "rate_limit_paused", "1 while the server asked for no requests";
    errors: Family<Reason, Counter>, "errors", "Requests to a SCIM server that failed, by class";
    kubernetes_errors: Family<Connection, Counter>, "kubernetes_errors", "Writes of status and finalizers that the API server did not take";
    operations: Family<Type, Counter>, "operations", "Writes at a SCIM server that took effect";
    submitted: Family<Lane, Counter>, "submitted", "Objects that events brought into the queue";
    passes: Family<Outcome, Counter>, "passes", "Looks at an object, by what came of it";
    queue_depth: Family<Lane, Gauge>, "queue_depth", "Objects in the queue of a connection";
    queue_age: Family<Lane, Seconds>, "queue_oldest" in Seconds, "How long the first of a lane has waited; of removals, how long the oldest is owed";
    users: Family<State, Gauge>, "users", "ScimUsers of a connection";
    drifted: Family<Connection, Gauge>, "users_drifted", "ScimUsers that were changed at the server and are left so";
    groups: Family<State, Gauge>, "groups", "ScimGroups of a connection";
    memberships: Family<Type, Counter>, "memberships", "Members put into groups and taken out of them";
    unmanaged: Family<Connection, Gauge>, "accounts_unmanaged", "Accounts that no object declares, under unmanagedPolicy: Report";
    holds: Family<Connection, Gauge>, "holds", "Holds that wait for an approval";
    held: Family<Type, Gauge>, "held_operations", "Operations in holds";
    guard_used: Family<Guard, Gauge>, "guard_used", "Operations within the window of a guard";
    guard_limit: Family<Guard, Gauge>, "guard_limit", "Operations that a guard admits within its window";
    connected: Family<Connection, Gauge>, "connected", "1 while a connection is in use";
    quarantined: Family<Connection, Gauge>, "quarantined", "1 while requests are suspended and the server is only probed";
    sweep_duration: Family<Connection, Seconds>, "sweep_duration" in Seconds, "How long the last sweep of a connection took";
    sweep_completed: Family<Connection, Seconds>, "sweep_completed_timestamp" in Seconds, "When a sweep was last complete, or the connection began";
    key_changed: Family<Connection, Seconds>, "key_changed_timestamp" in Seconds, "When the Secret of the key in use was last changed; 0 while there is none";
    key_expires: Family<Connection, Seconds>, "key_expires_timestamp" in Seconds, "When the key expires, as its Secret has it; 0 where it doesn't say";
    key_refused: Family<Connection, Gauge>, "key_refused", "1 while a new key is refused and the old one stays in use";
    roster_ready: Family<Roster, Gauge>, "roster_ready", "1 while every row in scope of a roster has its ScimUser";
    roster_rows: Family<RosterCount, Gauge>, "roster_rows", "Rows of a roster, by what became of them";
    roster_good: Family<Roster, Seconds>, "roster_last_good_timestamp" in Seconds, "Since when the content of a roster has been in force; 0 while there is none";
}

impl Metrics {
    /// A request ended: with an answer of this status, or with none.
    pub fn request(&self, connection: &str, method: &str, status: Option<u16>, took: Duration) {
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("other");
        let code = match status {
            Some(status @ 100..=599) => status.to_string(),
            Some(_) => "other".to_owned(),
            None => "none".to_owned(),
        };
        self.request_duration.get_or_create(&Method::new(connection, method)).observe(took.as_secs_f64());
        self.requests.get_or_create(&requests(connection, method, code)).inc();
    }

    /// A request waited for the rate limit.
    pub fn waited(&self, connection: &str, took: Duration) {
        self.wait_duration.get_or_create(&Connection::new(connection)).observe(took.as_secs_f64());
    }

    /// An event brought an object into the queue.
    pub fn submitted(&self, connection: &str, lane: &'static str) {
        self.submitted.get_or_create(&Lane::new(connection, lane)).inc();
    }

    /// An object's connection is not there.
    pub fn unrouted(&self) {
        self.unrouted.inc();
    }

    /// A look at an object ended.
    pub fn pass(&self, connection: &str, outcome: &'static str, took: Duration) {
        self.pass_duration.get_or_create(&Connection::new(connection)).observe(took.as_secs_f64());
        self.passes.get_or_create(&Outcome::new(connection, outcome)).inc();
    }

    /// A complete sweep ended.
    pub fn sweep(&self, connection: &str, took: Duration) {
        let label = Connection::new(connection);
        self.sweep_duration.get_or_create(&label).set(took.as_secs_f64());
        self.sweep_completed.get_or_create(&label).set(seconds(Timestamp::now()));
    }

    /// A write took effect.
    pub fn operation(&self, connection: &str, kind: &'static str) {
        self.operations.get_or_create(&Type::new(connection, kind)).inc();
    }

    /// A request failed.
    pub fn error(&self, connection: &str, reason: &'static str) {
        self.errors.get_or_create(&Reason::new(connection, reason)).inc();
    }

    /// The API server didn't take a write.
    pub fn kubernetes_error(&self, connection: &str) {
        self.kubernetes_errors.get_or_create(&Connection::new(connection)).inc();
    }

    /// A line of the audit stream is lost.
    pub fn audit_failed(&self) {
        self.audit_failures.inc();
    }

    /// The depth of a lane, and how long its first has waited.
    pub fn queue(&self, connection: &str, lane: &'static str, depth: usize, age: Duration) {
        let label = Lane::new(connection, lane);
        self.queue_depth.get_or_create(&label).set(number(depth));
        self.queue_age.get_or_create(&label).set(age.as_secs_f64());
    }

    /// The users in a state.
    pub fn users(&self, connection: &str, state: &'static str, count: i64) {
        self.users.get_or_create(&State::new(connection, state)).set(count);
    }

    /// Users that drifted, and accounts that no object declares.
    pub fn accounts(&self, connection: &str, drifted: i64, unmanaged: i64) {
        let label = Connection::new(connection);
        self.drifted.get_or_create(&label).set(drifted);
        self.unmanaged.get_or_create(&label).set(unmanaged);
    }

    /// The holds; in them so many of each kind of [`HELD`].
    pub fn holds(&self, connection: &str, holds: usize, held: [i64; 5]) {
        self.holds.get_or_create(&Connection::new(connection)).set(number(holds));
        for (kind, count) in HELD.into_iter().zip(held) {
            self.held.get_or_create(&Type::new(connection, kind)).set(count);
        }
    }

    /// What a guard counted, and its limit.
    pub fn guard(&self, connection: &str, name: &str, used: i64, limit: i64) {
        let Some(name) = GUARDS.into_iter().find(|known| *known == name) else { return };
        let label = Guard::new(connection, name);
        self.guard_used.get_or_create(&label).set(used);
        self.guard_limit.get_or_create(&label).set(limit);
    }

    /// How a connection stands.
    pub fn connection(&self, connection: &str, connected: bool, quarantined: bool, paused: bool) {
        let label = Connection::new(connection);
        self.connected.get_or_create(&label).set(i64::from(connected));
        self.quarantined.get_or_create(&label).set(i64::from(quarantined));
        self.paused.get_or_create(&label).set(i64::from(paused));
    }

    /// The key in use: when its Secret was changed, when it expires, and whether a newer one is refused.
    pub fn key(&self, connection: &str, changed: Option<Timestamp>, expires: Option<Timestamp>, refused: bool) {
        let label = Connection::new(connection);
        self.key_refused.get_or_create(&label).set(i64::from(refused));
        self.key_changed.get_or_create(&label).set(changed.map_or(0.0, seconds));
        self.key_expires.get_or_create(&label).set(expires.map_or(0.0, seconds));
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

fn requests(connection: &str, method: &'static str, code: String) -> Requests {
    Requests { connection: connection.to_owned(), method, code }
}

fn seconds(at: Timestamp) -> f64 {
    std::time::Duration::try_from(at.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default().as_secs_f64()
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
