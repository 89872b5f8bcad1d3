//! Groups that somebody leaves, and what of a group keeps others in it.

use std::collections::BTreeSet;

use super::super::super::events::Event;
use super::super::super::group_events::{GroupEvent, GroupSpec, Named};
use super::super::super::outside::{Fault, Listing, Place};
use super::super::super::setup::{GroupSetup, Setup};
use super::super::super::world::World;
use super::super::{bound, ends_well, id_of, setup, until};
use super::{eng, is_active, wait};
use crate::api::DeletionPolicy;
use crate::plan::groups::Change;

const POLICIES: [DeletionPolicy; 2] = [DeletionPolicy::Deactivate, DeletionPolicy::Delete];

fn swept(world: &mut World, times: usize) {
    for _ in 0..times {
        wait(world, 61_000);
        world.happen(&Event::Sweep(Listing::Whole));
        world.drain();
    }
}

fn members_of(world: &World) -> BTreeSet<String> {
    world.outside().site.groups.all.values().next().map(|group| group.members.clone()).unwrap_or_default()
}

fn is_there(world: &World, name: &str) -> bool {
    world.outside().cluster.named("n", name).is_some()
}

fn told(world: &World, what: &str) -> bool {
    world.trace().iter().any(|line| line.contains(what))
}

/// The group eng of all who are bound.
fn declared(setup: Setup, names: &[usize]) -> World {
    let mut world = bound(setup, names);
    world.happen(&eng((0..names.len()).map(Named::Place).collect()));
    world.drain();
    wait(&mut world, 3_000);
    world
}

/// Deleted by an administrator of the server, and not to be made again.
#[test]
fn i15_a_group_that_is_gone_keeps_nobodys_object() {
    for (deletion, restarts) in POLICIES.into_iter().flat_map(|deletion| [(deletion, false), (deletion, true)]) {
        let mut world = declared(Setup { deletion, ..setup() }, &[0]);
        let ada = id_of(&world, "a").expect("bound");
        world.happen(&Event::Group(GroupEvent::Erase(0)));
        swept(&mut world, 3);
        if restarts {
            world.happen(&Event::Restart);
            swept(&mut world, 1);
        }
        world.happen(&Event::Remove(0));
        for millis in [0, 3_000, 62_000, 62_000] {
            wait(&mut world, millis);
        }
        assert!(!is_there(&world, "a"), "{deletion:?} {restarts} {:#?}", world.trace());
        let there = world.outside().site.server.accounts.contains_key(&ada);
        assert!(!is_active(&world, &ada) && there == (deletion == DeletionPolicy::Deactivate), "{:#?}", world.trace());
        assert!(!told(&world, "StaysInGroups"), "{:#?}", world.trace());
    }
}

/// As its owner can't be taken out, by many a server.
#[test]
fn i15_a_group_that_lets_somebody_not_go_keeps_their_removal_for_a_minute_and_no_longer() {
    for deletion in POLICIES {
        let mut world = declared(Setup { deletion, ..setup() }, &[0, 1]);
        let ada = id_of(&world, "a").expect("bound");
        world.outside().site.groups.barred.insert(ada.clone());
        world.happen(&Event::Remove(0));
        for millis in [0, 3_000, 62_000, 62_000] {
            wait(&mut world, millis);
        }
        assert!(!is_there(&world, "a") && !is_active(&world, &ada), "{deletion:?} {:#?}", world.trace());
        assert!(told(&world, "event StaysInGroups: the account may still be a member of n/g"), "{:#?}", world.trace());
        let there = world.outside().site.server.accounts.contains_key(&ada);
        assert_eq!(there, deletion == DeletionPolicy::Deactivate, "{:#?}", world.trace());
        // Whoever stays in is taken out as soon as that can be done, also by a later process.
        world.outside().site.groups.barred.clear();
        world.happen(&Event::Restart);
        let world = ends_well(world);
        assert!(!members_of(&world).contains(&ada), "{deletion:?} {:#?}", world.trace());
    }
}

#[test]
fn i17_a_deactivation_that_is_refused_keeps_no_deletion_waiting_for_groups() {
    let mut world = declared(Setup { deletion: DeletionPolicy::Delete, ..setup() }, &[0]);
    let ada = id_of(&world, "a").expect("bound");
    world.outside().site.groups.barred.insert(ada.clone());
    world.happen(&Event::Remove(0));
    world.drain();
    world.happen(&Event::Time(3_000));
    until(&mut world, Place::Request);
    world.happen(&Event::Fault(Fault::Forbidden));
    world.drain();
    assert!(!world.outside().site.server.accounts.contains_key(&ada), "{:#?}", world.trace());
    ends_well(world);
}

/// The others of the request aren't at fault.
#[test]
fn i20_whoever_can_not_be_taken_out_of_a_group_keeps_nobody_else_in() {
    for most in [1, 100] {
        let groups = GroupSetup { most, ..GroupSetup::default() };
        let mut world = declared(Setup { groups, ..setup() }, &[0, 1, 4]);
        let ids = ["a", "b", "c"].map(|name| id_of(&world, name).expect("bound"));
        world.outside().site.groups.barred.insert(ids[0].clone());
        world.happen(&Event::Group(GroupEvent::Members(0, Vec::new())));
        world.drain();
        wait(&mut world, 3_000);
        assert_eq!(members_of(&world), BTreeSet::from([ids[0].clone()]), "{most} {:#?}", world.trace());
    }
}

/// Works on what is due; a request that renames the group is refused.
fn without_names(world: &mut World) {
    loop {
        while world.deliver() || world.deliver_group() {}
        if !world.take() && world.operator.flight.is_empty() {
            return;
        }
        let uid = world.operator.flight[0].ticket.uid.clone();
        let renames =
            world.outside().observed.group_sent.get(&uid).is_some_and(|(_, sent)| sent.change == Change::default());
        if renames && world.place() == Some(Place::Request) {
            world.happen(&Event::Fault(Fault::Forbidden));
        }
        world.advance(0);
    }
}

/// The group waits, for up to an hour, on account of who was dropped before, or of something else that it declares.
#[test]
fn i18_whoever_is_dropped_later_leaves_at_once_whatever_the_group_waits_for() {
    for renamed in [false, true] {
        let mut world = bound(setup(), &[0, 1, 4]);
        let [ada, bob, dee] = ["a", "b", "c"].map(|name| id_of(&world, name).expect("bound"));
        world.happen(&Event::Group(GroupEvent::Label(1, true)));
        let members = vec![Named::Place(0), Named::Place(2)];
        let spec = GroupSpec { name: 0, external_id: None, additive: false, members, selects: true, retain: false };
        world.happen(&Event::Group(GroupEvent::Declare(0, spec)));
        world.drain();
        wait(&mut world, 3_000);
        if renamed {
            world.happen(&Event::Group(GroupEvent::Rename(0, 1)));
        } else {
            world.outside().site.groups.barred.insert(ada.clone());
        }
        world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(2)])));
        for millis in [0, 3_000, 600_000] {
            world.happen(&Event::Time(millis));
            without_names(&mut world);
        }
        assert_eq!(members_of(&world).contains(&ada), !renamed, "{:#?}", world.trace());
        assert!(members_of(&world).contains(&bob), "{:#?}", world.trace());
        world.happen(&Event::Group(GroupEvent::Label(1, false)));
        for millis in [0, 3_000] {
            world.happen(&Event::Time(millis));
            without_names(&mut world);
        }
        assert!(
            !members_of(&world).contains(&bob) && members_of(&world).contains(&dee),
            "{renamed} {:#?}",
            world.trace()
        );
    }
}
