//! Rows into people: who counts, how each is known, and what their ScimUser says.

mod once;

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use self::once::Once;
use super::columns::fold;
use super::expression::Expression;
use super::functions::is_present;
use super::recipe::{Line, Recipe};
use super::shape::{as_the_api_has_it, is_label, merge};
use super::source::{Table, TableRow};
use super::target::{Drafted, Target, plain, without_empty_entries, words_of};
use super::text::{is_nobodys_id, is_placeholder, unfit_key, unfit_user_name};
use crate::scim::without_tombstone;

/// Who a row is, as far as that can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// What tells this one from all others, folded.
    pub key: Option<String>,
    /// The userName, folded.
    pub user_name: Option<String>,
    /// The same where it is one that nobody should have, folded: somebody may have it from before that was known.
    pub unfit_name: Option<String>,
    /// The externalId, where one is mapped.
    pub external_id: Option<String>,
    /// An externalId is mapped and can't be read.
    pub external_id_unreadable: bool,
    /// What else other rows name this one by, folded.
    pub alias: Option<String>,
}

impl Identity {
    /// The userName as it stands, to find whose it is.
    pub fn any_name(&self) -> Option<&str> {
        self.user_name.as_deref().or(self.unfit_name.as_deref())
    }
}

/// One who counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The place of the row in the table.
    pub row: usize,
    /// With a key and a userName.
    pub identity: Identity,
    /// Entra ID has deleted them.
    pub deleted: bool,
}

impl Person {
    /// What tells this one from all others, folded.
    pub fn key(&self) -> &str {
        self.identity.key.as_deref().unwrap_or_default()
    }

    /// The userName, folded.
    pub fn user_name(&self) -> &str {
        self.identity.user_name.as_deref().unwrap_or_default()
    }
}

/// A row that makes no ScimUser, or doesn't change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The place of the row in the table.
    pub row: usize,
    /// Whose row it is, as far as that can be told: the person keeps their ScimUser as it is.
    pub identity: Identity,
    /// What is wrong; never a value.
    pub reason: String,
}

/// Everybody in a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Those who count.
    pub people: Vec<Person>,
    /// Rows that can't be used.
    pub rejected: Vec<Rejected>,
    /// Of those of them that wait until somebody's account is inactive, the rows of these, by their places in the table.
    pub waiting: HashMap<usize, usize>,
}

impl People {
    /// The rows in scope, those that can't be used included.
    pub fn in_scope(&self) -> usize {
        self.people.len() + self.rejected.len()
    }
}

/// What a ScimUser says.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// The spec, as the API has it.
    pub spec: Json,
    /// Labels for groups to select by.
    pub labels: Map<String, Json>,
    /// The row names a manager that no other row is.
    pub manager_missing: bool,
}

impl Body {
    /// Tells one body from another.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.spec.to_string());
        hash.update([0]);
        hash.update(Json::Object(self.labels.clone()).to_string());
        super::hex(&hash.finalize()[..8])
    }
}

impl Recipe {
    /// Everybody in the table, each once. `is_in_use` tells whether the ScimUser of a key has an account still that isn't
    /// known to be inactive.
    pub fn people(&self, table: &Table, is_in_use: impl Fn(&str) -> bool) -> People {
        let mut once = Once::default();
        let mut lacking: HashMap<(Option<u32>, bool), Option<String>> = HashMap::new();
        let rows = || table.rows.iter().enumerate();
        // Whoever is deleted comes last: what the other rows say of the same person counts, wherever they stand.
        for (at, row) in rows().filter(|(_, row)| !row.deleted).chain(rows().filter(|(_, row)| row.deleted)) {
            let key = self.key_of(row);
            let lacks = lacking.entry((row.header, row.deleted)).or_insert_with(|| self.lacks(table, row)).clone();
            let counts = match row.problem.clone().or_else(|| lacks.clone()) {
                // Whoever is out of scope is so whatever a value says that the scope doesn't read.
                Some(_) if row.is_spoiled() && lacks.is_none() && self.counts(row, &key) == Ok(false) => Ok(false),
                Some(problem) => Err(problem),
                None => self.counts(row, &key),
            };
            if counts == Ok(false) {
                continue;
            }
            let (mut identity, unreadable) = self.identity(row, key);
            if let Some(reason) = counts.err().or(unreadable) {
                // Where the values end is not certain, so that this key may be the half of another.
                if row.torn {
                    identity.key = None;
                }
                once.reject(Rejected { row: at, identity, reason }, row.deleted);
                continue;
            }
            // Without a key an account that was made anew is that of the name; with one it is another person's, and first
            // the account is taken from the one who is deleted.
            let comes_first = row.deleted && self.key.is_some() && identity.key.as_deref().is_some_and(&is_in_use);
            let person = Person { row: at, identity, deleted: row.deleted };
            once.add(person, row.number, self.key.is_some(), comes_first);
        }
        once.people(self, table)
    }

