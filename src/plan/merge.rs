//! The three-way merge (promise I3): declared × observed × owned → what differs, and its form on the wire.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::change::{Change, Differences};
use super::compare::says_the_same;
use super::declared::Declared;
use super::path::{ENTRY_LISTS, Path};
use super::untyped::View;
use crate::scim::{Attributes, Op, PatchOperation, PatchPaths, Profile, Resource};

/// Compares what is declared with what the server shows. `active` is not part of it.
///
/// `owned` is what was declared before: what is in it and no longer declared is removed.
pub fn differences(declared: &Declared, observed: &Resource, owned: &BTreeSet<Path>) -> Differences {
    let mut found = Differences::new();
    let mut claimed: Vec<&Value> = Vec::new();
    for (path, value) in &declared.attributes {
        let shown = target(path, value, observed);
        if !says_the_same(path, value, shown) {
            found.insert(path.clone(), Change::Set(value.clone()));
        }
        claimed.extend(shown);
    }
    let dropped = owned.iter().filter(|path| {
        !declared.attributes.contains_key(path)
            && !declared.on_create.contains_key(path)
            && !matches!(path.name(), "userName" | "active")
    });
    for path in dropped.chain(&declared.clear) {
        let is_claimed = |entry: &&Value| claimed.iter().any(|other| std::ptr::eq(*other, *entry));
        match path {
            Path::Attribute { .. } => {
                if path.read(observed).is_some_and(|value| value.as_str() != Some("")) {
                    found.insert(path.clone(), Change::Remove);
                }
            }
            Path::Entry { name, kind, .. } => {
                let Some(entry) = path.entries(observed).find(|entry| !is_claimed(entry)) else { continue };
                // The key's form changed, and another entry that it fits stays: this one goes by its value.
                let narrowed = path.entries(observed).any(|entry| is_claimed(&entry));
                let value = entry.get("value").and_then(Value::as_str).filter(|_| narrowed).map(str::to_owned);
                let path = match value {
                    Some(value) => Path::Entry { name: name.clone(), kind: kind.clone(), value: Some(value) },
                    None => path.clone(),
                };
                found.insert(path, Change::Remove);
            }
        }
    }
    found
}

/// What a declared value is compared with: where several entries fit its key, the one that already says it.
fn target<'a>(path: &Path, value: &Value, observed: &'a Resource) -> Option<&'a Value> {
    match path {
        Path::Entry { .. } => path
            .entries(observed)
            .find(|entry| says_the_same(path, value, Some(entry)))
            .or_else(|| path.entries(observed).next()),
        Path::Attribute { .. } => path.read(observed),
    }
}

/// Whether no filter names the one entry meant: it has no type, or shares its key with others.
fn unnamed(path: &Path, change: &Change, observed: &Resource) -> bool {
    let Path::Entry { kind, .. } = path else { return false };
    let shared = matches!(change, Change::Set(_)) && path.entries(observed).nth(1).is_some();
    shared || (kind.is_empty() && path.entries(observed).next().is_some())
}

/// What a PATCH sends for these differences (RFC 7644 §3.5.2), lists whole where the profile asks for it.
pub fn patch(differences: &Differences, view: &View, profile: &Profile) -> Vec<PatchOperation> {
    let observed = &view.resource;
    let mut operations = Vec::new();
    let mut whole: BTreeSet<&str> = BTreeSet::new();
    let mut nested = Attributes::new();
    for (path, change) in differences {
        match (path, change) {
            (Path::Attribute { schema: Some(_), .. }, Change::Set(value)) if profile.nested_extensions => {
                set(&mut nested, path, value);
            }
            (Path::Entry { name, .. }, _)
                if profile.patch_paths == PatchPaths::Whole
                    || !profile.entry_types
                    || view.whole.contains(name)
                    || unnamed(path, change, observed) =>
            {
                whole.insert(name);
            }
            (Path::Entry { name, .. }, Change::Set(value)) => match path.read(observed) {
                Some(shown) => operations.push(replace(&path.to_string(), overlaid(shown, value))),
                None => operations.push(PatchOperation {
                    op: Op::Add,
                    path: Some(name.clone()),
                    value: Some(Value::Array(vec![value.clone()])),
                }),
            },
            (Path::Attribute { .. }, Change::Set(value)) => {
                operations.push(replace(&path.to_string(), value.clone()));
            }
            (_, Change::Remove) if profile.patch_remove => {
                operations.push(PatchOperation { op: Op::Remove, path: Some(path.to_string()), value: None });
            }
            (Path::Entry { name, .. }, Change::Remove) => {
                whole.insert(name);
            }
            (Path::Attribute { .. }, Change::Remove) => {
                let list = path.read(observed).is_some_and(Value::is_array);
                let nothing = if list { Value::Array(Vec::new()) } else { Value::from("") };
                operations.push(replace(&path.to_string(), nothing));
            }
        }
    }
    if !nested.is_empty() {
        operations.push(PatchOperation { op: Op::Replace, path: None, value: Some(Value::Object(nested)) });
    }
    let merged = merged(differences, observed);
    for list in whole {
        let value = Resource(merged.clone()).get(list).cloned().unwrap_or_else(|| Value::Array(Vec::new()));
        let within = |path: &str| path == list || path.starts_with(&format!("{list}["));
        operations.retain(|operation| !operation.path.as_deref().is_some_and(within));
        operations.push(replace(list, if profile.entry_types { value } else { untyped(value) }));
    }
    operations
}

