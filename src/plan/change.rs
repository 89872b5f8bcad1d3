//! What differs between an object and its account.

use std::collections::BTreeMap;

use serde_json::Value;

use super::path::Path;

/// What is to be done at one path.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The path gets this value.
    Set(Value),
    /// The path gets absent.
    Remove,
}

/// What differs, by path.
pub type Differences = BTreeMap<Path, Change>;
