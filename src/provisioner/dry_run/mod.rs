//! What the operator would do, found out by reading alone.
//!
//! The provisioner that ships runs over effects of its own: reads go to the server, writes are taken down and answered as
//! if they had been carried out, and time that would only be waited for is skipped. So whatever follows from a write is
//! seen too: a group's members from the accounts that would be made, a hold from everything that is asked for together.

mod changes;
mod effects;
mod memory;
mod outline;
mod packed;
mod planned;
mod written;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::ResourceExt;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::effects::ReadOnly;
use self::memory::Memory;
use self::outline::Objects;
pub use self::packed::Packed;
pub use self::planned::{
    Action, AttributeChange, Held, MemberChanges, Plan, PlannedGuard, PlannedHold, PlannedObject, PlannedRequest, Sums,
    Unmanaged,
};
use super::connection::refusal::Refusal;
use super::connection::same_accounts::KeySource;
use super::schedule::queue::{Outcome, Ticket};
use super::{Provisioner, Surroundings};
use crate::api::{ConnectedReason, ScimConnection, ScimGroup, ScimUser, Uid};
use crate::directory::{
    Changed, ConnectionKey, Directory, awaits_name, connection_of, connection_of_group, has_finalizer, is_deleting,
};
use crate::runtime::{Audit, Metrics};
use crate::scim::{Client, ClientConfig};

/// So much time is skipped at most: two looks at what answered 404, and the judgement of what is asked for together.
const HORIZON: Duration = Duration::from_secs(130);
/// Whoever is put off by the server so often is left as it is.
const MOST_PAUSES: u32 = 5;
/// Longer than any horizon.
const NOT_NOW: Duration = Duration::from_secs(60 * 60);

/// How far a dry run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many more entries of a list came.
    Listed(u64),
    /// One more object was looked at.
    Looked,
    /// The server asks for so much patience.
    Paused(Duration),
}

/// The objects of a cluster, or of files, and what would become of them.
pub struct DryRun {
    directory: Arc<Directory>,
    connections: BTreeMap<ConnectionKey, ScimConnection>,
    /// The groups that statuses of users record: the directory keeps them in a form of its own.
    recorded: Arc<HashMap<Uid, BTreeMap<String, String>>>,
    /// Objects that are under deletion from the moment that everything else is known.
    removed: BTreeSet<Uid>,
    progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

type DryProvisioner = Provisioner<ReadOnly>;

impl DryRun {
    /// Nothing is declared yet; `progress` hears how far it is.
    pub fn new(progress: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self {
            directory: Arc::new(Directory::new(false)),
            connections: BTreeMap::new(),
            recorded: Arc::default(),
            removed: BTreeSet::new(),
            progress: Arc::new(progress),
        }
    }

    /// A namespace and its labels, which cluster connections select it by.
    pub fn namespace(&mut self, name: &str, labels: BTreeMap<String, String>) {
        self.directory.set_namespace(name, Some(labels));
    }

    /// A connection. All of them are given, also those that nothing is planned for: what their objects claim counts.
    pub fn connection(&mut self, mut connection: ScimConnection) {
        let namespace = connection.namespace().unwrap_or_default();
        let key = ConnectionKey { namespace, name: connection.name_any() };
        complete(&mut connection.metadata, "ScimConnection");
        self.directory.set_delegation(&key, connection.spec.delegation.clone());
        self.directory.set_server(&key, Some(&super::server_of(&connection)));
        self.connections.insert(key, connection);
    }

    /// A user as the API server has it, or as it would have it.
    pub fn user(&mut self, mut user: ScimUser) {
        complete(&mut user.metadata, "ScimUser");
        let groups = user.status.as_ref().and_then(|status| status.groups.clone());
        Arc::make_mut(&mut self.recorded).extend(Uid::given(&user.metadata).zip(groups));
        self.directory.upsert(user);
    }

    /// The same of a group.
    pub fn group(&mut self, mut group: ScimGroup) {
        complete(&mut group.metadata, "ScimGroup");
        self.directory.upsert_group(group);
    }

    /// A user that is declared and would be deleted.
    pub fn removed_user(&mut self, mut user: ScimUser) {
        complete(&mut user.metadata, "ScimUser");
        self.removed.extend(Uid::given(&user.metadata));
        self.user(user);
    }

    /// The same of a group.
    pub fn removed_group(&mut self, mut group: ScimGroup) {
        complete(&mut group.metadata, "ScimGroup");
        self.removed.extend(Uid::given(&group.metadata));
        self.directory.upsert_group(group);
    }

