//! Resource types, their schemas, and how input is fitted to them.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::error::{Fail, Outcome};
use super::schema_data;

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// The kinds of value that RFC 7643 §2.3 knows and the sandbox uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Boolean,
    DateTime,
    Reference,
    Binary,
    Complex,
}

/// One attribute of a schema.
#[derive(Debug)]
pub(super) struct Attribute {
    pub name: &'static str,
    pub kind: Kind,
    pub kind_name: &'static str,
    pub multi: bool,
    pub required: bool,
    pub case_exact: bool,
    pub mutability: &'static str,
    pub returned: &'static str,
    pub uniqueness: &'static str,
    pub canonical: Vec<&'static str>,
    pub references: Vec<&'static str>,
    pub subs: Vec<Attribute>,
}

/// A schema: a URN and its attributes.
#[derive(Debug)]
pub(super) struct Schema {
    pub urn: &'static str,
    pub name: &'static str,
    pub attributes: Vec<Attribute>,
}

/// A resource type with its extension, if it has one.
#[derive(Debug)]
pub(super) struct ResourceType {
    pub name: &'static str,
    pub endpoint: &'static str,
    pub schema: Schema,
    pub extensions: Vec<Schema>,
}

/// Where a name leads: an attribute, perhaps in an extension, perhaps below
/// another one. `attr` is `None` for an extension as a whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub extension: Option<&'static str>,
    pub attr: Option<&'static Attribute>,
    pub sub: Option<&'static Attribute>,
}

static COMMON: LazyLock<Vec<Attribute>> = LazyLock::new(|| parse(schema_data::COMMON));

static USER: LazyLock<ResourceType> = LazyLock::new(|| ResourceType {
    name: "User",
    endpoint: "Users",
    schema: Schema {
        urn: "urn:ietf:params:scim:schemas:core:2.0:User",
        name: "User",
        attributes: parse(schema_data::USER),
    },
    extensions: vec![Schema {
        urn: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        name: "EnterpriseUser",
        attributes: parse(schema_data::ENTERPRISE),
    }],
});

static GROUP: LazyLock<ResourceType> = LazyLock::new(|| ResourceType {
    name: "Group",
    endpoint: "Groups",
    schema: Schema {
        urn: "urn:ietf:params:scim:schemas:core:2.0:Group",
        name: "Group",
        attributes: parse(schema_data::GROUP),
    },
    extensions: Vec::new(),
});

/// The User resource type.
pub(super) fn user() -> &'static ResourceType {
    &USER
}

/// The Group resource type.
pub(super) fn group() -> &'static ResourceType {
    &GROUP
}

fn parse(text: &'static str) -> Vec<Attribute> {
    let mut all: Vec<Attribute> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split(' ');
        let (name, kind_name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let kind = match kind_name {
            "boolean" => Kind::Boolean,
            "dateTime" => Kind::DateTime,
            "reference" => Kind::Reference,
            "binary" => Kind::Binary,
            "complex" => Kind::Complex,
            _ => Kind::String,
        };
        let mut attr = Attribute {
            name: name.trim_start_matches('.'),
            kind,
            kind_name,
            multi: false,
            required: false,
            case_exact: matches!(kind, Kind::Reference | Kind::Binary),
            mutability: "readWrite",
            returned: "default",
            uniqueness: "none",
            canonical: Vec::new(),
            references: Vec::new(),
            subs: Vec::new(),
        };
        for flag in words {
            match flag {
                "multi" => attr.multi = true,
                "required" => attr.required = true,
                "exact" => attr.case_exact = true,
                "readOnly" | "writeOnly" | "immutable" => attr.mutability = flag,
                "always" | "never" => attr.returned = flag,
                "server" => attr.uniqueness = flag,
                _ => match flag.split_once('=') {
                    Some(("canonical", list)) => attr.canonical = list.split('|').collect(),
                    Some((_, list)) => attr.references = list.split('|').collect(),
                    None => {}
                },
            }
        }
        match all.last_mut() {
            Some(parent) if name.starts_with('.') => parent.subs.push(attr),
            _ => all.push(attr),
        }
    }
    all
}

fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|attr| attr.name.eq_ignore_ascii_case(name))
}

