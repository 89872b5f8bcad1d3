//! The write that makes the account what is declared, and whether one is owed (promises I1 to I6).

use serde_json::Value;

use super::change::{Change, Differences};
use super::declared::Declared;
use super::facts::{Facts, is_hidden};
use super::grants;
use super::guards::GuardName;
use super::ignored::Sorted;
use super::merge::{merged, patch, without_types};
use super::outcome::{disabled, stalled};
use super::path::Path;
use super::refusal::{protected, undelegated};
use super::split::ACTIVE;
use super::step::{Operation, Read, Request, Step};
use super::untyped::View;
use crate::api::{Action, OperationType, Reason, UserState};
use crate::scim::{Resource, WriteMethod};

/// The write that is owed, if one is.
pub(super) fn update(
    facts: &Facts,
    declared: &Declared,
    id: &str,
    view: &View,
    fresh: bool,
    sorted: &Sorted,
    reactivate: bool,
) -> Option<Step> {
    let resource = &view.resource;
    if !reactivate && is_hidden(facts, resource) {
        return None;
    }
    let effective = &due(facts, declared, resource, &sorted.effective, reactivate);
    if effective.is_empty() && !reactivate {
        return None;
    }
    if !facts.may(Action::Update) {
        return Some(disabled("Update", "attributes differ at the server, but"));
    }
    let rewrites = grants::rewrites_identity(effective, resource) && !is_hidden(facts, resource);
    if rewrites && let Some(pattern) = protected(facts, Some(resource)) {
        return Some(stalled(
            Reason::Protected,
            format!(
                "guards.protected ({pattern}) keeps this account's userName, e-mails, roles and entitlements; take the pattern out to change them"
            ),
            UserState::Failed,
        ));
    }
    if facts.policy.profile.write_users == WriteMethod::Put && !fresh {
        return Some(Step::Read(Read::Get(id.to_owned())));
    }
    let Some((effective, reactivate)) = share(facts, effective, reactivate) else {
        return Some(active_refused(facts));
    };
    let effective = &effective;
    let mut attributes: Vec<Path> = effective.keys().cloned().collect();
    if reactivate {
        attributes.push(Path::core(ACTIVE));
    }
    let adoption = facts.object.status.last_operation.as_ref().is_some_and(|last| last.type_ == OperationType::Adopt)
        && facts.object.status.managed_attributes.is_none();
    Some(Step::Send(Box::new(Operation {
        kind: if reactivate { OperationType::Reactivate } else { OperationType::Update },
        request: write(facts, id, view, effective, reactivate.then_some(true)),
        attributes,
        guard: (rewrites || adoption).then_some(GuardName::Rewrites),
        change: (),
        undelegated: false,
    })))
}

/// The next request's share of what is owed: all of it, until some of it was refused. None where nothing is left but what
/// was refused by itself.
fn share(facts: &Facts, effective: &Differences, reactivate: bool) -> Option<(Differences, bool)> {
    let profile = &facts.policy.profile;
    let active = reactivate.then(|| ACTIVE.to_owned());
    let alone = reactivate && profile.active_alone && facts.split.refusal(ACTIVE).is_none();
    let others = effective.keys().filter(|_| !alone).map(Path::to_string);
    let most = profile.max_operations.filter(|_| profile.write_users == WriteMethod::Patch);
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let next = facts.split.next(others.chain(active), most);
    let share = effective.iter().filter(|(path, _)| next.contains(&path.to_string()));
    (!next.is_empty())
        .then(|| (share.map(|(path, change)| (path.clone(), change.clone())).collect(), next.contains(ACTIVE)))
}

/// Everything else was sent.
fn active_refused(facts: &Facts) -> Step {
    let words = facts.split.refusal(ACTIVE).unwrap_or_default();
    let message = format!("the server refuses active: true, and takes everything else: {words}");
    stalled(Reason::Rejected, message, UserState::Failed)
}

/// A PATCH or a PUT, as the profile has it.
pub(super) fn write(facts: &Facts, id: &str, view: &View, differences: &Differences, active: Option<bool>) -> Request {
    let resource = &view.resource;
    let profile = &facts.policy.profile;
    match profile.write_users {
        WriteMethod::Patch => {
            let mut operations = patch(differences, view, profile);
            if let Some(active) = active {
                operations.push(crate::scim::PatchOperation {
                    op: crate::scim::Op::Replace,
                    path: Some("active".into()),
                    value: Some(Value::Bool(active)),
                });
            }
            Request::Patch { id: id.to_owned(), operations }
        }
        WriteMethod::Put => {
            let mut body = merged(differences, resource);
            if !profile.entry_types {
                without_types(&mut body);
            }
            // However the server spells them: two members of one name say nothing. Whose member it is was read a moment ago.
            body.retain(|name, _| !["meta", "id", "active", "groups"].iter().any(|own| name.eq_ignore_ascii_case(own)));
            body.insert("id".into(), Value::from(id));
            // A server may take a missing `active` for true: say what is meant, always.
            let active = active.or(resource.active()).unwrap_or(true);
            body.insert("active".into(), Value::Bool(active));
            Request::Put { id: id.to_owned(), body, if_match: resource.version().map(str::to_owned) }
        }
    }
}

/// The differences that are to be written: whatever was declared since it was last carried out, and what others changed
/// where that is repaired, or a person asked.
pub(super) fn due(
    facts: &Facts,
    declared: &Declared,
    resource: &Resource,
    effective: &Differences,
    reactivate: bool,
) -> Differences {
    let repaired = facts.policy.repair.attributes && (reactivate || resource.active() != Some(false));
    if facts.object.requested || repaired {
        return effective.clone();
    }
    let applied = facts.applied();
    let of_others = |path: &Path, change: &Change| match change {
        Change::Set(value) => applied.has(&path.to_string(), Some(value)),
        // What was dropped from the spec goes; what `clear` names has gone once.
        Change::Remove => declared.clear.contains(path) && applied.has(&path.to_string(), None),
    };
    let due = effective.iter().filter(|(path, change)| !of_others(path, change));
    due.map(|(path, change)| (path.clone(), change.clone())).collect()
}

/// One write of `active` alone.
pub(super) fn set_active(facts: &Facts, id: &str, resource: &Resource, fresh: bool, active: bool) -> Step {
    if facts.policy.profile.write_users == WriteMethod::Put && !fresh {
        return Step::Read(Read::Get(id.to_owned()));
    }
    Step::Send(Box::new(Operation {
        kind: OperationType::Deactivate,
        request: write(facts, id, &View::of(resource), &Differences::new(), Some(active)),
        attributes: vec![Path::core("active")],
        guard: Some(GuardName::Removals),
        change: (),
        undelegated: undelegated(facts, resource).is_some(),
    }))
}
