//! What differs of a group itself, beside its members.

use serde_json::json;

use super::facts::GroupFacts;
use super::name::same_name;
use crate::plan::domain::is_same_in_domain;
use crate::scim::{Op, PatchOperation, Resource, composed};

/// Under this the name is recorded that the server showed for the declared one.
pub(super) const NAME_AS_KEPT: &str = "displayName as kept";

/// What is to be written of the group itself, but for what the server refuses.
pub(super) fn differing(facts: &GroupFacts, resource: &Resource) -> Vec<PatchOperation> {
    let mut operations = all_differing(facts, resource);
    operations.retain(|operation| {
        let path = operation.path.as_deref().unwrap_or_default();
        !facts.members.resting.contains(path) && facts.split.refusal(path).is_none()
    });
    operations
}

/// The server keeps the name with a domain before it, and showed it so when this name was written: a name that is declared
/// since is another one.
fn is_kept_so(facts: &GroupFacts, shown: &str) -> bool {
    let (status, name) = (facts.object.status, &facts.object.spec.display_name);
    let written =
        || status.applied_attributes.is_none() || facts.applied().has("displayName", Some(&json!(composed(name))));
    status.display_name.as_deref() == Some(shown) && is_same_in_domain(shown, name) && written()
}

/// The server showed the declared name so when it was written: neither of the two has changed since.
pub(super) fn is_kept_as_shown(facts: &GroupFacts, shown: &str) -> bool {
    let (status, name) = (facts.object.status, &facts.object.spec.display_name);
    let recorded = || {
        let applied = facts.applied();
        status.applied_attributes.is_some()
            && applied.has(NAME_AS_KEPT, Some(&json!(shown)))
            && applied.has("displayName", Some(&json!(composed(name))))
    };
    facts.name_sent.is_some_and(|known| known.is_kept_as(name, shown)) || recorded()
}

/// The declared name was taken, and what the server shows may be older than that.
pub(super) fn name_may_come(facts: &GroupFacts, shown: &str) -> bool {
    facts.name_sent.is_some_and(|known| known.may_come(&facts.object.spec.display_name, shown))
}

/// What differs of the group itself; an attribute that the server doesn't show is sent at creation alone.
pub(super) fn all_differing(facts: &GroupFacts, resource: &Resource) -> Vec<PatchOperation> {
    let spec = facts.object.spec;
    let mut operations = Vec::new();
    if facts.written {
        return operations;
    }
    let replace = |path: &str, value: &str| PatchOperation {
        op: Op::Replace,
        path: Some(path.to_owned()),
        value: Some(json!(value)),
    };
    let kept = |name: &str| {
        same_name(name, &spec.display_name)
            || is_kept_so(facts, name)
            || is_kept_as_shown(facts, name)
            || name_may_come(facts, name)
    };
    if resource.display_name().is_some_and(|name| !kept(name)) {
        operations.push(replace("displayName", &composed(&spec.display_name)));
    }
    if facts.policy.profile.group_external_id {
        let shown = resource.external_id();
        match (&spec.external_id, shown) {
            (Some(declared), shown) if shown != Some(declared) => operations.push(replace("externalId", declared)),
            (None, Some(_)) if facts.object.status.external_id.is_some() => {
                operations.push(PatchOperation { op: Op::Remove, path: Some("externalId".into()), value: None });
            }
            _ => {}
        }
    }
    operations
}
