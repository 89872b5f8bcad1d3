#![allow(clippy::unwrap_used)]

mod memberships;
mod properties;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::api::OperationType;
use crate::plan::holds::MOST;

const HOUR: Duration = Duration::from_secs(3600);

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
}

fn limit(count: u32, window: Duration) -> Limit {
    Limit { max_percent: None, min_count: 0, max_count: count, window }
}

fn settings(plan: bool, limit: Limit) -> Settings {
    let names = [GuardName::Removals, GuardName::Rewrites, GuardName::Creates];
    Settings { plan, limits: names.map(|name| (name, limit)).into() }
}

fn gate(plan: bool, count: u32) -> Gate {
    let settings = settings(plan, limit(count, HOUR));
    Gate::new(&settings, Remembered::default(), at(0))
}

fn wants(uid: &str, operation: OperationType, guard: Option<GuardName>) -> Candidate {
    Candidate {
        uid: uid.into(),
        server: "here".into(),
        generation: 1,
        operation,
        remote_id: Some(format!("r-{uid}")),
        attributes: vec!["active".into()],
        guard,
        moved: false,
        undelegated: false,
        deleted: false,
        held: None,
        held_before: None,
    }
}

fn removal(n: usize) -> Candidate {
    wants(&format!("u{n:05}"), OperationType::Deactivate, Some(GuardName::Removals))
}

fn deletion(n: usize) -> Candidate {
    Candidate { operation: OperationType::Delete, deleted: true, ..removal(n) }
}

/// Submits everything at `now`, then lets the hold close; its id.
fn hold(gate: &mut Gate, all: &[Candidate], now: i64) -> String {
    for candidate in all {
        assert!(matches!(gate.admit(candidate.clone(), 0, at(now)), Admission::Wait(_) | Admission::Held { .. }));
    }
    gate.tick(at(now + 2_000));
    let events = gate.tick(at(now + 32_000));
    let closed = events.into_iter().find_map(|event| match event {
        Event::Closed(view) => view.id,
        Event::Requeue(_) => None,
    });
    closed.expect("a hold closes")
}

fn restarted(old: &Gate, settings: &Settings, holds: Vec<String>, now: Timestamp) -> Gate {
    let ledgers = old.usage(0, now).into_iter();
    let remembered = Remembered {
        ledgers: ledgers.map(|view| (view.name, view.buckets)).collect(),
        holds,
        spent: Vec::new(),
        refused: Vec::new(),
    };
    Gate::new(settings, remembered, now)
}

#[test]
fn i13_the_limit_is_the_documented_one() {
    let limit = Limit { max_percent: Some(10), min_count: 5, max_count: 500, window: HOUR };
    let cases = [(0, 5), (59, 5), (69, 6), (2_000, 200), (u64::MAX, 500)];
    for (base, expected) in cases {
        assert_eq!(limit.of(base), expected);
    }
}

#[test]
fn i13_a_burst_is_judged_whole_when_it_has_settled() {
    let mut gate = gate(false, 5);
    let wait = Admission::Wait(SETTLED);
    assert_eq!(gate.admit(removal(0), 0, at(0)), wait);
    assert_eq!(gate.admit(removal(1), 0, at(1_000)), wait);
    let left = Admission::Wait(Duration::from_secs(1));
    assert_eq!(gate.admit(removal(0), 0, at(2_000)), left);
    assert_eq!(gate.next_instant(), Some(at(3_000)));
    assert_eq!(gate.unsaved(), None);
    assert_eq!(gate.admit(removal(0), 0, at(3_000)), Admission::Go);
    assert_eq!(gate.admit(removal(1), 0, at(3_000)), Admission::Go);
    let revision = gate.unsaved().unwrap();
    assert_eq!(gate.usage(0, at(3_000))[0].used, 2);
    gate.saved(revision);
    assert_eq!(gate.unsaved(), None);
    // Two went: four more are too many, and none of them goes.
    for n in 2..6 {
        gate.admit(removal(n), 0, at(4_000));
    }
    for n in 2..6 {
        let held = gate.admit(removal(n), 0, at(6_000));
        assert!(matches!(held, Admission::Held { count: 4, .. }), "{held:?}");
    }
    // A straggler waits with them; what no guard counts flows on.
    gate.admit(removal(6), 0, at(20_000));
    assert!(matches!(gate.admit(removal(6), 0, at(22_000)), Admission::Held { count: 5, .. }));
    let update = wants("other", OperationType::Update, None);
    assert_eq!(gate.admit(update, 0, at(22_000)), Admission::Go);
    assert_eq!(gate.holds()[0].id, None);
    assert_eq!(gate.next_instant(), Some(at(22_000)), "events wait");
    gate.tick(at(22_000));
    assert_eq!(gate.next_instant(), Some(at(52_000)));
    gate.tick(at(52_000));
    assert_eq!(gate.holds()[0].deactivations, 5);
    let id = gate.holds()[0].id.clone().unwrap();
    assert_eq!(gate.members(&id).len(), 5);
}

