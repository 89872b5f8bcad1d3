//! Every ScimGroup as last seen, and who belongs to it: fed by watch events and by the answers to our own writes.
//!
//! A change of a ScimUser costs the groups that it enters or leaves, not their size.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;

use super::{Changed, Claim, ConnectionKey, Directory, Inner, Uid, account, connection_of, is_deleting};
use crate::api::{ScimGroup, ScimUser};
use crate::plan::groups::{Id, Membership, Standing};
use crate::plan::{Claims, Holder};
use crate::scim::fold;

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
    bound: HashMap<String, BTreeSet<Uid>>,
    links: HashMap<Uid, BTreeMap<Uid, Standing>>,
    /// Of each group's id, whom our record says we put there.
    ledger: HashMap<String, HashSet<Id>>,
    /// Users that leave their groups now, their accounts, and the groups that they were in.
    departing: HashMap<Uid, (Id, BTreeSet<Uid>)>,
}

#[derive(Debug)]
struct Entry {
    group: Arc<ScimGroup>,
    membership: Membership,
    /// How the references stand that lead to no ScimUser.
    fixed: Vec<Standing>,
    /// Accounts that no object declares, by folded userName.
    resolved: BTreeMap<String, Id>,
    waiting: BTreeSet<String>,
    fixed_waiting: Vec<String>,
    foreign: Vec<String>,
}

/// The connection that a group refers to.
pub fn connection_of_group(group: &ScimGroup) -> ConnectionKey {
    ConnectionKey::of(&group.spec.connection_ref, group.namespace())
}

fn key_of(group: &ScimGroup) -> (String, String) {
    (group.namespace().unwrap_or_default(), group.name_any())
}

