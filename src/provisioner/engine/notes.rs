//! What a provisioner remembers of objects beside their status; lost at a restart, and that is harmless.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};

use super::handover::{HANDOVER, Handover, Wait};
use crate::api::Uid;
use crate::plan::{Path, Tried};
use crate::provisioner::lock;

/// Repairs of one attribute within a day that show a second writer (promise I9).
const CONTESTED_AFTER: usize = 3;

/// A moment, for as long as limits of a rate are counted.
const LATELY: SignedDuration = SignedDuration::from_mins(1);

const HOUR: SignedDuration = SignedDuration::from_hours(1);

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Notes about objects, by uid, for all who work on them.
#[derive(Debug, Default)]
pub struct ObjectNotes(Mutex<Notes>);

/// What they are.
#[derive(Debug, Default)]
pub struct Notes {
    /// When an attribute was repaired.
    repairs: HashMap<Uid, HashMap<Path, Vec<Timestamp>>>,
    /// How often in a row an object's own error was met.
    rejections: HashMap<Uid, u32>,
    /// For whom an object under deletion waits.
    awaits: HashMap<Uid, Awaited>,
    /// Since when an object under deletion waits for the groups that its account leaves.
    leaves: HashMap<Uid, Timestamp>,
    /// Since when everybody is served: before, the server was away, or wasn't listed yet. While it asks for patience whoever
    /// has yet to be served is due.
    served_from: Option<Timestamp>,
    /// Creations that were sent for an object, and what those made that took effect.
    creations: HashMap<Uid, Vec<(Timestamp, String)>>,
    /// What a creation was answered with that isn't certain to be the object's, until its spec changes.
    strange: HashMap<Uid, String>,
    /// When people were told last that the server gave out new ids.
    renumbered: Option<Timestamp>,
    /// Whose creation was refused for want of a seat, in the order in which they came, by their turn.
    seatless: BTreeMap<u64, Uid>,
    /// The turn of each of them.
    turns: HashMap<Uid, u64>,
    /// Requests about an object that met the server's trouble in a row, and since when.
    troubles: HashMap<Uid, (u32, Timestamp)>,
    /// When what the server refuses of an object was sent last, part by part.
    tried: HashMap<Uid, BTreeMap<String, Timestamp>>,
    /// When a request about any object took effect last.
    took_effect: Option<Timestamp>,
    /// When the connection changed last.
    anew: Option<Timestamp>,
    /// Whose creation met trouble that names `active`: the next one is sent without.
    unsure_of_active: BTreeSet<Uid>,
}

/// Who is to take over the account or group of an object under deletion.
#[derive(Debug)]
struct Awaited {
    successor: Uid,
    /// Since when it is waited for.
    since: Timestamp,
    /// When it had its turn first since.
    turn: Option<Timestamp>,
}

impl ObjectNotes {
    /// Everything about an object that is gone.
    pub fn forget(&self, uid: &Uid) {
        let notes = &mut *self.lock();
        notes.repairs.remove(uid);
        notes.rejections.remove(uid);
        notes.awaits.remove(uid);
        notes.leaves.remove(uid);
        notes.creations.remove(uid);
        notes.strange.remove(uid);
        notes.troubles.remove(uid);
        notes.tried.remove(uid);
        notes.unsure_of_active.remove(uid);
        notes.seated(uid);
    }

    /// A part of the object was refused, or not kept.
    pub fn part_refused(&self, uid: &Uid, part: &str, now: Timestamp) {
        let notes = &mut *self.lock();
        notes.tried.entry(uid.clone()).or_default().insert(part.to_owned(), now);
    }

    /// When its parts were refused last.
    pub fn tried(&self, uid: &Uid) -> Tried {
        let notes = self.lock();
        Tried { parts: notes.tried.get(uid).cloned().unwrap_or_default(), anew: notes.anew }
    }

    /// A creation met the server's trouble: whether it `names` what says that the account is active.
    pub fn doubt_active(&self, uid: &Uid, names: bool) {
        let notes = &mut *self.lock();
        if names {
            notes.unsure_of_active.insert(uid.clone());
        } else {
            notes.unsure_of_active.remove(uid);
        }
    }

    /// It did, the last time.
    pub fn doubts_active(&self, uid: &Uid) -> bool {
        self.lock().unsure_of_active.contains(uid)
    }

    /// The connection has changed: whatever was refused before is tried again, and none of it counts any more.
    pub fn begin_anew(&self, now: Timestamp) {
        let notes = &mut *self.lock();
        notes.anew = Some(now);
        notes.rejections.clear();
        notes.troubles.clear();
    }

    /// A creation was refused for want of a seat; true for whoever waits first.
    pub fn wants_seat(&self, uid: &Uid) -> bool {
        let notes = &mut *self.lock();
        if !notes.turns.contains_key(uid) {
            let turn = notes.seatless.last_key_value().map_or(0, |(last, _)| last + 1);
            notes.seatless.insert(turn, uid.clone());
            notes.turns.insert(uid.clone(), turn);
        }
        notes.next_without_seat() == Some(uid)
    }

