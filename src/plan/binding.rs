//! What status says of an account: of one that is taken, and ahead of what is sent to it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::decide::decide;
use super::digests::applied_ahead;
use super::facts::{Account, Facts, Object, Policy};
use super::path::Path;
use super::step::{Binding, Operation, Step};
use crate::api::{LastOperation, OperationType, ScimUserStatus};

/// The status of an object once it is bound to an account of this server. What was owned at another server
/// is forgotten with it (promise I6).
pub fn bound_status(old: &ScimUserStatus, binding: &Binding, server: &str, now: Timestamp) -> ScimUserStatus {
    let mut status = at_server(old, server);
    if status.id.as_ref().is_some_and(|id| *id != binding.id) {
        // What was owned there is not owned here.
        status.managed_attributes = None;
        status.more_managed = None;
        status.applied_attributes = None;
    }
    status.id = Some(binding.id.clone());
    // As long as status takes.
    status.user_name = Some(binding.name.clone()).filter(|name| name.len() <= 512);
    status.last_operation =
        Some(LastOperation { type_: binding.how, at: Time(now), attributes: None, request_id: None });
    status
}

/// The status as far as it speaks of this server: nothing of what was found and owned at another one.
pub fn at_server(old: &ScimUserStatus, server: &str) -> ScimUserStatus {
    let mut status = old.clone();
    if status.bound_to.as_deref().is_some_and(|known| known != server) {
        status = ScimUserStatus {
            observed_generation: status.observed_generation,
            last_handled_reconcile_at: status.last_handled_reconcile_at,
            state: status.state,
            conditions: status.conditions,
            ..ScimUserStatus::default()
        };
    }
    status.bound_to = Some(server.to_owned());
    status
}

/// What status must say before an operation is sent, should the operator not live to hear the answer, or the answer be
/// lost and the spec change meanwhile; None where the `recorded` one says it already.
pub fn status_ahead(
    recorded: Option<&ScimUserStatus>,
    status: &ScimUserStatus,
    policy: &Policy,
    deleting: bool,
    operation: &Operation,
) -> Option<ScimUserStatus> {
    let server = &policy.server;
    let names_account = recorded.is_some_and(|recorded| recorded.id.is_some());
    let is_active = recorded.and_then(|recorded| recorded.last_applied_active) == Some(true);
    match operation.kind {
        // No account is named, so that what the creation claims counts until its answer is recorded (promise I7).
        OperationType::Create => {
            names_account.then(|| ScimUserStatus {
                id: None,
                user_name: None,
                // Of the new account nothing is known to be as declared.
                applied_attributes: Some(String::new()),
                ..at_server(status, server)
            })
        }
        // It is our doing, so whoever comes back is active again (promise I16).
        OperationType::Deactivate if is_active && !deleting => {
            Some(ScimUserStatus { last_applied_active: Some(false), ..status.clone() })
        }
        // What was claimed won't be found by its name any more (promise I7).
        _ if !names_account && status.id.is_some() && operation.attributes.contains(&Path::core("userName")) => {
            Some(status.clone())
        }
        // Where drift is left, a difference must not pass for one that others made (promise I9).
        OperationType::Update | OperationType::Reactivate if !policy.repair.attributes => {
            let paths: Vec<String> = operation.attributes.iter().map(Path::to_string).collect();
            let ahead = applied_ahead(status.applied_attributes.as_deref(), paths.iter().map(String::as_str))?;
            Some(ScimUserStatus { applied_attributes: Some(ahead), ..status.clone() })
        }
        _ => None,
    }
}

/// The write that would follow a binding at once, so that admission can be requested for both together.
pub fn after_binding(facts: &Facts, binding: &Binding) -> Option<Operation> {
    let Account::Found { resource, .. } = &facts.account else { return None };
    let status = bound_status(facts.object.status, binding, &facts.policy.server, facts.now);
    let then = Facts {
        object: Object { status: &status, has_finalizer: true, ..facts.object },
        account: Account::Found { resource: resource.clone(), fresh: true },
        ..facts.clone()
    };
    match decide(&then) {
        Step::Send(operation) => Some(*operation),
        _ => None,
    }
}
