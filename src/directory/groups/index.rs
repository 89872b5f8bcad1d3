//! The indexes of groups: which of them a user, a name or a label concerns.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;

use super::super::connection_of;
use super::{Entry, Groups, connection_of_group};
use crate::api::{RemoteId, ScimGroup, ScimUser, Uid};
use crate::plan::groups::{Membership, Standing};
use crate::scim::fold;

impl Groups {
    /// Puts a group's references into the indexes, or takes them out.
    pub(super) fn index(&mut self, uid: &Uid, group: &ScimGroup, put: bool) {
        fn set<K: std::hash::Hash + Eq>(map: &mut HashMap<K, BTreeSet<Uid>>, key: K, uid: &Uid, put: bool) {
            if put {
                map.entry(key).or_default().insert(uid.clone());
            } else {
                take(map, &key, uid);
            }
        }
        let key = connection_of_group(group);
        let namespace = group.namespace().unwrap_or_default();
        for member in group.spec.members.iter().flatten() {
            if let Some(reference) = &member.user_ref {
                set(&mut self.by_user, (namespace.clone(), reference.name.clone()), uid, put);
            }
            if let Some(reference) = &member.group_ref {
                set(&mut self.by_group, (namespace.clone(), reference.name.clone()), uid, put);
            }
            if let Some(name) = &member.user_name {
                set(&mut self.by_user_name, (key.clone(), fold(name)), uid, put);
            }
        }
        let label = group.spec.member_selector.as_ref().and_then(|selector| selector.match_labels.first_key_value());
        if let Some((name, value)) = label {
            set(&mut self.by_label, (key.clone(), name.clone(), value.clone()), uid, put);
        }
        set(&mut self.connections, key, uid, put);
    }

    /// The groups that name this object, or the userName of its account.
    pub(super) fn named_by(&self, user: &ScimUser, user_name: Option<&str>) -> BTreeSet<Uid> {
        let key = (user.namespace().unwrap_or_default(), user.name_any());
        let by_name = user_name.and_then(|name| self.by_user_name.get(&(connection_of(user), name.to_owned())));
        self.by_user.get(&key).into_iter().chain(by_name).flatten().cloned().collect()
    }

    /// The groups that refer to this user, by name or by label.
    pub(super) fn referring_to(&self, user: &ScimUser, user_name: Option<&str>) -> BTreeSet<Uid> {
        let key = connection_of(user);
        let of_connection = |uid: &Uid| self.all.get(uid).is_some_and(|entry| connection_of_group(&entry.group) == key);
        let mut found: BTreeSet<Uid> = self.named_by(user, user_name).into_iter().filter(of_connection).collect();
        for (name, value) in user.labels() {
            let labelled = self.by_label.get(&(key.clone(), name.clone(), value.clone())).into_iter().flatten();
            found.extend(labelled.filter(|uid| self.all.get(*uid).is_some_and(|entry| entry.selects(user))).cloned());
        }
        found
    }

    /// The id of a user's account, kept once however many groups know it.
    pub(super) fn id_of(&self, user: &Uid, account: &str) -> RemoteId {
        let standing = self.links.get(user).into_iter().flatten().find_map(|(_, standing)| match standing {
            Standing::In(id) | Standing::Going(id) if id.as_str() == account => Some(id),
            _ => None,
        });
        let mut recorded = self.records.get(user).into_iter().flatten().map(|(_, id)| id);
        standing.or_else(|| recorded.find(|id| id.as_str() == account)).cloned().unwrap_or_else(|| account.into())
    }

    /// Nobody stands in this group any more.
    pub(super) fn unlink_all(&mut self, group: &Uid) {
        self.links.retain(|_, links| {
            if links.iter().any(|(known, _)| known == group) {
                let mut all = std::mem::take(links).into_vec();
                all.retain(|(known, _)| known != group);
                *links = all.into_boxed_slice();
            }
            !links.is_empty()
        });
    }

    /// Of this user: it stands so in this group, or not at all.
    pub(super) fn link(&mut self, user: &Uid, group: &Uid, standing: Option<Standing>) {
        let Some(links) = self.links.get_mut(user) else {
            if let Some(standing) = standing {
                self.links.insert(user.clone(), Box::new([(group.clone(), standing)]));
            }
            return;
        };
        let mut all = std::mem::take(links).into_vec();
        all.retain(|(known, _)| known != group);
        all.extend(standing.map(|standing| (group.clone(), standing)));
        if all.is_empty() {
            self.links.remove(user);
        } else {
            *links = all.into_boxed_slice();
        }
    }
}

impl Entry {
    pub(super) fn new(group: Arc<ScimGroup>) -> Self {
        Self {
            group,
            membership: Membership::default(),
            fixed: Vec::new(),
            resolved: BTreeMap::new(),
            waiting: BTreeSet::new(),
            fixed_waiting: Vec::new(),
            foreign: Vec::new(),
            absent: Vec::new(),
        }
    }

    /// Its selector fits the labels. A cluster connection is of several namespaces; labels are of one.
    pub(super) fn selects(&self, user: &ScimUser) -> bool {
        let Some(selector) = &self.group.spec.member_selector else { return false };
        let labels = user.labels();
        user.metadata.namespace == self.group.metadata.namespace
            && selector.match_labels.iter().all(|(name, value)| labels.get(name) == Some(value))
    }

    /// No reference stands any more, for they are gathered anew.
    pub(super) fn without_references(&mut self) {
        self.membership.without_references();
        self.waiting.clear();
        self.fixed.clear();
    }

    pub(super) fn enter(&mut self, standing: &Standing, name: &str) {
        if *standing == Standing::Waiting {
            self.waiting.insert(name.to_owned());
        }
        self.membership.enter(standing);
    }

    pub(super) fn leave(&mut self, standing: &Standing, name: &str, now: Option<&Standing>) {
        if *standing == Standing::Waiting && now != Some(&Standing::Waiting) {
            self.waiting.remove(name);
        }
        self.membership.leave(standing);
    }

    /// The object that stood so is gone and wasn't deprovisioned: unless others declare its account, that stays for a while.
    pub(super) fn vanish(&mut self, stood: &Standing, since: Timestamp) {
        let (Standing::In(id) | Standing::Going(id)) = stood else { return };
        if !self.membership.is_declared(id) {
            self.membership.vanish(id, since);
        }
    }
}

pub(super) fn take<K: std::hash::Hash + Eq>(map: &mut HashMap<K, BTreeSet<Uid>>, key: &K, uid: &Uid) {
    if let Some(uids) = map.get_mut(key) {
        uids.remove(uid);
        if uids.is_empty() {
            map.remove(key);
        }
    }
}
