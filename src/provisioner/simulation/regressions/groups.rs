//! Groups, and who is in them.

use std::collections::BTreeSet;

use super::super::events::{Event, Spec};
use super::super::group_checks::reason_of_group;
use super::super::group_events::{GroupEvent, GroupSpec, Named};
use super::super::outside::{Fault, Listing, Place};
use super::super::quirks::{Filters, Methods, Quirks};
use super::super::setup::{GroupSetup, Setup};
use super::super::site_groups::Strangers;
use super::super::world::World;
use super::{bound, ends_well, id_of, setup, until, with};
use crate::api::{DeletionPolicy, MembersReadable, Uid};

/// The group eng with these members.
fn eng(members: Vec<Named>) -> GroupSpec {
    GroupSpec { name: 0, external_id: None, additive: false, members, selects: false, retain: false }
}

fn declare(slot: usize, spec: GroupSpec) -> Event {
    Event::Group(GroupEvent::Declare(slot, spec))
}

/// The group eng in the first place, with these members.
fn declared(world: &mut World, members: Vec<Named>) {
    world.happen(&declare(0, eng(members)));
    world.drain();
}

/// The id of the group that an object is bound to.
fn group_id(world: &World, name: &str) -> Option<String> {
    world.outside().cluster.group_named(name)?.status.as_ref()?.id.clone()
}

/// What others did in the meantime is seen.
fn looked_at(world: &mut World) {
    world.happen(&Event::Time(61_000));
    world.happen(&Event::Sweep(Listing::Whole));
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
        assert_eq!((members(&world).len(), world.holds().len()), (2, 1), "{:#?}", world.trace());
        // Drift that is held is shown as held, sweep by sweep.
        let before = world.outside().cluster.writes.clone();
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

#[test]
fn i14_whoever_is_protected_stays_in_a_group_that_declares_them_no_more() {
    for readable in [MembersReadable::Inline, MembersReadable::No] {
        let groups = GroupSetup { readable, ..GroupSetup::default() };
        let mut world = bound(Setup { protected: true, groups, ..setup() }, &[2, 1]);
        let cyd = id_of(&world, "a").expect("bound");
        declared(&mut world, vec![Named::Place(0), Named::Place(1)]);
        world.happen(&Event::Group(GroupEvent::Members(0, Vec::new())));
        let world = ends_well(world);
        assert_eq!(members(&world), BTreeSet::from([cyd]), "{:#?}", world.trace());
    }
}

#[test]
fn i10_whom_others_brought_into_an_additive_group_stays_in_it() {
    let mut world = bound(setup(), &[0, 1]);
    let bob = id_of(&world, "b").expect("bound");
    world.happen(&declare(0, GroupSpec { additive: true, ..eng(vec![Named::Place(0)]) }));
    world.drain();
    world.happen(&Event::Group(GroupEvent::Join(0, 1)));
    looked_at(&mut world);
    world.happen(&Event::Group(GroupEvent::Members(0, Vec::new())));
    let world = ends_well(world);
    assert_eq!(members(&world), BTreeSet::from([bob]), "{:#?}", world.trace());
}

#[test]
fn i17_whoever_is_deleted_has_left_the_groups_before() {
    let mut world = bound(Setup { deletion: DeletionPolicy::Delete, ..setup() }, &[0, 1]);
    declared(&mut world, vec![Named::Place(0), Named::Place(1)]);
    world.happen(&Event::Remove(0));
    let world = ends_well(world);
    assert_eq!(world.outside().site.server.accounts.len(), 1);
}

#[test]
fn i08_the_name_that_a_group_is_about_to_give_up_is_waited_for() {
    let mut world = bound(setup(), &[]);
    declared(&mut world, Vec::new());
    let old = group_id(&world, "g");
    world.happen(&Event::Group(GroupEvent::Rename(0, 1)));
    world.happen(&declare(1, eng(Vec::new())));
    while world.deliver_group() {}
    assert!(world.take() && world.take());
    // Whoever takes the name is looked at first.
    let newcomer =
        world.outside().cluster.group_named("h").and_then(|object| Uid::given(&object.metadata)).expect("declared");
    let is_newcomer = |flight: &super::super::operator::Flight| flight.ticket.uid == newcomer;
    while let Some(place) = world.operator.flight.iter().position(is_newcomer) {
        world.advance(place);
    }
    let world = ends_well(world);
    assert_eq!(group_id(&world, "g"), old, "{:#?}", world.trace());
    assert!(group_id(&world, "h").is_some_and(|new| Some(new) != old));
}

#[test]
fn i08_a_group_goes_to_a_successor_that_is_bound_to_it_and_to_none_else() {
    let mut world = bound(setup(), &[0]);
    declared(&mut world, vec![Named::Place(0)]);
    let (id, inside) = (group_id(&world, "g"), members(&world));
    world.happen(&Event::Group(GroupEvent::Move(0, 1, true)));
    let world = ends_well(world);
    assert_eq!((group_id(&world, "h"), members(&world)), (id, inside), "{:#?}", world.trace());
}

#[test]
fn i15_a_group_whose_creation_was_never_heard_of_goes_with_its_object() {
    let mut world = bound(setup(), &[]);
    world.happen(&declare(0, eng(Vec::new())));
    while world.deliver_group() {}
    until(&mut world, Place::Request);
    world.happen(&Event::Fault(Fault::Lost));
    world.drain();
    assert_eq!(group_id(&world, "g"), None);
    assert_eq!(world.outside().site.groups.all.len(), 1);
    world.happen(&Event::Group(GroupEvent::Remove(0)));
    let world = ends_well(world);
    assert!(world.outside().site.groups.all.is_empty(), "{:#?}", world.trace());
}

#[test]
fn i13_whom_a_group_loses_is_on_record_before_it_is_sent() {
    let groups = GroupSetup { limits: (1, 5), ..GroupSetup::default() };
    let mut world = bound(Setup { groups, ..setup() }, &[0, 1]);
    declared(&mut world, vec![Named::Place(0), Named::Place(1)]);
    world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(1)])));
    world.drain();
    world.happen(&Event::Time(3_000));
    until(&mut world, Place::Answer);
    world.happen(&Event::Restart);
    world.happen(&Event::Group(GroupEvent::Members(0, Vec::new())));
    for _ in 0..2 {
        looked_at(&mut world);
    }
    assert_eq!((members(&world).len(), world.holds().len()), (1, 1), "{:#?}", world.trace());
    ends_well(world);
}

