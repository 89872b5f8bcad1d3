//! I6, I14 and I16: bindings, protected identities, and who comes back.

use proptest::prelude::*;
use serde_json::json;

use super::driver::{World, spec};
use super::merging::{converged, profiles, specs};
use crate::api::{AdoptionPolicy, DeletionPolicy, OperationType, Reason, ScimUserStatus, UserState};
use crate::plan::protect::Protected;
use crate::plan::{Account, Holder, HolderState, Path, Step};

fn account(world: &mut World, json: &serde_json::Value) {
    let id = json["id"].as_str().unwrap().to_owned();
    world.server.accounts.insert(id, json.as_object().unwrap().clone());
}

proptest! {
    #[test]
    fn i06_a_first_binding_never_renames(
        profile in profiles(), declared in specs(), name in "[b-z]{1,8}", finalizer in any::<bool>(), snapshot in any::<bool>(),
    ) {
        let mut declared = declared;
        declared.external_id = Some("e-1".into());
        let mut world = World::new(profile, declared);
        (world.finalizer, world.snapshot) = (finalizer, snapshot);
        world.claimed = finalizer.then(|| world.spec.user_name.clone());
        account(&mut world, &json!({"id": "id-0", "userName": name, "externalId": "e-1"}));
        let outcome = world.pass();
        prop_assert!(outcome.sent.is_empty());
        prop_assert_eq!(outcome.verdict.reason, Some(Reason::Conflict));
        prop_assert_eq!(&world.status.id, &None);
        prop_assert_eq!(&world.server.accounts["id-0"]["userName"], &name);
    }

    #[test]
    fn i14_protected_identities_are_never_deactivated(
        profile in profiles(), declared in specs(), deleting in any::<bool>(), delete in any::<bool>(),
        pattern in prop::sample::select(vec!["ad?", "ADA", "id-*", "*"]),
    ) {
        let mut world = converged(profile, declared.clone());
        world.policy.protected = Protected::new([pattern]);
        world.policy.deletion = if delete { DeletionPolicy::Delete } else { DeletionPolicy::Deactivate };
        world.deleting = deleting;
        world.declare(crate::api::ScimUserSpec { active: Some(false), ..declared });
        let outcome = world.pass();
        prop_assert!(outcome.sent.is_empty());
        prop_assert_eq!(outcome.finalizer_removed, deleting);
        prop_assert_eq!(&world.shown()["active"], &json!(true));
        if !deleting {
            prop_assert_eq!(outcome.verdict.reason, Some(Reason::Protected));
        }
    }

    #[test]
    fn i16_who_comes_back_is_reactivated(
        profile in profiles(), declared in specs(), silent in any::<bool>(), recreated in any::<bool>(),
    ) {
        let mut world = converged(profile, crate::api::ScimUserSpec { active: Some(true), ..declared.clone() });
        let id = world.status.id.clone().unwrap();
        world.server.silent = silent;
        if recreated {
            world.deleting = true;
            prop_assert!(world.pass().finalizer_removed);
            (world.deleting, world.status) = (false, ScimUserStatus::default());
        } else {
            world.declare(crate::api::ScimUserSpec { active: Some(false), ..declared.clone() });
            prop_assert_eq!(world.pass().sent.len(), 1);
            prop_assert_eq!(world.status.state, Some(UserState::Inactive));
        }
        prop_assert_eq!(&world.server.accounts[&id]["active"], &json!(false));
        prop_assert!(recreated || world.pass().sent.is_empty());
        world.declare(crate::api::ScimUserSpec { active: Some(true), ..declared });
        let back = world.pass();
        prop_assert_eq!(back.sent.len(), 1);
        prop_assert_eq!(back.sent[0].kind, OperationType::Reactivate);
        prop_assert_eq!(back.verdict.reason, Some(Reason::Synced));
        prop_assert_eq!(&world.server.accounts[&id]["active"], &json!(true));
        prop_assert!(world.pass().sent.is_empty());
    }

    #[test]
    fn i16_who_was_deactivated_by_others_is_left_so(profile in profiles(), declared in specs(), repair in any::<bool>()) {
        let mut world = converged(profile, crate::api::ScimUserSpec { active: Some(true), ..declared });
        world.policy.repair.deactivated = repair;
        world.meddle().insert("active".into(), json!(false));
        let outcome = world.pass();
        prop_assert_eq!(outcome.sent.len(), usize::from(repair));
        if !repair {
            prop_assert_eq!(outcome.verdict.reason, Some(Reason::DeactivatedAtServer));
            prop_assert!(world.pass().sent.is_empty());
            world.requested = true;
            prop_assert_eq!(world.pass().sent.len(), 1);
        }
        prop_assert_eq!(&world.shown()["active"], &json!(true));
    }
}