    /// What the operator would do for one connection, whose server is reached as `config` says.
    pub async fn plan(&self, key: &ConnectionKey, config: ClientConfig) -> Result<Plan, Refusal> {
        let connection = self.connections.get(key).cloned().ok_or_else(|| {
            Refusal::new(ConnectedReason::NotFound, format!("there is no connection {key} among what was read"))
        })?;
        let memory = Memory::new(Arc::clone(&self.directory), Arc::clone(&self.recorded));
        let effects = ReadOnly::new(memory, Arc::clone(&self.progress));
        effects.look().connection = Some(connection.clone());
        let (reroute, asked_again) = unbounded_channel();
        let surroundings = Surroundings { metrics: Metrics::default(), audit: Audit::default(), reroute };
        let (connection, directory) = (Arc::new(connection), Arc::clone(&self.directory));
        let (newest, stop) = (Arc::clone(&connection), CancellationToken::new());
        let provisioner = Provisioner::new(effects.clone(), directory, surroundings, newest, key.clone(), stop);
        let provisioner = Arc::new(provisioner);
        provisioner.connect(&connection, config).await?;
        let mut run = Run { provisioner, effects, asked_again, paused: BTreeMap::new() };
        run.sweep().await?;
        let objects = Objects::of(&self.directory, key, &self.removed);
        // All of them are asked for below, in an order of its own.
        for uid in objects.uids() {
            run.provisioner.schedule.forget(uid);
        }
        run.forget_removed(self).await;
        run.look_at_all(&self.directory, key).await?;
        run.provisioner.report_now().await;
        Ok(outline::outline(&run.provisioner, &mut run.effects.look(), objects))
    }
}

/// What files leave open, and the API server fills in.
fn complete(metadata: &mut ObjectMeta, kind: &str) {
    let namespace = metadata.namespace.clone().unwrap_or_default();
    let name = metadata.name.clone().unwrap_or_default();
    metadata.uid.get_or_insert_with(|| format!("{kind}:{namespace}/{name}"));
    metadata.generation.get_or_insert(1);
    metadata.resource_version.get_or_insert_with(|| "1".to_owned());
}

impl DryProvisioner {
    /// Tests the connection, as the operator does before anything else.
    async fn connect(&self, connection: &ScimConnection, config: ClientConfig) -> Result<(), Refusal> {
        let config = ClientConfig { profile: self.known_profile(connection), ..config };
        let client = Client::new(config)
            .map_err(|error| Refusal::new(ConnectedReason::TlsFailed, error.to_string()))?
            .observed(self.observer());
        let session = self.session_by(connection, client, KeySource::default()).await?;
        self.begin_session(connection, session);
        Ok(())
    }

