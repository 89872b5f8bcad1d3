//! Access windows, and what a person asks for, beside a list that fails.

use super::super::events::{Event, Spec};
use super::super::outside::Listing;
use super::super::world::World;
use super::{account, answered, id_of, setup};

/// Ada is bound, her access ends in five minutes; the operator begins anew, and a page of the list fails from then on.
fn beside_a_failing_list() -> World {
    let mut world = World::new(setup(), true);
    world.sweep(Listing::Whole);
    world.happen(&Event::Declare(0, Spec { active: Some(true), until: Some(5), ..Spec::named(0) }));
    world.drain();
    world.happen(&Event::Time(3_000));
    world.drain();
    world.happen(&Event::Restart);
    world.operator.provisioner.do_without_list();
    world.drain();
    world
}

#[test]
fn i17_a_window_that_ends_beside_a_list_that_fails_ends_access() {
    let mut world = beside_a_failing_list();
    let id = id_of(&world, "a").expect("bound");
    assert!(account(&world, &id).1);
    for _ in 0..6 {
        world.happen(&Event::Time(60_000));
        world.drain();
    }
    world.happen(&Event::Time(3_000));
    world.drain();
    assert!(!account(&world, &id).1, "{:#?}", world.trace());
}

#[test]
fn i17_a_window_is_watched_before_any_list_has_ended() {
    let mut world = beside_a_failing_list();
    let id = id_of(&world, "a").expect("bound");
    // Nothing but removals is begun before the first list has ended, however long it takes.
    world.happen(&Event::Restart);
    for _ in 0..6 {
        world.happen(&Event::Time(60_000));
        world.drain();
    }
    world.happen(&Event::Time(3_000));
    world.drain();
    assert!(!account(&world, &id).1, "{:#?}", world.trace());
}

#[test]
fn i22_a_person_who_asks_beside_a_list_that_fails_is_answered() {
    let mut world = beside_a_failing_list();
    world.happen(&Event::Request(0));
    world.drain();
    assert!(answered(&world), "{:#?}", world.trace());
}