#[test]
fn i13_an_endless_burst_is_judged_after_a_minute() {
    let mut gate = gate(false, 5);
    for n in 0..61 {
        let now = at(i64::try_from(n).unwrap() * 1_000);
        gate.admit(removal(n), 0, now);
    }
    assert_eq!(gate.holds().len(), 1);
    assert_eq!(gate.holds()[0].deactivations, 60);
}

#[test]
fn i13_two_thousand_deletions_by_mistake_cost_nobody_access() {
    let mut gate = gate(false, 200);
    let settings = settings(false, limit(200, HOUR));
    let all: Vec<_> = (0..2_000).map(deletion).collect();
    let id = hold(&mut gate, &all, 0);
    let view = &gate.holds()[0];
    assert_eq!((view.deletes, view.sample.len()), (2_000, 20));
    // A restart before the answer: they come back in dribs, and none slips through.
    let back = |one: &Candidate| Candidate { held: Some(id.clone()), held_before: Some(id.clone()), ..one.clone() };
    let mut gate = restarted(&gate, &settings, vec![id.clone()], at(60_000));
    for (n, one) in (0i64..).zip(&all) {
        let answer = gate.admit(back(one), 0, at(60_000 + n * 2_500 + n / 200 * 40_000));
        assert!(matches!(answer, Admission::Held { .. }), "{answer:?}");
    }
    let now = at(100_000_000);
    gate.tick(now);
    assert_eq!(gate.holds().len(), 1);
    assert_eq!(gate.holds()[0].id.as_ref(), Some(&id));
    assert_eq!(gate.answer(None, Some(&id), now).len(), 2_000);
    assert!(gate.answer(None, Some(&id), now).is_empty());
    assert!(gate.holds().is_empty());
    for one in &all[..1_900] {
        assert_eq!(gate.admit(back(one), 0, now), Admission::RemoveFinalizer);
        gate.withdraw(&one.uid);
    }
    // A crash in the midst of it: the rest is fewer than the limit, and still untouched.
    let mut gate = restarted(&gate, &settings, Vec::new(), now);
    assert!(gate.answer(None, Some(&id), now).is_empty());
    for one in &all[1_900..] {
        assert_eq!(gate.admit(back(one), 0, now), Admission::RemoveFinalizer);
    }
    assert!(gate.usage(0, now).iter().all(|view| view.used == 0));
}

#[test]
fn i13_a_rejected_edit_stays_held_until_its_spec_changes() {
    let mut gate = gate(false, 0);
    let edit = wants("u", OperationType::Update, Some(GuardName::Rewrites));
    let id = hold(&mut gate, std::slice::from_ref(&edit), 0);
    assert_eq!(gate.answer(None, Some(&id), at(40_000)).len(), 1);
    let rejected = Admission::Rejected { id: id.clone() };
    assert_eq!(gate.admit(edit.clone(), 0, at(41_000)), rejected);
    let drifted = Candidate { attributes: vec!["emails".into()], ..edit.clone() };
    assert_eq!(gate.admit(drifted, 0, at(41_000)), rejected);
    let removed = Candidate { operation: OperationType::Deactivate, ..edit.clone() };
    assert!(matches!(gate.admit(removed, 0, at(41_000)), Admission::Wait(_)));
    // Nothing else that is asked for the object, nor that nothing is, takes the answer back.
    for withdrawn in [false, true] {
        if withdrawn {
            gate.withdraw(&edit.uid);
        }
        assert_eq!(gate.admit(edit.clone(), 0, at(42_000)), rejected, "{withdrawn}");
    }
    let carried = Candidate { operation: OperationType::Reactivate, ..edit.clone() };
    assert_eq!(gate.admit(carried, 0, at(42_000)), rejected);
    let mut later = restarted(&gate, &settings(false, limit(5, HOUR)), Vec::new(), at(43_000));
    later.know_rejections(&edit.uid, gate.rejections(&edit.uid, 1, false));
    assert_eq!(later.admit(edit.clone(), 0, at(43_000)), rejected);
    // A person thinks better of it.
    assert_eq!(later.answer(Some(&id), None, at(44_000)).len(), 1);
    assert_eq!(later.admit(edit.clone(), 0, at(44_000)), Admission::Go);
    later.withdraw(&edit.uid);
    later.know_rejections(&edit.uid, gate.rejections(&edit.uid, 1, false));
    assert!(matches!(later.admit(edit.clone(), 0, at(45_000)), Admission::Wait(_)));
    let edited = Candidate { generation: 2, ..edit };
    assert!(matches!(gate.admit(edited, 0, at(41_000)), Admission::Wait(_)));
}

