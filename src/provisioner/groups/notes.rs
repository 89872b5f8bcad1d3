//! What is remembered of ScimGroups beside their status; lost at a restart, and that is harmless.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::member_rate::MemberRate;
use crate::api::{GroupDrift, RemoteId, ScimGroupStatus, Uid};
use crate::plan::groups::{Change, NameSent};
use crate::provisioner::engine::Unsaved;
use crate::provisioner::lock;

/// Notes about groups, by the object's uid.
#[derive(Debug, Default)]
pub struct GroupNotes {
    /// Statuses that could not be written yet.
    pub unsaved: Unsaved<ScimGroupStatus>,
    notes: Mutex<Notes>,
}

/// What they are.
#[derive(Debug, Default)]
pub struct Notes {
    /// Who was put in within the last hour, counted.
    member_rate: MemberRate,
    /// What a reading found changed, until it is repaired.
    drift: HashMap<Uid, GroupDrift>,
    /// The names that were sent last.
    names: HashMap<Uid, NameSent>,
    /// When it was bound under another id, until the server has listed its users since: they may have others, too.
    bound_anew: HashMap<Uid, Timestamp>,
    /// What was written at the server and is not on record yet.
    unrecorded: HashMap<Uid, Change>,
}

impl GroupNotes {
    /// Everything about an object that is gone.
    pub fn forget(&self, uid: &Uid) {
        self.unsaved.forget(uid);
        let notes = &mut *self.lock();
        notes.drift.remove(uid);
        notes.names.remove(uid);
        notes.bound_anew.remove(uid);
        notes.unrecorded.remove(uid);
        notes.member_rate.forget(uid);
    }

    /// The connection leads to another server: what was found changed at the former says nothing.
    pub fn forget_drift(&self) {
        self.lock().drift.clear();
    }

    /// What was found changed.
    pub fn drift(&self, uid: &Uid) -> Option<GroupDrift> {
        self.lock().drift.get(uid).cloned()
    }

    /// A reading found this changed.
    pub fn drifted(&self, uid: &Uid, drift: GroupDrift) {
        self.lock().drift.insert(uid.clone(), drift);
    }

    /// This was found changed by an earlier process.
    pub fn had_drifted(&self, uid: &Uid, drift: GroupDrift) {
        self.lock().drift.entry(uid.clone()).or_insert(drift);
    }

    /// Another member was taken out by others: one more that is put back, or, where they are `left` so, of so many.
    pub fn member_lost(&self, uid: &Uid, left: Option<i64>) {
        let notes = &mut *self.lock();
        let drift = notes.drift.entry(uid.clone()).or_default();
        drift.lost = left.map_or(drift.lost + 1, |left| drift.lost.max(left));
    }

    /// Nothing is found changed any more; true where something was.
    pub fn mended(&self, uid: &Uid) -> bool {
        self.lock().drift.remove(uid).is_some()
    }

    /// This name was sent, and was taken where the time says so; in another form than before the same one counts on.
    pub fn name_sent(&self, uid: &Uid, name: NameSent) {
        let notes = &mut *self.lock();
        let before = notes.names.get(uid).filter(|known| known.sent == name.sent);
        let in_vain = before.map_or(0, |known| known.in_vain);
        notes.names.insert(uid.clone(), NameSent { in_vain, ..name });
    }

    /// A reading has news of the name that was sent last.
    pub fn of_name(&self, uid: &Uid, news: impl FnOnce(&mut NameSent)) {
        if let Some(name) = self.lock().names.get_mut(uid) {
            news(name);
        }
    }

    /// The name that was sent last.
    pub fn name(&self, uid: &Uid) -> Option<NameSent> {
        self.lock().names.get(uid).cloned()
    }

    /// Nothing came of it; returns in how many forms by now.
    pub fn name_in_vain(&self, uid: &Uid) -> u8 {
        self.lock().names.get_mut(uid).map_or(0, |known| {
            known.in_vain = known.in_vain.saturating_add(1);
            known.in_vain
        })
    }

    /// It is bound under another id now.
    pub fn bound_anew(&self, uid: &Uid, now: Timestamp) {
        self.lock().bound_anew.insert(uid.clone(), now);
    }

    /// When it was, if its members' ids are still to be shown since.
    pub fn bound_anew_at(&self, uid: &Uid) -> Option<Timestamp> {
        self.lock().bound_anew.get(uid).copied()
    }

    /// The ids are as they were shown since.
    pub fn ids_were_shown(&self, uid: &Uid) {
        self.lock().bound_anew.remove(uid);
    }

    /// What was written and is not on record yet grows.
    pub fn owe_record(&self, uid: &Uid, change: Change) {
        let notes = &mut *self.lock();
        let owed = notes.unrecorded.entry(uid.clone()).or_default();
        let again = |id: &RemoteId| change.added.contains(id) || change.removed.contains(id);
        owed.added.retain(|id| !again(id));
        owed.removed.retain(|id| !again(id));
        owed.added.extend(change.added);
        owed.removed.extend(change.removed);
    }

    /// Of these who were not put in it is owed no longer that they come; returns them.
    pub fn take_unsent(&self, uid: &Uid, coming: &[RemoteId]) -> Vec<RemoteId> {
        let notes = &mut *self.lock();
        let Some(owed) = notes.unrecorded.get_mut(uid) else { return Vec::new() };
        let unsent = owed.added.extract_if(.., |id| coming.contains(id)).collect();
        if *owed == Change::default() {
            notes.unrecorded.remove(uid);
        }
        unsent
    }

    /// Something is to be recorded.
    pub fn owes_record(&self, uid: &Uid) -> bool {
        self.lock().unrecorded.contains_key(uid)
    }

    /// Takes what is to be recorded.
    pub fn take_unrecorded(&self, uid: &Uid) -> Option<Change> {
        self.lock().unrecorded.remove(uid)
    }

    /// So many members are put in now.
    pub fn put_in(&self, uid: &Uid, count: usize, now: Instant) {
        self.lock().member_rate.put_in(uid, count, now);
    }

    /// How many more may be put in now where `most` may within an hour.
    pub fn room(&self, uid: &Uid, most: usize, now: Instant) -> usize {
        self.lock().member_rate.room(uid, most, now)
    }

    /// How long it takes until there is more room.
    pub fn wait(&self, uid: &Uid, now: Instant) -> Duration {
        self.lock().member_rate.wait(uid, now)
    }

    /// Shows all of them.
    #[cfg(test)]
    pub fn inspect<T>(&self, look: impl FnOnce(&Notes) -> T) -> T {
        look(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        lock(&self.notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i06_what_is_remembered_of_groups_survives_a_change_of_server_and_what_was_found_there_does_not() {
        let (notes, now) = (GroupNotes::default(), Instant::now());
        notes.unsaved.keep(&"uid".into(), ScimGroupStatus::default());
        notes.put_in(&"uid".into(), 3, now);
        notes.member_lost(&"uid".into(), None);
        notes.forget_drift();
        assert!(
            notes.unsaved.get(&"uid".into()).is_some()
                && notes.room(&"uid".into(), 3, now) == 0
                && !notes.mended(&"uid".into())
        );
        notes.forget(&"uid".into());
        assert!(notes.unsaved.get(&"uid".into()).is_none() && notes.room(&"uid".into(), 3, now) == 3);
    }
}
