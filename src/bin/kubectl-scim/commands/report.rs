//! `report access`: who has an account, with which groups, roles and entitlements, where, since when, and from which
//! manifest.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::ListParams;
use scim_operator::api::{Grant, ROSTER_LABEL, ScimGroup, ScimUser};
use scim_operator::directory::origin::origin;
use scim_operator::provisioner::base_url;
use scim_operator::scim::fold;
use serde::Serialize;

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
    groups: Vec<String>,
    roles: Vec<String>,
    entitlements: Vec<String>,
    /// The end of an access window.
    until: Option<Timestamp>,
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
    let servers = servers(cluster).await?;
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
    Ok(Outcome::Done)
}

/// The addresses of connections, by `namespace/name` or `cluster/name`.
async fn servers(cluster: &Cluster) -> Result<HashMap<String, String>> {
    let all = cluster.connections().await?.into_iter().map(|connection| {
        let name = match connection.namespace() {
            Some(_) => full_name(&connection),
            None => format!("cluster/{}", connection.name_any()),
        };
        (name, base_url(&connection.spec))
    });
    Ok(all.collect())
}

/// Who is declared a member of which groups.
#[derive(Default)]
struct Groups {
    /// By `namespace/name` of the ScimUser.
    objects: HashMap<String, Vec<String>>,
    /// By connection and userName, folded, or id.
    accounts: HashMap<(String, String), Vec<String>>,
    selectors: Vec<Selected>,
}

struct Selected {
    namespace: String,
    connection: String,
    labels: BTreeMap<String, String>,
    name: String,
}

impl Groups {
    fn add(&mut self, group: &ScimGroup) {
        let namespace = group.namespace().unwrap_or_default();
        let (name, connection) =
            (&group.spec.display_name, connection_of(&namespace, connection_name(&group.spec.connection_ref)));
        for member in group.spec.members.iter().flatten() {
            if let Some(user) = &member.user_ref {
                self.objects.entry(format!("{namespace}/{}", user.name)).or_default().push(name.clone());
            }
            for account in [member.user_name.as_deref().map(fold), member.id.clone()].into_iter().flatten() {
                self.accounts.entry((connection.clone(), account)).or_default().push(name.clone());
            }
        }
        if let Some(selector) = &group.spec.member_selector {
            let labels = selector.match_labels.clone();
            self.selectors.push(Selected { namespace, connection, labels, name: name.clone() });
        }
    }

    fn of(&self, user: &ScimUser, connection: &str, id: Option<&str>) -> Vec<String> {
        let namespace = user.namespace().unwrap_or_default();
        let mut found = self.objects.get(&full_name(user)).cloned().unwrap_or_default();
        for account in [Some(fold(&user.spec.user_name)), id.map(str::to_owned)].into_iter().flatten() {
            found.extend(self.accounts.get(&(connection.to_owned(), account)).into_iter().flatten().cloned());
        }
        let carries = |labels: &BTreeMap<String, String>| {
            labels.iter().all(|(name, value)| user.labels().get(name) == Some(value))
        };
        let selected = self
            .selectors
            .iter()
            .filter(|group| group.namespace == namespace && group.connection == connection && carries(&group.labels));
        found.extend(selected.map(|group| group.name.clone()));
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// A connection, told apart from those of other namespaces.
fn connection_of(namespace: &str, name: String) -> String {
    if name.starts_with("cluster/") { name } else { format!("{namespace}/{name}") }
}

fn access(user: &ScimUser, servers: &HashMap<String, String>, groups: &Groups) -> Access {
    let connection = connection_of(&user.namespace().unwrap_or_default(), connection_name(&user.spec.connection_ref));
    let status = user.status.clone().unwrap_or_default();
    let roster = user.labels().get(ROSTER_LABEL).map(|roster| format!("roster {roster}"));
    let from: Vec<String> = roster.into_iter().chain(origin(user)).collect();
    let last = status.last_operation.as_ref();
    Access {
        groups: groups.of(user, &connection, status.id.as_deref()),
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
        "SINCE",
        "UNTIL",
        "OBJECT",
        "FROM",
        "+SERVER",
        "+ID",
        "+STATE",
        "+LAST OPERATION",
        "+LAST CHANGE",
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
            at(self.declared_since).into(),
            at(self.until).into(),
            self.object.clone().into(),
            self.from.clone().into(),
            self.server.clone().into(),
            self.id.clone().into(),
            self.state.clone().into(),
            self.last_operation.clone().into(),
            at(self.last_change).into(),
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
    fn an_account_shows_its_groups_and_where_it_is_from() {
        let mut groups = Groups::default();
        for (name, namespace, members) in [
            ("by-ref", "identity", json!({"members": [{"userRef": {"name": "ada"}}]})),
            ("by-name", "identity", json!({"members": [{"userName": "ADA@example.com"}]})),
            ("by-id", "identity", json!({"members": [{"id": "7"}]})),
            ("by-label", "identity", json!({"memberSelector": {"matchLabels": {"team": "platform"}}})),
            ("elsewhere", "other", json!({"memberSelector": {"matchLabels": {"team": "platform"}}})),
            ("others", "identity", json!({"members": [{"userRef": {"name": "grace"}}]})),
        ] {
            let mut spec = json!({"connectionRef": {"name": "datadog"}, "displayName": name, "membership": "Exact"});
            spec.as_object_mut().unwrap().extend(members.as_object().cloned().unwrap());
            groups.add(
                &serde_json::from_value(json!({"metadata": {"name": name, "namespace": namespace}, "spec": spec}))
                    .unwrap(),
            );
        }
        let servers = HashMap::from([("identity/datadog".to_owned(), "https://api.datadoghq.com".to_owned())]);
        let row = access(&user("ada", "identity"), &servers, &groups);
        assert_eq!(row.groups, ["by-id", "by-label", "by-name", "by-ref"]);
        assert_eq!((row.account, row.roles.join(" ").as_str()), ("active", "r1 Admin"));
        assert_eq!(row.server, "https://api.datadoghq.com");
        assert!(row.from.contains("roster people") && row.from.contains("people:x"), "{}", row.from);
        assert_eq!(Access::COLUMNS.len(), row.cells().len());
    }
}
