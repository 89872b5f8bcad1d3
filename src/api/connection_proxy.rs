//! The proxy that a connection's requests go by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::connection_auth::BasicAuth;

/// A proxy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxySpec {
    /// Its URL. By `http` and `https` it is asked to CONNECT, by `socks5` the server's name is resolved here, by `socks5h` by
    /// the proxy. The operator must allow its host as it must the server's.
    #[schemars(
        length(min = 8, max = 1024),
        regex(pattern = "^[!-~]+$"),
        extend("x-kubernetes-validations" = [{
            "rule": "self.matches('^(https?|socks5h?)://[^/?#@]+/?$')",
            "message": "write scheme, host and port alone, such as http://proxy.example.com:3128; the credentials belong into a Secret that proxy.basic refers to"
        }])
    )]
    pub url: String,
    /// The credentials that it asks for. A Secret with the annotation `scim-operator.dev/hosts` must name the proxy's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicAuth>,
}
