//! Whom a group put in, over changes of what it says of others.

mod identities;
mod records;
mod restarts;

use std::collections::BTreeSet;

use super::super::events::Event;
use super::super::group_checks::reason_of_group;
use super::super::group_events::{GroupEvent, GroupSpec, Named};
use super::super::outside::{Fault, Listing, Place};
use super::super::setup::{GroupSetup, Setup};
use super::super::world::World;
use super::{bound, ends_well, id_of, setup, until};
use crate::api::{DeletionPolicy, MembersReadable};

fn eng(additive: bool, members: Vec<Named>) -> GroupSpec {
    GroupSpec { name: 0, external_id: None, additive, members, selects: false, retain: false }
}

fn change(world: &mut World, additive: bool, members: Vec<Named>) {
    world.happen(&Event::Group(GroupEvent::Change(0, eng(additive, members))));
}

fn looked_at(world: &mut World) {
    for _ in 0..2 {
        world.happen(&Event::Time(61_000));
        world.happen(&Event::Sweep(Listing::Whole));
        world.drain();
    }
}

fn members(world: &World) -> BTreeSet<String> {
    world.outside().site.groups.all.values().next().expect("one group").members.clone()
}

/// The group eng of ada and bob, who are bound.
fn declared(setup: Setup, additive: bool) -> (World, String, String) {
    let mut world = bound(setup, &[0, 1]);
    let spec = eng(additive, vec![Named::Place(0), Named::Place(1)]);
    world.happen(&Event::Group(GroupEvent::Declare(0, spec)));
    world.drain();
    looked_at(&mut world);
    let (ada, bob) = (id_of(&world, "a").expect("bound"), id_of(&world, "b").expect("bound"));
    assert_eq!(members(&world), BTreeSet::from([ada.clone(), bob.clone()]), "{:#?}", world.trace());
    (world, ada, bob)
}

/// Restarted before the edit, after it, or never.
#[test]
fn i18_whoever_is_dropped_as_a_group_begins_to_leave_others_in_it_goes() {
    for (before, after) in [(true, false), (false, true), (true, true), (false, false)] {
        let (mut world, ada, _) = declared(setup(), false);
        for (restarts, edits) in [(before, false), (after, true)] {
            if edits {
                change(&mut world, true, vec![Named::Place(0)]);
            }
            if restarts {
                world.happen(&Event::Restart);
            }
        }
        let world = ends_well(world);
        assert_eq!(members(&world), BTreeSet::from([ada]), "{before} {after} {:#?}", world.trace());
    }
}

/// Nobody was dropped by the edit itself.
#[test]
fn i18_whoever_was_put_in_before_a_group_leaves_others_in_it_goes_when_they_are_dropped() {
    let (mut world, ada, _) = declared(setup(), false);
    change(&mut world, true, vec![Named::Place(0), Named::Place(1)]);
    world.drain();
    for _ in 0..2 {
        world.happen(&Event::Restart);
        looked_at(&mut world);
    }
    change(&mut world, true, vec![Named::Place(0)]);
    let world = ends_well(world);
    assert_eq!(members(&world), BTreeSet::from([ada]), "{:#?}", world.trace());
}

#[test]
fn i10_whom_others_brought_before_a_group_leaves_others_in_it_stays() {
    let mut world = bound(setup(), &[0, 1, 4]);
    world.happen(&Event::Group(GroupEvent::Declare(0, eng(false, vec![Named::Place(0), Named::Place(1)]))));
    world.drain();
    let (ada, dee) = (id_of(&world, "a").expect("bound"), id_of(&world, "c").expect("bound"));
    // Before a sweep sees it, the group isn't exact any more.
    world.happen(&Event::Group(GroupEvent::Join(0, 2)));
    change(&mut world, true, vec![Named::Place(0)]);
    world.happen(&Event::Restart);
    let world = ends_well(world);
    assert_eq!(members(&world), BTreeSet::from([ada, dee]), "{:#?}", world.trace());
}

/// The process dies between the request that puts somebody in and whatever would record it.
#[test]
fn i28_whoever_was_just_put_in_is_dropped_as_a_group_begins_to_leave_others_in_it() {
    let mut world = bound(setup(), &[0, 1]);
    world.happen(&Event::Group(GroupEvent::Declare(0, eng(false, vec![Named::Place(0)]))));
    world.drain();
    world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(0), Named::Place(1)])));
    while world.deliver_group() {}
    until(&mut world, Place::Answer);
    assert_eq!(members(&world).len(), 2, "{:#?}", world.trace());
    world.happen(&Event::Restart);
    change(&mut world, true, vec![Named::Place(0)]);
    let world = ends_well(world);
    assert_eq!(members(&world).len(), 1, "{:#?}", world.trace());
}

