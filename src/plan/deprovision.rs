//! What deleting a ScimUser does: the table of the resources' documentation, row by row.

use super::active::{UNSEEN, may_be_invited};
use super::deletion::{self, Leaving, left_as_is, remove_finalizer};
use super::facts::{Account, Facts};
use super::first::under_another_id;
use super::guards::GuardName;
use super::path::Path;
use super::person;
use super::refusal::{must_be_seen, not_its_own, protected, undelegated};
use super::step::{Operation, Read, Request, Step, Verdict};
use super::unseen::{is_never_shown, left_unseen};
use super::write::set_active;
use crate::api::{Action, AdoptionPolicy, DeletionPolicy, OperationType, Reason};
use crate::scim::{Resource, WriteMethod};

/// Decides the next step for an object under deletion.
pub fn decide(facts: &Facts) -> Step {
    let object = &facts.object;
    let policy = effective_policy(facts);
    let leaving = Leaving {
        full_name: object.full_name,
        sent: object.has_finalizer && (object.status.id.is_some() || object.claimed.is_some()),
        released: object.release,
        successor: facts.claims.successor.as_ref(),
        retained: policy == DeletionPolicy::Retain,
        permitted: facts.may(Action::Deprovision),
        elsewhere: facts.bound_elsewhere() || facts.claims_elsewhere(),
        suspended: (facts.policy.suspend || object.spec.suspend).then_some("suspended"),
    };
    if let Some(step) = leaving.decided() {
        return step;
    }
    let found = match &facts.account {
        Account::Found { resource, .. } => Some(resource),
        _ => None,
    };
    if let Some(pattern) = protected(facts, found) {
        return left_as_is(&format!("guards.protected ({pattern})"));
    }
    if let Some((reason, why)) =
        found.filter(|_| facts.bound_id().is_some()).and_then(|found| not_its_own(facts, found, true))
    {
        return waits(facts, reason, &why);
    }
    // What was never seen may be protected by what it has there.
    if let (Some(id), Account::Unknown) = (facts.bound_id(), &facts.account)
        && !facts.policy.protected.is_empty()
        && facts.written.is_empty()
    {
        return Step::Read(Read::Get(id.to_owned()));
    }
    match (facts.bound_id(), &facts.account) {
        // The server may have given out new ids: the person is looked for before the account counts as gone.
        (Some(_), Account::Absent { .. }) if !facts.creations.deleted && !facts.creations.searched => {
            Step::Read(Read::Find)
        }
        (Some(_), Account::Listed(other)) => Step::Read(Read::Get(other.clone())),
        (Some(id), Account::Found { resource, .. }) if resource.id() != Some(id) => renumbered(facts, id, resource),
        (Some(id), Account::Contradictory(_)) => left_as_is(&format!(
            "the server doesn't have {id:?} any more, and several \
            accounts with this userName"
        )),
        (Some(id), account) => bound(facts, id, account, policy),
        (None, Account::Absent { fresh: true }) => remove_finalizer("no account was ever created for it"),
        (None, Account::Found { resource, fresh: true }) => lost_creation(facts, resource, policy),
        (None, Account::Listed(id)) => Step::Read(Read::Get(id.clone())),
        (None, Account::Contradictory(_)) => {
            left_as_is("several accounts have its userName, and its own can't be identified with certainty")
        }
        (None, _) => Step::Read(Read::Find),
    }
}

/// The bound account is gone, and another one has its name (promise I6).
fn renumbered(facts: &Facts, gone: &str, resource: &Resource) -> Step {
    if let Some(binding) = under_another_id(facts, resource) {
        return Step::Bind(binding);
    }
    let found = resource.id().unwrap_or_default();
    deletion::renumbered(facts.object.full_name, gone, found, &facts.claims.in_the_way())
}

/// A creation was sent and its answer never recorded: the account is ours only if nothing speaks against it.
fn lost_creation(facts: &Facts, resource: &Resource, policy: DeletionPolicy) -> Step {
    // One that is older than the object was about to be adopted, where that is allowed.
    let claimed = facts.claims_account(resource)
        || (facts.claims_name_of(resource) && facts.policy.adoption == AdoptionPolicy::Adopt);
    // Whoever only has the name that was declared since is in nobody's way.
    match (resource.id(), facts.claims.holder.as_ref().filter(|holder| holder.has_account)) {
        (Some(id), None) if claimed => match facts.delegated.refuses_account(resource) {
            Some(why) => left_as_is(&why),
            None => bound(facts, id, &facts.account, policy),
        },
        (Some(id), None) if facts.claims_name_of(resource) && !facts.is_believed(resource) => {
            left_as_is(&person::untold("account", id))
        }
        _ => remove_finalizer("its account can't be identified with certainty"),
    }
}

