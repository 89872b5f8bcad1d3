//! The gate: every operation of a connection that needs admission passes it.

mod judge;
mod rejections;
mod shown;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

pub use self::rejections::Rejection;
use super::terms::{Admission, Event, Remembered, Settings};
use super::{Guard, GuardName, Ledger, until};
use crate::api::Uid;
use crate::plan::holds::{Candidate, Hold, HoldReason, Holds};

/// Used-up ids kept in memory.
const SPENT: usize = 64;

#[derive(Debug)]
enum Place {
    Burst(GuardName),
    Hold,
    Released { counted: Option<(GuardName, Timestamp)>, approved: bool },
    Queued,
    Rejected(String),
}

#[derive(Debug)]
struct Member {
    candidate: Candidate,
    place: Place,
}

impl Member {
    /// An object keeps its place while its operation is the same. What was let go stays let go, and what was rejected is
    /// remembered beside the places.
    fn keeps(&self, candidate: &Candidate) -> bool {
        let own = &self.candidate;
        match self.place {
            Place::Rejected(_) => false,
            Place::Released { .. } if self.releases_members() => own.covers(candidate),
            _ => own.same(candidate),
        }
    }

    /// Members were let go out of a group.
    fn releases_members(&self) -> bool {
        let of_members = self.candidate.guard == Some(GuardName::Memberships);
        of_members && matches!(self.place, Place::Released { .. })
    }
}

/// Judges what asks for admission. Pure: every instant is given to it.
#[derive(Debug)]
pub struct Gate {
    plan: bool,
    pub(super) guards: BTreeMap<GuardName, Guard>,
    /// The guard `memberships` of each group, by the uid of its object.
    pub(super) groups: HashMap<Uid, Guard>,
    members: HashMap<Uid, Member>,
    /// What was rejected of each object.
    rejections: HashMap<Uid, Vec<Rejection>>,
    queued: BTreeSet<Uid>,
    holds: Holds,
    remembered: Vec<String>,
    spent: VecDeque<String>,
    refused: VecDeque<String>,
    /// Removals that were let go and are not done yet.
    removing: u64,
    approved: Option<String>,
    rejected: Option<String>,
    events: Vec<Event>,
    now: Timestamp,
    revision: u64,
    saved: u64,
}

impl Gate {
    /// A gate that remembers what status does.
    pub fn new(settings: &Settings, remembered: Remembered, now: Timestamp) -> Self {
        let mut ledgers = remembered.ledgers;
        let guards = settings.limits.iter().map(|(name, limit)| {
            let buckets = ledgers.remove(name).unwrap_or_default();
            let ledger = Ledger::restore(limit.window, buckets, now);
            (*name, Guard::new(*limit, ledger, now))
        });
        Self {
            plan: settings.plan,
            guards: guards.collect(),
            groups: HashMap::new(),
            members: HashMap::new(),
            rejections: HashMap::new(),
            queued: BTreeSet::new(),
            holds: Holds::default(),
            remembered: remembered.holds,
            spent: remembered.spent.into(),
            refused: remembered.refused.into(),
            removing: 0,
            approved: None,
            rejected: None,
            events: Vec::new(),
            now,
            revision: 0,
            saved: 0,
        }
    }

    /// Takes over a changed spec; returns the objects to ask again for. Plan to Apply dissolves the
    /// holds of plan mode; Apply to Plan takes back what was let go without an approval.
    #[must_use]
    pub fn configure(&mut self, settings: &Settings, now: Timestamp) -> Vec<Uid> {
        self.advance(now);
        self.guards.retain(|name, _| settings.limits.contains_key(name));
        for (name, limit) in &settings.limits {
            let guard = self.guards.entry(*name).or_insert_with(|| {
                let ledger = Ledger::restore(limit.window, [], now);
                Guard::new(*limit, ledger, now)
            });
            guard.limit = *limit;
            guard.ledger.set_window(limit.window, now);
        }
        self.configure_groups(now);
        let was = std::mem::replace(&mut self.plan, settings.plan);
        let planned = |hold: &Hold| hold.reasons.contains(&HoldReason::Plan);
        if was && !self.plan {
            self.remembered.clear();
        }
        let again = self.members.iter().filter(|(uid, member)| match member.place {
            Place::Hold => was && !self.plan && self.holds.of(uid).is_some_and(planned),
            Place::Burst(name) => self.plan || !self.guards.contains_key(&name),
            Place::Released { approved, .. } => self.plan && !approved,
            Place::Queued => true,
            Place::Rejected(_) => false,
        });
        let again: Vec<_> = again.map(|(uid, _)| uid.clone()).collect();
        for uid in &again {
            self.withdraw(uid);
        }
        again
    }