/// A body as it is sent to a server that refuses the `type` of entries.
pub fn without_types(body: &mut Attributes) {
    for (_, list) in body.iter_mut().filter(|(name, _)| ENTRY_LISTS.iter().any(|list| name.eq_ignore_ascii_case(list)))
    {
        *list = untyped(list.take());
    }
}

fn untyped(mut list: Value) -> Value {
    for entry in list.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        entry.retain(|name, _| !name.eq_ignore_ascii_case("type"));
    }
    list
}

/// The whole resource with the differences laid over it, as a PUT sends it.
pub fn merged(differences: &Differences, observed: &Resource) -> Attributes {
    let mut body = observed.0.clone();
    // What goes goes first: a key that changed its form may fit what comes.
    for (path, _) in differences.iter().filter(|(_, change)| **change == Change::Remove) {
        unset(&mut body, path);
    }
    for (path, change) in differences {
        if let Change::Set(value) = change {
            set(&mut body, path, value);
        }
    }
    body
}

/// The body of a creation (RFC 7644 §3.3): what is declared, and what is sent once.
pub fn creation(declared: &Declared) -> Attributes {
    let mut body = Attributes::new();
    for (path, value) in declared.on_create.iter().chain(&declared.attributes) {
        set(&mut body, path, value);
    }
    body.insert("active".into(), Value::Bool(true));
    body
}

fn replace(path: &str, value: Value) -> PatchOperation {
    PatchOperation { op: Op::Replace, path: Some(path.into()), value: Some(value) }
}

/// The entry as it is shown, with what is declared laid over it: what the server added stays.
fn overlaid(shown: &Value, declared: &Value) -> Value {
    match (shown, declared) {
        (Value::Object(shown), Value::Object(declared)) => {
            let mut entry = shown.clone();
            for (name, value) in declared {
                entry.insert(name.clone(), value.clone());
            }
            Value::Object(entry)
        }
        _ => declared.clone(),
    }
}

/// The key under which the body holds a name, however the server spells it.
fn spelled(map: &Map<String, Value>, name: &str) -> String {
    map.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned().unwrap_or_else(|| name.to_owned())
}

fn object<'a>(map: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    let key = spelled(map, name);
    let slot = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    match slot {
        Value::Object(map) => map,
        _ => unreachable!("it was made an object above"),
    }
}

fn set(body: &mut Attributes, path: &Path, value: &Value) {
    match path {
        Path::Attribute { schema, name, sub } => {
            let holder = match schema {
                Some(urn) => object(body, urn),
                None => body,
            };
            let (holder, name) = match sub {
                Some(sub) => (object(holder, name), sub),
                None => (holder, name),
            };
            let key = spelled(holder, name);
            holder.insert(key, value.clone());
        }
        Path::Entry { name, .. } => {
            let key = spelled(body, name);
            let slot = body.entry(key).or_insert_with(|| Value::Array(Vec::new()));
            if !slot.is_array() {
                *slot = Value::Array(Vec::new());
            }
            let Value::Array(list) = slot else { return };
            if value.get("primary") == Some(&Value::Bool(true)) {
                for other in list.iter_mut().filter_map(Value::as_object_mut) {
                    if other.get("primary") == Some(&Value::Bool(true)) {
                        other.insert("primary".into(), Value::Bool(false));
                    }
                }
            }
            match list.iter_mut().find(|entry| path.matches_entry(entry)) {
                Some(entry) => *entry = overlaid(entry, value),
                None => list.push(value.clone()),
            }
        }
    }
}

fn unset(body: &mut Attributes, path: &Path) {
    match path {
        Path::Attribute { schema, name, sub } => {
            let holder = match schema {
                Some(urn) => object(body, urn),
                None => body,
            };
            let (holder, name) = match sub {
                Some(sub) => (object(holder, name), sub),
                None => (holder, name),
            };
            let key = spelled(holder, name);
            holder.remove(&key);
        }
        Path::Entry { name, .. } => {
            let key = spelled(body, name);
            if let Some(Value::Array(list)) = body.get_mut(&key) {
                list.retain(|entry| !path.matches_entry(entry));
            }
        }
    }
}
