//! PATCH, RFC 7644 §3.5.2.

use serde::Serialize;
use serde_json::Value;

/// What an operation does; sent in lower case, which every server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// §3.5.2.1.
    Add,
    /// §3.5.2.3.
    Replace,
    /// §3.5.2.2.
    Remove,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PatchOperation {
    /// What it does.
    pub op: Op,
    /// Where; without a path the value is a whole resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}
