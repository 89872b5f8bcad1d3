//! What groups ask the guards for: members are counted by the group, and the rest of a pass goes on while they wait.

use jiff::Timestamp;

use super::{GroupPass, GroupStop};
use crate::api::{OperationType, Uid};
use crate::directory::has_finalizer;
use crate::plan::groups::{Group, GroupOperation, GroupVerdict, MEMBERS, RejectedParts, part};
use crate::plan::guards::{Gate, GuardName};
use crate::plan::{Binding, Path};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::engine::{AdmissionRequest, Ended, ObjectStatus};
use crate::provisioner::schedule::queue::{Lane, Outcome};

impl<E: Effects> Provisioner<E> {
    /// What an operation asks the guards for; none where no guard counts it.
    pub(super) fn group_admission(&self, pass: &GroupPass, operation: &GroupOperation) -> Option<AdmissionRequest> {
        let plan = pass.session.policy.plan;
        // What no guard counts needs no admission; asking would push aside what does.
        if operation.guard.is_none() && !plan && !moved(pass) {
            return self.rejected_before(pass, operation);
        }
        let request = AdmissionRequest::of(operation);
        if !changes_members(operation) {
            return Some(request);
        }
        self.forget_returned(pass);
        // Under Plan an approval covers what is left of it, chunk by chunk.
        let guard = if plan { Some(GuardName::Memberships) } else { operation.guard };
        Some(AdmissionRequest { attributes: self.owed_members(pass, plan), guard, ..request })
    }

    /// A creation that was rejected under Plan stays undone, though no guard counts it. Nothing else is asked for the object,
    /// so that this pushes nothing aside.
    fn rejected_before(&self, pass: &GroupPass, operation: &GroupOperation) -> Option<AdmissionRequest> {
        let request = (operation.kind == OperationType::Create).then(|| AdmissionRequest::of(operation))?;
        self.is_rejected(pass, &request).then_some(request)
    }

    /// Attributes, and members to be put in, that were rejected under Plan stay undone under Apply as well, though no guard
    /// counts them. They aren't asked for: that would push aside whoever is to leave, and keep others out (promise I13).
    pub(super) fn rejected_parts(&self, pass: &GroupPass) -> RejectedParts {
        let uid = pass.uid();
        if pass.session.policy.plan || pass.is_deleting() || !self.guards.has_rejections(&uid) {
            return RejectedParts::default();
        }
        let missing = self.directory.membership(&uid, |members| members.missing().clone()).unwrap_or_default();
        let members = missing.iter().map(|id| part(id, true));
        let parts = ["displayName", "externalId"].map(str::to_owned).into_iter().chain(members);
        let rejected = self.guards.rejected_parts(&uid, pass.generation(), parts);
        rejected.map(|(hold, parts)| RejectedParts { hold, parts }).unwrap_or_default()
    }

    /// What a binding asks for: under Plan, at another server than the one that the object was bound to, and where it was
    /// rejected.
    pub(super) fn admission_of_group_binding(
        &self,
        pass: &GroupPass,
        binding: &Binding,
    ) -> Option<(AdmissionRequest, Vec<Path>)> {
        let (operation, remote_id, attributes) = (binding.how, Some(binding.id.clone()), Vec::new());
        let request = AdmissionRequest { operation, remote_id, attributes, guard: None, undelegated: false };
        let asks = pass.session.policy.plan || moved(pass) || self.is_rejected(pass, &request);
        // What is removed at once is asked for by itself.
        (asks && !pass.is_deleting()).then_some((request, Vec::new()))
    }

    /// Whoever belongs in again, or has gone, was rejected or let go for nothing that comes later. True where all is done that
    /// was let go.
    fn forget_returned(&self, pass: &GroupPass) -> bool {
        let uid = pass.uid();
        if !self.guards.remembers_members(&uid) {
            return false;
        }
        let owed = self.directory.membership(&uid, |members| {
            let out = members.extra().iter().map(|id| part(id, false));
            let into = members.missing().iter().map(|id| part(id, true));
            members.is_known().then(|| out.chain(into).collect::<Vec<_>>())
        });
        owed.flatten().is_some_and(|owed| self.guards.members_owed(&uid, &owed))
    }

    /// How a pass ends whose removals wait for their admission.
    pub(super) fn group_ended(&self, pass: &mut GroupPass, verdict: Box<GroupVerdict>) -> Ended<Group> {
        self.note_left(pass);
        if self.forget_returned(pass) {
            // Its approval is good for nothing that comes later, nor after a restart.
            pass.status.hold = None;
        }
        if let Some((mut waiting, outcome)) = pass.own.removals.take() {
            if waiting.reason.is_some() {
                waiting.details.members = verdict.details.members;
                waiting.details.waiting_for.clone_from(&verdict.details.waiting_for);
                // Shown already: shown anew, it would be judged anew, and no approval would ever serve.
                waiting.details.drift.clone_from(&pass.status.drift);
            }
            return Ended::Otherwise(waiting, outcome);
        }
        // More of them than one pass looks for.
        if self.has_names_to_look_for(pass, &verdict) {
            return Ended::Otherwise(Box::default(), Outcome::Again);
        }
        // Whoever is dropped later doesn't wait for what else the group waits for (promise I18).
        let leave = self.directory.membership(&pass.uid(), |members| !members.extra().is_empty());
        if !pass.is_deleting() && leave == Some(false) {
            self.schedule.lower(&pass.uid(), Lane::Change);
        }
        let again = verdict.details.again_after.and_then(|wait| self.effects.now().checked_add(wait).ok());
        self.schedule.set_window(&pass.uid(), again);
        if verdict.executed && verdict.details.drift.is_none() {
            self.group_notes.mended(&pass.uid());
        }
        Ended::AsDecided(verdict)
    }

    /// What a percentage is of: the members of a group, or the groups.
    pub(super) fn group_base(&self, uid: &Uid, gate: &Gate, guard: Option<GuardName>, now: Timestamp) -> u64 {
        if guard == Some(GuardName::Memberships) {
            let present = self.directory.membership(uid, |members| members.present()).unwrap_or_default();
            return present as u64 + gate.taken_out(uid, now);
        }
        let bound = self.directory.groups_of(&self.key).iter().filter(has_finalizer).count();
        bound as u64 + gate.used(GuardName::Groups, now)
    }
}

/// The object is bound to a group of another server.
fn moved(pass: &GroupPass) -> bool {
    let known = pass.status.bound_to();
    pass.status.id.is_some() && known.is_some_and(|known| known != pass.server())
}

/// The operation is about who is in.
pub(super) fn changes_members(operation: &GroupOperation) -> bool {
    operation.attributes == [Path::core(MEMBERS)]
}

/// Removals that aren't admitted wait, and the rest of the pass goes on without them.
pub(super) fn go_on_without(
    pass: &mut GroupPass,
    operation: &GroupOperation,
    stop: GroupStop,
) -> Result<(), GroupStop> {
    let removes = changes_members(operation) && !operation.change.removed.is_empty();
    match stop {
        GroupStop::With(verdict, outcome) if removes && !pass.session.policy.plan => {
            pass.own.removals = Some((verdict, outcome));
            Ok(())
        }
        stop => Err(stop),
    }
}
