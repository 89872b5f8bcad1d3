//! Row by row: what deleting a ScimUser does.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::driver::{cases, spec};
use super::merging::{profiles, specs};
use crate::api::{Action, AdoptionPolicy, DeletionPolicy, OperationType, Reason, UserState};
use crate::plan::{Account, Departure, Facts, Holder, HolderState, Request, Step, Successor, Verdict};
use crate::provisioner::simulation::alone::{Alone, Outcome};
use crate::scim::{Attributes, Profile};

/// A person whose account is there.
fn provisioned(policy: DeletionPolicy) -> Alone {
    let ada = spec(json!({"connectionRef": {"name": "c"}, "userName": "ada"}));
    let mut alone = Alone::converged(&Profile::generic(), ada);
    alone.configure(|connection| connection.spec.deletion_policy.users = policy);
    // A list has shown it since it was made.
    alone.pass();
    alone
}

/// The same, and the object is being deleted.
fn leaving(policy: DeletionPolicy) -> Alone {
    let mut alone = provisioned(policy);
    alone.delete();
    alone
}

/// The row holds whatever the policy, and touches nothing.
fn untouched(row: impl Fn(&mut Alone), expected: impl Fn(&Outcome)) {
    for policy in [DeletionPolicy::Delete, DeletionPolicy::Deactivate, DeletionPolicy::Retain] {
        let mut alone = provisioned(policy);
        row(&mut alone);
        alone.delete();
        let before = alone.accounts();
        let outcome = alone.pass();
        assert!(outcome.sent.is_empty(), "{policy:?}: {outcome:?}");
        assert_eq!(alone.accounts(), before);
        // Retain needs nothing of the server, so nothing holds it up.
        if policy == DeletionPolicy::Retain {
            assert!(outcome.finalizer_removed);
        } else {
            expected(&outcome);
        }
    }
}

/// The accounts that were written to.
fn targets(outcome: &Outcome) -> Vec<String> {
    outcome.sent.iter().filter_map(|sent| sent.request.target().map(str::to_owned)).collect()
}

fn lets_go(outcome: &Outcome) {
    assert!(outcome.finalizer_removed, "{outcome:?}");
}

fn names_the_way_out(verdict: &Verdict) {
    assert!(verdict.message.contains("scim-operator.dev/release=true"), "the way out is named: {verdict:?}");
}

fn waits(reason: Reason) -> impl Fn(&Outcome) {
    move |outcome| {
        assert!(!outcome.finalizer_removed, "{outcome:?}");
        assert_eq!(outcome.verdict.reason, Some(reason));
        names_the_way_out(&outcome.verdict);
    }
}

#[test]
fn an_object_that_sent_nothing_just_goes() {
    untouched(Alone::delete_without_finalizer, lets_go);
}

#[test]
fn a_released_object_goes_whatever_else_holds() {
    untouched(Alone::release, lets_go);
    untouched(
        |alone| {
            alone.release();
            alone.configure(|connection| connection.spec.suspend = true);
        },
        lets_go,
    );
    untouched(
        |alone| {
            alone.release();
            alone.world.lead_to(1);
        },
        lets_go,
    );
}

#[test]
fn retain_leaves_the_account() {
    let retain = DeletionPolicy::Retain;
    untouched(|alone| alone.configure(|connection| connection.spec.deletion_policy.users = retain), lets_go);
    untouched(|alone| alone.edit(|user| user.spec.deletion_policy = Some(retain)), lets_go);
}

#[test]
fn without_the_action_deprovision_the_account_stays() {
    let actions = || vec![Action::Create, Action::Update];
    untouched(|alone| alone.configure(|connection| connection.spec.actions = actions()), lets_go);
}

