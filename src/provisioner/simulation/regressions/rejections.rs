//! What a person rejected, and what is asked for its object besides.

use serde_json::json;

use super::super::events::{Event, Spec};
use super::super::group_checks::reason_of_group;
use super::super::group_events::{GroupEvent, GroupSpec, Named};
use super::super::outside::Listing;
use super::super::setup::{GroupSetup, Setup};
use super::super::world::World;
use super::{bound, only_account, ready, setup};

/// Minutes until access ends: years, so that no other clock than the simulated one comes to it.
const UNTIL: i64 = 2_000_000;

fn passes(world: &mut World, all: &[i64]) {
    world.drain();
    for millis in all {
        world.happen(&Event::Time(*millis));
        world.drain();
    }
}

fn email(world: &World) -> serde_json::Value {
    only_account(world)["emails"][0]["value"].clone()
}

/// Ada's new address was held under `mode: Plan` and rejected; one such change would be let go by the guard.
fn rejected(until: Option<i64>) -> World {
    let mut world = World::new(setup(), true);
    world.sweep(Listing::Whole);
    let ada = |email| Spec { active: Some(true), email: Some(email), until, ..Spec::named(0) };
    world.happen(&Event::Declare(0, ada("x")));
    world.drain();
    world.happen(&Event::Plan(true));
    world.happen(&Event::Change(0, ada("y")));
    passes(&mut world, &[3_000, 31_000]);
    assert_eq!(world.holds().len(), 1, "{:#?}", world.trace());
    world.happen(&Event::Answer(0, false));
    world.drain();
    world.happen(&Event::Plan(false));
    passes(&mut world, &[3_000]);
    assert_eq!((email(&world), ready(&world, "a").0), (json!("x"), "Held".into()), "{:#?}", world.trace());
    world
}

#[test]
fn i13_what_was_rejected_stays_undone_when_the_connection_is_suspended_and_resumed() {
    for restarts in [false, true] {
        let mut world = rejected(None);
        world.set_suspended(true);
        passes(&mut world, &[3_000]);
        assert_eq!(ready(&world, "a").0, "Suspended", "{:#?}", world.trace());
        if restarts {
            world.save();
            world.happen(&Event::Restart);
            world.happen(&Event::Sweep(Listing::Whole));
            world.drain();
        }
        world.set_suspended(false);
        passes(&mut world, &[3_000, 31_000]);
        assert_eq!(email(&world), json!("x"), "{restarts} {:#?}", world.trace());
        assert_eq!((world.holds().len(), ready(&world, "a").0), (0, "Held".into()), "{:#?}", world.trace());
        // Until the spec says something else.
        let edited = Spec { active: Some(true), email: Some("z"), ..Spec::named(0) };
        world.happen(&Event::Change(0, edited));
        passes(&mut world, &[3_000, 31_000]);
        assert_eq!(email(&world), json!("z"), "{:#?}", world.trace());
    }
}

#[test]
fn i13_what_was_rejected_stays_undone_when_access_ends() {
    let mut world = rejected(Some(UNTIL));
    passes(&mut world, &[(UNTIL - 5) * 60_000, 5 * 60_000, 3_000, 61_000, 31_000]);
    assert_eq!(only_account(&world)["active"], json!(false), "{:#?}", world.trace());
    assert_eq!(email(&world), json!("x"), "{:#?}", world.trace());
}

