//! A table of the accounts and the ScimRoster that makes ScimUsers of it, for GitOps tools that carry few objects.

mod reading;

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use scim_operator::api::{GROUP, ROSTER_SOURCE_LABEL, VERSION};
use serde_json::{Map, Value, json};

use self::reading::Reading;
use super::Told;
use super::convert::{Converter, Imported};

/// A ConfigMap holds 1 MiB; so much of it is the table's.
const PART: u64 = 900 * 1024;

/// The columns, and the attribute that each is of.
const COLUMNS: [(&str, &str); 34] = [
    ("userName", "userName"),
    ("externalId", "externalId"),
    (ACTIVE, ACTIVE),
    ("givenName", "name.givenName"),
    ("familyName", "name.familyName"),
    ("formatted", "name.formatted"),
    ("middleName", "name.middleName"),
    ("honorificPrefix", "name.honorificPrefix"),
    ("honorificSuffix", "name.honorificSuffix"),
    ("displayName", "displayName"),
    ("nickName", "nickName"),
    ("profileUrl", "profileUrl"),
    ("title", "title"),
    ("userType", "userType"),
    ("preferredLanguage", "preferredLanguage"),
    ("locale", "locale"),
    ("timezone", "timezone"),
    ("workEmail", "emails[type eq \"work\"].value"),
    ("homeEmail", "emails[type eq \"home\"].value"),
    ("workPhone", "phoneNumbers[type eq \"work\"].value"),
    ("mobilePhone", "phoneNumbers[type eq \"mobile\"].value"),
    ("address", "addresses[type eq \"work\"].formatted"),
    ("streetAddress", "addresses[type eq \"work\"].streetAddress"),
    ("locality", "addresses[type eq \"work\"].locality"),
    ("region", "addresses[type eq \"work\"].region"),
    ("postalCode", "addresses[type eq \"work\"].postalCode"),
    ("country", "addresses[type eq \"work\"].country"),
    ("employeeNumber", "enterprise.employeeNumber"),
    ("costCenter", "enterprise.costCenter"),
    ("organization", "enterprise.organization"),
    ("division", "enterprise.division"),
    ("department", "enterprise.department"),
    (LISTS[0], LISTS[0]),
    (LISTS[1], LISTS[1]),
];
const ACTIVE: &str = "active";
/// Lists of values in one cell.
const LISTS: [&str; 2] = ["roles", "entitlements"];
/// What separates those.
const SEPARATOR: char = ';';

/// The table as it is written, in parts that a ConfigMap takes.
pub(super) struct Table {
    directory: PathBuf,
    name: String,
    writer: Option<csv::Writer<File>>,
    /// The parts' files.
    parts: Vec<String>,
    in_part: u64,
    /// The fullest row of the part, which comes last: one with hardly a value would be taken for a total there.
    fullest: Option<Vec<String>>,
    manifest: Value,
    reading: Reading,
}

impl Table {
    pub(super) fn new(directory: &Path, name: &str, converter: &Converter) -> Result<Self> {
        std::fs::create_dir_all(directory).with_context(|| format!("{} can't be made", directory.display()))?;
        let manifest = manifest(name, converter);
        let reading = Reading::by(&manifest["spec"])?;
        Ok(Self {
            directory: directory.to_owned(),
            name: name.to_owned(),
            writer: None,
            parts: Vec::new(),
            in_part: 0,
            fullest: None,
            manifest,
            reading,
        })
    }

    /// One row.
    pub(super) fn row(&mut self, user: &Imported) -> Result<()> {
        let cells: Vec<String> = COLUMNS.iter().map(|(_, target)| cell(&user.spec, target)).collect();
        let size = cells.iter().map(|cell| cell.len() as u64 + 3).sum::<u64>();
        if self.in_part + size > PART {
            self.close()?;
        }
        self.reading.see(&cells, &user.spec)?;
        self.in_part += size;
        if self.writer.is_none() {
            self.open()?;
        }
        let first = match self.fullest.take() {
            Some(fullest) if filled(&cells) <= filled(&fullest) => {
                self.fullest = Some(fullest);
                Some(cells)
            }
            less => {
                self.fullest = Some(cells);
                less
            }
        };
        if let (Some(cells), Some(writer)) = (first, &mut self.writer) {
            writer.write_record(&cells)?;
        }
        Ok(())
    }

    fn open(&mut self) -> Result<()> {
        let file = format!("{}-{}.csv", self.name, self.parts.len() + 1);
        let path = self.directory.join(&file);
        let mut writer =
            csv::Writer::from_path(&path).with_context(|| format!("{} can't be written", path.display()))?;
        writer.write_record(COLUMNS.iter().map(|(column, _)| column))?;
        self.parts.push(file);
        self.writer = Some(writer);
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        if let Some(mut writer) = self.writer.take() {
            self.fullest.take().map(|cells| writer.write_record(&cells)).transpose()?;
            writer.flush()?;
        }
        self.in_part = 0;
        Ok(())
    }

