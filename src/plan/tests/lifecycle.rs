//! I6, I14 and I16: bindings, protected identities, and who comes back.

use kube::ResourceExt;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::driver::{cases, spec};
use super::merging::{profiles, specs};
use crate::api::{
    AdoptionPolicy, DeletionPolicy, FINALIZER, OperationType, Reason, RepairPolicy, ScimUserSpec, UserState,
};
use crate::plan::{Account, Holder, HolderState, Path, Step};
use crate::provisioner::simulation::alone::{Alone, Outcome};
use crate::scim::{Profile, Resource};

fn kinds(outcome: &Outcome) -> Vec<OperationType> {
    outcome.sent.iter().map(|sent| sent.kind).collect()
}

fn found(account: &Value) -> Account {
    Account::Found { resource: Resource(account.as_object().expect("an account").clone()), fresh: true }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn i06_a_first_binding_never_renames(
        profile in profiles(), declared in specs(), name in "[b-z]{1,8}", finalizer in any::<bool>(), listed in any::<bool>(),
    ) {
        let mut alone = Alone::new(&profile, ScimUserSpec { external_id: Some("e-1".into()), ..declared });
        alone.lists(listed);
        if finalizer {
            alone.claim("ada");
        }
        alone.holds(&json!({"id": "id-0", "userName": name, "externalId": "e-1"}));
        let outcome = alone.pass();
        prop_assert!(outcome.sent.is_empty());
        prop_assert_eq!(outcome.verdict.reason, Some(Reason::Conflict));
        prop_assert_eq!(&alone.status().id, &None);
        prop_assert_eq!(&alone.accounts()["id-0"]["userName"], &name);
    }

    #[test]
    fn i14_protected_identities_are_never_deactivated(
        profile in profiles(), declared in specs(), deleting in any::<bool>(), delete in any::<bool>(),
        pattern in prop::sample::select(vec!["ad?", "ADA", "id-*", "*"]),
    ) {
        let mut alone = Alone::converged(&profile, declared.clone());
        let before = alone.accounts();
        alone.configure(|connection| {
            connection.spec.guards.protected = Some(vec![pattern.to_owned()]);
            let policy = if delete { DeletionPolicy::Delete } else { DeletionPolicy::Deactivate };
            connection.spec.deletion_policy.users = policy;
        });
        alone.declare(ScimUserSpec { active: Some(false), ..declared });
        if deleting {
            alone.delete();
        }
        let outcome = alone.pass();
        prop_assert!(outcome.sent.is_empty());
        prop_assert_eq!(outcome.finalizer_removed, deleting);
        prop_assert_eq!(alone.accounts(), before);
        if !deleting {
            prop_assert_eq!(outcome.verdict.reason, Some(Reason::Protected));
        }
    }

    #[test]
    fn i16_who_comes_back_is_reactivated(
        profile in profiles(), declared in specs(), silent in any::<bool>(), recreated in any::<bool>(),
    ) {
        let mut alone = Alone::converged(&profile, ScimUserSpec { active: Some(true), ..declared.clone() });
        let id = alone.id();
        alone.server(|server| server.silent = silent);
        if recreated {
            alone.delete();
            prop_assert!(alone.pass().finalizer_removed);
        } else {
            alone.declare(ScimUserSpec { active: Some(false), ..declared.clone() });
            prop_assert_eq!(alone.pass().sent.len(), 1);
            prop_assert_eq!(alone.status().state, Some(UserState::Inactive));
        }
        prop_assert_eq!(&alone.accounts()[&id]["active"], &json!(false));
        prop_assert!(recreated || alone.pass().sent.is_empty());
        alone.declare(ScimUserSpec { active: Some(true), ..declared });
        let back = alone.pass();
        prop_assert_eq!(kinds(&back), [OperationType::Reactivate]);
        prop_assert_eq!(back.verdict.reason, Some(Reason::Synced));
        prop_assert_eq!(&alone.accounts()[&id]["active"], &json!(true));
        prop_assert!(alone.pass().sent.is_empty());
    }

    #[test]
    fn i16_who_was_deactivated_by_others_is_left_so(profile in profiles(), declared in specs(), repair in any::<bool>()) {
        let mut alone = Alone::converged(&profile, ScimUserSpec { active: Some(true), ..declared });
        let policy = if repair { RepairPolicy::Repair } else { RepairPolicy::Report };
        alone.configure(|connection| connection.spec.drift_policy.deactivated = policy);
        alone.meddle(|account| _ = account.insert("active".into(), json!(false)));
        let outcome = alone.pass();
        prop_assert_eq!(outcome.sent.len(), usize::from(repair));
        if !repair {
            prop_assert_eq!(outcome.verdict.reason, Some(Reason::DeactivatedAtServer));
            prop_assert!(alone.pass().sent.is_empty());
            alone.request();
            prop_assert_eq!(alone.pass().sent.len(), 1);
        }
        prop_assert_eq!(&alone.shown()["active"], &json!(true));
    }
}

