//! What deleting a ScimGroup does.

use super::facts::{GroupFacts, GroupOperation, GroupStep, GroupVerdict};
use super::first::{swapped, under_another_id};
use super::outcome::stalled;
use super::patch::Change;
use crate::api::{Action, AdoptionPolicy, GroupDeletionPolicy, GroupState, OperationType, Reason};
use crate::plan::claims::InTheWay;
use crate::plan::deprovision::way_out_of;
use crate::plan::guards::GuardName;
use crate::plan::{Account, Departure, Read, Request, Successor, person};
use crate::scim::Resource;

/// What an object that waits under deletion is told: nothing blocks silently (promise I15). `full_name` is its
/// `namespace/name`.
pub fn way_out(full_name: &str) -> String {
    way_out_of("scimgroup", "group", full_name)
}

/// Decides the next step for a group under deletion.
pub fn decide(facts: &GroupFacts) -> GroupStep {
    let object = &facts.object;
    if !object.has_finalizer || (object.status.id.is_none() && object.claimed.is_none()) {
        return remove_finalizer("nothing was ever sent for it");
    }
    if object.release {
        return left_as_is("released by annotation");
    }
    if let Some(successor) = &facts.claims.successor {
        return hand_over(facts, successor);
    }
    let retained = object.spec.deletion_policy == Some(GroupDeletionPolicy::Retain);
    if retained || facts.policy.group_deletion == GroupDeletionPolicy::Retain {
        return left_as_is("the deletion policy is Retain");
    }
    if !facts.may(Action::Deprovision) {
        return left_as_is("the connection's spec.actions doesn't list Deprovision");
    }
    if facts.bound_elsewhere() || facts.claims_elsewhere() {
        return waits(
            facts,
            Reason::BoundElsewhere,
            "bound to a group of another server, or may have made one there, which is left untouched; put the connection's \
             baseUrl and tenant back, or release the object",
        );
    }
    if facts.policy.suspend {
        return waits(
            facts,
            Reason::Suspended,
            "the connection is suspended: the group is untouched for now; set spec.suspend to false, or release the object",
        );
    }
    if let (Some(_), Account::Found { resource, .. }) = (facts.bound_id(), &facts.group) {
        if let Some((reason, why)) = &facts.not_its_own {
            return waits(facts, *reason, why);
        }
        if let Some(message) = swapped(facts, resource) {
            return waits(facts, Reason::Conflict, &message);
        }
    }
    match (facts.bound_id(), &facts.group) {
        // The server may have given out new ids: the group is looked for before it counts as gone.
        (Some(_), Account::Absent { .. }) if !facts.creations.deleted && !facts.creations.searched => {
            GroupStep::Read(Read::Find)
        }
        (Some(_), Account::Listed(other)) => GroupStep::Read(Read::Get(other.clone())),
        (Some(id), Account::Found { resource, .. }) if resource.id() != Some(id) => renumbered(facts, id, resource),
        (Some(id), Account::Contradictory(_)) => left_as_is(&format!(
            "the server doesn't have {id:?} any more, and several \
            groups with this displayName"
        )),
        (Some(_), Account::Absent { .. }) => remove_finalizer("the server doesn't have the group any more"),
        (Some(_), Account::Missing) => waits(
            facts,
            Reason::Pending,
            "the server answered 404 for this group; it is looked for once more in a minute before it counts as gone",
        ),
        (Some(id), group) => {
            if facts.must_be_seen && !matches!(group, Account::Found { .. }) {
                return GroupStep::Read(Read::Get(id.to_owned()));
            }
            // A deletion would take the membership of whoever is protected (promise I14).
            if !facts.members.membership.is_known() {
                return GroupStep::Read(Read::Members(id.to_owned()));
            }
            if let Some(pattern) = &facts.members.kept.protected_by {
                return left_as_is(&format!("guards.protected ({pattern}) keeps the membership of one of its members"));
            }
            let unknown = facts.members.kept.unknown.len();
            if unknown > 0 {
                let why = format!(
                    "guards.protected may keep the membership of {unknown} of its members, whose accounts the server has yet \
                     to show"
                );
                return waits(facts, Reason::Pending, &why);
            }
            if let Some(why) = &facts.members.kept.unseen {
                let why = format!("this server doesn't show who is in the group, and {why}; delete it at the server");
                return waits(facts, Reason::Protected, &why);
            }
            delete(facts, id)
        }
        (None, Account::Absent { fresh: true }) => remove_finalizer("no group was ever created for it"),
        (None, Account::Found { resource, fresh: true }) if ours(facts, resource) => match resource.id() {
            Some(id) => delete(facts, id),
            None => remove_finalizer("its group can't be identified with certainty"),
        },
        (None, Account::Found { resource, fresh: true })
            if facts.claims_name_of(resource) && !facts.is_believed(resource) =>
        {
            left_as_is(&person::untold("group", resource.id().unwrap_or_default()))
        }
        (None, Account::Found { fresh: true, .. }) => remove_finalizer("its group can't be identified with certainty"),
        (None, Account::Contradictory(_)) => {
            left_as_is("several groups have its displayName, and its own can't be identified with certainty")
        }
        (None, Account::Listed(id)) => GroupStep::Read(Read::Get(id.clone())),
        (None, _) => GroupStep::Read(Read::Find),
    }
}