impl Groups {
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
        let Some(uid) = group.uid().map(Uid::from) else { return Changed::default() };
        let mut inner = self.write();
        let old = inner.groups.all.get(&uid).map(|entry| Arc::clone(&entry.group));
        let version =
            |group: &ScimGroup| group.resource_version().and_then(|version| version.parse().ok()).unwrap_or(u64::MAX);
        if old.as_ref().is_some_and(|old| version(old) > version(&group)) {
            return Changed::default();
        }
        let mut others = Vec::new();
        if let Some(former) = inner.groups.names.get(&key_of(&group)).filter(|known| **known != uid).cloned() {
            others.extend(inner.remove_group(&former));
        }
        let meta = |group: &ScimGroup| {
            let deleting = group.metadata.deletion_timestamp.is_some();
            (group.metadata.generation, group.metadata.annotations.clone(), deleting)
        };
        let fresh = old.as_ref().is_none_or(|old| meta(old) != meta(&group));
        let itself = fresh || old.as_ref().is_some_and(|old| old.finalizers() != group.finalizers());
        others.extend(inner.put_group(&uid, old.as_deref(), group));
        Changed { itself, fresh, others }
    }

    /// The group's object is gone; returns the others that may stand differently now.
    pub fn remove_group(&self, uid: &str) -> Vec<Uid> {
        self.write().remove_group(uid)
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
    pub fn group(&self, uid: &str) -> Option<Arc<ScimGroup>> {
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
    pub fn membership<T>(&self, uid: &str, look: impl FnOnce(&mut Membership) -> T) -> Option<T> {
        self.write().groups.all.get_mut(uid).map(|entry| look(&mut entry.membership))
    }

    /// Some of those that a group waits for, and references that may not be followed.
    pub fn unfollowed(&self, uid: &str) -> (Vec<String>, Vec<String>) {
        let inner = self.read();
        let Some(entry) = inner.groups.all.get(uid) else { return Default::default() };
        let waiting = entry.waiting.iter().chain(&entry.fixed_waiting).take(20).cloned().collect();
        (waiting, entry.foreign.clone())
    }

    /// The accounts of a group's userNames, by folded name, as the server lists them.
    pub fn resolve(&self, uid: &str, resolved: BTreeMap<String, Id>) {
        let mut inner = self.write();
        let Some(entry) = inner.groups.all.get_mut(uid) else { return };
        if resolved != entry.resolved {
            entry.resolved = resolved;
            inner.refresh_fixed(&uid.into());
        }
    }

    /// The user leaves its groups now: its account is inactive. Returns these groups.
    pub fn depart(&self, user: &ScimUser, id: &str) -> Vec<Uid> {
        let mut inner = self.write();
        let Some(uid) = user.uid().map(Uid::from) else { return Vec::new() };
        let mut groups: BTreeSet<Uid> =
            inner.groups.links.get(&uid).into_iter().flat_map(|links| links.keys().cloned()).collect();
        let key = connection_of(user);
        let here = inner.groups.connections.get(&key).into_iter().flatten();
        groups.extend(here.filter(|uid| inner.groups.all[*uid].membership.is_here(id)).cloned());
        inner.groups.departing.insert(uid.clone(), (id.into(), groups.clone()));
        inner.user_in_groups(&uid, Some(user), Some(user));
        groups.into_iter().collect()
    }

    /// Whether the user was told to leave, and the names of the groups that its account is in, or may be in.
    pub fn groups_left(&self, user: &ScimUser, id: &str, server: &str) -> (bool, Vec<String>) {
        let inner = self.read();
        let uid = user.uid().unwrap_or_default();
        let key = connection_of(user);
        let departing = inner.groups.departing.get(uid.as_str());
        let linked: BTreeSet<&Uid> = match departing {
            Some((_, groups)) => groups.iter().collect(),
            None => inner.groups.links.get(uid.as_str()).into_iter().flat_map(BTreeMap::keys).collect(),
        };
        let all = inner.groups.connections.get(&key).into_iter().flatten();
        let left = all.filter_map(|uid| Some((uid, inner.groups.all.get(uid)?))).filter(|(uid, entry)| {
            let status = entry.group.status.as_ref();
            let bound = status.is_some_and(|status| status.id.is_some() && status.bound_to.as_deref() == Some(server));
            let may_be = !entry.membership.is_known() && linked.contains(uid);
            bound && entry.group.metadata.deletion_timestamp.is_none() && (may_be || entry.membership.is_here(id))
        });
        (departing.is_some(), left.map(|(_, entry)| entry.group.name_any()).collect())
    }

    /// Of these accounts: which are deprovisioned.
    pub fn departed<'a>(&self, ids: impl Iterator<Item = &'a Id>) -> BTreeSet<Id> {
        let inner = self.read();
        if inner.groups.departing.is_empty() {
            return BTreeSet::new();
        }
        let departing: HashSet<&Id> = inner.groups.departing.values().map(|(id, _)| id).collect();
        ids.filter(|id| departing.contains(id)).cloned().collect()
    }

    /// The users that leave their groups now.
    pub fn departing(&self) -> Vec<Uid> {
        self.read().groups.departing.keys().cloned().collect()
    }

    /// The ScimUser that is bound to this account through this connection.
    pub fn bound_to(&self, connection: &ConnectionKey, server: &str, id: &str) -> Option<Arc<ScimUser>> {
        let inner = self.read();
        let uids = inner.claims.get(server)?.get(&Claim::Account(id.to_owned()))?;
        let mut users = uids.iter().filter_map(|uid| inner.users.get(uid));
        users.find(|user| connection_of(user) == *connection).cloned()
    }

    /// What other objects say of the group that `group` declares; `found` is its id where it is known.
    pub fn group_claims(&self, group: &ScimGroup, server: &str, found: Option<&str>) -> Claims {
        let inner = self.read();
        let me = group.uid();
        let others = inner.groups.all.values().map(|entry| &entry.group).filter(|other| {
            other.uid() != me && inner.servers.get(&connection_of_group(other)).is_some_and(|known| known == server)
        });
        let mut claims = Claims::default();
        let age = |group: &ScimGroup| (group.creation_timestamp().map(|time| time.0), key_of(group));
        for other in others {
            let status = other.status.as_ref().filter(|status| status.bound_to.as_deref() == Some(server));
            let bound = status.and_then(|status| status.id.as_deref());
            let deleting = other.metadata.deletion_timestamp.is_some();
            let name = format!("{}/{}", key_of(other).0, key_of(other).1);
            let same_name = other.spec.display_name == group.spec.display_name;
            if bound.is_some() && (bound == found || same_name) {
                claims.holder = Some(Holder { name, has_account: true, leaving: deleting });
            } else if same_name && !deleting && age(other) < age(group) {
                claims.elder = Some(name);
            }
        }
        claims
    }
}

