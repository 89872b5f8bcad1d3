//! Leave for what is to be sent about a group (promise I13).

use super::super::admission::{named, why_held};
use super::super::effects::Effects;
use super::super::queue::Outcome;
use super::super::{Provisioner, lock};
use super::members::Standing;
use super::{GroupPass, GroupStop, has_finalizer, is_deleting};
use crate::api::{GroupState, OperationType, Reason, UserHold};
use crate::plan::groups::{GroupOperation, GroupVerdict};
use crate::plan::guards::{Admission, Candidate, GuardName};
use crate::plan::{Binding, Departure, Request};

impl<E: Effects> Provisioner<E> {
    /// Asks leave for a request. False: its removals wait, and the rest of the pass goes on without them.
    pub(super) async fn ask_leave_for_group(
        &self,
        pass: &mut GroupPass,
        operation: &GroupOperation,
    ) -> Result<bool, GroupStop> {
        let plan = pass.session.policy.plan;
        let members = operation.attributes == ["members"];
        // What no guard counts needs no leave; asking would push aside what does.
        if operation.guard.is_none() && !plan && !moved(pass) {
            return Ok(true);
        }
        let remote_id = match &operation.request {
            Request::Create(_) => None,
            Request::Patch { id, .. } | Request::Put { id, .. } | Request::Delete { id } => Some(id.clone()),
        };
        let attributes = if members { self.owed_members(pass, plan) } else { operation.attributes.clone() };
        // Under Plan an approval covers what is left of it, chunk by chunk.
        let guard = if members && plan { Some(GuardName::Memberships) } else { operation.guard };
        let candidate = candidate(pass, operation.kind, remote_id, attributes, guard);
        match self.admit(pass, candidate).await {
            Ok(()) => Ok(true),
            Err(GroupStop::With(verdict, outcome)) if members && !plan => {
                pass.removals = Some((verdict, outcome));
                Ok(false)
            }
            Err(stop) => Err(stop),
        }
    }

    /// Asks leave for taking over a group that was there.
    pub(super) async fn ask_leave_to_bind_group(&self, pass: &GroupPass, binding: &Binding) -> Result<(), GroupStop> {
        if !pass.session.policy.plan && !moved(pass) {
            return Ok(());
        }
        let candidate = candidate(pass, binding.how, Some(binding.id.clone()), Vec::new(), None);
        self.admit(pass, candidate).await
    }

    /// Every member that is to go, as its guard counts them; under Plan those that are to come, too.
    fn owed_members(&self, pass: &GroupPass, plan: bool) -> Vec<String> {
        let directory = &self.directory;
        let owed = directory.membership(&pass.uid(), |members| {
            let out: Vec<_> = members.extra().iter().cloned().collect();
            let into: Vec<_> = if plan { members.missing().iter().cloned().collect() } else { Vec::new() };
            (out, into)
        });
        let (out, into) = owed.unwrap_or_default();
        let departed = directory.departed(&pass.uid());
        let out = out.iter().filter(|id| !departed.contains(*id) && self.protection(pass, id) == Standing::Free);
        let mut names: Vec<String> = out.map(|id| format!("-{id}")).collect();
        names.extend(into.iter().map(|id| format!("+{id}")));
        names.sort_unstable();
        names
    }

