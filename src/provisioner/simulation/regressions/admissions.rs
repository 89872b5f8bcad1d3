//! What guards count, and what people are asked.

use serde_json::json;

use super::super::events::{Event, Spec};
use super::super::group_events::{GroupEvent, GroupSpec, Named};
use super::super::outside::{Fault, Listing, Place};
use super::super::setup::{GroupSetup, Setup};
use super::super::world::World;
use super::{bound, ends_well, id_of, ready, setup, until};
use crate::api::{DeletionPolicy, Mode};

fn eng(members: Vec<Named>) -> Event {
    let spec = GroupSpec { name: 0, external_id: None, additive: false, members, selects: false, retain: false };
    Event::Group(GroupEvent::Declare(0, spec))
}

fn looked_at(world: &mut World) {
    world.happen(&Event::Time(61_000));
    world.happen(&Event::Sweep(Listing::Whole));
    world.drain();
}

/// What is asked for has waited for others like it, and its hold has closed.
fn held(world: &mut World) {
    world.drain();
    for millis in [3_000, 31_000] {
        world.happen(&Event::Time(millis));
        world.drain();
    }
    assert_eq!(world.holds().len(), 1, "{:#?}", world.trace());
}

fn account(world: &World) -> crate::scim::Attributes {
    super::only_account(world)
}

/// Ada with the e-mail x, where this many rewrites go.
fn mailed(rewrites: u32) -> World {
    let mut world = World::new(Setup { limits: (5, rewrites, 5), ..setup() }, true);
    world.sweep(Listing::Whole);
    world.happen(&Event::Declare(0, Spec { active: Some(true), email: Some("x"), ..Spec::named(0) }));
    world.drain();
    world
}

fn email(world: &World) -> serde_json::Value {
    account(world)["emails"][0]["value"].clone()
}

#[test]
fn i13_a_repair_that_is_done_again_is_counted_again() {
    let mut world = mailed(1);
    world.happen(&Event::Remail(0, "y"));
    looked_at(&mut world);
    looked_at(&mut world);
    assert_eq!(email(&world), json!("x"), "{:#?}", world.trace());
    world.happen(&Event::Remail(0, "y"));
    looked_at(&mut world);
    looked_at(&mut world);
    assert_eq!((email(&world), world.holds().len()), (json!("y"), 1), "{:#?}", world.trace());
}

/// By PUT the account is read first: what that shows is sent as well.
#[test]
fn i13_what_a_read_shows_beside_what_was_admitted_is_asked_for_by_itself() {
    let mut world = World::new(Setup { put: true, limits: (5, 0, 5), ..setup() }, true);
    world.sweep(Listing::Whole);
    world.happen(&Event::Declare(0, Spec { email: Some("x"), ..Spec::named(0) }));
    world.drain();
    world.happen(&Event::Change(0, Spec { email: Some("x"), title: Some("y"), ..Spec::named(0) }));
    while world.deliver() {}
    until(&mut world, Place::Read);
    world.happen(&Event::Remail(0, "z"));
    world.drain();
    assert_eq!(email(&world), json!("z"), "{:#?}", world.trace());
    held(&mut world);
}

#[test]
fn i06_nothing_is_done_at_another_server_before_a_person_is_asked() {
    led_elsewhere(true);
    led_elsewhere(false);
}

/// Where a group of the name is there, or none.
fn led_elsewhere(there: bool) {
    let mut world = bound(setup(), &[0]);
    world.happen(&eng(vec![Named::Place(0)]));
    world.drain();
    if there {
        let body = json!({"displayName": "eng"}).as_object().cloned().expect("a group");
        world.outside().other_site.groups.make(&body);
    }
    world.happen(&Event::Lead(1));
    for _ in 0..3 {
        looked_at(&mut world);
    }
    assert!(world.outside().site.server.accounts.is_empty(), "{:#?}", world.trace());
    assert_eq!(world.outside().site.groups.all.len(), usize::from(there), "{:#?}", world.trace());
    let server = world.outside().cluster.server.clone();
    let group = world.outside().cluster.group_named("g").and_then(|group| group.status.clone()).expect("a status");
    assert_ne!(group.bound_to, Some(server), "{:#?}", world.trace());
    ends_well(world);
}

