//! Whether a resource passes a filter, and the order that sorting gives.

use std::cmp::Ordering;

use serde_json::Value;

use super::filter::{Filter, Op};
use super::schema::{Attribute, Kind, Object, Target};

/// Whether an object passes a filter.
pub(super) fn matches(filter: &Filter, object: &Object) -> bool {
    match filter {
        Filter::And(left, right) => matches(left, object) && matches(right, object),
        Filter::Or(left, right) => matches(left, object) || matches(right, object),
        Filter::Not(inner) => !matches(inner, object),
        Filter::Any(target, inner) => {
            values(*target, object).iter().any(|value| value.as_object().is_some_and(|value| matches(inner, value)))
        }
        Filter::Test(target, op, wanted) => test(*target, *op, wanted, object),
    }
}

fn test(target: Target, op: Op, wanted: &Value, object: &Object) -> bool {
    let found = if op == Op::Pr && target.sub.is_none() { values(target, object) } else { leaves(target, object) };
    match op {
        Op::Pr => found.iter().any(|value| !is_empty(value)),
        Op::Eq if wanted.is_null() => found.is_empty(),
        Op::Ne if wanted.is_null() => !found.is_empty(),
        Op::Ne => !test(target, Op::Eq, wanted, object),
        _ => target.leaf().is_some_and(|attr| found.iter().any(|value| holds(attr, op, value, wanted))),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    }
}

fn holds(attr: &Attribute, op: Op, value: &Value, wanted: &Value) -> bool {
    let (Value::String(value), Value::String(wanted)) = (value, wanted) else {
        return op == Op::Eq && value == wanted;
    };
    if attr.kind != Kind::DateTime {
        return if attr.case_exact {
            compare(op, value.as_str(), wanted.as_str())
        } else {
            compare(op, &value.to_lowercase(), &wanted.to_lowercase())
        };
    }
    let parsed = (value.parse::<jiff::Timestamp>(), wanted.parse::<jiff::Timestamp>());
    match parsed {
        (Ok(value), Ok(wanted)) => ordered(op, value.cmp(&wanted)),
        _ => false,
    }
}

fn compare(op: Op, value: &str, wanted: &str) -> bool {
    match op {
        Op::Co => value.contains(wanted),
        Op::Sw => value.starts_with(wanted),
        Op::Ew => value.ends_with(wanted),
        _ => ordered(op, value.cmp(wanted)),
    }
}

fn ordered(op: Op, order: Ordering) -> bool {
    match op {
        Op::Eq => order.is_eq(),
        Op::Gt => order.is_gt(),
        Op::Ge => order.is_ge(),
        Op::Lt => order.is_lt(),
        Op::Le => order.is_le(),
        _ => false,
    }
}

/// The values of the attribute that a target names, without its sub-attribute.
fn values(target: Target, object: &Object) -> Vec<&Value> {
    let object = match target.extension {
        Some(urn) => match object.get(urn) {
            Some(Value::Object(object)) => object,
            _ => return Vec::new(),
        },
        None => object,
    };
    let Some(attr) = target.attr else {
        return object.values().collect();
    };
    match object.get(attr.name) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list.iter().collect(),
        Some(value) => vec![value],
    }
}

/// The plain values that a target names.
fn leaves(target: Target, object: &Object) -> Vec<&Value> {
    let found = values(target, object);
    match target.leaf() {
        Some(leaf) if target.attr.is_some_and(|attr| attr.kind == Kind::Complex) => {
            found.into_iter().filter_map(|value| value.get(leaf.name)).collect()
        }
        _ => found,
    }
}

