//! Records that are wrong: an id that a tenant writes into a status (promise I32), and ids that changed hands at the
//! server (promise I31).

use std::collections::BTreeSet;

use super::checks::{id_at, id_of, reason_of};
use super::outside::{Listing, Outside};
use super::site::name_of;
use super::world::World;
use crate::api::{ScimUser, Uid};
use crate::directory::{full_name, is_deleting};
use crate::scim::fold;

impl World {
    /// A tenant writes the id of any account into the status of an object.
    pub fn forge(&mut self, slot: usize, number: usize) {
        let (Some(uid), Some(id)) = (self.placed(slot), self.account(number)) else { return };
        let mut outside = self.outside();
        let known = outside.cluster.objects.get(&uid).filter(|user| !is_deleting(user));
        if known.is_none_or(|user| id_of(user) == Some(&id)) {
            return;
        }
        // Which account was its own nobody knows any more.
        outside.excuse(&uid, None);
        outside.book.forged.insert(uid.clone(), id.clone());
        let server = outside.cluster.server.clone();
        outside.cluster.edit(&uid, |user| {
            let status = user.status.get_or_insert_default();
            (status.id, status.bound_to) = (Some(id), Some(server));
        });
    }

    /// Two accounts change ids, where nobody is in a group; and change back the next time. The server is listed since.
    pub fn swap_ids(&mut self) {
        if !self.operator.flight.is_empty() {
            return;
        }
        if self.outside().swap_ids() {
            self.list_at_once();
        }
    }

    /// The server is listed before anything else is done.
    pub fn list_at_once(&mut self) {
        self.outside().fault = None;
        while self.page() {}
        self.sweep(Listing::Whole);
        while self.page() {}
    }
}

impl Outside {
    /// What the status of this object says was written by somebody else.
    pub fn is_forged(&self, user: &ScimUser) -> bool {
        let forged = self.book.forged.get(&Uid::of(&user.metadata));
        forged.is_some() && forged.map(String::as_str) == id_of(user)
    }

    /// The account is in a status where somebody wrote it.
    pub fn is_named_by_forgers(&self, id: Option<&str>) -> bool {
        self.cluster.objects.values().any(|user| id.is_some() && id_of(user) == id && self.is_forged(user))
    }

    /// A status is about to be written: it may be the operator's own again.
    pub fn note_own(&mut self, uid: &Uid, id: Option<&str>) {
        if self.book.forged.get(uid).is_some_and(|forged| Some(forged.as_str()) != id) {
            self.book.forged.remove(uid);
        }
    }

    /// Another object is bound to the account, on a record of ours.
    pub fn honest_holder(&self, uid: &Uid, id: &str) -> Option<String> {
        let holds = |user: &&ScimUser| {
            let other = Uid::of(&user.metadata) != *uid;
            other && id_of(user) == Some(id) && !is_deleting(user) && !self.is_forged(user)
        };
        self.cluster.objects.values().find(holds).map(full_name)
    }

    /// The account shows another person than the one whose object is bound to it.
    pub fn is_swapped(&self, id: &str) -> bool {
        self.book.swapped.iter().flat_map(|(one, other)| [one, other]).any(|swapped| swapped == id)
    }

    fn swap_ids(&mut self) -> bool {
        let pair = match self.book.swapped.take() {
            Some((one, other)) => Some((one, other))
                .filter(|(one, other)| [one, other].into_iter().all(|id| self.site.server.accounts.contains_key(id))),
            None => self.persons().map(|(one, other)| {
                self.book.swapped = Some((one.clone(), other.clone()));
                (one, other)
            }),
        };
        let Some((one, other)) = pair else { return false };
        self.site.swap(&one, &other);
        true
    }

    /// Two people whose accounts are as their objects know them, and to whom nobody did anything.
    fn persons(&self) -> Option<(String, String)> {
        if !self.cluster.groups.is_empty() || self.setup.quirks.no_list || !self.site.groups.all.is_empty() {
            return None;
        }
        let mut names = BTreeSet::new();
        let known = |user: &&ScimUser| {
            let Some(id) = id_at(user, &self.cluster.server) else { return false };
            let Some(account) = self.site.server.accounts.get(id) else { return false };
            let name = fold(&user.spec.user_name);
            let recorded = user.status.as_ref().and_then(|status| status.user_name.as_deref()).map(fold);
            !is_deleting(user)
                && !self.is_forged(user)
                && !self.is_named_by_forgers(Some(id))
                && name == name_of(account)
                && recorded.as_ref() == Some(&name)
                && user.spec.external_id.is_none()
                && self
                    .site
                    .list(false)
                    .iter()
                    .filter(|other| other.user_name().map(fold).as_ref() == Some(&name))
                    .count()
                    == 1
                && !self.site.is_touched(id)
        };
        let settled: Vec<&ScimUser> = self.cluster.objects.values().filter(known).collect();
        let mut ids = settled.into_iter().filter(|user| names.insert(fold(&user.spec.user_name)));
        let ids = (ids.next().and_then(id_of), ids.next().and_then(id_of));
        let (Some(one), Some(other)) = ids else { return None };
        (one != other).then(|| (one.to_owned(), other.to_owned()))
    }

    /// The object is told that what is on record can't be right; people are to say what is.
    pub fn is_wrong_on_record(&self, user: &ScimUser) -> bool {
        let reason = user.status.as_ref().map(reason_of).unwrap_or_default();
        let id = id_of(user);
        let forged = self.is_forged(user) || self.is_named_by_forgers(id);
        reason == "Conflict" && (forged || id.is_some_and(|id| self.is_swapped(id)))
    }
}
