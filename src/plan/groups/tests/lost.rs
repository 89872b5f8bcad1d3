//! Answers that were lost, and objects that wait for what comes of them.

use super::*;
use crate::plan::{Holder, HolderState, Read};

/// A creation was sent for "Platform", and its answer lost.
fn lost(group: Account) -> Case {
    let mut case = Case::unbound(group);
    (case.finalizer, case.claimed) = (true, Some("Platform"));
    case.policy.group_adoption = AdoptionPolicy::Refuse;
    case
}

fn another(has_account: bool, state: HolderState) -> Claims {
    Claims { holder: Some(Holder { name: "identity/other".into(), has_account, state }), ..Claims::default() }
}

#[test]
fn i07_a_group_whose_creation_got_no_answer_is_found_again_under_the_name_that_was_sent() {
    let is_created = |case: &Case| matches!(case.decide(), GroupStep::Bind(b) if b.how == OperationType::Create);
    assert!(is_created(&lost(shown("Platform"))));
    // Not there for certain, it is looked for by itself first.
    assert_eq!(lost(Account::Absent { fresh: false }).decide(), GroupStep::Read(Read::Find));
    assert!(matches!(lost(Account::Absent { fresh: true }).decide(), GroupStep::Send(_)));
    // Renamed meanwhile, and somebody else has that name: what was made is ours under its own.
    let mut renamed = lost(shown("Platform"));
    renamed.spec.display_name = "Infrastructure".into();
    assert!(is_created(&renamed));
    renamed.claims = another(false, HolderState::Keeps);
    assert!(is_created(&renamed));
    renamed.claims = another(true, HolderState::Keeps);
    assert_eq!(renamed.reason(), Some(Reason::Conflict));
    // What was never claimed is never renamed.
    let mut other = lost(shown("Security"));
    other.spec.display_name = "Infrastructure".into();
    assert_eq!(other.reason(), Some(Reason::Conflict));
}

#[test]
fn i07_a_group_whose_creation_got_no_answer_is_deleted_under_the_name_that_was_sent() {
    let deleted = |group: Account, display_name: &str| {
        let mut case = lost(group);
        case.deleting = true;
        case.policy.group_deletion = GroupDeletionPolicy::Delete;
        case.spec.display_name = display_name.into();
        case
    };
    let is_sent = |case: &Case| matches!(case.decide(), GroupStep::Send(sent) if sent.kind == OperationType::Delete);
    let mut renamed = deleted(shown("Platform"), "Infrastructure");
    assert!(is_sent(&renamed));
    renamed.claims = another(true, HolderState::Keeps);
    assert!(matches!(renamed.decide(), GroupStep::RemoveFinalizer(_)), "somebody else's by now");
    assert!(matches!(deleted(shown("Infrastructure"), "Infrastructure").decide(), GroupStep::RemoveFinalizer(_)));
    assert_eq!(deleted(Account::Unknown, "Infrastructure").decide(), GroupStep::Read(Read::Find));
    // Nothing was ever claimed.
    let nothing = Case { claimed: None, ..deleted(shown("Platform"), "Platform") };
    assert!(matches!(nothing.decide(), GroupStep::RemoveFinalizer(_)));
}

#[test]
fn i08_a_name_that_another_object_may_have_made_a_group_of_is_waited_for() {
    for group in [shown("Platform"), Account::Absent { fresh: true }] {
        let mut case = Case::unbound(group);
        case.policy.group_adoption = AdoptionPolicy::Adopt;
        case.claims = another(false, HolderState::Leaves);
        assert_eq!(case.reason(), Some(Reason::Pending));
    }
}

#[test]
fn i15_a_group_that_waits_under_deletion_names_the_ways_out() {
    let mut case = Case { deleting: true, ..Case::bound(&[1]) };
    case.policy.group_deletion = GroupDeletionPolicy::Delete;
    case.group = Account::Missing;
    let message = |case: &Case| match case.decide() {
        GroupStep::Settle(verdict) => verdict.message,
        other => panic!("does something: {other:?}"),
    };
    let command = "kubectl annotate scimgroup -n identity platform scim-operator.dev/release=true";
    assert!(message(&case).ends_with(command), "{}", message(&case));
    case.policy.suspend = true;
    assert!(message(&case).contains("set spec.suspend to false") && message(&case).ends_with(command));
    (case.policy.suspend, case.status.bound_to) = (false, Some("elsewhere".into()));
    assert!(message(&case).contains("baseUrl and tenant") && message(&case).ends_with(command));
}

/// A tenant of a cluster connection that adopts no group writes the finalizer and a claim to a group of others.
#[test]
fn i32_a_claim_that_a_tenant_wrote_takes_no_group_past_refuse_and_deletes_none() {
    for (declares, reason) in [("Platform", Reason::AdoptionRefused), ("Mallory", Reason::Conflict)] {
        let mut case = Case::unbound(shown("Platform"));
        (case.finalizer, case.claimed, case.bounded) = (true, Some("Platform"), true);
        case.spec.display_name = declares.to_owned();
        case.policy.group_adoption = AdoptionPolicy::Refuse;
        assert_eq!(case.reason(), Some(reason));
        (case.deleting, case.policy.group_deletion) = (true, GroupDeletionPolicy::Delete);
        let GroupStep::RemoveFinalizer(verdict) = case.decide() else { panic!("deletes it: {:?}", case.decide()) };
        assert_eq!(verdict.departure, Departure::LeftAsIs, "{verdict:?}");
        case.bounded = false;
        assert!(matches!(case.decide(), GroupStep::Send(_)), "where no pattern bounds it a lost creation's is deleted");
    }
}
