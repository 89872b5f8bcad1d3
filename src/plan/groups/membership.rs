//! One group's members: declared, present, and what lies between, kept up to date change by change.
//!
//! Each change costs what it touches, never the size of the group; only a whole new reading costs that.

mod known;
mod left;
mod owned;
mod records;
mod thrown;

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::api::RemoteId;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

pub use self::owned::without_removed;

/// Under this the declared members that were last carried out are recorded, all of them together.
pub const MEMBERS: &str = "members";

/// Where it is known from who is in the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The server shows it, and whoever isn't declared goes.
    #[default]
    Exact,
    /// The server shows it, and only whom we brought in may go.
    Additive,
    /// Our own record alone: what the server shows means nothing.
    Ledger,
}

/// How a declared member stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has no account yet.
    Waiting,
    /// It belongs into the group.
    In(RemoteId),
    /// It is about to be deprovisioned: neither put in nor taken out before its account is inactive.
    Going(RemoteId),
}

/// The members of one group.
#[derive(Clone, Debug, Default)]
pub struct Membership {
    source: Source,
    /// Declared, and how often: several references may lead to one account.
    wanted: HashMap<RemoteId, u32>,
    /// Neither put in nor taken out for now.
    going: HashMap<RemoteId, u32>,
    /// Whose object vanished without being deprovisioned, and when.
    vanished: HashMap<RemoteId, Timestamp>,
    waiting: usize,
    /// What the server showed, kept current by our writes; none before it was read.
    present: Option<HashSet<RemoteId>>,
    /// Whom we brought in.
    ours: HashSet<RemoteId>,
    /// Of those: whom nothing but the record in a status says that of.
    recorded: HashSet<RemoteId>,
    /// Of those: whose record proved to be none of ours.
    distrusted: HashSet<RemoteId>,
    missing: BTreeSet<RemoteId>,
    extra: BTreeSet<RemoteId>,
    /// Of those to be taken out: who was so when a pass last ended.
    met: BTreeSet<RemoteId>,
    /// Put in by a request of ours that got no answer: where the server shows nobody, whether they are in isn't known.
    unsure: HashSet<RemoteId>,
    /// Put in by us, and not seen in since.
    unconfirmed: HashSet<RemoteId>,
    /// Of those: whom the next reading didn't show. Once, somebody else may have been quicker.
    suspected: HashSet<RemoteId>,
    /// The same twice in a row: the server doesn't keep them.
    dropped: HashSet<RemoteId>,
    /// Put in by us, and shown by no reading: the server may not show who is in.
    unshown: HashSet<RemoteId>,
    /// Of those: whom the last reading didn't show either, at a server that shows who is in.
    overlooked: HashSet<RemoteId>,
    /// Of those whom we brought in: who isn't declared any more, and wasn't shown by the last reading.
    absent: HashSet<RemoteId>,
    /// Taken out by others and declared no more: what is on record of them is to be forgotten.
    lapsed: Vec<RemoteId>,
    /// Found changed by others, and to be left so.
    left: HashSet<RemoteId>,
    /// Declared and out, because the account is inactive: to be put in again once it isn't.
    inactive: HashSet<RemoteId>,
    /// Taken out by a request of ours that wasn't about them: to be put in again, whoever put them in.
    thrown: HashSet<RemoteId>,
    /// Wanted before the references were gathered anew.
    former: HashSet<RemoteId>,
    /// Tells one set of declared members from another, in whatever order they came.
    fingerprint: u64,
    /// How often a write of ours, or an invalidation, changed what is known.
    changes: u64,
}

impl Membership {
    /// Where it is known from who is in the group.
    pub fn set_source(&mut self, source: Source) {
        if self.source != source {
            self.source = source;
            self.sort_all();
        }
    }

    /// A reference to a member begins to stand so.
    pub fn enter(&mut self, standing: &Standing) {
        match standing {
            Standing::Waiting => self.waiting += 1,
            Standing::In(id) => {
                let count = self.wanted.entry(id.clone()).or_default();
                *count += 1;
                let newly = *count == 1;
                self.vanished.remove(id);
                if newly {
                    self.fingerprint ^= hash(id);
                    // Looked up anew isn't declared anew.
                    if !self.former.remove(id) {
                        self.left.remove(id);
                        self.inactive.remove(id);
                    }
                }
                self.sort(id);
            }
            Standing::Going(id) => {
                *self.going.entry(id.clone()).or_default() += 1;
                self.sort(id);
            }
        }
    }

