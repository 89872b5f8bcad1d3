//! Verdicts about users that several decisions come to.

use super::step::{Step, Verdict};
use crate::api::{Reason, UserState};

pub(super) fn settle(verdict: Verdict) -> Step {
    Step::Settle(Box::new(verdict))
}

/// The generation can't be carried out as it stands.
pub(super) fn stalled(reason: Reason, message: String, state: UserState) -> Step {
    settle(Verdict { reason: Some(reason), message, state: Some(state), executed: true, ..Verdict::default() })
}

pub(super) fn disabled(action: &str, what: &str) -> Step {
    stalled(
        Reason::ActionDisabled,
        format!("{what} the connection's spec.actions doesn't list {action}; add it there to permit this"),
        UserState::Failed,
    )
}
