//! Holds: what a guard stopped, or what plan mode shows, waiting for a person's answer.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::guards::{GuardName, after, until};
use crate::api::{OperationType, Uid, hex};

/// A hold closes this long after its last arrival …
pub const QUIET: Duration = Duration::from_secs(30);
/// … and at the latest this long after its first.
pub const LONGEST: Duration = Duration::from_secs(300);
/// So many holds stand at once.
pub const MOST: usize = 10;
/// So many members a hold's sample names.
pub const SAMPLE: usize = 20;

/// An operation that asks for admission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The object's uid.
    pub uid: Uid,
    /// The server that it is for: an approval is good for no other (promise I6).
    pub server: String,
    /// The object's generation.
    pub generation: i64,
    /// What it would do.
    pub operation: OperationType,
    /// The account, where it is known.
    pub remote_id: Option<String>,
    /// The attributes that would change.
    pub attributes: Vec<String>,
    /// The guard that counts it; none if it needs no admission outside plan mode.
    pub guard: Option<GuardName>,
    /// The object was bound at another server: what it begins here is always held (promise I6).
    pub moved: bool,
    /// The connection's delegation doesn't admit the account: that it was the object's, a record alone says (promise I32).
    pub undelegated: bool,
    /// The object is being deleted: a rejection lets it go without touching the account.
    pub deleted: bool,
    /// The hold that the object's status names, if its digest there is still this operation's. It is how a hold finds its members again after a restart; it isn't compared.
    pub held: Option<String>,
    /// The same of a status for this generation and operation, whatever else has changed since: what was rejected
    /// stays so. It isn't compared either.
    pub held_before: Option<String>,
}

impl Candidate {
    /// Whether this is the same operation still.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.uid == other.uid
            && self.server == other.server
            && self.generation == other.generation
            && self.operation == other.operation
            && self.remote_id == other.remote_id
            && self.attributes == other.attributes
            && self.guard == other.guard
            && self.moved == other.moved
            && self.undelegated == other.undelegated
            && self.deleted == other.deleted
    }
}

/// Why operations are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HoldReason {
    /// This guard stopped it.
    Guard(GuardName),
    /// The connection's delegation doesn't admit the account.
    Undelegated,
    /// It would be the first step at another server.
    NewServer,
    /// `mode: Plan`.
    Plan,
}

impl HoldReason {
    /// As status has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guard(name) => name.as_str(),
            Self::Undelegated => "Undelegated",
            Self::NewServer => "NewServer",
            Self::Plan => "Plan",
        }
    }
}

/// A hold as the connection's status lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldView {
    /// Good once; none until the hold closes.
    pub id: Option<String>,
    /// Why its operations are held.
    pub reasons: BTreeSet<HoldReason>,
    /// Its first arrival.
    pub since: Timestamp,
    /// Accounts it would create.
    pub creates: u64,
    /// Accounts it would change.
    pub updates: u64,
    /// Accounts it would deactivate.
    pub deactivations: u64,
    /// Accounts it would delete.
    pub deletes: u64,
    /// Members it would take out of groups.
    pub memberships: u64,
    /// Uids of some of its members, at most [`SAMPLE`].
    pub sample: Vec<Uid>,
}

impl HoldView {
    /// The reasons, as status has them.
    pub fn reason(&self) -> String {
        self.reasons.iter().map(|reason| reason.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Whether the reasons that status has are those of plan mode alone.
    pub fn is_of_plan_alone(reason: &str) -> bool {
        reason == HoldReason::Plan.as_str()
    }
}

#[derive(Debug)]
pub(super) struct Hold {
    pub key: u64,
    pub id: Option<String>,
    pub reasons: BTreeSet<HoldReason>,
    pub members: BTreeSet<Uid>,
    /// The hold of an earlier run whose members gather here.
    origin: Option<String>,
    since: Timestamp,
    opened: Timestamp,
    last: Timestamp,
}

impl Hold {
    pub fn closes_at(&self) -> Option<Timestamp> {
        self.id.is_none().then(|| after(self.last, QUIET).min(after(self.opened, LONGEST)))
    }

    pub fn closes_in(&self, now: Timestamp) -> Option<Duration> {
        self.closes_at().map(|at| until(now, at))
    }

    pub fn view<'a>(&self, candidate: impl Fn(&Uid) -> Option<&'a Candidate>) -> HoldView {
        let mut view = HoldView {
            id: self.id.clone(),
            reasons: self.reasons.clone(),
            since: self.since,
            creates: 0,
            updates: 0,
            deactivations: 0,
            deletes: 0,
            memberships: 0,
            sample: self.members.iter().take(SAMPLE).cloned().collect(),
        };
        for member in self.members.iter().filter_map(candidate) {
            // A group that only gets members is changed, and loses none.
            if member.guard == Some(GuardName::Memberships) && member.weight() > 0 {
                view.memberships += member.weight();
                continue;
            }
            *match member.operation {
                OperationType::Create => &mut view.creates,
                OperationType::Deactivate => &mut view.deactivations,
                OperationType::Delete => &mut view.deletes,
                _ => &mut view.updates,
            } += 1;
        }
        view
    }
}

/// The holds of a connection, in the order in which they opened.
#[derive(Debug, Default)]
pub(super) struct Holds {
    all: Vec<Hold>,
    index: HashMap<Uid, u64>,
    next: u64,
}

impl Holds {
    pub fn iter(&self) -> impl Iterator<Item = &Hold> {
        self.all.iter()
    }

