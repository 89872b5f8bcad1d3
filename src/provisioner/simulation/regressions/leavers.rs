//! Removals: what they wait for, and what they don't.

mod groups_left;

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::json;

use super::super::events::{Event, Spec};
use super::super::group_events::{GroupEvent, GroupSpec, Named};
use super::super::outside::{Fault, Listing, Place};
use super::super::setup::{GroupSetup, Setup};
use super::super::world::World;
use super::{account, bound, ends_well, id_of, planned, setup, until};
use crate::api::{DeletionPolicy, FINALIZER, MembersReadable, RELEASE};
use crate::provisioner::schedule::limiter::Priority;
use crate::provisioner::schedule::queue::Lane;

fn eng(members: Vec<Named>) -> Event {
    let spec = GroupSpec { name: 0, external_id: None, additive: false, members, selects: false, retain: false };
    Event::Group(GroupEvent::Declare(0, spec))
}

fn members(world: &World) -> usize {
    world.outside().site.groups.all.values().next().expect("one group").members.len()
}

fn is_active(world: &World, id: &str) -> bool {
    world.outside().site.server.accounts.get(id).is_some_and(|account| account["active"] == json!(true))
}

fn wait(world: &mut World, millis: i64) {
    world.happen(&Event::Time(millis));
    world.drain();
}

/// Another content type, or a lack of rights, is met once.
#[test]
fn i17_a_removal_that_meets_a_passing_refusal_is_tried_again_soon() {
    for (fault, deletion) in
        [(Fault::ContentType, DeletionPolicy::Deactivate), (Fault::Forbidden, DeletionPolicy::Delete)]
    {
        let mut world = bound(Setup { deletion, ..setup() }, &[0]);
        let ada = id_of(&world, "a").expect("bound");
        world.happen(&Event::Remove(0));
        world.drain();
        world.happen(&Event::Time(3_000));
        until(&mut world, Place::Request);
        world.happen(&Event::Fault(fault));
        world.drain();
        wait(&mut world, 10_000);
        assert!(!is_active(&world, &ada), "{fault:?} {:#?}", world.trace());
        ends_well(world);
    }
}

#[test]
fn i17_whoever_leaves_a_group_and_meets_a_passing_refusal_leaves_it_soon() {
    let mut world = bound(setup(), &[0, 1]);
    world.happen(&eng(vec![Named::Place(0), Named::Place(1)]));
    world.drain();
    world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(1)])));
    world.drain();
    world.happen(&Event::Time(3_000));
    until(&mut world, Place::Request);
    world.happen(&Event::Fault(Fault::ContentType));
    world.drain();
    wait(&mut world, 10_000);
    assert_eq!(members(&world), 1, "{:#?}", world.trace());
    ends_well(world);
}

/// The removal is announced to its guard two seconds ahead.
#[test]
fn i17_a_window_that_ends_ends_access_at_once() {
    let mut world = World::new(setup(), true);
    world.sweep(Listing::Whole);
    world.happen(&Event::Declare(0, Spec { active: Some(true), until: Some(5), ..Spec::named(0) }));
    world.drain();
    let ada = id_of(&world, "a").expect("bound");
    let end =
        world.outside().cluster.named("n", "a").and_then(|user| user.spec.access.clone()?.not_after).expect("an end");
    let left = end.0.as_millisecond() - world.outside().time().as_millisecond();
    wait(&mut world, left - 2_000);
    assert!(is_active(&world, &ada), "{:#?}", world.trace());
    wait(&mut world, 2_001);
    assert!(!is_active(&world, &ada), "{:#?}", world.trace());
    ends_well(world);
}

