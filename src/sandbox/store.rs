//! Users and groups in memory, with the indexes that keep large runs fast.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::error::{Fail, Outcome};
pub(super) use super::record::{Actor, Collection, History, Record};
use super::record::{active, keys};
use super::schema::Object;

/// One collection.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Ascending: the order of creation.
    pub order: Vec<u64>,
    pub rows: HashMap<u64, Record>,
    pub by_id: HashMap<String, u64>,
    pub gone: Vec<Record>,
    index: HashMap<&'static str, HashMap<String, BTreeSet<u64>>>,
}

/// Everything.
#[derive(Debug)]
pub(super) struct Store {
    pub users: Table,
    pub groups: Table,
    next: u64,
    random: StdRng,
    /// What resource locations begin with; empty for none.
    pub location: String,
    /// Accounts are found by their first e-mail as it was at creation.
    pub first_email: bool,
    /// The names of deleted accounts stay taken.
    pub delete_irreversible: bool,
    /// Ids have digits alone.
    pub numeric_ids: bool,
    /// The roles that there are, ids and names; empty takes any.
    pub roles: Vec<(String, String)>,
    /// So much ahead its clock is.
    pub ahead: SignedDuration,
}

impl Table {
    /// The resource with that id.
    pub fn get(&self, id: &str) -> Outcome<&Record> {
        self.by_id.get(id).and_then(|seq| self.rows.get(seq)).ok_or_else(|| Fail::missing(id))
    }

    /// The sequence numbers under an index key.
    pub fn indexed(&self, index: &str, key: &str) -> Option<&BTreeSet<u64>> {
        self.index.get(index)?.get(key)
    }

