//! `test`: the portals' Test Connection, and more.

mod members;
mod reads;
mod scratch;
mod writes;

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::Outcome;
use crate::global::Global;
use crate::output::{self, Cell, Printer, Row, Tone};
use crate::server::{Server, ServerArguments};

/// `test`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    server: ServerArguments,
    /// Also make, change, deactivate, re-activate and remove two scratch users and a scratch group, and find out the
    /// server's ways; what was made is removed at the end, after Ctrl-C too. A server that only deactivates keeps the users
    #[arg(long)]
    write: bool,
    /// The domain of the scratch users' userNames and e-mails
    #[arg(long, value_name = "DOMAIN", default_value = "example.com", requires = "write")]
    domain: String,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Not known, or another way than the RFC's, which is no fault.
    Note,
    /// Wrong.
    Bad,
}

/// One line: what was looked at, what was found, and what to do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    what: &'static str,
    verdict: Verdict,
    found: String,
    todo: String,
}

impl Step {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Good, found: found.into(), todo: String::new() }
    }

    fn note(what: &'static str, found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Note, ..Self::good(what, found) }
    }

    fn bad(what: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Bad, found: found.into(), todo: todo.into() }
    }

    #[must_use]
    fn todo(self, todo: impl Into<String>) -> Self {
        Self { todo: todo.into(), ..self }
    }
}

impl Row for Step {
    const COLUMNS: &'static [&'static str] = &["", "STEP", "FOUND", "WHAT TO DO"];

    fn cells(&self) -> Vec<Cell> {
        let mark = match self.verdict {
            Verdict::Good => Cell::toned("ok", Tone::Good),
            Verdict::Note => Cell::toned("note", Tone::Warning),
            Verdict::Bad => Cell::toned("FAILED", Tone::Bad),
        };
        vec![mark, self.what.into(), self.found.clone().into(), self.todo.clone().into()]
    }
}

/// Everything that was found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    steps: &'a [Step],
    /// What to write into the connection's `spec.dialect`; nothing where its preset fits.
    dialect: Option<serde_json::Value>,
}

/// Tests a connection.
pub async fn run(global: &Global, printer: Printer, arguments: &Arguments) -> Result<Outcome> {
    let server = Server::open(global, &arguments.server).await?;
    let (mut steps, profile) = reads::steps(&server).await;
    let mut dialect = None;
    match profile.filter(|_| arguments.write) {
        Some(profile) => {
            let (more, learnt) = writes::steps(&server, &profile, &arguments.domain).await;
            steps.extend(more);
            dialect = learnt;
        }
        None if arguments.write => steps.push(Step::note("write", "not tried: the steps above come first")),
        None => {}
    }
    let failed = steps.iter().any(|step| step.verdict == Verdict::Bad);
    if printer.is_data() && !printer.is_csv() {
        printer.data(&Report { steps: &steps, dialect })?;
    } else {
        printer.list(&steps)?;
        if let Some(dialect) = dialect {
            output::line(&format!("\nWrite into the connection:\n\n{}", yaml(&dialect)?))?;
        }
    }
    Ok(if failed { Outcome::Found } else { Outcome::Done })
}

/// The override to paste.
fn yaml(dialect: &serde_json::Value) -> Result<String> {
    let spec = serde_json::json!({"spec": {"dialect": dialect}});
    Ok(serde_saphyr::to_string(&spec)?.trim_end().to_owned())
}

fn took(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}
