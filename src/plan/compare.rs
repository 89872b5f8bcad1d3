//! Semantic comparison (promise I5): a difference in wording alone is no reason to write.

use serde_json::Value;

use super::path::{Path, is_empty, member};
use crate::scim::{composed, fold};

/// Whether what the server shows at `path` already says what is declared.
///
/// Sub-attributes that the server added don't count; order of lists doesn't matter.
pub fn says_the_same(path: &Path, declared: &Value, observed: Option<&Value>) -> bool {
    let Some(observed) = observed else {
        return is_empty(declared) || declared.as_str() == Some("");
    };
    let folded = path.name() == "userName";
    match path {
        Path::Entry { name, .. } => entry_equal(declared, observed, name == "emails"),
        Path::Attribute { .. } => value_equal(declared, observed, folded),
    }
}

fn entry_equal(declared: &Value, observed: &Value, email: bool) -> bool {
    let Some(declared) = declared.as_object() else {
        return value_equal(declared, observed, email);
    };
    declared.iter().all(|(name, value)| {
        let found = member(observed, name);
        let folded = name == "type" || (email && name == "value");
        // A server that doesn't show `primary: false` has not contradicted it.
        let absent_means_false = value == &Value::Bool(false) && found.is_none();
        absent_means_false || found.map_or(is_empty(value), |found| value_equal(value, found, folded))
    })
}

fn value_equal(declared: &Value, observed: &Value, folded: bool) -> bool {
    match (declared, observed) {
        (a, b) if is_empty(a) && is_empty(b) => true,
        // Letters may be composed otherwise, and spaces around a value be cut off.
        (Value::String(a), Value::String(b)) => {
            a == b || composed(a.trim()) == composed(b.trim()) || (folded && fold(a.trim()) == fold(b.trim()))
        }
        (Value::Bool(a), Value::String(b)) => b.eq_ignore_ascii_case(if *a { "true" } else { "false" }),
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Object(a), Value::Object(_)) => a.iter().all(|(name, value)| {
            member(observed, name).map_or(is_empty(value), |found| value_equal(value, found, false))
        }),
        // A list of complex values that a server shows as its bare values: roles as "a" for {"value": "a"}.
        (Value::Object(a), Value::String(_)) => {
            a.get("value").is_some_and(|value| value_equal(value, observed, folded))
        }
        (Value::Array(a), Value::Array(b)) => list_equal(a, b),
        (a, b) => a == b,
    }
}

/// Lists are equal as multisets: each declared element finds one of its own.
fn list_equal(declared: &[Value], observed: &[Value]) -> bool {
    if declared.len() != observed.len() {
        return false;
    }
    let mut free: Vec<&Value> = observed.iter().collect();
    declared.iter().all(|wanted| {
        free.iter().position(|found| value_equal(wanted, found, false)).map(|index| free.swap_remove(index)).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn i05_letter_case_of_names_is_no_difference() {
        assert!(says_the_same(&Path::core("userName"), &json!("Ada@X"), Some(&json!("ada@x"))));
        assert!(!says_the_same(&Path::core("title"), &json!("CEO"), Some(&json!("ceo"))));
    }

    #[test]
    fn i05_wording_is_no_difference() {
        let work = Path::Entry { name: "emails".into(), kind: "work".into(), value: None };
        assert!(says_the_same(
            &work,
            &json!({"type": "work", "value": "Ada@x", "primary": false}),
            Some(&json!({"type": "Work", "value": "ada@x", "display": "added"})),
        ));
        assert!(says_the_same(&Path::core("active"), &json!(true), Some(&json!("True"))));
        assert!(says_the_same(&Path::core("title"), &json!("Zoe\u{308} "), Some(&json!("Zo\u{eb}"))));
        assert!(!says_the_same(&Path::core("title"), &json!("a b"), Some(&json!("ab"))));
        assert!(says_the_same(&Path::core("roles"), &json!([]), None));
        assert!(says_the_same(
            &Path::core("roles"),
            &json!([{"value": "a"}, {"value": "b"}]),
            Some(&json!([{"value": "b", "display": "B"}, "a"])),
        ));
        assert!(!says_the_same(&Path::core("roles"), &json!([{"value": "a"}]), Some(&json!(["a", "b"]))));
    }

    proptest! {
        #[test]
        fn i05_order_of_lists_is_no_difference(mut list in proptest::collection::vec("[a-z]{1,4}", 0..6), seed in any::<u64>()) {
            let declared = json!(list);
            let length = list.len().max(1);
            list.rotate_left(usize::try_from(seed % length as u64).unwrap_or(0) % length);
            prop_assert!(says_the_same(&Path::core("roles"), &declared, Some(&json!(list))));
        }
    }
}