fn bound(facts: &Facts, id: &str, account: &Account, policy: DeletionPolicy) -> Step {
    match account {
        Account::Found { .. } | Account::Absent { .. } | Account::Missing => {}
        _ if must_be_seen(facts) && facts.written.is_empty() => return Step::Read(Read::Get(id.to_owned())),
        _ => {}
    }
    match (policy, account) {
        (_, Account::Absent { .. }) if is_never_shown(facts, id) && !facts.creations.deleted => {
            left_as_is(&left_unseen(id))
        }
        (_, Account::Absent { .. }) => remove_finalizer("the server doesn't have the account any more"),
        (_, Account::Missing) => waits(
            facts,
            Reason::Pending,
            "the server answered 404 for this account; it is looked for once more in a minute before it counts as gone",
        ),
        // Nobody looks again afterwards, and a listing may be older than our own last write.
        (DeletionPolicy::Deactivate, Account::Found { resource, fresh }) if resource.active() == Some(false) => {
            let invited = may_be_invited(facts);
            if invited && !facts.written.contains(&Path::core("active")) {
                set_active(facts, id, resource, *fresh, false)
            } else if !fresh {
                Step::Read(Read::Get(id.to_owned()))
            } else if invited {
                uninvited(id, resource)
            } else {
                remove_finalizer("the account is inactive")
            }
        }
        (DeletionPolicy::Deactivate, Account::Found { resource, fresh }) => {
            if !facts.written.contains(&Path::core("active")) {
                set_active(facts, id, resource, *fresh, false)
            } else if resource.active().is_none() {
                unseen(id, resource)
            } else {
                waits(
                    facts,
                    Reason::Rejected,
                    "the server accepted active: false and still shows true; it is tried again",
                )
            }
        }
        // Unseen, once: an answer that shows nothing is read back before it is judged.
        (DeletionPolicy::Deactivate, _)
            if facts.policy.profile.write_users == WriteMethod::Patch
                && !facts.written.contains(&Path::core("active")) =>
        {
            set_active(facts, id, &Resource::default(), false, false)
        }
        (DeletionPolicy::Delete, _) => delete(facts, id),
        (DeletionPolicy::Deactivate | DeletionPolicy::Retain, _) => Step::Read(Read::Get(id.to_owned())),
    }
}

fn delete(facts: &Facts, id: &str) -> Step {
    if facts.policy.profile.delete_irreversible && !facts.policy.allow_irreversible_delete {
        return waits(
            facts,
            Reason::IrreversibleDelete,
            "this server's deletion can't be taken back: the person could never be provisioned again; set the connection's \
             allowIrreversibleDelete, or this object's deletionPolicy to Deactivate, or release the object",
        );
    }
    let found = match &facts.account {
        Account::Found { resource, .. } => Some(resource),
        _ => None,
    };
    Step::Send(Box::new(Operation {
        kind: OperationType::Delete,
        request: Request::Delete { id: id.to_owned() },
        attributes: Vec::new(),
        guard: Some(GuardName::Removals),
        change: (),
        undelegated: found.is_some_and(|found| undelegated(facts, found).is_some()),
    }))
}

/// The step towards the deactivation that comes before a deletion, where the account is in groups that it leaves in
/// between (promise I17); none once it is inactive or gone.
pub fn deactivate_before(facts: &Facts) -> Option<Step> {
    let id = facts.bound_id()?;
    match &facts.account {
        Account::Absent { .. } | Account::Missing => None,
        Account::Found { resource, .. } if resource.active() == Some(false) => None,
        Account::Found { resource, fresh } => Some(set_active(facts, id, resource, *fresh, false)),
        _ => Some(Step::Read(Read::Get(id.to_owned()))),
    }
}

/// An object may only soften its connection's policy: Delete → Deactivate → Retain.
fn effective_policy(facts: &Facts) -> DeletionPolicy {
    let softness = |policy: DeletionPolicy| match policy {
        DeletionPolicy::Delete => 0,
        DeletionPolicy::Deactivate => 1,
        DeletionPolicy::Retain => 2,
    };
    let connection = facts.policy.deletion;
    facts.object.spec.deletion_policy.filter(|own| softness(*own) > softness(connection)).unwrap_or(connection)
}

/// The account is told to be inactive, which it was; whether that takes back an invitation is up to the server.
fn uninvited(id: &str, resource: &Resource) -> Step {
    let warning = format!(
        "the account {} ({}) never became active, as one that waits for an invitation to be accepted; it was told active: \
         false, and should the invitation be accepted all the same, it has access and no object: look there, and take the \
         invitation back",
        person::quoted(id),
        person::quoted(resource.user_name().unwrap_or_default()),
    );
    remove_finalizer_with("the account is inactive", warning)
}

/// The account was told to be inactive, and the server shows nothing of that.
fn unseen(id: &str, resource: &Resource) -> Step {
    let name = person::quoted(resource.user_name().unwrap_or_default());
    let warning = format!("the account {} ({name}) may be active still: {UNSEEN}", person::quoted(id));
    remove_finalizer_with("the account was told to be inactive", warning)
}

/// The object goes, and somebody is to look at the server.
fn remove_finalizer_with(message: &str, warning: String) -> Step {
    let (message, warning) = (message.to_owned(), Some(warning));
    Step::RemoveFinalizer(Box::new(Verdict { message, executed: true, warning, ..Verdict::default() }))
}

/// Under deletion and waiting.
fn waits(facts: &Facts, reason: Reason, message: &str) -> Step {
    deletion::waits(facts.object.full_name, reason, message)
}
