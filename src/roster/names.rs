//! Which ScimUser is whose. An object stays with a person: who is renamed is not deleted and made anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::columns::fold;
use super::keys::{Keys, Known, numbers};
use super::people::{Identity, People};

/// The ScimUsers of people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// One a person, in their order.
    pub names: Vec<String>,
    /// Of each rejected row the one that it was matched with.
    pub rejected: Vec<Option<String>>,
    /// Those that rejected rows may stand for, with the places of these: they stay.
    pub standing: BTreeMap<String, Vec<usize>>,
    /// The places of rejected rows that may stand for any ScimUser, so that nobody can be taken for gone.
    pub unidentified: Vec<usize>,
    /// The rows, rejected ones behind people's, whose externalId is recorded at the ScimUser of somebody else, with its
    /// name.
    pub crossed: HashMap<usize, String>,
    /// The people whose externalId differs from that of their ScimUser as a spreadsheet rewrites numbers.
    pub rewritten: BTreeSet<usize>,
    /// The people who have the userName, the externalId or a likeness of the key of a ScimUser that was written for another
    /// key, and have none of their own.
    pub succeeding: HashMap<usize, Predecessor>,
    /// Those that have the recorded key of another one, which is somebody's: copies that somebody made by hand.
    pub copies: BTreeSet<String>,
    /// By key, userName and externalId.
    index: HashMap<String, String>,
}

/// A ScimUser of another key, and so of another person, that somebody's row is like by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predecessor {
    /// Its name.
    pub name: String,
    /// What is like it.
    pub by: Likeness,
}

/// By what a row is like a ScimUser of another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// The userName is the same.
    UserName,
    /// The externalId is, and the userName isn't: the key may be one that changes after all.
    ExternalId,
    /// The key may be the same, written otherwise, and nothing else is the same.
    Key,
}

impl Names {
    /// By the recorded key; else by the externalId, else by the userName, of those that no key claims; else a new name
    /// made of the key, other than those `taken`. Rejected rows are matched in the same way, as if nothing were wrong
    /// with them.
    pub fn of(keys: &Keys, people: &People, known: &[Known], taken: &BTreeSet<String>) -> Self {
        let rows = people.people.iter().map(|person| &person.identity);
        let rows: Vec<&Identity> = rows.chain(people.rejected.iter().map(|rejected| &rejected.identity)).collect();
        let found = matched(keys, &rows, known);
        let claimed: BTreeSet<&str> = found.iter().flatten().copied().collect();
        let rejected = &rows[people.people.len()..];
        let index = Identities::of(known);
        let free = Free::of(keys, known, &claimed);
        let mut standing: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut unidentified = Vec::new();
        for (place, (identity, object)) in rejected.iter().zip(&found[people.people.len()..]).enumerate() {
            let mut may_be = index.of_row(keys, identity);
            if identity.key.is_none() || (may_be.is_empty() && free.may_have(identity)) {
                unidentified.push(place);
            }
            may_be.extend(object);
            if object.is_none() {
                may_be.extend(index.of_rewritten_key(keys, identity));
            }
            for name in may_be {
                standing.entry(name.to_owned()).or_default().push(place);
            }
        }
        let names = named(keys, &rows[..people.people.len()], &found, known, taken);
        let objects = names.iter().map(|name| Some(name.as_str())).chain(found[names.len()..].iter().copied());
        let objects: Vec<Option<&str>> = objects.collect();
        let crossed = crossed(&rows, &objects, known, &claimed);
        let succeeding = succeeding(keys, &rows[..people.people.len()], &found, known, &claimed);
        let rewritten = rewritten(&rows[..people.people.len()], &names, known);
        let copies = copies(known, &claimed);
        let index = look_up(&rows, &objects);
        let rejected = found[names.len()..].iter().map(|object| object.map(str::to_owned)).collect();
        Self { names, rejected, standing, unidentified, crossed, rewritten, succeeding, copies, index }
    }

    /// The ScimUser of whoever has this key, userName or externalId, folded.
    pub fn find(&self, whom: &str) -> Option<String> {
        self.index.get(whom).cloned()
    }
}

