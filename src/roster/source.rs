//! Documents (CSV, JSON, YAML, or rows as they stand) into one table.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::columns::Wanted;
use crate::api::{Row, SourceFormat};

/// So many rows a roster has at most.
pub const MOST_ROWS: usize = 200_000;
/// So long a value may be, in bytes: as long as the extensions of a ScimUser in all.
pub const LONGEST_VALUE: usize = 16 * 1024;
/// So many columns a table has at most.
const MOST_COLUMNS: usize = 1024;

/// One text that holds rows.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its object and key, such as `people/people.csv`; empty for inline rows.
    pub name: String,
    /// What it holds.
    pub content: Content,
}

/// What a document holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// A text in one of the formats.
    Text(SourceFormat, Vec<u8>),
    /// Rows as they stand.
    Rows(Vec<Row>),
}

/// The rows of all documents; of each only the values of the columns that are wanted.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The documents' names.
    pub documents: Vec<String>,
    /// Every column of any document.
    pub columns: BTreeSet<String>,
    /// The rows.
    pub rows: Vec<TableRow>,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRow {
    /// Its document, by its place in [`Table::documents`].
    pub document: u32,
    /// Its number there.
    pub number: u32,
    /// The wanted columns' values, by [`Wanted`]'s places; null where the row has none.
    pub values: Box<[Value]>,
}

/// Why a source can't be used. Nothing is done on the strength of one that can't.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// There is no row.
    #[error("{0} has no rows; nobody is changed. Delete the roster, or suspend it, if nobody is to be provisioned")]
    Empty(String),
    /// A document is not what its format says.
    #[error("{document}: {problem}")]
    Invalid {
        /// The document.
        document: String,
        /// Where, and what.
        problem: String,
    },
    /// Too many rows.
    #[error("there are more than {MOST_ROWS} rows; make two rosters of them")]
    TooMany,
}

/// Reads all documents; each must have rows, so that one that was emptied by mistake takes nobody along.
pub fn read(documents: Vec<Document>, wanted: &Wanted) -> Result<Table, SourceError> {
    let mut table = Table::default();
    for document in documents {
        let before = table.rows.len();
        let name = if document.name.is_empty() { "source.inline".to_owned() } else { document.name.clone() };
        table.documents.push(document.name);
        let mut reader = Reader { table: &mut table, wanted, name: &name };
        match document.content {
            Content::Rows(rows) => reader.objects(rows.into_iter().map(Value::Object).collect())?,
            Content::Text(format, bytes) => reader.text(format, bytes)?,
        }
        if table.rows.len() == before {
            return Err(SourceError::Empty(name));
        }
    }
    if table.rows.is_empty() {
        return Err(SourceError::Empty("the source".to_owned()));
    }
    Ok(table)
}

struct Reader<'a> {
    table: &'a mut Table,
    wanted: &'a Wanted,
    name: &'a str,
}

