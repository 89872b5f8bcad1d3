//! JSON and YAML: lists of objects, answers of portals, one object a line.

use serde_json::{Map, Value};

use super::{LONGEST_VALUE, Reader, SourceError, TableRow, too_long};
use crate::api::Row;
use crate::roster::text::{cleaned, spoiled};

/// So far numbers are exact in JSON as most write and read it: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// What a text of several values turned out to hold.
#[derive(Default)]
struct Kinds {
    /// Lists, or pages of them.
    lists: bool,
    /// What is neither a list nor a row, and why the text is refused if it is of lists.
    other: Option<SourceError>,
}

impl Reader<'_> {
    /// One value, or several one after the other, as a loop over pages writes them; or one object a line.
    pub(super) fn json(&mut self, text: &str) -> Result<(), SourceError> {
        let mut kinds = Kinds::default();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        if lines.clone().all(|line| line.starts_with('{')) {
            // A line that was cut off is that line's.
            for (at, line) in lines.enumerate() {
                for value in serde_json::Deserializer::from_str(line).into_iter::<Value>() {
                    match value {
                        Ok(value) => self.value(value, &mut kinds)?,
                        Err(error) => self.line_that_is_none(at + 1, error.column(), &mut kinds)?,
                    }
                }
            }
        } else {
            for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
                let value = value.map_err(|error| self.not_json(error.line(), error.column()))?;
                self.value(value, &mut kinds)?;
            }
        }
        let readable = self.rows_of_document().iter().any(|row| !row.torn);
        let Kinds { lists, other } = kinds;
        other.filter(|_| lists || !readable).map_or(Ok(()), Err)
    }

    fn not_json(&self, line: usize, column: usize) -> SourceError {
        self.invalid(format!("line {line} column {column}: it is not JSON"))
    }

    fn line_that_is_none(&mut self, line: usize, column: usize, kinds: &mut Kinds) -> Result<(), SourceError> {
        let error = self.not_json(line, column);
        kinds.other.get_or_insert(error);
        let problem = Some(format!("column {column} of the line: it is not JSON; is it cut off?"));
        self.push(TableRow { problem, torn: true, ..self.row(self.rows_of_document().len() + 1) })
    }

    pub(super) fn yaml(&mut self, text: &str) -> Result<(), SourceError> {
        let value = super::yaml::read(text).map_err(|error| {
            let place = error.location().map(|at| format!("line {} column {}: ", at.line(), at.column()));
            self.invalid(format!("{}it is not YAML", place.unwrap_or_default()))
        })?;
        let mut kinds = Kinds::default();
        self.value(value, &mut kinds)?;
        kinds.other.map_or(Ok(()), Err)
    }

    /// A list of objects, bare or as Microsoft Graph and Google wrap it, or a list of such pages; or a row.
    fn value(&mut self, value: Value, kinds: &mut Kinds) -> Result<(), SourceError> {
        let list_of = |page: &Map<String, Value>| {
            ["value", "users"].into_iter().find(|name| page.get(*name).is_some_and(Value::is_array))
        };
        let is_page = |value: &Value| value.as_object().is_some_and(|page| list_of(page).is_some());
        match value {
            Value::Array(pages) if !pages.is_empty() && pages.iter().all(is_page) => {
                pages.into_iter().try_for_each(|page| self.value(page, kinds))
            }
            Value::Array(rows) => {
                kinds.lists = true;
                self.objects(rows)
            }
            Value::Object(mut page) => match list_of(&page).and_then(|name| page.remove(name)) {
                Some(Value::Array(rows)) => {
                    kinds.lists = true;
                    let collection = page.get("@odata.context").and_then(Value::as_str).unwrap_or_default();
                    let (open, last) = self.table.pages.entry(collection.to_owned()).or_default();
                    let goes_on = page.contains_key("@odata.nextLink") || page.contains_key("nextPageToken");
                    *(if goes_on { open } else { last }) += 1;
                    self.objects(rows)
                }
                _ => self.single(page, kinds),
            },
            Value::Null => Ok(()),
            _ => Err(self.invalid("it is not a list of rows")),
        }
    }

    /// An object that is no page: a row, if it has any of the columns, and no list of what has more of them.
    fn single(&mut self, object: Row, kinds: &mut Kinds) -> Result<(), SourceError> {
        let object = lifted(object);
        let known = |object: &Row| object.keys().filter(|column| self.wanted.place(column).is_some()).count();
        let lists = object.values().filter_map(Value::as_array).flatten().filter_map(Value::as_object);
        let within = lists.map(known).max().unwrap_or_default();
        if known(&object) > within {
            return self.objects(vec![Value::Object(object)]);
        }
        let why = self.invalid(what_it_is(&object));
        kinds.other.get_or_insert(why);
        let problem = Some("it has none of the columns that are read".to_owned());
        self.push(TableRow { problem, torn: true, ..self.row(self.rows_of_document().len() + 1) })
    }

    pub(super) fn objects(&mut self, rows: Vec<Value>) -> Result<(), SourceError> {
        let before = self.rows_of_document().len();
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
            let wanted = self.wanted;
            let place = |column: &str| wanted.place(column).filter(|place| wanted.is_read(*place));
            let texts =
                object.iter().filter_map(|(column, value)| Some((value.as_str()?, column.as_str(), place(column))));
            self.marks.see(self.table.rows.len(), texts);
            for (column, value) in object {
                let Some(place) = self.wanted.place(&column) else { continue };
                if size(&value) > LONGEST_VALUE {
                    row.spoil(place, &column, &too_long());
                    continue;
                }
                if let Some(spoiled) = value.as_str().and_then(spoiled).filter(|_| wanted.is_read(place)) {
                    row.spoil(place, &column, &spoiled);
                }
                if is_inexact(&value) {
                    row.spoil(place, &column, "the number is too long to be exact: write it in quotation marks");
                }
                row.put(place, &column, cleaned_value(value));
            }
            self.push(row)?;
        }
        Ok(())
    }

    fn rows_of_document(&self) -> &[TableRow] {
        &self.table.rows[self.first..]
    }
}

/// What an object is that is neither a row nor a list of rows.
fn what_it_is(object: &Row) -> String {
    if object.contains_key("error") {
        return "it is an error that a server answered, and no list of rows: download the file anew".to_owned();
    }
    let is_list = |value: &Value| value.as_array().is_some_and(|list| list.iter().any(Value::is_object));
    let lists: Vec<&str> = object.iter().filter(|(_, value)| is_list(value)).map(|(name, _)| name.as_str()).collect();
    match lists.as_slice() {
        [] => "it is not a list of rows: it has none of the columns that are read".to_owned(),
        [first, ..] => format!(
            "it is not a list of rows, but has lists ({}): keep all pages of the one with the people, such as by `jq \
             .{first}`",
            lists.join(", ")
        ),
    }
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

/// A number whose last digits are lost.
fn is_inexact(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64() && number.as_f64().is_some_and(|number| number.abs() >= EXACT),
        Value::Array(list) => list.iter().any(is_inexact),
        Value::Object(map) => map.values().any(is_inexact),
        _ => false,
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
