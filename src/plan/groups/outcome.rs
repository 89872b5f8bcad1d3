//! Verdicts about groups that several decisions come to.

use super::facts::{GroupStep, GroupVerdict};
use serde_json::Value;

use crate::api::{GroupState, Reason};
use crate::plan::Holder;
use crate::plan::claims::{GROUP, elder_comes_first};
use crate::scim::{Resource, composed};

pub(super) fn settle(verdict: GroupVerdict) -> GroupStep {
    GroupStep::Settle(Box::new(verdict))
}

/// The generation can't be carried out as it stands.
pub(super) fn stalled(reason: Reason, message: String, state: GroupState) -> GroupStep {
    settle(GroupVerdict {
        reason: Some(reason),
        message,
        state: Some(state),
        executed: true,
        ..GroupVerdict::default()
    })
}

pub(super) fn elder(name: &str) -> GroupStep {
    stalled(Reason::Conflict, elder_comes_first(name, GROUP), GroupState::Failed)
}

/// Another object has the group, or the name, or may have made a group of that name (promise I8).
pub(super) fn waits_for(holder: &Holder) -> GroupStep {
    let (reason, message) = holder.in_the_way(GROUP);
    if reason == Reason::Conflict {
        return stalled(reason, message, GroupState::Failed);
    }
    settle(GroupVerdict { reason: Some(reason), message, state: Some(GroupState::Pending), ..GroupVerdict::default() })
}

pub(super) fn display_name(resource: &Resource) -> Option<&str> {
    resource.get("displayName").and_then(Value::as_str)
}

/// Two names are the same: however their letters are composed, and without the spaces around them, which servers cut off.
pub fn same_name(one: &str, other: &str) -> bool {
    one == other || composed(one.trim()) == composed(other.trim())
}
