use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::plan::guards::Limit;

const LIMIT: Limit = Limit { max_percent: Some(10), min_count: 5, max_count: 500, window: Duration::from_secs(86_400) };

fn gone(count: usize) -> Vec<Gone> {
    (0..count).map(|n| Gone { name: format!("person-{n}"), uid: format!("uid-{n}") }).collect()
}

fn judged(count: usize, left: usize, used: u64, answers: &Answers) -> Removals {
    Removals::judge(&gone(count), &BTreeSet::new(), answers, &Guard { left, limit: LIMIT, used })
}

fn goes(count: usize, left: usize, used: u64, answers: &Answers) -> bool {
    judged(count, left, used, answers).held.is_none()
}

fn approval(id: &str) -> Answers<'_> {
    Answers { approved: Some(id), ..Answers::default() }
}

fn rejection(id: &str) -> Answers<'_> {
    Answers { rejected: Some(id), ..Answers::default() }
}

/// The same with the hold of these on record.
fn recorded<'a>(answers: Answers<'a>, id: &'a str, count: usize) -> Answers<'a> {
    Answers { hold: Some((id, Gone::members(&gone(count)))), ..answers }
}

fn held(count: usize, left: usize, used: u64) -> String {
    match judged(count, left, used, &Answers::default()) {
        Removals { held: Some(Held { id, rejected: false, .. }), go, .. } if go.is_empty() => id,
        other => panic!("{count} of {left}: {other:?}"),
    }
}

#[test]
fn i13_more_than_the_guard_lets_go_waits_for_a_person() {
    assert!(goes(5, 20, 0, &Answers::default()));
    assert!(goes(100, 900, 0, &Answers::default()));
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
    assert_eq!(judged(6, 20, 0, &approval(&id)).go.len(), 6);
    let kept = judged(6, 20, 0, &rejection(&id));
    assert!(kept.go.is_empty() && kept.kept.len() == 6, "{kept:?}");
    assert!(kept.held.is_some_and(|held| held.rejected && held.id == id));
    let others = judged(7, 20, 0, &approval(&id));
    assert!(others.go.is_empty() && others.held.is_some_and(|held| held.id != id && !held.rejected));
    let mut turned = gone(6);
    turned.reverse();
    let guard = Guard { left: 20, limit: LIMIT, used: 0 };
    let judged = Removals::judge(&turned, &BTreeSet::new(), &Answers::default(), &guard);
    assert_eq!(judged.held.map(|held| held.id), Some(id));
}

/// One more row is gone, or one is back, so that what is gone fits.
#[test]
fn i13_whoever_was_in_a_rejected_hold_stays_whatever_else_is_gone() {
    let id = held(6, 20, 0);
    let on_record = || recorded(rejection(&id), &id, 6);
    let fewer = judged(5, 21, 0, &on_record());
    assert_eq!((fewer.go.len(), fewer.kept.len()), (0, 5), "{fewer:?}");
    let kept = Answers { kept: Gone::members(&fewer.kept), ..Answers::default() };
    let hold = fewer.held.expect("those who are kept");
    assert!(hold.rejected && hold.id != id);
    // A leaver goes by themselves, and those who are kept don't count.
    let more = judged(6, 400, 0, &kept);
    assert_eq!((more.go.len(), more.kept.len()), (1, 5), "{more:?}");
    let many = judged(11, 20, 0, &kept);
    let asked = many.held.expect("a hold");
    assert_eq!((many.go.len(), asked.gone.len(), asked.rejected), (0, 6, false), "only the others are asked about");
    // A person who changes their mind approves those who are kept.
    let later = Answers { approved: Some(&hold.id), kept: kept.kept, ..recorded(Answers::default(), &hold.id, 5) };
    let later = judged(5, 21, 0, &later);
    assert_eq!((later.go.len(), later.kept.len(), later.used_up), (5, 0, Some(hold.id.clone())));
}

