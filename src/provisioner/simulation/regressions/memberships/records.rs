//! Whom a group put in, on record beyond the object of the group, that of a member, and the process.

use std::collections::BTreeSet;

use super::super::super::events::{Event, Spec};
use super::super::super::group_events::{GroupEvent, GroupSpec, Named};
use super::super::super::setup::{GroupSetup, Setup};
use super::super::super::world::World;
use super::super::{bound, ends_well, id_of, setup};
use super::{looked_at, members};
use crate::api::{DeletionPolicy, MembersReadable};

/// The group eng.
fn eng(additive: bool, members: Vec<Named>) -> Event {
    let spec = GroupSpec { name: 0, external_id: None, additive, members, selects: false, retain: false };
    Event::Group(GroupEvent::Declare(0, spec))
}

fn declare_members(world: &mut World, slot: usize, members: Vec<Named>) {
    world.happen(&Event::Group(GroupEvent::Members(slot, members)));
}

fn group_id(world: &World, name: &str) -> Option<String> {
    world.outside().cluster.group_named(name)?.status.as_ref()?.id.clone()
}

/// The group eng of ada and bob, who are bound.
fn declared(setup: Setup, additive: bool) -> (World, String, String) {
    let mut world = bound(setup, &[0, 1]);
    world.happen(&eng(additive, vec![Named::Place(0), Named::Place(1)]));
    world.drain();
    looked_at(&mut world);
    let (ada, bob) = (id_of(&world, "a").expect("bound"), id_of(&world, "b").expect("bound"));
    assert_eq!(members(&world), BTreeSet::from([ada.clone(), bob.clone()]), "{:#?}", world.trace());
    (world, ada, bob)
}

/// Nobody has a ScimUser for her. She is dropped by the edit that moves the manifest, or later.
#[test]
fn i08_whom_a_group_brought_in_leaves_it_also_after_its_manifest_moved() {
    for readable in [MembersReadable::Inline, MembersReadable::No] {
        for (at_once, restarts) in [(true, false), (false, false), (false, true)] {
            let groups = GroupSetup { readable, ..GroupSetup::default() };
            let mut world = bound(Setup { groups, ..setup() }, &[]);
            world.happen(&Event::Invite(0, true));
            looked_at(&mut world);
            world.happen(&eng(true, vec![Named::UserName(0)]));
            world.drain();
            looked_at(&mut world);
            let (id, told) = (group_id(&world, "g"), format!("{readable:?} {at_once} {restarts}"));
            assert_eq!(members(&world).len(), 1, "{told} {:#?}", world.trace());
            world.happen(&Event::Group(GroupEvent::Move(0, 1, true)));
            if !at_once {
                world.drain();
                looked_at(&mut world);
                if restarts {
                    world.happen(&Event::Restart);
                    looked_at(&mut world);
                }
                assert_eq!(members(&world).len(), 1, "{told} {:#?}", world.trace());
            }
            declare_members(&mut world, 1, Vec::new());
            let world = ends_well(world);
            assert_eq!((group_id(&world, "h"), group_id(&world, "g")), (id, None), "{told} {:#?}", world.trace());
            assert!(members(&world).is_empty(), "{told} {:#?}", world.trace());
        }
    }
}

/// Her object is gone, and her account stays for a while: it is on no record but that of the group.
#[test]
fn i08_whoever_is_about_to_leave_a_group_leaves_it_also_after_its_manifest_moved() {
    let (mut world, _, bob) = declared(Setup { deletion: DeletionPolicy::Retain, ..setup() }, true);
    world.happen(&Event::Remove(0));
    world.drain();
    world.happen(&Event::Group(GroupEvent::Move(0, 1, true)));
    world.drain();
    world.happen(&Event::Restart);
    looked_at(&mut world);
    assert!(world.outside().cluster.group_named("g").is_none(), "{:#?}", world.trace());
    assert_eq!(members(&world).len(), 2, "for one interval: {:#?}", world.trace());
    let world = ends_well(world);
    assert_eq!(members(&world), BTreeSet::from([bob]), "{:#?}", world.trace());
}

#[test]
fn i18_whoever_is_let_go_before_the_groups_were_read_leaves_them_all_the_same() {
    let shown = [(MembersReadable::Inline, true), (MembersReadable::Inline, false), (MembersReadable::No, true)];
    for (readable, additive) in shown {
        let groups = GroupSetup { readable, ..GroupSetup::default() };
        let (mut world, _, bob) = declared(Setup { deletion: DeletionPolicy::Retain, groups, ..setup() }, additive);
        world.happen(&Event::Restart);
        world.happen(&Event::Remove(0));
        // Before the first sweep.
        world.drain();
        assert!(world.outside().cluster.named("n", "a").is_none(), "{:#?}", world.trace());
        world.happen(&Event::Restart);
        looked_at(&mut world);
        let told = format!("{readable:?} {additive}");
        assert_eq!(members(&world).len(), 2, "for one interval: {told} {:#?}", world.trace());
        let world = ends_well(world);
        assert_eq!(members(&world), BTreeSet::from([bob]), "{told} {:#?}", world.trace());
    }
}

/// Deleted by mistake, held, and rejected as the operator had just begun; then applied again, and dropped in the end.
#[test]
fn i18_whose_removal_was_rejected_before_the_groups_were_read_leaves_them_when_they_are_dropped() {
    let (mut world, _, bob) = declared(Setup { limits: (0, 5, 5), ..setup() }, true);
    world.happen(&Event::Restart);
    world.happen(&Event::Remove(0));
    world.drain();
    for millis in [3_000, 31_000] {
        world.happen(&Event::Time(millis));
        world.drain();
    }
    world.happen(&Event::Answer(0, false));
    world.drain();
    assert!(world.outside().cluster.named("n", "a").is_none(), "{:#?}", world.trace());
    world.happen(&Event::Declare(0, Spec { active: Some(true), ..Spec::named(0) }));
    looked_at(&mut world);
    world.happen(&Event::Restart);
    looked_at(&mut world);
    assert_eq!(members(&world).len(), 2, "{:#?}", world.trace());
    declare_members(&mut world, 0, vec![Named::Place(1)]);
    let world = ends_well(world);
    assert_eq!(members(&world), BTreeSet::from([bob]), "{:#?}", world.trace());
}

/// He was put in by somebody else, and his object goes.
#[test]
fn i10_whom_others_brought_into_an_additive_group_stays_in_it_when_the_object_is_let_go() {
    let mut world = bound(Setup { deletion: DeletionPolicy::Retain, ..setup() }, &[0, 1]);
    world.happen(&eng(true, vec![Named::Place(0)]));
    world.drain();
    let (ada, bob) = (id_of(&world, "a").expect("bound"), id_of(&world, "b").expect("bound"));
    world.happen(&Event::Group(GroupEvent::Join(0, usize::from(bob > ada))));
    looked_at(&mut world);
    world.happen(&Event::Remove(1));
    world.drain();
    world.happen(&Event::Restart);
    let world = ends_well(world);
    assert_eq!(members(&world), BTreeSet::from([ada, bob]), "{:#?}", world.trace());
}
