//! Leave, and what is reserved with it.

use std::time::Duration;

use super::{Next, Pass, Wanted};
use crate::api::{OperationType, Reason, UserHold, UserState};
use crate::plan::guards::{Admission, Candidate};
use crate::plan::{Binding, Path, Step, Verdict, after_binding};
use crate::provisioner::directory::is_deleting;
use crate::provisioner::histories::setup::SERVER;
use crate::provisioner::histories::world::World;
use crate::provisioner::queue::Outcome;

impl World {
    pub(super) fn withdraw(&mut self, uid: &str) {
        self.operator.gate.withdraw(uid);
        self.operator.held.remove(uid);
        *self.book.done.entry(uid.to_owned()).or_default() += 1;
    }

    /// Leave to take over an account, together with the write that would follow at once.
    pub(super) fn ask_leave_to_bind(&mut self, pass: &mut Pass, binding: Binding) -> Option<Outcome> {
        let then = self.with_facts(pass, self.time(), |facts| after_binding(facts, &binding));
        let removes = then.as_ref().is_some_and(|then| then.kind == OperationType::Deactivate);
        let kind = if removes { OperationType::Deactivate } else { binding.how };
        let attributes = then.as_ref().map(|then| then.attributes.clone()).unwrap_or_default();
        pass.leave.clone_from(&attributes);
        let wanted = (kind, Some(binding.id.clone()), attributes, then.and_then(|then| then.guard));
        self.ask_leave(pass, wanted, Next::Reserve(Step::Bind(binding)))
    }

    /// The gate, before anything is done.
    pub(super) fn ask_leave(&mut self, pass: &mut Pass, wanted: Wanted, next: Next) -> Option<Outcome> {
        let (kind, remote_id, attributes, guard) = wanted;
        let uid = pass.ticket.uid.clone();
        let mut candidate = Candidate {
            uid: uid.clone(),
            server: SERVER.to_owned(),
            generation: pass.generation(),
            operation: kind,
            remote_id,
            attributes: attributes.iter().map(Path::to_string).collect(),
            guard,
            moved: false,
            deleted: is_deleting(&pass.user),
            held: None,
            held_before: None,
        };
        let digest = candidate.digest();
        candidate.held = pass.status.hold.as_ref().filter(|hold| hold.digest == digest).map(|hold| hold.id.clone());
        let current = pass.status.observed_generation == Some(pass.generation());
        let same = pass.status.hold.as_ref().filter(|hold| current && hold.operation == kind);
        candidate.held_before = same.map(|hold| hold.id.clone());
        let now = self.time();
        let admission = self.operator.gate.admit(candidate, 0, now);
        self.say(|| format!("  {uid} {admission:?}"));
        self.check_admission(pass, kind, guard, &admission);
        let held = |id: Option<String>| {
            let hold = id.map(|id| UserHold { id, operation: kind, digest: digest.clone() });
            let planned = self.settings.plan;
            Box::new(Verdict {
                reason: Some(if planned { Reason::Planned } else { Reason::Held }),
                message: "held".into(),
                state: Some(if planned { UserState::Planned } else { UserState::Held }),
                executed: !planned,
                hold,
                ..Verdict::default()
            })
        };
        match admission {
            Admission::Go if self.operator.gate.unsaved().is_some() => pass.next = Next::SaveLedger(Box::new(next)),
            Admission::Go => pass.next = next,
            Admission::Wait(wait) => return Self::break_off(pass, Outcome::After(wait)),
            Admission::Queued(wait) => {
                let verdict = Verdict {
                    reason: Some(Reason::Pending),
                    message: "queued".into(),
                    state: Some(UserState::Pending),
                    ..Verdict::default()
                };
                pass.next = Next::Settle(Box::new(verdict), Outcome::After(wait));
            }
            Admission::Held { id, .. } => {
                pass.next = Next::Settle(Box::new(Verdict { unanswered: true, ..*held(id) }), Outcome::Done);
            }
            Admission::Rejected { id } => {
                pass.next = Next::Settle(held(Some(id)), Outcome::Done);
                self.decline(pass);
            }
            Admission::LetGoUntouched => {
                self.excuse(pass);
                pass.next = Next::LetGo;
            }
        }
        None
    }

    /// No removal is owed for the object's account any more.
    pub fn excuse(&mut self, pass: &Pass) {
        self.book.excused.extend(pass.status.id.clone());
        for accounts in [&self.book.made, &self.book.taken] {
            self.book.excused.extend(accounts.get(&*pass.ticket.uid).into_iter().flatten().cloned());
        }
    }

    pub(super) fn reserve(&mut self, pass: &mut Pass, step: Step) -> Option<Outcome> {
        let directory = &self.operator.directory;
        let reserve = |name: &str| directory.reserve(SERVER, name, &pass.ticket.uid);
        let account = |id: &str| directory.reserve_account(SERVER, id, &pass.ticket.uid);
        let found = match &step {
            Step::Bind(binding) => reserve(&binding.user_name) && account(&binding.id),
            Step::Send(operation) => {
                let claimed = pass.user.claimed_account().filter(|_| pass.status.id.is_none());
                claimed.is_none_or(|claimed| reserve(&claimed.user_name))
                    && operation.request.target().is_none_or(account)
            }
            _ => true,
        };
        if !found || !reserve(&pass.user.spec.user_name) {
            return Self::break_off(pass, Outcome::After(Duration::from_secs(1)));
        }
        if self.plan(pass) == step {
            pass.next = match step {
                Step::Bind(binding) => Next::Bind(binding),
                Step::Send(operation) => Next::Finalize(operation),
                _ => Next::Plan,
            };
        } else {
            pass.leave.clear();
        }
        None
    }

    /// Without a word in status, unless something took effect before.
    pub(super) fn break_off(pass: &mut Pass, outcome: Outcome) -> Option<Outcome> {
        if pass.recorded.operation.is_none() {
            return Some(outcome);
        }
        pass.next = Next::Settle(Box::default(), outcome);
        None
    }
}