impl Inner {
    fn put_group(&mut self, uid: &Uid, old: Option<&ScimGroup>, group: ScimGroup) -> Vec<Uid> {
        let key = key_of(&group);
        let id = |group: &ScimGroup| group.status.as_ref().and_then(|status| status.id.clone());
        let respecified = old.is_none_or(|old| old.spec != group.spec);
        let rebound = old.and_then(id) != id(&group);
        if let Some(old) = old {
            if respecified {
                self.groups.index(uid, old, false);
            }
            if rebound && let Some(former) = id(old) {
                take(&mut self.groups.bound, &former, uid);
            }
        }
        let group = Arc::new(group);
        self.groups.names.insert(key.clone(), uid.clone());
        match self.groups.all.get_mut(uid) {
            Some(entry) => entry.group = Arc::clone(&group),
            None => {
                self.groups.all.insert(uid.clone(), Entry::new(Arc::clone(&group)));
            }
        }
        if rebound {
            self.rebind(uid, id(&group));
        }
        if respecified {
            self.groups.index(uid, &group, true);
            self.gather(uid);
        }
        if !rebound {
            return Vec::new();
        }
        let nesting: Vec<Uid> = self.groups.by_group.get(&key).into_iter().flatten().cloned().collect();
        for outer in &nesting {
            self.refresh_fixed(outer);
        }
        nesting
    }

    /// The object stands for another group of the server now: what our record says of that one counts.
    fn rebind(&mut self, uid: &Uid, id: Option<String>) {
        let Some(entry) = self.groups.all.get_mut(uid) else { return };
        // Kept where a creation of ours told that it is empty.
        let status = entry.group.status.clone().unwrap_or_default();
        if let Some(id) = id {
            for member in self.groups.ledger.get(&id).into_iter().flatten() {
                entry.membership.own(member);
            }
            self.groups.bound.entry(id).or_default().insert(uid.clone());
        }
        for member in status.brought_in.iter().flatten() {
            entry.membership.own(&member.as_str().into());
        }
        for (member, since) in status.leaving.iter().flatten() {
            entry.membership.own(&member.as_str().into());
            entry.membership.vanish(&member.as_str().into(), since.0);
        }
    }

    fn remove_group(&mut self, uid: &str) -> Vec<Uid> {
        let Some(entry) = self.groups.all.remove(uid) else { return Vec::new() };
        let (uid, group) = (Uid::from(uid), entry.group);
        self.groups.index(&uid, &group, false);
        if let Some(id) = group.status.as_ref().and_then(|status| status.id.clone()) {
            take(&mut self.groups.bound, &id, &uid);
        }
        let key = key_of(&group);
        if self.groups.names.get(&key) == Some(&uid) {
            self.groups.names.remove(&key);
        }
        for links in self.groups.links.values_mut() {
            links.remove(&uid);
        }
        let nesting: Vec<Uid> = self.groups.by_group.get(&key).into_iter().flatten().cloned().collect();
        for outer in &nesting {
            self.refresh_fixed(outer);
        }
        // Whoever declares the same name may have it now.
        let heirs =
            self.groups.all.iter().filter(|(_, other)| other.group.spec.display_name == group.spec.display_name);
        let heirs: Vec<Uid> = heirs.map(|(uid, _)| uid.clone()).collect();
        nesting.into_iter().chain(heirs).collect()
    }

    /// Everything that a group refers to is looked up anew: its spec, or its server, changed.
    fn gather(&mut self, uid: &Uid) {
        let Some(entry) = self.groups.all.get_mut(uid) else { return };
        entry.membership.without_references();
        entry.waiting.clear();
        entry.fixed.clear();
        let key = connection_of_group(&entry.group);
        let users: Vec<Uid> = self.connections.get(&key).into_iter().flatten().cloned().collect();
        for user_uid in users {
            let Some(user) = self.users.get(&user_uid).cloned() else { continue };
            let standing = self.standing(&user_uid, &user);
            let Some(entry) = self.groups.all.get_mut(uid) else { return };
            let standing = standing.filter(|_| entry.refers_to(&user));
            let links = self.groups.links.entry(user_uid.clone()).or_default();
            match standing {
                Some(standing) => {
                    entry.enter(&standing, &user.name_any());
                    links.insert(uid.clone(), standing);
                }
                None => {
                    links.remove(uid);
                }
            }
            if links.is_empty() {
                self.groups.links.remove(&user_uid);
            }
        }
        self.refresh_fixed(uid);
    }

