//! Which namespaces may do what through cluster connections (promise I26), and what connections do.

use std::collections::{BTreeMap, HashMap, HashSet};

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
    /// The connections at which accounts are deleted.
    deleting: HashSet<ConnectionKey>,
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

    /// Whether a connection deletes the account of a ScimUser that goes.
    pub fn set_deletes(&self, connection: &ConnectionKey, deletes: bool) {
        if self.deletes(connection) == deletes {
            return;
        }
        let deleting = &mut self.write().tenancy.deleting;
        if deletes {
            deleting.insert(connection.clone())
        } else {
            deleting.remove(connection)
        };
    }

    /// Whether the account of a ScimUser that goes is deleted, unless that asks for less.
    pub fn deletes(&self, connection: &ConnectionKey) -> bool {
        self.read().tenancy.deleting.contains(connection)
    }

    /// How far objects of this namespace may use the connection.
    pub fn delegated(&self, namespace: &str, connection: &ConnectionKey) -> Delegated {
        self.read().tenancy.delegated(namespace, connection)
    }

    /// Whether there is such a connection.
    pub fn has_connection(&self, connection: &ConnectionKey) -> bool {
        self.read().servers.contains_key(connection)
    }

    /// What to do about a connection that isn't there, for an object of this namespace: what may have been meant is named.
    pub fn instead_of(&self, missing: &ConnectionKey, namespace: &str) -> String {
        const OTHER: &str = "or delete this object and apply it with another connectionRef, which can't be changed";
        let ways = if missing.is_of_cluster() {
            format!("create it; {OTHER}")
        } else {
            // What other namespaces have is nobody else's business.
            format!("create it here, since a ClusterScimConnection alone serves several namespaces; {OTHER}")
        };
        let inner = self.read();
        let other = ConnectionKey {
            namespace: if missing.is_of_cluster() { namespace.to_owned() } else { String::new() },
            name: missing.name.clone(),
        };
        if inner.servers.contains_key(&other) {
            let kind = if other.is_of_cluster() { "ClusterScimConnection" } else { "ScimConnection" };
            return format!(", but a {kind} of that name is (connectionRef.kind); {ways}");
        }
        let names = inner.similar(missing, namespace).join(", ");
        let there = match (names.is_empty(), missing.is_of_cluster()) {
            (true, _) => String::new(),
            (false, true) => format!(", {names} may be used in this namespace"),
            (false, false) => format!(", this namespace has {names}"),
        };
        format!("{there}; {ways}")
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
    /// The connections of the same kind that objects of a namespace may use, those of the most similar names first.
    fn similar(&self, missing: &ConnectionKey, namespace: &str) -> Vec<&str> {
        let usable = |key: &&ConnectionKey| {
            let of_kind = key.is_of_cluster() == missing.is_of_cluster();
            of_kind
                && (key.namespace == namespace
                    || (key.is_of_cluster() && self.tenancy.delegated(namespace, key) != Delegated::Nothing))
        };
        let mut names: Vec<&str> = self.servers.keys().filter(usable).map(|key| key.name.as_str()).collect();
        let nearness = |name: &str| strsim::jaro_winkler(name, &missing.name);
        names.sort_by(|a, b| nearness(b).total_cmp(&nearness(a)).then_with(|| a.cmp(b)));
        names.truncate(NAMED);
        names
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_may_have_been_meant_comes_first_among_many_and_nothing_of_others() {
        let directory = Directory::default();
        let key = |namespace: &str, name: &str| ConnectionKey { namespace: namespace.into(), name: name.into() };
        for name in ["aws", "box", "chat", "datadog", "figma", "jackson"] {
            directory.set_server(&key("identity", name), Some(name));
        }
        directory.set_server(&key("payroll", "jacksom"), Some("other"));
        directory.set_server(&key("", "jacksoon"), Some("cluster"));
        let said = directory.instead_of(&key("identity", "jacksen"), "identity");
        assert!(said.starts_with(", this namespace has jackson, ") && !said.contains("jacksom"), "{said}");
        // A tenant learns of those alone that it may use.
        let said = directory.instead_of(&key("", "jacksen"), "identity");
        assert!(said.starts_with("; create it"), "{said}");
        let delegation = json!([{"namespaceSelector": {"matchLabels": {"tenant": "yes"}}, "userNames": ["*"]}]);
        let delegation = serde_json::from_value(delegation).expect("a delegation");
        directory.set_delegation(&key("", "jacksoon"), Some(delegation));
        directory.set_namespace("identity", Some([("tenant".to_owned(), "yes".to_owned())].into()));
        let said = directory.instead_of(&key("", "jacksen"), "identity");
        assert!(said.starts_with(", jacksoon may be used in this namespace; "), "{said}");
    }
}
