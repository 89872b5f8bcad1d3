//! Whom a group names by userName is the account that has it at the server, whatever objects declare.

use std::collections::BTreeSet;

use super::super::events::{Event, Spec};
use super::super::group_events::{GroupEvent, GroupSpec, Named};
use super::super::outside::Listing;
use super::super::setup::Setup;
use super::super::world::World;
use super::{bound, ends_well, id_of, ready, setup};
use crate::api::AdoptionPolicy;

fn eng(name: usize) -> Event {
    let members = vec![Named::UserName(name)];
    let spec = GroupSpec { name: 0, external_id: None, additive: false, members, selects: false, retain: false };
    Event::Group(GroupEvent::Declare(0, spec))
}

fn members(world: &World) -> BTreeSet<String> {
    world.outside().site.groups.all.values().next().expect("one group").members.clone()
}

fn looked_at(world: &mut World) {
    for _ in 0..2 {
        world.drain();
        world.happen(&Event::Time(61_000));
        world.happen(&Event::Sweep(Listing::Whole));
        world.drain();
    }
}

/// An account that no object declares.
fn invited(world: &mut World, name: usize) -> String {
    let before: BTreeSet<String> = world.outside().site.server.accounts.keys().cloned().collect();
    world.happen(&Event::Invite(name, true));
    let id = world.outside().site.server.accounts.keys().find(|id| !before.contains(*id)).cloned();
    world.sweep(Listing::Whole);
    world.drain();
    id.expect("made")
}

#[test]
fn i10_an_object_that_may_not_have_the_account_takes_nobody_out_of_a_group() {
    let mut world = bound(Setup { adoption: AdoptionPolicy::Refuse, ..setup() }, &[]);
    let ada = invited(&mut world, 0);
    world.happen(&eng(0));
    looked_at(&mut world);
    assert_eq!(members(&world), BTreeSet::from([ada.clone()]), "{:#?}", world.trace());
    world.happen(&Event::Declare(0, Spec::named(0)));
    looked_at(&mut world);
    assert_eq!(ready(&world, "a").0, "AdoptionRefused", "{:#?}", world.trace());
    assert_eq!(members(&world), BTreeSet::from([ada.clone()]), "{:#?}", world.trace());
    let world = ends_well(world);
    assert_eq!(members(&world), BTreeSet::from([ada]), "{:#?}", world.trace());
}

#[test]
fn i18_a_rename_to_somebody_elses_name_gives_and_takes_no_membership() {
    let mut world = bound(setup(), &[1]);
    let ada = invited(&mut world, 0);
    world.happen(&eng(0));
    looked_at(&mut world);
    assert_eq!(members(&world), BTreeSet::from([ada.clone()]), "{:#?}", world.trace());
    world.happen(&Event::Rename(0, 0));
    looked_at(&mut world);
    assert_eq!(ready(&world, "a").0, "Conflict", "{:#?}", world.trace());
    assert_eq!(members(&world), BTreeSet::from([ada.clone()]), "{:#?}", world.trace());
    let world = ends_well(world);
    assert_eq!(members(&world), BTreeSet::from([ada]), "{:#?}", world.trace());
}

#[test]
fn i18_a_rename_that_is_held_gives_and_takes_no_membership() {
    // The name before, and the one after.
    for name in [1, 4] {
        let mut world = bound(Setup { limits: (5, 0, 5), ..setup() }, &[1]);
        let id = BTreeSet::from([id_of(&world, "a").expect("bound")]);
        world.happen(&eng(name));
        looked_at(&mut world);
        world.happen(&Event::Rename(0, 4));
        looked_at(&mut world);
        let (before, after) = if name == 1 { (id, BTreeSet::new()) } else { (BTreeSet::new(), id) };
        assert_eq!((members(&world), world.holds().len()), (before, 1), "{name} {:#?}", world.trace());
        world.happen(&Event::Answer(0, true));
        looked_at(&mut world);
        assert_eq!(members(&world), after, "{name} {:#?}", world.trace());
        ends_well(world);
    }
}