fn ada() -> World {
    let mut world = World::new(
        crate::scim::Profile::generic(),
        spec(json!({"connectionRef": {"name": "c"}, "userName": "ada", "title": "Countess"})),
    );
    account(&mut world, &json!({"id": "id-0", "userName": "Ada", "active": true}));
    world
}

#[test]
fn i06_an_account_is_adopted_as_the_server_spells_it() {
    let mut world = ada();
    let sent = world.pass().sent;
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].attributes, [Path::core("title")]);
    assert_eq!(world.status.user_name.as_deref(), Some("Ada"));
    assert_eq!(world.status.bound_to.as_deref(), Some("here"));
}

#[test]
fn i06_no_account_is_adopted_against_the_policy() {
    let mut world = ada();
    world.policy.adoption = AdoptionPolicy::Refuse;
    let outcome = world.pass();
    assert!(outcome.sent.is_empty());
    assert_eq!(outcome.verdict.reason, Some(Reason::AdoptionRefused));
    assert_eq!(world.status.id, None);
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
        let mut world = ada();
        world.claims.holder = Some(Holder { name: "ns/other".into(), has_account: true, state });
        let outcome = world.pass();
        assert!(outcome.sent.is_empty());
        assert_eq!(outcome.verdict.reason, Some(reason));
        assert_eq!(world.status.id, None);
    }
}

#[test]
fn i07_a_creation_whose_answer_was_lost_is_found_again() {
    let mut world = ada();
    (world.finalizer, world.policy.adoption) = (true, AdoptionPolicy::Refuse);
    world.claimed = Some("ADA".into());
    let outcome = world.pass();
    assert!(outcome.sent.iter().all(|operation| operation.kind == OperationType::Update));
    assert_eq!(world.status.id.as_deref(), Some("id-0"));
    assert_eq!(world.server.accounts.len(), 1);
}

#[test]
fn i07_it_is_found_again_under_the_name_that_was_sent() {
    let mut world = ada();
    (world.finalizer, world.policy.adoption) = (true, AdoptionPolicy::Refuse);
    world.claimed = Some("ada".into());
    world.declare(crate::api::ScimUserSpec { user_name: "grace".into(), ..world.spec.clone() });
    let outcome = world.pass();
    assert!(outcome.sent.iter().all(|operation| operation.kind == OperationType::Update), "{outcome:?}");
    assert_eq!(world.server.accounts.len(), 1);
    assert_eq!(world.server.accounts["id-0"]["userName"], "grace");
}

#[test]
fn i22_a_finalizer_alone_claims_no_account() {
    let mut world = ada();
    (world.finalizer, world.policy.adoption) = (true, AdoptionPolicy::Refuse);
    assert_eq!(world.pass().verdict.reason, Some(Reason::AdoptionRefused));
}

#[test]
fn i06_at_another_server_an_object_begins_anew() {
    let mut world = ada();
    world.pass();
    let old = world.status.id.clone();
    world.policy.server = "there".into();
    world.server.accounts.clear();
    // The account there of the same id is somebody else's.
    account(&mut world, &json!({"id": "id-0", "userName": "bob", "active": true}));
    let outcome = world.pass();
    assert_eq!(outcome.sent.iter().map(|sent| sent.kind).collect::<Vec<_>>(), [OperationType::Create]);
    assert_ne!(world.status.id, old);
    assert_eq!(world.status.bound_to.as_deref(), Some("there"));
    assert_eq!(world.server.accounts["id-0"]["userName"], "bob");
    assert!(world.pass().sent.is_empty());
}

