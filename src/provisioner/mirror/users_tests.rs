use proptest::prelude::*;
use serde_json::json;

use super::*;

fn user(id: &str, name: &str, title: &str) -> Resource {
    let value = json!({"id": id, "userName": name, "title": title});
    Resource(value.as_object().cloned().unwrap_or_default())
}

#[test]
fn i11_an_unfinished_sweep_proves_nothing() {
    let mut snapshot = UserMirror::default();
    snapshot.begin(Timestamp::UNIX_EPOCH);
    snapshot.page(vec![user("1", "ada", "")], |_, _| true);
    snapshot.end(false);
    assert_eq!(snapshot.by_identity("bob", None), Known::Unknown);
    snapshot.begin(Timestamp::UNIX_EPOCH);
    snapshot.page(vec![user("1", "ada", "")], |_, _| true);
    snapshot.end(true);
    assert_eq!(snapshot.by_identity("bob", None), Known::Absent);
    assert_eq!(snapshot.by_id("2"), Known::Unknown, "an id is asked for before it counts as gone");
}

#[test]
fn a_page_never_overwrites_what_a_later_write_reported() {
    let mut snapshot = UserMirror::default();
    snapshot.begin(Timestamp::UNIX_EPOCH);
    snapshot.apply(&user("1", "ada", "new"));
    assert_eq!(snapshot.page(vec![user("1", "ada", "old")], |_, _| true), 1);
    snapshot.end(true);
    assert_eq!(snapshot.by_id("1"), Known::Found(user("1", "ada", "new")));
}

#[test]
fn i06_an_account_that_nobody_declared_yet_is_read_by_its_id() {
    let mut snapshot = UserMirror::default();
    snapshot.begin(Timestamp::UNIX_EPOCH);
    snapshot.page(vec![user("1", "ada", "")], |_, _| false);
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
    assert_eq!(snapshot.page(vec![user("1", "ada", "")], |_, _| true), 1);
    snapshot.end(true);
    assert_eq!(snapshot.by_id("1"), Known::Unknown);
    snapshot.begin(Timestamp::UNIX_EPOCH);
    snapshot.page(vec![user("1", "ada", "new")], |_, _| true);
    assert_eq!(snapshot.by_id("1"), Known::Found(user("1", "ada", "new")));
}

