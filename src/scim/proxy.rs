//! The proxy that a client's requests go by.

use std::fmt;

use reqwest::NoProxy;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

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
