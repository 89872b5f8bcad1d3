//! What holds up a removal and what doesn't, and what status alone doesn't decide.

use serde_json::{Value, json};

use super::driver::{World, spec};
use super::merging::converged;
use crate::api::{Delegation, DeletionPolicy, OperationType, Reason, UserState};
use crate::plan::{Account, Delegated, Manager, Path, Read, Step};
use crate::scim::Profile;

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:user";

fn ada(more: &Value) -> Value {
    let mut ada = json!({"connectionRef": {"name": "c"}, "userName": "ada@eng"});
    ada.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    ada
}

/// Ada is provisioned.
fn world() -> World {
    converged(Profile::generic(), spec(ada(&json!({}))))
}

fn within(pattern: &str) -> Delegated {
    Delegated::by([&Delegation { user_names: vec![pattern.to_owned()], ..Delegation::default() }])
}

fn kinds(outcome: &super::driver::Outcome) -> Vec<OperationType> {
    outcome.sent.iter().map(|operation| operation.kind).collect()
}

type Trouble = Box<dyn Fn(&mut World, &mut Value)>;

/// Everything that is wrong with an object, one at a time.
fn troubles() -> Vec<(&'static str, Trouble, Reason)> {
    vec![
        (
            "a manager elsewhere",
            Box::new(|world, _| world.manager = Manager::Foreign("bob".into())),
            Reason::NotAllowed,
        ),
        ("not delegated", Box::new(|world, _| world.not_allowed = Some("no".into())), Reason::NotAllowed),
        ("misnamed", Box::new(|_, spec| spec["extensions"] = json!({CORE: {"active": true}})), Reason::Rejected),
    ]
}

#[test]
fn i17_no_trouble_with_an_attribute_holds_up_a_removal() {
    for (what, trouble, _) in troubles() {
        let mut world = world();
        let mut declared = ada(&json!({"active": false, "title": "Countess"}));
        trouble(&mut world, &mut declared);
        world.declare(spec(declared));
        let outcome = world.pass();
        assert_eq!(kinds(&outcome).first(), Some(&OperationType::Deactivate), "{what}: {outcome:?}");
        assert_eq!(world.shown()["active"], json!(false), "{what}");

        let mut world = self::world();
        let mut declared = ada(&json!({}));
        trouble(&mut world, &mut declared);
        world.declare(spec(declared));
        world.deleting = true;
        let outcome = world.pass();
        assert!(outcome.finalizer_removed, "{what}: {outcome:?}");
        assert_eq!(world.shown()["active"], json!(false), "{what}");
    }
}

#[test]
fn i29_what_may_not_be_done_is_not_done_and_said() {
    for (what, trouble, reason) in troubles() {
        let mut world = world();
        let mut declared = ada(&json!({"title": "Countess"}));
        trouble(&mut world, &mut declared);
        world.declare(spec(declared));
        let outcome = world.pass();
        assert_eq!((outcome.verdict.reason, outcome.verdict.state), (Some(reason), Some(UserState::Failed)), "{what}");
        // One reference that leads nowhere is no reason to keep the rest waiting.
        assert_eq!(outcome.sent.len(), usize::from(what == "a manager elsewhere"), "{what}: {outcome:?}");
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
        let mut world = World::new(Profile::generic(), spec(ada(&fields)));
        let outcome = world.pass();
        assert_eq!((outcome.verdict.reason, outcome.sent.len()), (Some(Reason::Rejected), 0), "{fields}");
    }
    // What was sent before is not taken away under that name, either.
    let mut world = world();
    world.status.managed_attributes = Some(vec![format!("{CORE}:active")]);
    world.meddle().insert(CORE.into(), json!({"active": true}));
    world.declare(spec(ada(&json!({"title": "Countess"}))));
    let outcome = world.pass();
    assert_eq!(outcome.sent.len(), 1);
    assert_eq!(outcome.sent[0].attributes, [Path::core("title")]);
}

/// Ada has Bob as manager.
fn managed() -> World {
    let mut world = World::new(Profile::generic(), spec(with_manager()));
    world.manager = Manager::Id("id-bob".into());
    world.pass();
    world
}

fn with_manager() -> Value {
    ada(&json!({"enterprise": {"manager": {"userRef": {"name": "bob"}}}}))
}

