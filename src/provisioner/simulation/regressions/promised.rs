//! What is on record of other objects, and of what was sent, and doesn't hold.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::events::{Event, Spec};
use super::super::group_events::{GroupEvent, GroupSpec};
use super::super::outside::{Fault, Listing, Place};
use super::super::quirks::Quirks;
use super::super::setup::Setup;
use super::super::site::is_active;
use super::super::world::World;
use super::{bound, ends_well, id_of, setup, until, with};
use crate::api::Uid;
use crate::directory::has_finalizer;

fn eng(external_id: Option<&'static str>) -> GroupSpec {
    GroupSpec { name: 0, external_id, additive: false, members: Vec::new(), selects: false, retain: false }
}

fn settle(world: &mut World) {
    for _ in 0..12 {
        world.drain();
        world.happen(&Event::Time(62_000));
    }
    world.drain();
}

fn active(world: &World) -> usize {
    world.outside().site.server.accounts.values().filter(|account| is_active(account)).count()
}

/// Its creation took effect, and nobody heard of it.
fn unheard(world: &mut World) {
    until(world, Place::Request);
    world.happen(&Event::Fault(Fault::Lost));
    while !world.operator.flight.is_empty() {
        world.advance(0);
    }
}

/// Another externalId is declared, or none any more, before the account is found again.
#[test]
fn i15_what_was_created_goes_with_its_object_whatever_external_id_is_declared_by_then() {
    for (declared, deleted) in [(Some("other"), true), (None, true), (Some("other"), false)] {
        let mut world = bound(setup(), &[]);
        world.happen(&Event::Declare(0, Spec { external_id: true, active: Some(true), ..Spec::named(0) }));
        while world.deliver() {}
        unheard(&mut world);
        let uid =
            world.outside().cluster.named("n", "a").and_then(|object| Uid::given(&object.metadata)).expect("declared");
        world.outside().cluster.edit(&uid, |user| user.spec.external_id = declared.map(str::to_owned));
        if deleted {
            world.happen(&Event::Remove(0));
        }
        settle(&mut world);
        let there = world.outside().cluster.named("n", "a").is_some();
        assert_eq!((there, active(&world)), (!deleted, usize::from(!deleted)), "{declared:?} {:#?}", world.trace());
        let shown = world.outside().site.server.accounts.values().next().expect("one account").clone();
        let expected = if deleted { "e-0" } else { "other" };
        assert_eq!(shown["externalId"], json!(expected), "{declared:?} {:#?}", world.trace());
        ends_well(world);
    }
}

#[test]
fn i15_a_group_that_was_created_goes_with_its_object_whatever_external_id_is_declared_by_then() {
    for deleted in [true, false] {
        let mut world = bound(setup(), &[]);
        world.happen(&Event::Group(GroupEvent::Declare(0, eng(Some("x")))));
        while world.deliver_group() {}
        unheard(&mut world);
        world.happen(&Event::Group(GroupEvent::Change(0, eng(Some("y")))));
        if deleted {
            world.happen(&Event::Group(GroupEvent::Remove(0)));
        }
        settle(&mut world);
        let shown: Vec<Value> = {
            let outside = world.outside();
            outside.site.groups.all.values().map(|group| group.attributes["externalId"].clone()).collect()
        };
        let expected = if deleted { Vec::new() } else { vec![json!("y")] };
        assert_eq!(shown, expected, "{:#?}", world.trace());
        ends_well(world);
    }
}

/// A tenant writes the account's id into the status of an object that nobody has looked at yet, and takes that away again.
#[test]
fn i32_nobody_is_handed_over_to_an_object_that_could_go_without_a_removal() {
    let mut world = bound(setup(), &[0]);
    world.happen(&Event::Declare(1, Spec::named(0)));
    world.happen(&Event::Forge(1, 0));
    world.happen(&Event::Remove(0));
    while world.deliver() {}
    let leaving =
        world.outside().cluster.named("n", "a").and_then(|object| Uid::given(&object.metadata)).expect("bound");
    for _ in 0..40 {
        world.take();
        let place = world.operator.flight.iter().position(|flight| flight.ticket.uid == leaving);
        place.map(|place| world.advance(place));
    }
    world.happen(&Event::Remove(1));
    settle(&mut world);
    assert!(world.outside().cluster.objects.is_empty(), "{:#?}", world.trace());
    assert_eq!(active(&world), 0, "{:#?}", world.trace());
}

