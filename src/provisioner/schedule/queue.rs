//! What waits for a connection, and whose turn it is.
//!
//! A ticket a uid. Pure: time and chance come in as arguments, so a test can run a day in a
//! millisecond. Each operation is O(log n); only [`Queue::release_all`] looks at every delayed ticket.
//!
//! A ticket is *due* (it waits for its turn), *delayed* (it waits for an instant) or *in flight*.

mod lanes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Duration;

use tokio::time::Instant;

use super::ticket::LANES;
pub use super::ticket::{Lane, Outcome, Ticket};
use crate::api::Uid;

/// How long a due ticket waits before its status says so.
pub const STATUS_AFTER: Duration = Duration::from_secs(60);
/// How long after one status of a waiting ticket the next may come.
pub const STATUS_EVERY: Duration = Duration::from_secs(300);
const BACK_OFF_MAX_SECS: u32 = 300;
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 24 * 3600);

#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Place {
    /// Waits for its turn, since then.
    Due(Instant),
    /// Waits for an instant; `own` where [`Queue::release_all`] ends the wait, `rests` where nothing else is owed.
    Delayed { until: Instant, own: bool, rests: bool },
    /// A pass has it; it was due since then.
    InFlight { for_status: bool, since: Instant },
}

/// What a submission does to a ticket that waits already.
#[derive(Copy, Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
enum Urgency {
    /// It keeps its delay.
    Waits,
    /// Its delay ends; what it met so far still counts.
    Resumes,
    /// Its delay ends, and the attempts start anew.
    Fresh,
}

#[derive(Debug)]
struct Entry {
    uid: Uid,
    lane: Lane,
    seq: u64,
    attempt: u32,
    place: Place,
    /// When a due ticket's status is to be written.
    status_at: Instant,
    /// No status before this, since one was just written.
    status_floor: Option<Instant>,
    /// Since when a removal is owed, through failures and further attempts; none while it waits for something of its own.
    owed: Option<Instant>,
    /// Submitted while in flight: lane, how, when.
    again: Option<(Lane, Urgency, Instant)>,
    /// Forgotten while in flight.
    gone: bool,
    /// The connection changed while in flight: the object's own error may be an old one's.
    released: bool,
}

impl Entry {
    fn class(&self) -> usize {
        usize::from(self.lane != Lane::Removal)
    }
}

/// The tickets of one connection.
#[derive(Debug, Default)]
pub struct Queue {
    entries: HashMap<Uid, Entry>,
    due: BTreeMap<(Lane, u64), Uid>,
    /// Of removals, and of all others.
    status: [BTreeMap<(Instant, u64), Uid>; 2],
    since: BTreeSet<(Instant, u64)>,
    delayed: BTreeMap<(Instant, u64), Uid>,
    owed: BTreeSet<(Instant, u64)>,
    count: [usize; LANES.len()],
    seq: u64,
    looked: Option<Instant>,
    status_last: bool,
}

impl Queue {
    /// Asks for an object to be looked at. Asking twice is asking once: the ticket keeps its place
    /// and takes the higher lane. A delay ends if `fresh` (the generation rose, or someone asked,
    /// which also starts the attempts anew) or if the lane rose. What is asked for while the
    /// ticket is in flight counts from the moment it is finished.
    pub fn submit(&mut self, uid: &Uid, lane: Lane, fresh: bool, now: Instant) {
        self.ask(uid, lane, if fresh { Urgency::Fresh } else { Urgency::Waits }, now);
    }

    /// What an object waited for has come: its delay ends. Its attempts go on being counted, so that whatever fails each time
    /// after such a wait is tried less and less often (promise I4).
    pub fn resume(&mut self, uid: &Uid, lane: Lane, now: Instant) {
        self.ask(uid, lane, Urgency::Resumes, now);
    }

    fn ask(&mut self, uid: &Uid, lane: Lane, urgency: Urgency, now: Instant) {
        if let Some(e) = self.entries.get_mut(uid)
            && let Place::InFlight { .. } = e.place
        {
            e.again = Some(match e.again {
                Some((l, u, at)) => (l.min(lane), u.max(urgency), at),
                None => (lane, urgency, now),
            });
            return;
        }
        let Some(mut e) = self.take_out(uid) else {
            let e = self.fresh_entry(uid, lane, now);
            self.put_in(e);
            return;
        };
        let rose = lane < e.lane;
        e.lane = e.lane.min(lane);
        if urgency == Urgency::Fresh {
            e.attempt = 0;
        }
        if (urgency > Urgency::Waits || rose)
            && let Place::Delayed { until, .. } = e.place
        {
            due_from(&mut e, now.min(until));
        }
        self.put_in(e);
    }

