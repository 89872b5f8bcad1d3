//! What a roster's spec says about rows, compiled: scope, mappings, labels, key.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::{Wanted, fold, folded};
use super::decoding::DAMAGED;
use super::expression::{Expression, ExpressionError, Library};
use super::functions;
use super::keys::Keys;
use super::presets;
use super::source::Table;
use super::target::Target;
use crate::api::{ConnectionRef, Mapping, ScimRosterSpec, UserTemplate};
use crate::scim::without_tombstone;

/// What tells whether somebody of Entra ID may sign in.
const STATES_OF_GRAPH: [&str; 2] = ["isSoftDeleted", "accountEnabled"];

/// The column whose values Entra ID renames when it deletes somebody, whatever else people are called by.
const NAME_OF_ENTRA: &str = "userPrincipalName";

/// One line: an attribute and the expression of its value.
pub(super) struct Line {
    /// As the mapping or preset names it.
    pub name: String,
    pub target: Target,
    pub value: Expression,
    /// Of a preset, for files that have its columns by other names.
    others: Vec<Expression>,
    pub on_create: bool,
    of_preset: bool,
}

/// A roster's spec, compiled.
pub struct Recipe {
    pub(super) library: Library,
    pub(super) wanted: Wanted,
    pub(super) scope: Option<Expression>,
    pub(super) assigned: Option<BTreeSet<String>>,
    pub(super) lines: Vec<Line>,
    pub(super) labels: Vec<(String, Expression)>,
    pub(super) key: Option<Expression>,
    /// What else other rows name a person by.
    pub(super) alias: Option<Expression>,
    pub(super) keys: Keys,
    pub(super) connection: ConnectionRef,
    pub(super) template: UserTemplate,
}

/// A column that is read is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the source has no column {column}, which {reader} reads{since}; nobody is changed. Put it back, or {instead}. {there}"
)]
pub struct MissingColumn {
    column: String,
    reader: String,
    since: &'static str,
    instead: String,
    there: String,
}

impl Line {
    /// Takes the first expression whose columns are there. One that was read before is not given up for another.
    fn choose(&mut self, there: &BTreeSet<String>, known: &BTreeSet<String>) {
        let has = |expression: &Expression, names: &BTreeSet<String>| {
            expression.columns().iter().all(|column| names.contains(&folded(column)))
        };
        let mut all = std::iter::once(&self.value).chain(&self.others);
        let chosen = all.find(|expression| has(expression, there) || has(expression, known));
        if let Some(chosen) = chosen.cloned() {
            self.value = chosen;
        }
        self.others.clear();
    }
}

impl Recipe {
    /// Compiles a spec.
    pub fn compile(spec: &ScimRosterSpec) -> Result<Self, ExpressionError> {
        let flag = |place: &str, text: &String| Expression::compile(place, text, Some(functions::FLAG));
        let scope = spec.scope.as_ref().map(|text| flag("spec.scope", text)).transpose()?;
        let key = spec.key.as_ref().map(|text| Expression::compile("spec.key", text, None)).transpose()?;
        let labels = spec.labels.iter().flatten().map(|(name, text)| {
            let value = Expression::compile(&format!("spec.labels.{name}"), text, None)?;
            Ok((name.clone(), value))
        });
        let mut recipe = Self {
            library: Library::new(),
            wanted: Wanted::default(),
            scope,
            assigned: spec.assigned.as_ref().map(|names| names.iter().map(|name| fold(name)).collect()),
            lines: lines(spec)?,
            labels: labels.collect::<Result<_, _>>()?,
            key,
            alias: spec
                .preset
                .and_then(presets::alias)
                .map(|text| Expression::compile("preset", text, None))
                .transpose()?,
            keys: Keys::new(&spec.connection_ref.name, spec.key.as_deref()),
            connection: spec.connection_ref.clone(),
            template: spec.user_template.clone().unwrap_or_default(),
        };
        if !recipe.lines.iter().any(|line| line.target == Target::UserName) {
            let problem = "nothing is mapped to userName, which every person needs".to_owned();
            return Err(ExpressionError { place: "spec.mappings".to_owned(), problem });
        }
        let mut wanted = Wanted::default();
        let others = recipe.lines.iter().flat_map(|line| &line.others);
        let all = recipe.expressions().map(|(_, expression)| expression).chain(others).chain(&recipe.alias);
        for column in all.flat_map(Expression::columns) {
            wanted.want(column);
        }
        let own = recipe.lines.iter().filter(|line| !line.of_preset).map(|line| &line.value);
        let own = own.chain(&recipe.scope).chain(&recipe.key).chain(recipe.labels.iter().map(|(_, value)| value));
        own.flat_map(Expression::columns).for_each(|column| wanted.want_as_named(column));
        wanted.want_beside(NAME_OF_ENTRA);
        recipe.wanted = wanted;
        Ok(recipe)
    }

