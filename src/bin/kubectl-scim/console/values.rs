//! Values of attributes as people would write them.

use serde_json::Value;

/// A value, of whatever form.
pub fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(all)) => all.iter().map(|one| text(Some(one))).collect::<Vec<_>>().join("; "),
        Some(Value::Object(parts)) => entry(parts),
        Some(other) => other.to_string(),
    }
}

/// An entry of a list by its value, with what else is said of it: `ada@example.com (work, primary)`.
fn entry(parts: &serde_json::Map<String, Value>) -> String {
    let value = parts.get("value").or_else(|| parts.get("formatted"));
    let rest =
        parts.iter().filter(|(name, part)| !value.is_some_and(|value| std::ptr::eq(value, *part)) && *name != "$ref");
    let rest: Vec<String> = rest
        .filter_map(|(name, part)| match (name.as_str(), part) {
            ("type", part) => Some(text(Some(part))),
            ("primary", part) => (part == &Value::Bool(true)).then(|| "primary".to_owned()),
            (name, part) => Some(format!("{name}: {}", text(Some(part)))),
        })
        .collect();
    match (value, rest.is_empty()) {
        (Some(value), true) => text(Some(value)),
        (Some(value), false) => format!("{} ({})", text(Some(value)), rest.join(", ")),
        (None, _) => rest.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_complex_value_reads_as_people_would_write_it() {
        let shown = |value: Value| text(Some(&value));
        let work = json!({"type": "work", "value": "ada@example.com", "primary": true});
        assert_eq!(shown(work), "ada@example.com (primary, work)");
        let roles = json!([{"value": "7", "display": "Admin", "primary": false}, "auditor"]);
        assert_eq!(shown(roles), "7 (display: Admin); auditor");
        assert_eq!(
            shown(json!({"streetAddress": "1 Main St", "country": "GB"})),
            "country: GB, streetAddress: 1 Main St"
        );
        assert_eq!(text(None), "–");
    }
}