    /// Takes the next ticket. `only_removals` is for the slot kept for them; with `ready` false
    /// (the connection isn't) only tickets due for their status are yielded.
    ///
    /// Due removals come first. Statuses take turns with requests, so neither starves the other,
    /// and a ticket whose turn has come is yielded for its request rather than for its status.
    pub fn next(&mut self, now: Instant, only_removals: bool, ready: bool) -> Option<Ticket> {
        self.promote(now);
        self.looked = self.looked.max(Some(now));
        let work = self.due.first_key_value().map(|(k, uid)| (*k, uid));
        let work = work.filter(|((lane, _), _)| ready && (!only_removals || *lane == Lane::Removal));
        let removals = only_removals || work.is_some_and(|((lane, _), _)| lane == Lane::Removal);
        let status = self.status_due(now, removals);
        let (uid, for_status) = match (work, status) {
            (Some(((_, head), _)), Some((seq, uid))) if seq != head && !only_removals && !self.status_last => {
                (uid.clone(), true)
            }
            (Some((_, uid)), _) => (uid.clone(), false),
            (None, Some((_, uid))) => (uid.clone(), true),
            (None, None) => return None,
        };
        self.status_last = for_status;
        let mut e = self.take_out(&uid)?;
        let (Place::Due(since) | Place::InFlight { since, .. } | Place::Delayed { until: since, .. }) = e.place;
        e.place = Place::InFlight { for_status, since };
        if for_status {
            e.status_floor = Some(now + STATUS_EVERY);
            e.status_at = now + STATUS_EVERY;
        }
        let (lane, attempt) = (e.lane, e.attempt);
        self.put_in(e);
        Some(Ticket { uid, lane, attempt, for_status })
    }

    /// Gives a ticket back. `jitter` is a number from 0 to 1. A uid not in flight is ignored.
    pub fn finish(&mut self, uid: &Uid, outcome: Outcome, jitter: f64, now: Instant) {
        let Some(Place::InFlight { for_status, since }) = self.entries.get(uid).map(|e| e.place) else {
            return;
        };
        let Some(mut e) = self.take_out(uid) else {
            return;
        };
        let again = e.again.take();
        let released = std::mem::take(&mut e.released);
        let uid = e.uid.clone();
        let delay = |e: &mut Entry, by: Duration, own, rests| {
            let until = now + by.min(LONGEST_WAIT);
            e.place = Place::Delayed { until, own, rests };
        };
        let stays = match outcome {
            _ if e.gone => false,
            _ if for_status => {
                e.place = Place::Due(since);
                true
            }
            Outcome::Done => false,
            Outcome::Again => {
                e.seq = self.take_seq();
                due_from(&mut e, now);
                true
            }
            Outcome::Retry => {
                e.attempt = e.attempt.saturating_add(1);
                let by = back_off(e.attempt, jitter);
                delay(&mut e, by, false, false);
                true
            }
            Outcome::After(_) | Outcome::Rests(_) if released => {
                due_from(&mut e, now);
                true
            }
            Outcome::After(by) | Outcome::Rests(by) => {
                delay(&mut e, by, true, matches!(outcome, Outcome::Rests(_)));
                true
            }
            Outcome::Paused => {
                e.place = Place::Due(since);
                true
            }
        };
        if stays {
            self.put_in(e);
        }
        if let Some((lane, urgency, at)) = again {
            self.ask(&uid, lane, urgency, if stays { now } else { at });
        }
    }

    /// The object is gone; a ticket in flight is forgotten when it is finished.
    pub fn forget(&mut self, uid: &Uid) {
        match self.entries.get_mut(uid) {
            Some(e) if matches!(e.place, Place::InFlight { .. }) => {
                e.gone = true;
                e.again = None;
            }
            Some(_) => {
                self.take_out(uid);
            }
            None => {}
        }
    }

