//! What holds up a removal and what doesn't, and what status alone doesn't decide.

use serde_json::{Value, json};

use super::driver::spec;
use crate::api::{Delegation, DeletionPolicy, OperationType, Reason, UserState};
use crate::plan::{Account, Delegated, Facts, Manager, Operation, Path, Read, Step, Verdict};
use crate::provisioner::simulation::alone::Alone;
use crate::scim::{Attributes, Profile, Resource};

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:user";

fn ada(more: &Value) -> Value {
    let mut ada = json!({"connectionRef": {"name": "c"}, "userName": "ada@eng"});
    ada.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    ada
}

/// Ada is provisioned.
fn provisioned() -> Alone {
    Alone::converged(&Profile::generic(), spec(ada(&json!({}))))
}

fn within(pattern: &str) -> Delegated {
    Delegated::by([&Delegation { user_names: vec![pattern.to_owned()], ..Delegation::default() }])
}

fn shows(account: &Attributes) -> Account {
    Account::Found { resource: Resource(account.clone()), fresh: true }
}

/// The next step where the account is as the server shows it.
fn next(alone: &mut Alone, change: impl FnOnce(&mut Facts<'_>)) -> Step {
    let account = shows(&alone.shown());
    alone.decide(|facts| {
        facts.account = account;
        change(facts);
    })
}

fn sends(step: Step) -> Operation {
    let Step::Send(operation) = step else { panic!("sends nothing: {step:?}") };
    *operation
}

fn settles(step: Step) -> Verdict {
    let Step::Settle(verdict) = step else { panic!("does something: {step:?}") };
    *verdict
}

/// What is wrong with an object: of the facts, or of its spec.
type Trouble = (&'static str, fn(&mut Facts<'_>), Value, Reason);

