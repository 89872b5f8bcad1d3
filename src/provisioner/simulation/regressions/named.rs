//! Whom a group names by userName, and whose accounts it doesn't know yet.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::events::{Event, Spec};
use super::super::group_events::{GroupEvent, GroupSpec, Named};
use super::super::outside::Listing;
use super::super::quirks::{Filters, Quirks};
use super::super::setup::{GroupSetup, Setup};
use super::super::world::World;
use super::{ends_well, setup, with};
use crate::api::{MembersReadable, Uid};

fn eng(members: Vec<Named>) -> Event {
    let spec = GroupSpec { name: 0, external_id: None, additive: false, members, selects: false, retain: false };
    Event::Group(GroupEvent::Declare(0, spec))
}

fn members(world: &World) -> BTreeSet<String> {
    world.outside().site.groups.all.values().next().expect("one group").members.clone()
}

fn account(world: &World, name: &str) -> String {
    let outside = world.outside();
    let mut named = outside.site.server.accounts.iter().filter(|(_, account)| account["userName"] == json!(name));
    named.next().expect("invited").0.clone()
}

/// The group's Ready: its reason and message.
fn ready(world: &World) -> (String, String) {
    let status = world.outside().cluster.group_named("g").and_then(|group| group.status.clone()).unwrap_or_default();
    let ready = status.conditions.into_iter().flatten().find(|condition| condition.type_ == "Ready");
    ready.map(|ready| (ready.reason, ready.message)).unwrap_or_default()
}

fn swept(setup: Setup) -> World {
    let mut world = World::new(setup, true);
    world.sweep(Listing::Whole);
    world.drain();
    world
}

#[test]
fn i31_whom_a_group_names_at_a_server_that_lists_nobody_is_put_in() {
    for restarts in [false, true] {
        let mut world = swept(with(Quirks { no_list: true, ..Quirks::default() }));
        world.outside().site.invite("ada", true);
        world.happen(&eng(vec![Named::UserName(0), Named::UserName(1)]));
        world.drain();
        let ada = account(&world, "ada");
        assert_eq!(members(&world), BTreeSet::from([ada.clone()]), "{:#?}", world.trace());
        // Whoever is made later is found later.
        world.outside().site.invite("bob", true);
        if restarts {
            world.happen(&Event::Restart);
        }
        let world = ends_well(world);
        assert_eq!(members(&world), BTreeSet::from([ada, account(&world, "bob")]), "{:#?}", world.trace());
        assert_eq!(ready(&world).0, "Synced");
    }
}

#[test]
fn i31_whom_nobody_can_look_for_is_told_of() {
    for filters in [Filters::Refused, Filters::Blind] {
        let mut world = swept(with(Quirks { no_list: true, filters, ..Quirks::default() }));
        world.outside().site.invite("ada", true);
        world.happen(&eng(vec![Named::UserName(0)]));
        for _ in 0..3 {
            world.drain();
            world.happen(&Event::Time(61_000));
            world.happen(&Event::Sweep(Listing::Whole));
        }
        world.drain();
        let (reason, message) = ready(&world);
        assert!(reason != "Synced" && message.contains("ada"), "{reason} {message} {:#?}", world.trace());
        let before = (world.writes(), world.outside().book.requests.clone());
        world.happen(&Event::Sweep(Listing::Whole));
        world.drain();
        assert_eq!((world.writes(), world.outside().book.requests.clone()), before, "{:#?}", world.trace());
    }
}

/// A search for a name with an apostrophe finds nobody; others are found.
#[test]
fn i31_a_search_that_can_not_find_one_name_is_tried_for_others() {
    let setup = with(Quirks { no_list: true, filters: Filters::Plain, ..Quirks::default() });
    let mut world = super::bound(Setup { repair: (false, false, false), ..setup }, &[0]);
    let ada = super::id_of(&world, "a").expect("bound");
    world.outside().site.meddle(&ada, |account| _ = account.insert("userName".into(), json!("o'ada")));
    world.happen(&Event::Restart);
    world.happen(&Event::Sweep(Listing::Whole));
    world.drain();
    world.happen(&eng(vec![Named::UserName(2)]));
    world.drain();
    world.outside().site.invite("cyd", true);
    for _ in 0..2 {
        world.happen(&Event::Time(61_000));
        world.happen(&Event::Sweep(Listing::Whole));
        world.drain();
    }
    assert_eq!(members(&world), BTreeSet::from([account(&world, "cyd")]), "{:#?}", world.trace());
}

