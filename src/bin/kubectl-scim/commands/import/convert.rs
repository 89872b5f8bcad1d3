//! An account as a server shows it, as the ScimUser that changes nothing of it: only what the operator would own and finds
//! the same is declared.

use std::collections::BTreeSet;

use jiff::Timestamp;
use scim_operator::api::{ConnectionRef, GROUP, REMOTE_ID, ScimUserSpec, VERSION, crds};
use scim_operator::plan::{Declared, Path, differences};
use scim_operator::roster::name_of;
use scim_operator::scim::{Profile, Resource, fold, is_invisible};
use serde_json::{Map, Value, json};

pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const TEXTS: [&str; 8] =
    ["displayName", "nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale", "timezone"];
const NAMES: [&str; 6] = ["formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix"];
const OF_ENTERPRISE: [&str; 5] = ["employeeNumber", "costCenter", "organization", "division", "department"];
/// Lists that are owned entry by entry.
const ENTRIES: [&str; 4] = ["emails", "phoneNumbers", "ims", "photos"];
const OF_ADDRESSES: [&str; 6] = ["formatted", "streetAddress", "locality", "region", "postalCode", "country"];

/// A ScimUser to be.
#[derive(Debug)]
pub(super) struct Imported {
    /// Its name.
    pub(super) name: String,
    /// Its spec.
    pub(super) spec: Map<String, Value>,
    /// The manifest.
    pub(super) manifest: Value,
    /// What the server shows and the spec doesn't say.
    pub(super) dropped: Vec<String>,
}

/// Makes ScimUsers of accounts.
pub(super) struct Converter {
    pub(super) connection: ConnectionRef,
    pub(super) namespace: Option<String>,
    pub(super) profile: Profile,
    extensions: bool,
    /// The schema of a ScimUser's spec: what it refuses can't be declared.
    schema: Value,
}

impl Converter {
    pub(super) fn new(
        connection: ConnectionRef,
        namespace: Option<String>,
        profile: Profile,
        extensions: bool,
    ) -> Self {
        Self { connection, namespace, profile, extensions, schema: spec_schema("ScimUser") }
    }

    /// The ScimUser of an account, or why there can be none.
    pub(super) fn user(&self, account: &Resource) -> Result<Imported, String> {
        let id = account.id().unwrap_or_default();
        let user_name =
            account.user_name().ok_or_else(|| format!("the account {id} has no userName, and was left out"))?;
        if self.profile.obfuscates_inactive && account.active() == Some(false) {
            return Err(format!("the account {id} is inactive, so that the server hides whose it is; it was left out"));
        }
        let mut spec = Map::from_iter([
            ("connectionRef".to_owned(), json!(self.connection)),
            ("userName".to_owned(), json!(user_name)),
        ]);
        if user_name.contains(|letter: char| is_invisible(letter) || letter.is_whitespace() && letter != ' ') {
            return Err(format!(
                "the userName of the account {id} has a letter that nobody sees, such as a zero-width space: correct it at the \
                 server; it was left out"
            ));
        }
        if !self.holds(&spec, account) {
            return Err(format!("the userName of the account {id} can't be declared; it was left out"));
        }
        let candidates = self.candidates(account);
        let mut dropped = Vec::new();
        let mut all = spec.clone();
        for candidate in &candidates {
            candidate.put(&mut all);
        }
        if self.holds(&all, account) {
            spec = all;
        } else {
            // One by one: what can't be owned doesn't take the rest along.
            for candidate in &candidates {
                let mut with = spec.clone();
                candidate.put(&mut with);
                if self.holds(&with, account) {
                    spec = with;
                } else {
                    dropped.push(candidate.shown());
                }
            }
        }
        dropped.dedup();
        let name = name_of(&self.connection.name, &fold(user_name));
        let manifest = self.manifest("ScimUser", &name, id, &spec);
        Ok(Imported { name, spec, manifest, dropped })
    }

