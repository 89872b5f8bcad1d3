//! Every ScimGroup as last seen, and who belongs to it: fed by watch events and by the answers to our own writes.
//!
//! A change of a ScimUser costs the groups that it enters or leaves, not their size.

mod awaited;
mod claims;
mod index;
mod records;
mod references;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use kube::ResourceExt;

pub use self::awaited::Awaited;
pub use self::claims::awaits_name;
use self::index::take;
use super::{Changed, Claim, ConnectionKey, Directory, connection_of, version};
use crate::api::{self, CLAIMED_GROUP, RemoteId, ScimGroup, ScimUser, Uid};
use crate::plan::groups::{Membership, Standing};

/// The groups and their indexes.
#[derive(Debug, Default)]
pub(super) struct Groups {
    all: HashMap<Uid, Entry>,
    names: HashMap<(String, String), Uid>,
    connections: HashMap<ConnectionKey, BTreeSet<Uid>>,
    by_user: HashMap<(String, String), BTreeSet<Uid>>,
    by_group: HashMap<(String, String), BTreeSet<Uid>>,
    by_user_name: HashMap<(ConnectionKey, String), BTreeSet<Uid>>,
    /// By the first label of a selector.
    by_label: HashMap<(ConnectionKey, String, String), BTreeSet<Uid>>,
    bound: HashMap<RemoteId, BTreeSet<Uid>>,
    /// By each name that a group declares, has at the server, or may have been made under.
    by_name: HashMap<String, BTreeSet<Uid>>,
    /// Of each user, the groups that refer to it, and how it stands there.
    links: HashMap<Uid, Box<[(Uid, Standing)]>>,
    /// Of each group's id at a connection's server, whom our record says we put there, and how many objects say so.
    ledger: HashMap<ConnectionKey, HashMap<RemoteId, HashMap<RemoteId, u32>>>,
    /// The same by user: group and account.
    records: HashMap<Uid, Box<[(RemoteId, RemoteId)]>>,
    /// Users whose records speak of another server than their connection's.
    elsewhere: HashSet<Uid>,
    /// Users that leave their groups now, their accounts, and the groups that they were in.
    departing: HashMap<Uid, (RemoteId, BTreeSet<Uid>)>,
    /// Accounts that are inactive, and the groups that wait for them to be active.
    inactive: HashMap<RemoteId, BTreeSet<Uid>>,
    /// Groups that were deleted, and whose objects are about to go.
    deleted: HashSet<Uid>,
}

#[derive(Debug)]
struct Entry {
    group: Arc<ScimGroup>,
    membership: Membership,
    /// How the references stand that lead to no ScimUser.
    fixed: Vec<Standing>,
    /// Accounts as the server shows them, by folded userName.
    resolved: BTreeMap<String, RemoteId>,
    waiting: BTreeSet<String>,
    fixed_waiting: Vec<String>,
    foreign: Vec<String>,
    /// Objects that are referred to and aren't there.
    absent: Vec<String>,
}

/// References of a group that lead to no account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unfollowed {
    /// Some of those that are waited for.
    pub waiting: Vec<String>,
    /// Those that may not be followed, in words.
    pub foreign: Vec<String>,
    /// Objects that aren't there.
    pub absent: Vec<String>,
}

/// The connection that a group refers to.
pub fn connection_of_group(group: &ScimGroup) -> ConnectionKey {
    ConnectionKey::of(&group.spec.connection_ref, group.namespace())
}

fn key_of(group: &ScimGroup) -> (String, String) {
    (group.namespace().unwrap_or_default(), group.name_any())
}

/// The group is recorded as bound to this id of the server.
pub(super) fn is_bound_to(group: &ScimGroup, id: &str, server: &str) -> bool {
    group.status.as_ref().is_some_and(|status| status.id_at(server) == Some(id))
}

impl Groups {
    /// One object less says that we put the account into the group.
    fn forget_entry(&mut self, connection: &ConnectionKey, group: &RemoteId, account: &RemoteId) {
        let Some(members) = self.ledger.get_mut(connection).and_then(|groups| groups.get_mut(group)) else { return };
        if let Some(count) = members.get_mut(account) {
            *count -= 1;
            if *count == 0 {
                members.remove(account);
            }
        }
    }