/// From now on nobody is shown, by an edit of the connection's dialect in the same moment.
#[test]
fn i18_whoever_is_dropped_as_a_server_shows_members_no_more_goes() {
    let (mut world, ada, _) = declared(setup(), false);
    world.show_members(MembersReadable::No);
    change(&mut world, false, vec![Named::Place(0)]);
    world.happen(&Event::Restart);
    let world = ends_well(world);
    assert_eq!(members(&world), BTreeSet::from([ada]), "{:#?}", world.trace());
}

/// Taken out while the group was exact, and put in by somebody else when it was additive again.
#[test]
fn i10_who_was_taken_out_and_is_brought_back_by_others_stays() {
    let (mut world, ada, bob) = declared(setup(), true);
    change(&mut world, false, vec![Named::Place(0)]);
    world.drain();
    world.happen(&Event::Time(3_000));
    looked_at(&mut world);
    assert_eq!(members(&world), BTreeSet::from([ada.clone()]), "{:#?}", world.trace());
    change(&mut world, true, vec![Named::Place(0)]);
    world.drain();
    world.happen(&Event::Restart);
    let number = usize::from(bob > ada);
    world.happen(&Event::Group(GroupEvent::Join(0, number)));
    let world = ends_well(world);
    assert_eq!(members(&world), BTreeSet::from([ada, bob]), "{:#?}", world.trace());
}

/// Others took her out as she was dropped, and bring her back later.
#[test]
fn i10_whom_others_took_out_and_bring_back_stays() {
    for restarts in [false, true] {
        let (mut world, ada, bob) = declared(setup(), true);
        let number = usize::from(bob > ada);
        world.happen(&Event::Group(GroupEvent::Leave(0, number)));
        change(&mut world, true, vec![Named::Place(0)]);
        looked_at(&mut world);
        assert_eq!(members(&world), BTreeSet::from([ada.clone()]), "{:#?}", world.trace());
        if restarts {
            world.happen(&Event::Restart);
            looked_at(&mut world);
        }
        world.happen(&Event::Group(GroupEvent::Join(0, number)));
        let world = ends_well(world);
        assert_eq!(members(&world), BTreeSet::from([ada, bob]), "{restarts} {:#?}", world.trace());
    }
}

/// What is held is of the group's own, though it leaves others in it by now.
#[test]
fn i13_a_removal_that_is_held_stays_owed_as_a_group_begins_to_leave_others_in_it() {
    let groups = GroupSetup { limits: (0, 5), ..GroupSetup::default() };
    let (mut world, ada, _) = declared(Setup { groups, ..setup() }, false);
    change(&mut world, false, vec![Named::Place(0)]);
    looked_at(&mut world);
    assert_eq!((members(&world).len(), world.holds().len()), (2, 1), "{:#?}", world.trace());
    change(&mut world, true, vec![Named::Place(0)]);
    world.happen(&Event::Restart);
    let world = ends_well(world);
    assert_eq!(members(&world), BTreeSet::from([ada]), "{:#?}", world.trace());
}

/// An addition whose answer was lost is there, as far as a reading shows.
#[test]
fn i18_whose_addition_got_no_answer_goes_as_a_group_begins_to_leave_others_in_it() {
    let mut world = bound(setup(), &[0, 1]);
    world.happen(&Event::Group(GroupEvent::Declare(0, eng(false, vec![Named::Place(0)]))));
    world.drain();
    world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(0), Named::Place(1)])));
    while world.deliver_group() {}
    until(&mut world, Place::Request);
    world.happen(&Event::Fault(Fault::Lost));
    while !world.operator.flight.is_empty() {
        world.advance(0);
    }
    assert_eq!(members(&world).len(), 2, "{:#?}", world.trace());
    change(&mut world, true, vec![Named::Place(0)]);
    let world = ends_well(world);
    assert_eq!(members(&world).len(), 1, "{:#?}", world.trace());
}