#[test]
fn i31_of_two_accounts_that_have_the_name_neither_is_put_in_and_that_is_told() {
    let mut world = swept(Setup { unique: false, ..setup() });
    for name in ["ada", "bob"] {
        world.outside().site.invite(name, true);
    }
    let bob = account(&world, "bob");
    let _ = world.outside().site.server.accounts.get_mut(&bob).expect("made").insert("userName".into(), json!("ada"));
    world.sweep(Listing::Whole);
    world.drain();
    world.happen(&eng(vec![Named::UserName(0)]));
    world.drain();
    let (reason, message) = ready(&world);
    assert!(reason == "Conflict" && message.contains("ada"), "{reason} {message} {:#?}", world.trace());
    assert!(members(&world).is_empty());
}

/// Before the list is read anew nobody knows whose account it is.
#[test]
fn i10_whom_a_group_names_stays_in_it_over_a_restart() {
    for (no_list, readable) in
        [(false, MembersReadable::Inline), (true, MembersReadable::Inline), (false, MembersReadable::No)]
    {
        let groups = GroupSetup { readable, ..GroupSetup::default() };
        let mut world = swept(Setup { groups, ..with(Quirks { no_list, ..Quirks::default() }) });
        world.outside().site.invite("ada", true);
        world.sweep(Listing::Whole);
        world.drain();
        world.happen(&eng(vec![Named::UserName(0)]));
        world.drain();
        let ada = account(&world, "ada");
        assert_eq!(members(&world), BTreeSet::from([ada.clone()]), "{:#?}", world.trace());
        let before = world.writes();
        world.happen(&Event::Restart);
        for listing in [Listing::Truncated, Listing::Whole] {
            for _ in 0..2 {
                world.drain();
                world.happen(&Event::Time(3_000));
            }
            world.drain();
            assert_eq!(members(&world), BTreeSet::from([ada.clone()]), "{:#?}", world.trace());
            world.happen(&Event::Sweep(listing));
        }
        world.drain();
        assert_eq!(world.writes(), before, "a restart writes nothing: {:#?}", world.trace());
        ends_well(world);
    }
}

/// Somebody made the account and put it in since the list was read.
#[test]
fn i31_who_may_be_declared_is_looked_at_before_they_are_taken_out() {
    let mut world = swept(setup());
    world.happen(&eng(vec![Named::UserName(0)]));
    world.drain();
    for name in ["ada", "bob"] {
        world.outside().site.invite(name, true);
    }
    let (ada, bob) = (account(&world, "ada"), account(&world, "bob"));
    world.happen(&Event::Group(GroupEvent::Join(0, 0)));
    world.happen(&Event::Group(GroupEvent::Join(0, 1)));
    assert_eq!(members(&world), BTreeSet::from([ada.clone(), bob]));
    world.happen(&Event::Group(GroupEvent::Request(0)));
    for _ in 0..3 {
        world.drain();
        world.happen(&Event::Time(61_000));
    }
    world.drain();
    assert_eq!(members(&world), BTreeSet::from([ada]), "{:#?}", world.trace());
    ends_well(world);
}

