//! What dialects make of PATCH operations.

use serde_json::Value;

use super::dialect::Dialect;
use super::error::{Fail, Outcome};
use super::patch::{Operation, Verb};

fn members(operation: &Operation) -> bool {
    let path = operation.path.as_deref().unwrap_or_default();
    path.to_ascii_lowercase().starts_with("members")
}

/// Whether a service that answers 200 to everything does this to a group.
pub(super) fn understood(operation: &Operation) -> bool {
    let listed = operation.value.is_array();
    match (operation.verb, operation.path.as_deref()) {
        (Verb::Add | Verb::Remove, Some("members")) => listed,
        (Verb::Remove, Some(path)) => path.starts_with("members[value eq \""),
        (Verb::Replace, Some("displayName")) => true,
        (Verb::Replace, None) => operation.value.get("displayName").is_some(),
        _ => false,
    }
}

/// Refuses what a service with limits on groups refuses.
pub(super) fn limited(operations: &[Operation]) -> Outcome<()> {
    let mut changed = 0;
    for operation in operations.iter().filter(|one| members(one)) {
        let listed = operation.value.as_array().map(Vec::len);
        let whole = operation.path.as_deref() == Some("members");
        if operation.verb == Verb::Replace || (operation.verb == Verb::Remove && whole && listed.is_none()) {
            return Err(Fail::value("members can be added and removed only one by one"));
        }
        changed += listed.unwrap_or(1);
    }
    if changed > 100 {
        return Err(Fail::value("at most 100 membership changes in a request"));
    }
    Ok(())
}

/// Refuses what a service does not take on users.
pub(super) fn user_operations(operations: &[Operation], dialect: &Dialect) -> Outcome<()> {
    if !dialect.user_remove && operations.iter().any(|one| one.verb == Verb::Remove) {
        return Err(Fail::bad("invalidSyntax", "op must be add or replace"));
    }
    if dialect.patch_user_full {
        return Ok(());
    }
    for name in ["userName", "active"] {
        let touches = |one: &&Operation| match one.path.as_deref() {
            Some(path) => path.eq_ignore_ascii_case(name),
            None => one.value.get(name).is_some_and(|value| *value != Value::Null),
        };
        let touching: Vec<_> = operations.iter().filter(touches).collect();
        if touching.len() > 1 || touching.iter().any(|one| one.verb == Verb::Remove) {
            return Err(Fail::value(format!("one replacement of {name} at most")));
        }
    }
    Ok(())
}
