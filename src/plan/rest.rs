//! Nothing is left to send for a user: what is recorded of it, and what a person is told.

use std::collections::BTreeSet;

use super::active::UNSEEN;
use super::declared::Declared;
use super::digests::Applied;
use super::facts::{Facts, Manager, is_hidden};
use super::grants::{self, GRANT_LISTS};
use super::ignored::{self, Sorted};
use super::path::Path;
use super::reworded;
use super::step::{UserDetails, Verdict};
use crate::api::{IgnoredReason, Reason, UserState};
use crate::scim::Resource;

/// Nothing is to be sent: what a person is told.
pub(super) fn at_rest(
    facts: &Facts,
    declared: &Declared,
    resource: &Resource,
    sorted: Sorted,
    seen_active: bool,
) -> Verdict {
    let waiting = match &facts.manager {
        Manager::Waiting(name) => format!("; the manager {name} is linked as soon as it has an account"),
        Manager::Gone(name) => {
            format!("; manager.userRef names {name}, which is not there: whom the server has as manager stays as it is")
        }
        _ => String::new(),
    };
    let drift: Vec<Path> = if resource.active() == Some(false) {
        Vec::new()
    } else {
        ignored::paths(&sorted.effective).into_iter().collect()
    };
    let (reason, message) = told(facts, declared, resource, &sorted, &drift, seen_active);
    Verdict {
        reason: Some(reason),
        message: message + &waiting,
        state: Some(match (drift.is_empty(), seen_active) {
            _ if matches!(reason, Reason::NotAllowed | Reason::Rejected) => UserState::Failed,
            (false, _) => UserState::Drifted,
            (true, true) => UserState::Active,
            (true, false) => UserState::Inactive,
        }),
        executed: true,
        applied: Some(applied(facts, declared, &sorted)),
        details: UserDetails {
            active: Some(seen_active),
            applied_active: Some(declared.active),
            // Of an account that hides what it has, nobody can tell what is still to be taken away.
            managed: (!is_hidden(facts, resource)).then(|| managed(facts, declared, resource, &sorted)),
            drift,
            ignored: Some(sorted.ignored),
            user_name: None,
        },
        ..Verdict::default()
    }
}

/// The reason of Ready, and what a person is told: the first that applies.
fn told(
    facts: &Facts,
    declared: &Declared,
    resource: &Resource,
    sorted: &Sorted,
    drift: &[Path],
    seen_active: bool,
) -> (Reason, String) {
    let names = |paths: &mut dyn Iterator<Item = &Path>| paths.map(Path::to_string).collect::<Vec<_>>().join(", ");
    if sorted.ignored.iter().any(|ignored| ignored.reason == IgnoredReason::Contested) {
        let contested = sorted.ignored.iter().filter(|ignored| ignored.reason == IgnoredReason::Contested);
        (
            Reason::Contested,
            format!(
                "a second writer keeps changing {}; it is left alone until the spec changes",
                names(&mut contested.map(|ignored| &ignored.path))
            ),
        )
    } else if let Some(message) = refused(facts, sorted) {
        (Reason::Rejected, message)
    } else if let Manager::Foreign(name) = &facts.manager {
        (
            Reason::NotAllowed,
            format!(
                "manager.userRef names {name}, which belongs to another connection; name a manager of this one. Everything else \
                 is as declared, and whom the server has as manager stays as it is"
            ),
        )
    } else if !drift.is_empty() {
        (
            Reason::Drifted,
            format!("changed at the server and left so by driftPolicy.attributes: {}", names(&mut drift.iter())),
        )
    } else if declared.outside_window {
        (Reason::OutsideAccessWindow, "inactive: now lies outside spec.access".to_owned())
    } else if !seen_active && resource.active().is_none() {
        (Reason::Synced, format!("the server shows what else is declared; {UNSEEN}"))
    } else if let Some(message) = not_kept(facts, declared, resource, sorted) {
        (Reason::NotPersisted, message)
    } else {
        let reworded = reworded::told(&sorted.ignored).unwrap_or_default();
        (Reason::Synced, format!("the server shows what is declared{reworded}"))
    }
}

