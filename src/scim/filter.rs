//! Filters, RFC 7644 §3.4.2.2.

use serde_json::Value;

/// `attribute eq "value"`, the value as a JSON string literal.
pub fn eq(attribute: &str, value: &str) -> String {
    format!("{attribute} eq {}", Value::from(value))
}

/// What a value has that not every server can read in a filter.
fn special_letters(value: &str) -> [bool; 4] {
    [!value.is_ascii(), value.contains('"'), value.contains('\\'), value.contains('\'')]
}

/// A value that not every server can read in a filter: what isn't found by it may be there all the same.
pub fn is_special(value: &str) -> bool {
    special_letters(value).contains(&true)
}

/// Whoever is found by this value would be found by the other one: whatever is special about that is so about this.
pub fn is_as_special(value: &str, other: &str) -> bool {
    special_letters(other).into_iter().zip(special_letters(value)).all(|(other, own)| own || !other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_value_leaves_its_literal(value in ".*") {
            let filter = eq("userName", &value);
            let literal = filter.strip_prefix("userName eq ").unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(literal).unwrap(), value);
        }
    }
}
