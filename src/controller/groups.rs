//! ScimGroups: watch events into the directory, and routing to the connection's queue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::runtime::watcher::Event;

use super::connections::Connections;
use super::watch::{Read, Scope, uid_of, within};
use crate::api::{ScimGroup, Uid};
use crate::directory::{Directory, awaits_name};

/// Routes ScimGroups; awaits no network.
pub struct Groups {
    directory: Arc<Directory>,
    /// The uids of each list that is under way.
    listing: BTreeMap<Scope, BTreeSet<Uid>>,
    begun: bool,
}

impl Groups {
    /// Nothing is routed before [`Groups::begin`].
    pub fn new(directory: Arc<Directory>) -> Self {
        Self { directory, listing: BTreeMap::new(), begun: false }
    }

    /// Takes in one event; true when a list is complete.
    pub fn observe(&mut self, scope: &Scope, event: Event<Read<ScimGroup>>, connections: &Connections) -> bool {
        match event {
            Event::Init => {
                self.listing.insert(scope.clone(), BTreeSet::new());
            }
            Event::InitApply(group) => {
                self.listing.entry(scope.clone()).or_default().insert(uid_of(&group));
                self.changed(group, connections);
            }
            Event::Apply(group) => self.changed(group, connections),
            Event::Delete(group) => {
                let uid = uid_of(&group);
                let others = self.directory.remove_group(&uid);
                connections.forget(&uid);
                self.route_all(&others, connections);
            }
            Event::InitDone => {
                let seen = self.listing.remove(scope).unwrap_or_default();
                let (gone, others) = self.directory.retain_groups(&seen, |namespace| within(scope, namespace));
                for uid in gone {
                    connections.forget(&uid);
                }
                self.route_all(&others, connections);
                return true;
            }
        }
        false
    }

    /// Everything is listed: what came meanwhile is routed now.
    pub fn begin(&mut self, connections: &Connections) {
        self.begun = true;
        for group in self.directory.all_groups() {
            connections.submit_group(&group, false);
        }
    }

    fn changed(&self, group: Read<ScimGroup>, connections: &Connections) {
        // Of one that can't be read, what is known from before stays in force.
        let Ok(group) = group else { return };
        let uid = Uid::of(&group.metadata);
        let changed = self.directory.upsert_group(group);
        if !self.begun {
            return;
        }
        if changed.itself
            && let Some(group) = self.directory.group(&uid)
        {
            connections.submit_group(&group, changed.fresh);
        }
        self.route_all(&changed.others, connections);
    }

    fn route_all(&self, uids: &[Uid], connections: &Connections) {
        for group in uids.iter().filter_map(|uid| self.directory.group(uid)).filter(|_| self.begun) {
            connections.submit_group(&group, awaits_name(&group));
        }
    }
}
