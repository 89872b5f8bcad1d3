//! Where a mapping's value goes: attributes as RFC 7644 writes their paths, and as a ScimUser has them.

use std::sync::Arc;

use cel::objects::Key;
use cel::{ExecutionError, Value};
use serde_json::{Map, Value as Json, json};

use super::dates;
use super::functions::{self, flag, is_active, is_present};
use super::text::{self, is_nobodys_id};

/// The enterprise extension.
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User:";
const TEXTS: [&str; 8] =
    ["displayName", "nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale", "timezone"];
const NAMES: [&str; 6] = ["formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix"];
const OF_ENTERPRISE: [&str; 5] = ["employeeNumber", "costCenter", "organization", "division", "department"];
const LISTS: [&str; 4] = ["emails", "phoneNumbers", "ims", "photos"];
const OF_LISTS: [&str; 3] = ["value", "display", "primary"];
const OF_ADDRESSES: [&str; 7] =
    ["formatted", "streetAddress", "locality", "region", "postalCode", "country", "primary"];

/// An attribute of a ScimUser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `userName`.
    UserName,
    /// `externalId`.
    ExternalId,
    /// `active`.
    Active,
    /// The key, userName or externalId of the row that the manager is.
    Manager,
    /// `access.notBefore` or `access.notAfter`.
    Access(&'static str),
    /// A text: the object that it lies in, if any, and its name.
    Text(Option<&'static str>, &'static str),
    /// A sub-attribute of the entry of this type.
    Entry(&'static str, String, &'static str),
    /// `roles` or `entitlements`, as a whole.
    Values(&'static str),
    /// An attribute of another schema.
    Extension(String, String),
}

/// The attributes that one row declares.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drafted {
    /// As they stand in a ScimUser's spec.
    pub attributes: Map<String, Json>,
    /// Whom the row names as manager.
    pub manager: Option<String>,
}

impl Target {
    /// Reads a target as a mapping names it.
    pub fn parse(target: &str) -> Result<Self, String> {
        let path = target.strip_prefix(CORE).unwrap_or(target);
        let in_enterprise =
            path.strip_prefix("enterprise.").or_else(|| path.strip_prefix(ENTERPRISE)?.strip_prefix(':'));
        if let Some(name) = in_enterprise {
            let known = find(&OF_ENTERPRISE, name).map(|name| Self::Text(Some("enterprise"), name));
            return known.or((name == "manager").then_some(Self::Manager)).ok_or_else(|| unknown(target));
        }
        if path.starts_with("urn:") {
            return extension(path).ok_or_else(|| unknown(target));
        }
        let of_name = |name: &str| find(&NAMES, name.strip_prefix("name.")?);
        match path {
            "userName" => Ok(Self::UserName),
            "externalId" => Ok(Self::ExternalId),
            "active" => Ok(Self::Active),
            "manager" => Ok(Self::Manager),
            "roles" => Ok(Self::Values("roles")),
            "entitlements" => Ok(Self::Values("entitlements")),
            "access.notBefore" => Ok(Self::Access("notBefore")),
            "access.notAfter" => Ok(Self::Access("notAfter")),
            other => find(&TEXTS, other)
                .map(|name| Self::Text(None, name))
                .or_else(|| of_name(other).map(|name| Self::Text(Some("name"), name)))
                .or_else(|| entry(other))
                .ok_or_else(|| unknown(target)),
        }
    }

    /// Whether it may be sent at creation only.
    pub fn may_be_on_create(&self) -> bool {
        !matches!(self, Self::UserName | Self::ExternalId | Self::Active | Self::Manager | Self::Access(_))
    }

    /// What is asked for is yes or no.
    pub fn is_flag(&self) -> bool {
        matches!(self, Self::Active | Self::Entry(_, _, "primary"))
    }

