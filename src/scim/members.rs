//! Groups of any size: of their members the ids alone are taken in. As JSON objects, a hundred thousand members would
//! take a hundred MiB.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

/// A resource in which `members` are their ids, as they came; null stands for one that can't be read.
pub(super) struct Slim(Map<String, Value>);

impl From<Slim> for Value {
    fn from(slim: Slim) -> Value {
        Value::Object(slim.0)
    }
}

impl<'de> Deserialize<'de> for Slim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SlimVisitor)
    }
}

struct SlimVisitor;

impl<'de> Visitor<'de> for SlimVisitor {
    type Value = Slim;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Slim, A::Error> {
        let mut slim = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = if name.eq_ignore_ascii_case("members") {
                map.next_value::<Option<Vec<Member>>>()?.map_or(Value::Null, ids)
            } else {
                map.next_value()?
            };
            slim.insert(name, value);
        }
        Ok(Slim(slim))
    }
}

fn ids(members: Vec<Member>) -> Value {
    members.into_iter().map(Member::id).collect()
}

/// One member, in any of the forms that servers have.
#[derive(Deserialize)]
#[serde(untagged)]
enum Member {
    Object {
        #[serde(alias = "Value", alias = "VALUE")]
        value: Id,
    },
    Bare(Id),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(u64),
}

impl Member {
    fn id(self) -> Value {
        match self {
            Self::Object { value: Id::Text(text) } | Self::Bare(Id::Text(text)) => text.into(),
            Self::Object { value: Id::Number(number) } | Self::Bare(Id::Number(number)) => number.into(),
            Self::Other(_) => Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_their_ids_in_whatever_form_they_come() {
        let shown = r#"{"id": "g", "Members": [{"value": "1", "$ref": "https://x/1", "meta": {"a": [1]}}, "2", {"display": "3"}, 9007199254740993, {"value": 18446744073709551615}, {"value": 1.5}, null, {"Value": "4", "Display": "Dan"}]}"#;
        let slim: Slim = serde_json::from_str(shown).unwrap();
        assert_eq!(
            Value::from(slim),
            json!({"id": "g", "Members": ["1", "2", null, 9_007_199_254_740_993_u64, u64::MAX, null, null, "4"]})
        );
        let none: Slim = serde_json::from_str(r#"{"id": "g", "members": null}"#).unwrap();
        assert_eq!(Value::from(none), json!({"id": "g", "members": null}));
        assert!(serde_json::from_str::<Slim>(r#"{"members": "all"}"#).is_err(), "nothing is concluded of nonsense");
    }
}