    /// The columns that are read.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Fits the recipe to a source with these columns. A preset's line goes without its column, but for those that
    /// everybody needs, and never where the column was `known` before: an export that lost one is no reason to take
    /// an attribute from everybody.
    pub fn fit(&mut self, columns: &BTreeSet<String>, known: &[String]) -> Result<(), MissingColumn> {
        let there: BTreeSet<String> = columns.iter().map(|column| folded(column)).collect();
        let known: BTreeSet<String> = known.iter().map(|column| folded(column)).collect();
        for line in &mut self.lines {
            line.choose(&there, &known);
        }
        let mut dropped = BTreeSet::new();
        for line in self.lines.iter().filter(|line| line.of_preset && !presets::NEEDED.contains(&line.name.as_str())) {
            let gone: Vec<_> = line.value.columns().iter().filter(|column| !there.contains(&folded(column))).collect();
            if let Some(column) = gone.iter().find(|column| known.contains(&folded(column))) {
                return Err(self.missing(&line.name, column, columns, true));
            }
            if !gone.is_empty() {
                dropped.insert(line.name.clone());
            }
        }
        self.lines.retain(|line| !(line.of_preset && dropped.contains(&line.name)));
        for (reader, expression) in self.expressions() {
            if let Some(column) = expression.columns().iter().find(|column| !there.contains(&folded(column))) {
                return Err(self.missing(&reader, column, columns, known.contains(&folded(column))));
            }
        }
        Ok(())
    }

    /// Whom Entra ID has deleted gets back the name that was taken.
    pub(super) fn restore_names(&self, table: &mut Table) {
        let of_user_name = self.lines.iter().filter(|line| line.target == Target::UserName).map(|line| &line.value);
        let columns = of_user_name.chain(&self.key).flat_map(Expression::columns);
        let columns = columns.map(String::as_str).chain([NAME_OF_ENTRA]);
        let places: BTreeSet<usize> = columns.filter_map(|column| self.wanted.place(column)).collect();
        for row in &mut table.rows {
            for place in &places {
                let name = row.values[*place].as_str().and_then(without_tombstone).map(str::to_owned);
                if let Some(name) = name {
                    row.values[*place] = name.into();
                    row.deleted = true;
                }
            }
        }
    }

    fn missing(&self, reader: &str, column: &str, columns: &BTreeSet<String>, known: bool) -> MissingColumn {
        let of_preset = self.lines.iter().any(|line| line.of_preset && line.name == reader);
        MissingColumn {
            column: column.to_owned(),
            reader: reader.to_owned(),
            since: if known { " and which was there before" } else { "" },
            instead: if of_preset && STATES_OF_GRAPH.contains(&column) {
                "ask Microsoft Graph for it by $select=accountEnabled,… (az: --query with accountEnabled); or override active by a \
                 mapping: {target: active, value: 'row.COLUMN'}"
                    .to_owned()
            } else if of_preset {
                format!("override {reader} by a mapping: {{target: {reader}, value: 'row.COLUMN'}}")
            } else {
                format!("correct {reader}")
            },
            there: self.there(columns),
        }
    }

