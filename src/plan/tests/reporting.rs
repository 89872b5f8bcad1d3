//! I4 and I9: what is owed rests on what was carried out, whatever became of the object meanwhile.

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::driver::{World, spec};
use super::merging::{converged, profiles, specs};
use crate::api::{Reason, ScimUserSpec, UserState};
use crate::plan::{Account, Path, Step, Verdict, status_ahead};
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

fn befalls(world: &mut World, what: Meanwhile) {
    let status_of = |world: &World, reason, executed| {
        let state = Some(UserState::Pending);
        let verdict = Verdict { reason: Some(reason), state, executed, ..Verdict::default() };
        record(&world.status, world.generation, &verdict, &PassLog::default(), Timestamp::UNIX_EPOCH)
    };
    match what {
        Meanwhile::Suspended => {
            world.policy.suspend = true;
            assert!(world.pass().sent.is_empty());
            world.policy.suspend = false;
        }
        Meanwhile::ObjectSuspended => {
            world.spec.suspend = true;
            world.generation += 1;
            assert!(world.pass().sent.is_empty());
            world.spec.suspend = false;
            world.generation += 1;
        }
        Meanwhile::Failed => world.status = status_of(world, Reason::Pending, false),
        Meanwhile::NotReady => world.status = status_of(world, Reason::ConnectionNotReady, false),
        Meanwhile::Refused => world.status = status_of(world, Reason::Rejected, true),
        // Of something that isn't sent.
        Meanwhile::Edited => world.generation += 1,
        Meanwhile::Looked => {}
    }
}

proptest! {
    #[test]
    fn i09_under_report_only_what_was_declared_since_is_written(
        profile in profiles(), declared in specs(), snapshot in any::<bool>(),
        all in vec(select(vec![
            Meanwhile::Suspended, Meanwhile::ObjectSuspended, Meanwhile::Failed, Meanwhile::NotReady, Meanwhile::Refused,
            Meanwhile::Edited, Meanwhile::Looked,
        ]), 0..5),
    ) {
        let mut declared = declared;
        declared.attributes.title = Some("Countess".into());
        let mut world = converged(profile, declared);
        world.snapshot = snapshot;
        world.policy.repair.attributes = false;
        world.meddle().insert("title".into(), json!("Baroness"));
        for what in all {
            befalls(&mut world, what);
            let outcome = world.pass();
            prop_assert!(outcome.sent.is_empty(), "{what:?}: {:?}", outcome.sent);
            prop_assert_eq!(outcome.verdict.reason, Some(Reason::Drifted));
        }
        let mut changed = world.spec.clone();
        changed.attributes.nick_name = Some("Ada".into());
        world.declare(changed.clone());
        let sent = world.pass().sent;
        prop_assert_eq!(sent.len(), 1);
        prop_assert_eq!(&sent[0].attributes, &vec![Path::core("nickName")]);
        prop_assert_eq!(&world.shown()["title"], "Baroness");
        changed.attributes.title = Some("Duchess".into());
        world.declare(changed);
        prop_assert_eq!(world.pass().sent.len(), 1);
        prop_assert_eq!(&world.shown()["title"], "Duchess");
        prop_assert!(world.pass().sent.is_empty());
    }

    /// Found inactive, it is left so until somebody says otherwise, whatever its state says meanwhile.
    #[test]
    fn i16_an_account_found_inactive_is_left_alone(
        profile in profiles(), declared in specs(),
        all in vec(select(vec![Meanwhile::Suspended, Meanwhile::Failed, Meanwhile::NotReady, Meanwhile::Refused]), 0..4),
    ) {
        let mut world = World::new(profile, declared);
        let body = json!({"id": "id-0", "userName": "ada", "active": false}).as_object().unwrap().clone();
        world.server.accounts.insert("id-0".into(), body.clone());
        prop_assert_eq!(world.pass().verdict.reason, Some(Reason::DeactivatedAtServer));
        for what in all {
            befalls(&mut world, what);
            let outcome = world.pass();
            prop_assert!(outcome.sent.is_empty(), "{what:?}: {:?}", outcome.sent);
            prop_assert_eq!(outcome.verdict.reason, Some(Reason::DeactivatedAtServer));
        }
        prop_assert_eq!(&world.server.accounts["id-0"], &body);
    }

    /// What is refused once is owed still, however often the refusal was recorded.
    #[test]
    fn i09_under_report_what_was_refused_is_still_owed(profile in profiles(), declared in specs(), times in 1..4) {
        let mut world = converged(profile, declared);
        world.policy.repair.attributes = false;
        let mut changed = world.spec.clone();
        changed.attributes.nick_name = Some("Ada".into());
        world.declare(changed);
        for _ in 0..times {
            befalls(&mut world, Meanwhile::Refused);
        }
        prop_assert_eq!(world.pass().sent.len(), 1);
        prop_assert_eq!(&world.shown()["nickName"], "Ada");
    }
}