    /// A user came, changed or went; returns the groups that it enters or leaves.
    pub(super) fn user_in_groups(&mut self, uid: &Uid, old: Option<&ScimUser>, new: Option<&ScimUser>) -> Vec<Uid> {
        self.keep_ledger(old, new);
        if self.groups.all.is_empty() {
            return Vec::new();
        }
        let before = self.groups.links.remove(uid).unwrap_or_default();
        let standing = new.and_then(|user| self.standing(uid, user));
        let mut now = BTreeMap::new();
        if let (Some(user), Some(standing)) = (new, &standing) {
            for group in self.groups.candidates(user) {
                if self.groups.all.get(&group).is_some_and(|entry| entry.refers_to(user)) {
                    now.insert(group, standing.clone());
                }
            }
        }
        let vanished = new.is_none() && self.groups.departing.remove(uid).is_none();
        let name = new.or(old).map(ResourceExt::name_any).unwrap_or_default();
        let mut touched = Vec::new();
        let concerned: BTreeSet<Uid> = before.keys().chain(now.keys()).cloned().collect();
        for group in concerned {
            let (was, is) = (before.get(&group), now.get(&group));
            let Some(entry) = self.groups.all.get_mut(&group).filter(|_| was != is) else { continue };
            // First, so that nobody is too many for an instant.
            if vanished && let Some(Standing::In(id) | Standing::Going(id)) = was {
                entry.membership.vanish(id, Timestamp::now());
            }
            if let Some(is) = is {
                entry.enter(is, &name);
            }
            if let Some(was) = was {
                entry.leave(was, &name, is);
            }
            touched.push(group);
        }
        if !now.is_empty() {
            self.groups.links.insert(uid.clone(), now);
        }
        let came_or_went = match (old, new) {
            (Some(old), Some(new)) => fold(&old.spec.user_name) != fold(&new.spec.user_name),
            _ => true,
        };
        if came_or_went {
            for user in old.into_iter().chain(new) {
                for group in self.groups.named_by(user) {
                    self.refresh_fixed(&group);
                }
            }
        }
        touched
    }

    fn keep_ledger(&mut self, old: Option<&ScimUser>, new: Option<&ScimUser>) {
        let recorded = |user: Option<&ScimUser>| {
            user.and_then(|user| user.status.as_ref()).and_then(|status| status.groups.clone()).unwrap_or_default()
        };
        let (before, now) = (recorded(old), recorded(new));
        if before == now && old.is_some() {
            return;
        }
        for (group, account) in before.iter().filter(|(group, account)| now.get(*group) != Some(*account)) {
            if let Some(members) = self.groups.ledger.get_mut(group) {
                members.remove(account.as_str());
            }
        }
        for (group, account) in now {
            let account: Id = account.into();
            for uid in self.groups.bound.get(&group).into_iter().flatten() {
                if let Some(entry) = self.groups.all.get_mut(uid) {
                    entry.membership.own(&account);
                }
            }
            self.groups.ledger.entry(group).or_default().insert(account);
        }
    }

    fn standing(&self, uid: &Uid, user: &ScimUser) -> Option<Standing> {
        if self.groups.departing.contains_key(uid) {
            return None;
        }
        let server = self.servers.get(&connection_of(user));
        let id = server.and_then(|server| account(user, server)).map(|(id, _)| Id::from(id));
        match (id, is_deleting(user)) {
            (Some(id), false) => Some(Standing::In(id)),
            (Some(id), true) => Some(Standing::Going(id)),
            (None, false) => Some(Standing::Waiting),
            (None, true) => None,
        }
    }

    /// The references that lead to no ScimUser: ids, groups, and names that nobody declares here.
    fn refresh_fixed(&mut self, uid: &Uid) {
        let Some(entry) = self.groups.all.get(uid) else { return };
        let (group, resolved) = (Arc::clone(&entry.group), entry.resolved.clone());
        let key = connection_of_group(&group);
        let namespace = group.namespace().unwrap_or_default();
        let (mut fixed, mut waiting, mut foreign) = (Vec::new(), Vec::new(), Vec::new());
        let mut wait = |what: String| {
            waiting.push(what);
            Standing::Waiting
        };
        for member in group.spec.members.iter().flatten() {
            if let Some(id) = &member.id {
                fixed.push(Standing::In(id.as_str().into()));
            } else if let Some(reference) = &member.group_ref {
                let other = self.groups.names.get(&(namespace.clone(), reference.name.clone()));
                let other = other.and_then(|uid| self.groups.all.get(uid)).map(|entry| &entry.group);
                if other.is_some_and(|other| connection_of_group(other) != key) {
                    foreign.push(format!("groupRef names {}, which belongs to another connection", reference.name));
                }
                let server = self.servers.get(&key);
                let status = other.and_then(|other| other.status.as_ref());
                let id =
                    status.filter(|status| status.bound_to.as_ref() == server).and_then(|status| status.id.as_deref());
                fixed.push(id.map_or_else(|| wait(format!("group {}", reference.name)), |id| Standing::In(id.into())));
            } else if let Some(reference) = &member.user_ref {
                let user = self.names.get(&(namespace.clone(), reference.name.clone()));
                match user.and_then(|uid| self.users.get(uid)) {
                    None => fixed.push(wait(reference.name.clone())),
                    Some(user) if connection_of(user) != key => {
                        foreign.push(format!("userRef names {}, which belongs to another connection", reference.name));
                    }
                    Some(_) => {}
                }
            } else if let Some(name) = &member.user_name {
                let name = fold(name);
                let claims = self.servers.get(&key).and_then(|server| self.claims.get(server));
                let uids = claims.and_then(|claims| claims.get(&Claim::Name(name.clone())));
                let mut users = uids.into_iter().flatten().filter_map(|uid| self.users.get(uid));
                if !users.any(|user| connection_of(user) == key && fold(&user.spec.user_name) == name) {
                    let id = resolved.get(&name).cloned();
                    fixed.push(id.map_or_else(|| wait(name), Standing::In));
                }
            }
        }
        let Some(entry) = self.groups.all.get_mut(uid) else { return };
        for standing in &fixed {
            entry.membership.enter(standing);
        }
        for standing in std::mem::replace(&mut entry.fixed, fixed) {
            entry.membership.leave(&standing);
        }
        entry.fixed_waiting = waiting;
        entry.foreign = foreign;
    }

