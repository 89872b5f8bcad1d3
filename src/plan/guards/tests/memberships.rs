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
        gate.know_group(&uid.into(), [], at(0));
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
        undelegated: false,
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
    assert_eq!((gate.taken_out(&"a".into(), at(3)), gate.taken_out(&"b".into(), at(3))), (0, 20));
    let hold = &gate.holds()[0];
    assert_eq!((hold.memberships, hold.updates, hold.reason().as_str()), (21, 0, "memberships"));
    // The window is the group's own, and survives in its status.
    gate.withdraw(&"b".into());
    assert!(matches!(gate.admit(leaving("b", 20..21), 100, at(4)), Admission::Wait(_)));
    gate.tick(at(7));
    assert!(matches!(gate.admit(leaving("b", 20..21), 100, at(7)), Admission::Held { .. }));
    assert_eq!(gate.group_ledger(&"b".into()).iter().map(|(_, count)| count).sum::<u64>(), 20);
}

#[test]
fn i13_a_group_that_only_gets_members_counts_in_a_hold_too() {
    let mut gate = gate();
    let joining = |group: &str| Candidate {
        attributes: vec!["+7".into(), "+8".into()],
        moved: true,
        remote_id: Some("r".into()),
        ..leaving(group, 0..0)
    };
    assert!(matches!(gate.admit(joining("a"), 100, at(0)), Admission::Held { .. }));
    let hold = &gate.holds()[0];
    assert_eq!((hold.memberships, hold.updates), (0, 1), "nobody confirms a hold of nothing");
}

#[test]
fn i13_what_was_let_go_may_go_in_parts() {
    let mut gate = gate();
    assert!(matches!(gate.admit(leaving("a", 0..10), 100, at(0)), Admission::Wait(_)));
    gate.tick(at(3));
    assert_eq!(gate.admit(leaving("a", 0..10), 100, at(3)), Admission::Go);
    assert_eq!(gate.admit(leaving("a", 4..10), 100, at(4)), Admission::Go);
    assert_eq!(gate.taken_out(&"a".into(), at(4)), 10, "counted once");
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
    assert_eq!(gate.taken_out(&"a".into(), at(103)), 50);
}

/// Answers the only hold once it has closed; its id.
fn rejected(gate: &mut Gate, asked: &Candidate, now: i64) -> String {
    assert!(matches!(gate.admit(asked.clone(), 100, at(now)), Admission::Wait(_) | Admission::Held { .. }));
    gate.tick(at(now + 3));
    assert!(matches!(gate.admit(asked.clone(), 100, at(now + 3)), Admission::Held { .. }));
    gate.tick(at(now + 100));
    let id = gate.holds()[0].id.clone().expect("closed");
    assert_eq!(gate.answer(None, Some(&id), at(now + 100)).len(), 1);
    assert_eq!(gate.admit(asked.clone(), 100, at(now + 101)), Admission::Rejected { id: id.clone() });
    id
}

#[test]
fn i13_who_is_dropped_after_a_rejection_is_asked_about_and_nobody_goes_unasked() {
    let mut gate = gate();
    let first = rejected(&mut gate, &leaving("a", 0..60), 0);
    // The next day the guard would let all of them go but for the rejection, were they as many as it allows.
    let day = 200_000;
    assert!(matches!(gate.admit(leaving("a", 0..61), 100_000, at(day)), Admission::Held { .. }));
    gate.tick(at(day + 31));
    let second = gate.holds()[0].id.clone().expect("closed");
    assert_ne!(first, second);
    assert_eq!(gate.holds()[0].memberships, 61);
    assert_eq!(gate.answer(Some(&second), Some(&first), at(day + 32)).len(), 1);
    assert_eq!(gate.admit(leaving("a", 0..61), 100, at(day + 33)), Admission::Go);
}

#[test]
fn i13_of_a_rejection_only_what_is_still_owed_stays_rejected() {
    let mut gate = gate();
    let id = rejected(&mut gate, &leaving("a", 0..60), 0);
    // All but one are back, and of those one is dropped again, later and on purpose.
    gate.members_owed(&"a".into(), &leaving("a", 0..1).attributes);
    assert_eq!(gate.admit(leaving("a", 0..1), 100, at(200)), Admission::Rejected { id: id.clone() });
    assert!(matches!(gate.admit(leaving("a", 0..2), 100, at(300)), Admission::Held { .. }));
    // Of another group's members, and of those alone whom nobody rejected, the guard judges.
    let mut gate = self::gate();
    rejected(&mut gate, &leaving("a", 0..60), 0);
    assert!(matches!(gate.admit(leaving("a", 60..61), 100, at(200)), Admission::Wait(_)));
}

