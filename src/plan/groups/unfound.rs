//! Members named by a userName that no object declares, and whose accounts can't be told.

use super::facts::{GroupFacts, Unfound};
use crate::api::Reason;

/// So many of them are named.
const MOST: usize = 5;

impl Unfound {
    /// Of everybody it is known whether they have an account.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Why members aren't put in, where that isn't for want of an account.
pub(super) fn told(facts: &GroupFacts) -> Option<(Reason, String)> {
    let unfound = facts.members.unfound;
    if !unfound.several.is_empty() {
        let message = format!(
            "several accounts at the server have the userName {}: none of them is put in or taken out; name the right one by \
             its id",
            named(&unfound.several)
        );
        return Some((Reason::Conflict, message));
    }
    if !unfound.unsearchable.is_empty() {
        let message = format!(
            "the server neither lists all its users nor finds them by userName, so {} can't be looked for, and isn't put in; \
             name the member by its id",
            named(&unfound.unsearchable)
        );
        return Some((Reason::NotSupported, message));
    }
    if !unfound.unproven.is_empty() {
        let message = format!(
            "the server finds no account with the userName {}, and doesn't list all its users, so it can't be told whether \
             there is one; correct the name, or name the member by its id",
            named(&unfound.unproven)
        );
        return Some((Reason::MemberNotFound, message));
    }
    let awaited = [&*unfound.unlisted, &*unfound.unsought].concat();
    (!awaited.is_empty()).then(|| {
        let message = format!("{} is put in as soon as the server has shown whose userName it is", named(&awaited));
        (Reason::Pending, message)
    })
}

/// A process that has just begun knows less than status says, and nothing else.
pub(super) fn says_nothing(facts: &GroupFacts) -> bool {
    let (object, unfound) = (&facts.object, facts.members.unfound);
    let unproven = !unfound.unproven.is_empty() && object.status.members == Some(facts.counts());
    let settled = object.status.observed_generation == Some(object.generation);
    settled && (!unfound.unlisted.is_empty() || unproven)
}

fn named(names: &[String]) -> String {
    let some = names.iter().take(MOST).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST) {
        0 => some,
        more => format!("{some} (and {more} more)"),
    }
}
