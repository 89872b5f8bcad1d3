//! I6 and I7: first bindings, what creations are answered with, and ids that changed.

use serde_json::{Value, json};

use super::driver::spec;
use crate::api::{AdoptionPolicy, OperationType, Reason, RepairPolicy, ScimUserSpec};
use crate::plan::{
    Account, Answered, Creations, Delegated, Facts, Holder, HolderState, Policy, Read, Step, Verdict, decide,
};
use crate::provisioner::simulation::alone::Alone;
use crate::scim::{Profile, Resource};

fn resource(value: &Value) -> Resource {
    Resource(value.as_object().cloned().unwrap_or_default())
}

fn found(value: &Value) -> Account {
    Account::Found { resource: resource(value), fresh: true }
}

/// Ada is declared, with an externalId.
fn ada() -> Alone {
    let declared = json!({
        "connectionRef": {"name": "c"}, "userName": "ada@example.com", "externalId": "e-2", "active": true,
    });
    Alone::new(&Profile::generic(), spec(declared))
}

fn refusing(mut alone: Alone) -> Alone {
    alone.configure(|connection| connection.spec.adoption_policy.users = AdoptionPolicy::Refuse);
    alone
}

fn refused(step: Step) -> Verdict {
    let Step::Settle(verdict) = step else { panic!("does something: {step:?}") };
    *verdict
}

