//! The write that makes the account what is declared, and whether one is owed (promises I1 to I6).

use serde_json::Value;

use super::decide::{disabled, is_hidden, stalled};
use super::declared::Declared;
use super::deprovision;
use super::facts::Facts;
use super::grants;
use super::guards::GuardName;
use super::ignored::Sorted;
use super::merge::{Differences, merged, patch};
use super::path::Path;
use super::step::{Operation, Read, Request, Step};
use crate::api::{Action, IgnoredReason, OperationType, Reason, UserState};
use crate::scim::{Resource, WriteMethod};

/// The write that is owed, if one is.
pub(super) fn update(
    facts: &Facts,
    declared: &Declared,
    id: &str,
    resource: &Resource,
    fresh: bool,
    sorted: &Sorted,
    reactivate: bool,
) -> Option<Step> {
    let effective = &sorted.effective;
    if effective.is_empty() && !reactivate {
        return None;
    }
    if !reactivate && is_hidden(facts, resource) {
        return None;
    }
    if !reactivate && !owed(facts, declared) && (!facts.policy.repair.attributes || resource.active() == Some(false)) {
        return None;
    }
    if !facts.may(Action::Update) {
        return Some(disabled("Update", "attributes differ at the server, but"));
    }
    let rewrites = grants::rewrites_identity(effective, resource) && !is_hidden(facts, resource);
    if rewrites && let Some(pattern) = deprovision::protected(facts, Some(resource)) {
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
    let mut attributes: Vec<Path> = effective.keys().cloned().collect();
    if reactivate {
        attributes.push(Path::core("active"));
    }
    let adoption = facts.object.status.last_operation.as_ref().is_some_and(|last| last.type_ == OperationType::Adopt)
        && facts.object.status.managed_attributes.is_none();
    Some(Step::Send(Box::new(Operation {
        kind: if reactivate { OperationType::Reactivate } else { OperationType::Update },
        request: write(facts, id, resource, effective, reactivate.then_some(true)),
        attributes,
        guard: (rewrites || adoption).then_some(GuardName::Rewrites),
    })))
}

/// A PATCH or a PUT, as the profile has it.
pub(super) fn write(
    facts: &Facts,
    id: &str,
    resource: &Resource,
    differences: &Differences,
    active: Option<bool>,
) -> Request {
    let profile = &facts.policy.profile;
    match profile.write_users {
        WriteMethod::Patch => {
            let mut operations = patch(differences, resource, profile);
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
            // However the server spells them: two members of one name say nothing.
            body.retain(|name, _| !["meta", "id", "active"].iter().any(|own| name.eq_ignore_ascii_case(own)));
            body.insert("id".into(), Value::from(id));
            // A server may take a missing `active` for true: say what is meant, always.
            let active = active.or(resource.active()).unwrap_or(true);
            body.insert("active".into(), Value::Bool(active));
            Request::Put { id: id.to_owned(), body, if_match: resource.version().map(str::to_owned) }
        }
    }
}

/// Whether this generation was not carried out yet, or a person asked.
pub(super) fn owed(facts: &Facts, declared: &Declared) -> bool {
    let status = facts.object.status;
    let settled =
        status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready").is_some_and(|ready| {
            [
                Reason::Synced,
                Reason::Drifted,
                Reason::NotPersisted,
                Reason::OutsideAccessWindow,
                Reason::DeactivatedAtServer,
                Reason::DeletedAtServer,
                Reason::Contested,
            ]
            .iter()
            .any(|reason| reason.as_str() == ready.reason)
        });
    // A role whose name the server shows only now was never given.
    let found_now = status.ignored_attributes.iter().flatten().any(|ignored| {
        ignored.reason == IgnoredReason::Unsupported && declared.attributes.contains_key(&Path::parse(&ignored.path))
    });
    facts.object.requested || found_now || !settled || status.observed_generation != Some(facts.object.generation)
}
