//! An account fits, and the object isn't bound to it yet (promises I6 to I8).

use super::declared::Declared;
use super::facts::{Facts, hides_them};
use super::fitting::{Fitting, told_of_creation};
use super::outcome::stalled;
use super::person;
use super::step::{Binding, Read, Step};
use crate::api::{CLAIMED_ACCOUNT, Reason, UserState};
use crate::scim::{Resource, fold};

/// What is to be done about it.
pub(super) fn first_binding(facts: &Facts, declared: &Declared, resource: &Resource) -> Step {
    let step = judge_first_binding(facts, declared, resource);
    told_of_creation(step, &facts.creations, resource, resource.user_name())
}

/// The account that an object under deletion was bound to is gone, and this one has its name: it is taken first where
/// nothing speaks against that, and removed then.
pub(super) fn under_another_id(facts: &Facts, resource: &Resource) -> Option<Binding> {
    let declared = Declared::new(facts.object.spec, None, &facts.policy.profile, facts.now);
    match judge_first_binding(facts, &declared, resource) {
        Step::Bind(binding) => Some(binding),
        _ => None,
    }
}

fn judge_first_binding(facts: &Facts, declared: &Declared, resource: &Resource) -> Step {
    let Some(id) = resource.id() else {
        return stalled(Reason::Conflict, "the server shows the account without an id".to_owned(), UserState::Failed);
    };
    if let Some(why) = facts.delegated.refuses_account(resource) {
        return stalled(Reason::NotAllowed, why, UserState::Failed);
    }
    let found_name = resource.user_name().unwrap_or_default();
    let answered = facts.creations.answered_with(resource).is_some();
    let created = (facts.claims_account(resource) && !answered)
        || facts.creations.brought_back(resource)
        || is_own_under_another_id(facts, declared, resource);
    if let Some((declared, shown)) =
        facts.other_person(resource).filter(|_| !created && facts.object.remote_id != Some(id))
    {
        let message = person::another_person(facts, resource, declared, shown);
        return stalled(Reason::Conflict, message, UserState::Failed);
    }
    // The server gave out new ids, and the object was renamed meanwhile.
    let former = has_former_name(facts, found_name);
    if fold(found_name) != declared.folded_user_name() && !created && !former && !hides_them(facts, resource) {
        // The list showed it under the declared name, and it has another by now: it isn't the one.
        let linked =
            resource.external_id().is_some() && resource.external_id() == facts.object.spec.external_id.as_deref();
        let answered = facts.creations.answered_with(resource).is_some();
        if !linked && !answered && facts.object.remote_id.is_none() && !facts.creations.searched {
            return Step::Read(Read::Find);
        }
        return stalled(
            Reason::Conflict,
            format!(
                "the account {} that fits has another userName, {}, than the one declared, and a first binding never \
                 renames; declare the userName that it has, or change it at the server{}",
                person::quoted(id),
                person::quoted(found_name),
                person::of_claim(facts.unrecorded(), CLAIMED_ACCOUNT, found_name)
            ),
            UserState::Failed,
        );
    }
    let fitting = Fitting {
        full_name: facts.object.full_name,
        id,
        name: found_name,
        created,
        to_be_renamed: (created || former) && fold(found_name) != declared.folded_user_name(),
        named: facts.object.remote_id == Some(id),
        adoption: facts.policy.adoption,
    };
    fitting.taken(&facts.claims)
}

/// What the object's creation made: the answer to it showed another id than the server does.
fn is_own_under_another_id(facts: &Facts, declared: &Declared, resource: &Resource) -> bool {
    let made = facts.creations.made_under_another_id(facts.object.status.last_operation.as_ref(), resource);
    let named = resource.user_name().is_some_and(|name| fold(name) == declared.folded_user_name());
    made && named && facts.other_person(resource).is_none()
}

/// It has the name under which the account was seen last that the object is bound to, and whose id is gone.
fn has_former_name(facts: &Facts, found_name: &str) -> bool {
    let recorded = facts.bound_id().and(facts.object.status.user_name.as_deref());
    recorded.is_some_and(|recorded| !recorded.is_empty() && fold(recorded) == fold(found_name))
}
