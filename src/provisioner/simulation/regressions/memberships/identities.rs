//! Members on record by ids that the server gave out anew.

use std::collections::BTreeSet;

use super::super::super::events::Event;
use super::super::super::group_events::{GroupEvent, Named};
use super::super::super::outside::Listing;
use super::super::super::setup::Setup;
use super::super::super::site_groups::Group;
use super::super::super::world::World;
use super::super::{bound, id_of, setup};
use super::{change, eng, looked_at, members};
use crate::api::DeletionPolicy;

/// The additive group eng, which has put in ada, for whom there is no ScimUser; bob is nobody's.
fn additive() -> (World, String, String) {
    let mut world = bound(setup(), &[]);
    world.happen(&Event::Invite(0, true));
    world.happen(&Event::Invite(1, true));
    looked_at(&mut world);
    world.happen(&Event::Group(GroupEvent::Declare(0, eng(true, vec![Named::UserName(0)]))));
    world.drain();
    looked_at(&mut world);
    let ids: Vec<String> = world.outside().site.server.accounts.keys().cloned().collect();
    let ada = members(&world).into_iter().next().expect("one member");
    let bob = ids.into_iter().find(|id| *id != ada).expect("another");
    (world, ada, bob)
}

/// From now on these are in the group, by ids that nobody of ours has written; `brought` of them by us.
fn shows(world: &mut World, ids: &[&String], brought: &str) {
    let mut outside = world.outside();
    let id = outside.site.groups.all.keys().next().cloned().expect("one group");
    let group = outside.site.groups.all[&id].clone();
    let members = ids.iter().map(|id| (*id).clone()).collect();
    outside.site.groups.change(&id, Group { members, ..group });
    outside.book.groups.brought.insert((id, brought.to_owned()));
}

/// Two people have each other's id; others have put in the second. She is dropped at once, or later.
#[test]
fn i10_whoever_has_the_id_of_a_member_on_record_stays_in_and_that_member_goes() {
    for (late, restarts) in [(true, false), (true, true), (false, true)] {
        let (mut world, ada, bob) = additive();
        world.outside().site.swap(&ada, &bob);
        let (ada, bob) = (bob, ada);
        shows(&mut world, &[&ada, &bob], &ada);
        if late {
            looked_at(&mut world);
        }
        change(&mut world, true, Vec::new());
        if restarts {
            world.happen(&Event::Restart);
        }
        looked_at(&mut world);
        assert_eq!(members(&world), BTreeSet::from([bob]), "{late} {restarts} {:#?}", world.trace());
    }
}

/// The accounts of a server have new ids, and its groups have the old ones.
#[test]
fn i18_whom_a_group_brought_in_without_an_object_goes_also_after_accounts_got_new_ids() {
    let (mut world, ada, _) = additive();
    world.outside().site.renumber_accounts();
    let ada = format!("new-{ada}");
    shows(&mut world, &[&ada], &ada);
    looked_at(&mut world);
    change(&mut world, true, Vec::new());
    looked_at(&mut world);
    assert!(members(&world).is_empty(), "{:#?}", world.trace());
}

/// Whose object vanished, and whose account is retained: for one interval, under whatever id.
#[test]
fn i18_whose_object_vanished_stays_for_one_interval_also_under_a_new_id() {
    let mut world = bound(Setup { deletion: DeletionPolicy::Retain, ..setup() }, &[0, 1]);
    let both = vec![Named::Place(0), Named::Place(1)];
    world.happen(&Event::Group(GroupEvent::Declare(0, eng(false, both))));
    world.drain();
    looked_at(&mut world);
    let ada = id_of(&world, "a").expect("bound");
    world.happen(&Event::Remove(0));
    world.drain();
    looked_at(&mut world);
    assert!(members(&world).contains(&ada), "{:#?}", world.trace());
    world.outside().site.renumber();
    for _ in 0..2 {
        looked_at(&mut world);
    }
    let ada = format!("new-{ada}");
    assert!(members(&world).contains(&ada), "{:#?}", world.trace());
    for _ in 0..3 {
        world.happen(&Event::Time(24 * 3_600_000));
        world.happen(&Event::Sweep(Listing::Whole));
        world.drain();
        looked_at(&mut world);
    }
    assert!(!members(&world).contains(&ada), "{:#?}", world.trace());
}
