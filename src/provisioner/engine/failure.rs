//! What a request that failed means for its object (promise I21).

use std::time::Duration;

use jiff::Timestamp;
use tracing::warn;

use super::{Kind, LOOK_AGAIN, Pass, Stop};
use crate::api::Reason;
use crate::directory::{full_name, has_finalizer};
use crate::plan::{Verdict, way_out};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::schedule::queue::Outcome;
use crate::scim::{Class, Error, Kind as Collection};

/// So often a 5xx is met about one object before it is the object's own, where the server serves others meanwhile.
const TROUBLES: u32 = 5;

/// So often where there is nobody else to tell by.
const MOST_TROUBLES: u32 = 10;

impl<E: Effects> Provisioner<E> {
    /// A request about an object failed: that is said and counted, and a server that asks for patience gets it.
    pub(in crate::provisioner) fn note_failure(&self, error: &Error) -> Class {
        let class = error.class();
        warn!(?class, request_id = error.request_id().unwrap_or("-"), "{error}");
        self.surroundings.metrics.error(&self.key.to_string(), class_name(class));
        match class {
            Class::Transient | Class::Unreachable | Class::Tls | Class::Timeout | Class::Empty => {
                if let Some(pause) = error.retry_after() {
                    self.schedule.limiter().pause(pause);
                }
            }
            _ => {}
        }
        class
    }

    /// A 403 without a word, where writes went through a moment ago: it may be about how many there were.
    fn may_be_a_pause(&self, error: &Error) -> bool {
        error.class() == Class::Forbidden
            && error.status().is_some()
            && error.detail().is_none()
            && self.notes.wrote_lately(self.effects.now())
    }

    /// The same, and it has not been waited out often enough: nothing is learnt by asking for more in parts.
    pub(super) fn is_to_be_waited_out<K: Kind>(&self, pass: &Pass<K>, error: &Error) -> bool {
        self.may_be_a_pause(error) && self.notes.troubles(&pass.uid()) + 1 < TROUBLES
    }

    /// What a failed request means for its object, and whether it requests a probe of the connection.
    pub(in crate::provisioner) fn failed<K: Kind>(&self, pass: &Pass<K>, error: &Error) -> Stop<K> {
        match self.note_failure(error) {
            Class::Throttled => Stop::WithoutStatus(Outcome::Paused),
            // One test tells whether it is about the key, or about this request.
            Class::Credential => self.troubled(pass, error),
            Class::Transient if error.status().is_some() && error.retry_after().is_none() => self.troubled(pass, error),
            Class::NotScim | Class::Transient | Class::Unreachable | Class::Tls | Class::Timeout | Class::Empty => {
                self.request_probe();
                try_later(pass, error)
            }
            Class::Forbidden if self.may_be_a_pause(error) => self.troubled(pass, error),
            Class::Forbidden => {
                // The test of a connection asks for users: of groups it would learn nothing.
                if K::COLLECTION == Collection::Users {
                    self.request_probe();
                }
                // Once may be a moment, in which rights are changed.
                let once = self.notes.rejections(&pass.uid()) == 0;
                let stop = self.own_error(pass, Reason::Rejected, error.to_string());
                if once { passing(stop) } else { stop }
            }
            Class::Unsupported => {
                let message = K::unsupported(self, pass, error);
                self.own_error(pass, Reason::NotSupported, message)
            }
            Class::Conflict => self.own_error(pass, Reason::Conflict, error.to_string()),
            // Nothing that takes access away waits for a person on account of a form.
            Class::ContentType if K::removes_access(self, pass) => try_later(pass, error),
            Class::NotFound | Class::Precondition | Class::ContentType | Class::Rejected => {
                self.own_error(pass, Reason::Rejected, error.to_string())
            }
        }
    }

    /// A 5xx, or a 401: the server's trouble, or the key's, until it was met so often about this object alone that it is the
    /// object's.
    fn troubled<K: Kind>(&self, pass: &Pass<K>, error: &Error) -> Stop<K> {
        let (times, serves_others) = self.notes.troubled(&pass.uid(), self.effects.now());
        // One test tells whether the connection is well; more of them about the same object tell nothing new.
        if times <= 2 || !serves_others {
            match error.class() {
                Class::Credential => self.request_key_probe(),
                _ => self.request_probe(),
            }
        }
        if times < TROUBLES || !(serves_others || times >= MOST_TROUBLES) {
            return try_later(pass, error);
        }
        // Whatever its class advises isn't the matter.
        let error = error.without_advice();
        let message = format!("{error}; it has answered so {times} times, and serves others; it is tried again hourly");
        match passing(self.own_error(pass, Reason::Rejected, message)) {
            // Whatever takes access away is tried again as soon as anything is.
            Stop::With(verdict, _) if K::removes_access(self, pass) => Stop::With(verdict, Outcome::Retry),
            stop => stop,
        }
    }