/// Of those who were to be taken out, not everybody was seen when they are asked about for the first time.
#[test]
fn i13_members_whose_removal_was_rejected_are_not_asked_about_anew_by_a_restart() {
    for suspends in [false, true] {
        let groups = GroupSetup { limits: (1, 5), ..GroupSetup::default() };
        let mut world = bound(Setup { groups, protected: true, ..setup() }, &[0, 1, 4]);
        let all = vec![Named::Place(0), Named::Place(1), Named::Place(2)];
        let spec =
            GroupSpec { name: 0, external_id: None, additive: false, members: all, selects: false, retain: false };
        world.happen(&Event::Group(GroupEvent::Declare(0, spec)));
        world.drain();
        world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(0)])));
        passes(&mut world, &[3_000, 31_000]);
        assert_eq!(world.holds().len(), 1, "{:#?}", world.trace());
        world.happen(&Event::Answer(0, false));
        world.drain();
        world.save();
        if suspends {
            world.set_suspended(true);
            passes(&mut world, &[3_000]);
        }
        // The window of the guard is over, so that it would let one go.
        world.happen(&Event::Time(86_400_000));
        world.happen(&Event::Restart);
        if suspends {
            world.set_suspended(false);
        }
        world.happen(&Event::Sweep(Listing::Whole));
        passes(&mut world, &[3_000, 31_000, 61_000]);
        world.happen(&Event::Sweep(Listing::Whole));
        passes(&mut world, &[3_000, 31_000]);
        assert_eq!(world.holds().len(), 0, "{suspends} {:#?}", world.trace());
        let group = world.outside().site.groups.all.values().next().cloned().expect("one group");
        assert_eq!(group.members.len(), 3, "{suspends} {:#?}", world.trace());
    }
}

fn eng(name: usize, members: Vec<Named>) -> GroupSpec {
    GroupSpec { name, external_id: None, additive: false, members, selects: false, retain: false }
}

/// A group is made, renamed, or gets a member, under `mode: Plan`; somebody rejects that, and the connection is to apply
/// what is declared.
#[test]
fn i13_what_was_rejected_of_a_group_under_plan_stays_undone() {
    for (what, restarts) in [(0, false), (1, false), (2, false), (0, true), (1, true), (2, true)] {
        let mut world = bound(setup(), &[0, 1]);
        world.happen(&Event::Group(GroupEvent::Label(0, true)));
        if what > 0 {
            let spec = GroupSpec { selects: true, ..eng(0, vec![Named::Place(0)]) };
            world.happen(&Event::Group(GroupEvent::Declare(0, spec)));
            passes(&mut world, &[3_000]);
        }
        world.happen(&Event::Plan(true));
        let held = match what {
            0 => GroupEvent::Declare(0, eng(0, Vec::new())),
            1 => GroupEvent::Rename(0, 1),
            _ => GroupEvent::Members(0, vec![Named::Place(0), Named::Place(1)]),
        };
        world.happen(&Event::Group(held));
        passes(&mut world, &[3_000, 31_000]);
        assert_eq!(world.holds().len(), 1, "{what} {:#?}", world.trace());
        world.happen(&Event::Answer(0, false));
        world.drain();
        world.happen(&Event::Plan(false));
        if restarts {
            world.save();
            world.happen(&Event::Restart);
            world.happen(&Event::Sweep(Listing::Whole));
        }
        passes(&mut world, &[3_000, 61_000, 31_000]);
        world.happen(&Event::Sweep(Listing::Whole));
        passes(&mut world, &[3_000, 61_000]);
        let seen = |world: &World| -> Vec<(String, usize)> {
            let outside = world.outside();
            outside.site.groups.all.values().map(|group| (group.name().to_owned(), group.members.len())).collect()
        };
        let expected = if what == 0 { Vec::new() } else { vec![("eng".to_owned(), 1)] };
        assert_eq!(seen(&world), expected, "{what} {restarts} {:#?}", world.trace());
        // What was rejected of the name keeps nobody out whose label comes, and what of one member no other.
        if what == 1 {
            world.happen(&Event::Group(GroupEvent::Label(1, true)));
            passes(&mut world, &[3_000, 61_000]);
            assert_eq!(seen(&world), [("eng".to_owned(), 2)], "{restarts} {:#?}", world.trace());
        }
        // Until the spec says something else.
        let edited = GroupSpec { selects: true, ..eng(0, vec![Named::Place(1)]) };
        world.happen(&Event::Group(GroupEvent::Change(0, edited)));
        passes(&mut world, &[3_000, 61_000]);
        let all = seen(&world);
        assert_eq!((all.len(), all[0].1), (1, 2), "{what} {restarts} {:#?}", world.trace());
    }
}

/// Names of groups, and how many are in them.
fn groups(world: &World) -> Vec<(String, usize)> {
    let all = world.outside().site.groups.all.clone();
    all.into_values().map(|group| (group.name().to_owned(), group.members.len())).collect()
}

