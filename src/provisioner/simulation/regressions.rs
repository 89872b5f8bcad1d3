//! What histories once broke, each told as shortly as it can be.

mod admissions;
mod claims;
mod groups;
mod leavers;
mod leaving_connections;
mod lines;
mod locks;
mod meanwhile;
mod memberships;
mod named;
mod named_accounts;
mod names;
mod nested;
mod promised;
mod rejections;
mod renumbered;
mod short_lists;
mod strangers;
mod windows;

use kube::ResourceExt;
use serde_json::json;

use super::events::{Event, Spec};
use super::outside::{Fault, Listing, Place};
use super::quirks::{Doubles, Filters, Quirks};
use super::setup::{GroupSetup, Setup};
use super::world::World;
use crate::api::{AdoptionPolicy, DeletionPolicy, ScimUser};

pub(super) fn setup() -> Setup {
    Setup {
        unique: true,
        silent: false,
        put: false,
        quirks: Quirks::default(),
        repair: (true, false, false),
        deletion: DeletionPolicy::Deactivate,
        adoption: AdoptionPolicy::Adopt,
        protected: false,
        limits: (5, 5, 5),
        window: 600,
        groups: GroupSetup::default(),
    }
}

/// The same, of a server that does some things in its own way.
fn with(quirks: Quirks) -> Setup {
    Setup { quirks, ..setup() }
}

/// Ada is declared, and a worker has planned her creation.
fn planned() -> World {
    let mut world = World::new(setup(), true);
    world.sweep(Listing::Whole);
    while world.page() {}
    world.happen(&Event::Declare(0, Spec::named(0)));
    assert!(world.deliver() && world.take() && world.advance(0));
    world
}

fn only(world: &World) -> ScimUser {
    world.outside().cluster.objects.values().next().expect("one object").clone()
}

fn ends_well(mut world: World) -> World {
    world.calm_down();
    let broken = world.outside().broken.clone();
    assert_eq!(broken, None, "{:#?}", world.trace());
    world
}

#[test]
fn i03_a_plan_is_not_carried_out_for_a_newer_spec() {
    let mut world = planned();
    world.happen(&Event::Rename(0, 1));
    let world = ends_well(world);
    assert_eq!(only_account(&world)["userName"], json!("bob"));
}

#[test]
fn i01_what_a_person_asks_for_while_a_status_is_written_is_heard() {
    let mut world = planned();
    while world.place() != Some(Place::Status) {
        assert!(world.advance(0));
    }
    world.happen(&Event::Request(0));
    world.drain();
    let status = only(&world).status.clone().unwrap_or_default();
    assert!(status.last_handled_reconcile_at.is_some());
    ends_well(world);
}

#[test]
fn i08_whoever_moves_while_it_is_bound_shares_the_account_with_nobody() {
    let mut world = planned();
    world.happen(&Event::Move(0, 1, false));
    let world = ends_well(world);
    assert_eq!(world.outside().site.server.accounts.len(), 1);
    assert_eq!(only(&world).name_any(), "b");
}

#[test]
fn i28_nothing_is_sent_for_an_object_whose_end_was_seen_before_its_last_events() {
    let mut world = planned();
    world.happen(&Event::Invite(0, false));
    until_it_is_answered(&mut world);
    // She was there already, so the finalizer is taken back; and that ends an object under deletion.
    world.happen(&Event::Move(0, 1, false));
    world.happen(&Event::Fault(Fault::Refused));
    while world.outside().cluster.named("n", "a").is_some() {
        assert!(world.advance(0), "{:#?}", world.trace());
    }
    assert_eq!(only(&world).name_any(), "b");
    while world.deliver() {
        assert!(world.operator.provisioner.directory.get(&"uid-0001".into()).is_none());
    }
    ends_well(world);
}