#[test]
fn i18_whoever_was_put_in_without_an_answer_goes_when_nobody_declares_them_any_more() {
    for readable in [MembersReadable::No, MembersReadable::Probe] {
        let groups = GroupSetup { readable, ..GroupSetup::default() };
        let mut world = bound(Setup { groups, ..setup() }, &[0]);
        declared(&mut world, Vec::new());
        world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(0)])));
        while world.deliver_group() {}
        until(&mut world, Place::Request);
        world.happen(&Event::Fault(Fault::Lost));
        while !world.operator.flight.is_empty() {
            world.advance(0);
        }
        assert_eq!(members(&world).len(), 1, "{:#?}", world.trace());
        world.happen(&Event::Group(GroupEvent::Members(0, Vec::new())));
        let world = ends_well(world);
        assert!(members(&world).is_empty(), "{:#?}", world.trace());
    }
}

#[test]
fn i30_a_membership_that_others_ended_is_counted_once_over_a_restart() {
    let groups = GroupSetup { readable: MembersReadable::Probe, ..GroupSetup::default() };
    let mut world = bound(Setup { repair: (false, false, false), groups, ..setup() }, &[0, 1]);
    declared(&mut world, vec![Named::Place(0), Named::Place(1)]);
    world.happen(&Event::Group(GroupEvent::Leave(0, 0)));
    for _ in 0..2 {
        // After a restart the first look finds the group itself at work.
        for _ in 0..2 {
            looked_at(&mut world);
        }
        let group = world.outside().cluster.group_named("g").cloned().expect("declared");
        let lost = group.status.and_then(|status| status.drift).map(|drift| drift.lost);
        assert_eq!(lost, Some(1), "{:#?}", world.trace());
        world.happen(&Event::Restart);
    }
}

#[test]
fn i01_a_drift_that_the_server_does_not_let_be_put_back_is_told_once() {
    let groups = GroupSetup { readable: MembersReadable::No, ..GroupSetup::default() };
    let quirks = Quirks { groups: Methods::NoPatch, ..Quirks::default() };
    let mut world = World::new(Setup { groups, ..with(quirks) }, true);
    world.sweep(Listing::Whole);
    declared(&mut world, Vec::new());
    world.happen(&Event::Group(GroupEvent::Retitle(0, 1)));
    looked_at(&mut world);
    let before = world.writes();
    for _ in 0..3 {
        looked_at(&mut world);
    }
    assert_eq!(world.writes(), before, "{:#?}", world.trace());
    ends_well(world);
}

