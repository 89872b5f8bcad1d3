//! Every ScimUser of the cluster as last seen, and who claims which account (promise I8).
//!
//! Fed by watch events, deletions of objects without a finalizer included, and by the answers to our own
//! writes. It is the store: a second one beside it would only fall out of step.

mod claimants;
mod claims;
mod clock;
mod gone;
mod groups;
mod index;
mod object;
pub mod origin;
mod rivals;
mod serving;
mod tenancy;

pub use self::groups::{Awaited, Unfollowed, awaits_name, connection_of_group};
pub use self::object::{ConnectionKey, Object, connection_of, full_name, has_finalizer, is_deleting, same_plan};

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;
use std::sync::{Arc, RwLock};

use kube::ResourceExt;
use kube::api::Resource as _;

use self::claimants::Claimants;
use self::index::{claims_of, id_of};
use self::origin::keep_names_of_managers;
use crate::api::{CLAIMED_ACCOUNT, RemoteId, ScimUser, Uid};
use crate::scim::fold;

/// What an event changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changed {
    /// The object itself is to be looked at again: not only its status changed.
    pub itself: bool,
    /// Its generation rose, or a person asked for it.
    pub fresh: bool,
    /// Other objects whose claim may stand differently now.
    pub others: Vec<Uid>,
}

/// The objects and their claims.
#[derive(Debug, Default)]
pub struct Directory {
    inner: RwLock<Inner>,
    keeps_managers: bool,
}

#[derive(Debug, Default)]
struct Inner {
    users: HashMap<Uid, Arc<ScimUser>>,
    names: HashMap<(String, String), Uid>,
    connections: HashMap<ConnectionKey, BTreeSet<Uid>>,
    /// Who names an object as manager, by its namespace and name.
    reports: HashMap<(String, String), BTreeSet<Uid>>,
    /// How many accounts of a connection are bound and active.
    active: HashMap<ConnectionKey, u64>,
    /// The server of each connection that has one: claims are per server, not per connection.
    servers: HashMap<ConnectionKey, String>,
    claims: HashMap<String, BTreeMap<Claim, Claimants>>,
    /// What a pass is about to make, to take over or to remove for an object, until that is recorded.
    reserved: HashMap<(String, Claim), Uid>,
    /// Connections through which no object is bound now: suspended, or under deletion.
    idle: HashSet<ConnectionKey>,
    /// Since when connections have been serving their objects; those that aren't are missing.
    serving: HashMap<ConnectionKey, jiff::Timestamp>,
    /// Why the others aren't.
    unserving: HashMap<ConnectionKey, String>,
    /// When objects that are bound to nothing had their turn last.
    turns: HashMap<Uid, jiff::Timestamp>,
    /// Of each object under deletion, which generations of others could not take over its account.
    declined: HashMap<Uid, BTreeSet<(Uid, i64)>>,
    /// Of either kind.
    gone: gone::Gone,
    tenancy: tenancy::Tenancy,
    groups: groups::Groups,
    clock: clock::Clock,
    revision: u64,
}

/// What an object lays claim to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Claim {
    Name(String),
    Account(RemoteId),
    Group(RemoteId),
    GroupName(String),
}

impl Directory {
    /// An empty one; `keeps_managers`, where somebody asks for the field managers of objects.
    pub fn new(keeps_managers: bool) -> Self {
        Self { keeps_managers, ..Self::default() }
    }