#[test]
fn i14_an_account_is_known_by_its_emails_too() {
    let mut snapshot = UserMirror::default();
    let mut eve = user("1", "Eve@example.com", "");
    eve.0.insert("emails".into(), json!([{"value": "eve@example.com"}, {"value": "Eu-BreakGlass@example.com"}]));
    snapshot.page(vec![eve], |_, _| false);
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
    assert_eq!(snapshot.page(page(), |_, _| true), 2);
    assert_eq!(snapshot.page(page(), |_, _| true), 0, "a listing that repeats itself still ends");
    assert_eq!((snapshot.by_id("1"), snapshot.seen()), (Known::Unknown, 2));
    snapshot.end(true);
    assert_eq!(snapshot.by_identity("ada", None), Known::Absent);
    // Whom a later sweep shows, or a read, is there.
    snapshot.begin(Timestamp::UNIX_EPOCH);
    snapshot.page(page(), |_, _| true);
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
            snapshot.page(vec![user("1", "ada", "")], |_, _| true);
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
    assert_eq!(snapshot.page(vec![user("1", "ada", ""), user("2", "bob", "")], |_, _| true), 2);
    assert_eq!(snapshot.page(vec![user("2", "bob", ""), user("1", "ada", "")], |_, _| true), 0);
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

/// What happens to a mirror; accounts and their variants by number.
#[derive(Clone, Debug)]
enum Course {
    Begin,
    Page(Vec<(u8, u8)>),
    End(bool),
    Apply(u8, u8),
    Invalidate(u8),
    Forget(u8),
    Declare(u8),
    Reconnect,
}

fn course() -> impl Strategy<Value = Course> {
    let account = || (0..4_u8, 0..3_u8);
    prop_oneof![
        2 => Just(Course::Begin),
        4 => proptest::collection::vec(account(), 0..6).prop_map(Course::Page),
        2 => any::<bool>().prop_map(Course::End),
        1 => account().prop_map(|(id, variant)| Course::Apply(id, variant)),
        1 => (0..4_u8).prop_map(Course::Invalidate),
        1 => (0..4_u8).prop_map(Course::Forget),
        1 => (0..16_u8).prop_map(Course::Declare),
        1 => Just(Course::Reconnect),
    ]
}

/// Variants differ in what the mirror has an index of, and names are shared.
fn variant(id: u8, variant: u8) -> Resource {
    let mut account = user(&id.to_string(), ["ada", "Bob", "eve"][usize::from(variant)], "");
    account.0.insert("externalId".into(), json!(format!("x{}", (id + variant) % 3)));
    account
}

/// All that can be asked of a mirror.
fn shown(mirror: &UserMirror) -> impl PartialEq + std::fmt::Debug + use<> {
    let by_id: Vec<_> = (0..4).map(|id| mirror.by_id(&id.to_string())).collect();
    let names = ["ada", "bob", "eve"];
    let by_name: Vec<_> = names.iter().map(|name| mirror.by_identity(name, Some("x1"))).collect();
    let mut accounts: Vec<_> =
        mirror.accounts().map(|(id, name, active)| (id.to_owned(), name.to_owned(), active)).collect();
    accounts.sort();
    let namesakes: Vec<_> = names.iter().map(|name| mirror.namesake_of("0", name).is_some()).collect();
    (by_id, by_name, accounts, namesakes, mirror.seen(), mirror.is_complete())
}

proptest! {
    /// A sweep that skips whatever is shown in known words ends as one that reads everything.
    #[test]
    fn i11_known_words_say_the_same_as_new_ones(courses in proptest::collection::vec(course(), 1..60)) {
        let (mut read, mut known, mut declared) = (UserMirror::default(), UserMirror::default(), 0b1111_u8);
        for course in courses {
            let keep = |_: &str, id: &str| id.parse::<u8>().is_ok_and(|id| declared & (1 << id) != 0);
            match course {
                Course::Begin => { read.begin(Timestamp::UNIX_EPOCH); known.begin(Timestamp::UNIX_EPOCH); }
                Course::Page(accounts) => {
                    let page: Vec<Resource> = accounts.iter().map(|(id, n)| variant(*id, *n)).collect();
                    let entries: Vec<Entry> = page.iter().map(|account| {
                        match known.recall(&json!(account.0).to_string(), keep) {
                            Recalled::Known(id, _) => Entry::Same(id),
                            Recalled::New(digest) => Entry::Read(account.clone(), Some(Text::of(digest))),
                        }
                    }).collect();
                    prop_assert_eq!(read.page(page, keep), known.page(entries, keep));
                }
                Course::End(complete) => { read.end(complete); known.end(complete); }
                Course::Apply(id, n) => { read.apply(&variant(id, n)); known.apply(&variant(id, n)); }
                Course::Invalidate(id) => { read.invalidate(&id.to_string()); known.invalidate(&id.to_string()); }
                Course::Forget(id) => { read.forget(&id.to_string()); known.forget(&id.to_string()); }
                Course::Declare(which) => declared = which,
                Course::Reconnect => { read.lead_to("here"); known.lead_to("here"); }
            }
            prop_assert_eq!(shown(&read), shown(&known));
        }
    }
}

#[test]
fn i01_what_is_shown_in_the_same_words_is_not_read_again() {
    let mut mirror = UserMirror::default();
    let words = json!({"id": "1", "userName": "ada"}).to_string();
    let is_known = |mirror: &UserMirror, kept: bool| matches!(mirror.recall(&words, |_, _| kept), Recalled::Known(..));
    let see = |mirror: &mut UserMirror| {
        let Recalled::New(digest) = mirror.recall(&words, |_, _| true) else { panic!("it is known") };
        mirror.begin(Timestamp::UNIX_EPOCH);
        mirror.page(vec![Entry::Read(user("1", "ada", ""), Some(Text::of(digest)))], |_, _| true);
        mirror.end(true);
    };
    see(&mut mirror);
    assert!(is_known(&mirror, true));
    assert!(!is_known(&mirror, false), "more of it is kept than is wanted");
    let stamp = mirror.stamp("1");
    mirror.invalidate("1");
    assert!(!is_known(&mirror, true), "it may have changed");
    assert_ne!(mirror.stamp("1"), stamp);
    see(&mut mirror);
    mirror.apply(&user("1", "ada", "new"));
    assert!(!is_known(&mirror, true), "an answer told of it since");
    let stamp = mirror.stamp("1");
    mirror.apply(&user("2", "Ada", ""));
    assert_ne!(mirror.stamp("1"), stamp, "another one has its name");
}

#[test]
fn i06_what_is_known_of_accounts_survives_a_reconnection_and_no_change_of_server() {
    let mut snapshot = UserMirror::default();
    snapshot.lead_to("here");
    snapshot.begin(Timestamp::UNIX_EPOCH);
    snapshot.page(vec![user("1", "ada", "")], |_, _| true);
    snapshot.end(true);
    snapshot.lead_to("here");
    assert_eq!(snapshot.by_id("1"), Known::Found(user("1", "ada", "")));
    snapshot.lead_to("there");
    assert_eq!((snapshot.by_id("1"), snapshot.by_identity("ada", None)), (Known::Unknown, Known::Unknown));
}

#[test]
fn i11_a_list_that_broke_off_forgets_nobody() {
    let mut snapshot = UserMirror::default();
    for (complete, shown) in [(true, true), (false, false)] {
        snapshot.begin(Timestamp::UNIX_EPOCH);
        snapshot.page(if shown { vec![user("1", "ada", "")] } else { Vec::new() }, |_, _| true);
        snapshot.end(complete);
    }
    assert_eq!(snapshot.by_id("1"), Known::Found(user("1", "ada", "")));
}

#[test]
fn i07_whoever_was_seen_since_was_not_known_before() {
    let mut snapshot = UserMirror::default();
    snapshot.apply(&user("1", "ada", ""));
    let moment = snapshot.moment();
    snapshot.apply(&user("2", "bob", ""));
    assert!(snapshot.knew("1", moment) && !snapshot.knew("2", moment));
}
