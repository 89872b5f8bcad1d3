//! What a creation whose answer was lost is known by: a name, at one server.

use kube::ResourceExt;
use serde_json::json;

use super::super::events::{Event, Spec};
use super::super::group_events::{GroupEvent, GroupSpec};
use super::super::outside::{Fault, Listing, Place};
use super::super::setup::{GroupSetup, Setup};
use super::super::world::World;
use super::{ends_well, ready, setup, until};
use crate::api::{AdoptionPolicy, CLAIMED_ACCOUNT, CLAIMED_GROUP, FINALIZER, OperationType, Uid};

/// Ada is declared and created, and the answer is lost.
pub(super) fn created_unheard(world: &mut World) {
    world.sweep(Listing::Whole);
    while world.page() {}
    world.happen(&Event::Declare(0, Spec { active: Some(true), ..Spec::named(0) }));
    while world.deliver() {}
    until(world, Place::Request);
    world.happen(&Event::Fault(Fault::Lost));
    while !world.operator.flight.is_empty() {
        world.advance(0);
    }
}

/// Ada was created at the first server, and nobody heard of it; then the connection leads to the other one, where
/// somebody else of that name was made since.
fn led_away(adoption: AdoptionPolicy) -> World {
    let mut world = World::new(Setup { adoption, ..setup() }, true);
    created_unheard(&mut world);
    world.outside().other_site.invite("ada", true);
    world.happen(&Event::Lead(1));
    world
}

fn settle(world: &mut World) {
    for _ in 0..3 {
        world.happen(&Event::Sweep(Listing::Whole));
        world.drain();
        world.happen(&Event::Time(62_000));
    }
    world.drain();
}

#[test]
fn i07_what_was_claimed_at_another_server_says_nothing_of_an_account_here() {
    for adoption in [AdoptionPolicy::Refuse, AdoptionPolicy::Adopt] {
        let mut world = led_away(adoption);
        settle(&mut world);
        let status = world.outside().cluster.named("n", "a").and_then(|user| user.status.clone()).unwrap_or_default();
        if adoption == AdoptionPolicy::Refuse {
            assert_eq!((status.id, ready(&world, "a").0), (None, "AdoptionRefused".to_owned()), "{:#?}", world.trace());
        } else {
            let how = status.last_operation.map(|last| last.type_);
            assert_eq!(how, Some(OperationType::Adopt), "{:#?}", world.trace());
        }
        ends_well(world);
    }
}

#[test]
fn i15_what_may_have_been_made_at_another_server_is_waited_for_and_nobody_here_is_removed() {
    let mut world = led_away(AdoptionPolicy::Adopt);
    // Before it is looked for there.
    world.happen(&Event::Remove(0));
    settle(&mut world);
    assert_eq!(ready(&world, "a").0, "BoundElsewhere", "{:#?}", world.trace());
    let active = |world: &World| {
        let outside = world.outside();
        outside.site.server.accounts.values().filter(|account| account["active"] == json!(true)).count()
    };
    assert_eq!(active(&world), 1, "{:#?}", world.trace());
    world.happen(&Event::Lead(0));
    let world = ends_well(world);
    assert!(world.outside().cluster.named("n", "a").is_none());
    assert_eq!(active(&world), 0, "its own is removed");
}

/// Claims that name no server are an earlier operator's.
#[test]
fn i07_a_claim_that_names_no_server_makes_no_account_the_objects_own() {
    for adoption in [AdoptionPolicy::Refuse, AdoptionPolicy::Adopt] {
        let mut world = World::new(Setup { adoption, ..setup() }, true);
        world.outside().site.invite("ada", true);
        world.happen(&Event::Declare(0, Spec { active: Some(true), ..Spec::named(0) }));
        let uid =
            world.outside().cluster.named("n", "a").and_then(|object| Uid::given(&object.metadata)).expect("declared");
        world.outside().cluster.edit(&uid, |user| {
            user.annotations_mut().insert(CLAIMED_ACCOUNT.into(), json!({"userName": "ada"}).to_string());
            user.metadata.finalizers = Some(vec![FINALIZER.into()]);
        });
        settle(&mut world);
        let bound = world.outside().cluster.named("n", "a").and_then(|user| user.status.clone()?.id).is_some();
        assert_eq!(bound, adoption == AdoptionPolicy::Adopt, "{:#?}", world.trace());
        assert_eq!(world.outside().site.server.accounts.len(), 1, "{:#?}", world.trace());
    }
}

