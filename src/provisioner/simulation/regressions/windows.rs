//! When things are tried: access windows, what a person asks for beside a list that fails, what is forbidden.

use super::super::events::{Event, Spec};
use super::super::outside::{Fault, Listing, Place};
use super::super::setup::Setup;
use super::super::world::World;
use super::{account, answered, bound, id_of, setup, until};
use crate::provisioner::schedule::limiter::Priority;

/// Minutes until access ends: years, so that no other clock than the simulated one comes to it.
const UNTIL: i64 = 2_000_000;

/// Ada is bound; the operator begins anew, and a page of the list fails from then on.
fn beside_a_failing_list(until: Option<i64>) -> World {
    let mut world = World::new(setup(), true);
    world.sweep(Listing::Whole);
    world.happen(&Event::Declare(0, Spec { active: Some(true), until, ..Spec::named(0) }));
    world.drain();
    world.happen(&Event::Time(3_000));
    world.drain();
    world.happen(&Event::Restart);
    world.operator.provisioner.do_without_list();
    world.drain();
    world
}

fn until_it_has_ended(world: &mut World) {
    for millis in [(UNTIL - 5) * 60_000, 5 * 60_000, 3_000, 61_000] {
        world.happen(&Event::Time(millis));
        world.drain();
    }
}

#[test]
fn i17_a_window_that_ends_beside_a_list_that_fails_ends_access() {
    let mut world = beside_a_failing_list(Some(UNTIL));
    let id = id_of(&world, "a").expect("bound");
    assert!(account(&world, &id).1);
    until_it_has_ended(&mut world);
    assert!(!account(&world, &id).1, "{:#?}", world.trace());
}

#[test]
fn i17_a_window_is_watched_before_any_list_has_ended() {
    let mut world = beside_a_failing_list(Some(UNTIL));
    let id = id_of(&world, "a").expect("bound");
    // Nothing but removals is begun before the first list has ended, however long it takes.
    world.happen(&Event::Restart);
    until_it_has_ended(&mut world);
    assert!(!account(&world, &id).1, "{:#?}", world.trace());
}

/// The account is read before it is replaced.
#[test]
fn i17_what_the_end_of_a_window_needs_to_know_is_asked_for_as_a_removal_is() {
    let mut world = World::new(Setup { put: true, ..setup() }, true);
    world.sweep(Listing::Whole);
    world.happen(&Event::Declare(0, Spec { active: Some(true), until: Some(UNTIL), ..Spec::named(0) }));
    world.drain();
    world.happen(&Event::Time((UNTIL - 5) * 60_000));
    world.drain();
    let id = id_of(&world, "a").expect("bound");
    world.outside().turns.clear();
    for millis in [5 * 60_000, 3_000] {
        world.happen(&Event::Time(millis));
        world.drain();
    }
    assert!(!account(&world, &id).1, "{:#?}", world.trace());
    let turns = world.outside().turns.clone();
    assert!(turns.len() > 1 && turns.iter().all(|(_, priority)| *priority == Priority::Removal), "{turns:?}");
}

#[test]
fn i22_a_person_who_asks_beside_a_list_that_fails_is_answered() {
    let mut world = beside_a_failing_list(None);
    world.happen(&Event::Request(0));
    world.drain();
    assert!(answered(&world), "{:#?}", world.trace());
}

/// Until a right is granted at the server, say.
#[test]
fn i17_a_removal_that_is_forbidden_is_tried_again_hourly_and_not_less_often() {
    let mut world = bound(setup(), &[0]);
    let id = id_of(&world, "a").expect("bound");
    world.happen(&Event::Remove(0));
    world.drain();
    world.happen(&Event::Time(3_000));
    for _ in 0..4 {
        until(&mut world, Place::Request);
        world.happen(&Event::Fault(Fault::Forbidden));
        world.drain();
        assert!(account(&world, &id).1, "{:#?}", world.trace());
        world.happen(&Event::Time(60 * 60 * 1_000));
        world.drain();
        world.happen(&Event::Time(3_000));
    }
    world.drain();
    assert!(!account(&world, &id).1, "{:#?}", world.trace());
}