#[test]
fn i16_a_deactivation_is_ours_though_the_update_after_it_waits_for_admission() {
    let mut world = World::new(Setup { repair: (false, false, false), limits: (5, 0, 5), ..setup() }, true);
    world.sweep(Listing::Whole);
    world.happen(&Event::Declare(0, Spec { email: Some("x"), ..Spec::named(0) }));
    world.drain();
    world.happen(&Event::Change(0, Spec { active: Some(false), ..Spec::named(0) }));
    world.drain();
    // The removal has waited for others like it, and goes; the rewrite behind it begins to wait.
    world.happen(&Event::Time(2_000));
    world.drain();
    let status = only(&world).status.clone().unwrap_or_default();
    assert_eq!(status.last_applied_active, Some(false), "{:#?}", world.trace());
    assert_eq!((status.observed_generation, status.active), (Some(1), Some(false)));
    world.happen(&Event::Change(0, Spec { active: Some(true), ..Spec::named(0) }));
    let world = ends_well(world);
    assert_eq!(
        world.outside().site.server.accounts.values().next().map(|account| &account["active"]),
        Some(&json!(true))
    );
}

/// The one pass that is on, or begins, has sent its request and not heard the answer.
fn until_it_is_answered(world: &mut World) {
    until(world, Place::Answer);
}

/// The one pass that is on, or begins, stands at this place.
fn until(world: &mut World, place: Place) {
    while world.place() != Some(place) {
        assert!(world.operator.flight.is_empty() && world.take() || world.advance(0), "{:#?}", world.trace());
    }
}

#[test]
fn i16_a_deactivation_is_ours_though_its_answer_was_never_heard() {
    let mut world = World::new(Setup { repair: (false, false, false), ..setup() }, true);
    world.sweep(Listing::Whole);
    world.happen(&Event::Declare(0, Spec { active: Some(true), ..Spec::named(0) }));
    world.drain();
    world.happen(&Event::Change(0, Spec { active: Some(false), ..Spec::named(0) }));
    world.drain();
    world.happen(&Event::Time(2_000));
    until_it_is_answered(&mut world);
    world.happen(&Event::Restart);
    world.happen(&Event::Change(0, Spec { active: Some(true), ..Spec::named(0) }));
    let world = ends_well(world);
    assert_eq!(
        world.outside().site.server.accounts.values().next().map(|account| &account["active"]),
        Some(&json!(true))
    );
}

#[test]
fn i07_an_account_renamed_after_a_lost_creation_is_known_by_its_id() {
    let mut world = planned();
    world.happen(&Event::Fault(Fault::Lost));
    world.drain();
    world.happen(&Event::Rename(0, 4));
    world.drain();
    world.happen(&Event::Time(5_000));
    until_it_is_answered(&mut world);
    world.happen(&Event::Restart);
    world.happen(&Event::Rename(0, 0));
    let world = ends_well(world);
    assert_eq!(world.outside().site.server.accounts.len(), 1, "{:#?}", world.trace());
}

/// Objects in the first places, with these userNames, all of them bound.
fn bound(setup: Setup, names: &[usize]) -> World {
    let mut world = World::new(setup, true);
    world.sweep(Listing::Whole);
    for (slot, name) in names.iter().enumerate() {
        world.happen(&Event::Declare(slot, Spec { active: Some(true), ..Spec::named(*name) }));
    }
    world.drain();
    world.happen(&Event::Time(3_000));
    world.drain();
    world
}

fn placed(world: &World, name: &str) -> ScimUser {
    world.outside().cluster.named("n", name).expect("the object").clone()
}

/// The id of the account that an object is bound to.
fn id_of(world: &World, name: &str) -> Option<String> {
    placed(world, name).status.as_ref().and_then(|status| status.id.clone())
}

/// What the server shows of an account: its userName, and whether it is active.
fn account(world: &World, id: &str) -> (String, bool) {
    let account = &world.outside().site.server.accounts[id];
    (account["userName"].as_str().unwrap_or_default().to_owned(), account["active"] == json!(true))
}

