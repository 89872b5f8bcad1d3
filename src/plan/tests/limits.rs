//! What keeps a decision from sending what it would: clocks, actions, protection, delegation, other objects.

use serde_json::json;

use super::driver::spec;
use crate::api::{Action, Delegation, OperationType, Reason, RepairPolicy, UserState};
use crate::plan::guards::GuardName;
use crate::plan::{
    Account, Binding, Creations, Delegated, Facts, Operation, Policy, Read, Request, Step, bound_status, decide,
};
use crate::provisioner::simulation::alone::Alone;
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

/// The next step where the account is as the server shows it.
fn next(alone: &mut Alone, fresh: bool, change: impl FnOnce(&mut Facts<'_>)) -> Step {
    let account = Account::Found { resource: Resource(alone.shown()), fresh };
    alone.decide(|facts| {
        facts.account = account;
        change(facts);
    })
}

fn plainly(_: &mut Facts<'_>) {}

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
    let mut alone = Alone::converged(&Profile::generic(), ada(json!({"active": true})));
    alone.configure(|connection| connection.spec.actions = vec![Action::Create, Action::Update]);
    alone.declare(ada(json!({"active": false})));
    assert_eq!(reason(next(&mut alone, true, plainly)), Some(Reason::ActionDisabled));
}

/// No object declares the e-mail: the server shows it.
#[test]
fn i14_an_e_mail_that_only_the_server_shows_protects_an_account() {
    let mut alone = Alone::converged(&Profile::generic(), ada(json!({"active": true})));
    let pattern = "*@breakglass.example.com".to_owned();
    alone.configure(|connection| connection.spec.guards.protected = Some(vec![pattern]));
    alone.meddle(|account| _ = account.insert("emails".into(), json!([{"value": ADMIN, "type": "other"}])));
    alone.declare(ada(json!({"active": false})));
    assert_eq!(reason(next(&mut alone, true, plainly)), Some(Reason::Protected));
    alone.declare(ada(json!({"active": true, "userName": "eve"})));
    assert_eq!(reason(next(&mut alone, true, plainly)), Some(Reason::Protected));
    alone.delete();
    assert!(matches!(next(&mut alone, true, plainly), Step::RemoveFinalizer(_)));
    // What was never seen may have it, too.
    let step = alone.decide(|facts| facts.account = Account::Unknown);
    assert!(matches!(step, Step::Read(Read::Get(_))));
    // Nor does a pass touch it.
    let before = alone.accounts();
    let outcome = alone.pass();
    assert!(outcome.finalizer_removed && outcome.sent.is_empty(), "{outcome:?}");
    assert_eq!(alone.accounts(), before);
}

#[test]
fn i16_a_put_of_other_attributes_leaves_an_account_inactive() {
    let profile = Profile { write_users: WriteMethod::Put, ..Profile::generic() };
    let mut alone = Alone::converged(&profile, ada(json!({"active": true})));
    alone.declare(ada(json!({"active": false})));
    alone.pass();
    alone.declare(ada(json!({"title": "Admiral"})));
    let sent = sends(next(&mut alone, true, plainly));
    let Request::Put { body, .. } = sent.request else { panic!("no PUT") };
    assert_eq!((&body["active"], &body["title"]), (&json!(false), &json!("Admiral")));
}

/// What was read a moment ago of whom it is a member of would be given back.
#[test]
fn i18_what_replaces_an_account_says_nothing_of_its_groups() {
    let profile = Profile { write_users: WriteMethod::Put, ..Profile::generic() };
    let mut alone = Alone::converged(&profile, ada(json!({"active": true})));
    alone.meddle(|account| _ = account.insert("Groups".into(), json!([{"value": "g"}])));
    alone.declare(ada(json!({"title": "Admiral"})));
    let sent = sends(next(&mut alone, true, plainly));
    let Request::Put { body, .. } = sent.request else { panic!("no PUT") };
    assert!(!body.keys().any(|name| name.eq_ignore_ascii_case("groups")), "{body:?}");
}

#[test]
fn i10_whoever_is_gone_and_to_be_inactive_is_not_made_again() {
    let mut alone = Alone::converged(&Profile::generic(), ada(json!({"active": true})));
    alone.configure(|connection| connection.spec.drift_policy.deleted = RepairPolicy::Repair);
    alone.declare(ada(json!({"active": false})));
    let step = alone.decide(|facts| {
        facts.account = Account::Absent { fresh: true };
        facts.creations = Creations { searched: true, ..Creations::default() };
    });
    assert!(matches!(step, Step::Settle(verdict) if verdict.state == Some(UserState::Inactive)));
    assert!(matches!(alone.decide(|facts| facts.account = Account::Missing), Step::Settle(_)));
    alone.server(|server| server.accounts.clear());
    assert!(alone.pass().sent.is_empty());
    assert!(alone.accounts().is_empty());
}

#[test]
fn i26_an_account_outside_of_the_delegation_is_not_bound() {
    let mut alone = Alone::new(&Profile::generic(), ada(json!({})));
    let entry = json!({"namespaceSelector": {}, "userNames": ["ada"], "emails": ["*@team.example.com"]});
    let entry: Delegation = serde_json::from_value(entry).expect("an entry");
    let step = |alone: &mut Alone, account: &serde_json::Value| {
        alone.decide(|facts| (facts.delegated, facts.account) = (Delegated::by([&entry]), found(account, true)))
    };
    let inside = json!({"id": "7", "userName": "ada", "active": true});
    assert!(matches!(step(&mut alone, &inside), Step::Bind(_)));
    let outside = json!({"id": "7", "userName": "ada", "active": true, "emails": [{"value": ADMIN}]});
    assert_eq!(reason(step(&mut alone, &outside)), Some(Reason::NotAllowed));
    // Nor is it removed for a creation whose answer was lost.
    alone.claim("ada");
    alone.delete();
    assert!(matches!(step(&mut alone, &outside), Step::RemoveFinalizer(_)));
    assert!(matches!(step(&mut alone, &inside), Step::Send(_)));
}

#[test]
fn i15_that_an_account_is_inactive_is_read_before_its_object_goes() {
    let mut alone = Alone::converged(&Profile::generic(), ada(json!({"active": true})));
    alone.delete();
    alone.meddle(|account| _ = account.insert("active".into(), json!(false)));
    assert!(matches!(next(&mut alone, false, plainly), Step::Read(Read::Get(_))));
    assert!(matches!(next(&mut alone, true, plainly), Step::RemoveFinalizer(_)));
}

#[test]
fn i08_of_two_that_are_bound_to_none_the_elder_comes_first() {
    let mut alone = Alone::new(&Profile::generic(), ada(json!({})));
    let mut step =
        |account| alone.decide(|facts| (facts.claims.elder, facts.account) = (Some("team/elder".into()), account));
    assert_eq!(reason(step(Account::Absent { fresh: true })), Some(Reason::Conflict));
    let account = json!({"id": "7", "userName": "ada", "active": true});
    assert_eq!(reason(step(found(&account, true))), Some(Reason::Conflict));
}

/// The creation may have been one of an earlier process, and may have taken effect.
#[test]
fn i07_what_failed_before_is_looked_for_before_it_is_tried_again() {
    let mut alone = Alone::new(&Profile::generic(), ada(json!({})));
    alone.record(|status| status.state = Some(UserState::Failed));
    assert_eq!(alone.decide(|facts| facts.account = Account::Absent { fresh: false }), Step::Read(Read::Find));
}

#[test]
fn i13_an_adoption_that_changes_the_account_is_counted_as_a_rewrite() {
    let mut alone = Alone::new(&Profile::generic(), ada(json!({"title": "Admiral"})));
    let binding = Binding { id: "7".into(), name: "ada".into(), how: OperationType::Adopt };
    let server = alone.server_name();
    alone.record(|status| *status = bound_status(status, &binding, &server, jiff::Timestamp::UNIX_EPOCH));
    let account = json!({"id": "7", "userName": "ada", "active": true, "title": "Cook"});
    let step = alone.decide(|facts| facts.account = found(&account, true));
    assert_eq!(sends(step).guard, Some(GuardName::Rewrites));
}

#[test]
fn i03_what_is_sent_once_from_now_on_is_not_taken_away() {
    let mut alone = Alone::converged(&Profile::generic(), ada(json!({"title": "Admiral", "active": true})));
    alone.declare(ada(json!({"onCreate": {"title": "Admiral"}, "active": true})));
    assert!(alone.pass().sent.is_empty());
}

#[test]
fn i03_what_the_server_added_to_an_entry_stays() {
    let email = |value: &str| ada(json!({"emails": [{"value": value, "type": "work"}]}));
    let mut alone = Alone::converged(&Profile::generic(), email("a@example.com"));
    alone.meddle(|account| {
        _ = account.insert("emails".into(), json!([{"value": "a@example.com", "type": "work", "display": "Ada"}]));
    });
    alone.declare(email("b@example.com"));
    alone.pass();
    assert_eq!(alone.shown()["emails"], json!([{"value": "b@example.com", "type": "work", "display": "Ada"}]));
}

#[test]
fn i06_what_was_owned_at_another_server_is_not_owned_here() {
    let alone = Alone::converged(&Profile::generic(), ada(json!({"title": "Admiral"})));
    let binding = Binding { id: alone.id(), name: "ada".into(), how: OperationType::Adopt };
    let there = bound_status(&alone.status(), &binding, "there", jiff::Timestamp::UNIX_EPOCH);
    assert!(alone.status().managed_attributes.is_some());
    assert_eq!((there.managed_attributes, there.applied_attributes), (None, None));
}

#[test]
fn i10_a_clock_that_may_be_wrong_ends_and_opens_no_window() {
    let window = |field: &str| ada(json!({"access": {field: "1970-01-01T00:00:00Z"}}));
    let distrusts = |facts: &mut Facts<'_>| facts.clock_trusted = false;
    let mut ends = Alone::converged(&Profile::generic(), ada(json!({"active": true})));
    ends.declare(window("notAfter"));
    assert_eq!(sends(next(&mut ends, true, plainly)).kind, OperationType::Deactivate);
    assert_eq!(reason(next(&mut ends, true, distrusts)), Some(Reason::Pending));
    let mut opens = Alone::converged(&Profile::generic(), ada(json!({"active": true})));
    opens.declare(ada(json!({"active": false})));
    opens.pass();
    opens.declare(window("notBefore"));
    assert_eq!(sends(next(&mut opens, true, plainly)).kind, OperationType::Reactivate);
    assert_eq!(reason(next(&mut opens, true, distrusts)), Some(Reason::Pending));
}

#[test]
fn i04_whoever_was_invited_is_asked_once_a_day() {
    let mut alone = Alone::converged(&Profile::generic(), ada(json!({"active": true})));
    alone.meddle(|account| _ = account.insert("active".into(), json!(false)));
    alone.record(|status| (status.state, status.last_applied_active) = (Some(UserState::Invited), None));
    assert_eq!(reason(next(&mut alone, true, plainly)), Some(Reason::AwaitingAcceptance));
    alone.request();
    assert_eq!(sends(next(&mut alone, true, plainly)).kind, OperationType::Reactivate);
}

#[test]
fn i21_a_request_changes_no_more_than_the_server_takes_at_once() {
    let mut alone = Alone::converged(&Profile::generic(), ada(json!({"active": true})));
    alone.declare(ada(json!({"active": true, "title": "Admiral", "locale": "en"})));
    let shown = Account::Found { resource: Resource(alone.shown()), fresh: true };
    let step = alone.with_facts(|facts| {
        let profile = Profile { max_operations: Some(1), ..facts.policy.profile.clone() };
        let policy = Policy { profile, ..facts.policy.clone() };
        decide(&Facts { policy: &policy, account: shown, ..facts.clone() })
    });
    assert_eq!(sends(step).attributes.len(), 1);
}
