//! What happens while a pass is on its way: a list that is read, a server that is left, a server that asks for patience.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::super::events::{Event, Spec};
use super::super::group_events::{GroupEvent, GroupSpec, Named};
use super::super::operator::{Task, poll};
use super::super::outside::{Fault, Listing, Place};
use super::super::quirks::{Doubles, Quirks};
use super::super::setup::Setup;
use super::super::world::World;
use super::{bound, ends_well, id_of, only_account, placed, planned, ready, setup, until};
use crate::plan::User;
use crate::provisioner::engine::Kind as _;

/// The server would make two of one name.
#[test]
fn i07_whoever_a_list_shows_while_a_ledger_is_written_is_not_made_once_more() {
    let mut world = World::new(Setup { unique: false, ..setup() }, true);
    world.sweep(Listing::Whole);
    while world.page() {}
    world.happen(&Event::Declare(0, Spec::named(0)));
    while world.deliver() {}
    until(&mut world, Place::Connection);
    world.happen(&Event::Invite(0, true));
    world.sweep(Listing::Whole);
    while world.page() {}
    let world = ends_well(world);
    assert_eq!(world.outside().site.server.accounts.len(), 1, "{:#?}", world.trace());
}

#[test]
fn i06_nothing_is_asked_of_a_server_that_the_connection_has_left() {
    let mut world = planned();
    world.happen(&Event::Lead(1));
    while !world.operator.flight.is_empty() {
        world.advance(0);
    }
    let world = ends_well(world);
    let outside = world.outside();
    let made = (outside.other_site.server.accounts.len(), outside.site.server.accounts.len());
    assert_eq!(made, (0, 1), "{:#?}", outside.trace);
}

#[test]
fn i19_a_request_that_comes_too_early_is_nobodys_error() {
    let mut world = planned();
    world.happen(&Event::Fault(Fault::Throttled));
    world.drain();
    assert_eq!(ready(&world, "a").0, "Synced", "{:#?}", world.trace());
    ends_well(world);
}

#[test]
fn i19_while_the_server_asks_for_patience_objects_say_so_and_nothing_is_sent() {
    let mut world = World::new(setup(), true);
    world.sweep(Listing::Whole);
    while world.page() {}
    world.happen(&Event::Declare(0, Spec::named(0)));
    while world.deliver() {}
    world.operator.provisioner.schedule.limiter().pause(Duration::from_secs(600));
    world.happen(&Event::Time(61_000));
    world.drain();
    assert_eq!(ready(&world, "a").0, "RateLimited", "{:#?}", world.trace());
    assert!(world.outside().site.server.accounts.is_empty(), "{:#?}", world.trace());
}

/// As services do that know people by their e-mail.
#[test]
fn i07_whoever_has_another_name_and_is_shown_for_a_creation_stays_who_they_are() {
    let quirks = Quirks { doubles: Doubles::Shown, unique_emails: true, ..Quirks::default() };
    let mut world = World::new(Setup { quirks, ..setup() }, true);
    world.happen(&Event::Invite(1, true));
    world.happen(&Event::Remail(0, "x"));
    world.sweep(Listing::Whole);
    world.happen(&Event::Declare(0, Spec { email: Some("x"), ..Spec::named(0) }));
    world.drain();
    assert_eq!(ready(&world, "a").0, "Conflict", "{:#?}", world.trace());
    world.happen(&Event::Remove(0));
    let world = ends_well(world);
    let bob = only_account(&world);
    assert_eq!((&bob["userName"], &bob["active"]), (&json!("bob"), &json!(true)), "{:#?}", world.trace());
}

