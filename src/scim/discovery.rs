//! What a server says of itself at `/ServiceProviderConfig` (RFC 7643 §5), as far as it is of use here.
//!
//! It is shown and compared with the dialect, and never believed instead of it: servers leave it out, and
//! answer otherwise than they say.

use serde_json::Value;

use super::profile::{Profile, WriteMethod};
use super::resource::Resource;

/// What a server says of itself; nothing where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerConfig {
    /// It knows PATCH.
    pub patch: Option<bool>,
    /// It knows filters.
    pub filter: Option<bool>,
    /// The most resources on a page.
    pub max_results: Option<u32>,
    /// It knows versions.
    pub etag: Option<bool>,
}

impl ServerConfig {
    pub(super) fn read(config: &Resource) -> Self {
        let of = |feature: &str, what: &str| config.get(feature).and_then(|feature| feature.get(what));
        let supported = |feature: &str| match of(feature, "supported")? {
            Value::Bool(supported) => Some(*supported),
            // As some servers write all their booleans.
            Value::String(text) => text.to_ascii_lowercase().parse().ok(),
            _ => None,
        };
        let max_results = of("filter", "maxResults").and_then(Value::as_u64);
        Self {
            patch: supported("patch"),
            filter: supported("filter"),
            max_results: max_results.and_then(|most| u32::try_from(most).ok()).filter(|most| *most > 0),
            etag: supported("etag"),
        }
    }

    /// Where the dialect expects of the server what it says it can't, and what to set instead.
    pub fn differs(&self, profile: &Profile) -> Vec<String> {
        let mut found = Vec::new();
        if self.patch == Some(false) && profile.write_users == WriteMethod::Patch {
            found.push("the server says that it has no PATCH: set spec.dialect.writeUsers to Put".to_owned());
        }
        if self.filter == Some(false) && !profile.filters.is_empty() {
            found.push("the server says that it has no filters: set spec.dialect.filters to []".to_owned());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(config: &Value) -> ServerConfig {
        ServerConfig::read(&Resource(config.as_object().cloned().unwrap_or_default()))
    }

    #[test]
    fn what_a_server_can_not_do_is_told_with_its_override() {
        let config = read(&json!({
            "patch": {"supported": false}, "filter": {"supported": "True", "maxResults": 200}, "etag": {},
        }));
        let expected = ServerConfig { patch: Some(false), filter: Some(true), max_results: Some(200), etag: None };
        assert_eq!(config, expected);
        assert_eq!(config.differs(&Profile::generic()).len(), 1);
        assert!(config.differs(&Profile { write_users: WriteMethod::Put, ..Profile::generic() }).is_empty());
    }

    #[test]
    fn i25_nonsense_says_nothing() {
        for config in [json!({}), json!({"patch": true, "filter": [], "etag": {"supported": 1}})] {
            assert_eq!(read(&config), ServerConfig::default());
        }
    }
}