    /// The value of an expression for a row. What is read must be what it was.
    pub(super) fn value(&self, expression: &Expression, row: &TableRow) -> Result<cel::Value, String> {
        let is_unreadable =
            |column: &&String| self.wanted.place(column).is_some_and(|place| row.unreadable.contains(&place));
        let mut columns = expression.columns().iter().filter(|_| !row.unreadable.is_empty());
        match columns.find(is_unreadable) {
            Some(column) => Err(row.problem.clone().unwrap_or_else(|| format!("column {column}: it can't be read"))),
            None => expression.evaluate(&self.library, &self.wanted, &row.values),
        }
    }

    /// A column that another part of the source has, and that says who somebody is, whether they count, or until when:
    /// that it isn't there says nothing about any of it.
    fn lacks(&self, table: &Table, row: &TableRow) -> Option<String> {
        let told = |line: &&Line| {
            let is_active = line.target == Target::Active && !row.deleted;
            is_active || matches!(line.target, Target::UserName | Target::ExternalId | Target::Access(_))
        };
        let lines = self.lines.iter().filter(told).map(|line| (line.name.as_str(), &line.value));
        let scope = self.scope.iter().map(|scope| ("scope", scope));
        let mut all = scope.chain(self.key.iter().map(|key| ("key", key))).chain(lines);
        all.find_map(|(reader, expression)| {
            let missing =
                |column: &&String| self.wanted.place(column).is_some_and(|place| table.is_column_missing(row, place));
            let column = expression.columns().iter().find(missing)?;
            Some(format!("the header above it has no column {column}, which {reader} reads and other parts have"))
        })
    }

    /// Whether a row is in scope. What can't be told is not a no.
    fn counts(&self, row: &TableRow, key: &Result<String, String>) -> Result<bool, String> {
        if let Some(scope) = &self.scope {
            let value = self.value(scope, row);
            match value.map_err(|why| format!("scope: {why}"))? {
                cel::Value::Bool(true) => {}
                cel::Value::Bool(false) => return Ok(false),
                _ => return Err("scope: the value is neither true nor false".to_owned()),
            }
        }
        let Some(assigned) = &self.assigned else { return Ok(true) };
        let user_name = self.user_name(row);
        let is_named = |name: &Result<String, String>| name.as_ref().is_ok_and(|name| assigned.contains(&fold(name)));
        if is_named(key) || is_named(&user_name) {
            return Ok(true);
        }
        key.as_ref().and(user_name.as_ref()).map(|_| false).map_err(|why| format!("assigned: {why}"))
    }

    /// Who a row is, and the first of what can't be read of that.
    fn identity(&self, row: &TableRow, key: Result<String, String>) -> (Identity, Option<String>) {
        let external_id = self.text(row, &Target::ExternalId).map(|id| id.filter(|id| !is_nobodys_id(id)));
        let user_name = self.user_name(row);
        let unreadable = [key.as_ref().err(), user_name.as_ref().err(), external_id.as_ref().err()];
        let unreadable = unreadable.into_iter().flatten().next().cloned();
        let unfit = || self.text(row, &Target::UserName).ok().flatten();
        let identity = Identity {
            key: key.ok(),
            unfit_name: if user_name.is_err() { unfit().map(|name| fold(&name)) } else { None },
            user_name: user_name.ok().map(|name| fold(&name)),
            external_id_unreadable: external_id.is_err(),
            external_id: external_id.ok().flatten(),
            alias: self.alias(row),
        };
        (identity, unreadable)
    }

    fn alias(&self, row: &TableRow) -> Option<String> {
        let value = self.value(self.alias.as_ref()?, row).ok()?;
        plain(&value).ok().filter(|text| !text.is_empty()).map(|text| fold(&text))
    }

    fn key_of(&self, row: &TableRow) -> Result<String, String> {
        let key = match &self.key {
            Some(key) => {
                let value = self.value(key, row);
                value.and_then(|value| words_of(&value)).map_err(|why| format!("key: {why}"))?
            }
            None => self.text(row, &Target::UserName)?.unwrap_or_default(),
        };
        let columns = self.key.as_ref().map_or(&[][..], |key| key.columns());
        if key.is_empty() {
            return Err(self.of_columns("key", columns, "is empty"));
        }
        // A userName may be another spelling of somebody's.
        let unfit = if self.key.is_some() { unfit_key } else { unfit_user_name };
        match unfit(&key).or_else(|| nothing(&key)) {
            Some(problem) => Err(self.of_columns("key", columns, &problem)),
            None => Ok(fold(&key)),
        }
    }