/// How an object goes, or waits, of which other objects say this.
fn ends(alone: &mut Alone, facts: impl FnOnce(&mut Facts<'_>)) -> (bool, Verdict) {
    match alone.decide(facts) {
        Step::RemoveFinalizer(verdict) => (true, *verdict),
        Step::Settle(verdict) => (false, *verdict),
        step => panic!("does something: {step:?}"),
    }
}

#[test]
fn i08_an_object_goes_only_once_its_successor_is_bound() {
    let unserved = || Some("its connection ns/c serves nobody now (SecretNotFound)".to_owned());
    let successor = |bound| {
        Some(Successor { name: "ns/other".into(), uid: "other".into(), bound, held: false, unserved: unserved() })
    };
    for policy in [DeletionPolicy::Delete, DeletionPolicy::Deactivate, DeletionPolicy::Retain] {
        let mut alone = leaving(policy);
        let (gone, verdict) = ends(&mut alone, |facts| facts.claims.successor = successor(false));
        assert!(!gone && verdict.awaits.is_some(), "{verdict:?}");
        assert_eq!(verdict.reason, Some(Reason::Pending));
        assert!(verdict.message.contains("connection ns/c serves nobody now (SecretNotFound)"), "{verdict:?}");
        names_the_way_out(&verdict);
        let (gone, verdict) = ends(&mut alone, |facts| facts.claims.successor = successor(true));
        assert_eq!((gone, verdict.departure), (true, Departure::HandedOver("ns/other".into())));
    }
    // Whoever asks for it lets it go at once.
    let mut alone = leaving(DeletionPolicy::Delete);
    alone.release();
    let (gone, verdict) = ends(&mut alone, |facts| facts.claims.successor = successor(false));
    assert_eq!((gone, verdict.departure), (true, Departure::LeftAsIs));
}

#[test]
fn an_object_bound_elsewhere_waits() {
    untouched(|alone| alone.world.lead_to(1), waits(Reason::BoundElsewhere));
}

#[test]
fn a_suspended_object_waits() {
    untouched(|alone| alone.edit(|user| user.spec.suspend = true), waits(Reason::Suspended));
    untouched(|alone| alone.configure(|connection| connection.spec.suspend = true), waits(Reason::Suspended));
}

#[test]
fn an_account_that_is_gone_holds_nothing_up() {
    for policy in [DeletionPolicy::Delete, DeletionPolicy::Deactivate, DeletionPolicy::Retain] {
        let mut alone = leaving(policy);
        alone.server(|server| server.accounts.clear());
        let outcome = alone.pass();
        // That it is gone is known by the answer: it isn't read before.
        assert!(targets(&outcome).iter().all(|id| id == "id-1"), "{outcome:?}");
        assert!(alone.accounts().is_empty());
        lets_go(&outcome);
    }
}

/// One 404 carries nothing out: neither is the generation observed by it, nor is what was asked of the guards taken back.
#[test]
fn i11_a_deletion_that_waits_for_a_second_look_is_not_carried_out() {
    let mut alone = leaving(DeletionPolicy::Delete);
    let (gone, verdict) = ends(&mut alone, |facts| facts.account = Account::Missing);
    assert_eq!((gone, verdict.reason), (false, Some(Reason::Pending)));
    assert!(!verdict.executed && !verdict.declines(), "{verdict:?}");
    names_the_way_out(&verdict);
    alone.server(|server| server.accounts.clear());
    lets_go(&alone.pass());
}

#[test]
fn an_object_may_soften_its_connections_policy_and_never_sharpen_it() {
    for (connection, own, expected) in [
        (DeletionPolicy::Delete, None, OperationType::Delete),
        (DeletionPolicy::Delete, Some(DeletionPolicy::Deactivate), OperationType::Deactivate),
        (DeletionPolicy::Deactivate, Some(DeletionPolicy::Delete), OperationType::Deactivate),
    ] {
        let mut alone = leaving(connection);
        alone.edit(|user| user.spec.deletion_policy = own);
        let outcome = alone.pass();
        assert!(outcome.finalizer_removed);
        assert_eq!(outcome.sent.iter().map(|operation| operation.kind).collect::<Vec<_>>(), [expected]);
    }
}

#[test]
fn a_deletion_that_cant_be_taken_back_waits_for_permission() {
    let mut alone = leaving(DeletionPolicy::Delete);
    alone.configure(|connection| {
        connection.spec.dialect.get_or_insert_default().delete_irreversible = Some(true);
    });
    let outcome = alone.pass();
    assert!(outcome.sent.is_empty());
    waits(Reason::IrreversibleDelete)(&outcome);
    alone.configure(|connection| connection.spec.allow_irreversible_delete = true);
    assert!(matches!(alone.pass().sent[0].request, Request::Delete { .. }));
}

/// An object that knows of no account, since the process that had one made for it died before the answer came.
fn unanswered(policy: DeletionPolicy) -> Alone {
    let mut alone = provisioned(policy);
    alone.edit(|user| user.status = None);
    alone.world.restart();
    alone
}

#[test]
fn i07_a_creation_whose_answer_was_lost_is_taken_back() {
    let mut alone = unanswered(DeletionPolicy::Deactivate);
    alone.delete();
    assert!(alone.pass().finalizer_removed);
    assert_eq!(alone.accounts()["id-1"]["active"], json!(false));
    let mut alone = unanswered(DeletionPolicy::Delete);
    alone.delete();
    alone.server(|server| _ = server.accounts.get_mut("id-1").unwrap().insert("userName".into(), json!("someone")));
    let outcome = alone.pass();
    assert!(outcome.finalizer_removed && outcome.sent.is_empty());
}

/// Everybody has a new id: the server's database was rebuilt.
fn renumbered(policy: DeletionPolicy) -> (Alone, String) {
    let alone = leaving(policy);
    alone.world.outside().renumber();
    let id = only(&alone.accounts()).0;
    (alone, id)
}

fn only(accounts: &BTreeMap<String, Attributes>) -> (String, Attributes) {
    let (id, account) = accounts.first_key_value().expect("the account");
    (id.clone(), account.clone())
}

#[test]
fn i06_i15_whoever_has_a_new_id_is_removed_under_it() {
    for policy in [DeletionPolicy::Delete, DeletionPolicy::Deactivate] {
        let (mut alone, new) = renumbered(policy);
        let outcome = alone.pass();
        assert!(outcome.finalizer_removed, "{outcome:?}");
        // By the id that it had, which nobody has, and then by its new one.
        let mut targets = targets(&outcome);
        assert_eq!(targets.pop().as_ref(), Some(&new), "{outcome:?}");
        assert!(targets.iter().all(|id| id == "id-1"), "{outcome:?}");
        let active = alone.accounts().get(&new).map(|account| account["active"] != json!(false));
        assert_ne!(active, Some(true), "{policy:?}");
    }
}

#[test]
fn i06_i31_whoever_may_be_somebody_else_keeps_their_account() {
    let trouble: [fn(&mut Alone, &str); 3] = [
        |alone, _| alone.configure(|connection| connection.spec.adoption_policy.users = AdoptionPolicy::Refuse),
        |alone, new| {
            alone.edit(|user| user.spec.external_id = Some("e-1".into()));
            let other = Value::from("e-2");
            alone.server(|server| _ = server.accounts.get_mut(new).unwrap().insert("externalId".into(), other));
        },
        |alone, new| {
            let mut other = alone.accounts()[new].clone();
            other.insert("id".into(), json!("other"));
            alone.holds(&Value::Object(other));
        },
    ];
    for trouble in trouble {
        let (mut alone, new) = renumbered(DeletionPolicy::Deactivate);
        trouble(&mut alone, &new);
        let before = alone.accounts();
        let outcome = alone.pass();
        // Nobody has the id that it had.
        assert!(targets(&outcome).iter().all(|id| id == "id-1"), "{outcome:?}");
        assert!(outcome.finalizer_removed, "{outcome:?}");
        assert_eq!(alone.accounts(), before);
        assert_eq!(outcome.verdict.departure, Departure::LeftAsIs, "that is told: {outcome:?}");
        assert!(outcome.verdict.message.contains("id-1"), "{outcome:?}");
    }
}

#[test]
fn i08_who_has_the_account_under_its_new_id_keeps_it_and_who_may_yet_is_waited_for() {
    let of = |has_account, state| {
        let (mut alone, _) = renumbered(DeletionPolicy::Deactivate);
        let resource = crate::scim::Resource(only(&alone.accounts()).1);
        ends(&mut alone, |facts| {
            facts.account = Account::Found { resource, fresh: true };
            facts.creations.searched = true;
            facts.claims.holder = Some(Holder { name: "team/other".into(), has_account, state });
        })
    };
    let (gone, verdict) = of(true, HolderState::Keeps);
    assert_eq!((gone, verdict.departure), (true, Departure::HandedOver("team/other".into())));
    for (has_account, state) in
        [(true, HolderState::Renames), (false, HolderState::Renames), (true, HolderState::Leaves)]
    {
        let (gone, verdict) = of(has_account, state);
        assert_eq!((gone, verdict.reason), (false, Some(Reason::Pending)), "{verdict:?}");
        assert!(verdict.message.contains("team/other") && verdict.message.contains("release=true"), "{verdict:?}");
    }
    assert_eq!(of(false, HolderState::Keeps).1.departure, Departure::LeftAsIs, "another account has the name");
}

#[test]
fn i07_what_is_older_than_the_object_was_made_by_no_creation_for_it() {
    let made = |age: SignedDuration, adoption: AdoptionPolicy| {
        let mut alone = unanswered(DeletionPolicy::Deactivate);
        alone.configure(|connection| connection.spec.adoption_policy.users = adoption);
        let object = alone.user().metadata.creation_timestamp.expect("made").0;
        let created: Timestamp = object - age;
        let meta = json!({"created": created.to_string(), "lastModified": object.to_string()});
        alone.server(|server| _ = server.accounts.get_mut("id-1").unwrap().insert("meta".into(), meta));
        alone
    };
    let (old, new) = (SignedDuration::from_hours(24), SignedDuration::from_secs(-1));
    // The server answered 500 because the name was taken: nothing of ours is there.
    for (age, adoption, taken) in
        [(old, AdoptionPolicy::Refuse, false), (old, AdoptionPolicy::Adopt, true), (new, AdoptionPolicy::Refuse, true)]
    {
        let mut alone = made(age, adoption);
        alone.delete();
        assert!(alone.pass().finalizer_removed);
        assert_eq!(alone.accounts()["id-1"]["active"] == json!(false), taken, "{age} {adoption:?}");
        let mut alone = made(age, adoption);
        let outcome = alone.pass();
        assert_eq!(alone.status().id.is_some(), taken, "{age} {adoption:?}: {outcome:?}");
        if !taken {
            assert_eq!(outcome.verdict.reason, Some(Reason::AdoptionRefused));
        }
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn who_leaves_is_deactivated_once_and_loses_nothing_else(
        profile in profiles(), declared in specs(), silent in any::<bool>(), listed in any::<bool>(),
    ) {
        let mut alone = Alone::converged(&profile, declared);
        alone.delete();
        alone.server(|server| server.silent = silent);
        alone.lists(listed);
        let mut expected = alone.accounts();
        for account in expected.values_mut() {
            account.insert("active".into(), json!(false));
        }
        let outcome = alone.pass();
        prop_assert!(outcome.finalizer_removed);
        prop_assert_eq!(outcome.sent.len(), 1);
        prop_assert_eq!(alone.accounts(), expected);
    }
}

/// Whoever accepts an invitation later would have an active account, and no object.
#[test]
fn i15_whoever_is_invited_is_told_to_be_inactive_before_their_object_goes() {
    for (state, applied, declared) in [
        (Some(UserState::Invited), None, json!({"active": true})),
        // The word for that was lost when its removal was held.
        (Some(UserState::Held), None, json!({"active": true})),
        (Some(UserState::Inactive), None, json!({})),
    ] {
        let mut declared = declared;
        declared["connectionRef"] = json!({"name": "c"});
        declared["userName"] = json!("ada");
        let mut alone = Alone::converged(&Profile::generic(), spec(declared));
        alone.meddle(|account| _ = account.insert("active".into(), json!(false)));
        alone.record(|status| {
            (status.state, status.last_applied_active, status.active) = (state, applied, Some(false));
        });
        alone.delete();
        let outcome = alone.pass();
        let kinds: Vec<_> = outcome.sent.iter().map(|sent| sent.kind).collect();
        assert_eq!(kinds, [OperationType::Deactivate], "{state:?}: {outcome:?}");
        assert!(outcome.finalizer_removed, "{outcome:?}");
        let warning = outcome.verdict.warning.unwrap_or_default();
        assert!(warning.contains("id-1") && warning.contains("invitation"), "{warning}");
    }
    // Whom others deactivated is inactive, and nothing is repeated.
    let declared = spec(json!({"connectionRef": {"name": "c"}, "userName": "ada", "active": true}));
    let mut alone = Alone::converged(&Profile::generic(), declared);
    alone.meddle(|account| _ = account.insert("active".into(), json!(false)));
    alone.delete();
    let outcome = alone.pass();
    assert_eq!((outcome.sent.len(), outcome.finalizer_removed, outcome.verdict.warning), (0, true, None));
}
