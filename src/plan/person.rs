//! Whose account it is: what speaks against it being the declared person's, in words (promises I6, I7, I31).

use serde_json::Value;

use super::commands::Named;
use super::creation::Creations;
use super::facts::{Facts, is_hidden};
use crate::api::REMOTE_ID;
use crate::scim::{Resource, fold};

/// A server's text is shown this far.
const SHOWN: usize = 128;

/// So many roles and entitlements are named.
const MOST_GRANTS: usize = 10;

/// A server's text, quoted and bounded.
pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(SHOWN).collect::<String>())
}

/// The way out for an account or a group that nothing but a person can tell to be the object's; `resource` is the
/// object's resource.
pub(super) fn way_to_bind(resource: &str, full_name: &str, id: &str) -> String {
    // What the server chose is pasted into a shell.
    if id.is_empty() || id.contains(|c: char| c == '\'' || c.is_control()) {
        return "set the annotation scim-operator.dev/remote-id to its id".to_owned();
    }
    let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:@".contains(c));
    let id = if plain { id.to_owned() } else { format!("'{id}'") };
    Named::by_full_name(resource, full_name).annotate(&format!("{REMOTE_ID}={id}"))
}

/// Why it was looked for under a name that isn't declared, where this annotation of ours names it.
pub(super) fn of_claim(claimed: Option<&str>, annotation: &str, found_name: &str) -> String {
    if claimed.is_none_or(|claimed| fold(claimed) != fold(found_name)) {
        return String::new();
    }
    format!(
        ". It is looked for because this object's annotation {annotation} names it, as what a request without an answer may \
         have made or taken; take that annotation off if it is another's"
    )
}

/// Why what was claimed is left alone, where nothing tells that the object's own request made or took it.
pub(super) fn untold(what: &str, id: &str) -> String {
    format!(
        "the {what} {} may be what a request without an answer made, and nothing tells: the server shows no creation time, \
         and the delegation to this namespace isn't trusted",
        quoted(id)
    )
}

/// It shows another externalId than the declared one.
pub(super) fn another_person(facts: &Facts, resource: &Resource, declared: &str, shown: &str) -> String {
    let id = resource.id().unwrap_or_default();
    format!(
        "the account {} ({}) has the externalId {}, and this object declares {}: another externalId is another person. If \
         it is the same one: {}. The account is {}",
        quoted(id),
        quoted(resource.user_name().unwrap_or_default()),
        quoted(shown),
        quoted(declared),
        way_to_bind("scimuser", facts.object.full_name, id),
        what_comes_with(resource),
    )
}

/// Whether the account is active, and what it may do.
fn what_comes_with(resource: &Resource) -> String {
    let mut text = if resource.active() == Some(false) { "inactive" } else { "active" }.to_owned();
    for list in ["roles", "entitlements"] {
        let granted = resource.get(list).and_then(Value::as_array).into_iter().flatten();
        let granted = granted.filter_map(|one| one.get("value").or(one.get("display")).unwrap_or(one).as_str());
        let names: Vec<String> = granted.take(MOST_GRANTS).map(quoted).collect();
        if !names.is_empty() {
            text = format!("{text}; its {list}: {}", names.join(", "));
        }
    }
    text
}

/// What goes before a refusal of what a creation was answered with.
pub(super) fn of_creation(creations: &Creations, resource: &Resource, found_name: &str) -> Option<String> {
    let answered = creations.answered_with(resource)?;
    let why = answered.existed.map_or_else(
        || "it can't be told whether that is new".to_owned(),
        |why| format!("which may not be what it made: {why}"),
    );
    Some(format!(
        "the server answered the creation with {} ({}), {why}; nothing more is sent for it. ",
        quoted(&answered.id),
        quoted(found_name)
    ))
}

/// The bound id shows somebody else by now: the name is neither the declared nor the recorded one, and that is another
/// account's, or the externalId is another's too. A renamed account of the same person is drift.
pub(super) fn swapped(facts: &Facts, resource: &Resource) -> Option<String> {
    if is_hidden(facts, resource) {
        return None;
    }
    let status = facts.object.status;
    let (shown, recorded) = (resource.user_name()?, status.user_name.as_deref()?);
    let spec = facts.object.spec;
    if [spec.user_name.as_str(), recorded].iter().any(|name| fold(name) == fold(shown)) {
        return None;
    }
    let keeps = facts.policy.profile.external_id;
    if keeps && spec.external_id.is_some() && resource.external_id() == spec.external_id.as_deref() {
        return None;
    }
    let id = quoted(resource.id().unwrap_or_default());
    let instead = match (&facts.elsewhere, facts.other_person(resource)) {
        (Some(other), _) => format!("the userName of this object is the account {}'s", quoted(other)),
        (None, Some((declared, shown))) => {
            format!("its externalId is {}, and {} is declared", quoted(shown), quoted(declared))
        }
        (None, None) => return None,
    };
    Some(format!(
        "the account {id} shows the userName {} now, and {instead}: the server's ids seem to have changed hands, so nothing \
         is written. Put it right at the server; or let this object go (annotation scim-operator.dev/release=true, then \
         delete it) and apply it again, and it is bound by its userName",
        quoted(shown)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_to_paste_runs_nothing_that_the_server_chose() {
        let command = |id| way_to_bind("scimuser", "team/ada", id);
        assert_eq!(command("id-7"), "kubectl annotate scimuser -n team ada scim-operator.dev/remote-id=id-7");
        assert!(command("$(id) x").ends_with("remote-id='$(id) x'"));
        assert!(!command("'; id #").contains("kubectl") && !command("a\nb").contains("kubectl"));
    }
}
