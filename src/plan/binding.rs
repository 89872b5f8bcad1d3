//! What it means for an object to take an account for its own.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::decide::decide;
use super::facts::{Account, Facts, Object};
use super::step::{Binding, Operation, Step};
use crate::api::{LastOperation, ScimUserStatus};

/// The status of an object once it is bound to an account of this server. What was owned at another server
/// is forgotten with it (promise I6).
pub fn bound_status(old: &ScimUserStatus, binding: &Binding, server: &str, now: Timestamp) -> ScimUserStatus {
    let mut status = at_server(old, server);
    if status.id.as_ref().is_some_and(|id| *id != binding.id) {
        // What was owned there is not owned here.
        status.managed_attributes = None;
    }
    status.id = Some(binding.id.clone());
    // As long as status takes.
    status.user_name = Some(binding.user_name.clone()).filter(|name| name.len() <= 512);
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

/// The status before a creation: no account is named, so that what the creation claims counts until its answer is
/// recorded (promise I7). None where no account is named already.
pub fn unnamed_status(
    recorded: Option<&ScimUserStatus>,
    status: &ScimUserStatus,
    server: &str,
) -> Option<ScimUserStatus> {
    recorded?.id.as_ref()?;
    Some(ScimUserStatus { id: None, user_name: None, ..at_server(status, server) })
}

/// The write that would follow a binding at once, so that leave can be asked for both together.
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
