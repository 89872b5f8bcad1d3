//! What namespaces may do through a cluster connection.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What some namespaces may do through a cluster connection. Patterns are globs, `*` and `?`, in which case doesn't
/// matter; an empty list allows nothing of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delegation {
    /// The namespaces.
    pub namespace_selector: NamespaceSelector,
    /// The userNames that accounts may have, both as declared and as found at the server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub user_names: Vec<String>,
    /// The e-mails that accounts may have, both as declared and as found; by default `userNames`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub emails: Option<Vec<String>>,
    /// The display names that groups may have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub groups: Vec<String>,
    /// The values that roles may have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub roles: Vec<String>,
    /// The values that entitlements may have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub entitlements: Vec<String>,
    /// Ids of the server's own and attributes of extensions may be written too: they can't be bounded by patterns;
    /// default false.
    #[serde(default)]
    pub trusted: bool,
}

/// Selects namespaces by their labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// The labels, all of which a namespace must carry; `kubernetes.io/metadata.name` is each one's name. Without any, all
    /// namespaces are selected.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "labels")]
    pub match_labels: BTreeMap<String, String>,
}

fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {"type": "string", "maxLength": 63}
    })
}
