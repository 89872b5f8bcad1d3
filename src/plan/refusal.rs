//! What may not be done for an object: whose account it is, how far it is delegated, what it declares (promises I26,
//! I31, I32).

use super::declared::Declared;
use super::delegation::Delegated;
use super::facts::{Facts, hides_them};
use super::outcome::stalled;
use super::path::Path;
use super::person;
use super::step::Step;
use crate::api::{Reason, ScimUserSpec, UserAttributes, UserState};
use crate::scim::{Resource, fold};

/// Why nothing is written to the account that status names: status alone doesn't make it the object's.
/// A removal of what was delegated once goes as far as admission, where a person decides.
pub(super) fn not_its_own(facts: &Facts, resource: &Resource, removes: bool) -> Option<(Reason, String)> {
    // Before anything is told of others.
    if let Some(refused) = undelegated(facts, resource)
        && !(removes && is_as_recorded(facts, resource))
    {
        return Some((Reason::NotAllowed, refused));
    }
    if let Some(rival) = &facts.claims.rival {
        let id = resource.id().unwrap_or_default();
        let message = format!(
            "{rival} is recorded as bound to this account ({id}), too, and nothing is written before one of the two is \
             deleted; status.id is the operator's record, and never to be written by others"
        );
        return Some((Reason::Conflict, message));
    }
    person::swapped(facts, resource).map(|message| (Reason::Conflict, message))
}

/// The delegation doesn't admit the account. An inactive one whose names are hidden is known by its externalId.
pub(super) fn undelegated(facts: &Facts, resource: &Resource) -> Option<String> {
    facts.delegated.refuses_account(resource).filter(|_| !hides_them(facts, resource))
}

/// It has the name that it had when it was served last: it may have been delegated then.
fn is_as_recorded(facts: &Facts, resource: &Resource) -> bool {
    let recorded = facts.object.status.user_name.as_deref().filter(|name| !name.is_empty());
    recorded.is_some() && recorded.map(fold) == resource.user_name().map(fold)
}

/// It has to be read first: what status names is checked against the server before it is written to.
pub(super) fn must_be_seen(facts: &Facts) -> bool {
    facts.claims.rival.is_some() || facts.delegated != Delegated::Whole
}

/// Why nothing is written that the object declares. Removals aren't held up by it.
pub(super) fn refused(facts: &Facts) -> Option<Step> {
    let step = |reason, why| stalled(reason, why, UserState::Failed);
    if let Some(why) = &facts.not_allowed {
        return Some(step(Reason::NotAllowed, why.clone()));
    }
    misnamed(facts.object.spec).map(|why| step(Reason::Rejected, why))
}

/// A removal that is declared for an account that is, or may be, the object's.
pub(super) fn removes(facts: &Facts, declared: &Declared) -> bool {
    declared.active == Some(false) && (facts.bound_id().is_some() || facts.unrecorded().is_some())
}

/// An attribute of the core by the name of an extension's: servers that fold URNs would take it for that.
fn misnamed(spec: &ScimUserSpec) -> Option<String> {
    let of_extensions = |attributes: &UserAttributes| {
        attributes.extensions.iter().flatten().find_map(|(urn, members)| {
            let names = members.keys().map(|name| Path::extension(urn, name));
            let path = names
                .chain([Path::extension(urn, "a")])
                .find(|path| path.is_misnamed() || crate::api::is_reserved(urn))?;
            Some(path.to_string())
        })
    };
    let cleared = || spec.clear.iter().flatten().find(|path| Path::parse(path).is_misnamed()).cloned();
    let found = of_extensions(&spec.attributes)
        .or_else(|| spec.on_create.as_deref().and_then(of_extensions))
        .or_else(cleared)?;
    Some(format!(
        "{found} is no attribute of an extension: write attributes of the core schema beside userName, and those of the \
         enterprise extension in spec.enterprise; nothing of this object is sent but removals"
    ))
}

/// The pattern of `guards.protected` that fits the declared or the found identity (promise I14).
pub(super) fn protected(facts: &Facts, found: Option<&Resource>) -> Option<String> {
    let spec = facts.object.spec;
    let mut identities: Vec<&str> = vec![&spec.user_name];
    identities.extend(spec.attributes.emails.iter().flatten().map(|email| email.value.as_str()));
    identities.extend(facts.object.status.id.as_deref());
    identities.extend(facts.object.status.user_name.as_deref());
    if let Some(found) = found {
        identities.extend(found.user_name());
        identities.extend(found.id());
        identities.extend(found.emails());
    }
    facts.policy.protected.matches(identities).map(str::to_owned)
}