    fn link(&mut self, seq: u64, keys: Vec<(&'static str, String)>) {
        for (index, key) in keys {
            let index = self.index.entry(index).or_default();
            index.entry(key).or_default().insert(seq);
        }
    }

    fn unlink(&mut self, seq: u64, keys: Vec<(&'static str, String)>) {
        for (name, key) in keys {
            let Some(index) = self.index.get_mut(name) else {
                continue;
            };
            if let Some(set) = index.get_mut(&key) {
                set.remove(&seq);
                if set.is_empty() {
                    index.remove(&key);
                }
            }
        }
    }
}

impl Store {
    /// An empty store whose ids follow from the seed.
    pub fn new(seed: u64) -> Self {
        Self {
            users: Table::default(),
            groups: Table::default(),
            next: 1,
            random: StdRng::seed_from_u64(seed),
            location: String::new(),
            first_email: false,
            delete_irreversible: false,
            numeric_ids: false,
            roles: Vec::new(),
            ahead: SignedDuration::ZERO,
        }
    }

    /// What its clock shows.
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.checked_add(self.ahead).unwrap_or(now)
    }

    /// One collection.
    pub fn table(&self, collection: Collection) -> &Table {
        match collection {
            Collection::Users => &self.users,
            Collection::Groups => &self.groups,
        }
    }

    pub fn table_mut(&mut self, collection: Collection) -> &mut Table {
        match collection {
            Collection::Users => &mut self.users,
            Collection::Groups => &mut self.groups,
        }
    }

    fn fresh_id(&mut self) -> String {
        if self.numeric_ids {
            self.next += 1;
            return (super::numbers::FIRST + self.next).to_string();
        }
        let mut bytes: [u8; 16] = self.random.random();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = u128::from_be_bytes(bytes);
        let hex = format!("{hex:032x}");
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    /// Keeps of a user's roles those that there are, with their names; who has none of them gets the first, as at
    /// services with a default role.
    fn fit_roles(&self, collection: Collection, body: &mut Object) {
        let Some(Value::Array(given)) = body.get("roles").filter(|_| collection == Collection::Users) else { return };
        let id = |one: &Value| one.get("value").and_then(Value::as_str).map(str::to_owned);
        let given: BTreeSet<String> = given.iter().filter_map(id).collect();
        let Some(default) = self.roles.first() else { return };
        let mut kept: Vec<_> = self.roles.iter().filter(|(id, _)| given.contains(id)).collect();
        if kept.is_empty() {
            kept.push(default);
        }
        let kept = kept.into_iter().map(|(id, name)| json!({"value": id, "display": name})).collect();
        body.insert("roles".into(), Value::Array(kept));
    }

    fn taken(&self, collection: Collection, body: &Object, by: Option<u64>) -> Outcome<()> {
        let Some(name) = collection.unique() else {
            return Ok(());
        };
        let index = if self.first_email { "lookup" } else { name };
        for (_, key) in keys(collection, body, self.first_email).into_iter().filter(|(found, _)| *found == index) {
            let others = self.table(collection).indexed(index, &key);
            if others.is_some_and(|set| set.iter().any(|seq| Some(*seq) != by)) {
                return Err(Fail::taken(name, &key));
            }
            let was = |gone: &Record| keys(collection, &gone.body, self.first_email).contains(&(index, key.clone()));
            if self.delete_irreversible && self.table(collection).gone.iter().any(was) {
                return Err(Fail::taken(name, &key));
            }
        }
        Ok(())
    }

    /// Adds a resource that is already fitted to its schema.
    pub fn create(&mut self, collection: Collection, mut body: Object, actor: Actor) -> Outcome<&Record> {
        self.taken(collection, &body, None)?;
        self.fit_roles(collection, &mut body);
        let id = self.fresh_id();
        let seq = self.next;
        self.next += 1;
        let now = self.now();
        let created = format!("{now:.3}");
        body.insert("id".into(), id.clone().into());
        self.stamp(collection, &mut body, &id, &created, seq);
        let linked = keys(collection, &body, self.first_email);
        let mut history = History::default();
        match actor {
            Actor::Client => history.created = 1,
            Actor::Hand => history.drifted = 1,
        }
        let record = Record { id: id.clone(), body, before: None, changed: Instant::now(), history, version: seq };
        let table = self.table_mut(collection);
        table.link(seq, linked);
        table.order.push(seq);
        table.by_id.insert(id, seq);
        Ok(table.rows.entry(seq).or_insert(record))
    }

    fn stamp(&self, collection: Collection, body: &mut Object, id: &str, created: &str, version: u64) {
        let kind = collection.kind();
        let mut urns = vec![Value::from(kind.schema.urn)];
        let extensions = kind.extensions.iter().map(|schema| schema.urn);
        urns.extend(extensions.filter(|urn| body.contains_key(*urn)).map(Value::from));
        body.insert("schemas".into(), urns.into());
        let now = format!("{:.3}", self.now());
        let meta = json!({
            "resourceType": kind.name,
            "created": created,
            "lastModified": now,
            "location": format!("{}/{}/{id}", self.location, kind.endpoint),
            "version": format!("W/\"{version}\""),
        });
        body.insert("meta".into(), meta);
    }

    /// Changes a resource as a whole or not at all.
    pub fn update(
        &mut self,
        collection: Collection,
        id: &str,
        actor: Actor,
        change: impl FnOnce(&mut Object) -> Outcome<()>,
    ) -> Outcome<&Record> {
        let table = self.table(collection);
        let seq = *table.by_id.get(id).ok_or_else(|| Fail::missing(id))?;
        let old = &table.get(id)?.body;
        let mut new = old.clone();
        change(&mut new)?;
        self.fit_roles(collection, &mut new);
        new.insert("id".into(), id.into());
        for kept in ["meta", "schemas"] {
            new.insert(kept.into(), old.get(kept).cloned().unwrap_or_default());
        }
        let same = new == *old;
        let (was, is) = (active(old), active(&new));
        let old_keys = keys(collection, old, false);
        if !same {
            if !self.first_email {
                self.taken(collection, &new, Some(seq))?;
            }
            let created = old.get("meta").and_then(|meta| meta.get("created"));
            let created = created.and_then(Value::as_str).unwrap_or_default().to_owned();
            let version = self.next;
            self.next += 1;
            self.stamp(collection, &mut new, id, &created, version);
            let table = self.table_mut(collection);
            table.unlink(seq, old_keys);
            // A lookup key of its own is fixed at creation.
            table.link(seq, keys(collection, &new, false));
            if let Some(record) = table.rows.get_mut(&seq) {
                record.before = Some(std::mem::replace(&mut record.body, new));
                record.changed = Instant::now();
                record.version = version;
            }
        }
        let record = self.table_mut(collection).rows.get_mut(&seq);
        let record = record.ok_or_else(|| Fail::missing(id))?;
        let history = &mut record.history;
        match actor {
            Actor::Hand => history.drifted += 1,
            Actor::Client if same => history.unchanged += 1,
            Actor::Client => {
                history.updated += 1;
                history.deactivated += u64::from(was && !is);
                history.reactivated += u64::from(!was && is);
            }
        }
        Ok(record)
    }

    /// Takes a resource away, from the groups it is in too.
    pub fn delete(&mut self, collection: Collection, id: &str, actor: Actor) -> Outcome<()> {
        let table = self.table_mut(collection);
        let seq = table.by_id.remove(id).ok_or_else(|| Fail::missing(id))?;
        if let Ok(at) = table.order.binary_search(&seq) {
            table.order.remove(at);
        }
        if let Some(mut record) = table.rows.remove(&seq) {
            match actor {
                Actor::Client => record.history.deleted += 1,
                Actor::Hand => record.history.drifted += 1,
            }
            let linked = keys(collection, &record.body, true);
            table.unlink(seq, linked);
            // Its own lookup key may be an older one.
            for set in table.index.get_mut("lookup").into_iter().flat_map(HashMap::values_mut) {
                set.remove(&seq);
            }
            table.gone.push(record);
        }
        self.leave_groups(id)
    }

    /// It is in no group any more.
    pub fn leave_groups(&mut self, id: &str) -> Outcome<()> {
        let groups = self.groups.indexed("members.value", id);
        let groups: Vec<u64> = groups.into_iter().flatten().copied().collect();
        for seq in groups {
            let Some(group) = self.groups.rows.get(&seq) else {
                continue;
            };
            let group = group.id.clone();
            self.update(Collection::Groups, &group, Actor::Hand, |body| {
                if let Some(Value::Array(members)) = body.get_mut("members") {
                    members.retain(|one| one.get("value").and_then(Value::as_str) != Some(id));
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Brings back what was removed under the name in this body, as made a year ago: the id of it, if there was any and nobody
    /// has the name now.
    pub fn revive(&mut self, collection: Collection, body: &Object) -> Option<String> {
        let name = collection.unique().unwrap_or("displayName");
        let named = |body: &Object| keys(collection, body, false).into_iter().find(|(index, _)| *index == name);
        let key = named(body)?;
        let table = self.table_mut(collection);
        if table.indexed(name, &key.1).is_some() {
            return None;
        }
        let at = table.gone.iter().rposition(|gone| named(&gone.body).as_ref() == Some(&key))?;
        let mut record = table.gone.remove(at);
        if collection == Collection::Users {
            record.body.insert("active".into(), true.into());
        }
        let made = self.now().checked_sub(SignedDuration::from_hours(365 * 24)).unwrap_or_default();
        record.body.entry("meta").or_insert_with(|| json!({}))["created"] = format!("{made:.3}").into();
        let (id, linked) = (record.id.clone(), keys(collection, &record.body, self.first_email));
        let seq = self.next;
        self.next += 1;
        let table = self.table_mut(collection);
        table.link(seq, linked);
        table.order.push(seq);
        table.by_id.insert(id.clone(), seq);
        table.rows.insert(seq, record);
        Some(id)
    }

    /// Gives everything a new id, as a rebuilt database does.
    pub fn renumber(&mut self) {
        let mut new_ids = HashMap::new();
        for collection in [Collection::Users, Collection::Groups] {
            for seq in self.table(collection).order.clone() {
                new_ids.extend(self.renew_id(collection, seq));
            }
        }
        self.rename_members(&new_ids);
    }

    /// An invitation is accepted: the account becomes active under another id.
    pub fn accept(&mut self, id: &str) -> Outcome<&Record> {
        self.update(Collection::Users, id, Actor::Hand, |body| {
            body.insert("active".into(), true.into());
            Ok(())
        })?;
        let seq = *self.users.by_id.get(id).ok_or_else(|| Fail::missing(id))?;
        let new_ids = self.renew_id(Collection::Users, seq).into_iter().collect();
        self.rename_members(&new_ids);
        self.users.rows.get(&seq).ok_or_else(|| Fail::missing(id))
    }

    /// Gives a resource another id: the old one and the new one.
    fn renew_id(&mut self, collection: Collection, seq: u64) -> Option<(String, String)> {
        let id = self.fresh_id();
        let table = self.table_mut(collection);
        let record = table.rows.get_mut(&seq)?;
        record.body.insert("id".into(), id.clone().into());
        let old = std::mem::replace(&mut record.id, id.clone());
        table.by_id.remove(&old);
        table.by_id.insert(id.clone(), seq);
        Some((old, id))
    }

    /// Groups show their members under new ids.
    fn rename_members(&mut self, new_ids: &HashMap<String, String>) {
        for seq in self.groups.order.clone() {
            let Some(record) = self.groups.rows.get_mut(&seq) else { continue };
            let old = keys(Collection::Groups, &record.body, false);
            for member in record.body.get_mut("members").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(new) = member["value"].as_str().and_then(|id| new_ids.get(id)) {
                    member["value"] = new.as_str().into();
                }
            }
            let new = keys(Collection::Groups, &record.body, false);
            self.groups.unlink(seq, old);
            self.groups.link(seq, new);
        }
    }

    /// The groups a user is in, as the read-only attribute `groups`.
    pub fn memberships(&self, id: &str) -> Option<Value> {
        let set = self.groups.indexed("members.value", id)?;
        let list: Vec<Value> = set
            .iter()
            .filter_map(|seq| self.groups.rows.get(seq))
            .map(|group| {
                json!({
                    "value": group.id,
                    "$ref": format!("{}/Groups/{}", self.location, group.id),
                    "display": group.body.get("displayName"),
                    "type": "direct",
                })
            })
            .collect();
        (!list.is_empty()).then_some(Value::Array(list))
    }
}
