//! The server's database was rebuilt: everything has a new id.

use super::super::events::Event;
use super::super::group_events::{GroupEvent, GroupSpec, Named};
use super::super::setup::Setup;
use super::super::site::is_active;
use super::super::world::World;
use super::{bound, setup};
use crate::api::{AdoptionPolicy, DeletionPolicy};

/// Looks that are due in a minute and later have been taken.
fn settle(world: &mut World) {
    for _ in 0..4 {
        world.drain();
        world.happen(&Event::Time(62_000));
    }
    world.drain();
}

#[test]
fn i15_whoever_is_deleted_before_they_are_bound_anew_keeps_no_access() {
    for deletion in [DeletionPolicy::Deactivate, DeletionPolicy::Delete] {
        let mut world = bound(Setup { deletion, ..setup() }, &[0, 1]);
        let spec = GroupSpec {
            name: 0,
            external_id: None,
            additive: false,
            members: vec![Named::Place(0), Named::Place(1)],
            selects: false,
            retain: false,
        };
        world.happen(&Event::Group(GroupEvent::Declare(0, spec)));
        world.drain();
        world.outside().site.renumber();
        world.happen(&Event::Remove(0));
        world.happen(&Event::Group(GroupEvent::Remove(0)));
        settle(&mut world);
        assert!(world.outside().cluster.named("n", "a").is_none(), "{:#?}", world.trace());
        let active: Vec<String> = {
            let outside = world.outside();
            assert!(outside.site.groups.all.is_empty(), "{:?}", outside.site.groups.all);
            let accounts = outside.site.server.accounts.values().filter(|account| is_active(account));
            accounts.map(|account| account["userName"].as_str().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(active, ["bob"], "{:#?}", world.trace());
    }
}

/// The list isn't read meanwhile.
#[test]
fn i15_whoever_is_deactivated_before_they_are_bound_anew_keeps_no_access() {
    let mut world = bound(setup(), &[0]);
    world.outside().site.renumber();
    world.happen(&Event::Activate(0, Some(false)));
    settle(&mut world);
    let account = world.outside().site.server.accounts.values().next().cloned().expect("one account");
    assert!(!is_active(&account), "{:#?}", world.trace());
    assert_eq!(super::ready(&world, "a").0, "Synced", "{:#?}", world.trace());
}

#[test]
fn i31_where_adoption_is_refused_nobody_is_removed_by_a_name_alone() {
    let mut world = bound(Setup { adoption: AdoptionPolicy::Refuse, ..setup() }, &[0]);
    world.outside().site.renumber();
    world.happen(&Event::Remove(0));
    settle(&mut world);
    assert!(world.outside().cluster.named("n", "a").is_none(), "{:#?}", world.trace());
    assert!(world.outside().site.server.accounts.values().all(is_active), "{:#?}", world.trace());
}
