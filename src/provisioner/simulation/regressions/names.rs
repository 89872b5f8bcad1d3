//! Names: who has them, takes them and hands them over.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::json;

use super::super::events::{Event, Spec};
use super::super::outside::Listing;
use super::super::setup::{CONNECTION, SERVERS, Setup};
use super::{account, bound, ends_well, id_of, ready, setup};
use crate::api::{AdoptionPolicy, CLAIMED_ACCOUNT, DeletionPolicy, FINALIZER, ScimUser, ScimUserStatus};
use crate::directory::{ConnectionKey, Directory};

#[test]
fn i08_whoever_takes_the_name_of_a_renamed_object_gets_an_account_of_its_own() {
    for adoption in [AdoptionPolicy::Adopt, AdoptionPolicy::Refuse] {
        for newcomer_first in [true, false] {
            let mut world = bound(Setup { adoption, ..setup() }, &[1]);
            let old = id_of(&world, "a").expect("bound");
            let hire = Event::Declare(1, Spec { active: Some(true), ..Spec::named(1) });
            if newcomer_first {
                world.happen(&hire);
                world.drain();
                assert_eq!(ready(&world, "b").0, "Conflict");
            }
            world.happen(&Event::Rename(0, 4));
            if !newcomer_first {
                world.happen(&hire);
            }
            let world = ends_well(world);
            assert_eq!(id_of(&world, "a").as_ref(), Some(&old), "the account follows its object");
            assert_eq!(account(&world, &old), ("dee".into(), true));
            let new = id_of(&world, "b").expect("bound");
            assert_ne!(new, old);
            assert_eq!(account(&world, &new), ("bob".into(), true));
        }
    }
}

#[test]
fn i08_whose_object_was_deleted_has_no_access_though_a_bound_one_takes_the_name() {
    for deletion in [DeletionPolicy::Deactivate, DeletionPolicy::Delete] {
        let mut world = bound(Setup { deletion, ..setup() }, &[0, 1]);
        let (john, other) = (id_of(&world, "a").expect("bound"), id_of(&world, "b").expect("bound"));
        world.happen(&Event::Remove(0));
        world.happen(&Event::Rename(1, 0));
        let world = ends_well(world);
        assert_eq!(id_of(&world, "b").as_ref(), Some(&other));
        if deletion == DeletionPolicy::Delete {
            assert!(!world.outside().site.server.accounts.contains_key(&john));
            assert_eq!(account(&world, &other), ("ada".into(), true));
        } else {
            assert_eq!(account(&world, &john), ("ada".into(), false));
            assert_eq!((account(&world, &other), ready(&world, "b").0), (("bob".into(), true), "Conflict".into()));
        }
    }
}

#[test]
fn i08_names_that_move_along_a_row_are_renamed_in_its_order() {
    let mut world = bound(setup(), &[0, 1, 2]);
    let ids: Vec<_> = ["a", "b", "c"].map(|name| id_of(&world, name)).into();
    // The last of the row is renamed last, to a name that is free.
    for (slot, name) in [(0, 1), (1, 2), (2, 4)] {
        world.happen(&Event::Rename(slot, name));
        world.drain();
    }
    let world = ends_well(world);
    for (place, id, name) in [("a", &ids[0], "bob"), ("b", &ids[1], "cyd"), ("c", &ids[2], "dee")] {
        assert_eq!(id_of(&world, place), *id);
        assert_eq!(account(&world, id.as_ref().expect("bound")).0, name);
    }
}

#[test]
fn i08_objects_that_swap_names_wait_and_are_told_the_way_out() {
    let mut world = bound(setup(), &[0, 1, 2]);
    let ids: Vec<_> = ["a", "b", "c"].map(|name| id_of(&world, name)).into();
    let declared = [(0, 1), (1, 2), (2, 0)];
    for (slot, name) in declared {
        world.happen(&Event::Rename(slot, name));
    }
    let mut world = ends_well(world);
    for (place, id, name) in [("a", &ids[0], "ada"), ("b", &ids[1], "bob"), ("c", &ids[2], "cyd")] {
        assert_eq!(id_of(&world, place), *id);
        assert_eq!(account(&world, id.as_ref().expect("bound")).0, name);
        let (reason, message) = ready(&world, place);
        assert_eq!(reason, "Conflict");
        let all = ["n/a", "n/b", "n/c", "interim"];
        assert!(all.into_iter().all(|word| message.contains(word)), "{message}");
    }
    // The way out.
    world.happen(&Event::Rename(0, 4));
    world.drain();
    world.happen(&Event::Time(3_000));
    world.drain();
    world.happen(&Event::Rename(0, 1));
    let world = ends_well(world);
    for (place, id, name) in [("a", &ids[0], "bob"), ("b", &ids[1], "cyd"), ("c", &ids[2], "ada")] {
        assert_eq!(id_of(&world, place), *id);
        assert_eq!(account(&world, id.as_ref().expect("bound")).0, name);
    }
}

