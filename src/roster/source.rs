//! Documents (CSV, JSON, YAML, or rows as they stand) into one table.

use std::collections::BTreeSet;

use serde_json::Value;

use super::columns::Wanted;
use super::form::{guess, preamble};
use super::lines::{self, Line};
use super::text::{cleaned, decoded, no_table, spoiled, unquoted};
use crate::api::{Row, SourceFormat};
use crate::scim::without_tombstone;

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
    /// Answers of Microsoft Graph that say that another follows, and those that say that none does.
    pages: (usize, usize),
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
    /// Why it can't be used, and where.
    pub problem: Option<String>,
    /// Which value is of which column is not certain.
    pub torn: bool,
    /// Entra ID has deleted this one: the name that it was given with that is taken back.
    pub deleted: bool,
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
    if let (1.., 0) = table.pages {
        let problem = "the last page is missing (@odata.nextLink): put all of them into the source".to_owned();
        return Err(SourceError::Invalid { document: "the source".to_owned(), problem });
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
        if let Some(why) = no_table(&bytes) {
            return Err(self.invalid(why));
        }
        let text = decoded(&bytes);
        drop(bytes);
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

    fn csv(&mut self, text: &str) -> Result<(), SourceError> {
        let (text, delimiter, above) = preamble(text);
        let lines = lines::rows(text, delimiter);
        let Some((Line::Whole(header), rows)) = lines.split_first() else {
            return Err(self.invalid("the header can't be read: a quotation mark is not closed"));
        };
        let mut builder = csv::ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(delimiter);
        let mut record = csv::StringRecord::new();
        let read = builder.from_reader(text[header.clone()].as_bytes()).read_record(&mut record);
        read.map_err(|_| self.invalid("the header can't be read as CSV"))?;
        let header = std::mem::take(&mut record);
        let columns: Vec<String> =
            header.iter().map(|name| cleaned(name).unwrap_or_else(|| name.to_owned()).trim().to_owned()).collect();
        // A spreadsheet leaves columns without a name behind.
        self.add_columns(columns.iter().filter(|name| !name.is_empty()))?;
        let places: Vec<Option<usize>> = columns.iter().map(|name| self.wanted.place(name)).collect();
        let mut whole = String::new();
        for line in rows {
            if let Line::Whole(place) = line {
                whole.push_str(&text[place.clone()]);
                if !whole.ends_with('\n') {
                    whole.push('\n');
                }
            }
        }
        let mut reader = builder.from_reader(whole.as_bytes());
        for (at, line) in rows.iter().enumerate() {
            let number = above + at + 2;
            match line {
                Line::Blank => {}
                Line::Torn => self.push(TableRow {
                    problem: Some(
                        "a quotation mark is not closed, or stands within a value: write it twice, and the value in \
                         quotation marks"
                            .to_owned(),
                    ),
                    torn: true,
                    ..self.row(number)
                })?,
                Line::Whole(_) => {
                    reader.read_record(&mut record).map_err(|_| self.invalid("it can't be read as CSV"))?;
                    self.record(number, &record, &columns, &places)?;
                }
            }
        }
        Ok(())
    }

    fn record(
        &mut self,
        number: usize,
        record: &csv::StringRecord,
        columns: &[String],
        places: &[Option<usize>],
    ) -> Result<(), SourceError> {
        if record.iter().all(|value| value.trim().is_empty()) {
            return Ok(());
        }
        let mut row = self.row(number);
        // A delimiter too many at the end is no value.
        if record.len() < columns.len() || record.iter().skip(columns.len()).any(|value| !value.trim().is_empty()) {
            row.problem = Some(format!("it has {} values, and the header {} columns", record.len(), columns.len()));
            row.torn = true;
        }
        for ((value, column), place) in record.iter().zip(columns).zip(places) {
            if value.len() > LONGEST_VALUE {
                row.problem = Some(too_long(column));
                row.torn = true;
            }
            let Some(place) = place.filter(|_| !row.torn || value.len() <= LONGEST_VALUE) else { continue };
            let value = unquoted(value);
            if let Some(spoiled) = spoiled(value) {
                row.problem.get_or_insert(format!("column {column}: {spoiled}"));
            }
            let value = Value::String(cleaned(value).unwrap_or_else(|| value.to_owned()));
            match &row.values[place] {
                Value::String(first) if !first.is_empty() && value != "" && *first != value => {
                    row.problem.get_or_insert(format!("column {column} is there twice, with different values"));
                }
                Value::String(first) if !first.is_empty() => {}
                _ => row.values[place] = value,
            }
        }
        self.push(row)
    }

    /// One value, or several one after the other, as a loop over pages writes them.
    fn json(&mut self, text: &str) -> Result<(), SourceError> {
        for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
            let value = value.map_err(|error| {
                self.invalid(format!("line {} column {}: it is not JSON", error.line(), error.column()))
            })?;
            self.list(value)?;
        }
        Ok(())
    }

    fn yaml(&mut self, text: &str) -> Result<(), SourceError> {
        let value: Value = serde_saphyr::from_str(text).map_err(|error| {
            let place = error.location().map(|at| format!("line {} column {}: ", at.line(), at.column()));
            self.invalid(format!("{}it is not YAML", place.unwrap_or_default()))
        })?;
        self.list(value)
    }

    /// A list of objects, bare or as Microsoft Graph and Google wrap it, or a list of such pages.
    fn list(&mut self, value: Value) -> Result<(), SourceError> {
        let is_page =
            |value: &Value| ["value", "users"].iter().any(|name| value.get(name).is_some_and(Value::is_array));
        match value {
            Value::Array(pages) if !pages.is_empty() && pages.iter().all(is_page) => {
                pages.into_iter().try_for_each(|page| self.list(page))
            }
            Value::Array(rows) => self.objects(rows),
            Value::Object(mut page) if page.get("value").or_else(|| page.get("users")).is_some_and(Value::is_array) => {
                let goes_on = page.contains_key("@odata.nextLink") || page.contains_key("nextPageToken");
                let (open, last) = &mut self.table.pages;
                *(if goes_on { open } else { last }) += 1;
                match page.remove("value").or_else(|| page.remove("users")) {
                    Some(Value::Array(rows)) => self.objects(rows),
                    _ => Ok(()),
                }
            }
            Value::Null => Ok(()),
            _ => Err(self.invalid("it is not a list of rows")),
        }
    }

    fn objects(&mut self, rows: Vec<Value>) -> Result<(), SourceError> {
        let document = self.document();
        let before = self.table.rows.iter().rev().take_while(|row| row.document == document).count();
        for (at, value) in rows.into_iter().enumerate() {
            let mut row = self.row(before + at + 1);
            let Value::Object(object) = value else {
                row.problem = Some("it is not an object of columns and values".to_owned());
                row.torn = true;
                self.push(row)?;
                continue;
            };
            let object = lifted(object);
            self.add_columns(object.keys())?;
            for (column, value) in object {
                let Some(place) = self.wanted.place(&column) else { continue };
                if size(&value) > LONGEST_VALUE {
                    row.problem = Some(too_long(&column));
                    continue;
                }
                if let Some(spoiled) = value.as_str().and_then(spoiled) {
                    row.problem.get_or_insert(format!("column {column}: {spoiled}"));
                }
                row.values[place] = cleaned_value(value);
            }
            self.push(row)?;
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

    fn document(&self) -> u32 {
        u32::try_from(self.table.documents.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// One without values.
    fn row(&self, number: usize) -> TableRow {
        TableRow {
            document: self.document(),
            number: u32::try_from(number).unwrap_or(u32::MAX),
            values: self.wanted.nothing(),
            problem: None,
            torn: false,
            deleted: false,
        }
    }

    fn push(&mut self, mut row: TableRow) -> Result<(), SourceError> {
        if self.table.rows.len() >= MOST_ROWS {
            return Err(SourceError::TooMany);
        }
        if let Some(place) = self.wanted.place("userPrincipalName")
            && let Some(name) = row.values[place].as_str().and_then(without_tombstone)
        {
            row.values[place] = Value::String(name.to_owned());
            row.deleted = true;
        }
        self.table.rows.push(row);
        Ok(())
    }

    fn invalid(&self, problem: impl Into<String>) -> SourceError {
        SourceError::Invalid { document: self.name.to_owned(), problem: problem.into() }
    }
}

fn too_long(column: &str) -> String {
    format!("column {column}: the value has more than {LONGEST_VALUE} bytes; is a quotation mark not closed?")
}

/// Okta's API has a user's attributes in an object of their own.
fn lifted(mut row: Row) -> Row {
    let is_okta = row.get("profile").and_then(|profile| profile.get("login")).is_some() && !row.contains_key("login");
    if is_okta && let Some(Value::Object(profile)) = row.remove("profile") {
        for (name, value) in profile {
            row.entry(name).or_insert(value);
        }
    }
    row
}

fn cleaned_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(cleaned(&text).unwrap_or(text)),
        Value::Array(list) => Value::Array(list.into_iter().map(cleaned_value).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(key, value)| (key, cleaned_value(value))).collect()),
        other => other,
    }
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
