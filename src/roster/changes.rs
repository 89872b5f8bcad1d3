//! What is to be written: people beside the ScimUsers that are there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use kube::ResourceExt;
use serde_json::Value;

use super::columns::fold;
use super::keys::Known;
use super::names::Names;
use super::people::{Body, People, Rejected};
use super::recipe::Recipe;
use super::removals::Gone;
use super::source::Table;
use crate::api::{GENERATED, ROSTER_KEY, ROSTER_LABEL, ScimUser};

/// The ScimUsers of a namespace as a roster sees them.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Those of the roster, by name.
    pub ours: BTreeMap<String, Arc<ScimUser>>,
    /// The names of all others.
    others: BTreeSet<String>,
    /// Of the others at the same connection: their names, by their folded userNames.
    declared: HashMap<String, String>,
}

/// Which roster, and at which connection.
#[derive(Clone, Copy, Debug)]
pub struct Ours<'a> {
    /// The roster's name.
    pub roster: &'a str,
    /// Its connection's.
    pub connection: &'a str,
}

/// What a table asks for.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Whose ScimUsers are to be written, by their places among the people.
    pub apply: Vec<usize>,
    /// Those whose rows are gone.
    pub gone: Vec<Gone>,
    /// The names of those of them whose key was a value of another expression than the one in force: a row that has
    /// another userName and no externalId by now may be theirs (promise I31).
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
            if user.labels().get(ROSTER_LABEL).is_some_and(|label| label == of.roster) {
                given.ours.insert(name, user);
            } else {
                if user.spec.connection_ref.name == of.connection {
                    given.declared.insert(fold(&user.spec.user_name), name.clone());
                }
                given.others.insert(name);
            }
        }
        given
    }

    /// How the people of ours at this connection are known.
    pub fn known(&self, connection: &str) -> Vec<Known> {
        let ours = self.ours.values().filter(|user| user.spec.connection_ref.name == connection);
        ours.map(|user| Known::of(user)).collect()
    }

    /// Who stands in the way of a person.
    fn in_the_way(&self, name: &str, user_name: &str) -> Option<&str> {
        let same_name = self.others.get(name);
        same_name.or_else(|| self.declared.get(user_name)).map(String::as_str)
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
            if let Some(other) = given.in_the_way(name, person.user_name()) {
                reject(format!(
                    "the ScimUser {other} is not this roster's: delete it, or hand it over by the label {ROSTER_LABEL}"
                ));
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
                    reject(reason);
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
        changes.unsure = unsure.map(|(name, _)| (*name).clone()).collect();
        changes.gone = gone
            .into_iter()
            .map(|(name, user)| Gone { name: name.clone(), uid: user.uid().unwrap_or_default() })
            .collect();
        changes
    }
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
