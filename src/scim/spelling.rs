//! Names of sub-attributes fold letter case (RFC 7643 §2.1). They are spelled as the RFC has them from the moment an answer
//! is read, so that nobody overlooks an e-mail or a member that a server calls `Value`.

use serde_json::{Map, Value};

use super::resource::Attributes;

/// The sub-attributes that are looked for by their names.
const NAMES: [&str; 9] =
    ["value", "type", "primary", "display", "displayName", "$ref", "version", "created", "lastModified"];

/// Spells the names within the attributes of a resource. Its own attributes are looked for in any case.
pub(super) fn spell(resource: &mut Attributes) {
    for (name, value) in resource {
        match value {
            // What is directly below the name of an extension are attributes, which go back as they came.
            Value::Object(attributes) if is_extension(name) => attributes.values_mut().for_each(spell_within),
            value => spell_within(value),
        }
    }
}

fn is_extension(name: &str) -> bool {
    name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
}

fn spell_within(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(spell_within),
        Value::Object(map) => {
            spell_names(map);
            map.values_mut().for_each(spell_within);
        }
        _ => {}
    }
}

fn spell_names(map: &mut Map<String, Value>) {
    let odd = |name: &String| NAMES.iter().find(|own| own.eq_ignore_ascii_case(name)).filter(|own| *own != name);
    let renamed: Vec<(String, &str)> = map.keys().filter_map(|name| Some((name.clone(), *odd(name)?))).collect();
    for (name, own) in renamed {
        // Of two spellings in one place the proper one counts.
        if !map.contains_key(own)
            && let Some(value) = map.remove(&name)
        {
            map.insert(own.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn i05_sub_attributes_are_read_in_any_case() {
        let shown = json!({
            "UserName": "ada", "Emails": [{"Value": "a@x", "TYPE": "work"}, "b@x"], "Meta": {"LastModified": "now"},
            "urn:x": {"Manager": {"Value": "7", "$Ref": "u", "DisplayName": "Bea"}, "Type": "a", "Version": 3}, "Name": {"GivenName": "Ada"},
            "roles": [{"value": "a", "Value": "b"}],
        });
        let mut read = shown.as_object().cloned().unwrap();
        spell(&mut read);
        assert_eq!(
            Value::Object(read),
            json!({
                "UserName": "ada", "Emails": [{"value": "a@x", "type": "work"}, "b@x"], "Meta": {"lastModified": "now"},
                "urn:x": {"Manager": {"value": "7", "$ref": "u", "displayName": "Bea"}, "Type": "a", "Version": 3}, "Name": {"GivenName": "Ada"},
                "roles": [{"value": "a", "Value": "b"}],
            })
        );
    }
}
