//! A roster beside the `ScimUser`s of a cluster: who joins, who changes, who leaves.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::ListParams;
use scim_operator::api::{ROSTER_LABEL, RejectedRow, ScimRoster, ScimUser};
use scim_operator::roster::{Answers, Document, Guard, Ours, Prepared, Refused, Removals};
use serde::Serialize;
use serde_json::Value;

use super::sources::Sources;
use crate::cluster::{Cluster, each};
use crate::manifests::Manifests;
use crate::output::{Cell, Row, Tone};

/// What would change, in the cluster or at the server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Against {
    pub people: Vec<Person>,
    #[serde(skip)]
    pub sums: String,
    pub notes: Vec<String>,
    #[serde(skip)]
    pub rejected: Vec<RejectedRow>,
    /// The guard would hold those who leave.
    pub held: bool,
}

/// One whose `ScimUser` would be made, changed or deleted.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// `joins`, `changes`, `leaves`, or of an account `no row`.
    pub what: &'static str,
    /// Of the `ScimUser`; of an account without a row its id.
    pub name: String,
    pub user_name: String,
    pub changes: Vec<Change>,
}

/// One field of a spec.
#[derive(Debug, PartialEq, Serialize)]
pub struct Change {
    pub field: String,
    pub old: Value,
    pub new: Value,
}

/// Reads the rows as the operator does, with the rights of whoever looks, and compares them with the `ScimUser`s.
pub async fn now(cluster: &Cluster, namespace: &str, roster: &ScimRoster) -> Result<Result<Against, Refused>> {
    let documents = Sources::of(Manifests::default()).documents(roster, Some(namespace), Some(cluster)).await?;
    match documents {
        Ok((documents, _)) => Against::compare(cluster, namespace, roster, documents).await,
        Err(refused) => Ok(Err(refused)),
    }
}

impl Against {
    pub async fn compare(
        cluster: &Cluster,
        namespace: &str,
        roster: &ScimRoster,
        documents: Vec<Document>,
    ) -> Result<Result<Self, Refused>> {
        let name = roster.name_any();
        let there = cluster.within::<ScimRoster>(namespace).get_opt(&name).await?;
        let mut users = Vec::new();
        each(&cluster.within::<ScimUser>(namespace), &ListParams::default(), |user: ScimUser| {
            users.push(Arc::new(user));
        })
        .await?;
        let ours = users.iter().filter(|user| user.labels().get(ROSTER_LABEL) == Some(&name));
        let ours: BTreeMap<String, Arc<ScimUser>> = ours.map(|user| (user.name_any(), Arc::clone(user))).collect();
        let status = there.as_ref().and_then(|there| there.status.as_ref());
        let columns = status.and_then(|status| status.columns.clone()).unwrap_or_default();
        let deletes = cluster.connection_of(&roster.spec.connection_ref, namespace).await?;
        let deletes = deletes.is_some_and(|there| there.spec.deletes_accounts());
        let of = Ours { roster: &name, connection: &roster.spec.connection_ref, deletes };
        Ok(Prepared::new(&roster.spec, &columns, documents, users, of)
            .map(|prepared| Self::of(roster, there.as_ref(), prepared, &ours)))
    }

    /// With a note for each rejected row.
    pub fn with_rejected_rows(mut self) -> Self {
        let told = self.rejected.iter().map(|row| format!("row {} is rejected: {}", row.row, row.reason));
        self.notes = told.chain(std::mem::take(&mut self.notes)).collect();
        self
    }

    fn of(
        roster: &ScimRoster,
        there: Option<&ScimRoster>,
        mut prepared: Prepared,
        ours: &BTreeMap<String, Arc<ScimUser>>,
    ) -> Self {
        let (mut people, mut notes) = (Vec::new(), Vec::new());
        for person in prepared.changes.apply.clone() {
            let name = prepared.name(person).to_owned();
            let Ok(body) = prepared.take_body(person) else { continue };
            let user_name = body.spec["userName"].as_str().unwrap_or_default().to_owned();
            let known = ours.get(&name);
            let old = known.and_then(|user| serde_json::to_value(&user.spec).ok()).unwrap_or_default();
            let changes = if known.is_some() { changes(&old, &body.spec) } else { Vec::new() };
            people.push(Person { what: if known.is_some() { "changes" } else { "joins" }, name, user_name, changes });
        }
        let gone = &prepared.changes.gone;
        for gone in gone {
            let user_name = ours.get(&gone.name).map(|user| user.spec.user_name.clone()).unwrap_or_default();
            people.push(Person { what: "leaves", name: gone.name.clone(), user_name, changes: Vec::new() });
        }
        let count = |what: &str| people.iter().filter(|person| person.what == what).count();
        let sums = format!("{} join, {} change, {} leave", count("joins"), count("changes"), count("leaves"));
        let rejected = prepared.rejected([]);
        let held = !gone.is_empty() && leavers_wait(roster, there, &prepared, &mut notes);
        Self { people, sums, notes, rejected, held }
    }
}

/// Whether those who leave would stay for now.
fn leavers_wait(roster: &ScimRoster, there: Option<&ScimRoster>, prepared: &Prepared, notes: &mut Vec<String>) -> bool {
    let gone = &prepared.changes.gone;
    if let Some(row) = prepared.unidentified() {
        notes.push(format!("nobody leaves, since row {} may be any of them: {}", row.row, row.reason));
        return true;
    }
    let status = there.unwrap_or(roster).status.clone();
    let answers = Answers::of(&roster.spec, status.as_ref());
    let declared = ScimRoster { status: status.clone(), ..roster.clone() };
    let guard = Guard::of(&declared, prepared.left, Timestamp::now());
    let removals = Removals::judge(gone, &prepared.changes.unsure, &answers, &guard);
    let Some(held) = removals.held else { return false };
    let why = if held.rejected { "was rejected" } else { "exceeds the roster's guard and waits for an answer" };
    notes.push(format!("{} leave: the hold {} {why}", held.gone.len(), held.id));
    !held.rejected
}

/// What differs, by field; what others have added to an object is theirs.
fn changes(old: &Value, new: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    differ("", old, new, &mut found);
    found
}

fn differ(path: &str, old: &Value, new: &Value, found: &mut Vec<Change>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in new {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                differ(&below, old.get(name).unwrap_or(&Value::Null), value, found);
            }
        }
        (old, new) if old == new => {}
        (old, new) => found.push(Change { field: path.to_owned(), old: old.clone(), new: new.clone() }),
    }
}

impl Row for Person {
    const COLUMNS: &'static [&'static str] = &["", "SCIMUSER", "USER NAME", "CHANGES"];

    fn cells(&self) -> Vec<Cell> {
        let tone = match self.what {
            "joins" => Tone::Good,
            "leaves" | "no row" => Tone::Bad,
            _ => Tone::Warning,
        };
        let changes = self.changes.iter().map(|change| format!("{}: {} → {}", change.field, change.old, change.new));
        vec![
            Cell::toned(self.what, tone),
            self.name.clone().into(),
            self.user_name.clone().into(),
            changes.collect::<Vec<_>>().join(", ").into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_is_told_by_field() {
        let old = json!({"userName": "ada", "name": {"givenName": "Ada"}, "suspend": false});
        let new = json!({"userName": "ada", "name": {"givenName": "A."}, "title": "Countess"});
        let told: Vec<String> = changes(&old, &new).into_iter().map(|change| change.field).collect();
        assert_eq!(told, ["name.givenName", "title"]);
    }
}