/// Ada is declared, and the server has an account of that name.
fn ada() -> Alone {
    let declared = spec(json!({"connectionRef": {"name": "c"}, "userName": "ada", "title": "Countess"}));
    let mut alone = Alone::new(&Profile::generic(), declared);
    alone.holds(&json!({"id": "id-0", "userName": "Ada", "active": true}));
    alone
}

fn refusing(mut alone: Alone) -> Alone {
    alone.configure(|connection| connection.spec.adoption_policy.users = AdoptionPolicy::Refuse);
    alone
}

#[test]
fn i06_an_account_is_adopted_as_the_server_spells_it() {
    let mut alone = ada();
    let sent = alone.pass().sent;
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].attributes, [Path::core("title")]);
    let status = alone.status();
    assert_eq!(status.user_name.as_deref(), Some("Ada"));
    assert_eq!(status.bound_to, Some(alone.server_name()));
}

#[test]
fn i06_no_account_is_adopted_against_the_policy() {
    let mut alone = refusing(ada());
    let outcome = alone.pass();
    assert!(outcome.sent.is_empty());
    assert_eq!(outcome.verdict.reason, Some(Reason::AdoptionRefused));
    assert_eq!(alone.status().id, None);
}

#[test]
fn i08_an_account_that_another_object_holds_is_left_to_it() {
    let ring = HolderState::InRing(vec!["ns/other".into(), "ns/third".into()]);
    for (state, reason) in [
        (HolderState::Leaves, Reason::Pending),
        (HolderState::Renames, Reason::Pending),
        (HolderState::Keeps, Reason::Conflict),
        (ring, Reason::Conflict),
    ] {
        let step = ada().decide(|facts| {
            facts.account = found(&json!({"id": "id-0", "userName": "Ada", "active": true}));
            facts.claims.holder = Some(Holder { name: "ns/other".into(), has_account: true, state });
        });
        let Step::Settle(verdict) = step else { panic!("takes it: {step:?}") };
        assert_eq!(verdict.reason, Some(reason));
    }
}

#[test]
fn i07_a_creation_whose_answer_was_lost_is_found_again() {
    let mut alone = refusing(ada());
    alone.claim("ADA");
    let outcome = alone.pass();
    assert!(kinds(&outcome).iter().all(|kind| *kind == OperationType::Update));
    assert_eq!(alone.status().id.as_deref(), Some("id-0"));
    assert_eq!(alone.accounts().len(), 1);
}

#[test]
fn i07_it_is_found_again_under_the_name_that_was_sent() {
    let mut alone = refusing(ada());
    alone.claim("ada");
    // The process that sent it is gone.
    alone.world.restart();
    alone.declare(ScimUserSpec { user_name: "grace".into(), ..alone.spec() });
    let outcome = alone.pass();
    assert!(kinds(&outcome).iter().all(|kind| *kind == OperationType::Update), "{outcome:?}");
    assert_eq!(alone.accounts().len(), 1);
    assert_eq!(alone.accounts()["id-0"]["userName"], "grace");
}

#[test]
fn i22_a_finalizer_alone_claims_no_account() {
    let mut alone = refusing(ada());
    alone.edit(|user| user.finalizers_mut().push(FINALIZER.to_owned()));
    assert_eq!(alone.pass().verdict.reason, Some(Reason::AdoptionRefused));
}

