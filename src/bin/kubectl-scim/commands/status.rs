//! `status`: one screen for everything.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use clap::Args;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use scim_operator::api::{Mode, ScimConnection, ScimGroup, ScimUser};
use scim_operator::provisioner::{rate_limits, secret_names};
use serde::Serialize;

use super::holds::{Hold, of_connection, of_roster};
use super::rosters::{self, Roster};
use crate::Outcome;
use crate::cluster::Cluster;
use crate::objects::{Object, full_name, not_at_ease, word};
use crate::output::{self, Cell, Printer, Row, Tone};
use crate::time::{age, ago, instant};

/// `status`
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where the Secrets of cluster connections lie: the operator's own namespace
    #[arg(long, value_name = "NAME", default_value = "scim-operator")]
    operator_namespace: String,
}

/// Everything on the screen.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Screen {
    connections: Vec<Connection>,
    rosters: Vec<Roster>,
    holds: Vec<Hold>,
    failing: Vec<Failing>,
    notes: Vec<String>,
}

/// One connection.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Connection {
    /// `namespace/name`; of a cluster connection the name alone.
    name: String,
    provider: String,
    mode: String,
    ready: String,
    reason: String,
    message: String,
    users: i64,
    synced: i64,
    pending: i64,
    failed: i64,
    held: i64,
    drifted: i64,
    unmanaged: Option<i64>,
    groups: i64,
    groups_failed: i64,
    last_sweep: Option<Timestamp>,
    sweep_complete: Option<bool>,
    sweep_duration: Option<String>,
    key_changed: Option<Timestamp>,
    key_expires: Option<Timestamp>,
    rate_limits: Vec<String>,
    url: Option<String>,
}

/// Users and groups that need a person for one reason.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failing {
    count: u64,
    kind: &'static str,
    connection: String,
    reason: String,
    /// Since when the first of them has been so.
    since: Option<Timestamp>,
    example: String,
    message: String,
}

/// Shows it.
pub async fn run(cluster: &Cluster, printer: Printer, arguments: &Arguments) -> Result<Outcome> {
    let (connections, rosters) = (cluster.connections().await?, rosters::all(cluster).await?);
    let mut screen = Screen::default();
    for connection in &connections {
        let namespace = connection.namespace().unwrap_or_else(|| arguments.operator_namespace.clone());
        let changed = key_changed(cluster, &namespace, connection).await;
        screen.notes.extend(notes(connection));
        screen.connections.push(shown(connection, changed));
        screen.holds.extend(of_connection(connection));
    }
    for roster in &rosters {
        let shown = Roster::from(roster);
        screen.notes.extend(shown.note());
        screen.rosters.push(shown);
        screen.holds.extend(of_roster(roster));
    }
    let mut grouped = Grouped::default();
    not_at_ease().each(cluster, |object| grouped.add(object)).await?;
    screen.failing = grouped.sorted();
    print(printer, &screen, cluster)?;
    // Those of the cluster are there for whatever namespace.
    let is_here = connections.iter().any(|connection| cluster.all || connection.namespace().is_some());
    if !is_here && rosters.is_empty() && declares_nobody(cluster).await? {
        let hint = if cluster.all { "" } else { "; -A looks into all namespaces" };
        bail!("there is no connection, roster, user or group in {}{hint}", cluster.place());
    }
    Ok(screen.outcome())
}

impl Screen {
    fn outcome(&self) -> Outcome {
        let fails = self.connections.iter().any(|connection| connection.ready != "True")
            || self.rosters.iter().any(Roster::fails)
            || !self.holds.is_empty()
            || !self.failing.is_empty();
        if fails { Outcome::Found } else { Outcome::Done }
    }
}

/// Whether there is neither a user nor a group.
async fn declares_nobody(cluster: &Cluster) -> Result<bool> {
    let one = ListParams::default().limit(1);
    let users = cluster.api::<ScimUser>().list(&one).await?;
    Ok(users.items.is_empty() && cluster.api::<ScimGroup>().list(&one).await?.items.is_empty())
}

fn print(printer: Printer, screen: &Screen, cluster: &Cluster) -> Result<()> {
    if printer.is_csv() {
        printer.list(&screen.connections)?;
        return Ok(());
    }
    if printer.is_data() {
        printer.data(screen)?;
        return Ok(());
    }
    if screen.connections.is_empty() {
        output::note(&format!("there is no connection in {}; -A looks into all namespaces", cluster.place()));
    }
    printer.section("Connections", &screen.connections)?;
    printer.section("Rosters", &screen.rosters)?;
    printer.section("Holds: answer by kubectl scim approve ID or kubectl scim reject ID", &screen.holds)?;
    printer.section("Failing: kubectl scim failures lists each", &screen.failing)?;
    for note in &screen.notes {
        output::line(&format!("\n{note}"))?;
    }
    Ok(())
}

