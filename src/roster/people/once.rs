//! Each person once: of rows with one key, one userName or one externalId at most one counts.

use std::collections::HashMap;

use super::{People, Person, Rejected};
use crate::roster::source::Table;

/// Those of the rows before.
#[derive(Default)]
pub struct Once {
    found: People,
    /// The rows' numbers by their keys.
    keys: HashMap<Option<String>, u32>,
    /// The places and numbers of those who have a userName.
    names: HashMap<Option<String>, (usize, u32)>,
    /// The places of people who are deleted, and whose account is not to be anybody's before it is inactive.
    first: Vec<usize>,
}

impl Once {
    /// It can't be used.
    pub fn reject(&mut self, rejected: Rejected) {
        self.found.rejected.push(rejected);
    }

    /// Takes one, who `comes_first` where the name was theirs before they were deleted.
    pub fn add(&mut self, person: Person, number: u32, is_keyed: bool, comes_first: bool) {
        if is_keyed && let Some(first) = self.keys.get(&person.identity.key) {
            let reason = format!("row {first} has the same key: leave one of the two out, such as by spec.scope");
            self.reject(Rejected { row: person.row, identity: person.identity, reason });
            return;
        }
        let Some(&(place, known)) = self.names.get(&person.identity.user_name) else {
            self.keys.insert(person.identity.key.clone(), number);
            self.names.insert(person.identity.user_name.clone(), (self.found.people.len(), number));
            self.first.extend(comes_first.then_some(self.found.people.len()));
            self.found.people.push(person);
            return;
        };
        match (person.deleted, self.found.people[place].deleted) {
            // Whose account is inactive has nothing to lose to whoever has the name by now.
            (true, false) if comes_first => {
                self.first.push(place);
                let other = self.replace(place, person, number);
                self.reject(waiting(other, number));
            }
            (true, false) => {}
            (false, true) if self.first.contains(&place) => self.reject(waiting(person, known)),
            (false, true) => drop(self.replace(place, person, number)),
            _ => {
                let reason =
                    format!("row {known} has the same userName: leave one of the two out, such as by spec.scope");
                self.reject(Rejected { row: person.row, identity: person.identity, reason });
            }
        }
    }

    fn replace(&mut self, place: usize, person: Person, number: u32) -> Person {
        self.keys.insert(person.identity.key.clone(), number);
        self.names.insert(person.identity.user_name.clone(), (place, number));
        let other = std::mem::replace(&mut self.found.people[place], person);
        if other.identity.key != self.found.people[place].identity.key {
            self.keys.remove(&other.identity.key);
        }
        other
    }

    /// Everybody.
    pub fn people(mut self, table: &Table) -> People {
        self.reject_shared_ids(table);
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