/// What is on record of memberships at one server goes before the object is bound at another, where ids may be the same.
#[test]
fn i06_memberships_on_record_are_forgotten_before_a_binding_elsewhere() {
    let mut world = bound(setup(), &[0]);
    let members = vec![Named::Place(0)];
    let eng = GroupSpec { name: 0, external_id: None, additive: true, members, selects: false, retain: false };
    world.happen(&Event::Group(GroupEvent::Declare(0, eng)));
    world.drain();
    let recorded = |world: &World| placed(world, "a").status.and_then(|status| status.groups).unwrap_or_default();
    let (before, ada) = (recorded(&world), id_of(&world, "a"));
    assert_eq!(before.len(), 1, "{:#?}", world.trace());
    world.outside().other_site.invite("ada", true);
    world.happen(&Event::Lead(1));
    for _ in 0..6 {
        world.drain();
        world.happen(&Event::Time(31_000));
        world.drain();
        world.happen(&Event::Answer(0, true));
        world.happen(&Event::Sweep(Listing::Whole));
    }
    world.drain();
    assert_ne!(id_of(&world, "a"), ada, "{:#?}", world.trace());
    let now = recorded(&world);
    assert!(before.keys().all(|group| !now.contains_key(group)), "{now:?} {:#?}", world.trace());
}

/// The name is corrected while the account of the one before is about to be taken; then the process dies.
#[test]
fn i07_what_was_claimed_for_one_name_makes_no_account_that_of_another() {
    for steps in 1..6 {
        let mut world = World::new(setup(), true);
        world.happen(&Event::Invite(0, true));
        world.sweep(Listing::Whole);
        while world.page() {}
        world.happen(&Event::Declare(0, Spec { active: Some(true), ..Spec::named(0) }));
        while world.deliver() {}
        until(&mut world, Place::Claim);
        world.happen(&Event::Rename(0, 1));
        for _ in 0..steps {
            world.advance(0);
        }
        world.happen(&Event::Restart);
        let world = ends_well(world);
        let names: Vec<String> = {
            let outside = world.outside();
            let accounts = outside.site.server.accounts.values();
            accounts.map(|account| account["userName"].as_str().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(names, ["ada", "bob"], "{steps} {:#?}", world.trace());
    }
}

/// By `kubectl delete --cascade=foreground`, or whatever else keeps it by a finalizer of its own.
#[test]
fn i28_an_object_that_others_keep_under_deletion_is_claimed_for_nothing_and_nobody_is_alarmed() {
    let mut world = planned();
    until(&mut world, Place::Claim);
    let uid = world.placed(0).expect("declared");
    world.outside().cluster.edit(&uid, |user| {
        user.metadata.finalizers = Some(vec!["foregroundDeletion".into()]);
        user.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        user.metadata.generation = user.metadata.generation.map(|generation| generation + 1);
    });
    for _ in 0..20 {
        world.advance(0);
    }
    world.drain();
    world.happen(&Event::Time(10_000));
    world.drain();
    assert!(!world.trace().iter().any(|line| line.contains("WriteRefused")), "{:#?}", world.trace());
    assert!(world.outside().site.server.accounts.is_empty(), "{:#?}", world.trace());
    let finalizers = placed(&world, "a").metadata.finalizers.unwrap_or_default();
    assert_eq!(finalizers, ["foregroundDeletion"], "{:#?}", world.trace());
}

/// What the API server didn't take is tried again, until it has it, by whatever way.
#[test]
fn i01_a_status_that_is_on_record_by_now_is_not_kept_as_unwritten() {
    let world = bound(setup(), &[0]);
    let uid = world.placed(0).expect("declared");
    let ada = placed(&world, "a");
    let (status, provisioner) = (ada.status.clone().unwrap_or_default(), &world.operator.provisioner);
    provisioner.user_notes.unsaved.keep(&uid, crate::api::ScimUserStatus { drift: Some(Vec::new()), ..status.clone() });
    let mut saved: Task<_> = {
        let provisioner = std::sync::Arc::clone(provisioner);
        Box::pin(async move { User::save(&provisioner, &ada, &status).await.is_ok() })
    };
    assert_eq!(poll(&mut saved), Some(true));
    assert_eq!(world.operator.provisioner.user_notes.unsaved.get(&uid), None);
}
