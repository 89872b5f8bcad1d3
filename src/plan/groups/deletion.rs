//! What deleting a ScimGroup does.

use super::facts::{GroupFacts, GroupOperation, GroupStep};
use super::first::{swapped, under_another_id};
use super::patch::Change;
use crate::api::{Action, AdoptionPolicy, GroupDeletionPolicy, OperationType, Reason};
use crate::plan::deletion::{self, Leaving, left_as_is, remove_finalizer};
use crate::plan::guards::GuardName;
use crate::plan::{Account, Read, Request, person};
use crate::scim::Resource;

/// Decides the next step for a group under deletion.
pub fn decide(facts: &GroupFacts) -> GroupStep {
    let object = &facts.object;
    let retained = object.spec.deletion_policy == Some(GroupDeletionPolicy::Retain);
    let leaving = Leaving {
        full_name: object.full_name,
        sent: object.has_finalizer && (object.status.id.is_some() || object.claimed.is_some()),
        released: object.release,
        successor: facts.claims.successor.as_ref(),
        retained: retained || facts.policy.group_deletion == GroupDeletionPolicy::Retain,
        permitted: facts.may(Action::Deprovision),
        elsewhere: facts.bound_elsewhere() || facts.claims_elsewhere(),
        suspended: facts.policy.suspend.then_some("the connection is suspended"),
    };
    if let Some(step) = leaving.decided() {
        return step;
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
        (Some(id), group) => bound(facts, id, group),
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

/// The bound group is there, as far as is known: it is deleted once nobody in it is kept there.
fn bound(facts: &GroupFacts, id: &str, group: &Account) -> GroupStep {
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

/// The bound group is gone, and another one has its name (promise I6).
fn renumbered(facts: &GroupFacts, gone: &str, resource: &Resource) -> GroupStep {
    if let Some(binding) = under_another_id(facts, resource) {
        return GroupStep::Bind(binding);
    }
    let found = resource.id().unwrap_or_default();
    deletion::renumbered(facts.object.full_name, gone, found, &facts.claims.in_the_way())
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

/// Under deletion and waiting.
fn waits(facts: &GroupFacts, reason: Reason, message: &str) -> GroupStep {
    deletion::waits(facts.object.full_name, reason, message)
}
