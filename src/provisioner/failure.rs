//! What a request that failed means for its user (promise I21).

use kube::ResourceExt;
use tracing::warn;

use super::directory::{full_name, has_finalizer, is_deleting};
use super::effects::Effects;
use super::queue::Outcome;
use super::worker::{Pass, Stop, own_error_pause};
use super::{Provisioner, lock};
use crate::api::{Reason, UserState};
use crate::plan::{Verdict, way_out};
use crate::scim::{Class, Error};

impl<E: Effects> Provisioner<E> {
    /// A request about an object failed: that is said and counted, and a server that asks for patience gets it.
    pub(super) fn note_failure(&self, object: &str, error: &Error) -> Class {
        let class = error.class();
        warn!(%object, ?class, request_id = error.request_id().unwrap_or("-"), "{error}");
        self.metrics.error(&self.key.to_string(), class_name(class));
        match class {
            Class::Transient | Class::Unreachable | Class::Tls | Class::Timeout | Class::Empty => {
                if let Some(pause) = error.retry_after() {
                    self.limiter.pause(pause);
                }
            }
            _ => {}
        }
        class
    }

    /// What a failed request means for its object, and whether it casts doubt on the connection.
    pub(super) fn failed(&self, pass: &Pass, error: &Error) -> Stop {
        match self.note_failure(&full_name(&pass.user), error) {
            Class::Throttled => Stop::Silently(Outcome::Paused),
            Class::Credential => {
                self.doubt_key();
                Self::try_later(pass, error)
            }
            Class::NotScim | Class::Transient | Class::Unreachable | Class::Tls | Class::Timeout | Class::Empty => {
                self.doubt();
                Self::try_later(pass, error)
            }
            Class::Forbidden => {
                self.doubt();
                self.own_error(pass, Reason::Rejected, error.to_string())
            }
            Class::Unsupported => {
                let message = format!(
                    "{error}; set spec.dialect.writeUsers of the connection to the method that this server has"
                );
                let uid = pass.user.uid().unwrap_or_default();
                lock(&self.report).unsupported(&uid, pass.session.generation, &message);
                self.own_error(pass, Reason::NotSupported, message)
            }
            Class::Conflict => self.own_error(pass, Reason::Conflict, error.to_string()),
            // Nothing that takes access away waits for a person on account of a form.
            Class::ContentType if is_deleting(&pass.user) || pass.user.spec.active == Some(false) => {
                Self::try_later(pass, error)
            }
            Class::NotFound | Class::Precondition | Class::ContentType | Class::Rejected => {
                self.own_error(pass, Reason::Rejected, error.to_string())
            }
        }
    }

    pub(super) fn try_later(pass: &Pass, error: &Error) -> Stop {
        Stop::With(Box::new(waiting(pass, format!("{error}; it is tried again"))), Outcome::Retry)
    }

    /// The object's own error: it waits for a change on our side, or for an hour and longer.
    pub(super) fn own_error(&self, pass: &Pass, reason: Reason, message: String) -> Stop {
        let before = lock(&self.memory).rejected(&pass.user.uid().unwrap_or_default());
        let deleting = is_deleting(&pass.user);
        let verdict = Verdict {
            reason: Some(reason),
            message: with_way_out(pass, message),
            state: Some(if deleting { UserState::Deleting } else { UserState::Failed }),
            executed: true,
            ..Verdict::default()
        };
        Stop::With(Box::new(verdict), Outcome::After(own_error_pause(before)))
    }
}

/// What a user that waits is told; under deletion with the way out, for nothing blocks silently (promise I15).
pub(super) fn waiting(pass: &Pass, message: String) -> Verdict {
    let state = if is_deleting(&pass.user) { UserState::Deleting } else { UserState::Pending };
    Verdict {
        reason: Some(Reason::Pending),
        message: with_way_out(pass, message),
        state: Some(state),
        ..Verdict::default()
    }
}

fn with_way_out(pass: &Pass, message: String) -> String {
    if is_deleting(&pass.user) && has_finalizer(&pass.user) {
        format!("{message}. {}", way_out(&full_name(&pass.user)))
    } else {
        message
    }
}

/// A bounded name for metrics.
pub(super) fn class_name(class: Class) -> &'static str {
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
