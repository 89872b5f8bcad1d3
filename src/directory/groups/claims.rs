//! Who holds which group, who waits for it and who takes it over (promise I8): the rules of accounts, for names that
//! are compared letter for letter.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use kube::ResourceExt;

use super::super::{Directory, Inner, full_name, has_finalizer};
use super::{Groups, connection_of_group, key_of, take};
use crate::api::{GroupState, ScimGroup, Uid};
use crate::plan::{Claims, Holder, HolderState, Successor};

impl Directory {
    /// What other objects say of the group that `group` declares; `found` is its id where it is known.
    pub fn group_claims(&self, group: &ScimGroup, server: &str, found: Option<&str>) -> Claims {
        let inner = self.read();
        Claims {
            holder: inner.group_holder(group, server, found),
            elder: inner.group_elder(group, server),
            successor: inner.group_successor(group, server).map(|(_, successor)| successor),
            rival: None,
        }
    }

    /// The object under deletion that hands this group over.
    pub fn group_handed_over(&self, heir: &ScimGroup, server: &str, id: &str) -> Option<Arc<ScimGroup>> {
        let inner = self.read();
        let mut others = inner.others_of(inner.groups.bound.get(&id.into()), heir, server);
        let goes =
            |other: &&Arc<ScimGroup>| is_deleting(other) && bound(other, server).is_some_and(|(own, _)| own == id);
        others.find(goes).cloned()
    }

    /// The object can't take over the group of any object under deletion as it is declared now; returns those that
    /// waited for it.
    pub fn decline_group(&self, group: &ScimGroup, server: &str) -> Vec<Uid> {
        let mut inner = self.write();
        let leaving: Vec<Uid> = inner
            .groups_named(&group.spec.display_name, group, server)
            .filter(|other| is_deleting(other))
            .filter(|other| {
                inner.group_successor(other, server).is_some_and(|(heir, _)| heir.metadata.uid == group.metadata.uid)
            })
            .filter_map(|other| Uid::given(&other.metadata))
            .collect();
        for uid in &leaving {
            inner.declined.entry(uid.clone()).or_default().insert(version_of(group));
        }
        leaving
    }

    /// The object under deletion waits no longer for the one that is to take over its group.
    pub fn give_up_group(&self, leaving: &ScimGroup, server: &str) {
        let mut inner = self.write();
        let heir = inner.group_successor(leaving, server).filter(|(_, successor)| !successor.bound);
        if let (Some((heir, _)), Some(uid)) = (heir, Uid::given(&leaving.metadata)) {
            inner.declined.entry(uid).or_default().insert(version_of(&heir));
        }
    }
}

