//! `unmanaged`: accounts that no object declares, as status records some of them, or all of them as the servers list them now.

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use kube::ResourceExt;
use scim_operator::api::{ScimConnection, UnmanagedPolicy};

use super::rows::Unmanaged;
use super::{known_connection, told};
use crate::Outcome;
use crate::cluster::Cluster;
use crate::commands::plan::{self, Access, KeyAccess};
use crate::global::Global;
use crate::objects::full_name;
use crate::output::{self, Printer};

/// `unmanaged`
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only those of this connection
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// Only those whose userName has this in it, in whatever letter case
    #[arg(long, value_name = "TEXT")]
    called: Option<String>,
    /// What to sort by
    #[arg(long, value_enum, default_value_t = Sort::UserName)]
    sort: Sort,
    /// Read the servers now, and list all of them: status records some. As `plan`, it sends reads only
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    keys: KeyAccess,
}

/// What the list is sorted by, within a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// userName
    UserName,
    /// The account's id
    Id,
}

/// Lists them.
pub async fn run(global: &Global, cluster: &Cluster, printer: Printer, arguments: &Arguments) -> Result<Outcome> {
    if let Some(name) = &arguments.connection {
        known_connection(cluster, name).await?;
    }
    let mut connections = cluster.connections().await?;
    connections.retain(|connection| {
        let (full, short) = names(connection);
        arguments.connection.as_ref().is_none_or(|wanted| *wanted == full || *wanted == short)
    });
    let keys = arguments.keys.clone().for_any_server();
    if arguments.live && keys.are_by_hand() && connections.len() > 1 {
        bail!(
            "the key is that of one server, and there are {} connections: name one by --connection",
            connections.len()
        );
    }
    let mut found = Vec::new();
    for connection in connections {
        let (name, _) = names(&connection);
        found.extend(if arguments.live {
            Box::pin(listed(global, cluster, &connection, &keys)).await?
        } else {
            recorded(connection, &name)
        });
    }
    narrow(&mut found, arguments.called.as_deref(), arguments.sort);
    told(printer, found.is_empty(), "no such account is known");
    printer.list(&found)?;
    Ok(if found.is_empty() { Outcome::Done } else { Outcome::Found })
}

/// `namespace/name` or `cluster/name`, and the name within its namespace.
fn names(connection: &ScimConnection) -> (String, String) {
    let name = connection.name_any();
    if connection.namespace().is_some() {
        return (full_name(connection), name);
    }
    let name = format!("cluster/{name}");
    (name.clone(), name)
}

/// Those that status has.
fn recorded(connection: ScimConnection, name: &str) -> Vec<Unmanaged> {
    if connection.spec.unmanaged_policy == UnmanagedPolicy::Ignore {
        output::note(&format!(
            "{name} doesn't look for them: set spec.unmanagedPolicy to Report, or say --live to read its server now"
        ));
        return Vec::new();
    }
    let status = connection.status.unwrap_or_default();
    let all = status.users.and_then(|users| users.unmanaged).unwrap_or_default();
    let listed = status.unmanaged.unwrap_or_default();
    let more = all - i64::try_from(listed.len()).unwrap_or(i64::MAX);
    if more > 0 {
        output::note(&format!(
            "{name} has {more} more than status lists; --live lists all of them, and kubectl scim import --unmanaged writes their \
             manifests"
        ));
    }
    let rows = listed.into_iter();
    rows.map(|account| Unmanaged { connection: name.to_owned(), user_name: account.user_name, id: account.id })
        .collect()
}

/// Those that the server lists now.
async fn listed(
    global: &Global,
    cluster: &Cluster,
    connection: &ScimConnection,
    keys: &KeyAccess,
) -> Result<Vec<Unmanaged>> {
    let (name, target) = names(connection);
    let namespace = connection.namespace().unwrap_or_else(|| cluster.namespace.clone());
    let global = Global { namespace: Some(namespace), all_namespaces: false, ..global.clone() };
    let plans = plan::plans(&global, &Access::of_cluster(keys.clone()), Some(&target)).await?;
    let accounts = plans.into_iter().flat_map(|plan| {
        // What may be missing, such as the objects of other namespaces.
        plan.notes.iter().for_each(|note| output::note(&format!("{name}: {note}")));
        plan.unmanaged
    });
    let of = |account: scim_operator::provisioner::dry_run::Unmanaged| Unmanaged {
        connection: name.clone(),
        user_name: account.user_name,
        id: account.id,
    };
    Ok(accounts.map(of).collect())
}

fn narrow(found: &mut Vec<Unmanaged>, called: Option<&str>, sort: Sort) {
    if let Some(text) = called.map(str::to_lowercase) {
        found.retain(|account| account.user_name.to_lowercase().contains(&text));
    }
    let by = |account: &Unmanaged| match sort {
        Sort::UserName => (account.user_name.to_lowercase(), account.id.clone()),
        Sort::Id => (account.id.clone(), String::new()),
    };
    found.sort_by_cached_key(|account| (account.connection.clone(), by(account)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_sorted_and_narrowed() {
        let account = |user_name: &str, id: &str| Unmanaged {
            connection: "identity/datadog".into(),
            user_name: user_name.into(),
            id: id.into(),
        };
        let found = |called, sort| {
            let mut found = vec![account("zoe@x", "1"), account("Bob@x", "3"), account("ada@x", "2")];
            narrow(&mut found, called, sort);
            found.into_iter().map(|account| account.user_name).collect::<Vec<_>>()
        };
        assert_eq!(found(None, Sort::UserName), ["ada@x", "Bob@x", "zoe@x"]);
        assert_eq!(found(None, Sort::Id), ["zoe@x", "ada@x", "Bob@x"]);
        assert_eq!(found(Some("BOB"), Sort::UserName), ["Bob@x"]);
    }
}
