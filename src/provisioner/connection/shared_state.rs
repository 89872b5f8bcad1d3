//! What is known of the connection itself, for all tasks that find it out.

use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

use super::state::{ConnectionState, FirstSweep, PendingEvent};
use crate::api::{ConnectedReason, ScimConnection, ScimConnectionStatus, ServerStatus, Uid};
use crate::provisioner::lock;

/// One at a time changes it, and takes no other lock meanwhile.
#[derive(Debug)]
pub struct SharedState(Mutex<ConnectionState>);

/// What a test that succeeded found out beside.
pub struct Tested {
    /// The version of the Secret that the key is from.
    pub secret_version: Option<String>,
    /// When that was last changed.
    pub key_changed: Option<Timestamp>,
    /// When the key expires.
    pub expires_at: Option<Timestamp>,
    /// What is known of the server.
    pub server: ServerStatus,
}

impl SharedState {
    /// Begins with what an earlier process recorded.
    pub fn new(status: ScimConnectionStatus) -> Self {
        Self(Mutex::new(ConnectionState::new(status)))
    }

    /// Becomes an event.
    pub fn tell(&self, event: PendingEvent) {
        lock(&self.0).tell(event);
    }

    /// Takes what becomes an event now.
    pub fn take_events(&self) -> Vec<PendingEvent> {
        std::mem::take(&mut lock(&self.0).news)
    }

    /// What a person should know although the connection works.
    pub fn warn(&self, warnings: Vec<(&'static str, String)>) {
        lock(&self.0).warn(warnings);
    }

    /// A test begins: what the key is read from isn't known yet.
    pub fn test_begins(&self) {
        lock(&self.0).tried = None;
    }

    /// The test's key was read from what has this fingerprint.
    pub fn tries(&self, fingerprint: &str) {
        lock(&self.0).tried = Some(fingerprint.to_owned());
    }

    /// The last test's key was read from what has this fingerprint.
    pub fn tried(&self, fingerprint: &str) -> bool {
        lock(&self.0).tried.as_deref() == Some(fingerprint)
    }

    /// An answer gives reason to test the key.
    pub fn doubt_key(&self) {
        lock(&self.0).probe_requested = true;
    }

    /// Nothing speaks against the key with this fingerprint, and the last test's was another one.
    pub fn old_key_serves(&self, fingerprint: &str) -> bool {
        let state = lock(&self.0);
        !state.probe_requested && state.tried.as_deref() != Some(fingerprint)
    }

    /// Takes in what a successful test found out beside.
    pub fn tested(&self, tested: Tested) {
        let mut state = lock(&self.0);
        state.secret_version(tested.secret_version);
        state.key_changed = tested.key_changed;
        state.tested(tested.expires_at, tested.server);
    }

    /// The version of the Secret that the last good key is from.
    pub fn secret_version(&self) -> Option<String> {
        lock(&self.0).secret_version.clone()
    }

    /// Takes in the outcome of a test; true where it is news.
    pub fn connected(&self, connection: &ScimConnection, reason: ConnectedReason, message: &str) -> bool {
        lock(&self.0).connected(connection, reason, message)
    }

    /// A test has ended, see [`super::reconcile_request::ReconcileRequest::tested`].
    pub fn answers_request(&self, asked: Option<&String>, sweeps: bool) -> bool {
        lock(&self.0).reconcile_request.tested(asked, sweeps)
    }

    /// The reason of that alone.
    pub fn reason_not_connected(&self) -> String {
        lock(&self.0).reason_not_connected()
    }

    /// Why the connection can't be used, for the objects that wait for it.
    pub fn why_not_connected(&self) -> String {
        lock(&self.0).why_not_connected()
    }

    /// An object met a method that the server doesn't know.
    pub fn unsupported(&self, uid: &Uid, generation: i64, message: &str) {
        lock(&self.0).unsupported(uid, generation, message);
    }

    /// The connection changed: what its profile didn't fit may fit now.
    pub fn forget_unsupported(&self) {
        lock(&self.0).forget_unsupported();
    }

    /// The API server didn't take a write, which is told where it is news.
    pub fn write_refused(&self, told: String, now: Timestamp) {
        lock(&self.0).write_refused(told, now);
    }

    /// The server was seen not to do what the dialect expects.
    pub fn differs(&self, event: PendingEvent, server: ServerStatus) {
        let mut state = lock(&self.0);
        state.tell(event);
        state.server_is(server);
    }

    /// How far the first sweep of this session is.
    pub fn first_sweep(&self) -> FirstSweep {
        lock(&self.0).first_sweep
    }

    /// A session begins, and with it the wait for its first sweep.
    pub fn await_first_sweep(&self) {
        lock(&self.0).first_sweep = FirstSweep::Awaited;
    }

    /// The first sweep takes long: nobody waits for it any more. True where somebody did.
    pub fn delay_first_sweep(&self) -> bool {
        let mut state = lock(&self.0);
        let awaited = state.first_sweep == FirstSweep::Awaited;
        if awaited {
            state.first_sweep = FirstSweep::Delayed;
        }
        awaited
    }

    /// A sweep begins.
    pub fn sweep_began(&self) {
        lock(&self.0).sweep_began();
    }

    /// A sweep is over; `carried_through`: the server could be asked. True for the first of this session that was.
    pub fn sweep_ended(&self, complete: bool, carried_through: bool, took: Duration) -> bool {
        lock(&self.0).sweep_is_over(complete, carried_through, took)
    }

    /// The last sweep could not be carried through.
    pub fn sweep_failed(&self) -> bool {
        lock(&self.0).sweep_failed
    }

    /// The listing of a collection ended, with or without a gap, which is told of once.
    pub fn listed(&self, collection: &'static str, gap: Option<String>) {
        lock(&self.0).listed(collection, gap);
    }

    /// Why the last listing of a collection wasn't all there is.
    pub fn gap(&self, collection: &'static str) -> Option<String> {
        lock(&self.0).gap(collection).map(str::to_owned)
    }

    /// When the key was changed, and when it expires.
    pub fn key_times(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        lock(&self.0).key_times()
    }

    /// Asks once what status shows of it.
    pub(super) fn report<T>(&self, report: impl FnOnce(&mut ConnectionState) -> T) -> T {
        report(&mut lock(&self.0))
    }
}