/// The object of each row, if it has one.
fn matched<'a>(keys: &Keys, rows: &[&Identity], known: &'a [Known]) -> Vec<Option<&'a str>> {
    let recorded = by_recorded_key(known);
    let unrecorded: BTreeSet<&str> =
        known.iter().filter(|known| known.key.is_none()).map(|known| known.name.as_str()).collect();
    // Of several that have the key the one that was called by it is meant, or else the one of the person's name.
    let own = |record: &str, row: &Identity| {
        let called = row.key.as_deref().map(|key| keys.name(key));
        let same_name = |known: &Known| row.user_name.as_deref() == Some(&*known.user_name);
        let objects = recorded.get(record)?.iter();
        objects.min_by_key(|known| (called.as_ref() != Some(&known.name), !same_name(known))).copied()
    };
    let by_key = |row: &Identity| {
        let key = row.key.as_deref()?;
        own(&keys.record(key), row)
            .map(|known| &*known.name)
            .or_else(|| unrecorded.get(keys.name(key).as_str()).copied())
    };
    let mut claimed = BTreeSet::new();
    let mut found: Vec<Option<&str>> = Vec::with_capacity(rows.len());
    for row in rows {
        found.push(by_key(row).filter(|name| claimed.insert(*name)));
    }
    if known.iter().any(|known| keys.tells_apart(known) && !claimed.contains(known.name.as_str())) {
        for (row, object) in rows.iter().zip(&mut found).filter(|(_, object)| object.is_none()) {
            let Some(key) = row.key.as_deref() else { continue };
            let (likely, certain) = (keys.records_before_rewriting(key), keys.records_but_for_zeros(key));
            let likely = likely.iter().filter_map(|record| own(record, row)).filter(|known| is_same(row, known));
            let objects = likely.chain(certain.iter().filter_map(|record| own(record, row)));
            *object = objects.map(|known| &*known.name).find(|name| claimed.insert(*name));
        }
    }
    let free: Vec<&Known> = known.iter().filter(|known| !claimed.contains(known.name.as_str())).collect();
    let may_be = |row: &Identity, known: &Known| row.key.is_none() || !keys.tells_apart(known);
    let by_id = unique(free.iter().filter_map(|known| Some((known.external_id.as_deref()?, *known))));
    let by_name = unique(free.iter().map(|known| (known.user_name.as_str(), *known)));
    // Everybody's externalId before anybody's userName: a name may be somebody else's by now.
    for (row, object) in rows.iter().zip(&mut found).filter(|(_, object)| object.is_none()) {
        let known = row.external_id.as_deref().and_then(|id| by_id.get(id)).filter(|known| may_be(row, known));
        *object = known.map(|known| known.name.as_str()).filter(|name| claimed.insert(*name));
    }
    for (row, object) in rows.iter().zip(&mut found).filter(|(_, object)| object.is_none()) {
        let known = row.any_name().and_then(|name| by_name.get(name));
        let known = known.filter(|known| may_be(row, known) && !is_another(row, known));
        *object = known.map(|known| known.name.as_str()).filter(|name| claimed.insert(*name));
    }
    found
}

fn by_recorded_key(known: &[Known]) -> HashMap<&str, Vec<&Known>> {
    by_recorded_key_of(known.iter())
}

fn by_recorded_key_of<'a>(known: impl Iterator<Item = &'a Known>) -> HashMap<&'a str, Vec<&'a Known>> {
    let mut recorded: HashMap<&str, Vec<&Known>> = HashMap::new();
    for known in known {
        if let Some(key) = &known.key {
            recorded.entry(key).or_default().push(known);
        }
    }
    recorded
}

fn copies(known: &[Known], claimed: &BTreeSet<&str>) -> BTreeSet<String> {
    let is_claimed = |known: &&&Known| claimed.contains(known.name.as_str());
    let several = by_recorded_key(known).into_values().filter(|of_key| of_key.iter().any(|known| is_claimed(&known)));
    several.flatten().filter(|known| !is_claimed(&known)).map(|known| known.name.clone()).collect()
}

/// Whether it is the same person by what isn't the key.
fn is_same(row: &Identity, known: &Known) -> bool {
    let same_id = row.external_id.is_some() && row.external_id == known.external_id;
    same_id || (row.user_name.as_deref() == Some(&*known.user_name) && !is_another(row, known))
}

