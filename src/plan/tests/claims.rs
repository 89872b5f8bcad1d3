//! I7, I26, I32: what an object is said to have claimed, by whoever may write its annotations.

use serde_json::{Value, json};

use super::driver::{World, spec};
use crate::api::{AdoptionPolicy, Delegation, DeletionPolicy, OperationType, Reason};
use crate::plan::{Account, Delegated, Departure, Step};
use crate::scim::{Profile, Resource};

fn found(more: &Value) -> Account {
    let mut account = json!({"id": "7", "userName": "victim@eng", "active": true});
    account.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    Account::Found { resource: Resource(account.as_object().cloned().unwrap()), fresh: true }
}

/// A tenant of a cluster connection that adopts nobody writes the finalizer and a claim to a colleague's account.
fn forger(trusted: bool, declares: &str) -> World {
    let mut world = World::new(Profile::generic(), spec(json!({"connectionRef": {"name": "c"}, "userName": declares})));
    (world.finalizer, world.claimed) = (true, Some("victim@eng".into()));
    world.created = Some("2026-11-01T00:00:00Z".parse().unwrap());
    world.policy.adoption = AdoptionPolicy::Refuse;
    let entry = Delegation { user_names: vec!["*@eng".into()], trusted, ..Delegation::default() };
    world.delegated = Delegated::by([&entry]);
    world.creations.searched = true;
    world
}

fn reason(step: Step) -> (Option<Reason>, String) {
    let Step::Settle(verdict) = step else { panic!("does something: {step:?}") };
    (verdict.reason, verdict.message)
}

#[test]
fn i32_a_claim_that_a_tenant_wrote_takes_no_account_past_refuse() {
    let undated = found(&json!({}));
    let (refused, message) = reason(forger(false, "mallory@eng").decide_on(undated.clone()));
    assert_eq!(refused, Some(Reason::Conflict));
    assert!(message.contains("scim-operator.dev/claimed-account"), "{message}");
    assert_eq!(reason(forger(false, "victim@eng").decide_on(undated.clone())).0, Some(Reason::AdoptionRefused));
    // Where the server shows that it is no older than the object, or the namespace is trusted, a lost answer is found.
    let dated = found(&json!({"meta": {"created": "2026-11-02T00:00:00Z"}}));
    for (trusted, account) in [(false, dated), (true, undated)] {
        let step = forger(trusted, "victim@eng").decide_on(account);
        assert!(matches!(&step, Step::Bind(binding) if binding.how == OperationType::Create), "{step:?}");
    }
}

#[test]
fn i32_a_claim_that_a_tenant_wrote_removes_nobody_past_refuse() {
    for policy in [DeletionPolicy::Deactivate, DeletionPolicy::Delete] {
        let mut world = forger(false, "mallory@eng");
        (world.deleting, world.policy.deletion) = (true, policy);
        let Step::RemoveFinalizer(verdict) = world.decide_on(found(&json!({}))) else { panic!("touches the account") };
        assert_eq!(verdict.departure, Departure::LeftAsIs, "{verdict:?}");
        assert!(verdict.message.contains("\"7\""), "{verdict:?}");
    }
}
