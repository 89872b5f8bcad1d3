//! What is to be written: people beside the ScimUsers that are there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use kube::ResourceExt;
use serde_json::Value;

use super::columns::fold;
use super::keys::{Keys, Known};
use super::leaving::{AccessEnd, Leaver};
use super::names::{Likeness, Names, Predecessor};
use super::people::{Body, Identity, People, Person, Rejected};
use super::recipe::Recipe;
use super::removals::Gone;
use super::source::Table;
use crate::api::{ConnectionRef, DeletionPolicy, GENERATED, ROSTER_KEY, ROSTER_LABEL, ScimUser, UserState};

/// The ScimUsers of a namespace as a roster sees them.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Those of the roster, by name.
    pub ours: BTreeMap<String, Arc<ScimUser>>,
    /// The names of all others.
    pub others: BTreeSet<String>,
    /// Of those at the same connection that no roster made: their names, by their folded userNames.
    by_hand: HashMap<String, String>,
    /// What those of the roster record of their keys that have an account which isn't known to be inactive, and isn't
    /// deleted with them: some servers can do nothing else.
    in_use: BTreeSet<String>,
}

/// Which roster, and at which connection.
#[derive(Clone, Copy, Debug)]
pub struct Ours<'a> {
    /// The roster's name.
    pub roster: &'a str,
    /// Its connection.
    pub connection: &'a ConnectionRef,
    /// Where a ScimUser goes, that connection deletes the account.
    pub deletes: bool,
}

impl Ours<'_> {
    /// The account goes with the ScimUser, which may ask for less than its connection does.
    fn deletes(&self, user: &ScimUser) -> bool {
        self.deletes && user.spec.deletion_policy.is_none_or(|own| own == DeletionPolicy::Delete)
    }
}

