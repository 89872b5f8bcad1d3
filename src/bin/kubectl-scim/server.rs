//! A way to a SCIM server: by a connection in the cluster, with its Secret, or by a manifest, with a key from a file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use kube::ResourceExt;
use scim_operator::api::{AuthSpec, ProxySpec, ScimConnection};
use scim_operator::provisioner::schedule::limiter::{Limiter, Priority, RequestKind};
use scim_operator::provisioner::{Bound, Material, Reader, base_url, profile_of, rates_of, token_url};
use scim_operator::scim::{
    ApiServer, Client, ClientCertificate, ClientConfig, ClientCredentials, Credentials, Profile, Proxy, Trust,
    forbidden_host, is_loopback_http,
};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use tokio::time::Instant;
use url::Url;

use crate::cluster::Cluster;
use crate::global::Global;
use crate::manifests;

/// The variable that a key may be in.
const KEY_VARIABLE: &str = "SCIM_KEY";
/// No request takes longer.
const LONGEST: Duration = Duration::from_secs(30);

/// Which server, and with which key.
#[derive(Args, Clone, Debug)]
pub struct ServerArguments {
    /// The connection; that of a cluster connection is cluster/NAME. With -f it chooses one of several in the file
    #[arg(value_name = "CONNECTION", required_unless_present = "filename")]
    connection: Option<String>,
    /// A manifest with the connection, for work without a cluster; - is standard input
    #[arg(short, long, value_name = "FILE")]
    filename: Option<PathBuf>,
    /// The file with the key, with -f; without it the key is taken from the environment variable `SCIM_KEY`. A basic key is
    /// the password, or user:password; several headers are a line each, as Name: value; a client certificate is PEM with
    /// its key
    #[arg(long, value_name = "FILE", requires = "filename")]
    key_file: Option<PathBuf>,
    /// Certificate authorities in PEM, with -f
    #[arg(long, value_name = "FILE", requires = "filename")]
    ca_file: Option<PathBuf>,
    /// Permit http:// to localhost and the loopback addresses
    #[arg(long)]
    allow_loopback_http: bool,
    /// Where the Secrets of cluster connections lie: the operator's own namespace
    #[arg(long, value_name = "NAME", default_value = "scim-operator")]
    operator_namespace: String,
}

/// A way to a server.
pub struct Server {
    pub connection: ScimConnection,
    pub url: Url,
    pub client: Client,
    /// The preset with the connection's overrides.
    pub profile: Profile,
    /// The connection is one of the cluster's.
    pub from_cluster: bool,
    limiter: Limiter,
}

/// What a connection names, read.
pub struct Keys {
    credentials: Credentials,
    trust: Trust,
    proxy: Option<Proxy>,
    hosts: Vec<Bound>,
}

impl Server {
    /// Reads the connection and its key; nothing is sent to the server yet.
    pub async fn open(global: &Global, arguments: &ServerArguments) -> Result<Self> {
        let permitted = arguments.allow_loopback_http;
        if let Some(file) = &arguments.filename {
            let (connection, keys) = from_file(file, arguments)?;
            return Self::with(connection, keys, permitted, false);
        }
        let cluster = Cluster::connect(global).await?;
        let name = arguments.connection.as_deref().unwrap_or_default();
        let (of_cluster, name) = name.strip_prefix("cluster/").map_or((false, name), |name| (true, name));
        if !of_cluster {
            crate::cluster::one_namespace(&cluster, "a connection")?;
        }
        let connection = cluster.connection(of_cluster, name).await?;
        Self::of_connection(&cluster, connection, &arguments.operator_namespace, permitted).await
    }

    /// The server of a connection in the cluster, with the key in its Secret: whoever may not read that is refused.
    pub async fn of_connection(
        cluster: &Cluster,
        connection: ScimConnection,
        operator_namespace: &str,
        allow_loopback_http: bool,
    ) -> Result<Self> {
        let keys = keys_in_cluster(cluster, &connection, operator_namespace).await?;
        Self::with(connection, keys, allow_loopback_http, true)
    }

    fn with(connection: ScimConnection, keys: Keys, allow_loopback_http: bool, from_cluster: bool) -> Result<Self> {
        let config = config_of(&connection, keys, allow_loopback_http)?;
        let (url, profile) = (config.base_url.clone(), config.profile.clone());
        let client = Client::new(config)?;
        let limiter = Limiter::new(rates_of(&connection.spec));
        Ok(Self { connection, url, client, profile, from_cluster, limiter })
    }

    /// The instant by which the next request must have ended; waits until it may be sent.
    pub async fn turn(&self, kind: RequestKind) -> Instant {
        self.limiter.acquire(kind, Priority::Write).await;
        Instant::now() + LONGEST
    }

    /// The same for a read.
    pub async fn read(&self) -> Instant {
        self.turn(RequestKind::Read).await
    }

