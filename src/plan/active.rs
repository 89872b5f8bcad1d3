//! Whether the account is to be active: deactivated, re-activated, or left as it was found (promises I15, I16, I22).

use jiff::SignedDuration;

use super::declared::Declared;
use super::facts::Facts;
use super::outcome::{disabled, settle, stalled};
use super::path::Path;
use super::refusal::protected;
use super::split::ACTIVE;
use super::step::{Step, UserDetails, Verdict};
use super::write::set_active;
use crate::api::{Action, OperationType, Reason, UserState};
use crate::scim::Resource;

/// `active: false` is owed: by itself and first, so that no other attribute's trouble delays it.
pub(super) fn deactivation(
    facts: &Facts,
    declared: &Declared,
    id: &str,
    resource: &Resource,
    fresh: bool,
    seen_active: bool,
) -> Option<Step> {
    if declared.active != Some(false) || !seen_active {
        return None;
    }
    if let Some(pattern) = protected(facts, Some(resource)) {
        return Some(stalled(
            Reason::Protected,
            format!(
                "guards.protected ({pattern}) keeps this account active; take the pattern out, or leave spec.active out"
            ),
            UserState::Failed,
        ));
    }
    if declared.outside_window && !facts.clock_trusted {
        return Some(settle(untrusted_clock("ended")));
    }
    if !facts.may(Action::Deprovision) {
        return Some(disabled("Deprovision", "the account is to be inactive, but"));
    }
    if facts.written.contains(&Path::core("active")) {
        return Some(not_effective("false"));
    }
    Some(set_active(facts, id, resource, fresh, false))
}

/// An access window is not acted on by a clock that may be wrong.
pub(super) fn untrusted_clock(what: &str) -> Verdict {
    Verdict {
        reason: Some(Reason::Pending),
        message: format!(
            "spec.access has {what} by this operator's clock, which differs from the API server's by over a minute; access \
             windows are not enforced until the clocks agree"
        ),
        ..Verdict::default()
    }
}

pub(super) fn not_effective(value: &str) -> Step {
    settle(Verdict {
        reason: Some(Reason::Rejected),
        message: format!("the server accepted active: {value} and still shows the opposite; it is tried again"),
        state: Some(UserState::Failed),
        // Accepted isn't done.
        details: UserDetails { active: Some(true), ..UserDetails::default() },
        ..Verdict::default()
    })
}

/// Whether the account is active, as far as the server shows that: where it doesn't, what was carried out last counts.
pub(super) fn is_seen_active(facts: &Facts, declared: &Declared, resource: &Resource) -> bool {
    let carried_out = || {
        if facts.written.contains(&Path::core(ACTIVE)) { declared.active } else { facts.object.status.active }
    };
    resource.active().or_else(carried_out).unwrap_or(true)
}

/// What is told where the server shows nothing of it.
pub(super) const UNSEEN: &str = "it took active: false and shows no `active`, so that nobody can tell whether that is so; \
                                 deletionPolicy.users: Delete removes accounts instead";

/// So long after an account was last asked to be active it is asked again.
const ASK_AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// The server took `active: true` and keeps the account inactive, as it does until an invitation is accepted. It is asked
/// once a day, and by a person who asks; whatever else is declared is sent meanwhile.
pub(super) fn awaits_acceptance(facts: &Facts, declared: &Declared, seen_active: bool) -> bool {
    if seen_active || declared.active != Some(true) {
        return false;
    }
    let status = facts.object.status;
    let asked = status.last_operation.as_ref().map(|last| last.at.0);
    let lately = asked.is_some_and(|asked| facts.now.duration_since(asked) < ASK_AGAIN);
    let known = status.state == Some(UserState::Invited) && lately && !facts.object.requested;
    known || facts.written.contains(&Path::core("active"))
}

/// It was asked to be active, or made, and never was seen so: an invitation may be open that makes it active without us.
pub(super) fn may_be_invited(facts: &Facts) -> bool {
    let (spec, status) = (facts.object.spec, facts.object.status);
    let made = status.active != Some(true)
        && status.last_operation.as_ref().is_some_and(|last| last.type_ == OperationType::Create);
    let asked = spec.active == Some(true) && status.last_applied_active != Some(true);
    status.state == Some(UserState::Invited) || asked || (made && spec.active.is_none())
}

/// The same in words.
pub(super) fn awaiting(mut verdict: Verdict) -> Verdict {
    let calm = matches!(verdict.reason, Some(Reason::Synced | Reason::NotPersisted | Reason::Drifted));
    if calm {
        verdict.reason = Some(Reason::AwaitingAcceptance);
        verdict.message = format!(
            "the server took active: true and keeps the account inactive, as it does until an invitation is accepted; it is \
             asked again once a day; {}",
            verdict.message
        );
    }
    verdict.state = Some(UserState::Invited);
    // It was never active by what we sent.
    verdict.details.applied_active = None;
    verdict
}

/// Whether the account is to be made active again (promises I16, I22), or why it is left inactive.
pub(super) fn reactivation(facts: &Facts, declared: &Declared, seen_active: bool) -> Result<bool, Box<Verdict>> {
    if seen_active || declared.active == Some(false) {
        return Ok(false);
    }
    if awaits_acceptance(facts, declared, seen_active) {
        return Ok(false);
    }
    let status = facts.object.status;
    let left = |message: &str| {
        Box::new(Verdict {
            reason: Some(Reason::DeactivatedAtServer),
            message: message.to_owned(),
            state: Some(UserState::DeactivatedAtServer),
            executed: true,
            details: UserDetails {
                active: Some(false),
                applied_active: Some(declared.active),
                ..UserDetails::default()
            },
            ..Verdict::default()
        })
    };
    if declared.active.is_none() {
        // Nothing was ever carried out on it.
        let found_so = status.active.is_none() || status.managed_attributes.is_none();
        return if found_so {
            Err(left("the account was found inactive and is left so; add `active: true` to the spec to re-activate it"))
        } else {
            Ok(false)
        };
    }
    if facts.object.spec.access.is_some() && !facts.clock_trusted {
        return Err(Box::new(untrusted_clock("opened")));
    }
    let ours = status.last_applied_active != Some(true) || facts.object.requested;
    if !ours && !facts.policy.repair.deactivated {
        return Err(left(
            "the account was deactivated at the server, not by us; annotate this object with \
             scim-operator.dev/reconcile-requested-at to re-activate it, or set the connection's driftPolicy.deactivated to \
             Repair",
        ));
    }
    if facts.may(Action::Update) {
        Ok(true)
    } else {
        let Step::Settle(verdict) = disabled("Update", "the account is to be active again, but") else {
            return Ok(false);
        };
        Err(verdict)
    }
}
