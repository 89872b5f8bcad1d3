//! Row by row: what deleting a ScimUser does.

use proptest::prelude::*;
use serde_json::json;

use super::driver::{Outcome, World, spec};
use super::merging::{converged, profiles, specs};
use crate::api::{Action, AdoptionPolicy, DeletionPolicy, OperationType, Reason, ScimUserStatus, UserState};
use crate::plan::{Departure, Holder, HolderState, Request, Successor};
use crate::scim::Profile;

/// A person whose account is there and whose object is being deleted.
fn leaving(policy: DeletionPolicy) -> World {
    let ada = spec(json!({"connectionRef": {"name": "c"}, "userName": "ada"}));
    let mut world = converged(Profile::generic(), ada);
    (world.deleting, world.policy.deletion) = (true, policy);
    world
}

/// The row holds whatever the policy, and touches nothing.
fn untouched(row: impl Fn(&mut World), expected: impl Fn(&Outcome)) {
    for policy in [DeletionPolicy::Delete, DeletionPolicy::Deactivate, DeletionPolicy::Retain] {
        let mut world = leaving(policy);
        row(&mut world);
        let before = world.server.accounts.clone();
        let outcome = world.pass();
        assert!(outcome.sent.is_empty(), "{policy:?}: {outcome:?}");
        assert_eq!(world.server.accounts, before);
        // Retain needs nothing of the server, so nothing holds it up.
        if policy == DeletionPolicy::Retain {
            assert!(outcome.finalizer_removed);
        } else {
            expected(&outcome);
        }
    }
}

fn lets_go(outcome: &Outcome) {
    assert!(outcome.finalizer_removed, "{outcome:?}");
}

fn waits(reason: Reason) -> impl Fn(&Outcome) {
    move |outcome| {
        assert!(!outcome.finalizer_removed, "{outcome:?}");
        assert_eq!(outcome.verdict.reason, Some(reason));
        assert!(outcome.verdict.message.contains("scim-operator.dev/release=true"), "the way out is named");
    }
}

#[test]
fn an_object_that_sent_nothing_just_goes() {
    untouched(|world| world.finalizer = false, lets_go);
}

#[test]
fn a_released_object_goes_whatever_else_holds() {
    untouched(|world| world.release = true, lets_go);
    untouched(|world| (world.release, world.policy.suspend) = (true, true), lets_go);
    untouched(|world| (world.release, world.policy.server) = (true, "elsewhere".into()), lets_go);
}

#[test]
fn retain_leaves_the_account() {
    untouched(|world| world.policy.deletion = DeletionPolicy::Retain, lets_go);
    untouched(|world| world.spec.deletion_policy = Some(DeletionPolicy::Retain), lets_go);
}

#[test]
fn without_the_action_deprovision_the_account_stays() {
    untouched(|world| world.policy.actions = vec![Action::Create, Action::Update], lets_go);
}

#[test]
fn i08_an_object_goes_only_once_its_successor_is_bound() {
    let unserved = || Some("its connection ns/c serves nobody now (SecretNotFound)".to_owned());
    let successor = |bound| {
        Some(Successor { name: "ns/other".into(), uid: "other".into(), bound, held: false, unserved: unserved() })
    };
    for policy in [DeletionPolicy::Delete, DeletionPolicy::Deactivate, DeletionPolicy::Retain] {
        let mut world = leaving(policy);
        world.claims.successor = successor(false);
        let outcome = world.pass();
        assert!(outcome.sent.is_empty() && outcome.verdict.awaits.is_some(), "{outcome:?}");
        assert!(outcome.verdict.message.contains("connection ns/c serves nobody now (SecretNotFound)"), "{outcome:?}");
        waits(Reason::Pending)(&outcome);
        world.claims.successor = successor(true);
        let outcome = world.pass();
        assert!(outcome.sent.is_empty() && outcome.finalizer_removed);
        assert_eq!(outcome.verdict.departure, Departure::HandedOver("ns/other".into()));
    }
    // Whoever asks for it lets it go at once.
    let mut world = leaving(DeletionPolicy::Delete);
    (world.claims.successor, world.release) = (successor(false), true);
    let outcome = world.pass();
    assert_eq!((outcome.finalizer_removed, outcome.verdict.departure), (true, Departure::LeftAsIs));
}