/// The bound group is gone, and another one has its name (promise I6).
fn renumbered(facts: &GroupFacts, gone: &str, resource: &Resource) -> GroupStep {
    if let Some(binding) = under_another_id(facts, resource) {
        return GroupStep::Bind(binding);
    }
    let found = resource.id().unwrap_or_default();
    match facts.claims.in_the_way() {
        InTheWay::Passing(holder) => {
            let why = format!(
                "the server doesn't have {gone:?} any more, and {holder} may have the group {found:?}, which has its name, or \
                 give it up: this object waits until that is certain"
            );
            waits(facts, Reason::Pending, &why)
        }
        InTheWay::HasIt(holder) => handed_over(holder),
        InTheWay::Else => left_as_is(&format!(
            "the server doesn't have {gone:?} any more, and the group {found:?}, which has its name, isn't certain to be its own"
        )),
    }
}

/// The object goes without a removal: this one is bound to the group.
fn handed_over(name: &str) -> GroupStep {
    let (departure, message) = (Departure::HandedOver(name.to_owned()), format!("handed over to {name}"));
    GroupStep::RemoveFinalizer(Box::new(GroupVerdict { message, executed: true, departure, ..GroupVerdict::default() }))
}

/// A creation was sent and its answer never recorded: the group is ours only if nothing speaks against it.
fn ours(facts: &GroupFacts, group: &Resource) -> bool {
    // One that is older than the object was about to be adopted, where that is allowed.
    let claimed = facts.claims_group(group)
        || (facts.claims_name_of(group) && facts.policy.group_adoption == AdoptionPolicy::Adopt);
    // Whoever only has the name that was declared since is in nobody's way.
    claimed && facts.claims.holder.as_ref().is_none_or(|holder| !holder.has_account)
}

/// Deleting the object deletes the group, and at this server that is less than it sounds.
pub(super) fn unlinks(facts: &GroupFacts) -> bool {
    facts.policy.profile.delete_unlinks_groups
        && facts.policy.group_deletion == GroupDeletionPolicy::Delete
        && facts.object.spec.deletion_policy != Some(GroupDeletionPolicy::Retain)
}

fn delete(facts: &GroupFacts, id: &str) -> GroupStep {
    GroupStep::Send(Box::new(GroupOperation {
        kind: OperationType::Delete,
        request: Request::Delete { id: id.to_owned() },
        attributes: Vec::new(),
        guard: Some(GuardName::Groups),
        change: Change::default(),
        undelegated: facts.undelegated,
    }))
}

fn remove_finalizer(message: &str) -> GroupStep {
    let verdict = GroupVerdict { message: message.to_owned(), executed: true, ..GroupVerdict::default() };
    GroupStep::RemoveFinalizer(Box::new(verdict))
}

/// The group is left, though the object goes.
fn left_as_is(why: &str) -> GroupStep {
    let message = format!("{why}: the group stays as it is");
    let departure = Departure::LeftAsIs;
    GroupStep::RemoveFinalizer(Box::new(GroupVerdict { message, executed: true, departure, ..GroupVerdict::default() }))
}

/// The successor is bound first, and only then does the object go without a removal (promise I8).
fn hand_over(facts: &GroupFacts, successor: &Successor) -> GroupStep {
    let name = &successor.name;
    if successor.bound {
        return handed_over(name);
    }
    let kept = successor.kept_by();
    let why =
        format!("{name} declares the same displayName: this object goes once that one has taken over the group{kept}");
    let GroupStep::Settle(mut verdict) = waits(facts, Reason::Pending, &why) else { return remove_finalizer("") };
    verdict.awaits = Some(successor.clone());
    GroupStep::Settle(verdict)
}

/// Under deletion and waiting: the way out is always named.
fn waits(facts: &GroupFacts, reason: Reason, message: &str) -> GroupStep {
    let message = format!("{message}. {}", way_out(facts.object.full_name));
    let step = stalled(reason, message, GroupState::Deleting);
    match step {
        GroupStep::Settle(mut verdict) => {
            verdict.executed = !matches!(reason, Reason::Suspended | Reason::Pending);
            GroupStep::Settle(verdict)
        }
        other => other,
    }
}
