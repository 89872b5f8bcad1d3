//! What ends, and what doesn't, while a connection can't serve everybody: it is under deletion, its Secret is gone, or its
//! server is away.

use std::time::Duration;

use serde_json::json;

use super::super::events::{Event, Spec};
use super::super::group_checks::reason_of_group;
use super::super::group_events::{GroupEvent, GroupSpec, Named};
use super::super::outside::{Fault, Listing};
use super::super::setup::Setup;
use super::super::world::World;
use super::claims::created_unheard;
use super::leavers::under_deletion;
use super::promised::meets;
use super::{account, bound, id_of, only_account, ready, setup};
use crate::api::DeletionPolicy;

/// Minutes until access ends: years, so that no other clock than the simulated one comes to it.
const UNTIL: i64 = 2_000_000;

/// Ada, whose access ends, and Bob.
fn declared() -> (World, String, String) {
    let mut world = bound(setup(), &[0, 1]);
    world.happen(&Event::Change(0, Spec { active: Some(true), until: Some(UNTIL), ..Spec::named(0) }));
    world.drain();
    let ids = ["a", "b"].map(|name| id_of(&world, name).expect("bound"));
    let [ada, bob] = ids;
    (world, ada, bob)
}

fn until_it_has_ended(world: &mut World) {
    for millis in [(UNTIL - 5) * 60_000, 6 * 60_000, 3_000, 61_000] {
        world.happen(&Event::Time(millis));
        world.drain();
    }
}

/// By an edit, and by a window; without a Secret, too.
#[test]
fn i15_a_connection_under_deletion_ends_access_that_is_declared_to_end() {
    for without_key in [false, true] {
        let (mut world, ada, bob) = declared();
        if without_key {
            world.operator.provisioner.restrict_to_removals();
        }
        under_deletion(&world, false);
        // More is declared than that, and nothing else is done.
        world.happen(&Event::Change(1, Spec { active: Some(false), title: Some("Dr"), ..Spec::named(1) }));
        world.drain();
        world.happen(&Event::Time(3_000));
        world.drain();
        let told = format!("{without_key} {:#?}", world.trace());
        assert_eq!((account(&world, &ada).1, account(&world, &bob).1), (true, false), "{told}");
        assert_eq!(world.outside().site.server.accounts[&bob].get("title"), None, "{told}");
        assert_eq!(ready(&world, "b").0, "ConnectionNotReady", "{told}");
        until_it_has_ended(&mut world);
        assert!(!account(&world, &ada).1, "{without_key} {:#?}", world.trace());
        // Nobody is given access any more.
        world.happen(&Event::Activate(1, Some(true)));
        world.happen(&Event::Declare(2, Spec { active: Some(true), ..Spec::named(2) }));
        world.happen(&Event::Sweep(Listing::Whole));
        world.drain();
        assert!(!account(&world, &bob).1, "{without_key} {:#?}", world.trace());
        assert_eq!(world.outside().site.server.accounts.len(), 2, "{without_key} {:#?}", world.trace());
    }
}

/// The first write failed, and then the connection was deleted.
#[test]
fn i15_a_connection_under_deletion_ends_access_that_was_to_end_before() {
    let (mut world, _, bob) = declared();
    world.happen(&Event::Activate(1, Some(false)));
    while world.deliver() {}
    under_deletion(&world, false);
    world.happen(&Event::Restart);
    world.happen(&Event::Sweep(Listing::Whole));
    world.drain();
    world.happen(&Event::Time(3_000));
    world.drain();
    assert!(!account(&world, &bob).1, "{:#?}", world.trace());
}

#[test]
fn i23_without_a_key_a_window_ends_that_was_declared_before() {
    let (mut world, ada, bob) = declared();
    world.operator.provisioner.restrict_to_removals();
    // Declared since, and by nobody before.
    world.happen(&Event::Change(1, Spec { active: Some(true), until: Some(UNTIL), ..Spec::named(1) }));
    world.drain();
    assert!(account(&world, &ada).1);
    until_it_has_ended(&mut world);
    assert_eq!((account(&world, &ada).1, account(&world, &bob).1), (false, true), "{:#?}", world.trace());
}

/// The manifest is renamed, and before the new object is served the server is away for a quarter of an hour.
#[test]
fn i08_an_outage_costs_nobody_whose_manifest_moves() {
    for deletion in [DeletionPolicy::Deactivate, DeletionPolicy::Delete] {
        for first in [true, false] {
            let mut world = bound(Setup { deletion, ..setup() }, &[0]);
            let ada = id_of(&world, "a").expect("bound");
            world.happen(&Event::Move(0, 1, first));
            while world.deliver() {}
            // Who goes comes first, and begins to wait.
            assert!(world.take());
            while !world.operator.flight.is_empty() {
                world.advance(0);
            }
            world.operator.provisioner.connection.sessions.end();
            for _ in 0..5 {
                world.drain();
                world.happen(&Event::Time(200_000));
            }
            world.connect();
            world.drain();
            world.happen(&Event::Time(3_000));
            world.drain();
            world.happen(&Event::Sweep(Listing::Whole));
            for _ in 0..3 {
                world.drain();
                world.happen(&Event::Time(62_000));
            }
            let told = format!("{deletion:?} {first} {:#?}", world.trace());
            assert!(world.outside().site.server.accounts.contains_key(&ada), "{told}");
            assert!(account(&world, &ada).1, "{told}");
            assert_eq!(id_of(&world, "b"), Some(ada), "{told}");
        }
    }
}

