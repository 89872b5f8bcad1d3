//! Members that stay in or out whatever is declared: protected, not delegated, gone, or by a record that is distrusted.

use super::*;

#[test]
fn i14_whoever_is_protected_stays_in() {
    let mut case = Case::bound(&[1, 2]);
    case.membership.leave(&Standing::In(id(1)));
    case.kept.leaving.insert(id(1));
    assert_eq!(case.reason(), Some(Reason::Protected));
    case.deleting = true;
    case.policy.group_deletion = GroupDeletionPolicy::Delete;
    case.kept.protected_by = Some("*-breakglass".into());
    assert!(matches!(case.decide(), GroupStep::RemoveFinalizer(verdict) if verdict.departure == Departure::LeftAsIs));
}

/// What isn't known to be unprotected stays (promise I31).
#[test]
fn i14_i31_whoever_the_server_has_yet_to_show_stays_in() {
    let mut case = Case::bound(&[1, 2]);
    case.membership.leave(&Standing::In(id(1)));
    case.kept.leaving.insert(id(1));
    case.kept.unknown.insert(id(1));
    assert_eq!(case.reason(), Some(Reason::Pending));
    case.deleting = true;
    case.policy.group_deletion = GroupDeletionPolicy::Delete;
    assert_eq!(case.reason(), Some(Reason::Pending));
    case.kept = KeptMembers { unseen: Some("it may be so".into()), ..KeptMembers::default() };
    assert_eq!(case.reason(), Some(Reason::Protected));
}

#[test]
fn i11_whose_account_is_gone_is_not_put_in_and_keeps_nobody_waiting() {
    let mut case = Case::bound(&[1]);
    for n in [2, 3] {
        case.membership.enter(&Standing::In(id(n)));
    }
    case.kept.gone.insert(id(2));
    assert_eq!(case.sends().change.added, [id(3)]);
    case.membership.added(&[id(3)]);
    let GroupStep::Settle(verdict) = case.decide() else { panic!("sends something") };
    assert_eq!((verdict.reason, verdict.executed), (Some(Reason::Synced), true));
    assert!(verdict.message.starts_with("2 of 3 ") && verdict.message.contains("doesn't show the accounts"));
}

/// Where the record alone tells who is in, and where it tells whom we may take out.
#[test]
fn i32_a_record_that_is_distrusted_takes_nobody_out_and_counts_nobody_as_present() {
    for source in [Source::Additive, Source::Ledger] {
        let mut case = Case::bound(&[1, 4]);
        case.membership.leave(&Standing::In(id(4)));
        case.membership.set_source(source);
        case.membership.own(&id(4));
        assert_eq!(case.sends().change.removed, [id(4)]);
        case.membership.distrust_records([id(4), id(1)].into());
        assert!(case.membership.extra().is_empty(), "{source:?}");
        // What a request of ours put in needs no record.
        case.membership.added(&[id(4)]);
        case.membership.distrust_records([id(4)].into());
        assert_eq!(case.sends().change.removed, [id(4)]);
    }
    let mut ledger = Case::bound(&[]);
    ledger.membership.set_source(Source::Ledger);
    ledger.membership.enter(&Standing::In(id(5)));
    ledger.membership.own(&id(5));
    assert_eq!((ledger.reason(), ledger.membership.present()), (Some(Reason::Synced), 1));
    ledger.membership.distrust_records([id(5)].into());
    assert_eq!((ledger.sends().change.added, ledger.membership.present()), (vec![id(5)], 0));
}

#[test]
fn i26_whoever_may_not_be_put_in_is_left_out_and_the_others_come() {
    let mut case = Case::bound(&[1]);
    case.membership.enter(&Standing::In(id(2)));
    case.membership.enter(&Standing::In(id(3)));
    case.kept.coming.insert(id(2));
    case.kept.refused = Some("not yours".into());
    assert_eq!(case.sends().change.added, [id(3)]);
    case.membership.added(&[id(3)]);
    assert_eq!(case.reason(), Some(Reason::NotAllowed));
}

#[test]
fn i17_a_reference_that_leads_nowhere_keeps_nobody_in() {
    let mut case = Case::bound(&[1, 2]);
    case.spec.members = Some(vec![Member { group_ref: Some(GroupRef { name: "x".into() }), ..Member::default() }]);
    case.policy.profile.nested_groups = false;
    assert_eq!(case.reason(), Some(Reason::NotSupported));
    case.membership.leave(&Standing::In(id(1)));
    assert_eq!(case.sends().change.removed, [id(1)]);
}

/// Whoever is still owed isn't carried out: after a restart that would pass for what others did.
#[test]
fn i09_members_that_are_owed_are_not_recorded_as_carried_out() {
    let carried_out = |case: &Case| {
        let GroupStep::Settle(verdict) = case.decide() else { panic!("nothing is to be sent now") };
        let fingerprint = json!(case.membership.fingerprint());
        verdict.applied.is_some_and(|applied| applied.has(MEMBERS, Some(&fingerprint)))
    };
    let mut case = Case::bound(&[1, 2]);
    assert!(carried_out(&case));
    case.membership.enter(&Standing::In(id(3)));
    case.room = Some(0);
    assert!(!carried_out(&case), "the server has no room for them yet");
    let mut case = Case::bound(&[1, 2]);
    case.membership.leave(&Standing::In(id(2)));
    case.kept.leaving.insert(id(2));
    case.kept.awaited.insert(id(2));
    assert!(!carried_out(&case), "who they are isn't known yet");
}
