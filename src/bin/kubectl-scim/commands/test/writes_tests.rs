use super::*;
use scim_operator::scim::MemberRemoval;

#[test]
fn only_what_the_dialect_lacks_is_to_be_pasted() {
    let generic = Profile::generic();
    assert_eq!(override_of(&generic, &generic), None);
    let learnt = Profile { write_users: WriteMethod::Put, member_removal: MemberRemoval::Values, ..generic.clone() };
    assert_eq!(override_of(&generic, &learnt), Some(json!({"writeUsers": "Put", "memberRemoval": "Values"})));
}

#[test]
fn a_scratch_user_is_one_that_nobody_has() {
    let (a, b) = (Scratch::new("example.com"), Scratch::new("example.com"));
    assert_ne!(a.users, b.users);
    assert_eq!(user(&a.users[0]).user_name, a.users[0]);
}