/// What a table asks for.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Whose ScimUsers are to be written, leavers first: by their places among the people, and behind these among the
    /// rows that were rejected with them.
    pub apply: Vec<usize>,
    /// Of them, what is to be written of those whose access ends and of whose rows more can't be used.
    pub leaving: HashMap<usize, Leaver>,
    /// Those whose rows are gone.
    pub gone: Vec<Gone>,
    /// The names of those of them that another row may be by now (promise I31): their key was a value of another
    /// expression than the one in force, or is another ScimUser's, too; or their externalId, or a
    /// likeness of their key, is that of a row of another key.
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
                if has_account(&user) && !of.deletes(&user) {
                    given.in_use.extend(user.annotations().get(ROSTER_KEY).cloned());
                }
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

    /// Whether the ScimUser that was written for this key has an account which is to be deactivated, and isn't known to be
    /// inactive.
    pub fn is_in_use(&self, keys: &Keys, key: &str) -> bool {
        self.in_use.contains(&keys.record(key))
    }

    fn live(&self, name: &str) -> Option<&ScimUser> {
        self.ours.get(name).filter(|user| user.metadata.deletion_timestamp.is_none()).map(|user| &**user)
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
        for (at, (person, name)) in people.people.iter().zip(&names.names).enumerate() {
            let rejected = |reason| Rejected { row: person.row, identity: person.identity.clone(), reason };
            let by_hand = given.by_hand.get(person.user_name());
            let predecessor = names.succeeding.get(&at).filter(|_| by_hand.is_none());
            if let Some(Predecessor { name: other, by }) = predecessor {
                let goes = given.ours.get(other).is_some_and(|user| user.metadata.deletion_timestamp.is_some());
                if goes {
                    changes.waits = true;
                } else {
                    changes.rejected.push(rejected(another_key(other, *by)));
                }
                changes.unsure.extend((*by != Likeness::UserName).then(|| other.clone()));
                continue;
            }
            let row = &table.rows[person.row];
            let written = by_hand.map(String::as_str).map(written_by_hand).or_else(|| misplaced(at, name, names));
            let body = match written.map_or_else(|| recipe.body(row, |whom| names.find(whom)), Err) {
                Ok(body) => body,
                Err(mut reason) => {
                    let certain = |user: &&ScimUser| !names.crossed.contains_key(&at) || is_same(keys, person, user);
                    if let Some(user) = given.live(name).filter(certain)
                        && let Some(end) = recipe.access_end(table, row)
                    {
                        reason += end.told(user).unwrap_or_default();
                        changes.ends(recipe, at, user, end, &person.identity);
                    }
                    changes.rejected.push(rejected(reason));
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
        changes.name_awaited(people, names);
        changes.end_of_rejected(recipe, table, people, names, given);
        changes.apply.sort_by_key(|at| !changes.leaving.contains_key(at));
        changes.find_gone(keys, names, given);
        changes
    }

    /// Whose account is waited for without an end, as where a server refuses it, is to be looked at.
    fn name_awaited(&mut self, people: &People, names: &Names) {
        let by_row: HashMap<usize, &String> = people.people.iter().map(|person| person.row).zip(&names.names).collect();
        for (rejected, before) in self.rejected.iter_mut().zip(&people.rejected) {
            if let Some(name) = people.waiting.get(&before.row).and_then(|row| by_row.get(row)) {
                let reason = std::mem::take(&mut rejected.reason);
                rejected.reason = format!("{reason} (kubectl describe scimuser {name} tells why, if it stays active)");
            }
        }
    }

    fn ends(&mut self, recipe: &Recipe, at: usize, user: &ScimUser, end: AccessEnd, identity: &Identity) {
        let key = identity.key.as_deref().map(|key| recipe.keys.record(key));
        if let Some(leaver) = recipe.leaver(user, end, key) {
            self.leaving.insert(at, leaver);
            self.apply.push(at);
        }
    }

    /// Nothing else delays a removal (promise I17): the end of access is taken from rejected rows, where no other row may
    /// be the same person's and say otherwise.
    fn end_of_rejected(&mut self, recipe: &Recipe, table: &Table, people: &People, names: &Names, given: &Given) {
        let written: BTreeSet<&str> = names.names.iter().map(String::as_str).collect();
        for (name, places) in names.standing.iter().filter(|(name, _)| !written.contains(name.as_str())) {
            let found = places.iter().find(|place| names.rejected[**place].as_ref() == Some(name));
            let (Some(user), Some(found)) = (given.live(name), found) else { continue };
            let end_of = |place: &usize| {
                let row = &table.rows[people.rejected[*place].row];
                let is_sound = !row.torn && !names.crossed.contains_key(&(people.people.len() + place));
                is_sound.then(|| recipe.access_end(table, row)).flatten()
            };
            let Some(end) = end_of(found).filter(|end| places.iter().all(|place| end_of(place) == Some(*end))) else {
                continue;
            };
            for place in places {
                self.rejected[*place].reason += end.told(user).unwrap_or_default();
            }
            self.ends(recipe, people.people.len() + found, user, end, &people.rejected[*found].identity);
        }
    }

    fn find_gone(&mut self, keys: &Keys, names: &Names, given: &Given) {
        let called: BTreeSet<&String> = names.names.iter().chain(names.standing.keys()).collect();
        let gone = given
            .ours
            .iter()
            .filter(|(name, user)| !called.contains(name) && user.metadata.deletion_timestamp.is_none());
        let gone: Vec<_> = gone.collect();
        let unsure = gone.iter().filter(|(_, user)| keys.is_of_another_expression(&Known::of(user)));
        self.unsure.extend(unsure.map(|(name, _)| (*name).clone()).chain(names.copies.iter().cloned()));
        self.gone = gone
            .into_iter()
            .map(|(name, user)| Gone { name: name.clone(), uid: user.uid().unwrap_or_default() })
            .collect();
    }
}

/// It is bound to an account that isn't known to be inactive.
fn has_account(user: &ScimUser) -> bool {
    user.status.as_ref().is_some_and(|status| {
        status.id.is_some() && status.active != Some(false) && status.state != Some(UserState::DeletedAtServer)
    })
}

fn written_by_hand(other: &str) -> String {
    format!("the ScimUser {other} is not this roster's: delete it, or hand it over by the label {ROSTER_LABEL}")
}

/// Why an externalId is not written.
fn misplaced(at: usize, name: &str, names: &Names) -> Option<String> {
    if let Some(owner) = names.crossed.get(&at) {
        return Some(format!(
            "its externalId is that of the ScimUser {owner}, which is another row's: was one column sorted alone? If the \
             two were mixed up before, correct spec.externalId of both ScimUsers"
        ));
    }
    names.rewritten.contains(&at).then(|| {
        format!(
            "its externalId differs from that of its ScimUser {name} as a spreadsheet rewrites numbers (00017, 17, 17.0, \
             or 12345 and 12,345): format the column as text; if the new one is right, set spec.externalId of the ScimUser to it"
        )
    })
}

/// Whose externalId is somebody else's is this one where both their key and their userName are.
fn is_same(keys: &Keys, person: &Person, user: &ScimUser) -> bool {
    let known = Known::of(user);
    keys.tells_apart(&known) && keys.is_of(&known, person.key()) && known.user_name == person.user_name()
}

/// Why a row waits for the ScimUser of another key, and what to do if that isn't another person.
fn another_key(other: &str, by: Likeness) -> String {
    let what = match by {
        Likeness::UserName => "userName",
        Likeness::ExternalId => "externalId",
        Likeness::Key => {
            return format!(
                "its key may be that of the ScimUser {other}, written otherwise (10100, 10.100, or full-width), and its userName \
                 is another: it waits until {other} is deleted. If it is the same person, write the key as it was, or set \
                 spec.userName of {other} to the new one"
            );
        }
    };
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
