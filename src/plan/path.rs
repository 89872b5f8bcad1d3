//! Where an attribute lies in a User: what is compared, owned, sent and named in status.

use std::fmt;

use serde_json::Value;

use crate::api::{is_attribute_name, is_reserved};
use crate::scim::{Resource, fold};

/// The enterprise extension of RFC 7643 §4.3.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Lists that are owned entry by entry (promise I3); all others are owned whole.
pub const ENTRY_LISTS: [&str; 5] = ["emails", "phoneNumbers", "ims", "photos", "addresses"];

/// One attribute, in the notation of RFC 7644 §3.10.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// `title`, `name.givenName`, `urn:…:User:department`.
    Attribute {
        /// The extension's URN; none for the core schema.
        schema: Option<String>,
        /// The attribute's name.
        name: String,
        /// The sub-attribute's name.
        sub: Option<String>,
    },
    /// One entry of a list: `emails[type eq "work"]`.
    Entry {
        /// The list's name.
        name: String,
        /// The entry's type, folded; empty where it has none.
        kind: String,
        /// The entry's value, where its type alone does not tell it from others.
        value: Option<String>,
    },
}

impl Path {
    /// A core attribute.
    pub fn core(name: &str) -> Self {
        Self::Attribute { schema: None, name: name.into(), sub: None }
    }

    /// A sub-attribute of a core attribute.
    pub fn sub(name: &str, sub: &str) -> Self {
        Self::Attribute { schema: None, name: name.into(), sub: Some(sub.into()) }
    }

    /// An attribute of an extension.
    pub fn extension(schema: &str, name: &str) -> Self {
        Self::Attribute { schema: Some(schema.into()), name: name.into(), sub: None }
    }

    /// The manager's id.
    pub fn manager() -> Self {
        Self::Attribute { schema: Some(ENTERPRISE.into()), name: "manager".into(), sub: Some("value".into()) }
    }

    /// It stands for an attribute that has another, proper name.
    pub fn is_misnamed(&self) -> bool {
        let Self::Attribute { schema: Some(schema), name, .. } = self else { return false };
        (schema != ENTERPRISE && is_reserved(schema)) || !is_attribute_name(name)
    }

    /// The top-level attribute's name, without schema and sub-attribute.
    pub fn name(&self) -> &str {
        match self {
            Self::Attribute { name, .. } | Self::Entry { name, .. } => name,
        }
    }

    /// Reads what [`fmt::Display`] wrote; anything else is taken for a core attribute's name.
    pub fn parse(text: &str) -> Self {
        if let Some((name, filter)) = text.split_once('[') {
            let filter = filter.trim_end_matches(']');
            let (kind, value) = match filter.split_once(" and value eq ") {
                Some((kind, value)) => (kind, Some(unquote(value))),
                None => (filter, None),
            };
            let kind = unquote(kind.trim_start_matches("type eq "));
            return Self::Entry { name: name.into(), kind, value };
        }
        let (schema, rest) = match text.rsplit_once(':') {
            Some((schema, rest)) if text.starts_with("urn:") => {
                // A version such as `2.0` is part of the URN, so the name begins after the last colon.
                (Some(schema.to_owned()), rest)
            }
            _ => (None, text),
        };
        match rest.split_once('.') {
            Some((name, sub)) => Self::Attribute { schema, name: name.into(), sub: Some(sub.into()) },
            None => Self::Attribute { schema, name: rest.into(), sub: None },
        }
    }