    /// Puts a value where it belongs; one that is empty or null leaves the attribute out.
    pub fn put(&self, value: &Value, into: &mut Drafted) -> Result<(), String> {
        // Of no status that is written can it be said that it says nothing.
        let is_status = *self == Self::Active && matches!(value, Value::String(text) if !text.trim().is_empty());
        if !is_present(value) && !is_status {
            return Ok(());
        }
        let spec = &mut into.attributes;
        match self {
            Self::UserName => _ = spec.insert("userName".to_owned(), words(value)?),
            Self::ExternalId => {
                // Whatever it is, it tells people apart; but for what is the same for all.
                let id = plain(value)?;
                if let Some(problem) = text::same_for_all(&id) {
                    return Err(problem.to_owned());
                }
                if !is_nobodys_id(&id) {
                    spec.insert("externalId".to_owned(), json!(id));
                }
            }
            Self::Active => _ = spec.insert("active".to_owned(), yes_or_no(is_active(value))?),
            Self::Manager => into.manager = Some(manager(value)?),
            Self::Access(end) => {
                let text = plain(value)?;
                let at = if *end == "notAfter" { dates::end(&text)? } else { dates::begin(&text)? };
                if let Some(at) = at {
                    set(spec, &["access", end], json!(at.to_string()));
                }
            }
            Self::Text(None, name) => _ = spec.insert((*name).to_owned(), words(value)?),
            Self::Text(Some(object), name) => set(spec, &[object, name], words(value)?),
            Self::Entry(list, type_, name) => {
                let value = if *name == "primary" { yes_or_no(flag(value))? } else { words(value)? };
                put_entry(spec, list, type_, name, value);
            }
            Self::Values(list) => {
                let values = match value {
                    Value::List(values) => values.iter().filter(|value| is_present(value)).map(element).collect(),
                    single => element(single).map(|one| vec![one]),
                };
                _ = spec.insert((*list).to_owned(), Json::Array(values?));
            }
            Self::Extension(urn, name) => {
                let value = all_meant(json_of(value)?)?;
                let path: Vec<&str> = ["extensions", urn.as_str()].into_iter().chain(name.split('.')).collect();
                set(spec, &path, value);
            }
        }
        Ok(())
    }
}

/// Entries that say nothing but their type and rank are none.
pub fn without_empty_entries(spec: &mut Map<String, Json>) {
    for list in LISTS.into_iter().chain(["addresses"]) {
        let Some(Json::Array(entries)) = spec.get_mut(list) else { continue };
        entries.retain(|entry| {
            let says =
                |name: &String| if list == "addresses" { name != "type" && name != "primary" } else { name == "value" };
            entry.as_object().is_some_and(|entry| entry.keys().any(says))
        });
        if entries.is_empty() {
            spec.remove(list);
        }
    }
}

fn unknown(target: &str) -> String {
    let instead = super::suggestions::of(target).map_or_else(String::new, |known| format!("; write {known}"));
    format!("{target} is not an attribute that can be mapped{instead}")
}

