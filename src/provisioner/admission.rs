//! Leave: what guards, Plan mode and a change of server hold up before anything is sent (promise I13).

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::events::EventType;
use tracing::info;

use super::directory::{full_name, is_deleting};
use super::effects::{Effects, Note};
use super::queue::{Lane, Outcome};
use super::report::News;
use super::worker::{Pass, Stop};
use super::{Provisioner, Uid, lock};
use crate::api::{OperationType, Reason, ScimConnectionStatus, UserHold, UserState};
use crate::plan::guards::{Admission, Candidate, Event, Gate, GuardName, HoldReason, HoldView, Remembered};
use crate::plan::{Binding, Departure, Named, Operation, Path, Verdict, after_binding};
use crate::status::ledger;

/// What leave is asked for.
pub(super) struct Wanted {
    operation: OperationType,
    remote_id: Option<String>,
    attributes: Vec<String>,
    guard: Option<GuardName>,
}

impl Wanted {
    /// One request.
    pub fn of(operation: &Operation) -> Self {
        Self {
            operation: operation.kind,
            remote_id: operation.request.target().map(str::to_owned),
            attributes: operation.attributes.iter().map(Path::to_string).collect(),
            guard: operation.guard,
        }
    }
}

/// What a gate remembers of an earlier process.
pub(super) fn remembered(status: &ScimConnectionStatus, plan: bool) -> Remembered {
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

impl<E: Effects> Provisioner<E> {
    /// Asks leave for an operation; ends the pass unless it may go at once.
    pub(super) async fn ask_leave(&self, pass: &Pass, wanted: Wanted) -> Result<(), Stop> {
        let operation = wanted.operation;
        let asked = candidate(pass, wanted);
        let digest = asked.digest();
        let attributes = named(&asked.attributes);
        let (admission, revision) = {
            let mut gate = lock(&self.gate);
            let now = self.effects.now();
            let base = self.base(&gate, now);
            let admission = gate.admit(asked.clone(), base, now);
            (admission, gate.revision())
        };
        let hold = pass.status.hold.as_ref().map(|hold| &*hold.id);
        self.effects.note(&Note::Admitted { candidate: &asked, hold, admission: &admission });
        match admission {
            Admission::Go => self.keep_ledger(revision).await,
            Admission::Wait(wait) => Err(Stop::Silently(Outcome::After(wait))),
            Admission::Queued(wait) => Err(Stop::With(Box::new(queued()), Outcome::After(wait))),
            Admission::LetGoUntouched => Err(Stop::LetGo(Box::new(Verdict {
                message: "its hold was rejected: the account stays as it is".to_owned(),
                departure: Departure::LeftAsIs,
                ..Verdict::default()
            }))),
            Admission::Rejected { id } => {
                self.decline(pass);
                let message = format!(
                    "{} was held (hold {id}) and rejected; it stays undone until this object's spec changes",
                    operation.as_str()
                );
                let hold = UserHold { id, operation, digest };
                Err(Stop::With(Box::new(held(Reason::Held, message, Some(hold))), Outcome::Done))
            }
            Admission::Held { closes_in, id, count, reason } => {
                let (reason, why) = why_held(reason);
                let what = if attributes.is_empty() { String::new() } else { format!(" of {attributes}") };
                let ways = self.ways_out(id.as_deref(), closes_in, count);
                let message = format!("{}{what} is held: {why}. {ways}", operation.as_str());
                let hold = id.map(|id| UserHold { id, operation, digest });
                let verdict = Verdict { unanswered: true, ..held(reason, message, hold) };
                Err(Stop::With(Box::new(verdict), Outcome::Done))
            }
        }
    }

    /// Asks leave for taking over an account, together with the write that would follow at once. The attributes
    /// of that write, which has its leave with this.
    pub(super) async fn ask_leave_to_bind(&self, pass: &Pass, binding: &Binding) -> Result<Vec<Path>, Stop> {
        let next = self.with_facts(pass, self.effects.now(), |facts| after_binding(facts, binding));
        let removes = next.as_ref().is_some_and(|next| next.kind == OperationType::Deactivate);
        let attributes = next.as_ref().map(|next| next.attributes.clone()).unwrap_or_default();
        let wanted = Wanted {
            operation: if removes { OperationType::Deactivate } else { binding.how },
            remote_id: Some(binding.id.clone()),
            attributes: attributes.iter().map(Path::to_string).collect(),
            guard: next.and_then(|next| next.guard),
        };
        self.ask_leave(pass, wanted).await?;
        Ok(attributes)
    }

    /// Nothing is asked of the guards for the object any more.
    pub(super) fn withdraw(&self, uid: &str) {
        lock(&self.gate).withdraw(uid);
        self.effects.note(&Note::Withdrawn { uid });
    }

    /// An access window ends in a moment: its removal takes its place in the burst, so that it is judged in time.
    pub(super) fn announce(&self, pass: &Pass, operation: &Operation) {
        let asked = candidate(pass, Wanted::of(operation));
        let mut gate = lock(&self.gate);
        let now = self.effects.now();
        let base = self.base(&gate, now);
        // Its answer is asked for again when the window has ended.
        let _ = gate.admit(asked, base, now);
    }

    /// What a guard's percentage is of: accounts bound and active now, and those removed within the window;
    /// counted from our objects, never from a read.
    pub(super) fn base(&self, gate: &Gate, now: Timestamp) -> u64 {
        let active = self.directory.active_of(&self.key);
        // What was let go and isn't done yet is still among the active, and counted in the ledger already.
        active.saturating_sub(gate.removing()) + gate.used(GuardName::Removals, now)
    }

    /// The ledger is written before what it counts is sent: a crash over-counts, and never under-counts.
    pub(super) async fn keep_ledger(&self, revision: u64) -> Result<(), Stop> {
        if lock(&self.gate).is_saved(revision) {
            return Ok(());
        }
        let saving = self.saving.lock().await;
        if !lock(&self.gate).is_saved(revision) {
            self.write_report().await;
        }
        drop(saving);
        if lock(&self.gate).is_saved(revision) { Ok(()) } else { Err(Stop::Silently(Outcome::Retry)) }
    }

    /// What became due by itself: bursts judged, holds closed, room for what was queued.
    pub(super) fn tick_gate(&self) {
        let events = lock(&self.gate).tick(self.effects.now());
        for event in events {
            match event {
                Event::Requeue(uids) => self.requeue(&uids),
                Event::Closed(view) => self.say_closed(&view),
            }
        }
    }

    /// The objects are looked at again, in the lane of what they ask leave for.
    pub(super) fn requeue(&self, uids: &[Arc<str>]) {
        let now = self.effects.instant();
        let gate = lock(&self.gate);
        let mut queue = lock(&self.queue);
        for uid in uids {
            let lane = match gate.operation(uid) {
                _ if gate.guard_of(uid) == Some(GuardName::Memberships) => Lane::Removal,
                Some(OperationType::Deactivate | OperationType::Delete) => Lane::Removal,
                Some(OperationType::Create) => Lane::Create,
                _ => Lane::Change,
            };
            queue.submit(uid, lane, true, now);
        }
        drop(queue);
        self.wake.notify_one();
    }

    fn say_closed(&self, hold: &HoldView) {
        let id = hold.id.as_deref().unwrap_or_default();
        let count = hold.creates + hold.updates + hold.deactivations + hold.deletes + hold.memberships;
        let what = sizes(hold);
        info!(connection = %self.key, hold = id, reason = hold.reason(), "held: {what}");
        let note = format!(
            "{what} held ({}). {}",
            hold.reason(),
            self.ways_out(Some(id), None, usize::try_from(count).unwrap_or(usize::MAX))
        );
        lock(&self.report).tell(News { type_: EventType::Warning, reason: "Held", action: "Hold", note });
    }

    /// What a person can do about a hold.
    pub(super) fn ways_out(&self, id: Option<&str>, closes_in: Option<Duration>, count: usize) -> String {
        let Some(id) = id else {
            let seconds = closes_in.unwrap_or_default().as_secs() + 1;
            return format!("The hold has {count} so far; it gets its id when it closes, closing in {seconds} s");
        };
        let patch = |field: &str| Named::connection(&self.key.namespace, &self.key.name).set(field, id);
        format!(
            "Hold {id} has {count}. To see them: kubectl get scimuser,scimgroup -A --field-selector status.hold.id={id}. To let them \
             go: {}. To refuse them (deleted objects go, their accounts stay; edits stay held): {}",
            patch("approvedHold"),
            patch("rejectedHold")
        )
    }

    /// `namespace/name` of an object that is still there.
    pub(super) fn name_of(&self, uid: &Uid) -> Option<String> {
        let directory = &self.directory;
        let group = || directory.group(uid).map(|group| super::groups::full_name(&group));
        directory.get(uid).map(|user| full_name(&user)).or_else(group)
    }
}

/// The reason of Ready for what is held, and why, for a person.
pub(super) fn why_held(reason: HoldReason) -> (Reason, String) {
    match reason {
        HoldReason::Plan => (Reason::Planned, "nothing is sent under mode: Plan".to_owned()),
        HoldReason::NewServer => {
            let why = "the connection leads to another server than the one that this object is bound at";
            (Reason::Held, why.to_owned())
        }
        HoldReason::Guard(name) => {
            (Reason::Held, format!("it exceeds the connection's {} guard and needs approval", name.as_str()))
        }
    }
}

/// So many of each, in words.
pub(super) fn sizes(hold: &HoldView) -> String {
    let parts = [
        (hold.deletes, "deletions"),
        (hold.deactivations, "deactivations"),
        (hold.memberships, "memberships"),
        (hold.updates, "updates"),
        (hold.creates, "creations"),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    parts.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

/// The operation as the gate sees it.
fn candidate(pass: &Pass, wanted: Wanted) -> Candidate {
    let status = &pass.status;
    let server = &pass.session.policy.server;
    let mut candidate = Candidate {
        uid: pass.user.uid().unwrap_or_default().into(),
        server: server.clone(),
        generation: pass.user.metadata.generation.unwrap_or_default(),
        operation: wanted.operation,
        remote_id: wanted.remote_id,
        attributes: wanted.attributes,
        guard: wanted.guard,
        moved: status.id.is_some() && status.bound_to.as_ref().is_some_and(|known| known != server),
        deleted: is_deleting(&pass.user),
        held: None,
        held_before: None,
    };
    let digest = candidate.digest();
    candidate.held = status.hold.as_ref().filter(|hold| hold.digest == digest).map(|hold| hold.id.clone());
    let hold = status.hold.as_ref().filter(|_| status.observed_generation == pass.user.metadata.generation);
    let same = hold.filter(|hold| hold.operation == candidate.operation);
    candidate.held_before = same.map(|hold| hold.id.clone());
    candidate
}

fn held(reason: Reason, message: String, hold: Option<UserHold>) -> Verdict {
    let planned = reason == Reason::Planned;
    Verdict {
        reason: Some(reason),
        message,
        state: Some(if planned { UserState::Planned } else { UserState::Held }),
        executed: !planned,
        hold,
        ..Verdict::default()
    }
}

fn queued() -> Verdict {
    Verdict {
        reason: Some(Reason::Pending),
        message: "over guards.creates of the connection; it is created as soon as the window has room".to_owned(),
        state: Some(UserState::Pending),
        ..Verdict::default()
    }
}

/// Some names, and how many more: the message has more to say.
pub(super) fn named(attributes: &[String]) -> String {
    const MOST: usize = 6;
    let shown = attributes.iter().take(MOST).map(|name| name.rsplit(':').next().unwrap_or(name));
    let text = shown.collect::<Vec<_>>().join(", ");
    if attributes.len() > MOST {
        return format!("{text} and {} more", attributes.len() - MOST);
    }
    text
}
