//! Rosters: the users that their rows become, as the controller makes them.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use jiff::Timestamp;
use kube::ResourceExt;
use scim_operator::api::{GENERATED, GROUP, ROSTER_KEY, ROSTER_LABEL, ScimRoster, ScimUser, VERSION};
use scim_operator::roster::{Answers, Ours, Prepared, Verdict, judge, ledger_of, limit_of};
use serde_json::json;

use super::declared::{Declared, Name, over_user};
use crate::cluster::Cluster;
use crate::commands::roster::sources::Sources;
use crate::schema::Schemas;

/// Puts the users of every roster among those that are declared, and takes out those whose rows are gone. `before` are
/// users that rosters made so far. Returns what a person should know.
pub async fn expand(declared: &mut Declared, cluster: Option<&Cluster>, before: &[ScimUser]) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let rosters: Vec<ScimRoster> = declared.rosters.values().cloned().collect();
    let sources = Sources::of(declared.sources.clone());
    for roster in rosters.iter().filter(|roster| !roster.spec.suspend) {
        let namespace = roster.namespace();
        let read = sources.documents(roster, namespace.as_deref(), cluster).await?;
        let (documents, note) = read.map_err(|refused| told(roster, &refused.message))?;
        notes.extend(note);
        let in_namespace = |user: &&ScimUser| user.namespace() == namespace;
        let mut users: Vec<Arc<ScimUser>> =
            declared.users.values().filter(in_namespace).cloned().map(Arc::new).collect();
        let missing = |user: &&ScimUser| !declared.users.contains_key(&name_of(user));
        let earlier = before.iter().filter(in_namespace).filter(missing);
        users.extend(earlier.filter(|user| user.labels().contains_key(ROSTER_LABEL)).cloned().map(Arc::new));
        let known = roster.status.as_ref().and_then(|status| status.columns.clone()).unwrap_or_default();
        let name = roster.name_any();
        let of = Ours { roster: &name, connection: &roster.spec.connection_ref.name };
        let ours: Vec<Arc<ScimUser>> =
            users.iter().filter(|user| user.labels().get(ROSTER_LABEL) == Some(&name)).cloned().collect();
        let prepared = Prepared::new(&roster.spec, &known, documents, users, of);
        let mut prepared = prepared.map_err(|refused| told(roster, &refused.message))?;
        for row in prepared.rejected([]) {
            notes.push(format!("roster {name}: row {} is rejected: {}", row.row, row.reason));
        }
        let leave = may_leave(roster, &prepared, &mut notes);
        let gone: Vec<String> = prepared.changes.gone.iter().map(|gone| gone.name.clone()).collect();
        write(declared, roster, &mut prepared, &ours, &mut notes)?;
        // Those who stay as they are, and those whose rows are gone.
        for user in ours {
            let key = name_of(&user);
            let goes = gone.contains(&user.name_any()) && leave;
            if goes && let Some(user) = declared.users.remove(&key) {
                declared.removed_users.push(user);
            } else if !goes {
                declared.users.entry(key).or_insert_with(|| (*user).clone());
            }
        }
    }
    Ok(notes)
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
                notes.push(format!("roster {}: {name} can't be written: {why}", roster.name_any()));
                continue;
            }
        };
        let spec = match schemas.check("ScimUser", &json!(name), &body.spec) {
            Ok(spec) => spec,
            Err(wrong) => {
                notes.push(format!("roster {}: {name} would be refused: {}", roster.name_any(), wrong.join("; ")));
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
        let there = declared.users.remove(&key);
        let there = there.or_else(|| ours.iter().find(|user| name_of(user) == key).map(|user| (**user).clone()));
        declared.users.insert(key, over_user(there, user));
    }
    Ok(())
}

/// Whether those whose rows are gone would be deleted.
fn may_leave(roster: &ScimRoster, prepared: &Prepared, notes: &mut Vec<String>) -> bool {
    let (gone, name) = (&prepared.changes.gone, roster.name_any());
    if gone.is_empty() {
        return true;
    }
    if let Some(row) = prepared.unidentified() {
        notes.push(format!("roster {name}: nobody leaves, since row {} may be any of them: {}", row.row, row.reason));
        return false;
    }
    let (spec, now) = (&roster.spec, Timestamp::now());
    let limit = limit_of(&spec.guard);
    let ledger = ledger_of(roster, limit, now);
    let answers = Answers { approved: spec.approved_hold.as_deref(), rejected: spec.rejected_hold.as_deref() };
    match judge(gone, prepared.left, &limit, &ledger, answers, now) {
        Verdict::Go => true,
        Verdict::Held { .. } => {
            notes.push(format!("roster {name}: {} rows are gone, which its own guard would hold", gone.len()));
            false
        }
    }
}

fn name_of(user: &ScimUser) -> Name {
    (user.namespace().unwrap_or_default(), user.name_any())
}

fn told(roster: &ScimRoster, message: &str) -> anyhow::Error {
    anyhow!("the roster {}: {message}", roster.name_any())
}
