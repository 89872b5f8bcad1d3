//! The key and the CA that a connection names, read on demand and never kept but in the client.

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use reqwest::header::HeaderName;
use secrecy::{SecretSlice, SecretString};
use url::Url;

use super::hosts::Bound;
use super::key_text;
use super::refusal::{Refusal, Unlabelled};
use crate::api::{
    AuthSpec, BasicAuth, CREDENTIALS_LABEL, ConnectedReason, EXPIRES_AT, HOSTS, OAuth2Auth, ScimConnectionSpec,
    SecretKeyRef, Uid, is_kustomize_hash, listed,
};
use crate::plan::Named;
use crate::scim::{ClientCertificate, ClientCredentials, Credentials, Proxy, Trust};

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
    /// The proxy that the connection names, with its credentials.
    pub proxy: Option<Proxy>,
    /// The Secrets that say which hosts their keys may be sent to.
    pub hosts: Vec<Bound>,
    /// When the key expires, as the Secret's annotation has it.
    pub expires_at: Option<Timestamp>,
    /// When the Secret was last changed.
    pub changed_at: Option<Timestamp>,
    /// What may be wrong with the key, should the server refuse it.
    pub suspicion: Option<String>,
}

/// The names of all Secrets that a connection refers to.
pub fn secret_names(spec: &ScimConnectionSpec) -> Vec<String> {
    let mut names: Vec<String> = key_refs(&spec.auth).into_iter().map(|key| key.name.clone()).collect();
    names.extend(spec.auth.client_certificate.as_ref().map(|certificate| certificate.secret_ref.name.clone()));
    let ca = spec.tls.as_ref().and_then(|tls| tls.ca_bundle.as_ref()).and_then(|bundle| bundle.secret_key_ref.as_ref());
    names.extend(ca.map(|key| key.name.clone()));
    let proxy = spec.proxy.as_ref().and_then(|proxy| proxy.basic.as_ref());
    names.extend(proxy.into_iter().flat_map(of_basic).map(|key| key.name.clone()));
    names
}

fn of_basic(basic: &BasicAuth) -> impl Iterator<Item = &SecretKeyRef> {
    basic.username_secret_key_ref.iter().chain([&basic.password_secret_key_ref])
}