/// Labels taken off by mistake are held and the hold is rejected; then one more is taken off on purpose.
#[test]
fn i13_whose_label_goes_after_a_rejected_hold_is_asked_about_anew() {
    for restarts in [false, true] {
        let groups = GroupSetup { limits: (1, 5), ..GroupSetup::default() };
        let mut world = bound(Setup { groups, ..setup() }, &[0, 1, 4]);
        for slot in 0..3 {
            world.happen(&Event::Group(GroupEvent::Label(slot, true)));
        }
        world.happen(&Event::Group(GroupEvent::Declare(0, GroupSpec { selects: true, ..eng(false, Vec::new()) })));
        world.drain();
        assert_eq!(members(&world).len(), 3, "{:#?}", world.trace());
        for slot in 0..2 {
            world.happen(&Event::Group(GroupEvent::Label(slot, false)));
        }
        world.drain();
        looked_at(&mut world);
        world.happen(&Event::Answer(0, false));
        world.drain();
        assert_eq!((members(&world).len(), world.holds().len()), (3, 0), "{:#?}", world.trace());
        // The window of the guard is over, so that it would let one go.
        world.happen(&Event::Time(86_400_000));
        if restarts {
            world.happen(&Event::Restart);
        }
        world.happen(&Event::Group(GroupEvent::Label(2, false)));
        world.drain();
        looked_at(&mut world);
        let held: Vec<u64> = world.holds().iter().map(|hold| hold.memberships).collect();
        assert_eq!((members(&world).len(), held), (3, vec![3]), "{restarts} {:#?}", world.trace());
        world.happen(&Event::Answer(0, true));
        world.drain();
        assert_eq!(members(&world).len(), 0, "{restarts} {:#?}", world.trace());
        ends_well(world);
    }
}

/// The API server takes nothing of one ScimUser's status.
#[test]
fn i17_whoever_leaves_a_group_waits_for_nobody_whose_membership_can_not_be_recorded() {
    for readable in [MembersReadable::Inline, MembersReadable::No] {
        let groups = GroupSetup { readable, ..GroupSetup::default() };
        let mut world = bound(Setup { groups, ..setup() }, &[0, 1, 2, 4]);
        world.happen(&Event::Group(GroupEvent::Declare(0, eng(true, vec![Named::Place(0), Named::Place(1)]))));
        world.drain();
        let ids = ["a", "b", "c", "d"].map(|name| id_of(&world, name).expect("bound"));
        let [ada, bob, cyd, dee] = &ids;
        assert_eq!(members(&world), BTreeSet::from([ada.clone(), bob.clone()]), "{:#?}", world.trace());
        let uid = world.outside().cluster.named("n", "c").and_then(kube::ResourceExt::uid);
        world.outside().unrecorded.clone_from(&uid);
        change(&mut world, true, vec![Named::Place(0), Named::Place(2), Named::Place(3)]);
        for _ in 0..3 {
            world.drain();
            looked_at(&mut world);
        }
        let now = members(&world);
        assert!(!now.contains(bob) && now.contains(dee), "{readable:?} {:#?}", world.trace());
        if readable == MembersReadable::Inline {
            let group = world.outside().cluster.group_named("g").cloned().expect("declared");
            assert!(!now.contains(cyd), "{:#?}", world.trace());
            assert_eq!(
                reason_of_group(group.status.as_ref().expect("a status")),
                "WriteRefused",
                "{:#?}",
                world.trace()
            );
        }
        world.outside().unrecorded = None;
        let world = ends_well(world);
        assert_eq!(members(&world), BTreeSet::from([ada.clone(), cyd.clone(), dee.clone()]), "{:#?}", world.trace());
    }
}

/// What is renamed is applied before what is left over is deleted.
#[test]
fn i08_whoever_moves_to_another_manifest_stays_in_the_groups_that_name_them() {
    for additive in [false, true] {
        let (mut world, ada, bob) = declared(setup(), additive);
        world.happen(&Event::Declare(2, super::super::events::Spec::named(0)));
        change(&mut world, additive, vec![Named::Place(2), Named::Place(1)]);
        let stays = |world: &World| {
            assert_eq!(members(world), BTreeSet::from([ada.clone(), bob.clone()]), "{additive} {:#?}", world.trace());
        };
        for _ in 0..3 {
            world.drain();
            looked_at(&mut world);
            stays(&world);
        }
        world.happen(&Event::Remove(0));
        for _ in 0..3 {
            world.drain();
            looked_at(&mut world);
            stays(&world);
        }
        assert_eq!(id_of(&world, "c"), Some(ada.clone()), "{:#?}", world.trace());
        ends_well(world);
    }
}

