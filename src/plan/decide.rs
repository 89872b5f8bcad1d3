//! The decision: one pure function from everything known to the next step.

use std::collections::BTreeSet;

use super::active::{awaiting, awaits_acceptance, deactivation, is_seen_active, reactivation};
use super::change::Differences;
use super::declared::Declared;
use super::deprovision;
use super::facts::{Account, Facts, is_hidden};
use super::first::first_binding;
use super::guards::GuardName;
use super::ignored;
use super::merge::{creation, differences, without_types};
use super::outcome::{comes_first, disabled, pending, settle, stalled, waits_for};
use super::path::Path;
use super::refusal::{not_its_own, refused, removes, undelegated};
use super::rest::at_rest;
use super::split::ACTIVE;
use super::step::{Operation, Read, Request, Step, UserDetails, Verdict};
use super::unseen::{is_never_shown, never_deactivated, never_shown};
use super::untyped::{self, View};
use super::write::update;
use crate::api::{Action, OperationType, Reason, UserState};
use crate::scim::{Resource, fold};

/// Decides the next step for one object.
pub fn decide(facts: &Facts) -> Step {
    if facts.object.deleting {
        return deprovision::decide(facts);
    }
    if facts.policy.suspend || facts.object.spec.suspend {
        let whose = if facts.policy.suspend { "the connection" } else { "this object" };
        return settle(Verdict {
            reason: Some(Reason::Suspended),
            message: format!("nothing is sent while {whose} is suspended; set spec.suspend to false to go on"),
            state: Some(UserState::Suspended),
            ..Verdict::default()
        });
    }
    let object = &facts.object;
    let declared = facts.declared();
    if let Some(step) = refused(facts).filter(|_| !removes(facts, &declared)) {
        return step;
    }
    match (facts.bound_id(), &facts.account) {
        (Some(id), Account::Unknown) => Step::Read(Read::Get(id.to_owned())),
        // A person asks how it stands now, not how it stood when the server was listed last.
        (Some(id), Account::Absent { fresh: false }) if object.requested => Step::Read(Read::Get(id.to_owned())),
        (Some(id), Account::Found { resource, fresh: false }) if object.requested => {
            Step::Read(Read::Get(resource.id().unwrap_or(id).to_owned()))
        }
        // The bound one is gone, and another has its userName: the server may have given out new ids.
        (Some(id), Account::Found { resource, .. }) if resource.id() != Some(id) => {
            first_binding(facts, &declared, resource)
        }
        (Some(id), Account::Found { resource, fresh }) => match not_its_own(facts, resource, removes(facts, &declared))
        {
            Some((reason, why)) => stalled(reason, why, UserState::Failed),
            None => named(facts, resource, bound(facts, &declared, id, resource, *fresh)),
        },
        (Some(id), Account::Absent { .. }) => gone(facts, &declared, id),
        (None, Account::Unknown) => look_up(facts),
        (_, Account::Listed(id)) => Step::Read(Read::Get(id.clone())),
        (None, Account::Absent { fresh }) => unknown_there(facts, &declared, *fresh),
        (None, Account::Found { resource, .. }) => first_binding(facts, &declared, resource),
        (Some(id), Account::Missing) => missing(facts, &declared, id),
        (None, Account::Missing) => look_again(),
        (_, Account::Contradictory(message)) => stalled(Reason::Conflict, message.clone(), UserState::Failed),
    }
}

/// One 404 proves nothing; but where status knows already what it would prove, it is no news either.
fn missing(facts: &Facts, declared: &Declared, id: &str) -> Step {
    let status = facts.object.status;
    let settled = status.observed_generation == Some(facts.object.generation);
    match status.state {
        Some(UserState::DeletedAtServer) if settled && !is_replaced(facts, declared) => gone(facts, declared, id),
        Some(UserState::Inactive) if settled && (declared.active == Some(false) || left_inactive(facts, declared)) => {
            settle(Verdict::default())
        }
        // A person is asked already.
        Some(UserState::Failed | UserState::Held | UserState::Planned) if settled => settle(Verdict::default()),
        _ => look_again(),
    }
}

fn look_again() -> Step {
    settle(Verdict {
        reason: Some(Reason::Pending),
        message:
            "the server answered 404 for this account; it is looked for once more in a minute before it counts as gone"
                .to_owned(),
        ..Verdict::default()
    })
}

fn look_up(facts: &Facts) -> Step {
    Step::Read(facts.object.remote_id.map_or(Read::Find, |id| Read::Get(id.to_owned())))
}