impl Attribute {
    /// The sub-attribute of that name, in any letter case.
    pub fn sub(&'static self, name: &str) -> Option<&'static Attribute> {
        find(&self.subs, name)
    }

    /// Whether clients cannot write it.
    pub fn read_only(&self) -> bool {
        self.mutability == "readOnly"
    }

    /// Fits a value to this attribute: names in the schema's spelling, types
    /// checked, what is read-only or unknown left out. `None` is "no value".
    pub fn fit(&'static self, value: Value) -> Outcome<Option<Value>> {
        if !self.multi {
            return self.fit_one(value);
        }
        let list = match value {
            Value::Null => return Ok(None),
            Value::Array(list) => list,
            one => vec![one],
        };
        let mut fitted = Vec::with_capacity(list.len());
        for one in list {
            fitted.extend(self.fit_one(one)?);
        }
        let primaries = fitted.iter().filter(|one| is_primary(one)).count();
        if primaries > 1 {
            return Err(Fail::value(format!("{}: more than one value is primary", self.name)));
        }
        Ok((!fitted.is_empty()).then_some(Value::Array(fitted)))
    }

    /// Fits one value of this attribute, multi-valued or not.
    pub fn fit_one(&'static self, value: Value) -> Outcome<Option<Value>> {
        match (self.kind, value) {
            (_, Value::Null) => Ok(None),
            (Kind::Complex, Value::Object(object)) => {
                let object = fit_object(&self.subs, object)?;
                Ok((!object.is_empty()).then_some(Value::Object(object)))
            }
            (Kind::Boolean, value @ Value::Bool(_))
            | (Kind::String | Kind::Reference | Kind::Binary, value @ Value::String(_)) => Ok(Some(value)),
            (Kind::DateTime, Value::String(text)) => {
                if text.parse::<jiff::Timestamp>().is_err() {
                    return Err(Fail::value(format!("{}: not a date and time", self.name)));
                }
                Ok(Some(Value::String(text)))
            }
            (_, _) => Err(Fail::value(format!("{}: expected {}", self.name, self.kind_name))),
        }
    }
}

fn fit_object(attributes: &'static [Attribute], object: Object) -> Outcome<Object> {
    let mut fitted = Object::new();
    for (key, value) in object {
        let Some(attr) = find(attributes, &key) else {
            continue;
        };
        if attr.read_only() {
            continue;
        }
        if let Some(value) = attr.fit(value)? {
            fitted.insert(attr.name.to_owned(), value);
        }
    }
    Ok(fitted)
}

/// Whether a value of a multi-valued attribute is the primary one.
pub(super) fn is_primary(value: &Value) -> bool {
    value.get("primary") == Some(&Value::Bool(true))
}

impl ResourceType {
    /// Fits a whole resource as a client sent it.
    pub fn fit(&'static self, input: Object) -> Outcome<Object> {
        let mut body = Object::new();
        for (key, value) in input {
            if let Some(extension) = self.extension(&key) {
                let Value::Object(object) = value else {
                    return Err(Fail::value(format!("{key}: expected an object")));
                };
                let object = fit_object(&extension.attributes, object)?;
                if !object.is_empty() {
                    body.insert(extension.urn.to_owned(), Value::Object(object));
                }
            } else if let Some(attr) = self.top(&key)
                && !attr.read_only()
                && attr.name != "schemas"
                && let Some(value) = attr.fit(value)?
            {
                body.insert(attr.name.to_owned(), value);
            }
        }
        self.require(&body)?;
        Ok(body)
    }

    /// Refuses a resource that lacks what its schema requires.
    pub fn require(&self, body: &Object) -> Outcome<()> {
        for attr in self.schema.attributes.iter().filter(|attr| attr.required) {
            match body.get(attr.name) {
                None => return Err(Fail::value(format!("{} is required", attr.name))),
                Some(Value::String(text)) if text.trim().is_empty() => {
                    return Err(Fail::value(format!("{} must not be empty", attr.name)));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// The extension with that URN, in any letter case.
    pub fn extension(&'static self, urn: &str) -> Option<&'static Schema> {
        self.extensions.iter().find(|schema| schema.urn.eq_ignore_ascii_case(urn))
    }

    /// The attribute of that name at the top of the resource.
    pub fn top(&'static self, name: &str) -> Option<&'static Attribute> {
        find(&self.schema.attributes, name).or_else(|| find(&COMMON, name))
    }

    /// Follows a written path (`attr`, `attr.sub`, `urn:…:attr.sub`, a URN).
    pub fn resolve(&'static self, path: &str) -> Option<Target> {
        let whole = |schema: &'static Schema| Target { extension: Some(schema.urn), attr: None, sub: None };
        if let Some(schema) = self.extension(path) {
            return Some(whole(schema));
        }
        let (urn, rest) = match path.rsplit_once(':') {
            Some((urn, rest)) => (Some(urn), rest),
            None => (None, path),
        };
        let (name, sub) = match rest.split_once('.') {
            Some((name, sub)) => (name, Some(sub)),
            None => (rest, None),
        };
        let (extension, attr) = match urn {
            Some(urn) if !urn.eq_ignore_ascii_case(self.schema.urn) => {
                let schema = self.extension(urn)?;
                (Some(schema.urn), find(&schema.attributes, name)?)
            }
            _ => (None, self.top(name)?),
        };
        let sub = match sub {
            Some(sub) => Some(attr.sub(sub)?),
            None => None,
        };
        Some(Target { extension, attr: Some(attr), sub })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: &Value) -> Object {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn names_are_spelt_as_in_the_schema() {
        let fitted = user()
            .fit(object(&json!({
                "USERNAME": "a", "Name": {"GIVENNAME": "A"}, "unknown": 1, "id": "x",
                "urn:ietf:params:scim:schemas:extension:ENTERPRISE:2.0:user": {"Department": "d"},
            })))
            .unwrap();
        assert_eq!(
            Value::Object(fitted),
            json!({
                "userName": "a", "name": {"givenName": "A"},
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "d"},
            })
        );
    }

    #[test]
    fn wrong_types_and_missing_names_are_refused() {
        for body in [
            json!({}),
            json!({"userName": " "}),
            json!({"userName": "a", "active": "True"}),
            json!({"userName": "a", "name": "x"}),
            json!({"userName": "a", "emails": [{"primary": true}, {"primary": true}]}),
        ] {
            assert_eq!(user().fit(object(&body)).unwrap_err().status, 400);
        }
    }

    #[test]
    fn paths_resolve() {
        let path = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value";
        let target = user().resolve(path).unwrap();
        assert!(target.extension.is_some());
        assert_eq!(target.sub.unwrap().name, "value");
        assert!(user().resolve("emails.nope").is_none());
        assert!(user().resolve("meta.lastModified").is_some());
    }
}
