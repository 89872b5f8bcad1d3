//! Verdicts that several decisions come to, about users and groups alike.

use super::claims::{Holder, elder_comes_first};
use super::resource_type::ResourceType;
use super::step::{Step, Verdict};
use crate::api::Reason;

pub(super) fn settle<T: ResourceType>(verdict: Verdict<T>) -> Step<T> {
    Step::Settle(Box::new(verdict))
}

/// The generation can't be carried out as it stands.
pub(super) fn stalled<T: ResourceType>(reason: Reason, message: String, state: T::State) -> Step<T> {
    settle(Verdict { reason: Some(reason), message, state: Some(state), executed: true, ..Verdict::default() })
}

/// It goes on by itself.
pub(super) fn pending<T: ResourceType>(message: String) -> Step<T> {
    settle(Verdict { reason: Some(Reason::Pending), message, state: Some(T::PENDING), ..Verdict::default() })
}

pub(super) fn disabled<T: ResourceType>(action: &str, what: &str) -> Step<T> {
    let message = format!("{what} the connection's spec.actions doesn't list {action}; add it there to permit this");
    stalled(Reason::ActionDisabled, message, T::FAILED)
}

/// Another object declares the same name and comes first (promise I8).
pub(super) fn comes_first<T: ResourceType>(name: &str) -> Step<T> {
    stalled(Reason::Conflict, elder_comes_first::<T>(name), T::FAILED)
}

/// Another object has the account or group, or the name, or may have made one of that name (promise I8).
pub(super) fn waits_for<T: ResourceType>(holder: &Holder) -> Step<T> {
    match holder.in_the_way::<T>() {
        (Reason::Conflict, message) => stalled(Reason::Conflict, message, T::FAILED),
        (_, message) => pending(message),
    }
}
