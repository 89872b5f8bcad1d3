//! Groups, and who is in them.

use std::collections::BTreeSet;

use super::super::events::{Event, Spec};
use super::super::group_events::{GroupEvent, GroupSpec, Named};
use super::super::outside::{Fault, Listing};
use super::super::setup::{GroupSetup, Setup};
use super::super::world::World;
use super::{bound, ends_well, id_of, setup};
use crate::api::MembersReadable;

/// The group eng in the first place, with these members.
fn declared(world: &mut World, members: Vec<Named>) {
    let spec = GroupSpec { name: 0, external_id: None, additive: false, members, selects: false, retain: false };
    world.happen(&Event::Group(GroupEvent::Declare(0, spec)));
    world.drain();
}

fn members(world: &World) -> BTreeSet<String> {
    world.outside().site.groups.all.values().next().expect("one group").members.clone()
}

#[test]
fn i13_an_approval_holds_though_a_reading_shows_the_members_once_more() {
    for versions in [true, false] {
        let groups = GroupSetup { limits: (0, 5), versions, ..GroupSetup::default() };
        let mut world = bound(Setup { groups, ..setup() }, &[0, 1]);
        declared(&mut world, vec![Named::Place(0)]);
        world.happen(&Event::Group(GroupEvent::Join(0, 1)));
        for _ in 0..2 {
            world.happen(&Event::Time(61_000));
            world.happen(&Event::Sweep(Listing::Whole));
            world.drain();
        }
        assert_eq!((members(&world).len(), world.gate().holds().len()), (2, 1), "{:#?}", world.trace());
        // Drift that is held is shown as held, sweep by sweep.
        let before = world.outside().cluster.writes;
        world.happen(&Event::Sweep(Listing::Whole));
        world.drain();
        assert_eq!(world.outside().cluster.writes, before, "{:#?}", world.trace());
        world.happen(&Event::Time(31_000));
        world.happen(&Event::Answer(0, true));
        world.drain();
        assert_eq!(members(&world), id_of(&world, "a").into_iter().collect(), "{:#?}", world.trace());
        ends_well(world);
    }
}

/// The server shows nobody's memberships: our own record alone tells who is in, and of this one it says nothing yet.
#[test]
fn i18_whose_coming_got_no_answer_goes_when_an_edit_says_so_though_no_member_is_shown() {
    for readable in [MembersReadable::Probe, MembersReadable::No] {
        for stays in [false, true] {
            let groups = GroupSetup { readable, ..GroupSetup::default() };
            let mut world = bound(Setup { groups, ..setup() }, &[0, 1]);
            declared(&mut world, Vec::new());
            world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(0)])));
            while world.deliver_group() {}
            world.happen(&Event::Fault(Fault::Lost));
            while world.outside().fault.is_some() {
                assert!(world.take() || world.advance(0), "{:#?}", world.trace());
            }
            assert_eq!(members(&world).len(), 1, "it took effect");
            let now = if stays { vec![Named::Place(0)] } else { Vec::new() };
            world.happen(&Event::Group(GroupEvent::Members(0, now)));
            world.drain();
            world.happen(&Event::Time(400_000));
            world.drain();
            assert_eq!(members(&world).len(), usize::from(stays), "{:#?}", world.trace());
            ends_well(world);
        }
    }
}

/// Put in by the name, before anybody declared the account; taken out when an object had it.
#[test]
fn i30_who_was_taken_out_is_taken_out_once() {
    let groups = GroupSetup { readable: MembersReadable::Probe, ..GroupSetup::default() };
    let mut world = World::new(Setup { groups, ..setup() }, true);
    world.happen(&Event::Invite(0, true));
    world.sweep(Listing::Whole);
    declared(&mut world, vec![Named::UserName(0)]);
    assert_eq!(members(&world).len(), 1, "{:#?}", world.trace());
    world.happen(&Event::Declare(0, Spec::named(0)));
    world.drain();
    world.happen(&Event::Group(GroupEvent::Members(0, Vec::new())));
    world.drain();
    world.happen(&Event::Time(3_000));
    world.drain();
    assert_eq!(members(&world).len(), 0, "{:#?}", world.trace());
    // A restart writes nothing.
    ends_well(world);
}

#[test]
fn i15_whom_a_group_names_by_the_id_may_go_all_the_same() {
    let mut world = bound(setup(), &[0, 1]);
    let ada = id_of(&world, "a").expect("bound");
    declared(&mut world, vec![Named::Account(0), Named::Place(1)]);
    assert!(members(&world).contains(&ada));
    world.happen(&Event::Remove(0));
    let world = ends_well(world);
    assert!(world.outside().cluster.named("n", "a").is_none());
    assert!(members(&world).contains(&ada), "the group declares the account itself");
}