    /// Takes in an object as it is now. An older version than the known one is dropped, and so is the known one, which
    /// others may hold: our own writes are seen twice, by their answer and by the watch.
    pub fn upsert(&self, mut user: ScimUser) -> Changed {
        let Some(uid) = Uid::given(&user.metadata) else { return Changed::default() };
        self.trim(&mut user);
        // Read from the stream of an answer, a list has room for more.
        user.status.iter_mut().filter_map(|status| status.conditions.as_mut()).for_each(Vec::shrink_to_fit);
        let recorded = user.status.as_mut().and_then(|status| status.groups.take()).unwrap_or_default();
        if self.read().users.get(&uid).is_some_and(|known| same_version(known, &user)) {
            return Changed::default();
        }
        let mut inner = self.write();
        let old = inner.users.get(&uid).cloned();
        if inner.gone.knows(&uid)
            || old.as_ref().is_some_and(|old| version(&**old) > version(&user) || same_version(old, &user))
        {
            return Changed::default();
        }
        let key = (user.namespace().unwrap_or_default(), user.name_any());
        let mut others = Vec::new();
        // Deleted and re-created under its name while no event of it was seen.
        if let Some(namesake) = inner.names.get(&key).filter(|known| **known != uid).cloned() {
            if inner.users.get(&namesake).is_some_and(|known| version(&**known) > version(&user)) {
                return Changed::default();
            }
            inner.gone.remember(&namesake);
            others.extend(inner.remove(&namesake));
        }
        let itself = old.as_ref().is_none_or(|old| differs(old, &user));
        let fresh = old.as_ref().is_none_or(|old| {
            old.meta().generation != user.meta().generation
                || annotated_anew(old, &user)
                || is_deleting(old) != is_deleting(&user)
        });
        let server = inner.servers.get(&connection_of(&user)).cloned();
        let before = old.as_deref().map(claims_of).unwrap_or_default();
        let now = claims_of(&user);
        let moved = before != now
            || old
                .as_deref()
                .is_some_and(|old| is_deleting(old) != is_deleting(&user) || old.spec.suspend != user.spec.suspend);
        if let Some(server) = server.filter(|_| moved) {
            inner.unclaim(&server, &uid, &before);
            others.extend(inner.claimants(&server, before.iter().chain(&now), &uid));
            inner.claim(&server, &uid, &now);
        }
        inner.count_active(old.as_deref(), Some(&user));
        inner.index_manager(&uid, old.as_deref(), Some(&user));
        if old.as_deref().and_then(id_of) != id_of(&user) {
            // Those whose manager this is were waiting for its account.
            others.extend(inner.reports.get(&key).into_iter().flatten().cloned());
        }
        inner.names.insert(key, uid.clone());
        inner.connections.entry(connection_of(&user)).or_default().insert(uid.clone());
        let user = Arc::new(user);
        inner.users.insert(uid.clone(), Arc::clone(&user));
        if let Some(old) = old.as_deref().filter(|old| connection_of(old) != connection_of(&user)) {
            inner.keep_ledger(&uid, &connection_of(old), &BTreeMap::new());
        }
        inner.keep_ledger(&uid, &connection_of(&user), &recorded);
        others.extend(inner.user_in_groups(&uid, old.as_deref(), Some(&user)));
        Changed { itself, fresh, others }
    }

    /// What is never read again doesn't stay in memory. The answer to a write and the watch event about it must come
    /// out the same, or each write of ours would look like a change by a person.
    fn trim(&self, object: &mut impl ResourceExt) {
        if self.keeps_managers {
            keep_names_of_managers(object.managed_fields_mut());
        } else {
            object.meta_mut().managed_fields = None;
        }
        object.annotations_mut().remove("kubectl.kubernetes.io/last-applied-configuration");
    }

    /// Takes in what a write of ours was answered with: as good as a watch event, and sooner. Returns who is to be
    /// looked at again, the object itself where the answer brought what a person changed meanwhile: the watch event
    /// that follows is no news any more.
    pub fn apply_written(&self, written: ScimUser) -> Vec<Uid> {
        let uid = Uid::of(&written.metadata);
        // With its last finalizer it is gone, and its deletion may have been seen already.
        if is_deleting(&written) && written.finalizers().is_empty() {
            return self.remove(&uid);
        }
        let changed = self.upsert(written);
        changed.others.into_iter().chain(changed.fresh.then_some(uid)).collect()
    }

    /// The object is gone; returns the others whose claim may stand differently now.
    pub fn remove(&self, uid: &Uid) -> Vec<Uid> {
        let mut inner = self.write();
        inner.gone.remember(uid);
        inner.remove(uid)
    }