    /// It has a seat, or wants none any more: who is the next to have one.
    pub fn seated(&self, uid: &Uid) -> Option<Uid> {
        let notes = &mut *self.lock();
        notes.seated(uid);
        notes.next_without_seat().cloned()
    }

    /// It waited for a seat, and wants none any more: who is the next to have one.
    pub fn gave_up_seat(&self, uid: &Uid) -> Option<Uid> {
        let waited = self.lock().turns.contains_key(uid);
        if waited { self.seated(uid) } else { None }
    }

    /// A request about the object met the server's trouble: how often in a row, and whether the server served others since.
    pub fn troubled(&self, uid: &Uid, now: Timestamp) -> (u32, bool) {
        let notes = &mut *self.lock();
        let (times, since) = notes.troubles.entry(uid.clone()).or_insert((0, now));
        *times += 1;
        (*times, notes.took_effect.is_some_and(|at| at > *since))
    }

    /// It gave them out anew not long ago, as far as this process knows.
    pub fn were_renumbered(&self, now: Timestamp) -> bool {
        self.lock().renumbered.is_some_and(|told| now.duration_since(told) < DAY)
    }

    /// A request about whatever object took effect a moment ago.
    pub fn wrote_lately(&self, now: Timestamp) -> bool {
        self.lock().took_effect.is_some_and(|at| now.duration_since(at) < LATELY)
    }

    /// How often in a row a request about the object met it.
    pub fn troubles(&self, uid: &Uid) -> u32 {
        self.lock().troubles.get(uid).map_or(0, |(times, _)| *times)
    }

    /// An object under deletion waits for this one to take over its account.
    pub fn waits_for_successor(&self, uid: &Uid, successor: &Uid, wait: Wait, now: Timestamp) -> Handover {
        let notes = &mut *self.lock();
        let begun = || Awaited { successor: successor.clone(), since: now, turn: None };
        let awaited = notes.awaits.entry(uid.clone()).or_insert_with(begun);
        if awaited.successor != *successor {
            *awaited = begun();
        }
        let since = awaited.since;
        awaited.turn = awaited.turn.or(wait.turn.filter(|turn| *turn >= since));
        wait.judge(since.max(notes.served_from.unwrap_or(since)), awaited.turn, now)
    }

    /// An object under deletion waits for the groups that its account leaves; true where it has for long, and they could have
    /// been served.
    pub fn leaves_for_long(&self, uid: &Uid, now: Timestamp) -> bool {
        let notes = &mut *self.lock();
        let since = *notes.leaves.entry(uid.clone()).or_insert(now);
        now.duration_since(notes.served_from.map_or(since, |from| from.max(since))) >= HANDOVER
    }

    /// From then on everybody is served who wasn't.
    pub fn serves_from(&self, at: Timestamp) {
        let notes = &mut *self.lock();
        notes.served_from = notes.served_from.max(Some(at));
    }

    /// A creation is sent for the object.
    pub fn creates(&self, uid: &Uid) {
        let notes = &mut *self.lock();
        notes.creations.entry(uid.clone()).or_default();
    }

    /// A creation took effect; `recorded` is an earlier one that only status knows of.
    pub fn created(&self, uid: &Uid, id: &str, recorded: Option<(Timestamp, String)>, now: Timestamp) {
        let notes = &mut *self.lock();
        let made = notes.creations.entry(uid.clone()).or_default();
        made.extend(recorded.filter(|_| made.is_empty()));
        made.push((now, id.to_owned()));
        made.retain(|(at, _)| now.duration_since(*at) < HOUR);
    }

    /// A creation made something, or so it was answered, that may be another's: no other is sent before the spec changes.
    pub fn made_strange(&self, uid: &Uid, id: &str) {
        self.lock().strange.insert(uid.clone(), id.to_owned());
    }

    /// What that is.
    pub fn strange(&self, uid: &Uid) -> Option<String> {
        self.lock().strange.get(uid).cloned()
    }

    /// Whether a creation was sent, and what those of the last hour made.
    pub fn creations(&self, uid: &Uid, now: Timestamp) -> (bool, Vec<String>) {
        let notes = self.lock();
        let Some(made) = notes.creations.get(uid) else { return (false, Vec::new()) };
        let lately = made.iter().filter(|(at, _)| now.duration_since(*at) < HOUR);
        (true, lately.map(|(_, id)| id.clone()).collect())
    }

    /// An object was bound anew because the server gave out new ids; true where people haven't been told within the hour.
    pub fn renumbered(&self, now: Timestamp) -> bool {
        let notes = &mut *self.lock();
        let told = notes.renumbered.is_some_and(|at| now.duration_since(at) < HOUR);
        if !told {
            notes.renumbered = Some(now);
        }
        !told
    }

