//! `history`: who changed what, when, and by which object, from the audit stream.

mod log;
mod newest;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::newest::Newest;
use crate::Outcome;
use crate::cluster::Cluster;
use crate::global::Global;
use crate::output::{self, Cell, Printer, Row, Tone};

/// `history`
#[derive(Debug, Args)]
pub struct Arguments {
    /// The audit stream in a file, - for standard input; without it the operator's log is read, where audit.enabled writes
    /// the stream
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The operator's namespace
    #[arg(long, value_name = "NAME", default_value = "scim-operator")]
    operator_namespace: String,
    /// Only what was done for this object: its name, or namespace/name
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only what was done through this connection: its name, or namespace/name
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// Only what this hold let go
    #[arg(long, value_name = "ID")]
    hold: Option<String>,
    /// Only what was done since: an instant, a date, or a duration before now such as 36h or 7d
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
}

/// An instant, a date, or a duration before now.
fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    if let Ok(date) = text.parse::<jiff::civil::Date>() {
        return date.to_zoned(jiff::tz::TimeZone::UTC).map(|date| date.timestamp()).map_err(|error| error.to_string());
    }
    let wrong = || format!("{text:?} is no instant: write 2026-11-28T12:00:00Z, 2026-11-28, 36h or 7d");
    let back = match text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok()) {
        Some(days) => SignedDuration::from_secs(days.checked_mul(86_400).ok_or_else(wrong)?),
        None => text.parse().map_err(|_| wrong())?,
    };
    Timestamp::now().checked_sub(back).map_err(|_| wrong())
}

