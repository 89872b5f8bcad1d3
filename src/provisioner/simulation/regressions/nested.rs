//! Members whose object goes while they stay: accounts, and groups that are nested in others.

use std::collections::BTreeSet;

use super::super::events::{Event, Spec};
use super::super::group_events::{GroupEvent, GroupSpec, Named};
use super::super::outside::{Listing, Place};
use super::super::setup::{GroupSetup, Setup};
use super::super::world::World;
use super::{bound, ends_well, id_of, setup, until};
use crate::api::{DeletionPolicy, GroupDeletionPolicy, MembersReadable};

fn group(name: usize, additive: bool, members: Vec<Named>) -> GroupSpec {
    GroupSpec { name, external_id: None, additive, members, selects: false, retain: false }
}

fn declare(world: &mut World, slot: usize, spec: GroupSpec) {
    world.happen(&Event::Group(GroupEvent::Declare(slot, spec)));
    world.drain();
}

fn looked_at(world: &mut World) {
    for _ in 0..2 {
        world.happen(&Event::Time(61_000));
        world.happen(&Event::Sweep(Listing::Whole));
        world.drain();
    }
}

fn interval_passes(world: &mut World) {
    world.happen(&Event::Time(31 * 60_000));
    for _ in 0..2 {
        looked_at(world);
    }
}

fn members(world: &World, name: &str) -> BTreeSet<String> {
    let outside = world.outside();
    let group = outside.site.groups.all.values().find(|group| group.name() == name);
    group.expect("a group of this name").members.clone()
}

fn group_id(world: &World, name: &str) -> String {
    let outside = world.outside();
    let found = outside.site.groups.all.iter().find(|(_, group)| group.name() == name);
    found.map(|(id, _)| id.clone()).expect("a group of this name")
}

/// The object of a nested group is deleted, and the group is retained: it stays in the outer one for a while, whoever
/// remembers that.
#[test]
fn i18_a_nested_group_whose_object_goes_stays_for_one_interval() {
    for readable in [MembersReadable::Inline, MembersReadable::No] {
        for (additive, restarts) in [(false, false), (false, true), (true, false), (true, true)] {
            let groups = GroupSetup { readable, deletion: GroupDeletionPolicy::Retain, ..GroupSetup::default() };
            let mut world = bound(Setup { groups, ..setup() }, &[0]);
            declare(&mut world, 1, group(1, false, vec![Named::Place(0)]));
            declare(&mut world, 0, group(0, additive, vec![Named::Group(1)]));
            looked_at(&mut world);
            let ops = BTreeSet::from([group_id(&world, "ops")]);
            assert_eq!(members(&world, "eng"), ops, "{:#?}", world.trace());
            world.happen(&Event::Group(GroupEvent::Remove(1)));
            world.drain();
            if restarts {
                world.happen(&Event::Restart);
            }
            looked_at(&mut world);
            let told = format!("{readable:?} {additive} {restarts} {:#?}", world.trace());
            assert!(world.outside().cluster.group_named("h").is_none(), "{told}");
            assert_eq!(members(&world, "eng"), ops, "{told}");
            interval_passes(&mut world);
            assert_eq!(members(&world, "eng"), BTreeSet::new(), "{readable:?} {additive} {:#?}", world.trace());
            ends_well(world);
        }
    }
}

/// Applied again within the interval, it has never left.
#[test]
fn i18_a_nested_group_whose_manifest_comes_back_never_left() {
    let groups = GroupSetup { deletion: GroupDeletionPolicy::Retain, ..GroupSetup::default() };
    let mut world = bound(Setup { groups, ..setup() }, &[0]);
    declare(&mut world, 1, group(1, false, vec![Named::Place(0)]));
    declare(&mut world, 0, group(0, false, vec![Named::Group(1)]));
    looked_at(&mut world);
    let ops = BTreeSet::from([group_id(&world, "ops")]);
    world.happen(&Event::Group(GroupEvent::Remove(1)));
    world.drain();
    world.happen(&Event::Time(3_000));
    world.drain();
    assert_eq!(members(&world, "eng"), ops, "{:#?}", world.trace());
    declare(&mut world, 1, group(1, false, vec![Named::Place(0)]));
    for _ in 0..2 {
        interval_passes(&mut world);
        assert_eq!(members(&world, "eng"), ops, "{:#?}", world.trace());
    }
    ends_well(world);
}