#[test]
fn i06_who_is_deleted_in_entra_is_deactivated_and_not_renamed() {
    let mut world = ada();
    let known =
        crate::api::ScimUserSpec { user_name: "ada@example.com".into(), active: Some(true), ..world.spec.clone() };
    account(&mut world, &json!({"id": "id-0", "userName": "ada@example.com", "active": true}));
    world.declare(known.clone());
    world.pass();
    let tombstone = |name: &str, active| crate::api::ScimUserSpec {
        user_name: format!("283405f50000000000000000000000c2{name}"),
        active: Some(active),
        ..known.clone()
    };
    world.declare(tombstone("Ada@example.com", false));
    let outcome = world.pass();
    assert_eq!(outcome.sent.iter().map(|sent| sent.kind).collect::<Vec<_>>(), [OperationType::Deactivate]);
    assert!(world.pass().sent.is_empty());
    let shown = world.server.accounts["id-0"].clone();
    assert_eq!((&shown["userName"], &shown["active"]), (&json!("ada@example.com"), &json!(false)));
    // Restored, it is the same account.
    world.declare(known.clone());
    world.pass();
    let shown = world.server.accounts["id-0"].clone();
    assert_eq!((&shown["userName"], &shown["active"]), (&json!("ada@example.com"), &json!(true)));
    // A name of that form that isn't hers, and one of somebody active, are names as any others.
    world.declare(tombstone("grace@example.com", true));
    world.pass();
    assert_eq!(world.server.accounts["id-0"]["userName"], "283405f50000000000000000000000c2grace@example.com");
}

#[test]
fn i06_what_was_owned_at_another_server_is_not_removed_here() {
    let mut world = ada();
    world.pass();
    assert!(world.status.managed_attributes.iter().flatten().any(|path| path == "title"));
    world.policy.server = "there".into();
    world.declare(spec(json!({"connectionRef": {"name": "c"}, "userName": "ada"})));
    world.server.accounts.clear();
    account(&mut world, &json!({"id": "id-9", "userName": "ada", "active": true, "title": "theirs"}));
    assert!(world.pass().sent.is_empty(), "a title was never declared at this server");
    assert_eq!(world.status.id.as_deref(), Some("id-9"));
    assert_eq!(world.shown()["title"], "theirs");
}

#[test]
fn i30_one_look_at_an_account_known_to_be_gone_is_no_news() {
    for active in [None, Some(false)] {
        let mut world = ada();
        world.pass();
        world.declare(crate::api::ScimUserSpec { active, ..world.spec.clone() });
        world.pass();
        world.server.accounts.clear();
        world.pass();
        let known = world.status.clone();
        // After a restart nobody remembers that it was looked for before.
        world.looked_once = true;
        assert!(world.pass().sent.is_empty());
        assert_eq!(world.status, known);
    }
}

#[test]
fn i06_a_bound_object_takes_no_other_account_for_its_own() {
    let mut world = ada();
    world.pass();
    world.policy.repair.deleted = true;
    let other = json!({"id": "id-9", "userName": "ada", "active": true});
    let found = Account::Found { resource: crate::scim::Resource(other.as_object().unwrap().clone()), fresh: true };
    let Step::Bind(binding) = world.decide_on(found.clone()) else { panic!("bound like any other") };
    assert_eq!((binding.id.as_str(), binding.how), ("id-9", OperationType::Adopt));
    let then = crate::plan::bound_status(&world.status, &binding, "here", jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(then.managed_attributes, None, "what was owned there is not owned here");
    world.policy.adoption = AdoptionPolicy::Refuse;
    let Step::Settle(verdict) = world.decide_on(found) else { panic!("not adopted against the policy") };
    assert_eq!(verdict.reason, Some(Reason::AdoptionRefused));
}