    /// The connection leads to another server, or to none: whose account is whose has to be asked anew.
    pub(super) fn server_of_groups_changed(&mut self, connection: &ConnectionKey) {
        let groups: Vec<Uid> = self.groups.connections.get(connection).into_iter().flatten().cloned().collect();
        for uid in groups {
            self.gather(&uid);
        }
    }
}

impl Groups {
    /// Puts a group's references into the indexes, or takes them out.
    fn index(&mut self, uid: &Uid, group: &ScimGroup, put: bool) {
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

    /// The groups that name this user.
    fn named_by(&self, user: &ScimUser) -> BTreeSet<Uid> {
        let key = (user.namespace().unwrap_or_default(), user.name_any());
        let by_name = self.by_user_name.get(&(connection_of(user), fold(&user.spec.user_name)));
        self.by_user.get(&key).into_iter().chain(by_name).flatten().cloned().collect()
    }

    /// The groups that may refer to this user, by name or by label.
    fn candidates(&self, user: &ScimUser) -> BTreeSet<Uid> {
        let key = connection_of(user);
        let mut found = self.named_by(user);
        for (name, value) in user.labels() {
            found.extend(self.by_label.get(&(key.clone(), name.clone(), value.clone())).into_iter().flatten().cloned());
        }
        found
    }
}

impl Entry {
    fn new(group: Arc<ScimGroup>) -> Self {
        Self {
            group,
            membership: Membership::default(),
            fixed: Vec::new(),
            resolved: BTreeMap::new(),
            waiting: BTreeSet::new(),
            fixed_waiting: Vec::new(),
            foreign: Vec::new(),
        }
    }

    fn refers_to(&self, user: &ScimUser) -> bool {
        let spec = &self.group.spec;
        if connection_of(user) != connection_of_group(&self.group) {
            return false;
        }
        let labels = user.labels();
        let selected = spec
            .member_selector
            .as_ref()
            .is_some_and(|selector| selector.match_labels.iter().all(|(name, value)| labels.get(name) == Some(value)));
        let name = user.name_any();
        // A cluster connection is of several namespaces; labels and names are of one.
        let together = user.metadata.namespace == self.group.metadata.namespace;
        (selected && together)
            || spec.members.iter().flatten().any(|member| {
                member.user_ref.as_ref().is_some_and(|reference| together && reference.name == name)
                    || member.user_name.as_ref().is_some_and(|known| fold(known) == fold(&user.spec.user_name))
            })
    }

    fn enter(&mut self, standing: &Standing, name: &str) {
        if *standing == Standing::Waiting {
            self.waiting.insert(name.to_owned());
        }
        self.membership.enter(standing);
    }

    fn leave(&mut self, standing: &Standing, name: &str, now: Option<&Standing>) {
        if *standing == Standing::Waiting && now != Some(&Standing::Waiting) {
            self.waiting.remove(name);
        }
        self.membership.leave(standing);
    }
}

fn take<K: std::hash::Hash + Eq>(map: &mut HashMap<K, BTreeSet<Uid>>, key: &K, uid: &Uid) {
    if let Some(uids) = map.get_mut(key) {
        uids.remove(uid);
        if uids.is_empty() {
            map.remove(key);
        }
    }
}