/// A group that is deleted is in no other any more.
#[test]
fn i15_a_nested_group_that_is_deleted_leaves_at_once() {
    let mut world = bound(setup(), &[0]);
    declare(&mut world, 1, group(1, false, vec![Named::Place(0)]));
    declare(&mut world, 0, group(0, false, vec![Named::Group(1)]));
    looked_at(&mut world);
    world.happen(&Event::Group(GroupEvent::Remove(1)));
    for _ in 0..2 {
        looked_at(&mut world);
    }
    assert_eq!(members(&world, "eng"), BTreeSet::new(), "{:#?}", world.trace());
    ends_well(world);
}

/// Whoever others put into an additive group stays in it when the object goes, over a restart, too.
#[test]
fn i10_whom_others_put_in_stays_when_the_object_goes() {
    for restarts in [false, true] {
        let mut world = bound(Setup { deletion: DeletionPolicy::Retain, ..setup() }, &[0, 1]);
        declare(&mut world, 0, group(0, true, vec![Named::Place(0)]));
        let bob = id_of(&world, "b").expect("bound");
        let number = usize::from(id_of(&world, "a").expect("bound") < bob);
        world.happen(&Event::Group(GroupEvent::Join(0, number)));
        looked_at(&mut world);
        assert!(members(&world, "eng").contains(&bob), "{:#?}", world.trace());
        world.happen(&Event::Remove(1));
        world.drain();
        if restarts {
            world.happen(&Event::Restart);
        }
        interval_passes(&mut world);
        assert!(members(&world, "eng").contains(&bob), "{restarts} {:#?}", world.trace());
        ends_well(world);
    }
}

/// A manifest has moved, and then an edit says that the account leaves.
#[test]
fn i18_whoever_moved_to_another_manifest_leaves_at_once_when_an_edit_says_so() {
    let mut world = bound(setup(), &[0]);
    declare(&mut world, 0, group(0, false, vec![Named::Place(0)]));
    looked_at(&mut world);
    world.happen(&Event::Declare(2, Spec::named(0)));
    world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(0), Named::Place(2)])));
    world.drain();
    world.happen(&Event::Remove(0));
    looked_at(&mut world);
    assert_eq!(members(&world, "eng").len(), 1, "{:#?}", world.trace());
    world.happen(&Event::Group(GroupEvent::Members(0, Vec::new())));
    looked_at(&mut world);
    assert_eq!(members(&world, "eng"), BTreeSet::new(), "{:#?}", world.trace());
    ends_well(world);
}

/// The group's manifest moves, and whom the first object put in is dropped from the second: nobody declares an object for cyd,
/// and bob's is gone while the account stays.
#[test]
fn i08_whom_a_group_brought_in_leaves_it_also_after_its_manifest_moved() {
    for readable in [MembersReadable::Inline, MembersReadable::No] {
        for (additive, at_once) in [(true, false), (true, true), (false, false)] {
            let groups = GroupSetup { readable, ..GroupSetup::default() };
            let mut world = bound(Setup { deletion: DeletionPolicy::Retain, groups, ..setup() }, &[0, 1]);
            world.happen(&Event::Invite(2, true));
            looked_at(&mut world);
            let all = vec![Named::Place(0), Named::Place(1), Named::UserName(2)];
            declare(&mut world, 0, group(0, additive, all));
            looked_at(&mut world);
            assert_eq!(members(&world, "eng").len(), 3, "{:#?}", world.trace());
            world.happen(&Event::Remove(1));
            world.drain();
            world.happen(&Event::Group(GroupEvent::Move(0, 1, false)));
            if !at_once {
                world.drain();
                looked_at(&mut world);
                assert!(world.outside().cluster.group_named("g").is_none(), "{:#?}", world.trace());
                assert_eq!(members(&world, "eng").len(), 3, "{:#?}", world.trace());
                world.happen(&Event::Restart);
            }
            world.happen(&Event::Group(GroupEvent::Members(1, vec![Named::Place(0)])));
            interval_passes(&mut world);
            let ada = id_of(&world, "a").expect("bound");
            let told = format!("{readable:?} {additive} {at_once} {:#?}", world.trace());
            assert_eq!(members(&world, "eng"), BTreeSet::from([ada]), "{told}");
            ends_well(world);
        }
    }
}

