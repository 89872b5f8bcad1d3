//! What is to be written: people beside the ScimUsers that are there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use kube::ResourceExt;
use serde_json::Value;

use super::columns::fold;
use super::keys::Known;
use super::names::{Names, Predecessor};
use super::people::{Body, People, Rejected};
use super::recipe::Recipe;
use super::removals::Gone;
use super::source::Table;
use crate::api::{ConnectionRef, GENERATED, ROSTER_KEY, ROSTER_LABEL, ScimUser};

/// The ScimUsers of a namespace as a roster sees them.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Those of the roster, by name.
    pub ours: BTreeMap<String, Arc<ScimUser>>,
    /// The names of all others.
    pub others: BTreeSet<String>,
    /// Of those at the same connection that no roster made: their names, by their folded userNames.
    by_hand: HashMap<String, String>,
}

/// Which roster, and at which connection.
#[derive(Clone, Copy, Debug)]
pub struct Ours<'a> {
    /// The roster's name.
    pub roster: &'a str,
    /// Its connection.
    pub connection: &'a ConnectionRef,
}

/// What a table asks for.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Whose ScimUsers are to be written, by their places among the people.
    pub apply: Vec<usize>,
    /// Of them, what is to be written of those who have left and of whose rows more can't be used.
    pub leaving: HashMap<usize, Body>,
    /// Those whose rows are gone.
    pub gone: Vec<Gone>,
    /// The names of those of them that another row may be by now (promise I31): their key was a value of another
    /// expression than the one in force, or is another ScimUser's, too; or their externalId is that of a row of another key.
    pub unsure: BTreeSet<String>,
    /// Rows that can't be used, conflicts with objects of others included.
    pub rejected: Vec<Rejected>,
    /// Everybody who has a ScimUser once all is written.
    pub generated: usize,
    /// Rows that name a manager that no row is.
    pub managers_missing: usize,
    /// Some are under deletion still, and are made anew when they are gone.
    pub waits: bool,
}

impl Given {
    /// Sorts the ScimUsers of the roster's namespace.
    pub fn sort(users: impl IntoIterator<Item = Arc<ScimUser>>, of: Ours) -> Self {
        let mut given = Self::default();
        for user in users {
            let name = user.name_any();
            let roster = user.labels().get(ROSTER_LABEL);
            if roster.is_some_and(|label| label == of.roster) {
                given.ours.insert(name, user);
                continue;
            }
            // The account of one that goes, or that another roster has, is handed over once it is gone (promise I8).
            let stays = roster.is_none() && user.metadata.deletion_timestamp.is_none();
            if stays && user.spec.connection_ref == *of.connection {
                given.by_hand.insert(fold(&user.spec.user_name), name.clone());
            }
            given.others.insert(name);
        }
        given
    }

    /// How the people of ours at this connection are known.
    pub fn known(&self, connection: &ConnectionRef) -> Vec<Known> {
        let ours = self.ours.values().filter(|user| user.spec.connection_ref == *connection);
        ours.map(|user| Known::of(user)).collect()
    }
}

impl Changes {
    /// Compares what people's rows say with what there is.
    pub fn of(recipe: &Recipe, table: &Table, people: &People, names: &Names, given: &Given) -> Self {
        let keys = &recipe.keys;
        let mut changes = Self { rejected: people.rejected.clone(), ..Self::default() };
        let mut called: BTreeSet<&str> = names.kept.iter().map(String::as_str).collect();
        for (at, (person, name)) in people.people.iter().zip(&names.names).enumerate() {
            called.insert(name);
            let mut reject = |reason: String| {
                changes.rejected.push(Rejected { row: person.row, identity: person.identity.clone(), reason });
            };
            if let Some(other) = given.by_hand.get(person.user_name()) {
                reject(format!(
                    "the ScimUser {other} is not this roster's: delete it, or hand it over by the label {ROSTER_LABEL}"
                ));
                continue;
            }
            if let Some(Predecessor { name: other, is_unsure }) = names.succeeding.get(&at) {
                let goes = given.ours.get(other).is_some_and(|user| user.metadata.deletion_timestamp.is_some());
                changes.unsure.extend(is_unsure.then(|| other.clone()));
                if goes {
                    changes.waits = true;
                } else {
                    reject(another_key(other, *is_unsure));
                }
                continue;
            }
            if let Some(owner) = names.crossed.get(&at) {
                reject(format!(
                    "its externalId is that of the ScimUser {owner}, which is another row's: was one column sorted \
                     alone? If the two were mixed up before, correct spec.externalId of both ScimUsers"
                ));
                continue;
            }
            if names.rewritten.contains(&at) {
                reject(format!(
                    "its externalId differs from that of its ScimUser {name} as a spreadsheet rewrites numbers (00017, 17, \
                     17.0): format the column as text; if the new one is right, set spec.externalId of the ScimUser to it"
                ));
                continue;
            }
            let body = match recipe.body(&table.rows[person.row], |whom| names.find(whom)) {
                Ok(body) => body,
                Err(reason) => {
                    // Nothing else delays a removal (promise I17).
                    let user = given.ours.get(name).filter(|_| recipe.has_left(&table.rows[person.row]));
                    let Some(user) = user.filter(|user| user.metadata.deletion_timestamp.is_none()) else {
                        reject(reason);
                        continue;
                    };
                    reject(format!("{reason}. The account is deactivated all the same"));
                    if user.spec.active != Some(false) {
                        changes.leaving.insert(at, recipe.deactivated(user));
                        changes.apply.push(at);
                    }
                    continue;
                }
            };
            changes.managers_missing += usize::from(body.manager_missing);
            match given.ours.get(name) {
                Some(user) if user.metadata.deletion_timestamp.is_some() => changes.waits = true,
                Some(user)
                    if says(user, &body) && user.annotations().get(ROSTER_KEY) == Some(&keys.record(person.key())) =>
                {
                    changes.generated += 1;
                }
                _ => {
                    changes.generated += 1;
                    changes.apply.push(at);
                }
            }
        }
        let gone = given
            .ours
            .iter()
            .filter(|(name, user)| !called.contains(name.as_str()) && user.metadata.deletion_timestamp.is_none());
        let gone: Vec<_> = gone.collect();
        let unsure = gone.iter().filter(|(_, user)| keys.is_of_another_expression(&Known::of(user)));
        changes.unsure.extend(unsure.map(|(name, _)| (*name).clone()).chain(names.copies.iter().cloned()));
        changes.gone = gone
            .into_iter()
            .map(|(name, user)| Gone { name: name.clone(), uid: user.uid().unwrap_or_default() })
            .collect();
        changes
    }
}

/// Why a row waits for the ScimUser of another key, and what to do if that isn't another person.
fn another_key(other: &str, is_unsure: bool) -> String {
    let what = if is_unsure { "externalId" } else { "userName" };
    format!(
        "its {what} is that of the ScimUser {other}, which was written for another key, so for another person: it waits \
         until {other} is deleted. If it is the same person: kubectl annotate scimuser {other} {ROSTER_KEY}-"
    )
}

/// The object says what its row does. What others have added to it is theirs.
fn says(user: &ScimUser, body: &Body) -> bool {
    let spec = serde_json::to_value(&user.spec).unwrap_or_default();
    let labels = user.labels();
    user.annotations().get(GENERATED) == Some(&body.digest())
        && body.labels.iter().all(|(name, value)| labels.get(name).map(String::as_str) == value.as_str())
        && holds(&spec, &body.spec)
}

/// Every field of `part` is in `whole`; lists are whole ones.
fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|known| holds(known, value)))
        }
        (whole, part) => whole == part,
    }
}