    /// The object's own error: it waits for a change on our side, or for an hour and longer.
    pub(in crate::provisioner) fn own_error<K: Kind>(
        &self,
        pass: &Pass<K>,
        reason: Reason,
        message: String,
    ) -> Stop<K> {
        let before = self.notes.rejected(&pass.uid());
        // Whatever takes access away is never put off for longer.
        let before = if K::removes_access(self, pass) { 0 } else { before };
        let verdict = Verdict {
            reason: Some(reason),
            message: with_way_out::<K>(&pass.object, message),
            state: Some(if pass.is_deleting() { K::DELETING } else { K::FAILED }),
            executed: true,
            ..Verdict::default()
        };
        Stop::With(Box::new(verdict), Outcome::After(own_error_pause(before)))
    }
}

/// The same, where it says nothing of whether the object can be carried out: nobody loses an account on account of it, who
/// waits for this object to take it over (promise I8).
fn passing<K: Kind>(stop: Stop<K>) -> Stop<K> {
    match stop {
        Stop::With(mut verdict, outcome) => {
            verdict.passing = true;
            Stop::With(verdict, outcome)
        }
        stop => stop,
    }
}

/// The server's trouble, or the network's: tried again with a back-off.
pub fn try_later<K: Kind>(pass: &Pass<K>, error: &Error) -> Stop<K> {
    Stop::With(Box::new(waiting(pass, format!("{error}; it is tried again"))), Outcome::Retry)
}

/// It can't be told yet: it is looked at again in a minute, or as soon as the list is complete.
pub fn looked_for_later<K: Kind>(pass: &Pass<K>, message: String) -> Stop<K> {
    Stop::With(Box::new(waiting(pass, message)), Outcome::After(LOOK_AGAIN))
}

/// What an object that waits is told; under deletion with the way out, for nothing blocks silently (promise I15).
pub fn waiting<K: Kind>(pass: &Pass<K>, message: String) -> Verdict<K> {
    Verdict {
        reason: Some(Reason::Pending),
        message: with_way_out::<K>(&pass.object, message),
        state: Some(if pass.is_deleting() { K::DELETING } else { K::PENDING }),
        ..Verdict::default()
    }
}

/// A message; under deletion the way out is always named (promise I15).
pub fn with_way_out<K: Kind>(object: &K::Object, message: String) -> String {
    if crate::directory::is_deleting(object) && has_finalizer(object) {
        format!("{message}. {}", way_out::<K>(&full_name(object)))
    } else {
        message
    }
}

/// The object's own error: tried again after an hour, doubling to a day (promise I21).
pub fn own_error_pause(before: u32) -> Duration {
    const HOUR: u64 = 60 * 60;
    Duration::from_secs((HOUR << before.min(5)).min(24 * HOUR))
}

/// Until what was refused is due again; a minute at least.
pub fn pause_until(due: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(due.duration_since(now)).unwrap_or_default().max(Duration::from_secs(60))
}

/// A bounded name for metrics.
pub fn class_name(class: Class) -> &'static str {
    match class {
        Class::Throttled => "throttled",
        Class::Transient => "transient",
        Class::Credential => "credential",
        Class::Forbidden => "forbidden",
        Class::NotFound => "not_found",
        Class::Conflict => "conflict",
        Class::Precondition => "precondition",
        Class::ContentType => "content_type",
        Class::Unsupported => "unsupported",
        Class::NotScim => "not_scim",
        Class::Rejected => "rejected",
        Class::Unreachable => "unreachable",
        Class::Tls => "tls",
        Class::Timeout => "timeout",
        Class::Empty => "empty",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i21_an_objects_own_error_is_tried_again_after_an_hour_and_then_less_and_less_often() {
        let hours = |before| own_error_pause(before).as_secs() / (60 * 60);
        assert_eq!([hours(0), hours(1), hours(2), hours(4), hours(5), hours(400)], [1, 2, 4, 16, 24, 24]);
    }
}