#[test]
fn i07_what_was_claimed_at_another_server_says_nothing_of_a_group_here() {
    let groups = GroupSetup { adoption: AdoptionPolicy::Refuse, ..GroupSetup::default() };
    let mut world = World::new(Setup { groups, ..setup() }, true);
    world.sweep(Listing::Whole);
    while world.page() {}
    let eng = GroupSpec { name: 0, external_id: None, additive: false, members: vec![], selects: false, retain: false };
    world.happen(&Event::Group(GroupEvent::Declare(0, eng)));
    while world.deliver_group() {}
    until(&mut world, Place::Request);
    world.happen(&Event::Fault(Fault::Lost));
    while !world.operator.flight.is_empty() {
        world.advance(0);
    }
    let body = json!({"displayName": "eng"}).as_object().cloned().expect("a group");
    world.outside().other_site.groups.make(&body);
    world.happen(&Event::Lead(1));
    settle(&mut world);
    let group = world.outside().cluster.group_named("g").cloned().expect("declared");
    assert!(group.annotations().contains_key(CLAIMED_GROUP));
    let status = group.status.unwrap_or_default();
    let reason = super::super::group_checks::reason_of_group(&status).to_owned();
    assert_eq!((status.id, reason), (None, "AdoptionRefused".to_owned()), "{:#?}", world.trace());
    world.happen(&Event::Group(GroupEvent::Remove(0)));
    settle(&mut world);
    assert_eq!(world.outside().site.groups.all.len(), 1, "{:#?}", world.trace());
    world.happen(&Event::Lead(0));
    let world = ends_well(world);
    assert!(world.outside().site.groups.all.is_empty(), "{:#?}", world.trace());
}

/// The manifest of Bob is made of Ada's, finalizer and annotations with it, as `kubectl get -o yaml` shows it.
fn copied(adoption: AdoptionPolicy) -> World {
    let mut world = super::bound(Setup { adoption, ..setup() }, &[0]);
    // Ada's object goes and leaves her account.
    world.happen(&Event::Release(0));
    world.happen(&Event::Remove(0));
    let ada = super::placed(&world, "a").annotations().get(CLAIMED_ACCOUNT).cloned().expect("claimed");
    world.drain();
    assert!(world.outside().cluster.named("n", "a").is_none());
    world.happen(&Event::Declare(1, Spec { active: Some(true), ..Spec::named(1) }));
    let uid = Uid::of(&super::placed(&world, "b").metadata);
    world.outside().cluster.edit(&uid, |user| {
        user.annotations_mut().insert(CLAIMED_ACCOUNT.into(), ada);
        user.metadata.finalizers = Some(vec![FINALIZER.into()]);
    });
    world
}

#[test]
fn i06_a_copied_manifest_brings_nobodys_account_with_it() {
    for adoption in [AdoptionPolicy::Refuse, AdoptionPolicy::Adopt] {
        let mut world = copied(adoption);
        settle(&mut world);
        let id = super::id_of(&world, "b").unwrap_or_default();
        assert!(!id.is_empty(), "{:?}: {:#?}", ready(&world, "b"), world.trace());
        assert_eq!(super::account(&world, &id).0, "bob", "{:#?}", world.trace());
        let names: Vec<_> =
            world.outside().site.server.accounts.values().map(|account| account["userName"].clone()).collect();
        assert_eq!(names, [json!("ada"), json!("bob")], "{:#?}", world.trace());
        ends_well(world);
    }
}

#[test]
fn i15_a_copied_manifest_that_is_deleted_removes_nobody() {
    let mut world = copied(AdoptionPolicy::Adopt);
    // Before anything is done for it.
    world.happen(&Event::Remove(1));
    settle(&mut world);
    assert!(world.outside().cluster.named("n", "b").is_none(), "{:#?}", world.trace());
    assert_eq!(super::only_account(&world)["active"], json!(true), "{:#?}", world.trace());
}
