//! `report access`: who has an account, with which groups, roles and entitlements, where, since when, and from which
//! manifest.

mod groups;

use std::collections::HashMap;

use anyhow::Result;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::ListParams;
use scim_operator::api::{Grant, ROSTER_LABEL, ScimConnection, ScimGroup, ScimUser, UnmanagedPolicy};
use scim_operator::directory::origin::origin;
use scim_operator::provisioner::base_url;
use scim_operator::scim::fold;
use serde::Serialize;

use self::groups::{Groups, connection_of};
use crate::Outcome;
use crate::cluster::{Cluster, each};
use crate::objects::{connection_name, full_name, word};
use crate::output::{self, Cell, Printer, Row, Tone};
use crate::time::instant;

/// `report`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    report: Report,
}

/// The reports.
#[derive(Debug, Subcommand)]
enum Report {
    /// Who has an account, which groups, roles and entitlements, where, since when, and from which manifest; -o csv or
    /// -o markdown for a file
    Access(AccessArguments),
}

/// `report access`
#[derive(Debug, Args)]
struct AccessArguments {
    /// Only this connection; that of a cluster connection is cluster/NAME
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// Also those without an active account
    #[arg(long)]
    inactive: bool,
}

/// One account.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Access {
    user_name: String,
    /// `active`, `inactive`, or `none` where there is no account.
    account: &'static str,
    id: String,
    connection: String,
    server: String,
    /// By what groups declare, through groups in groups, and by what is on record.
    groups: Vec<String>,
    /// Of some of them: through which group, or why it isn't certain that they are in force at the server.
    membership: Vec<String>,
    roles: Vec<String>,
    entitlements: Vec<String>,
    /// The end of an access window.
    until: Option<Timestamp>,
    /// Since when its ScimUser is there; the account may be older.
    declared_since: Option<Timestamp>,
    last_operation: String,
    last_change: Option<Timestamp>,
    state: String,
    /// `namespace/name` of the ScimUser.
    object: String,
    /// By what GitOps tools, helm or a roster know it, and who owns fields of its spec.
    from: String,
}

/// Writes a report.
pub async fn run(cluster: &Cluster, printer: Printer, arguments: &Arguments) -> Result<Outcome> {
    let Report::Access(arguments) = &arguments.report;
    let connections = cluster.connections().await?;
    let servers = servers(&connections);
    let mut groups = Groups::default();
    each(&cluster.api::<ScimGroup>(), &ListParams::default(), |group: ScimGroup| groups.add(&group)).await?;
    let mut rows = Vec::new();
    let visit = |user: ScimUser| {
        let row = access(&user, &servers, &groups);
        let called = connection_name(&user.spec.connection_ref);
        let wanted = arguments.connection.as_ref().is_none_or(|name| row.connection == *name || called == *name);
        if wanted && (arguments.inactive || row.account == "active") {
            rows.push(row);
        }
    };
    each(&cluster.api::<ScimUser>(), &ListParams::default(), visit).await?;
    rows.sort_by(|a, b| {
        (fold(&a.user_name), &a.connection, &a.object).cmp(&(fold(&b.user_name), &b.connection, &b.object))
    });
    if let Some(name) = arguments.connection.as_ref().filter(|_| rows.is_empty()) {
        super::lists::known_connection(cluster, name).await?;
    }
    if rows.is_empty() && !printer.is_data() {
        output::note("no account is active here; -A looks into all namespaces");
    }
    printer.list(&rows)?;
    let note = beside(&connections, arguments.connection.as_deref(), &groups);
    if printer.is_data() {
        output::note(&note);
    } else {
        output::line(&format!("\n{note}"))?;
    }
    Ok(Outcome::Done)
}

/// The addresses of connections, by `namespace/name` or `cluster/name`.
fn servers(connections: &[ScimConnection]) -> HashMap<String, String> {
    connections.iter().map(|connection| (called(connection), base_url(&connection.spec))).collect()
}

fn called(connection: &ScimConnection) -> String {
    match connection.namespace() {
        Some(_) => full_name(connection),
        None => format!("cluster/{}", connection.name_any()),
    }
}

/// What the sheet doesn't have, so that nobody takes it for everything that a server lets in.
fn beside(connections: &[ScimConnection], only: Option<&str>, groups: &Groups) -> String {
    let mut parts = vec!["These are the accounts that ScimUsers declare, as their status records them.".to_owned()];
    let wanted = |connection: &&ScimConnection| {
        only.is_none_or(|name| *name == called(connection) || *name == connection.name_any())
    };
    for connection in connections.iter().filter(wanted) {
        let name = called(connection);
        if connection.spec.unmanaged_policy == UnmanagedPolicy::Ignore {
            parts.push(format!("{name} doesn't count accounts that no object declares: see spec.unmanagedPolicy."));
            continue;
        }
        let users = connection.status.as_ref().and_then(|status| status.users.as_ref());
        match users.and_then(|users| users.unmanaged) {
            Some(0) => {}
            Some(count) => parts.push(format!(
                "The server of {name} has {count} accounts more, which no object declares: kubectl scim unmanaged --live lists \
                 them."
            )),
            None => parts.push(format!("What else the server of {name} has is not known.")),
        }
    }
    match groups.failing() {
        0 => {}
        failing => parts.push(format!("{failing} groups need a person: who is in them is declared, and not certain.")),
    }
    parts.join(" ")
}

