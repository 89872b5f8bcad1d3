//! What is in a hold, as status tells it.

use serde::Serialize;

use crate::objects::Object;

/// An object in a hold.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Held(pub Object);

impl Held {
    /// Whose row of a roster is gone.
    pub fn leaving(object: Object) -> Self {
        let message = Some("its row is gone from the roster".to_owned());
        Self(Object { held_operation: Some("Delete".to_owned()), message, ..object })
    }

    /// What would be done, as far as status tells: the operation with its attributes.
    pub fn change(&self) -> String {
        let operation = self.0.held_operation.clone().unwrap_or_default();
        let told = self.0.message.as_deref().unwrap_or_default();
        match told.split_once(" is held: ").or_else(|| told.split_once(" was held (hold ")) {
            Some((change, _)) if change.starts_with(operation.as_str()) => change.to_owned(),
            _ => operation,
        }
    }

    /// How many members a group loses and gets, where the hold is of those and not of an operation on the group itself.
    pub fn memberships(&self) -> Option<(i64, i64)> {
        let change = self.change();
        let (all, put_in) = match change.strip_prefix("Update of ")?.split_once(" (") {
            Some((all, put_in)) => (all.to_owned(), put_in.strip_suffix(" put in)")?.parse().ok()?),
            None => (change.strip_prefix("Update of ")?.to_owned(), 0),
        };
        let all: i64 = match all.as_str() {
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
        let change = |operation: &str, message: &str| held(operation, message).change();
        assert_eq!(
            change("Update", "Update of userName, title is held: it is more. Hold 3f"),
            "Update of userName, title"
        );
        assert_eq!(change("Delete", "nothing of that form"), "Delete");
        let rejected = "Update of 21 memberships was held (hold 3f) and rejected; it stays undone";
        assert_eq!(held("Update", rejected).memberships(), Some((21, 0)));
    }
}