/// What their guard counts is the deactivation, whatever groups they are in.
#[test]
fn i17_whoever_is_deactivated_at_their_end_leaves_their_groups_before_the_object_goes() {
    let groups = GroupSetup { limits: (0, 5), ..GroupSetup::default() };
    let mut world = bound(Setup { groups, ..setup() }, &[0, 1]);
    let bob = id_of(&world, "b").expect("bound");
    declared(&mut world, vec![Named::Place(0), Named::Place(1)]);
    world.happen(&Event::Remove(0));
    world.drain();
    world.happen(&Event::Time(3_000));
    world.drain();
    assert!(world.outside().cluster.named("n", "a").is_none(), "{:#?}", world.trace());
    assert_eq!(members(&world), BTreeSet::from([bob]), "{:#?}", world.trace());
    ends_well(world);
}

/// Retained by policy, the account stays in its group for a while, whoever remembers that.
#[test]
fn i18_whose_object_vanished_stays_for_one_interval_over_a_restart() {
    let mut world = bound(Setup { deletion: DeletionPolicy::Retain, ..setup() }, &[0, 1]);
    let bob = id_of(&world, "b").expect("bound");
    declared(&mut world, vec![Named::Place(0), Named::Place(1)]);
    world.happen(&Event::Remove(0));
    world.drain();
    world.happen(&Event::Restart);
    for _ in 0..2 {
        looked_at(&mut world);
    }
    assert!(world.outside().cluster.named("n", "a").is_none(), "{:#?}", world.trace());
    assert_eq!(members(&world).len(), 2, "{:#?}", world.trace());
    let world = ends_well(world);
    assert_eq!(members(&world), BTreeSet::from([bob]), "{:#?}", world.trace());
}

/// No filter is heeded, so that it is looked for in the list whenever it is looked for.
#[test]
fn i01_a_group_that_others_deleted_is_looked_for_without_a_word_each_time() {
    let mut world = bound(with(Quirks { filters: Filters::Refused, ..Quirks::default() }), &[]);
    declared(&mut world, Vec::new());
    for _ in 0..2 {
        looked_at(&mut world);
    }
    world.happen(&Event::Group(GroupEvent::Erase(0)));
    for _ in 0..4 {
        looked_at(&mut world);
    }
    let status = world.outside().cluster.group_named("g").and_then(|group| group.status.clone()).unwrap_or_default();
    assert_eq!(reason_of_group(&status), "DeletedAtServer", "{:#?}", world.trace());
    let before = world.writes();
    for _ in 0..3 {
        looked_at(&mut world);
    }
    assert_eq!(world.writes(), before, "{:#?}", world.trace());
    ends_well(world);
}

/// Somebody is named whom the server refuses, which is tried again hourly.
#[test]
fn i18_whoever_is_dropped_goes_at_once_although_somebody_else_is_refused() {
    let groups = GroupSetup { strangers: Strangers::Rejected, ..GroupSetup::default() };
    let mut world = bound(Setup { groups, ..setup() }, &[0, 1]);
    world.happen(&Event::Invite(4, true));
    let dee = (0..3).find(|number| {
        let bound = [id_of(&world, "a"), id_of(&world, "b")];
        !bound.contains(&world.account(*number))
    });
    let dee = dee.expect("invited");
    for slot in 0..2 {
        world.happen(&Event::Group(GroupEvent::Label(slot, true)));
    }
    world.happen(&declare(0, GroupSpec { selects: true, ..eng(vec![Named::Account(dee)]) }));
    world.happen(&Event::Erase(dee));
    world.drain();
    for (slot, left) in [(0, 1), (1, 0)] {
        assert_eq!(members(&world).len(), left + 1, "{:#?}", world.trace());
        world.happen(&Event::Group(GroupEvent::Label(slot, false)));
        world.drain();
        world.happen(&Event::Time(3_000));
        world.drain();
        assert_eq!(members(&world).len(), left, "{:#?}", world.trace());
    }
}