fn ready(world: &World, name: &str) -> (String, String) {
    let status = placed(world, name).status.clone().unwrap_or_default();
    let ready = status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready").cloned();
    ready.map(|ready| (ready.reason, ready.message)).unwrap_or_default()
}

#[test]
fn i07_whoever_a_creation_is_answered_with_is_not_taken_for_new() {
    for adoption in [AdoptionPolicy::Adopt, AdoptionPolicy::Refuse] {
        let mut world = World::new(
            Setup { quirks: Quirks { doubles: Doubles::Shown, ..Quirks::default() }, adoption, ..setup() },
            true,
        );
        world.sweep(Listing::Whole);
        while world.page() {}
        world.happen(&Event::Declare(0, Spec::named(0)));
        assert!(world.deliver() && world.take() && world.advance(0));
        // Somebody else is made meanwhile, whom no look-up has shown.
        world.happen(&Event::Invite(0, true));
        world.drain();
        let status = only(&world).status.clone().unwrap_or_default();
        assert_eq!(status.id.is_some(), adoption == AdoptionPolicy::Adopt, "{:#?}", world.trace());
        world.happen(&Event::Remove(0));
        let refused = adoption == AdoptionPolicy::Refuse;
        let world = ends_well(world);
        let account = only_account(&world);
        assert_eq!(account.get("active") == Some(&json!(true)), refused, "{:#?}", world.trace());
    }
}

/// Ada, active and titled, at a connection that only reports.
fn reported() -> World {
    let mut world = World::new(Setup { repair: (false, false, false), ..setup() }, true);
    world.sweep(Listing::Whole);
    world.happen(&Event::Declare(0, Spec { active: Some(true), title: Some("x"), ..Spec::named(0) }));
    world.drain();
    world
}

fn seen_by_a_sweep(world: &mut World) {
    world.happen(&Event::Time(60_000));
    world.happen(&Event::Sweep(Listing::Whole));
    world.drain();
}

fn only_account(world: &World) -> crate::scim::Attributes {
    world.outside().site.server.accounts.values().next().expect("one account").clone()
}

fn answered(world: &World) -> bool {
    only(world).status.as_ref().is_some_and(|status| status.last_handled_reconcile_at.is_some())
}

#[test]
fn i22_what_is_asked_for_stays_asked_for_until_it_is_done() {
    let mut world = reported();
    world.happen(&Event::Deactivate(0));
    seen_by_a_sweep(&mut world);
    assert_eq!(only_account(&world)["active"], json!(false));
    world.happen(&Event::Request(0));
    while world.deliver() {}
    while world.place() != Some(Place::Request) {
        assert!(world.operator.flight.is_empty() && world.take() || world.advance(0), "{:#?}", world.trace());
    }
    world.happen(&Event::Fault(Fault::Refused));
    while !world.operator.flight.is_empty() {
        assert!(world.advance(0));
    }
    assert!(!answered(&world), "it was not done: {:#?}", world.trace());
    world.happen(&Event::Time(10_000));
    world.drain();
    assert_eq!((only_account(&world)["active"].clone(), answered(&world)), (json!(true), true), "{:#?}", world.trace());
    ends_well(world);
}

#[test]
fn i22_what_is_asked_for_is_judged_by_how_it_stands_now() {
    let mut world = reported();
    world.happen(&Event::Retitle(0, "y"));
    world.happen(&Event::Request(0));
    world.drain();
    assert_eq!((only_account(&world)["title"].clone(), answered(&world)), (json!("x"), true), "{:#?}", world.trace());
    ends_well(world);
}

#[test]
fn i13_what_is_asked_for_under_plan_stays_in_its_hold() {
    let mut world = reported();
    world.happen(&Event::Deactivate(0));
    seen_by_a_sweep(&mut world);
    world.happen(&Event::Plan(true));
    world.happen(&Event::Request(0));
    world.drain();
    for _ in 0..2 {
        seen_by_a_sweep(&mut world);
        let holds = world.holds();
        assert_eq!((holds.len(), holds[0].updates), (1, 1), "{:#?}", world.trace());
        assert!(!answered(&world), "nobody has decided yet");
    }
    world.happen(&Event::Answer(0, true));
    world.drain();
    assert_eq!((only_account(&world)["active"].clone(), answered(&world)), (json!(true), true), "{:#?}", world.trace());
}