fn find(names: &[&'static str], name: &str) -> Option<&'static str> {
    names.iter().find(|known| **known == name).copied()
}

/// `emails[type eq "work"].value`.
fn entry(path: &str) -> Option<Target> {
    let (list, rest) = path.split_once("[type eq \"")?;
    let (type_, sub) = rest.split_once("\"].")?;
    let (list, subs) = if list == "addresses" {
        ("addresses", OF_ADDRESSES.as_slice())
    } else {
        (find(&LISTS, list)?, OF_LISTS.as_slice())
    };
    Some(Target::Entry(list, type_.to_owned(), find(subs, sub)?))
}

/// `urn:…:2.0:User:attribute`: the name behind the last colon, what is before it the schema.
fn extension(path: &str) -> Option<Target> {
    let (urn, name) = path.rsplit_once(':')?;
    let good = name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_$-.".contains(letter));
    let begins = name.starts_with(|letter: char| letter.is_ascii_alphabetic()) && !name.ends_with('.');
    let own = urn.len() > "urn:".len() && !crate::api::is_reserved(urn) && !crate::api::is_reserved(path);
    (good && begins && own).then(|| Target::Extension(urn.to_owned(), name.to_owned()))
}

/// Sets a value that may lie in objects.
fn set(map: &mut Map<String, Json>, path: &[&str], value: Json) {
    match path {
        [] => {}
        [name] => _ = map.insert((*name).to_owned(), value),
        [outer, rest @ ..] => {
            let mut inner = match map.remove(*outer) {
                Some(Json::Object(inner)) => inner,
                _ => Map::new(),
            };
            set(&mut inner, rest, value);
            map.insert((*outer).to_owned(), Json::Object(inner));
        }
    }
}

fn put_entry(spec: &mut Map<String, Json>, list: &str, type_: &str, name: &str, value: Json) {
    let list = spec.entry(list.to_owned()).or_insert_with(|| json!([]));
    let Json::Array(entries) = list else { return };
    let known = entries.iter().position(|entry| entry["type"] == type_);
    let at = known.unwrap_or_else(|| {
        entries.push(json!({"type": type_}));
        entries.len() - 1
    });
    entries[at][name] = value;
}

/// A role or an entitlement: a text, or an object as it stands.
fn element(value: &Value) -> Result<Json, String> {
    match value {
        Value::Map(_) => all_meant(json_of(value)?),
        single => Ok(json!({"value": text::meant(plain(single)?)?})),
    }
}

fn yes_or_no(answer: Result<Value, ExecutionError>) -> Result<Json, String> {
    match answer {
        Ok(Value::Bool(known)) => Ok(json!(known)),
        Err(ExecutionError::FunctionError { message, .. }) => Err(message),
        _ => Err("it is neither true nor false".to_owned()),
    }
}

fn words(value: &Value) -> Result<Json, String> {
    words_of(value).and_then(text::meant).map(Json::String)
}

/// A text, or a number. Of a truth it isn't certain that it was meant: YAML may have made it of a word.
pub fn words_of(value: &Value) -> Result<String, String> {
    match value {
        Value::Bool(_) => Err("it is true or false, where a text belongs: write it in quotation marks".to_owned()),
        other => plain(other),
    }
}

/// Who a manager is: a text, or what Microsoft Graph gives for one.
fn manager(value: &Value) -> Result<String, String> {
    let Value::Map(map) = value else { return plain(value) };
    let known =
        ["id", "userPrincipalName"].into_iter().find_map(|name| map.map.get(&Key::String(Arc::new(name.to_owned()))));
    known.map_or_else(|| Err("it has neither id nor userPrincipalName".to_owned()), plain)
}

/// The text of a value, without the spaces around it.
pub fn plain(value: &Value) -> Result<String, String> {
    let text = functions::text(value, "")
        .map_err(|_| "it is a list, where one value belongs: join it, or take one".to_owned())?;
    Ok(text.trim().to_owned())
}

/// Each text in a value as it is meant.
fn all_meant(value: Json) -> Result<Json, String> {
    match value {
        Json::String(text) => text::meant(text).map(Json::String),
        Json::Array(list) => list.into_iter().map(all_meant).collect::<Result<_, _>>().map(Json::Array),
        Json::Object(map) => {
            let entries = map.into_iter().map(|(name, value)| Ok((name, all_meant(value)?)));
            entries.collect::<Result<_, String>>().map(Json::Object)
        }
        other => Ok(other),
    }
}

/// The value as JSON.
pub fn json_of(value: &Value) -> Result<Json, String> {
    match value {
        Value::Null => Ok(Json::Null),
        Value::Bool(known) => Ok(json!(known)),
        Value::Int(number) => Ok(json!(number)),
        Value::UInt(number) => Ok(json!(number)),
        Value::Float(number) => Ok(json!(number)),
        Value::String(text) => Ok(json!(text.as_str())),
        Value::List(list) => list.iter().map(json_of).collect::<Result<_, _>>().map(Json::Array),
        Value::Map(map) => {
            let entries = map.map.iter().map(|(key, value)| Ok((key.to_string(), json_of(value)?)));
            entries.collect::<Result<_, String>>().map(Json::Object)
        }
        _ => Err("it is nothing that JSON has".to_owned()),
    }
}
