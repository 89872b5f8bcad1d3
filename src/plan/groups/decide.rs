//! The decision about a group: one pure function from everything known to the next step.

use serde_json::json;

use super::deletion;
use super::differing::differing;
use super::facts::{GroupFacts, GroupOperation, GroupStep, GroupVerdict};
use super::first::{first_binding, swapped};
use super::membership::MEMBERS;
use super::name::same_name;
use super::patch::{Change, chunk, member, part, replaced, without_paths};
use super::rest::{at_rest, drifted};
use super::unfound;
use super::whole::laid_over;
use crate::api::{Action, GroupState, OperationType, Reason, RemoteId};
use crate::plan::guards::GuardName;
use crate::plan::outcome::{comes_first, disabled, pending, settle, stalled, waits_for};
use crate::plan::{Account, HolderState, Path, Read, Request};
use crate::scim::{Attributes, PatchOperation, Resource, WriteMethod, composed};

/// Decides the next step for one group.
pub fn decide_group(facts: &GroupFacts) -> GroupStep {
    if facts.object.deleting {
        return deletion::decide(facts);
    }
    if facts.policy.suspend {
        return GroupStep::Settle(Box::new(GroupVerdict {
            reason: Some(Reason::Suspended),
            message: "nothing is sent while the connection is suspended; set spec.suspend to false to go on".to_owned(),
            state: Some(GroupState::Suspended),
            ..GroupVerdict::default()
        }));
    }
    if let Some(why) = facts.unsupported {
        return stalled(Reason::NotSupported, format!("this server has no groups: {why}"), GroupState::Failed);
    }
    let removes = facts.bound_id().is_some() && !facts.members.membership.extra().is_empty();
    if let Some(step) = refused(facts).filter(|_| !removes) {
        return step;
    }
    match (facts.bound_id(), &facts.group) {
        (Some(id), Account::Unknown) => GroupStep::Read(Read::Get(id.to_owned())),
        // A person asks how it stands now, not how it stood when the server was listed last.
        (Some(id), Account::Absent { fresh: false }) if facts.object.requested => {
            GroupStep::Read(Read::Get(id.to_owned()))
        }
        (Some(id), Account::Found { resource, fresh: false }) if facts.object.requested => {
            GroupStep::Read(Read::Get(resource.id().unwrap_or(id).to_owned()))
        }
        // The bound one is gone, and another has its name: the server may have given out new ids.
        (Some(id), Account::Found { resource, .. }) if resource.id() != Some(id) => first_binding(facts, resource),
        (Some(id), Account::Found { resource, .. }) => {
            let swapped = || swapped(facts, resource).map(|message| (Reason::Conflict, message));
            match facts.not_its_own.clone().or_else(swapped) {
                Some((reason, why)) => stalled(reason, why, GroupState::Failed),
                None => bound(facts, id, resource),
            }
        }
        (Some(id), Account::Absent { .. }) => gone(facts, id),
        (None, Account::Unknown) => look_up(facts),
        (_, Account::Listed(id)) => GroupStep::Read(Read::Get(id.clone())),
        (None, Account::Absent { fresh }) => unknown_there(facts, *fresh),
        (None, Account::Found { resource, .. }) => first_binding(facts, resource),
        // What one 404 would prove is known, and nothing is to be sent for it.
        (Some(id), Account::Missing)
            if facts.object.status.state == Some(GroupState::DeletedAtServer) && !is_replaced(facts) =>
        {
            gone(facts, id)
        }
        (_, Account::Missing) => settle(GroupVerdict {
            reason: Some(Reason::Pending),
            message: "the server answered 404 for this group; it is looked for once more in a minute before it counts as gone".to_owned(),
            ..GroupVerdict::default()
        }),
        (_, Account::Contradictory(message)) => stalled(Reason::Conflict, message.clone(), GroupState::Failed),
    }
}