#[test]
fn an_object_bound_elsewhere_waits() {
    untouched(|world| world.policy.server = "elsewhere".into(), waits(Reason::BoundElsewhere));
}

#[test]
fn a_suspended_object_waits() {
    untouched(|world| world.spec.suspend = true, waits(Reason::Suspended));
    untouched(|world| world.policy.suspend = true, waits(Reason::Suspended));
}

#[test]
fn an_account_that_is_gone_holds_nothing_up() {
    untouched(|world| world.server.accounts.clear(), lets_go);
}

/// One 404 carries nothing out: neither is the generation observed by it, nor is what was asked of the guards taken back.
#[test]
fn i11_a_deletion_that_waits_for_a_second_look_is_not_carried_out() {
    let mut world = leaving(DeletionPolicy::Delete);
    let observed = world.status.observed_generation;
    world.server.accounts.clear();
    (world.generation, world.looked_once) = (world.generation + 1, true);
    let outcome = world.pass();
    waits(Reason::Pending)(&outcome);
    assert!(!outcome.verdict.executed && !outcome.verdict.declines(), "{outcome:?}");
    assert_eq!(world.status.observed_generation, observed);
    world.looked_once = false;
    lets_go(&world.pass());
}

#[test]
fn an_object_may_soften_its_connections_policy_and_never_sharpen_it() {
    for (connection, own, expected) in [
        (DeletionPolicy::Delete, None, OperationType::Delete),
        (DeletionPolicy::Delete, Some(DeletionPolicy::Deactivate), OperationType::Deactivate),
        (DeletionPolicy::Deactivate, Some(DeletionPolicy::Delete), OperationType::Deactivate),
    ] {
        let mut world = leaving(connection);
        world.spec.deletion_policy = own;
        let outcome = world.pass();
        assert!(outcome.finalizer_removed);
        assert_eq!(outcome.sent.iter().map(|operation| operation.kind).collect::<Vec<_>>(), [expected]);
    }
}

#[test]
fn a_deletion_that_cant_be_taken_back_waits_for_permission() {
    let mut world = leaving(DeletionPolicy::Delete);
    world.policy.profile.delete_irreversible = true;
    let outcome = world.pass();
    assert!(outcome.sent.is_empty());
    waits(Reason::IrreversibleDelete)(&outcome);
    world.policy.allow_irreversible_delete = true;
    assert!(matches!(world.pass().sent[0].request, Request::Delete { .. }));
}

#[test]
fn i07_a_creation_whose_answer_was_lost_is_taken_back() {
    let mut world = leaving(DeletionPolicy::Deactivate);
    world.status = ScimUserStatus::default();
    assert!(world.pass().finalizer_removed);
    assert_eq!(world.server.accounts["id-1"]["active"], json!(false));
    let mut other = leaving(DeletionPolicy::Delete);
    other.status = ScimUserStatus::default();
    other.server.accounts.get_mut("id-1").unwrap().insert("userName".into(), json!("someone"));
    let outcome = other.pass();
    assert!(outcome.finalizer_removed && outcome.sent.is_empty());
}

/// Everybody has a new id: the server's database was rebuilt.
fn renumbered(policy: DeletionPolicy) -> World {
    let mut world = leaving(policy);
    let mut account = world.server.accounts.remove("id-1").expect("the account");
    account.insert("id".into(), json!("new-1"));
    world.server.accounts.insert("new-1".into(), account);
    world
}

#[test]
fn i06_i15_whoever_has_a_new_id_is_removed_under_it() {
    for policy in [DeletionPolicy::Delete, DeletionPolicy::Deactivate] {
        let mut world = renumbered(policy);
        let outcome = world.pass();
        assert!(outcome.finalizer_removed && outcome.sent.len() == 1, "{outcome:?}");
        assert_eq!(outcome.sent[0].request.target(), Some("new-1"));
        let active = world.server.accounts.get("new-1").map(|account| account["active"] != json!(false));
        assert_ne!(active, Some(true), "{policy:?}");
    }
}

