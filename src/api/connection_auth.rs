//! The key of a connection, and whom to trust: references to Secrets and `ConfigMap`s.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The key; exactly one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "[has(self.bearerToken), has(self.basic), has(self.headers), has(self.oauth2ClientCredentials), has(self.clientCertificate)].filter(x, x).size() == 1",
    "message": "write exactly one of auth.bearerToken, auth.basic, auth.headers, auth.oauth2ClientCredentials and auth.clientCertificate"
}]))]
pub struct AuthSpec {
    /// `Authorization: Bearer …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token: Option<BearerToken>,
    /// HTTP Basic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicAuth>,
    /// Headers of the server's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 5), extend("x-kubernetes-validations" = [{
        "rule": "self.all(x, self.exists_one(y, y.name.lowerAscii() == x.name.lowerAscii()))",
        "message": "write each header once; letter case doesn't tell headers apart"
    }]))]
    pub headers: Option<Vec<HeaderAuth>>,
    /// A bearer token that is asked for at a token endpoint, RFC 6749 §4.4.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "oauth2ClientCredentials")]
    pub oauth2_client_credentials: Option<OAuth2Auth>,
    /// A certificate that is shown to the server, mutual TLS; nothing else is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<CertificateAuth>,
}

/// A client certificate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateAuth {
    /// A Secret as `kubectl create secret tls` and cert-manager make it: the certificate, with those between it and its
    /// authority, in `tls.crt`, its key in `tls.key`, both in PEM.
    pub secret_ref: SecretRef,
}

/// OAuth 2.0 client credentials.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OAuth2Auth {
    /// The token endpoint; https, or http on localhost, 127.0.0.1 and [`::1`] where the operator allows it. The Secret and
    /// the operator must allow its host as they must the server's.
    #[schemars(
        length(min = 8, max = 1024),
        regex(pattern = "^[!-~]+$"),
        extend("x-kubernetes-validations" = [{
            "rule": "isURL(self) && url(self).getHost() != ''",
            "message": "write a whole URL, such as https://login.example.com/oauth2/token"
        }, {
            "rule": "self.startsWith('https://') || self.matches('^http://(localhost|127[.]0[.]0[.]1|[[]::1[]])(:[0-9]+)?([/?].*)?$')",
            "message": "write https://; http:// only for localhost, 127.0.0.1 or [::1]"
        }])
    )]
    pub token_url: String,
    /// The client's name.
    #[schemars(length(min = 1, max = 256))]
    pub client_id: String,
    /// Where the client's secret is.
    pub client_secret_key_ref: SecretKeyRef,
    /// What is asked for; several are separated by spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub scope: Option<String>,
}

/// A bearer token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BearerToken {
    /// Where the token is.
    pub secret_key_ref: SecretKeyRef,
}

/// HTTP Basic.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.username) != has(self.usernameSecretKeyRef)",
    "message": "write either basic.username or basic.usernameSecretKeyRef"
}]))]
pub struct BasicAuth {
    /// The name of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^[^:]+$"))]
    pub username: Option<String>,
    /// Where the name of the account is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_secret_key_ref: Option<SecretKeyRef>,
    /// Where the password is.
    pub password_secret_key_ref: SecretKeyRef,
}

/// One header.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeaderAuth {
    /// The header's name.
    #[schemars(
        length(min = 1, max = 64),
        regex(pattern = r"^[A-Za-z0-9_-]+$"),
        extend("x-kubernetes-validations" = [{
            "rule": "!(self.lowerAscii() in ['accept', 'accept-encoding', 'connection', 'content-length', 'content-type', 'host', 'if-match', 'transfer-encoding', 'user-agent'])",
            "message": "the operator sets this header itself; write the one that carries the key, such as Authorization or X-Api-Key"
        }])
    )]
    pub name: String,
    /// Where its value is.
    pub secret_key_ref: SecretKeyRef,
}

/// A key of a Secret of the same namespace; the Secret must carry the label
/// `scim-operator.dev/credentials: "true"`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// A Secret of the same namespace; it must carry the label `scim-operator.dev/credentials: "true"`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
}

/// A key of a `ConfigMap` of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKeyRef {
    /// The `ConfigMap`'s name.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// Transport security.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TlsSpec {
    /// Certificate authorities in PEM, trusted beside the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<CaBundle>,
    /// The name that the server's certificate must have, where it isn't the host in the URL: behind a tunnel, or reached
    /// by its address in the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?$"))]
    pub server_name: Option<String>,
}

/// Where certificate authorities are; exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.configMapKeyRef) != has(self.secretKeyRef)",
    "message": "write either caBundle.configMapKeyRef or caBundle.secretKeyRef"
}]))]
pub struct CaBundle {
    /// In a `ConfigMap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<ConfigMapKeyRef>,
    /// In a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyRef>,
}