impl Inner {
    fn others_of<'a>(
        &'a self,
        uids: Option<&'a BTreeSet<Uid>>,
        me: &ScimGroup,
        server: &str,
    ) -> impl Iterator<Item = &'a Arc<ScimGroup>> + use<'a> {
        let (me, server) = (Uid::of(&me.metadata), server.to_owned());
        let others = uids.into_iter().flatten().filter(move |uid| **uid != me);
        let others = others.filter_map(|uid| Some(&self.groups.all.get(uid)?.group));
        others.filter(move |other| self.servers.get(&connection_of_group(other)).is_some_and(|known| *known == server))
    }

    /// The other objects that declare this name, have it at the server, or may have made a group of it.
    fn groups_named<'a>(
        &'a self,
        name: &str,
        me: &ScimGroup,
        server: &str,
    ) -> impl Iterator<Item = &'a Arc<ScimGroup>> + use<'a> {
        self.others_of(self.groups.by_name.get(name), me, server)
    }

    fn group_holder(&self, group: &ScimGroup, server: &str, found: Option<&str>) -> Option<Holder> {
        let mine = bound(group, server).map(|(id, _)| id);
        let name = group.spec.display_name.as_str();
        // Whoever hands over its group is bound to it until it is gone.
        let stands = |other: &&Arc<ScimGroup>| {
            !(is_deleting(other) && mine.is_some() && bound(other, server).map(|(id, _)| id) == mine)
        };
        // A name is claimed by those alone who may have it (promise I26).
        let may = |other: &&Arc<ScimGroup>| self.may_have_group(other, name);
        if let Some(found) = found {
            let others = self.others_of(self.groups.bound.get(&found.into()), group, server).filter(stands).filter(may);
            let others = others.filter(|other| bound(other, server).is_some_and(|(id, _)| id == found));
            if let Some(other) = others.min_by_key(|other| is_deleting(other)) {
                return Some(self.as_group_holder(group, other, server, true));
            }
        }
        let claims_too = unrecorded(group, server).as_deref() == Some(name);
        let holders = self.groups_named(name, group, server).filter(stands).filter(may).filter(|other| {
            if let Some((id, known)) = bound(other, server) {
                return known == name && Some(id) != mine;
            }
            // Whether a name is free that a group is renamed to, the server tells; and of two that may have made what the
            // other one declares, the elder waits for nobody.
            let made = mine.is_none() && unrecorded(other, server).as_deref() == Some(name) && !claims_too;
            let waits = unrecorded(group, server).is_none() || age(other) < age(group);
            made && (is_deleting(other) || (other.spec.display_name != name && waits))
        });
        let holders = holders.map(|other| self.as_group_holder(group, other, server, false));
        holders.min_by_key(|holder| (holder.goes(), holder.name.clone()))
    }

    fn as_group_holder(&self, group: &ScimGroup, other: &ScimGroup, server: &str, has_account: bool) -> Holder {
        let state = if is_deleting(other) {
            let heir = self.group_successor(other, server).filter(|(_, successor)| !successor.bound);
            let takes_over = heir.is_some_and(|(heir, _)| heir.metadata.uid == group.metadata.uid);
            if takes_over { HolderState::HandsOver } else { HolderState::Leaves }
        } else if bound(other, server).is_none() {
            HolderState::Renames
        } else if is_renamed(other, server) {
            self.ring_of_groups(group, other, server).map_or(HolderState::Renames, HolderState::InRing)
        } else {
            HolderState::Keeps
        };
        Holder { name: full_name(other), has_account, state }
    }

    fn ring_of_groups(&self, group: &ScimGroup, next: &ScimGroup, server: &str) -> Option<Vec<String>> {
        let mut row: Vec<(Uid, String)> = Vec::new();
        let mut seen = HashSet::new();
        let own = bound(group, server).map(|(_, name)| name);
        let mut current = next;
        while seen.insert(Uid::of(&current.metadata)) {
            row.push((Uid::of(&current.metadata), full_name(current)));
            let wanted = current.spec.display_name.as_str();
            if own == Some(wanted) {
                row.insert(0, (Uid::of(&group.metadata), full_name(group)));
                return Some(row.into_iter().map(|(_, name)| name).collect());
            }
            let mut holders = self
                .groups_named(wanted, current, server)
                .filter(|other| bound(other, server).is_some_and(|(_, name)| name == wanted) && !is_deleting(other));
            let holder = holders.find(|other| other.metadata.uid != group.metadata.uid);
            current = holder.filter(|other| is_renamed(other, server))?;
        }
        let uid = Uid::of(&current.metadata);
        let begin = row.iter().position(|(known, _)| *known == uid).unwrap_or_default();
        Some(row.into_iter().skip(begin).map(|(_, name)| name).collect())
    }

    fn group_elder(&self, group: &ScimGroup, server: &str) -> Option<String> {
        let name = group.spec.display_name.as_str();
        let is_bound = bound(group, server).is_some();
        let mut elders = self
            .groups_named(name, group, server)
            .filter(|other| !is_deleting(other) && other.spec.display_name == name && self.may_have_group(other, name))
            .filter(|other| match (is_bound, bound(other, server).is_some()) {
                (false, true) => true,
                (true, false) => false,
                _ => age(other) < age(group),
            });
        elders.next().map(full_name)
    }

    fn group_successor(&self, leaving: &ScimGroup, server: &str) -> Option<(Arc<ScimGroup>, Successor)> {
        let (id, name) = match bound(leaving, server) {
            _ if !is_deleting(leaving) => return None,
            Some((id, name)) => (Some(id), name.to_owned()),
            None => (None, unrecorded(leaving, server)?),
        };
        let name = name.as_str();
        let of = |other: &Arc<ScimGroup>, bound: bool| {
            let state = other.status.as_ref().and_then(|status| status.state);
            let held = matches!(state, Some(GroupState::Held | GroupState::Planned));
            let unserved = self.unserved(&connection_of_group(other));
            let (name, uid) = (full_name(other), Uid::of(&other.metadata));
            (Arc::clone(other), Successor { name, uid, bound, held, unserved })
        };
        if let Some(id) = id {
            let mut heirs = self.others_of(self.groups.bound.get(&id.into()), leaving, server).filter(|other| {
                bound(other, server).is_some_and(|(own, _)| own == id)
                    && !is_deleting(other)
                    && (other.claimed_at(server).as_deref() == Some(name) || other.spec.display_name == name)
                    && self.may_have(other)
                    // Whoever may write its annotations could have claimed any name (promise I32).
                    && self.may_have_group(other, name)
            });
            // Without our finalizer it could go without a removal, whoever wrote its status (promise I32).
            let counts = |other: &&Arc<ScimGroup>| has_finalizer(*other) || !self.group_has_declined(leaving, other);
            if let Some(heir) = heirs.find(counts) {
                return Some(of(heir, has_finalizer(heir)));
            }
        }
        let heirs = self.groups_named(name, leaving, server);
        let heir = heirs.filter(|other| self.group_can_succeed(leaving, other, id, name)).min_by_key(|one| age(one))?;
        Some(of(heir, false))
    }

    /// As it is declared now it could not take over the group.
    fn group_has_declined(&self, leaving: &ScimGroup, other: &ScimGroup) -> bool {
        let declined = self.declined.get(&Uid::of(&leaving.metadata));
        declined.is_some_and(|declined| declined.contains(&version_of(other)))
    }

    fn group_can_succeed(&self, leaving: &ScimGroup, other: &ScimGroup, id: Option<&str>, name: &str) -> bool {
        let same_group = match (&leaving.spec.external_id, &other.spec.external_id) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        !is_deleting(other)
            && other.spec.display_name == name
            && other.status.as_ref().is_none_or(|status| status.id.is_none())
            && !self.idle.contains(&connection_of_group(other))
            && same_group
            && other.remote_id().is_none_or(|wanted| Some(wanted) == id)
            && self.may_have(other)
            && !self.group_has_declined(leaving, other)
    }

    /// The object may claim the name that it declares (promise I26).
    fn may_have(&self, group: &ScimGroup) -> bool {
        let delegated = self.tenancy.delegated(&group.namespace().unwrap_or_default(), &connection_of_group(group));
        delegated.refuses_group(&group.spec.display_name, [], group.remote_id().is_some()).is_none()
    }

    /// Who may stand differently now that this group claims other names, goes, or is gone.
    pub(super) fn rivals(&self, uid: &Uid, old: Option<&ScimGroup>, new: Option<&ScimGroup>) -> Vec<Uid> {
        let goes = |group: Option<&ScimGroup>| group.is_some_and(is_deleting);
        let (before, now) = (old.map(names_of).unwrap_or_default(), new.map(names_of).unwrap_or_default());
        let id = |group: Option<&ScimGroup>| group.and_then(|group| group.status.as_ref()?.id.clone());
        if before == now && goes(old) == goes(new) && id(old) == id(new) {
            return Vec::new();
        }
        let named = before.union(&now).filter_map(|name| self.groups.by_name.get(name)).flatten();
        let rivals: BTreeSet<Uid> = named.filter(|other| *other != uid).cloned().collect();
        rivals.into_iter().collect()
    }
}

