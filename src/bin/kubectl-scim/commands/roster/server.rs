//! A roster beside the accounts of a server: who joins, who changes, and which accounts have no row.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use kube::ResourceExt;
use scim_operator::api::{AdoptionPolicy, ConnectionKind, ScimConnection, ScimRoster, ScimUser, ScimUserSpec};
use scim_operator::directory::ConnectionKey;
use scim_operator::provisioner::dry_run::{Action, Plan, PlannedObject};
use serde_json::{Value, json};

use super::against::{Against, Change, Person};
use super::rows::Line;
use super::sources::Sources;
use crate::cluster::Cluster;
use crate::commands::plan::{KeyAccess, Known, are_of_one_server, of_users};
use crate::schema::Schemas;

/// Asks the server what it has of those whom the rows name. Whoever is there already is compared, whatever the policy of
/// adoption is.
pub(super) async fn compare(
    roster: &ScimRoster,
    lines: &[Line],
    sources: &Sources,
    cluster: Option<&Cluster>,
    keys: &KeyAccess,
) -> Result<Against> {
    let mut connection = connection_of(roster, sources, cluster).await?;
    // As one of the namespace's own: whom a cluster's connection is delegated to isn't asked here.
    connection.spec.delegation = None;
    let namespace = roster.namespace().or_else(|| connection.namespace());
    connection.metadata.namespace = Some(namespace.unwrap_or_else(|| "default".to_owned()));
    let refuses = connection.spec.adoption_policy.users == AdoptionPolicy::Refuse;
    connection.spec.adoption_policy.users = AdoptionPolicy::Adopt;
    let schemas = Schemas::shipped();
    let users = lines.iter().filter_map(|line| user(line, &connection, &schemas)).collect();
    let plan = of_users(connection, users, cluster, keys).await?;
    Ok(against(plan, refuses))
}

/// One key goes to one server; and beside a cluster, to none that is new with the files.
pub(super) async fn may_be_sent(
    rosters: &[ScimRoster],
    sources: &Sources,
    cluster: Option<&Cluster>,
    keys: &KeyAccess,
) -> Result<()> {
    let mut asked = BTreeMap::new();
    let mut there = BTreeMap::new();
    for roster in rosters {
        let connection = connection_of(roster, sources, cluster).await?;
        let namespace = roster.namespace().or_else(|| cluster.map(|cluster| cluster.namespace.clone()));
        let key =
            ConnectionKey::of(&roster.spec.connection_ref, Some(namespace.unwrap_or_else(|| "default".to_owned())));
        if let Some(cluster) = cluster.filter(|_| keys.names_no_server())
            && let Ok(known) = of_cluster(cluster, roster).await
        {
            there.insert(key.clone(), known);
        }
        asked.insert(key, connection);
    }
    if cluster.is_none() || keys.are_by_hand() {
        are_of_one_server(asked.iter())?;
    }
    if cluster.is_some() && keys.names_no_server() {
        let known = Known::of("the cluster", &there);
        asked.iter().try_for_each(|(key, connection)| known.leads(key, connection))?;
        if !keys.are_by_hand() {
            asked.iter().try_for_each(|(key, connection)| known.is_its_secret(key, connection))?;
        }
    }
    Ok(())
}

/// That of the files, else that of the cluster.
async fn connection_of(roster: &ScimRoster, sources: &Sources, cluster: Option<&Cluster>) -> Result<ScimConnection> {
    match (sources.connection(roster)?, cluster) {
        (Some(connection), _) => Ok(connection),
        (None, Some(cluster)) => of_cluster(cluster, roster).await,
        (None, None) => bail!("there is no connection {} in the files", roster.spec.connection_ref.name),
    }
}

/// The user of a row, in the connection's namespace.
fn user(line: &Line, connection: &ScimConnection, schemas: &Schemas) -> Option<ScimUser> {
    let (name, spec) = line.mapped()?;
    let spec = schemas.check("ScimUser", &json!(name), spec).ok()?;
    let mut spec: ScimUserSpec = serde_json::from_value(spec).ok()?;
    spec.connection_ref.kind = ConnectionKind::ScimConnection;
    spec.connection_ref.name = connection.name_any();
    let mut user = ScimUser::new(name, spec);
    user.metadata.namespace = connection.namespace();
    Some(user)
}

async fn of_cluster(cluster: &Cluster, roster: &ScimRoster) -> Result<ScimConnection> {
    let reference = &roster.spec.connection_ref;
    let place = roster.namespace().map_or_else(|| cluster.at(&cluster.namespace), |namespace| cluster.at(&namespace));
    place.connection(reference.kind == ConnectionKind::ClusterScimConnection, &reference.name).await
}

fn against(plan: Plan, refuses: bool) -> Against {
    let mut people = Vec::new();
    let mut notes = plan.notes;
    let mut there = 0;
    for object in plan.objects {
        match object.action {
            Action::Create => people.push(person("joins", object)),
            Action::Refused | Action::Unknown | Action::Waits => {
                notes.push(format!("{}: {}", object.called, object.message));
            }
            _ => {
                there += 1;
                if !object.changes.is_empty() {
                    people.push(person("changes", object));
                }
            }
        }
    }
    let without = plan.unmanaged.len();
    people.extend(plan.unmanaged.into_iter().map(|account| Person {
        what: "no row",
        name: account.id,
        user_name: account.user_name,
        changes: Vec::new(),
    }));
    let count = |what: &str| people.iter().filter(|person| person.what == what).count();
    let sums = format!("{} join, {} of {there} who are there change", count("joins"), count("changes"));
    if without > 0 {
        notes.push(format!("{without} accounts have no row; the operator leaves alone whom no object declared"));
    }
    if refuses && there > 0 {
        notes.push(format!(
            "{there} have an account already, and spec.adoptionPolicy.users: Refuse keeps the operator from taking them over"
        ));
    }
    Against { people, sums, notes, rejected: Vec::new(), held: false }
}

fn person(what: &'static str, object: PlannedObject) -> Person {
    let changes = if what == "joins" { Vec::new() } else { object.changes };
    let change = |change: scim_operator::provisioner::dry_run::AttributeChange| Change {
        field: change.attribute.into_owned(),
        old: change.old.map_or(Value::Null, |old| old.value()),
        new: change.new.map_or(Value::Null, |new| new.value()),
    };
    Person { what, name: object.name, user_name: object.called, changes: changes.into_iter().map(change).collect() }
}
