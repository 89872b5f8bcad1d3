//! The columns that expressions read, whatever their letter case.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The columns that are read, each with its place in a row's values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    places: BTreeMap<String, usize>,
    /// The places of columns that no expression reads.
    beside: BTreeSet<usize>,
    /// The places of columns that a person wrote an expression for, and not only a preset has one.
    named: BTreeSet<usize>,
}

impl Wanted {
    /// The place of a column, which it has from now on.
    pub fn want(&mut self, column: &str) -> usize {
        let next = self.places.len();
        *self.places.entry(folded(column)).or_insert(next)
    }

    /// The place of a column, if it is wanted.
    pub fn place(&self, column: &str) -> Option<usize> {
        self.places.get(&folded(column)).copied()
    }

    /// The place of a column that is looked at, and that no expression need read: what is wrong with its values keeps no row
    /// from being used.
    pub fn want_beside(&mut self, column: &str) -> usize {
        let is_new = self.place(column).is_none();
        let place = self.want(column);
        self.beside.extend(is_new.then_some(place));
        place
    }

    /// A column that a person wrote an expression for.
    pub fn want_as_named(&mut self, column: &str) {
        let place = self.want(column);
        self.named.insert(place);
    }

    /// Whether a person wrote an expression for this column.
    pub fn is_named(&self, column: &str) -> bool {
        self.place(column).is_some_and(|place| self.named.contains(&place))
    }

    /// Whether an expression reads the column of this place.
    pub fn is_read(&self, place: usize) -> bool {
        !self.beside.contains(&place)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// How many of them expressions read.
    pub fn count_read(&self) -> usize {
        self.places.len() - self.beside.len()
    }

    /// The values of a row that has none.
    pub fn nothing(&self) -> Box<[Value]> {
        vec![Value::Null; self.places.len()].into()
    }
}

/// One name of a column for all spellings: a line break in a header is a space.
pub fn folded(column: &str) -> String {
    if column.contains(char::is_whitespace) {
        return fold(&column.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    fold(column)
}

/// One spelling of a name: exports of one directory differ in letter case, and those of a Mac in how they compose
/// letters.
pub fn fold(text: &str) -> String {
    crate::scim::fold(text.trim())
}