/// Somebody else's account by now, so that the one that declares its name can't have it.
#[test]
fn i08_who_can_not_take_over_keeps_no_removal_waiting() {
    let mut world = bound(setup(), &[0]);
    let ada = id_of(&world, "a").expect("bound");
    world.outside().site.meddle(&ada, |account| _ = account.insert("externalId".into(), json!("other")));
    world.happen(&Event::Sweep(Listing::Whole));
    world.drain();
    world.happen(&Event::Remove(0));
    world.happen(&Event::Declare(1, Spec { external_id: true, active: Some(true), ..Spec::named(0) }));
    world.drain();
    for _ in 0..3 {
        wait(&mut world, 3_000);
    }
    assert!(!is_active(&world, &ada), "{:#?}", world.trace());
}

/// A removal is on its way as somebody else declares the name.
#[test]
fn i08_an_account_that_is_being_removed_is_taken_over_by_nobody_meanwhile() {
    let mut world = bound(setup(), &[0]);
    world.happen(&Event::Remove(0));
    world.drain();
    world.happen(&Event::Time(3_000));
    until(&mut world, Place::Request);
    world.happen(&Event::Declare(1, Spec { active: Some(true), ..Spec::named(0) }));
    while world.deliver() {}
    world.take();
    while world.operator.flight.len() > 1 {
        world.advance(1);
    }
    ends_well(world);
}

#[test]
fn i17_removals_are_asked_for_before_everything_else() {
    // By PUT it is read first.
    let mut world = bound(Setup { put: true, ..setup() }, &[0, 1]);
    let ada = world.placed(0).expect("declared");
    world.happen(&Event::Remove(0));
    world.drain();
    world.outside().turns.clear();
    wait(&mut world, 3_000);
    let turns: Vec<Priority> = {
        let outside = world.outside();
        outside.turns.iter().filter(|(uid, _)| *uid == ada).map(|(_, priority)| *priority).collect()
    };
    assert!(turns.len() > 1 && turns.iter().all(|turn| *turn == Priority::Removal), "{turns:?} {:#?}", world.trace());
    ends_well(world);
}

#[test]
fn i17_whoever_leaves_is_looked_at_before_what_came_before() {
    let mut world = bound(setup(), &[0, 1]);
    world.happen(&eng(vec![Named::Place(0), Named::Place(1)]));
    world.drain();
    world.happen(&Event::Change(1, Spec { active: Some(true), title: Some("x"), ..Spec::named(1) }));
    while world.deliver() {}
    world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(1)])));
    while world.deliver_group() {}
    assert!(world.take());
    assert_eq!(world.operator.flight[0].ticket.lane, Lane::Removal, "{:#?}", world.trace());
    world.drain();
    world.happen(&Event::Change(1, Spec { active: Some(true), title: Some("y"), ..Spec::named(1) }));
    while world.deliver() {}
    world.happen(&Event::Remove(0));
    while world.deliver() {}
    assert!(world.take());
    let ada = world.placed(0).expect("declared");
    assert_eq!(world.operator.flight[0].ticket.uid, ada, "{:#?}", world.trace());
    ends_well(world);
}

/// What was declared before is carried out by the last good key, and nothing else.
#[test]
fn i23_without_a_key_removals_are_carried_out_that_were_declared_before() {
    let mut world = bound(setup(), &[0, 1]);
    let (ada, bob) = (id_of(&world, "a").expect("bound"), id_of(&world, "b").expect("bound"));
    world.happen(&Event::Activate(0, Some(false)));
    while world.deliver() {}
    world.operator.provisioner.restrict_to_removals();
    world.happen(&Event::Activate(1, Some(false)));
    world.happen(&Event::Declare(2, Spec::named(2)));
    world.drain();
    wait(&mut world, 3_000);
    assert_eq!((is_active(&world, &ada), is_active(&world, &bob)), (false, true), "{:#?}", world.trace());
    assert_eq!(world.outside().site.server.accounts.len(), 2, "{:#?}", world.trace());
    // Under deletion the connection serves deletions that came since.
    under_deletion(&world, false);
    world.happen(&Event::Remove(1));
    world.drain();
    wait(&mut world, 3_000);
    assert!(!is_active(&world, &bob), "{:#?}", world.trace());
}