/// One line of the stream. It is written by the operator, whose version may be another: what isn't known is left out.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    time: Timestamp,
    connection: String,
    object: Object,
    operation: String,
    #[serde(default)]
    attributes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    members: Option<Members>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hold: Option<Hold>,
    outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Members {
    added: u64,
    removed: u64,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    kind: String,
    namespace: String,
    name: String,
    uid: String,
    generation: i64,
    #[serde(default)]
    field_managers: Vec<String>,
    #[serde(default)]
    tracking: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Hold {
    id: String,
    #[serde(default)]
    approved_by: Vec<String>,
}

/// What was found.
#[derive(Default)]
struct Found {
    lines: Vec<Line>,
    /// Lines that belong to the stream, and can't be read.
    broken: u64,
    /// Lines that are of something else.
    others: u64,
}

impl Found {
    fn take(&mut self, text: &str, arguments: &Arguments) {
        match Line::read(text) {
            Some(Ok(line)) if line.fits(arguments) => self.lines.push(line),
            Some(Err(_)) => self.broken += 1,
            Some(Ok(_)) => {}
            None => self.others += 1,
        }
    }
}

impl Line {
    /// None where it isn't one: the log has other lines.
    fn read(text: &str) -> Option<serde_json::Result<Self>> {
        // kubectl logs may put the pod or the time before it.
        let text = text.find('{').map_or("", |begin| &text[begin..]);
        if !text.contains("\"operation\"") {
            return None;
        }
        let read = serde_json::from_str(text);
        // The log's other lines may have that word too.
        let is_another = |fields: serde_json::Map<String, serde_json::Value>| {
            ["connection", "object", "outcome"].iter().any(|field| !fields.contains_key(*field))
        };
        (read.is_ok() || !serde_json::from_str(text).is_ok_and(is_another)).then_some(read)
    }

    fn fits(&self, arguments: &Arguments) -> bool {
        let object = format!("{}/{}", self.object.namespace, self.object.name);
        let is = |wanted: &String, name: &str, full: &str| wanted == name || wanted == full;
        let connection = self.connection.rsplit('/').next().unwrap_or_default();
        arguments.user.as_ref().is_none_or(|wanted| is(wanted, &self.object.name, &object))
            && arguments.connection.as_ref().is_none_or(|wanted| is(wanted, connection, &self.connection))
            && arguments.hold.as_ref().is_none_or(|id| self.hold.as_ref().is_some_and(|hold| hold.id == *id))
            && arguments.since.is_none_or(|since| self.time >= since)
    }

    /// Where the object is from, as far as its tool says.
    fn declared_by(&self) -> String {
        let tracked = self.object.tracking.values().cloned();
        let mut all: Vec<String> = self.object.field_managers.iter().cloned().chain(tracked).collect();
        all.dedup();
        all.join(", ")
    }
}

/// Tells it.
pub async fn run(global: &Global, printer: Printer, arguments: &Arguments) -> Result<Outcome> {
    let mut found = Found::default();
    match &arguments.file {
        Some(file) => from_file(file, arguments, &mut found)?,
        None => log::read(&Cluster::connect(global).await?, arguments, &mut found).await?,
    }
    found.lines.sort_by_key(|line| line.time);
    if found.lines.is_empty() && !printer.is_data() {
        output::note("nothing of that kind was written");
    }
    printer.list(&found.lines)?;
    if found.broken > 0 {
        output::note(&format!("{} lines of the audit stream can't be read", found.broken));
        return Ok(Outcome::Found);
    }
    Ok(Outcome::Done)
}

/// A line of the stream, as a page shows it.
pub struct Done {
    pub time: Timestamp,
    pub connection: String,
    pub kind: String,
    /// `namespace/name`.
    pub object: String,
    pub operation: String,
    pub attributes: String,
    pub outcome: String,
    pub declared_by: String,
    pub hold: String,
}

impl From<Line> for Done {
    fn from(line: Line) -> Self {
        Self {
            declared_by: line.declared_by(),
            time: line.time,
            connection: line.connection,
            object: format!("{}/{}", line.object.namespace, line.object.name),
            kind: line.object.kind,
            operation: line.operation,
            attributes: line.attributes.join(", "),
            outcome: line.outcome,
            hold: line.hold.map(|hold| hold.id).unwrap_or_default(),
        }
    }
}

fn from_file(file: &PathBuf, arguments: &Arguments, found: &mut Found) -> Result<()> {
    use std::io::BufRead as _;
    let cant = || format!("{} can't be read", file.display());
    let reader: Box<dyn std::io::BufRead> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::io::BufReader::new(std::fs::File::open(file).with_context(cant)?))
    };
    // Line by line: of years of it, what fits is kept.
    let mut lines = 0;
    for line in reader.lines() {
        found.take(&line.with_context(cant)?, arguments);
        lines += 1;
    }
    if lines > 0 && found.others == lines {
        bail!("{}: none of its {lines} lines is of the audit stream", file.display());
    }
    Ok(())
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] = &[
        "TIME",
        "CONNECTION",
        "OBJECT",
        "OPERATION",
        "ATTRIBUTES",
        "OUTCOME",
        "DECLARED BY",
        "HOLD",
        "APPROVED BY",
        "+GENERATION",
        "+MEMBERS ADDED",
        "+MEMBERS REMOVED",
        "+STATUS",
        "+REQUEST",
    ];

    fn cells(&self) -> Vec<Cell> {
        let object = format!("{} {}/{}", self.object.kind, self.object.namespace, self.object.name);
        let count = |count: Option<u64>| count.map(|count| count.to_string()).unwrap_or_default();
        let good = self.outcome == "Done";
        vec![
            self.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into(),
            self.connection.clone().into(),
            object.into(),
            self.operation.clone().into(),
            self.attributes.join(", ").into(),
            Cell::toned(self.outcome.clone(), if good { Tone::Good } else { Tone::Bad }),
            self.declared_by().into(),
            self.hold.as_ref().map(|hold| hold.id.clone()).unwrap_or_default().into(),
            self.hold.as_ref().map(|hold| hold.approved_by.join(", ")).unwrap_or_default().into(),
            self.object.generation.to_string().into(),
            count(self.members.as_ref().map(|members| members.added)).into(),
            count(self.members.as_ref().map(|members| members.removed)).into(),
            self.status.map(|status| status.to_string()).unwrap_or_default().into(),
            self.request_id.clone().unwrap_or_default().into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scim_operator::runtime::audit::{HoldRecord, MembersRecord, ObjectRecord, Record};

    fn record(name: &str, at: &str) -> Record {
        Record {
            time: at.parse().unwrap(),
            connection: "identity/datadog".into(),
            object: ObjectRecord {
                kind: "ScimUser",
                namespace: "identity".into(),
                name: name.into(),
                uid: "u".into(),
                generation: 4,
                field_managers: vec!["argocd-controller".into()],
                tracking: BTreeMap::from([("argocd.argoproj.io/tracking-id".to_owned(), "people:x".to_owned())]),
            },
            operation: "Update",
            attributes: vec!["title".into()],
            members: Some(MembersRecord { added: 1, removed: 2 }),
            hold: Some(HoldRecord { id: "3f2a".into(), approved_by: vec!["kubectl-scim".into()] }),
            outcome: "Done",
            status: None,
            request_id: Some("r".into()),
        }
    }

    fn arguments() -> Arguments {
        let operator_namespace = String::new();
        Arguments { file: None, operator_namespace, user: None, connection: None, hold: None, since: None }
    }

    #[test]
    fn every_line_that_the_operator_writes_is_read_whole() {
        let line = serde_json::to_string(&record("ada", "2026-11-28T12:00:00Z")).unwrap();
        let mut found = Found::default();
        let of_the_log = "{\"timestamp\":\"2026-11-28\",\"fields\":{\"operation\":\"list\"}}";
        let cut_off = line.get(..line.len() - 3).unwrap_or_default();
        for text in [&line, "2026-11-28 INFO scim-operator starts", of_the_log, cut_off, "{\"level\":\"INFO\"}", ""] {
            found.take(text, &arguments());
        }
        assert_eq!((found.lines.len(), found.broken), (1, 1));
        let read: serde_json::Value = serde_json::to_value(&found.lines[0]).unwrap();
        assert_eq!(read, serde_json::from_str::<serde_json::Value>(&line).unwrap());
        assert_eq!(found.lines[0].declared_by(), "argocd-controller, people:x");
        assert_eq!(Line::COLUMNS.len(), found.lines[0].cells().len());
    }

    #[test]
    fn lines_are_chosen_by_whom_when_and_hold() {
        let line = serde_json::to_string(&record("ada", "2026-11-28T12:00:00Z")).unwrap();
        let fits = |arguments: Arguments| {
            let mut found = Found::default();
            found.take(&line, &arguments);
            found.lines.len() == 1
        };
        let at = |text: &str| Some(since(text).unwrap());
        assert!(fits(Arguments {
            user: Some("identity/ada".into()),
            connection: Some("datadog".into()),
            ..arguments()
        }));
        assert!(!fits(Arguments { user: Some("grace".into()), ..arguments() }));
        assert!(fits(Arguments { hold: Some("3f2a".into()), since: at("2026-11-28"), ..arguments() }));
        assert!(!fits(Arguments { since: at("2026-11-29"), ..arguments() }));
        assert!(since("7d").is_ok() && since("36h").is_ok() && since("yesterday").is_err());
        assert!(since("99999999999999999d").is_err());
    }
}