    /// Forgets what is not in `seen`, after a complete list of the namespaces that were `listed`; returns what went
    /// and who is concerned. What was made after the list was read comes back with its event.
    pub fn retain(&self, seen: &BTreeSet<Uid>, listed: impl Fn(&str) -> bool) -> (Vec<Uid>, Vec<Uid>) {
        let mut inner = self.write();
        let unseen = inner.users.iter().filter(|(uid, _)| !seen.contains(*uid));
        let gone: Vec<Uid> = unseen
            .filter(|(_, user)| listed(user.metadata.namespace.as_deref().unwrap_or_default()))
            .map(|(uid, _)| uid.clone())
            .collect();
        let others = gone.iter().flat_map(|uid| inner.remove(uid)).collect();
        (gone, others)
    }

    /// The object with this uid.
    pub fn get(&self, uid: &Uid) -> Option<Arc<ScimUser>> {
        self.read().users.get(uid).cloned()
    }

    /// The object with this name.
    pub fn named(&self, namespace: &str, name: &str) -> Option<Arc<ScimUser>> {
        let inner = self.read();
        let uid = inner.names.get(&(namespace.to_owned(), name.to_owned()))?;
        inner.users.get(uid).cloned()
    }

    /// The objects that refer to a connection.
    pub fn users_of(&self, connection: &ConnectionKey) -> Vec<Arc<ScimUser>> {
        let inner = self.read();
        let uids = inner.connections.get(connection);
        uids.into_iter().flatten().filter_map(|uid| inner.users.get(uid).cloned()).collect()
    }

    /// So many of them that come after one, by uid.
    pub fn users_after(
        &self,
        connection: &ConnectionKey,
        last: Option<&Uid>,
        most: usize,
    ) -> Vec<(Uid, Arc<ScimUser>)> {
        let inner = self.read();
        let after = last.map_or(Bound::Unbounded, Bound::Excluded);
        let uids = inner.connections.get(connection).map(|uids| uids.range::<Uid, _>((after, Bound::Unbounded)));
        let some = uids.into_iter().flatten().take(most);
        some.filter_map(|uid| Some((uid.clone(), inner.users.get(uid).cloned()?))).collect()
    }

    /// Another one whenever something changed that is said here of users.
    pub fn revision(&self) -> u64 {
        self.read().revision
    }

    /// How many accounts are bound to objects of a connection and active, as far as is recorded.
    pub fn active_of(&self, connection: &ConnectionKey) -> u64 {
        self.read().active.get(connection).copied().unwrap_or_default()
    }

    /// Every object.
    pub fn all(&self) -> Vec<Arc<ScimUser>> {
        self.read().users.values().cloned().collect()
    }

    /// A connection leads to this server from now on, or, with `None`, to none.
    pub fn set_server(&self, connection: &ConnectionKey, server: Option<&str>) {
        let mut inner = self.write();
        if inner.servers.get(connection).map(String::as_str) == server {
            return;
        }
        let users: Vec<(Uid, Arc<ScimUser>)> = inner
            .connections
            .get(connection)
            .into_iter()
            .flatten()
            .filter_map(|uid| Some((uid.clone(), inner.users.get(uid)?.clone())))
            .collect();
        let old = match server {
            Some(server) => inner.servers.insert(connection.clone(), server.to_owned()),
            None => inner.servers.remove(connection),
        };
        for (uid, user) in users {
            let claims = claims_of(&user);
            if let Some(old) = &old {
                inner.unclaim(old, &uid, &claims);
            }
            if let Some(server) = server {
                inner.claim(server, &uid, &claims);
            }
        }
        inner.recount_records(connection);
        inner.server_of_groups_changed(connection);
    }