fn access(user: &ScimUser, servers: &HashMap<String, String>, groups: &Groups) -> Access {
    let connection = connection_of(&user.namespace().unwrap_or_default(), connection_name(&user.spec.connection_ref));
    let status = user.status.clone().unwrap_or_default();
    let roster = user.labels().get(ROSTER_LABEL).map(|roster| format!("roster {roster}"));
    let from: Vec<String> = roster.into_iter().chain(origin(user)).collect();
    let last = status.last_operation.as_ref();
    let within = groups.of(user, &connection, status.id.as_deref());
    Access {
        membership: within.iter().filter_map(|one| Some(format!("{}: {}", one.name, one.note.as_ref()?))).collect(),
        groups: within.into_iter().map(|one| one.name).collect(),
        user_name: status.user_name.clone().unwrap_or_else(|| user.spec.user_name.clone()),
        account: match (&status.id, status.active) {
            (None, _) => "none",
            (Some(_), Some(false)) => "inactive",
            (Some(_), _) => "active",
        },
        id: status.id.clone().unwrap_or_default(),
        server: servers.get(&connection).cloned().unwrap_or_default(),
        roles: granted(user.spec.attributes.roles.as_deref()),
        entitlements: granted(user.spec.attributes.entitlements.as_deref()),
        until: instant(user.spec.access.as_ref().and_then(|access| access.not_after.as_ref())),
        declared_since: instant(user.creation_timestamp().as_ref()),
        last_operation: last.map(|last| last.type_.as_str().to_owned()).unwrap_or_default(),
        last_change: last.map(|last| last.at.0),
        state: status.state.as_ref().map(word).unwrap_or_default(),
        object: full_name(user),
        from: from.join(", "),
        connection,
    }
}

/// Roles as people know them.
fn granted(list: Option<&[Grant]>) -> Vec<String> {
    list.unwrap_or_default().iter().filter_map(|grant| grant.display.clone().or_else(|| grant.value.clone())).collect()
}

impl Row for Access {
    const COLUMNS: &'static [&'static str] = &[
        "USER NAME",
        "ACCOUNT",
        "CONNECTION",
        "GROUPS",
        "ROLES",
        "ENTITLEMENTS",
        "MEMBERSHIP",
        "DECLARED SINCE",
        "LAST CHANGE",
        "UNTIL",
        "OBJECT",
        "FROM",
        "+SERVER",
        "+ID",
        "+STATE",
        "+LAST OPERATION",
    ];

    fn cells(&self) -> Vec<Cell> {
        let at = |at: Option<Timestamp>| at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default();
        vec![
            self.user_name.clone().into(),
            Cell::toned(self.account, if self.account == "active" { Tone::Good } else { Tone::Warning }),
            self.connection.clone().into(),
            self.groups.join(", ").into(),
            self.roles.join(", ").into(),
            self.entitlements.join(", ").into(),
            self.membership.join("; ").into(),
            at(self.declared_since).into(),
            at(self.last_change).into(),
            at(self.until).into(),
            self.object.clone().into(),
            self.from.clone().into(),
            self.server.clone().into(),
            self.id.clone().into(),
            self.state.clone().into(),
            self.last_operation.clone().into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn user(name: &str, namespace: &str) -> ScimUser {
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": namespace, "labels": {"team": "platform", ROSTER_LABEL: "people"},
                "annotations": {"argocd.argoproj.io/tracking-id": "people:x"}},
            "spec": {"connectionRef": {"name": "datadog"}, "userName": format!("{name}@Example.com"),
                "roles": [{"value": "r1"}, {"display": "Admin"}]},
            "status": {"id": "7", "active": true},
        }))
        .unwrap()
    }

    #[test]
    fn an_account_shows_what_it_may_and_where_it_is_from() {
        let groups = Groups::default();
        let servers = HashMap::from([("identity/datadog".to_owned(), "https://api.datadoghq.com".to_owned())]);
        let row = access(&user("ada", "identity"), &servers, &groups);
        assert_eq!((row.account, row.roles.join(" ").as_str()), ("active", "r1 Admin"));
        assert_eq!(row.server, "https://api.datadoghq.com");
        assert!(row.from.contains("roster people") && row.from.contains("people:x"), "{}", row.from);
        assert_eq!(Access::COLUMNS.len(), row.cells().len());
    }

    #[test]
    fn the_sheet_says_what_it_does_not_have() {
        let connection = |policy: &str, users: serde_json::Value| -> ScimConnection {
            serde_json::from_value(json!({
                "metadata": {"name": "datadog", "namespace": "identity"},
                "spec": {"baseUrl": "https://scim.example.com", "auth": {}, "unmanagedPolicy": policy},
                "status": {"users": users},
            }))
            .unwrap()
        };
        let users = json!({"declared": 1, "unmanaged": 12});
        let told = |connection: ScimConnection, only| beside(&[connection], only, &Groups::default());
        assert!(told(connection("Report", users.clone()), None).contains("identity/datadog has 12 accounts more"));
        assert!(!told(connection("Report", users.clone()), Some("identity/other")).contains("12"));
        assert!(told(connection("Ignore", users), None).contains("doesn't count accounts"));
    }
}
