//! How people are told apart: what is recorded of a key, and the names that are made of it.

use kube::ResourceExt;
use sha2::{Digest, Sha256};

use super::columns::fold;
use super::functions::slug;
use crate::api::{ROSTER_KEY, ScimUser};

/// So many zeros a number may have had before a spreadsheet took them.
const MOST_ZEROS: usize = 12;

/// A ScimUser that the roster has already, and how its person is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// The key that it was written for, as [`Keys::record`] has it; none on objects of versions before.
    pub key: Option<String>,
    /// Its userName, folded.
    pub user_name: String,
    /// Its externalId.
    pub external_id: Option<String>,
}

impl Known {
    /// How the person of a ScimUser is known.
    pub fn of(user: &ScimUser) -> Self {
        Self {
            name: user.name_any(),
            key: user.annotations().get(ROSTER_KEY).cloned(),
            user_name: fold(&user.spec.user_name),
            external_id: user.spec.external_id.clone(),
        }
    }
}

/// The keys of a roster: values of one expression, at one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    connection: String,
    /// Values of another expression are other keys, however alike they are.
    expression: String,
    /// There is an expression: a userName isn't a key that never changes.
    is_explicit: bool,
}

impl Keys {
    /// Of this expression; without one the userName is the key.
    pub fn new(connection: &str, expression: Option<&str>) -> Self {
        let is_explicit = expression.is_some();
        let expression = digest(&[expression.unwrap_or("userName").trim()], 4);
        Self { connection: connection.to_owned(), expression, is_explicit }
    }

    /// What a ScimUser records of the key that it was written for.
    pub fn record(&self, key: &str) -> String {
        format!("{}-{}", self.expression, digest(&[&self.connection, key], 8))
    }

    /// Whether an object was written for this key, by the expression in force.
    pub fn is_of(&self, known: &Known, key: &str) -> bool {
        match &known.key {
            Some(recorded) => *recorded == self.record(key),
            None => known.name == self.name(key),
        }
    }

    /// Whether an object's key is known to be a value of the expression in force.
    pub fn has_recorded(&self, known: &Known) -> bool {
        let recorded = known.key.as_deref().and_then(|recorded| recorded.strip_prefix(&self.expression));
        recorded.is_some_and(|rest| rest.starts_with('-'))
    }

    /// Whether an object is certain to be nobody's but of the key that it was written for: keys never change.
    pub fn tells_apart(&self, known: &Known) -> bool {
        self.is_explicit && self.has_recorded(known)
    }

    /// What is recorded of the keys of which a spreadsheet may have made this one: it takes the zeros before a number, and
    /// may give it a part.
    pub fn records_before_rewriting(&self, key: &str) -> Vec<String> {
        let Some(number) = significant_digits(key) else { return Vec::new() };
        let padded = (0..=MOST_ZEROS).map(|zeros| format!("{}{number}", "0".repeat(zeros)));
        let written = padded.flat_map(|number| [format!("{number}.0"), number]);
        written.filter(|other| other != key).map(|key| self.record(&key)).collect()
    }

    /// Whether an object's key is known to be a value of another expression.
    pub fn is_of_another_expression(&self, known: &Known) -> bool {
        known.key.is_some() && !self.has_recorded(known)
    }

    /// What a ScimUser of this key is called.
    pub fn name(&self, key: &str) -> String {
        name_of(&self.connection, key)
    }

    /// The same, where the names of smaller numbers are somebody else's.
    pub fn numbered_name(&self, key: &str, number: usize) -> String {
        readable(key, &digest(&[&self.connection, key, &number.to_string()], 4))
    }
}

/// The digits of a number that a spreadsheet keeps.
pub fn significant_digits(text: &str) -> Option<&str> {
    let text = text.strip_suffix(".0").unwrap_or(text);
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.trim_start_matches('0'))
}

/// Made of the key and the connection: a slug to be read, and eight hex digits to be told apart by.
pub fn name_of(connection: &str, key: &str) -> String {
    readable(key, &digest(&[connection, key], 4))
}

fn readable(key: &str, digits: &str) -> String {
    match slug(key, 40) {
        slug if slug.is_empty() => format!("person-{digits}"),
        slug => format!("{slug}-{digits}"),
    }
}

/// So many bytes of a digest over these texts, in hex.
fn digest(texts: &[&str], bytes: usize) -> String {
    let mut hash = Sha256::new();
    for (place, text) in texts.iter().enumerate() {
        if place > 0 {
            hash.update([0]);
        }
        hash.update(text);
    }
    super::hex(&hash.finalize()[..bytes])
}
