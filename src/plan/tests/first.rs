//! I6 and I7: first bindings, what creations are answered with, and ids that changed.

use serde_json::{Value, json};

use super::driver::{World, spec};
use crate::api::{AdoptionPolicy, OperationType, Reason};
use crate::plan::{Account, Answered, Creations, Delegated, Holder, HolderState, Read, Step, Verdict};
use crate::scim::{Profile, Resource};

fn resource(value: &Value) -> Resource {
    Resource(value.as_object().cloned().unwrap_or_default())
}

fn found(value: &Value) -> Account {
    Account::Found { resource: resource(value), fresh: true }
}

/// Ada is declared, with an externalId.
fn ada() -> World {
    let declared = json!({
        "connectionRef": {"name": "c"}, "userName": "ada@example.com", "externalId": "e-2", "active": true,
    });
    World::new(Profile::generic(), spec(declared))
}

fn refused(step: Step) -> Verdict {
    let Step::Settle(verdict) = step else { panic!("does something: {step:?}") };
    *verdict
}

/// What a creation was answered with, and why it isn't certain to be new.
fn answered(world: &mut World, account: &Value, existed: Option<&'static str>) -> Step {
    let id = account["id"].as_str().unwrap_or_default().to_owned();
    world.creations.answered = Some(Answered { id, existed });
    world.decide_on(found(account))
}

#[test]
fn i07_what_a_creation_was_answered_with_meets_what_an_adoption_meets() {
    let lovelace = json!({"id": "7", "userName": "ada.lovelace", "active": true});
    let same = json!({"id": "7", "userName": "ada@example.com", "active": true});
    for adoption in [AdoptionPolicy::Adopt, AdoptionPolicy::Refuse] {
        let mut world = ada();
        (world.finalizer, world.claimed) = (true, Some("ada@example.com".into()));
        world.policy.adoption = adoption;
        let verdict = refused(answered(&mut world, &lovelace, Some("it has another name")));
        assert_eq!(verdict.reason, Some(Reason::Conflict));
        assert!(verdict.message.contains("\"7\"") && verdict.message.contains("ada.lovelace"), "{}", verdict.message);
        // One that was there isn't ours by the claim that was made for it.
        let step = answered(&mut world, &same, Some("it is older than the request"));
        match adoption {
            AdoptionPolicy::Adopt => {
                assert!(matches!(step, Step::Bind(binding) if binding.how == OperationType::Adopt));
            }
            AdoptionPolicy::Refuse => {
                let verdict = refused(step);
                assert_eq!(verdict.reason, Some(Reason::AdoptionRefused));
                assert!(verdict.message.contains("scim-operator.dev/remote-id=7"), "{}", verdict.message);
            }
        }
        world.claims.holder = Some(Holder { name: "team/other".into(), has_account: true, state: HolderState::Keeps });
        let verdict = refused(answered(&mut world, &same, Some("another object is bound to it")));
        assert_eq!(verdict.reason, Some(Reason::Conflict));
    }
}

#[test]
fn i07_what_was_there_is_not_removed_with_the_object() {
    let mut world = ada();
    (world.finalizer, world.claimed, world.deleting) = (true, Some("ada@example.com".into()), true);
    let same = json!({"id": "7", "userName": "ada@example.com", "active": true});
    let step = answered(&mut world, &same, Some("it is older than the request"));
    assert!(matches!(step, Step::RemoveFinalizer(_)), "{step:?}");
    // Nor is another person's, whatever was claimed.
    world.creations = Creations::default();
    let other = json!({"id": "7", "userName": "ada@example.com", "externalId": "e-1", "active": true});
    assert!(matches!(world.decide_on(found(&other)), Step::RemoveFinalizer(_)));
    assert!(matches!(world.decide_on(found(&same)), Step::Send(_)), "a lost creation's is");
}

#[test]
fn i07_nothing_is_created_twice() {
    let mut world = ada();
    let absent = |fresh| Account::Absent { fresh };
    let creates = |world: &World, account| matches!(world.decide_on(account), Step::Send(sent) if sent.kind == OperationType::Create);
    assert!(creates(&world, absent(false)));
    // Never again before a look that came after the last answer.
    world.creations.earlier = true;
    assert_eq!(world.decide_on(absent(false)), Step::Read(Read::Find));
    assert!(creates(&world, absent(true)));
    // Never twice in one pass.
    world.creations.sent = true;
    assert_eq!(refused(world.decide_on(absent(true))).reason, Some(Reason::Pending));
    // Nor a third time within an hour.
    world.creations = Creations { earlier: true, made: vec!["id-1".into(), "id-2".into()], ..Creations::default() };
    let verdict = refused(world.decide_on(absent(true)));
    assert_eq!(verdict.reason, Some(Reason::Conflict));
    assert!(verdict.message.contains("id-1") && verdict.message.contains("id-2"), "{}", verdict.message);
    // The bound one is gone: it is looked for by its name before it is made again.
    let mut world = ada();
    world.pass();
    world.policy.repair.deleted = true;
    world.server.accounts.clear();
    assert_eq!(world.decide_on(absent(true)), Step::Read(Read::Find));
    world.creations.searched = true;
    assert!(creates(&world, absent(true)));
}

