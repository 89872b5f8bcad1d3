//! What a server says of its limits with an answer.

use reqwest::Method;
use tokio::time::Instant;

use super::client::Client;
use super::error::Error;
use super::kind::Kind;

/// So long the value of a header is shown at most.
const LONGEST: usize = 128;

impl Client {
    /// The headers of a list of one user that tell how much may be asked: `X-RateLimit-*`, `RateLimit-*`
    /// (draft-ietf-httpapi-ratelimit-headers) and `Retry-After`. Few servers send any.
    pub async fn rate_headers(&self, deadline: Instant) -> Result<Vec<(String, String)>, Error> {
        let mut url = self.url(Kind::Users, None);
        url.set_query(Some("startIndex=1&count=1"));
        let answer = self.send(Method::GET, Kind::Users, url, None, None, deadline).await?;
        answer.body()?;
        let tells = |name: &str| name.contains("ratelimit") || name.contains("rate-limit") || name == "retry-after";
        let headers = answer.headers.iter().filter(|(name, _)| tells(name.as_str()));
        let text = |value: &reqwest::header::HeaderValue| value.to_str().map(|text| answer.shown(text, LONGEST)).ok();
        Ok(headers.filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect())
    }
}
