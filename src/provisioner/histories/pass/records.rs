//! What the API server keeps of a pass: finalizer, claim, status.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;

use super::{Next, Pass, claim, reason_of};
use crate::api::{ClaimedAccount, Reason, ScimUser, ScimUserStatus};
use crate::plan::{Binding, Operation, Verdict, bound_status, next_window_edge};
use crate::provisioner::directory::{has_finalizer, same_plan};
use crate::provisioner::histories::setup::SERVER;
use crate::provisioner::histories::world::{Fault, World};
use crate::provisioner::queue::Outcome;
use crate::provisioner::worker::own_error_pause;
use crate::status::{record, whole_seconds};

impl World {
    pub(super) fn bind(&mut self, pass: &mut Pass, binding: &Binding) -> Option<Outcome> {
        self.add_finalizer(pass, Some(&claim(&binding.user_name)))?;
        self.book.ours.insert(binding.id.clone());
        self.book.taken.entry(pass.ticket.uid.to_string()).or_default().push(binding.id.clone());
        pass.recorded.operation = Some((binding.how, Vec::new(), None));
        pass.status = bound_status(&pass.status, binding, SERVER, whole_seconds(self.time()));
        None
    }

    pub(super) fn outcome_of(&mut self, pass: &Pass, verdict: &Verdict) -> Outcome {
        let uid = &pass.ticket.uid;
        match verdict.reason {
            Some(Reason::Pending) => Outcome::After(Duration::from_secs(61)),
            Some(Reason::Rejected) => Outcome::Retry,
            Some(Reason::Conflict) => Outcome::After(own_error_pause(self.operator.memory.rejected(uid))),
            _ => {
                self.operator.memory.accepted(uid);
                let edge = next_window_edge(&pass.user.spec, self.time());
                self.operator.windows.set(uid, edge);
                Outcome::Done
            }
        }
    }

    /// What the operation must find in status, should the process die before its answer.
    pub(super) fn write_ahead(
        &mut self,
        pass: &mut Pass,
        ahead: ScimUserStatus,
        operation: Box<Operation>,
    ) -> Option<Outcome> {
        pass.was_bound |= pass.status.id.is_some() && ahead.id.is_none();
        pass.status = ahead;
        let outcome = self.settle(pass, &Verdict::default(), Outcome::Done);
        if outcome != Outcome::Done {
            return Some(outcome);
        }
        let status = Some(pass.status.clone());
        pass.user = Arc::new(ScimUser { status, ..(*pass.user).clone() });
        pass.next = Next::Finalize(operation);
        None
    }

    /// None where the object is gone, or has a newer spec than the one that was planned for.
    pub(super) fn add_finalizer(&mut self, pass: &mut Pass, claimed: Option<&ClaimedAccount>) -> Option<()> {
        if !has_finalizer(&pass.user) || pass.user.claimed_account().as_ref() != claimed {
            if let Some(user) = self.cluster.set_finalizer(&pass.ticket.uid, true, claimed) {
                self.learn(&user);
                let known = same_plan(&user, &pass.user);
                pass.user = Arc::new(user);
                pass.finalizer_is_new = pass.status.id.is_none();
                if !known {
                    pass.leave.clear();
                    self.take_back_finalizer(pass);
                    return None;
                }
            } else {
                pass.next = Next::Settle(Box::default(), Outcome::Done);
                return None;
            }
        }
        Some(())
    }

    /// Nothing was sent for the object yet, so it claims nothing.
    pub(super) fn take_back_finalizer(&mut self, pass: &mut Pass) {
        if std::mem::take(&mut pass.finalizer_is_new)
            && let Some(user) = self.cluster.set_finalizer(&pass.ticket.uid, false, None)
        {
            self.learn(&user);
            pass.user = Arc::new(user);
        }
    }

    pub(super) fn settle(&mut self, pass: &mut Pass, verdict: &Verdict, outcome: Outcome) -> Outcome {
        if verdict.declines() && pass.status.id.is_none() {
            self.decline(pass);
        }
        let status = record(&pass.status, pass.generation(), verdict, &pass.recorded, self.time());
        let saved = self.save(&pass.user, &status);
        if saved {
            self.note_rest(pass, verdict);
        }
        if saved { outcome } else { Outcome::Retry }
    }

    /// Whoever waited for the object to take over an account waits no longer.
    pub(super) fn decline(&mut self, pass: &Pass) {
        for uid in self.operator.directory.decline(&pass.user, SERVER) {
            self.route(&uid);
        }
    }

    /// Writes the status if it differs; what the API server refuses is kept and tried again alone.
    pub(super) fn save(&mut self, user: &Arc<ScimUser>, status: &ScimUserStatus) -> bool {
        if user.status.as_ref() == Some(status) {
            return true;
        }
        let uid = user.uid().unwrap_or_default();
        if self.strikes(&[Fault::Status]).is_some() {
            self.operator.memory.keep_unsaved(&uid, status.clone());
            return false;
        }
        if let Some(written) = self.cluster.set_status(&uid, status) {
            self.say(|| {
                format!(
                    "  {uid} status {:?} {:?} {:?} {}",
                    status.id,
                    status.observed_generation,
                    status.state,
                    reason_of(status)
                )
            });
            self.learn(&written);
            self.operator.memory.saved(&uid);
            self.check_owners();
        }
        true
    }

    pub(super) fn let_go(&mut self, pass: &mut Pass) -> Outcome {
        if let Some(user) = self.cluster.set_finalizer(&pass.ticket.uid, false, None) {
            self.learn(&user);
        }
        self.withdraw(&pass.ticket.uid);
        Outcome::Done
    }
}
