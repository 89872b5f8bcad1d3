//! Filters, RFC 7644 §3.4.2.2.

use serde_json::Value;

/// `attribute eq "value"`, the value as a JSON string literal.
pub fn eq(attribute: &str, value: &str) -> String {
    format!("{attribute} eq {}", Value::from(value))
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