    /// Changes who belongs to the objects of a connection that are bound to this group.
    fn change_members(&mut self, connection: &ConnectionKey, group: &RemoteId, change: impl Fn(&mut Membership)) {
        for bound in self.bound.get(group).into_iter().flatten() {
            let entry = self.all.get_mut(bound);
            if let Some(entry) = entry.filter(|entry| connection_of_group(&entry.group) == *connection) {
                change(&mut entry.membership);
            }
        }
    }

    /// The id of a group, kept once however many members are recorded.
    fn group_id(&self, connection: &ConnectionKey, group: &str) -> RemoteId {
        let group = RemoteId::from(group);
        let known = self.ledger.get(connection).and_then(|ledger| ledger.get_key_value(&group));
        known.map(|(known, _)| known.clone()).unwrap_or(group)
    }

    /// The objects that are recorded as bound to this id.
    pub(super) fn bound_to(&self, id: &RemoteId) -> impl Iterator<Item = &Uid> {
        self.bound.get(id).into_iter().flatten()
    }

    /// The group with this uid.
    pub(super) fn get(&self, uid: &Uid) -> Option<&Arc<ScimGroup>> {
        self.all.get(uid).map(|entry| &entry.group)
    }

    /// The groups of a namespace that refer to cluster connections.
    pub(super) fn tenants_of(&self, namespace: &str) -> Vec<Uid> {
        let mine = |(_, entry): &(&Uid, &Entry)| {
            entry.group.metadata.namespace.as_deref() == Some(namespace)
                && connection_of_group(&entry.group).is_of_cluster()
        };
        self.all.iter().filter(mine).map(|(uid, _)| uid.clone()).collect()
    }
}

impl Directory {
    /// Takes in a group as it is now. An older version than the known one is dropped.
    pub fn upsert_group(&self, mut group: ScimGroup) -> Changed {
        self.trim(&mut group);
        let Some(uid) = Uid::given(&group.metadata) else { return Changed::default() };
        let mut inner = self.write();
        let old = inner.groups.all.get(&uid).map(|entry| Arc::clone(&entry.group));
        if inner.gone.knows(&uid) || old.as_ref().is_some_and(|old| version(&**old) > version(&group)) {
            return Changed::default();
        }
        let mut others = Vec::new();
        if let Some(namesake) = inner.groups.names.get(&key_of(&group)).filter(|known| **known != uid).cloned() {
            if inner.groups.all.get(&namesake).is_some_and(|known| version(&*known.group) > version(&group)) {
                return Changed::default();
            }
            inner.gone.remember(&namesake);
            others.extend(inner.remove_group(&namesake));
        }
        let meta = |group: &ScimGroup| {
            let deleting = group.metadata.deletion_timestamp.is_some();
            // What we write there ourselves is no news.
            let mut annotations = group.metadata.annotations.clone().unwrap_or_default();
            annotations.remove(CLAIMED_GROUP);
            (group.metadata.generation, annotations, deleting)
        };
        let fresh = old.as_ref().is_none_or(|old| meta(old) != meta(&group));
        let itself = fresh || old.as_ref().is_some_and(|old| old.finalizers() != group.finalizers());
        others.extend(inner.put_group(&uid, old.as_deref(), group));
        Changed { itself, fresh, others }
    }

    /// The group's object is gone; returns the others that may stand differently now.
    pub fn remove_group(&self, uid: &Uid) -> Vec<Uid> {
        let mut inner = self.write();
        inner.gone.remember(uid);
        inner.remove_group(uid)
    }

    /// Forgets what is not in `seen`, after a complete list of the namespaces that were `listed`.
    pub fn retain_groups(&self, seen: &BTreeSet<Uid>, listed: impl Fn(&str) -> bool) -> (Vec<Uid>, Vec<Uid>) {
        let mut inner = self.write();
        let unseen = inner.groups.all.iter().filter(|(uid, _)| !seen.contains(*uid));
        let gone: Vec<Uid> = unseen
            .filter(|(_, entry)| listed(entry.group.metadata.namespace.as_deref().unwrap_or_default()))
            .map(|(uid, _)| uid.clone())
            .collect();
        let others = gone.iter().flat_map(|uid| inner.remove_group(uid)).collect();
        (gone, others)
    }