#[test]
fn i13_an_approval_is_good_for_those_of_its_hold_that_are_still_gone() {
    let id = held(40, 100, 0);
    let on_record = || recorded(approval(&id), &id, 40);
    assert_eq!(judged(39, 101, 0, &on_record()).go.len(), 39, "one is back");
    let more = judged(41, 100, 0, &on_record());
    assert_eq!((more.go.len(), more.held.map(|held| held.gone.len())), (40, Some(1)), "and nobody else");
    // The process ended half-way: the others go on.
    let spent = [id.clone()];
    let halfway = Answers { deleting: Gone::members(&gone(40)), spent: &spent, ..approval(&id) };
    let rest = judged(25, 100, 40, &halfway);
    assert_eq!((rest.deleting.len(), rest.go.len(), rest.held), (25, 0, None));
}

#[test]
fn i31_whoever_is_not_known_by_the_key_in_force_goes_with_an_approval_alone() {
    let sorted = |count: usize, unsure: &[&str], answers: Answers| {
        let unsure = unsure.iter().map(|name| (*name).to_owned()).collect();
        let removals = Removals::judge(&gone(count), &unsure, &answers, &Guard { left: 100, limit: LIMIT, used: 0 });
        let held = removals.held.map(|held| (held.gone.len(), held.rejected, held.why == Why::AnotherKey, held.id));
        (removals.go.len(), held)
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
fn i13_an_approval_is_used_up_once_nobody_of_its_hold_is_gone_any_more() {
    let (id, nobody) = (held(40, 100, 0), BTreeSet::new());
    assert!(approval(&id).outlived(&gone(40), &nobody).is_empty(), "it is good still");
    assert_eq!(approval(&id).outlived(&gone(41), &nobody), [id.as_str()]);
    assert!(
        recorded(approval(&id), &id, 40).outlived(&gone(41), &nobody).is_empty(),
        "it is known who was asked about"
    );
    assert_eq!(recorded(approval(&id), &id, 40).outlived(&[], &nobody), [id.as_str()]);
    let unsure: BTreeSet<String> = gone(40).into_iter().map(|gone| gone.name).collect();
    assert!(approval(&id).outlived(&gone(43), &unsure).is_empty(), "those that are asked about are these");
    let mut spent = Vec::new();
    spend(&mut spent, &[&id]);
    // Weeks later the same rows are missing, and the answer still stands in the spec.
    let answers = Answers { spent: &spent, ..approval(&id) };
    let second = judged(40, 100, 0, &answers).held.expect("deleted unasked").id;
    assert_ne!(second, id);
    assert_eq!(judged(40, 100, 0, &Answers { approved: Some(&second), ..answers }).go.len(), 40);
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

#[test]
fn who_is_in_a_hold_is_read_from_the_status_again() {
    let members = Gone::members(&gone(200));
    let read = Members::read(members.text().as_deref());
    assert!(read == members && gone(200).iter().all(|gone| read.has(&gone.uid)) && !read.has(&gone(201)[200].uid));
    assert_eq!(Members::default().text(), None);
    assert_eq!(Members::read(Some("?")), Members::default());
    // The largest roster has room in an object.
    assert!(members.text().is_some_and(|text| text.len() * 1_000 <= 1_400_000));
}

/// A roster that was deleted and applied again knows neither who was kept nor how many went.
#[test]
fn i13_whoever_has_no_row_when_a_roster_is_first_read_goes_with_an_approval_alone() {
    let first = Held::before(&gone(2)).expect("a hold");
    assert_eq!((first.gone.len(), first.why), (2, Why::Before));
    let on_record = |answers| Answers { until_answered: true, ..recorded(answers, &first.id, 2) };
    let asked = judged(2, 100, 0, &on_record(Answers::default()));
    assert_eq!(asked.go, [], "however few they are");
    assert!(asked.held.is_some_and(|held| held.id == first.id && held.why == Why::Before));
    // Whoever leaves later goes by themselves.
    let later = judged(4, 100, 0, &on_record(Answers::default()));
    assert_eq!((later.go.len(), later.held.map(|held| held.gone)), (2, Some(gone(2))));
    // One row is back, and the other still waits.
    let fewer = judged(1, 101, 0, &on_record(Answers::default()));
    assert_eq!((fewer.go.len(), fewer.held.map(|held| held.why)), (0, Some(Why::Before)));
    assert_eq!(judged(2, 100, 0, &on_record(approval(&first.id))).go.len(), 2);
    let rejected = judged(2, 100, 0, &on_record(rejection(&first.id)));
    assert_eq!((rejected.go.len(), rejected.kept.len()), (0, 2));
    assert!(Held::before(&[]).is_none());
}