#[test]
fn i13_plan_holds_everything_until_apply() {
    let mut gate = gate(true, 5);
    let all = [
        wants("a", OperationType::Create, Some(GuardName::Creates)),
        wants("b", OperationType::Update, None),
        removal(1),
    ];
    let id = hold(&mut gate, &all, 0);
    let view = &gate.holds()[0];
    assert_eq!(view.reason(), "Plan");
    let counts = (view.creates, view.updates, view.deactivations, view.deletes);
    assert_eq!(counts, (1, 1, 1, 0));
    let apply = settings(false, limit(5, HOUR));
    assert_eq!(gate.configure(&apply, at(40_000)).len(), 3);
    assert!(gate.holds().is_empty());
    assert!(gate.answer(Some(&id), None, at(40_000)).is_empty());
    assert_eq!(gate.admit(all[0].clone(), 0, at(40_000)), Admission::Go);
    assert_eq!(gate.admit(all[1].clone(), 0, at(40_000)), Admission::Go);
    assert_eq!(gate.admit(all[2].clone(), 0, at(40_000)), Admission::Wait(SETTLED));
}

#[test]
fn i13_an_eleventh_hold_opens_the_newest_again() {
    let mut gate = gate(false, 0);
    let mut ids = BTreeSet::new();
    for n in 0..12usize {
        let start = i64::try_from(n).unwrap() * 100_000;
        assert!(ids.insert(hold(&mut gate, &[removal(n)], start)));
    }
    let holds = gate.holds();
    assert_eq!(holds.len(), MOST);
    assert_eq!(holds[MOST - 1].deactivations, 3);
    assert_eq!(holds.iter().filter(|view| view.id.is_some()).count(), MOST);
}

#[test]
fn i13_creates_over_their_limit_queue() {
    let mut gate = gate(false, 2);
    let create =
        |n: usize| Candidate { guard: Some(GuardName::Creates), operation: OperationType::Create, ..removal(n) };
    assert_eq!(gate.admit(create(0), 0, at(0)), Admission::Go);
    assert_eq!(gate.admit(create(1), 0, at(1_000)), Admission::Go);
    let Admission::Queued(wait) = gate.admit(create(2), 0, at(2_000)) else {
        panic!("queued");
    };
    assert!(gate.holds().is_empty());
    let then = gate.next_instant().unwrap();
    assert_eq!(then, after(at(2_000), wait));
    assert_eq!(gate.tick(then), [Event::Requeue(vec![create(2).uid])]);
    assert_eq!(gate.admit(create(2), 0, then), Admission::Go);
    let unlimited = Settings { plan: false, limits: BTreeMap::new() };
    let _ = gate.configure(&unlimited, then);
    assert_eq!(gate.admit(create(3), 0, then), Admission::Go);
}

#[test]
fn i06_what_begins_at_another_server_is_held_whatever_the_guards_say() {
    let mut gate = gate(false, 500);
    let moved = Candidate { moved: true, ..wants("a", OperationType::Create, Some(GuardName::Creates)) };
    let id = hold(&mut gate, std::slice::from_ref(&moved), 0);
    assert_eq!(gate.holds()[0].reason(), "NewServer");
    assert_eq!(gate.answer(Some(&id), None, at(40_000)).len(), 1);
    assert_eq!(gate.admit(moved, 0, at(40_000)), Admission::Go);
}

#[test]
fn i26_what_the_delegation_does_not_admit_is_held_whatever_the_guards_say() {
    let mut gate = gate(false, 500);
    let undelegated = Candidate { undelegated: true, ..removal(1) };
    let id = hold(&mut gate, std::slice::from_ref(&undelegated), 0);
    assert_eq!(gate.holds()[0].reason(), "Undelegated");
    // Delegated again meanwhile, it is judged as ever.
    assert_eq!(gate.admit(removal(1), 0, at(39_000)), Admission::Wait(SETTLED));
    let again = hold(&mut gate, std::slice::from_ref(&undelegated), 40_000);
    assert_eq!(again, id);
    assert_eq!(gate.answer(Some(&id), None, at(80_000)).len(), 1);
    assert_eq!(gate.admit(undelegated, 0, at(80_000)), Admission::Go);
}

