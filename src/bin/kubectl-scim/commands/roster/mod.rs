//! `roster preview`: what a roster makes of its rows, without a cluster; and a linter for spreadsheets.

pub mod against;
mod rows;
mod server;
pub mod sources;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use kube::ResourceExt;
use scim_operator::api::{Preset, ScimRoster, ScimRosterSpec};
use scim_operator::roster::{Document, Refused, RowOutcome, preview, trace};
use serde::Serialize;
use serde_json::json;

use self::against::Against;
use self::rows::{Line, Step, Sums};
use self::sources::Sources;
use crate::Outcome;
use crate::cluster::Cluster;
use crate::commands::plan::KeyAccess;
use crate::global::Global;
use crate::manifests;
use crate::output::{self, Printer};
use crate::schema::Schemas;

/// `roster`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Roster,
}

#[derive(Debug, Subcommand)]
enum Roster {
    /// Show what each row becomes: mapped, out of scope or rejected, with row, column and reason; nothing is sent
    Preview(PreviewArguments),
}

/// `roster preview`
#[derive(Debug, Args)]
pub struct PreviewArguments {
    /// Only this roster of those in the files
    #[arg(value_name = "ROSTER")]
    roster: Option<String>,
    /// A file or directory with the roster, and with the ConfigMaps or Secrets that hold its rows; - is standard input, for
    /// what kustomize or a chart prints
    #[arg(short, long = "filename", value_name = "FILE", required_unless_present = "sources")]
    files: Vec<PathBuf>,
    /// Look into the directories in directories too
    #[arg(short = 'R', long)]
    recursive: bool,
    /// A file with rows (CSV, JSON or YAML), instead of what spec.source names
    #[arg(long = "source", value_name = "FILE")]
    sources: Vec<PathBuf>,
    /// Without a roster: the table of mappings to read the rows by
    #[arg(long, value_name = "PRESET", value_parser = preset, requires = "sources", conflicts_with = "files",
        required_unless_present = "files")]
    preset: Option<Preset>,
    /// Only rows that came to this
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// Show each mapping of the row with this number: what it read, and what came of it
    #[arg(long, value_name = "NUMBER")]
    row: Option<u32>,
    /// Compare with the ScimUsers of the cluster: who joins, who changes, who leaves, and what the guard would hold; or with
    /// the accounts of the server: who joins, who changes, and which accounts have no row
    #[arg(long, value_enum, value_name = "WHAT", num_args = 0..=1, require_equals = true,
        default_missing_value = "cluster", conflicts_with_all = ["row", "preset"])]
    against: Option<Side>,
    #[command(flatten)]
    keys: KeyAccess,
}

/// What rows are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Side {
    /// The `ScimUser`s of the cluster
    Cluster,
    /// The accounts at the server of the roster's connection, which is taken from the files, else from the cluster
    Server,
}

/// What a row can come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Only {
    /// It is a `ScimUser`
    Mapped,
    /// It doesn't count
    OutOfScope,
    /// It can't be used
    Rejected,
}

fn preset(text: &str) -> Result<Preset, String> {
    const ALL: [Preset; 6] = [
        Preset::EntraDatadog,
        Preset::EntraGeneric,
        Preset::OktaDatadog,
        Preset::OktaGeneric,
        Preset::GoogleWorkspace,
        Preset::ActiveDirectory,
    ];
    let found = ALL.into_iter().find(|preset| crate::objects::word(preset).eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("there are {}", ALL.map(|preset| crate::objects::word(&preset)).join(", ")))
}

/// What is shown of one roster.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    roster: String,
    sums: Sums,
    rows: Vec<Line>,
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Against>,
}

