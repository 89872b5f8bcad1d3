//! What the parts of the sandbox share.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::dialect::Dialect;
use super::faults::Faults;
use super::quirks::Quirks;
use super::store::Store;

/// A running sandbox.
pub(super) struct State {
    pub dialect: Dialect,
    /// `http://127.0.0.1:PORT/scim/v2`
    pub base: String,
    pub latency: Duration,
    pub owner: Option<String>,
    pub admin_token: Option<String>,
    pub store: Mutex<Store>,
    pub quirks: Mutex<Quirks>,
    pub faults: Mutex<Faults>,
    pub stats: Mutex<Stats>,
    pub control: Mutex<Control>,
    pub opened: Arc<AtomicU64>,
}

impl State {
    /// How many connections there were since it began.
    pub fn connections(&self) -> u64 {
        self.opened.load(Ordering::SeqCst)
    }
}

/// Locks, whatever happened to the last one who did.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Counted<T> = BTreeMap<String, T>;

/// Counters of what the client did.
#[derive(Debug, Default, Serialize)]
pub(super) struct Stats {
    /// Method → collection → status → how many.
    pub requests: Counted<Counted<Counted<u64>>>,
    /// Writes that took effect, answered or not.
    pub writes: u64,
    #[serde(skip)]
    pub per_user: HashMap<String, u64>,
    #[serde(skip)]
    pub journal: Vec<Written>,
    #[serde(skip)]
    pub opened_before: u64,
    pub in_flight: u64,
    pub peak_in_flight: u64,
}

/// A write that took effect.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Written {
    pub at: String,
    pub method: String,
    pub collection: &'static str,
    pub id: String,
    pub name: String,
    /// created, updated, unchanged, deactivated, reactivated or deleted.
    pub outcome: &'static str,
}

impl Stats {
    /// Counts an answer; `what` is a status or why there was none.
    pub fn answered(&mut self, method: &str, collection: &str, what: &str) {
        let methods = self.requests.entry(method.to_owned()).or_default();
        let statuses = methods.entry(collection.to_owned()).or_default();
        *statuses.entry(what.to_owned()).or_default() += 1;
    }

    /// Begins to count anew.
    pub fn reset(&mut self, opened: u64) {
        *self = Self { in_flight: self.in_flight, opened_before: opened, ..Self::default() };
    }
}

/// Switches.
#[derive(Debug, Default)]
pub(super) struct Control {
    pub token: String,
    pub rate: Option<Bucket>,
    pub unavailable: Option<Unavailable>,
}

/// Every request is answered so.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unavailable {
    #[serde(default = "service_unavailable")]
    pub status: u16,
    pub retry_after: Option<Value>,
}

fn service_unavailable() -> u16 {
    503
}

/// A rate limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rate {
    pub per_second: f64,
    /// How many at once; as many as in a second if left out.
    pub burst: Option<f64>,
    pub retry_after: Option<Value>,
    /// Count writes only.
    #[serde(default)]
    pub writes_only: bool,
}

/// A token bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    pub rate: Rate,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub fn new(rate: Rate) -> Self {
        Self { tokens: rate.burst.unwrap_or(rate.per_second).max(1.0), rate, at: Instant::now() }
    }

    /// Takes a token if there is one; so much `ahead` is its clock.
    pub fn take(&mut self, ahead: SignedDuration) -> bool {
        let burst = self.rate.burst.unwrap_or(self.rate.per_second).max(1.0);
        let now = Instant::now() + Duration::try_from(ahead).unwrap_or_default();
        let earned = now.duration_since(self.at).as_secs_f64() * self.rate.per_second;
        self.tokens = (self.tokens + earned).min(burst);
        self.at = now;
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }

    /// Whole requests left.
    pub fn left(&self) -> String {
        format!("{:.0}", self.tokens.floor())
    }
}
