//! Whom a group declared while it was exact: they are its own, and stay so when it begins to leave others in it.

use std::collections::HashSet;

use super::{Membership, Source};
use crate::api::RemoteId;
use crate::plan::digests::Digests;

/// So many are kept on record.
const MOST_OWNED: usize = 5000;

/// On record where there were more: who they were isn't known. Shorter than any digest.
const MORE_THAN_KEPT: &str = "more";

impl Membership {
    /// Whoever is on this record was declared while the group was exact, and counts as brought in by us. `accounts` are
    /// those who may be in though the server doesn't show who is.
    pub fn know_owned(&mut self, recorded: Option<&str>, accounts: impl IntoIterator<Item = RemoteId>) {
        let owned = Digests::read(recorded.filter(|_| self.source != Source::Exact));
        if owned.is_empty() {
            return;
        }
        let known = self.wanted.keys().chain(self.present.iter().flatten()).cloned().chain(accounts);
        let found: Vec<RemoteId> =
            known.filter(|id| !self.ours.contains(id) && owned.contains(&[id.as_str()])).collect();
        for id in &found {
            self.own(id);
        }
    }

    /// The same of those alone who aren't declared any more.
    pub fn know_dropped(&mut self, recorded: Option<&str>, accounts: impl IntoIterator<Item = RemoteId>) {
        for id in self.dropped(recorded, accounts) {
            self.own(&id);
        }
    }

    /// Whoever is on this record is declared, or among these.
    pub fn covers(&self, recorded: Option<&str>, shown: &HashSet<RemoteId>) -> bool {
        let owned = Digests::read(recorded);
        let known: HashSet<&RemoteId> = self.wanted.keys().chain(shown).collect();
        known.into_iter().filter(|id| owned.contains(&[id.as_str()])).count() >= owned.len()
    }

    /// Of these accounts: who is on record as declared while the group was exact, and isn't declared any more.
    pub fn dropped(&self, recorded: Option<&str>, accounts: impl IntoIterator<Item = RemoteId>) -> Vec<RemoteId> {
        let owned = Digests::read(recorded);
        let dropped = |id: &RemoteId| !self.wanted.contains_key(id) && owned.contains(&[id.as_str()]);
        accounts.into_iter().filter(dropped).collect()
    }

    /// The group shows nobody, and no group of this server ever showed anybody: whoever is on this record, or was brought in,
    /// and isn't declared any more may be in all the same.
    pub fn may_hide(&mut self, recorded: Option<&str>, accounts: impl IntoIterator<Item = RemoteId>) {
        let brought_in = self.ours.iter().filter(|id| !self.wanted.contains_key(*id)).cloned();
        let hidden: Vec<RemoteId> = brought_in.chain(self.dropped(recorded, accounts)).collect();
        for id in hidden {
            self.absent.remove(&id);
            self.unshown.insert(id.clone());
            self.sort(&id);
        }
    }

    /// The server shows who is in its groups: whom two readings of this one don't show isn't in.
    pub fn doubt_unshown(&mut self) {
        let (gone, once): (Vec<RemoteId>, Vec<RemoteId>) =
            self.unshown.iter().cloned().partition(|id| self.overlooked.contains(id));
        for id in &gone {
            self.unshown.remove(id);
            self.sort(id);
        }
        self.overlooked = once.into_iter().collect();
    }

    /// It is exact, and more are declared than are kept on record.
    pub fn exceeds_record(&self) -> bool {
        self.source == Source::Exact && self.wanted.len() > MOST_OWNED
    }

    /// It isn't exact any more, and of those who were declared while it was there were more than are kept on record.
    pub fn exceeded_record(&self, recorded: Option<&str>) -> bool {
        self.source != Source::Exact && is_exceeded(recorded)
    }

    /// What is to be on record of that: whoever is declared while the group is exact, and of those on record whoever is
    /// still in, or declared.
    pub fn owned(&self, recorded: Option<&str>) -> Option<String> {
        let before = || recorded.map(str::to_owned);
        let Some(present) = self.present.as_ref().filter(|_| self.source != Source::Ledger) else { return before() };
        let exact = self.source == Source::Exact;
        // Those who were too many may be among those who are still in.
        if is_exceeded(recorded) && !(exact && present.iter().all(|id| self.wanted.contains_key(id))) {
            return before();
        }
        let known = Digests::read(recorded);
        let declared = self.wanted.keys().filter(|_| exact);
        // Whoever is declared may be in under another id by now.
        let left = present.iter().chain(self.wanted.keys()).chain(self.going.keys()).chain(&self.unshown);
        let left = left.filter(|id| known.contains(&[id.as_str()]));
        let mut owned = Digests::default();
        declared.chain(left).for_each(|id| owned.insert(&[id.as_str()]));
        if owned.len() > MOST_OWNED {
            return Some(MORE_THAN_KEPT.to_owned());
        }
        (!owned.is_empty()).then(|| owned.text())
    }
}

fn is_exceeded(recorded: Option<&str>) -> bool {
    recorded == Some(MORE_THAN_KEPT)
}

/// The same without those who were taken out.
pub fn without_removed(recorded: Option<&str>, removed: &[RemoteId]) -> Option<String> {
    if is_exceeded(recorded) {
        return recorded.map(str::to_owned);
    }
    let mut owned = Digests::read(recorded);
    for id in removed {
        owned.remove(&[id.as_str()]);
    }
    (!owned.is_empty()).then(|| owned.text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::groups::Standing;

    fn id(name: &str) -> RemoteId {
        name.into()
    }

    #[test]
    fn i15_whom_two_readings_do_not_show_at_a_server_that_shows_members_is_not_taken_out() {
        let mut members = Membership::default();
        members.observe([id("bea")]);
        members.added(&[id("ada")]);
        for _ in 0..2 {
            members.observe([id("bea")]);
            assert!(members.is_removable(&id("ada")), "one reading may be older");
            members.doubt_unshown();
        }
        assert!(!members.is_removable(&id("ada")) && !members.extra().contains(&id("ada")));
    }

    #[test]
    fn i18_nobody_is_looked_for_where_all_on_record_are_declared_or_shown() {
        let mut members = Membership::default();
        members.enter(&Standing::In(id("ada")));
        let mut owned = Digests::default();
        owned.insert(&["ada"]);
        owned.insert(&["bea"]);
        let text = owned.text();
        assert!(members.covers(Some(&text), &HashSet::from([id("bea"), id("cyd")])));
        assert!(!members.covers(Some(&text), &HashSet::from([id("cyd")])));
        assert!(members.covers(None, &HashSet::new()));
    }
}
