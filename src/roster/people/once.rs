//! Each person once: of rows with one key, one userName or one externalId at most one counts.

use std::collections::{HashMap, HashSet};

use super::{Identity, People, Person, Recipe, Rejected};
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
                let row = person.row;
                let other = self.replace(place, person, number);
                self.found.waiting.insert(other.row, row);
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
    pub fn people(mut self, recipe: &Recipe, table: &Table) -> People {
        self.found.people.sort_by_key(|person| person.row);
        self.reject_shared_ids(table);
        self.reject_doubtful_ends(recipe, table);
        self.found.rejected.sort_by_key(|rejected| rejected.row);
        self.found
    }

    /// Of several rows of one person the first counts; but it ends nobody's access that another one doesn't end: systems
    /// write a row for each job.
    fn reject_doubtful_ends(&mut self, recipe: &Recipe, table: &Table) {
        let others = Others::of(&self.found.rejected);
        let end_of = |row: usize| recipe.access_end(table, &table.rows[row]);
        let doubt = |person: &Person| {
            let mut others = others.of_person(&person.identity).filter(|_| !person.deleted).peekable();
            others.peek()?;
            let end = end_of(person.row)?;
            // Which value is of which column isn't certain in a row that is torn.
            let goes_on = |row: &usize| end.is_before(end_of(*row).filter(|_| !table.rows[*row].torn));
            others.find(goes_on).map(|row| table.rows[row].number)
        };
        let doubts: Vec<Option<u32>> = self.found.people.iter().map(doubt).collect();
        self.reject_people(doubts, |other| {
            format!(
                "row {other} is of the same person, and doesn't end their access as this one does: leave one of the two \
                 out, such as by spec.scope"
            )
        });
    }

    /// Those of the people, in their order, for whom another row is given.
    fn reject_people(&mut self, others: Vec<Option<u32>>, reason: impl Fn(u32) -> String) {
        let people = std::mem::take(&mut self.found.people);
        for (person, other) in people.into_iter().zip(others) {
            match other {
                None => self.found.people.push(person),
                Some(other) => {
                    self.found.rejected.push(Rejected {
                        row: person.row,
                        identity: person.identity,
                        reason: reason(other),
                    });
                }
            }
        }
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
        self.reject_people(others, |other| {
            format!(
                "row {other} has the same externalId: map externalId to a column that tells people apart, or write value: \"\""
            )
        });
    }
}

/// Rejected rows by what they are known by, to look up which are of somebody who counts.
struct Others {
    /// By their keys.
    keys: HashMap<String, Vec<usize>>,
    /// By their userNames, where the keys can't be read.
    names: HashMap<String, Vec<usize>>,
    /// By their externalIds, where the keys can't be read.
    external_ids: HashMap<String, Vec<usize>>,
}

impl Others {
    fn of(rejected: &[Rejected]) -> Self {
        let mut others = Self { keys: HashMap::new(), names: HashMap::new(), external_ids: HashMap::new() };
        for Rejected { row, identity, .. } in rejected {
            if let Some(key) = &identity.key {
                others.keys.entry(key.clone()).or_default().push(*row);
                continue;
            }
            if let Some(name) = &identity.user_name {
                others.names.entry(name.clone()).or_default().push(*row);
            }
            if let Some(id) = &identity.external_id {
                others.external_ids.entry(id.clone()).or_default().push(*row);
            }
        }
        others
    }

    /// The rows that are of this one, too.
    fn of_person(&self, identity: &Identity) -> impl Iterator<Item = usize> {
        let Identity { key, user_name, external_id, .. } = identity;
        let of = |rows: &'_ HashMap<String, Vec<usize>>, one: &Option<String>| {
            one.as_ref().and_then(|one| rows.get(one)).cloned().unwrap_or_default()
        };
        let found = [of(&self.keys, key), of(&self.names, user_name), of(&self.external_ids, external_id)];
        found.into_iter().flatten()
    }
}

fn waiting(person: Person, other: u32) -> Rejected {
    let reason = format!(
        "row {other} is somebody of the same name whom Entra ID has deleted: this one waits until that account is inactive"
    );
    Rejected { row: person.row, identity: person.identity, reason }
}