#[test]
fn i13_the_same_who_are_dropped_once_more_are_asked_about_once_more() {
    let mut gate = gate();
    let first = rejected(&mut gate, &leaving("a", 0..60), 0);
    gate.withdraw(&"a".into());
    gate.members_owed(&"a".into(), &[]);
    assert!(matches!(gate.admit(leaving("a", 0..60), 100, at(500_000)), Admission::Wait(_)));
    gate.tick(at(500_003));
    gate.tick(at(500_100));
    let second = gate.holds()[0].id.clone().expect("closed");
    assert_ne!(first, second, "the answer was about others");
    assert!(matches!(gate.admit(leaving("a", 0..60), 100, at(500_101)), Admission::Held { .. }));
}

#[test]
fn i13_what_was_rejected_before_a_restart_is_told_from_what_came_after() {
    let limit = Limit { max_percent: None, min_count: 0, max_count: 1_000, window: Duration::from_secs(60) };
    let settings = Settings { plan: false, limits: BTreeMap::from([(GuardName::Memberships, limit)]) };
    let remembered = Remembered { refused: vec!["h".into()], ..Remembered::default() };
    let mut gate = Gate::new(&settings, remembered, at(0));
    gate.know_group(&"a".into(), [], at(0));
    gate.know_group(&"b".into(), [], at(0));
    let asked = |uid: &str, held: Option<&str>| Candidate {
        held: held.map(str::to_owned),
        held_before: Some("h".to_owned()),
        ..leaving(uid, 0..3)
    };
    assert_eq!(gate.admit(asked("a", Some("h")), 100, at(1)), Admission::Rejected { id: "h".into() });
    // Which of them were rejected nobody can tell, so that none goes unasked.
    assert!(matches!(gate.admit(asked("b", None), 100, at(1)), Admission::Held { .. }));
}

/// Some may not go now, because it isn't known yet who they are.
#[test]
fn i13_of_those_who_were_rejected_any_part_stays_rejected_over_a_restart() {
    let mut gate = gate();
    let id = rejected(&mut gate, &leaving("a", 0..60), 0);
    let recorded = gate.rejections(&"a".into(), 1, false);
    let mut gate = self::gate();
    gate.know_rejections(&"a".into(), recorded);
    gate.members_owed(&"a".into(), &leaving("a", 0..60).attributes);
    for asked in [0..20, 0..60, 59..60] {
        assert_eq!(gate.admit(leaving("a", asked), 100, at(200)), Admission::Rejected { id: id.clone() });
    }
    assert!(matches!(gate.admit(leaving("a", 59..61), 100, at(300)), Admission::Held { .. }));
    let edited = Candidate { generation: 2, ..leaving("a", 0..1) };
    assert!(matches!(gate.admit(edited, 100, at(400)), Admission::Wait(_)));
    assert_eq!(gate.rejections(&"a".into(), 2, false), []);
}

#[test]
fn i13_an_answer_that_comes_late_is_good_for_nothing_that_is_held_later() {
    for approves in [true, false] {
        let mut gate = gate();
        assert!(matches!(gate.admit(leaving("a", 0..60), 100, at(0)), Admission::Wait(_)));
        gate.tick(at(3));
        gate.tick(at(100));
        let id = gate.holds()[0].id.clone().expect("closed");
        // Their labels are back, and the answer stays where it is.
        gate.withdraw(&"a".into());
        let (approved, rejected) = if approves { (Some(&*id), None) } else { (None, Some(&*id)) };
        for _ in 0..2 {
            assert!(gate.answer(approved, rejected, at(101)).is_empty());
        }
        assert!(matches!(gate.admit(leaving("a", 0..60), 100, at(500_000)), Admission::Wait(_)));
        gate.tick(at(500_003));
        gate.tick(at(500_100));
        let again = gate.admit(leaving("a", 0..60), 100, at(500_101));
        assert!(matches!(&again, Admission::Held { id: Some(other), .. } if *other != id), "{again:?}");
    }
}

/// The labels come back, and are taken off by mistake once more, while the group isn't at rest.
#[test]
fn i13_what_was_let_go_of_members_is_good_for_no_later_removal() {
    // Within the limit, and by an approval.
    for (many, approved) in [(5, false), (60, true)] {
        let mut gate = gate();
        let all = leaving("a", 0..many);
        assert!(matches!(gate.admit(all.clone(), 100, at(0)), Admission::Wait(_)));
        gate.tick(at(3));
        if approved {
            gate.tick(at(40));
            let id = gate.holds()[0].id.clone().expect("it has closed");
            assert_eq!(gate.answer(Some(&id), None, at(50)).len(), 1);
        }
        assert_eq!(gate.admit(all.clone(), 100, at(50)), Admission::Go);
        // What is left of it goes on.
        let left = leaving("a", 2..many);
        gate.members_owed(&"a".into(), &left.attributes);
        assert_eq!(gate.admit(left, 100, at(51)), Admission::Go);
        gate.members_owed(&"a".into(), &[]);
        assert!(matches!(gate.admit(all.clone(), 100, at(60)), Admission::Wait(_)), "{many}");
        gate.tick(at(70));
        assert_eq!(matches!(gate.admit(all, 100, at(70)), Admission::Held { .. }), approved, "{many}");
    }
}
