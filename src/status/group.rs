//! The status of a ScimGroup.

use jiff::Timestamp;

use super::condition::set_object_conditions;
use super::pass_log::PassLog;
use crate::api::{Also, GroupState, IgnoredAttribute, ScimGroupStatus};
use crate::plan::groups::{GroupVerdict, part_of};

/// So many of those that are waited for are named.
const WAITING_LIMIT: usize = 20;

/// The status after a pass. Equal to `old` when nothing changed, so that nothing need be written.
pub fn record_group(
    old: &ScimGroupStatus,
    generation: i64,
    verdict: &GroupVerdict,
    log: &PassLog,
    now: Timestamp,
) -> ScimGroupStatus {
    let mut status = old.clone();
    if verdict.executed {
        status.observed_generation = Some(generation);
    }
    // What couldn't be put back is as it was found, and isn't told of anew.
    let stays = verdict.state == Some(GroupState::Failed) && verdict.applied.is_none();
    if (verdict.executed && !stays) || verdict.details.drift.is_some() {
        status.drift.clone_from(&verdict.details.drift);
    }
    if verdict.state.is_some() {
        status.state = verdict.state;
    }
    if verdict.details.display_name.is_some() {
        status.display_name.clone_from(&verdict.details.display_name);
    }
    if let Some(applied) = &verdict.applied {
        status.applied_attributes = Some(applied.text());
        let refused = &verdict.details.refused;
        let owed = |entry: &IgnoredAttribute| part_of(entry).is_some_and(|part| refused.contains(&part));
        let known = status.ignored_attributes.take().into_iter().flatten().filter(owed).collect::<Vec<_>>();
        status.ignored_attributes = (!known.is_empty()).then_some(known);
    }
    if let Some(members) = verdict.details.members {
        status.members = Some(members);
        let waiting: Vec<String> = verdict.details.waiting_for.iter().take(WAITING_LIMIT).cloned().collect();
        status.waiting_for = (!waiting.is_empty()).then_some(waiting);
    }
    // A verdict that names no hold means that there is none; one that only waits says nothing of it.
    if verdict.reason.is_some_and(|reason| reason.also() != Also::Reconciling) {
        status.hold.clone_from(&verdict.hold);
    }
    if let Some(last) = &log.last {
        status.last_operation = Some(last.recorded(now));
    }
    if let Some(handled) = log.handled(verdict) {
        status.last_handled_reconcile_at = Some(handled.clone());
    }
    if let Some(reason) = verdict.reason {
        let conditions = status.conditions.get_or_insert_with(Vec::new);
        set_object_conditions(conditions, &reason.into(), &verdict.message, generation, now);
    }
    status
}
