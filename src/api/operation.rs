//! What is done about an object, and what is held of it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a request did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OperationType {
    /// The account was created.
    Create,
    /// An account that was there already was bound.
    Adopt,
    /// Attributes were changed.
    Update,
    /// The account came from, or went to, another object.
    Handover,
    /// The account was deactivated.
    Deactivate,
    /// The account was activated again.
    Reactivate,
    /// The account was deleted.
    Delete,
}

impl OperationType {
    /// The name, as in status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Adopt => "Adopt",
            Self::Update => "Update",
            Self::Handover => "Handover",
            Self::Deactivate => "Deactivate",
            Self::Reactivate => "Reactivate",
            Self::Delete => "Delete",
        }
    }
}

/// The last request that took effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastOperation {
    /// What it did.
    #[serde(rename = "type")]
    pub type_: OperationType,
    /// When.
    pub at: Time,
    /// The attributes that it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), inner(length(max = 1024)))]
    pub attributes: Option<Vec<String>>,
    /// The server's id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub request_id: Option<String>,
}

/// The hold that keeps an operation of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserHold {
    /// The hold's id, for the connection's `approvedHold` or `rejectedHold`.
    #[schemars(length(max = 16))]
    pub id: String,
    /// What would be done.
    pub operation: OperationType,
    /// Tells whether it is the same operation still.
    #[schemars(length(max = 16))]
    pub digest: String,
}

/// A hold that a person rejected, as far as it is about one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RejectedHold {
    /// The hold's id.
    #[schemars(length(max = 16))]
    pub id: String,
    /// What was held.
    pub operation: OperationType,
    /// The object's generation then.
    pub generation: i64,
    /// The object was under deletion.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleting: bool,
    /// It was about members that are taken out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub members: bool,
    /// The attributes, or the members, by digest.
    #[schemars(length(max = 60000))]
    pub parts: String,
}