/// Everything that is wrong with an object, one at a time.
fn troubles() -> Vec<Trouble> {
    let foreign: fn(&mut Facts<'_>) = |facts| facts.manager = Manager::Foreign("bob".into());
    let undelegated: fn(&mut Facts<'_>) = |facts| facts.not_allowed = Some("no".into());
    vec![
        ("a manager elsewhere", foreign, json!({}), Reason::NotAllowed),
        ("not delegated", undelegated, json!({}), Reason::NotAllowed),
        ("misnamed", |_| {}, json!({"extensions": {CORE: {"active": true}}}), Reason::Rejected),
    ]
}

fn with(mut declared: Value, more: &Value) -> Value {
    declared.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    declared
}

#[test]
fn i17_no_trouble_with_an_attribute_holds_up_a_removal() {
    for (what, trouble, more, _) in troubles() {
        let mut alone = provisioned();
        alone.declare(spec(with(ada(&json!({"active": false, "title": "Countess"})), &more)));
        assert_eq!(sends(next(&mut alone, trouble)).kind, OperationType::Deactivate, "{what}");
        let mut alone = provisioned();
        alone.declare(spec(with(ada(&json!({})), &more)));
        alone.delete();
        assert_eq!(sends(next(&mut alone, trouble)).kind, OperationType::Deactivate, "{what}");
    }
    // What is declared in a wrong way is so at the server, too.
    for deleting in [false, true] {
        let mut alone = provisioned();
        let misnamed = json!({"active": false, "title": "Countess", "extensions": {CORE: {"active": true}}});
        alone.declare(spec(ada(&misnamed)));
        if deleting {
            alone.delete();
        }
        let outcome = alone.pass();
        assert_eq!(outcome.sent.first().map(|sent| sent.kind), Some(OperationType::Deactivate), "{outcome:?}");
        assert_eq!(outcome.finalizer_removed, deleting);
        assert_eq!(alone.accounts()["id-1"]["active"], json!(false));
    }
}

#[test]
fn i29_what_may_not_be_done_is_not_done_and_said() {
    for (what, trouble, more, reason) in troubles() {
        let mut alone = provisioned();
        alone.declare(spec(with(ada(&json!({"title": "Countess"})), &more)));
        let mut step = next(&mut alone, trouble);
        // One reference that leads nowhere is no reason to keep the rest waiting.
        if what == "a manager elsewhere" {
            assert_eq!(sends(step).attributes, [Path::core("title")]);
            let mut shown = alone.shown();
            shown.insert("title".into(), json!("Countess"));
            step = alone.decide(|facts| {
                facts.account = shows(&shown);
                trouble(facts);
            });
        }
        let verdict = settles(step);
        assert_eq!((verdict.reason, verdict.state), (Some(reason), Some(UserState::Failed)), "{what}");
    }
}

#[test]
fn i13_a_core_attribute_by_another_name_is_never_sent() {
    let extension = |urn: &str, name: &str| json!({urn: {name: false}});
    for fields in [
        json!({"extensions": extension(CORE, "active")}),
        json!({"extensions": extension("urn:ietf:params:scim:schemas:core:2.0:User:active", "value")}),
        json!({"extensions": extension("urn:ietf:params:scim:schemas:core:2.0", "User")}),
        json!({"extensions": extension(" urn:IETF:params:scim:schemas:core:2.0:User:", "active")}),
        json!({"extensions": extension("urn:example:x", "urn:ietf:params:scim:schemas:core:2.0:User:active")}),
        json!({"extensions": {"urn:ietf:params:scim:schemas:extension:enterprise:2.0": {"User": {"manager": null}}}}),
        json!({"extensions": {CORE: {}}}),
        json!({"onCreate": {"extensions": extension(CORE, "active")}}),
        json!({"clear": ["urn:ietf:params:scim:schemas:core:2.0:user:title"]}),
    ] {
        let mut alone = Alone::new(&Profile::generic(), spec(ada(&fields)));
        let outcome = alone.pass();
        assert_eq!((outcome.verdict.reason, outcome.sent.len()), (Some(Reason::Rejected), 0), "{fields}");
    }
    // What was sent before is not taken away under that name, either.
    let mut alone = provisioned();
    alone.record(|status| status.managed_attributes = Some(vec![format!("{CORE}:active")]));
    alone.meddle(|account| _ = account.insert(CORE.into(), json!({"active": true})));
    alone.declare(spec(ada(&json!({"title": "Countess"}))));
    let outcome = alone.pass();
    assert_eq!(outcome.sent.len(), 1);
    assert_eq!(outcome.sent[0].attributes, [Path::core("title")]);
}

fn with_manager() -> Value {
    ada(&json!({"enterprise": {"manager": {"userRef": {"name": "bob"}}}}))
}

/// Ada has Bob as manager.
fn managed() -> Alone {
    let mut alone = Alone::new(&Profile::generic(), spec(with_manager()));
    alone.declare_another("bob", spec(json!({"connectionRef": {"name": "c"}, "userName": "bob@eng"})));
    alone.pass();
    assert!(alone.shown().values().any(|value| !value["manager"].is_null()), "{:?}", alone.shown());
    alone
}

#[test]
fn i10_a_manager_whose_object_is_gone_stays_the_manager() {
    for unresolved in [Manager::Gone("bob".into()), Manager::Waiting("bob".into()), Manager::Foreign("bob".into())] {
        let verdict = settles(next(&mut managed(), |facts| facts.manager = unresolved.clone()));
        assert!(verdict.message.contains("bob"), "{unresolved:?}: {verdict:?}");
    }
    // An object that is gone, and with it the account.
    let mut alone = managed();
    let before = alone.shown();
    alone.delete_another("bob");
    assert!(alone.pass().sent.is_empty());
    for _ in 0..2 {
        let outcome = alone.pass();
        assert!(outcome.sent.is_empty(), "{outcome:?}");
        assert!(outcome.verdict.message.contains("bob"), "{outcome:?}");
        assert_eq!(alone.shown(), before);
    }
    // Ours all the while: taken back from the spec, it goes.
    alone.declare(spec(ada(&json!({}))));
    assert_eq!(alone.pass().sent[0].attributes, [Path::manager()]);
}

#[test]
fn i26_an_account_outside_the_delegation_is_never_written_to_whatever_status_says() {
    for (change, deleting) in [
        (json!({"title": "Countess"}), false),
        (json!({"active": false}), false),
        (json!({"roles": [{"value": "admin"}]}), false),
        (json!({}), true),
    ] {
        for policy in [DeletionPolicy::Delete, DeletionPolicy::Deactivate] {
            let mut alone = provisioned();
            // Status names the account of somebody else.
            alone.meddle(|account| _ = account.insert("userName".into(), json!("ceo@top")));
            alone.configure(|connection| connection.spec.deletion_policy.users = policy);
            alone.declare(spec(ada(&change)));
            if deleting {
                alone.delete();
            }
            let verdict = settles(next(&mut alone, |facts| facts.delegated = within("*@eng")));
            assert_eq!(verdict.reason, Some(Reason::NotAllowed), "{change} {deleting}: {verdict:?}");
            assert_ne!(verdict.details.user_name.as_deref(), Some("ceo@top"), "nor is it told whose it is");
            // What was never seen may be anybody's.
            let step = alone.decide(|facts| {
                (facts.delegated, facts.account) = (within("*@eng"), Account::Unknown);
            });
            assert!(matches!(step, Step::Read(Read::Get(_))), "{step:?}");
        }
    }
    let mut alone = provisioned();
    alone.declare(spec(ada(&json!({"active": false}))));
    let step = next(&mut alone, |facts| facts.delegated = within("*@eng"));
    assert_eq!(sends(step).kind, OperationType::Deactivate);
}

/// A delegation is narrowed, or taken back: what was served under it is removed where a person agrees.
#[test]
fn i15_what_was_delegated_once_is_removed_with_an_approval() {
    let narrowed: fn(&mut Facts<'_>) = |facts| facts.delegated = within("*@sales");
    let taken_back: fn(&mut Facts<'_>) = |facts| facts.delegated = Delegated::by([]);
    for (delegated, why) in [(narrowed, "narrowed"), (taken_back, "taken back")] {
        let by = |facts: &mut Facts<'_>| {
            delegated(facts);
            facts.not_allowed = Some("not delegated".into());
        };
        for (deleting, declared) in [(true, json!({})), (false, json!({"active": false}))] {
            let mut alone = provisioned();
            alone.record(|status| status.user_name = Some("Ada@eng".into()));
            alone.declare(spec(ada(&declared)));
            if deleting {
                alone.delete();
            }
            let sent = sends(next(&mut alone, by));
            assert_eq!(sent.kind, OperationType::Deactivate, "{why} {deleting}: {sent:?}");
            assert!(sent.undelegated, "it needs an approval: {sent:?}");
        }
        // Nothing else is sent to it.
        let mut alone = provisioned();
        alone.declare(spec(ada(&json!({"active": false}))));
        alone.pass();
        alone.declare(spec(ada(&json!({"active": false, "title": "Countess"}))));
        assert_eq!(settles(next(&mut alone, by)).reason, Some(Reason::NotAllowed), "{why}");
    }
    // What is still delegated needs none.
    let mut alone = provisioned();
    alone.delete();
    assert!(!sends(next(&mut alone, |facts| facts.delegated = within("*@eng"))).undelegated);
}

/// Of an account with an e-mail outside nothing but its end is written, though all that is declared is inside.
#[test]
fn i26_an_account_that_left_the_delegation_is_not_written_to_after_its_end() {
    let mut alone = provisioned();
    alone.record(|status| status.user_name = Some("ada@eng".into()));
    alone.meddle(|account| _ = account.insert("emails".into(), json!([{"type": "home", "value": "ada@top"}])));
    alone.declare(spec(ada(&json!({"active": false, "title": "Countess"}))));
    let by = |facts: &mut Facts<'_>| facts.delegated = within("*@eng");
    let sent = sends(next(&mut alone, by));
    assert_eq!((sent.kind, sent.undelegated), (OperationType::Deactivate, true));
    alone.meddle(|account| _ = account.insert("active".into(), json!(false)));
    assert_eq!(settles(next(&mut alone, by)).reason, Some(Reason::NotAllowed));
}

#[test]
fn i32_an_account_that_another_object_is_bound_to_is_left_alone() {
    let rival = |facts: &mut Facts<'_>| facts.claims.rival = Some("n/other".into());
    for deleting in [true, false] {
        let mut alone = provisioned();
        alone.declare(spec(ada(&json!({"active": false}))));
        if deleting {
            alone.delete();
        }
        let verdict = settles(next(&mut alone, rival));
        assert_eq!(verdict.reason, Some(Reason::Conflict), "{verdict:?}");
        assert!(verdict.message.contains("n/other"));
    }
    let mut alone = provisioned();
    alone.delete();
    let step = alone.decide(|facts| {
        rival(facts);
        facts.account = Account::Unknown;
    });
    assert_eq!(step, Step::Read(Read::Get("id-1".into())), "nothing is sent unseen");
}

/// Whoever may write a status names roles as brought in that were never declared.
#[test]
fn i32_a_forged_record_takes_no_role_away_that_the_namespace_may_not_give() {
    for (roles, kept) in [(vec![], true), (vec!["r-*".to_owned()], false)] {
        let mut alone = provisioned();
        alone.meddle(|account| {
            account.insert("roles".into(), json!([{"value": "r-1"}]));
            account.insert("urn:example:own".into(), json!({"badge": "7"}));
        });
        alone.record(|status| {
            let managed = status.managed_attributes.get_or_insert_default();
            managed.extend(["roles".into(), "urn:example:own:badge".into()]);
        });
        alone.declare(spec(ada(&json!({"title": "Countess"}))));
        let entry = Delegation { user_names: vec!["*@eng".into()], roles, ..Delegation::default() };
        let sent = sends(next(&mut alone, |facts| facts.delegated = Delegated::by([&entry])));
        let paths: Vec<String> = sent.attributes.iter().map(Path::to_string).collect();
        assert!(paths.contains(&"title".to_owned()), "{paths:?}");
        assert_eq!(paths.iter().any(|path| path.starts_with("roles")), !kept, "{paths:?}");
        assert!(!paths.iter().any(|path| path.starts_with("urn:example:own")), "{paths:?}");
    }
}
