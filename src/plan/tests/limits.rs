//! What keeps a decision from sending what it would: clocks, actions, protection, delegation, other objects.

use serde_json::json;

use super::driver::{World, spec};
use super::merging::converged;
use crate::api::{Action, AdoptionPolicy, Delegation, OperationType, Reason, UserState};
use crate::plan::guards::GuardName;
use crate::plan::protect::Protected;
use crate::plan::{Account, Binding, Delegated, Operation, Read, Request, Step, bound_status};
use crate::scim::{Profile, Resource, WriteMethod};

const ADMIN: &str = "admin@breakglass.example.com";

fn ada(more: serde_json::Value) -> crate::api::ScimUserSpec {
    let mut declared = json!({"connectionRef": {"name": "c"}, "userName": "ada"});
    if let serde_json::Value::Object(more) = more {
        more.into_iter().for_each(|(name, value)| declared[name] = value);
    }
    spec(declared)
}

fn found(account: &serde_json::Value, fresh: bool) -> Account {
    Account::Found { resource: Resource(account.as_object().cloned().unwrap_or_default()), fresh }
}

fn shown(world: &World, fresh: bool) -> Account {
    Account::Found { resource: Resource(world.shown().clone()), fresh }
}

fn reason(step: Step) -> Option<Reason> {
    let Step::Settle(verdict) = step else { panic!("does something: {step:?}") };
    verdict.reason
}

fn sends(step: Step) -> Operation {
    let Step::Send(operation) = step else { panic!("sends nothing: {step:?}") };
    *operation
}

#[test]
fn i10_without_the_action_deprovision_nobody_is_deactivated() {
    let mut world = converged(Profile::generic(), ada(json!({"active": true})));
    world.policy.actions = vec![Action::Create, Action::Update];
    world.declare(ada(json!({"active": false})));
    assert_eq!(reason(world.decide_on(shown(&world, true))), Some(Reason::ActionDisabled));
}

/// No object declares the e-mail: the server shows it.
#[test]
fn i14_an_e_mail_that_only_the_server_shows_protects_an_account() {
    let mut world = converged(Profile::generic(), ada(json!({"active": true})));
    world.policy.protected = Protected::new(["*@breakglass.example.com"]);
    world.meddle().insert("emails".into(), json!([{"value": ADMIN, "type": "other"}]));
    let account = || shown(&world, true);
    let mut inactive = world.clone();
    inactive.declare(ada(json!({"active": false})));
    assert_eq!(reason(inactive.decide_on(account())), Some(Reason::Protected));
    let mut renamed = world.clone();
    renamed.declare(ada(json!({"active": true, "userName": "eve"})));
    assert_eq!(reason(renamed.decide_on(account())), Some(Reason::Protected));
    let mut deleted = world.clone();
    deleted.deleting = true;
    assert!(matches!(deleted.decide_on(account()), Step::RemoveFinalizer(_)));
    // What was never seen may have it, too.
    assert!(matches!(deleted.decide_on(Account::Unknown), Step::Read(Read::Get(_))));
}

#[test]
fn i16_a_put_of_other_attributes_leaves_an_account_inactive() {
    let profile = Profile { write_users: WriteMethod::Put, ..Profile::generic() };
    let mut world = converged(profile, ada(json!({"active": true})));
    world.declare(ada(json!({"active": false})));
    world.pass();
    world.declare(ada(json!({"title": "Admiral"})));
    let sent = sends(world.decide_on(shown(&world, true)));
    let Request::Put { body, .. } = sent.request else { panic!("no PUT") };
    assert_eq!((&body["active"], &body["title"]), (&json!(false), &json!("Admiral")));
}

/// What was read a moment ago of whom it is a member of would be given back.
#[test]
fn i18_what_replaces_an_account_says_nothing_of_its_groups() {
    let profile = Profile { write_users: WriteMethod::Put, ..Profile::generic() };
    let mut world = converged(profile, ada(json!({"active": true})));
    world.meddle().insert("Groups".into(), json!([{"value": "g"}]));
    world.declare(ada(json!({"title": "Admiral"})));
    let sent = sends(world.decide_on(shown(&world, true)));
    let Request::Put { body, .. } = sent.request else { panic!("no PUT") };
    assert!(!body.keys().any(|name| name.eq_ignore_ascii_case("groups")), "{body:?}");
}

#[test]
fn i10_whoever_is_gone_and_to_be_inactive_is_not_made_again() {
    let mut world = converged(Profile::generic(), ada(json!({"active": true})));
    world.policy.repair.deleted = true;
    world.declare(ada(json!({"active": false})));
    world.creations.searched = true;
    let step = world.decide_on(Account::Absent { fresh: true });
    assert!(matches!(step, Step::Settle(verdict) if verdict.state == Some(UserState::Inactive)));
    assert!(matches!(world.decide_on(Account::Missing), Step::Settle(_)));
}

#[test]
fn i26_an_account_outside_of_the_delegation_is_not_bound() {
    let mut world = World::new(Profile::generic(), ada(json!({})));
    world.policy.adoption = AdoptionPolicy::Adopt;
    let entry = json!({"namespaceSelector": {}, "userNames": ["ada"], "emails": ["*@team.example.com"]});
    let entry: Delegation = serde_json::from_value(entry).expect("an entry");
    world.delegated = Delegated::by([&entry]);
    let inside = json!({"id": "7", "userName": "ada", "active": true});
    assert!(matches!(world.decide_on(found(&inside, true)), Step::Bind(_)));
    let outside = json!({"id": "7", "userName": "ada", "active": true, "emails": [{"value": ADMIN}]});
    assert_eq!(reason(world.decide_on(found(&outside, true))), Some(Reason::NotAllowed));
    // Nor is it removed for a creation whose answer was lost.
    (world.deleting, world.finalizer, world.claimed) = (true, true, Some("ada".into()));
    assert!(matches!(world.decide_on(found(&outside, true)), Step::RemoveFinalizer(_)));
    assert!(matches!(world.decide_on(found(&inside, true)), Step::Send(_)));
}

