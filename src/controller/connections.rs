//! ScimConnections: one provisioner each, started, updated and stopped as they come and go.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::watcher::Event;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::unrouted::Unrouted;
use super::watch::{Read, Scope, is_cluster, within};
use crate::api::{ScimConnection, ScimGroup, ScimUser, Uid};
use crate::directory::{Changed, ConnectionKey, connection_of, connection_of_group, is_deleting};
use crate::provisioner::{Provisioner, Shared};

/// The provisioners, by connection.
pub struct Connections {
    shared: Shared,
    known: HashMap<ConnectionKey, Arc<ScimConnection>>,
    running: HashMap<ConnectionKey, Arc<Provisioner>>,
    unrouted: Unrouted,
    tasks: JoinSet<()>,
    stop: CancellationToken,
    /// The keys of each list that is under way.
    listing: BTreeMap<Scope, Vec<ConnectionKey>>,
    begun: bool,
}

impl Connections {
    /// Nothing runs before [`Connections::begin`].
    pub fn new(shared: Shared) -> Self {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let unrouted = Unrouted::start(shared.clone(), stop.clone(), &mut tasks);
        Self {
            shared,
            known: HashMap::new(),
            running: HashMap::new(),
            unrouted,
            tasks,
            stop,
            listing: BTreeMap::new(),
            begun: false,
        }
    }

    /// Takes in one event; true when a list is complete.
    pub fn observe(&mut self, scope: &Scope, event: Event<Read<ScimConnection>>) -> bool {
        match event {
            Event::Init => {
                self.listing.insert(scope.clone(), Vec::new());
            }
            Event::InitApply(connection) => {
                self.listing.entry(scope.clone()).or_default().push(named(&connection));
                self.changed(connection);
            }
            Event::Apply(connection) => self.changed(connection),
            Event::Delete(connection) => self.gone(&named(&connection)),
            Event::InitDone => {
                let listed = self.listing.remove(scope).unwrap_or_default();
                let of_cluster = is_cluster(scope);
                let here =
                    self.known.keys().filter(|key| key.is_of_cluster() == of_cluster && within(scope, &key.namespace));
                let gone: Vec<_> = here.filter(|key| !listed.contains(key)).cloned().collect();
                for key in gone {
                    self.gone(&key);
                }
                return true;
            }
        }
        false
    }

    /// Everything is listed: the provisioners start.
    pub fn begin(&mut self) {
        self.begun = true;
        let known: Vec<_> = self.known.values().cloned().collect();
        for connection in known {
            self.start(&connection);
        }
    }

    /// Submits an object to its connection's queue, or, where there is none, to the unrouted ones.
    pub fn submit(&self, user: &Arc<ScimUser>, changed: &Changed) {
        let Some(provisioner) = self.running.get(&connection_of(user)) else {
            self.shared.metrics.unrouted();
            self.unrouted.submit(user, false);
            return;
        };
        let released = is_deleting(user) && (user.wants_release() || provisioner.is_released());
        // Nobody waits for a server that is to be left alone.
        if released && !provisioner.is_ready() {
            self.unrouted.submit(user, true);
        } else {
            provisioner.submit(user, changed);
        }
    }

    /// The same for a group.
    pub fn submit_group(&self, group: &Arc<ScimGroup>, fresh: bool) {
        match self.running.get(&connection_of_group(group)) {
            Some(provisioner) if released(group, provisioner) && !provisioner.is_ready() => {
                self.unrouted.submit_group(group, true);
            }
            Some(provisioner) => provisioner.submit_group(group, fresh),
            None => {
                self.shared.metrics.unrouted();
                self.unrouted.submit_group(group, false);
            }
        }
    }

    /// An object is gone.
    pub fn forget(&self, uid: &Uid) {
        for provisioner in self.running.values() {
            provisioner.forget(uid);
        }
    }

    /// A labelled Secret came, changed or went.
    pub fn secret_changed(&self, namespace: &str, name: &str) {
        for provisioner in self.running.values().filter(|provisioner| provisioner.uses_secret(namespace, name)) {
            provisioner.credentials_changed();
        }
    }

    /// Ends every provisioner; what is in flight ends first.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    fn changed(&mut self, connection: Read<ScimConnection>) {
        // Of one that can't be read, what is known from before stays in force.
        let Ok(connection) = connection else { return };
        let key = key_of(&connection);
        if self.known.get(&key).is_some_and(|known| known.uid() != connection.uid()) {
            // Deleted and re-created under its name while no event of it was seen: nothing of it is carried over.
            self.gone(&key);
        }
        self.shared.directory.set_delegation(&key, connection.spec.delegation.clone());
        self.shared.directory.set_deletes(&key, connection.spec.deletes_accounts());
        let connection = Arc::new(connection);
        self.known.insert(key.clone(), Arc::clone(&connection));
        if !self.begun {
            return;
        }
        if let Some(provisioner) = self.running.get(&key) {
            provisioner.update(connection);
            if provisioner.is_released() {
                self.route(&key);
            }
        } else {
            self.start(&connection);
            self.route(&key);
        }
    }

    fn start(&mut self, connection: &Arc<ScimConnection>) {
        let key = key_of(connection);
        info!(connection = %key, "starting");
        let provisioner = Provisioner::start(
            self.shared.clone(),
            Arc::clone(connection),
            key.clone(),
            self.stop.child_token(),
            &mut self.tasks,
        );
        self.running.insert(key, provisioner);
    }

    fn gone(&mut self, key: &ConnectionKey) {
        self.known.remove(key);
        self.shared.directory.set_delegation(key, None);
        self.shared.directory.set_deletes(key, false);
        if let Some(provisioner) = self.running.remove(key) {
            info!(connection = %key, "gone");
            provisioner.stop();
        }
        self.shared.directory.set_server(key, None);
        self.route(key);
    }

    /// The objects of a connection that came or went are looked at.
    fn route(&self, key: &ConnectionKey) {
        for user in self.shared.directory.users_of(key) {
            self.submit(&user, &Changed { itself: true, fresh: true, others: Vec::new() });
        }
        for group in self.shared.directory.groups_of(key) {
            self.submit_group(&group, true);
        }
    }
}

/// The group is under deletion and is to go without a word to the server.
fn released(group: &ScimGroup, provisioner: &Provisioner) -> bool {
    group.metadata.deletion_timestamp.is_some() && (group.wants_release() || provisioner.is_released())
}

fn named(connection: &Read<ScimConnection>) -> ConnectionKey {
    match connection {
        Ok(connection) => key_of(connection),
        Err(invalid) => ConnectionKey {
            namespace: invalid.metadata.namespace.clone().unwrap_or_default(),
            name: invalid.metadata.name.clone().unwrap_or_default(),
        },
    }
}

fn key_of(connection: &ScimConnection) -> ConnectionKey {
    ConnectionKey { namespace: connection.namespace().unwrap_or_default(), name: connection.name_any() }
}
