//! A request as it came.

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, header};
use serde_json::Value;

use super::error::{Fail, Outcome};
use super::schema::Object;

/// A request below the base.
pub(super) struct Asked<'a> {
    pub method: Method,
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a Bytes,
}

impl<'a> Asked<'a> {
    /// What the counters file it under.
    pub fn collection(&self) -> &'a str {
        let first = self.path.trim_start_matches('/').split('/').next();
        match first.unwrap_or_default() {
            known @ ("Users" | "Groups" | "Me" | "Schemas" | "ResourceTypes" | "ServiceProviderConfig") => known,
            _ => "other",
        }
    }

    /// Whether it changes something.
    pub fn writes(&self) -> bool {
        self.method != Method::GET
    }

    /// Its body as text.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.body)
    }

    /// A header, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether its body is `application/scim+json`.
    pub fn body_is_scim_json(&self) -> bool {
        self.header("content-type").starts_with("application/scim+json")
    }

    /// Its query, decoded.
    pub fn decoded_query(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// Its body as JSON.
    pub fn json(&self) -> Outcome<Value> {
        serde_json::from_slice(self.body).map_err(|error| Fail::bad("invalidSyntax", format!("not JSON: {error}")))
    }

    /// Its body as a JSON object.
    pub fn object(&self) -> Outcome<Object> {
        match self.json()? {
            Value::Object(object) => Ok(object),
            _ => Err(Fail::bad("invalidSyntax", "expected an object")),
        }
    }
}

/// Whether the bearer token is the one.
pub(super) fn authorized(headers: &HeaderMap, token: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.to_str().ok());
    given
        .and_then(|value| value.split_once(' '))
        .is_some_and(|(scheme, given)| scheme.eq_ignore_ascii_case("bearer") && given == token)
}
