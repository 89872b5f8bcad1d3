//! What a roster would make of its source, row by row, without a cluster: for a look before it is applied.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::names::Names;
use super::prepared::{Refused, table_of};
use super::recipe::Recipe;
use super::source::{Content, Document, Table};
use crate::api::ScimRosterSpec;

/// kubectl notes what it applies in an annotation, which holds no more.
const CLIENT_SIDE: usize = 256 * 1024;

/// An object holds no more.
const MOST: usize = 1024 * 1024;

/// What would be made of a source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preview {
    /// Every row.
    pub rows: Vec<PreviewedRow>,
    /// What isn't a row's.
    pub notes: Vec<String>,
}

/// What would be made of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviewedRow {
    /// Its document.
    pub source: String,
    /// Its number as a spreadsheet shows it.
    pub row: u32,
    /// What becomes of it.
    pub outcome: RowOutcome,
}

/// What becomes of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum RowOutcome {
    /// It doesn't count.
    OutOfScope,
    /// It is this ScimUser.
    Mapped {
        /// Its name.
        name: String,
        /// Its spec.
        spec: Value,
    },
    /// It can't be used; the reason names the column.
    Rejected {
        /// Why.
        reason: String,
    },
}

/// Reads a source as the operator does. `Err` where nobody would be changed on the strength of it.
pub fn preview(spec: &ScimRosterSpec, documents: Vec<Document>) -> Result<Preview, Refused> {
    let mut notes = size_notes(spec.source.secrets.is_some(), &documents);
    let (recipe, mut table) = table_of(spec, &[], documents)?;
    let mut outcomes = outcomes(&recipe, &table);
    let rows = table.rows.iter().enumerate().map(|(at, row)| PreviewedRow {
        source: table.documents.get(row.document as usize).cloned().unwrap_or_default(),
        row: row.number,
        outcome: outcomes.remove(&at).unwrap_or(RowOutcome::OutOfScope),
    });
    let rows = rows.collect();
    notes.append(&mut table.notes);
    Ok(Preview { rows, notes })
}

/// What becomes of the rows in scope, by their places.
pub(super) fn outcomes(recipe: &Recipe, table: &Table) -> HashMap<usize, RowOutcome> {
    let people = recipe.people(table, |_| false);
    let names = Names::of(&recipe.keys, &people, &[], &BTreeSet::new());
    let mut outcomes: HashMap<usize, RowOutcome> = HashMap::new();
    for (person, name) in people.people.iter().zip(&names.names) {
        let outcome = match recipe.body(&table.rows[person.row], |whom| names.find(whom)) {
            Ok(body) => RowOutcome::Mapped { name: name.clone(), spec: body.spec },
            Err(reason) => RowOutcome::Rejected { reason },
        };
        outcomes.insert(person.row, outcome);
    }
    for rejected in people.rejected {
        outcomes.insert(rejected.row, RowOutcome::Rejected { reason: rejected.reason });
    }
    outcomes
}

/// The objects that are too large for the API server, or for a client-side apply, which notes all of an object's JSON,
/// with all keys.
fn size_notes(is_secret: bool, documents: &[Document]) -> Vec<String> {
    let kind = if is_secret { "Secret" } else { "ConfigMap" };
    let mut sizes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for document in documents {
        let Content::Text(_, bytes) = &document.content else { continue };
        // A Secret's values are base64; a text's quotation marks and line ends are escaped.
        let escaped = bytes.iter().filter(|byte| matches!(byte, b'"' | b'\\' | b'\n' | b'\r' | b'\t')).count();
        let noted = if is_secret { bytes.len().div_ceil(3) * 4 } else { bytes.len() + escaped };
        let object = document.name.split_once('/').map_or(document.name.as_str(), |(object, _)| object);
        let size = sizes.entry(object).or_default();
        *size = (size.0 + bytes.len(), size.1 + noted);
    }
    let note = |(object, (bytes, noted)): (&str, (usize, usize))| {
        if bytes > MOST {
            Some(format!(
                "{object} has {bytes} bytes, and a {kind} holds {MOST} at most, however it is applied: split the table into \
                 several, each part with the header, and select them by a label (docs/rosters.md, Large tables)"
            ))
        } else {
            let most = CLIENT_SIDE / 1024;
            (noted > CLIENT_SIDE).then(|| {
                format!(
                    "{object} has more than {most} KiB as kubectl notes it: apply its {kind} by kubectl apply --server-side"
                )
            })
        }
    };
    sizes.into_iter().filter_map(note).collect()
}
