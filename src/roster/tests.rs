//! What users rely on: rows are read as they stand or not at all, and nobody is lost on the way.

#![allow(clippy::needless_pass_by_value, reason = "a json! reads best where it is used")]

mod changes;
mod dates;
mod expressions;
mod guesses;
mod identity;
mod leavers;
mod leftovers;
mod lists;
mod people;
mod portals;
mod properties;
mod removals;
mod reports;
mod sources;
mod splitting;
mod spreadsheets;
mod wrapped;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::api::{ScimRosterSpec, SourceFormat};

/// A spec with the guide's preset, and these further fields.
fn spec(fields: Value) -> ScimRosterSpec {
    let mut spec = json!({"connectionRef": {"name": "datadog"}, "source": {"inline": []}});
    for (name, value) in fields.as_object().into_iter().flatten() {
        spec[name] = value.clone();
    }
    serde_json::from_value(spec).expect("a spec")
}

fn csv(name: &str, text: &str) -> Document {
    document(name, SourceFormat::Auto, text)
}

fn document(name: &str, format: SourceFormat, text: &str) -> Document {
    Document { name: name.to_owned(), content: Content::Text(format, text.as_bytes().to_vec()) }
}

/// Compiled, fitted to the documents, and the table.
fn prepared(spec: &ScimRosterSpec, documents: Vec<Document>) -> (Recipe, Table) {
    let mut recipe = Recipe::compile(spec).unwrap_or_else(|error| panic!("{error}"));
    let mut table = read(documents, recipe.wanted()).unwrap_or_else(|error| panic!("{error}"));
    recipe.fit(&table.columns, &[]).unwrap_or_else(|error| panic!("{error}"));
    recipe.restore_names(&mut table);
    (recipe, table)
}

/// What each person's ScimUser says, and what is wrong with the other rows.
fn generated(spec: &ScimRosterSpec, documents: Vec<Document>) -> (Vec<Value>, Vec<String>) {
    let (recipe, table) = prepared(spec, documents);
    let people = recipe.people(&table, |_| false);
    let names = Names::of(&recipe.keys, &people, &[], &BTreeSet::new());
    let mut rejected: Vec<String> =
        people.rejected.iter().map(|one| format!("{}: {}", table.rows[one.row].number, one.reason)).collect();
    let mut specs = Vec::new();
    for person in &people.people {
        match recipe.body(&table.rows[person.row], |whom| names.find(whom)) {
            Ok(body) => specs.push(body.spec),
            Err(reason) => rejected.push(format!("{}: {reason}", table.rows[person.row].number)),
        }
    }
    (specs, rejected)
}

const ENTRA: &str = "userPrincipalName,jobTitle,mail,displayName,IsSoftDeleted\n\
    ada@example.com,Countess,ada@example.com,Ada Lovelace,False\n\
    grace@example.com,,grace@example.com,\"Hopper, Grace\",TRUE\n";

/// A recipe is compiled once and used by whoever writes.
#[test]
fn a_recipe_may_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<Recipe>();
}
