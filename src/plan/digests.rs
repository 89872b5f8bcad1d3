//! What status remembers of attributes without naming them: short digests in a row, so that what its lists have no place
//! for is neither forgotten nor written anew.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::api::hex;

/// Forty-eight bits each, in hexadecimal digits: one object has a few thousand attributes at most.
const DIGITS: usize = 12;

/// Thirty-two bits each for a path and its value.
const HALF: usize = 8;

/// A set of digests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digests(BTreeSet<String>);

impl Digests {
    /// From status.
    pub fn read(text: Option<&str>) -> Self {
        let chunks = text.unwrap_or_default().as_bytes().chunks_exact(DIGITS);
        Self(chunks.map(|chunk| String::from_utf8_lossy(chunk).into_owned()).collect())
    }

    /// Whether what these parts say together is in this text, which isn't read for that.
    pub fn has(text: &str, parts: &[&str]) -> bool {
        let digest = digest(parts);
        text.as_bytes().chunks_exact(DIGITS).any(|chunk| chunk == digest.as_bytes())
    }

    /// For status.
    pub fn text(&self) -> String {
        self.0.iter().map(String::as_str).collect()
    }

    /// Takes in what these parts say together.
    pub fn insert(&mut self, parts: &[&str]) {
        self.0.insert(digest(parts));
    }

    /// Whether that was taken in.
    pub fn contains(&self, parts: &[&str]) -> bool {
        !self.0.is_empty() && self.0.contains(&digest(parts))
    }

    /// It isn't taken in any more.
    pub fn remove(&mut self, parts: &[&str]) {
        self.0.remove(&digest(parts));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex(&hash.finalize()[..DIGITS / 2])
}

/// Which declared values were carried out last (promise I9): a difference from one of these was made by others, and any
/// other is still owed, whatever became of the object meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    values: BTreeMap<String, String>,
    all: bool,
}

impl Applied {
    /// From status. That of an operator which didn't record it has only its generation to tell: `settled`.
    pub fn read(recorded: Option<&str>, settled: bool) -> Self {
        let chunks = recorded.unwrap_or_default().as_bytes().chunks_exact(2 * HALF);
        let entry = |chunk: &[u8]| {
            let (path, value) = chunk.split_at(HALF);
            (String::from_utf8_lossy(path).into_owned(), String::from_utf8_lossy(value).into_owned())
        };
        Self { values: chunks.map(entry).collect(), all: recorded.is_none() && settled }
    }

    /// For status.
    pub fn text(&self) -> String {
        self.values.iter().flat_map(|(path, value)| [path.as_str(), value.as_str()]).collect()
    }

    /// This value, or that the attribute is absent.
    pub fn has(&self, path: &str, value: Option<&Value>) -> bool {
        self.all || self.values.get(&half(path)) == Some(&half(&canonical(value)))
    }

    /// This value was carried out, or that the attribute is absent.
    pub fn set(&mut self, path: &str, value: Option<&Value>) {
        self.values.insert(half(path), half(&canonical(value)));
    }

    /// A request is about to change it, and should its answer be lost, nobody knows what the server has.
    pub fn forget(&mut self, path: &str) {
        self.values.remove(&half(path));
    }
}

/// What is recorded as carried out, while these are on their way to the server; none where that is recorded already.
pub fn applied_ahead<'a>(recorded: Option<&str>, paths: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut ahead = Applied::read(Some(recorded?), false);
    paths.for_each(|path| ahead.forget(path));
    Some(ahead.text()).filter(|text| Some(text.as_str()) != recorded)
}

fn half(text: &str) -> String {
    let mut digest = digest(&[text]);
    digest.truncate(HALF);
    digest
}

fn canonical(value: Option<&Value>) -> String {
    value.map_or_else(|| "absent".to_owned(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    proptest! {
        #[test]
        fn i04_what_was_taken_in_is_known_again(texts in proptest::collection::btree_set(".{0,12}", 0..40), other in "[0-9]{13}") {
            let mut digests = Digests::default();
            for text in &texts {
                digests.insert(&["a", text]);
            }
            let read = Digests::read(Some(&digests.text()));
            prop_assert_eq!(&read, &digests);
            prop_assert!(texts.iter().all(|text| read.contains(&["a", text])));
            prop_assert!(!read.contains(&["a", &other]) && !read.contains(&["b", ""]));
        }

        #[test]
        fn nothing_that_status_says_makes_it_panic(text in ".{0,40}") {
            let digests = Digests::read(Some(&text));
            prop_assert!(!digests.contains(&["title", "x"]) || text.len() >= DIGITS);
        }
    }

    #[test]
    fn i09_what_is_on_its_way_is_not_carried_out() {
        let mut written = Applied::default();
        written.set("title", Some(&json!("x")));
        written.set("locale", None);
        let text = written.text();
        let ahead = applied_ahead(Some(&text), ["title", "nickName"].into_iter()).unwrap();
        let read = Applied::read(Some(&ahead), true);
        assert!(!read.has("title", Some(&json!("x"))) && read.has("locale", None));
        assert_eq!(applied_ahead(Some(&ahead), ["title"].into_iter()), None, "recorded already");
        assert_eq!(applied_ahead(None, ["title"].into_iter()), None);
    }

    #[test]
    fn a_value_and_its_absence_are_two_things() {
        let mut written = Applied::default();
        written.set("title", Some(&json!("absent")));
        written.set("locale", None);
        let applied = Applied::read(Some(&written.text()), true);
        assert!(applied.has("title", Some(&json!("absent"))) && !applied.has("title", None));
        assert!(applied.has("locale", None) && !applied.has("nickName", None));
        assert!(Applied::read(None, true).has("title", None) && !Applied::read(None, false).has("title", None));
    }
}