    /// The server asks to be left alone for a while.
    pub fn pause(&self, pause: Option<Duration>) {
        if let Some(pause) = pause {
            self.limiter.pause(pause);
        }
    }
}

/// What a client is made of, where the keys may be sent to the connection's server.
pub fn config_of(connection: &ScimConnection, keys: Keys, allow_loopback_http: bool) -> Result<ClientConfig> {
    let spec = &connection.spec;
    let url = address(connection, allow_loopback_http)?;
    let token = spec.auth.oauth2_client_credentials.as_ref().map(token_url).transpose();
    let token = token.map_err(|refusal| anyhow!(refusal.message))?;
    for bound in &keys.hosts {
        let proxy = keys.proxy.as_ref().map(|proxy| &proxy.url);
        let name = keys.trust.server_name.as_deref();
        bound.check(std::iter::once(&url).chain(&token), proxy, name).map_err(|refusal| anyhow!(refusal.message))?;
    }
    Ok(ClientConfig {
        base_url: url,
        credentials: keys.credentials,
        trust: keys.trust,
        proxy: keys.proxy,
        connect_timeout: spec.timeouts.connect.std(),
        request_timeout: spec.timeouts.request.std().min(LONGEST),
        profile: profile_of(spec),
        user_agent: concat!("kubectl-scim/", env!("CARGO_PKG_VERSION")).to_owned(),
    })
}

/// The base URL, where a key may be sent there.
pub fn address(connection: &ScimConnection, allow_loopback_http: bool) -> Result<Url> {
    let text = base_url(&connection.spec);
    if text.is_empty() {
        bail!("the connection has neither spec.baseUrl nor spec.datadog");
    }
    let url = Url::parse(&text).map_err(|error| anyhow!("spec.baseUrl is not a valid URL: {error}"))?;
    if let Some(why) = forbidden_host(&url, &ApiServer::default()) {
        bail!("spec.baseUrl: {why}");
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback_http(&url) && allow_loopback_http => {}
        "http" if is_loopback_http(&url) => {
            bail!("the key would be sent over plain HTTP; say --allow-loopback-http for this host")
        }
        _ => bail!("the key is never sent over plain HTTP to another host: use https"),
    }
    Ok(url)
}

/// What the connection names in the cluster, with the rights of whoever runs this.
pub async fn keys_in_cluster(cluster: &Cluster, connection: &ScimConnection, operators: &str) -> Result<Keys> {
    let namespace = connection.namespace().unwrap_or_else(|| operators.to_owned());
    // On the heap: whoever awaits this has it in each of their own futures.
    let material = Box::pin(Reader::new(cluster.client.clone(), &namespace).read(&connection.spec)).await;
    let Material { credentials, trust, proxy, hosts, .. } = material.map_err(|refusal| anyhow!(refusal.message))?;
    Ok(Keys { credentials, trust, proxy, hosts })
}

/// The same from files; the key may be in the environment.
pub fn keys_by_hand(connection: &ScimConnection, key_file: Option<&Path>, ca_file: Option<&Path>) -> Result<Keys> {
    let key = read_key(key_file)?;
    let credentials = credentials(&connection.spec.auth, &key)?;
    let ca_bundle = ca_file.map(manifests::bytes).transpose()?;
    let tls = connection.spec.tls.as_ref();
    if ca_bundle.is_none() && tls.is_some_and(|tls| tls.ca_bundle.is_some()) {
        bail!("spec.tls.caBundle is in the cluster: give the same by --ca-file");
    }
    let trust = Trust { ca_bundle, server_name: tls.and_then(|tls| tls.server_name.clone()) };
    let proxy = connection.spec.proxy.as_ref().map(proxy).transpose()?;
    Ok(Keys { credentials, trust, proxy, hosts: Vec::new() })
}

/// A key was given by hand.
pub fn has_key_by_hand(key_file: Option<&Path>) -> bool {
    key_file.is_some() || std::env::var_os(KEY_VARIABLE).is_some()
}

fn from_file(file: &Path, arguments: &ServerArguments) -> Result<(ScimConnection, Keys)> {
    let mut all = manifests::connections(file)?;
    let connection = match &arguments.connection {
        Some(name) => {
            all.retain(|connection| connection.name_any() == *name);
            // The key is that of one of them.
            if all.len() > 1 {
                bail!(
                    "{} has several connections {name}: give the one that is meant in a file of its own",
                    file.display()
                );
            }
            all.pop().with_context(|| format!("{} has no connection {name}", file.display()))?
        }
        None if all.len() == 1 => all.remove(0),
        None if all.is_empty() => bail!("{} has no ScimConnection", file.display()),
        None => bail!("{} has {} connections: say which, by its name", file.display(), all.len()),
    };
    let keys = keys_by_hand(&connection, arguments.key_file.as_deref(), arguments.ca_file.as_deref())?;
    Ok((connection, keys))
}

