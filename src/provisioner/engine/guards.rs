//! The guards of one connection, as all who work on its objects ask them.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::{OperationType, RejectedHold, ScimConnection, ScimConnectionSpec, ScimConnectionStatus, Uid};
use crate::plan::Digests;
use crate::plan::guards::{Admission, Candidate, Event, Gate, GuardName, GuardView, HoldView, Rejection, Remembered};
use crate::provisioner::connection::session::guard_settings;
use crate::provisioner::lock;
use crate::provisioner::schedule::queue::Lane;
use crate::status::ledger;

/// What was admitted, what is held, and what of it is on record.
#[derive(Debug)]
pub struct Guards(Mutex<Gate>);

/// All of it at one instant.
pub struct Overview {
    /// What is held.
    pub holds: Vec<HoldView>,
    /// How much each guard has let go.
    pub usage: Vec<GuardView>,
    /// Holds that were approved and carried out.
    pub spent: Vec<String>,
    /// Holds that were rejected.
    pub refused: Vec<String>,
    /// The revision of the ledgers.
    pub revision: u64,
}

impl Guards {
    /// With what the connection's status remembers of an earlier process.
    pub fn new(connection: &ScimConnection, now: Timestamp) -> Self {
        Self(Mutex::new(gate_of(connection, now)))
    }

    /// As they were before anything was asked of them.
    pub fn begin_anew(&self, connection: &ScimConnection, now: Timestamp) {
        *lock(&self.0) = gate_of(connection, now);
    }

    /// The connection changed; returns whom that lets go.
    pub fn configure(&self, spec: &ScimConnectionSpec, now: Timestamp) -> Vec<Uid> {
        let mut gate = lock(&self.0);
        let mut again = gate.configure(&guard_settings(spec), now);
        again.extend(gate.answer(spec.approved_hold.as_deref(), spec.rejected_hold.as_deref(), now));
        again
    }

    /// Asks for admission; `base` counts what a percentage is of. The revision is that of the ledgers that count it.
    pub fn admit(&self, asked: Candidate, now: Timestamp, base: impl FnOnce(&Gate) -> u64) -> (Admission, u64) {
        let mut gate = lock(&self.0);
        let base = base(&gate);
        (gate.admit(asked, base, now), gate.revision())
    }

    /// Nothing is asked for the object any more.
    pub fn withdraw(&self, uid: &Uid) {
        lock(&self.0).withdraw(uid);
    }

    /// The object is gone.
    pub fn forget(&self, uid: &Uid) {
        let mut gate = lock(&self.0);
        gate.withdraw(uid);
        gate.forget_group(uid);
        gate.forget_rejections(uid);
    }

    /// What is on record of holds that were rejected and that the object was in.
    pub fn know_rejections(&self, uid: &Uid, recorded: &[RejectedHold]) {
        if !recorded.is_empty() {
            lock(&self.0).know_rejections(uid, recorded.iter().map(rejection));
        }
    }

    /// What is to be on record of them.
    pub fn rejections(&self, uid: &Uid, generation: i64, deleted: bool) -> Option<Vec<RejectedHold>> {
        let known = lock(&self.0).rejections(uid, generation, deleted);
        (!known.is_empty()).then(|| known.iter().map(rejected_hold).collect())
    }

    /// Whether a hold was rejected that was about members of the group.
    pub fn rejects_members(&self, uid: &Uid) -> bool {
        lock(&self.0).rejects_members(uid)
    }

    /// Whether an answer, or a guard, decided over members of the group.
    pub fn remembers_members(&self, uid: &Uid) -> bool {
        lock(&self.0).remembers_members(uid)
    }

    /// Whether anything was rejected of the object.
    pub fn has_rejections(&self, uid: &Uid) -> bool {
        lock(&self.0).has_rejections(uid)
    }

    /// Of these changes of a group those that were rejected, and the hold in which they were.
    pub fn rejected_parts(
        &self,
        uid: &Uid,
        generation: i64,
        parts: impl IntoIterator<Item = String>,
    ) -> Option<(String, BTreeSet<String>)> {
        lock(&self.0).rejected_parts(uid, generation, parts)
    }

    /// This was rejected, or some of it.
    pub fn is_rejected(&self, candidate: &Candidate) -> bool {
        lock(&self.0).is_rejected(candidate)
    }

    /// These changes of a group's members are owed, whether they may be sent now or not.
    /// True where all is done that was let go.
    pub fn members_owed(&self, uid: &Uid, owed: &[String]) -> bool {
        lock(&self.0).members_owed(uid, owed)
    }