/// What follows where a creation was answered with this account, and why it isn't certain to be new.
fn answered(
    alone: &mut Alone,
    account: &Value,
    existed: Option<&'static str>,
    change: impl FnOnce(&mut Facts<'_>),
) -> Step {
    let id = account["id"].as_str().unwrap_or_default().to_owned();
    alone.decide(|facts| {
        facts.creations.answered = Some(Answered { id, existed, own: false });
        facts.account = found(account);
        change(facts);
    })
}

#[test]
fn i07_what_a_creation_was_answered_with_meets_what_an_adoption_meets() {
    let lovelace = json!({"id": "7", "userName": "ada.lovelace", "active": true});
    let same = json!({"id": "7", "userName": "ada@example.com", "active": true});
    for adoption in [AdoptionPolicy::Adopt, AdoptionPolicy::Refuse] {
        let mut alone = ada();
        alone.claim("ada@example.com");
        alone.configure(|connection| connection.spec.adoption_policy.users = adoption);
        let verdict = refused(answered(&mut alone, &lovelace, Some("it has another name"), |_| {}));
        assert_eq!(verdict.reason, Some(Reason::Conflict));
        assert!(verdict.message.contains("\"7\"") && verdict.message.contains("ada.lovelace"), "{}", verdict.message);
        // One that was there isn't ours by the claim that was made for it.
        let step = answered(&mut alone, &same, Some("it is older than the request"), |_| {});
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
        let step = answered(&mut alone, &same, Some("another object is bound to it"), |facts| {
            let name = "team/other".into();
            facts.claims.holder = Some(Holder { name, has_account: true, state: HolderState::Keeps });
        });
        assert_eq!(refused(step).reason, Some(Reason::Conflict));
    }
}

#[test]
fn i07_what_was_there_is_not_removed_with_the_object() {
    let mut alone = ada();
    alone.claim("ada@example.com");
    alone.delete();
    let same = json!({"id": "7", "userName": "ada@example.com", "active": true});
    let step = answered(&mut alone, &same, Some("it is older than the request"), |_| {});
    assert!(matches!(step, Step::RemoveFinalizer(_)), "{step:?}");
    // Nor is another person's, whatever was claimed.
    let other = json!({"id": "7", "userName": "ada@example.com", "externalId": "e-1", "active": true});
    assert!(matches!(alone.decide(|facts| facts.account = found(&other)), Step::RemoveFinalizer(_)));
    let step = alone.decide(|facts| facts.account = found(&same));
    assert!(matches!(step, Step::Send(_)), "a lost creation's is");
}

#[test]
fn i07_nothing_is_created_twice() {
    let mut alone = ada();
    let absent = |fresh| Account::Absent { fresh };
    let mut step = |fresh, creations: Creations| {
        alone.decide(|facts| (facts.account, facts.creations) = (absent(fresh), creations))
    };
    let creates = |step: &Step| matches!(step, Step::Send(sent) if sent.kind == OperationType::Create);
    assert!(creates(&step(false, Creations::default())));
    // Never again before a look that came after the last answer.
    let earlier = || Creations { earlier: true, ..Creations::default() };
    assert_eq!(step(false, earlier()), Step::Read(Read::Find));
    assert!(creates(&step(true, earlier())));
    // Never twice in one pass.
    assert_eq!(refused(step(true, Creations { sent: true, ..earlier() })).reason, Some(Reason::Pending));
    // Nor a third time within an hour.
    let verdict = refused(step(true, Creations { made: vec!["id-1".into(), "id-2".into()], ..earlier() }));
    assert_eq!(verdict.reason, Some(Reason::Conflict));
    assert!(verdict.message.contains("id-1") && verdict.message.contains("id-2"), "{}", verdict.message);
    // The bound one is gone: it is looked for by its name before it is made again.
    let mut alone = ada();
    alone.pass();
    alone.configure(|connection| connection.spec.drift_policy.deleted = RepairPolicy::Repair);
    let mut gone = |searched| {
        let creations = Creations { searched, ..Creations::default() };
        alone.decide(|facts| (facts.account, facts.creations) = (absent(true), creations))
    };
    assert_eq!(gone(false), Step::Read(Read::Find));
    assert!(creates(&gone(true)));
}

/// What the passes do that the facts above are of: the answers are lost, and the account is made once.
#[test]
fn i07_a_creation_without_an_answer_is_sent_once() {
    let mut alone = ada();
    alone.dies_before_the_answer();
    let outcome = alone.pass();
    assert_eq!((outcome.sent.len(), outcome.verdict.reason), (0, Some(Reason::Synced)), "{outcome:?}");
    assert_eq!(alone.accounts().len(), 1);
}

#[test]
fn i06_another_external_id_is_another_person() {
    let smith = json!({
        "id": "9", "userName": "Ada@example.com", "externalId": "e-1", "active": false,
        "roles": [{"value": "admin"}], "entitlements": [{"display": "Billing"}],
    });
    let mut alone = ada();
    let message = refused(alone.decide(|facts| facts.account = found(&smith))).message;
    for word in ["e-1", "e-2", "Ada@example.com", "\"9\"", "inactive", "admin", "Billing"] {
        assert!(message.contains(word), "{word}: {message}");
    }
    assert!(message.contains("kubectl annotate scimuser -n n ada scim-operator.dev/remote-id=9"), "{message}");
    let held = alone.decide(|facts| {
        facts.account = found(&smith);
        let name = "team/old".into();
        facts.claims.holder = Some(Holder { name, has_account: true, state: HolderState::HandsOver });
    });
    assert_eq!(refused(held).reason, Some(Reason::Conflict));
    // A person's decision, under everything else that an adoption meets.
    let mut named =
        |id: &'static str| alone.decide(|facts| (facts.account, facts.object.remote_id) = (found(&smith), Some(id)));
    assert!(matches!(named("9"), Step::Bind(_)));
    assert_eq!(refused(named("8")).reason, Some(Reason::Conflict));
    // A server that keeps none tells nothing by it.
    let step = alone.with_facts(|facts| {
        let profile = Profile { external_id: false, ..facts.policy.profile.clone() };
        let policy = Policy { profile, ..facts.policy.clone() };
        decide(&Facts { policy: &policy, account: found(&smith), ..facts.clone() })
    });
    assert!(matches!(step, Step::Bind(_)));
    let mut same = smith;
    same["externalId"] = json!("e-2");
    let mut alone = ada();
    alone.holds(&same);
    let outcome = alone.pass();
    assert_eq!(outcome.sent.iter().map(|sent| sent.kind).collect::<Vec<_>>(), [OperationType::Reactivate]);
}

#[test]
fn i06_an_account_under_a_new_id_is_bound_anew() {
    for repair in [RepairPolicy::Report, RepairPolicy::Repair] {
        let mut alone = ada();
        alone.pass();
        alone.configure(|connection| connection.spec.drift_policy.deleted = repair);
        alone.world.outside().renumber();
        let account = alone.accounts().into_values().next().expect("made");
        let new = account["id"].as_str().expect("an id").to_owned();
        let shown = Account::Found { resource: Resource(account), fresh: false };
        let step = alone.decide(|facts| facts.account = shown.clone());
        assert!(matches!(step, Step::Bind(binding) if binding.id == new && binding.how == OperationType::Adopt));
        let verdict = refused(refusing(alone).decide(|facts| facts.account = shown));
        assert_eq!(verdict.reason, Some(Reason::AdoptionRefused));
    }
}

#[test]
fn i06_ids_that_changed_hands_are_said_and_nothing_is_written() {
    let mut alone = ada();
    alone.declare(ScimUserSpec { external_id: None, ..alone.spec() });
    alone.pass();
    alone.meddle(|account| _ = account.insert("userName".into(), json!("bob@example.com")));
    let mut shown = alone.shown();
    let account = |shown: &crate::scim::Attributes| Account::Found { resource: Resource(shown.clone()), fresh: true };
    // Somebody renamed it: drift.
    assert!(matches!(alone.decide(|facts| facts.account = account(&shown)), Step::Send(_)));
    let active = alone.spec().active;
    for (deleting, declared) in [(false, active), (false, Some(false)), (true, active)] {
        alone.edit(|user| user.spec.active = declared);
        let verdict = refused(alone.decide(|facts| {
            facts.elsewhere = Some("2".into());
            (facts.object.deleting, facts.account) = (deleting, account(&shown));
        }));
        assert_eq!(verdict.reason, Some(Reason::Conflict), "{verdict:?}");
        assert!(
            verdict.message.contains("bob@example.com") && verdict.message.contains("\"2\""),
            "{}",
            verdict.message
        );
        assert_eq!(verdict.details.user_name, None, "the next look must see the same");
    }
    // By its externalId it is the same one, whatever it is called.
    alone.edit(|user| (user.spec.active, user.spec.external_id) = (active, Some("e-2".into())));
    shown.insert("externalId".into(), json!("e-2"));
    let step = alone.decide(|facts| {
        facts.elsewhere = Some("2".into());
        (facts.object.deleting, facts.account) = (true, account(&shown));
    });
    assert!(matches!(step, Step::Send(_)));
    // Renamed here, not there: the name that it leaves may be another's already.
    let mut alone = ada();
    alone.pass();
    alone.declare(ScimUserSpec { user_name: "grace@example.com".into(), ..alone.spec() });
    assert!(!alone.pass().sent.is_empty());
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
    let mut alone = ada();
    let renamed = found(&json!({"id": "7", "userName": "ada.old", "active": false}));
    assert_eq!(alone.decide(|facts| facts.account = renamed.clone()), Step::Read(Read::Find));
    let step = alone.decide(|facts| (facts.account, facts.creations.searched) = (renamed, true));
    assert_eq!(refused(step).reason, Some(Reason::Conflict), "a search that shows it all the same");
}