#[test]
fn i15_that_an_account_is_inactive_is_read_before_its_object_goes() {
    let mut world = converged(Profile::generic(), ada(json!({"active": true})));
    world.deleting = true;
    world.meddle().insert("active".into(), json!(false));
    assert!(matches!(world.decide_on(shown(&world, false)), Step::Read(Read::Get(_))));
    assert!(matches!(world.decide_on(shown(&world, true)), Step::RemoveFinalizer(_)));
}

#[test]
fn i08_of_two_that_are_bound_to_none_the_elder_comes_first() {
    let mut world = World::new(Profile::generic(), ada(json!({})));
    world.claims.elder = Some("team/elder".into());
    assert_eq!(reason(world.decide_on(Account::Absent { fresh: true })), Some(Reason::Conflict));
    let account = json!({"id": "7", "userName": "ada", "active": true});
    assert_eq!(reason(world.decide_on(found(&account, true))), Some(Reason::Conflict));
}

/// The creation may have been one of an earlier process, and may have taken effect.
#[test]
fn i07_what_failed_before_is_looked_for_before_it_is_tried_again() {
    let mut world = World::new(Profile::generic(), ada(json!({})));
    world.status.state = Some(UserState::Failed);
    assert_eq!(world.decide_on(Account::Absent { fresh: false }), Step::Read(Read::Find));
}

#[test]
fn i13_an_adoption_that_changes_the_account_is_counted_as_a_rewrite() {
    let mut world = World::new(Profile::generic(), ada(json!({"title": "Admiral"})));
    let binding = Binding { id: "7".into(), name: "ada".into(), how: OperationType::Adopt };
    world.status = bound_status(&world.status, &binding, &world.policy.server, jiff::Timestamp::UNIX_EPOCH);
    let account = json!({"id": "7", "userName": "ada", "active": true, "title": "Cook"});
    assert_eq!(sends(world.decide_on(found(&account, true))).guard, Some(GuardName::Rewrites));
}

#[test]
fn i03_what_is_sent_once_from_now_on_is_not_taken_away() {
    let mut world = converged(Profile::generic(), ada(json!({"title": "Admiral", "active": true})));
    world.declare(ada(json!({"onCreate": {"title": "Admiral"}, "active": true})));
    assert!(world.pass().sent.is_empty());
}

#[test]
fn i03_what_the_server_added_to_an_entry_stays() {
    let email = |value: &str| ada(json!({"emails": [{"value": value, "type": "work"}]}));
    let mut world = converged(Profile::generic(), email("a@example.com"));
    world.meddle().insert("emails".into(), json!([{"value": "a@example.com", "type": "work", "display": "Ada"}]));
    world.declare(email("b@example.com"));
    world.pass();
    assert_eq!(world.shown()["emails"], json!([{"value": "b@example.com", "type": "work", "display": "Ada"}]));
}

#[test]
fn i06_what_was_owned_at_another_server_is_not_owned_here() {
    let world = converged(Profile::generic(), ada(json!({"title": "Admiral"})));
    let binding =
        Binding { id: world.status.id.clone().expect("bound"), name: "ada".into(), how: OperationType::Adopt };
    let there = bound_status(&world.status, &binding, "there", jiff::Timestamp::UNIX_EPOCH);
    assert!(world.status.managed_attributes.is_some());
    assert_eq!((there.managed_attributes, there.applied_attributes), (None, None));
}

/// The clock stands at the beginning of time.
#[test]
fn i10_a_clock_that_may_be_wrong_ends_and_opens_no_window() {
    let window = |field: &str| ada(json!({"access": {field: "1970-01-01T00:00:00Z"}}));
    let mut ends = converged(Profile::generic(), ada(json!({"active": true})));
    ends.declare(window("notAfter"));
    assert_eq!(sends(ends.decide_on(shown(&ends, true))).kind, OperationType::Deactivate);
    ends.clock_trusted = false;
    assert_eq!(reason(ends.decide_on(shown(&ends, true))), Some(Reason::Pending));
    let mut opens = converged(Profile::generic(), ada(json!({"active": true})));
    opens.declare(ada(json!({"active": false})));
    opens.pass();
    opens.declare(window("notBefore"));
    assert_eq!(sends(opens.decide_on(shown(&opens, true))).kind, OperationType::Reactivate);
    opens.clock_trusted = false;
    assert_eq!(reason(opens.decide_on(shown(&opens, true))), Some(Reason::Pending));
}

#[test]
fn i04_whoever_was_invited_is_asked_once_a_day() {
    let mut world = converged(Profile::generic(), ada(json!({"active": true})));
    world.meddle().insert("active".into(), json!(false));
    (world.status.state, world.status.last_applied_active) = (Some(UserState::Invited), None);
    assert_eq!(reason(world.decide_on(shown(&world, true))), Some(Reason::AwaitingAcceptance));
    world.requested = true;
    assert_eq!(sends(world.decide_on(shown(&world, true))).kind, OperationType::Reactivate);
}

#[test]
fn i21_a_request_changes_no_more_than_the_server_takes_at_once() {
    let profile = Profile { max_operations: Some(1), ..Profile::generic() };
    let mut world = converged(profile, ada(json!({"active": true})));
    world.declare(ada(json!({"active": true, "title": "Admiral", "locale": "en"})));
    let sent = world.pass().sent;
    assert_eq!(sent.iter().map(|one| one.attributes.len()).collect::<Vec<_>>(), [1, 1]);
}