    /// The columns that there are, for a message; or what seems to be there instead.
    fn there(&self, columns: &BTreeSet<String>) -> String {
        if !columns.iter().any(|column| self.wanted.place(column).is_some()) && columns.iter().any(|c| c.contains('@'))
        {
            // Values are nobody's business.
            return "The first row seems to be a person's: is the header missing?".to_owned();
        }
        let only = if columns.len() == 1 { columns.first() } else { None };
        let names_some = |only: &str| {
            only.split([',', ';', '\t', '|']).any(|name| name != only && self.wanted.place(name).is_some())
        };
        if only.is_some_and(|only| names_some(only)) {
            return "Each row stands in one pair of quotation marks, as a spreadsheet saves a text that it opened as one \
                    column: open the file by Data, From Text/CSV, and save it anew"
                .to_owned();
        }
        if only.is_some_and(|only| only.starts_with("version:")) {
            return "It is the template of one of Entra ID's bulk operations, and no list of users: download the users"
                .to_owned();
        }
        let all = columns.iter().take(40).cloned().collect::<Vec<_>>().join(", ");
        let damaged = if all.contains(DAMAGED) { ", some with damaged letters: save the file as UTF-8" } else { "" };
        format!("The columns are {all}{damaged}")
    }

    /// The columns that are read, each once.
    pub fn columns(&self) -> Vec<String> {
        let mut named = BTreeMap::new();
        for column in self.expressions().flat_map(|(_, expression)| expression.columns().to_vec()) {
            named.entry(folded(&column)).or_insert(column);
        }
        named.into_values().collect()
    }

    fn expressions(&self) -> impl Iterator<Item = (String, &Expression)> {
        let lines = self.lines.iter().map(|line| (line.name.clone(), &line.value));
        let labels = self.labels.iter().map(|(name, value)| (format!("the label {name}"), value));
        let scope = self.scope.iter().map(|scope| ("scope".to_owned(), scope));
        let key = self.key.iter().map(|key| ("key".to_owned(), key));
        scope.chain(key).chain(lines).chain(labels)
    }
}

/// The preset's lines, each replaced by a mapping of the same target, and the mappings that it doesn't have.
fn lines(spec: &ScimRosterSpec) -> Result<Vec<Line>, ExpressionError> {
    let own = spec.mappings.as_deref().unwrap_or_default();
    let overridden: BTreeSet<String> = own.iter().map(|mapping| mapping.target.clone()).collect();
    let preset = spec.preset.map(presets::lines).unwrap_or_default();
    let of_preset = preset.iter().filter(|line| !overridden.contains(line.target)).map(|line| {
        let compile = |value: &&str| {
            let mapping = Mapping { target: line.target.to_owned(), value: (*value).to_owned(), on_create: false };
            compiled(&mapping, true)
        };
        let mut all = line.values.iter().map(compile).collect::<Result<Vec<_>, _>>()?;
        let mut first = all.remove(0);
        first.others = all.into_iter().map(|line| line.value).collect();
        Ok(first)
    });
    let written = own.iter().filter(|mapping| !mapping.value.trim().is_empty());
    of_preset.chain(written.map(|mapping| compiled(mapping, false))).collect()
}

fn compiled(mapping: &Mapping, of_preset: bool) -> Result<Line, ExpressionError> {
    let place = format!("spec.mappings[{}]", mapping.target);
    let error = |problem: String| ExpressionError { place: place.clone(), problem };
    let target = Target::parse(&mapping.target).map_err(error)?;
    if mapping.on_create && !target.may_be_on_create() {
        return Err(error("it can't be sent at creation only: take onCreate out".to_owned()));
    }
    let value = Expression::compile(&place, &mapping.value, reader_of(&target))?;
    Ok(Line {
        name: mapping.target.clone(),
        target,
        value,
        others: Vec::new(),
        on_create: mapping.on_create,
        of_preset,
    })
}

/// What reads a column that is mapped to such a target as it stands.
fn reader_of(target: &Target) -> Option<&'static str> {
    match target {
        Target::Active => Some(functions::STATUS),
        target => target.is_flag().then_some(functions::FLAG),
    }
}
