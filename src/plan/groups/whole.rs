//! What replaces a group as it was read, which may be older than what this pass did.

use super::facts::GroupFacts;
use super::patch::Change;
use crate::api::RemoteId;
use crate::scim::Resource;

/// The change that is laid over the group as it was read.
pub(super) fn laid_over(facts: &GroupFacts, whole: &Resource, change: &Change) -> Change {
    with_taken_out(facts, whole, with_unshown(facts, change))
}

/// Whoever was put in before, and isn't shown yet, isn't taken out by what replaces the group.
fn with_unshown(facts: &GroupFacts, change: &Change) -> Change {
    let membership = facts.members.membership;
    let stays =
        |id: &&RemoteId| membership.is_declared(id) && !change.added.contains(id) && !change.removed.contains(id);
    let mut change = change.clone();
    let unshown: Vec<RemoteId> = membership.unshown().filter(stays).cloned().collect();
    change.added.extend(unshown);
    change
}

/// Whoever was taken out in this pass, and is shown all the same, isn't given back by what replaces the group: what was read
/// may be older.
fn with_taken_out(facts: &GroupFacts, whole: &Resource, mut change: Change) -> Change {
    let sent = facts.members.sent;
    let shown = whole.members().into_iter().flatten().map(RemoteId::from).filter(|id| sent.contains(id));
    let out = shown.filter(|id| facts.members.membership.is_out(id) && !change.removed.contains(id));
    let out: Vec<RemoteId> = out.collect();
    change.removed.extend(out);
    change
}
