//! What is on record of memberships, and who says so: a status is a record, and in a cluster connection tenants may have
//! written it (promise I32).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use kube::ResourceExt;

use super::super::index::account;
use super::super::{Claim, ConnectionKey, Directory, Inner, connection_of};
use super::connection_of_group;
use crate::api::{RemoteId, ScimUser, Uid};
use crate::plan::Digests;
use crate::plan::groups::{Membership, Standing};

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
        members.is_some_and(|members| members.contains_key(account))
    }

    /// The groups that an object's account is on record in, and by which id.
    pub fn memberships_of(&self, user: &Uid) -> Vec<(RemoteId, RemoteId)> {
        self.read().groups.records.get(user).map(|known| known.to_vec()).unwrap_or_default()
    }

    /// The groups of a connection that declared this account while they were exact.
    pub fn groups_owning(&self, connection: &ConnectionKey, account: &str) -> Vec<String> {
        let inner = self.read();
        let groups = inner.groups.connections.get(connection).into_iter().flatten();
        let owning = groups.filter_map(|uid| {
            let status = inner.groups.all.get(uid)?.group.status.as_ref()?;
            let here = status.bound_to.as_ref() == inner.servers.get(connection);
            let owned = status.owned_members.as_deref().filter(|_| here)?;
            status.id.clone().filter(|_| Digests::has(owned, &[account]))
        });
        owning.collect()
    }

    /// Who is in the groups that an object's account is on record in has to be read anew.
    pub fn invalidate_recorded(&self, connection: &ConnectionKey, user: &Uid) {
        let groups = &mut self.write_groups().groups;
        for (group, _) in groups.records.get(user).cloned().into_iter().flatten() {
            groups.change_members(connection, &group, Membership::invalidate);
        }
    }

    /// The objects of a connection whose account is on record in this group, and by which id.
    pub fn users_recorded_in(&self, connection: &ConnectionKey, group: &RemoteId) -> Vec<(Arc<ScimUser>, RemoteId)> {
        let inner = self.read();
        let users = inner.connections.get(connection).into_iter().flatten();
        let recorded = users.filter(|uid| !inner.groups.elsewhere.contains(*uid)).filter_map(|uid| {
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
        let here = |uid: &&Uid| !self.groups.elsewhere.contains(*uid);
        for user in self.connections.get(key).into_iter().flatten().filter(here) {
            let records = self.groups.records.get(user).into_iter().flatten();
            for (_, account) in records.filter(|(known, _)| known == group) {
                let namespace = self.users.get(user).and_then(|user: &Arc<ScimUser>| user.namespace());
                if let (Some(namespaces), Some(namespace)) = (found.get_mut(account), namespace) {
                    namespaces.insert(namespace);
                }
            }
        }
    }

    /// The object's account has another id by now: whoever has the former one isn't in by this record.
    fn disown_former(&mut self, connection: &ConnectionKey, group: &RemoteId, account: &RemoteId) {
        let recorded = self.groups.ledger.get(connection).and_then(|groups| groups.get(group));
        if recorded.is_some_and(|members| members.contains_key(account)) {
            return;
        }
        self.groups.change_members(connection, group, |members| members.forget_id(account));
    }

    /// The connection leads to another server: what is recorded of memberships there says nothing of this one's.
    pub(in super::super) fn recount_records(&mut self, connection: &ConnectionKey) {
        let users: Vec<Uid> = self.connections.get(connection).into_iter().flatten().cloned().collect();
        for uid in users {
            let Some(known) = self.groups.records.get(&uid) else { continue };
            let recorded = known.iter().map(|(group, account)| (group.to_string(), account.to_string())).collect();
            self.keep_ledger(&uid, connection, &recorded);
        }
    }

    fn is_bound_here(&self, uid: &Uid) -> bool {
        let Some(user) = self.users.get(uid) else { return false };
        let server = self.servers.get(&connection_of(user));
        server.is_some_and(|server| account(user, server).is_some())
    }

    /// What is recorded of a user's memberships, which a user in memory doesn't keep: as a map it would take more than
    /// all the rest of them. It speaks of the groups of the user's own connection, at the server where the user is bound:
    /// ids of other servers may be the same.
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
        let (counts, counted) = (self.is_bound_here(uid), !self.groups.elsewhere.contains(uid));
        let same = before.len() == recorded.len() && before.iter().all(|one| stays(&one));
        if same && (counts == counted || before.is_empty()) {
            if !before.is_empty() {
                self.groups.records.insert(uid.clone(), before);
            }
            return;
        }
        let changed: Vec<&(RemoteId, RemoteId)> =
            before.iter().filter(|one| !counts || !stays(one)).filter(|_| counted).collect();
        for (group, account) in &changed {
            self.groups.forget_entry(connection, group, account);
        }
        let known = |one: &(RemoteId, RemoteId)| counted && before.contains(one);
        let mut now = Vec::with_capacity(recorded.len());
        for (group, account) in recorded {
            let one = (self.groups.group_id(connection, group), self.groups.id_of(uid, account));
            if counts {
                self.record_counts(connection, &one, !known(&one));
            }
            now.push(one);
        }
        // Its account has another id by now: whoever has the former one is none that we brought in by this record.
        for (group, account) in changed.iter().filter(|(group, _)| counts && recorded.contains_key(group.as_str())) {
            self.disown_former(connection, group, account);
        }
        self.groups.elsewhere.remove(uid);
        if now.is_empty() {
            return;
        }
        if !counts {
            self.groups.elsewhere.insert(uid.clone());
        }
        self.groups.records.insert(uid.clone(), now.into_boxed_slice());
    }

    fn record_counts(&mut self, connection: &ConnectionKey, (group, account): &(RemoteId, RemoteId), newly: bool) {
        self.groups.change_members(connection, group, |members| members.own(account));
        let members = self.groups.ledger.entry(connection.clone()).or_default().entry(group.clone()).or_default();
        *members.entry(account.clone()).or_default() += u32::from(newly);
    }
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
