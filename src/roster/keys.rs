//! How people are told apart: what is recorded of a key, and the names that are made of it.

use kube::ResourceExt;
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

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

    /// What is recorded of the keys that a spreadsheet, or a Japanese keyboard, may have written as this one, or this one as.
    /// They may be somebody else's all the same: `10.100` and `10100`.
    pub fn records_before_rewriting(&self, key: &str) -> Vec<String> {
        let all = numbers(key).into_iter().flat_map(|number| ways_to_write(&number)).chain(in_other_widths(key));
        all.filter(|other| other != key).map(|key| self.record(&key)).collect()
    }

    /// What is recorded of the keys that differ from this one in the zeros before a number, or in a part that is zero: those are
    /// certain to be the same.
    pub fn records_but_for_zeros(&self, key: &str) -> Vec<String> {
        let all = without_zeros(key).into_iter().flat_map(|number| with_zeros(&number));
        all.filter(|other| other != key).map(|key| self.record(&key)).collect()
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

/// What a number may be that a spreadsheet wrote: it takes the zeros before one, and may give it a part, as in `17.00`, or
/// separate thousands. `12.000` is one of two.
pub fn numbers(text: &str) -> Vec<String> {
    let whole = |text: &str| is_digits(text).then(|| text.trim_start_matches('0').to_owned());
    let without_part =
        text.rsplit_once(['.', ',']).filter(|(_, part)| !part.is_empty() && part.bytes().all(|b| b == b'0'));
    let mut all: Vec<String> = [Some(text), without_part.map(|(number, _)| number)]
        .into_iter()
        .flatten()
        .filter_map(|number| whole(number).or_else(|| without_groups(number).as_deref().and_then(whole)))
        .collect();
    all.dedup();
    all
}

/// With plain letters and digits, and with full-width ones: the mark between them may be either.
fn in_other_widths(key: &str) -> [String; 3] {
    let wide = |letter: char| char::from_u32(u32::from(letter) + 0xfee0).unwrap_or(letter);
    let of = |is_wide: fn(&char) -> bool| {
        key.chars().map(|letter| if is_wide(&letter) { wide(letter) } else { letter }).collect()
    };
    [fold(&key.nfkc().collect::<String>()), of(char::is_ascii_alphanumeric), of(char::is_ascii_graphic)]
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `12,345`, `12.345`, `12 345` or `12'345` without what separates the thousands.
fn without_groups(text: &str) -> Option<String> {
    let separator = text.chars().find(|letter| !letter.is_ascii_digit()).filter(|letter| ",. '’".contains(*letter))?;
    let mut groups = text.split(separator);
    let first = groups.next().filter(|first| is_digits(first) && first.len() <= 3)?;
    let mut number = first.to_owned();
    for group in groups {
        if group.len() != 3 || !is_digits(group) {
            return None;
        }
        number.push_str(group);
    }
    Some(number)
}

/// The number of `00017`, `17.0` and `17,00`; not of `17.000`, which may be thousands.
fn without_zeros(text: &str) -> Option<String> {
    let whole = match text.split_once(['.', ',']) {
        Some((whole, "0" | "00")) => whole,
        Some(_) => return None,
        None => text,
    };
    is_digits(whole).then(|| whole.trim_start_matches('0').to_owned())
}

fn with_zeros(number: &str) -> Vec<String> {
    let mut all: Vec<String> = (0..=MOST_ZEROS)
        .flat_map(|zeros| {
            let padded = format!("{}{number}", "0".repeat(zeros));
            [format!("{padded}.0"), padded]
        })
        .collect();
    all.extend([".00", ",0", ",00"].map(|part| format!("{number}{part}")));
    all
}

fn ways_to_write(number: &str) -> Vec<String> {
    let mut all = with_zeros(number);
    if number.len() > 3 {
        let first = (number.len() - 1) % 3 + 1;
        for separator in [",", ".", " ", "'", "’"] {
            let groups = (first..number.len()).step_by(3).map(|at| &number[at..at + 3]);
            let grouped = std::iter::once(&number[..first]).chain(groups).collect::<Vec<_>>().join(separator);
            all.extend([".00", ",00", ""].map(|part| format!("{grouped}{part}")));
        }
    }
    all
}

/// Made of the key and the connection: a slug to be read, and eight hex digits to be told apart by.
pub fn name_of(connection: &str, key: &str) -> String {
    readable(key, &digest(&[connection, key], 4))
}

/// The same for a key that nobody can read, of something that is called so.
pub fn name_of_called(connection: &str, called: &str, key: &str) -> String {
    readable(called, &digest(&[connection, key], 4))
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