/// What sorting by a target compares: the primary value of several, else the
/// first, folded unless case counts.
pub(super) fn sort_key(target: Target, object: &Object) -> Option<String> {
    let found = values(target, object);
    let chosen = found.iter().find(|value| super::schema::is_primary(value)).or_else(|| found.first())?;
    let leaf = target.leaf()?;
    let value = match chosen {
        Value::Object(object) => object.get(leaf.name)?,
        value => value,
    };
    Some(match value {
        Value::String(text) if leaf.case_exact => text.clone(),
        Value::String(text) => text.to_lowercase(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::filter::{parse, parse_path};
    use super::super::schema::user;
    use super::*;

    fn sample() -> Object {
        json!({
            "id": "Ab1", "userName": "Ada@Example.org", "active": true, "title": "a \"b\" \\ c",
            "name": {"givenName": "Ada", "familyName": "L"},
            "emails": [
                {"value": "ada@work.example", "type": "work", "primary": true},
                {"value": "ada@home.example", "type": "home"},
            ],
            "meta": {"lastModified": "2026-01-02T03:04:05Z"},
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "R&D"},
        })
        .as_object()
        .cloned()
        .unwrap()
    }

    #[test]
    fn filters_of_every_kind() {
        let yes = [
            r#"userName eq "ada@example.ORG""#,
            r#"USERNAME EQ "ada@example.org""#,
            r#"id eq "Ab1""#,
            r#"userName sw "ada" and (active eq true or title pr)"#,
            r#"not (userName eq "x") and not (nickName pr)"#,
            r#"emails[type eq "work" and value ew "work.example"]"#,
            r#"emails eq "ada@home.example""#,
            r#"emails.type co "om""#,
            r#"name.givenName eq "ada""#,
            r"name pr",
            r#"title eq "a \"b\" \\ c""#,
            r#"meta.lastModified gt "2026-01-02T03:04:04+00:00""#,
            r#"meta.lastModified le "2026-01-02T04:04:05+01:00""#,
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "r&d""#,
            r"urn:ietf:params:scim:schemas:core:2.0:User:userName pr",
            r"nickName eq null",
            r#"userName ne "x""#,
            r#"active eq false or userName co "EXAMPLE""#,
        ];
        for text in yes {
            assert!(matches(&parse(text, user()).unwrap(), &sample()), "{text}");
        }
        let no = [
            r#"id eq "ab1""#,
            r#"emails[type eq "work" and value ew "home.example"]"#,
            r"active eq false",
            r#"userName gt "b""#,
            r#"nickName sw "a""#,
            r"not (userName pr)",
        ];
        for text in no {
            assert!(!matches(&parse(text, user()).unwrap(), &sample()), "{text}");
        }
    }

    #[test]
    fn broken_filters_are_refused() {
        for text in [
            "",
            "userName",
            "userName eq",
            "userName eq bare",
            "userName like \"x\"",
            "userName eq \"x\" and",
            "(userName eq \"x\"",
            "userName eq \"x\")",
            "nope eq \"x\"",
            "emails[type eq \"work\"",
            "active gt true",
            "active eq \"True\"",
            "userName eq 5",
            "userName eq [1]",
            "name eq \"x\"",
            "meta.created gt \"today\"",
            "userName[a eq 1]",
        ] {
            let fail = parse(text, user()).unwrap_err();
            assert_eq!((fail.status, fail.scim_type), (400, Some("invalidFilter")), "{text}");
        }
        let deep = "(".repeat(5000);
        assert!(parse(&deep, user()).is_err());
    }

    #[test]
    fn paths() {
        for text in [
            "userName",
            "name.givenName",
            r#"emails[type eq "work"].value"#,
            r#"emails[value eq "a"]"#,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        ] {
            assert!(parse_path(text, user()).is_ok(), "{text}");
        }
        for text in [
            "",
            "nope",
            "userName[a eq 1]",
            r#"emails[type eq "w""#,
            "emails[type eq \"w\"]x",
            "emails[type eq \"w\"].nope",
        ] {
            assert_eq!(parse_path(text, user()).unwrap_err().status, 400, "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,80}") {
            let _ = parse(&text, user());
            let _ = parse_path(&text, user());
        }

        #[test]
        fn almost_filters_never_panic(words in proptest::collection::vec(prop_oneof![
            Just("userName"), Just("emails["), Just("]"), Just("("), Just(")"), Just("not"),
            Just("and"), Just("or"), Just("eq"), Just("pr"), Just("\"x\""), Just("type"), Just("."),
        ], 0..20)) {
            let _ = parse(&words.join(" "), user());
        }

        #[test]
        fn any_text_can_be_looked_up(text in ".{1,30}") {
            let mut object = sample();
            object.insert("externalId".into(), text.clone().into());
            let filter = format!("externalId eq {}", Value::from(text));
            prop_assert!(matches(&parse(&filter, user()).unwrap(), &object));
        }

        #[test]
        fn boolean_laws(a in any::<bool>(), b in any::<bool>()) {
            let term = |x: bool| if x { "userName pr" } else { "nickName pr" };
            let sample = sample();
            let run = |text: String| matches(&parse(&text, user()).unwrap(), &sample);
            prop_assert_eq!(run(format!("{} and {}", term(a), term(b))), a && b);
            prop_assert_eq!(run(format!("{} or {}", term(a), term(b))), a || b);
            prop_assert_eq!(run(format!("not ({})", term(a))), !a);
            prop_assert_eq!(run(format!("{} or {} and {}", term(a), term(b), term(false))), a);
        }
    }
}