/// The connections alone.
pub async fn connections(cluster: &Cluster) -> Result<Vec<impl Row>> {
    Ok(cluster.connections().await?.iter().map(|connection| shown(connection, None)).collect())
}

/// When the newest of the connection's Secrets was last changed, where that may be seen. Of a Secret only its metadata is
/// asked for.
pub async fn key_changed(cluster: &Cluster, namespace: &str, connection: &ScimConnection) -> Option<Timestamp> {
    let secrets: Api<Secret> = cluster.within(namespace);
    let mut newest = None;
    for name in secret_names(&connection.spec) {
        let Ok(Some(secret)) = secrets.get_metadata_opt(&name).await else { continue };
        let changes = secret.managed_fields().iter().filter_map(|entry| instant(entry.time.as_ref()));
        newest = changes.chain(instant(secret.creation_timestamp().as_ref())).chain(newest).max();
    }
    newest
}

fn shown(connection: &ScimConnection, key_changed: Option<Timestamp>) -> Connection {
    let status = connection.status.clone().unwrap_or_default();
    let ready = status.conditions.iter().flatten().find(|known| known.type_ == "Ready");
    let (users, groups) = (status.users.unwrap_or_default(), status.groups.unwrap_or_default());
    let sweep = status.sweep.unwrap_or_default();
    let number = |count: Option<i64>| count.unwrap_or_default();
    let mode = if connection.spec.suspend { "suspended".to_owned() } else { word(&connection.spec.mode) };
    Connection {
        name: full_name(connection),
        provider: word(&connection.spec.provider),
        mode,
        ready: ready.map_or_else(|| "Unknown".to_owned(), |ready| ready.status.clone()),
        reason: ready.map(|ready| ready.reason.clone()).unwrap_or_default(),
        message: ready.map(|ready| ready.message.clone()).unwrap_or_default(),
        users: number(users.declared),
        synced: number(users.synced),
        pending: number(users.pending) + groups.pending,
        failed: number(users.failed),
        held: number(users.held) + groups.held,
        drifted: number(users.drifted),
        unmanaged: users.unmanaged,
        groups: groups.declared,
        groups_failed: groups.failed,
        last_sweep: instant(sweep.last_completed.as_ref()),
        sweep_complete: sweep.complete,
        sweep_duration: sweep.duration,
        key_changed,
        key_expires: instant(status.credentials.and_then(|key| key.expires_at).as_ref()),
        rate_limits: rate_limits(&connection.spec)
            .iter()
            .map(|limit| format!("{} {}/{}", word(&limit.for_), limit.requests, limit.period.0))
            .collect(),
        url: status.effective.and_then(|effective| effective.base_url),
    }
}

/// What a person should know of a connection beside its counts.
fn notes(connection: &ScimConnection) -> Vec<String> {
    let name = full_name(connection);
    let status = connection.status.clone().unwrap_or_default();
    let mut notes = Vec::new();
    for known in status.conditions.iter().flatten() {
        let tells = match known.type_.as_str() {
            "Ready" => known.status != "True",
            "Connected" => known.status == "True" && known.reason != "Connected",
            "Quarantined" => known.status == "True",
            _ => false,
        };
        if tells {
            notes.push(format!("{name}: {}: {}", known.reason, known.message));
        }
    }
    notes.dedup();
    if status.conditions.is_none() {
        notes.push(format!("{name}: the operator has not looked at it yet; is one at work in this cluster?"));
    }
    let soon = status.credentials.as_ref().and_then(|key| instant(key.expires_at.as_ref()));
    if let Some(at) = soon.filter(|at| at.as_second() - Timestamp::now().as_second() < 30 * 86_400) {
        let ended = at <= Timestamp::now();
        let when = ago(at, Timestamp::now());
        notes.push(if ended {
            format!("{name}: the key expired {when} ago")
        } else {
            format!("{name}: the key expires {when}")
        });
    }
    if let Some(spent) = status.guards.iter().flatten().find(|guard| guard.limit > 0 && guard.used >= guard.limit) {
        notes.push(format!("{name}: the guard {} has let all of its {} go within its window", spent.name, spent.limit));
    }
    let differs = status.server.iter().flat_map(|server| server.differs.iter().flatten());
    notes.extend(differs.map(|note| format!("{name}: {note}")));
    notes
}

