//! I7, I26, I32: what an object is said to have claimed, by whoever may write its annotations.

use serde_json::{Value, json};

use super::driver::spec;
use crate::api::{AdoptionPolicy, Delegation, DeletionPolicy, OperationType, Reason};
use crate::plan::{Account, Delegated, Departure, Step};
use crate::provisioner::simulation::alone::Alone;
use crate::scim::{Profile, Resource};

fn found(more: &Value) -> Account {
    let mut account = json!({"id": "7", "userName": "victim@eng", "active": true});
    account.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    Account::Found { resource: Resource(account.as_object().cloned().unwrap()), fresh: true }
}

/// A tenant of a cluster connection that adopts nobody writes the finalizer and a claim to a colleague's account.
fn forger(name: &str) -> Alone {
    let declared = spec(json!({"connectionRef": {"name": "c"}, "userName": name}));
    let mut alone = Alone::new(&Profile::generic(), declared);
    alone.claim("victim@eng");
    alone.configure(|connection| connection.spec.adoption_policy.users = AdoptionPolicy::Refuse);
    alone
}

/// What comes of it where a search shows this account.
fn step(alone: &mut Alone, trusted: bool, account: Account) -> Step {
    let entry = Delegation { user_names: vec!["*@eng".into()], trusted, ..Delegation::default() };
    alone.decide(|facts| {
        facts.object.created = Some("2026-11-01T00:00:00Z".parse().unwrap());
        facts.delegated = Delegated::by([&entry]);
        facts.creations.searched = true;
        facts.account = account;
    })
}

fn reason(step: Step) -> (Option<Reason>, String) {
    let Step::Settle(verdict) = step else { panic!("does something: {step:?}") };
    (verdict.reason, verdict.message)
}

#[test]
fn i32_a_claim_that_a_tenant_wrote_takes_no_account_past_refuse() {
    let undated = found(&json!({}));
    let (refused, message) = reason(step(&mut forger("mallory@eng"), false, undated.clone()));
    assert_eq!(refused, Some(Reason::Conflict));
    assert!(message.contains("scim-operator.dev/claimed-account"), "{message}");
    assert_eq!(reason(step(&mut forger("victim@eng"), false, undated.clone())).0, Some(Reason::AdoptionRefused));
    // Where the server shows that it is no older than the object, or the namespace is trusted, a lost answer is found.
    let dated = found(&json!({"meta": {"created": "2026-11-02T00:00:00Z"}}));
    for (trusted, account) in [(false, dated), (true, undated)] {
        let step = step(&mut forger("victim@eng"), trusted, account);
        assert!(matches!(&step, Step::Bind(binding) if binding.how == OperationType::Create), "{step:?}");
    }
}

#[test]
fn i32_a_claim_that_a_tenant_wrote_removes_nobody_past_refuse() {
    for policy in [DeletionPolicy::Deactivate, DeletionPolicy::Delete] {
        let mut alone = forger("mallory@eng");
        alone.configure(|connection| connection.spec.deletion_policy.users = policy);
        alone.delete();
        let step = step(&mut alone, false, found(&json!({})));
        let Step::RemoveFinalizer(verdict) = step else { panic!("touches the account") };
        assert_eq!(verdict.departure, Departure::LeftAsIs, "{verdict:?}");
        assert!(verdict.message.contains("\"7\""), "{verdict:?}");
    }
}
