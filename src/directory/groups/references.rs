//! Who is referred to by which group, kept change by change: what a ScimUser, a ScimGroup or a server's becoming another
//! one changes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use kube::ResourceExt;

use super::super::index::account;
use super::super::{Claim, ConnectionKey, Inner, connection_of, is_deleting};
use super::index::take;
use super::{Entry, connection_of_group, key_of};
use crate::api::{RemoteId, ScimGroup, ScimUser, Uid};
use crate::plan::Applied;
use crate::plan::groups::Standing;
use crate::scim::{composed, fold};

impl Inner {
    pub(super) fn put_group(&mut self, uid: &Uid, old: Option<&ScimGroup>, group: ScimGroup) -> Vec<Uid> {
        let key = key_of(&group);
        let id = |group: &ScimGroup| group.status.as_ref().and_then(|status| status.id.as_deref()).map(RemoteId::from);
        // A new name is no reason to look up who belongs in.
        let refers = |group: &ScimGroup| {
            let spec = &group.spec;
            (spec.connection_ref.clone(), spec.members.clone(), spec.member_selector.clone())
        };
        let respecified = old.is_none_or(|old| old.spec != group.spec && refers(old) != refers(&group));
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
        self.groups.index_names(uid, old, Some(&group));
        let rivals = self.rivals(uid, old, Some(&group));
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
            return rivals;
        }
        let nesting: Vec<Uid> = self.groups.by_group.get(&key).into_iter().flatten().cloned().collect();
        for outer in &nesting {
            self.refresh_fixed(outer);
        }
        nesting.into_iter().chain(rivals).collect()
    }

    /// The object stands for another group of the server now: what our record says of that one counts.
    fn rebind(&mut self, uid: &Uid, id: Option<RemoteId>) {
        let Some(entry) = self.groups.all.get_mut(uid) else { return };
        // Kept where a creation of ours told that it is empty.
        let status = entry.group.status.clone().unwrap_or_default();
        if let Some(id) = id {
            let recorded = self.groups.ledger.get(&connection_of_group(&entry.group));
            for member in recorded.and_then(|groups| groups.get(&id)).into_iter().flat_map(HashMap::keys) {
                entry.membership.own(member);
            }
            self.groups.bound.entry(id).or_default().insert(uid.clone());
        }
        for member in status.brought_in.iter().flatten() {
            entry.membership.own(&member.as_str().into());
        }
        for (member, since) in status.leaving.iter().flatten() {
            entry.membership.vanish(&member.as_str().into(), since.0);
            entry.membership.own(&member.as_str().into());
        }
    }

    pub(super) fn remove_group(&mut self, uid: &Uid) -> Vec<Uid> {
        let Some(entry) = self.groups.all.remove(uid) else { return Vec::new() };
        let group = entry.group;
        self.groups.index(uid, &group, false);
        if let Some(id) = group.status.as_ref().and_then(|status| status.id.as_deref()) {
            take(&mut self.groups.bound, &id.into(), uid);
        }
        let key = key_of(&group);
        if self.groups.names.get(&key) == Some(uid) {
            self.groups.names.remove(&key);
        }
        self.groups.unlink_all(uid);
        let nesting: Vec<Uid> = self.groups.by_group.get(&key).into_iter().flatten().cloned().collect();
        let vanished = !self.groups.deleted.remove(uid);
        let id = group.status.as_ref().and_then(|status| status.id.as_deref()).map(RemoteId::from);
        let stood = id.filter(|_| vanished).map(Standing::In);
        for outer in &nesting {
            let stands = |entry: &Entry| stood.as_ref().is_some_and(|stood| entry.fixed.contains(stood));
            let stood_here = self.groups.all.get(outer).is_some_and(stands);
            self.refresh_fixed(outer);
            if let (Some(stood), true, Some(entry)) = (&stood, stood_here, self.groups.all.get_mut(outer)) {
                entry.vanish(stood, self.clock.now());
            }
        }
        // Whoever declares the same name may have it now.
        let rivals = self.rivals(uid, Some(&group), None);
        self.groups.index_names(uid, Some(&group), None);
        self.declined.remove(uid);
        self.turns.remove(uid);
        nesting.into_iter().chain(rivals).collect()
    }

    /// Everything that a group refers to is looked up anew: what it refers to changed.
    fn gather(&mut self, uid: &Uid) {
        let Some(entry) = self.groups.all.get_mut(uid) else { return };
        entry.without_references();
        let group = Arc::clone(&entry.group);
        let (key, named) = (connection_of_group(&group), self.named_in(&group));
        let users: Vec<Uid> = self.connections.get(&key).into_iter().flatten().cloned().collect();
        for user_uid in users {
            let Some(user) = self.users.get(&user_uid).cloned() else { continue };
            let Some(entry) = self.groups.all.get(uid) else { return };
            let refers = named.contains(&user_uid) || entry.selects(&user);
            let standing = if refers { self.standing(&user_uid, &user) } else { None };
            if let (Some(standing), Some(entry)) = (&standing, self.groups.all.get_mut(uid)) {
                entry.enter(standing, &user.name_any());
            }
            self.groups.link(&user_uid, uid, standing);
        }
        self.refresh_fixed(uid);
    }

    /// The users of its connection that a group names.
    fn named_in(&self, group: &ScimGroup) -> HashSet<Uid> {
        let key = connection_of_group(group);
        let namespace = group.namespace().unwrap_or_default();
        let mut named = HashSet::new();
        for member in group.spec.members.iter().flatten() {
            if let Some(reference) = &member.user_ref {
                named.extend(self.names.get(&(namespace.clone(), reference.name.clone())).cloned());
            }
            if let Some(name) = &member.user_name {
                named.extend(self.users_named(&key, &fold(name)).cloned());
            }
        }
        named
    }

    /// The users of a connection whose account has this userName, folded.
    fn users_named<'a>(&'a self, key: &'a ConnectionKey, name: &'a str) -> impl Iterator<Item = &'a Uid> {
        self.users_claiming(key, name).filter_map(move |(uid, user)| {
            let named = self.account_name(user).is_some_and(|(_, known)| known == name);
            named.then_some(uid)
        })
    }

    /// The users of a connection that stand for this userName, folded: their account has it, or they declare it, may have
    /// it, and have no account yet.
    pub(super) fn users_for<'a>(&'a self, key: &'a ConnectionKey, name: &'a str) -> impl Iterator<Item = &'a Uid> {
        self.users_claiming(key, name).filter_map(move |(uid, user)| {
            let server = self.servers.get(key)?;
            let stands = match self.account_name(user) {
                Some((_, known)) => known == name,
                None => account(user, server).is_none() && fold(&user.spec.user_name) == name && self.may(user),
            };
            stands.then_some(uid)
        })
    }

    fn users_claiming<'a>(
        &'a self,
        key: &'a ConnectionKey,
        name: &'a str,
    ) -> impl Iterator<Item = (&'a Uid, &'a Arc<ScimUser>)> {
        let claims = self.servers.get(key).and_then(|server| self.claims.get(server));
        let uids = claims.and_then(|claims| claims.get(&Claim::Name(name.to_owned())));
        let users = uids.into_iter().flatten().filter_map(|uid| Some((uid, self.users.get(uid)?)));
        users.filter(move |(_, user)| connection_of(user) == *key)
    }

    /// The account that a user is bound to here, and its userName, folded, where a group names it. What the object declares
    /// counts once it was carried out: before, it may be refused, held, or not be done yet. A name that the namespace may
    /// not have is nobody's, whatever status says.
    fn account_name<'a>(&self, user: &'a ScimUser) -> Option<(&'a str, String)> {
        let key = connection_of(user);
        let (id, known) = account(user, self.servers.get(&key)?)?;
        let declared = &user.spec.user_name;
        let drifted = || fold(known) != fold(declared) && was_carried_out(user, declared);
        let name = fold(if drifted() { declared } else { known });
        let named = self.groups.by_user_name.contains_key(&(key, name.clone())) && self.may_have_name(user, &name);
        named.then_some((id, name))
    }

    /// A user came, changed or went; returns the groups that it enters or leaves.
    pub(in super::super) fn user_in_groups(
        &mut self,
        uid: &Uid,
        old: Option<&ScimUser>,
        new: Option<&ScimUser>,
    ) -> Vec<Uid> {
        if self.groups.all.is_empty() {
            return Vec::new();
        }
        let now = self.standings(uid, new);
        let before: BTreeMap<Uid, Standing> =
            self.groups.links.remove(uid).map(Vec::from).unwrap_or_default().into_iter().collect();
        let gone_at = self.clock.now();
        let vanished = new.is_none() && self.groups.departing.remove(uid).is_none();
        let name = new.or(old).map(ResourceExt::name_any).unwrap_or_default();
        let mut touched = Vec::new();
        let concerned: BTreeSet<Uid> = before.keys().chain(now.keys()).cloned().collect();
        for group in concerned {
            let (was, is) = (before.get(&group), now.get(&group));
            let Some(entry) = self.groups.all.get_mut(&group).filter(|_| was != is) else { continue };
            if let Some(is) = is {
                entry.enter(is, &name);
            }
            if let Some(was) = was {
                entry.leave(was, &name, is);
            }
            if let Some(was) = was.filter(|_| vanished) {
                entry.vanish(was, gone_at);
            }
            touched.push(group);
        }
        if !now.is_empty() {
            self.groups.links.insert(uid.clone(), now.into_iter().collect());
        }
        let known = |user: Option<&ScimUser>| {
            user.and_then(|user| self.account_name(user).map(|(id, name)| (id.to_owned(), name)))
        };
        let (before, now) = (known(old), known(new));
        if old.is_none() || new.is_none() || before != now {
            for (user, known) in [(old, before), (new, now)] {
                let Some(user) = user else { continue };
                for group in self.groups.named_by(user, known.as_ref().map(|(_, name)| name.as_str())) {
                    self.refresh_fixed(&group);
                }
            }
        }
        touched
    }

    /// How a user stands in each group that refers to it.
    fn standings(&self, uid: &Uid, user: Option<&ScimUser>) -> BTreeMap<Uid, Standing> {
        let Some(user) = user else { return BTreeMap::new() };
        let Some(standing) = self.standing(uid, user) else { return BTreeMap::new() };
        let known = self.account_name(user);
        let groups = self.groups.referring_to(user, known.as_ref().map(|(_, name)| name.as_str()));
        groups.into_iter().map(|group| (group, standing.clone())).collect()
    }

    fn standing(&self, uid: &Uid, user: &ScimUser) -> Option<Standing> {
        if self.groups.departing.contains_key(uid) {
            return None;
        }
        let server = self.servers.get(&connection_of(user));
        let id = server.and_then(|server| account(user, server)).map(|(id, _)| self.groups.id_of(uid, id));
        match (id, is_deleting(user)) {
            (Some(id), false) => Some(Standing::In(id)),
            (Some(id), true) => Some(Standing::Going(id)),
            (None, false) => Some(Standing::Waiting),
            (None, true) => None,
        }
    }

    /// The references that lead to no ScimUser: ids, groups, and names of accounts that no object is bound to.
    pub(super) fn refresh_fixed(&mut self, uid: &Uid) {
        let Some(entry) = self.groups.all.get(uid) else { return };
        let (group, resolved) = (Arc::clone(&entry.group), entry.resolved.clone());
        let key = connection_of_group(&group);
        let namespace = group.namespace().unwrap_or_default();
        let (mut fixed, mut waiting, mut foreign, mut absent) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
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
                if other.is_none() {
                    absent.push(format!("ScimGroup {namespace}/{}", reference.name));
                }
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
                    None => {
                        absent.push(format!("ScimUser {namespace}/{}", reference.name));
                        fixed.push(wait(reference.name.clone()));
                    }
                    Some(user) if connection_of(user) != key => {
                        foreign.push(format!("userRef names {}, which belongs to another connection", reference.name));
                    }
                    Some(_) => {}
                }
            } else if let Some(name) = &member.user_name {
                let name = fold(name);
                let users = self.users_named(&key, &name).filter_map(|uid| self.users.get(uid));
                let bound: Vec<&str> = users.filter_map(|user| Some(self.account_name(user)?.0)).collect();
                // What the server shows counts, whoever else says that the name is theirs.
                match resolved.get(&name) {
                    Some(id) if !bound.contains(&id.as_str()) => fixed.push(Standing::In(id.clone())),
                    None if bound.is_empty() => fixed.push(wait(name)),
                    _ => {}
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
        entry.absent = absent;
    }

    /// The connection leads to another server, or to none: whose account is whose has to be asked anew.
    pub(in super::super) fn server_of_groups_changed(&mut self, connection: &ConnectionKey) {
        let groups: Vec<Uid> = self.groups.connections.get(connection).into_iter().flatten().cloned().collect();
        if groups.is_empty() {
            return;
        }
        for uid in &groups {
            if let Some(entry) = self.groups.all.get_mut(uid) {
                entry.without_references();
            }
        }
        // User by user: each is in few groups, and each group may have everybody.
        let users: Vec<Uid> = self.connections.get(connection).into_iter().flatten().cloned().collect();
        for uid in users {
            let Some(user) = self.users.get(&uid).cloned() else { continue };
            let now = self.standings(&uid, Some(&user));
            for (group, standing) in &now {
                if let Some(entry) = self.groups.all.get_mut(group) {
                    entry.enter(standing, &user.name_any());
                }
            }
            if now.is_empty() {
                self.groups.links.remove(&uid);
            } else {
                self.groups.links.insert(uid, now.into_iter().collect());
            }
        }
        for uid in &groups {
            self.refresh_fixed(uid);
        }
    }
}

/// The account had the userName that is declared; who gave it another one was somebody else.
fn was_carried_out(user: &ScimUser, declared: &str) -> bool {
    let recorded = user.status.as_ref().and_then(|status| status.applied_attributes.as_deref());
    Applied::read(recorded, false).has("userName", Some(&composed(declared).into()))
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
