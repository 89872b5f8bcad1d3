//! A group fits, and the object isn't bound to it yet (promises I6 to I8); and groups that aren't the object's any more.

use super::facts::{GroupFacts, GroupStep};
use super::name::same_name;
use crate::api::{CLAIMED_GROUP, GroupState, Reason};
use crate::plan::fitting::{Fitting, told_of_creation};
use crate::plan::outcome::stalled;
use crate::plan::{Binding, person};
use crate::scim::Resource;

pub(super) fn first_binding(facts: &GroupFacts, resource: &Resource) -> GroupStep {
    told_of_creation(judge_first_binding(facts, resource), &facts.creations, resource, resource.display_name())
}

/// The bound id shows another group by now: its name is neither the declared nor the recorded one, and that is another
/// group's. A renamed group is drift.
pub(super) fn swapped(facts: &GroupFacts, resource: &Resource) -> Option<String> {
    let (shown, recorded) = (resource.display_name()?, facts.object.status.display_name.as_deref()?);
    let spec = facts.object.spec;
    let same = facts.policy.profile.group_external_id
        && spec.external_id.is_some()
        && resource.external_id() == spec.external_id.as_deref();
    if same || [spec.display_name.as_str(), recorded].contains(&shown) {
        return None;
    }
    Some(format!(
        "the group {} shows the displayName {} now, and that of this object is the group {}'s: the server's ids seem to have \
         changed hands, so nothing is written. Put it right at the server; or let this object go (annotation \
         scim-operator.dev/release=true, then delete it) and apply it again, and it is bound by its displayName",
        person::quoted(resource.id().unwrap_or_default()),
        person::quoted(shown),
        person::quoted(facts.elsewhere.as_deref()?),
    ))
}

/// The group that an object under deletion was bound to is gone, and this one has its name: it is taken first where
/// nothing speaks against that, and deleted then.
pub(super) fn under_another_id(facts: &GroupFacts, resource: &Resource) -> Option<Binding> {
    match judge_first_binding(facts, resource) {
        GroupStep::Bind(binding) => Some(binding),
        _ => None,
    }
}

/// What the object's creation made: the answer to it showed another id than the server does.
fn is_own_under_another_id(facts: &GroupFacts, resource: &Resource) -> bool {
    let made = facts.creations.made_under_another_id(facts.object.status.last_operation.as_ref(), resource);
    let named = resource.display_name().is_some_and(|name| same_name(name, &facts.object.spec.display_name));
    made && named && facts.another(resource).is_none()
}

fn judge_first_binding(facts: &GroupFacts, resource: &Resource) -> GroupStep {
    let (Some(id), Some(name)) = (resource.id(), resource.display_name()) else {
        return stalled(
            Reason::Conflict,
            "the server shows the group without an id or a name".into(),
            GroupState::Failed,
        );
    };
    let answered = facts.creations.answered_with(resource).is_some();
    let created = (facts.claims_group(resource) && !answered)
        || facts.creations.brought_back(resource)
        || is_own_under_another_id(facts, resource);
    if let Some((declared, shown)) = facts.another(resource).filter(|_| !created && facts.object.remote_id != Some(id))
    {
        let message = format!(
            "the group {} ({}) has the externalId {}, and this object declares {}: it stands for something else. If it is \
             the same: {}",
            person::quoted(id),
            person::quoted(name),
            person::quoted(shown),
            person::quoted(declared),
            person::way_to_bind("scimgroup", facts.object.full_name, id),
        );
        return stalled(Reason::Conflict, message, GroupState::Failed);
    }
    // The server gave out new ids, and the object was renamed meanwhile.
    let recorded = facts.bound_id().and(facts.object.status.display_name.as_deref());
    let former = recorded.is_some_and(|recorded| same_name(name, recorded));
    if !same_name(name, &facts.object.spec.display_name) && !created && !former {
        let message = format!(
            "the group {} that fits is named {}, and a first binding never renames; declare the displayName that it \
             has, or change it at the server{}",
            person::quoted(id),
            person::quoted(name),
            person::of_claim(facts.unrecorded(), CLAIMED_GROUP, name)
        );
        return stalled(Reason::Conflict, message, GroupState::Failed);
    }
    let fitting = Fitting {
        full_name: facts.object.full_name,
        id,
        name,
        created,
        to_be_renamed: (created || former) && !same_name(name, &facts.object.spec.display_name),
        named: facts.object.remote_id == Some(id),
        adoption: facts.policy.group_adoption,
    };
    fitting.taken(&facts.claims)
}
