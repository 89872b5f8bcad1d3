//! Conditions after the Kubernetes API conventions.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::{Also, Reason, RosterReason};

/// A condition's message is cut here: it goes to everyone who may read the object.
const MESSAGE_LIMIT: usize = 1024;

/// A condition as it would be if it had not been there before.
pub fn fresh_condition(
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    generation: i64,
    now: Timestamp,
) -> Condition {
    Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.chars().filter(|c| !c.is_control()).take(MESSAGE_LIMIT).collect(),
        last_transition_time: Time(whole_seconds(now)),
        observed_generation: Some(generation),
    }
}

/// Puts a condition in place; its transition time stays unless its status changed.
pub fn set_condition(conditions: &mut Vec<Condition>, mut condition: Condition) {
    match conditions.iter_mut().find(|known| known.type_ == condition.type_) {
        Some(known) => {
            if known.status == condition.status {
                condition.last_transition_time = known.last_transition_time.clone();
            }
            *known = condition;
        }
        None => conditions.push(condition),
    }
}

/// What a reason says of an object.
pub struct Standing {
    reason: &'static str,
    /// The status of Ready; none leaves it as it was.
    ready: Option<&'static str>,
    /// The condition beside Ready.
    also: Also,
}

impl From<Reason> for Standing {
    fn from(reason: Reason) -> Self {
        Self { reason: reason.as_str(), ready: reason.ready(), also: reason.also() }
    }
}

impl From<RosterReason> for Standing {
    fn from(reason: RosterReason) -> Self {
        Self { reason: reason.as_str(), ready: reason.ready(), also: reason.also() }
    }
}

/// Ready, and the one that says how it goes on: what a ScimUser, a ScimGroup and a ScimRoster show.
pub fn set_object_conditions(
    conditions: &mut Vec<Condition>,
    standing: &Standing,
    message: &str,
    generation: i64,
    now: Timestamp,
) {
    let known = ready(Some(conditions)).map(|ready| ready.status.clone());
    // A suspended object keeps the Ready that it had: nothing is known to have changed.
    let ready = standing.ready.map(str::to_owned).or(known).unwrap_or_else(|| "Unknown".to_owned());
    let fresh = |kind: &str, status: &str| fresh_condition(kind, status, standing.reason, message, generation, now);
    set_condition(conditions, fresh("Ready", &ready));
    for (kind, also) in [("Reconciling", Also::Reconciling), ("Stalled", Also::Stalled)] {
        if standing.also == also {
            set_condition(conditions, fresh(kind, "True"));
        } else {
            unset_condition(conditions, kind);
        }
    }
}

/// The object says of this generation that it waits, and for what: that it is queued besides is no news (promise I1).
pub fn waits_already(conditions: Option<&[Condition]>, generation: Option<i64>) -> bool {
    ready(conditions)
        .is_some_and(|known| known.reason == Reason::Pending.as_str() && known.observed_generation == generation)
}

/// The condition Ready.
pub fn ready(conditions: Option<&[Condition]>) -> Option<&Condition> {
    conditions?.iter().find(|known| known.type_ == "Ready")
}

/// Whether the condition of this kind is there and true.
pub fn is_true(conditions: Option<&[Condition]>, kind: &str) -> bool {
    conditions.unwrap_or_default().iter().any(|known| known.type_ == kind && known.status == "True")
}

/// Takes a condition away.
pub fn unset_condition(conditions: &mut Vec<Condition>, kind: &str) {
    conditions.retain(|known| known.type_ != kind);
}

/// Kubernetes keeps whole seconds; more would make a difference where there is none.
pub fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
