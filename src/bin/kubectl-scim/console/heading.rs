//! What somebody would call the changes of a hold.

use std::borrow::Borrow;

use scim_operator::plan::GRANT_LISTS;

use crate::cluster::Kind;
use crate::commands::holds::{Held, Hold};
use crate::objects::Object;

/// Those first that take something away.
pub const HEADINGS: [&str; 13] = [
    "Leaving: the row is gone, and the ScimUser is deleted",
    "Leaving: the account is deleted",
    "Leaving: the account is deactivated",
    "Losing or changing roles",
    "Groups that are deleted",
    "Groups whose members change",
    "Groups that change",
    "Renamed",
    "Joining: an account is created",
    "Groups that are created",
    "Returning: the account is activated",
    "Bound to what is there",
    "Changed: other attributes",
];

/// The place of the heading of something in a hold.
pub fn heading(whole: &Hold, held: &Held<impl Borrow<Object>>) -> usize {
    if whole.kind == Kind::Roster {
        return 0;
    }
    let (change, object) = (held.change(), held.object());
    let (operation, is_group) = (object.held_operation.as_deref().unwrap_or_default(), object.kind == "ScimGroup");
    match operation {
        "Delete" => {
            if is_group {
                4
            } else {
                1
            }
        }
        "Deactivate" => 2,
        "Create" => {
            if is_group {
                9
            } else {
                8
            }
        }
        "Adopt" | "Handover" if !changes(change, &GRANT_LISTS) => 11,
        _ if is_group => {
            if held.memberships().is_some() {
                5
            } else {
                6
            }
        }
        "Reactivate" => 10,
        _ if changes(change, &GRANT_LISTS) => 3,
        _ if changes(change, &["userName"]) => 7,
        _ => 12,
    }
}

/// Whether a change is one of these attributes.
fn changes(change: &str, names: &[&str]) -> bool {
    let attributes = change.split_once(" of ").map_or("", |(_, attributes)| attributes);
    attributes.split(", ").any(|path| names.iter().any(|name| path.split(['[', '.']).next() == Some(name)))
}

/// What a row tells of a change: which attributes, or how many members. The heading says already what is done.
pub fn change<'a>(whole: &Hold, held: &'a Held<impl Borrow<Object>>) -> &'a str {
    // What the status of somebody whose row is gone says is of a connection.
    let told = held.change().split_once(" of ").filter(|_| whole.kind != Kind::Roster);
    told.map(|(_, what)| what).filter(|what| *what != "active").unwrap_or_default()
}

/// Why operations are held, in words.
pub fn reason(reason: &str) -> String {
    let word = |reason: &str| match reason {
        "removals" | "rewrites" | "memberships" | "groups" | "creates" => {
            format!("the guard {reason} (spec.guards.{reason})")
        }
        "Plan" => "mode: Plan, under which nothing is sent without an approval".to_owned(),
        "NewServer" => "the connection leads to another server than the one that the accounts are at".to_owned(),
        "Undelegated" => "the connection's spec.delegation doesn't admit the account".to_owned(),
        "rows are gone" => "the roster's guard: their rows are gone".to_owned(),
        other => other.to_owned(),
    };
    reason.split(", ").map(word).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(operation: &str, message: &str, kind: &'static str) -> Held {
        let message = Some(format!("{message} is held: it is more. Hold 3f"));
        Held(Object { kind, held_operation: Some(operation.into()), message, ..Object::default() })
    }

    #[test]
    fn i13_what_is_in_a_hold_is_grouped_by_what_it_means_for_people() {
        for (operation, message, kind, expected) in [
            ("Delete", "Delete", "ScimUser", "Leaving: the account is deleted"),
            ("Deactivate", "Deactivate of active", "ScimUser", "Leaving: the account is deactivated"),
            ("Update", "Update of title, userName", "ScimUser", "Renamed"),
            ("Update", "Update of roles, userName", "ScimUser", "Losing or changing roles"),
            ("Update", "Update of title, name.formatted", "ScimUser", "Changed: other attributes"),
            ("Create", "Create of roles", "ScimUser", "Joining: an account is created"),
            ("Reactivate", "Reactivate", "ScimUser", "Returning: the account is activated"),
            ("Delete", "Delete", "ScimGroup", "Groups that are deleted"),
            ("Create", "Create", "ScimGroup", "Groups that are created"),
            ("Update", "Update of 21 memberships", "ScimGroup", "Groups whose members change"),
            ("Update", "Update of one membership", "ScimGroup", "Groups whose members change"),
            ("Update", "Update of 2 memberships (2 put in)", "ScimGroup", "Groups whose members change"),
            ("Update", "Update of displayName", "ScimGroup", "Groups that change"),
        ] {
            let held = held(operation, message, kind);
            assert_eq!(HEADINGS[heading(&Hold::of_kind(Kind::Connection), &held)], expected, "{message} of a {kind}");
        }
    }

    #[test]
    fn i29_whose_row_is_gone_loses_the_object_and_what_becomes_of_the_account_is_not_told() {
        let leaving = Held::leaving(Object { kind: "ScimUser", ..Object::default() });
        let title = HEADINGS[heading(&Hold::of_kind(Kind::Roster), &leaving)];
        assert!(title.contains("the ScimUser is deleted") && !title.contains("account"), "{title}");
    }

    #[test]
    fn a_row_and_a_reason_read_as_people_would_say_them() {
        let told =
            |of, operation, message, kind| change(&Hold::of_kind(of), &held(operation, message, kind)).to_owned();
        assert_eq!(told(Kind::Connection, "Deactivate", "Deactivate of active", "ScimUser"), "");
        assert_eq!(told(Kind::Connection, "Update", "Update of title", "ScimUser"), "title");
        assert_eq!(told(Kind::Connection, "Update", "Update of 21 memberships", "ScimGroup"), "21 memberships");
        assert_eq!(told(Kind::Roster, "Update", "Update of title", "ScimUser"), "", "that is in a connection's hold");
        assert_eq!(
            reason("removals, Plan"),
            "the guard removals (spec.guards.removals) and mode: Plan, under which nothing is sent without an approval"
        );
    }
}