impl Reader<'_> {
    fn text(&mut self, format: SourceFormat, bytes: Vec<u8>) -> Result<(), SourceError> {
        let text = self.decoded(bytes)?;
        if text.trim().is_empty() {
            return Ok(());
        }
        match format {
            SourceFormat::Csv => self.csv(&text),
            SourceFormat::Json => self.json(&text),
            SourceFormat::Yaml => self.yaml(&text),
            SourceFormat::Auto => match guess(self.name, &text) {
                SourceFormat::Json => self.json(&text),
                SourceFormat::Yaml => self.yaml(&text),
                _ => self.csv(&text),
            },
        }
    }

    /// UTF-8, with or without a byte order mark.
    fn decoded(&self, bytes: Vec<u8>) -> Result<String, SourceError> {
        if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
            return Err(self.invalid("it is UTF-16: save it as UTF-8"));
        }
        let mut text = String::from_utf8(bytes).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..good].split(|byte| *byte == b'\n').count();
            self.invalid(format!("line {line} is not UTF-8: save it as UTF-8"))
        })?;
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        Ok(text)
    }

    fn csv(&mut self, text: &str) -> Result<(), SourceError> {
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter(text)).from_reader(text.as_bytes());
        let header = reader.headers().map_err(|error| self.csv_error(&error))?.clone();
        let columns: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        let mut seen = BTreeSet::new();
        if let Some(twice) = columns.iter().find(|name| !name.is_empty() && !seen.insert(name.to_lowercase())) {
            return Err(self.invalid(format!("row 1: the column {twice} is there twice")));
        }
        // A spreadsheet leaves columns without a name behind.
        self.add_columns(columns.iter().filter(|name| !name.is_empty()))?;
        let places: Vec<Option<usize>> = columns.iter().map(|name| self.wanted.place(name)).collect();
        let mut record = csv::StringRecord::new();
        let mut number = 1;
        while reader.read_record(&mut record).map_err(|error| self.csv_error(&error))? {
            number += 1;
            if let Some(at) = record.iter().position(|value| value.len() > LONGEST_VALUE) {
                return Err(self.too_long(number, &columns[at]));
            }
            if record.iter().all(|value| value.trim().is_empty()) {
                continue;
            }
            let mut values = self.wanted.nothing();
            for (value, place) in record.iter().zip(&places) {
                if let Some(place) = place {
                    values[*place] = Value::String(value.to_owned());
                }
            }
            self.push(number, values)?;
        }
        // One that is never closed swallows every row after it.
        if text.bytes().filter(|byte| *byte == b'"').count() % 2 == 1 {
            return Err(self.invalid(format!("row {number}: a quotation mark is not closed")));
        }
        Ok(())
    }

    fn csv_error(&self, error: &csv::Error) -> SourceError {
        if let csv::ErrorKind::UnequalLengths { pos, expected_len, len } = error.kind() {
            let row = pos.as_ref().map_or(0, |pos| pos.record() + 1);
            return self.invalid(format!("row {row} has {len} values, and the header {expected_len} columns"));
        }
        self.invalid("it can't be read as CSV")
    }

    fn json(&mut self, text: &str) -> Result<(), SourceError> {
        let value: Value = serde_json::from_str(text).map_err(|error| {
            self.invalid(format!("line {} column {}: it is not JSON", error.line(), error.column()))
        })?;
        self.list(value)
    }

    fn yaml(&mut self, text: &str) -> Result<(), SourceError> {
        let value: Value = serde_saphyr::from_str(text).map_err(|error| {
            let place = error.location().map(|at| format!("line {} column {}: ", at.line(), at.column()));
            self.invalid(format!("{}it is not YAML", place.unwrap_or_default()))
        })?;
        self.list(value)
    }

    /// A list of objects, bare or as Microsoft Graph wraps it.
    fn list(&mut self, value: Value) -> Result<(), SourceError> {
        match value {
            Value::Array(rows) => self.objects(rows),
            Value::Object(mut answer) if answer.get("value").is_some_and(Value::is_array) => {
                if answer.contains_key("@odata.nextLink") {
                    return Err(self.invalid("it is one page of several (@odata.nextLink): export them all"));
                }
                match answer.remove("value") {
                    Some(Value::Array(rows)) => self.objects(rows),
                    _ => Ok(()),
                }
            }
            Value::Null => Ok(()),
            _ => Err(self.invalid("it is not a list of rows")),
        }
    }

    fn objects(&mut self, rows: Vec<Value>) -> Result<(), SourceError> {
        for (index, row) in rows.into_iter().enumerate() {
            let number = index + 1;
            let Value::Object(row) = row else {
                return Err(self.invalid(format!("row {number} is not an object of columns and values")));
            };
            self.add_columns(row.keys())?;
            let mut values = self.wanted.nothing();
            for (column, value) in row {
                if size(&value) > LONGEST_VALUE {
                    return Err(self.too_long(number, &column));
                }
                if let Some(place) = self.wanted.place(&column) {
                    values[place] = value;
                }
            }
            self.push(number, values)?;
        }
        Ok(())
    }

    fn add_columns<'a>(&mut self, names: impl Iterator<Item = &'a String>) -> Result<(), SourceError> {
        for name in names {
            if !self.table.columns.contains(name) {
                self.table.columns.insert(name.clone());
            }
        }
        if self.table.columns.len() > MOST_COLUMNS {
            return Err(self.invalid(format!("there are more than {MOST_COLUMNS} columns")));
        }
        Ok(())
    }

    fn push(&mut self, number: usize, values: Box<[Value]>) -> Result<(), SourceError> {
        if self.table.rows.len() >= MOST_ROWS {
            return Err(SourceError::TooMany);
        }
        let document = u32::try_from(self.table.documents.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.table.rows.push(TableRow { document, number, values });
        Ok(())
    }

    fn too_long(&self, row: usize, column: &str) -> SourceError {
        self.invalid(format!(
            "row {row}, column {column}: the value has more than {LONGEST_VALUE} bytes; is a quotation mark not closed?"
        ))
    }

    fn invalid(&self, problem: impl Into<String>) -> SourceError {
        SourceError::Invalid { document: self.name.to_owned(), problem: problem.into() }
    }
}

fn guess(name: &str, text: &str) -> SourceFormat {
    let ends = |end: &str| name.to_lowercase().ends_with(end);
    let text = text.trim_start();
    if ends(".csv") || ends(".tsv") {
        SourceFormat::Csv
    } else if ends(".json") || text.starts_with(['[', '{']) {
        SourceFormat::Json
    } else if ends(".yaml") || ends(".yml") || text.starts_with("- ") || text.starts_with("---") {
        SourceFormat::Yaml
    } else {
        SourceFormat::Csv
    }
}

/// What the header has most of, outside quotation marks.
fn delimiter(text: &str) -> u8 {
    let mut quoted = false;
    let mut counts = BTreeMap::new();
    for byte in text.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            b',' | b';' | b'\t' if !quoted => *counts.entry(byte).or_insert(0) += 1,
            _ => {}
        }
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or(b',', |(byte, _)| byte)
}

/// Roughly, in bytes.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(size).sum::<usize>() + list.len(),
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + size(value)).sum(),
        _ => 8,
    }
}