#[test]
fn i13_a_deleted_object_whose_hold_is_rejected_goes_and_its_account_stays() {
    let mut world = bound(Setup { limits: (0, 5, 5), ..setup() }, &[0]);
    world.happen(&Event::Remove(0));
    held(&mut world);
    world.happen(&Event::Answer(0, false));
    world.drain();
    assert!(world.outside().cluster.named("n", "a").is_none(), "{:#?}", world.trace());
    assert_eq!(account(&world)["active"], json!(true));
}

#[test]
fn i13_an_approval_serves_once_over_a_restart() {
    let mut world = mailed(0);
    world.happen(&Event::Remail(0, "y"));
    looked_at(&mut world);
    held(&mut world);
    world.happen(&Event::Answer(0, true));
    world.drain();
    assert_eq!(email(&world), json!("x"), "{:#?}", world.trace());
    world.save();
    world.happen(&Event::Restart);
    looked_at(&mut world);
    world.happen(&Event::Remail(0, "y"));
    looked_at(&mut world);
    held(&mut world);
    assert_eq!(email(&world), json!("y"), "{:#?}", world.trace());
}

#[test]
fn i13_what_was_rejected_stays_undone_over_a_restart_whatever_differs_besides() {
    for besides in [false, true] {
        let mut world = mailed(0);
        world.happen(&Event::Change(0, Spec { active: Some(true), email: Some("y"), ..Spec::named(0) }));
        held(&mut world);
        world.happen(&Event::Answer(0, false));
        world.drain();
        world.save();
        if besides {
            world.happen(&Event::Remail(0, "z"));
            let id = world.account(0).expect("made");
            world.outside().site.meddle(&id, |account| _ = account.insert("userName".into(), json!("eve")));
        }
        world.happen(&Event::Restart);
        looked_at(&mut world);
        looked_at(&mut world);
        assert_eq!(world.holds().len(), 0, "{besides} {:#?}", world.trace());
        assert_eq!(email(&world), if besides { json!("z") } else { json!("x") }, "{:#?}", world.trace());
    }
}

/// The mode changed while nobody was there to hear it.
#[test]
fn i13_what_was_planned_is_judged_anew_where_plan_mode_has_ended() {
    let mut world = mailed(5);
    world.happen(&Event::Plan(true));
    world.happen(&Event::Change(0, Spec { active: Some(true), email: Some("y"), ..Spec::named(0) }));
    held(&mut world);
    world.save();
    world.outside().cluster.set_connection(|connection| {
        connection.spec.mode = Mode::Apply;
        connection.metadata.generation = connection.metadata.generation.map(|generation| generation + 1);
    });
    world.outside().observed.held.clear();
    world.happen(&Event::Restart);
    looked_at(&mut world);
    looked_at(&mut world);
    assert_eq!(email(&world), json!("y"), "{:#?}", world.trace());
}

#[test]
fn i13_a_group_that_loses_several_at_once_asks_for_all_of_them() {
    let groups = GroupSetup { limits: (1, 5), ..GroupSetup::default() };
    let mut world = bound(Setup { groups, ..setup() }, &[0, 1, 4]);
    world.happen(&eng(vec![Named::Place(0), Named::Place(1), Named::Place(2)]));
    world.drain();
    world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(0)])));
    held(&mut world);
    assert_eq!(world.holds()[0].memberships, 2, "{:#?}", world.trace());
    assert_eq!(world.outside().site.groups.all.values().next().expect("made").members.len(), 3);
}

#[test]
fn i13_under_plan_a_group_is_not_renamed() {
    let mut world = bound(setup(), &[]);
    world.happen(&eng(Vec::new()));
    world.drain();
    world.happen(&Event::Plan(true));
    world.happen(&Event::Group(GroupEvent::Rename(0, 1)));
    held(&mut world);
    assert_eq!(world.outside().site.groups.all.values().next().expect("made").name(), "eng", "{:#?}", world.trace());
}

/// It is deactivated before it leaves its groups and is deleted: all of that is one removal.
#[test]
fn i13_an_account_in_groups_is_not_touched_before_its_removal_is_admitted() {
    let setup = Setup { deletion: DeletionPolicy::Delete, limits: (0, 5, 5), ..setup() };
    let mut world = bound(setup, &[0]);
    world.happen(&eng(vec![Named::Place(0)]));
    world.drain();
    world.happen(&Event::Remove(0));
    held(&mut world);
    assert_eq!(account(&world)["active"], json!(true), "{:#?}", world.trace());
}

