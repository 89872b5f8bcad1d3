//! What is known of the connection itself, gathered in memory: conditions, times of the key, events to be published.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::runtime::events::EventType;

use super::reconcile_request::ReconcileRequest;
use super::write_trouble::WriteTrouble;
use crate::api::{ConnectedReason, ScimConnection, ScimConnectionStatus, ServerStatus, SweepStatus, Uid};
use crate::status::{fresh_condition, set_condition, unset_condition, whole_seconds};

/// What is known of the connection itself.
#[derive(Debug)]
pub struct ConnectionState {
    pub(in crate::provisioner) conditions: Vec<Condition>,
    pub(super) observed_generation: Option<i64>,
    pub(super) secret_version: Option<String>,
    pub(super) rejected_since: Option<Time>,
    pub(super) sweep: Option<SweepStatus>,
    /// Where the first sweep of this session is.
    pub first_sweep: FirstSweep,
    /// The last sweep could not be carried through, and is tried again soon.
    pub sweep_failed: bool,
    /// Why the last listings weren't all there is, of users and of groups.
    pub(super) gaps: BTreeMap<&'static str, String>,
    /// An answer since the last good test gives reason to probe the connection.
    pub probe_requested: bool,
    /// The versions of what the key was read from for the last test, if it could be.
    pub tried: Option<String>,
    pub(super) news: Vec<PendingEvent>,
    /// When the key expires, and how near that was when it was last warned of.
    pub(super) expires_at: Option<Timestamp>,
    /// When the Secret of the key in use was last changed.
    pub(in crate::provisioner) key_changed: Option<Timestamp>,
    warned_days: Option<i64>,
    /// It was said that more windows end within a day than the guard lets go.
    wave_told: bool,
    /// The account that the key belongs to, where the server tells.
    pub(super) server: Option<ServerStatus>,
    /// Objects that met a method that the server doesn't know.
    unsupported: BTreeSet<Uid>,
    /// What a person asked for by `reconcile-requested-at`.
    pub(super) reconcile_request: ReconcileRequest,
    /// Writes that the API server refuses.
    pub(super) write_trouble: WriteTrouble,
}

/// How far the first sweep of a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstSweep {
    /// Only removals with a known id go before it.
    Awaited,
    /// The server is slow to be listed: whoever owes something is looked for singly meanwhile, the others wait.
    Delayed,
    /// It has ended, complete or not.
    Ended,
}

/// Something that becomes an event of the connection.
#[derive(Debug)]
pub struct PendingEvent {
    /// A Warning, or a note.
    pub type_: EventType,
    /// In one word.
    pub reason: &'static str,
    /// What was done or tried.
    pub action: &'static str,
    /// What a person is told.
    pub note: String,
}

impl ConnectionState {
    /// Begins with what an earlier process recorded.
    pub fn new(status: ScimConnectionStatus) -> Self {
        let credentials = status.credentials.unwrap_or_default();
        Self {
            conditions: status.conditions.unwrap_or_default(),
            observed_generation: status.observed_generation,
            secret_version: credentials.secret_resource_version,
            rejected_since: credentials.rejected_since,
            sweep: status.sweep,
            first_sweep: FirstSweep::Awaited,
            sweep_failed: false,
            gaps: BTreeMap::new(),
            probe_requested: false,
            tried: None,
            news: Vec::new(),
            expires_at: None,
            key_changed: None,
            warned_days: None,
            wave_told: false,
            server: status.server,
            unsupported: BTreeSet::new(),
            reconcile_request: ReconcileRequest::new(status.last_handled_reconcile_at),
            write_trouble: WriteTrouble::default(),
        }
    }

