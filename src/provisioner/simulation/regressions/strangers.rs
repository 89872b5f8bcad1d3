//! Accounts that have the name, and are somebody else's.

use serde_json::json;

use super::super::events::{Event, Spec};
use super::super::group_events::{GroupEvent, GroupSpec, Named};
use super::super::outside::{Fault, Listing, Place};
use super::super::quirks::{Filters, Quirks};
use super::super::setup::Setup;
use super::super::world::World;
use super::{bound, ends_well, id_of, planned, ready, setup, until};
use crate::api::{AdoptionPolicy, DeletionPolicy};

/// A world whose server was listed, as empty as it is.
fn listed(setup: Setup) -> World {
    let mut world = World::new(setup, true);
    world.sweep(Listing::Whole);
    while world.page() {}
    world
}

fn refuses() -> Setup {
    Setup { adoption: AdoptionPolicy::Refuse, ..setup() }
}

/// Ada's creation took effect, and its answer was lost.
fn lost(mut world: World, slot: usize) -> World {
    world.happen(&Event::Declare(slot, Spec { active: Some(true), ..Spec::named(0) }));
    while world.deliver() {}
    until(&mut world, Place::Request);
    world.happen(&Event::Fault(Fault::Lost));
    while !world.operator.flight.is_empty() {
        world.advance(0);
    }
    world
}

fn active(world: &World) -> usize {
    world.outside().site.server.accounts.values().filter(|account| account["active"] == json!(true)).count()
}

#[test]
fn i07_a_claim_that_nothing_was_sent_for_makes_nobody_the_objects_own() {
    let mut world = listed(refuses());
    world.happen(&Event::Declare(0, Spec { active: Some(true), ..Spec::named(0) }));
    while world.deliver() {}
    until(&mut world, Place::Claim);
    world.happen(&Event::Rename(0, 1));
    world.happen(&Event::Invite(0, true));
    let world = ends_well(world);
    let names: Vec<_> = {
        let outside = world.outside();
        outside.site.server.accounts.values().map(|account| account["userName"].clone()).collect()
    };
    assert_eq!(names, [json!("ada"), json!("bob")], "{:#?}", world.trace());
}

#[test]
fn i07_of_two_namesakes_none_is_taken_for_what_a_lost_creation_made() {
    let world = listed(Setup { unique: false, ..refuses() });
    world.outside().site.invite("ada", true);
    let mut world = lost(world, 0);
    world.happen(&Event::Time(5_000));
    world.drain();
    assert_eq!((id_of(&world, "a"), ready(&world, "a").0), (None, "Conflict".into()), "{:#?}", world.trace());
}

#[test]
fn i06_whoever_has_the_name_and_whoever_has_the_external_id_are_two() {
    let quirks = Quirks { no_list: true, ..Quirks::default() };
    let mut world = listed(Setup { quirks, ..setup() });
    for name in ["ada", "bob"] {
        world.outside().site.invite(name, true);
    }
    let bob = world.outside().site.find_by("userName", "bob", false)[0].id().map(str::to_owned).expect("an id");
    world.outside().site.meddle(&bob, |account| _ = account.insert("externalId".into(), json!("e-0")));
    world.happen(&Event::Declare(0, Spec { external_id: true, ..Spec::named(0) }));
    world.drain();
    assert_eq!((id_of(&world, "a"), ready(&world, "a").0), (None, "Conflict".into()), "{:#?}", world.trace());
}

/// Deleted by others and made again: somebody else was quicker.
#[test]
fn i22_whoever_took_the_name_of_an_account_that_is_gone_meets_the_adoption_policy() {
    let mut world = bound(Setup { repair: (true, false, true), ..refuses() }, &[0]);
    world.happen(&Event::Erase(0));
    world.happen(&Event::Time(62_000));
    world.happen(&Event::Sweep(Listing::Whole));
    world.drain();
    world.happen(&Event::Time(62_000));
    until(&mut world, Place::Request);
    world.happen(&Event::Invite(0, true));
    world.drain();
    assert_eq!(ready(&world, "a").0, "AdoptionRefused", "{:#?}", world.trace());
    world.happen(&Event::Remove(0));
    let world = ends_well(world);
    assert_eq!(active(&world), 1, "{:#?}", world.trace());
}

#[test]
fn i15_whoever_takes_the_name_of_a_deleted_account_at_once_is_not_removed_as_well() {
    let mut world = bound(Setup { deletion: DeletionPolicy::Delete, ..setup() }, &[0]);
    world.happen(&Event::Remove(0));
    world.drain();
    world.happen(&Event::Time(3_000));
    until(&mut world, Place::Answer);
    assert_eq!(active(&world), 0);
    world.happen(&Event::Invite(0, true));
    let world = ends_well(world);
    assert_eq!(active(&world), 1, "{:#?}", world.trace());
}

/// The server would make two of one name.
#[test]
fn i07_what_proves_nothing_makes_nobody_twice() {
    for filters in [Filters::Blind, Filters::Refused] {
        let quirks = Quirks { filters, ..Quirks::default() };
        let mut world = bound(Setup { unique: false, quirks, ..setup() }, &[1]);
        world.happen(&Event::Sweep(Listing::Whole));
        while world.page() {}
        let mut world = lost(world, 1);
        world.happen(&Event::Time(5_000));
        world.drain();
        let world = ends_well(world);
        assert_eq!(world.outside().site.server.accounts.len(), 2, "{filters:?} {:#?}", world.trace());
    }
}

