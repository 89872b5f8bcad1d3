//! What is on record of memberships, and who says so: a status is a record, and in a cluster connection tenants may have
//! written it (promise I32).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use kube::ResourceExt;

use super::super::{Claim, ConnectionKey, Directory, Inner, connection_of};
use super::connection_of_group;
use crate::api::{RemoteId, ScimUser, Uid};
use crate::plan::Digests;
use crate::plan::groups::Standing;

/// A member, and the namespaces whose objects speak for it.
pub type Spoken = (RemoteId, BTreeSet<String>);

impl Directory {
    /// Of those whom nothing but a status says that we put into a group of a cluster connection: the ones for whom no
    /// namespace speaks that may have whomever it likes, with those that do. All others are taken for ours from now on.
    pub fn records_to_check(&self, uid: &Uid) -> Vec<Spoken> {
        let inner = &mut *self.write_groups();
        let Some(entry) = inner.groups.all.get(uid) else { return Vec::new() };
        let key = connection_of_group(&entry.group);
        if !key.is_of_cluster() || !entry.membership.is_recorded() {
            return Vec::new();
        }
        let suspects = inner.suspects(uid, &key);
        if let Some(entry) = inner.groups.all.get_mut(uid) {
            let ids: HashSet<RemoteId> = suspects.iter().map(|(id, _)| id.clone()).collect();
            entry.membership.believe_all_but(&ids);
        }
        suspects
    }

    /// The status of some ScimUser says that we put this account into the group.
    pub fn is_on_record(&self, connection: &ConnectionKey, group: &RemoteId, account: &RemoteId) -> bool {
        let inner = self.read();
        let members = inner.groups.ledger.get(connection).and_then(|groups| groups.get(group));
        members.is_some_and(|members| members.contains(account))
    }

    /// The groups that an object's account is on record in, and by which id.
    pub fn memberships_of(&self, user: &Uid) -> Vec<(RemoteId, RemoteId)> {
        self.read().groups.records.get(user).map(|known| known.to_vec()).unwrap_or_default()
    }

    /// The objects of a connection whose account is on record in this group, and by which id.
    pub fn users_recorded_in(&self, connection: &ConnectionKey, group: &RemoteId) -> Vec<(Arc<ScimUser>, RemoteId)> {
        let inner = self.read();
        let users = inner.connections.get(connection).into_iter().flatten();
        let recorded = users.filter_map(|uid| {
            let (_, account) = inner.groups.records.get(uid)?.iter().find(|(known, _)| known == group)?;
            Some((Arc::clone(inner.users.get(uid)?), account.clone()))
        });
        recorded.collect()
    }

    /// Nothing but a userName that the group declares, and the status of an object, make this account a member.
    pub fn is_member_by_name_alone(&self, uid: &Uid, server: &str, id: &RemoteId) -> bool {
        let inner = self.read();
        let Some(entry) = inner.groups.all.get(uid) else { return false };
        if entry.fixed.contains(&Standing::In(id.clone())) {
            return false;
        }
        let home = entry.group.metadata.namespace.as_deref();
        let named = |user: &ScimUser| {
            let members = entry.group.spec.members.iter().flatten();
            let mut references = members.filter_map(|member| member.user_ref.as_ref());
            user.metadata.namespace.as_deref() == home
                && references.any(|reference| user.metadata.name.as_deref() == Some(&reference.name))
        };
        let claims = inner.claims.get(server).and_then(|claims| claims.get(&Claim::Account(id.clone())));
        let key = connection_of_group(&entry.group);
        let users = claims.into_iter().flatten().filter_map(|user| inner.users.get(user));
        let mut users = users.filter(|user| connection_of(user) == key);
        !users.any(|user| entry.selects(user) || named(user))
    }

    /// The other namespaces whose objects alone make this account a member of the group: by what their status says.
    pub fn referred_from_elsewhere(&self, uid: &Uid, server: &str, id: &RemoteId) -> BTreeSet<String> {
        let inner = self.read();
        let Some(entry) = inner.groups.all.get(uid) else { return BTreeSet::new() };
        if entry.fixed.contains(&Standing::In(id.clone())) {
            return BTreeSet::new();
        }
        let claims = inner.claims.get(server).and_then(|claims| claims.get(&Claim::Account(id.clone())));
        let here = |user: &&Uid| {
            let mut links = inner.groups.links.get(*user).into_iter().flatten();
            links.any(|(group, standing)| group == uid && *standing == Standing::In(id.clone()))
        };
        let users = claims.into_iter().flatten().filter(here).filter_map(|user| inner.users.get(user));
        let namespaces: BTreeSet<String> = users.filter_map(|user| user.namespace()).collect();
        let home = entry.group.metadata.namespace.as_deref().unwrap_or_default();
        if namespaces.contains(home) { BTreeSet::new() } else { namespaces }
    }
}

