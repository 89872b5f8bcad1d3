//! Each person once: of rows with one key, one userName or one externalId at most one counts.

use std::collections::{HashMap, HashSet};

use super::{Identity, People, Person, Rejected};
use crate::roster::source::Table;

/// Those of the rows before; whoever is deleted comes behind all others.
#[derive(Default)]
pub struct Once {
    found: People,
    /// The places and numbers of people by their keys.
    keys: HashMap<Option<String>, (usize, u32)>,
    /// The same of those who have a userName.
    names: HashMap<Option<String>, (usize, u32)>,
    /// The keys of rows that can't be used, and aren't of whoever is deleted.
    unusable_keys: HashSet<String>,
    /// Their userNames.
    unusable_names: HashSet<String>,
}

impl Once {
    /// It can't be used.
    pub fn reject(&mut self, rejected: Rejected, is_deleted: bool) {
        if !is_deleted {
            let Identity { key, user_name, .. } = &rejected.identity;
            self.unusable_keys.extend(key.clone());
            self.unusable_names.extend(user_name.clone());
        }
        self.found.rejected.push(rejected);
    }

    /// Takes one, who `comes_first` where the name was theirs before they were deleted.
    pub fn add(&mut self, person: Person, number: u32, is_keyed: bool, comes_first: bool) {
        let Identity { key, user_name, .. } = &person.identity;
        let of_key = self.keys.get(key).filter(|_| is_keyed).copied();
        let of_name = self.names.get(user_name).copied();
        let is_alive = |known: &(usize, u32)| !self.found.people[known.0].deleted;
        let is_unusable = |of: &HashSet<String>, one: &Option<String>| one.as_ref().is_some_and(|one| of.contains(one));
        // The same person was made anew, or whose account is inactive has nothing to lose to whoever has the name by now.
        let is_anew = of_key.as_ref().is_some_and(is_alive)
            || is_unusable(&self.unusable_keys, key)
            || (!comes_first
                && (of_name.as_ref().is_some_and(is_alive) || is_unusable(&self.unusable_names, user_name)));
        if person.deleted && is_anew {
            return;
        }
        if let Some((_, known)) = of_key {
            self.reject_second(person, known, "key");
            return;
        }
        match of_name {
            None => {
                let place = (self.found.people.len(), number);
                self.keys.insert(key.clone(), place);
                self.names.insert(user_name.clone(), place);
                self.found.people.push(person);
            }
            Some((place, _)) if person.deleted && is_alive(&(place, number)) => {
                let other = self.replace(place, person, number);
                self.found.rejected.push(waiting(other, number));
            }
            Some((_, known)) => self.reject_second(person, known, "userName"),
        }
    }

    fn reject_second(&mut self, person: Person, known: u32, what: &str) {
        let reason = format!("row {known} has the same {what}: leave one of the two out, such as by spec.scope");
        let is_deleted = person.deleted;
        self.reject(Rejected { row: person.row, identity: person.identity, reason }, is_deleted);
    }

    fn replace(&mut self, place: usize, person: Person, number: u32) -> Person {
        self.keys.insert(person.identity.key.clone(), (place, number));
        self.names.insert(person.identity.user_name.clone(), (place, number));
        let other = std::mem::replace(&mut self.found.people[place], person);
        if other.identity.key != self.found.people[place].identity.key {
            self.keys.remove(&other.identity.key);
        }
        other
    }

    /// Everybody.
    pub fn people(mut self, table: &Table) -> People {
        self.found.people.sort_by_key(|person| person.row);
        self.reject_shared_ids(table);
        self.found.rejected.sort_by_key(|rejected| rejected.row);
        self.found
    }

    /// The same externalId is the same person: rows that share one can't be told apart by it. Whoever is deleted is
    /// deactivated all the same.
    fn reject_shared_ids(&mut self, table: &Table) {
        let mut rows: HashMap<&str, Vec<u32>> = HashMap::new();
        for person in &self.found.people {
            let Some(id) = person.identity.external_id.as_deref() else { continue };
            rows.entry(id).or_default().push(table.rows[person.row].number);
        }
        let other = |person: &Person| {
            let id = person.identity.external_id.as_deref().filter(|_| !person.deleted)?;
            let [first, .., last] = rows.get(id)?.as_slice() else { return None };
            Some(if *first == table.rows[person.row].number { *last } else { *first })
        };
        let others: Vec<Option<u32>> = self.found.people.iter().map(other).collect();
        let mut others = others.into_iter();
        let (people, shared): (Vec<_>, Vec<_>) = std::mem::take(&mut self.found.people)
            .into_iter()
            .map(|person| (person, others.next().flatten()))
            .partition(|(_, other)| other.is_none());
        self.found.people = people.into_iter().map(|(person, _)| person).collect();
        self.found.rejected.extend(shared.into_iter().filter_map(|(person, other)| {
            let reason = format!(
                "row {} has the same externalId: map externalId to a column that tells people apart, or write value: \"\"",
                other?
            );
            Some(Rejected { row: person.row, identity: person.identity, reason })
        }));
    }
}

fn waiting(person: Person, other: u32) -> Rejected {
    let reason = format!(
        "row {other} is somebody of the same name whom Entra ID has deleted: this one waits until that account is inactive"
    );
    Rejected { row: person.row, identity: person.identity, reason }
}