#[test]
fn i09_an_attribute_that_is_changed_back_again_and_again_is_left_until_the_spec_changes() {
    let mut world = World::new(setup(), true);
    world.sweep(Listing::Whole);
    world.happen(&Event::Declare(0, Spec { title: Some("x"), ..Spec::named(0) }));
    world.drain();
    for times in 1..=5 {
        world.happen(&Event::Retitle(0, "y"));
        seen_by_a_sweep(&mut world);
        let repaired = times <= 3;
        assert_eq!(
            only_account(&world)["title"],
            json!(if repaired { "x" } else { "y" }),
            "{times}: {:#?}",
            world.trace()
        );
        let reason = super::checks::reason_of(only(&world).status.as_ref().expect("a status")).to_owned();
        assert_eq!(reason == "Contested", !repaired, "{times}: {reason}");
    }
    let ignored = only(&world).status.as_ref().and_then(|status| status.ignored_attributes.clone()).unwrap_or_default();
    assert_eq!(ignored.iter().map(|one| one.reason).collect::<Vec<_>>(), [crate::api::IgnoredReason::Contested]);
    world.happen(&Event::Change(0, Spec { title: Some("z"), ..Spec::named(0) }));
    world.drain();
    assert_eq!(only_account(&world)["title"], json!("z"), "{:#?}", world.trace());
    // And is repaired as often again.
    world.happen(&Event::Retitle(0, "y"));
    seen_by_a_sweep(&mut world);
    assert_eq!(only_account(&world)["title"], json!("z"), "{:#?}", world.trace());
}

#[test]
fn i13_what_is_let_go_is_on_record_before_it_is_sent() {
    let mut world = bound(Setup { limits: (1, 5, 5), ..setup() }, &[0, 1]);
    let bob = id_of(&world, "b").expect("bound");
    world.happen(&Event::Remove(0));
    world.drain();
    world.happen(&Event::Time(3_000));
    until_it_is_answered(&mut world);
    world.happen(&Event::Restart);
    world.happen(&Event::Remove(1));
    for _ in 0..2 {
        seen_by_a_sweep(&mut world);
    }
    assert_eq!((account(&world, &bob).1, world.holds().len()), (true, 1), "{:#?}", world.trace());
    ends_well(world);
}

#[test]
fn i22_whoever_asks_after_the_database_was_built_anew_is_bound_by_name() {
    let mut world = bound(setup(), &[0]);
    world.happen(&Event::Renumber);
    seen_by_a_sweep(&mut world);
    world.happen(&Event::Request(0));
    for _ in 0..3 {
        seen_by_a_sweep(&mut world);
    }
    let now = world.outside().site.server.accounts.keys().next().cloned();
    assert_eq!((id_of(&world, "a"), answered(&world)), (now, true), "{:#?}", world.trace());
    ends_well(world);
}

#[test]
fn i01_whoever_is_looked_for_in_the_whole_list_is_told_the_same_but_once() {
    let mut world = bound(with(Quirks { filters: Filters::Refused, ..Quirks::default() }), &[0]);
    world.happen(&Event::Declare(1, Spec::named(0)));
    for _ in 0..3 {
        seen_by_a_sweep(&mut world);
    }
    assert_eq!(ready(&world, "b").0, "Conflict", "{:#?}", world.trace());
    let before = world.writes();
    for _ in 0..3 {
        world.happen(&Event::Time(86_400_000));
        seen_by_a_sweep(&mut world);
    }
    assert_eq!(world.writes(), before, "{:#?}", world.trace());
    ends_well(world);
}
