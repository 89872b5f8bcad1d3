//! What can go wrong with a SCIM request, before a dialect words it.

use serde_json::{Value, json};

/// The URN of a SCIM error.
pub(super) const ERROR_URN: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// A refused request: its status, SCIM type and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fail {
    pub status: u16,
    pub scim_type: Option<&'static str>,
    pub detail: String,
}

/// What most of the sandbox's functions answer.
pub(super) type Outcome<T> = Result<T, Fail>;

impl Fail {
    /// Any status, without a SCIM type.
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, scim_type: None, detail: detail.into() }
    }

    /// A 400 with a SCIM type.
    pub fn bad(scim_type: &'static str, detail: impl Into<String>) -> Self {
        Self { status: 400, scim_type: Some(scim_type), detail: detail.into() }
    }

    /// A 400 for a filter that cannot be understood or is not supported.
    pub fn filter(detail: impl Into<String>) -> Self {
        Self::bad("invalidFilter", detail)
    }

    /// A 400 for a value of the wrong type.
    pub fn value(detail: impl Into<String>) -> Self {
        Self::bad("invalidValue", detail)
    }

    /// A 404 for one resource.
    pub fn missing(id: &str) -> Self {
        Self::new(404, format!("Resource {id} not found"))
    }

    /// A 409 for a value that somebody else has.
    pub fn taken(what: &str, value: &str) -> Self {
        Self { status: 409, scim_type: Some("uniqueness"), detail: format!("{what} '{value}' is already in use") }
    }

    /// The body that RFC 7644 §3.12 asks for.
    pub fn body(&self) -> Value {
        let mut body = json!({
            "schemas": [ERROR_URN],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let Some(kind) = self.scim_type {
            body["scimType"] = kind.into();
        }
        body
    }
}
