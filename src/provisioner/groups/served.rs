//! What is done of a group while its connection serves removals only: whoever is removed leaves it, and nothing else changes
//! unless the group itself goes (promise I23).

use std::collections::BTreeSet;

use super::GroupPass;
use super::members::Standing;
use crate::api::RemoteId;
use crate::plan::Step;
use crate::plan::groups::{GroupStep, KeptMembers};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;

impl<E: Effects> Provisioner<E> {
    fn serves_departures_only(&self, pass: &GroupPass) -> bool {
        let ends = self.connection().metadata.deletion_timestamp.is_some();
        !pass.is_deleting() && (ends || self.serves_removals_only())
    }

    /// Nothing but removals is sent.
    pub(super) fn as_far_as_served(&self, pass: &GroupPass, step: GroupStep) -> GroupStep {
        let sends = match &step {
            Step::Send(operation) => !operation.removes(),
            Step::Bind(_) => true,
            _ => false,
        };
        if sends && self.serves_departures_only(pass) { GroupStep::Settle(Box::default()) } else { step }
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