    /// An object, bound to what it was made of.
    pub(super) fn manifest(&self, kind: &str, name: &str, id: &str, spec: &Map<String, Value>) -> Value {
        let mut metadata = json!({"name": name, "annotations": {REMOTE_ID: id}});
        if let Some(namespace) = &self.namespace {
            metadata["namespace"] = json!(namespace);
        }
        json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": kind, "metadata": metadata, "spec": spec})
    }

    /// Whether the API server takes it, the profile has a place for all of it, and the operator finds nothing to change.
    fn holds(&self, spec: &Map<String, Value>, account: &Resource) -> bool {
        let value = Value::Object(spec.clone());
        if !is_within(&self.schema, &value) {
            return false;
        }
        let Ok(spec) = serde_json::from_value::<ScimUserSpec>(value) else { return false };
        let declared = Declared::new(&spec, None, &self.profile, Timestamp::now());
        declared.unsupported.is_empty() && differences(&declared, account, &BTreeSet::new()).is_empty()
    }

    /// All that could be declared, in the order in which it is tried.
    fn candidates(&self, account: &Resource) -> Vec<Candidate> {
        let text =
            |name: &str| account.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(Value::from);
        let mut found = Vec::new();
        let mut add =
            |path: &[&str], value: Option<Value>| found.extend(value.map(|value| Candidate::new(path, value)));
        add(&["externalId"], text("externalId").filter(|_| self.profile.external_id));
        add(&["active"], account.active().map(Value::from));
        for name in TEXTS {
            add(&[name], text(name));
        }
        for name in NAMES {
            add(&["name", name], member(account.get("name"), name));
        }
        let enterprise = account.get(ENTERPRISE);
        for name in OF_ENTERPRISE {
            add(&["enterprise", name], member(enterprise, name));
        }
        let manager =
            Path::Attribute { schema: Some(ENTERPRISE.into()), name: "manager".into(), sub: Some("value".into()) };
        let manager = manager.read(account).and_then(Value::as_str).filter(|id| !id.is_empty());
        add(&["enterprise", "manager"], manager.map(|id| json!({"value": id})));
        for list in ENTRIES {
            for entry in entries(account, list) {
                found.push(Candidate::entry(list, tidy(entry, &["value", "type"])));
            }
        }
        for entry in entries(account, "addresses") {
            let names: Vec<&str> = OF_ADDRESSES.into_iter().chain(["type"]).collect();
            found.push(Candidate::entry("addresses", tidy(entry, &names)));
        }
        for list in ["roles", "entitlements"] {
            let all: Vec<Value> = entries(account, list).map(grant).collect();
            if !all.is_empty() {
                found.push(Candidate::new(&[list], Value::Array(all)));
            }
        }
        if self.extensions {
            let others = account.0.iter().filter(|(urn, _)| is_extension(urn));
            for (urn, members) in others {
                for (name, value) in members.as_object().into_iter().flatten() {
                    found.push(Candidate::new(&["extensions", urn, name], value.clone()));
                }
            }
        }
        found
    }
}

fn is_extension(name: &str) -> bool {
    let name = fold(name);
    name.starts_with("urn:") && name != fold(ENTERPRISE) && !name.starts_with("urn:ietf:params:scim:schemas:core:")
}

/// One thing that could be declared.
struct Candidate {
    path: Vec<String>,
    value: Value,
    /// It is added to a list.
    is_entry: bool,
}

impl Candidate {
    fn new(path: &[&str], value: Value) -> Self {
        Self { path: path.iter().map(|name| (*name).to_owned()).collect(), value, is_entry: false }
    }

    fn entry(list: &str, value: Value) -> Self {
        Self { is_entry: true, ..Self::new(&[list], value) }
    }

    fn shown(&self) -> String {
        self.path.join(".")
    }