/// Why nothing is written that the object declares. Nobody is kept in the group by it.
fn refused(facts: &GroupFacts) -> Option<GroupStep> {
    if let Some(name) = nested(facts) {
        let message = format!(
            "this server has no groups within groups, and groupRef names {name}; name its members instead, or set \
             spec.dialect.nestedGroups where the server has them"
        );
        return Some(stalled(Reason::NotSupported, message, GroupState::Failed));
    }
    let first = facts.members.foreign.first()?;
    Some(stalled(Reason::NotAllowed, first.clone(), GroupState::Failed))
}

/// A group that is to be a member, at a server that has no such members.
fn nested<'a>(facts: &GroupFacts<'a>) -> Option<&'a str> {
    let members = facts.object.spec.members.iter().flatten();
    let mut names = members.filter_map(|member| member.group_ref.as_ref().map(|group| group.name.as_str()));
    names.next().filter(|_| !facts.policy.profile.nested_groups)
}

fn look_up(facts: &GroupFacts) -> GroupStep {
    GroupStep::Read(facts.object.remote_id.map_or(Read::Find, |id| Read::Get(id.to_owned())))
}

fn unknown_there(facts: &GroupFacts, fresh: bool) -> GroupStep {
    if let Some(id) = facts.object.remote_id {
        let message = format!(
            "the annotation remote-id names the group {id:?}, which the server doesn't have; correct it or take it off"
        );
        return stalled(Reason::Conflict, message, GroupState::Failed);
    }
    if let Some(name) = &facts.claims.elder {
        return comes_first(name);
    }
    // Names needn't be unique at the server: the other one is gone, or renamed, first.
    if let Some(holder) = facts.claims.holder.as_ref() {
        if holder.state != HolderState::HandsOver {
            return waits_for(holder);
        }
        if !fresh {
            return look_up(facts);
        }
    }
    // What nothing is created for isn't looked for each time.
    if !facts.may(Action::Create) {
        return create(facts);
    }
    // Names needn't be unique there: a listing may be older than the last group of this name (promise I7).
    if !fresh {
        return look_up(facts);
    }
    create(facts)
}

/// A group is created empty, for not every server keeps the members of a creation; with those who have an account by now
/// only where it must not be empty. The one place that creates (promise I7): never twice in a pass, nor a third time within
/// an hour.
fn create(facts: &GroupFacts) -> GroupStep {
    if !facts.may(Action::Create) {
        return disabled("Create", "the group is not there, and");
    }
    if let Some(message) = facts.creations.exhausted("group") {
        return stalled(Reason::Conflict, message, GroupState::Failed);
    }
    if let Some(message) = facts.creations.before_another("group") {
        return pending(message);
    }
    let change = if facts.never_empty { owed(facts) } else { Change::default() };
    if facts.never_empty && change.added.is_empty() {
        return awaits_members(facts);
    }
    let spec = facts.object.spec;
    let mut body = Attributes::new();
    body.insert("displayName".into(), json!(composed(&spec.display_name)));
    if let Some(external_id) = &spec.external_id {
        body.insert("externalId".into(), json!(external_id));
    }
    let attributes = body.keys().map(|name| Path::core(name)).collect();
    if !change.added.is_empty() {
        let members: Vec<_> = change.added.iter().map(|id| member(id.as_str(), &facts.policy.profile)).collect();
        body.insert(MEMBERS.into(), json!(members));
    }
    GroupStep::Send(Box::new(GroupOperation {
        kind: OperationType::Create,
        request: Request::Create(body),
        attributes,
        guard: None,
        undelegated: false,
        change,
    }))
}

/// Nobody can be put into the group yet, and without members there is none.
fn awaits_members(facts: &GroupFacts) -> GroupStep {
    if facts.members.membership.declared() == 0 {
        let message = "the server makes no group without members, and this one declares none";
        return stalled(Reason::Rejected, message.to_owned(), GroupState::Failed);
    }
    let message = "the server makes no group without members; it is made as soon as one of them has an account";
    pending(message.to_owned())
}