#[test]
fn i32_no_group_is_handed_over_to_an_object_that_could_go_without_a_removal() {
    let mut world = bound(setup(), &[]);
    world.happen(&Event::Group(GroupEvent::Declare(0, eng(None))));
    world.drain();
    world.happen(&Event::Group(GroupEvent::Declare(1, eng(None))));
    {
        let mut outside = world.outside();
        let status = outside.cluster.group_named("g").and_then(|group| group.status.clone());
        let uid = outside.cluster.group_named("h").and_then(|object| Uid::given(&object.metadata)).expect("declared");
        outside.cluster.edit_group(&uid, |group| group.status = status);
    }
    world.happen(&Event::Group(GroupEvent::Remove(0)));
    while world.deliver_group() {}
    let leaving =
        world.outside().cluster.group_named("g").and_then(|object| Uid::given(&object.metadata)).expect("bound");
    for _ in 0..40 {
        world.take();
        let place = world.operator.flight.iter().position(|flight| flight.ticket.uid == leaving);
        place.map(|place| world.advance(place));
    }
    world.happen(&Event::Group(GroupEvent::Remove(1)));
    settle(&mut world);
    assert!(world.outside().cluster.groups.is_empty(), "{:#?}", world.trace());
    assert!(world.outside().site.groups.all.is_empty(), "{:#?}", world.trace());
}

/// Somebody took the finalizer off: the next look puts it back, and the deletion that follows takes the access.
#[test]
fn i15_an_object_that_lost_its_finalizer_gets_it_back() {
    let mut world = bound(setup(), &[0]);
    world.happen(&Event::Group(GroupEvent::Declare(0, eng(None))));
    world.drain();
    let uid = world.outside().cluster.named("n", "a").and_then(|object| Uid::given(&object.metadata)).expect("bound");
    world.outside().cluster.edit(&uid, |user| user.metadata.finalizers = None);
    let group =
        world.outside().cluster.group_named("g").and_then(|object| Uid::given(&object.metadata)).expect("bound");
    world.outside().cluster.edit_group(&group, |group| group.metadata.finalizers = None);
    world.happen(&Event::Sweep(Listing::Whole));
    settle(&mut world);
    let kept = {
        let outside = world.outside();
        (outside.cluster.objects.values().all(has_finalizer), outside.cluster.groups.values().all(has_finalizer))
    };
    assert_eq!(kept, (true, true), "{:#?}", world.trace());
    assert!(id_of(&world, "a").is_some());
    world.happen(&Event::Remove(0));
    world.happen(&Event::Group(GroupEvent::Remove(0)));
    settle(&mut world);
    assert_eq!((active(&world), world.outside().site.groups.all.len()), (0, 0), "{:#?}", world.trace());
}

/// An account that waits for its invitation to be accepted, and is shown with another name: what would change it is held
/// once, and not anew each day.
#[test]
fn i13_whoever_is_invited_and_shown_with_another_name_is_held_once() {
    for swapped in [false, true] {
        let quirks = Quirks { invites: true, ..Quirks::default() };
        let mut world = bound(Setup { limits: (5, 0, 5), ..with(quirks) }, &[0, 1]);
        let ids = ["a", "b"].map(|name| id_of(&world, name).expect("bound"));
        if swapped {
            world.outside().site.swap(&ids[0], &ids[1]);
        } else {
            world.outside().site.meddle(&ids[0], |account| {
                account.insert("userName".into(), json!("dee"));
            });
        }
        let mut held = BTreeSet::new();
        for _ in 0..4 {
            world.happen(&Event::Sweep(Listing::Whole));
            settle(&mut world);
            held.extend(world.holds().into_iter().filter_map(|hold| hold.id));
            world.happen(&Event::Time(90_000_000));
        }
        assert_eq!(held.len(), usize::from(!swapped), "{held:?} {:#?}", world.trace());
    }
}

/// Everything that is read of this object meets the fault; ada's manifest has moved to it.
pub(super) fn meets(world: &mut World, uid: &Uid, fault: Fault) {
    while world.deliver() {}
    while world.take() || !world.operator.flight.is_empty() {
        let reads = world.place() == Some(Place::Read) && world.operator.flight[0].ticket.uid == *uid;
        if reads {
            world.happen(&Event::Fault(fault));
        }
        world.advance(0);
        while world.deliver() {}
    }
}

