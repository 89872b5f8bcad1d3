//! Who holds which account, who waits for it and who takes it over (promise I8): an account follows its object.

use std::collections::HashSet;
use std::sync::Arc;

use super::index::{account, age, unrecorded};
use super::{Claim, ConnectionKey, Directory, Inner, connection_of, full_name, has_finalizer, is_deleting};
use crate::api::{ScimUser, Uid, UserState};
use crate::plan::{Claims, Holder, HolderState, Successor};
use crate::scim::fold;

/// Objects that may wait for each other in a row before it counts as a ring.
const LONGEST_ROW: usize = 1_000;

impl Directory {
    /// What others say of the account that `user` declares; `found` is the account's id where it is known.
    pub fn claims(&self, user: &ScimUser, server: &str, found: Option<&str>) -> Claims {
        let inner = self.read();
        Claims {
            holder: inner.holder(user, server, found),
            elder: inner.elder(user, server),
            successor: inner.successor(user, server).map(|(_, successor)| successor),
            rival: None,
        }
    }

    /// Whether objects are bound through this connection now: it is neither suspended nor under deletion.
    pub fn set_idle(&self, connection: &ConnectionKey, idle: bool) {
        if self.read().idle.contains(connection) == idle {
            return;
        }
        let mut inner = self.write();
        if idle {
            inner.idle.insert(connection.clone());
        } else {
            inner.idle.remove(connection);
        }
    }

    /// The object can't take over the account of any object under deletion as it is declared now; returns those that
    /// waited for it.
    pub fn decline(&self, user: &ScimUser, server: &str) -> Vec<Uid> {
        let mut inner = self.write();
        let name = Claim::Name(fold(&user.spec.user_name));
        let leaving: Vec<Uid> = inner
            .others(server, &name, user)
            .filter(is_deleting)
            .filter(|other| {
                inner.successor(other, server).is_some_and(|(heir, _)| heir.metadata.uid == user.metadata.uid)
            })
            .filter_map(|other| Uid::given(&other.metadata))
            .collect();
        for uid in &leaving {
            inner.declined.entry(uid.clone()).or_default().insert(version_of(user));
        }
        leaving
    }

    /// The object under deletion waits no longer for the one that is to take over its account.
    pub fn give_up(&self, leaving: &ScimUser, server: &str) {
        let mut inner = self.write();
        let heir = inner.successor(leaving, server).filter(|(_, successor)| !successor.bound).map(|(heir, _)| heir);
        if let (Some(heir), Some(uid)) = (heir, Uid::given(&leaving.metadata)) {
            inner.declined.entry(uid).or_default().insert(version_of(&heir));
        }
    }
}