    /// Takes in the outcome of a test; true where it is news.
    pub fn connected(&mut self, connection: &ScimConnection, reason: ConnectedReason, message: &str) -> bool {
        let now = Timestamp::now();
        let generation = connection.metadata.generation.unwrap_or_default();
        let good = reason.is_good();
        let status = if good { "True" } else { "False" };
        let news = self
            .conditions
            .iter()
            .find(|known| known.type_ == "Connected")
            .is_none_or(|known| known.reason != reason.as_str() || known.status != status);
        for kind in ["Connected", "Ready"] {
            set_condition(
                &mut self.conditions,
                fresh_condition(kind, status, reason.as_str(), message, generation, now),
            );
        }
        if good {
            unset_condition(&mut self.conditions, "Stalled");
            self.rejected_since = None;
            self.probe_requested = false;
        } else if reason.needs_change() {
            set_condition(
                &mut self.conditions,
                fresh_condition("Stalled", "True", reason.as_str(), message, generation, now),
            );
        } else {
            unset_condition(&mut self.conditions, "Stalled");
        }
        if reason == ConnectedReason::CredentialsRejected && self.rejected_since.is_none() {
            self.rejected_since = Some(Time(whole_seconds(now)));
        }
        self.observed_generation = Some(generation);
        if news {
            let kind = if reason == ConnectedReason::Connected { EventType::Normal } else { EventType::Warning };
            self.tell(PendingEvent {
                type_: kind,
                reason: reason.as_str(),
                action: "Connect",
                note: message.to_owned(),
            });
        }
        self.quarantined(generation, reason, message, now);
        self.stall_if_unsupported(
            generation,
            "the server doesn't know a method that the dialect uses; see the users that failed",
        );
        news
    }

    /// Quarantine: what the server did keeps everything from it until a test succeeds.
    fn quarantined(&mut self, generation: i64, reason: ConnectedReason, message: &str, now: Timestamp) {
        if reason.is_servers_fault() {
            let message = format!("requests are suspended; the server is probed at least every 30 minutes: {message}");
            let condition = fresh_condition("Quarantined", "True", reason.as_str(), &message, generation, now);
            set_condition(&mut self.conditions, condition);
        } else {
            unset_condition(&mut self.conditions, "Quarantined");
        }
        let waits = reason.is_servers_fault() && !reason.needs_change();
        if waits {
            let condition = fresh_condition("Reconciling", "True", reason.as_str(), message, generation, now);
            set_condition(&mut self.conditions, condition);
        } else {
            unset_condition(&mut self.conditions, "Reconciling");
        }
    }

    /// The API server didn't take a write, which is told where it is news.
    pub fn write_refused(&mut self, told: String, now: Timestamp) {
        if let Some(note) = self.write_trouble.refused(told, now) {
            self.tell(PendingEvent { type_: EventType::Warning, reason: "WritesRefused", action: "Record", note });
        }
    }

    /// Becomes an event.
    pub fn tell(&mut self, news: PendingEvent) {
        self.news.push(news);
    }

    /// The listing of a collection ended, with or without a gap, which is told of once.
    pub fn listed(&mut self, collection: &'static str, gap: Option<String>) {
        let Some(gap) = gap else {
            self.gaps.remove(collection);
            return;
        };
        if self.gaps.insert(collection, gap.clone()).is_none() {
            let note = format!("{gap}; nothing is concluded from it");
            self.tell(PendingEvent { type_: EventType::Warning, reason: "ListIncomplete", action: "Sweep", note });
        }
    }

    /// Why the last listing of a collection wasn't all there is.
    pub fn gap(&self, collection: &str) -> Option<&str> {
        self.gaps.get(collection).map(String::as_str)
    }

