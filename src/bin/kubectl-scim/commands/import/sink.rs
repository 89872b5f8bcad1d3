//! Where manifests go: one stream, a file for each, or a table with its roster. Nothing is kept of what was written.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Told;
use super::convert::{Converter, Imported};
use super::roster::Table;
use crate::output;

/// Where manifests go.
pub(super) enum Sink {
    Stream,
    Directory(PathBuf),
    Roster(Box<Table>),
}

impl Sink {
    pub(super) fn stream() -> Self {
        Self::Stream
    }

    pub(super) fn directory(directory: &Path) -> Result<Self> {
        for below in ["users", "groups"] {
            let path = directory.join(below);
            std::fs::create_dir_all(&path).with_context(|| format!("{} can't be made", path.display()))?;
        }
        Ok(Self::Directory(directory.to_owned()))
    }

    pub(super) fn roster(directory: &Path, name: &str, converter: &Converter) -> Result<Self> {
        Ok(Self::Roster(Box::new(Table::new(directory, name, converter)?)))
    }

    pub(super) fn user(&mut self, user: &Imported) -> Result<()> {
        match self {
            Self::Roster(table) => table.row(user),
            _ => self.object("users", &user.name, &user.manifest),
        }
    }

    pub(super) fn group(&mut self, name: &str, manifest: &Value) -> Result<()> {
        self.object("groups", name, manifest)
    }

    fn object(&mut self, kind: &str, name: &str, manifest: &Value) -> Result<()> {
        let text = format!("---\n{}\n", serde_saphyr::to_string(manifest)?.trim_end());
        match self {
            Self::Directory(directory) => {
                let path = directory.join(kind).join(format!("{name}.yaml"));
                std::fs::write(&path, text).with_context(|| format!("{} can't be written", path.display()))
            }
            _ => Ok(io::stdout().lock().write_all(text.as_bytes())?),
        }
    }

    /// What belongs to the whole.
    pub(super) fn finish(self, told: &mut Told) -> Result<()> {
        if let Self::Roster(table) = self {
            if told.users == 0 {
                told.warnings.push("no account was imported, so there is no table".to_owned());
                return Ok(());
            }
            let directory = table.finish()?;
            output::note(&format!("apply it by: kubectl apply --server-side -k {}", directory.display()));
        }
        Ok(())
    }
}
