//! Whom we brought into a group, and how far its record is believed (promise I32).

use std::collections::HashSet;

use super::{Membership, Source};
use crate::api::RemoteId;

impl Membership {
    /// The ledger says that we brought this one in.
    pub fn own(&mut self, id: &RemoteId) {
        if self.ours.insert(id.clone()) {
            self.recorded.insert(id.clone());
        }
        self.sort(id);
    }

    /// Whom nothing but the record in a status says that we brought them in.
    pub fn recorded(&self) -> impl Iterator<Item = &RemoteId> {
        self.recorded.iter()
    }

    /// For all others of those recorded, somebody speaks who may have whomever they like.
    pub fn believe_all_but(&mut self, suspects: &HashSet<RemoteId>) {
        self.recorded.retain(|id| suspects.contains(id));
    }

    /// Of those recorded, these are none that we brought in, and only these (promise I32).
    pub fn distrust_records(&mut self, mut distrusted: HashSet<RemoteId>) {
        distrusted.retain(|id| self.recorded.contains(id));
        if self.distrusted == distrusted {
            return;
        }
        let before = std::mem::replace(&mut self.distrusted, distrusted);
        let changed: Vec<RemoteId> = before.symmetric_difference(&self.distrusted).cloned().collect();
        for id in &changed {
            self.sort(id);
        }
    }

    /// Whom others took out, and nobody declares any more, is ours no longer: should others bring them back, they stay. One
    /// reading may be older than our own last write.
    pub(super) fn lapse(&mut self, now: &HashSet<RemoteId>) {
        if self.source == Source::Ledger {
            return;
        }
        let declared = |id: &RemoteId| self.wanted.contains_key(id) || self.going.contains_key(id);
        // Nobody took out whom no reading ever showed.
        let stays = |id: &RemoteId| now.contains(id) || declared(id) || self.unshown.contains(id);
        let absent = self.ours.iter().filter(|id| !stays(id)).cloned();
        let (lapsed, absent): (Vec<RemoteId>, Vec<RemoteId>) = absent.partition(|id| self.absent.contains(id));
        self.absent = absent.into_iter().collect();
        for id in &lapsed {
            self.disown(id);
        }
        self.lapsed.extend(lapsed);
    }

    /// Whose record is to be forgotten; asked for once.
    pub fn take_lapsed(&mut self) -> Vec<RemoteId> {
        std::mem::take(&mut self.lapsed)
    }

    pub(super) fn disown(&mut self, id: &RemoteId) {
        self.ours.remove(id);
        self.unsure.remove(id);
        self.unshown.remove(id);
        self.recorded.remove(id);
        self.distrusted.remove(id);
    }

    /// Whoever we brought in has another id by now: this one is somebody else's.
    pub fn forget_id(&mut self, id: &RemoteId) {
        self.disown(id);
        self.vanished.remove(id);
        self.sort(id);
    }

    /// Whom we brought in.
    pub fn is_ours(&self, id: &RemoteId) -> bool {
        self.ours.contains(id) && !self.distrusted.contains(id)
    }

    /// Our own record alone tells who is in.
    pub fn is_by_record(&self) -> bool {
        self.source == Source::Ledger
    }

    /// Whether our record must say whom we brought in.
    pub fn is_recorded(&self) -> bool {
        self.source != Source::Exact
    }

    pub(super) fn disown_all(&mut self) {
        self.ours.clear();
        self.unsure.clear();
        self.unshown.clear();
        self.recorded.clear();
        self.distrusted.clear();
    }
}