/// The same, and the server asks for so much patience.
#[tokio::test(start_paused = true)]
async fn i08_a_pause_costs_nobody_whose_manifest_moves() {
    let mut world = bound(setup(), &[0]);
    let ada = id_of(&world, "a").expect("bound");
    world.happen(&Event::Move(0, 1, true));
    while world.deliver() {}
    assert!(world.take());
    while !world.operator.flight.is_empty() {
        world.advance(0);
    }
    world.operator.provisioner.schedule.limiter().pause(Duration::from_secs(900));
    world.happen(&Event::Time(1_000_000));
    tokio::time::advance(Duration::from_secs(1_000)).await;
    for _ in 0..3 {
        world.drain();
        world.happen(&Event::Time(62_000));
    }
    world.drain();
    assert!(account(&world, &ada).1, "{:#?}", world.trace());
    assert_eq!(id_of(&world, "b"), Some(ada), "{:#?}", world.trace());
}

/// Whoever is to take the account over can't be read.
#[tokio::test(start_paused = true)]
async fn i08_pauses_now_and_then_keep_no_removal_waiting_for_ever() {
    let mut world = bound(setup(), &[0]);
    let ada = id_of(&world, "a").expect("bound");
    world.happen(&Event::MoveAway(0, 1, true));
    let successor = world.placed(1).expect("declared");
    meets(&mut world, &successor, Fault::Broken);
    world.happen(&Event::Sweep(Listing::Whole));
    while world.page() {}
    world.tick();
    for _ in 0..5 {
        meets(&mut world, &successor, Fault::Broken);
        assert!(account(&world, &ada).1, "it is waited for: {:#?}", world.trace());
        world.operator.provisioner.schedule.limiter().pause(Duration::from_secs(1));
        meets(&mut world, &successor, Fault::Broken);
        tokio::time::advance(Duration::from_secs(2)).await;
        world.happen(&Event::Time(140_000));
    }
    for _ in 0..25 {
        meets(&mut world, &successor, Fault::Broken);
        world.operator.provisioner.schedule.limiter().pause(Duration::from_secs(1));
        meets(&mut world, &successor, Fault::Broken);
        tokio::time::advance(Duration::from_secs(2)).await;
        world.happen(&Event::Time(3_600_000));
    }
    meets(&mut world, &successor, Fault::Broken);
    assert!(!account(&world, &ada).1, "{:#?}", world.trace());
}

/// Nothing but the claim tells that there is an account.
#[test]
fn i15_whose_creation_was_never_answered_is_deactivated_while_only_removals_are_served() {
    for without_key in [false, true] {
        let mut world = World::new(setup(), true);
        created_unheard(&mut world);
        assert_eq!((id_of(&world, "a"), only_account(&world)["active"].clone()), (None, json!(true)));
        world.happen(&Event::Activate(0, Some(false)));
        while world.deliver() {}
        if without_key {
            world.operator.provisioner.restrict_to_removals();
        } else {
            under_deletion(&world, false);
        }
        for _ in 0..3 {
            world.drain();
            world.happen(&Event::Time(5_000));
        }
        world.drain();
        assert_eq!(only_account(&world)["active"], json!(false), "{without_key} {:#?}", world.trace());
    }
}

/// One leaves because the account goes, which was declared before, and another by an edit that comes too late.
#[test]
fn i23_what_is_not_carried_out_of_a_group_without_a_key_is_not_said_to_be() {
    let mut world = bound(setup(), &[0, 1]);
    let members = vec![Named::Place(0), Named::Place(1)];
    let eng = GroupSpec { name: 0, external_id: None, additive: false, members, selects: false, retain: false };
    world.happen(&Event::Group(GroupEvent::Declare(0, eng)));
    world.drain();
    world.happen(&Event::Remove(0));
    while world.deliver() {}
    world.operator.provisioner.restrict_to_removals();
    world.happen(&Event::Group(GroupEvent::Members(0, Vec::new())));
    for _ in 0..3 {
        world.drain();
        world.happen(&Event::Time(61_000));
    }
    world.drain();
    let group = world.outside().cluster.group_named("g").cloned().expect("declared");
    let status = group.status.unwrap_or_default();
    assert_ne!(status.observed_generation, group.metadata.generation, "{:#?}", world.trace());
    assert_eq!(reason_of_group(&status), "ConnectionNotReady", "{:#?}", world.trace());
    let bob = id_of(&world, "b").expect("bound");
    let left: Vec<_> = world.outside().site.groups.all.values().map(|group| group.members.clone()).collect();
    assert_eq!(left, [std::collections::BTreeSet::from([bob])], "{:#?}", world.trace());
}
