//! The server's database was rebuilt: everything has a new id.

use super::super::events::{Event, Spec};
use super::super::group_events::{GroupEvent, GroupSpec, Named};
use super::super::outside::Listing;
use super::super::setup::{GroupSetup, Setup};
use super::super::site::is_active;
use super::super::world::World;
use super::{bound, id_of, setup};
use crate::api::{AdoptionPolicy, DeletionPolicy, MembersReadable, Uid};

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

/// The server shows these, by userName and whether they are active.
fn shown(world: &World) -> Vec<(String, bool)> {
    let outside = world.outside();
    let accounts = outside.site.server.accounts.values();
    let mut shown: Vec<_> = accounts
        .map(|account| (account["userName"].as_str().unwrap_or_default().to_owned(), is_active(account)))
        .collect();
    shown.sort_unstable();
    shown
}

fn named(names: &[(&str, bool)]) -> Vec<(String, bool)> {
    names.iter().map(|(name, active)| ((*name).to_owned(), *active)).collect()
}

#[test]
fn i06_whoever_is_renamed_before_they_are_bound_anew_keeps_their_account() {
    for (deleted, swept) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut world = bound(Setup { repair: (true, false, deleted), ..setup() }, &[0, 1]);
        world.outside().site.renumber();
        world.happen(&Event::Rename(0, 4));
        // Whoever takes the name is somebody else.
        world.happen(&Event::Declare(2, Spec { active: Some(true), ..Spec::named(0) }));
        if swept {
            world.happen(&Event::Sweep(Listing::Whole));
        }
        settle(&mut world);
        assert_eq!(shown(&world), named(&[("ada", true), ("bob", true), ("dee", true)]), "{:#?}", world.trace());
        let ids = ["a", "c"].map(|name| id_of(&world, name));
        assert!(ids[0].as_deref().is_some_and(|id| id.starts_with("new-")), "{ids:?} {:#?}", world.trace());
        assert!(ids[1].as_deref().is_some_and(|id| !id.starts_with("new-")), "{ids:?} {:#?}", world.trace());
    }
}

#[test]
fn i15_whoever_is_renamed_and_deleted_before_they_are_bound_anew_keeps_no_access() {
    let mut world = bound(setup(), &[0, 1]);
    world.outside().site.renumber();
    world.happen(&Event::Rename(0, 4));
    world.happen(&Event::Remove(0));
    settle(&mut world);
    assert!(world.outside().cluster.named("n", "a").is_none(), "{:#?}", world.trace());
    assert_eq!(shown(&world), named(&[("ada", false), ("bob", true)]), "{:#?}", world.trace());
}

/// The one who has the name that is declared now is nobody's, and stays so.
#[test]
fn i06_whoever_is_renamed_before_they_are_bound_anew_is_not_given_a_namesakes_account() {
    let mut world = bound(setup(), &[0]);
    world.outside().site.invite("dee", true);
    world.sweep(Listing::Whole);
    world.drain();
    world.outside().site.renumber();
    world.happen(&Event::Rename(0, 4));
    settle(&mut world);
    let account = id_of(&world, "a").expect("bound");
    assert_eq!(super::account(&world, &account).0, "ada", "{:#?}", world.trace());
    assert_eq!(super::ready(&world, "a").0, "Conflict", "{:#?}", world.trace());
}

#[test]
fn i31_where_adoption_is_refused_nobody_is_bound_anew_by_a_former_name() {
    let mut world = bound(Setup { adoption: AdoptionPolicy::Refuse, ..setup() }, &[0]);
    world.outside().site.renumber();
    world.happen(&Event::Rename(0, 4));
    settle(&mut world);
    assert_eq!(shown(&world), named(&[("ada", true)]), "{:#?}", world.trace());
    assert_eq!(super::ready(&world, "a").0, "AdoptionRefused", "{:#?}", world.trace());
}

#[test]
fn i06_a_group_that_is_renamed_before_it_is_bound_anew_is_the_same_group() {
    for removed in [false, true] {
        let mut world = bound(setup(), &[0]);
        let spec = GroupSpec {
            name: 0,
            external_id: None,
            additive: false,
            members: vec![Named::Place(0)],
            selects: false,
            retain: false,
        };
        world.happen(&Event::Group(GroupEvent::Declare(0, spec)));
        world.drain();
        world.outside().site.renumber();
        world.happen(&Event::Group(GroupEvent::Rename(0, 1)));
        if removed {
            world.happen(&Event::Group(GroupEvent::Remove(0)));
        }
        settle(&mut world);
        let names: Vec<String> =
            world.outside().site.groups.all.values().map(|group| group.name().to_owned()).collect();
        let expected: &[&str] = if removed { &[] } else { &["ops"] };
        assert_eq!(names, expected, "{:#?}", world.trace());
    }
}

