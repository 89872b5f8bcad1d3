//! The proxy that a client's requests go by.

use std::fmt;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::NoProxy;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::error::{Class, Error};
use super::host::is_loopback_http;
use super::tls::ConfigError;

/// A proxy, in place of one that the environment names.
pub struct Proxy {
    /// Its URL, without credentials.
    pub url: Url,
    /// Its account and password, where it asks for them.
    pub credentials: Option<(String, SecretString)>,
}

impl Proxy {
    /// As the client has it. `NO_PROXY` of the environment excepts hosts, as it does from the environment's own proxies.
    pub(super) fn configured(&self) -> Result<reqwest::Proxy, ConfigError> {
        let proxy = reqwest::Proxy::all(self.url.clone()).map_err(ConfigError::Client)?;
        let proxy = proxy.no_proxy(NoProxy::from_env());
        Ok(match &self.credentials {
            Some((username, password)) => proxy.basic_auth(username, password.expose_secret()),
            None => proxy,
        })
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// The proxy that the environment names for requests to a URL, without its credentials. Requests that don't leave this
/// machine go by none.
pub fn environment_proxy(to: &Url) -> Option<String> {
    if is_loopback_http(to) {
        return None;
    }
    let by = Matcher::from_env().intercept(&to.as_str().parse().ok()?)?;
    let uri = by.uri();
    let port = uri.port().map_or_else(String::new, |port| format!(":{port}"));
    Some(format!("{}://{}{port}", uri.scheme_str().unwrap_or("http"), uri.host().unwrap_or_default()))
}

/// The error of a request that went by a proxy of the environment names it where no answer came: nothing else that can
/// be seen of the connection does.
pub(super) fn naming(by: Option<&str>, error: Error) -> Error {
    let unanswered = matches!(error.class, Class::Unreachable | Class::Tls | Class::Timeout | Class::Transient)
        && error.status.is_none();
    let Some(by) = by.filter(|_| unanswered) else { return error };
    let cause = error.cause.as_deref().unwrap_or("no answer");
    let way = format!(
        "{cause}; requests go by the proxy {by} (HTTPS_PROXY or ALL_PROXY of the environment, from which NO_PROXY excepts \
         hosts)"
    );
    Error { cause: Some(way.into()), ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_an_answer_names_the_proxy_of_the_environment() {
        let error = |class| Error::new(class, "GET /Users", "connection refused");
        let by = Some("http://proxy.example.com:3128");
        for class in [Class::Unreachable, Class::Tls, Class::Timeout, Class::Transient] {
            let told = naming(by, error(class)).to_string();
            assert!(
                told.starts_with("GET /Users: connection refused; requests go by the proxy http://proxy"),
                "{told}"
            );
        }
        let answered = Error { status: Some(503), ..error(Class::Transient) };
        for error in [naming(by, answered), naming(by, error(Class::NotScim)), naming(None, error(Class::Tls))] {
            assert!(!error.to_string().contains("proxy"), "{error}");
        }
    }
}
