//! What is to be known of a group that is at rest, beside how many are in.

use super::deletion;
use super::facts::{GroupFacts, HiddenMembers};

/// Adds to the message of a group.
pub(super) fn remark(facts: &GroupFacts, message: &mut String) {
    let (members, counts) = (&facts.members, facts.counts());
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let (absent, inactive) = (number(members.absent.len()), members.membership.inactive());
    if unseen(facts) > 0 {
        message.push_str("; the server doesn't show the accounts of some, who are put in once it does");
    }
    if inactive > 0 {
        let are = if inactive == 1 { "is" } else { "are" };
        *message = format!(
            "{message}; {inactive} {are} inactive and, as the server has it, not in: put in again as soon as the account is \
             active"
        );
    }
    let waiting = counts.waiting - number(inactive);
    if waiting > 0 && waiting != absent {
        message.push_str("; the others have no account yet and are put in as soon as they have");
    }
    if members.membership.exceeds_record() {
        message.push_str(
            "; of so many it isn't on record who was put in by this object: should membership become Additive, whoever is \
             dropped then stays in",
        );
    }
    if members.membership.exceeded_record(facts.object.status.owned_members.as_deref()) {
        message.push_str(
            "; more than 5000 members were declared while membership was Exact, and it isn't on record who they were: once \
             they aren't declared any more they stay in, unless this object puts them in anew. Take them out at the server, \
             or set membership to Exact, which takes out whoever isn't declared",
        );
    }
    if facts.shown_partly {
        message.push_str(
            "; the server shows a part of this group's members alone, so who is in is known from the operator's own record: \
             whom others put in or take out isn't seen",
        );
    }
    if facts.hidden_members == HiddenMembers::Learnt {
        message.push_str(
            "; that is by the operator's own record, and not seen at the server: it shows nobody who is in a group, and told of \
             some by another way that they are",
        );
    }
    if deletion::unlinks(facts) {
        message.push_str(
            "; deleting this object empties the group and unlinks it: what the group stands for at the server stays",
        );
    }
}

/// Not put in, because the server doesn't show their accounts.
pub(super) fn unseen(facts: &GroupFacts) -> i64 {
    let members = &facts.members;
    i64::try_from(members.unseen.union(&members.kept.gone).count()).unwrap_or(i64::MAX)
}
