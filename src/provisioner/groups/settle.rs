//! How a pass about a group ends: what status says, and when it is looked at again.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use tracing::{debug, warn};

use super::super::effects::Effects;
use super::super::kubernetes::WriteError;
use super::super::queue::Outcome;
use super::super::worker::{LOOK_AGAIN, own_error_pause};
use super::super::{Provisioner, lock};
use super::{GroupPass, full_name, has_finalizer, is_deleting};
use crate::api::{GroupState, Reason, ScimGroup, ScimGroupStatus};
use crate::plan::groups::{GroupVerdict, way_out};
use crate::plan::{Account, Path};
use crate::status::{Recorded, record_group, waits_already};

/// While members are still to come, those that came meanwhile are gathered for so long.
const GATHER: Duration = Duration::from_secs(2);

impl<E: Effects> Provisioner<E> {
    /// How a pass ends that has nothing left to do, or nothing but removals that wait for leave.
    pub(super) fn end_of_group(
        &self,
        pass: &mut GroupPass,
        verdict: Box<GroupVerdict>,
    ) -> (Box<GroupVerdict>, Outcome) {
        if let Some((mut waiting, outcome)) = pass.removals.take() {
            if waiting.reason.is_some() {
                waiting.members = verdict.members;
                waiting.waiting_for.clone_from(&verdict.waiting_for);
            }
            return (waiting, outcome);
        }
        if verdict.executed || verdict.awaits.is_some() {
            self.withdraw(&pass.uid());
        }
        if verdict.executed && verdict.drift.is_none() {
            lock(&self.groups).drift.remove(&pass.uid());
        }
        let outcome = self.outcome_of_group(pass, &verdict);
        (verdict, outcome)
    }

    /// When the group is to be looked at again.
    pub(super) fn outcome_of_group(&self, pass: &GroupPass, verdict: &GroupVerdict) -> Outcome {
        let uid = pass.uid();
        match verdict.reason {
            _ if verdict.again => Outcome::Again,
            // One 404: the second look is this ticket's own (promise I11).
            _ if pass.account == Some(Account::Missing) => Outcome::After(LOOK_AGAIN),
            Some(Reason::Pending) => Outcome::After(LOOK_AGAIN),
            Some(Reason::RateLimited) => {
                let wait = lock(&self.groups).pace.wait(&uid, self.effects.instant());
                Outcome::After(wait.max(GATHER))
            }
            Some(Reason::Rejected) => Outcome::Retry,
            Some(Reason::Conflict) => Outcome::After(own_error_pause(lock(&self.memory).rejected(&uid))),
            _ => {
                lock(&self.memory).accepted(&uid);
                let waits = verdict.members.is_some_and(|members| members.waiting > 0);
                if waits && pass.recorded.operation.is_some() { Outcome::After(GATHER) } else { Outcome::Done }
            }
        }
    }

    /// The object isn't bound as it is declared now: whoever waited for it to take over a group waits no longer.
    pub(super) fn decline_group(&self, pass: &GroupPass) {
        for uid in self.directory.decline_group(&pass.group, &pass.session.policy.server) {
            let _ = self.reroute.send(uid);
        }
    }

    /// The one that is to take over the group doesn't come to it, and nobody is asked about it.
    pub(super) fn gives_up(&self, pass: &GroupPass, verdict: &GroupVerdict) -> bool {
        let waits = verdict.awaits.as_ref().is_some_and(|successor| !successor.held);
        let overdue = waits && lock(&self.memory).is_overdue(&pass.uid(), self.effects.now());
        if overdue {
            self.directory.give_up_group(&pass.group, &pass.session.policy.server);
        }
        overdue
    }

    /// Writes how things stand, if that is news.
    pub(super) async fn settle_group(&self, pass: &mut GroupPass, verdict: &GroupVerdict, outcome: Outcome) -> Outcome {
        if verdict.declines() && pass.status.id.is_none() {
            self.decline_group(pass);
        }
        let generation = pass.group.metadata.generation.unwrap_or_default();
        if verdict.applied.is_some() {
            pass.status.external_id.clone_from(&pass.group.spec.external_id);
        }
        // The guard's ledger is written by itself, before what it counts.
        let newest = self.directory.group(&pass.uid());
        pass.status.removals = newest.and_then(|group| group.status.as_ref()?.removals.clone());
        let status = record_group(&pass.status, generation, verdict, &pass.recorded, self.effects.now());
        if let Some(reason) = verdict.reason {
            debug!(object = %full_name(&pass.group), reason = reason.as_str(), "{}", verdict.message);
        }
        match self.save_group(&pass.group, &status).await {
            Ok(_) => outcome,
            Err(WriteError::Gone) => Outcome::Done,
            Err(error) => {
                warn!(object = %full_name(&pass.group), "the status could not be written: {error}");
                Outcome::Retry
            }
        }
    }

    /// A group that waits says so; one that owes nothing is left as it is.
    pub(super) async fn group_waits(&self, group: &Arc<ScimGroup>, reason: Reason, message: &str) -> Outcome {
        // What is known and not written yet stays known.
        let unsaved = lock(&self.groups).unsaved.get(&group.uid().unwrap_or_default()).cloned();
        let status = unsaved.or_else(|| group.status.clone()).unwrap_or_default();
        let owes = status.observed_generation != group.metadata.generation || is_deleting(group);
        let waits = reason == Reason::Pending && waits_already(status.conditions.as_deref(), group.metadata.generation);
        if !owes || waits {
            return Outcome::Paused;
        }
        let verdict = GroupVerdict {
            reason: Some(reason),
            message: with_way_out(group, message.to_owned()),
            state: Some(if is_deleting(group) { GroupState::Deleting } else { GroupState::Pending }),
            ..GroupVerdict::default()
        };
        let generation = group.metadata.generation.unwrap_or_default();
        let new = record_group(&status, generation, &verdict, &Recorded::default(), self.effects.now());
        if let Err(error) = self.save_group(group, &new).await {
            debug!(object = %full_name(group), "{error}");
        }
        Outcome::Paused
    }

    /// Members were put back, or taken out again, without a change on our side.
    pub(super) fn repaired(&self, pass: &GroupPass) {
        let drifted = lock(&self.groups).drift.remove(&pass.uid()).is_some();
        if drifted {
            lock(&self.memory).repaired(&pass.uid(), &[Path::core("members")], self.effects.now());
        }
    }
}

/// What an object is told that waits; under deletion the way out is always named (promise I15).
pub(super) fn with_way_out(group: &ScimGroup, message: String) -> String {
    if is_deleting(group) && has_finalizer(group) {
        format!("{message}. {}", way_out(&full_name(group)))
    } else {
        message
    }
}

/// The status as far as it speaks of this server.
pub(super) fn at_server(old: &ScimGroupStatus, server: &str) -> ScimGroupStatus {
    let mut status = old.clone();
    if status.bound_to.as_deref().is_some_and(|known| known != server) {
        status = ScimGroupStatus {
            observed_generation: status.observed_generation,
            last_handled_reconcile_at: status.last_handled_reconcile_at,
            state: status.state,
            conditions: status.conditions,
            ..ScimGroupStatus::default()
        };
    }
    status.bound_to = Some(server.to_owned());
    status
}
