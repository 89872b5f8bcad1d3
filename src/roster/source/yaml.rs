//! YAML as people write tables: a number is kept as it is written, and only `true` and `false` are truths.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

/// A value, and where it stands in the text.
type Node = Spanned<Untyped>;

enum Untyped {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// Reads a text. `NO` is Norway, `+44` a telephone number and `1.10` a room.
pub(super) fn read(text: &str) -> Result<Value, serde_saphyr::Error> {
    let options = serde_saphyr::options! {
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        strict_booleans: true,
    };
    let node: Node = serde_saphyr::from_str_with_options(text, options)?;
    Ok(value(node, text))
}

fn value(node: Node, text: &str) -> Value {
    let written = |node: &Node| {
        let span = node.defined.span();
        let (from, length) = (usize::try_from(span.byte_offset()?).ok()?, usize::try_from(span.byte_len()?).ok()?);
        text.get(from..from.checked_add(length)?).map(str::trim)
    };
    match node.value {
        Untyped::Null => Value::Null,
        Untyped::Bool(known) => Value::Bool(known),
        Untyped::Number(ref number) => match written(&node) {
            Some(written) if !written.is_empty() && written != number.to_string() => Value::String(written.to_owned()),
            _ => Value::Number(number.clone()),
        },
        Untyped::Text(text) => Value::String(text),
        Untyped::List(nodes) => Value::Array(nodes.into_iter().map(|node| value(node, text)).collect()),
        Untyped::Map(nodes) => {
            let entries = nodes.into_iter().map(|(key, node)| (key, value(node, text)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

impl<'de> Deserialize<'de> for Untyped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UntypedVisitor)
    }
}

struct UntypedVisitor;

impl<'de> Visitor<'de> for UntypedVisitor {
    type Value = Untyped;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Untyped, E> {
        Ok(Untyped::Null)
    }

    fn visit_none<E>(self) -> Result<Untyped, E> {
        Ok(Untyped::Null)
    }

    fn visit_bool<E>(self, known: bool) -> Result<Untyped, E> {
        Ok(Untyped::Bool(known))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Untyped, E> {
        Ok(Untyped::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Untyped, E> {
        Ok(Untyped::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Untyped, E> {
        Ok(Number::from_f64(number).map_or(Untyped::Null, Untyped::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Untyped, E> {
        Ok(Untyped::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Untyped, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Untyped::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Untyped, A::Error> {
        let mut nodes = Vec::new();
        while let Some(entry) = map.next_entry()? {
            nodes.push(entry);
        }
        Ok(Untyped::Map(nodes))
    }
}