#[test]
fn i06_at_another_server_an_object_begins_anew() {
    let mut alone = ada();
    alone.pass();
    let old = alone.status().id;
    alone.world.lead_to(1);
    // The account there of the same id is somebody else's.
    alone.holds(&json!({"id": "id-0", "userName": "bob", "active": true}));
    let outcome = alone.pass();
    assert_eq!((outcome.sent.len(), outcome.verdict.reason), (0, Some(Reason::Held)), "a person is asked first");
    alone.approve();
    assert_eq!(kinds(&alone.pass()), [OperationType::Create]);
    assert_ne!(alone.status().id, old);
    assert_eq!(alone.status().bound_to, Some(alone.server_name()));
    assert_eq!(alone.accounts()["id-0"]["userName"], "bob");
    assert!(alone.pass().sent.is_empty());
}

#[test]
fn i06_who_is_deleted_in_entra_is_deactivated_and_not_renamed() {
    let mut alone = ada();
    let known = ScimUserSpec { user_name: "ada@example.com".into(), active: Some(true), ..alone.spec() };
    alone.holds(&json!({"id": "id-0", "userName": "ada@example.com", "active": true}));
    alone.declare(known.clone());
    alone.pass();
    let tombstone = |name: &str, active| ScimUserSpec {
        user_name: format!("283405f50000000000000000000000c2{name}"),
        active: Some(active),
        ..known.clone()
    };
    alone.declare(tombstone("Ada@example.com", false));
    assert_eq!(kinds(&alone.pass()), [OperationType::Deactivate]);
    assert!(alone.pass().sent.is_empty());
    let shown = alone.accounts()["id-0"].clone();
    assert_eq!((&shown["userName"], &shown["active"]), (&json!("ada@example.com"), &json!(false)));
    // Restored, it is the same account.
    alone.declare(known.clone());
    alone.pass();
    let shown = alone.accounts()["id-0"].clone();
    assert_eq!((&shown["userName"], &shown["active"]), (&json!("ada@example.com"), &json!(true)));
    // A name of that form that isn't hers, and one of somebody active, are names as any others.
    alone.declare(tombstone("grace@example.com", true));
    alone.pass();
    assert_eq!(alone.accounts()["id-0"]["userName"], "283405f50000000000000000000000c2grace@example.com");
}

#[test]
fn i06_what_was_owned_at_another_server_is_not_removed_here() {
    let mut alone = ada();
    alone.pass();
    assert!(alone.status().managed_attributes.iter().flatten().any(|path| path == "title"));
    alone.world.lead_to(1);
    alone.declare(spec(json!({"connectionRef": {"name": "c"}, "userName": "ada"})));
    alone.holds(&json!({"id": "id-9", "userName": "ada", "active": true, "title": "theirs"}));
    alone.pass();
    alone.approve();
    assert!(alone.pass().sent.is_empty(), "a title was never declared at this server");
    assert_eq!(alone.status().id.as_deref(), Some("id-9"));
    assert_eq!(alone.shown()["title"], "theirs");
}

#[test]
fn i30_one_look_at_an_account_known_to_be_gone_is_no_news() {
    for active in [None, Some(false)] {
        let mut alone = ada();
        alone.pass();
        alone.declare(ScimUserSpec { active, ..alone.spec() });
        alone.pass();
        alone.server(|server| server.accounts.clear());
        alone.pass();
        let known = alone.status();
        // After a restart nobody remembers that it was looked for before.
        alone.world.restart();
        alone.world.drain();
        assert_eq!(alone.status(), known);
        assert!(alone.pass().sent.is_empty());
        assert_eq!(alone.status(), known);
    }
}

#[test]
fn i06_a_bound_object_takes_no_other_account_for_its_own() {
    let mut alone = ada();
    alone.pass();
    alone.configure(|connection| connection.spec.drift_policy.deleted = RepairPolicy::Repair);
    let other = found(&json!({"id": "id-9", "userName": "ada", "active": true}));
    let Step::Bind(binding) = alone.decide(|facts| facts.account = other.clone()) else {
        panic!("bound like any other")
    };
    assert_eq!((binding.id.as_str(), binding.how), ("id-9", OperationType::Adopt));
    let then = crate::plan::bound_status(&alone.status(), &binding, &alone.server_name(), jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(then.managed_attributes, None, "what was owned there is not owned here");
    let mut alone = refusing(alone);
    let Step::Settle(verdict) = alone.decide(|facts| facts.account = other) else {
        panic!("not adopted against the policy")
    };
    assert_eq!(verdict.reason, Some(Reason::AdoptionRefused));
}
