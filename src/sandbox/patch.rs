//! PATCH, RFC 7644 §3.5.2: a list of operations on a copy of the resource,
//! which the caller throws away when one of them fails.

use serde_json::Value;

use super::error::{Fail, Outcome};
use super::filter::{Filter, Op, Path, parse_path};
use super::matching::matches;
use super::schema::{Attribute, Kind, Object, ResourceType, Target, is_primary};

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Add,
    Replace,
    Remove,
}

/// One operation, read but not yet resolved.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub verb: Verb,
    pub path: Option<String>,
    pub value: Value,
}

/// Reads the operations of a PATCH body; `strict` demands lower-case verbs.
pub(super) fn read(body: &Value, strict: bool) -> Outcome<Vec<Operation>> {
    let syntax = |why: &str| Fail::bad("invalidSyntax", why);
    let object = body.as_object().ok_or_else(|| syntax("expected a PatchOp"))?;
    let list = object
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case("operations"))
        .and_then(|(_, value)| value.as_array())
        .ok_or_else(|| syntax("Operations is required"))?;
    if list.is_empty() {
        return Err(syntax("Operations is empty"));
    }
    list.iter()
        .map(|one| {
            let name = one.get("op").and_then(Value::as_str).unwrap_or_default();
            let folded = if strict { name.to_owned() } else { name.to_lowercase() };
            let verb = match folded.as_str() {
                "add" => Verb::Add,
                "replace" => Verb::Replace,
                "remove" => Verb::Remove,
                _ => return Err(syntax(&format!("unknown op '{name}'"))),
            };
            let path = match one.get("path") {
                None | Some(Value::Null) => None,
                Some(Value::String(path)) => Some(path.clone()).filter(|path| !path.is_empty()),
                Some(_) => return Err(Fail::bad("invalidPath", "path is not a string")),
            };
            let value = one.get("value").cloned().unwrap_or(Value::Null);
            if value.is_null() && verb == Verb::Add {
                return Err(Fail::value("add needs a value"));
            }
            Ok(Operation { verb, path, value })
        })
        .collect()
}

/// Applies operations to a resource.
pub(super) fn apply(kind: &'static ResourceType, body: &mut Object, operations: &[Operation]) -> Outcome<()> {
    for operation in operations {
        apply_one(kind, body, operation)?;
    }
    kind.require(body)
}

fn apply_one(kind: &'static ResourceType, body: &mut Object, op: &Operation) -> Outcome<()> {
    if let Some(path) = &op.path {
        let path = parse_path(path, kind)?;
        return at_path(kind, body, op.verb, &path, op.value.clone());
    }
    if op.verb == Verb::Remove {
        return Err(Fail::bad("noTarget", "remove needs a path"));
    }
    let Value::Object(object) = &op.value else {
        return Err(Fail::value("without a path, value must be an object"));
    };
    for (key, value) in object {
        if key.eq_ignore_ascii_case("schemas") {
            continue;
        }
        let path = parse_path(key, kind)?;
        at_path(kind, body, op.verb, &path, value.clone())?;
    }
    Ok(())
}

fn at_path(kind: &'static ResourceType, body: &mut Object, verb: Verb, path: &Path, value: Value) -> Outcome<()> {
    let Target { extension, attr, .. } = path.target;
    let Some(attr) = attr else {
        return whole_extension(kind, body, verb, extension.unwrap_or_default(), value);
    };
    for part in [Some(attr), path.target.sub].into_iter().flatten() {
        if part.read_only() {
            return Err(Fail::bad("mutability", format!("{} is read-only", part.name)));
        }
    }
    if attr.name == "schemas" {
        return Ok(());
    }
    let Some(urn) = extension else {
        return at_attribute(body, attr, verb, path, value);
    };
    let inner = body.entry(urn).or_insert_with(|| Value::Object(Object::new()));
    if let Value::Object(inner) = inner {
        at_attribute(inner, attr, verb, path, value)?;
        if inner.is_empty() {
            body.remove(urn);
        }
    }
    Ok(())
}

fn whole_extension(
    kind: &'static ResourceType,
    body: &mut Object,
    verb: Verb,
    urn: &'static str,
    value: Value,
) -> Outcome<()> {
    match (verb, value) {
        (Verb::Remove, _) | (_, Value::Null) => {
            body.remove(urn);
            Ok(())
        }
        (_, Value::Object(object)) => {
            for (key, value) in object {
                if key.eq_ignore_ascii_case("schemas") {
                    continue;
                }
                let path = parse_path(&format!("{urn}:{key}"), kind)?;
                at_path(kind, body, verb, &path, value)?;
            }
            Ok(())
        }
        _ => Err(Fail::value(format!("{urn}: expected an object"))),
    }
}