#[test]
fn i08_a_successor_is_bound_before_the_object_that_hands_over_goes() {
    for deletion in [DeletionPolicy::Deactivate, DeletionPolicy::Delete, DeletionPolicy::Retain] {
        // The operator dies after so many of its steps.
        for death in 0..30 {
            let mut world = bound(Setup { deletion, adoption: AdoptionPolicy::Refuse, ..setup() }, &[0]);
            let id = id_of(&world, "a");
            let before = world.outside().book.writes.clone();
            world.happen(&Event::Move(0, 1, death % 2 == 0));
            for step in 0..60 {
                let _ = world.deliver() || world.page() || world.take() || world.advance(0);
                let is_there = world.outside().cluster.named("n", "a").is_some();
                assert!(is_there || id_of(&world, "b") == id, "{:#?}", world.trace());
                if step == death {
                    world.happen(&Event::Restart);
                    world.sweep(Listing::Whole);
                }
            }
            let world = ends_well(world);
            assert!(world.outside().cluster.named("n", "a").is_none());
            assert_eq!((id_of(&world, "b"), world.outside().book.writes.clone()), (id.clone(), before));
            assert!(account(&world, &id.expect("bound")).1);
        }
    }
}

#[test]
fn i08_where_nobody_can_take_over_the_removal_is_carried_out() {
    // Another person's externalId, declared for the same name.
    let mut world = bound(setup(), &[0]);
    let id = id_of(&world, "a").expect("bound");
    let spec = Spec { external_id: true, active: Some(true), ..Spec::named(0) };
    world.outside().site.invite("dee", true);
    let invited = world.outside().site.server.accounts.keys().find(|known| **known != id).cloned().expect("another");
    world.outside().site.meddle(&invited, |account| {
        account.insert("externalId".into(), json!("e-0"));
    });
    world.sweep(Listing::Whole);
    world.drain();
    world.happen(&Event::Declare(1, spec));
    world.happen(&Event::Remove(0));
    let world = ends_well(world);
    assert!(!account(&world, &id).1, "{:#?}", world.trace());
    assert!(world.outside().cluster.named("n", "a").is_none());
}

fn user(name: &str, declares: &str, id: Option<&str>, leaving: bool) -> ScimUser {
    let spec = serde_json::from_value(json!({"connectionRef": {"name": CONNECTION}, "userName": declares}));
    let mut user = ScimUser::new(name, spec.expect("a spec"));
    user.metadata.namespace = Some("n".into());
    user.metadata.uid = Some(name.into());
    user.metadata.finalizers = Some(vec![FINALIZER.into()]);
    user.metadata.creation_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    user.metadata.deletion_timestamp = leaving.then_some(Time(Timestamp::UNIX_EPOCH));
    user.status = id.map(|id| ScimUserStatus {
        id: Some(id.into()),
        bound_to: Some(SERVERS[0].clone()),
        user_name: Some("ada".into()),
        ..ScimUserStatus::default()
    });
    user
}

fn successor(leaves: &ScimUser, other: &ScimUser) -> Option<String> {
    let directory = Directory::default();
    directory.set_server(&ConnectionKey { namespace: "n".into(), name: CONNECTION.into() }, Some(&SERVERS[0]));
    directory.upsert(leaves.clone());
    directory.upsert(other.clone());
    directory.claims(leaves, &SERVERS[0], None).successor.map(|successor| successor.name)
}

#[test]
fn i10_a_lost_creation_is_not_taken_back_from_whoever_declares_the_name() {
    let other = user("b", "ada", None, false);
    let made = |name: &str, leaving: bool| {
        let mut user = user("a", name, None, leaving);
        user.annotations_mut().insert(CLAIMED_ACCOUNT.into(), json!({"userName": name}).to_string());
        user
    };
    assert_eq!(successor(&made("ada", true), &other).as_deref(), Some("n/b"));
    assert_eq!(successor(&made("bob", true), &other), None);
    assert_eq!(successor(&made("ada", false), &other), None, "it stays, so it hands nothing over");
}

#[test]
fn i08_an_account_that_another_object_holds_too_is_handed_over() {
    let other = user("b", "ada", Some("id-1"), false);
    assert_eq!(successor(&user("a", "ada", Some("id-1"), true), &other).as_deref(), Some("n/b"));
    let other = user("b", "ada", Some("id-2"), false);
    assert_eq!(successor(&user("a", "ada", Some("id-1"), true), &other), None, "it has its own");
}

#[test]
fn i08_a_name_is_reserved_for_one_object_at_a_time() {
    let directory = Directory::default();
    let (a, b) = ("a".into(), "b".into());
    assert!(directory.reserve(&SERVERS[0], "ada", &a) && directory.reserve(&SERVERS[0], "ADA", &a));
    assert!(!directory.reserve(&SERVERS[0], "Ada", &b) && directory.reserve("elsewhere", "ada", &b));
    directory.release(&"a".into());
    assert!(directory.reserve(&SERVERS[0], "ada", &b));
    directory.remove(&"b".into());
    assert!(directory.reserve(&SERVERS[0], "ada", &a));
}
