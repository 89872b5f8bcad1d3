//! What is in a hold, as status tells it.

use std::borrow::Borrow;

use serde::Serialize;

use crate::objects::Object;

/// An object in a hold, or a reference to one.
#[derive(Clone, Copy, Serialize)]
#[serde(transparent)]
pub struct Held<O = Object>(pub O);

impl Held {
    /// Whose row of a roster is gone.
    pub fn leaving(object: Object) -> Self {
        let message = Some("its row is gone from the roster".to_owned());
        Self(Object { held_operation: Some("Delete".to_owned()), message, ..object })
    }
}

/// As much of an object's message as tells what would be done: how to answer a hold is said to each of a hundred thousand.
pub fn told_of_change(message: &str) -> Option<&str> {
    ends(message).map(|(_, end)| &message[..end])
}

/// What a message says of a hold begins with the change, and then says one of these.
const AFTER_CHANGE: [&str; 2] = [" is held: ", " was held (hold "];

/// The end of the change in a message, and where what is said of the hold begins.
fn ends(message: &str) -> Option<(usize, usize)> {
    AFTER_CHANGE.iter().find_map(|words| message.find(words).map(|at| (at, at + words.len())))
}

impl<O: Borrow<Object>> Held<O> {
    pub fn object(&self) -> &Object {
        self.0.borrow()
    }

    /// What would be done, as far as status tells: the operation with its attributes.
    pub fn change(&self) -> &str {
        let object = self.object();
        let operation = object.held_operation.as_deref().unwrap_or_default();
        let told = object.message.as_deref().unwrap_or_default();
        let change = ends(told).map(|(at, _)| &told[..at]);
        change.filter(|change| change.starts_with(operation)).unwrap_or(operation)
    }

    /// How many members a group loses and gets, where the hold is of those and not of an operation on the group itself.
    pub fn memberships(&self) -> Option<(i64, i64)> {
        if self.object().kind == "ScimUser" {
            return None;
        }
        let change = self.change().strip_prefix("Update of ")?;
        let (all, put_in) = match change.split_once(" (") {
            Some((all, put_in)) => (all, put_in.strip_suffix(" put in)")?.parse().ok()?),
            None => (change, 0),
        };
        let all: i64 = match all {
            "one membership" => 1,
            many => many.strip_suffix(" memberships")?.parse().ok()?,
        };
        Some((all - put_in, put_in))
    }

    /// How many members a group loses: of one that gets some alone, and of everything else, none.
    pub fn taken_out(&self) -> i64 {
        self.memberships().map_or(0, |(out, _)| out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(operation: &str, message: &str) -> Held {
        let (held_operation, message) = (Some(operation.to_owned()), Some(message.to_owned()));
        Held(Object { message, held_operation, ..Object::default() })
    }

    #[test]
    fn a_member_says_its_operation_with_the_attributes() {
        let change = |operation: &str, message: &str| held(operation, message).change().to_owned();
        assert_eq!(
            change("Update", "Update of userName, title is held: it is more. Hold 3f"),
            "Update of userName, title"
        );
        assert_eq!(change("Delete", "nothing of that form"), "Delete");
        let told = told_of_change("Update of title is held: it is more. Hold 3f has 7").unwrap();
        assert_eq!(change("Update", told), "Update of title", "and so does its beginning");
        assert_eq!(told_of_change("the account is as declared"), None);
        let rejected = "Update of 21 memberships was held (hold 3f) and rejected; it stays undone";
        assert_eq!(held("Update", rejected).memberships(), Some((21, 0)));
    }
}