/// Another externalId is another person; one that was rewritten is not.
fn is_another(row: &Identity, known: &Known) -> bool {
    match (&row.external_id, &known.external_id) {
        (Some(one), Some(other)) => one != other && !is_rewritten(one, other),
        _ => false,
    }
}

/// Whether a spreadsheet makes the one of the other: they are one number.
fn is_rewritten(one: &str, other: &str) -> bool {
    one != other && numbers(one).iter().any(|number| numbers(other).contains(number))
}

/// Objects by what rows are known by.
struct Identities<'a> {
    records: HashMap<&'a str, Vec<&'a Known>>,
    names: HashMap<&'a str, &'a Known>,
    user_names: HashMap<&'a str, Vec<&'a Known>>,
    external_ids: HashMap<&'a str, Vec<&'a Known>>,
}

impl<'a> Identities<'a> {
    fn of(known: &'a [Known]) -> Self {
        let (mut user_names, mut external_ids) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for known in known {
            user_names.entry(known.user_name.as_str()).or_default().push(known);
            if let Some(id) = &known.external_id {
                external_ids.entry(id.as_str()).or_default().push(known);
            }
        }
        let names = known.iter().map(|known| (known.name.as_str(), known)).collect();
        Self { records: by_recorded_key(known), names, user_names, external_ids }
    }

    /// The objects of which one of the row's identities is one of theirs.
    fn of_row(&self, keys: &Keys, row: &Identity) -> BTreeSet<&'a str> {
        let record = row.key.as_deref().map(|key| keys.record(key));
        let of_key = record.and_then(|record| self.records.get(record.as_str()));
        let called = row.key.as_deref().and_then(|key| self.names.get(keys.name(key).as_str()));
        let of_name = row.any_name().and_then(|name| self.user_names.get(name));
        let of_id = row.external_id.as_deref().and_then(|id| self.external_ids.get(id));
        let all = [of_key, of_name, of_id].into_iter().flatten().flatten().chain(called);
        all.map(|known| known.name.as_str()).collect()
    }

    /// The objects whose keys may be the row's, written otherwise.
    fn of_rewritten_key(&self, keys: &Keys, row: &Identity) -> Vec<&'a str> {
        let key = row.key.as_deref().filter(|_| !self.records.is_empty());
        let records = key.map(|key| keys.records_before_rewriting(key)).unwrap_or_default();
        let objects = records.iter().filter_map(|record| self.records.get(record.as_str())).flatten();
        objects.map(|known| known.name.as_str()).collect()
    }
}

/// What is known of the objects that nobody claims.
struct Free {
    /// Of one the key isn't recorded.
    unrecorded: bool,
    /// One has an externalId.
    with_id: bool,
}

impl Free {
    fn of(keys: &Keys, known: &[Known], claimed: &BTreeSet<&str>) -> Self {
        let free = || known.iter().filter(|known| !claimed.contains(known.name.as_str()));
        Self {
            unrecorded: free().any(|known| !keys.has_recorded(known)),
            with_id: free().any(|known| known.external_id.is_some()),
        }
    }

    /// What can't be read of a row might tell that one of them is its own. A key that is recorded tells them apart, however
    /// little else can be read.
    fn may_have(&self, row: &Identity) -> bool {
        (row.user_name.is_none() && self.unrecorded) || (row.external_id_unreadable && self.with_id)
    }
}

/// The names of people's objects, new ones included.
fn named(
    keys: &Keys,
    people: &[&Identity],
    found: &[Option<&str>],
    known: &[Known],
    taken: &BTreeSet<String>,
) -> Vec<String> {
    let mut taken: BTreeSet<String> =
        known.iter().map(|known| known.name.clone()).chain(taken.iter().cloned()).collect();
    let mut new = |key: &str| {
        let mut number = 0;
        let mut name = keys.name(key);
        while !taken.insert(name.clone()) {
            number += 1;
            name = keys.numbered_name(key, number);
        }
        name
    };
    let names = people.iter().zip(found).map(|(person, found)| match found {
        Some(name) => (*name).to_owned(),
        None => new(person.key.as_deref().unwrap_or_default()),
    });
    names.collect()
}