/// Under Report, whoever is to leave and is protected is owed, over a restart, too; whoever others put in is left.
#[test]
fn i09_who_is_kept_by_a_guard_does_not_pass_for_drift_after_a_restart() {
    for restarts in [false, true] {
        let groups = GroupSetup { versions: false, ..GroupSetup::default() };
        let setup = Setup { repair: (false, false, false), protected: true, groups, ..setup() };
        let mut world = bound(setup, &[0, 2, 4]);
        declare(&mut world, 0, group(0, false, vec![Named::Place(0), Named::Place(1)]));
        looked_at(&mut world);
        let [ada, cyd, dee] = ["a", "b", "c"].map(|name| id_of(&world, name).expect("bound"));
        let number = world.outside().site.server.accounts.keys().position(|id| *id == dee).expect("there");
        world.happen(&Event::Group(GroupEvent::Join(0, number)));
        looked_at(&mut world);
        world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(0)])));
        looked_at(&mut world);
        let all = BTreeSet::from([ada.clone(), cyd, dee.clone()]);
        assert_eq!(members(&world, "eng"), all, "{:#?}", world.trace());
        if restarts {
            world.happen(&Event::Restart);
            looked_at(&mut world);
            assert_eq!(members(&world, "eng"), all, "{:#?}", world.trace());
        }
        world.protect_nobody();
        for _ in 0..2 {
            looked_at(&mut world);
        }
        assert_eq!(members(&world, "eng"), BTreeSet::from([ada, dee]), "{restarts} {:#?}", world.trace());
    }
}

/// The process has just begun, and no group was read yet, when the object goes.
#[test]
fn i18_whoever_is_let_go_before_the_groups_were_read_leaves_them_all_the_same() {
    for additive in [true, false] {
        let mut world = bound(Setup { deletion: DeletionPolicy::Retain, ..setup() }, &[0, 1]);
        declare(&mut world, 0, group(0, additive, vec![Named::Place(0), Named::Place(1)]));
        looked_at(&mut world);
        world.happen(&Event::Restart);
        world.happen(&Event::Remove(1));
        world.drain();
        assert!(world.outside().cluster.named("n", "b").is_none(), "{:#?}", world.trace());
        world.happen(&Event::Restart);
        looked_at(&mut world);
        assert_eq!(members(&world, "eng").len(), 2, "{additive} {:#?}", world.trace());
        interval_passes(&mut world);
        let ada = id_of(&world, "a").expect("bound");
        assert_eq!(members(&world, "eng"), BTreeSet::from([ada]), "{additive} {:#?}", world.trace());
        ends_well(world);
    }
}

/// The same of whoever others put into an additive group that declares them, too.
#[test]
fn i10_whom_others_put_in_is_not_noted_before_the_groups_were_read() {
    let mut world = bound(Setup { deletion: DeletionPolicy::Retain, ..setup() }, &[0, 1]);
    declare(&mut world, 0, group(0, true, vec![Named::Place(0)]));
    let bob = id_of(&world, "b").expect("bound");
    let number = usize::from(id_of(&world, "a").expect("bound") < bob);
    world.happen(&Event::Group(GroupEvent::Join(0, number)));
    looked_at(&mut world);
    world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(0), Named::Place(1)])));
    looked_at(&mut world);
    world.happen(&Event::Restart);
    world.happen(&Event::Remove(1));
    world.drain();
    world.happen(&Event::Restart);
    interval_passes(&mut world);
    assert!(members(&world, "eng").contains(&bob), "{:#?}", world.trace());
    ends_well(world);
}

/// An edit drops whoever is on their way into the group.
#[test]
fn i18_whoever_is_dropped_while_they_are_put_in_goes_at_once() {
    for readable in [MembersReadable::Inline, MembersReadable::No] {
        let groups = GroupSetup { readable, ..GroupSetup::default() };
        let mut world = bound(Setup { groups, ..setup() }, &[0]);
        world.happen(&Event::Group(GroupEvent::Declare(0, group(0, false, vec![Named::Place(0)]))));
        while world.deliver_group() {}
        // The group is made first.
        until(&mut world, Place::Answer);
        assert!(world.advance(0));
        until(&mut world, Place::Answer);
        assert_eq!(members(&world, "eng").len(), 1, "{:#?}", world.trace());
        world.happen(&Event::Group(GroupEvent::Members(0, Vec::new())));
        while world.deliver_group() {}
        for _ in 0..2 {
            world.drain();
            world.happen(&Event::Time(3_000));
        }
        world.drain();
        assert_eq!(members(&world, "eng"), BTreeSet::new(), "{readable:?} {:#?}", world.trace());
        let told = world.outside().cluster.group_named("g").and_then(|group| group.status.clone()).unwrap_or_default();
        assert_eq!(told.ignored_attributes, None, "{readable:?} {:#?}", world.trace());
        ends_well(world);
    }
}
