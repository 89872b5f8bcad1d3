//! The key and the CA that a connection names, read on demand and never kept but in the client.

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt;
use kube::api::Api;
use reqwest::header::HeaderName;
use secrecy::{SecretSlice, SecretString};
use url::Url;

use crate::api::{
    AuthSpec, CREDENTIALS_LABEL, ConnectedReason, EXPIRES_AT, HOSTS, OAuth2Auth, ScimConnectionSpec, SecretKeyRef,
};
use crate::plan::Named;
use crate::scim::{ClientCertificate, ClientCredentials, Credentials, Trust};

/// Why a connection can't be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The reason of `Connected`.
    pub reason: ConnectedReason,
    /// What a person is told.
    pub message: String,
    /// The API server didn't answer: nothing is known of the Secret.
    pub unread: bool,
}

impl Refusal {
    /// A refusal with its reason.
    pub fn new(reason: ConnectedReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), unread: false }
    }
}

/// What was read of the cluster for one connection.
pub struct Material {
    /// The key.
    pub credentials: Credentials,
    /// Whom to trust.
    pub trust: Trust,
    /// The version of the Secret that was read last.
    pub secret_version: Option<String>,
    /// The versions of every Secret that was read.
    pub fingerprint: String,
    /// The Secrets that say which hosts their keys may be sent to, and these.
    pub hosts: Vec<(String, Vec<String>)>,
    /// When the key expires, as the Secret's annotation has it.
    pub expires_at: Option<Timestamp>,
    /// When the Secret was last changed.
    pub changed_at: Option<Timestamp>,
}

/// The names of all Secrets that a connection refers to.
pub fn secret_names(spec: &ScimConnectionSpec) -> Vec<String> {
    let mut names: Vec<String> = key_refs(&spec.auth).into_iter().map(|key| key.name.clone()).collect();
    names.extend(spec.auth.client_certificate.as_ref().map(|certificate| certificate.secret_ref.name.clone()));
    let ca = spec.tls.as_ref().and_then(|tls| tls.ca_bundle.as_ref()).and_then(|bundle| bundle.secret_key_ref.as_ref());
    names.extend(ca.map(|key| key.name.clone()));
    names
}

fn key_refs(auth: &AuthSpec) -> Vec<&SecretKeyRef> {
    let mut refs: Vec<&SecretKeyRef> = Vec::new();
    refs.extend(auth.bearer_token.as_ref().map(|bearer| &bearer.secret_key_ref));
    if let Some(basic) = &auth.basic {
        refs.extend(basic.username_secret_key_ref.as_ref());
        refs.push(&basic.password_secret_key_ref);
    }
    refs.extend(auth.headers.iter().flatten().map(|header| &header.secret_key_ref));
    refs.extend(auth.oauth2_client_credentials.as_ref().map(|oauth| &oauth.client_secret_key_ref));
    refs
}

/// Reads the Secrets of one connection.
pub struct Reader {
    secrets: Api<Secret>,
    config_maps: Api<ConfigMap>,
    namespace: String,
    version: Option<String>,
    fingerprint: String,
    hosts: Vec<(String, Vec<String>)>,
    expires_at: Option<Timestamp>,
    changed_at: Option<Timestamp>,
}

impl Reader {
    /// Reads in `namespace` alone (promise I26).
    pub fn new(client: kube::Client, namespace: &str) -> Self {
        Self {
            secrets: Api::namespaced(client.clone(), namespace),
            config_maps: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            version: None,
            fingerprint: String::new(),
            hosts: Vec::new(),
            expires_at: None,
            changed_at: None,
        }
    }

