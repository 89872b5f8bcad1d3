//! Rosters: the users that their rows become, as the controller makes them.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use jiff::Timestamp;
use kube::ResourceExt;
use scim_operator::api::{GENERATED, GROUP, ROSTER_KEY, ROSTER_LABEL, ScimRoster, ScimUser, VERSION};
use scim_operator::directory::ConnectionKey;
use scim_operator::provisioner::dry_run::{Action, Held, Plan, PlannedHold, PlannedObject};
use scim_operator::roster::{Answers, Guard, Ours, Prepared, Removals};
use serde_json::json;

use super::declared::{Declared, Name, over_user};
use crate::cluster::Cluster;
use crate::commands::roster::sources::Sources;
use crate::schema::Schemas;

/// So many of those who are held are named together.
const SAMPLE: usize = 10;

/// What became of one roster.
pub struct Expanded {
    connection: ConnectionKey,
    namespace: String,
    roster: String,
    /// Rows that can't be used, and why.
    rejected: Vec<String>,
    /// Users whose rows are gone, and whom the roster's own guard would hold.
    held: Vec<String>,
    notes: Vec<String>,
}

/// Puts the users of every roster among those that are declared, and takes out those whose rows are gone. `before` are
/// users that rosters made so far. With `prune` the cluster loses what files of another hash replace.
pub async fn expand(
    declared: &mut Declared,
    cluster: Option<&Cluster>,
    before: &[ScimUser],
    prune: bool,
) -> Result<Vec<Expanded>> {
    let mut all = Vec::new();
    let rosters: Vec<ScimRoster> = declared.rosters.values().cloned().collect();
    let sources = Sources::of(std::mem::take(&mut declared.sources)).pruning(prune);
    for roster in rosters.iter().filter(|roster| !roster.spec.suspend) {
        let namespace = roster.namespace();
        let read = sources.documents(roster, namespace.as_deref(), cluster).await?;
        let (documents, note) = read.map_err(|refused| told(roster, &refused.message))?;
        let in_namespace = |user: &&ScimUser| user.namespace() == namespace;
        let mut users: Vec<Arc<ScimUser>> =
            declared.users.values().map(|user| &**user).filter(in_namespace).cloned().map(Arc::new).collect();
        let missing = |user: &&ScimUser| !declared.users.contains_key(&name_of(user));
        let earlier = before.iter().filter(in_namespace).filter(missing);
        users.extend(earlier.filter(|user| user.labels().contains_key(ROSTER_LABEL)).cloned().map(Arc::new));
        let known = roster.status.as_ref().and_then(|status| status.columns.clone()).unwrap_or_default();
        let name = roster.name_any();
        let connection = ConnectionKey::of(&roster.spec.connection_ref, namespace.clone());
        let deletes =
            declared.connections.get(&connection).is_some_and(|connection| connection.spec.deletes_accounts());
        let of = Ours { roster: &name, connection: &roster.spec.connection_ref, deletes };
        let ours: Vec<Arc<ScimUser>> =
            users.iter().filter(|user| user.labels().get(ROSTER_LABEL) == Some(&name)).cloned().collect();
        let prepared = Prepared::new(&roster.spec, &known, documents, users, of);
        let mut prepared = prepared.map_err(|refused| told(roster, &refused.message))?;
        let rejected = prepared.rejected([]).into_iter();
        let mut expanded = Expanded {
            connection,
            namespace: namespace.clone().unwrap_or_default(),
            roster: name.clone(),
            rejected: rejected.map(|row| format!("row {} is rejected: {}", row.row, row.reason)).collect(),
            held: Vec::new(),
            notes: note.into_iter().collect(),
        };
        let leavers = leavers(roster, &prepared, &mut expanded);
        write(declared, roster, &mut prepared, &ours, &mut expanded.notes)?;
        // Those who stay as they are, and those whose rows are gone.
        for user in ours {
            let key = name_of(&user);
            let goes = leavers.contains(&user.name_any());
            if goes {
                declared.removed_users.push(declared.users.remove(&key).map_or_else(|| (*user).clone(), |user| *user));
            } else {
                declared.users.entry(key).or_insert_with(|| Box::new((*user).clone()));
            }
        }
        all.push(expanded);
    }
    Ok(all)
}