    /// Whether an object of any connection declares this userName, or is bound to this account.
    pub fn declares(&self, server: &str, folded_name: &str, id: &str) -> bool {
        let inner = self.read();
        let Some(claims) = inner.claims.get(server) else { return false };
        claims.contains_key(&Claim::Name(folded_name.to_owned())) || claims.contains_key(&Claim::Account(id.into()))
    }

    /// Nobody else makes or takes over the account with this userName until [`Self::release`]; false where somebody
    /// is about to. What was known of its claims must be looked at again.
    pub fn reserve(&self, server: &str, user_name: &str, uid: &Uid) -> bool {
        self.reserve_claim(server, Claim::Name(fold(user_name)), uid)
    }

    /// The same for the account with this id: nobody takes it over while it is removed.
    pub fn reserve_account(&self, server: &str, id: &RemoteId, uid: &Uid) -> bool {
        self.reserve_claim(server, Claim::Account(id.clone()), uid)
    }

    /// The same for a group.
    pub fn reserve_group(&self, server: &str, id: &RemoteId, uid: &Uid) -> bool {
        self.reserve_claim(server, Claim::Group(id.clone()), uid)
    }

    /// The same for a displayName: whoever makes a group of this name isn't taken for one that was there.
    pub fn reserve_group_name(&self, server: &str, name: &str, uid: &Uid) -> bool {
        self.reserve_claim(server, Claim::GroupName(name.to_owned()), uid)
    }

    fn reserve_claim(&self, server: &str, claim: Claim, uid: &Uid) -> bool {
        let mut inner = self.write();
        let holder = inner.reserved.entry((server.to_owned(), claim)).or_insert_with(|| uid.clone());
        holder == uid
    }

    /// What the object has reserved is recorded, or given up.
    pub fn release(&self, uid: &Uid) {
        self.write().reserved.retain(|_, holder| holder != uid);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Inner> {
        let mut inner = self.write_groups();
        inner.revision += 1;
        inner
    }

    /// For what says nothing of users.
    fn write_groups(&self) -> std::sync::RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Inner {
    fn remove(&mut self, uid: &Uid) -> Vec<Uid> {
        self.reserved.retain(|_, holder| holder != uid);
        self.declined.remove(uid);
        self.turns.remove(uid);
        let Some(user) = self.users.remove(uid) else { return Vec::new() };
        let key = (user.namespace().unwrap_or_default(), user.name_any());
        if self.names.get(&key).is_some_and(|known| known == uid) {
            self.names.remove(&key);
        }
        self.count_active(Some(&user), None);
        self.index_manager(uid, Some(&user), None);
        let connection = connection_of(&user);
        if let Some(uids) = self.connections.get_mut(&connection) {
            uids.remove(uid);
            if uids.is_empty() {
                self.connections.remove(&connection);
            }
        }
        let touched = self.user_in_groups(uid, Some(&user), None);
        self.keep_ledger(uid, &connection, &BTreeMap::new());
        let Some(server) = self.servers.get(&connection).cloned() else { return touched };
        let claims = claims_of(&user);
        self.unclaim(&server, uid, &claims);
        let mut others = self.claimants(&server, claims.iter(), uid);
        others.extend(touched);
        others
    }
}

fn version(object: &impl ResourceExt) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or(u64::MAX)
}

fn same_version(one: &ScimUser, other: &ScimUser) -> bool {
    one.resource_version().is_some() && one.resource_version() == other.resource_version()
}

/// Something that routing looks at differs; a status of our own writing doesn't count.
fn differs(old: &ScimUser, new: &ScimUser) -> bool {
    old.meta().generation != new.meta().generation
        || annotated_anew(old, new)
        || old.finalizers() != new.finalizers()
        || is_deleting(old) != is_deleting(new)
}

/// An annotation differs that is not of our own writing.
fn annotated_anew(old: &ScimUser, new: &ScimUser) -> bool {
    let of_others = |user: &ScimUser| {
        let annotations = user.annotations().iter().filter(|(name, _)| *name != CLAIMED_ACCOUNT);
        annotations.map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()
    };
    old.annotations() != new.annotations() && of_others(old) != of_others(new)
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
