//! Where manifests go: one stream, a file for each, or a table with its roster. Nothing is kept of what was written.

use std::collections::HashSet;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Told;
use super::convert::{Converter, Imported};
use super::roster::Table;
use crate::output;

/// Where manifests go, and the names that were given out.
pub(super) struct Sink {
    target: Target,
    names: HashSet<String>,
}

enum Target {
    Stream,
    Directory(PathBuf),
    Roster(Box<Table>),
}

impl Sink {
    fn to(target: Target) -> Self {
        Self { target, names: HashSet::new() }
    }

    pub(super) fn stream() -> Self {
        Self::to(Target::Stream)
    }

    /// Whether nobody has this name yet.
    pub(super) fn takes(&mut self, name: &str) -> bool {
        self.names.insert(format!("users/{name}.yaml"))
    }

    /// Whether what is written of a name takes the place of what was written of it.
    pub(super) fn writes_again(&self) -> bool {
        matches!(self.target, Target::Directory(_))
    }

    pub(super) fn directory(directory: &Path) -> Result<Self> {
        for below in ["users", "groups"] {
            let path = directory.join(below);
            std::fs::create_dir_all(&path).with_context(|| format!("{} can't be made", path.display()))?;
        }
        Ok(Self::to(Target::Directory(directory.to_owned())))
    }

    pub(super) fn roster(directory: &Path, name: &str, converter: &Converter) -> Result<Self> {
        Ok(Self::to(Target::Roster(Box::new(Table::new(directory, name, converter)?))))
    }

    pub(super) fn user(&mut self, user: &Imported) -> Result<()> {
        match &mut self.target {
            Target::Roster(table) => table.row(user),
            _ => self.object("users", &user.name, &user.manifest),
        }
    }

    pub(super) fn group(&mut self, name: &str, manifest: &Value) -> Result<()> {
        self.names.insert(format!("groups/{name}.yaml"));
        self.object("groups", name, manifest)
    }

    fn object(&mut self, kind: &str, name: &str, manifest: &Value) -> Result<()> {
        let text = format!("---\n{}\n", serde_saphyr::to_string(manifest)?.trim_end());
        match &self.target {
            Target::Directory(directory) => {
                let path = directory.join(kind).join(format!("{name}.yaml"));
                // Whole or not at all: Ctrl-C may come at any moment.
                let part = path.with_extension("yaml.part");
                let written = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, &path));
                written.with_context(|| format!("{} can't be written", path.display()))
            }
            _ => Ok(io::stdout().lock().write_all(text.as_bytes())?),
        }
    }

    /// What belongs to the whole.
    pub(super) fn finish(self, told: &mut Told) -> Result<()> {
        match self.target {
            Target::Roster(_) if told.users == 0 => {
                told.warnings.push("no account was imported, so there is no table".to_owned());
            }
            Target::Roster(table) => {
                let directory = table.finish(told)?;
                output::note(&format!("apply it by: kubectl apply --server-side -k {}", directory.display()));
            }
            Target::Directory(directory) => {
                for below in ["users", "groups"] {
                    let files = std::fs::read_dir(directory.join(below))?.filter_map(Result::ok);
                    let names = files.map(|file| format!("{below}/{}", file.file_name().to_string_lossy()));
                    let others = names.filter(|name| !self.names.contains(name)).count();
                    if others > 0 {
                        let place = directory.join(below);
                        told.warnings
                            .push(format!("{} holds {others} other files, of an earlier import", place.display()));
                    }
                }
            }
            Target::Stream => {}
        }
        Ok(())
    }
}
