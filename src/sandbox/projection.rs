//! What a client asks to see, and how a resource is shown.

use serde_json::{Value, json};

use super::dialect::{Dialect, Meta};
use super::error::{Fail, Outcome};
use super::schema::{Object, ResourceType, Target};
use super::store::{Collection, Store};

/// What a client asks of a list, from a query string or a `.search` body.
#[derive(Debug, Default, Clone)]
pub(super) struct Query {
    pub filter: Option<String>,
    pub sort_by: Option<String>,
    pub descending: bool,
    pub start: Option<i64>,
    pub count: Option<i64>,
    pub cursor: Option<String>,
    pub attributes: Vec<String>,
    pub excluded: Vec<String>,
    /// Ory Polis shows a group's members if this is asked for.
    pub include_members: bool,
}

impl Query {
    /// Reads a query string.
    pub fn from_url(query: &str) -> Outcome<Self> {
        let mut read = Self::default();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            read.set(&key, &value)?;
        }
        Ok(read)
    }

    /// Reads the body of a `.search`.
    pub fn from_search(body: &Value) -> Outcome<Self> {
        let mut read = Self::default();
        for (key, value) in body.as_object().into_iter().flatten() {
            match value {
                Value::String(text) => read.set(key, text)?,
                Value::Array(list) => {
                    let names: Vec<_> = list.iter().filter_map(Value::as_str).collect();
                    read.set(key, &names.join(","))?;
                }
                other => read.set(key, &other.to_string())?,
            }
        }
        Ok(read)
    }

    fn set(&mut self, key: &str, value: &str) -> Outcome<()> {
        let number = || value.parse::<i64>().map(Some).map_err(|_| Fail::value(format!("{key} is not a number")));
        let names = || {
            let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
            names.map(str::to_owned).collect()
        };
        match key.to_ascii_lowercase().as_str() {
            "filter" => self.filter = Some(value.to_owned()),
            "sortby" => self.sort_by = Some(value.to_owned()),
            "sortorder" => self.descending = value.eq_ignore_ascii_case("descending"),
            "startindex" => self.start = number()?,
            "count" => self.count = number()?,
            "cursor" => self.cursor = Some(value.to_owned()),
            "attributes" => self.attributes = names(),
            "excludedattributes" => self.excluded = names(),
            "includemembers" => self.include_members = value == "true",
            _ => {}
        }
        Ok(())
    }
}

/// Which attributes an answer carries.
#[derive(Debug, Default)]
pub(super) struct Projection {
    include: Option<Vec<Target>>,
    exclude: Vec<Target>,
    include_members: bool,
}

impl Projection {
    /// Resolves the names; unknown ones are ignored.
    pub fn new(kind: &'static ResourceType, query: &Query) -> Self {
        let resolve =
            |names: &[String]| -> Vec<Target> { names.iter().filter_map(|name| kind.resolve(name)).collect() };
        Self {
            include: (!query.attributes.is_empty()).then(|| resolve(&query.attributes)),
            exclude: resolve(&query.excluded),
            include_members: query.include_members,
        }
    }

    fn top(target: &Target) -> &'static str {
        match (target.extension, target.attr) {
            (Some(urn), _) => urn,
            (None, Some(attr)) => attr.name,
            (None, None) => "",
        }
    }

    /// Picks what is asked for out of one attribute at the top.
    fn pick(&self, key: &str, value: &Value) -> Option<Value> {
        if key == "password" {
            return None;
        }
        if matches!(key, "id" | "schemas") {
            return Some(value.clone());
        }
        let mut picked = match &self.include {
            None => value.clone(),
            Some(include) => {
                let asked: Vec<_> = include.iter().filter(|one| Self::top(one) == key).collect();
                if asked.is_empty() {
                    return None;
                }
                if asked.iter().any(|one| below(one).is_empty()) {
                    value.clone()
                } else {
                    let mut kept = Value::Null;
                    for one in asked {
                        keep(value, &below(one), &mut kept);
                    }
                    kept
                }
            }
        };
        for target in self.exclude.iter().filter(|one| Self::top(one) == key) {
            let path = below(target);
            if path.is_empty() {
                return None;
            }
            drop_at(&mut picked, &path);
        }
        Some(picked)
    }
}

/// The names below the top one.
fn below(target: &Target) -> Vec<&'static str> {
    let attr = target.attr.filter(|_| target.extension.is_some());
    [attr, target.sub].into_iter().flatten().map(|attr| attr.name).collect()
}

fn keep(from: &Value, path: &[&str], into: &mut Value) {
    let Some((name, rest)) = path.split_first() else {
        *into = from.clone();
        return;
    };
    match from {
        Value::Object(object) => {
            if !into.is_object() {
                *into = json!({});
            }
            if let Some(found) = object.get(*name) {
                keep(found, rest, &mut into[*name]);
            }
        }
        Value::Array(list) => {
            if !into.is_array() {
                *into = vec![Value::Null; list.len()].into();
            }
            for (at, one) in list.iter().enumerate() {
                keep(one, path, &mut into[at]);
            }
        }
        _ => {}
    }
}

fn drop_at(value: &mut Value, path: &[&str]) {
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    match value {
        Value::Object(object) if rest.is_empty() => {
            object.remove(*name);
        }
        Value::Object(object) => {
            if let Some(inner) = object.get_mut(*name) {
                drop_at(inner, rest);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|one| drop_at(one, path)),
        _ => {}
    }
}

/// One resource as the dialect shows it.
pub(super) fn render(
    store: &Store,
    dialect: &Dialect,
    collection: Collection,
    body: &Object,
    projection: &Projection,
) -> Value {
    let mut shown = Object::new();
    for (key, value) in body {
        let hidden = match key.as_str() {
            "meta" => dialect.meta == Meta::None,
            "members" => !(dialect.members_readable || dialect.members_on_request && projection.include_members),
            _ => false,
        };
        if !hidden && let Some(value) = projection.pick(key, value) {
            shown.insert(key.clone(), value);
        }
    }
    if !dialect.etag
        && let Some(Value::Object(meta)) = shown.get_mut("meta")
    {
        meta.remove("version");
    }
    let id = body.get("id").and_then(Value::as_str).unwrap_or_default();
    if collection == Collection::Users
        && let Some(groups) = store.memberships(id)
        && let Some(groups) = projection.pick("groups", &groups)
    {
        shown.insert("groups".into(), groups);
    }
    if collection == Collection::Groups && dialect.first_email {
        shown.entry("members").or_insert_with(|| json!([]));
    }
    if dialect.obfuscates && body.get("active") == Some(&Value::Bool(false)) {
        for key in ["userName", "emails"] {
            shown.remove(key);
        }
        shown.insert("userName".into(), format!("obfuscated-{id}").into());
    }
    super::numbers::shown(&mut shown, dialect.numbers);
    Value::Object(shown)
}
