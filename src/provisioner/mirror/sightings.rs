//! When resources of a collection were seen, and what that proves: the same rules for users and groups, whatever else is
//! kept of them (promises I11, I12).

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use super::SECOND_LOOK;
use crate::api::{RemoteId, Uid};

/// After an id was asked for in vain it is asked for again this much later, twice as much each time, …
const ASKED_AGAIN: SignedDuration = SECOND_LOOK;

/// … and at least so often.
const ASKED_AT_LEAST: SignedDuration = SignedDuration::from_hours(1);

/// When an entry was last seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// In this sweep, or by an answer during it.
    sweep: u64,
    /// By an answer: no page of that sweep is newer.
    by_answer: bool,
}

/// What an id on a page of the running sweep means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPage {
    /// It comes for the first time: what the page shows is the newest.
    New,
    /// It comes for the first time, and what is known of it is newer than the page.
    Outdated,
    /// The sweep has seen it.
    Repeated,
}

/// When the resources of one collection of one server were seen.
#[derive(Debug, Default)]
pub struct Sightings {
    /// The server that all this is of, and how often it was begun anew: answers of an earlier time say nothing.
    server: String,
    epoch: u64,
    sweep: u64,
    sweeping: bool,
    /// The last sweep that has ended was complete.
    last_complete: bool,
    /// The last complete sweep; 0 where there was none.
    completed: u64,
    /// Which ids answer 404, until they are shown again.
    missing: HashMap<String, Missing>,
    /// When an id was last asked for, and how often in vain, until it is shown.
    asked: HashMap<String, (Timestamp, u32)>,
    /// Gone during the running sweep, and whether a page that was asked for before has shown it since.
    gone: HashMap<String, bool>,
    /// Objects whose search needs a listing.
    searches: HashMap<Uid, Search>,
    /// Attributes by which a filter has found somebody.
    heeded: HashSet<String>,
    /// Ids that nothing has shown but the answer to the creation.
    only_answered: HashSet<String>,
    /// A read has shown what a complete list didn't: no list proves anything of ids.
    lists_lack_some: bool,
}

/// An id that answers 404.
#[derive(Clone, Copy, Debug)]
struct Missing {
    since: Timestamp,
    /// It did so once more, a minute later at least.
    twice: bool,
}

/// A search that only a listing can answer.
#[derive(Debug)]
struct Search {
    /// The sweep that had begun before it was asked.
    asked: u64,
    used: bool,
}

impl Sightings {
    /// The connection leads to this server from now on, after a time in which it was not known to: what was listed before
    /// is no proof of absence any more. True where it is another server, of which nothing is known.
    pub fn lead_to(&mut self, server: &str, epoch: u64) -> bool {
        let other = self.server != server;
        if other {
            server.clone_into(&mut self.server);
            self.missing.clear();
            self.asked.clear();
            self.heeded.clear();
            self.only_answered.clear();
            self.lists_lack_some = false;
        }
        (self.last_complete, self.completed, self.sweeping, self.epoch) = (false, 0, false, epoch);
        self.searches.clear();
        other
    }

    /// How often it was begun anew.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The server that all this is of.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// A sweep begins.
    pub fn begin(&mut self) {
        self.sweep += 1;
        self.sweeping = true;
        self.gone.clear();
    }

    /// The sweep has ended.
    pub fn end(&mut self, complete: bool) {
        self.sweeping = false;
        self.gone.clear();
        self.last_complete = complete;
        if complete {
            self.completed = self.sweep;
        }
    }

    /// An id stands on a page of the running sweep; `seen` says when the entry known of it was.
    pub fn on_page(&mut self, id: &str, seen: Option<&mut Seen>) -> OnPage {
        if let Some(shown) = self.gone.get_mut(id) {
            return if std::mem::replace(shown, true) { OnPage::Repeated } else { OnPage::Outdated };
        }
        self.missing.remove(id);
        self.asked.remove(id);
        self.only_answered.remove(id);
        match seen {
            Some(seen) if seen.sweep == self.sweep && seen.by_answer => {
                // Counted once, so that a listing which repeats itself still ends.
                seen.by_answer = false;
                OnPage::Outdated
            }
            Some(seen) if seen.sweep == self.sweep => OnPage::Repeated,
            _ => OnPage::New,
        }
    }

    /// Seen on a page of the running sweep.
    pub fn by_page(&self) -> Seen {
        Seen { sweep: self.sweep, by_answer: false }
    }

    /// Seen in an answer, or changed by a request, just now.
    pub fn by_answer(&self) -> Seen {
        Seen { sweep: self.sweep, by_answer: self.sweeping }
    }

    /// The running or the last sweep has seen it.
    pub fn is_of_sweep(&self, seen: Seen) -> bool {
        seen.sweep == self.sweep
    }

    /// How many the running sweep has seen: of those that are known, and of those that are gone by now.
    pub fn seen_by_sweep(&self, known: impl Iterator<Item = Seen>) -> usize {
        known.filter(|seen| self.is_of_sweep(*seen)).count() + self.gone.values().filter(|shown| **shown).count()
    }

    /// Something shows that it is there.
    pub fn shown(&mut self, id: &str) {
        self.missing.remove(id);
        self.asked.remove(id);
        self.gone.remove(id);
    }