/// No account, and the object was never bound to one.
fn unknown_there(facts: &Facts, declared: &Declared, fresh: bool) -> Step {
    if let Some(step) = refused(facts).filter(|_| fresh) {
        return step;
    }
    if let Some(id) = facts.object.remote_id {
        return stalled(
            Reason::Conflict,
            format!(
                "the annotation remote-id names the account {id:?}, which the server doesn't have; correct it or take it off"
            ),
            UserState::Failed,
        );
    }
    if let Some(elder) = &facts.claims.elder {
        return comes_first(elder);
    }
    // What another object has renamed, or may have made, a listing may not show yet.
    if facts.claims.holder.is_some() && !fresh {
        return look_up(facts);
    }
    // A creation was sent and its answer never recorded (promise I7).
    if facts.unrecorded().is_some() && !fresh {
        return look_up(facts);
    }
    if declared.active == Some(false) {
        let (reason, message) = inactive_reason(declared);
        return settle(Verdict {
            reason: Some(reason),
            message: format!("{message}; no account is created before it is to be active"),
            state: Some(UserState::NotCreated),
            executed: true,
            ..Verdict::default()
        });
    }
    // Whom nothing is created for isn't looked for each time.
    if !facts.may(Action::Create) {
        return create(facts, declared);
    }
    // Never again before a look that came after the last answer; what failed before a restart may have been one, too.
    let failed = facts.object.status.state == Some(UserState::Failed);
    if (facts.policy.profile.unsure_of_duplicates || facts.creations.earlier || failed) && !fresh {
        return look_up(facts);
    }
    create(facts, declared)
}

/// The one place that creates (promise I7): never twice in a pass, nor a third time within an hour.
fn create(facts: &Facts, declared: &Declared) -> Step {
    if !facts.may(Action::Create) {
        return disabled("Create", "the account is not there, and");
    }
    if let Some(message) = facts.creations.exhausted("account") {
        return stalled(Reason::Conflict, message, UserState::Failed);
    }
    if let Some(message) = facts.creations.before_another("account") {
        return pending(message);
    }
    let omitted = |path: &Path| facts.split.omitted().is_some_and(|omitted| omitted.contains(&path.to_string()));
    let mut sent = declared.clone();
    sent.attributes.retain(|path, _| !omitted(path));
    sent.on_create.retain(|path, _| !omitted(path));
    let mut body = creation(&sent);
    if !facts.policy.profile.entry_types {
        without_types(&mut body);
    }
    if !facts.policy.profile.active_at_creation {
        body.remove(ACTIVE);
    }
    let paths = sent.attributes.keys().chain(sent.on_create.keys());
    Step::Send(Box::new(Operation {
        kind: OperationType::Create,
        attributes: paths.cloned().collect::<BTreeSet<_>>().into_iter().collect(),
        request: Request::Create(body),
        guard: Some(GuardName::Creates),
        change: (),
        undelegated: false,
    }))
}

fn inactive_reason(declared: &Declared) -> (Reason, String) {
    if declared.outside_window {
        (Reason::OutsideAccessWindow, "now lies outside spec.access".to_owned())
    } else {
        (Reason::Synced, "spec.active is false".to_owned())
    }
}

/// Whether an account that is gone is to be had again. Where it was deactivated by us before, its end is what that came to
/// at this server, and whoever is declared active again comes back (promise I16).
fn is_replaced(facts: &Facts, declared: &Declared) -> bool {
    let asked = facts.policy.repair.deleted || facts.object.requested;
    declared.active != Some(false) && (asked || was_deactivated(facts) && declared.active == Some(true))
}

/// What was carried out last is that the account be inactive.
fn was_deactivated(facts: &Facts) -> bool {
    let status = facts.object.status;
    status.last_applied_active == Some(false) && status.state != Some(UserState::Invited)
}

/// It was deactivated by us, and nothing is declared since.
fn left_inactive(facts: &Facts, declared: &Declared) -> bool {
    declared.active.is_none() && was_deactivated(facts)
}

