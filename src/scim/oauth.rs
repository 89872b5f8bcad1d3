//! OAuth 2.0 client credentials (RFC 6749 §4.4): one token for all who use a client, renewed before it expires.

use std::time::Duration;

use base64::Engine as _;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::error::{Class, Error, class_of};
use super::proxy::naming;

const WHAT: &str = "POST for a token";
/// A token is renewed this long before it expires; one with a short life after four fifths of it.
const MARGIN: Duration = Duration::from_secs(60);
/// What a token endpoint that doesn't say is taken to mean.
const UNTOLD_LIFE: Duration = Duration::from_secs(5 * 60);
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
const BODY_LIMIT: usize = 64 * 1024;

/// What a token is asked for with.
pub struct ClientCredentials {
    /// The token endpoint.
    pub token_url: Url,
    /// The client's name.
    pub client_id: String,
    /// The client's password.
    pub client_secret: SecretString,
    /// The scope, where one is to be asked for.
    pub scope: Option<String>,
}

/// The token of a client.
pub(super) struct Tokens {
    with: ClientCredentials,
    http: reqwest::Client,
    /// The proxy of the environment that they are asked for by, if any.
    by_proxy: Option<String>,
    /// Held while a token is fetched, so that it is fetched once for all.
    current: Mutex<Option<Token>>,
}

struct Token {
    header: HeaderValue,
    until: Instant,
}

impl Tokens {
    pub(super) fn new(with: ClientCredentials, http: reqwest::Client, by_proxy: Option<String>) -> Self {
        Self { with, http, by_proxy, current: Mutex::new(None) }
    }

    /// The header that carries a token which is still good.
    pub(super) async fn header(&self, deadline: Instant) -> Result<HeaderValue, Error> {
        let late = |_| Error::new(Class::Timeout, WHAT, "no token in time");
        let mut current = timeout_at(deadline, self.current.lock()).await.map_err(late)?;
        if let Some(token) = current.as_ref().filter(|token| token.until > Instant::now()) {
            return Ok(token.header.clone());
        }
        *current = None;
        let token = timeout_at(deadline, self.fetch()).await.unwrap_or_else(|elapsed| Err(late(elapsed)));
        let token = token.map_err(|error| naming(self.by_proxy.as_deref(), error))?;
        Ok(current.insert(token).header.clone())
    }

    /// The server refuses this token: the next who asks gets another.
    pub(super) async fn refused(&self, header: &HeaderValue) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|token| token.header == *header) {
            *current = None;
        }
    }

    fn form(&self) -> String {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if let Some(scope) = &self.with.scope {
            form.append_pair("scope", scope);
        }
        form.finish()
    }

    async fn fetch(&self) -> Result<Token, Error> {
        let began = Instant::now();
        // RFC 6749 §2.3.1: both are form-encoded before they are joined.
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encoded(&self.with.client_id), encoded(self.with.client_secret.expose_secret()));
        let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
        let request = self
            .http
            .post(self.with.token_url.clone())
            .header(AUTHORIZATION, sensitive(&basic)?)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(self.form());
        let mut response = request.send().await.map_err(|error| super::transport::transport(WHAT, &error))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| super::transport::transport(WHAT, &error))? {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(Error::new(Class::NotScim, WHAT, "the answer is larger than 64 KiB"));
            }
            body.extend_from_slice(&chunk);
        }
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status != 200 {
            return Err(self.refusal(status, &answer));
        }
        let token = answer["access_token"].as_str().filter(|token| !token.is_empty());
        let bearer = answer["token_type"].as_str().is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
        let (Some(token), true) = (token, bearer) else {
            return Err(Error::new(Class::NotScim, WHAT, "the answer has no bearer token; check auth's tokenUrl"));
        };
        let declared = answer["expires_in"].as_u64().or_else(|| answer["expires_in"].as_str()?.parse().ok());
        let life = declared.map_or(UNTOLD_LIFE, Duration::from_secs).min(LONGEST_LIFE);
        Ok(Token {
            header: sensitive(&format!("Bearer {token}"))?,
            until: began + life.saturating_sub(MARGIN).max(life * 4 / 5),
        })
    }

    /// RFC 6749 §5.2: a client that is refused is answered 400 or 401.
    fn refusal(&self, status: u16, answer: &Value) -> Error {
        let class = match status {
            400 | 401 | 403 => Class::Credential,
            status => class_of(status),
        };
        let word = answer["error"].as_str().unwrap_or("no reason given");
        let word = word.replace(self.with.client_secret.expose_secret(), "…");
        let word: String = word.chars().filter(|c| !c.is_control()).take(64).collect();
        Error::new(class, WHAT, format!("the token endpoint answered {status} ({word})"))
    }
}

fn sensitive(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Error::new(Class::Credential, WHAT, "the token has characters that no header may carry"))?;
    value.set_sensitive(true);
    Ok(value)
}