    /// A reference to a member no longer stands so.
    pub fn leave(&mut self, standing: &Standing) {
        let less = |map: &mut HashMap<RemoteId, u32>, id: &RemoteId| {
            if let Some(count) = map.get_mut(id) {
                *count -= 1;
                if *count == 0 {
                    map.remove(id);
                }
            }
        };
        match standing {
            Standing::Waiting => self.waiting = self.waiting.saturating_sub(1),
            Standing::In(id) => {
                let wanted = self.wanted.contains_key(id);
                less(&mut self.wanted, id);
                if wanted && !self.wanted.contains_key(id) {
                    self.fingerprint ^= hash(id);
                    self.thrown.remove(id);
                }
                self.sort(id);
            }
            Standing::Going(id) => {
                less(&mut self.going, id);
                self.sort(id);
            }
        }
    }

    /// A member's object vanished without being deprovisioned: the account stays until this is taken back.
    pub fn vanish(&mut self, id: &RemoteId, since: Timestamp) {
        if self.is_here(id) || self.present.is_none() {
            // Its record goes with it, and was as good as what else is known.
            if !self.distrusted.contains(id) {
                self.recorded.remove(id);
            }
            self.vanished.entry(id.clone()).or_insert(since);
            self.sort(id);
        }
    }

    /// Those whose object vanished before this instant stay no longer; returns how many.
    pub fn expire(&mut self, before: Timestamp) -> usize {
        let due: Vec<RemoteId> =
            self.vanished.iter().filter(|(_, since)| **since <= before).map(|(id, _)| id.clone()).collect();
        for id in &due {
            self.vanished.remove(id);
            self.sort(id);
        }
        due.len()
    }

    /// The server showed these members, all of them. Returns the declared ones that had been there and are gone, and
    /// those that have come and that nobody declared.
    pub fn observe(&mut self, shown: impl IntoIterator<Item = RemoteId>) -> (Vec<RemoteId>, Vec<RemoteId>) {
        let now: HashSet<RemoteId> = shown.into_iter().collect();
        let (mut lost, mut foreign) = (Vec::new(), Vec::new());
        if let Some(before) = &self.present {
            lost.extend(before.iter().filter(|id| !now.contains(*id) && self.wanted.contains_key(*id)).cloned());
            let declared = |id: &RemoteId| self.wanted.contains_key(id) || self.going.contains_key(id);
            let stays = |id: &RemoteId| before.contains(id) || declared(id) || self.thrown.contains(id);
            // Put in twice and never seen in, it isn't kept: nobody took it out.
            let unseen = lost.iter().filter(|id| self.unconfirmed.contains(*id));
            let (again, once): (Vec<RemoteId>, Vec<RemoteId>) =
                unseen.cloned().partition(|id| self.suspected.contains(id));
            lost.retain(|id| !again.contains(id));
            self.dropped.extend(again);
            self.suspected.extend(once);
            self.suspected.retain(|id| !now.contains(id));
            let counts = self.source == Source::Exact;
            foreign.extend(now.iter().filter(|id| counts && !stays(id)).cloned());
        }
        self.unconfirmed.clear();
        self.unshown.retain(|id| !now.contains(id));
        self.lapse(&now);
        self.thrown.retain(|id| !now.contains(id));
        self.present = Some(now);
        let (wanted, present) = (&self.wanted, &self.present);
        let differs =
            |id: &RemoteId| wanted.contains_key(id) != present.as_ref().is_some_and(|present| present.contains(id));
        self.left.retain(differs);
        self.sort_all();
        (lost, foreign)
    }

    /// The server says of these that they are not in, against our record; returns the declared ones.
    pub fn lose(&mut self, ids: &[RemoteId]) -> Vec<RemoteId> {
        for id in ids {
            self.disown(id);
            if let Some(present) = &mut self.present {
                present.remove(id);
            }
            self.sort(id);
        }
        ids.iter().filter(|id| self.wanted.contains_key(*id)).cloned().collect()
    }

    /// Tells one set of declared members from another.
    pub fn fingerprint(&self) -> String {
        format!("{:016x}", self.fingerprint)
    }

    /// What others changed is left so no longer.
    pub fn repair(&mut self) {
        if !self.left.is_empty() {
            self.left.clear();
            self.sort_all();
        }
    }

