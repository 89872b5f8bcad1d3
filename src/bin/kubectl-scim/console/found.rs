//! What of a hold a search finds.

use std::borrow::Cow;

use super::folded::searched;
use super::heading::{HEADINGS, heading};
use super::store::InHold;
use crate::cluster::Kind;
use crate::commands::holds::{Held, Hold};
use crate::objects::Object;

/// The members of a hold that a search finds, by the places of their headings.
pub fn found<'a>(hold: &Hold, members: &[InHold<'a>], search: &str) -> [Vec<InHold<'a>>; HEADINGS.len()] {
    let text = searched(search);
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut found: [Vec<InHold>; HEADINGS.len()] = Default::default();
    let mut last: Option<Change> = None;
    for one in members {
        let known = last.take().filter(|change| change.is_that_of(one.held.0));
        let change = known.unwrap_or_else(|| Change::of(hold, one.held));
        if fits(one, &change.told, &words) {
            found[change.place].push(*one);
        }
        last = Some(change);
    }
    found
}

/// What would be done to a member, and to all after it that say the same: in a hold of a hundred thousand nearly all do.
struct Change<'a> {
    of: &'a Object,
    /// That of its heading.
    place: usize,
    /// As searches compare it.
    told: String,
}

impl<'a> Change<'a> {
    fn of(whole: &Hold, held: Held<&'a Object>) -> Self {
        // What the status of somebody whose row is gone says is of a connection.
        let told = if whole.kind == Kind::Roster { String::new() } else { searched(held.change()) };
        Self { of: held.0, place: heading(whole, &held), told }
    }

    fn is_that_of(&self, object: &Object) -> bool {
        let of = self.of;
        (of.kind, &of.held_operation, &of.message) == (object.kind, &object.held_operation, &object.message)
    }
}

fn fits(one: &InHold, change: &str, words: &[&str]) -> bool {
    let object = one.held.0;
    let text = one.text.map_or_else(
        || Cow::Owned(searched(&format!("{} {} {}", object.called, object.namespace, object.name))),
        Cow::Borrowed,
    );
    words.iter().all(|word| text.contains(word) || change.contains(word))
}
