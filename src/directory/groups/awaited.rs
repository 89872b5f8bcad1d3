//! Members that are declared and whose accounts, or groups, aren't known yet: somebody in the group may be one of them.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use super::super::index::account;
use super::super::{Directory, Inner, is_deleting};
use super::{Entry, connection_of_group};
use crate::api::Uid;
use crate::scim::fold;

/// By what they would be known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Awaited {
    /// userNames, folded.
    pub user_names: BTreeSet<String>,
    /// Ids that the annotation `remote-id` names.
    pub ids: BTreeSet<String>,
    /// displayNames of nested groups.
    pub display_names: BTreeSet<String>,
    /// Objects are referred to that aren't there: of whom they are, nothing is known.
    pub absent: bool,
}

impl Awaited {
    /// Nobody is.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Directory {
    /// Whom a group declares without their accounts being known.
    pub fn awaited(&self, uid: &Uid) -> Awaited {
        let inner = self.read();
        inner.groups.all.get(uid).map(|entry| inner.awaited_in(entry)).unwrap_or_default()
    }

    /// The userNames that a group declares and no object of its connection stands for: folded, and as they are declared.
    pub fn undeclared_names(&self, uid: &Uid) -> BTreeMap<String, String> {
        let inner = self.read();
        let Some(entry) = inner.groups.all.get(uid) else { return BTreeMap::new() };
        let key = connection_of_group(&entry.group);
        let names = entry.group.spec.members.iter().flatten().filter_map(|member| member.user_name.as_deref());
        let names = names.map(|name| (fold(name), name.to_owned()));
        names.filter(|(name, _)| inner.users_for(&key, name).next().is_none()).collect()
    }
}

impl Inner {
    fn awaited_in(&self, entry: &Entry) -> Awaited {
        let mut awaited = Awaited { absent: !entry.absent.is_empty(), ..Awaited::default() };
        let (key, namespace) = (connection_of_group(&entry.group), entry.group.namespace().unwrap_or_default());
        let server = self.servers.get(&key);
        let objects = entry.waiting.iter().filter_map(|name| self.names.get(&(namespace.clone(), name.clone())));
        let mut users: BTreeSet<Uid> = objects.cloned().collect();
        for member in entry.group.spec.members.iter().flatten() {
            if let Some(name) = member.user_name.as_deref().map(fold) {
                let declared: Vec<Uid> = self.users_for(&key, &name).cloned().collect();
                if declared.is_empty() && !entry.resolved.contains_key(&name) {
                    awaited.user_names.insert(name);
                }
                users.extend(declared);
            } else if let Some(reference) = &member.group_ref {
                let other = self.groups.names.get(&(namespace.clone(), reference.name.clone()));
                let other = other.and_then(|uid| self.groups.all.get(uid)).map(|entry| &entry.group);
                let status = |group: &crate::api::ScimGroup| group.status.clone().unwrap_or_default();
                let waits =
                    other.filter(|other| status(other).id.is_none() || status(other).bound_to.as_ref() != server);
                awaited.display_names.extend(waits.map(|other| other.spec.display_name.clone()));
            }
        }
        for user in users.iter().filter_map(|uid| self.users.get(uid)) {
            let known = server.is_some_and(|server| account(user, server).is_some());
            if !known && !is_deleting(user) {
                awaited.user_names.insert(fold(&user.spec.user_name));
                awaited.ids.extend(user.remote_id().map(str::to_owned));
            }
        }
        awaited
    }
}