    /// What was asked to be swept since this was last asked.
    fn wants_sweep(&self) -> bool {
        use futures::FutureExt as _;
        self.mirror.sweep_asked().now_or_never().is_some()
    }
}

/// A dry run under way.
struct Run {
    provisioner: Arc<DryProvisioner>,
    effects: ReadOnly,
    /// Objects whose claims, members or names may stand differently now.
    asked_again: UnboundedReceiver<Uid>,
    /// How often the server put an object off.
    paused: BTreeMap<Uid, u32>,
}

impl Run {
    async fn sweep(&self) -> Result<(), Refusal> {
        let _ = self.provisioner.wants_sweep();
        let Some(session) = self.provisioner.session() else { return Ok(()) };
        let ended = self.provisioner.sweep_once(&session).await;
        match self.effects.look().unlisted.clone() {
            Some(error) if !ended => {
                Err(Refusal::new(ConnectedReason::ServerError, format!("the users could not be listed: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// Objects that would be deleted are found first, as the operator has them on record; then they are under deletion.
    async fn forget_removed(&mut self, dry_run: &DryRun) {
        let directory = &dry_run.directory;
        let removed = dry_run.removed.iter().filter(|uid| {
            let key = directory.get(uid).map(|user| connection_of(&user));
            let key = key.or_else(|| Some(connection_of_group(&*directory.group(uid)?)));
            key.as_ref() == Some(&self.provisioner.key)
        });
        let removed: Vec<Uid> = removed.cloned().collect();
        if removed.is_empty() {
            return;
        }
        self.effects.look().records = false;
        for uid in &removed {
            if let Some(user) = directory.get(uid).filter(|user| !has_finalizer(user)) {
                self.provisioner.submit(&user, &Changed { itself: true, fresh: true, others: Vec::new() });
            } else if let Some(group) = directory.group(uid).filter(|group| !has_finalizer(group)) {
                self.provisioner.submit_group(&group, true);
            }
        }
        self.work(&BTreeSet::new()).await;
        let mut memory = self.effects.look();
        memory.records = true;
        memory.objects.clear();
        let now = Time(memory.now());
        // Whatever they asked for on the way, such as an account of their own, counts against no guard.
        if let Some(connection) = dry_run.connections.get(&self.provisioner.key) {
            self.provisioner.guards.begin_anew(connection, memory.now());
        }
        for uid in &removed {
            self.provisioner.schedule.forget(uid);
            if let Some(user) = directory.get(uid) {
                if has_finalizer(&user) {
                    let mut user = memory.user(&user);
                    delete(&mut user.metadata, &now);
                    directory.upsert(memory.put_user(user));
                } else {
                    directory.remove(uid);
                }
            } else if let Some(group) = directory.group(uid) {
                if has_finalizer(&group) {
                    let mut group = memory.group(&group);
                    delete(&mut group.metadata, &now);
                    directory.upsert_group(memory.put_group(group));
                } else {
                    directory.remove_group(uid);
                }
            }
        }
    }

    /// Every object in the order of the lanes: first those that stay, so that guards know how many there are; then those
    /// that go; and groups once their members are known.
    async fn look_at_all(&mut self, directory: &Directory, key: &ConnectionKey) -> Result<(), Refusal> {
        // By their uids: whoever held the objects would keep what they were like before, of everybody.
        let deferred: BTreeSet<Uid> =
            directory.groups_of(key).iter().filter_map(|group| Uid::given(&group.metadata)).collect();
        let changed = Changed { itself: true, fresh: false, others: Vec::new() };
        let users = directory.users_of(key);
        let (going, staying): (Vec<_>, Vec<_>) = users.iter().partition(|user| is_deleting(*user));
        let uids = |users: Vec<&Arc<ScimUser>>| users.iter().map(|user| Uid::of(&user.metadata)).collect::<Vec<_>>();
        let lanes = [uids(staying), uids(going)];
        drop(users);
        for uids in lanes {
            for user in uids.iter().filter_map(|uid| directory.get(uid)) {
                self.provisioner.submit(&user, &changed);
            }
            self.work(&deferred).await;
        }
        for group in &directory.groups_of(key) {
            self.provisioner.submit_group(group, false);
        }
        loop {
            self.work(&BTreeSet::new()).await;
            if self.provisioner.wants_sweep() {
                self.sweep().await?;
                continue;
            }
            if !self.skip_time() {
                return Ok(());
            }
        }
    }

    /// Works until nothing is due; those that are deferred are left for later.
    async fn work(&mut self, deferred: &BTreeSet<Uid>) {
        let most = usize::try_from(self.provisioner.connection().spec.max_in_flight).unwrap_or(4).clamp(2, 32);
        let mut running: JoinSet<(Ticket, Outcome)> = JoinSet::new();
        loop {
            self.provisioner.tick_gate();
            self.provisioner.submit_due_windows();
            self.route(deferred);
            while running.len() < most {
                let Some(ticket) = self.provisioner.next_ticket(false) else { break };
                let provisioner = Arc::clone(&self.provisioner);
                running.spawn(async move {
                    let outcome = provisioner.work(&ticket).await;
                    (ticket, outcome)
                });
            }
            match running.join_next().await {
                Some(Ok((ticket, outcome))) => self.finish(&ticket, outcome),
                Some(Err(failed)) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
                Some(Err(_)) => {}
                None => match self.provisioner.schedule.limiter().paused_until() {
                    Some(until) if !self.provisioner.schedule.is_empty() => {
                        (self.effects.progress)(Progress::Paused(until.saturating_duration_since(Instant::now())));
                        sleep_until(until).await;
                    }
                    _ => return,
                },
            }
        }
    }

    fn finish(&mut self, ticket: &Ticket, outcome: Outcome) {
        (self.effects.progress)(Progress::Looked);
        self.effects.look().entry(&ticket.uid).unread = matches!(outcome, Outcome::Paused | Outcome::Retry);
        let outcome = match outcome {
            Outcome::Paused => {
                let paused = self.paused.entry(ticket.uid.clone()).or_default();
                *paused += 1;
                let again = self.effects.look().records && *paused < MOST_PAUSES;
                if again { Outcome::Paused } else { Outcome::After(NOT_NOW) }
            }
            other => other,
        };
        self.provisioner.schedule.finish(&ticket.uid, outcome, 0.5, self.effects.look().instant());
    }

    /// Objects that may stand differently now.
    fn route(&mut self, deferred: &BTreeSet<Uid>) {
        while let Ok(uid) = self.asked_again.try_recv() {
            let directory = &self.provisioner.directory;
            let key = &self.provisioner.key;
            if let Some(user) = directory.get(&uid).filter(|user| connection_of(user) == *key) {
                self.provisioner.submit(&user, &Changed { itself: true, fresh: true, others: Vec::new() });
            } else if let Some(group) = directory.group(&uid)
                && !deferred.contains(&uid)
                && connection_of_group(&group) == *key
            {
                self.provisioner.submit_group(&group, awaits_name(&group));
            }
        }
    }

    /// Skips to the next instant at which something is due; false where that is too far.
    fn skip_time(&self) -> bool {
        let (now, instant): (Timestamp, Instant) = {
            let memory = self.effects.look();
            (memory.now(), memory.instant())
        };
        let queue = self.provisioner.schedule.next_due(instant).map(|due| due.saturating_duration_since(instant));
        let gate = self.provisioner.guards.next_instant();
        let gate = gate.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        let Some(wait) = queue.into_iter().chain(gate).min() else { return false };
        let mut memory = self.effects.look();
        let within = memory.skipped() + wait <= HORIZON;
        if within {
            memory.skip(wait + Duration::from_millis(1));
        }
        within
    }
}

fn delete(metadata: &mut ObjectMeta, now: &Time) {
    metadata.deletion_timestamp = Some(now.clone());
    metadata.generation = metadata.generation.map(|generation| generation + 1);
}