    fn of_columns(&self, what: &str, columns: &[String], problem: &str) -> String {
        let columns = if columns.is_empty() { self.columns_of(&Target::UserName) } else { columns.to_vec() };
        format!("column {}: the {what} {problem}", columns.join(", "))
    }

    fn columns_of(&self, target: &Target) -> Vec<String> {
        let line = self.lines.iter().find(|line| line.target == *target);
        line.map(|line| line.value.columns().to_vec()).unwrap_or_default()
    }

    fn user_name(&self, row: &TableRow) -> Result<String, String> {
        let user_name = self.text(row, &Target::UserName)?;
        let user_name = user_name.ok_or_else(|| self.of_columns("userName", &[], "is empty"))?;
        match unfit_user_name(&user_name).or_else(|| nothing(&user_name)) {
            Some(problem) => Err(self.of_columns("userName", &[], &problem)),
            None => Ok(user_name),
        }
    }

    /// What a row says for a target whose value is a text.
    fn text(&self, row: &TableRow, target: &Target) -> Result<Option<String>, String> {
        let Some(line) = self.lines.iter().find(|line| line.target == *target) else { return Ok(None) };
        let value = self.value(&line.value, row);
        let text = value.and_then(|value| words_of(&value)).map_err(|why| format!("{}: {why}", line.name))?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// What the ScimUser of a row says. `manager_of` gives the ScimUser of whom a row names as manager.
    pub fn body(&self, row: &TableRow, manager_of: impl Fn(&str) -> Option<String>) -> Result<Body, String> {
        let (mut declared, mut at_creation) = (Drafted::default(), Drafted::default());
        // Whoever is deleted isn't active, whatever is said beside.
        for line in self.lines.iter().filter(|line| !(row.deleted && line.target == Target::Active)) {
            let into = if line.on_create { &mut at_creation } else { &mut declared };
            let value = self.value(&line.value, row);
            let put = value.and_then(|value| {
                let columns = line.value.columns().join(", ");
                line.target
                    .put(&value, into)
                    .map_err(|why| if columns.is_empty() { why } else { format!("column {columns}: {why}") })
            });
            put.map_err(|why| format!("{}: {why}", line.name))?;
        }
        let known_as = |named: &String| fold(without_tombstone(named).unwrap_or(named));
        let manager = declared.manager.as_ref().map(|named| manager_of(&known_as(named)));
        let mut spec = declared.attributes;
        if row.deleted {
            spec.insert("active".to_owned(), json!(false));
        }
        if let Some(Some(name)) = &manager {
            merge(&mut spec, json!({"enterprise": {"manager": {"userRef": {"name": name}}}}));
        }
        without_empty_entries(&mut spec);
        without_empty_entries(&mut at_creation.attributes);
        if !at_creation.attributes.is_empty() {
            spec.insert("onCreate".to_owned(), Json::Object(at_creation.attributes));
        }
        self.add_template(&mut spec);
        let spec = as_the_api_has_it(Json::Object(spec))?;
        Ok(Body { spec, labels: self.labels(row)?, manager_missing: matches!(manager, Some(None)) })
    }

    fn add_template(&self, spec: &mut Map<String, Json>) {
        spec.insert("connectionRef".to_owned(), json!(self.connection));
        if let Some(policy) = &self.template.deletion_policy {
            spec.insert("deletionPolicy".to_owned(), json!(policy));
        }
        if self.template.suspend {
            spec.insert("suspend".to_owned(), json!(true));
        }
    }

    fn labels(&self, row: &TableRow) -> Result<Map<String, Json>, String> {
        let mut labels = Map::new();
        for (name, value) in &self.labels {
            let value = self.value(value, row);
            let value = value.map_err(|why| format!("the label {name}: {why}"))?;
            if !is_present(&value) {
                continue;
            }
            let text = plain(&value).map_err(|why| format!("the label {name}: {why}"))?;
            if !is_label(&text) {
                return Err(format!(
                    "the label {name}: a label can't have this value; write slug(row.column) to make one of it"
                ));
            }
            labels.insert(name.clone(), Json::String(text));
        }
        Ok(labels)
    }
}

fn nothing(text: &str) -> Option<String> {
    is_placeholder(text).then(|| "stands for nothing, such as NULL or n/a".to_owned())
}
