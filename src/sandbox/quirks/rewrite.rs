//! What a quirk makes of a body before it is kept.

use axum::http::Method;
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization as _;

use super::{Quirk, Quirks};
use crate::sandbox::asked::Asked;
use crate::sandbox::reply::Reply;
use crate::sandbox::schema::Object;
use crate::sandbox::store::Store;

/// The answer to a creation shows what was sent.
pub(super) fn echo(sent: &[u8], reply: &mut Reply) {
    let sent: Value = serde_json::from_slice(sent).unwrap_or_default();
    if let (Some(Value::Object(shown)), Value::Object(sent)) = (&mut reply.body, sent) {
        shown.extend(sent);
    }
}

/// An operation as it is kept; false where nothing is.
pub(super) fn keeps(quirk: Quirk, operation: &mut Value) -> bool {
    let path = operation["path"].as_str().map(str::to_owned);
    let Some(path) = path else {
        if let Some(values) = operation["value"].as_object_mut() {
            rewrite(quirk, values, false);
        }
        return true;
    };
    let stem = path.split(['[', '.']).next().unwrap_or_default().to_owned();
    if quirk == Quirk::DropsNames && matches!(stem.as_str(), "name" | "displayName") {
        return false;
    }
    let mut one = Object::from_iter([(stem.clone(), operation["value"].clone())]);
    rewrite(quirk, &mut one, false);
    match one.remove(&stem) {
        Some(value) => operation["value"] = value,
        None => return false,
    }
    true
}

pub(super) fn rewrite(quirk: Quirk, body: &mut Object, new: bool) {
    match quirk {
        Quirk::Invites if new => {
            body.insert("active".into(), false.into());
        }
        Quirk::Invites if body.get("active") == Some(&Value::Bool(true)) => {
            body.remove("active");
        }
        Quirk::NamesByEmail => {
            let email = body.get("emails").and_then(|list| list.get(0)?.get("value")?.as_str());
            if let Some(email) = email.filter(|_| body.contains_key("userName")).map(str::to_owned) {
                body.insert("userName".into(), email.into());
            } else if !new {
                body.remove("userName");
            }
        }
        Quirk::LowersNames => {
            if let Some(name) = body.get("userName").and_then(Value::as_str).map(str::to_lowercase) {
                body.insert("userName".into(), name.into());
            }
        }
        Quirk::OwnDisplayNames => {
            if body.contains_key("userName") {
                body.insert("displayName".into(), "as the server has it".into());
            } else {
                body.remove("displayName");
            }
        }
        Quirk::CutsNames => {
            let name = body.get("userName").and_then(Value::as_str);
            let cut = name.and_then(|name| {
                let (local, domain) = name.split_once('@')?;
                Some(format!("{}@{domain}", local.split('+').next()?))
            });
            if let Some(cut) = cut {
                body.insert("userName".into(), cut.into());
            }
        }
        Quirk::Composes => texts(body, &|text| text.nfc().collect()),
        Quirk::Trims => texts(body, &|text| text.trim().to_owned()),
        Quirk::DigitsOnly => entries(body, "phoneNumbers", |entry| {
            let digits: String =
                entry["value"].as_str().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
            entry["value"] = digits.into();
        }),
        Quirk::DropsNames => {
            body.remove("name");
            body.remove("displayName");
        }
        Quirk::DropsTypes => {
            for list in ["emails", "phoneNumbers", "addresses"] {
                entries(body, list, |entry| {
                    entry.as_object_mut().map(|entry| entry.remove("type"));
                });
            }
        }
        _ => {}
    }
}

/// All texts but the names of schemas.
fn texts(body: &mut Object, change: &impl Fn(&str) -> String) {
    body.iter_mut().filter(|(name, _)| *name != "schemas").for_each(|(_, value)| text(value, change));
}

fn text(value: &mut Value, change: &impl Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = change(text),
        Value::Array(list) => list.iter_mut().for_each(|value| text(value, change)),
        Value::Object(map) => map.values_mut().for_each(|value| text(value, change)),
        _ => {}
    }
}

fn entries(body: &mut Object, list: &str, change: impl Fn(&mut Value)) {
    match body.get_mut(list) {
        Some(Value::Array(entries)) => entries.iter_mut().for_each(change),
        // One of them, by a path with a filter.
        Some(entry) if entry.is_object() => change(entry),
        _ => {}
    }
}

/// A change of a group that leaves members where they are.
pub(super) fn of_members(quirks: &Quirks, asked: &Asked<'_>, store: &Store) -> Option<Value> {
    if quirks.contains(&Quirk::MembersByName) && asked.writes() {
        return super::groups::by_id(asked, store);
    }
    let id = asked.path.trim_matches('/').strip_prefix("Groups/")?;
    if asked.method == Method::PUT && quirks.contains(&Quirk::PutKeepsMembers) {
        let mut body = asked.json().ok()?;
        let kept = store.groups.get(id).ok()?.body.get("members").cloned();
        body["members"] = kept.unwrap_or_else(|| json!([]));
        return Some(body);
    }
    if asked.method == Method::PATCH && quirks.contains(&Quirk::IgnoresMemberPaths) {
        let mut body = asked.json().ok()?;
        let filtered = |operation: &Value| operation["path"].as_str().is_some_and(|path| path.starts_with("members["));
        let operations = body["Operations"].as_array_mut()?;
        operations.retain(|operation| !filtered(operation));
        if operations.is_empty() {
            operations.push(json!({"op": "add", "value": {}}));
        }
        return Some(body);
    }
    None
}

/// What is left of a change of a user where nothing but `active` is heeded.
pub(super) fn active_alone(asked: &Asked<'_>) -> Option<Value> {
    let mut body = asked.json().ok()?;
    let operations = body["Operations"].as_array_mut()?;
    operations.retain_mut(|operation| match operation["path"].as_str() {
        Some(path) => path == "active",
        None => operation["value"].as_object_mut().is_some_and(|values| {
            values.retain(|name, _| name == "active");
            !values.is_empty()
        }),
    });
    if operations.is_empty() {
        operations.push(json!({"op": "add", "value": {}}));
    }
    Some(body)
}

/// A group's body, or what is changed of one, without the members that there aren't, or without any.
pub(super) fn without_members(asked: &Asked<'_>, store: &Store, any: bool) -> Option<Value> {
    let mut body = asked.json().ok()?;
    let known = |entry: &Value| {
        let id = entry["value"].as_str().unwrap_or_default();
        !any && (store.users.get(id).is_ok() || store.groups.get(id).is_ok())
    };
    if let Some(members) = body["members"].as_array_mut() {
        members.retain(known);
    }
    for operation in body["Operations"].as_array_mut().into_iter().flatten() {
        let of_members = operation["path"] == "members";
        if let Some(members) = operation["value"].as_array_mut().filter(|_| of_members) {
            members.retain(known);
        }
    }
    Some(body)
}