    /// What a person should know although the connection works.
    pub fn warn(&mut self, warnings: Vec<(&'static str, String)>) {
        for (reason, note) in warnings {
            self.tell(PendingEvent { type_: EventType::Warning, reason, action: "Connect", note });
        }
    }

    /// When the key was changed, and when it expires.
    pub fn key_times(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (self.key_changed, self.expires_at)
    }

    /// What a successful test learnt.
    pub fn tested(&mut self, expires_at: Option<Timestamp>, server: ServerStatus) {
        if self.expires_at != expires_at {
            self.warned_days = None;
        }
        self.expires_at = expires_at;
        self.server_is(server);
    }

    /// What is known of the server.
    pub fn server_is(&mut self, server: ServerStatus) {
        self.server = Some(server).filter(|server| *server != ServerStatus::default());
    }

    /// An object met a method that the server doesn't know: the connection's trouble once two have (promise I21).
    pub fn unsupported(&mut self, uid: &Uid, generation: i64, message: &str) {
        if self.unsupported.len() < 2 {
            self.unsupported.insert(uid.clone());
        }
        self.stall_if_unsupported(generation, message);
    }

    fn stall_if_unsupported(&mut self, generation: i64, message: &str) {
        if self.unsupported.len() < 2 {
            return;
        }
        let now = Timestamp::now();
        let reason = ConnectedReason::NotSupported.as_str();
        for (kind, status) in [("Ready", "False"), ("Stalled", "True")] {
            set_condition(&mut self.conditions, fresh_condition(kind, status, reason, message, generation, now));
        }
    }

    /// The connection changed: what its profile didn't fit may fit now.
    pub fn forget_unsupported(&mut self) {
        self.unsupported.clear();
    }

    /// A key that expires is warned of at 30, 7 and 1 days, and when it has.
    pub(super) fn warn_of_expiry(&mut self, now: Timestamp) {
        let Some(at) = self.expires_at else { return };
        let left = at.duration_since(now);
        let Some(stage) = [0, 1, 7, 30].into_iter().find(|days| left <= SignedDuration::from_hours(24 * days)) else {
            return;
        };
        if self.warned_days.is_some_and(|warned| warned <= stage) {
            return;
        }
        self.warned_days = Some(stage);
        let when = if stage == 0 { "expired on".to_owned() } else { format!("expires within {stage} days, on") };
        let note = format!("the key of this connection {when} {at}; put a new one into the Secret");
        self.tell(PendingEvent { type_: EventType::Warning, reason: "KeyExpires", action: "Connect", note });
    }

    /// More access windows end within a day than the guard will let go: said once, ahead of it.
    pub(super) fn warn_of_wave(&mut self, expiring: i64, room: u64) {
        let wave = u64::try_from(expiring).unwrap_or_default() > room;
        if wave && !self.wave_told {
            let note = format!(
                "{expiring} access windows end within 24 h, and guards.removals admits {room}: the rest will be held. Widen \
                 guards.removals now if they are meant"
            );
            self.tell(PendingEvent { type_: EventType::Warning, reason: "ExpiryWave", action: "Hold", note });
        }
        self.wave_told = wave;
    }

    /// Notes the version of the Secret that the key is from.
    pub fn secret_version(&mut self, version: Option<String>) {
        self.secret_version = version;
    }

    /// A sweep begins.
    pub fn sweep_began(&mut self) {
        self.reconcile_request.sweep_began();
    }

    /// A sweep has ended.
    pub fn sweep_ended(&mut self, complete: bool, took: Duration) {
        self.reconcile_request.sweep_ended();
        let last_completed = if complete {
            Some(Time(whole_seconds(Timestamp::now())))
        } else {
            self.sweep.as_ref().and_then(|sweep| sweep.last_completed.clone())
        };
        self.sweep = Some(SweepStatus {
            last_completed,
            duration: Some(format!("{}ms", took.as_millis())),
            complete: Some(complete),
        });
    }

    /// A sweep is over; `carried_through`: the server could be asked. True for the first of this session that was.
    pub fn sweep_is_over(&mut self, complete: bool, carried_through: bool, took: Duration) -> bool {
        self.sweep_ended(complete, took);
        self.sweep_failed = !carried_through;
        let first = self.first_sweep != FirstSweep::Ended;
        if first {
            // A server that can't be listed is asked for one account at a time; one that is slow to be is listed later.
            self.first_sweep = if carried_through { FirstSweep::Ended } else { FirstSweep::Delayed };
        }
        carried_through && first
    }

    /// The reason alone: the words may name what is no other namespace's business.
    pub fn reason_not_connected(&self) -> String {
        let connected = self.conditions.iter().find(|known| known.type_ == "Connected");
        connected.map_or_else(|| "it has not been tested yet".to_owned(), |known| known.reason.clone())
    }

    /// Why the connection can't be used, for the objects that wait for it.
    pub fn why_not_connected(&self) -> String {
        self.conditions.iter().find(|known| known.type_ == "Connected" && known.status == "False").map_or_else(
            || "the connection has not been tested yet".to_owned(),
            |known| format!("the connection is not usable ({}): {}", known.reason, known.message),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i11_a_sweep_that_was_not_carried_through_is_no_first_one() {
        let mut state = ConnectionState::new(ScimConnectionStatus::default());
        assert!(!state.sweep_is_over(false, false, Duration::ZERO));
        assert_eq!(state.first_sweep, FirstSweep::Delayed);
        assert!(state.sweep_is_over(true, true, Duration::ZERO));
        assert_eq!(state.first_sweep, FirstSweep::Ended);
    }

    #[test]
    fn i21_a_method_that_one_object_missed_is_that_objects_trouble() {
        let mut state = ConnectionState::new(ScimConnectionStatus::default());
        for _ in 0..2 {
            state.unsupported(&"ada".into(), 1, "no PATCH");
            assert!(state.conditions.is_empty());
        }
        state.unsupported(&"bob".into(), 1, "no PATCH");
        assert!(state.conditions.iter().any(|known| known.type_ == "Stalled"));
    }
}