    /// What became due by itself.
    pub fn tick(&self, now: Timestamp) -> Vec<Event> {
        lock(&self.0).tick(now)
    }

    /// When something becomes due by itself.
    pub fn next_instant(&self) -> Option<Timestamp> {
        lock(&self.0).next_instant()
    }

    /// How long removals are still being gathered.
    pub fn removals_gather(&self, now: Timestamp) -> Option<Duration> {
        lock(&self.0).removals_gather(now)
    }

    /// The lanes of what these objects ask admission for.
    pub fn lanes(&self, uids: &[Uid]) -> Vec<(Uid, Lane)> {
        let gate = lock(&self.0);
        let lane = |uid: &Uid| match gate.operation(uid) {
            _ if gate.guard_of(uid) == Some(GuardName::Memberships) => Lane::Removal,
            Some(OperationType::Deactivate | OperationType::Delete) => Lane::Removal,
            Some(OperationType::Create) => Lane::Create,
            _ => Lane::Change,
        };
        uids.iter().map(|uid| (uid.clone(), lane(uid))).collect()
    }

    /// The ledgers of that revision are on record.
    pub fn saved(&self, revision: u64) {
        lock(&self.0).saved(revision);
    }

    /// Whether they are.
    pub fn is_saved(&self, revision: u64) -> bool {
        lock(&self.0).is_saved(revision)
    }

    /// What is on record of the members that were taken out of a group.
    pub fn know_group(&self, uid: &Uid, ledger: impl IntoIterator<Item = (Timestamp, u64)>, now: Timestamp) {
        lock(&self.0).know_group(uid, ledger, now);
    }

    /// What is to be on record of them.
    pub fn group_ledger(&self, uid: &Uid) -> Vec<(Timestamp, u64)> {
        lock(&self.0).group_ledger(uid)
    }

    /// Everything that status shows; `base` counts what a percentage is of.
    pub fn overview(&self, now: Timestamp, base: impl FnOnce(&Gate) -> u64) -> Overview {
        let gate = lock(&self.0);
        Overview {
            holds: gate.holds(),
            usage: gate.usage(base(&gate), now),
            spent: gate.spent().map(str::to_owned).collect(),
            refused: gate.refused().map(str::to_owned).collect(),
            revision: gate.revision(),
        }
    }

    /// Shows all of it.
    #[cfg(test)]
    pub fn inspect<T>(&self, look: impl FnOnce(&Gate) -> T) -> T {
        look(&lock(&self.0))
    }
}

fn rejection(recorded: &RejectedHold) -> Rejection {
    Rejection {
        hold: recorded.id.clone(),
        operation: recorded.operation,
        generation: recorded.generation,
        deleted: recorded.deleting,
        members: recorded.members,
        parts: Digests::read(Some(&recorded.parts)),
    }
}

fn rejected_hold(known: &Rejection) -> RejectedHold {
    RejectedHold {
        id: known.hold.clone(),
        operation: known.operation,
        generation: known.generation,
        deleting: known.deleted,
        members: known.members,
        parts: known.parts.text(),
    }
}

fn gate_of(connection: &ScimConnection, now: Timestamp) -> Gate {
    let spec = &connection.spec;
    let settings = guard_settings(spec);
    let status = connection.status.clone().unwrap_or_default();
    let mut gate = Gate::new(&settings, remembered(&status, settings.plan), now);
    // Nobody asked for admission yet, so nobody has to be asked again.
    let _ = gate.answer(spec.approved_hold.as_deref(), spec.rejected_hold.as_deref(), now);
    gate
}

/// What a gate remembers of an earlier process.
fn remembered(status: &ScimConnectionStatus, plan: bool) -> Remembered {
    let names = [GuardName::Removals, GuardName::Rewrites, GuardName::Creates, GuardName::Groups];
    let ledgers = status.guards.iter().flatten().filter_map(|guard| {
        let name = names.into_iter().find(|name| name.as_str() == guard.name)?;
        Some((name, ledger(&guard.buckets).collect()))
    });
    let holds = status.holds.iter().flatten().filter(|hold| plan || !HoldView::is_of_plan_alone(&hold.reason));
    Remembered {
        ledgers: ledgers.collect(),
        holds: holds.filter_map(|hold| hold.id.clone()).collect(),
        spent: status.spent_holds.clone().unwrap_or_default(),
        refused: status.refused_holds.clone().unwrap_or_default(),
    }
}
