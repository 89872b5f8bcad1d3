//! Accounts that nothing but the answer to their creation has ever shown.

use super::facts::Facts;

fn made(id: &str) -> String {
    format!("the server answered that it made the account {id:?}, and has shown it to nobody since")
}

/// What somebody is told who has such an account.
pub(super) fn never_shown(id: &str) -> String {
    format!(
        "{}: it was deleted at once, or the server keeps accounts that it doesn't show; look for it there. To have it created \
         again annotate this object with scim-operator.dev/reconcile-requested-at",
        made(id)
    )
}

/// The same where it is to be inactive.
pub(super) fn never_deactivated(id: &str) -> String {
    format!("{}: it can't be deactivated, and may be active; look for it there", made(id))
}

/// What is told of it as its object goes.
pub(super) fn left_unseen(id: &str) -> String {
    format!("{}, and may be there", made(id))
}

/// So it is for the bound account, or was when it was looked for last.
pub(super) fn is_never_shown(facts: &Facts, id: &str) -> bool {
    let made = made(id);
    let told = facts.object.status.conditions.iter().flatten().any(|known| known.message.starts_with(&made));
    facts.creations.unseen || told
}