fn at_attribute(object: &mut Object, attr: &'static Attribute, verb: Verb, path: &Path, value: Value) -> Outcome<()> {
    if !attr.multi {
        return match path.target.sub {
            None => single(object, attr, verb, value),
            Some(sub) => {
                let entry = object.entry(attr.name);
                let inner = entry.or_insert_with(|| Value::Object(Object::new()));
                let Value::Object(inner) = inner else {
                    return Err(Fail::value(format!("{} is not complex", attr.name)));
                };
                single(inner, sub, verb, value)?;
                if inner.is_empty() {
                    object.remove(attr.name);
                }
                Ok(())
            }
        };
    }
    let mut list = match object.remove(attr.name) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    let primaries: Vec<Value> = list.iter().filter(|one| is_primary(one)).cloned().collect();
    match (&path.filter, path.target.sub) {
        (None, None) => whole_list(&mut list, attr, verb, value)?,
        (filter, sub) => chosen(&mut list, attr, verb, filter.as_ref(), sub, &value)?,
    }
    one_primary(&mut list, &primaries, attr)?;
    if !list.is_empty() {
        object.insert(attr.name.to_owned(), Value::Array(list));
    }
    Ok(())
}

fn single(object: &mut Object, attr: &'static Attribute, verb: Verb, value: Value) -> Outcome<()> {
    let fitted = match verb {
        Verb::Remove => None,
        _ => attr.fit(value)?,
    };
    match fitted {
        None => {
            object.remove(attr.name);
        }
        Some(Value::Object(new)) if attr.kind == Kind::Complex => {
            match object.entry(attr.name).or_insert_with(|| Value::Object(Object::new())) {
                Value::Object(old) => old.extend(new),
                other => *other = Value::Object(new),
            }
        }
        Some(value) => {
            object.insert(attr.name.to_owned(), value);
        }
    }
    Ok(())
}

/// A multi-valued attribute named as a whole.
fn whole_list(list: &mut Vec<Value>, attr: &'static Attribute, verb: Verb, value: Value) -> Outcome<()> {
    let given = match attr.fit(value)? {
        Some(Value::Array(given)) => given,
        _ => Vec::new(),
    };
    match verb {
        Verb::Replace => {
            list.clear();
            add_new(list, given, attr);
        }
        Verb::Add => add_new(list, given, attr),
        Verb::Remove if given.is_empty() => list.clear(),
        Verb::Remove => {
            // Entra's form: the values to remove are named in `value`.
            let keys: std::collections::HashSet<String> = given.iter().map(key).collect();
            list.retain(|one| !keys.contains(&key(one)));
        }
    }
    Ok(())
}

/// What makes two values of a multi-valued attribute the same.
fn key(value: &Value) -> String {
    match value.get("value") {
        Some(Value::String(text)) => text.clone(),
        _ => value.to_string(),
    }
}

fn add_new(list: &mut Vec<Value>, given: Vec<Value>, attr: &Attribute) {
    // Members are the same when their ids are; other values when all of it is.
    let same: fn(&Value) -> String = if attr.name == "members" { key } else { Value::to_string };
    let mut known: std::collections::HashSet<String> = list.iter().map(same).collect();
    for one in given {
        if known.insert(same(&one)) {
            list.push(one);
        }
    }
}

/// Some values of a multi-valued attribute, or a sub-attribute of them.
fn chosen(
    list: &mut Vec<Value>,
    attr: &'static Attribute,
    verb: Verb,
    filter: Option<&Filter>,
    sub: Option<&'static Attribute>,
    value: &Value,
) -> Outcome<()> {
    let passes = |one: &Value| filter.is_none_or(|filter| one.as_object().is_some_and(|one| matches(filter, one)));
    if verb == Verb::Remove && sub.is_none() {
        list.retain(|one| !passes(one));
        return Ok(());
    }
    if !list.iter().any(passes) {
        let mut fresh = Object::new();
        let made = verb == Verb::Add && filter.is_none_or(|filter| spell_out(filter, &mut fresh));
        match verb {
            Verb::Remove => return Ok(()),
            _ if made => list.push(Value::Object(fresh)),
            _ => return Err(Fail::bad("noTarget", "no value passes the path's filter")),
        }
    }
    for one in list.iter_mut().filter(|one| passes(one)) {
        let Value::Object(object) = one else { continue };
        match (sub, value.clone()) {
            (Some(sub), value) => single(object, sub, verb, value)?,
            (None, value) => match attr.fit_one(value)? {
                Some(Value::Object(new)) if verb == Verb::Add => object.extend(new),
                Some(Value::Object(new)) => *object = new,
                _ => return Err(Fail::value(format!("{}: expected complex", attr.name))),
            },
        }
    }
    list.retain(|one| one.as_object().is_none_or(|one| !one.is_empty()));
    Ok(())
}

/// Makes the value that a filter of equalities describes.
fn spell_out(filter: &Filter, fresh: &mut Object) -> bool {
    match filter {
        Filter::And(left, right) => spell_out(left, fresh) && spell_out(right, fresh),
        Filter::Test(target, Op::Eq, value) => match target.attr {
            Some(attr) => {
                fresh.insert(attr.name.to_owned(), value.clone());
                true
            }
            None => false,
        },
        _ => false,
    }
}

/// A newly primary value takes that over from the one that was.
fn one_primary(list: &mut [Value], before: &[Value], attr: &Attribute) -> Outcome<()> {
    let count = |list: &[Value]| list.iter().filter(|one| is_primary(one)).count();
    if count(list) > 1 {
        for one in list.iter_mut().filter(|one| before.contains(one)) {
            one["primary"] = Value::Bool(false);
        }
    }
    if count(list) > 1 {
        return Err(Fail::value(format!("{}: more than one value is primary", attr.name)));
    }
    Ok(())
}

#[cfg(test)]
#[path = "patch_tests.rs"]
mod tests;
