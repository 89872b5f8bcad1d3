//! Roles and entitlements as a server lists them (draft-ietf-scim-roles-entitlements); few do.

use serde_json::Value;
use tokio::time::Instant;

use super::client::Client;
use super::error::Error;
use super::kind::Kind;

/// More pages of roles than this are not read.
const MOST_PAGES: usize = 20;

impl Client {
    /// The ids and names at `/Roles` or `/Entitlements`.
    pub async fn list_grants(&self, collection: &str, deadline: Instant) -> Result<Vec<(String, String)>, Error> {
        let mut found: Vec<(String, String)> = Vec::new();
        for _ in 0..MOST_PAGES {
            let mut url = self.beside(collection);
            url.set_query(Some(&format!("startIndex={}&count=100", found.len() + 1)));
            let page = self.page(Kind::Users, url, deadline).await?;
            let before = found.len();
            for one in &page.resources {
                let text = |name: &str| one.get(name).and_then(Value::as_str).map(str::to_owned);
                let id = text("value").or_else(|| text("id"));
                let pair = id.and_then(|id| Some((id, text("display").or_else(|| text("displayName"))?)));
                found.extend(pair.filter(|pair| !found.contains(pair)));
            }
            if found.len() == before || page.total.is_some_and(|total| found.len() as u64 >= total) {
                break;
            }
        }
        Ok(found)
    }
}