/// Shows what a roster makes of its rows.
pub async fn run(global: &Global, printer: Printer, arguments: &Arguments) -> Result<Outcome> {
    let Roster::Preview(arguments) = &arguments.command;
    let sources = Sources::read(arguments, global.namespace.as_deref())?;
    let rosters = rosters(arguments, &sources)?;
    rosters.iter().try_for_each(|roster| is_in(roster, global.namespace.as_deref()))?;
    let cluster = if needs_cluster(arguments.against, &rosters, &sources)? {
        Some(Cluster::connect(global).await?)
    } else {
        None
    };
    if arguments.against == Some(Side::Server) {
        server::may_be_sent(&rosters, &sources, cluster.as_ref(), &arguments.keys).await?;
    }
    let mut shown = Shown { printer, reports: Vec::new(), steps: Vec::new(), refused: Vec::new(), found: false };
    for roster in &rosters {
        let read = sources.documents(roster, global.namespace.as_deref(), cluster.as_ref()).await?;
        let outcome = match read {
            Ok((documents, note)) => {
                let beside = Beside { sources: &sources, cluster: cluster.as_ref() };
                one(arguments, roster, documents, note, &beside, &mut shown).await?
            }
            Err(refused) => Err(refused),
        };
        if let Err(Refused { message, .. }) = outcome {
            let name = if rosters.len() > 1 { format!("{}: ", roster.name_any()) } else { String::new() };
            shown.refused.push(format!("{name}{message}"));
        }
    }
    shown.end(arguments.row)
}

/// Everything that was made, for the end.
struct Shown {
    printer: Printer,
    reports: Vec<Report>,
    steps: Vec<Step>,
    /// Sources that can't be used.
    refused: Vec<String>,
    found: bool,
}

impl Shown {
    fn end(self, row: Option<u32>) -> Result<Outcome> {
        let printer = self.printer;
        if let Some(number) = row {
            if self.steps.is_empty() && self.refused.is_empty() {
                bail!("there is no row {number}; the header of a CSV is row 1, and empty rows are none");
            }
            printer.list(&self.steps)?;
        } else if printer.is_csv() {
            printer.list(&self.reports.into_iter().flat_map(|report| report.rows).collect::<Vec<_>>())?;
        } else if printer.is_data() {
            printer.data(&self.reports)?;
        } else {
            for report in &self.reports {
                report.print(printer)?;
            }
        }
        if !self.refused.is_empty() {
            bail!("{}", self.refused.join("\n"));
        }
        Ok(if self.found { Outcome::Found } else { Outcome::Done })
    }
}

impl Report {
    fn print(&self, printer: Printer) -> Result<()> {
        printer.section(&self.roster, &self.rows)?;
        if let Some(against) = &self.against {
            printer.section("Against what is there", &against.people)?;
        }
        output::line(&format!("\n{}: {}", self.roster, self.sums))?;
        let more = self.against.iter().flat_map(|against| std::iter::once(&against.sums).chain(&against.notes));
        for note in more.chain(&self.notes) {
            output::line(note)?;
        }
        Ok(())
    }
}

/// Everything that a roster may be compared with.
struct Beside<'a> {
    sources: &'a Sources,
    cluster: Option<&'a Cluster>,
}

/// As kubectl refuses it: it would be compared with another namespace than it is applied to.
fn is_in(roster: &ScimRoster, namespace: Option<&str>) -> Result<()> {
    match (roster.namespace(), namespace) {
        (Some(its), Some(asked)) if its != asked => bail!(
            "the roster {} is of the namespace {its}, and -n says {asked}: leave -n out, or say -n {its}",
            roster.name_any()
        ),
        _ => Ok(()),
    }
}

/// A server is asked without a cluster where the files hold the connection.
fn needs_cluster(against: Option<Side>, rosters: &[ScimRoster], sources: &Sources) -> Result<bool> {
    Ok(match against {
        None => false,
        Some(Side::Cluster) => true,
        Some(Side::Server) => {
            let held = rosters.iter().map(|roster| Ok(sources.connection(roster)?.is_some()));
            held.collect::<Result<Vec<_>>>()?.contains(&false)
        }
    })
}