    /// What is left as others changed it: declared members that are gone, and members that nobody declared.
    pub fn left(&self) -> (usize, usize) {
        let lost = self.left.iter().filter(|id| self.wanted.contains_key(*id)).count();
        let foreign = self.left.iter().filter(|id| !self.wanted.contains_key(*id) && self.is_here(id)).count();
        (lost, foreign)
    }

    /// A request of ours put these in.
    pub fn added(&mut self, ids: &[RemoteId]) {
        self.changes += 1;
        for id in ids {
            if let Some(present) = &mut self.present {
                present.insert(id.clone());
            }
            self.absent.remove(id);
            self.unconfirmed.insert(id.clone());
            if !self.comes_back(id) {
                self.unshown.insert(id.clone());
                self.ours.insert(id.clone());
                self.recorded.remove(id);
                self.distrusted.remove(id);
                self.unsure.remove(id);
            }
            self.sort(id);
        }
    }

    /// A request of ours that puts these in got no answer. Whoever still belongs in is put in once more, and whoever
    /// doesn't any longer is taken out.
    pub fn may_have_come(&mut self, ids: &[RemoteId]) {
        if self.source == Source::Ledger {
            self.unsure.extend(ids.iter().cloned());
            for id in ids {
                self.sort(id);
            }
        }
    }

    /// Those that the server took and that a reading didn't show; asked for once.
    pub fn take_dropped(&mut self) -> Vec<RemoteId> {
        let missing = &self.missing;
        std::mem::take(&mut self.dropped).into_iter().filter(|id| missing.contains(id)).collect()
    }

    /// A request of ours took these out.
    pub fn removed(&mut self, ids: &[RemoteId]) {
        self.changes += 1;
        for id in ids {
            if let Some(present) = &mut self.present {
                present.remove(id);
            }
            self.disown(id);
            self.vanished.remove(id);
            self.sort(id);
        }
    }

    /// The group is new: nobody is in it.
    pub fn begin_empty(&mut self) {
        self.present = Some(HashSet::new());
        self.disown_all();
        self.vanished.clear();
        self.left.clear();
        self.inactive.clear();
        self.thrown.clear();
        self.sort_all();
    }

    /// Nothing is known of the group any more: it is another one.
    pub fn forget(&mut self) {
        self.present = None;
        self.disown_all();
        self.vanished.clear();
        self.left.clear();
        self.inactive.clear();
        self.thrown.clear();
        self.sort_all();
    }

    /// No reference stands any more, for they are gathered anew.
    pub fn without_references(&mut self) {
        self.former = std::mem::take(&mut self.wanted).into_keys().collect();
        self.fingerprint = 0;
        self.going.clear();
        self.waiting = 0;
        self.sort_all();
    }

    /// A request of ours may or may not have taken effect: it must be read who is in the group.
    pub fn invalidate(&mut self) {
        self.changes += 1;
        self.present = None;
        self.unconfirmed.clear();
        self.sort_all();
    }

    fn sort(&mut self, id: &RemoteId) {
        let known = self.is_known();
        let here = self.is_here(id);
        let wanted = self.wanted.contains_key(id);
        let removable = self.is_removable(id);
        let stays = wanted || self.going.contains_key(id) || self.vanished.contains_key(id);
        // Declared by now, or back, or gone again: nothing differs any more.
        if known && wanted == here && !self.former.contains(id) {
            self.left.remove(id);
        }
        if here || !(wanted || self.former.contains(id)) {
            self.inactive.remove(id);
        }
        let left = self.left.contains(id) || self.inactive.contains(id);
        let belongs = wanted || self.thrown.contains(id);
        put(&mut self.missing, id, known && belongs && !here && !left);
        put(&mut self.extra, id, removable && !stays && !left);
    }

    fn sort_all(&mut self) {
        self.missing.clear();
        self.extra.clear();
        let known: HashSet<RemoteId> = self
            .wanted
            .keys()
            .chain(self.present.iter().flatten())
            .chain(&self.ours)
            .chain(&self.unsure)
            .chain(&self.unshown)
            .chain(&self.thrown)
            .cloned()
            .collect();
        for id in known {
            self.sort(&id);
        }
    }
}

/// The same in every run.
fn hash(id: &RemoteId) -> u64 {
    let digest: [u8; 32] = Sha256::digest(id.as_str()).into();
    u64::from_be_bytes(std::array::from_fn(|place| digest[place]))
}

fn put(set: &mut BTreeSet<RemoteId>, id: &RemoteId, belongs: bool) {
    if belongs {
        set.insert(id.clone());
    } else {
        set.remove(id);
    }
}
