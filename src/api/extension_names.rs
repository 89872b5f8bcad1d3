//! Which schemas may stand in `extensions`: any but those that have fields of their own. A server that folds URNs, or
//! takes them for the beginning of a path, would read an attribute of the core there (promises I13, I14).

use serde_json::{Value, json};

/// Schemas whose attributes have fields of their own, and messages; what lies below them, too.
const RESERVED: [&str; 5] = [
    "urn:ietf:params:scim:schemas:core",
    "urn:ietf:params:scim:schemas:extension:enterprise",
    "urn:ietf:params:scim:api",
    "urn:scim:schemas:core",
    "urn:scim:schemas:extension:enterprise",
];

/// The rules of the keys of `extensions`.
pub(super) fn rules() -> Value {
    json!([{
        "rule": "self.all(urn, urn.matches('^urn:[!-~]*[!-9;-~]$'))",
        "message": "write the URN of a schema, such as urn:ietf:params:scim:schemas:extension:example:2.0:User"
    }, {
        "rule": format!("self.all(urn, !urn.matches('(?i)^({})(:|$)'))", RESERVED.join("|")),
        "message": "write attributes of the core schema beside userName, and those of the enterprise extension in spec.enterprise"
    }])
}

/// The rule of `clear`: an attribute has one name there, and so one place where it may be declared.
pub(super) fn rule_of_clear(enterprise: &str) -> Value {
    json!([{
        "rule": format!(
            "self.all(path, path.startsWith('{enterprise}:') || !path.matches('(?i)^({})(:|$)'))", RESERVED.join("|")
        ),
        "message": format!("write attributes of the core schema by their names alone, and those of the enterprise extension as {enterprise}:department")
    }])
}

/// The URN is that of the core schema, of the enterprise extension or of a message, or lies below one, however it is
/// spelled.
pub fn is_reserved(urn: &str) -> bool {
    let folded = urn.trim().to_ascii_lowercase();
    RESERVED.iter().any(|own| {
        folded
            .strip_prefix(own)
            .is_some_and(|rest| rest.chars().next().is_none_or(|next| !next.is_alphanumeric() && next != '-'))
    })
}

/// The name is one of an attribute, and not a path that leads elsewhere.
pub fn is_attribute_name(name: &str) -> bool {
    !name.is_empty() && !name.contains([':', '[', ']', '"', '/']) && !name.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i29_the_core_schema_is_known_by_any_spelling() {
        for urn in [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:core:2.0:user",
            "URN:IETF:params:scim:schemas:CORE:2.0:User",
            "urn:ietf:params:scim:schemas:core:2.0:User:active",
            "urn:ietf:params:scim:schemas:core:2.0:Group",
            "urn:ietf:params:scim:schemas:core:2.0:User:",
            " urn:ietf:params:scim:schemas:core:2.0:User ",
            "urn:ietf:params:scim:schemas:core",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0",
            "urn:ietf:params:scim:api:messages:2.0:PatchOp",
            "urn:scim:schemas:core:1.0",
        ] {
            assert!(is_reserved(urn), "{urn}");
        }
        for urn in [
            "urn:ietf:params:scim:schemas:extension:example:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise-plus:2.0:User",
            "urn:example:core:2.0:User",
        ] {
            assert!(!is_reserved(urn), "{urn}");
        }
        assert!(is_attribute_name("badge_id-1.x") && is_attribute_name("$ref"));
        for name in ["urn:ietf:params:scim:schemas:core:2.0:User:active", "emails[type eq \"work\"]", "a b", ""] {
            assert!(!is_attribute_name(name), "{name}");
        }
    }
}
