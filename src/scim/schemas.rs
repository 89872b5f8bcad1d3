//! Which attributes of a User a server's `/Schemas` lists (RFC 7643 §7).
//!
//! Whatever is in doubt has a place there: an attribute that is sent in vain shows as `NotPersisted`, one that is held back
//! wrongly would never arrive.

use serde_json::Value;

use super::resource::{Attributes, fold};

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Any extension but the enterprise one: few servers list those of their own.
pub const OTHER_EXTENSIONS: &str = "urn:*";

/// What a user can declare in the core schema. `externalId` is common to all resources and in no schema.
const CORE_ATTRIBUTES: [&str; 22] = [
    "userName",
    "name.formatted",
    "name.familyName",
    "name.givenName",
    "name.middleName",
    "name.honorificPrefix",
    "name.honorificSuffix",
    "displayName",
    "nickName",
    "profileUrl",
    "title",
    "userType",
    "preferredLanguage",
    "locale",
    "timezone",
    "emails",
    "phoneNumbers",
    "ims",
    "photos",
    "addresses",
    "entitlements",
    "roles",
];

/// And in the enterprise extension.
const ENTERPRISE_ATTRIBUTES: [&str; 6] =
    ["employeeNumber", "costCenter", "organization", "division", "department", "manager.value"];

/// The attributes that accounts have a place for, by what the server lists; `None` where it lists all, or nothing that
/// makes sense.
pub(super) fn places(answer: &Attributes) -> Option<Vec<String>> {
    let schemas = answer.iter().find(|(key, _)| key.eq_ignore_ascii_case("Resources"))?.1.as_array()?;
    let core = attributes(schemas, CORE);
    if !has_place(&core, "userName") {
        return None;
    }
    let mut places = vec!["externalId".to_owned(), OTHER_EXTENSIONS.to_owned()];
    places.extend(CORE_ATTRIBUTES.iter().filter(|path| has_place(&core, path)).map(|path| (*path).to_owned()));
    let enterprise = attributes(schemas, ENTERPRISE);
    let listed: Vec<&&str> = ENTERPRISE_ATTRIBUTES.iter().filter(|path| has_place(&enterprise, path)).collect();
    // An extension that isn't there may be one that isn't shown.
    let whole = enterprise.is_empty() || listed.len() == ENTERPRISE_ATTRIBUTES.len();
    if whole && places.len() == CORE_ATTRIBUTES.len() + 2 {
        return None;
    }
    if whole {
        places.push(ENTERPRISE.to_owned());
    } else {
        places.extend(listed.iter().map(|path| format!("{ENTERPRISE}:{path}")));
    }
    Some(places)
}

/// The attributes that have a name in all schemas with this id.
fn attributes<'a>(schemas: &'a [Value], id: &str) -> Vec<&'a Value> {
    let of_it = schemas.iter().filter(|schema| text(schema, "id").is_some_and(|found| fold(found) == fold(id)));
    of_it.flat_map(|schema| named(schema, "attributes")).collect()
}

/// The members of a list of attributes that have a name.
fn named<'a>(holder: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    let list = member(holder, list).and_then(Value::as_array);
    list.into_iter().flatten().filter(|attribute| text(attribute, "name").is_some())
}

/// Whether one of the attributes is the one at `path` and can be written.
fn has_place(attributes: &[&Value], path: &str) -> bool {
    let (name, sub) = path.split_once('.').map_or((path, None), |(name, sub)| (name, Some(sub)));
    attributes.iter().filter(|attribute| is_called(attribute, name) && is_writable(attribute)).any(|attribute| {
        let mut subs = named(attribute, "subAttributes").peekable();
        match sub {
            Some(sub) if subs.peek().is_some() => subs.any(|listed| is_called(listed, sub) && is_writable(listed)),
            _ => true,
        }
    })
}

/// Some servers list `name.givenName` or `emails[type eq "work"].value` as if they were attributes.
fn is_called(attribute: &Value, name: &str) -> bool {
    let listed = text(attribute, "name").unwrap_or_default();
    listed.split(['.', '[']).next().is_some_and(|first| fold(first.trim()) == fold(name))
}

fn is_writable(attribute: &Value) -> bool {
    text(attribute, "mutability").is_none_or(|mutability| !mutability.eq_ignore_ascii_case("readOnly"))
}

fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    member(object, name)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(answer: &Value) -> Option<Vec<String>> {
        places(&answer.as_object().cloned().unwrap_or_default())
    }

    /// A schema that lists these paths, each as RFC 7643 has it.
    fn schema(id: &str, paths: &[&str]) -> Value {
        let mut attributes: Vec<Value> = Vec::new();
        for path in paths {
            let (name, sub) = path.split_once('.').unwrap_or((path, ""));
            let known = attributes.iter().position(|attribute| attribute["name"] == name).unwrap_or_else(|| {
                attributes.push(json!({"name": name, "mutability": "readWrite"}));
                attributes.len() - 1
            });
            if !sub.is_empty() {
                let subs = attributes[known]["subAttributes"].as_array().cloned().unwrap_or_default();
                let subs = subs.into_iter().chain([json!({"name": sub})]).collect();
                attributes[known]["subAttributes"] = Value::Array(subs);
            }
        }
        json!({"id": id, "attributes": attributes})
    }

    fn cased(text: &str, upper: bool) -> String {
        if upper { text.to_uppercase() } else { text.to_lowercase() }
    }

    proptest! {
        #[test]
        fn what_the_schemas_list_has_a_place_and_nothing_else_of_them(
            core in proptest::sample::subsequence(CORE_ATTRIBUTES[1..].to_vec(), 0..CORE_ATTRIBUTES.len() - 1),
            enterprise in proptest::sample::subsequence(ENTERPRISE_ATTRIBUTES.to_vec(), 1..6),
            upper in any::<bool>(),
        ) {
            let paths: Vec<String> = ["userName"].iter().chain(&core).map(|path| cased(path, upper)).collect();
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let resources = json!([schema(&cased(CORE, upper), &paths), schema(ENTERPRISE, &enterprise)]);
            let learnt = read(&json!({"totalResults": 2, "Resources": resources})).expect("something lacks");
            for path in &CORE_ATTRIBUTES[1..] {
                prop_assert_eq!(learnt.iter().any(|place| place == path), core.contains(path), "{}", path);
            }
            for path in ENTERPRISE_ATTRIBUTES {
                let place = format!("{ENTERPRISE}:{path}");
                prop_assert_eq!(learnt.contains(&place), enterprise.contains(&path), "{}", path);
            }
            prop_assert!(learnt.iter().any(|place| place == "externalId") && learnt.len() <= 64);
        }

        #[test]
        fn i25_nonsense_teaches_nothing(name in "\\PC{0,12}", deep in any::<bool>(), number in any::<u64>()) {
            prop_assume!(fold(&name) != "username");
            let attribute = if deep { json!({"name": name, "subAttributes": number}) } else { json!(name) };
            for resources in [
                json!(number), json!([name]), json!([{"id": CORE, "attributes": name}]),
                json!([{"id": CORE, "attributes": [attribute, null, number]}]), json!([{"id": name, "attributes": []}]),
            ] {
                prop_assert_eq!(read(&json!({"Resources": resources})), None);
            }
        }
    }

    #[test]
    fn what_is_in_doubt_has_a_place() {
        let all = schema(CORE, &CORE_ATTRIBUTES);
        assert_eq!(read(&json!({"Resources": [all]})), None, "the enterprise extension may just not be shown");
        let flat = json!({"id": CORE, "attributes": [
            {"name": "userName"}, {"name": "name.givenName"}, {"name": "emails[type eq \"work\"].value"},
            {"name": "title", "mutability": "readOnly"}, {"name": "roles", "mutability": "immutable"},
        ]});
        let learnt = read(&json!({"Resources": [flat, {"id": ENTERPRISE, "attributes": []}]})).expect("places");
        let has = |place: &str| learnt.iter().any(|learnt| learnt == place);
        assert!(has("name.familyName") && has("emails") && has("roles") && has(ENTERPRISE), "{learnt:?}");
        assert!(has(OTHER_EXTENSIONS) && !has("title") && !has("nickName"), "{learnt:?}");
    }

    #[test]
    fn a_complex_attribute_that_names_no_parts_has_all_of_them() {
        let resources = json!([
            {"id": CORE, "attributes": [{"name": "userName"}, {"name": "name"}]},
            {"id": ENTERPRISE, "attributes": [{"name": "manager", "type": "string"}]},
        ]);
        let learnt = read(&json!({"Resources": resources})).expect("places");
        let manager = format!("{ENTERPRISE}:manager.value");
        assert!(learnt.contains(&"name.middleName".to_owned()) && learnt.contains(&manager), "{learnt:?}");
    }
}