fn send(kind: OperationType, request: Request, attributes: Vec<Path>) -> GroupStep {
    GroupStep::Send(Box::new(GroupOperation {
        kind,
        request,
        attributes,
        guard: None,
        change: Change::default(),
        undelegated: false,
    }))
}

/// Whether a group that is gone is to be had again.
fn is_replaced(facts: &GroupFacts) -> bool {
    facts.policy.repair.deleted || facts.object.requested
}

fn gone(facts: &GroupFacts, id: &str) -> GroupStep {
    // It may be there under another id.
    if !facts.creations.searched {
        return GroupStep::Read(Read::Find);
    }
    if is_replaced(facts) {
        return create(facts);
    }
    stalled(
        Reason::DeletedAtServer,
        format!(
            "the group {id} was deleted at the server, not by us; to have it created again annotate this object with \
             scim-operator.dev/reconcile-requested-at, or set the connection's driftPolicy.deleted to Repair"
        ),
        GroupState::DeletedAtServer,
    )
}

/// The object is bound, and its group is there.
fn bound(facts: &GroupFacts, id: &str, resource: &Resource) -> GroupStep {
    let attributes = differing(facts, resource);
    if !facts.members.membership.is_known() {
        return GroupStep::Read(Read::Members(id.to_owned()));
    }
    // What others changed, and what was declared since it was last carried out.
    let applied = facts.applied();
    let by_others = |operation: &PatchOperation| {
        operation.path.as_deref().is_some_and(|path| applied.has(path, operation.value.as_ref()))
    };
    let (changed, declared): (Vec<_>, Vec<_>) = attributes.into_iter().partition(by_others);
    if let Some(step) = drifted(facts, resource, &changed) {
        return step;
    }
    let (left, mut attributes) = if facts.policy.repair.attributes || facts.object.requested {
        (Vec::new(), [changed, declared].concat())
    } else {
        (changed, declared)
    };
    // Only the name waits: whoever leaves the group leaves it now.
    let waits = name_is_anothers(facts, resource);
    if waits.is_some() {
        attributes.retain(|operation| operation.path.as_deref() != Some("displayName"));
    }
    let change = owed(facts);
    if (!attributes.is_empty() || !change.added.is_empty() || !change.removed.is_empty()) && !facts.may(Action::Update)
    {
        return disabled("Update", "the group is to be changed, but");
    }
    if !change.removed.is_empty() {
        return change_members(facts, id, change);
    }
    // Nothing else that is declared, or can't be had, keeps anybody in.
    if let Some(step) = refused(facts) {
        return step;
    }
    let next = facts.split.next(attributes.iter().filter_map(|operation| operation.path.clone()), usize::MAX);
    attributes.retain(|operation| operation.path.as_ref().is_some_and(|path| next.contains(path)));
    if !attributes.is_empty() {
        let names = attributes.iter().filter_map(|operation| operation.path.as_deref()).map(Path::core).collect();
        return match request(facts, id, attributes, &Change::default()) {
            Ok(request) => send(OperationType::Update, request, names),
            Err(step) => step,
        };
    }
    if !change.added.is_empty() {
        return change_members(facts, id, change);
    }
    if waits.is_none() && unfound::says_nothing(facts) {
        return settle(GroupVerdict::default());
    }
    waits.unwrap_or_else(|| settle(at_rest(facts, resource, &left)))
}

/// Why the group can't have the name declared yet.
fn name_is_anothers(facts: &GroupFacts, resource: &Resource) -> Option<GroupStep> {
    if resource.display_name().is_some_and(|name| same_name(name, &facts.object.spec.display_name)) {
        return None;
    }
    let claims = &facts.claims;
    claims.holder.as_ref().map(waits_for).or_else(|| claims.elder.as_deref().map(comes_first))
}

