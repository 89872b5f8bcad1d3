//! From documents to what is to be done, in one go.

use std::collections::HashSet;
use std::sync::Arc;

use kube::ResourceExt;
use sha2::{Digest, Sha256};

use super::changes::{Changes, Given, Ours};
use super::leaving::untold;
use super::names::Names;
use super::people::{Body, People, Rejected};
use super::recipe::Recipe;
use super::source::{Content, Document, SourceError, Table, read};
use crate::api::{RejectedRow, RosterReason, ScimRosterSpec, ScimUser};

/// A source that was understood, and what follows.
pub struct Prepared {
    recipe: Recipe,
    table: Table,
    people: People,
    names: Names,
    /// What is to be written.
    pub changes: Changes,
    /// Tells one content from another.
    pub version: String,
    /// How many ScimUsers of this roster stay.
    pub left: usize,
}

/// Nothing is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: RosterReason,
    /// The same for a person.
    pub message: String,
}

/// The spec compiled, and the rows that it reads.
pub(super) fn table_of(
    spec: &ScimRosterSpec,
    known: &[String],
    documents: Vec<Document>,
) -> Result<(Recipe, Table), Refused> {
    let mut recipe = Recipe::compile(spec).map_err(|error| {
        Refused::new(RosterReason::MappingInvalid, format!("{error}; nobody is changed until it is corrected"))
    })?;
    let mut table = read(documents, recipe.wanted()).map_err(|error| {
        let reason = match error {
            SourceError::Empty(_) => RosterReason::SourceEmpty,
            SourceError::Invalid { .. } | SourceError::TooMany => RosterReason::SourceInvalid,
        };
        Refused::new(reason, error.to_string())
    })?;
    let fit = recipe.fit(&table.columns, known);
    fit.map_err(|missing| Refused::new(RosterReason::ColumnMissing, missing.to_string()))?;
    recipe.restore_names(&mut table);
    Ok((recipe, table))
}

/// The rows of a source, to look up which of them ScimUsers are made of.
pub struct Places {
    recipe: Recipe,
    table: Table,
    people: People,
}

impl Places {
    /// `known` are the columns that were read before.
    pub fn read(spec: &ScimRosterSpec, known: &[String], documents: Vec<Document>) -> Result<Self, Refused> {
        let (recipe, table) = table_of(spec, known, documents)?;
        let people = recipe.people(&table, |_| false);
        Ok(Self { recipe, table, people })
    }

    /// The row of a ScimUser: its document, and its number as a spreadsheet shows it.
    pub fn of(&self, user: Arc<ScimUser>, of: Ours) -> Option<(&str, u32)> {
        let name = user.name_any();
        let given = Given::sort(vec![user], of);
        let names = Names::of(&self.recipe.keys, &self.people, &given.known(of.connection), &given.others);
        let person = names.names.iter().position(|known| *known == name)?;
        let row = &self.table.rows[self.people.people[person].row];
        let document = self.table.documents.get(row.document as usize);
        Some((document.map_or("", String::as_str), row.number))
    }
}

impl Refused {
    fn new(reason: RosterReason, message: String) -> Self {
        Self { reason, message }
    }
}

impl Prepared {
    /// Reads the documents and compares them with the ScimUsers of the namespace. `known` are the columns that were
    /// read before.
    pub fn new(
        spec: &ScimRosterSpec,
        known: &[String],
        documents: Vec<Document>,
        users: Vec<Arc<ScimUser>>,
        of: Ours,
    ) -> Result<Self, Refused> {
        let version = version_of(&documents);
        let (recipe, table) = table_of(spec, known, documents)?;
        let given = Given::sort(users, of);
        let people = recipe.people(&table, |key| given.is_in_use(&recipe.keys, key));
        let names = Names::of(&recipe.keys, &people, &given.known(of.connection), &given.others);
        let changes = Changes::of(&recipe, &table, &people, &names, &given);
        let staying = given.ours.values().filter(|user| user.metadata.deletion_timestamp.is_none()).count();
        let left = staying.saturating_sub(changes.gone.len());
        Ok(Self { recipe, table, people, names, changes, version, left })
    }