/// What we own from now on; of a list that is left alone, and of what the server refuses, what we owned before.
fn managed(facts: &Facts, declared: &Declared, resource: &Resource, sorted: &Sorted) -> Vec<Path> {
    let (left, rejected) = (facts.left(), rejected(sorted));
    let before = facts.owned(resource).into_iter().filter(|path| left.contains(path) || rejected.contains(path));
    let carried_out = declared.attributes.keys().filter(|path| !rejected.contains(path)).cloned();
    let all: BTreeSet<Path> = carried_out.chain(before).collect();
    all.into_iter().collect()
}

/// What the server refuses by itself.
fn rejected(sorted: &Sorted) -> BTreeSet<&Path> {
    let refused = sorted.ignored.iter().filter(|ignored| ignored.reason == IgnoredReason::Rejected);
    refused.map(|ignored| &ignored.path).collect()
}

/// What is told of that, in the server's words.
fn refused(facts: &Facts, sorted: &Sorted) -> Option<String> {
    let known = || facts.object.status.ignored_attributes.iter().flatten();
    let words = |path: &str| {
        let entry = known().find(|known| known.path == path && known.reason == IgnoredReason::Rejected);
        entry.and_then(|entry| entry.message.as_deref()).filter(|words| !words.is_empty())
    };
    let told: Vec<String> = rejected(sorted)
        .into_iter()
        .map(|path| {
            let path = path.to_string();
            words(&path).map_or_else(|| path.clone(), |words| format!("{path} ({words})"))
        })
        .collect();
    (!told.is_empty()).then(|| {
        format!(
            "the server refuses {}, and has everything else; it is tried again hourly, and when the value declared changes",
            told.join("; ")
        )
    })
}

/// What is carried out by now: everything that doesn't differ, and of what does what had been carried out before.
fn applied(facts: &Facts, declared: &Declared, sorted: &Sorted) -> Applied {
    let (before, rejected) = (facts.applied(), rejected(sorted));
    let mut now = Applied::default();
    let values = declared.attributes.iter().map(|(path, value)| (path, Some(value)));
    for (path, value) in values.chain(declared.clear.iter().map(|path| (path, None))) {
        let name = path.to_string();
        let differs = sorted.effective.contains_key(path) || rejected.contains(path);
        if !differs || before.has(&name, value) {
            now.set(&name, value);
        }
    }
    now
}

/// What was declared and the server doesn't have: told by name where it is a role or an entitlement.
fn not_kept(facts: &Facts, declared: &Declared, resource: &Resource, sorted: &Sorted) -> Option<String> {
    let lost = sorted.ignored.iter().filter(|ignored| ignored.reason == IgnoredReason::NotPersisted);
    let lost: Vec<String> = lost
        .map(|ignored| {
            let value = declared.attributes.get(&ignored.path).filter(|_| GRANT_LISTS.contains(&ignored.path.name()));
            let dropped = value.map(|value| grants::dropped(&ignored.path, value, resource)).unwrap_or_default();
            if dropped.is_empty() {
                ignored.path.to_string()
            } else {
                format!("{} ({})", ignored.path, dropped.join(", "))
            }
        })
        .collect();
    let ambiguous: Vec<String> = sorted.ambiguous.iter().map(Path::to_string).collect();
    let unlisted: Vec<String> = facts.unlisted.iter().map(|one| format!("{} {:?}", one.list, one.name)).collect();
    let mut parts = Vec::new();
    if !lost.is_empty() {
        parts.push(format!("the server took and didn't keep: {}", lost.join(", ")));
    }
    if !ambiguous.is_empty() {
        parts.push(format!(
            "the server shows several entries without a type, none or more than one of them as primary, so nobody can tell \
             which is {}: it is left as it is",
            ambiguous.join(", ")
        ));
    }
    if !unlisted.is_empty() {
        parts.push(format!(
            "the server shows no id, or several, for {}: its list is left as it is; declare it by its id, as value",
            unlisted.join(", ")
        ));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}