/// Tells in the plan of a connection what became of its rosters.
pub fn tell(plan: &mut Plan, key: &ConnectionKey, rosters: &[Expanded]) {
    for expanded in rosters.iter().filter(|expanded| expanded.connection == *key) {
        let by = format!("roster/{}", expanded.roster);
        plan.notes.extend(expanded.notes.iter().map(|note| format!("{by}: {note}")));
        if !expanded.rejected.is_empty() {
            plan.objects.push(PlannedObject {
                kind: "ScimRoster".into(),
                namespace: expanded.namespace.clone(),
                name: expanded.roster.clone(),
                action: Action::Refused,
                message: expanded.rejected.join("; "),
                ..PlannedObject::default()
            });
        }
        if expanded.held.is_empty() {
            continue;
        }
        let of = |object: &&mut PlannedObject| {
            object.kind == "ScimUser" && object.namespace == expanded.namespace && expanded.held.contains(&object.name)
        };
        for object in plan.objects.iter_mut().filter(of) {
            object.held = Some(Held { by: by.clone(), needs_answer: true, digest: None });
            "its row is gone, and it is deleted once a person approves it".clone_into(&mut object.message);
        }
        let sample = expanded.held.iter().take(SAMPLE).map(|name| format!("{}/{name}", expanded.namespace));
        plan.holds.push(PlannedHold {
            reason: by,
            deletes: i64::try_from(expanded.held.len()).unwrap_or(i64::MAX),
            sample: sample.collect(),
            ..PlannedHold::default()
        });
    }
    plan.recount();
}

/// The users that the rows become.
fn write(
    declared: &mut Declared,
    roster: &ScimRoster,
    prepared: &mut Prepared,
    ours: &[Arc<ScimUser>],
    notes: &mut Vec<String>,
) -> Result<()> {
    let schemas = Schemas::shipped();
    for person in prepared.changes.apply.clone() {
        let (name, key) = (prepared.name(person).to_owned(), prepared.key(person));
        let body = match prepared.take_body(person) {
            Ok(body) => body,
            Err(why) => {
                notes.push(format!("{name} can't be written: {why}"));
                continue;
            }
        };
        let spec = match schemas.check("ScimUser", &json!(name), &body.spec) {
            Ok(spec) => spec,
            Err(wrong) => {
                notes.push(format!("{name} would be refused: {}", wrong.join("; ")));
                continue;
            }
        };
        let mut labels = body.labels.clone();
        labels.insert(ROSTER_LABEL.to_owned(), json!(roster.name_any()));
        let object = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "ScimUser",
            "metadata": {
                "name": name, "namespace": roster.namespace(), "labels": labels,
                "annotations": {GENERATED: body.digest(), ROSTER_KEY: key},
                "uid": format!("ScimUser:{}/{name}", roster.namespace().unwrap_or_default()),
            },
            "spec": spec,
        });
        let user: ScimUser = serde_json::from_value(object)?;
        let key = name_of(&user);
        let there = declared.users.remove(&key).map(|there| *there);
        let there = there.or_else(|| ours.iter().find(|user| name_of(user) == key).map(|user| (**user).clone()));
        declared.users.insert(key, Box::new(over_user(there, user)));
    }
    Ok(())
}

/// Those whose rows are gone and who would be deleted; those who wait for an answer are noted.
fn leavers(roster: &ScimRoster, prepared: &Prepared, expanded: &mut Expanded) -> BTreeSet<String> {
    let gone = &prepared.changes.gone;
    if gone.is_empty() {
        return BTreeSet::new();
    }
    if let Some(row) = prepared.unidentified() {
        expanded.notes.push(format!("nobody leaves, since row {} may be any of them: {}", row.row, row.reason));
        return BTreeSet::new();
    }
    let answers = Answers::of(&roster.spec, roster.status.as_ref());
    let guard = Guard::of(roster, prepared.left, Timestamp::now());
    let removals = Removals::judge(gone, &prepared.changes.unsure, &answers, &guard);
    if !removals.kept.is_empty() {
        let kept = removals.kept.len();
        expanded.notes.push(format!("{kept} rows are gone; their users stay, since their hold was rejected"));
    }
    let held = removals.held.filter(|held| !held.rejected);
    expanded.held = held.into_iter().flat_map(|held| held.gone).map(|gone| gone.name).collect();
    removals.deleting.into_iter().chain(removals.go).map(|gone| gone.name).collect()
}

fn name_of(user: &ScimUser) -> Name {
    (user.namespace().unwrap_or_default(), user.name_any())
}

fn told(roster: &ScimRoster, message: &str) -> anyhow::Error {
    anyhow!("the roster {}: {message}", roster.name_any())
}
