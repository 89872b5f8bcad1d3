//! Access windows: who is in, who is out, and what a clock that was set can't undo.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use proptest::prelude::*;
use serde_json::json;

use super::driver::spec;
use crate::api::{LastOperation, OperationType, ScimUserSpec, ScimUserStatus};
use crate::plan::{Declared, window_clock};
use crate::scim::Profile;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn guest(from: i64, until: i64) -> ScimUserSpec {
    spec(json!({
        "connectionRef": {"name": "c"}, "userName": "guest",
        "access": {"notBefore": at(from).to_string(), "notAfter": at(until).to_string()},
    }))
}

/// As recorded when the window was seen to have ended.
fn closed(seen: Timestamp) -> ScimUserStatus {
    let ready = Condition {
        type_: "Ready".into(),
        status: "True".into(),
        reason: "OutsideAccessWindow".into(),
        message: String::new(),
        last_transition_time: Time(at(-500)),
        observed_generation: Some(1),
    };
    let operation =
        LastOperation { type_: OperationType::Deactivate, at: Time(seen), attributes: None, request_id: None };
    ScimUserStatus { conditions: Some(vec![ready]), last_operation: Some(operation), ..ScimUserStatus::default() }
}

fn active(spec: &ScimUserSpec, status: &ScimUserStatus, now: Timestamp) -> Option<bool> {
    let clock = window_clock(spec, status, now);
    Declared::new(spec, None, &Profile::generic(), clock).active
}

proptest! {
    #[test]
    fn i10_a_window_decides_by_the_instant_alone(from in 0..100i64, length in 1..100i64, now in -50..300i64) {
        let guest = guest(from, from + length);
        let inside = from <= now && now < from + length;
        prop_assert_eq!(active(&guest, &ScimUserStatus::default(), at(now)), Some(inside));
    }

    #[test]
    fn i10_a_clock_that_goes_backwards_reopens_nothing(until in 1..100i64, back in 0..1000i64, after in 0..50i64) {
        let before = guest(-1000, until);
        let status = closed(at(until + after));
        prop_assert_eq!(active(&before, &status, at(until - back)), Some(false));
        // A later end is another window, and an end that was never seen to come has not come.
        prop_assert_eq!(active(&guest(-1000, until + after + 1), &status, at(until - 1)), Some(true));
        let early = closed(at(until) - SignedDuration::from_secs(1));
        prop_assert_eq!(active(&before, &early, at(until - 1)), Some(true));
    }
}