/// The bound account is proven gone.
fn gone(facts: &Facts, declared: &Declared, id: &str) -> Step {
    if declared.active == Some(false) {
        let status = facts.object.status;
        let known =
            status.state == Some(UserState::Inactive) && status.observed_generation == Some(facts.object.generation);
        // It may be there, and active, under another id.
        if !known && !facts.creations.searched {
            return Step::Read(Read::Find);
        }
        if is_never_shown(facts, id) {
            return stalled(Reason::NotSupported, never_deactivated(id), UserState::Failed);
        }
        let message = if facts.policy.profile.removes_inactive {
            "inactive: the server removes accounts that are deactivated; to be active again creates it anew"
        } else {
            "the account is to be inactive, and the server doesn't have it any more"
        };
        let mut verdict = inactive_and_gone(inactive_reason(declared).0, message);
        verdict.details.applied_active = Some(declared.active);
        return settle(verdict);
    }
    if is_replaced(facts, declared) {
        // It may be there under another id.
        return if facts.creations.searched { create(facts, declared) } else { Step::Read(Read::Find) };
    }
    if left_inactive(facts, declared) {
        let message = "the account was deactivated by us, and the server doesn't have it any more; add `active: true` to the \
                       spec to have it created anew";
        return settle(inactive_and_gone(Reason::Synced, message));
    }
    let status = facts.object.status;
    let known =
        status.state == Some(UserState::DeletedAtServer) && status.observed_generation == Some(facts.object.generation);
    // Under another id it may have the name that it had before the object was renamed.
    if !known && !facts.creations.searched {
        return Step::Read(Read::Find);
    }
    let message = if is_never_shown(facts, id) {
        never_shown(id)
    } else {
        format!(
            "the account {id} was deleted at the server, not by us; to have it created again annotate this object with \
             scim-operator.dev/reconcile-requested-at, or set the connection's driftPolicy.deleted to Repair"
        )
    };
    settle(Verdict {
        reason: Some(Reason::DeletedAtServer),
        message,
        state: Some(UserState::DeletedAtServer),
        executed: true,
        details: UserDetails { user_name: Some(String::new()), ..UserDetails::default() },
        ..Verdict::default()
    })
}

/// What was asked for, whether the server or somebody there removed the account.
fn inactive_and_gone(reason: Reason, message: &str) -> Verdict {
    Verdict {
        reason: Some(reason),
        message: message.to_owned(),
        state: Some(UserState::Inactive),
        executed: true,
        details: UserDetails { active: Some(false), user_name: Some(String::new()), ..UserDetails::default() },
        ..Verdict::default()
    }
}

/// However it stands with the account, its name is the one that is shown: the object it was taken from, or that waits
/// for it, goes by that.
fn named(facts: &Facts, resource: &Resource, mut step: Step) -> Step {
    if let Step::Settle(verdict) = &mut step
        && !is_hidden(facts, resource)
    {
        verdict.details.user_name = resource.user_name().map(str::to_owned);
    }
    step
}

/// The account as it is compared, and what differs.
pub(super) fn differing(facts: &Facts, declared: &Declared, resource: &Resource) -> (View, Differences) {
    let mut owned = facts.owned(resource);
    // What nobody can resolve takes nothing away.
    let left = facts.left();
    owned.retain(|path| !left.contains(path));
    let view = untyped::typed(declared, &owned, resource);
    let found = differences(declared, &view.resource, &owned);
    (view, found)
}

/// The object is bound, and its account is there.
fn bound(facts: &Facts, declared: &Declared, id: &str, resource: &Resource, fresh: bool) -> Step {
    let seen_active = is_seen_active(facts, declared, resource);
    // First: nothing else that is declared, or can't be had, holds up a removal (promise I17).
    if let Some(step) = deactivation(facts, declared, id, resource, fresh, seen_active) {
        return step;
    }
    if let Some(step) = refused(facts) {
        return step;
    }
    if let Some(why) = undelegated(facts, resource) {
        return stalled(Reason::NotAllowed, why, UserState::Failed);
    }
    let hidden = is_hidden(facts, resource);
    let renamed = !hidden && resource.user_name().is_some_and(|name| fold(name) != declared.folded_user_name());
    if renamed {
        if let Some(holder) = &facts.claims.holder {
            return waits_for(holder);
        }
        if let Some(elder) = &facts.claims.elder {
            return comes_first(elder);
        }
    }
    let reactivate = match reactivation(facts, declared, seen_active) {
        Ok(reactivate) => reactivate,
        Err(verdict) => return settle(*verdict),
    };
    let (view, found) = differing(facts, declared, resource);
    let sorted = ignored::sort(found, &view, facts, &declared.unsupported);
    if let Some(step) = update(facts, declared, id, &view, fresh, &sorted, reactivate) {
        return step;
    }
    let verdict = at_rest(facts, declared, &view.resource, sorted, seen_active);
    settle(if awaits_acceptance(facts, declared, seen_active) { awaiting(verdict) } else { verdict })
}