impl Inner {
    /// The other objects of this claim.
    fn others<'a>(
        &'a self,
        server: &str,
        claim: &Claim,
        me: &ScimUser,
    ) -> impl Iterator<Item = &'a Arc<ScimUser>> + use<'a> {
        let uids = self.claims.get(server).and_then(|claims| claims.get(claim));
        let me = Uid::of(&me.metadata);
        uids.into_iter().flatten().filter(move |uid| **uid != me).filter_map(|uid| self.users.get(uid))
    }

    /// Who is bound to the account that was found, else to the one whose name the object wants, else may have made one
    /// of that name.
    fn holder(&self, user: &ScimUser, server: &str, found: Option<&str>) -> Option<Holder> {
        let mine = account(user, server).map(|(id, _)| id);
        let name = fold(&user.spec.user_name);
        let id_of = |other: &ScimUser| account(other, server).map(|(id, _)| id.to_owned());
        // Whoever hands over its account is bound to it until it is gone.
        let stands =
            |other: &&Arc<ScimUser>| !(is_deleting(other) && mine.is_some() && id_of(other).as_deref() == mine);
        if let Some(found) = found {
            let bound = self.others(server, &Claim::Account(found.into()), user).filter(stands);
            let bound =
                bound.filter(|other| id_of(other).as_deref() == Some(found) && self.may_have_name(other, &name));
            if let Some(other) = bound.min_by_key(is_deleting) {
                return Some(self.as_holder(user, other, server, true));
            }
        }
        let claims_too = unrecorded(user, server).is_some_and(|claimed| fold(&claimed) == name);
        // A name is claimed by those alone who may have it, whatever their status or an annotation says (promise I26).
        let may = |other: &&Arc<ScimUser>| self.may_have_name(other, &name);
        let same_name = self.others(server, &Claim::Name(name.clone()), user).filter(stands).filter(may);
        let holders = same_name.filter(|other| {
            if let Some((id, known)) = account(other, server) {
                return fold(known) == name && Some(id) != mine;
            }
            // Whether a name is free that an account is renamed to, the server tells.
            let made = mine.is_none() && unrecorded(other, server).is_some_and(|claimed| fold(&claimed) == name);
            made && !claims_too && (is_deleting(other) || fold(&other.spec.user_name) != name)
        });
        let holders = holders.map(|other| self.as_holder(user, other, server, false));
        holders.min_by_key(|holder| (holder.goes(), holder.name.clone()))
    }

    fn as_holder(&self, user: &ScimUser, other: &ScimUser, server: &str, has_account: bool) -> Holder {
        let state = if is_deleting(other) {
            let heir = self.successor(other, server).filter(|(_, successor)| !successor.bound);
            let takes_over = heir.is_some_and(|(heir, _)| heir.metadata.uid == user.metadata.uid);
            if takes_over { HolderState::HandsOver } else { HolderState::Leaves }
        } else if account(other, server).is_none() {
            HolderState::Renames
        } else if is_renamed(other, server) {
            self.ring(user, other, server).map_or(HolderState::Renames, HolderState::InRing)
        } else {
            HolderState::Keeps
        };
        Holder { name: full_name(other), has_account, state }
    }

    /// The objects that wait for each other's names, where `user`, which waits for `next`, comes upon such a ring.
    fn ring(&self, user: &ScimUser, next: &ScimUser, server: &str) -> Option<Vec<String>> {
        let mut row: Vec<(Uid, String)> = Vec::new();
        let mut seen = HashSet::new();
        let (mut current, mut wanted) = (Arc::new(next.clone()), fold(&next.spec.user_name));
        let own = account(user, server).map(|(_, name)| fold(name));
        loop {
            let uid = Uid::of(&current.metadata);
            if !seen.insert(uid.clone()) || row.len() >= LONGEST_ROW {
                let begin = row.iter().position(|(known, _)| *known == uid).unwrap_or_default();
                return Some(row.into_iter().skip(begin).map(|(_, name)| name).collect());
            }
            row.push((uid, full_name(&current)));
            if own.as_ref() == Some(&wanted) {
                row.insert(0, (Uid::of(&user.metadata), full_name(user)));
                return Some(row.into_iter().map(|(_, name)| name).collect());
            }
            let mut holders = self.others(server, &Claim::Name(wanted.clone()), &current).filter(|other| {
                account(other, server).is_some_and(|(_, name)| fold(name) == wanted) && !is_deleting(other)
            });
            let holder = holders
                .find(|other| other.metadata.uid != user.metadata.uid)
                .filter(|other| is_renamed(other, server))?;
            (wanted, current) = (fold(&holder.spec.user_name), Arc::clone(holder));
        }
    }

    /// Who declares the same name and comes first: whoever is bound, then the elder. Among those that rename their own
    /// account to it the elder comes first.
    fn elder(&self, user: &ScimUser, server: &str) -> Option<String> {
        let name = fold(&user.spec.user_name);
        let bound = account(user, server).is_some();
        let others = self.others(server, &Claim::Name(name.clone()), user);
        let mut elders = others
            .filter(|other| !is_deleting(other) && fold(&other.spec.user_name) == name && self.may(other))
            .filter(|other| match (bound, account(other, server).is_some()) {
                (false, true) => true,
                (true, false) => false,
                _ => age(other) < age(user),
            });
        elders.next().map(full_name)
    }

    /// Who takes over the account of an object under deletion: whoever is bound to it already, else the eldest of those
    /// that declare its name, are bound to nothing and can be bound.
    fn successor(&self, leaving: &ScimUser, server: &str) -> Option<(Arc<ScimUser>, Successor)> {
        let bound = account(leaving, server);
        let (id, name) = match bound {
            _ if !is_deleting(leaving) => return None,
            Some((id, name)) => (Some(id), fold(name)),
            None => (None, fold(&unrecorded(leaving, server)?)),
        };
        let of = |other: &Arc<ScimUser>, bound: bool| {
            let state = other.status.as_ref().and_then(|status| status.state);
            let held = matches!(state, Some(UserState::Held | UserState::Planned));
            let unserved = self.unserved(&connection_of(other));
            let (name, uid) = (full_name(other), Uid::of(&other.metadata));
            (Arc::clone(other), Successor { name, uid, bound, held, unserved })
        };
        if let Some(id) = id {
            let mut heirs = self.others(server, &Claim::Account(id.into()), leaving).filter(|other| {
                let claimed = other.claimed_at(server).is_some_and(|claimed| fold(&claimed.user_name) == name);
                account(other, server).is_some_and(|(own, _)| own == id)
                    && !is_deleting(other)
                    && (claimed || fold(&other.spec.user_name) == name)
                    && self.may(other)
                    // Whoever may write its annotations could have claimed any name (promise I32).
                    && self.may_have_name(other, &name)
            });
            // Without our finalizer it could go without a removal, whoever wrote its status (promise I32).
            let counts = |other: &&Arc<ScimUser>| has_finalizer(*other) || !self.has_declined(leaving, other);
            if let Some(heir) = heirs.find(counts) {
                return Some(of(heir, has_finalizer(heir)));
            }
        }
        let heirs = self.others(server, &Claim::Name(name.clone()), leaving);
        let heir = heirs.filter(|other| self.can_succeed(leaving, other, id, &name)).min_by_key(|other| age(other))?;
        Some(of(heir, false))
    }

    /// As it is declared now it could not take over the account.
    fn has_declined(&self, leaving: &ScimUser, other: &ScimUser) -> bool {
        let declined = self.declined.get(&Uid::of(&leaving.metadata));
        declined.is_some_and(|declined| declined.contains(&version_of(other)))
    }

    fn can_succeed(&self, leaving: &ScimUser, other: &ScimUser, id: Option<&str>, name: &str) -> bool {
        let same_person = match (&leaving.spec.external_id, &other.spec.external_id) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        !is_deleting(other)
            && fold(&other.spec.user_name) == name
            && other.status.as_ref().is_none_or(|status| status.id.is_none())
            && !other.spec.suspend
            && !self.idle.contains(&connection_of(other))
            && same_person
            && other.remote_id().is_none_or(|wanted| Some(wanted) == id)
            && self.may(other)
            && !self.has_declined(leaving, other)
    }
}

/// The object is bound to an account, and declares another name than that has.
fn is_renamed(user: &ScimUser, server: &str) -> bool {
    account(user, server).is_some_and(|(_, name)| fold(name) != fold(&user.spec.user_name))
}

fn version_of(user: &ScimUser) -> (Uid, i64) {
    (Uid::of(&user.metadata), user.metadata.generation.unwrap_or_default())
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