/// Failing objects, counted by kind, connection and reason.
#[derive(Default)]
struct Grouped(BTreeMap<(&'static str, String, String), Failing>);

impl Grouped {
    fn add(&mut self, object: Object) {
        if !object.fails() {
            return;
        }
        let reason = object.reason.unwrap_or_else(|| "Unknown".to_owned());
        let connection = if object.connection.starts_with("cluster/") {
            object.connection
        } else {
            format!("{}/{}", object.namespace, object.connection)
        };
        let key = (object.kind, connection.clone(), reason.clone());
        let group = self.0.entry(key).or_insert_with(|| Failing {
            count: 0,
            kind: object.kind,
            connection,
            reason,
            since: object.since,
            example: format!("{}/{}", object.namespace, object.name),
            message: object.message.unwrap_or_default(),
        });
        group.count += 1;
        group.since = [group.since, object.since].into_iter().flatten().min();
    }

    /// Most of them first.
    fn sorted(self) -> Vec<Failing> {
        let mut all: Vec<Failing> = self.0.into_values().collect();
        all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
        all
    }
}

impl Row for Connection {
    const COLUMNS: &'static [&'static str] = &[
        "CONNECTION",
        "PROVIDER",
        "MODE",
        "READY",
        "USERS",
        "SYNCED",
        "PENDING",
        "FAILED",
        "HELD",
        "DRIFTED",
        "UNMANAGED",
        "GROUPS",
        "SWEEP",
        "KEY AGE",
        "KEY EXPIRES",
        "+RATE LIMITS",
        "+SWEEP TOOK",
        "+URL",
    ];

    fn cells(&self) -> Vec<Cell> {
        let now = Timestamp::now();
        let expiry = self.key_expires.map(|at| (ago(at, now), at.as_second() - now.as_second()));
        let expires = expiry.map_or_else(
            || Cell::from(""),
            |(text, left)| Cell::toned(text, if left < 7 * 86_400 { Tone::Bad } else { Tone::Plain }),
        );
        let sweep =
            age(self.last_sweep) + if self.sweep_complete == Some(false) { ", the last one incomplete" } else { "" };
        vec![
            self.name.clone().into(),
            self.provider.clone().into(),
            Cell::toned(self.mode.clone(), if self.mode == word(&Mode::Apply) { Tone::Plain } else { Tone::Warning }),
            Cell::toned(self.ready.clone(), if self.ready == "True" { Tone::Good } else { Tone::Bad }),
            self.users.to_string().into(),
            self.synced.to_string().into(),
            self.pending.to_string().into(),
            Cell::fault(self.failed + self.groups_failed, Tone::Bad),
            Cell::fault(self.held, Tone::Warning),
            Cell::fault(self.drifted, Tone::Warning),
            self.unmanaged.map(|count| count.to_string()).unwrap_or_default().into(),
            self.groups.to_string().into(),
            sweep.into(),
            age(self.key_changed).into(),
            expires,
            self.rate_limits.join(", ").into(),
            self.sweep_duration.clone().unwrap_or_default().into(),
            self.url.clone().unwrap_or_default().into(),
        ]
    }
}

impl Row for Failing {
    const COLUMNS: &'static [&'static str] = &["COUNT", "KIND", "CONNECTION", "REASON", "SINCE", "EXAMPLE", "+MESSAGE"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            self.count.to_string().into(),
            self.kind.into(),
            self.connection.clone().into(),
            Cell::toned(self.reason.clone(), Tone::Bad),
            age(self.since).into(),
            self.example.clone().into(),
            self.message.clone().into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_counted_by_reason_most_of_it_first() {
        let mut grouped = Grouped::default();
        let object = |name: &str, reason: &str, stalled| Object {
            kind: "ScimUser",
            namespace: "identity".into(),
            name: name.into(),
            connection: "datadog".into(),
            ready: Some("False".into()),
            reason: Some(reason.into()),
            stalled,
            ..Object::default()
        };
        for (name, reason, stalled) in
            [("a", "Conflict", true), ("b", "Rejected", true), ("c", "Rejected", true), ("d", "Pending", false)]
        {
            grouped.add(object(name, reason, stalled));
        }
        let sorted: Vec<(u64, String)> =
            grouped.sorted().into_iter().map(|group| (group.count, group.reason)).collect();
        assert_eq!(sorted, [(2, "Rejected".to_owned()), (1, "Conflict".to_owned())]);
    }

    #[test]
    fn a_connection_that_nobody_looked_at_says_so() {
        let connection: ScimConnection = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "a", "namespace": "identity"}, "spec": {"baseUrl": "https://scim.example.com", "auth": {}},
        }))
        .unwrap();
        assert_eq!(shown(&connection, None).ready, "Unknown");
        assert!(notes(&connection)[0].contains("is one at work"));
        assert_eq!(Connection::COLUMNS.len(), shown(&connection, None).cells().len());
    }
}