    fn put(&self, spec: &mut Map<String, Value>) {
        let Some((last, holders)) = self.path.split_last() else { return };
        let mut holder = spec;
        for name in holders {
            let slot = holder.entry(name.clone()).or_insert_with(|| json!({}));
            match slot {
                Value::Object(map) => holder = map,
                _ => return,
            }
        }
        if self.is_entry {
            if let Value::Array(list) = holder.entry(last.clone()).or_insert_with(|| json!([])) {
                list.push(self.value.clone());
            }
        } else {
            holder.insert(last.clone(), self.value.clone());
        }
    }
}

fn member(holder: Option<&Value>, name: &str) -> Option<Value> {
    let map = holder?.as_object()?;
    let (_, value) = map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    value.as_str().filter(|text| !text.is_empty()).map(Value::from)
}

fn entries<'a>(account: &'a Resource, list: &str) -> impl Iterator<Item = &'a Value> {
    account.get(list).and_then(Value::as_array).into_iter().flatten()
}

/// An entry of a list with these texts, and `primary` where it is one.
fn tidy(entry: &Value, names: &[&str]) -> Value {
    if let Value::String(text) = entry {
        return json!({"value": text});
    }
    let texts = names.iter().filter_map(|name| Some(((*name).to_owned(), member(Some(entry), name)?)));
    let mut tidy: Map<String, Value> = texts.collect();
    if entry.get("primary") == Some(&Value::Bool(true)) {
        tidy.insert("primary".into(), Value::Bool(true));
    }
    Value::Object(tidy)
}

/// A role or entitlement: by its value; by its name only where it has none.
fn grant(entry: &Value) -> Value {
    let mut grant = tidy(entry, &["value", "type"]);
    if grant.get("value").is_none()
        && let (Some(name), Some(map)) = (member(Some(entry), "display"), grant.as_object_mut())
    {
        map.insert("display".into(), name);
    }
    grant
}

/// The schema of a kind's spec.
pub(super) fn spec_schema(kind: &str) -> Value {
    let crd = crds().into_iter().find(|crd| crd.spec.names.kind == kind);
    let schema = crd.and_then(|crd| serde_json::to_value(&crd.spec.versions.first()?.schema).ok());
    schema.map(|schema| schema["openAPIV3Schema"]["properties"]["spec"].clone()).unwrap_or_default()
}