/// Its credentials are in the cluster.
fn proxy(proxy: &ProxySpec) -> Result<Proxy> {
    if proxy.basic.is_some() {
        bail!(
            "the credentials of spec.proxy are in the cluster: take spec.proxy out, and give the proxy by HTTPS_PROXY"
        );
    }
    let url = Url::parse(&proxy.url).map_err(|error| anyhow!("spec.proxy.url is not a valid URL: {error}"))?;
    Ok(Proxy { url, credentials: None })
}

/// The key, which is never an argument: everybody on a machine can see those.
fn read_key(file: Option<&Path>) -> Result<SecretString> {
    let text = match file {
        Some(file) => String::from_utf8(manifests::bytes(file)?)
            .map_err(|_| anyhow!("the key in {} is not text", file.display()))?,
        None => std::env::var(KEY_VARIABLE).map_err(|_| {
            anyhow!(
                "there is no key: give its file by --key-file, or put it into the environment variable {KEY_VARIABLE}"
            )
        })?,
    };
    let key = text.trim_end_matches(['\r', '\n']).to_owned();
    if key.is_empty() {
        bail!("the key is empty");
    }
    Ok(key.into())
}

/// The key in the way that the connection sends it.
fn credentials(auth: &AuthSpec, key: &SecretString) -> Result<Credentials> {
    let text = key.expose_secret();
    if auth.bearer_token.is_some() {
        return Ok(Credentials::Bearer(key.clone()));
    }
    if let Some(basic) = &auth.basic {
        let (username, password) = match &basic.username {
            Some(username) => (username.as_str(), text),
            None => text.split_once(':').context("write the basic key as user:password")?,
        };
        return Ok(Credentials::Basic { username: username.to_owned(), password: password.to_owned().into() });
    }
    if let Some(oauth) = &auth.oauth2_client_credentials {
        return Ok(Credentials::OAuth2(ClientCredentials {
            token_url: token_url(oauth).map_err(|refusal| anyhow!(refusal.message))?,
            client_id: oauth.client_id.clone(),
            client_secret: key.clone(),
            scope: oauth.scope.clone(),
        }));
    }
    if auth.client_certificate.is_some() {
        let (chain, key) = (text.as_bytes().to_vec(), SecretSlice::from(text.as_bytes().to_vec()));
        return Ok(Credentials::Certificate(ClientCertificate { chain, key }));
    }
    let headers = auth.headers.as_deref().unwrap_or_default();
    let value = |name: &str| {
        if headers.len() == 1 && !text.contains('\n') {
            return Some(key.clone());
        }
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(known, _)| known.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned().into())
    };
    let pairs = headers.iter().map(|header| {
        let name = header.name.parse().map_err(|_| anyhow!("{:?} is not a header's name", header.name))?;
        let value =
            value(&header.name).with_context(|| format!("the key has no line that begins with {}:", header.name))?;
        Ok((name, value))
    });
    let pairs = pairs.collect::<Result<Vec<_>>>()?;
    if pairs.is_empty() {
        bail!(
            "spec.auth says nothing: write one of bearerToken, basic, headers, oauth2ClientCredentials and clientCertificate"
        );
    }
    Ok(Credentials::Headers(pairs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn auth(value: serde_json::Value) -> AuthSpec {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn i23_the_key_is_sent_as_the_connection_says_and_never_quoted() {
        let reference = json!({"name": "key", "key": "token"});
        let key = SecretString::from("svc:hunter22");
        let basic = auth(json!({"basic": {"usernameSecretKeyRef": reference, "passwordSecretKeyRef": reference}}));
        assert!(matches!(credentials(&basic, &key), Ok(Credentials::Basic { username, .. }) if username == "svc"));
        let two = auth(
            json!({"headers": [{"name": "X-A", "secretKeyRef": reference}, {"name": "X-B", "secretKeyRef": reference}]}),
        );
        let refused = credentials(&two, &SecretString::from("X-A: hunter22")).unwrap_err().to_string();
        assert!(refused.contains("X-B:") && !refused.contains("hunter22"), "{refused}");
        assert!(credentials(&two, &SecretString::from("X-A: hunter22\nx-b: hunter23")).is_ok());
        assert!(credentials(&AuthSpec::default(), &key).is_err());
    }

    #[test]
    fn i24_no_key_goes_over_plain_http_or_to_link_local_addresses() {
        let refused = |url: &str, loopback| {
            let connection = json!({"metadata": {"name": "a"}, "spec": {"baseUrl": url, "auth": {}}});
            address(&serde_json::from_value(connection).unwrap(), loopback).is_err()
        };
        assert!(!refused("https://scim.example.com/v2", false) && !refused("http://127.0.0.1:1/", true));
        for (url, loopback) in [
            ("http://127.0.0.1:1/", false),
            ("http://scim.example.com", true),
            ("https://169.254.169.254/", true),
            ("ftp://x/", true),
        ] {
            assert!(refused(url, loopback), "{url}");
        }
    }
}