#[test]
fn i13_an_approval_that_a_restart_cut_short_goes_on() {
    let mut gate = gate(false, 0);
    let settings = settings(false, limit(0, HOUR));
    let all: Vec<_> = (0..20).map(removal).collect();
    let id = hold(&mut gate, &all, 0);
    assert_eq!(gate.answer(Some(&id), None, at(40_000)).len(), 20);
    let remembered = Remembered { spent: gate.spent().map(str::to_owned).collect(), ..Remembered::default() };
    let mut gate = Gate::new(&settings, remembered, at(50_000));
    assert!(gate.answer(Some(&id), None, at(50_000)).is_empty());
    let back = Candidate { held: Some(id.clone()), held_before: Some(id.clone()), ..all[3].clone() };
    assert_eq!(gate.admit(back, 0, at(50_000)), Admission::Go);
    // What was not in it is judged as ever.
    assert_eq!(gate.admit(removal(99), 0, at(50_000)), Admission::Wait(SETTLED));
}

/// The rejection stays in the spec: an approval takes it back.
#[test]
fn i13_an_approval_after_a_rejection_outlives_a_restart() {
    let mut gate = gate(false, 0);
    let settings = settings(false, limit(0, HOUR));
    let all: Vec<_> = (0..20).map(removal).collect();
    let id = hold(&mut gate, &all, 0);
    assert_eq!(gate.answer(None, Some(&id), at(40_000)).len(), 20);
    assert_eq!(gate.answer(Some(&id), Some(&id), at(41_000)).len(), 20);
    assert_eq!(gate.admit(all[3].clone(), 0, at(41_000)), Admission::Go);
    let (spent, refused) = (gate.spent().map(str::to_owned).collect(), gate.refused().map(str::to_owned).collect());
    let mut gate = Gate::new(&settings, Remembered { spent, refused, ..Remembered::default() }, at(50_000));
    let _ = gate.answer(Some(&id), Some(&id), at(50_000));
    let back = Candidate { held: Some(id.clone()), held_before: Some(id.clone()), ..all[3].clone() };
    assert_eq!(gate.admit(back, 0, at(50_000)), Admission::Go);
}

#[test]
fn i13_an_endless_burst_makes_one_hold() {
    let mut gate = gate(false, 5);
    // One a second for three minutes: three bursts, and the hold closes when all is quiet.
    for n in 0..180 {
        let now = at(i64::try_from(n).unwrap() * 1_000);
        gate.admit(removal(n), 0, now);
        assert!(!gate.tick(now).iter().any(|event| matches!(event, Event::Closed(_))), "closed at {n}");
    }
    gate.tick(at(182_000));
    let events = gate.tick(at(179_000 + 33_000));
    assert!(events.iter().any(|event| matches!(event, Event::Closed(view) if view.deactivations == 180)), "{events:?}");
}

#[test]
fn i13_an_approval_is_good_for_one_server_and_serves_once() {
    let mut gate = gate(false, 0);
    let id = hold(&mut gate, &[removal(1)], 0);
    assert_eq!(gate.answer(Some(&id), None, at(40_000)).len(), 1);
    let elsewhere = Candidate { server: "there".into(), ..removal(1) };
    assert!(matches!(gate.admit(elsewhere, 0, at(40_000)), Admission::Wait(_)));
    // The same once more, under an id that was used up.
    gate.withdraw(&removal(1).uid);
    let again = hold(&mut gate, &[removal(1)], 50_000);
    assert_ne!(again, id);
    assert!(gate.answer(Some(&id), None, at(100_000)).is_empty());
    assert!(matches!(gate.admit(removal(1), 0, at(100_000)), Admission::Held { .. }));
}

#[test]
fn i13_what_was_let_go_and_is_not_done_is_held_once_plan_mode_begins() {
    let mut gate = gate(false, 5);
    gate.admit(removal(1), 0, at(0));
    gate.tick(at(2_000));
    assert_eq!(gate.admit(removal(1), 0, at(2_000)), Admission::Go);
    assert_eq!(gate.configure(&settings(true, limit(5, HOUR)), at(3_000)).len(), 1);
    assert!(matches!(gate.admit(removal(1), 0, at(3_000)), Admission::Held { .. }));
}
