//! What histories once broke, each told as shortly as it can be.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::json;

use super::events::{Event, Spec};
use super::outside::{Fault, Listing, Place};
use super::setup::{CONNECTION, SERVER, Setup};
use super::world::World;
use crate::api::{AdoptionPolicy, CLAIMED_ACCOUNT, DeletionPolicy, FINALIZER, ScimUser, ScimUserStatus};
use crate::provisioner::directory::{ConnectionKey, Directory};

pub(super) fn setup() -> Setup {
    Setup {
        unique: true,
        upserts: false,
        silent: false,
        put: false,
        drops: false,
        repair: (true, false, false),
        deletion: DeletionPolicy::Deactivate,
        adoption: AdoptionPolicy::Adopt,
        protected: false,
        limits: (5, 5, 5),
        window: 600,
    }
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
    assert_eq!(world.outside().broken, None, "{:#?}", world.trace());
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
        assert!(world.operator.provisioner.directory.get("uid-0001").is_none());
    }
    ends_well(world);
}

#[test]
fn i16_a_deactivation_is_ours_though_the_update_after_it_waits_for_leave() {
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
    while world.place() != Some(Place::Answer) {
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
fn i08_whoever_takes_the_name_of_a_renamed_object_gets_an_account_of_its_own() {
    for adoption in [AdoptionPolicy::Adopt, AdoptionPolicy::Refuse] {
        for newcomer_first in [true, false] {
            let mut world = bound(Setup { adoption, ..setup() }, &[1]);
            let old = id_of(&world, "a").expect("bound");
            let hire = Event::Declare(1, Spec { active: Some(true), ..Spec::named(1) });
            if newcomer_first {
                world.happen(&hire);
                world.drain();
                assert_eq!(ready(&world, "b").0, "Conflict");
            }
            world.happen(&Event::Rename(0, 4));
            if !newcomer_first {
                world.happen(&hire);
            }
            let world = ends_well(world);
            assert_eq!(id_of(&world, "a").as_ref(), Some(&old), "the account follows its object");
            assert_eq!(account(&world, &old), ("dee".into(), true));
            let new = id_of(&world, "b").expect("bound");
            assert_ne!(new, old);
            assert_eq!(account(&world, &new), ("bob".into(), true));
        }
    }
}

#[test]
fn i08_whose_object_was_deleted_has_no_access_though_a_bound_one_takes_the_name() {
    for deletion in [DeletionPolicy::Deactivate, DeletionPolicy::Delete] {
        let mut world = bound(Setup { deletion, ..setup() }, &[0, 1]);
        let (john, other) = (id_of(&world, "a").expect("bound"), id_of(&world, "b").expect("bound"));
        world.happen(&Event::Remove(0));
        world.happen(&Event::Rename(1, 0));
        let world = ends_well(world);
        assert_eq!(id_of(&world, "b").as_ref(), Some(&other));
        if deletion == DeletionPolicy::Delete {
            assert!(!world.outside().site.server.accounts.contains_key(&john));
            assert_eq!(account(&world, &other), ("ada".into(), true));
        } else {
            assert_eq!(account(&world, &john), ("ada".into(), false));
            assert_eq!((account(&world, &other), ready(&world, "b").0), (("bob".into(), true), "Conflict".into()));
        }
    }
}

#[test]
fn i08_names_that_move_along_a_row_are_renamed_in_its_order() {
    let mut world = bound(setup(), &[0, 1, 2]);
    let ids: Vec<_> = ["a", "b", "c"].map(|name| id_of(&world, name)).into();
    // The last of the row is renamed last, to a name that is free.
    for (slot, name) in [(0, 1), (1, 2), (2, 4)] {
        world.happen(&Event::Rename(slot, name));
        world.drain();
    }
    let world = ends_well(world);
    for (place, id, name) in [("a", &ids[0], "bob"), ("b", &ids[1], "cyd"), ("c", &ids[2], "dee")] {
        assert_eq!(id_of(&world, place), *id);
        assert_eq!(account(&world, id.as_ref().expect("bound")).0, name);
    }
}

#[test]
fn i08_objects_that_swap_names_wait_and_are_told_the_way_out() {
    let mut world = bound(setup(), &[0, 1, 2]);
    let ids: Vec<_> = ["a", "b", "c"].map(|name| id_of(&world, name)).into();
    let declared = [(0, 1), (1, 2), (2, 0)];
    for (slot, name) in declared {
        world.happen(&Event::Rename(slot, name));
    }
    let mut world = ends_well(world);
    for (place, id, name) in [("a", &ids[0], "ada"), ("b", &ids[1], "bob"), ("c", &ids[2], "cyd")] {
        assert_eq!(id_of(&world, place), *id);
        assert_eq!(account(&world, id.as_ref().expect("bound")).0, name);
        let (reason, message) = ready(&world, place);
        assert_eq!(reason, "Conflict");
        let all = ["n/a", "n/b", "n/c", "interim"];
        assert!(all.into_iter().all(|word| message.contains(word)), "{message}");
    }
    // The way out.
    world.happen(&Event::Rename(0, 4));
    world.drain();
    world.happen(&Event::Time(3_000));
    world.drain();
    world.happen(&Event::Rename(0, 1));
    let world = ends_well(world);
    for (place, id, name) in [("a", &ids[0], "bob"), ("b", &ids[1], "cyd"), ("c", &ids[2], "ada")] {
        assert_eq!(id_of(&world, place), *id);
        assert_eq!(account(&world, id.as_ref().expect("bound")).0, name);
    }
}

#[test]
fn i08_a_successor_is_bound_before_the_object_that_hands_over_goes() {
    for deletion in [DeletionPolicy::Deactivate, DeletionPolicy::Delete, DeletionPolicy::Retain] {
        // The operator dies after so many of its steps.
        for death in 0..30 {
            let mut world = bound(Setup { deletion, adoption: AdoptionPolicy::Refuse, ..setup() }, &[0]);
            let id = id_of(&world, "a");
            let before = world.outside().book.writes;
            world.happen(&Event::Move(0, 1, death % 2 == 0));
            for step in 0..60 {
                let _ = world.deliver() || world.page() || world.take() || world.advance(0);
                let is_there = world.outside().cluster.named("n", "a").is_some();
                assert!(is_there || id_of(&world, "b") == id, "{:#?}", world.trace());
                if step == death {
                    world.happen(&Event::Restart);
                    world.sweep(Listing::Whole);
                }
            }
            let world = ends_well(world);
            assert!(world.outside().cluster.named("n", "a").is_none());
            assert_eq!((id_of(&world, "b"), world.outside().book.writes), (id.clone(), before));
            assert!(account(&world, &id.expect("bound")).1);
        }
    }
}

#[test]
fn i08_where_nobody_can_take_over_the_removal_is_carried_out() {
    // Another person's externalId, declared for the same name.
    let mut world = bound(setup(), &[0]);
    let id = id_of(&world, "a").expect("bound");
    let spec = Spec { external_id: true, active: Some(true), ..Spec::named(0) };
    world.outside().site.invite("dee", true);
    let invited = world.outside().site.server.accounts.keys().find(|known| **known != id).cloned().expect("another");
    world.outside().site.meddle(&invited, |account| {
        account.insert("externalId".into(), json!("e-0"));
    });
    world.sweep(Listing::Whole);
    world.drain();
    world.happen(&Event::Declare(1, spec));
    world.happen(&Event::Remove(0));
    let world = ends_well(world);
    assert!(!account(&world, &id).1, "{:#?}", world.trace());
    assert!(world.outside().cluster.named("n", "a").is_none());
}

fn user(name: &str, declares: &str, id: Option<&str>, leaving: bool) -> ScimUser {
    let spec = serde_json::from_value(json!({"connectionRef": {"name": CONNECTION}, "userName": declares}));
    let mut user = ScimUser::new(name, spec.expect("a spec"));
    user.metadata.namespace = Some("n".into());
    user.metadata.uid = Some(name.into());
    user.metadata.finalizers = Some(vec![FINALIZER.into()]);
    user.metadata.creation_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    user.metadata.deletion_timestamp = leaving.then_some(Time(Timestamp::UNIX_EPOCH));
    user.status = id.map(|id| ScimUserStatus {
        id: Some(id.into()),
        bound_to: Some(SERVER.clone()),
        user_name: Some("ada".into()),
        ..ScimUserStatus::default()
    });
    user
}

fn successor(leaves: &ScimUser, other: &ScimUser) -> Option<String> {
    let directory = Directory::default();
    directory.set_server(&ConnectionKey { namespace: "n".into(), name: CONNECTION.into() }, Some(&SERVER));
    directory.upsert(leaves.clone());
    directory.upsert(other.clone());
    directory.claims(leaves, &SERVER, None).successor.map(|successor| successor.name)
}

#[test]
fn i10_a_lost_creation_is_not_taken_back_from_whoever_declares_the_name() {
    let other = user("b", "ada", None, false);
    let made = |name: &str, leaving: bool| {
        let mut user = user("a", name, None, leaving);
        user.annotations_mut().insert(CLAIMED_ACCOUNT.into(), json!({"userName": name}).to_string());
        user
    };
    assert_eq!(successor(&made("ada", true), &other).as_deref(), Some("n/b"));
    assert_eq!(successor(&made("bob", true), &other), None);
    assert_eq!(successor(&made("ada", false), &other), None, "it stays, so it hands nothing over");
}

#[test]
fn i08_an_account_that_another_object_holds_too_is_handed_over() {
    let other = user("b", "ada", Some("id-1"), false);
    assert_eq!(successor(&user("a", "ada", Some("id-1"), true), &other).as_deref(), Some("n/b"));
    let other = user("b", "ada", Some("id-2"), false);
    assert_eq!(successor(&user("a", "ada", Some("id-1"), true), &other), None, "it has its own");
}

#[test]
fn i08_a_name_is_reserved_for_one_object_at_a_time() {
    let directory = Directory::default();
    let (a, b) = ("a".into(), "b".into());
    assert!(directory.reserve(&SERVER, "ada", &a) && directory.reserve(&SERVER, "ADA", &a));
    assert!(!directory.reserve(&SERVER, "Ada", &b) && directory.reserve("elsewhere", "ada", &b));
    directory.release("a");
    assert!(directory.reserve(&SERVER, "ada", &b));
    directory.remove("b");
    assert!(directory.reserve(&SERVER, "ada", &a));
}

#[test]
fn i07_whoever_a_creation_is_answered_with_is_not_taken_for_new() {
    for adoption in [AdoptionPolicy::Adopt, AdoptionPolicy::Refuse] {
        let mut world = World::new(Setup { upserts: true, adoption, ..setup() }, true);
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
        let holds = world.gate().holds();
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
}
