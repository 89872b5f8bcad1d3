//! Entries of lists that a server shows without `type`, or as plain strings: which of them is the declared one.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::declared::Declared;
use super::path::{ENTRY_LISTS, Path, member};
use crate::scim::{Resource, fold};

/// An account as it is compared with what is declared.
#[derive(Debug, Default)]
pub struct View {
    /// The entries that stand for declared ones have their types.
    pub resource: Resource,
    /// Lists of which no filter finds an entry: they are replaced whole.
    pub whole: BTreeSet<String>,
    /// Declared entries of which nobody can tell which one shown they are.
    pub ambiguous: Vec<Path>,
}

impl View {
    /// As it is shown.
    pub fn of(resource: &Resource) -> Self {
        Self { resource: resource.clone(), ..Self::default() }
    }
}

/// Gives each entry that has no type, and is the declared one, the type that it is declared with: the one of the same
/// value; else, where the server shows no types at all, the only one or the primary one.
pub fn typed(declared: &Declared, owned: &BTreeSet<Path>, observed: &Resource) -> View {
    let mut view = View::of(observed);
    for list in ENTRY_LISTS {
        let Some(key) = view.resource.0.keys().find(|key| key.eq_ignore_ascii_case(list)).cloned() else { continue };
        let Some(Value::Array(mut entries)) = view.resource.0.get(&key).cloned() else { continue };
        if entries.iter().any(is_untyped) && name(list, declared, owned, &mut entries, &mut view.ambiguous) {
            view.whole.insert(list.to_owned());
            view.resource.0.insert(key, Value::Array(entries));
        }
    }
    view
}

/// True where an entry was given its type.
fn name(
    list: &str,
    declared: &Declared,
    owned: &BTreeSet<Path>,
    entries: &mut [Value],
    ambiguous: &mut Vec<Path>,
) -> bool {
    let of_list = |path: &&Path| matches!(path, Path::Entry { name, .. } if name == list);
    let mut wanted: Vec<(&Path, &Value)> = declared.attributes.iter().filter(|(path, _)| of_list(path)).collect();
    let paths = wanted.iter().map(|(path, _)| *path).chain(owned.iter().filter(of_list));
    if paths.into_iter().any(|path| kind_of(path).is_empty()) {
        // What is, or was, declared without a type is what is shown without one.
        return false;
    }
    let keeps_types = entries.iter().any(|entry| !is_untyped(entry));
    wanted.retain(|(path, _)| !entries.iter().any(|entry| path.matches_entry(entry)));
    let mut named = false;
    wanted.retain(|(path, value)| {
        let same = |entry: &&mut Value| is_untyped(entry) && says(list, entry, value);
        let found = entries.iter_mut().find(same);
        named |= found.is_some();
        found.map(|entry| give(entry, path, Some(value))).is_none()
    });
    if keeps_types {
        // Whatever has none is somebody else's.
        return named;
    }
    // Those that are new are added, and one was changed.
    let primary = |(_, value): &&(&Path, &Value)| value.get("primary") == Some(&Value::Bool(true));
    let changed = if wanted.len() == 1 { wanted.first() } else { wanted.iter().find(primary) };
    if let Some((path, value)) = changed {
        return match the_one(entries) {
            Ok(Some(entry)) => {
                give(entry, path, Some(value));
                true
            }
            Ok(None) => named,
            Err(()) => {
                ambiguous.push((*path).clone());
                named
            }
        };
    }
    let dropped = owned.iter().filter(of_list).filter(|path| !declared.attributes.contains_key(path));
    let mut dropped = dropped.filter(|path| !kind_of(path).is_empty());
    if let (Some(path), None) = (dropped.next(), dropped.next())
        && !entries.iter().any(|entry| path.matches_entry(entry))
        && let Ok(Some(entry)) = the_one(entries)
    {
        give(entry, path, None);
        return true;
    }
    named
}

/// Of the entries without a type the only one, else the primary one; an error where that is nobody's guess.
fn the_one(entries: &mut [Value]) -> Result<Option<&mut Value>, ()> {
    let mut free: Vec<&mut Value> = entries.iter_mut().filter(|entry| is_untyped(entry)).collect();
    if free.len() > 1 {
        free.retain(|entry| member(entry, "primary").is_some_and(is_true));
        return if free.len() == 1 { Ok(free.pop()) } else { Err(()) };
    }
    Ok(free.pop())
}

fn kind_of(path: &Path) -> &str {
    match path {
        Path::Entry { kind, .. } => kind,
        Path::Attribute { .. } => "",
    }
}

fn is_true(value: &Value) -> bool {
    value == &Value::Bool(true) || value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

fn is_untyped(entry: &Value) -> bool {
    entry.is_string()
        || (entry.is_object() && member(entry, "type").is_none_or(|kind| kind.is_null() || kind.as_str() == Some("")))
}

/// The entry has the declared value.
fn says(list: &str, entry: &Value, declared: &Value) -> bool {
    let shown = entry.as_str().or_else(|| member(entry, "value")?.as_str());
    let value = member(declared, "value").and_then(Value::as_str);
    match (shown, value) {
        (Some(shown), Some(value)) if list == "emails" => fold(shown) == fold(value),
        (shown, value) => shown.is_some() && shown == value,
    }
}

/// A server that shows no type shows no more of what the client said.
fn give(entry: &mut Value, path: &Path, declared: Option<&Value>) {
    let mut shown = match std::mem::take(entry) {
        Value::Object(shown) => shown,
        text => Map::from_iter([("value".to_owned(), text)]),
    };
    let kind = declared.and_then(|declared| declared.get("type")).cloned().unwrap_or_else(|| json!(kind_of(path)));
    shown.retain(|name, _| !name.eq_ignore_ascii_case("type"));
    shown.insert("type".to_owned(), kind);
    let primary = declared.and_then(|declared| declared.get("primary"));
    if let Some(primary) = primary.filter(|_| !shown.keys().any(|name| name.eq_ignore_ascii_case("primary"))) {
        shown.insert("primary".to_owned(), primary.clone());
    }
    *entry = Value::Object(shown);
}