    /// May this go? Asking again for the same operation keeps its place; another operation of the
    /// same object leaves its burst or hold and is judged anew. `base` is what the percentage of
    /// its guard is of.
    pub fn admit(&mut self, mut candidate: Candidate, base: u64, now: Timestamp) -> Admission {
        candidate.attributes.sort_unstable();
        candidate.attributes.dedup();
        if let Some(guard) = candidate.guard.and_then(|name| self.guard_mut(name, &candidate.uid)) {
            guard.base = base;
        }
        self.advance(now);
        let uid = candidate.uid.clone();
        let member = self.members.get(&uid);
        let known = member.is_some();
        if member.is_some_and(|member| member.keeps(&candidate))
            && let Some(answer) = self.standing(&uid, now)
        {
            return answer;
        }
        self.withdraw(&uid);
        let Some(place) = self.place(&candidate, known, now) else {
            return Admission::Go;
        };
        self.removing += u64::from(removes(&place));
        let rejected = if let Place::Rejected(id) = &place { Some(id.clone()) } else { None };
        let remembered = self.rejected_with(&candidate).is_some();
        self.members.insert(uid.clone(), Member { candidate, place });
        if let Some(id) = rejected.filter(|_| !remembered) {
            self.rejected(&uid, &id);
        }
        self.standing(&uid, now).unwrap_or_else(|| {
            let creates = self.guards.get(&GuardName::Creates);
            let expiry = creates.and_then(|guard| guard.ledger.next_expiry(now));
            let window = creates.map_or(Duration::ZERO, |guard| guard.limit.window);
            Admission::Queued(expiry.map_or(window, |at| until(now, at)))
        })
    }

    /// The object wants nothing guarded (any more): it was done, it isn't owed, or it is gone.
    pub fn withdraw(&mut self, uid: &Uid) {
        let Some(member) = self.members.remove(uid) else {
            return;
        };
        self.removing -= u64::from(removes(&member.place));
        match member.place {
            Place::Burst(name) => {
                if let Some(guard) = self.guard_mut(name, uid) {
                    guard.burst.remove(uid);
                }
            }
            Place::Hold => self.holds.remove(uid),
            Place::Queued => {
                self.queued.remove(uid);
            }
            Place::Released { .. } | Place::Rejected(_) => {}
        }
    }

    /// `approvedHold` and `rejectedHold` as the spec has them now; returns the objects to ask again
    /// for. Idempotent: an approval serves once. An id whose hold isn't back yet after a restart
    /// serves when it is; give both before the first [`Gate::admit`].
    #[must_use]
    pub fn answer(&mut self, approved: Option<&str>, rejected: Option<&str>, now: Timestamp) -> Vec<Uid> {
        self.advance(now);
        self.approved = approved.map(str::to_owned);
        self.rejected = rejected.map(str::to_owned);
        let mut again = Vec::new();
        if let Some(id) = approved {
            again.extend(self.approve(id, now));
        }
        if let Some(id) = rejected {
            again.extend(self.reject(id));
        }
        again
    }

