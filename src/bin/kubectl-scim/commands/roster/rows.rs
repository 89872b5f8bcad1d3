//! What is shown of rows.

use std::fmt;

use scim_operator::roster::{PreviewedRow, RowOutcome, Trace};
use serde::Serialize;
use serde_json::Value;

use super::Only;
use crate::output::{Cell, Row, Tone};
use crate::schema::Schemas;

/// One row, and what became of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    row: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    source: String,
    /// `mapped`, `outOfScope` or `rejected`.
    outcome: &'static str,
    /// The `ScimUser`'s name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spec: Option<Value>,
}

impl Line {
    pub(super) fn of(row: PreviewedRow, schemas: &Schemas) -> Self {
        let PreviewedRow { source, row, outcome } = row;
        let plain = Self { row, source, outcome: "outOfScope", name: None, reason: None, spec: None };
        match outcome {
            RowOutcome::OutOfScope => plain,
            RowOutcome::Rejected { reason } => Self { outcome: "rejected", reason: Some(reason), ..plain },
            RowOutcome::Mapped { name, spec } => match schemas.check("ScimUser", &Value::from(name.as_str()), &spec) {
                Ok(_) => Self { outcome: "mapped", name: Some(name), spec: Some(spec), ..plain },
                Err(wrong) => {
                    let reason = Some(format!("the API server refuses it: {}", wrong.join("; ")));
                    Self { outcome: "rejected", reason, name: Some(name), spec: Some(spec), ..plain }
                }
            },
        }
    }

    /// Name and spec of the user that the row becomes.
    pub(super) fn mapped(&self) -> Option<(&str, &Value)> {
        self.name.as_deref().zip(self.spec.as_ref()).filter(|_| self.outcome == "mapped")
    }

    pub(super) fn is(&self, only: Only) -> bool {
        match only {
            Only::Mapped => self.outcome == "mapped",
            Only::OutOfScope => self.outcome == "outOfScope",
            Only::Rejected => self.outcome == "rejected",
        }
    }

    fn text(&self, path: &str) -> String {
        let value = self.spec.as_ref().and_then(|spec| spec.pointer(path));
        value.map(shown).unwrap_or_default()
    }
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] =
        &["ROW", "OUTCOME", "USER NAME", "SCIMUSER", "ACTIVE", "REASON", "+SOURCE", "+SPEC"];

    fn cells(&self) -> Vec<Cell> {
        let (outcome, tone) = match self.outcome {
            "mapped" => ("mapped", Tone::Good),
            "rejected" => ("rejected", Tone::Bad),
            _ => ("out of scope", Tone::Plain),
        };
        vec![
            self.row.to_string().into(),
            Cell::toned(outcome, tone),
            self.text("/userName").into(),
            self.name.clone().unwrap_or_default().into(),
            self.text("/active").into(),
            self.reason.clone().unwrap_or_default().into(),
            self.source.clone().into(),
            self.spec.as_ref().map(Value::to_string).unwrap_or_default().into(),
        ]
    }
}

/// How many rows came to what.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sums {
    rows: usize,
    mapped: usize,
    out_of_scope: usize,
    pub(super) rejected: usize,
}

impl Sums {
    pub(super) fn of(lines: &[Line]) -> Self {
        let count = |only| lines.iter().filter(|line| line.is(only)).count();
        Self {
            rows: lines.len(),
            mapped: count(Only::Mapped),
            out_of_scope: count(Only::OutOfScope),
            rejected: count(Only::Rejected),
        }
    }
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, mapped, out_of_scope, rejected } = self;
        write!(f, "{rows} rows: {mapped} mapped, {out_of_scope} out of scope, {rejected} rejected")
    }
}

/// One expression of one row.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Step {
    row: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    source: String,
    #[serde(rename = "step")]
    name: String,
    expression: String,
    read: Vec<Column>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Column {
    column: String,
    value: Value,
}

impl Step {
    pub(super) fn all(trace: &Trace) -> Vec<Self> {
        let steps = trace.steps.iter().map(|step| Self {
            row: trace.row,
            source: trace.source.clone(),
            name: step.what.clone(),
            expression: step.expression.clone(),
            read: step
                .read
                .iter()
                .map(|(column, value)| Column { column: column.clone(), value: value.clone() })
                .collect(),
            value: step.value.clone().ok(),
            error: step.value.clone().err(),
        });
        let last = |step: &str, value: Option<Value>, error: Option<String>| Self {
            row: trace.row,
            source: trace.source.clone(),
            name: step.to_owned(),
            expression: String::new(),
            read: Vec::new(),
            value,
            error,
        };
        let end = match &trace.outcome {
            RowOutcome::OutOfScope => last("outcome", Some("out of scope".into()), None),
            RowOutcome::Mapped { name, .. } => last("outcome", Some(format!("the ScimUser {name}").into()), None),
            RowOutcome::Rejected { reason } => last("outcome", None, Some(reason.clone())),
        };
        steps.chain(std::iter::once(end)).collect()
    }
}

impl Row for Step {
    const COLUMNS: &'static [&'static str] = &["ROW", "STEP", "EXPRESSION", "READ", "VALUE", "+SOURCE"];

    fn cells(&self) -> Vec<Cell> {
        let read = self.read.iter().map(|one| format!("{}={}", one.column, one.value));
        let value = match (&self.value, &self.error) {
            (_, Some(error)) => Cell::toned(error.clone(), Tone::Bad),
            (Some(value), None) => shown(value).into(),
            (None, None) => Cell::from(""),
        };
        vec![
            self.row.to_string().into(),
            self.name.clone().into(),
            self.expression.clone().into(),
            read.collect::<Vec<_>>().join(", ").into(),
            value,
            self.source.clone().into(),
        ]
    }
}

/// A value without the quotation marks of a text.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
