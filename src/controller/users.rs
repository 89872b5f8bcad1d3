//! ScimUsers: watch events into the directory, and routing to the connection's queue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::runtime::watcher::Event;

use super::connections::Connections;
use super::watch::{Read, Scope, uid_of, within};
use crate::api::{ScimUser, Uid};
use crate::directory::{Changed, Directory, awaits_name};

/// Routes ScimUsers; awaits no network.
pub struct Users {
    directory: Arc<Directory>,
    /// The uids of each list that is under way.
    listing: BTreeMap<Scope, BTreeSet<Uid>>,
    begun: bool,
}

impl Users {
    /// Nothing is routed before [`Users::begin`].
    pub fn new(directory: Arc<Directory>) -> Self {
        Self { directory, listing: BTreeMap::new(), begun: false }
    }

    /// Takes in one event; true when a list is complete.
    pub fn observe(&mut self, scope: &Scope, event: Event<Read<ScimUser>>, connections: &Connections) -> bool {
        match event {
            Event::Init => {
                self.listing.insert(scope.clone(), BTreeSet::new());
            }
            Event::InitApply(user) => {
                self.listing.entry(scope.clone()).or_default().insert(uid_of(&user));
                self.changed(user, connections);
            }
            Event::Apply(user) => self.changed(user, connections),
            Event::Delete(user) => self.gone(&uid_of(&user), connections),
            Event::InitDone => {
                let seen = self.listing.remove(scope).unwrap_or_default();
                let (gone, others) = self.directory.retain(&seen, |namespace| within(scope, namespace));
                for uid in gone {
                    connections.forget(&uid);
                }
                self.route_all(others, connections);
                return true;
            }
        }
        false
    }

    /// Everything is listed: what came meanwhile is routed now.
    pub fn begin(&mut self, connections: &Connections) {
        self.begun = true;
        for user in self.directory.all() {
            connections.submit(&user, &Changed { itself: true, fresh: false, others: Vec::new() });
        }
    }

    /// Routes an object whose claim may stand differently, or whose connection came or went.
    pub fn route_again(&self, uid: &Uid, connections: &Connections) {
        if let Some(user) = self.directory.get(uid).filter(|_| self.begun) {
            connections.submit(&user, &Changed { itself: true, fresh: true, others: Vec::new() });
        } else if let Some(group) = self.directory.group(uid).filter(|_| self.begun) {
            // That its members stand differently is no reason to cut short a wait of its own.
            connections.submit_group(&group, awaits_name(&group));
        }
    }

    /// The objects of the directory.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    fn changed(&self, user: Read<ScimUser>, connections: &Connections) {
        // Of one that can't be read, what is known from before stays in force.
        let Ok(user) = user else { return };
        let uid = Uid::of(&user.metadata);
        let changed = self.directory.upsert(user);
        if !self.begun {
            return;
        }
        if changed.itself
            && let Some(user) = self.directory.get(&uid)
        {
            connections.submit(&user, &changed);
        }
        self.route_all(changed.others, connections);
    }

    fn gone(&self, uid: &Uid, connections: &Connections) {
        let others = self.directory.remove(uid);
        connections.forget(uid);
        self.route_all(others, connections);
    }

    fn route_all(&self, uids: Vec<Uid>, connections: &Connections) {
        for uid in uids {
            self.route_again(&uid, connections);
        }
    }
}
