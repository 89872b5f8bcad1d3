//! What keeps a group from being changed.

use super::*;
use crate::plan::{Holder, HolderState, Read};

#[test]
fn i09_members_that_a_second_writer_keeps_changing_are_left() {
    let mut case = Case::bound(&[1]);
    case.membership.enter(&Standing::In(id(2)));
    assert_eq!(case.sends().change.added, [id(2)]);
    case.contested = true;
    case.membership.keep_as_is([id(2)]);
    case.drift = Some(GroupDrift { lost: 1, ..GroupDrift::default() });
    assert_eq!(case.reason(), Some(Reason::Contested));
    // Whoever is declared anew, and whoever is dropped, is none of it.
    case.membership.enter(&Standing::In(id(3)));
    assert_eq!(case.sends().change.added, [id(3)]);
    case.membership.leave(&Standing::In(id(1)));
    assert_eq!(case.sends().change.removed, [id(1)]);
}

#[test]
fn i08_a_name_that_another_group_has_is_waited_for() {
    let mut case = Case::bound(&[1]);
    case.group = shown("Old");
    case.status.applied_attributes = Some(String::new());
    assert_eq!(case.sends().kind, OperationType::Update);
    case.claims.holder = Some(Holder { name: "ns/other".into(), has_account: false, state: HolderState::Renames });
    assert_eq!(case.reason(), Some(Reason::Pending));
}

/// Somebody who is protected may be in it.
#[test]
fn i31_who_is_in_a_group_is_read_before_it_is_deleted() {
    let mut case = Case::bound(&[1]);
    case.policy.group_deletion = GroupDeletionPolicy::Delete;
    case.deleting = true;
    case.membership.invalidate();
    assert!(matches!(case.decide(), GroupStep::Read(Read::Members(_))));
}
