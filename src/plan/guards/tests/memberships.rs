//! The guard `memberships` counts members, for each group by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::api::OperationType;
use crate::plan::guards::{Admission, Candidate, Gate, GuardName, Limit, Remembered, Settings};

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn gate() -> Gate {
    let limit = Limit { max_percent: Some(20), min_count: 5, max_count: 500, window: Duration::from_secs(86_400) };
    let limits = BTreeMap::from([(GuardName::Memberships, limit)]);
    let mut gate = Gate::new(&Settings { plan: false, limits }, Remembered::default(), at(0));
    for uid in ["a", "b"] {
        gate.know_group(uid, [], at(0));
    }
    gate
}

fn leaving(uid: &str, members: std::ops::Range<u32>) -> Candidate {
    Candidate {
        uid: uid.into(),
        server: "here".into(),
        generation: 1,
        operation: OperationType::Update,
        remote_id: Some("g".into()),
        attributes: members.map(|n| format!("-{n:03}")).collect(),
        guard: Some(GuardName::Memberships),
        moved: false,
        deleted: false,
        held: None,
        held_before: None,
    }
}

#[test]
fn i13_each_group_is_judged_by_its_own_members() {
    let mut gate = gate();
    assert!(matches!(gate.admit(leaving("a", 0..21), 100, at(0)), Admission::Wait(_)));
    assert!(matches!(gate.admit(leaving("b", 0..20), 100, at(0)), Admission::Wait(_)));
    gate.tick(at(3));
    assert!(matches!(gate.admit(leaving("a", 0..21), 100, at(3)), Admission::Held { .. }));
    assert_eq!(gate.admit(leaving("b", 0..20), 100, at(3)), Admission::Go);
    assert_eq!((gate.taken_out("a", at(3)), gate.taken_out("b", at(3))), (0, 20));
    let hold = &gate.holds()[0];
    assert_eq!((hold.memberships, hold.updates, hold.reason().as_str()), (21, 0, "memberships"));
    // The window is the group's own, and survives in its status.
    gate.withdraw("b");
    assert!(matches!(gate.admit(leaving("b", 20..21), 100, at(4)), Admission::Wait(_)));
    gate.tick(at(7));
    assert!(matches!(gate.admit(leaving("b", 20..21), 100, at(7)), Admission::Held { .. }));
    assert_eq!(gate.group_ledger("b").iter().map(|(_, count)| count).sum::<u64>(), 20);
}

#[test]
fn i13_what_was_let_go_may_go_in_parts() {
    let mut gate = gate();
    assert!(matches!(gate.admit(leaving("a", 0..10), 100, at(0)), Admission::Wait(_)));
    gate.tick(at(3));
    assert_eq!(gate.admit(leaving("a", 0..10), 100, at(3)), Admission::Go);
    assert_eq!(gate.admit(leaving("a", 4..10), 100, at(4)), Admission::Go);
    assert_eq!(gate.taken_out("a", at(4)), 10, "counted once");
    assert!(matches!(gate.admit(leaving("a", 4..11), 100, at(5)), Admission::Wait(_)), "one more is judged");
}

#[test]
fn i13_an_approval_lets_go_what_the_hold_has() {
    let mut gate = gate();
    assert!(matches!(gate.admit(leaving("a", 0..50), 100, at(0)), Admission::Wait(_)));
    gate.tick(at(3));
    assert!(matches!(gate.admit(leaving("a", 0..50), 100, at(3)), Admission::Held { .. }));
    gate.tick(at(100));
    let id = gate.holds()[0].id.clone().expect("closed");
    assert_eq!(gate.answer(Some(&id), None, at(101)).len(), 1);
    assert_eq!(gate.admit(leaving("a", 0..50), 100, at(102)), Admission::Go);
    assert_eq!(gate.admit(leaving("a", 40..50), 100, at(103)), Admission::Go);
    assert_eq!(gate.taken_out("a", at(103)), 50);
}
