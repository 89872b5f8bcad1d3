//! How one row came to its ScimUser: each expression, what it read, and what came of it.

use serde_json::Value;

use super::expression::Expression;
use super::prepared::{Refused, table_of};
use super::preview::{RowOutcome, outcomes};
use super::recipe::Recipe;
use super::source::{Document, TableRow};
use super::target::{Drafted, json_of};
use crate::api::ScimRosterSpec;

/// One row, step by step.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Its document.
    pub source: String,
    /// Its number as a spreadsheet shows it.
    pub row: u32,
    /// What was evaluated, in its order.
    pub steps: Vec<TraceStep>,
    /// What becomes of the row.
    pub outcome: RowOutcome,
}

/// One expression.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceStep {
    /// What it is for: `scope`, `key`, a target, or a label.
    pub what: String,
    /// As it is written.
    pub expression: String,
    /// What it read: columns and their values.
    pub read: Vec<(String, Value)>,
    /// What came of it, or why nothing did.
    pub value: Result<Value, String>,
}

/// The rows of this number, one in each document that has it.
pub fn trace(spec: &ScimRosterSpec, documents: Vec<Document>, number: u32) -> Result<Vec<Trace>, Refused> {
    let (recipe, table) = table_of(spec, &[], documents)?;
    let mut outcomes = outcomes(&recipe, &table);
    let rows = table.rows.iter().enumerate().filter(|(_, row)| row.number == number);
    let traces = rows.map(|(at, row)| Trace {
        source: table.documents.get(row.document as usize).cloned().unwrap_or_default(),
        row: row.number,
        steps: recipe.steps(row),
        outcome: outcomes.remove(&at).unwrap_or(RowOutcome::OutOfScope),
    });
    Ok(traces.collect())
}

impl Recipe {
    /// Everything that is evaluated for a row.
    fn steps(&self, row: &TableRow) -> Vec<TraceStep> {
        let mut steps = Vec::new();
        let asked = [("scope", &self.scope), ("key", &self.key)];
        for (what, expression) in asked.into_iter().filter_map(|(what, expression)| Some((what, expression.as_ref()?)))
        {
            steps.push(self.step(what, expression, row, |_| Ok(())));
        }
        for line in &self.lines {
            let put = |value: &cel::Value| line.target.put(value, &mut Drafted::default());
            steps.push(self.step(&line.name, &line.value, row, put));
        }
        for (name, value) in &self.labels {
            steps.push(self.step(&format!("the label {name}"), value, row, |_| Ok(())));
        }
        steps
    }

    fn step(
        &self,
        what: &str,
        expression: &Expression,
        row: &TableRow,
        put: impl FnOnce(&cel::Value) -> Result<(), String>,
    ) -> TraceStep {
        let value = |column: &String| {
            let place = self.wanted.place(column);
            place.and_then(|place| row.values.get(place)).cloned().unwrap_or_default()
        };
        let result = expression.evaluate(&self.library, &self.wanted, &row.values);
        TraceStep {
            what: what.to_owned(),
            expression: expression.text().to_owned(),
            read: expression.columns().iter().map(|column| (column.clone(), value(column))).collect(),
            value: result.and_then(|result| put(&result).and_then(|()| json_of(&result))),
        }
    }
}
