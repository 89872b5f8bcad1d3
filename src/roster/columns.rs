//! The columns that expressions read, whatever their letter case.

use std::collections::BTreeMap;

use serde_json::Value;

/// The columns that are read, each with its place in a row's values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    places: BTreeMap<String, usize>,
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

    /// How many there are.
    pub fn count(&self) -> usize {
        self.places.len()
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
