//! One step of an explanation.

use serde::Serialize;

use crate::output::{Cell, Row, Tone};

/// One step on the way from the manifest to the server.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Which step.
    pub what: &'static str,
    /// How good it is.
    #[serde(skip)]
    pub tone: Tone,
    /// What was found.
    pub found: String,
}

impl Step {
    /// A step.
    pub fn new(what: &'static str, tone: Tone, found: impl Into<String>) -> Self {
        Self { what, tone, found: found.into() }
    }
}

impl Row for Step {
    const COLUMNS: &'static [&'static str] = &["STEP", "FOUND"];

    fn cells(&self) -> Vec<Cell> {
        vec![self.what.into(), Cell::toned(self.found.clone(), self.tone)]
    }
}