    pub fn of(&self, uid: &Uid) -> Option<&Hold> {
        let key = self.index.get(uid)?;
        self.all.iter().find(|hold| hold.key == *key)
    }

    pub fn key_of(&self, id: &str) -> Option<u64> {
        let found = self.all.iter().find(|hold| hold.id.as_deref() == Some(id))?;
        Some(found.key)
    }

    /// Into the open hold of its reason, or the one that gathers the members of an earlier run's
    /// hold, or a new one; where an eleventh would open, into the newest, which opens again.
    pub fn join(&mut self, uid: Uid, reason: HoldReason, origin: Option<&str>, now: Timestamp) {
        let fits = |hold: &Hold| match origin {
            Some(_) => hold.origin.as_deref() == origin,
            None => hold.origin.is_none() && hold.id.is_none() && hold.reasons.contains(&reason),
        };
        let place = match self.all.iter().position(fits) {
            Some(place) => place,
            None if self.all.len() < MOST => {
                self.next += 1;
                self.all.push(Hold {
                    key: self.next,
                    id: None,
                    reasons: BTreeSet::new(),
                    members: BTreeSet::new(),
                    origin: origin.map(str::to_owned),
                    since: now,
                    opened: now,
                    last: now,
                });
                self.all.len() - 1
            }
            None => self.all.len() - 1,
        };
        let hold = &mut self.all[place];
        if hold.id.take().is_some() {
            hold.opened = now;
        }
        hold.last = now;
        hold.reasons.insert(reason);
        hold.members.insert(uid.clone());
        self.index.insert(uid, hold.key);
    }

    /// Something for this reason arrived at `at` and may join: its open holds wait for it.
    pub fn touch(&mut self, reason: HoldReason, at: Timestamp) {
        let open = self.all.iter_mut().filter(|hold| hold.id.is_none() && hold.reasons.contains(&reason));
        for hold in open {
            hold.last = hold.last.max(at);
        }
    }

    /// A hold that nobody is left in is gone.
    pub fn remove(&mut self, uid: &Uid) {
        let Some(key) = self.index.remove(uid) else {
            return;
        };
        if let Some(place) = self.all.iter().position(|hold| hold.key == key) {
            self.all[place].members.remove(uid);
            if self.all[place].members.is_empty() {
                self.all.remove(place);
            }
        }
    }

    /// Takes a hold off the list, whatever becomes of its members.
    pub fn take(&mut self, key: u64) -> Option<Hold> {
        let place = self.all.iter().position(|hold| hold.key == key)?;
        let hold = self.all.remove(place);
        for uid in &hold.members {
            self.index.remove(uid);
        }
        Some(hold)
    }

    /// The open holds whose time has come. A clock that went backwards makes nobody wait longer.
    pub fn due(&mut self, now: Timestamp) -> Vec<u64> {
        let mut due = Vec::new();
        for hold in &mut self.all {
            hold.opened = hold.opened.min(now);
            hold.last = hold.last.min(now);
            if hold.closes_at().is_some_and(|at| at <= now) {
                due.push(hold.key);
            }
        }
        due
    }

    pub fn get_mut(&mut self, key: u64) -> Option<&mut Hold> {
        self.all.iter_mut().find(|hold| hold.key == key)
    }
}

impl Candidate {
    /// Tells whether an operation is the same still, across restarts.
    pub fn digest(&self) -> String {
        let mut sorted = self.clone();
        sorted.attributes.sort_unstable();
        sorted.attributes.dedup();
        digest(std::iter::once(&sorted), 0)
    }
}

/// The id of a hold: a digest over its members in the order of their uids. `round` is 0 unless that
/// id was used up already.
pub(super) fn digest<'a>(members: impl Iterator<Item = &'a Candidate>, round: u64) -> String {
    fn text(hash: &mut Sha256, text: &str) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    let mut hash = Sha256::new();
    hash.update(round.to_be_bytes());
    for member in members {
        text(&mut hash, member.uid.as_str());
        text(&mut hash, &member.server);
        hash.update(member.generation.to_be_bytes());
        text(&mut hash, member.operation.as_str());
        hash.update([u8::from(member.remote_id.is_some())]);
        text(&mut hash, member.remote_id.as_deref().unwrap_or_default());
        hash.update((member.attributes.len() as u64).to_be_bytes());
        for attribute in &member.attributes {
            text(&mut hash, attribute);
        }
    }
    hex(&hash.finalize()[..8])
}