/// The members of a group of that name, by their userNames.
fn members(world: &World, group: &str) -> Vec<String> {
    let outside = world.outside();
    let group = outside.site.groups.all.values().find(|known| known.name() == group).expect("a group");
    let accounts = &outside.site.server.accounts;
    // An id that is nobody's any more is nobody's membership.
    let name = |id: &String| Some(accounts.get(id)?["userName"].as_str().unwrap_or_default().to_owned());
    let mut names: Vec<String> = group.members.iter().filter_map(name).collect();
    names.sort_unstable();
    names
}

fn additive(name: usize, members: Vec<Named>) -> GroupSpec {
    GroupSpec { name, external_id: None, additive: true, members, selects: false, retain: false }
}

/// Dropped before or after everybody is bound anew; whom others brought in stays.
#[test]
fn i18_whom_an_additive_group_brought_in_goes_also_after_the_database_was_rebuilt() {
    for readable in [MembersReadable::Inline, MembersReadable::No] {
        for (at_once, restarts) in [(false, false), (false, true), (true, false)] {
            let groups = GroupSetup { readable, ..GroupSetup::default() };
            let mut world = bound(Setup { groups, ..setup() }, &[0, 1, 4]);
            world.happen(&Event::Group(GroupEvent::Declare(0, additive(0, vec![Named::Place(0), Named::Place(1)]))));
            world.drain();
            world.happen(&Event::Group(GroupEvent::Join(0, 2)));
            world.happen(&Event::Sweep(Listing::Whole));
            settle(&mut world);
            assert_eq!(members(&world, "eng"), ["ada", "bob", "dee"], "{:#?}", world.trace());
            world.outside().site.renumber();
            if !at_once {
                world.happen(&Event::Sweep(Listing::Whole));
                settle(&mut world);
            }
            if restarts {
                world.happen(&Event::Restart);
                settle(&mut world);
            }
            world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(0)])));
            for _ in 0..3 {
                world.happen(&Event::Sweep(Listing::Whole));
                settle(&mut world);
            }
            assert_eq!(
                members(&world, "eng"),
                ["ada", "dee"],
                "{readable:?} {at_once} {restarts} {:#?}",
                world.trace()
            );
        }
    }
}

/// The process dies at any instant while everybody is bound anew, and whom the group brought in is dropped afterwards.
#[test]
fn i28_whom_an_additive_group_brought_in_goes_whenever_the_process_died_after_a_rebuild() {
    for readable in [MembersReadable::Inline, MembersReadable::No] {
        for instant in 36..80 {
            let groups = GroupSetup { readable, ..GroupSetup::default() };
            let mut world = bound(Setup { groups, ..setup() }, &[0, 1]);
            world.happen(&Event::Group(GroupEvent::Declare(0, additive(0, vec![Named::Place(0), Named::Place(1)]))));
            world.drain();
            world.outside().site.renumber();
            for _ in 0..instant {
                if !(world.deliver() || world.page() || world.take() || world.advance(0)) {
                    world.happen(&Event::Sweep(Listing::Whole));
                    world.happen(&Event::Time(62_000));
                }
            }
            world.happen(&Event::Restart);
            for _ in 0..2 {
                world.happen(&Event::Sweep(Listing::Whole));
                settle(&mut world);
            }
            world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(0)])));
            for _ in 0..3 {
                world.happen(&Event::Sweep(Listing::Whole));
                settle(&mut world);
            }
            assert_eq!(members(&world, "eng"), ["ada"], "{readable:?} {instant} {:#?}", world.trace());
        }
    }
}

/// Whoever loses access in the same moment leaves the group all the same.
#[test]
fn i17_whoever_is_removed_after_a_rebuild_leaves_additive_groups() {
    for readable in [MembersReadable::Inline, MembersReadable::No] {
        for (deleted, restarts) in [(true, false), (false, false), (false, true)] {
            let groups = GroupSetup { readable, ..GroupSetup::default() };
            let mut world = bound(Setup { groups, ..setup() }, &[0, 1]);
            world.happen(&Event::Group(GroupEvent::Declare(0, additive(0, vec![Named::Place(0), Named::Place(1)]))));
            world.drain();
            world.outside().site.renumber();
            world.happen(&if deleted { Event::Remove(1) } else { Event::Activate(1, Some(false)) });
            for _ in 0..2 {
                settle(&mut world);
                world.happen(&Event::Sweep(Listing::Whole));
            }
            if restarts {
                world.happen(&Event::Restart);
            }
            world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(0)])));
            for _ in 0..3 {
                world.happen(&Event::Sweep(Listing::Whole));
                settle(&mut world);
            }
            assert_eq!(shown(&world), named(&[("ada", true), ("bob", false)]), "{:#?}", world.trace());
            assert_eq!(members(&world, "eng"), ["ada"], "{readable:?} {deleted} {restarts} {:#?}", world.trace());
        }
    }
}

