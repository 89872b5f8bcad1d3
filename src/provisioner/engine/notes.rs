//! What a provisioner remembers of objects beside their status; lost at a restart, and that is harmless.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::api::ScimUserStatus;
use crate::plan::Path;

/// Repairs of one attribute within a day that show a second writer (promise I9).
const CONTESTED_AFTER: usize = 3;

/// So long an object under deletion waits for whoever is to take over its account (promise I8).
pub const HANDOVER: SignedDuration = SignedDuration::from_mins(10);

const HOUR: SignedDuration = SignedDuration::from_hours(1);

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Notes about objects, by uid.
#[derive(Debug, Default)]
pub struct ObjectNotes {
    /// Statuses that could not be written yet: the request behind them is not repeated.
    unsaved: HashMap<String, ScimUserStatus>,
    /// When an attribute was repaired.
    repairs: HashMap<String, HashMap<Path, Vec<Timestamp>>>,
    /// How often in a row an object's own error was met.
    rejections: HashMap<String, u32>,
    /// Since when an object under deletion waits for whoever is to take over its account.
    awaits: HashMap<String, Timestamp>,
    /// Creations that were sent for an object, and what those made that took effect.
    creations: HashMap<String, Vec<(Timestamp, String)>>,
    /// When people were told last that the server gave out new ids.
    renumbered: Option<Timestamp>,
    /// Whose creation was refused for want of a seat, in the order in which they came, by their turn.
    seatless: BTreeMap<u64, String>,
    /// The turn of each of them.
    turns: HashMap<String, u64>,
    /// Requests about an object that met the server's trouble in a row, and since when.
    troubles: HashMap<String, (u32, Timestamp)>,
    /// When what the server refuses of an object was sent last, part by part.
    tried: HashMap<String, BTreeMap<String, Timestamp>>,
    /// When a request about any object took effect last.
    took_effect: Option<Timestamp>,
}

impl ObjectNotes {
    /// Everything about an object that is gone.
    pub fn forget(&mut self, uid: &str) {
        self.unsaved.remove(uid);
        self.repairs.remove(uid);
        self.rejections.remove(uid);
        self.awaits.remove(uid);
        self.creations.remove(uid);
        self.troubles.remove(uid);
        self.tried.remove(uid);
        self.seated(uid);
    }

    /// A part of the object was refused, or not kept.
    pub fn part_refused(&mut self, uid: &str, part: &str, now: Timestamp) {
        self.tried.entry(uid.to_owned()).or_default().insert(part.to_owned(), now);
    }

    /// When its parts were refused last.
    pub fn tried(&self, uid: &str) -> BTreeMap<String, Timestamp> {
        self.tried.get(uid).cloned().unwrap_or_default()
    }

    /// A creation was refused for want of a seat; true for whoever waits first.
    pub fn wants_seat(&mut self, uid: &str) -> bool {
        if !self.turns.contains_key(uid) {
            let turn = self.seatless.last_key_value().map_or(0, |(last, _)| last + 1);
            self.seatless.insert(turn, uid.to_owned());
            self.turns.insert(uid.to_owned(), turn);
        }
        self.next_without_seat() == Some(uid)
    }

    /// It has a seat, or wants none any more.
    pub fn seated(&mut self, uid: &str) {
        if let Some(turn) = self.turns.remove(uid) {
            self.seatless.remove(&turn);
        }
    }

    /// Who is the next to have a seat.
    pub fn next_without_seat(&self) -> Option<&str> {
        self.seatless.first_key_value().map(|(_, first)| first.as_str())
    }

    /// A request about the object met the server's trouble: how often in a row, and whether the server served others since.
    pub fn troubled(&mut self, uid: &str, now: Timestamp) -> (u32, bool) {
        let (times, since) = self.troubles.entry(uid.to_owned()).or_insert((0, now));
        *times += 1;
        (*times, self.took_effect.is_some_and(|at| at > *since))
    }

    /// An object under deletion waits for whoever is to take over its account; true where it has for long.
    pub fn is_overdue(&mut self, uid: &str, now: Timestamp) -> bool {
        let since = *self.awaits.entry(uid.to_owned()).or_insert(now);
        now.duration_since(since) >= HANDOVER
    }

    /// A creation is sent for the object.
    pub fn creates(&mut self, uid: &str) {
        self.creations.entry(uid.to_owned()).or_default();
    }

    /// A creation took effect; `recorded` is an earlier one that only status knows of.
    pub fn created(&mut self, uid: &str, id: &str, recorded: Option<(Timestamp, String)>, now: Timestamp) {
        let made = self.creations.entry(uid.to_owned()).or_default();
        made.extend(recorded.filter(|_| made.is_empty()));
        made.push((now, id.to_owned()));
        made.retain(|(at, _)| now.duration_since(*at) < HOUR);
    }

    /// Whether a creation was sent, and what those of the last hour made.
    pub fn creations(&self, uid: &str, now: Timestamp) -> (bool, Vec<String>) {
        let Some(made) = self.creations.get(uid) else { return (false, Vec::new()) };
        let lately = made.iter().filter(|(at, _)| now.duration_since(*at) < HOUR);
        (true, lately.map(|(_, id)| id.clone()).collect())
    }

    /// An object was bound anew because the server gave out new ids; true where people haven't been told within the hour.
    pub fn renumbered(&mut self, now: Timestamp) -> bool {
        let told = self.renumbered.is_some_and(|at| now.duration_since(at) < HOUR);
        if !told {
            self.renumbered = Some(now);
        }
        !told
    }

    /// A status that the API server didn't take.
    pub fn keep_unsaved(&mut self, uid: &str, status: ScimUserStatus) {
        self.unsaved.insert(uid.to_owned(), status);
    }

    /// The status that was not written yet.
    pub fn unsaved(&self, uid: &str) -> Option<&ScimUserStatus> {
        self.unsaved.get(uid)
    }

    /// The status was written.
    pub fn saved(&mut self, uid: &str) {
        self.unsaved.remove(uid);
    }

    /// Attributes were repaired.
    pub fn repaired(&mut self, uid: &str, paths: &[Path], now: Timestamp) {
        let attributes = self.repairs.entry(uid.to_owned()).or_default();
        for path in paths {
            let times = attributes.entry(path.clone()).or_default();
            times.retain(|time| now.duration_since(*time) < DAY);
            times.push(now);
        }
    }

    /// A new spec: what was contested is tried again.
    pub fn new_generation(&mut self, uid: &str) {
        self.repairs.remove(uid);
        self.rejections.remove(uid);
        self.troubles.remove(uid);
    }

    /// Attributes that a second writer keeps changing back.
    pub fn contested(&self, uid: &str, now: Timestamp) -> BTreeSet<Path> {
        let attributes = self.repairs.get(uid).into_iter().flatten();
        attributes
            .filter(|(_, times)| {
                times.iter().filter(|time| now.duration_since(**time) < DAY).count() >= CONTESTED_AFTER
            })
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// The object's own error was met; returns how often before, in a row.
    pub fn rejected(&mut self, uid: &str) -> u32 {
        let times = self.rejections.entry(uid.to_owned()).or_default();
        *times += 1;
        *times - 1
    }

    /// The object's request went through.
    pub fn accepted(&mut self, uid: &str) {
        self.rejections.remove(uid);
    }

    /// A request about the object took effect.
    pub fn took_effect(&mut self, uid: &str, now: Timestamp) {
        self.troubles.remove(uid);
        self.took_effect = Some(now);
        self.accepted(uid);
    }
}
