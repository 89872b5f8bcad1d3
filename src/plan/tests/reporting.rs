//! I4 and I9: what is owed rests on what was carried out, whatever became of the object meanwhile.

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::driver::{cases, spec};
use super::merging::{profiles, specs};
use crate::api::{Reason, ScimUserSpec, UserState};
use crate::plan::{Path, Verdict};
use crate::provisioner::simulation::alone::Alone;
use crate::scim::Profile;
use crate::status::{PassLog, record};

const VENDOR: &str = "urn:example:params:scim:schemas:extension:vendor:1.0:User";

/// What may befall an object without a change of what is declared.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    Suspended,
    ObjectSuspended,
    Failed,
    NotReady,
    Refused,
    Edited,
    Looked,
}

fn befalls(alone: &mut Alone, what: Meanwhile) {
    let told = |alone: &mut Alone, reason, executed| {
        let state = Some(UserState::Pending);
        let verdict = Verdict { reason: Some(reason), state, executed, ..Verdict::default() };
        let generation = alone.user().metadata.generation.unwrap_or_default();
        alone.record(|status| {
            *status = record(status, generation, &verdict, &PassLog::default(), Timestamp::UNIX_EPOCH);
        });
    };
    match what {
        Meanwhile::Suspended => {
            alone.configure(|connection| connection.spec.suspend = true);
            assert!(alone.pass().sent.is_empty());
            alone.configure(|connection| connection.spec.suspend = false);
        }
        Meanwhile::ObjectSuspended => {
            alone.edit(|user| user.spec.suspend = true);
            assert!(alone.pass().sent.is_empty());
            alone.edit(|user| user.spec.suspend = false);
        }
        Meanwhile::Failed => told(alone, Reason::Pending, false),
        Meanwhile::NotReady => told(alone, Reason::ConnectionNotReady, false),
        Meanwhile::Refused => told(alone, Reason::Rejected, true),
        // Of something that isn't sent.
        Meanwhile::Edited => alone.touch(),
        Meanwhile::Looked => {}
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn i09_under_report_only_what_was_declared_since_is_written(
        profile in profiles(), declared in specs(), listed in any::<bool>(),
        all in vec(select(vec![
            Meanwhile::Suspended, Meanwhile::ObjectSuspended, Meanwhile::Failed, Meanwhile::NotReady, Meanwhile::Refused,
            Meanwhile::Edited, Meanwhile::Looked,
        ]), 0..5),
    ) {
        let mut declared = declared;
        declared.attributes.title = Some("Countess".into());
        let mut alone = Alone::converged(&profile, declared);
        alone.lists(listed);
        alone.repairs(false);
        alone.meddle(|account| _ = account.insert("title".into(), json!("Baroness")));
        for what in all {
            befalls(&mut alone, what);
            let outcome = alone.pass();
            prop_assert!(outcome.sent.is_empty(), "{what:?}: {:?}", outcome.sent);
            prop_assert_eq!(outcome.verdict.reason, Some(Reason::Drifted));
        }
        let mut changed = alone.spec();
        changed.attributes.nick_name = Some("Ada".into());
        alone.declare(changed.clone());
        let sent = alone.pass().sent;
        prop_assert_eq!(sent.len(), 1);
        prop_assert_eq!(&sent[0].attributes, &vec![Path::core("nickName")]);
        prop_assert_eq!(&alone.shown()["title"], "Baroness");
        changed.attributes.title = Some("Duchess".into());
        alone.declare(changed);
        prop_assert_eq!(alone.pass().sent.len(), 1);
        prop_assert_eq!(&alone.shown()["title"], "Duchess");
        prop_assert!(alone.pass().sent.is_empty());
    }

    /// Found inactive, it is left so until somebody says otherwise, whatever its state says meanwhile.
    #[test]
    fn i16_an_account_found_inactive_is_left_alone(
        profile in profiles(), declared in specs(),
        all in vec(select(vec![Meanwhile::Suspended, Meanwhile::Failed, Meanwhile::NotReady, Meanwhile::Refused]), 0..4),
    ) {
        let mut alone = Alone::new(&profile, declared);
        let body = json!({"id": "id-0", "userName": "ada", "active": false});
        alone.holds(&body);
        prop_assert_eq!(alone.pass().verdict.reason, Some(Reason::DeactivatedAtServer));
        for what in all {
            befalls(&mut alone, what);
            let outcome = alone.pass();
            prop_assert!(outcome.sent.is_empty(), "{what:?}: {:?}", outcome.sent);
            prop_assert_eq!(outcome.verdict.reason, Some(Reason::DeactivatedAtServer));
        }
        prop_assert_eq!(&json!(alone.accounts()["id-0"]), &body);
    }

    /// What is refused once is owed still, however often the refusal was recorded.
    #[test]
    fn i09_under_report_what_was_refused_is_still_owed(profile in profiles(), declared in specs(), times in 1..4) {
        let mut alone = Alone::converged(&profile, declared);
        alone.repairs(false);
        let mut changed = alone.spec();
        changed.attributes.nick_name = Some("Ada".into());
        alone.declare(changed);
        for _ in 0..times {
            befalls(&mut alone, Meanwhile::Refused);
        }
        prop_assert_eq!(alone.pass().sent.len(), 1);
        prop_assert_eq!(&alone.shown()["nickName"], "Ada");
    }
}

fn titled(title: &str) -> ScimUserSpec {
    spec(json!({"connectionRef": {"name": "c"}, "userName": "ada", "title": title}))
}

#[test]
fn i09_what_a_lost_answer_left_at_the_server_is_no_drift() {
    let mut alone = Alone::converged(&Profile::generic(), titled("x"));
    alone.repairs(false);
    alone.declare(titled("y"));
    alone.dies_before_the_answer();
    assert_eq!(alone.shown()["title"], "y");
    // The change is taken back.
    alone.declare(titled("x"));
    assert_eq!(alone.pass().sent.len(), 1);
    assert_eq!(alone.shown()["title"], "x");
}

#[test]
fn i09_what_clear_names_is_taken_away_once() {
    let cleared = spec(json!({"connectionRef": {"name": "c"}, "userName": "ada", "clear": ["title"]}));
    let mut alone = Alone::converged(&Profile::generic(), titled("x"));
    alone.repairs(false);
    alone.declare(cleared);
    assert_eq!(alone.pass().sent.len(), 1);
    alone.meddle(|account| _ = account.insert("title".into(), json!("y")));
    befalls(&mut alone, Meanwhile::Suspended);
    assert_eq!(alone.pass().verdict.reason, Some(Reason::Drifted));
    assert_eq!(alone.shown()["title"], "y");
}

fn many(count: usize, of: impl Fn(usize) -> String) -> ScimUserSpec {
    let all: serde_json::Map<String, Value> = (0..count).map(|n| (format!("a{n:03}"), Value::from(of(n)))).collect();
    spec(json!({"connectionRef": {"name": "c"}, "userName": "ada", "extensions": {VENDOR: all}}))
}

#[test]
fn i04_any_number_of_attributes_that_are_not_kept_is_left_alone() {
    let mut alone = Alone::new(&Profile::generic(), many(300, |n| n.to_string()));
    alone.server(|server| server.drops = vec![VENDOR]);
    assert_eq!(alone.pass().sent.len(), 1);
    assert_eq!(alone.status().ignored_attributes.as_ref().map(Vec::len), Some(50), "the list is bounded");
    for _ in 0..3 {
        let quiet = alone.pass();
        assert!(quiet.sent.is_empty(), "{:?}", quiet.sent);
        assert_eq!(quiet.verdict.reason, Some(Reason::NotPersisted));
    }
    alone.declare(many(300, |n| if n == 250 { "other".into() } else { n.to_string() }));
    let sent = alone.pass().sent;
    assert_eq!(sent.iter().map(|one| one.attributes.clone()).collect::<Vec<_>>(), [[Path::extension(VENDOR, "a250")]]);
    assert!(alone.pass().sent.is_empty());
}

#[test]
fn i03_what_is_owned_beyond_the_bounds_of_status_is_removed_too() {
    let mut alone = Alone::converged(&Profile::generic(), many(300, |n| n.to_string()));
    assert_eq!(alone.status().managed_attributes.as_ref().map(Vec::len), Some(100), "the list is bounded");
    alone.meddle(|account| account[VENDOR]["others"] = json!("theirs"));
    alone.declare(many(2, |n| n.to_string()));
    assert_eq!(alone.pass().sent.len(), 1);
    assert_eq!(alone.shown()[VENDOR], json!({"a000": "0", "a001": "1", "others": "theirs"}));
    assert!(alone.pass().sent.is_empty());
}
