//! Lists that are short for good: the server counts more than it shows.

use super::super::events::{Event, Spec};
use super::super::outside::Listing;
use super::super::world::World;
use super::{ends_well, placed, ready, setup};
use crate::api::UserState;

fn swept_short(world: &mut World, times: usize) {
    for _ in 0..times {
        world.happen(&Event::Time(61_000));
        world.happen(&Event::Sweep(Listing::Short));
        world.drain();
    }
}

/// Ada is bound, and no list shows her: each leaves out the last one.
fn left_out() -> World {
    let mut world = World::new(setup(), true);
    swept_short(&mut world, 1);
    world.happen(&Event::Declare(0, Spec { active: Some(true), title: Some("x"), ..Spec::named(0) }));
    world.drain();
    swept_short(&mut world, 2);
    assert_eq!(ready(&world, "a").0, "Synced", "{:#?}", world.trace());
    world
}

#[test]
fn i11_an_account_that_a_short_list_leaves_out_is_found_gone() {
    for restarts in [false, true] {
        let mut world = left_out();
        world.happen(&Event::Erase(0));
        if restarts {
            world.happen(&Event::Restart);
        }
        // Somebody else is there, whom the list leaves out instead.
        world.happen(&Event::Invite(1, true));
        swept_short(&mut world, 4);
        let state = placed(&world, "a").status.clone().and_then(|status| status.state);
        assert_eq!(state, Some(UserState::DeletedAtServer), "{restarts}: {:#?}", world.trace());
        ends_well(world);
    }
}

#[test]
fn i09_drift_of_an_account_that_a_short_list_leaves_out_is_found() {
    for restarts in [false, true] {
        let mut world = left_out();
        world.happen(&Event::Retitle(0, "y"));
        if restarts {
            world.happen(&Event::Restart);
        }
        swept_short(&mut world, 4);
        assert_eq!(super::only_account(&world)["title"], "x", "{restarts}: {:#?}", world.trace());
        ends_well(world);
    }
}

/// At rest it costs one read of each that is left out in a sweep, and no write.
#[test]
fn i01_a_short_list_changes_nothing_of_who_is_as_declared() {
    let mut world = left_out();
    let before = world.writes();
    swept_short(&mut world, 5);
    assert_eq!(world.writes(), before, "{:#?}", world.trace());
    ends_well(world);
}