async fn one(
    arguments: &PreviewArguments,
    roster: &ScimRoster,
    documents: Vec<Document>,
    note: Option<String>,
    beside: &Beside<'_>,
    shown: &mut Shown,
) -> Result<Result<(), Refused>> {
    let mut against = match beside.cluster {
        Some(cluster) if arguments.against == Some(Side::Cluster) => {
            let namespace = roster.namespace().unwrap_or_else(|| cluster.namespace.clone());
            match Against::compare(cluster, &namespace, roster, documents.clone()).await? {
                Ok(against) => Some(against.with_rejected_rows()),
                Err(refused) => return Ok(Err(refused)),
            }
        }
        _ => None,
    };
    if let Some(number) = arguments.row {
        let traces = match trace(&roster.spec, documents, number) {
            Ok(traces) => traces,
            Err(refused) => return Ok(Err(refused)),
        };
        shown.steps.extend(traces.iter().flat_map(Step::all));
        shown.found |= traces.iter().any(|trace| matches!(trace.outcome, RowOutcome::Rejected { .. }));
        return Ok(Ok(()));
    }
    let previewed = match preview(&roster.spec, documents) {
        Ok(previewed) => previewed,
        Err(refused) => return Ok(Err(refused)),
    };
    let schemas = Schemas::shipped();
    let lines = previewed.rows.into_iter().map(|row| Line::of(row, &schemas));
    let mut lines: Vec<Line> = lines.collect();
    let sums = Sums::of(&lines);
    if arguments.against == Some(Side::Server) {
        let compared =
            Box::pin(server::compare(roster, &lines, beside.sources, beside.cluster, &arguments.keys)).await?;
        against = Some(compared);
    }
    shown.found |= sums.rejected > 0 || against.as_ref().is_some_and(|against| against.held);
    lines.retain(|line| arguments.only.is_none_or(|only| line.is(only)));
    let notes = previewed.notes.into_iter().chain(note).collect();
    shown.reports.push(Report { roster: roster.name_any(), sums, rows: lines, notes, against });
    Ok(Ok(()))
}

/// The rosters that are meant.
fn rosters(arguments: &PreviewArguments, sources: &Sources) -> Result<Vec<ScimRoster>> {
    if let Some(preset) = arguments.preset {
        let spec = json!({"connectionRef": {"name": "preview"}, "source": {}, "preset": preset});
        let spec: ScimRosterSpec = serde_json::from_value(spec)?;
        return Ok(vec![ScimRoster::new("preview", spec)]);
    }
    let all = sources.rosters()?;
    let names: Vec<String> = all.iter().map(ResourceExt::name_any).collect();
    let wanted = |roster: &ScimRoster| arguments.roster.as_ref().is_none_or(|name| roster.name_any() == *name);
    let found: Vec<ScimRoster> = all.into_iter().filter(wanted).collect();
    match (&arguments.roster, found.len()) {
        (Some(name), 0) => bail!("there is no ScimRoster {name} in the files; there are: {}", names.join(", ")),
        (None, 0) => bail!("there is no ScimRoster in the files; --source and --preset preview rows without one"),
        (_, 2..) if !arguments.sources.is_empty() => {
            bail!("there are several rosters in the files: say which one --source is for")
        }
        _ => Ok(found),
    }
}

/// Only the objects themselves; what else the files hold doesn't matter here.
fn told_skipped(skipped: &std::collections::BTreeMap<String, u64>) {
    let kinds: Vec<String> = skipped.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    if !kinds.is_empty() {
        output::note(&format!("skipped, since they are of other kinds: {}", kinds.join(", ")));
    }
}

fn manifests_of(files: &[PathBuf], recursive: bool, namespace: &str) -> Result<manifests::Manifests> {
    let read = manifests::read(files, recursive, namespace)?;
    told_skipped(&read.skipped);
    Ok(read)
}
