//! Members that go, and the guard and the others whom that concerns.

use super::*;

#[test]
fn i13_members_taken_out_are_counted_and_those_put_in_go_on_meanwhile() {
    let mut case = Case::bound(&[1, 2]);
    case.membership.leave(&Standing::In(id(1)));
    case.membership.enter(&Standing::In(id(3)));
    let both = case.sends();
    assert_eq!(
        (both.guard, both.change.added, both.change.removed),
        (Some(GuardName::Memberships), vec![id(3)], vec![id(1)])
    );
    case.removals_wait = true;
    let meanwhile = case.sends();
    assert_eq!((meanwhile.guard, meanwhile.change.added, meanwhile.change.removed), (None, vec![id(3)], vec![]));
}

#[test]
fn i17_whoever_leaves_does_not_stay_on_account_of_somebody_who_can_not_come() {
    let mut case = Case::bound(&[1, 2]);
    case.membership.leave(&Standing::In(id(1)));
    case.membership.enter(&Standing::In(id(3)));
    case.apart = true;
    let operation = case.sends();
    assert_eq!((operation.change.added, operation.change.removed), (vec![], vec![id(1)]));
}

#[test]
fn i17_whoever_is_deprovisioned_leaves_without_being_counted_twice() {
    let mut case = Case::bound(&[1, 2]);
    case.membership.leave(&Standing::In(id(1)));
    case.departed.insert(id(1));
    case.removals_wait = true;
    let operation = case.sends();
    assert_eq!((operation.guard, operation.change.removed), (None, vec![id(1)]));
}

/// A delegation that was taken back keeps no group from its end, where a person agrees.
#[test]
fn i15_a_group_that_was_delegated_once_is_deleted_with_an_approval() {
    let mut case = Case::bound(&[1]);
    (case.deleting, case.policy.group_deletion) = (true, GroupDeletionPolicy::Delete);
    assert!(!case.sends().undelegated);
    case.undelegated = true;
    assert!(case.sends().undelegated);
}