/// The group is taken over before the objects of those in it have found their accounts.
#[test]
fn i10_whose_object_is_not_bound_yet_stays_in_an_exact_group() {
    let mut world = World::new(setup(), true);
    world.outside().site.invite("ada", true);
    let ada = account(&world, "ada");
    let body = json!({"displayName": "eng", "members": [{"value": ada}]});
    world.outside().site.groups.make(&serde_json::from_value(body).expect("a group"));
    world.sweep(Listing::Whole);
    world.drain();
    world.happen(&Event::Declare(0, Spec::named(0)));
    while world.deliver() {}
    world.happen(&eng(vec![Named::Place(0)]));
    // The group's pass ends before that of the user begins.
    while world.deliver_group() {}
    let group = world.outside().cluster.group_named("g").and_then(|group| Uid::given(&group.metadata)).expect("one");
    for step in 0..60 {
        world.take();
        let place = world.operator.flight.iter().position(|flight| flight.ticket.uid == group);
        place.map(|place| world.advance(place));
        if step % 20 == 0 {
            world.happen(&Event::Time(3_000));
        }
        assert_eq!(members(&world), BTreeSet::from([ada.clone()]), "{:#?}", world.trace());
    }
    let world = ends_well(world);
    assert_eq!(members(&world), BTreeSet::from([ada]), "{:#?}", world.trace());
}

/// A member whom nobody declared, as it seemed, turns out to be declared by userName.
#[test]
fn i09_what_was_left_as_found_is_drift_no_longer_once_it_is_declared() {
    let mut world = swept(Setup { repair: (false, false, false), ..setup() });
    world.happen(&eng(vec![Named::UserName(0)]));
    world.drain();
    world.outside().site.invite("bob", true);
    world.sweep(Listing::Whole);
    world.drain();
    world.happen(&Event::Group(GroupEvent::Join(0, 0)));
    for _ in 0..2 {
        world.happen(&Event::Time(61_000));
        world.happen(&Event::Sweep(Listing::Whole));
        world.drain();
    }
    assert_eq!(ready(&world).0, "Drifted", "{:#?}", world.trace());
    let bob = account(&world, "bob");
    // The same person under the name that is declared.
    world.outside().site.meddle(&bob, |account| {
        account.insert("userName".into(), json!("ada"));
    });
    for _ in 0..2 {
        world.happen(&Event::Time(61_000));
        world.happen(&Event::Sweep(Listing::Whole));
        world.drain();
    }
    assert_eq!(ready(&world).0, "Synced", "{:#?}", world.trace());
    assert_eq!(members(&world), BTreeSet::from([bob]), "{:#?}", world.trace());
}

/// Their account is made at the server, too, and isn't listed when the group shows them: to a write, or to the first reading of
/// a process. It makes no difference that the guard protects some.
#[test]
fn i09_under_report_whom_others_put_in_stays_also_before_their_account_is_listed() {
    for (restarts, name) in [(false, "dee"), (false, "cyd"), (true, "dee"), (true, "cyd")] {
        let groups = GroupSetup { versions: false, ..GroupSetup::default() };
        let setup = Setup { repair: (false, false, false), protected: true, groups, ..setup() };
        let mut world = super::bound(setup, &[0, 1]);
        world.happen(&eng(vec![Named::Place(0)]));
        let looked_at = |world: &mut World| {
            for _ in 0..2 {
                world.happen(&Event::Time(61_000));
                world.happen(&Event::Sweep(Listing::Whole));
                world.drain();
            }
        };
        looked_at(&mut world);
        world.outside().site.invite(name, true);
        let [ada, bob, other] = ["ada", "bob", name].map(|name| account(&world, name));
        let number = world.outside().site.server.accounts.keys().position(|id| *id == other).expect("invited");
        world.happen(&Event::Group(GroupEvent::Join(0, number)));
        let mut all = BTreeSet::from([ada, other]);
        if restarts {
            looked_at(&mut world);
            world.happen(&Event::Restart);
            world.operator.provisioner.do_without_list();
            world.happen(&Event::Group(GroupEvent::Rename(0, 1)));
        } else {
            all.insert(bob);
            world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(0), Named::Place(1)])));
        }
        world.drain();
        let told = format!("{restarts} {name} {:#?}", world.trace());
        assert_eq!((ready(&world).0, members(&world)), ("Drifted".into(), all.clone()), "{told}");
        looked_at(&mut world);
        world.protect_nobody();
        looked_at(&mut world);
        let told = format!("{restarts} {name} {:#?}", world.trace());
        assert_eq!((ready(&world).0, members(&world)), ("Drifted".into(), all), "{told}");
    }
}