    /// What happened since the last call: bursts judged, holds closed, room in the queue.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Event> {
        self.advance(now);
        let creates = self.guards.get(&GuardName::Creates);
        let room = creates.map_or(u64::MAX, |guard| guard.room(now));
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let next: Vec<_> = self.queued.iter().take(room).cloned().collect();
        let mut events = std::mem::take(&mut self.events);
        // They ask again, and those for whom there is no room by then are queued again.
        for uid in &next {
            self.queued.remove(uid);
        }
        if !next.is_empty() {
            events.push(Event::Requeue(next));
        }
        events
    }

    /// How long until removals that are being gathered are judged; none where there are none.
    pub fn removals_gather(&self, now: Timestamp) -> Option<Duration> {
        let guard = self.guards.get(&GuardName::Removals).filter(|guard| !guard.burst.is_empty())?;
        Some(until(now, guard.settles_at()?))
    }

    /// When [`Gate::tick`] has something to do.
    pub fn next_instant(&self) -> Option<Timestamp> {
        if !self.events.is_empty() {
            return Some(self.now);
        }
        let bursts = self.guards.values().chain(self.groups.values()).filter_map(Guard::settles_at);
        let holds = self.holds.iter().filter_map(Hold::closes_at);
        let creates = self.guards.get(&GuardName::Creates);
        let queue = creates.filter(|_| !self.queued.is_empty()).and_then(|guard| guard.ledger.next_expiry(self.now));
        bursts.chain(holds).chain(queue).min()
    }

    pub(super) fn of(&self, uid: &Uid) -> Option<&Candidate> {
        self.members.get(uid).map(|member| &member.candidate)
    }

    /// The answer to a member where it stands; none if it has to be judged anew.
    fn standing(&mut self, uid: &Uid, now: Timestamp) -> Option<Admission> {
        let reason = self.reason(self.of(uid)?);
        let member = self.members.get_mut(uid)?;
        match &mut member.place {
            Place::Burst(name) => {
                let guard = match name {
                    GuardName::Memberships => self.groups.get(uid),
                    name => self.guards.get(name),
                };
                let at = guard?.settles_at()?;
                Some(Admission::Wait(until(now, at)))
            }
            Place::Hold => {
                let hold = self.holds.of(uid)?;
                Some(Admission::Held {
                    closes_in: hold.closes_in(now),
                    id: hold.id.clone(),
                    count: hold.members.len(),
                    reason: reason.or_else(|| hold.reasons.first().copied())?,
                })
            }
            Place::Released { counted, approved } => {
                if let Some((name, at)) = counted
                    && *name != GuardName::Memberships
                    && let Some(guard) = self.guards.get_mut(name)
                {
                    // What goes late, or once more, counts from now on. If its count has left
                    // the window, only an approval still holds.
                    if guard.ledger.counts(*at, now) {
                        if guard.ledger.renew(*at, now) {
                            *at = now;
                            self.revision += 1;
                        }
                    } else if *approved {
                        guard.ledger.add(1, now);
                        *at = now;
                        self.revision += 1;
                    } else {
                        return None;
                    }
                }
                Some(Admission::Go)
            }
            Place::Queued => None,
            Place::Rejected(_) if member.candidate.deleted => Some(Admission::RemoveFinalizer),
            Place::Rejected(id) => Some(Admission::Rejected { id: id.clone() }),
        }
    }

    /// Why a person may have to be asked for it; none if nothing holds it up.
    fn reason(&self, candidate: &Candidate) -> Option<HoldReason> {
        match candidate.guard.filter(|name| self.guards.contains_key(name)) {
            _ if self.plan => Some(HoldReason::Plan),
            _ if candidate.moved => Some(HoldReason::NewServer),
            _ if candidate.undelegated => Some(HoldReason::Undelegated),
            None | Some(GuardName::Creates) => None,
            Some(name) => Some(HoldReason::Guard(name)),
        }
    }

    /// Where a newcomer goes; none if nothing holds it up and nobody counts it. What has some in it that were rejected
    /// is asked about, however few they are by now.
    fn place(&mut self, candidate: &Candidate, known: bool, now: Timestamp) -> Option<Place> {
        if let Some(id) = self.rejected_with(candidate) {
            return Some(Place::Rejected(id));
        }
        let mut refused = self.has_rejected(candidate);
        let uid = candidate.uid.clone();
        let guard = candidate.guard.filter(|name| self.guards.contains_key(name));
        let reason = self.reason(candidate);
        if !known
            && let Some(id) = &candidate.held_before
            && (self.rejected.as_ref() == Some(id) || self.refused.contains(id))
            // A rejection is taken back by an approval.
            && !self.spent.contains(id)
        {
            // Who they were may not be on record: of others it can't be told.
            if guard != Some(GuardName::Memberships) || candidate.held.as_ref() == Some(id) {
                return Some(Place::Rejected(id.clone()));
            }
            refused = true;
        }
        if !known && let Some(id) = &candidate.held {
            // An approval whose work a restart cut short: what it let go, and is the same still, goes on.
            if self.approved.as_ref() == Some(id) && self.spent.contains(id) {
                let counted = guard.map(|name| {
                    if let Some(guard) = self.guard_mut(name, &uid) {
                        guard.ledger.add(candidate.weight(), now);
                        self.revision += 1;
                    }
                    (name, now)
                });
                return Some(Place::Released { counted, approved: true });
            }
            if let Some(reason) = reason
                && self.remembered.contains(id)
            {
                self.holds.join(uid, reason, Some(id), now);
                return Some(Place::Hold);
            }
        }
        let asks =
            refused || matches!(reason, Some(HoldReason::Plan | HoldReason::NewServer | HoldReason::Undelegated));
        if let Some(reason) = reason.filter(|_| asks) {
            self.holds.join(uid, reason, None, now);
            return Some(Place::Hold);
        }
        let name = guard?;
        let guard = self.guard_mut(name, &uid)?;
        if name != GuardName::Creates {
            guard.arrive(uid, now);
            return Some(Place::Burst(name));
        }
        if guard.room(now) == 0 {
            self.queued.insert(uid);
            return Some(Place::Queued);
        }
        guard.ledger.add(1, now);
        self.revision += 1;
        Some(Place::Released { counted: Some((name, now)), approved: false })
    }
}

/// A removal that was let go.
fn removes(place: &Place) -> bool {
    matches!(place, Place::Released { counted: Some((GuardName::Removals, _)), .. })
}