    /// The group with this uid.
    pub fn group(&self, uid: &Uid) -> Option<Arc<ScimGroup>> {
        self.read().groups.all.get(uid).map(|entry| Arc::clone(&entry.group))
    }

    /// The groups that refer to a connection.
    pub fn groups_of(&self, connection: &ConnectionKey) -> Vec<Arc<ScimGroup>> {
        let inner = self.read();
        let uids = inner.groups.connections.get(connection);
        uids.into_iter().flatten().filter_map(|uid| Some(Arc::clone(&inner.groups.all.get(uid)?.group))).collect()
    }

    /// Every group.
    pub fn all_groups(&self) -> Vec<Arc<ScimGroup>> {
        self.read().groups.all.values().map(|entry| Arc::clone(&entry.group)).collect()
    }

    /// Looks at, or changes, who belongs to a group.
    pub fn membership<T>(&self, uid: &Uid, look: impl FnOnce(&mut Membership) -> T) -> Option<T> {
        self.write_groups().groups.all.get_mut(uid).map(|entry| look(&mut entry.membership))
    }

    /// The references of a group that lead to no account.
    pub fn unfollowed(&self, uid: &Uid) -> Unfollowed {
        let inner = self.read();
        let Some(entry) = inner.groups.all.get(uid) else { return Unfollowed::default() };
        let waiting = entry.waiting.iter().chain(&entry.fixed_waiting).take(20).cloned().collect();
        Unfollowed { waiting, foreign: entry.foreign.clone(), absent: entry.absent.clone() }
    }

    /// The accounts of a group's userNames, by folded name, as the server lists them.
    pub fn resolve(&self, uid: &Uid, resolved: BTreeMap<String, RemoteId>) {
        let mut inner = self.write_groups();
        let Some(entry) = inner.groups.all.get_mut(uid) else { return };
        if resolved != entry.resolved {
            entry.resolved = resolved;
            inner.refresh_fixed(uid);
        }
    }

    /// The user leaves its groups now: its account is inactive. Returns these groups.
    pub fn depart(&self, user: &ScimUser, id: &RemoteId) -> Vec<Uid> {
        let mut inner = self.write();
        let Some(uid) = Uid::given(&user.metadata) else { return Vec::new() };
        let mut groups: BTreeSet<Uid> =
            inner.groups.links.get(&uid).into_iter().flatten().map(|(group, _)| group.clone()).collect();
        let key = connection_of(user);
        let here = inner.groups.connections.get(&key).into_iter().flatten();
        groups.extend(here.filter(|uid| inner.groups.all[*uid].membership.is_removable(id)).cloned());
        for group in &groups {
            if let Some(entry) = inner.groups.all.get_mut(group) {
                entry.membership.depart(id);
            }
        }
        inner.groups.departing.insert(uid.clone(), (id.clone(), groups.clone()));
        inner.user_in_groups(&uid, Some(user), Some(user));
        groups.into_iter().collect()
    }

    /// Of these members, those who are out of the group because their accounts are inactive.
    pub fn wait_for_accounts(&self, group: &Uid, ids: Vec<RemoteId>) -> HashSet<RemoteId> {
        let mut inner = self.write_groups();
        let groups = &mut inner.groups;
        let Some(entry) = groups.all.get_mut(group) else { return HashSet::new() };
        let waits = entry.membership.wait_for_account(ids);
        for id in &waits {
            groups.inactive.entry(id.clone()).or_default().insert(group.clone());
        }
        waits
    }

