//! Which declared attributes a server has a place for, and what goes there in their stead.

use std::collections::BTreeMap;

use serde_json::Value;

use super::path::{ENTERPRISE, Path};
use crate::scim::{OTHER_EXTENSIONS, Profile, fold};

/// Takes out what the profile has no place for, after deriving from it what the profile derives; returns what was lost.
pub(super) fn fit(attributes: &mut BTreeMap<Path, Value>, profile: &Profile) -> Vec<Path> {
    let carried = if profile.derives_formatted { derive_formatted(attributes) } else { Vec::new() };
    let mut lost = one_value(attributes, profile);
    attributes.retain(|path, _| {
        let kept = has_place(path, profile);
        if !kept && !carried.contains(path) {
            lost.push(path.clone());
        }
        kept
    });
    lost
}

/// `name.formatted` from displayName, else from given and family name, where it isn't declared; returns what it says.
fn derive_formatted(attributes: &mut BTreeMap<Path, Value>) -> Vec<Path> {
    let formatted = Path::sub("name", "formatted");
    if attributes.contains_key(&formatted) {
        return Vec::new();
    }
    let by_name = [Path::sub("name", "givenName"), Path::sub("name", "familyName")];
    for sources in [vec![Path::core("displayName")], by_name.to_vec()] {
        let texts: Vec<&str> = sources.iter().filter_map(|path| attributes.get(path)?.as_str()).collect();
        if !texts.is_empty() {
            let value = texts.join(" ");
            attributes.insert(formatted, Value::from(value));
            return sources;
        }
    }
    Vec::new()
}

/// Of a list that holds one value only, the primary one stays, else the first.
fn one_value(attributes: &mut BTreeMap<Path, Value>, profile: &Profile) -> Vec<Path> {
    let mut lost = Vec::new();
    for list in profile.single_valued {
        let entries: Vec<Path> = attributes
            .keys()
            .filter(|path| matches!(path, Path::Entry { name, .. } if name == list))
            .cloned()
            .collect();
        let primary =
            |path: &&Path| attributes.get(path).and_then(|value| value.get("primary")?.as_bool()) == Some(true);
        let Some(kept) = entries.iter().find(primary).or(entries.first()).cloned() else { continue };
        for path in entries.into_iter().filter(|path| *path != kept) {
            attributes.remove(&path);
            lost.push(path);
        }
    }
    lost
}

/// Whether accounts have a place for it.
fn has_place(path: &Path, profile: &Profile) -> bool {
    let Some(places) = &profile.attributes else { return true };
    places.iter().any(|place| match (Path::parse(place), path) {
        _ if place == "*" => true,
        (_, Path::Attribute { schema: Some(schema), .. }) if place == OTHER_EXTENSIONS => {
            fold(schema) != fold(ENTERPRISE)
        }
        (Path::Entry { name, kind, .. }, Path::Entry { name: list, kind: of, .. }) => name == *list && kind == *of,
        (place, Path::Entry { name, .. }) => place == Path::core(name),
        (_, Path::Attribute { schema: Some(schema), .. }) if fold(place) == fold(schema) => true,
        (place, Path::Attribute { schema: None, name, .. }) if place == Path::core(name) => true,
        (place, path) => place == *path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Declared;
    use serde_json::json;

    fn declared(spec: Value, profile: &Profile) -> (Value, Vec<String>) {
        let mut spec = spec;
        spec["connectionRef"] = json!({"name": "any"});
        spec["userName"] = json!("ada@example.com");
        let spec = serde_json::from_value(spec).expect("a spec");
        let declared = Declared::new(&spec, None, profile, jiff::Timestamp::UNIX_EPOCH);
        let sent: BTreeMap<String, Value> =
            declared.attributes.into_iter().map(|(path, value)| (path.to_string(), value)).collect();
        (json!(sent), declared.unsupported.iter().map(Path::to_string).collect())
    }

    #[test]
    fn datadog_gets_what_it_has_a_place_for_and_the_rest_is_named() {
        let (sent, lost) = declared(
            json!({
                "externalId": "1", "displayName": "Ada King", "title": "Countess", "nickName": "A",
                "name": {"givenName": "Ada", "familyName": "Lovelace"},
                "emails": [{"value": "ada@example.com", "type": "Work"}, {"value": "ada@example.org", "type": "home"}],
                "roles": [{"value": "8b2b5b8c"}], "enterprise": {"department": "Engines"},
            }),
            &Profile::datadog(),
        );
        let emails = json!({"value": "ada@example.com", "type": "Work"});
        let expected = json!({
            "userName": "ada@example.com", "title": "Countess", "name.formatted": "Ada King",
            "emails[type eq \"work\"]": emails, "roles": [{"value": "8b2b5b8c"}],
        });
        assert_eq!(sent, expected);
        let department = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
        let mut named =
            ["externalId", "emails[type eq \"home\"]", "name.familyName", "name.givenName", "nickName", department];
        let mut lost: Vec<&str> = lost.iter().map(String::as_str).collect();
        named.sort_unstable();
        lost.sort_unstable();
        assert_eq!(lost, named);
    }

    #[test]
    fn a_name_is_made_of_its_parts_and_never_over_a_declared_one() {
        let formatted = |spec: Value| declared(spec, &Profile::datadog()).0["name.formatted"].clone();
        assert_eq!(formatted(json!({"name": {"givenName": "Ada", "familyName": "King"}})), "Ada King");
        assert_eq!(formatted(json!({"name": {"familyName": "King"}})), "King");
        assert_eq!(formatted(json!({"displayName": "A", "name": {"formatted": "B"}})), "B");
        assert_eq!(formatted(json!({})), Value::Null);
        let (_, lost) = declared(json!({"name": {"givenName": "Ada", "familyName": "King"}}), &Profile::datadog());
        assert_eq!(lost, Vec::<String>::new(), "what the name is made of is not lost");
    }

    #[test]
    fn extensions_that_a_server_does_not_list_have_a_place_the_enterprise_one_is_named() {
        let attributes = ["userName", OTHER_EXTENSIONS, &format!("{ENTERPRISE}:department")].map(str::to_owned);
        let profile = Profile { attributes: Some(attributes.into()), ..Profile::generic() };
        let (sent, lost) = declared(
            json!({
                "title": "Countess", "extensions": {"urn:example:params:scim:own": {"badge": "7"}},
                "enterprise": {"department": "Engines", "costCenter": "1"},
            }),
            &profile,
        );
        assert_eq!(sent["urn:example:params:scim:own:badge"], "7");
        assert_eq!(sent[format!("{ENTERPRISE}:department")], "Engines");
        assert_eq!(lost, ["title".to_owned(), format!("{ENTERPRISE}:costCenter")]);
    }

    #[test]
    fn a_list_of_one_keeps_its_primary_entry() {
        let profile = Profile { single_valued: &["emails"], ..Profile::generic() };
        let emails = json!([
            {"value": "a@example.com", "type": "home"}, {"value": "b@example.com", "type": "work", "primary": true},
        ]);
        let (sent, lost) = declared(json!({"emails": emails}), &profile);
        assert_eq!(sent["emails[type eq \"work\"]"]["value"], "b@example.com");
        assert_eq!(lost, ["emails[type eq \"home\"]"]);
    }
}
