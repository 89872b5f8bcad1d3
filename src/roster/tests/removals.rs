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
    assert_eq!(judged(6, 20, 0, Answers { approved: Some(&id), rejected: None }), Verdict::Go);
    let rejected = judged(6, 20, 0, Answers { approved: None, rejected: Some(&id) });
    assert_eq!(rejected, Verdict::Held { id: id.clone(), rejected: true });
    let others = judged(7, 20, 0, Answers { approved: Some(&id), rejected: None });
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
    assert_eq!(sorted(3, &["person-1"], Answers { approved: Some(&id), rejected: None }), (3, None));
    let (go, held) = sorted(3, &["person-1"], Answers { approved: None, rejected: Some(&id) });
    assert!(go == 2 && held.is_some_and(|(count, rejected, ..)| count == 1 && rejected));
    // Beyond the guard all of them are one question.
    let (go, held) = sorted(40, &["person-1"], Answers::default());
    let (count, _, unsure, id) = held.expect("a hold");
    assert_eq!((go, count, unsure), (0, 40, false));
    assert_eq!(sorted(40, &["person-1"], Answers { approved: Some(&id), rejected: None }), (40, None));
}
