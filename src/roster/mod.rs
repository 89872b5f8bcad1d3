//! Pure: a table and a roster's spec → the ScimUsers that are to be.
//!
//! ```text
//! documents ─ source ─▶ table ─ recipe ─▶ people ─ names ─▶ bodies ─ changes ─▶ what to apply, what is gone ─ removals
//! ```

mod changes;
mod columns;
mod dates;
mod decoding;
mod expression;
mod form;
mod functions;
mod hashed;
mod holders;
mod keys;
mod leaving;
mod lines;
mod members;
mod names;
mod people;
mod prepared;
mod presets;
mod preview;
mod recipe;
mod removals;
mod shape;
mod source;
mod suggestions;
mod target;
#[cfg(test)]
mod tests;
mod text;
mod trace;

pub use changes::{Changes, Given, Ours};
pub use columns::Wanted;
pub use expression::ExpressionError;
pub use holders::{Holder, Neighbour, asked_for, check_count, chosen, documents, is_labelled, is_missing};
pub use keys::{Keys, Known, name_of, name_of_called};
pub use members::{Mark, Members, mark};
pub use names::Names;
pub use people::{Body, Identity, People, Person, Rejected};
pub use prepared::{Places, Prepared, Refused};
pub use preview::{Preview, PreviewedRow, RowOutcome, preview};
pub use recipe::{MissingColumn, Recipe};
pub use removals::{Answers, Gone, Guard, Held, Removals, Why, ledger_of, limit_of, spend};
pub use source::{Content, Document, SourceError, Table, read};
pub use trace::{Trace, TraceStep, trace};

use crate::api::hex;