/// Whoever is put in by hand again and again is left in; what is declared of others is carried out all the same.
#[test]
fn i18_whoever_is_dropped_goes_although_a_second_writer_keeps_changing_the_members() {
    let mut world = bound(Setup { deletion: DeletionPolicy::Delete, ..setup() }, &[0, 1, 4, 2]);
    let (ada, dee, cyd) = (id_of(&world, "a").expect("bound"), id_of(&world, "c"), id_of(&world, "d"));
    let (dee, cyd) = (dee.expect("bound"), cyd.expect("bound"));
    let number = world.outside().site.server.accounts.keys().position(|id| *id == dee).expect("there");
    for slot in 0..2 {
        world.happen(&Event::Group(GroupEvent::Label(slot, true)));
    }
    world.happen(&Event::Group(GroupEvent::Declare(0, GroupSpec { selects: true, ..eng(false, Vec::new()) })));
    world.drain();
    let reason = |world: &World| {
        let group = world.outside().cluster.group_named("g").cloned().expect("declared");
        (reason_of_group(group.status.as_ref().expect("a status")).to_owned(), group)
    };
    for times in 1..=4 {
        world.happen(&Event::Group(GroupEvent::Join(0, number)));
        looked_at(&mut world);
        world.happen(&Event::Time(3_000));
        world.drain();
        assert_eq!(members(&world).contains(&dee), times > 3, "{times} {:#?}", world.trace());
    }
    assert_eq!(reason(&world).0, "Contested", "{:#?}", world.trace());
    // One is dropped, one put in, and one leaves for good.
    world.happen(&Event::Group(GroupEvent::Label(0, false)));
    world.happen(&Event::Group(GroupEvent::Label(3, true)));
    world.happen(&Event::Remove(1));
    for _ in 0..2 {
        world.drain();
        looked_at(&mut world);
    }
    assert_eq!(members(&world), BTreeSet::from([cyd.clone(), dee.clone()]), "{:#?}", world.trace());
    assert!(world.outside().cluster.named("n", "b").is_none(), "nothing keeps the account: {:#?}", world.trace());
    assert!(world.outside().site.server.accounts.contains_key(&ada));
    let (contested, group) = reason(&world);
    let drift = group.status.and_then(|status| status.drift).map(|drift| (drift.lost, drift.foreign));
    assert_eq!((contested.as_str(), drift), ("Contested", Some((0, 1))), "{:#?}", world.trace());
    // Who asks gets it put back once more, and a person's edit begins anew.
    world.happen(&Event::Group(GroupEvent::Request(0)));
    world.drain();
    world.happen(&Event::Time(3_000));
    let world = ends_well(world);
    assert_eq!(members(&world), BTreeSet::from([cyd]), "{:#?}", world.trace());
}

/// Others put them in, which is left so: that keeps no account that goes.
#[test]
fn i15_whoever_others_put_into_a_group_may_go_where_that_is_left_so() {
    for (repair, additive) in [(false, false), (false, true), (true, true)] {
        let repair = (repair, false, false);
        let mut world = bound(Setup { repair, deletion: DeletionPolicy::Delete, ..setup() }, &[0, 4]);
        let dee = id_of(&world, "b").expect("bound");
        let number = world.outside().site.server.accounts.keys().position(|id| *id == dee).expect("there");
        world.happen(&Event::Group(GroupEvent::Declare(0, eng(additive, vec![Named::Place(0)]))));
        world.drain();
        looked_at(&mut world);
        world.happen(&Event::Group(GroupEvent::Join(0, number)));
        looked_at(&mut world);
        assert!(members(&world).contains(&dee), "{repair:?} {additive} {:#?}", world.trace());
        world.happen(&Event::Remove(1));
        for _ in 0..3 {
            world.drain();
            looked_at(&mut world);
        }
        assert!(world.outside().cluster.named("n", "b").is_none(), "{repair:?} {additive} {:#?}", world.trace());
        ends_well(world);
    }
}

/// Nobody had seen the change before a person asked.
#[test]
fn i22_what_a_group_is_asked_for_is_judged_by_who_is_in_it_now() {
    for restarts in [false, true] {
        let (mut world, ada, bob) = declared(Setup { repair: (false, false, false), ..setup() }, false);
        let number = usize::from(bob > ada);
        world.happen(&Event::Group(GroupEvent::Leave(0, number)));
        if restarts {
            world.happen(&Event::Restart);
        }
        world.happen(&Event::Group(GroupEvent::Request(0)));
        world.drain();
        world.happen(&Event::Sweep(Listing::Whole));
        world.drain();
        assert_eq!(members(&world), BTreeSet::from([ada, bob]), "{restarts} {:#?}", world.trace());
        ends_well(world);
    }
}