    /// The rows that were read.
    pub fn rows(&self) -> usize {
        self.table.rows.len()
    }

    /// The rows in scope.
    pub fn in_scope(&self) -> usize {
        self.people.in_scope()
    }

    /// The columns that are read.
    pub fn columns(&self) -> Vec<String> {
        self.recipe.columns()
    }

    /// The first of the rejected rows that may stand for any ScimUser: nobody can be taken for gone.
    pub fn unidentified(&self) -> Option<RejectedRow> {
        self.names.unidentified.first().map(|place| self.shown(&self.people.rejected[*place]))
    }

    /// The name of a ScimUser that is to be written, by its place in [`Changes::apply`].
    pub fn name(&self, at: usize) -> &str {
        self.changes.leaving.get(&at).map_or_else(|| self.names.names[at].as_str(), |leaver| &leaver.name)
    }

    /// What it records of its person's key.
    pub fn key(&self, at: usize) -> String {
        let of_person = || self.recipe.keys.record(self.people.people[at].key());
        self.changes.leaving.get(&at).map_or_else(of_person, |leaver| leaver.key.clone())
    }

    /// What it says. The row is let go: of thousands that are written, what was read is not to be kept beside what came of
    /// it.
    pub fn take_body(&mut self, at: usize) -> Result<Body, String> {
        if let Some(leaver) = self.changes.leaving.get(&at) {
            return Ok(leaver.body.clone());
        }
        let row = &mut self.table.rows[self.people.people[at].row];
        let body = self.recipe.body(row, |whom| self.names.find(whom));
        row.values = Box::default();
        body
    }

    /// A row can't be used after all.
    pub fn reject(&self, at: usize, reason: String) -> Rejected {
        let behind = || self.people.rejected[at - self.people.people.len()].clone();
        let rejected = match self.people.people.get(at) {
            Some(person) => Rejected { row: person.row, identity: person.identity.clone(), reason },
            None => Rejected { reason, ..behind() },
        };
        // It was rejected before, and what was to be done all the same isn't.
        let before = self.changes.rejected.iter().find(|before| before.row == rejected.row);
        match before.filter(|_| self.changes.leaving.contains_key(&at)) {
            Some(before) => {
                let reason =
                    format!("{}. The end of access in it is not written: {}", untold(&before.reason), rejected.reason);
                Rejected { reason, ..rejected }
            }
            None => rejected,
        }
    }

    /// Everybody who has a ScimUser once all but these is written.
    pub fn generated_without(&self, refused: &[Rejected]) -> usize {
        let before: HashSet<usize> = self.changes.rejected.iter().map(|rejected| rejected.row).collect();
        let of_people = refused.iter().filter(|refused| !before.contains(&refused.row)).count();
        self.changes.generated.saturating_sub(of_people)
    }

    /// Rejected rows as status shows them, in their order, each once.
    pub fn rejected<'a>(&'a self, more: impl IntoIterator<Item = &'a Rejected>) -> Vec<RejectedRow> {
        let more: Vec<&Rejected> = more.into_iter().collect();
        let again: HashSet<usize> = more.iter().map(|rejected| rejected.row).collect();
        let before = self.changes.rejected.iter().filter(|rejected| !again.contains(&rejected.row));
        let mut all: Vec<&Rejected> = before.chain(more).collect();
        all.sort_by_key(|rejected| rejected.row);
        all.into_iter().map(|rejected| self.shown(rejected)).collect()
    }

    fn shown(&self, rejected: &Rejected) -> RejectedRow {
        let row = &self.table.rows[rejected.row];
        let source = self.table.documents.get(row.document as usize).filter(|name| !name.is_empty());
        RejectedRow { source: source.cloned(), row: row.number.into(), reason: rejected.reason.clone() }
    }
}

fn version_of(documents: &[Document]) -> String {
    let mut hash = Sha256::new();
    for document in documents {
        hash.update(&document.name);
        hash.update([0]);
        match &document.content {
            Content::Text(_, bytes) => hash.update(bytes),
            Content::Rows(rows) => rows.iter().for_each(|row| hash.update(serde_json::to_vec(row).unwrap_or_default())),
        }
        hash.update([0]);
    }
    super::hex(&hash.finalize()[..8])
}