#[test]
fn i06_another_external_id_is_another_person() {
    let smith = json!({
        "id": "9", "userName": "Ada@example.com", "externalId": "e-1", "active": false,
        "roles": [{"value": "admin"}], "entitlements": [{"display": "Billing"}],
    });
    let mut world = ada();
    let message = refused(world.decide_on(found(&smith))).message;
    for word in ["e-1", "e-2", "Ada@example.com", "\"9\"", "inactive", "admin", "Billing"] {
        assert!(message.contains(word), "{word}: {message}");
    }
    assert!(message.contains("kubectl annotate scimuser -n team ada scim-operator.dev/remote-id=9"), "{message}");
    world.claims.holder = Some(Holder { name: "team/old".into(), has_account: true, state: HolderState::HandsOver });
    assert_eq!(refused(world.decide_on(found(&smith))).reason, Some(Reason::Conflict));
    world.claims.holder = None;
    // A person's decision, under everything else that an adoption meets.
    world.remote_id = Some("9".into());
    assert!(matches!(world.decide_on(found(&smith)), Step::Bind(_)));
    world.remote_id = Some("8".into());
    assert_eq!(refused(world.decide_on(found(&smith))).reason, Some(Reason::Conflict));
    // A server that keeps none tells nothing by it.
    world.remote_id = None;
    world.policy.profile.external_id = false;
    assert!(matches!(world.decide_on(found(&smith)), Step::Bind(_)));
    let mut same = smith;
    same["externalId"] = json!("e-2");
    let mut world = ada();
    world.server.accounts.insert("9".into(), resource(&same).0);
    let outcome = world.pass();
    assert_eq!(outcome.sent.iter().map(|sent| sent.kind).collect::<Vec<_>>(), [OperationType::Reactivate]);
}

#[test]
fn i06_an_account_under_a_new_id_is_bound_anew() {
    for repair in [false, true] {
        let mut world = ada();
        world.pass();
        world.policy.repair.deleted = repair;
        let old = world.status.id.clone().unwrap_or_default();
        let mut account = world.server.accounts.remove(&old).expect("made");
        account.insert("id".into(), json!("new"));
        world.server.accounts.insert("new".into(), account);
        let shown = world.server.get("new").expect("there");
        let step = world.decide_on(Account::Found { resource: shown, fresh: false });
        assert!(matches!(step, Step::Bind(binding) if binding.id == "new" && binding.how == OperationType::Adopt));
        world.policy.adoption = AdoptionPolicy::Refuse;
        let shown = world.server.get("new").expect("there");
        let verdict = refused(world.decide_on(Account::Found { resource: shown, fresh: false }));
        assert_eq!(verdict.reason, Some(Reason::AdoptionRefused));
    }
}

#[test]
fn i06_ids_that_changed_hands_are_said_and_nothing_is_written() {
    let mut world = ada();
    world.spec.external_id = None;
    world.pass();
    let id = world.status.id.clone().expect("bound");
    world.status.user_name = Some("ada@example.com".into());
    world.meddle().insert("userName".into(), json!("bob@example.com"));
    // Somebody renamed it: drift.
    let shown = world.server.get(&id).expect("there");
    assert!(matches!(world.decide_on(Account::Found { resource: shown, fresh: true }), Step::Send(_)));
    world.server.accounts.insert("2".into(), resource(&json!({"id": "2", "userName": "ada@example.com"})).0);
    let active = world.spec.active;
    for (deleting, declared) in [(false, active), (false, Some(false)), (true, active)] {
        world.deleting = deleting;
        world.spec.active = declared;
        let shown = world.server.get(&id).expect("there");
        let verdict = refused(world.decide_on(Account::Found { resource: shown, fresh: true }));
        assert_eq!(verdict.reason, Some(Reason::Conflict), "{verdict:?}");
        assert!(
            verdict.message.contains("bob@example.com") && verdict.message.contains("\"2\""),
            "{}",
            verdict.message
        );
        assert_eq!(verdict.details.user_name, None, "the next look must see the same");
    }
    // By its externalId it is the same one, whatever it is called.
    (world.deleting, world.spec.active, world.spec.external_id) = (true, active, Some("e-2".into()));
    world.meddle().insert("externalId".into(), json!("e-2"));
    let shown = world.server.get(&id).expect("there");
    assert!(matches!(world.decide_on(Account::Found { resource: shown, fresh: true }), Step::Send(_)));
    // Renamed here, not there: the name that it leaves may be another's already.
    let mut world = ada();
    world.pass();
    world.status.user_name = Some("ada@example.com".into());
    world.declare(crate::api::ScimUserSpec { user_name: "grace@example.com".into(), ..world.spec.clone() });
    assert!(!world.pass().sent.is_empty());
}

#[test]
fn i26_an_account_outside_the_delegation_is_not_bound_for_a_creation() {
    let outside = resource(&json!({"id": "7", "userName": "ada.lovelace"}));
    let entry =
        crate::api::Delegation { user_names: vec!["*@example.com".into()], ..crate::api::Delegation::default() };
    assert!(Delegated::by([&entry]).refuses_account(&outside).is_some());
}

#[test]
fn i08_an_account_that_has_another_name_than_the_list_showed_is_not_the_one() {
    let mut world = ada();
    let renamed = found(&json!({"id": "7", "userName": "ada.old", "active": false}));
    assert_eq!(world.decide_on(renamed.clone()), Step::Read(Read::Find));
    world.creations.searched = true;
    assert_eq!(refused(world.decide_on(renamed)).reason, Some(Reason::Conflict), "a search that shows it all the same");
}
