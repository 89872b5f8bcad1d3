//! What is done of a group while its connection serves removals only: whoever is removed leaves it, and nothing else changes
//! unless the group itself goes (promise I23).

use std::collections::BTreeSet;

use super::GroupPass;
use super::members::Standing;
use crate::api::RemoteId;
use crate::plan::Step;
use crate::plan::groups::{GroupStep, GroupVerdict, KeptMembers};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;

impl<E: Effects> Provisioner<E> {
    /// Nothing but removals is sent, and nothing else counts as carried out.
    pub(super) fn as_far_as_served(&self, pass: &GroupPass, step: GroupStep) -> GroupStep {
        if !self.serves_departures_only(pass) {
            return step;
        }
        match step {
            Step::Send(operation) if !operation.removes() => Step::Settle(self.serves_no_more(pass)),
            Step::Bind(_) => Step::Settle(self.serves_no_more(pass)),
            Step::Settle(verdict) if verdict.executed => {
                let told = self.serves_no_more(pass);
                let known = told.reason.is_none();
                let verdict = if known { GroupVerdict { executed: false, applied: None, ..*verdict } } else { *told };
                Step::Settle(Box::new(verdict))
            }
            step => step,
        }
    }

    /// Whoever isn't removed themselves stays in for now.
    pub(super) fn note_unserved(&self, pass: &GroupPass, departed: &BTreeSet<RemoteId>, kept: &mut KeptMembers) {
        if !self.serves_departures_only(pass) {
            return;
        }
        let extra = self.directory.membership(&pass.uid(), |members| members.extra().iter().cloned().collect());
        let extra: Vec<RemoteId> = extra.unwrap_or_default();
        for id in extra.iter().filter(|id| !departed.contains(*id)) {
            kept.note_leaving(id, Standing::Awaited);
        }
    }
}