    /// Everything that the connection names.
    pub async fn read(mut self, spec: &ScimConnectionSpec) -> Result<Material, Refusal> {
        let credentials = self.credentials(&spec.auth).await?;
        let server_name = spec.tls.as_ref().and_then(|tls| tls.server_name.clone());
        let trust = Trust { ca_bundle: self.ca_bundle(spec).await?, server_name };
        Ok(Material {
            credentials,
            trust,
            secret_version: self.version,
            fingerprint: self.fingerprint,
            hosts: self.hosts,
            expires_at: self.expires_at,
            changed_at: self.changed_at,
        })
    }

    async fn credentials(&mut self, auth: &AuthSpec) -> Result<Credentials, Refusal> {
        if let Some(bearer) = &auth.bearer_token {
            return Ok(Credentials::Bearer(self.text(&bearer.secret_key_ref).await?));
        }
        if let Some(basic) = &auth.basic {
            let username = match (&basic.username, &basic.username_secret_key_ref) {
                (Some(username), _) => username.clone(),
                (None, Some(key)) => {
                    use secrecy::ExposeSecret as _;
                    self.text(key).await?.expose_secret().to_owned()
                }
                (None, None) => String::new(),
            };
            let password = self.text(&basic.password_secret_key_ref).await?;
            return Ok(Credentials::Basic { username, password });
        }
        if let Some(oauth) = &auth.oauth2_client_credentials {
            return Ok(Credentials::OAuth2(ClientCredentials {
                token_url: token_url(oauth)?,
                client_id: oauth.client_id.clone(),
                client_secret: self.text(&oauth.client_secret_key_ref).await?,
                scope: oauth.scope.clone(),
            }));
        }
        if let Some(certificate) = &auth.client_certificate {
            return Ok(Credentials::Certificate(self.certificate(&certificate.secret_ref.name).await?));
        }
        let mut headers = Vec::new();
        for header in auth.headers.iter().flatten() {
            let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| {
                Refusal::new(
                    ConnectedReason::SecretKeyMissing,
                    format!("spec.auth.headers names {:?}, which is no HTTP header's name", header.name),
                )
            })?;
            headers.push((name, self.text(&header.secret_key_ref).await?));
        }
        Ok(Credentials::Headers(headers))
    }

    /// Both halves of one version of the Secret: a renewal changes them together.
    async fn certificate(&mut self, name: &str) -> Result<ClientCertificate, Refusal> {
        const CERTIFICATE: &str = "tls.crt";
        let mut secret = self.secret(name, CERTIFICATE).await?;
        let chain = self.entry(name, &mut secret, CERTIFICATE)?;
        let key = self.entry(name, &mut secret, "tls.key")?;
        Ok(ClientCertificate { chain: chain.0, key: SecretSlice::from(key.0) })
    }

    async fn ca_bundle(&mut self, spec: &ScimConnectionSpec) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(bundle) = spec.tls.as_ref().and_then(|tls| tls.ca_bundle.as_ref()) else { return Ok(None) };
        if let Some(key) = &bundle.secret_key_ref {
            return self.bytes(key).await.map(|bytes| Some(bytes.0));
        }
        let Some(key) = &bundle.config_map_key_ref else { return Ok(None) };
        let found =
            self.config_maps.get_opt(&key.name).await.map_err(|error| unreadable("ConfigMap", &key.name, &error))?;
        let text = found.and_then(|map| map.data?.remove(&key.key));
        text.map(|text| Some(text.into_bytes())).ok_or_else(|| {
            Refusal::new(
                ConnectedReason::SecretKeyMissing,
                format!(
                    "spec.tls.caBundle: the ConfigMap {}/{} with the key {} is not there",
                    self.namespace, key.name, key.key
                ),
            )
        })
    }

    async fn text(&mut self, key: &SecretKeyRef) -> Result<SecretString, Refusal> {
        let bytes = self.bytes(key).await?;
        let text = String::from_utf8(bytes.0).map_err(|_| {
            Refusal::new(
                ConnectedReason::SecretKeyMissing,
                format!("the key {} of the Secret {}/{} is not text", key.key, self.namespace, key.name),
            )
        })?;
        // An editor's newline at the end of a key is the commonest cause of a 401.
        Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    async fn bytes(&mut self, key: &SecretKeyRef) -> Result<ByteString, Refusal> {
        let mut secret = self.secret(&key.name, &key.key).await?;
        self.entry(&key.name, &mut secret, &key.key)
    }

    fn entry(&self, name: &str, secret: &mut Secret, key: &str) -> Result<ByteString, Refusal> {
        secret.data.as_mut().and_then(|data| data.remove(key)).filter(|bytes| !bytes.0.is_empty()).ok_or_else(|| {
            Refusal::new(
                ConnectedReason::SecretKeyMissing,
                format!("the Secret {}/{name} has no key {key}, or it is empty", self.namespace),
            )
        })
    }

    /// The Secret, of which `key` is wanted; what it says of its keys is noted.
    async fn secret(&mut self, name: &str, key: &str) -> Result<Secret, Refusal> {
        let namespace = &self.namespace;
        let found = self.secrets.get_opt(name).await.map_err(|error| unreadable("Secret", name, &error))?;
        let Some(secret) = found else {
            return Err(Refusal::new(
                ConnectedReason::SecretNotFound,
                format!(
                    "the Secret {namespace}/{name} is not there; create it with the label {CREDENTIALS_LABEL}=true"
                ),
            ));
        };
        if secret.labels().get(CREDENTIALS_LABEL).map(String::as_str) != Some("true") {
            return Err(Refusal::new(
                ConnectedReason::SecretNotLabelled,
                format!(
                    "the Secret {namespace}/{name} may not be used before it says so itself: {}",
                    Named::namespaced("secret", namespace, name).label(&format!("{CREDENTIALS_LABEL}=true"))
                ),
            ));
        }
        self.version = secret.resource_version();
        let version = self.version.as_deref().unwrap_or_default();
        let read = format!("{name}/{key}/{}@{version};", secret.uid().unwrap_or_default());
        self.fingerprint.push_str(&read);
        let changes = secret.managed_fields().iter().filter_map(|entry| entry.time.as_ref());
        self.changed_at = changes.chain(secret.creation_timestamp().as_ref()).map(|time| time.0).max();
        let expiry = secret.annotations().get(EXPIRES_AT).and_then(|text| instant(text));
        self.expires_at = [self.expires_at, expiry].into_iter().flatten().min();
        if let Some(hosts) = secret.annotations().get(HOSTS) {
            let hosts = hosts.split(',').map(|host| host.trim().to_owned()).filter(|host| !host.is_empty());
            self.hosts.push((name.to_owned(), hosts.collect()));
        }
        Ok(secret)
    }
}

/// Where a token is asked for.
pub fn token_url(oauth: &OAuth2Auth) -> Result<Url, Refusal> {
    let no_url = |error| format!("spec.auth.oauth2ClientCredentials.tokenUrl is no URL: {error}");
    Url::parse(&oauth.token_url).map_err(|error| Refusal::new(ConnectedReason::NotFound, no_url(error)))
}

/// RFC 3339, or a date, whose end counts; what can't be read says nothing.
fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let date: jiff::civil::Date = text.parse().ok()?;
        Some(date.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })
}

fn unreadable(kind: &str, name: &str, error: &kube::Error) -> Refusal {
    let refusal = Refusal::new(
        ConnectedReason::SecretNotFound,
        format!("the {kind} {name} can't be read from the API server: {error}"),
    );
    Refusal { unread: true, ..refusal }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_an_instant_or_the_end_of_a_date() {
        let at = |text: &str| instant(text).map(|at| at.to_string());
        assert_eq!(at("2026-12-01T10:00:00Z").as_deref(), Some("2026-12-01T10:00:00Z"));
        assert_eq!(at(" 2026-12-01 ").as_deref(), Some("2026-12-02T00:00:00Z"));
        assert_eq!(at("soon"), None);
    }
}
