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