    /// Attributes were repaired.
    pub fn repaired(&self, uid: &Uid, paths: &[Path], now: Timestamp) {
        let notes = &mut *self.lock();
        let attributes = notes.repairs.entry(uid.clone()).or_default();
        for path in paths {
            let times = attributes.entry(path.clone()).or_default();
            times.retain(|time| now.duration_since(*time) < DAY);
            times.push(now);
        }
    }

    /// A new spec: what was contested is tried again.
    pub fn new_generation(&self, uid: &Uid) {
        let notes = &mut *self.lock();
        notes.repairs.remove(uid);
        notes.rejections.remove(uid);
        notes.troubles.remove(uid);
        notes.strange.remove(uid);
    }

    /// Attributes that a second writer keeps changing back.
    pub fn contested(&self, uid: &Uid, now: Timestamp) -> BTreeSet<Path> {
        let notes = self.lock();
        let attributes = notes.repairs.get(uid).into_iter().flatten();
        attributes
            .filter(|(_, times)| {
                times.iter().filter(|time| now.duration_since(**time) < DAY).count() >= CONTESTED_AFTER
            })
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// The object's own error was met; returns how often before, in a row.
    pub fn rejected(&self, uid: &Uid) -> u32 {
        let notes = &mut *self.lock();
        let times = notes.rejections.entry(uid.clone()).or_default();
        *times += 1;
        *times - 1
    }

    /// How often in a row the object's own error was met.
    pub fn rejections(&self, uid: &Uid) -> u32 {
        self.lock().rejections.get(uid).copied().unwrap_or_default()
    }

    /// The object's request went through.
    pub fn accepted(&self, uid: &Uid) {
        let notes = &mut *self.lock();
        notes.rejections.remove(uid);
    }

    /// A request about the object took effect.
    pub fn took_effect(&self, uid: &Uid, now: Timestamp) {
        let notes = &mut *self.lock();
        notes.troubles.remove(uid);
        notes.took_effect = Some(now);
        notes.rejections.remove(uid);
    }

    /// Shows all of them.
    #[cfg(test)]
    pub fn inspect<T>(&self, look: impl FnOnce(&Notes) -> T) -> T {
        look(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        lock(&self.0)
    }
}

impl Notes {
    fn seated(&mut self, uid: &Uid) {
        if let Some(turn) = self.turns.remove(uid) {
            self.seatless.remove(&turn);
        }
    }

    fn next_without_seat(&self) -> Option<&Uid> {
        self.seatless.first_key_value().map(|(_, first)| first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i21_own_errors_in_a_row_are_counted_and_a_success_ends_the_row() {
        let (notes, now) = (ObjectNotes::default(), Timestamp::UNIX_EPOCH);
        let later = |seconds| now + SignedDuration::from_secs(seconds);
        assert_eq!(
            [notes.rejected(&"ada".into()), notes.rejected(&"ada".into()), notes.rejected(&"bob".into())],
            [0, 1, 0]
        );
        assert_eq!(
            (notes.troubled(&"ada".into(), now), notes.troubled(&"ada".into(), later(1))),
            ((1, false), (2, false))
        );
        notes.took_effect(&"bob".into(), later(2));
        assert_eq!(notes.troubled(&"ada".into(), later(3)), (3, true), "others are served");
        notes.took_effect(&"ada".into(), later(4));
        assert_eq!((notes.rejected(&"ada".into()), notes.troubled(&"ada".into(), later(5)).0), (0, 1));
    }

    #[test]
    fn i08_whoever_is_to_take_over_is_waited_for_until_they_were_served_for_long_enough() {
        let (notes, start) = (ObjectNotes::default(), Timestamp::UNIX_EPOCH);
        let at = |minutes| start + SignedDuration::from_mins(minutes);
        let ask = |turn: Option<i64>, serving: Option<i64>, now| {
            let wait = Wait { deleted: start, turn: turn.map(at), serving: serving.map(at), near: true };
            notes.waits_for_successor(&"a".into(), &"b".into(), wait, at(now))
        };
        assert_eq!(ask(None, None, 0), Handover::Awaited);
        assert_eq!(ask(None, None, 100), Handover::Awaited, "its connection serves nobody");
        assert_eq!(ask(None, Some(95), 100), Handover::Awaited);
        assert_eq!(ask(None, Some(90), 100), Handover::Forgotten);
        assert_eq!(ask(Some(101), Some(90), 102), Handover::Awaited, "it had its turn a moment ago");
        assert_eq!(ask(Some(110), Some(90), 111), Handover::Overdue, "its first turn counts");
        assert_eq!(ask(Some(110), Some(105), 111), Handover::Awaited, "its connection was away meanwhile");
    }

    #[test]
    fn i06_that_the_server_gave_out_new_ids_is_told_once_an_hour() {
        let (notes, now) = (ObjectNotes::default(), Timestamp::UNIX_EPOCH);
        assert!(notes.renumbered(now) && !notes.renumbered(now + SignedDuration::from_mins(59)));
        assert!(notes.renumbered(now + HOUR));
    }
}