#[test]
fn i10_a_manager_whose_object_is_gone_stays_the_manager() {
    for unresolved in [Manager::Gone("bob".into()), Manager::Waiting("bob".into()), Manager::Foreign("bob".into())] {
        let mut world = managed();
        let before = world.shown().clone();
        world.manager = unresolved.clone();
        for _ in 0..2 {
            let outcome = world.pass();
            assert!(outcome.sent.is_empty() && outcome.verdict.message.contains("bob"), "{outcome:?}");
            assert_eq!(world.shown(), &before, "{unresolved:?}");
        }
        // Ours all the while: taken back from the spec, it goes.
        world.manager = Manager::None;
        world.declare(spec(ada(&json!({}))));
        assert_eq!(world.pass().sent[0].attributes, [Path::manager()]);
    }
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
            for snapshot in [true, false] {
                let mut world = world();
                // Status names the account of somebody else.
                world.meddle().insert("userName".into(), json!("ceo@top"));
                world.delegated = within("*@eng");
                (world.policy.deletion, world.snapshot) = (policy, snapshot);
                world.declare(spec(ada(&change)));
                world.deleting = deleting;
                let before = world.server.accounts.clone();
                let outcome = world.pass();
                assert_eq!(outcome.verdict.reason, Some(Reason::NotAllowed), "{change} {deleting}: {outcome:?}");
                assert!(outcome.sent.is_empty() && !outcome.finalizer_removed, "{outcome:?}");
                assert_eq!(world.server.accounts, before);
                assert_ne!(world.status.user_name.as_deref(), Some("ceo@top"), "nor is it told whose it is");
            }
        }
    }
    let mut world = world();
    world.delegated = within("*@eng");
    world.declare(spec(ada(&json!({"active": false}))));
    assert_eq!(kinds(&world.pass()), [OperationType::Deactivate]);
}

/// A delegation is narrowed, or taken back: what was served under it is removed where a person agrees.
#[test]
fn i15_what_was_delegated_once_is_removed_with_an_approval() {
    let nothing = || Delegated::by([]);
    for (delegated, why) in [(within("*@sales"), "narrowed"), (nothing(), "taken back")] {
        for (deleting, declared) in [(true, json!({})), (false, json!({"active": false}))] {
            let mut world = world();
            world.status.user_name = Some("Ada@eng".into());
            world.delegated = delegated.clone();
            world.not_allowed = Some("not delegated".into());
            world.declare(spec(ada(&declared)));
            world.deleting = deleting;
            let outcome = world.pass();
            assert_eq!(kinds(&outcome), [OperationType::Deactivate], "{why} {deleting}: {outcome:?}");
            assert!(outcome.sent[0].undelegated, "it needs an approval: {outcome:?}");
            assert_eq!(world.shown()["active"], json!(false), "{why}");
            assert_eq!(outcome.finalizer_removed, deleting, "{outcome:?}");
            // Nothing else is sent to it.
            world.declare(spec(ada(&json!({"active": false, "title": "Countess"}))));
            if !deleting {
                let outcome = world.pass();
                assert_eq!((outcome.sent.len(), outcome.verdict.reason), (0, Some(Reason::NotAllowed)));
            }
        }
    }
    // What is still delegated needs none.
    let mut world = world();
    (world.delegated, world.deleting) = (within("*@eng"), true);
    assert!(!world.pass().sent[0].undelegated);
}

/// Of an account with an e-mail outside nothing but its end is written, though all that is declared is inside.
#[test]
fn i26_an_account_that_left_the_delegation_is_not_written_to_after_its_end() {
    let mut world = world();
    world.status.user_name = Some("ada@eng".into());
    world.meddle().insert("emails".into(), json!([{"type": "home", "value": "ada@top"}]));
    world.delegated = within("*@eng");
    world.declare(spec(ada(&json!({"active": false, "title": "Countess"}))));
    let outcome = world.pass();
    assert_eq!(kinds(&outcome), [OperationType::Deactivate], "{outcome:?}");
    assert_eq!((outcome.sent[0].undelegated, outcome.verdict.reason), (true, Some(Reason::NotAllowed)));
    assert_eq!(world.shown().get("title"), None);
}

#[test]
fn i32_an_account_that_another_object_is_bound_to_is_left_alone() {
    for deleting in [true, false] {
        for snapshot in [true, false] {
            let mut world = world();
            world.claims.rival = Some("n/other".into());
            world.declare(spec(ada(&json!({"active": false}))));
            (world.deleting, world.snapshot) = (deleting, snapshot);
            let outcome = world.pass();
            assert_eq!((outcome.verdict.reason, outcome.sent.len()), (Some(Reason::Conflict), 0), "{outcome:?}");
            assert!(outcome.verdict.message.contains("n/other"));
        }
    }
    let mut world = world();
    (world.deleting, world.claims.rival) = (true, Some("n/other".into()));
    assert_eq!(world.decide_on(Account::Unknown), Step::Read(Read::Get("id-1".into())), "nothing is sent unseen");
}

/// Whoever may write a status names roles as brought in that were never declared.
#[test]
fn i32_a_forged_record_takes_no_role_away_that_the_namespace_may_not_give() {
    for (roles, kept) in [(vec![], true), (vec!["r-*".to_owned()], false)] {
        let mut world = world();
        let of_others = json!({"badge": "7"});
        world.meddle().insert("roles".into(), json!([{"value": "r-1"}]));
        world.meddle().insert("urn:example:own".into(), of_others.clone());
        world.delegated =
            Delegated::by([&Delegation { user_names: vec!["*@eng".into()], roles, ..Delegation::default() }]);
        world
            .status
            .managed_attributes
            .get_or_insert_default()
            .extend(["roles".into(), "urn:example:own:badge".into()]);
        world.declare(spec(ada(&json!({"title": "Countess"}))));
        world.pass();
        assert_eq!(world.shown().contains_key("roles"), kept, "{:?}", world.shown());
        assert_eq!(world.shown()["urn:example:own"], of_others);
        assert_eq!(world.shown()["title"], "Countess");
    }
}