#[test]
fn i06_i31_whoever_may_be_somebody_else_keeps_their_account() {
    let trouble: [fn(&mut World); 3] = [
        |world| world.policy.adoption = AdoptionPolicy::Refuse,
        |world| {
            world.spec.external_id = Some("e-1".into());
            world.server.accounts.get_mut("new-1").unwrap().insert("externalId".into(), json!("e-2"));
        },
        |world| {
            let mut other = world.server.accounts["new-1"].clone();
            other.insert("id".into(), json!("new-2"));
            world.server.accounts.insert("new-2".into(), other);
        },
    ];
    for trouble in trouble {
        let mut world = renumbered(DeletionPolicy::Deactivate);
        trouble(&mut world);
        let outcome = world.pass();
        assert!(outcome.finalizer_removed && outcome.sent.is_empty(), "{outcome:?}");
        assert_eq!(outcome.verdict.departure, Departure::LeftAsIs, "that is told: {outcome:?}");
        assert!(outcome.verdict.message.contains("id-1"), "{outcome:?}");
    }
}

#[test]
fn i08_who_has_the_account_under_its_new_id_keeps_it_and_who_may_yet_is_waited_for() {
    let of = |has_account, state| {
        let mut world = renumbered(DeletionPolicy::Deactivate);
        world.claims.holder = Some(Holder { name: "team/other".into(), has_account, state });
        let outcome = world.pass();
        assert!(outcome.sent.is_empty(), "{outcome:?}");
        (outcome.finalizer_removed, outcome.verdict)
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
    let made = |account: &str, adoption: AdoptionPolicy| {
        let mut world = leaving(DeletionPolicy::Deactivate);
        (world.status, world.policy.adoption) = (ScimUserStatus::default(), adoption);
        world.created = Some("2026-11-28T12:00:00Z".parse().expect("a time"));
        let meta = json!({"created": account, "lastModified": "2026-11-28T12:00:00Z"});
        world.server.accounts.get_mut("id-1").unwrap().insert("meta".into(), meta);
        world
    };
    let (old, new) = ("2020-01-01T00:00:00Z", "2026-11-28T12:00:01Z");
    // The server answered 500 because the name was taken: nothing of ours is there.
    for (account, adoption, taken) in
        [(old, AdoptionPolicy::Refuse, false), (old, AdoptionPolicy::Adopt, true), (new, AdoptionPolicy::Refuse, true)]
    {
        let mut world = made(account, adoption);
        let outcome = world.pass();
        assert!(outcome.finalizer_removed);
        assert_eq!(world.server.accounts["id-1"]["active"] == json!(false), taken, "{account} {adoption:?}");
        let mut world = made(account, adoption);
        world.deleting = false;
        let outcome = world.pass();
        assert_eq!(world.status.id.is_some(), taken, "{account} {adoption:?}: {outcome:?}");
        if !taken {
            assert_eq!(outcome.verdict.reason, Some(Reason::AdoptionRefused));
        }
    }
}

proptest! {
    #[test]
    fn who_leaves_is_deactivated_once_and_loses_nothing_else(
        profile in profiles(), declared in specs(), silent in any::<bool>(), snapshot in any::<bool>(),
    ) {
        let mut world = converged(profile, declared);
        (world.deleting, world.server.silent, world.snapshot) = (true, silent, snapshot);
        let mut expected = world.shown().clone();
        expected.insert("active".into(), json!(false));
        let outcome = world.pass();
        prop_assert!(outcome.finalizer_removed);
        prop_assert_eq!(outcome.sent.len(), 1);
        prop_assert_eq!(world.shown(), &expected);
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
        let mut world = converged(Profile::generic(), spec(declared));
        world.meddle().insert("active".into(), json!(false));
        (world.status.state, world.status.last_applied_active) = (state, applied);
        (world.status.active, world.deleting) = (Some(false), true);
        let outcome = world.pass();
        let kinds: Vec<_> = outcome.sent.iter().map(|sent| sent.kind).collect();
        assert_eq!(kinds, [OperationType::Deactivate], "{state:?}: {outcome:?}");
        assert!(outcome.finalizer_removed, "{outcome:?}");
        let warning = outcome.verdict.warning.unwrap_or_default();
        assert!(warning.contains("id-1") && warning.contains("invitation"), "{warning}");
    }
    // Whom others deactivated is inactive, and nothing is repeated.
    let mut world =
        converged(Profile::generic(), spec(json!({"connectionRef": {"name": "c"}, "userName": "ada", "active": true})));
    world.meddle().insert("active".into(), json!(false));
    world.deleting = true;
    let outcome = world.pass();
    assert_eq!((outcome.sent.len(), outcome.finalizer_removed, outcome.verdict.warning), (0, true, None));
}