impl Groups {
    /// Puts the names that a group claims into the index in place of those that it claimed.
    pub(super) fn index_names(&mut self, uid: &Uid, old: Option<&ScimGroup>, new: Option<&ScimGroup>) {
        let (before, now) = (old.map(names_of).unwrap_or_default(), new.map(names_of).unwrap_or_default());
        for name in before.difference(&now) {
            take(&mut self.by_name, name, uid);
        }
        for name in now.difference(&before) {
            self.by_name.entry(name.clone()).or_default().insert(uid.clone());
        }
    }
}

/// The group has yet to get the name that it declares, or goes: how others stand may end its wait.
pub fn awaits_name(group: &ScimGroup) -> bool {
    let status = group.status.as_ref().filter(|status| status.id.is_some());
    let has = status.and_then(|status| status.display_name.as_ref());
    has != Some(&group.spec.display_name) || is_deleting(group)
}

fn names_of(group: &ScimGroup) -> BTreeSet<String> {
    let recorded = group.status.as_ref().and_then(|status| status.display_name.clone());
    let made = group.claimed_group().filter(|_| is_unrecorded(group)).map(|claimed| claimed.display_name);
    [group.spec.display_name.clone()].into_iter().chain(recorded).chain(made).collect()
}

/// The group that the object is bound to at this server: its id and name there.
fn bound<'a>(group: &'a ScimGroup, server: &str) -> Option<(&'a str, &'a str)> {
    let status = group.status.as_ref()?;
    let id = status.id_at(server)?;
    Some((id, status.display_name.as_deref().unwrap_or(&group.spec.display_name)))
}

/// The name of the group that a creation was sent for, or that was being taken, without a record of what came of it, where
/// that may be at this server.
fn unrecorded(group: &ScimGroup, server: &str) -> Option<String> {
    group.claimed_at(server).filter(|_| is_unrecorded(group))
}

fn is_unrecorded(group: &ScimGroup) -> bool {
    let known = group.status.as_ref().is_some_and(|status| status.id.is_some());
    !known && has_finalizer(group)
}

fn is_renamed(group: &ScimGroup, server: &str) -> bool {
    bound(group, server).is_some_and(|(_, name)| name != group.spec.display_name)
}

fn is_deleting(group: &ScimGroup) -> bool {
    group.metadata.deletion_timestamp.is_some()
}

fn age(group: &ScimGroup) -> (Option<jiff::Timestamp>, (String, String)) {
    (group.creation_timestamp().map(|time| time.0), key_of(group))
}

fn version_of(group: &ScimGroup) -> (Uid, i64) {
    (Uid::of(&group.metadata), group.metadata.generation.unwrap_or_default())
}