    /// The account is active: the groups of its connection that it is to be put into again.
    pub fn account_is_active(&self, key: &ConnectionKey, id: &RemoteId) -> Vec<Arc<ScimGroup>> {
        if !self.read().groups.inactive.contains_key(id) {
            return Vec::new();
        }
        let mut inner = self.write_groups();
        let groups = &mut inner.groups;
        let (mut again, mut others) = (Vec::new(), BTreeSet::new());
        for group in groups.inactive.remove(id).into_iter().flatten() {
            let Some(entry) = groups.all.get_mut(&group) else { continue };
            if connection_of_group(&entry.group) != *key {
                others.insert(group);
            } else if entry.membership.waits_for_account(id) {
                entry.membership.account_is_active(id);
                again.push(Arc::clone(&entry.group));
            }
        }
        // The same id at another server.
        if !others.is_empty() {
            groups.inactive.insert(id.clone(), others);
        }
        again
    }

    /// Whether the user was told to leave, and the groups that its account is in, or may be in.
    pub fn groups_left(&self, user: &ScimUser, id: &RemoteId, server: &str) -> (bool, Vec<Arc<ScimGroup>>) {
        let inner = self.read();
        let uid = Uid::of(&user.metadata);
        let key = connection_of(user);
        let departing = inner.groups.departing.get(&uid);
        let linked: BTreeSet<&Uid> = match departing {
            Some((_, groups)) => groups.iter().collect(),
            None => inner.groups.links.get(&uid).into_iter().flatten().map(|(group, _)| group).collect(),
        };
        let all = inner.groups.connections.get(&key).into_iter().flatten();
        let left = all.filter_map(|uid| Some((uid, inner.groups.all.get(uid)?))).filter(|(uid, entry)| {
            let status = entry.group.status.as_ref();
            let bound = status.is_some_and(|status| status.id_at(server).is_some());
            let may_be = !entry.membership.is_known() && linked.contains(uid);
            // Whom the group names by the id is never taken out of it, and waits for nothing there.
            let leaves = !entry.membership.is_declared(id) && (may_be || entry.membership.is_removable(id));
            bound && entry.group.metadata.deletion_timestamp.is_none() && leaves
        });
        (departing.is_some(), left.map(|(_, entry)| Arc::clone(&entry.group)).collect())
    }

    /// The accounts that are deprovisioned now and are to be taken out of this group.
    pub fn departed(&self, uid: &Uid) -> BTreeSet<RemoteId> {
        let inner = self.read();
        let Some(entry) = inner.groups.all.get(uid) else { return BTreeSet::new() };
        let departing = inner.groups.departing.values().map(|(id, _)| id);
        departing.filter(|id| entry.membership.extra().contains(*id)).cloned().collect()
    }

    /// The groups of a connection that this account, or group, is in and would leave by what they declare. In an additive
    /// one, or where nobody is `shown`, others may have put it, and there it stays.
    pub fn groups_with(&self, connection: &ConnectionKey, id: &RemoteId, shown: bool) -> Vec<Arc<ScimGroup>> {
        let inner = self.read();
        let all = inner.groups.connections.get(connection).into_iter().flatten();
        let entries = all.filter_map(|uid| inner.groups.all.get(uid));
        let server = inner.servers.get(connection);
        let has = |entry: &&Entry| {
            let status = entry.group.status.as_ref();
            let here = status.is_some_and(|status| status.id.is_some() && status.bound_to.as_ref() == server);
            let exact = shown && entry.group.spec.membership == api::Membership::Exact;
            here && entry.membership.has_as_own(id, exact)
        };
        entries.filter(has).map(|entry| Arc::clone(&entry.group)).collect()
    }

    /// The group was deleted, and its object is about to go: with that it leaves the groups that it is nested in.
    pub fn depart_group(&self, uid: &Uid) {
        self.write_groups().groups.deleted.insert(uid.clone());
    }

    /// The users that leave their groups now.
    pub fn departing(&self) -> Vec<Uid> {
        self.read().groups.departing.keys().cloned().collect()
    }

    /// The ScimUser that is bound to this account through this connection.
    pub fn bound_to(&self, connection: &ConnectionKey, server: &str, id: &RemoteId) -> Option<Arc<ScimUser>> {
        let inner = self.read();
        let uids = inner.claims.get(server)?.get(&Claim::Account(id.clone()))?;
        let mut users = uids.iter().filter_map(|uid| inner.users.get(uid));
        users.find(|user| connection_of(user) == *connection).cloned()
    }
}

#[cfg(test)]
#[path = "groups/large_tests.rs"]
mod large_tests;