    /// The answer to a creation showed it.
    pub fn answered_creation(&mut self, id: &str) {
        self.only_answered.insert(id.to_owned());
    }

    /// Something else showed it, or took a change of it.
    pub fn confirmed(&mut self, id: &str) {
        self.only_answered.remove(id);
    }

    /// A read showed what the last complete list didn't.
    pub fn found_unlisted(&mut self) {
        self.lists_lack_some = true;
    }

    /// Whether a read ever did.
    pub fn lists_lack_some(&self) -> bool {
        self.lists_lack_some
    }

    /// Nothing else ever did.
    pub fn is_only_answered(&self, id: &str) -> bool {
        self.only_answered.contains(id)
    }

    /// It answered 404; true where that has been so for a minute.
    pub fn missing(&mut self, id: &str, now: Timestamp) -> bool {
        let missing = self.missing.entry(id.to_owned()).or_insert(Missing { since: now, twice: false });
        let settled = now.duration_since(missing.since) >= SECOND_LOOK;
        missing.twice |= settled;
        settled
    }

    /// It answered 404 when it was last asked for.
    pub fn is_missing(&self, id: &str) -> bool {
        self.missing.contains_key(id)
    }

    /// It was asked for, and nothing has shown it since.
    pub fn was_asked(&self, id: &str) -> bool {
        self.asked.contains_key(id)
    }

    /// Two looks a minute apart found nothing, and nothing has shown it since (promise I11).
    pub fn is_gone(&self, id: &str) -> bool {
        self.missing.get(id).is_some_and(|missing| missing.twice)
    }

    /// It is asked for, for nothing has shown it.
    pub fn ask(&mut self, id: &str, now: Timestamp) {
        let (at, times) = self.asked.entry(id.to_owned()).or_insert((now, 0));
        (*at, *times) = (now, times.saturating_add(1));
    }

    /// Of those that nothing has shown, the ones to be asked for now: first those that never were, then those that
    /// weren't for longest. Whatever is asked for in vain is asked for less and less often.
    pub fn to_be_asked(&self, ids: impl IntoIterator<Item = RemoteId>, now: Timestamp) -> Vec<RemoteId> {
        let mut due: Vec<(Option<Timestamp>, RemoteId)> = Vec::new();
        for id in ids {
            match self.asked.get(id.as_str()) {
                None => due.push((None, id)),
                Some((at, times)) => {
                    let doubled = ASKED_AGAIN.saturating_mul(1 << (times - 1).min(10));
                    if now.duration_since(*at) >= doubled.min(ASKED_AT_LEAST) {
                        due.push((Some(*at), id));
                    }
                }
            }
        }
        due.sort_by_key(|(at, _)| *at);
        due.into_iter().map(|(_, id)| id).collect()
    }

    /// It is gone, seen last then: no page that is on its way brings it back.
    pub fn forget(&mut self, id: &str, seen: Option<Seen>) {
        if self.sweeping {
            let shown = seen.is_some_and(|seen| self.is_of_sweep(seen));
            self.gone.entry(id.to_owned()).or_insert(shown);
        }
    }

    /// What isn't known isn't there: the last listing was complete.
    pub fn proves_absence(&self) -> bool {
        self.completed > 0 && self.last_complete
    }

    /// There was a complete listing of this server.
    pub fn was_listed(&self) -> bool {
        self.completed > 0
    }

    /// An object's search needs the whole list; true once a listing that began after it asked is complete.
    pub fn search(&mut self, uid: &Uid) -> bool {
        let (completed, complete) = (self.completed, self.last_complete);
        let new = Search { asked: self.sweep, used: false };
        let search = self.searches.entry(uid.clone()).or_insert(new);
        search.used = complete && completed > search.asked;
        search.used
    }

    /// The pass that used the answer has ended: the next one asks anew.
    pub fn end_search(&mut self, uid: &Uid) {
        if self.searches.get(uid).is_some_and(|search| search.used) {
            self.searches.remove(uid);
        }
    }

    /// A filter by this attribute found somebody.
    pub fn filter_found(&mut self, attribute: &str) {
        if !self.heeded.contains(attribute) {
            self.heeded.insert(attribute.to_owned());
        }
    }

    /// Whether one ever did: one that finds nobody, whomever it is asked for, proves nothing.
    pub fn filter_is_heeded(&self, attribute: &str) -> bool {
        self.heeded.contains(attribute)
    }

    /// An object's search is still to be answered.
    pub fn is_searching(&self, uid: &Uid) -> bool {
        self.searches.contains_key(uid)
    }

    /// A request of the object may change what a listing shows, or the object is gone: an earlier search is void.
    pub fn forget_search(&mut self, uid: &Uid) {
        self.searches.remove(uid);
    }

    /// The objects whose search the last listing answers.
    pub fn answered(&self) -> Vec<Uid> {
        let answered = |search: &Search| self.last_complete && self.completed > search.asked;
        self.searches.iter().filter(|(_, search)| answered(search)).map(|(uid, _)| uid.clone()).collect()
    }
}

#[cfg(test)]
#[path = "sightings_tests.rs"]
mod tests;