fn key_refs(auth: &AuthSpec) -> Vec<&SecretKeyRef> {
    let mut refs: Vec<&SecretKeyRef> = Vec::new();
    refs.extend(auth.bearer_token.as_ref().map(|bearer| &bearer.secret_key_ref));
    if let Some(basic) = &auth.basic {
        refs.extend(of_basic(basic));
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
    hosts: Vec<Bound>,
    /// What is read is for the proxy.
    for_proxy: bool,
    expires_at: Option<Timestamp>,
    changed_at: Option<Timestamp>,
    suspicion: Option<String>,
}

/// How white space around a value is read.
#[derive(Clone, Copy)]
enum Form {
    /// A token or a header's value: there is none.
    Token,
    /// A password, which may have some.
    Password,
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
            for_proxy: false,
            expires_at: None,
            changed_at: None,
            suspicion: None,
        }
    }

    /// Everything that the connection names.
    pub async fn read(mut self, spec: &ScimConnectionSpec) -> Result<Material, Refusal> {
        let credentials = self.credentials(&spec.auth).await?;
        let server_name = spec.tls.as_ref().and_then(|tls| tls.server_name.clone());
        let trust = Trust { ca_bundle: self.ca_bundle(spec).await?, server_name };
        let proxy = self.proxy(spec).await?;
        Ok(Material {
            credentials,
            trust,
            proxy,
            secret_version: self.version,
            fingerprint: self.fingerprint,
            hosts: self.hosts,
            expires_at: self.expires_at,
            changed_at: self.changed_at,
            suspicion: self.suspicion,
        })
    }

    async fn credentials(&mut self, auth: &AuthSpec) -> Result<Credentials, Refusal> {
        if let Some(bearer) = &auth.bearer_token {
            return Ok(Credentials::Bearer(self.text(&bearer.secret_key_ref, Form::Token).await?));
        }
        if let Some(basic) = &auth.basic {
            let (username, password) = self.basic(basic).await?;
            return Ok(Credentials::Basic { username, password });
        }
        if let Some(oauth) = &auth.oauth2_client_credentials {
            return Ok(Credentials::OAuth2(ClientCredentials {
                token_url: token_url(oauth)?,
                client_id: oauth.client_id.clone(),
                client_secret: self.text(&oauth.client_secret_key_ref, Form::Password).await?,
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
            headers.push((name, self.header(&header.secret_key_ref).await?));
        }
        Ok(Credentials::Headers(headers))
    }

    async fn basic(&mut self, basic: &BasicAuth) -> Result<(String, SecretString), Refusal> {
        let username = match (&basic.username, &basic.username_secret_key_ref) {
            (Some(username), _) => username.clone(),
            (None, Some(key)) => {
                use secrecy::ExposeSecret as _;
                self.text(key, Form::Password).await?.expose_secret().to_owned()
            }
            (None, None) => String::new(),
        };
        Ok((username, self.text(&basic.password_secret_key_ref, Form::Password).await?))
    }

    async fn proxy(&mut self, spec: &ScimConnectionSpec) -> Result<Option<Proxy>, Refusal> {
        let Some(proxy) = &spec.proxy else { return Ok(None) };
        let url = Url::parse(&proxy.url).map_err(|error| {
            Refusal::new(ConnectedReason::Unreachable, format!("spec.proxy.url is not a valid URL: {error}"))
        })?;
        let Some(basic) = &proxy.basic else { return Ok(Some(Proxy { url, credentials: None })) };
        // What is suspicious of them, and when the Secret changed, says nothing of the key.
        let (suspicion, changed_at, version) = (self.suspicion.take(), self.changed_at, self.version.clone());
        self.for_proxy = true;
        let credentials = self.basic(basic).await;
        (self.for_proxy, self.suspicion, self.changed_at, self.version) = (false, suspicion, changed_at, version);
        Ok(Some(Proxy { url, credentials: Some(credentials?) }))
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

    async fn text(&mut self, key: &SecretKeyRef, form: Form) -> Result<SecretString, Refusal> {
        let text = self.whole(key).await?;
        let text = match form {
            Form::Token => key_text::token(&text),
            Form::Password => key_text::password(&text),
        };
        self.suspect(key, text);
        Ok(SecretString::from(text.to_owned()))
    }

    /// The scheme before a header's value is a part of it.
    async fn header(&mut self, key: &SecretKeyRef) -> Result<SecretString, Refusal> {
        Ok(SecretString::from(self.whole(key).await?.trim().to_owned()))
    }

    /// As the Secret has it; there is something in it.
    async fn whole(&mut self, key: &SecretKeyRef) -> Result<String, Refusal> {
        let bytes = self.bytes(key).await?;
        let refusal = |what: &str| {
            let place = format!("the key {} of the Secret {}/{}", key.key, self.namespace, key.name);
            Refusal::new(ConnectedReason::SecretKeyMissing, format!("{place} {what}"))
        };
        let text = String::from_utf8(bytes.0).map_err(|_| refusal("is not text"))?;
        if text.trim().is_empty() {
            return Err(refusal("holds nothing but white space; put the key into it"));
        }
        Ok(text)
    }

    fn suspect(&mut self, key: &SecretKeyRef, text: &str) {
        if let Some(what) = key_text::suspicion(text) {
            self.suspicion = Some(format!("the key {} of the Secret {} {what}", key.key, key.name));
        }
    }

    async fn bytes(&mut self, key: &SecretKeyRef) -> Result<ByteString, Refusal> {
        let mut secret = self.secret(&key.name, &key.key).await?;
        self.entry(&key.name, &mut secret, &key.key)
    }

    fn entry(&self, name: &str, secret: &mut Secret, key: &str) -> Result<ByteString, Refusal> {
        let data = secret.data.get_or_insert_default();
        let secret = format!("the Secret {}/{name}", self.namespace);
        let refusal = |message| Err(Refusal::new(ConnectedReason::SecretKeyMissing, message));
        match data.remove(key) {
            Some(bytes) if bytes.0.is_empty() => refusal(format!("the key {key} of {secret} is empty")),
            Some(bytes) => Ok(bytes),
            None => refusal(format!("{secret} has no key {key}; {}", named_keys(data.keys()))),
        }
    }

    /// The Secrets that Kustomize may have made of this name, in words: it hangs a hash on it, and doesn't know that a
    /// connection names it. Of them nothing but metadata is read.
    async fn generated(&self, name: &str) -> String {
        let labelled = ListParams::default().labels(&format!("{CREDENTIALS_LABEL}=true"));
        let there = self.secrets.list_metadata(&labelled).await.map(|list| list.items).unwrap_or_default();
        let is_made_of_it = |other: &String| {
            other.strip_prefix(name).is_some_and(|rest| rest.strip_prefix('-').is_some_and(is_kustomize_hash))
        };
        let alike: Vec<String> =
            there.iter().map(ResourceExt::name_any).filter(is_made_of_it).take(MOST_KEYS).collect();
        if alike.is_empty() {
            return String::new();
        }
        format!(
            ". There is {}: where Kustomize generates the Secret set generatorOptions.disableNameSuffixHash, or let its \
             configurations name the field by nameReference",
            alike.join(", ")
        )
    }

    /// The Secret, of which `key` is wanted; what it says of its keys is noted.
    async fn secret(&mut self, name: &str, key: &str) -> Result<Secret, Refusal> {
        let namespace = &self.namespace;
        let found = self.secrets.get_opt(name).await.map_err(|error| unreadable("Secret", name, &error))?;
        let Some(secret) = found else {
            let message = format!(
                "the Secret {namespace}/{name} is not there; create it with the label {CREDENTIALS_LABEL}=true. Secrets of \
                 other namespaces are not read{}",
                self.generated(name).await
            );
            return Err(Refusal::new(ConnectedReason::SecretNotFound, message));
        };
        let label = secret.labels().get(CREDENTIALS_LABEL).map(String::as_str);
        if label != Some("true") {
            let unlabelled = Unlabelled {
                mark: format!("{name}/{key}/{}@", Uid::of(&secret.metadata)),
                secret: format!("{namespace}/{name}"),
                writer: writer_of_data(&secret),
            };
            let what = if label.is_some() { "has another value than true for" } else { "lacks" };
            let refusal = Refusal::new(
                ConnectedReason::SecretNotLabelled,
                format!(
                    "the Secret {namespace}/{name} {what} the label {CREDENTIALS_LABEL}, which permits its use{}: {}",
                    unlabelled.controller().map_or_else(String::new, |writer| format!(
                        "; {writer} writes the Secret, and has to set the label too (an ExternalSecret in \
                         spec.target.template.metadata.labels)"
                    )),
                    Named::namespaced("secret", namespace, name).label(CREDENTIALS_LABEL, "true", label)
                ),
            );
            return Err(Refusal { unlabelled: Some(unlabelled), ..refusal });
        }
        self.version = secret.resource_version();
        let version = self.version.as_deref().unwrap_or_default();
        let read = format!("{name}/{key}/{}@{version};", Uid::of(&secret.metadata));
        self.fingerprint.push_str(&read);
        let changes = secret.managed_fields().iter().filter_map(|entry| entry.time.as_ref());
        self.changed_at = changes.chain(secret.creation_timestamp().as_ref()).map(|time| time.0).max();
        let expiry = secret.annotations().get(EXPIRES_AT).and_then(|text| instant(text));
        self.expires_at = [self.expires_at, expiry].into_iter().flatten().min();
        if let Some(hosts) = secret.annotations().get(HOSTS) {
            let hosts = hosts.split(',').map(|host| host.trim().to_owned()).filter(|host| !host.is_empty());
            self.hosts.push(Bound { secret: name.to_owned(), hosts: hosts.collect(), to_proxy: self.for_proxy });
        }
        Ok(secret)
    }
}

/// The field manager that the data of the Secret is of. Who took a label off isn't recorded; whoever writes the rest of the
/// Secret is whoever can put it back.
fn writer_of_data(secret: &Secret) -> Option<String> {
    let writes_data =
        |entry: &&ManagedFieldsEntry| entry.fields_v1.as_ref().is_some_and(|fields| fields.0.get("f:data").is_some());
    let newest =
        secret.managed_fields().iter().filter(writes_data).max_by_key(|entry| entry.time.as_ref().map(|time| time.0));
    newest.and_then(|entry| entry.manager.clone())
}

/// So many keys of a Secret are named.
const MOST_KEYS: usize = 10;

/// What keys there are, by their names alone.
fn named_keys<'a>(keys: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&String> = keys.collect();
    let listed = listed(&names, MOST_KEYS);
    match names.len() {
        0 => "there is no key in it".to_owned(),
        many if many > MOST_KEYS => format!("its keys are {listed}"),
        _ => format!("its keys are {listed}: correct secretKeyRef.key, or add it"),
    }
}

/// Where a token is asked for.
pub fn token_url(oauth: &OAuth2Auth) -> Result<Url, Refusal> {
    let no_url = |error| format!("spec.auth.oauth2ClientCredentials.tokenUrl is not a valid URL: {error}");
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