/// A PATCH, or the whole group as it was just read with the change laid over it: whoever else is in it stays.
fn request(
    facts: &GroupFacts,
    id: &str,
    operations: Vec<PatchOperation>,
    change: &Change,
) -> Result<Request, GroupStep> {
    if facts.policy.profile.write_groups == WriteMethod::Patch {
        let operations = if facts.policy.profile.pathless_groups { without_paths(operations) } else { operations };
        return Ok(Request::Patch { id: id.to_owned(), operations });
    }
    if facts.shown_partly {
        let message = "the server shows a part of this group's members alone, and has no PATCH for groups: to replace it would take \
                       out whoever isn't shown, so nothing is sent; set spec.dialect.writeGroups of the connection to Patch if \
                       it has that";
        return Err(stalled(Reason::NotSupported, message.to_owned(), GroupState::Failed));
    }
    let Some(whole) = facts.whole.filter(|whole| whole.id() == Some(id)) else {
        return Err(GroupStep::Read(Read::Members(id.to_owned())));
    };
    let membership = facts.members.membership;
    let shows_nobody = whole.members().is_none_or(|mut shown| shown.next().is_none());
    let is_hidden = membership.is_by_record() && shows_nobody && membership.here().next().is_some();
    if is_hidden || (!facts.shows_members && whole.get(MEMBERS).is_none()) {
        let message = "the server has no PATCH for groups, and doesn't show who is in this one: to replace it could take out \
                       members that nobody sees, so nothing is sent; set spec.dialect.writeGroups of the connection to Patch if \
                       it has that";
        return Err(stalled(Reason::NotSupported, message.to_owned(), GroupState::Failed));
    }
    let change = laid_over(facts, whole, change);
    let body = replaced(whole, id, &operations, &change, &facts.policy.profile);
    Ok(Request::Put { id: id.to_owned(), body, if_match: whole.version().map(str::to_owned) })
}

fn change_members(facts: &GroupFacts, id: &str, change: Change) -> GroupStep {
    let operations = change.operations(&facts.policy.profile);
    let request = match request(facts, id, operations, &change) {
        Ok(request) => request,
        Err(step) => return step,
    };
    let uncounted = change.removed.iter().all(|id| facts.members.departed.contains(id));
    GroupStep::Send(Box::new(GroupOperation {
        kind: OperationType::Update,
        request,
        attributes: vec![Path::core(MEMBERS)],
        guard: (!uncounted).then_some(GuardName::Memberships),
        change,
        undelegated: false,
    }))
}

/// The next request's share of what is owed.
fn owed(facts: &GroupFacts) -> Change {
    let members = &facts.members;
    let unsent = |id: &&RemoteId| !members.sent.contains(*id);
    let rests = |id: &&RemoteId, put: bool| !members.resting.is_empty() && members.resting.contains(&part(id, put));
    let extra = || {
        let extra = members.membership.extra().iter().filter(unsent);
        extra.filter(|id| !members.kept.leaving.contains(*id) && !rests(id, false))
    };
    let kept = members.kept;
    let stays_out =
        |id: &&RemoteId| members.unseen.contains(*id) || kept.coming.contains(*id) || kept.gone.contains(*id);
    let missing = members.membership.missing().iter().filter(unsent).filter(|id| !stays_out(id) && !rests(id, true));
    let missing = missing.take(members.room.unwrap_or(usize::MAX));
    // Those first whom no guard keeps waiting.
    let departed = || extra().filter(|id| members.departed.contains(*id));
    let change = if departed().next().is_some() {
        chunk(departed(), missing, &facts.policy.profile, facts.apart)
    } else {
        chunk(extra().filter(|_| !facts.removals_wait), missing, &facts.policy.profile, facts.apart)
    };
    share(facts, change)
}

/// All of it, until some of it was refused.
fn share(facts: &GroupFacts, mut change: Change) -> Change {
    if facts.removes_one_by_one() {
        change.removed.truncate(1);
    }
    if !facts.split.is_idle() {
        let next = facts.split.next(change.parts(), usize::MAX);
        change.added.retain(|id| next.contains(&part(id, true)));
        change.removed.retain(|id| next.contains(&part(id, false)));
    }
    change
}
