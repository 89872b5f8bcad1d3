//! What a server says of itself at `/ServiceProviderConfig` (RFC 7643 §5) and `/Schemas` (§7), as far as it is of use here.
//!
//! It is shown and compared with the dialect. Only the generic dialect learns from it, what the connection itself doesn't
//! say: servers leave it out, and answer otherwise than they say.

use serde_json::Value;
use tokio::time::Instant;

use super::answer::Body;
use super::client::Client;
use super::error::{Class, Error};
use super::profile::{Overrides, Paging, Profile, WriteMethod};
use super::resource::Resource;
use super::schemas;

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
    /// It knows pages by index, RFC 9865 §4.
    pub by_index: Option<bool>,
    /// It knows pages by cursor, RFC 9865 §4.
    pub by_cursor: Option<bool>,
    /// What its schemas have a place for, where that isn't everything.
    pub attributes: Option<Vec<String>>,
}

impl Client {
    /// What the server says of itself, RFC 7644 §4; many have nothing there.
    pub async fn server_config(&self, deadline: Instant) -> Result<ServerConfig, Error> {
        let answer = self.only("ServiceProviderConfig", deadline).await?;
        match answer.body()? {
            Body::Object(map) => Ok(ServerConfig::read(&Resource(map))),
            Body::Empty | Body::EmptyObject => Err(answer.error(Class::NotScim, Some("with nothing in it"))),
        }
    }

    /// The attributes that accounts have a place for by the server's schemas, RFC 7644 §4; `None` where they lack none, or
    /// make no sense.
    pub async fn listed_attributes(&self, deadline: Instant) -> Result<Option<Vec<String>>, Error> {
        match self.only("Schemas", deadline).await?.body()? {
            Body::Object(map) => Ok(schemas::places(&map)),
            Body::Empty | Body::EmptyObject => Ok(None),
        }
    }
}

impl ServerConfig {
    pub(super) fn read(config: &Resource) -> Self {
        let of = |feature: &str, what: &str| config.get(feature).and_then(|feature| feature.get(what));
        let yes = |value: &Value| match value {
            Value::Bool(supported) => Some(*supported),
            // As some servers write all their booleans.
            Value::String(text) => text.to_ascii_lowercase().parse().ok(),
            _ => None,
        };
        let supported = |feature: &str| yes(of(feature, "supported")?);
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
        let max_results = of("filter", "maxResults").and_then(number);
        Self {
            patch: supported("patch"),
            filter: supported("filter"),
            max_results: max_results.and_then(|most| u32::try_from(most).ok()).filter(|most| *most > 0),
            etag: supported("etag"),
            by_index: of("pagination", "index").and_then(yes),
            by_cursor: of("pagination", "cursor").and_then(yes),
            attributes: None,
        }
    }

    /// The ways in which it says that it pages.
    pub fn pagination(&self) -> Option<String> {
        let ways = [(self.by_index, "index"), (self.by_cursor, "cursor")];
        let known = ways.iter().any(|(says, _)| says.is_some());
        let list: Vec<&str> = ways.iter().filter(|(says, _)| *says == Some(true)).map(|(_, way)| *way).collect();
        known.then(|| if list.is_empty() { "none".to_owned() } else { list.join(", ") })
    }

    /// The profile with what the server says of itself, where the profile learns and `overrides` leaves the field open.
    pub fn teach(&self, profile: &Profile, overrides: Overrides) -> Profile {
        let mut profile = profile.clone();
        if !profile.learns {
            return profile;
        }
        if self.patch == Some(false) && !overrides.write_users {
            profile.write_users = WriteMethod::Put;
        }
        if self.patch == Some(false) && !overrides.write_groups {
            profile.write_groups = WriteMethod::Put;
        }
        if self.filter == Some(false) && !overrides.filters {
            profile.filters.clear();
        }
        if let Some(most) = self.max_results.filter(|_| !overrides.page_size) {
            profile.page_size = profile.page_size.min(most);
        }
        if self.by_cursor == Some(true) && self.by_index == Some(false) && !overrides.paging {
            profile.paging = Paging::Cursor;
        }
        // There are some only if somebody has set them.
        profile.attributes = profile.attributes.or_else(|| self.attributes.clone());
        profile
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
        if self.by_cursor == Some(false) && profile.paging == Paging::Cursor {
            found.push("the server says that it has no pages by cursor: set spec.dialect.paging to Index".to_owned());
        }
        if self.by_index == Some(false) && profile.paging == Paging::Index {
            found.push("the server says that it has no pages by index: set spec.dialect.paging to Cursor".to_owned());
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
        let expected =
            ServerConfig { patch: Some(false), filter: Some(true), max_results: Some(200), ..ServerConfig::default() };
        assert_eq!(config, expected);
        assert_eq!(config.differs(&Profile::generic()).len(), 1);
        assert!(config.differs(&Profile { write_users: WriteMethod::Put, ..Profile::generic() }).is_empty());
    }

    #[test]
    fn only_what_nobody_has_said_is_learnt() {
        let config = read(&json!({
            "patch": {"supported": false}, "filter": {"supported": false, "maxResults": 20},
            "pagination": {"cursor": true, "index": false},
        }));
        let learnt = config.teach(&Profile::generic(), Overrides::default());
        assert_eq!((learnt.write_users, learnt.page_size, learnt.paging), (WriteMethod::Put, 20, Paging::Cursor));
        assert!(learnt.filters.is_empty() && config.differs(&learnt).is_empty());
        assert_eq!(config.pagination().as_deref(), Some("cursor"));
        let overrides = Overrides {
            write_users: true,
            write_groups: true,
            filters: true,
            paging: true,
            page_size: true,
            ..Overrides::default()
        };
        assert_eq!(config.teach(&Profile::generic(), overrides), Profile::generic());
        assert_eq!(config.teach(&Profile::github(), Overrides::default()), Profile::github());
        assert_eq!(config.differs(&Profile::generic()).len(), 3);
        let lists = ServerConfig { attributes: Some(vec!["title".into()]), ..ServerConfig::default() };
        assert_eq!(lists.teach(&Profile::generic(), Overrides::default()).attributes, lists.attributes);
        let set = Profile { attributes: Some(vec!["*".into()]), ..Profile::generic() };
        assert_eq!(lists.teach(&set, Overrides::default()), set);
        assert_eq!(lists.teach(&Profile::jackson(), Overrides::default()), Profile::jackson());
    }

    #[test]
    fn i25_nonsense_says_nothing() {
        for config in [json!({}), json!({"patch": true, "filter": [], "etag": {"supported": 1}})] {
            assert_eq!(read(&config), ServerConfig::default());
        }
    }
}
