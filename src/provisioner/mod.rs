//! One connection's runtime: what it knows of the server, its queue, and the passes that write.
//!
//! Reconcilers submit; the dispatcher takes the next ticket by lane and begins a pass, which reads the newest spec, lets
//! [`crate::plan`] decide, and makes every write about the object itself: finalizer, SCIM request, status.

mod connection;
pub mod dry_run;
mod effects;
mod engine;
pub(crate) mod groups;
mod kubernetes;
mod live;
pub mod mirror;
pub mod schedule;
#[cfg(test)]
pub(crate) mod simulation;
mod users;

use std::sync::{Arc, Mutex, MutexGuard};

use kube::ResourceExt;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error_span};

pub use self::connection::credentials::{Material, Reader, secret_names, token_url};
pub use self::connection::defaults::{base_url, overrides, rate_limits, server_of};
pub use self::connection::dialect::{dialect_of, profile_of};
pub use self::connection::hosts::Bound;
pub use self::connection::lessons::recorded_profile;
pub use self::connection::probe::refusal;
pub use self::connection::refusal::Refusal;
pub use self::connection::session::{policy_of, rates_of};
pub use self::kubernetes::bounded_note;
pub use self::schedule::queue::back_off;

use self::connection::declared::Update;
use self::connection::session::Session;
use self::connection::{Connection, credentials, defaults, session};
use self::effects::Effects;
use self::engine::guards::Guards;
use self::engine::notes::ObjectNotes;
use self::groups::notes::GroupNotes;
use self::live::Live;
use self::mirror::ServerMirror;
use self::schedule::Schedule;
use self::users::notes::UserNotes;
use crate::api::{RELEASE, ScimConnection, Uid};
use crate::directory::{ConnectionKey, Directory};
use crate::runtime::{Audit, Clock, Events, Leadership, Metrics};

/// What all provisioners share.
#[derive(Clone)]
pub struct Shared {
    /// The API server.
    pub kube: kube::Client,
    /// The objects and their claims.
    pub directory: Arc<Directory>,
    /// Whether, and until when, this process may write.
    pub leadership: Leadership,
    /// Whether the clock can be trusted.
    pub clock: Clock,
    /// Counters.
    pub metrics: Metrics,
    /// Where writes are told.
    pub audit: Audit,
    /// Warnings for people.
    pub events: Events,
    /// Where the API server is: never a target.
    pub api_server: crate::scim::ApiServer,
    /// Plain HTTP is allowed to loopback hosts.
    pub allow_loopback_http: bool,
    /// The operator's own namespace, where the Secrets of cluster connections lie.
    pub own_namespace: String,
    /// Hosts that keys may be sent to; empty allows any.
    pub allowed_hosts: Vec<String>,
    /// Routes an object again: its claim may stand differently.
    pub reroute: UnboundedSender<Uid>,
}

/// One connection at work.
pub struct Provisioner<E: Effects = Live> {
    key: ConnectionKey,
    effects: E,
    /// The objects and their claims.
    directory: Arc<Directory>,
    surroundings: Surroundings,
    /// As it is declared, and what is known of it.
    connection: Connection,
    /// Whose turn it is.
    schedule: Schedule,
    /// What the server was seen to hold.
    mirror: ServerMirror,
    /// What is remembered of objects beside their status.
    notes: ObjectNotes,
    /// The same, special to groups.
    group_notes: GroupNotes,
    /// The same, special to users.
    user_notes: UserNotes,
    /// What is admitted, and what is held.
    guards: Guards,
    stop: CancellationToken,
}