/// Groups that are deleted, and whoever leaves them, wait for no key.
#[test]
fn i23_without_a_key_groups_go_and_are_left_as_far_as_that_was_declared_before() {
    for (deletion, ends) in
        [(DeletionPolicy::Deactivate, false), (DeletionPolicy::Delete, false), (DeletionPolicy::Delete, true)]
    {
        for of_group in [false, true] {
            let mut world = bound(Setup { deletion, ..setup() }, &[0, 1]);
            let bob = id_of(&world, "b").expect("bound");
            world.happen(&eng(vec![Named::Place(0), Named::Place(1)]));
            world.drain();
            wait(&mut world, 3_000);
            world.happen(&if of_group { Event::Group(GroupEvent::Remove(0)) } else { Event::Remove(0) });
            while world.deliver() || world.deliver_group() {}
            world.operator.provisioner.restrict_to_removals();
            if ends {
                under_deletion(&world, false);
            }
            if !of_group {
                // Nobody else leaves.
                world.happen(&Event::Group(GroupEvent::Members(0, Vec::new())));
            }
            for _ in 0..3 {
                world.drain();
                wait(&mut world, 61_000);
            }
            let groups: Vec<_> = world.outside().site.groups.all.values().map(|group| group.members.clone()).collect();
            let told = format!("{deletion:?} {ends} {of_group} {:#?}", world.trace());
            if of_group {
                assert!(groups.is_empty() && world.outside().cluster.group_named("g").is_none(), "{told}");
            } else {
                assert_eq!(groups, [std::collections::BTreeSet::from([bob])], "{told}");
                assert!(world.outside().cluster.named("n", "a").is_none(), "{told}");
            }
        }
    }
}

#[test]
fn i23_a_creation_that_was_on_its_way_is_not_sent_without_a_key() {
    let mut world = planned();
    world.operator.provisioner.restrict_to_removals();
    while !world.operator.flight.is_empty() {
        world.advance(0);
    }
    assert!(world.outside().site.server.accounts.is_empty(), "{:#?}", world.trace());
}

pub(super) fn under_deletion(world: &World, released: bool) {
    let connection = world.outside().cluster.set_connection(|connection| {
        connection.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        if released {
            connection.annotations_mut().insert(RELEASE.into(), "true".into());
        }
    });
    world.operator.provisioner.update(Arc::new(connection));
}