/// Whether a value is within the bounds of its schema: what the API server would refuse isn't declared.
pub(super) fn is_within(schema: &Value, value: &Value) -> bool {
    let most = |name: &str, count: usize| schema[name].as_u64().is_none_or(|most| count as u64 <= most);
    let least = |name: &str, count: usize| schema[name].as_u64().is_none_or(|least| count as u64 >= least);
    match value {
        Value::String(text) => {
            let count = text.chars().count();
            most("maxLength", count) && least("minLength", count) && text.trim() == text
        }
        Value::Array(list) => most("maxItems", list.len()) && list.iter().all(|one| is_within(&schema["items"], one)),
        Value::Object(map) => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let of = |name: &String| match &schema["properties"][name] {
                Value::Null => &schema["additionalProperties"],
                known => known,
            };
            most("maxProperties", map.len())
                && required.into_iter().all(|name| map.contains_key(name))
                && map.iter().all(|(name, value)| is_within(of(name), value))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    /// One for all: the schema in it takes a while to make.
    static CONVERTER: LazyLock<Converter> = LazyLock::new(|| converter(Profile::generic()));

    fn converter(profile: Profile) -> Converter {
        let connection = ConnectionRef { name: "example".into(), ..ConnectionRef::default() };
        Converter::new(connection, None, profile, false)
    }

    fn account(fields: &Value) -> Resource {
        let mut account = json!({"id": "7", "userName": "Ada@example.com", "active": true});
        account.as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap());
        Resource(account.as_object().cloned().unwrap())
    }

    #[test]
    fn an_account_becomes_what_the_operator_finds_the_same() {
        let ada = account(&json!({
            "displayName": "Ada", "title": "", "name": {"givenName": "Ada", "formatted": "Ada L."},
            "emails": [{"value": "ada@example.com", "type": "work", "primary": true, "display": "made by the server"}, {"value": "ada@home.example"}],
            "roles": [{"value": "r1", "display": "Admin"}],
            "phoneNumbers": [{"value": "1", "type": "work"}, {"value": "2", "type": "work"}],
            ENTERPRISE: {"department": "Engines", "manager": {"value": "3", "displayName": "Charles"}},
            "meta": {"version": "1"}, "groups": [{"value": "g"}], "password": "never",
        }));
        let user = converter(Profile::generic()).user(&ada).expect("a user");
        assert_eq!(user.dropped, Vec::<String>::new());
        assert_eq!(user.manifest["metadata"]["annotations"][REMOTE_ID], "7");
        assert_eq!(
            Value::Object(user.spec),
            json!({
                "connectionRef": {"kind": "ScimConnection", "name": "example"},
                "userName": "Ada@example.com", "active": true, "displayName": "Ada",
                "name": {"givenName": "Ada", "formatted": "Ada L."},
                "emails": [{"value": "ada@example.com", "type": "work", "primary": true}, {"value": "ada@home.example"}],
                "phoneNumbers": [{"value": "1", "type": "work"}, {"value": "2", "type": "work"}],
                "roles": [{"value": "r1"}],
                "enterprise": {"department": "Engines", "manager": {"value": "3"}},
            })
        );
    }

    #[test]
    fn what_has_no_place_or_no_bounds_is_left_out_and_told() {
        let ada =
            account(&json!({"title": "x".repeat(600), "nickName": "Countess", "displayName": "Ada", "locale": " en "}));
        let user = converter(Profile::generic()).user(&ada).expect("a user");
        assert_eq!(user.dropped, ["title", "locale"]);
        assert_eq!((&user.spec["displayName"], &user.spec["nickName"]), (&json!("Ada"), &json!("Countess")));
        let few = Profile { attributes: Some(vec!["userName".into(), "title".into()]), ..Profile::generic() };
        let user =
            converter(few).user(&account(&json!({"title": "Engineer", "nickName": "Countess"}))).expect("a user");
        assert_eq!((user.dropped, user.spec.len()), (vec!["nickName".to_owned()], 4));
    }

    #[test]
    fn a_user_name_that_only_looks_like_another_is_left_out() {
        for name in ["\u{200b}ada@example.com", "ada\u{a0}lovelace"] {
            let why = CONVERTER.user(&account(&json!({"userName": name}))).expect_err("it is left out");
            assert!(why.contains("a letter that nobody sees"), "{why}");
        }
        assert!(CONVERTER.user(&account(&json!({"userName": "zo\u{eb} de example"}))).is_ok());
    }

    #[test]
    fn nobody_is_made_of_an_account_that_hides_whose_it_is() {
        let hidden = Profile { obfuscates_inactive: true, ..Profile::generic() };
        assert!(converter(hidden).user(&account(&json!({"active": false}))).is_err());
        assert!(
            converter(Profile::generic()).user(&Resource(json!({"id": "7"}).as_object().cloned().unwrap())).is_err()
        );
    }

    proptest::proptest! {
        #[test]
        fn i25_no_account_makes_it_panic(texts in proptest::collection::vec(proptest::option::of(".{0,20}"), 8), number in 0..4) {
            let mut fields = Map::new();
            for (name, text) in ["userName", "title", "name", "emails", "roles", "addresses", ENTERPRISE, "active"].iter().zip(texts) {
                let value = match (number, text) {
                    (0, text) => json!(text),
                    (1, text) => json!([text]),
                    (2, text) => json!({"value": text, "type": text}),
                    (_, text) => json!([{"value": text, "primary": true}]),
                };
                fields.insert((*name).to_owned(), value);
            }
            fields.insert("id".to_owned(), json!("7"));
            let _ = CONVERTER.user(&Resource(fields));
        }
    }
}
