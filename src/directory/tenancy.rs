//! Which namespaces may do what through cluster connections (promise I26).

use std::collections::{BTreeMap, HashMap};

use kube::ResourceExt;

use super::{ConnectionKey, Directory, Inner, connection_of};
use crate::api::{Delegation, ScimUser, Uid};
use crate::plan::Delegated;

/// So many connections are named.
const NAMED: usize = 5;

/// The labels of namespaces, and what cluster connections delegate.
#[derive(Debug, Default)]
pub struct Tenancy {
    labels: HashMap<String, BTreeMap<String, String>>,
    delegations: HashMap<ConnectionKey, Vec<Delegation>>,
}

impl Directory {
    /// A namespace has these labels, or with `None` is gone; true where that is news.
    pub fn set_namespace(&self, name: &str, labels: Option<BTreeMap<String, String>>) -> bool {
        if self.read().tenancy.labels.get(name) == labels.as_ref() {
            return false;
        }
        let tenancy = &mut self.write().tenancy;
        match labels {
            Some(labels) => tenancy.labels.insert(name.to_owned(), labels),
            None => tenancy.labels.remove(name),
        };
        true
    }

    /// A cluster connection delegates this, or with `None` is gone.
    pub fn set_delegation(&self, connection: &ConnectionKey, delegation: Option<Vec<Delegation>>) {
        if self.read().tenancy.delegations.get(connection) == delegation.as_ref() {
            return;
        }
        let tenancy = &mut self.write().tenancy;
        match delegation {
            Some(delegation) => tenancy.delegations.insert(connection.clone(), delegation),
            None => tenancy.delegations.remove(connection),
        };
    }

    /// How far objects of this namespace may use the connection.
    pub fn delegated(&self, namespace: &str, connection: &ConnectionKey) -> Delegated {
        self.read().tenancy.delegated(namespace, connection)
    }

    /// What to do about a connection that isn't there, for an object of this namespace: what may have been meant is named.
    pub fn instead_of(&self, missing: &ConnectionKey, namespace: &str) -> String {
        const WAYS: &str =
            "create it; or delete this object and apply it with another connectionRef, which can't be changed";
        let inner = self.read();
        let other = ConnectionKey {
            namespace: if missing.is_of_cluster() { namespace.to_owned() } else { String::new() },
            name: missing.name.clone(),
        };
        if inner.servers.contains_key(&other) {
            let kind = if other.is_of_cluster() { "ClusterScimConnection" } else { "ScimConnection" };
            return format!(", but a {kind} of that name is (connectionRef.kind); {WAYS}");
        }
        let here = inner.servers.keys().filter(|key| key.namespace == namespace && !missing.is_of_cluster());
        let mut names: Vec<&str> = here.map(|key| key.name.as_str()).collect();
        names.sort_unstable();
        names.truncate(NAMED);
        let there = if names.is_empty() { String::new() } else { format!(", this namespace has {}", names.join(", ")) };
        format!("{there}; {WAYS}")
    }

    /// The objects of a namespace that refer to cluster connections.
    pub fn tenants_of(&self, namespace: &str) -> Vec<super::Uid> {
        let inner = self.read();
        let mine = |user: &&std::sync::Arc<ScimUser>| {
            user.metadata.namespace.as_deref() == Some(namespace) && connection_of(user).is_of_cluster()
        };
        let users = inner.users.values().filter(mine).filter_map(|user| Uid::given(&user.metadata));
        users.chain(inner.groups.tenants_of(namespace)).collect()
    }
}

impl Inner {
    /// The object may claim what it declares.
    pub(super) fn may(&self, user: &ScimUser) -> bool {
        let delegated = self.tenancy.delegated(&user.namespace().unwrap_or_default(), &connection_of(user));
        delegated.refuses(&user.spec, user.remote_id()).is_none()
    }
}

impl Tenancy {
    pub(super) fn delegated(&self, namespace: &str, connection: &ConnectionKey) -> Delegated {
        if !connection.is_of_cluster() {
            return Delegated::Whole;
        }
        let labels = self.labels.get(namespace);
        let selected = |entry: &&Delegation| {
            let wanted = &entry.namespace_selector.match_labels;
            labels.is_some_and(|labels| wanted.iter().all(|(name, value)| labels.get(name) == Some(value)))
        };
        Delegated::by(self.delegations.get(connection).into_iter().flatten().filter(selected))
    }
}