#[test]
fn i08_whoever_was_renamed_since_the_list_was_read_is_not_taken() {
    let mut world = World::new(setup(), true);
    world.happen(&Event::Invite(0, true));
    world.sweep(Listing::Whole);
    while world.page() {}
    let id = world.account(0).expect("invited");
    world.outside().site.meddle(&id, |account| _ = account.insert("userName".into(), json!("eve")));
    world.happen(&Event::Declare(0, Spec::named(0)));
    world.drain();
    let eve = world.outside().site.get(&id).expect("is there");
    assert_eq!(eve.user_name(), Some("eve"), "{:#?}", world.trace());
    assert_ne!(id_of(&world, "a"), Some(id), "{:#?}", world.trace());
}

/// A list that breaks off shows some, and says nothing of others. The server would make two of one name.
#[test]
fn i11_whom_a_list_that_broke_off_does_not_show_is_looked_for() {
    let mut world = World::new(Setup { unique: false, ..setup() }, true);
    for name in ["bob", "cyd", "ada"] {
        world.outside().site.invite(name, true);
    }
    world.sweep(Listing::Truncated);
    world.drain();
    world.happen(&Event::Declare(0, Spec::named(0)));
    world.drain();
    assert_eq!(world.outside().site.server.accounts.len(), 3, "{:#?}", world.trace());
}

/// Made, and deleted by others each time: a third one within an hour isn't made, whatever was forgotten meanwhile.
#[test]
fn i07_no_third_account_is_made_within_an_hour() {
    for restarts in [false, true] {
        let mut world = bound(Setup { repair: (true, false, true), ..setup() }, &[0]);
        for made in 1..=4 {
            if restarts && made == 1 {
                world.happen(&Event::Restart);
            }
            world.happen(&Event::Erase(0));
            for _ in 0..3 {
                world.happen(&Event::Time(62_000));
                world.happen(&Event::Sweep(Listing::Whole));
                world.drain();
            }
        }
        let uid = world.placed(0).expect("declared");
        let made = world.outside().book.made[&uid].len();
        assert_eq!((made, ready(&world, "a").0), (2, "Conflict".into()), "{restarts} {:#?}", world.trace());
    }
}

#[test]
fn i16_whoever_is_declared_inactive_has_no_account_before_they_are_active() {
    let mut world = planned();
    world.happen(&Event::Declare(1, Spec { active: Some(false), ..Spec::named(1) }));
    world.drain();
    assert_eq!(world.outside().site.server.accounts.len(), 1, "{:#?}", world.trace());
    ends_well(world);
}

/// The first creation was refused, and the second one's answer lost, under another name.
#[test]
fn i07_what_is_claimed_is_what_was_sent_last() {
    let mut world = listed(refuses());
    world.happen(&Event::Declare(0, Spec { active: Some(true), ..Spec::named(0) }));
    while world.deliver() {}
    until(&mut world, Place::Request);
    world.happen(&Event::Fault(Fault::Refused));
    while !world.operator.flight.is_empty() {
        world.advance(0);
    }
    world.happen(&Event::Rename(0, 1));
    while world.deliver() {}
    until(&mut world, Place::Request);
    world.happen(&Event::Fault(Fault::Lost));
    while !world.operator.flight.is_empty() {
        world.advance(0);
    }
    world.happen(&Event::Restart);
    let world = ends_well(world);
    assert_eq!((active(&world), id_of(&world, "a").is_some()), (1, true), "{:#?}", world.trace());
}

/// Somebody writes another account's id into a status; nobody's object is bound to that.
#[test]
fn i32_an_id_that_a_tenant_wrote_moves_no_record_of_memberships() {
    let mut world = bound(setup(), &[0]);
    let ada = id_of(&world, "a").expect("bound");
    let members = vec![Named::Place(0)];
    let spec = GroupSpec { name: 0, external_id: None, additive: true, members, selects: false, retain: false };
    world.happen(&Event::Group(GroupEvent::Declare(0, spec)));
    world.drain();
    world.happen(&Event::Invite(4, true));
    world.happen(&Event::Sweep(Listing::Whole));
    world.drain();
    let recorded = |world: &World| {
        let user = world.outside().cluster.named("n", "a").cloned().expect("declared");
        user.status.and_then(|status| status.groups).unwrap_or_default().into_values().collect::<Vec<_>>()
    };
    assert_eq!(recorded(&world), std::slice::from_ref(&ada), "{:#?}", world.trace());
    // The group itself puts nobody in any more.
    world.happen(&Event::Group(GroupEvent::Erase(0)));
    for _ in 0..3 {
        world.happen(&Event::Time(61_000));
        world.happen(&Event::Sweep(Listing::Whole));
        world.drain();
    }
    let dee = world.outside().site.server.accounts.keys().position(|id| *id != ada).expect("another");
    world.happen(&Event::Forge(0, dee));
    for _ in 0..2 {
        world.drain();
        world.happen(&Event::Time(61_000));
        world.happen(&Event::Sweep(Listing::Whole));
    }
    world.drain();
    assert_eq!(recorded(&world), [ada], "{:#?}", world.trace());
}