/// The server has trouble with the account for half a minute, or denies a read of it once.
#[test]
fn i08_trouble_that_passes_makes_nobody_decline_to_take_over() {
    for (fault, rounds) in [(Fault::Broken, 8), (Fault::Forbidden, 1)] {
        let mut world = bound(setup(), &[0, 1]);
        world.happen(&Event::Move(0, 2, true));
        let successor = world.placed(2).expect("declared");
        for round in 0..rounds {
            // Others are served.
            let title = Some(if round % 2 == 0 { "x" } else { "y" });
            world.happen(&Event::Change(1, Spec { active: Some(true), title, ..Spec::named(1) }));
            meets(&mut world, &successor, fault);
            world.happen(&Event::Time(4_000));
        }
        world.drain();
        world.happen(&Event::Time(10_000));
        world.drain();
        assert_eq!(active(&world), 2, "{fault:?} {:#?}", world.trace());
        let world = ends_well(world);
        assert_eq!(active(&world), 2, "{fault:?} {:#?}", world.trace());
        assert!(world.outside().cluster.named("n", "a").is_none() && id_of(&world, "c").is_some());
    }
}

/// The other connection, which is to take the account over, has no key yet.
#[test]
fn i08_a_connection_that_serves_nobody_yet_costs_nobody_whose_manifest_moves_to_it() {
    for swept in [false, true] {
        let mut world = bound(setup(), &[0]);
        if !swept {
            world.operator.second.connection.sessions.end();
        }
        world.happen(&Event::MoveAway(0, 1, true));
        // Connected, it lists nobody: its server is away, say.
        for _ in 0..12 {
            world.drain();
            world.happen(&Event::Time(200_000));
        }
        world.drain();
        assert_eq!(active(&world), 1, "{swept} {:#?}", world.trace());
        world.connect();
        let world = ends_well(world);
        assert_eq!(active(&world), 1, "{swept} {:#?}", world.trace());
        let handed_over = world.outside().cluster.named("n", "a").is_none() && id_of(&world, "b").is_some();
        assert!(handed_over, "{swept} {:#?}", world.trace());
    }
}

/// It is served, and can't be read: nobody loses an account for want of an answer, and nobody's removal waits for a week.
#[test]
fn i08_a_successor_that_never_comes_keeps_no_removal_waiting_for_long() {
    let mut world = bound(setup(), &[0]);
    world.happen(&Event::Sweep(Listing::Whole));
    world.drain();
    world.happen(&Event::MoveAway(0, 1, true));
    let successor = world.placed(1).expect("declared");
    meets(&mut world, &successor, Fault::Broken);
    world.happen(&Event::Sweep(Listing::Whole));
    while world.page() {}
    world.tick();
    for _ in 0..3 {
        meets(&mut world, &successor, Fault::Broken);
        world.happen(&Event::Time(61_000));
    }
    assert_eq!(active(&world), 1, "it is waited for: {:#?}", world.trace());
    for _ in 0..5 {
        meets(&mut world, &successor, Fault::Broken);
        world.happen(&Event::Time(200_000));
    }
    meets(&mut world, &successor, Fault::Broken);
    world.happen(&Event::Time(3_000));
    meets(&mut world, &successor, Fault::Broken);
    assert_eq!(active(&world), 1, "it has had no turn: {:#?}", world.trace());
    for _ in 0..25 {
        meets(&mut world, &successor, Fault::Broken);
        world.happen(&Event::Time(3_600_000));
    }
    meets(&mut world, &successor, Fault::Broken);
    assert_eq!(active(&world), 0, "{:#?}", world.trace());
}

/// The server gave out new ids, and the manifest moved before anybody was bound anew.
#[test]
fn i08_whose_account_was_taken_over_under_a_new_id_goes_without_a_warning() {
    let mut world = bound(setup(), &[0]);
    world.happen(&Event::Group(GroupEvent::Declare(0, eng(None))));
    world.drain();
    world.outside().site.renumber();
    world.happen(&Event::Move(0, 1, false));
    world.happen(&Event::Group(GroupEvent::Move(0, 1, false)));
    settle(&mut world);
    let gone = world.outside().cluster.named("n", "a").is_none() && world.outside().cluster.group_named("g").is_none();
    assert!(gone, "{:#?}", world.trace());
    assert!(
        !world.trace().iter().any(|line| line.contains("AccountLeft") || line.contains("GroupLeft")),
        "{:#?}",
        world.trace()
    );
    assert_eq!((active(&world), world.outside().site.groups.all.len()), (1, 1), "{:#?}", world.trace());
    assert!(id_of(&world, "b").is_some_and(|id| id.starts_with("new-")), "{:#?}", world.trace());
}
