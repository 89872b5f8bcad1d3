//! Members on record by ids that the server gave out anew.

use std::collections::BTreeSet;

use super::super::super::events::Event;
use super::super::super::group_events::{GroupEvent, Named};
use super::super::super::outside::{Fault, Listing, Place};
use super::super::super::setup::Setup;
use super::super::super::site_groups::Group;
use super::super::super::world::World;
use super::super::{bound, id_of, setup, until};
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

/// Two people have each other's id; others have put in the second. She is dropped at once, or later: as nothing tells whether
/// the first has another name by now, and the second her former one, nobody is taken out.
#[test]
fn i10_whoever_has_the_id_of_a_member_on_record_stays_in() {
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
        assert_eq!(members(&world), BTreeSet::from([ada, bob]), "{late} {restarts} {:#?}", world.trace());
    }
}

/// The server begins to count anew: each has what was another one's id.
#[test]
fn i18_members_on_record_who_pass_on_their_ids_to_each_other_go_all_of_them() {
    let mut world = bound(setup(), &[]);
    for name in [0, 1, 4] {
        world.happen(&Event::Invite(name, true));
    }
    looked_at(&mut world);
    let all = vec![Named::UserName(0), Named::UserName(1), Named::UserName(4)];
    world.happen(&Event::Group(GroupEvent::Declare(0, eng(true, all))));
    world.drain();
    looked_at(&mut world);
    let ids: Vec<String> = members(&world).into_iter().collect();
    assert_eq!(ids.len(), 3, "{:#?}", world.trace());
    world.outside().site.swap(&ids[0], &ids[1]);
    world.outside().site.swap(&ids[1], &ids[2]);
    // Dropped before the server was listed: what is on record is by the old ids.
    change(&mut world, true, Vec::new());
    for _ in 0..2 {
        looked_at(&mut world);
    }
    assert!(members(&world).is_empty(), "{:#?}", world.trace());
}

/// The person has another name, at the server and in the manifest.
#[test]
fn i18_whoever_was_renamed_goes_as_they_are_dropped() {
    let (mut world, ada, _) = additive();
    world.outside().site.server.accounts.get_mut(&ada).expect("hers").insert("userName".into(), "dee".into());
    world.happen(&Event::Sweep(Listing::Whole));
    change(&mut world, true, vec![Named::UserName(4)]);
    looked_at(&mut world);
    assert!(members(&world).contains(&ada), "{:#?}", world.trace());
    change(&mut world, true, Vec::new());
    looked_at(&mut world);
    assert!(members(&world).is_empty(), "{:#?}", world.trace());
}

/// Somebody new has her name, whom others put in.
#[test]
fn i10_whoever_has_the_former_name_of_a_member_on_record_stays_in() {
    let (mut world, ada, _) = additive();
    world.outside().site.server.accounts.get_mut(&ada).expect("hers").insert("userName".into(), "dee".into());
    world.happen(&Event::Invite(0, true));
    let new = {
        let outside = world.outside();
        let named = outside.site.server.accounts.iter().find(|(_, account)| account["userName"] == "ada");
        named.map(|(id, _)| id.clone()).expect("another ada")
    };
    shows(&mut world, &[&ada, &new], &ada);
    looked_at(&mut world);
    change(&mut world, true, Vec::new());
    for _ in 0..2 {
        looked_at(&mut world);
    }
    assert!(members(&world).contains(&new), "{:#?}", world.trace());
}

/// The process dies at any instant while the record follows.
#[test]
fn i28_a_record_that_was_being_moved_is_moved_whenever_the_process_died() {
    for instant in 0..30 {
        let (mut world, ada, _) = additive();
        world.outside().site.renumber_accounts();
        let ada = format!("new-{ada}");
        shows(&mut world, &[&ada], &ada);
        world.happen(&Event::Time(61_000));
        world.happen(&Event::Sweep(Listing::Whole));
        for _ in 0..instant {
            let _ = world.deliver() || world.page() || world.take() || world.advance(0);
        }
        world.happen(&Event::Restart);
        looked_at(&mut world);
        change(&mut world, true, Vec::new());
        looked_at(&mut world);
        assert!(members(&world).is_empty(), "{instant} {:#?}", world.trace());
    }
}

/// 403 without a word, as a limit is told by some: the same is asked for once more, later.
#[test]
fn i21_a_403_that_may_be_a_limit_is_not_answered_with_more_requests() {
    let mut world = bound(setup(), &[0, 1, 4]);
    let all = vec![Named::Place(0), Named::Place(1), Named::Place(2)];
    world.happen(&Event::Group(GroupEvent::Declare(0, eng(false, all))));
    world.drain();
    change(&mut world, false, Vec::new());
    world.drain();
    // Everything that is removed in a moment is judged together.
    world.happen(&Event::Time(3_000));
    until(&mut world, Place::Request);
    // Were it asked for in parts, these would be refused, too.
    world.happen(&Event::Fault(Fault::Mute));
    while !world.operator.flight.is_empty() {
        world.advance(0);
        if world.place() == Some(Place::Request) {
            world.happen(&Event::Fault(Fault::Mute));
        }
    }
    let ignored = world.outside().cluster.group_named("g").and_then(|group| group.status.clone()?.ignored_attributes);
    assert_eq!(ignored, None, "{:#?}", world.trace());
    world.happen(&Event::Time(10_000));
    world.drain();
    assert!(members(&world).is_empty(), "{:#?}", world.trace());
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