    /// The roster, and the ConfigMaps of the parts as kustomize makes them.
    pub(super) fn finish(mut self, told: &mut Told) -> Result<PathBuf> {
        self.close()?;
        self.reading.end(told)?;
        let maps: Vec<String> = self.parts.iter().map(|part| part.trim_end_matches(".csv").to_owned()).collect();
        self.manifest["spec"]["source"] = json!({"configMaps": {"names": maps}, "format": "Csv"});
        let generator: Vec<Value> =
            self.parts.iter().zip(&maps).map(|(part, map)| json!({"name": map, "files": [part]})).collect();
        let kustomization = json!({
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": ["roster.yaml"],
            "configMapGenerator": generator,
            "generatorOptions": {"disableNameSuffixHash": true, "labels": {ROSTER_SOURCE_LABEL: "true"}},
        });
        for (file, value) in [("roster.yaml", &self.manifest), ("kustomization.yaml", &kustomization)] {
            let mut text = serde_saphyr::to_string(value)?;
            if !text.ends_with('\n') {
                let _ = writeln!(text);
            }
            let path = self.directory.join(file);
            std::fs::write(&path, text).with_context(|| format!("{} can't be written", path.display()))?;
        }
        Ok(self.directory)
    }
}

fn manifest(name: &str, converter: &Converter) -> Value {
    // Without a place at the server a value would only be listed as unsupported; without a value nothing is declared.
    let value = |column: &str| match column {
        // A server may not show it: by itself, an empty one is an error.
        ACTIVE => format!("coalesce(row.{column})"),
        column if LISTS.contains(&column) => format!("present(row.{column}) ? split(row.{column}, '{SEPARATOR}') : ''"),
        column => format!("row.{column}"),
    };
    let mappings: Vec<Value> =
        COLUMNS.iter().map(|(column, target)| json!({"target": target, "value": value(column)})).collect();
    let mut metadata = json!({"name": name});
    if let Some(namespace) = &converter.namespace {
        metadata["namespace"] = json!(namespace);
    }
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "ScimRoster", "metadata": metadata,
        "spec": {"connectionRef": converter.connection, "key": "row.userName", "mappings": mappings},
    })
}

fn filled(cells: &[String]) -> usize {
    cells.iter().filter(|cell| !cell.trim().is_empty()).count()
}

/// The value of a target in a spec, as a table has it; empty where a cell can't say it.
fn cell(spec: &Map<String, Value>, target: &str) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        _ => String::new(),
    };
    if let Some((list, rest)) = target.split_once("[type eq \"")
        && let Some((type_, name)) = rest.split_once("\"].")
    {
        let is_typed = |entry: &&Value| entry["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(type_));
        let mut typed = entries(spec, list).filter(is_typed);
        // Of two nobody knows which is meant.
        return typed.next().filter(|_| typed.next().is_none()).map(|entry| text(&entry[name])).unwrap_or_default();
    }
    if LISTS.contains(&target) {
        let values: Option<Vec<&str>> = entries(spec, target).map(plain).collect();
        return values.unwrap_or_default().join(&SEPARATOR.to_string());
    }
    let value = match target.split_once('.') {
        Some((holder, name)) => spec.get(holder).and_then(|holder| holder.get(name)),
        None => spec.get(target),
    };
    value.map(text).unwrap_or_default()
}

fn entries<'a>(spec: &'a Map<String, Value>, list: &str) -> impl Iterator<Item = &'a Value> {
    spec.get(list).and_then(Value::as_array).into_iter().flatten()
}

/// The value of a role or an entitlement that is nothing else, and that a cell can hold beside others.
fn plain(entry: &Value) -> Option<&str> {
    let is_alone = entry.as_object().is_some_and(|entry| entry.len() == 1);
    entry["value"].as_str().filter(|value| is_alone && !value.contains(SEPARATOR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_what_it_can_and_nothing_of_what_is_ambiguous() {
        let spec = json!({
            "userName": "ada", "active": false, "name": {"givenName": "Ada"},
            "emails": [{"value": "a@work", "type": "Work", "primary": true}, {"value": "a@home", "type": "home"}],
            "phoneNumbers": [{"value": "1", "type": "work"}, {"value": "2", "type": "work"}],
            "addresses": [{"locality": "London", "type": "work"}],
            "roles": [{"value": "admin"}, {"value": "billing"}], "entitlements": [{"value": "a;b"}],
        });
        let spec = spec.as_object().cloned().unwrap();
        let cells: Vec<(&str, String)> = COLUMNS
            .iter()
            .map(|(column, target)| (*column, cell(&spec, target)))
            .filter(|(_, cell)| !cell.is_empty())
            .collect();
        let expected = [
            ("userName", "ada"),
            ("active", "false"),
            ("givenName", "Ada"),
            ("workEmail", "a@work"),
            ("homeEmail", "a@home"),
            ("locality", "London"),
            ("roles", "admin;billing"),
        ];
        assert_eq!(cells, expected.map(|(column, cell)| (column, cell.to_owned())));
    }
}
