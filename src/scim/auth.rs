//! Keys. They never show in `Debug`, errors or logs.

use std::fmt;

use base64::Engine as _;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::oauth::ClientCredentials;
use super::tls::ClientCertificate;

/// A key, and how it is sent.
pub enum Credentials {
    /// `Authorization: Bearer …`, RFC 6750.
    Bearer(SecretString),
    /// HTTP Basic, RFC 7617.
    Basic {
        /// The account.
        username: String,
        /// Its password.
        password: SecretString,
    },
    /// Headers of the server's own.
    Headers(Vec<(HeaderName, SecretString)>),
    /// A bearer token that is asked for, RFC 6749 §4.4.
    OAuth2(ClientCredentials),
    /// Shown when the connection is made, RFC 8446 §4.4.2; requests carry nothing.
    Certificate(ClientCertificate),
}

/// Nothing shorter is taken out of a text: it could be any word.
pub(super) const SHORTEST_KEY: usize = 8;

impl Credentials {
    /// Every text that would give the key away.
    pub(super) fn secrets(&self) -> Vec<SecretString> {
        let all = match self {
            Self::Bearer(token) => vec![token.clone()],
            Self::Basic { username, password } => vec![password.clone(), basic(username, password).into()],
            Self::Headers(list) => list.iter().map(|(_, value)| value.clone()).collect(),
            Self::OAuth2(with) => vec![with.client_secret.clone()],
            // The key signs, and is never sent.
            Self::Certificate(_) => Vec::new(),
        };
        all.into_iter().filter(|secret| secret.expose_secret().len() >= SHORTEST_KEY).collect()
    }

    /// The headers that carry the key, marked as sensitive.
    pub(super) fn headers(&self) -> Result<HeaderMap, InvalidHeaderValue> {
        let mut headers = HeaderMap::new();
        match self {
            Self::Bearer(token) => {
                headers.insert(AUTHORIZATION, sensitive(&format!("Bearer {}", token.expose_secret()))?);
            }
            Self::Basic { username, password } => {
                headers.insert(AUTHORIZATION, sensitive(&format!("Basic {}", basic(username, password)))?);
            }
            Self::Headers(list) => {
                for (name, value) in list {
                    headers.insert(name.clone(), sensitive(value.expose_secret())?);
                }
            }
            // Each request gets the token of its time.
            Self::OAuth2(_) | Self::Certificate(_) => {}
        }
        Ok(headers)
    }
}

fn basic(username: &str, password: &SecretString) -> String {
    let pair = format!("{username}:{}", password.expose_secret());
    base64::engine::general_purpose::STANDARD.encode(pair)
}

fn sensitive(text: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(text)?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer(…)",
            Self::Basic { .. } => "Basic(…)",
            Self::Headers(_) => "Headers(…)",
            Self::OAuth2(_) => "OAuth2(…)",
            Self::Certificate(_) => "Certificate(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i23_keys_never_show() {
        let basic = Credentials::Basic { username: "svc".into(), password: "hunter2".to_owned().into() };
        let bearer = Credentials::Bearer("hunter2".to_owned().into());
        let headers = bearer.headers().unwrap();
        assert!(!format!("{basic:?} {bearer:?} {headers:?}").contains("hunter2"));
    }
}