impl Provisioner {
    /// Starts the tasks of one connection; they end with `stop`.
    pub fn start(
        shared: Shared,
        connection: Arc<ScimConnection>,
        key: ConnectionKey,
        stop: CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> Arc<Self> {
        let directory = Arc::clone(&shared.directory);
        let surroundings = Surroundings {
            metrics: shared.metrics.clone(),
            audit: shared.audit.clone(),
            reroute: shared.reroute.clone(),
        };
        let provisioner = Arc::new(Self::new(Live(shared), directory, surroundings, connection, key, stop));
        // Whatever a task logs says of which connection it is, at any level.
        let of = &provisioner.key;
        tasks.spawn(Arc::clone(&provisioner).keep_connected().instrument(error_span!("connect", connection = %of)));
        tasks.spawn(Arc::clone(&provisioner).keep_swept().instrument(error_span!("sweep", connection = %of)));
        tasks.spawn(Arc::clone(&provisioner).dispatch().instrument(error_span!("dispatch", connection = %of)));
        tasks.spawn(Arc::clone(&provisioner).keep_reporting().instrument(error_span!("report", connection = %of)));
        provisioner
    }

    /// Whether this connection reads the Secret of that name.
    pub fn uses_secret(&self, namespace: &str, name: &str) -> bool {
        self.secret_namespace() == namespace
            && credentials::secret_names(&self.connection().spec).contains(&name.to_owned())
    }
}

/// Whom a provisioner tells what it does.
struct Surroundings {
    metrics: Metrics,
    audit: Audit,
    /// Routes an object again: its claim may stand differently.
    reroute: UnboundedSender<Uid>,
}

impl<E: Effects> Provisioner<E> {
    /// A connection whose tasks haven't begun.
    fn new(
        effects: E,
        directory: Arc<Directory>,
        surroundings: Surroundings,
        connection: Arc<ScimConnection>,
        key: ConnectionKey,
        stop: CancellationToken,
    ) -> Self {
        surroundings.metrics.begin(&key.to_string());
        let now = effects.now();
        let provisioner = Self {
            guards: Guards::new(&connection, now),
            schedule: Schedule::new(session::rates_of(&connection.spec)),
            connection: Connection::new(connection),
            mirror: ServerMirror::default(),
            notes: ObjectNotes::default(),
            group_notes: GroupNotes::default(),
            user_notes: UserNotes::default(),
            key,
            effects,
            directory,
            surroundings,
            stop,
        };
        provisioner.declare_server();
        provisioner
    }

    /// The connection changed; `spec` says whether more than its status did.
    pub fn update(&self, connection: Arc<ScimConnection>) {
        let spec = connection.spec.clone();
        if self.connection.declared.update(connection) == Update::Spec {
            self.declare_server();
            let newest = self.connection();
            // A new policy is not carried out at the server that the connection led to before.
            self.connection.sessions.replace(|current| {
                let stays = current.filter(|session| session.policy.server == defaults::server_of(&newest));
                stays.map(|session| Arc::new(session.under(&newest)))
            });
            let again = self.guards.configure(&spec, self.effects.now());
            self.requeue(&again);
            self.connection.state.forget_unsupported();
            self.connection.ask_for_test();
        }
    }

    /// The directory knows which server the connection leads to, connected or not: what its objects hold there is
    /// theirs (promise I8).
    fn declare_server(&self) {
        let connection = self.connection();
        let directory = &self.directory;
        directory.set_server(&self.key, Some(&defaults::server_of(&connection)));
        directory.set_idle(&self.key, connection.spec.suspend || connection.metadata.deletion_timestamp.is_some());
    }

    /// A Secret that the connection uses has changed.
    pub fn credentials_changed(&self) {
        self.connection.ask_for_test();
    }

    /// An object is gone.
    pub fn forget(&self, uid: &Uid) {
        self.give_up_seat(uid);
        self.notes.forget(uid);
        self.guards.forget(uid);
        self.group_notes.forget(uid);
        self.user_notes.forget(uid);
        self.mirror.groups.forget_search(uid);
        self.mirror.users.forget_search(uid);
        self.schedule.forget(uid);
    }

    /// The claims of these objects may stand differently: they are routed again.
    fn reroute(&self, uids: impl IntoIterator<Item = Uid>) {
        for uid in uids {
            // The receiver lives as long as the controller does.
            let _ = self.surroundings.reroute.send(uid);
        }
    }

    /// The connection can be used.
    pub fn is_ready(&self) -> bool {
        self.session().is_some()
    }

    /// The connection is under deletion and its annotation `release` lets everything of it go.
    pub fn is_released(&self) -> bool {
        let connection = self.connection();
        connection.metadata.deletion_timestamp.is_some()
            && connection.annotations().get(RELEASE).is_some_and(|value| value == "true")
    }

    /// The tasks end; what is in flight ends first and is recorded.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    fn connection(&self) -> Arc<ScimConnection> {
        self.connection.declared.get()
    }

    fn session(&self) -> Option<Arc<Session>> {
        self.connection.sessions.current()
    }
}

/// A lock is never held over an await or a panic of ours, so a poisoned one is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
