//! I6 and I7 for groups: first bindings, what creations are answered with, and ids that changed.

use super::*;
use crate::plan::{Answered, Read};

fn group(value: &serde_json::Value) -> Account {
    Account::Found { resource: Resource(value.as_object().cloned().unwrap_or_default()), fresh: true }
}

fn message(case: &Case) -> (Option<Reason>, String) {
    match case.decide() {
        GroupStep::Settle(verdict) => (verdict.reason, verdict.message),
        other => panic!("does something: {other:?}"),
    }
}

#[test]
fn i07_what_the_creation_of_a_group_was_answered_with_meets_what_an_adoption_meets() {
    let answered = Creations {
        answered: Some(Answered { id: "g".into(), existed: Some("it is older than the request"), own: false }),
        ..Creations::default()
    };
    let mut case = Case::unbound(shown("Platform"));
    (case.finalizer, case.claimed, case.creations) = (true, Some("Platform"), answered);
    case.policy.group_adoption = AdoptionPolicy::Refuse;
    let (reason, words) = message(&case);
    assert_eq!(reason, Some(Reason::AdoptionRefused));
    assert!(words.contains("older than the request") && words.contains("remote-id=g"), "{words}");
    case.policy.group_adoption = AdoptionPolicy::Adopt;
    assert!(matches!(case.decide(), GroupStep::Bind(binding) if binding.how == OperationType::Adopt));
    case.deleting = true;
    case.policy.group_deletion = GroupDeletionPolicy::Delete;
    assert!(matches!(case.decide(), GroupStep::RemoveFinalizer(_)), "it isn't deleted either");
    (case.deleting, case.group) = (false, shown("Security"));
    assert_eq!(message(&case).0, Some(Reason::Conflict));
}

#[test]
fn i07_no_group_is_created_twice() {
    let mut case = Case::unbound(Account::Absent { fresh: false });
    assert_eq!(case.decide(), GroupStep::Read(Read::Find), "names needn't be unique: it is looked for first");
    case.group = Account::Absent { fresh: true };
    assert!(matches!(case.decide(), GroupStep::Send(_)));
    case.creations.sent = true;
    assert_eq!(message(&case).0, Some(Reason::Pending));
    case.creations = Creations { made: vec!["g-1".into(), "g-2".into()], ..Creations::default() };
    let (reason, words) = message(&case);
    assert_eq!(reason, Some(Reason::Conflict));
    assert!(words.contains("g-1") && words.contains("g-2"), "{words}");
    let mut gone = Case::bound(&[]);
    gone.group = Account::Absent { fresh: true };
    gone.policy.repair.deleted = true;
    assert_eq!(gone.decide(), GroupStep::Read(Read::Find));
    gone.creations.searched = true;
    assert!(matches!(gone.decide(), GroupStep::Send(_)));
}

#[test]
fn i06_another_external_id_is_another_group() {
    let mut case = Case::unbound(group(&json!({"id": "g", "displayName": "Platform", "externalId": "theirs"})));
    case.policy.group_adoption = AdoptionPolicy::Adopt;
    case.spec.external_id = Some("ours".into());
    let (reason, words) = message(&case);
    assert_eq!(reason, Some(Reason::Conflict));
    assert!(words.contains("theirs") && words.contains("ours") && words.contains("remote-id=g"), "{words}");
    case.policy.profile.group_external_id = false;
    assert!(matches!(case.decide(), GroupStep::Bind(_)));
}

#[test]
fn i06_a_group_under_a_new_id_is_bound_anew_and_nobody_by_an_old_one() {
    let mut case = Case::bound(&[]);
    case.policy.group_adoption = AdoptionPolicy::Adopt;
    case.group = group(&json!({"id": "new", "displayName": "Platform"}));
    assert!(matches!(case.decide(), GroupStep::Bind(binding) if binding.id == "new"));
    let mut case = Case::bound(&[]);
    for n in [1, 2] {
        case.membership.enter(&Standing::In(id(n)));
    }
    case.unseen = BTreeSet::from([id(1)]);
    assert_eq!(case.sends().change.added, [id(2)]);
}

#[test]
fn i06_ids_of_groups_that_changed_hands_are_said_and_nothing_is_written() {
    let mut case = Case::bound(&[]);
    case.status.display_name = Some("Platform".into());
    case.group = shown("Security");
    assert!(matches!(case.decide(), GroupStep::Send(_) | GroupStep::Settle(_)));
    case.elsewhere = Some("other".into());
    for deleting in [false, true] {
        case.deleting = deleting;
        case.policy.group_deletion = GroupDeletionPolicy::Delete;
        let (reason, words) = message(&case);
        assert_eq!(reason, Some(Reason::Conflict));
        assert!(words.contains("Security") && words.contains("other"), "{words}");
    }
}

/// Its database was rebuilt: the group has a new id.
#[test]
fn i06_i15_a_group_that_has_a_new_id_is_deleted_under_it() {
    let mut case = Case { deleting: true, ..Case::bound(&[]) };
    case.policy.group_deletion = GroupDeletionPolicy::Delete;
    case.policy.group_adoption = AdoptionPolicy::Adopt;
    case.group = Account::Absent { fresh: true };
    assert_eq!(case.decide(), GroupStep::Read(Read::Find));
    case.creations.searched = true;
    assert!(matches!(case.decide(), GroupStep::RemoveFinalizer(_)), "nobody knows it");
    case.group = group(&json!({"id": "new", "displayName": "Platform"}));
    assert!(matches!(case.decide(), GroupStep::Bind(binding) if binding.id == "new"));
    case.policy.group_adoption = AdoptionPolicy::Refuse;
    let GroupStep::RemoveFinalizer(verdict) = case.decide() else { panic!("does something") };
    assert_eq!(verdict.departure, Departure::LeftAsIs);
    // What we deleted ourselves isn't looked for.
    case.creations = Creations { deleted: true, ..Creations::default() };
    case.group = Account::Absent { fresh: true };
    assert!(matches!(case.decide(), GroupStep::RemoveFinalizer(_)));
}

#[test]
fn i07_a_group_older_than_its_object_was_made_by_no_creation_for_it() {
    for (created, how) in
        [("2020-01-01T00:00:00Z", OperationType::Adopt), ("2026-11-28T12:00:01Z", OperationType::Create)]
    {
        let meta = json!({"created": created, "lastModified": "2026-11-28T12:00:00Z"});
        let mut case = Case::unbound(group(&json!({"id": "g", "displayName": "Platform", "meta": meta})));
        (case.finalizer, case.claimed) = (true, Some("Platform"));
        case.created = Some("2026-11-28T12:00:00Z".parse().expect("a time"));
        case.policy.group_adoption = AdoptionPolicy::Adopt;
        assert!(matches!(case.decide(), GroupStep::Bind(binding) if binding.how == how), "{created}");
        case.policy.group_adoption = AdoptionPolicy::Refuse;
        let refused = how == OperationType::Adopt;
        assert_eq!(matches!(case.decide(), GroupStep::Settle(_)), refused, "{created}");
        (case.deleting, case.policy.group_deletion) = (true, GroupDeletionPolicy::Delete);
        assert_eq!(matches!(case.decide(), GroupStep::RemoveFinalizer(_)), refused, "{created}");
    }
}
