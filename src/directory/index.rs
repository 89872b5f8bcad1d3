//! What objects are looked up by, kept as they come and go: manager, claim, and how many are active.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::claimants::Claimants;
use super::{Claim, Inner, connection_of, full_name, has_finalizer};
use crate::api::{ScimUser, Uid};
use crate::scim::fold;

impl Inner {
    pub(super) fn count_active(&mut self, old: Option<&ScimUser>, new: Option<&ScimUser>) {
        if let Some(old) = old.filter(|old| is_active(old))
            && let Some(count) = self.active.get_mut(&connection_of(old))
        {
            *count -= 1;
        }
        if let Some(new) = new.filter(|new| is_active(new)) {
            *self.active.entry(connection_of(new)).or_default() += 1;
        }
    }

    pub(super) fn index_manager(&mut self, uid: &Uid, old: Option<&ScimUser>, new: Option<&ScimUser>) {
        let (before, now) = (old.and_then(manager_of), new.and_then(manager_of));
        if before == now {
            return;
        }
        if let Some(before) = before
            && let Some(uids) = self.reports.get_mut(&before)
        {
            uids.remove(uid);
            if uids.is_empty() {
                self.reports.remove(&before);
            }
        }
        if let Some(now) = now {
            self.reports.entry(now).or_default().insert(uid.clone());
        }
    }

    pub(super) fn claim(&mut self, server: &str, uid: &Uid, claims: &BTreeSet<Claim>) {
        let index = self.claims.entry(server.to_owned()).or_default();
        for claim in claims {
            let known = index.entry(claim.clone()).or_insert_with(|| Claimants::One(uid.clone()));
            known.insert(uid);
        }
    }

    pub(super) fn unclaim(&mut self, server: &str, uid: &Uid, claims: &BTreeSet<Claim>) {
        let Some(index) = self.claims.get_mut(server) else { return };
        for claim in claims {
            if index.get_mut(claim).is_some_and(|known| known.remove(uid)) {
                index.remove(claim);
            }
        }
    }

    pub(super) fn claimants<'a>(&self, server: &str, claims: impl Iterator<Item = &'a Claim>, me: &Uid) -> Vec<Uid> {
        let Some(index) = self.claims.get(server) else { return Vec::new() };
        let uids: BTreeSet<Uid> = claims.filter_map(|claim| index.get(claim)).flatten().cloned().collect();
        uids.into_iter().filter(|uid| uid != me).collect()
    }
}

/// The account that the object is bound to at this server: its id and userName.
pub(super) fn account<'a>(user: &'a ScimUser, server: &str) -> Option<(&'a str, &'a str)> {
    let status = user.status.as_ref()?;
    let id = status.id_at(server)?;
    Some((id, status.user_name.as_deref().unwrap_or(&user.spec.user_name)))
}

pub(super) fn is_active(user: &ScimUser) -> bool {
    user.status.as_ref().is_some_and(|status| status.id.is_some() && status.active == Some(true))
}

pub(super) fn id_of(user: &ScimUser) -> Option<&str> {
    user.status.as_ref()?.id.as_deref()
}

/// The namespace and name of the manager that an object refers to.
pub(super) fn manager_of(user: &ScimUser) -> Option<(String, String)> {
    let manager = user.spec.attributes.enterprise.as_ref()?.manager.as_ref()?;
    Some((user.namespace().unwrap_or_default(), manager.user_ref.as_ref()?.name.clone()))
}

/// The userName of the account that a creation was sent for, or that was being taken, without a record of what came
/// of it, where that may be at this server.
pub(super) fn unrecorded(user: &ScimUser, server: &str) -> Option<String> {
    user.claimed_at(server).filter(|_| is_unrecorded(user)).map(|claimed| claimed.user_name)
}

fn is_unrecorded(user: &ScimUser) -> bool {
    id_of(user).is_none() && has_finalizer(user)
}

pub(super) fn claims_of(user: &ScimUser) -> BTreeSet<Claim> {
    let mut claims = BTreeSet::from([Claim::Name(fold(&user.spec.user_name))]);
    let made = user.claimed_account().filter(|_| is_unrecorded(user));
    claims.extend(made.map(|claimed| Claim::Name(fold(&claimed.user_name))));
    if let Some(status) = &user.status {
        claims.extend(status.user_name.as_deref().map(|name| Claim::Name(fold(name))));
        claims.extend(status.id.as_deref().map(|id| Claim::Account(id.into())));
    }
    claims
}

pub(super) fn age(user: &ScimUser) -> (Option<jiff::Timestamp>, String) {
    (user.creation_timestamp().map(|time| time.0), full_name(user))
}
