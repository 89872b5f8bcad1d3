//! A table of the accounts and the ScimRoster that makes ScimUsers of it, for GitOps tools that carry few objects.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use scim_operator::api::{GROUP, ROSTER_SOURCE_LABEL, VERSION};
use serde_json::{Map, Value, json};

use super::convert::{Converter, Imported};

/// A ConfigMap holds 1 MiB; so much of it is the table's.
const PART: u64 = 900 * 1024;

/// The columns, and the attribute that each is of.
const COLUMNS: [(&str, &str); 23] = [
    ("userName", "userName"),
    ("externalId", "externalId"),
    ("active", "active"),
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
    ("employeeNumber", "enterprise.employeeNumber"),
    ("costCenter", "enterprise.costCenter"),
    ("organization", "enterprise.organization"),
    ("division", "enterprise.division"),
    ("department", "enterprise.department"),
];

/// The table as it is written, in parts that a ConfigMap takes.
pub(super) struct Table {
    directory: PathBuf,
    name: String,
    writer: Option<csv::Writer<File>>,
    /// The parts' files.
    parts: Vec<String>,
    in_part: u64,
    manifest: Value,
}

impl Table {
    pub(super) fn new(directory: &Path, name: &str, converter: &Converter) -> Result<Self> {
        std::fs::create_dir_all(directory).with_context(|| format!("{} can't be made", directory.display()))?;
        let manifest = manifest(name, converter);
        Ok(Self {
            directory: directory.to_owned(),
            name: name.to_owned(),
            writer: None,
            parts: Vec::new(),
            in_part: 0,
            manifest,
        })
    }

    /// One row.
    pub(super) fn row(&mut self, user: &Imported) -> Result<()> {
        let cells: Vec<String> = COLUMNS.iter().map(|(_, target)| cell(&user.spec, target)).collect();
        let size = cells.iter().map(|cell| cell.len() as u64 + 3).sum::<u64>();
        if self.in_part + size > PART {
            self.close()?;
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.open()?,
        };
        writer.write_record(&cells)?;
        self.in_part += size;
        Ok(())
    }

    fn open(&mut self) -> Result<&mut csv::Writer<File>> {
        let file = format!("{}-{}.csv", self.name, self.parts.len() + 1);
        let path = self.directory.join(&file);
        let mut writer =
            csv::Writer::from_path(&path).with_context(|| format!("{} can't be written", path.display()))?;
        writer.write_record(COLUMNS.iter().map(|(column, _)| column))?;
        self.parts.push(file);
        self.in_part = 0;
        Ok(self.writer.insert(writer))
    }

    fn close(&mut self) -> Result<()> {
        if let Some(mut writer) = self.writer.take() {
            writer.flush()?;
        }
        Ok(())
    }

    /// The roster, and the ConfigMaps of the parts as kustomize makes them.
    pub(super) fn finish(mut self) -> Result<PathBuf> {
        self.close()?;
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
    let mappings: Vec<Value> =
        COLUMNS.iter().map(|(column, target)| json!({"target": target, "value": format!("row.{column}")})).collect();
    let mut metadata = json!({"name": name});
    if let Some(namespace) = &converter.namespace {
        metadata["namespace"] = json!(namespace);
    }
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "ScimRoster", "metadata": metadata,
        "spec": {"connectionRef": converter.connection, "key": "row.userName", "mappings": mappings},
    })
}

/// The value of a target in a spec, as a table has it.
fn cell(spec: &Map<String, Value>, target: &str) -> String {
    if target.starts_with("emails[") {
        let emails = spec.get("emails").and_then(Value::as_array).into_iter().flatten();
        let mut work =
            emails.filter(|email| email["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("work")));
        return match (work.next(), work.next()) {
            (Some(email), None) => email["value"].as_str().unwrap_or_default().to_owned(),
            // Of two nobody knows which is meant.
            _ => String::new(),
        };
    }
    let value = match target.split_once('.') {
        Some((holder, name)) => spec.get(holder).and_then(|holder| holder.get(name)),
        None => spec.get(target),
    };
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(flag)) => flag.to_string(),
        _ => String::new(),
    }
}