    async fn admit(&self, pass: &GroupPass, candidate: Candidate) -> Result<(), GroupStop> {
        let uid = pass.uid();
        let (guard, digest, operation) = (candidate.guard, candidate.digest(), candidate.operation);
        let what = what_of(&candidate);
        let directory = &self.directory;
        let (admission, revision) = {
            let now = self.effects.now();
            let present = directory.membership(&uid, |members| members.present()).unwrap_or_default();
            let bound = directory.groups_of(&self.key).iter().filter(|group| has_finalizer(group)).count();
            let mut gate = lock(&self.gate);
            let base = match guard {
                Some(GuardName::Memberships) => present as u64 + gate.taken_out(&uid, now),
                _ => bound as u64 + gate.used(GuardName::Groups, now),
            };
            (gate.admit(candidate, base, now), gate.revision())
        };
        let stopped = |reason, message, hold| {
            let planned = reason == Reason::Planned;
            let state = Some(if planned { GroupState::Planned } else { GroupState::Held });
            let (reason, executed) = (Some(reason), !planned);
            Box::new(GroupVerdict { reason, message, state, executed, hold, ..GroupVerdict::default() })
        };
        match admission {
            Admission::Go if guard == Some(GuardName::Memberships) => self.keep_group_ledger(pass).await,
            Admission::Go => self.keep_ledger(revision).await.map_err(|_| GroupStop::Silently(Outcome::Retry)),
            Admission::Wait(wait) | Admission::Queued(wait) => {
                // A moment, so that it is judged together: not worth a word in status.
                Err(GroupStop::With(Box::default(), Outcome::After(wait)))
            }
            Admission::LetGoUntouched => Err(GroupStop::LetGo(Box::new(GroupVerdict {
                message: "its hold was rejected: the group stays as it is".to_owned(),
                departure: Departure::LeftAsIs,
                ..GroupVerdict::default()
            }))),
            Admission::Rejected { id } => {
                self.decline_group(pass);
                let message = format!(
                    "{} was held (hold {id}) and rejected; it stays undone until this object's spec changes",
                    operation.as_str()
                );
                let hold = UserHold { id, operation, digest };
                Err(GroupStop::With(stopped(Reason::Held, message, Some(hold)), Outcome::Done))
            }
            Admission::Held { closes_in, id, count, reason } => {
                let (reason, why) = why_held(reason);
                let ways = self.ways_out(id.as_deref(), closes_in, count);
                let message = format!("{}{what} is held: {why}. {ways}", operation.as_str());
                let hold = id.map(|id| UserHold { id, operation, digest });
                let verdict = GroupVerdict { unanswered: true, ..*stopped(reason, message, hold) };
                Err(GroupStop::With(Box::new(verdict), Outcome::Done))
            }
        }
    }
}

fn moved(pass: &GroupPass) -> bool {
    let known = pass.status.bound_to.as_ref();
    pass.status.id.is_some() && known.is_some_and(|known| *known != pass.session.policy.server)
}

/// What is held of a group: its members, counted, or its attributes, named.
fn what_of(candidate: &Candidate) -> String {
    match candidate.attributes.len() {
        0 => String::new(),
        1 if candidate.guard == Some(GuardName::Memberships) => " of one membership".to_owned(),
        count if candidate.guard == Some(GuardName::Memberships) => format!(" of {count} memberships"),
        _ => format!(" of {}", named(&candidate.attributes)),
    }
}

fn candidate(
    pass: &GroupPass,
    kind: OperationType,
    remote_id: Option<String>,
    attributes: Vec<String>,
    guard: Option<GuardName>,
) -> Candidate {
    let mut candidate = Candidate {
        uid: pass.uid().into(),
        server: pass.session.policy.server.clone(),
        generation: pass.group.metadata.generation.unwrap_or_default(),
        operation: kind,
        remote_id,
        attributes,
        guard,
        moved: moved(pass),
        deleted: is_deleting(&pass.group),
        held: None,
        held_before: None,
    };
    let digest = candidate.digest();
    let status = &pass.status;
    candidate.held = status.hold.as_ref().filter(|hold| hold.digest == digest).map(|hold| hold.id.clone());
    let hold = status.hold.as_ref().filter(|_| status.observed_generation == pass.group.metadata.generation);
    let same = hold.filter(|hold| hold.operation == candidate.operation);
    candidate.held_before = same.map(|hold| hold.id.clone());
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::guards::HoldReason;

    fn candidate(operation: OperationType, attributes: &[&str], guard: Option<GuardName>) -> Candidate {
        Candidate {
            uid: "g".into(),
            server: "here".into(),
            generation: 1,
            operation,
            remote_id: None,
            attributes: attributes.iter().map(|name| (*name).to_owned()).collect(),
            guard,
            moved: false,
            deleted: false,
            held: None,
            held_before: None,
        }
    }

    #[test]
    fn i13_what_is_held_of_a_group_is_said_as_it_is() {
        let create = candidate(OperationType::Create, &["displayName", "externalId"], None);
        assert_eq!(what_of(&create), " of displayName, externalId");
        assert_eq!(what_of(&candidate(OperationType::Delete, &[], Some(GuardName::Groups))), "");
        let members = candidate(OperationType::Update, &["-1", "-2"], Some(GuardName::Memberships));
        assert_eq!(what_of(&members), " of 2 memberships");
        assert_eq!(why_held(HoldReason::NewServer).0, Reason::Held);
        assert!(why_held(HoldReason::NewServer).1.contains("another server"));
        assert!(why_held(HoldReason::Guard(GuardName::Groups)).1.contains("groups guard"));
        assert_eq!(why_held(HoldReason::Plan).0, Reason::Planned);
    }
}