fn titled(title: &str) -> ScimUserSpec {
    spec(json!({"connectionRef": {"name": "c"}, "userName": "ada", "title": title}))
}

#[test]
fn i09_what_a_lost_answer_left_at_the_server_is_no_drift() {
    let mut world = converged(Profile::generic(), titled("x"));
    world.policy.repair.attributes = false;
    world.declare(titled("y"));
    let resource = world.server.get(world.status.id.as_deref().expect("bound")).expect("there");
    let Step::Send(operation) = world.decide_on(Account::Found { resource, fresh: false }) else { panic!("an update") };
    let ahead = status_ahead(Some(&world.status), &world.status, &world.policy, false, &operation);
    world.status = ahead.expect("what is on its way is on record first");
    world.server.apply(&operation.request);
    // The answer is lost, and the change is taken back.
    befalls(&mut world, Meanwhile::Failed);
    world.declare(titled("x"));
    assert_eq!(world.pass().sent.len(), 1);
    assert_eq!(world.shown()["title"], "x");
}

#[test]
fn i09_what_clear_names_is_taken_away_once() {
    let cleared = spec(json!({"connectionRef": {"name": "c"}, "userName": "ada", "clear": ["title"]}));
    let mut world = converged(Profile::generic(), titled("x"));
    world.policy.repair.attributes = false;
    world.declare(cleared);
    assert_eq!(world.pass().sent.len(), 1);
    world.meddle().insert("title".into(), json!("y"));
    befalls(&mut world, Meanwhile::Suspended);
    assert_eq!(world.pass().verdict.reason, Some(Reason::Drifted));
    assert_eq!(world.shown()["title"], "y");
}

fn many(count: usize, of: impl Fn(usize) -> String) -> ScimUserSpec {
    let all: serde_json::Map<String, Value> = (0..count).map(|n| (format!("a{n:03}"), Value::from(of(n)))).collect();
    spec(json!({"connectionRef": {"name": "c"}, "userName": "ada", "extensions": {VENDOR: all}}))
}

#[test]
fn i04_any_number_of_attributes_that_are_not_kept_is_left_alone() {
    let mut world = World::new(Profile::generic(), many(300, |n| n.to_string()));
    world.server.drops = vec![VENDOR];
    assert_eq!(world.pass().sent.len(), 1);
    assert_eq!(world.status.ignored_attributes.as_ref().map(Vec::len), Some(50), "the list is bounded");
    for _ in 0..3 {
        let quiet = world.pass();
        assert!(quiet.sent.is_empty(), "{:?}", quiet.sent);
        assert_eq!(quiet.verdict.reason, Some(Reason::NotPersisted));
    }
    world.declare(many(300, |n| if n == 250 { "other".into() } else { n.to_string() }));
    let sent = world.pass().sent;
    assert_eq!(sent.iter().map(|one| one.attributes.clone()).collect::<Vec<_>>(), [[Path::extension(VENDOR, "a250")]]);
    assert!(world.pass().sent.is_empty());
}

#[test]
fn i03_what_is_owned_beyond_the_bounds_of_status_is_removed_too() {
    let mut world = converged(Profile::generic(), many(300, |n| n.to_string()));
    assert_eq!(world.status.managed_attributes.as_ref().map(Vec::len), Some(100), "the list is bounded");
    world.meddle()[VENDOR]["others"] = json!("theirs");
    world.declare(many(2, |n| n.to_string()));
    assert_eq!(world.pass().sent.len(), 1);
    assert_eq!(world.shown()[VENDOR], json!({"a000": "0", "a001": "1", "others": "theirs"}));
    assert!(world.pass().sent.is_empty());
}