#[test]
fn i13_what_a_share_is_of_stays_the_same_while_accounts_are_removed() {
    let mut world = bound(setup(), &[0, 1, 2, 4]);
    let base = |world: &World| {
        let (provisioner, now) = (&world.operator.provisioner, world.outside().time());
        provisioner.guards.inspect(|gate| provisioner.base(gate, now))
    };
    assert_eq!(base(&world), 4);
    world.happen(&Event::Remove(0));
    world.drain();
    world.happen(&Event::Time(3_000));
    until(&mut world, Place::Request);
    assert_eq!(base(&world), 4, "one is let go, and not removed yet: {:#?}", world.trace());
    world.drain();
    assert_eq!((base(&world), id_of(&world, "b").is_some()), (4, true), "{:#?}", world.trace());
}

/// Suspended before the connection is tested anew.
#[test]
fn i10_a_policy_is_in_force_before_the_connection_is_tested() {
    let mut world = mailed(5);
    let suspended = world.outside().cluster.set_connection(|connection| {
        connection.spec.suspend = true;
        connection.metadata.generation = connection.metadata.generation.map(|generation| generation + 1);
    });
    world.operator.provisioner.update(std::sync::Arc::new(suspended));
    world.happen(&Event::Change(0, Spec { active: Some(false), email: Some("x"), ..Spec::named(0) }));
    world.drain();
    world.happen(&Event::Time(3_000));
    world.drain();
    assert_eq!((account(&world)["active"].clone(), ready(&world, "a").0), (json!(true), "Suspended".into()));
}

/// Drift is left where nobody asks; what is asked for waits for a person.
#[test]
fn i22_what_is_asked_for_and_held_stays_asked_for() {
    let setup = Setup { repair: (false, false, false), limits: (5, 0, 5), ..setup() };
    let mut world = World::new(setup, true);
    world.sweep(Listing::Whole);
    world.happen(&Event::Declare(0, Spec { active: Some(true), email: Some("x"), ..Spec::named(0) }));
    world.drain();
    world.happen(&Event::Remail(0, "y"));
    looked_at(&mut world);
    world.happen(&Event::Request(0));
    held(&mut world);
    assert_eq!(email(&world), json!("y"), "{:#?}", world.trace());
    world.happen(&Event::Answer(0, true));
    world.drain();
    assert_eq!(email(&world), json!("x"), "{:#?}", world.trace());
}

/// Somebody else is in the group whose account the server has yet to show, so that it doesn't come to rest.
#[test]
fn i13_who_was_let_go_and_is_back_is_asked_about_anew() {
    for approved in [false, true] {
        let groups = GroupSetup { limits: (u32::from(!approved), 5), ..GroupSetup::default() };
        let mut world = bound(Setup { protected: true, groups, ..setup() }, &[0, 1]);
        for slot in 0..2 {
            world.happen(&Event::Group(GroupEvent::Label(slot, true)));
        }
        let members = |world: &World| world.outside().site.groups.all.values().next().expect("made").members.len();
        let spec = GroupSpec {
            name: 0,
            external_id: None,
            additive: false,
            members: Vec::new(),
            selects: true,
            retain: false,
        };
        world.happen(&Event::Group(GroupEvent::Declare(0, spec)));
        world.drain();
        {
            let groups = &mut world.outside().site.groups;
            let (id, mut group) = groups.all.clone().pop_first().expect("made");
            group.members.insert("nobody".into());
            groups.change(&id, group);
        }
        looked_at(&mut world);
        assert_eq!(members(&world), 3, "{:#?}", world.trace());
        let unlabelled = |world: &mut World, waits: &[i64]| {
            world.happen(&Event::Group(GroupEvent::Label(0, false)));
            world.drain();
            for millis in waits {
                world.happen(&Event::Time(*millis));
                world.drain();
            }
        };
        unlabelled(&mut world, &[3_000]);
        if approved {
            world.happen(&Event::Time(31_000));
            world.drain();
            world.happen(&Event::Answer(0, true));
            world.drain();
        }
        assert_eq!((members(&world), world.holds().len()), (2, 0), "{approved} {:#?}", world.trace());
        // The other account is asked for once more, and isn't shown.
        world.happen(&Event::Fault(Fault::Forbidden));
        world.happen(&Event::Group(GroupEvent::Label(0, true)));
        world.drain();
        world.happen(&Event::Time(62_000));
        world.drain();
        assert_eq!(members(&world), 3, "{approved} {:#?}", world.trace());
        unlabelled(&mut world, &[62_000, 3_000]);
        assert_eq!((members(&world), world.holds().len()), (3, 1), "{approved} {:#?}", world.trace());
    }
}