/// An externalId moves from nobody to nobody else: it was one column of a sheet that was sorted, or shifted.
fn crossed(
    rows: &[&Identity],
    objects: &[Option<&str>],
    known: &[Known],
    claimed: &BTreeSet<&str>,
) -> HashMap<usize, String> {
    let by_id = unique(known.iter().filter_map(|known| Some((known.external_id.as_deref()?, known))));
    let crossed = rows.iter().zip(objects).enumerate().filter_map(|(place, (row, object))| {
        let owner = by_id.get(row.external_id.as_deref()?)?;
        let is_others = object.is_some_and(|object| object != owner.name) && claimed.contains(owner.name.as_str());
        is_others.then(|| (place, owner.name.clone()))
    });
    crossed.collect()
}

/// Who would come after somebody of another key. Another externalId tells that they are two people.
fn succeeding(
    keys: &Keys,
    people: &[&Identity],
    found: &[Option<&str>],
    known: &[Known],
    claimed: &BTreeSet<&str>,
) -> HashMap<usize, Predecessor> {
    let others = known.iter().filter(|known| keys.tells_apart(known) && !claimed.contains(known.name.as_str()));
    let others: Vec<&Known> = others.collect();
    if others.is_empty() {
        return HashMap::new();
    }
    let by_name: HashMap<&str, &Known> = others.iter().map(|known| (known.user_name.as_str(), *known)).collect();
    let by_id: HashMap<&str, &Known> =
        others.iter().filter_map(|known| Some((known.external_id.as_deref()?, *known))).collect();
    let by_record = by_recorded_key_of(others.iter().copied());
    let of = |person: &Identity| {
        let named = by_name.get(person.user_name.as_deref()?).filter(|known| !is_another(person, known));
        let with_id = || by_id.get(person.external_id.as_deref()?);
        let with_key = || {
            let records = keys.records_before_rewriting(person.key.as_deref()?);
            records.iter().find_map(|record| by_record.get(record.as_str())?.first())
        };
        let like = |known: &&Known, by| Predecessor { name: known.name.clone(), by };
        named
            .map(|known| like(known, Likeness::UserName))
            .or_else(|| with_id().map(|known| like(known, Likeness::ExternalId)))
            .or_else(|| with_key().map(|known| like(known, Likeness::Key)))
    };
    let new = people.iter().zip(found).enumerate().filter(|(_, (_, found))| found.is_none());
    new.filter_map(|(place, (person, _))| Some((place, of(person)?))).collect()
}

/// Whose externalId a spreadsheet seems to have rewritten.
fn rewritten(people: &[&Identity], names: &[String], known: &[Known]) -> BTreeSet<usize> {
    let by_name: HashMap<&str, &Known> = known.iter().map(|known| (known.name.as_str(), known)).collect();
    let rewritten = people.iter().zip(names).enumerate().filter_map(|(place, (person, name))| {
        let known = by_name.get(name.as_str())?.external_id.as_deref()?;
        is_rewritten(person.external_id.as_deref()?, known).then_some(place)
    });
    rewritten.collect()
}

/// What occurs once.
fn unique<'a, 'k>(pairs: impl Iterator<Item = (&'k str, &'a Known)>) -> HashMap<&'k str, &'a Known> {
    let mut found: HashMap<&str, Option<&Known>> = HashMap::new();
    for (value, known) in pairs {
        found.entry(value).and_modify(|known| *known = None).or_insert(Some(known));
    }
    found.into_iter().filter_map(|(value, known)| Some((value, known?))).collect()
}

/// A key goes before a userName, and that before an externalId, where they happen to be alike; people before rejected
/// rows.
fn look_up(rows: &[&Identity], objects: &[Option<&str>]) -> HashMap<String, String> {
    let mut index = HashMap::with_capacity(rows.len());
    let mut add = |of: fn(&Identity) -> Option<String>| {
        for (row, object) in rows.iter().zip(objects) {
            if let (Some(value), Some(object)) = (of(row), object) {
                index.entry(value).or_insert_with(|| (*object).to_owned());
            }
        }
    };
    add(|row| row.key.clone());
    add(|row| row.user_name.clone());
    add(|row| row.external_id.as_deref().map(fold));
    add(|row| row.alias.clone());
    index
}
