use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::plan::guards::{Ledger, Limit};

const LIMIT: Limit = Limit { max_percent: Some(10), min_count: 5, max_count: 500, window: Duration::from_secs(86_400) };

fn now() -> Timestamp {
    "2026-11-25T00:00:00Z".parse().expect("an instant")
}

fn gone(count: usize) -> Vec<Gone> {
    (0..count).map(|n| Gone { name: format!("person-{n}"), uid: format!("uid-{n}") }).collect()
}

fn judged(count: usize, left: usize, used: u64, answers: Answers) -> Verdict {
    let mut ledger = Ledger::restore(LIMIT.window, [], now());
    ledger.add(used, now());
    judge(&gone(count), left, &LIMIT, &ledger, answers, now())
}

fn approval(id: &str) -> Answers<'_> {
    Answers { approved: Some(id), ..Answers::default() }
}

fn rejection(id: &str) -> Answers<'_> {
    Answers { rejected: Some(id), ..Answers::default() }
}

fn held(count: usize, left: usize, used: u64) -> String {
    match judged(count, left, used, Answers::default()) {
        Verdict::Held { id, rejected: false } => id,
        other => panic!("{count} of {left}: {other:?}"),
    }
}

#[test]
fn i13_more_than_the_guard_lets_go_waits_for_a_person() {
    assert_eq!(judged(5, 20, 0, Answers::default()), Verdict::Go);
    assert_eq!(judged(100, 900, 0, Answers::default()), Verdict::Go);
    held(6, 20, 0);
    held(101, 899, 0);
    held(501, 49_499, 0);
    // What went within the window counts.
    held(1, 20, 5);
    // However few they are, nobody being left is not taken for meant.
    held(1, 0, 0);
}

#[test]
fn i13_an_answer_is_good_for_this_very_set() {
    let id = held(6, 20, 0);
    assert_eq!(judged(6, 20, 0, approval(&id)), Verdict::Go);
    let kept = judged(6, 20, 0, rejection(&id));
    assert_eq!(kept, Verdict::Held { id: id.clone(), rejected: true });
    let others = judged(7, 20, 0, approval(&id));
    assert!(matches!(others, Verdict::Held { id: other, rejected: false } if other != id));
    let mut turned = gone(6);
    turned.reverse();
    let ledger = Ledger::restore(LIMIT.window, [], now());
    assert_eq!(judge(&turned, 20, &LIMIT, &ledger, Answers::default(), now()), Verdict::Held { id, rejected: false });
}

#[test]
fn i31_whoever_is_not_known_by_the_key_in_force_goes_with_an_approval_alone() {
    let ledger = Ledger::restore(LIMIT.window, [], now());
    let sorted = |count: usize, unsure: &[&str], answers: Answers| {
        let unsure = unsure.iter().map(|name| (*name).to_owned()).collect();
        let judged = |gone: &[Gone]| judge(gone, 100, &LIMIT, &ledger, answers, now());
        let (go, held) = sort(gone(count), &unsure, answers, judged);
        (go.len(), held.map(|held| (held.gone.len(), held.rejected, held.unsure, held.id)))
    };
    assert_eq!(sorted(3, &[], Answers::default()), (3, None));
    let (go, held) = sorted(3, &["person-1"], Answers::default());
    let (count, rejected, unsure, id) = held.expect("a hold");
    assert_eq!((go, count, rejected, unsure), (2, 1, false, true), "whoever is known goes");
    assert_eq!(sorted(3, &["person-1"], approval(&id)), (3, None));
    let (go, held) = sorted(3, &["person-1"], rejection(&id));
    assert!(go == 2 && held.is_some_and(|(count, rejected, ..)| count == 1 && rejected));
    // Beyond the guard all of them are one question.
    let (go, held) = sorted(40, &["person-1"], Answers::default());
    let (count, _, unsure, id) = held.expect("a hold");
    assert_eq!((go, count, unsure), (0, 40, false));
    assert_eq!(sorted(40, &["person-1"], approval(&id)), (40, None));
}

#[test]
fn i13_an_approval_is_used_up_once_its_very_set_is_not_gone_any_more() {
    let (id, nobody) = (held(40, 100, 0), BTreeSet::new());
    assert!(approval(&id).outlived(&gone(40), &nobody).is_empty(), "it is good still");
    assert_eq!(approval(&id).outlived(&gone(41), &nobody), [id.as_str()]);
    assert_eq!(approval(&id).outlived(&[], &nobody), [id.as_str()]);
    let unsure: BTreeSet<String> = gone(40).into_iter().map(|gone| gone.name).collect();
    assert!(approval(&id).outlived(&gone(43), &unsure).is_empty(), "those that are asked about are these");
    let mut spent = Vec::new();
    spend(&mut spent, &[&id]);
    // Weeks later the same rows are missing, and the answer still stands in the spec.
    let answers = Answers { spent: &spent, ..approval(&id) };
    let Verdict::Held { id: second, rejected: false } = judged(40, 100, 0, answers) else { panic!("deleted unasked") };
    assert_ne!(second, id);
    assert_eq!(judged(40, 100, 0, Answers { approved: Some(&second), ..answers }), Verdict::Go);
}

#[test]
fn i13_a_rejection_stands_as_long_as_anybody_is_gone() {
    let (id, nobody) = (held(40, 100, 0), BTreeSet::new());
    assert!(rejection(&id).outlived(&gone(41), &nobody).is_empty());
    assert_eq!(rejection(&id).outlived(&[], &nobody), [id.as_str()]);
    let mut spent: Vec<String> = (0..64).map(|n| format!("{n:016x}")).collect();
    spend(&mut spent, &[&id, &id]);
    assert_eq!(
        (spent.len(), spent.last(), spent.first().map(String::as_str)),
        (64, Some(&id), Some("0000000000000001"))
    );
}