impl Inner {
    fn suspects(&self, uid: &Uid, key: &ConnectionKey) -> Vec<Spoken> {
        let Some(entry) = self.groups.all.get(uid) else { return Vec::new() };
        let status = entry.group.status.as_ref();
        let Some(group) = status.and_then(|status| status.id.as_deref()).map(RemoteId::from) else { return Vec::new() };
        let own: HashSet<&str> = status
            .into_iter()
            .flat_map(|status| {
                let leaving = status.leaving.iter().flatten().map(|(id, _)| id.as_str());
                status.brought_in.iter().flatten().map(String::as_str).chain(leaving)
            })
            .collect();
        let owned = Digests::read(status.and_then(|status| status.owned_members.as_deref()));
        let home = entry.group.metadata.namespace.as_deref().unwrap_or_default();
        let mut bounded: HashMap<String, bool> = HashMap::new();
        let mut trusted = |namespace: &str| {
            let bounded = bounded
                .entry(namespace.to_owned())
                .or_insert_with(|| self.tenancy.delegated(namespace, key).is_bounded());
            !*bounded
        };
        let (mut found, mut orphans) = (Vec::new(), HashMap::new());
        for id in entry.membership.recorded() {
            let mut namespaces = self.recording(key, &group, id, home);
            if own.contains(id.as_str()) || owned.contains(&[id.as_str()]) {
                namespaces.insert(home.to_owned());
            }
            if namespaces.is_empty() {
                orphans.insert(id.clone(), namespaces);
            } else if !namespaces.iter().any(|namespace| trusted(namespace)) {
                found.push((id.clone(), namespaces));
            }
        }
        if !orphans.is_empty() {
            self.recorded_by_others(key, &group, &mut orphans);
        }
        // For an account that isn't its own by now, only an object of the group's namespace speaks, or a trusted one.
        for (id, mut namespaces) in orphans {
            if !namespaces.iter().any(|namespace| trusted(namespace)) {
                namespaces.retain(|namespace| namespace == home);
                found.push((id, namespaces));
            }
        }
        found
    }

    /// The namespaces of the objects that are bound to this account and record its membership. Two namespaces that both
    /// say that the account is theirs contradict each other, but at home.
    fn recording(&self, key: &ConnectionKey, group: &RemoteId, id: &RemoteId, home: &str) -> BTreeSet<String> {
        let claims = self.servers.get(key).and_then(|server| self.claims.get(server));
        let uids = claims.and_then(|claims| claims.get(&Claim::Account(id.clone()))).into_iter().flatten();
        let (mut all, mut recording) = (BTreeSet::new(), BTreeSet::new());
        for user in uids {
            let Some(namespace) = self.users.get(user).and_then(|user| user.namespace()) else { continue };
            let mut records = self.groups.records.get(user).into_iter().flatten();
            if records.any(|(known, account)| known == group && account == id) {
                recording.insert(namespace.clone());
            }
            all.insert(namespace);
        }
        if all.len() > 1 {
            recording.retain(|namespace| namespace == home);
        }
        recording
    }

    /// The same of objects that are bound to other accounts by now.
    fn recorded_by_others(
        &self,
        key: &ConnectionKey,
        group: &RemoteId,
        found: &mut HashMap<RemoteId, BTreeSet<String>>,
    ) {
        for user in self.connections.get(key).into_iter().flatten() {
            let records = self.groups.records.get(user).into_iter().flatten();
            for (_, account) in records.filter(|(known, _)| known == group) {
                let namespace = self.users.get(user).and_then(|user: &Arc<ScimUser>| user.namespace());
                if let (Some(namespaces), Some(namespace)) = (found.get_mut(account), namespace) {
                    namespaces.insert(namespace);
                }
            }
        }
    }

    /// What is recorded of a user's memberships, which a user in memory doesn't keep: as a map it would take more than
    /// all the rest of them. It speaks of the groups of the user's own connection: ids of other servers may be the same.
    pub(in super::super) fn keep_ledger(
        &mut self,
        uid: &Uid,
        connection: &ConnectionKey,
        recorded: &BTreeMap<String, String>,
    ) {
        let before = self.groups.records.remove(uid).unwrap_or_default();
        let stays = |(group, id): &&(RemoteId, RemoteId)| {
            recorded.get(group.as_str()).is_some_and(|account| account == id.as_str())
        };
        if before.len() == recorded.len() && before.iter().all(|one| stays(&one)) {
            if !before.is_empty() {
                self.groups.records.insert(uid.clone(), before);
            }
            return;
        }
        if let Some(ledger) = self.groups.ledger.get_mut(connection) {
            for (group, account) in before.iter().filter(|one| !stays(one)) {
                if let Some(members) = ledger.get_mut(group) {
                    members.remove(account);
                }
            }
        }
        let mut now = Vec::with_capacity(recorded.len());
        for (group, account) in recorded {
            let (account, group) = (self.groups.id_of(uid, account), RemoteId::from(group.as_str()));
            for bound in self.groups.bound.get(&group).into_iter().flatten() {
                let entry = self.groups.all.get_mut(bound);
                if let Some(entry) = entry.filter(|entry| connection_of_group(&entry.group) == *connection) {
                    entry.membership.own(&account);
                }
            }
            let ledger = self.groups.ledger.entry(connection.clone()).or_default();
            let known = ledger.get_key_value(&group).map(|(known, _)| known.clone());
            let group = known.unwrap_or(group);
            ledger.entry(group.clone()).or_default().insert(account.clone());
            now.push((group, account));
        }
        if !now.is_empty() {
            self.groups.records.insert(uid.clone(), now.into_boxed_slice());
        }
    }
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