fn reason(world: &World) -> String {
    let group = world.outside().cluster.group_named("g").cloned().expect("declared");
    reason_of_group(group.status.as_ref().expect("a status")).to_owned()
}

/// This was held under `mode: Plan`, and rejected; then the connection carries out what is declared.
fn rejected_of_group(world: &mut World, event: GroupEvent) {
    world.happen(&Event::Plan(true));
    world.happen(&Event::Group(event));
    passes(world, &[3_000, 31_000]);
    assert_eq!(world.holds().len(), 1, "{:#?}", world.trace());
    world.happen(&Event::Answer(0, false));
    world.drain();
    world.save();
    world.happen(&Event::Plan(false));
    passes(world, &[3_000]);
}

/// No guard counts it: a group is made, adopted, or renamed, or members are put in.
#[test]
fn i13_what_was_rejected_of_a_group_stays_undone_until_somebody_thinks_better_of_it() {
    let (one, both) = (vec![Named::Place(0)], vec![Named::Place(0), Named::Place(1)]);
    let cases = [
        (None, GroupEvent::Declare(0, eng(0, one.clone()))),
        (Some(GroupEvent::Invite(0, None)), GroupEvent::Declare(0, eng(0, one.clone()))),
        (Some(GroupEvent::Declare(0, eng(0, one.clone()))), GroupEvent::Rename(0, 1)),
        (Some(GroupEvent::Declare(0, eng(0, one))), GroupEvent::Members(0, both.clone())),
    ];
    for (restarts, approves) in [(false, false), (false, true), (true, false), (true, true)] {
        for (there, event) in cases.clone() {
            let told = format!("{event:?} {restarts} {approves}");
            let mut world = bound(setup(), &[0, 1]);
            if let Some(there) = there {
                world.happen(&Event::Group(there));
                world.happen(&Event::Sweep(Listing::Whole));
                passes(&mut world, &[3_000]);
            }
            let before = groups(&world);
            rejected_of_group(&mut world, event);
            if restarts {
                world.happen(&Event::Restart);
            }
            for _ in 0..2 {
                world.happen(&Event::Sweep(Listing::Whole));
                passes(&mut world, &[3_000, 31_000, 61_000]);
            }
            assert_eq!(
                (groups(&world), reason(&world)),
                (before.clone(), "Held".into()),
                "{told} {:#?}",
                world.trace()
            );
            let writes = world.writes();
            world.happen(&Event::Sweep(Listing::Whole));
            passes(&mut world, &[3_000]);
            assert_eq!(world.writes(), writes, "{told} {:#?}", world.trace());
            // Until a person thinks better of it, or the spec says something else.
            if approves {
                world.approve_after_all();
            } else {
                let edited = GroupSpec { external_id: Some("x"), ..eng(0, both.clone()) };
                world.happen(&Event::Group(GroupEvent::Change(0, edited)));
            }
            passes(&mut world, &[3_000, 31_000]);
            assert_ne!(groups(&world), before, "{told} {:#?}", world.trace());
            let broken = world.outside().broken.clone();
            assert_eq!((reason(&world), broken), ("Synced".into(), None), "{told} {:#?}", world.trace());
        }
    }
}

/// The members come and go by their labels, so that the spec stays as it is.
#[test]
fn i17_what_was_rejected_of_a_group_keeps_nobody_in_it_and_nobody_else_out() {
    for event in [GroupEvent::Rename(0, 1), GroupEvent::Members(0, vec![Named::Place(2)])] {
        let mut world = bound(setup(), &[0, 1, 4, 2]);
        for slot in 0..2 {
            world.happen(&Event::Group(GroupEvent::Label(slot, true)));
        }
        world.happen(&Event::Group(GroupEvent::Declare(0, GroupSpec { selects: true, ..eng(0, Vec::new()) })));
        world.drain();
        rejected_of_group(&mut world, event.clone());
        for (slot, on, count) in [(3, true, 3), (0, false, 2)] {
            world.happen(&Event::Group(GroupEvent::Label(slot, on)));
            passes(&mut world, &[3_000]);
            let told = format!("{event:?} {slot} {:#?}", world.trace());
            assert_eq!((groups(&world), reason(&world)), (vec![("eng".to_owned(), count)], "Held".into()), "{told}");
        }
    }
}
