//! JSON and YAML: lists of objects, answers of portals, one object a line.

use serde_json::Value;

use super::{LONGEST_VALUE, Reader, SourceError, TableRow, too_long};
use crate::api::Row;
use crate::roster::text::{cleaned, spoiled};

/// So far numbers are exact in JSON as most write and read it: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Whoever didn't change isn't in it.
const CHANGES: &str = "it lists what has changed, and not everybody: download /users, not /users/delta";

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

    /// A list of objects, bare or as an answer has it, or a list of such answers; or a row.
    fn value(&mut self, value: Value, kinds: &mut Kinds) -> Result<(), SourceError> {
        match self.unwrapped(value) {
            Value::Array(pages) if !pages.is_empty() && pages.iter().all(|page| self.is_page(page)) => {
                pages.into_iter().try_for_each(|page| self.value(page, kinds))
            }
            Value::Array(rows) => {
                kinds.lists = true;
                self.objects(rows)
            }
            Value::Object(mut page) => match self.list_of(&page).and_then(|name| Some((name, page.remove(name)?))) {
                Some((name, Value::Array(rows))) => {
                    kinds.lists = true;
                    if page.get("@odata.deltaLink").is_some_and(|link| !link.is_null()) {
                        return Err(self.invalid(CHANGES));
                    }
                    self.table.pages.see(&page, name, rows.len());
                    self.objects(rows)
                }
                _ => self.single(page, kinds),
            },
            Value::Null => Ok(()),
            _ => Err(self.invalid("it is not a list of rows")),
        }
    }

    fn is_page(&self, value: &Value) -> bool {
        let is_page = |value: &Value| value.as_object().is_some_and(|page| self.list_of(page).is_some());
        is_page(value) || self.wrapped(value).is_some_and(|inner| inner.is_array() || is_page(inner))
    }

    /// Under which name an answer has its rows: Microsoft Graph's and Google's in any case, and `OData`'s, SCIM's and JSON:API's
    /// where it isn't a row that has such a column.
    fn list_of(&self, page: &Row) -> Option<&'static str> {
        let is_of_objects =
            |name: &str| page.get(name).and_then(Value::as_array).is_some_and(|rows| rows.iter().all(Value::is_object));
        let always = ["value", "users"].into_iter().find(|name| page.get(*name).is_some_and(Value::is_array));
        let often = ["results", "Resources", "data"].into_iter().find(|name| is_of_objects(name));
        always.or_else(|| often.filter(|_| !self.is_row(page)))
    }

    fn is_row(&self, object: &Row) -> bool {
        object.keys().any(|column| self.wanted.place(column).is_some())
    }

    /// What the second version of `OData` has around its answers.
    fn wrapped<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        let object = value.as_object().filter(|object| object.len() == 1 && !self.is_row(object))?;
        object.get("d").filter(|inner| inner.is_object() || inner.is_array())
    }

    fn unwrapped(&self, mut value: Value) -> Value {
        if self.wrapped(&value).is_some() { value["d"].take() } else { value }
    }

    /// An object that is no page: a row, if it has any of the columns, and no list of what has more of them.
    fn single(&mut self, object: Row, kinds: &mut Kinds) -> Result<(), SourceError> {
        let object = self.lifted(object);
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
            if object.contains_key("@removed") {
                return Err(self.invalid(CHANGES));
            }
            let object = self.lifted(object);
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

    /// Okta's API has a user's attributes in an object of their own, and so has JSON:API.
    fn lifted(&self, mut row: Row) -> Row {
        let is_okta =
            row.get("profile").and_then(|profile| profile.get("login")).is_some() && !row.contains_key("login");
        // Whoever reads row.attributes.x goes on to.
        let is_resource =
            ["type", "id"].iter().all(|name| row.contains_key(*name)) && self.wanted.place("attributes").is_none();
        let holder = if is_okta {
            "profile"
        } else if is_resource {
            "attributes"
        } else {
            return row;
        };
        if let Some(Value::Object(inner)) = row.remove(holder) {
            for (name, value) in inner {
                row.entry(name).or_insert(value);
            }
        }
        row
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