/// Groups' ids are given out anew, and one group gets what was another one's.
#[test]
fn i10_whom_another_group_of_that_id_brought_in_stays() {
    for restarts in [false, true] {
        let mut world = bound(setup(), &[0]);
        world.happen(&Event::Group(GroupEvent::Declare(0, additive(0, vec![Named::Place(0)]))));
        world.drain();
        world.happen(&Event::Group(GroupEvent::Declare(1, additive(1, Vec::new()))));
        world.drain();
        let group = |world: &World, name: &str| {
            let outside = world.outside();
            let found = outside.site.groups.all.iter().find(|(_, group)| group.name() == name);
            found.map(|(id, group)| (id.clone(), group.clone())).expect("a group")
        };
        let ((eng, mut one), (ops, mut other)) = (group(&world, "eng"), group(&world, "ops"));
        other.members.clone_from(&one.members);
        one.attributes.insert("id".into(), "g-new".into());
        other.attributes.insert("id".into(), eng.as_str().into());
        {
            let all = &mut world.outside().site.groups.all;
            all.remove(&ops);
            all.insert("g-new".into(), one);
            all.insert(eng, other);
        }
        if restarts {
            world.happen(&Event::Restart);
        }
        for _ in 0..4 {
            world.happen(&Event::Sweep(Listing::Whole));
            settle(&mut world);
        }
        assert_eq!(
            (members(&world, "ops"), members(&world, "eng")),
            (vec!["ada".to_owned()], vec!["ada".to_owned()]),
            "{:#?}",
            world.trace()
        );
    }
}

/// The group is found under its new id before those in it are.
#[test]
fn i10_whoever_is_declared_stays_in_an_exact_group_while_ids_are_given_out_anew() {
    for swept in [true, false] {
        let mut world = bound(setup(), &[0, 1]);
        let spec = GroupSpec { additive: false, ..additive(0, vec![Named::Place(0), Named::Place(1)]) };
        world.happen(&Event::Group(GroupEvent::Declare(0, spec)));
        settle(&mut world);
        assert_eq!(members(&world, "eng"), ["ada", "bob"], "{:#?}", world.trace());
        world.outside().site.renumber();
        let group =
            world.outside().cluster.group_named("g").and_then(|object| Uid::given(&object.metadata)).expect("one");
        world.happen(&Event::Group(GroupEvent::Request(0)));
        for step in 0..400 {
            if step % 50 == 0 {
                world.happen(&Event::Time(if step % 100 == 0 { 62_000 } else { 3_000 }));
                if swept {
                    world.happen(&Event::Sweep(Listing::Whole));
                }
            }
            let at = world.operator.flight.iter().position(|flight| flight.ticket.uid == group);
            let _ = world.deliver_group() || world.page() || world.take() || world.advance(at.unwrap_or_default());
            assert_eq!(members(&world, "eng"), ["ada", "bob"], "{swept} {step} {:#?}", world.trace());
        }
        for _ in 0..3 {
            world.happen(&Event::Sweep(Listing::Whole));
            settle(&mut world);
        }
        assert_eq!(members(&world, "eng"), ["ada", "bob"], "{:#?}", world.trace());
        assert!(id_of(&world, "a").is_some_and(|id| id.starts_with("new-")), "{:#?}", world.trace());
    }
}

/// Accounts alone have new ids, after or before the group begins to leave others in it.
#[test]
fn i18_whom_a_group_put_in_while_it_was_exact_goes_also_after_accounts_got_new_ids() {
    for (first, restarts) in [(true, false), (true, true), (false, false), (false, true)] {
        let mut world = bound(setup(), &[0, 1, 4]);
        let both = vec![Named::Place(0), Named::Place(1)];
        let exact = GroupSpec { additive: false, ..additive(0, both.clone()) };
        world.happen(&Event::Group(GroupEvent::Declare(0, exact)));
        settle(&mut world);
        if first {
            world.happen(&Event::Group(GroupEvent::Change(0, additive(0, both.clone()))));
            settle(&mut world);
        }
        world.outside().site.renumber_accounts();
        for _ in 0..2 {
            world.happen(&Event::Sweep(Listing::Whole));
            settle(&mut world);
        }
        assert_eq!(members(&world, "eng"), ["ada", "bob"], "{first} {:#?}", world.trace());
        if restarts {
            world.happen(&Event::Restart);
        }
        world.happen(&Event::Group(GroupEvent::Change(0, additive(0, vec![Named::Place(0)]))));
        for _ in 0..3 {
            world.happen(&Event::Sweep(Listing::Whole));
            settle(&mut world);
        }
        assert_eq!(members(&world, "eng"), ["ada"], "{first} {restarts} {:#?}", world.trace());
    }
}
