//! One object of a file.

use std::fmt;

use anyhow::{Result, anyhow};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Where an object stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    /// Its number among the documents of the file, from 1.
    pub document: usize,
    /// The line that its document begins with.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: document {} (line {})", self.file, self.document, self.line)
    }
}

/// An object and where it stands.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub place: Place,
    pub object: Value,
}

impl Manifest {
    /// Its group, without the version, and its kind.
    pub fn kind(&self) -> (&str, &str) {
        let version = self.object["apiVersion"].as_str().unwrap_or_default();
        let group = version.split_once('/').map_or("", |(group, _)| group);
        (group, self.object["kind"].as_str().unwrap_or_default())
    }

    /// Kind and name, for people.
    pub fn called(&self) -> String {
        let name = self.object["metadata"]["name"].as_str();
        format!("{} {}", self.kind().1, name.unwrap_or("without a name"))
    }

    /// As its type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.object)
            .map_err(|error| anyhow!("{}: the {} can't be used: {error}", self.place, self.called()))
    }
}
