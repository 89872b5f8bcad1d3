//! What the roster makes of its own table: the rows that it would reject, and what the server shows and the table doesn't
//! say.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use scim_operator::api::{ScimRosterSpec, SourceFormat};
use scim_operator::roster::{Content, Document, RowOutcome, preview};
use serde_json::{Map, Value, json};

use super::super::Told;
use super::{COLUMNS, LISTS, filled};

/// So many rows are read together; no more of them are kept.
const TOGETHER: usize = 500;

/// The rows that were written and not read yet, and what came of the others.
pub(super) struct Reading {
    spec: ScimRosterSpec,
    /// The cells, and the spec that is meant.
    rows: Vec<(Vec<String>, Map<String, Value>)>,
    /// Attributes that the table doesn't say, and of how many.
    left_out: BTreeMap<String, u64>,
    /// Why rows can't be used, of how many, and one of them.
    wrong: BTreeMap<String, (u64, String)>,
}

impl Reading {
    pub(super) fn by(spec: &Value) -> Result<Self> {
        let mut spec = spec.clone();
        spec["source"] = json!({});
        let spec = serde_json::from_value(spec)?;
        Ok(Self { spec, rows: Vec::new(), left_out: BTreeMap::new(), wrong: BTreeMap::new() })
    }

    /// One more row.
    pub(super) fn see(&mut self, cells: &[String], spec: &Map<String, Value>) -> Result<()> {
        self.rows.push((cells.to_vec(), spec.clone()));
        if self.rows.len() < TOGETHER { Ok(()) } else { self.read() }
    }

    /// Reads the rows as the operator does.
    fn read(&mut self) -> Result<()> {
        let mut rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        // As in the table the last one is no total.
        rows.sort_by_key(|(cells, _)| filled(cells));
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(COLUMNS.iter().map(|(column, _)| column))?;
        for (cells, _) in &rows {
            writer.write_record(cells)?;
        }
        let text = writer.into_inner().map_err(|error| anyhow!("{}", error.error()))?;
        let document = Document { name: String::new(), content: Content::Text(SourceFormat::Csv, text) };
        let read = preview(&self.spec, vec![document]);
        for (at, (_, meant)) in rows.iter().enumerate() {
            match read.as_ref().map(|read| read.rows.get(at).map(|row| &row.outcome)) {
                Ok(Some(RowOutcome::Mapped { spec, .. })) => self.compare(meant, spec),
                Ok(Some(RowOutcome::Rejected { reason })) => self.is_wrong(reason, meant),
                Ok(_) => self.is_wrong("it isn't read as a row", meant),
                Err(refused) => self.is_wrong(&refused.message, meant),
            }
        }
        Ok(())
    }

    fn is_wrong(&mut self, why: &str, meant: &Map<String, Value>) {
        let example = meant.get("userName").and_then(Value::as_str).unwrap_or_default();
        self.wrong.entry(why.to_owned()).or_insert_with(|| (0, example.to_owned())).0 += 1;
    }

    fn compare(&mut self, meant: &Map<String, Value>, read: &Value) {
        let difference = Difference::of(meant, read);
        for path in difference.left_out {
            *self.left_out.entry(path).or_default() += 1;
        }
        if let Some(path) = difference.changed.first() {
            self.is_wrong(&format!("its {path} is read otherwise than it stands there"), meant);
        }
    }

    /// Tells what came of all of them.
    pub(super) fn end(mut self, told: &mut Told) -> Result<()> {
        self.read()?;
        told.left_out.extend(self.left_out);
        let wrong = self.wrong.into_iter();
        told.warnings.extend(wrong.map(|(why, (count, example))| {
            format!("the roster can't use {count} rows, such as that of {example}: {why}; correct the table by hand")
        }));
        Ok(())
    }
}

/// What a ScimUser of the roster doesn't say of an account, and what it says otherwise.
#[derive(Debug, Default, PartialEq)]
struct Difference {
    left_out: Vec<String>,
    changed: Vec<String>,
}

impl Difference {
    fn of(meant: &Map<String, Value>, read: &Value) -> Self {
        let mut found = Self::default();
        for (name, meant) in meant.iter().filter(|(name, _)| *name != "connectionRef") {
            match (meant, read.get(name)) {
                (Value::Object(meant), read) => {
                    for (below, meant) in meant {
                        found.value(format!("{name}.{below}"), meant, read.and_then(|read| read.get(below)));
                    }
                }
                (Value::Array(meant), Some(Value::Array(read))) if !LISTS.contains(&name.as_str()) => {
                    if meant.iter().any(|entry| !read.iter().any(|read| is_of(entry, read))) {
                        found.left_out.push(name.clone());
                    }
                    if read.iter().any(|read| !meant.iter().any(|entry| is_of(entry, read))) {
                        found.changed.push(name.clone());
                    }
                }
                (meant, read) => found.value(name.clone(), meant, read),
            }
        }
        found
    }

    fn value(&mut self, path: String, meant: &Value, read: Option<&Value>) {
        match read {
            None => self.left_out.push(path),
            Some(read) if read != meant => self.changed.push(path),
            Some(_) => {}
        }
    }
}

/// Whether an entry of a list is the same but for its rank, which stays as it is where nobody declares it.
fn is_of(meant: &Value, read: &Value) -> bool {
    let (Some(meant), Some(read)) = (meant.as_object(), read.as_object()) else { return false };
    let same = |one: &Value, other: &Value| match (one.as_str(), other.as_str()) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => false,
    };
    let is_said = |(name, value): (&String, &Value)| match name.as_str() {
        "primary" => true,
        "type" => read.get(name).is_some_and(|read| same(read, value)),
        _ => read.get(name) == Some(value),
    };
    meant.iter().all(is_said) && read.keys().all(|name| meant.contains_key(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_table_leaves_out_and_what_it_changes_are_told_apart() {
        let meant = json!({
            "connectionRef": {"name": "a"}, "userName": "ada", "displayName": "Ada", "title": "x",
            "enterprise": {"department": "Engines", "manager": {"value": "3"}},
            "emails": [{"value": "a@work", "type": "Work", "primary": true}, {"value": "other"}],
            "phoneNumbers": [{"value": "1"}], "roles": [{"value": "a"}, {"value": "b"}],
        });
        let read = json!({
            "userName": "ada", "displayName": "Ada", "title": "y", "enterprise": {"department": "Engines"},
            "emails": [{"value": "a@work", "type": "work"}], "roles": [{"value": "a"}],
        });
        let mut found = Difference::of(meant.as_object().unwrap(), &read);
        found.left_out.sort();
        assert_eq!(found.left_out, ["emails", "enterprise.manager", "phoneNumbers"]);
        assert_eq!(found.changed, ["roles", "title"]);
    }
}