fn is_kept(world: &World) -> bool {
    world.outside().cluster.connection.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

#[test]
fn i15_a_connection_under_deletion_stays_while_objects_need_it_and_serves_nothing_but_removals() {
    for of_group in [false, true] {
        let mut world = bound(setup(), if of_group { &[] } else { &[0] });
        if of_group {
            world.happen(&eng(Vec::new()));
            world.drain();
        }
        world.save();
        assert!(is_kept(&world));
        under_deletion(&world, false);
        world.happen(&Event::Declare(1, Spec::named(1)));
        world.drain();
        world.save();
        assert!(is_kept(&world), "{of_group} {:#?}", world.trace());
        assert_eq!(world.outside().site.server.accounts.len(), usize::from(!of_group), "{:#?}", world.trace());
        let removal = if of_group { Event::Group(GroupEvent::Remove(0)) } else { Event::Remove(0) };
        world.happen(&removal);
        world.drain();
        wait(&mut world, 3_000);
        world.save();
        assert!(!is_kept(&world), "{of_group} {:#?}", world.trace());
    }
}

#[test]
fn i15_a_released_connection_lets_its_objects_go_before_it_goes() {
    let mut world = bound(setup(), &[0]);
    let ada = id_of(&world, "a").expect("bound");
    world.save();
    world.happen(&Event::Remove(0));
    under_deletion(&world, true);
    while world.deliver() {}
    world.save();
    assert!(is_kept(&world), "{:#?}", world.trace());
    world.drain();
    world.save();
    assert!(!is_kept(&world) && world.outside().cluster.named("n", "a").is_none(), "{:#?}", world.trace());
    assert_eq!(account(&world, &ada), ("ada".into(), true));
}

#[test]
fn i17_before_the_first_sweep_nothing_goes_but_removals() {
    let mut world = World::new(setup(), true);
    world.happen(&Event::Declare(0, Spec::named(0)));
    while world.deliver() {}
    assert!(!world.take(), "{:#?}", world.trace());
    ends_well(world);
}

#[test]
fn i21_a_change_of_the_connection_ends_the_wait_for_an_objects_own_error() {
    let mut world = planned();
    until(&mut world, Place::Request);
    world.happen(&Event::Fault(Fault::Forbidden));
    world.drain();
    assert!(world.outside().site.server.accounts.is_empty());
    world.show_members(MembersReadable::OnRequest);
    world.drain();
    assert_eq!(world.outside().site.server.accounts.len(), 1, "{:#?}", world.trace());
}

/// Named by its id, and seen by nobody yet.
#[test]
fn i31_whom_the_server_has_yet_to_show_stays_in_a_group() {
    let mut world = World::new(Setup { protected: true, ..setup() }, true);
    world.happen(&Event::Invite(2, true));
    world.sweep(Listing::Whole);
    world.drain();
    world.happen(&eng(vec![Named::Account(0)]));
    world.drain();
    assert_eq!(members(&world), 1, "{:#?}", world.trace());
    world.happen(&Event::Group(GroupEvent::Members(0, Vec::new())));
    world.happen(&Event::Restart);
    world.drain();
    wait(&mut world, 3_000);
    let world = ends_well(world);
    assert_eq!(members(&world), 1, "{:#?}", world.trace());
}

#[test]
fn i14_a_group_that_may_hide_somebody_who_is_protected_is_not_deleted() {
    let groups = GroupSetup { readable: MembersReadable::No, ..GroupSetup::default() };
    let mut world = World::new(Setup { protected: true, groups, ..setup() }, true);
    world.happen(&Event::Invite(2, true));
    world.sweep(Listing::Whole);
    world.drain();
    world.happen(&eng(Vec::new()));
    world.drain();
    world.happen(&Event::Group(GroupEvent::Remove(0)));
    world.drain();
    wait(&mut world, 3_000);
    assert_eq!(world.outside().site.groups.all.len(), 1, "{:#?}", world.trace());
}

#[test]
fn i09_members_that_are_changed_back_again_and_again_are_left_until_the_spec_changes() {
    let mut world =
        bound(Setup { groups: GroupSetup { limits: (50, 5), ..GroupSetup::default() }, ..setup() }, &[0, 1]);
    world.happen(&eng(vec![Named::Place(0)]));
    world.drain();
    let bob = usize::from(id_of(&world, "b") > id_of(&world, "a"));
    for times in 1..=5 {
        world.happen(&Event::Group(GroupEvent::Join(0, bob)));
        for _ in 0..3 {
            wait(&mut world, 61_000);
            world.happen(&Event::Sweep(Listing::Whole));
            world.drain();
        }
        assert_eq!(members(&world), if times <= 3 { 1 } else { 2 }, "{times} {:#?}", world.trace());
    }
}

#[test]
fn i09_what_others_changed_in_a_group_while_nobody_looked_is_left_under_report() {
    // Read again by each sweep.
    let groups = GroupSetup { versions: false, ..GroupSetup::default() };
    let mut world = bound(Setup { repair: (false, false, false), groups, ..setup() }, &[0, 1]);
    world.happen(&eng(vec![Named::Place(0), Named::Place(1)]));
    world.drain();
    world.happen(&Event::Group(GroupEvent::Leave(0, 0)));
    world.happen(&Event::Restart);
    for _ in 0..3 {
        wait(&mut world, 61_000);
        world.happen(&Event::Sweep(Listing::Whole));
        world.drain();
    }
    assert_eq!(members(&world), 1, "{:#?}", world.trace());
}
