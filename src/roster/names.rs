//! How the ScimUsers of people are called. A name stays with a person: who is renamed is not deleted and made anew.

use std::collections::{BTreeSet, HashMap};

use sha2::{Digest, Sha256};

use super::columns::fold;
use super::functions::slug;
use super::people::{People, Person};

/// A ScimUser that the roster has already, and how its person is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Its userName, folded.
    pub user_name: String,
    /// Its externalId.
    pub external_id: Option<String>,
}

/// The names of people's ScimUsers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// One a person, in their order.
    pub names: Vec<String>,
    /// Those of rejected rows, which keep what they have.
    pub kept: BTreeSet<String>,
    /// Their places, by key, userName and externalId.
    index: HashMap<String, usize>,
}

impl Names {
    /// The name made of the key; where there is none of that name, the one that already has the userName or the
    /// externalId of the person and that nobody else is called.
    pub fn of(connection: &str, people: &People, known: &[Known]) -> Self {
        let there: BTreeSet<&str> = known.iter().map(|known| known.name.as_str()).collect();
        let made: Vec<String> = people.people.iter().map(|person| name_of(connection, &person.key)).collect();
        let kept_keys = people.rejected.iter().filter_map(|rejected| rejected.key.as_deref());
        let kept: BTreeSet<String> = kept_keys.map(|key| name_of(connection, key)).collect();
        let taken: BTreeSet<&str> = made.iter().chain(&kept).map(String::as_str).collect();
        let free: Vec<&Known> = known.iter().filter(|known| !taken.contains(known.name.as_str())).collect();
        let by_name = unique(free.iter().map(|known| (known.user_name.as_str(), known.name.as_str())));
        let by_id = unique(free.iter().filter_map(|known| Some((known.external_id.as_deref()?, known.name.as_str()))));
        let mut given = BTreeSet::new();
        let names: Vec<String> = people
            .people
            .iter()
            .zip(made)
            .map(|(person, made)| {
                if there.contains(made.as_str()) {
                    return made;
                }
                let same_id = person.external_id.as_deref().and_then(|id| by_id.get(id));
                let found = by_name.get(person.user_name.as_str()).or(same_id);
                match found.filter(|name| given.insert(**name)) {
                    Some(name) => (*name).to_owned(),
                    None => made,
                }
            })
            .collect();
        let index = index(&people.people);
        Self { names, kept, index }
    }

    /// The ScimUser of whoever has this key, userName or externalId, folded.
    pub fn find(&self, whom: &str) -> Option<String> {
        self.index.get(whom).map(|place| self.names[*place].clone())
    }
}

/// Made of the key and the connection: a slug to be read, and eight hex digits to be told apart by.
pub fn name_of(connection: &str, key: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(connection);
    hash.update([0]);
    hash.update(key);
    let digits = super::hex(&hash.finalize()[..4]);
    match slug(key, 40) {
        slug if slug.is_empty() => format!("person-{digits}"),
        slug => format!("{slug}-{digits}"),
    }
}

/// What occurs once.
fn unique<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> HashMap<&'a str, &'a str> {
    let mut found: HashMap<&str, Option<&str>> = HashMap::new();
    for (value, name) in pairs {
        found.entry(value).and_modify(|known| *known = None).or_insert(Some(name));
    }
    found.into_iter().filter_map(|(value, name)| Some((value, name?))).collect()
}

fn index(people: &[Person]) -> HashMap<String, usize> {
    let mut index = HashMap::with_capacity(people.len());
    // A key goes before a userName, and that before an externalId, where they happen to be alike.
    for (place, person) in people.iter().enumerate() {
        index.insert(person.key.clone(), place);
    }
    for (place, person) in people.iter().enumerate().filter(|(_, person)| person.user_name != person.key) {
        index.entry(person.user_name.clone()).or_insert(place);
    }
    for (place, person) in people.iter().enumerate() {
        if let Some(id) = &person.external_id {
            index.entry(fold(id)).or_insert(place);
        }
    }
    index
}
