//! What status says of a group that is taken.

use crate::api::{OperationType, ScimGroupStatus};
use crate::plan::Binding;

/// The status of an object once it is bound to a group of this server: of this one nothing is known to be as declared.
pub fn bound_status(old: &ScimGroupStatus, binding: &Binding, server: &str) -> ScimGroupStatus {
    let is_bound = old.id_at(server).is_some();
    // What a creation that made nothing was to bring in.
    let made_nothing = !is_bound && binding.how != OperationType::Create;
    let status = at_server(old, server);
    ScimGroupStatus {
        id: Some(binding.id.clone()),
        display_name: Some(binding.name.clone()),
        applied_attributes: Some(String::new()),
        owned_members: None,
        left_members: None,
        brought_in: status.brought_in.filter(|_| !made_nothing),
        ..status
    }
}

/// The status as far as it speaks of this server.
pub fn at_server(old: &ScimGroupStatus, server: &str) -> ScimGroupStatus {
    let mut status = old.clone();
    if status.bound_to.as_deref().is_some_and(|known| known != server) {
        status = ScimGroupStatus {
            observed_generation: status.observed_generation,
            last_handled_reconcile_at: status.last_handled_reconcile_at,
            state: status.state,
            conditions: status.conditions,
            ..ScimGroupStatus::default()
        };
    }
    status.bound_to = Some(server.to_owned());
    status
}
