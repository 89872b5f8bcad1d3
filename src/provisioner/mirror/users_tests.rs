use super::*;
use serde_json::json;

fn user(id: &str, name: &str, title: &str) -> Resource {
    let value = json!({"id": id, "userName": name, "title": title});
    Resource(value.as_object().cloned().unwrap_or_default())
}

#[test]
fn i11_an_unfinished_sweep_proves_nothing() {
    let mut snapshot = UserMirror::default();
    snapshot.begin(Timestamp::UNIX_EPOCH);
    snapshot.page(vec![user("1", "ada", "")], |_| true);
    snapshot.end(false);
    assert_eq!(snapshot.by_identity("bob", None), Known::Unknown);
    snapshot.begin(Timestamp::UNIX_EPOCH);
    snapshot.page(vec![user("1", "ada", "")], |_| true);
    snapshot.end(true);
    assert_eq!(snapshot.by_identity("bob", None), Known::Absent);
    assert_eq!(snapshot.by_id("2"), Known::Unknown, "an id is asked for before it counts as gone");
}

#[test]
fn a_page_never_overwrites_what_a_later_write_reported() {
    let mut snapshot = UserMirror::default();
    snapshot.begin(Timestamp::UNIX_EPOCH);
    snapshot.apply(&user("1", "ada", "new"));
    assert_eq!(snapshot.page(vec![user("1", "ada", "old")], |_| true), 1);
    snapshot.end(true);
    assert_eq!(snapshot.by_id("1"), Known::Found(user("1", "ada", "new")));
}

#[test]
fn i06_an_account_that_nobody_declared_yet_is_read_by_its_id() {
    let mut snapshot = UserMirror::default();
    snapshot.begin(Timestamp::UNIX_EPOCH);
    snapshot.page(vec![user("1", "ada", "")], |_| false);
    snapshot.end(true);
    assert_eq!(snapshot.by_identity("Ada", None), Known::Listed("1".into()), "a filter may not find it");
}

#[test]
fn i12_what_isnt_certain_any_more_is_read() {
    let mut snapshot = UserMirror::default();
    snapshot.apply(&user("1", "ada", ""));
    snapshot.invalidate("1");
    assert_eq!(snapshot.by_id("1"), Known::Unknown);
    assert_eq!(snapshot.by_identity("ada", None), Known::Listed("1".into()));
}

#[test]
fn i12_a_page_that_was_asked_for_before_makes_nothing_certain() {
    let mut snapshot = UserMirror::default();
    snapshot.apply(&user("1", "ada", ""));
    snapshot.begin(Timestamp::UNIX_EPOCH);
    snapshot.invalidate("1");
    assert_eq!(snapshot.page(vec![user("1", "ada", "")], |_| true), 1);
    snapshot.end(true);
    assert_eq!(snapshot.by_id("1"), Known::Unknown);
    snapshot.begin(Timestamp::UNIX_EPOCH);
    snapshot.page(vec![user("1", "ada", "new")], |_| true);
    assert_eq!(snapshot.by_id("1"), Known::Found(user("1", "ada", "new")));
}

#[test]
fn i14_an_account_is_known_by_its_emails_too() {
    let mut snapshot = UserMirror::default();
    let mut eve = user("1", "Eve@example.com", "");
    eve.0.insert("emails".into(), json!([{"value": "eve@example.com"}, {"value": "Eu-BreakGlass@example.com"}]));
    snapshot.page(vec![eve], |_| false);
    let (name, emails) = snapshot.identity("1").expect("seen");
    assert_eq!(
        (name, emails.collect::<Vec<_>>()),
        ("eve@example.com", vec!["eve@example.com", "Eu-BreakGlass@example.com"])
    );
    assert!(snapshot.identity("2").is_none());
}

#[test]
fn i11_what_an_incomplete_sweep_after_a_complete_one_lacks_is_asked_for() {
    let mut snapshot = UserMirror::default();
    snapshot.begin(Timestamp::UNIX_EPOCH);
    snapshot.end(true);
    assert_eq!(snapshot.by_identity("bob", None), Known::Absent);
    snapshot.begin(Timestamp::UNIX_EPOCH);
    snapshot.end(false);
    assert_eq!(snapshot.by_identity("bob", None), Known::Unknown);
}

#[test]
fn i11_a_page_that_was_on_its_way_brings_no_deleted_account_back() {
    let mut snapshot = UserMirror::default();
    snapshot.apply(&user("1", "ada", ""));
    snapshot.begin(Timestamp::UNIX_EPOCH);
    snapshot.forget("1");
    let page = || vec![user("1", "ada", ""), user("2", "bob", "")];
    assert_eq!(snapshot.page(page(), |_| true), 2);
    assert_eq!(snapshot.page(page(), |_| true), 0, "a listing that repeats itself still ends");
    assert_eq!((snapshot.by_id("1"), snapshot.seen()), (Known::Unknown, 2));
    snapshot.end(true);
    assert_eq!(snapshot.by_identity("ada", None), Known::Absent);
    // Whom a later sweep shows, or a read, is there.
    snapshot.begin(Timestamp::UNIX_EPOCH);
    snapshot.page(page(), |_| true);
    assert_eq!(snapshot.by_id("1"), Known::Found(user("1", "ada", "")));
    snapshot.forget("1");
    snapshot.apply(&user("1", "ada", ""));
    assert_eq!(snapshot.by_id("1"), Known::Found(user("1", "ada", "")));
}

#[test]
fn i12_whatever_shows_an_account_clears_the_mark_of_a_404() {
    let at = |seconds| Timestamp::from_second(seconds).unwrap_or_default();
    let shows: [fn(&mut UserMirror); 2] = [
        |snapshot| snapshot.apply(&user("1", "ada", "")),
        |snapshot| {
            snapshot.begin(Timestamp::UNIX_EPOCH);
            snapshot.page(vec![user("1", "ada", "")], |_| true);
        },
    ];
    for show in shows {
        let mut snapshot = UserMirror::default();
        assert!(!snapshot.missing("1", at(0)));
        show(&mut snapshot);
        assert!(!snapshot.missing("1", at(3600)));
        assert!(snapshot.missing("1", at(3660)));
    }
}

#[test]
fn i11_repeated_pages_bring_nothing_new() {
    let mut snapshot = UserMirror::default();
    snapshot.begin(Timestamp::UNIX_EPOCH);
    assert_eq!(snapshot.page(vec![user("1", "ada", ""), user("2", "bob", "")], |_| true), 2);
    assert_eq!(snapshot.page(vec![user("2", "bob", ""), user("1", "ada", "")], |_| true), 0);
}

#[test]
fn i06_two_accounts_that_fit_are_a_contradiction() {
    let mut snapshot = UserMirror::default();
    let mut linked = user("2", "bob", "");
    linked.0.insert("externalId".into(), json!("x"));
    snapshot.apply(&user("1", "ada", ""));
    snapshot.apply(&linked);
    assert!(matches!(snapshot.by_identity("Ada", Some("x")), Known::Contradictory(_)));
    assert_eq!(snapshot.by_identity("Ada", Some("y")), Known::Found(user("1", "ada", "")));
}