    /// When to look again if nothing else happens: the first instant since the last
    /// [`Queue::next`] at which a delay ends or a status falls due. Ask under the same lock.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        let looked = self.looked.unwrap_or(now);
        let after = (Excluded((looked, u64::MAX)), Unbounded);
        let status = self.status.iter().filter_map(|class| class.range(after).next());
        let status = status.map(|((at, _), _)| *at);
        let delayed = self.delayed.first_key_value().map(|((at, _), _)| *at);
        status.chain(delayed).min().map(|at| at.max(now))
    }

    /// All tickets, delayed and in flight included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no ticket at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How long the ticket that waits longest for its turn has waited.
    pub fn oldest(&self, now: Instant) -> Option<Duration> {
        let due = self.since.first().map(|(at, _)| *at);
        let delayed = self.delayed.first_key_value().map(|((at, _), _)| *at);
        let first = due.into_iter().chain(delayed.filter(|at| *at <= now)).min()?;
        Some(now.saturating_duration_since(first))
    }

    /// Whether the object has a ticket, in flight or not, for anything but what the server refuses.
    pub fn contains(&self, uid: &Uid) -> bool {
        let rests = |e: &Entry| matches!(e.place, Place::Delayed { rests: true, .. });
        self.entries.get(uid).is_some_and(|e| (!e.gone || e.again.is_some()) && !rests(e))
    }

    /// Whether its turn is to come, or has come: it waits for no instant.
    pub fn is_due(&self, uid: &Uid) -> bool {
        self.entries.get(uid).is_some_and(|e| !matches!(e.place, Place::Delayed { .. }))
    }

    /// The connection came back or changed: every wait of [`Outcome::After`] and [`Outcome::Rests`] ends.
    pub fn release_all(&mut self, now: Instant) {
        let mut waiting = Vec::new();
        for e in self.entries.values_mut() {
            match e.place {
                Place::Delayed { own: true, until, .. } => {
                    waiting.push((now.min(until), e.uid.clone()));
                }
                Place::InFlight { for_status: false, .. } => e.released = true,
                _ => {}
            }
        }
        for (at, uid) in waiting {
            if let Some(mut e) = self.take_out(&uid) {
                due_from(&mut e, at);
                self.put_in(e);
            }
        }
    }

    fn take_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    fn fresh_entry(&mut self, uid: &Uid, lane: Lane, now: Instant) -> Entry {
        Entry {
            uid: uid.clone(),
            lane,
            seq: self.take_seq(),
            attempt: 0,
            place: Place::Due(now),
            status_at: now + STATUS_AFTER,
            status_floor: None,
            owed: None,
            again: None,
            gone: false,
            released: false,
        }
    }

    /// The first ticket due for its status: its place in line and its uid.
    fn status_due(&self, now: Instant, only_removals: bool) -> Option<(u64, &Uid)> {
        let classes = if only_removals { 1 } else { 2 };
        let mut firsts = self.status.iter().take(classes).filter_map(BTreeMap::first_key_value);
        firsts.find(|((at, _), _)| *at <= now).map(|((_, seq), uid)| (*seq, uid))
    }

    /// Delays that have ended put their tickets back in line.
    fn promote(&mut self, now: Instant) {
        while let Some((&(until, _), uid)) = self.delayed.first_key_value()
            && until <= now
        {
            let uid = uid.clone();
            let Some(mut e) = self.take_out(&uid) else {
                return;
            };
            due_from(&mut e, until);
            self.put_in(e);
        }
    }

    fn take_out(&mut self, uid: &Uid) -> Option<Entry> {
        let e = self.entries.remove(uid)?;
        self.count[e.lane as usize] -= 1;
        if let Some(owed) = e.owed {
            self.owed.remove(&(owed, e.seq));
        }
        match e.place {
            Place::Due(since) => {
                self.due.remove(&(e.lane, e.seq));
                self.status[e.class()].remove(&(e.status_at, e.seq));
                self.since.remove(&(since, e.seq));
            }
            Place::Delayed { until, .. } => {
                self.delayed.remove(&(until, e.seq));
            }
            Place::InFlight { .. } => {}
        }
        Some(e)
    }

    fn put_in(&mut self, mut e: Entry) {
        self.count[e.lane as usize] += 1;
        e.owed = match e.place {
            Place::Due(since) | Place::InFlight { since, .. } if e.lane == Lane::Removal => e.owed.or(Some(since)),
            Place::Delayed { own: false, .. } if e.lane == Lane::Removal => e.owed,
            _ => None,
        };
        if let Some(owed) = e.owed {
            self.owed.insert((owed, e.seq));
        }
        match e.place {
            Place::Due(since) => {
                self.due.insert((e.lane, e.seq), e.uid.clone());
                self.status[e.class()].insert((e.status_at, e.seq), e.uid.clone());
                self.since.insert((since, e.seq));
            }
            Place::Delayed { until, .. } => {
                self.delayed.insert((until, e.seq), e.uid.clone());
            }
            Place::InFlight { .. } => {}
        }
        self.entries.insert(e.uid.clone(), e);
    }
}

fn due_from(e: &mut Entry, at: Instant) {
    e.place = Place::Due(at);
    e.status_at = e.status_floor.max(Some(at + STATUS_AFTER)).unwrap_or(at + STATUS_AFTER);
}

/// How long to wait after the `attempt`th transient failure: 1 s doubling to 5 min, ± 20 % by
/// `jitter`, a number from 0 to 1.
pub fn back_off(attempt: u32, jitter: f64) -> Duration {
    let doubled = 1_u32 << attempt.saturating_sub(1).min(9);
    let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 0.5 };
    Duration::from_secs(doubled.min(BACK_OFF_MAX_SECS).into()).mul_f64(0.8 + 0.4 * jitter)
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