    /// What the resource shows there; `None` where it is absent, null or an empty list.
    pub fn read<'a>(&self, resource: &'a Resource) -> Option<&'a Value> {
        match self {
            Self::Attribute { schema, name, sub } => {
                let holder = match schema {
                    Some(urn) => member(resource.get(urn)?, name)?,
                    None => resource.get(name)?,
                };
                let found = match sub {
                    // Some servers show a complex attribute as its bare value.
                    Some(sub) if sub == "value" && !holder.is_object() => Some(holder),
                    Some(sub) => member(holder, sub),
                    None => Some(holder),
                };
                found.filter(|value| !is_empty(value))
            }
            Self::Entry { .. } => self.entries(resource).next(),
        }
    }

    /// Every path that the resource has a value at; an entry of a list by its type, and by its type and value.
    pub fn all_in(resource: &Resource) -> Vec<Self> {
        let mut paths = Vec::new();
        for (name, value) in &resource.0 {
            match value {
                Value::Object(members) if name.to_ascii_lowercase().starts_with("urn:") => {
                    for (member, value) in members {
                        paths.push(Self::extension(name, member));
                        let subs = value.as_object().into_iter().flatten();
                        paths.extend(subs.map(|(sub, _)| Self::Attribute {
                            schema: Some(name.clone()),
                            name: member.clone(),
                            sub: Some(sub.clone()),
                        }));
                    }
                }
                Value::Array(entries) if ENTRY_LISTS.iter().any(|list| name.eq_ignore_ascii_case(list)) => {
                    for entry in entries {
                        let kind = text_of(entry, "type").map(fold).unwrap_or_default();
                        let by = |value: Option<String>| Self::Entry { name: name.clone(), kind: kind.clone(), value };
                        paths.push(by(None));
                        paths.extend(text_of(entry, "value").map(|value| by(Some(value.to_owned()))));
                    }
                }
                Value::Object(members) => paths.extend(members.keys().map(|sub| Self::sub(name, sub))),
                _ => paths.push(Self::core(name)),
            }
        }
        paths
    }

    /// One spelling for all letter cases.
    pub fn folded(&self) -> String {
        fold(&self.to_string())
    }

    /// The entries that this path fits; none where it doesn't name entries.
    pub fn entries<'a>(&self, resource: &'a Resource) -> impl Iterator<Item = &'a Value> {
        let list = resource.get(self.name()).and_then(Value::as_array);
        list.into_iter().flatten().filter(|entry| self.matches_entry(entry))
    }

    /// Whether a list's entry is the one that this path names.
    pub fn matches_entry(&self, entry: &Value) -> bool {
        let Self::Entry { name, kind, value } = self else { return false };
        let entry_kind = text_of(entry, "type").map(fold).unwrap_or_default();
        if entry_kind != *kind {
            return false;
        }
        match value {
            None => true,
            Some(value) => text_of(entry, "value")
                .is_some_and(|found| if name == "emails" { fold(found) == fold(value) } else { found == value }),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute { schema, name, sub } => {
                if let Some(schema) = schema {
                    write!(f, "{schema}:")?;
                }
                write!(f, "{name}")?;
                sub.as_ref().map_or(Ok(()), |sub| write!(f, ".{sub}"))
            }
            Self::Entry { name, kind, value } => {
                write!(f, "{name}[type eq {}", quote(kind))?;
                if let Some(value) = value {
                    write!(f, " and value eq {}", quote(value))?;
                }
                write!(f, "]")
            }
        }
    }
}

/// Absent, null, `[]` and `{}` mean the same (RFC 7643 §2.5).
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// A member of a JSON object, its name compared without regard to case (RFC 7643 §2.1).
pub fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let map = object.as_object()?;
    map.get(name).or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

fn text_of<'a>(entry: &'a Value, name: &str) -> Option<&'a str> {
    member(entry, name)?.as_str()
}

fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

fn unquote(text: &str) -> String {
    serde_json::from_str(text).unwrap_or_else(|_| text.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_into_status_is_read_back(kind in "[a-z]{0,8}", value in proptest::option::of("[ -Z^-~]{0,20}")) {
            let path = Path::Entry { name: "emails".into(), kind, value };
            prop_assert_eq!(Path::parse(&path.to_string()), path);
        }
    }

    #[test]
    fn attributes_are_read_back() {
        for path in [Path::core("title"), Path::sub("name", "givenName"), Path::extension(ENTERPRISE, "department")] {
            assert_eq!(Path::parse(&path.to_string()), path);
        }
    }
}
