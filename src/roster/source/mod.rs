//! Documents (CSV, JSON, YAML, or rows as they stand) into one table.

mod marks;
mod objects;
mod pages;
mod sheet;
mod yaml;

use std::collections::BTreeSet;

use serde_json::Value;

use self::marks::Marks;
use self::pages::Pages;
use super::columns::Wanted;
use super::decoding::{decoded, in_one_line, no_table};
use super::form::guess;
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
    /// Of each header in turn, which of the wanted columns it has, by [`Wanted`]'s places.
    headers: Vec<Vec<bool>>,
    /// What was left out, for a look before it is applied.
    pub notes: Vec<String>,
    /// The answers of portals that rows are of.
    pages: Pages,
}

impl Table {
    /// Whether a row stands below a header that lacks this column: then that it is empty says nothing.
    pub fn is_column_missing(&self, row: &TableRow, place: usize) -> bool {
        let header = row.header.and_then(|header| self.headers.get(header as usize));
        header.is_some_and(|header| !header[place])
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRow {
    /// Its document, by its place in [`Table::documents`].
    pub document: u32,
    /// Its number there.
    pub number: u32,
    /// The header that it stands below, of those of the table; none where each row names its columns.
    pub header: Option<u32>,
    /// The wanted columns' values, by [`Wanted`]'s places; null where the row has none.
    pub values: Box<[Value]>,
    /// Why it can't be used, and where.
    pub problem: Option<String>,
    /// The places of values that are not what they were in the source's source.
    pub unreadable: Vec<usize>,
    /// Which value is of which column is not certain.
    pub torn: bool,
    /// Entra ID has deleted this one: the name that it was given with that is taken back.
    pub deleted: bool,
}

impl TableRow {
    /// Some of its values aren't what they were, and nothing else is wrong with it.
    pub fn is_spoiled(&self) -> bool {
        !self.torn && !self.unreadable.is_empty()
    }

    /// It can't be used, for the value of this column.
    fn spoil(&mut self, place: usize, column: &str, what: &str) {
        self.problem.get_or_insert_with(|| format!("column {column}: {what}"));
        self.unreadable.push(place);
    }

    /// Puts a value where its column is. One that is there twice must say the same.
    fn put(&mut self, place: usize, column: &str, value: Value) {
        let is_empty = |value: &Value| value.is_null() || value.as_str().is_some_and(str::is_empty);
        let known = &self.values[place];
        if is_empty(known) {
            self.values[place] = value;
        } else if !is_empty(&value) && *known != value {
            self.problem.get_or_insert_with(|| format!("column {column} is there twice, with different values"));
            self.unreadable.push(place);
        }
    }
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
    // Documents whose header has none of the columns.
    let mut headless = Vec::new();
    for document in documents {
        let (rows, headers) = (table.rows.len(), table.headers.len());
        let name = if document.name.is_empty() { "source.inline".to_owned() } else { document.name.clone() };
        table.documents.push(document.name);
        let mut reader = Reader { first: rows, table: &mut table, wanted, name: &name, marks: Marks::default() };
        match document.content {
            Content::Rows(rows) => reader.objects(rows.into_iter().map(Value::Object).collect())?,
            Content::Text(format, bytes) => reader.text(format, bytes)?,
        }
        reader.marks.settle(&mut table.rows);
        if table.rows.len() == rows {
            return Err(SourceError::Empty(name));
        }
        let is_read = |(place, there): (usize, &bool)| *there && wanted.is_read(place);
        let lacks_all = |header: &Vec<bool>| !header.iter().enumerate().any(is_read);
        if wanted.count_read() > 0 && table.headers[headers..].iter().any(lacks_all) {
            headless.push(name);
        }
    }
    if table.rows.is_empty() {
        return Err(SourceError::Empty("the source".to_owned()));
    }
    if let Some(document) = headless.first().filter(|_| headless.len() < table.documents.len()) {
        let problem = "its first row has none of the columns that are read: each part needs the header".to_owned();
        return Err(SourceError::Invalid { document: document.clone(), problem });
    }
    if let Some(problem) = table.pages.problem() {
        return Err(SourceError::Invalid { document: "the source".to_owned(), problem });
    }
    Ok(table)
}

struct Reader<'a> {
    table: &'a mut Table,
    wanted: &'a Wanted,
    name: &'a str,
    /// So many rows are of documents before.
    first: usize,
    marks: Marks,
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
        let before = self.table.rows.len();
        self.of_format(format, &text)?;
        match in_one_line(&text).filter(|_| self.table.rows.len() == before) {
            Some(why) => Err(self.invalid(why)),
            None => Ok(()),
        }
    }

    fn of_format(&mut self, format: SourceFormat, text: &str) -> Result<(), SourceError> {
        match format {
            SourceFormat::Csv => self.csv(text),
            SourceFormat::Json => self.json(text),
            SourceFormat::Yaml => self.yaml(text),
            SourceFormat::Auto => match guess(self.name, text) {
                SourceFormat::Json => self.json(text),
                SourceFormat::Yaml => self.yaml(text),
                _ => self.csv(text),
            },
        }
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

    /// One without values.
    fn row(&self, number: usize) -> TableRow {
        TableRow {
            document: u32::try_from(self.table.documents.len().saturating_sub(1)).unwrap_or(u32::MAX),
            number: u32::try_from(number).unwrap_or(u32::MAX),
            header: None,
            values: self.wanted.nothing(),
            problem: None,
            unreadable: Vec::new(),
            torn: false,
            deleted: false,
        }
    }

    fn push(&mut self, row: TableRow) -> Result<(), SourceError> {
        if self.table.rows.len() >= MOST_ROWS {
            return Err(SourceError::TooMany);
        }
        self.table.rows.push(row);
        Ok(())
    }

    fn invalid(&self, problem: impl Into<String>) -> SourceError {
        SourceError::Invalid { document: self.name.to_owned(), problem: problem.into() }
    }
}

fn too_long() -> String {
    format!("the value has more than {LONGEST_VALUE} bytes; is a quotation mark not closed?")
}
