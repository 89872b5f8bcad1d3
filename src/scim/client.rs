//! The client: one request a call, bounded in time and size, never redirected.

mod entries;
mod exchange;
mod lists;
mod shown;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, redirect};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

pub use self::entries::{Entry, Recall, Recalled, Text};
use self::shown::without_read_only;
pub use self::shown::{Exchange, Found, Page, Written};
use super::answer::{Answer, Body};
use super::auth::Credentials;
use super::error::{Class, Error};
use super::experience::Experience;
use super::filter;
use super::host::{ApiServer, Resolver};
use super::ids::Ids;
use super::kind::Kind;
use super::lesson::Lesson;
use super::oauth::Tokens;
use super::patch::PatchOperation;
use super::profile::Profile;
use super::proxy::{Proxy, environment_proxy};
use super::resource::{Attributes, Resource, fold, is_usable_id};
use super::tls::{self, ConfigError, Trust};

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// So many hits of a search are asked for.
const HITS: u32 = 10;

/// What a client is made of.
pub struct ClientConfig {
    /// The base URL; a query in it is left out.
    pub base_url: Url,
    /// The key.
    pub credentials: Credentials,
    /// Whom to trust.
    pub trust: Trust,
    /// The proxy to go by, in place of the environment's.
    pub proxy: Option<Proxy>,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// The server's dialect.
    pub profile: Profile,
    /// `User-Agent`; some servers refuse requests without one.
    pub user_agent: String,
}

/// Is told of every request when it ended.
pub type Observer = Arc<dyn Fn(Exchange) + Send + Sync>;

/// A way to one server. Cloning shares its connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    timeout: Duration,
    /// Where the bearer token is one that is asked for.
    tokens: Option<Arc<Tokens>>,
    /// The proxy of the environment that requests go by, if any.
    by_proxy: Option<Arc<str>>,
    /// What it came to know of the server.
    experience: Arc<Experience>,
    /// Which ids the server shows as numbers.
    ids: Ids,
    /// Never shown, whoever says it.
    secrets: Arc<[SecretString]>,
    observer: Option<Observer>,
    /// The newest deadline, where it may move while a request is on its way.
    newest_deadline: Option<watch::Receiver<Option<Instant>>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// Makes a client; sends nothing.
    pub fn new(config: ClientConfig) -> Result<Self, ConfigError> {
        Self::away_from(ApiServer::default(), config)
    }

    /// The same, for one that never connects to the cluster's own API server.
    pub fn away_from(api_server: ApiServer, config: ClientConfig) -> Result<Self, ConfigError> {
        let mut secrets = config.credentials.secrets();
        let proxy = config.proxy.as_ref();
        secrets.extend(proxy.and_then(|proxy| Some(proxy.credentials.as_ref()?.1.clone())));
        let secrets = secrets.into();
        let headers = config.credentials.headers().map_err(|_| ConfigError::Key)?;
        let mut base = config.base_url;
        base.set_query(None);
        base.set_fragment(None);
        let certificate = match &config.credentials {
            Credentials::Certificate(certificate) => Some(certificate),
            _ => None,
        };
        let tls = tls::configure(&base, &config.trust, certificate)?;
        let token_url = match &config.credentials {
            Credentials::OAuth2(with) => Some(&with.token_url),
            _ => None,
        };
        let ends = std::iter::once(&base).chain(token_url).chain(proxy.map(|proxy| &proxy.url));
        let resolver = Resolver::new(api_server, ends);
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(config.user_agent)
            .redirect(redirect::Policy::none())
            .connect_timeout(config.connect_timeout)
            .dns_resolver(Arc::new(resolver))
            .tls_backend_preconfigured(tls)
            .pool_max_idle_per_host(32);
        if super::host::is_loopback_http(&base) {
            builder = builder.no_proxy();
        } else if let Some(proxy) = proxy {
            builder = builder.proxy(proxy.configured()?);
        }
        let http = builder.build().map_err(ConfigError::Client)?;
        let of_environment = |to: &Url| environment_proxy(to).filter(|_| proxy.is_none());
        let by_proxy = of_environment(&base).map(Arc::from);
        let tokens = match config.credentials {
            Credentials::OAuth2(with) => {
                let by_proxy = of_environment(&with.token_url);
                Some(Arc::new(Tokens::new(with, http.clone(), by_proxy)))
            }
            _ => None,
        };
        Ok(Self {
            http,
            tokens,
            by_proxy,
            base,
            timeout: config.request_timeout,
            experience: Arc::new(Experience::new(&config.profile)),
            ids: Ids::default(),
            secrets,
            observer: None,
            newest_deadline: None,
        })
    }

    /// The same, with somebody who looks on.
    #[must_use]
    pub fn observed(self, observer: Observer) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// The same; a request whose deadline passes goes on as long as the newest one here is later. So a Lease may be
    /// shorter than the slowest request, and none outlives it (promise I28).
    #[must_use]
    pub fn extended_by(self, newest_deadline: watch::Receiver<Option<Instant>>) -> Self {
        Self { newest_deadline: Some(newest_deadline), ..self }
    }

    /// The same, with what an earlier client of this very connection learnt of the server.
    #[must_use]
    pub fn with_experience_of(self, earlier: &Self) -> Self {
        Self { experience: Arc::clone(&earlier.experience), ids: earlier.ids.clone(), ..self }
    }

    /// Whom the key belongs to, RFC 7644 §3.11; a redirect to the account is not followed.
    pub async fn me(&self, deadline: Instant) -> Result<Resource, Error> {
        let answer = self.only("Me", deadline).await?;
        match answer.body()? {
            Body::Object(map) if has_id(&map) => Ok(Resource(map)),
            _ => Err(answer.error(Class::NotScim, Some("but the body isn't a resource with an id"))),
        }
    }

    /// Whether it sends `application/json`, by the dialect or since the server refused the other.
    pub(super) fn sends_plain_json(&self) -> bool {
        self.experience.plain_json()
    }

    /// What it learnt of the server's dialect, or was told of it.
    pub fn lessons(&self) -> Vec<Lesson> {
        self.experience.lessons()
    }

    /// Asks for something of which there is one only.
    pub(super) async fn only(&self, name: &str, deadline: Instant) -> Result<Answer, Error> {
        self.send(Method::GET, Kind::Users, self.beside(name), None, None, deadline).await
    }

    /// What lies beside the collections of users and groups.
    pub(super) fn beside(&self, name: &str) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(name);
        }
        url
    }

    /// The resources whose attribute equals the value, each hit checked against what was asked.
    pub async fn find(&self, kind: Kind, attribute: &str, value: &str, deadline: Instant) -> Result<Found, Error> {
        let page = self.searched(kind, &filter::eq(attribute, value), deadline).await?;
        let strangers = page.resources.iter().any(|hit| !fits(hit, attribute, &fold(value), fold));
        let shown = page.total.is_none_or(|total| total <= page.shown) && page.shown <= u64::from(HITS);
        let all = !strangers && shown && page.unreadable == 0;
        let exact = |hit: &Resource| fits(hit, attribute, value, str::to_owned);
        let (hits, mut alike): (Vec<Resource>, Vec<Resource>) = page.resources.into_iter().partition(exact);
        alike.retain(|hit| fits(hit, attribute, &fold(value), fold));
        Ok(Found { hits, alike, all })
    }

    /// One resource, RFC 7644 §3.4.1.
    pub async fn get(&self, kind: Kind, id: &str, deadline: Instant) -> Result<Resource, Error> {
        let answer = self.send(Method::GET, kind, self.one(kind, id)?, None, None, deadline).await?;
        match answer.body()? {
            Body::Object(map) if is_of(&map, id) => Ok(Resource(map)),
            _ => Err(answer.error(Class::NotScim, Some("but the body isn't the resource that was asked for"))),
        }
    }

    /// POST, RFC 7644 §3.3. An answer without an id is [`Class::Empty`]: it must be looked for.
    pub async fn create(&self, kind: Kind, body: &Attributes, deadline: Instant) -> Result<Written, Error> {
        let body = with_schemas(kind, body);
        let answer = self.send(Method::POST, kind, self.url(kind, None), Some(&body), None, deadline).await?;
        match answer.body()? {
            Body::Object(map) if has_id(&map) => Ok(written(&answer, Some(map))),
            Body::Object(map) => match answer.location_id() {
                Some(id) if is_sent(&map, &body) => Ok(written(&answer, Some(with_id(map, id)))),
                _ => Err(answer.error(Class::NotScim, Some("but the body isn't a resource with an id"))),
            },
            Body::Empty | Body::EmptyObject => Err(answer.error(Class::Empty, Some("with nothing in it"))),
        }
    }

    /// PUT, RFC 7644 §3.5.1.
    pub async fn replace(
        &self,
        kind: Kind,
        id: &str,
        body: &Attributes,
        if_match: Option<&str>,
        deadline: Instant,
    ) -> Result<Written, Error> {
        let mut body = with_schemas(kind, body);
        let url = self.one(kind, id)?;
        if self.experience.puts_no_read_only() {
            without_read_only(&mut body);
        }
        let mut answer = self.send(Method::PUT, kind, url.clone(), Some(&body), if_match, deadline).await?;
        if answer.refuses_read_only() && without_read_only(&mut body) {
            answer = self.send(Method::PUT, kind, url, Some(&body), if_match, deadline).await?;
            if (200..300).contains(&answer.status) {
                self.experience.refuses_read_only();
            }
        }
        Ok(shown(&answer, id, answer.of_change::<Value>()?))
    }

    /// PATCH, RFC 7644 §3.5.2.
    pub async fn patch(
        &self,
        kind: Kind,
        id: &str,
        operations: &[PatchOperation],
        if_match: Option<&str>,
        deadline: Instant,
    ) -> Result<Written, Error> {
        let body = patch_body(operations);
        let answer = self.send(Method::PATCH, kind, self.one(kind, id)?, Some(&body), if_match, deadline).await?;
        Ok(shown(&answer, id, answer.of_change::<Value>()?))
    }

    /// DELETE, RFC 7644 §3.6.
    pub async fn delete(&self, kind: Kind, id: &str, deadline: Instant) -> Result<Written, Error> {
        let answer = self.send(Method::DELETE, kind, self.one(kind, id)?, None, None, deadline).await?;
        answer.of_change::<Value>()?;
        Ok(written(&answer, None))
    }

    /// A collection, filtered; few hits are expected.
    pub(super) fn filtered(&self, kind: Kind, filter: &str, count: u32) -> Url {
        let mut url = self.url(kind, None);
        url.query_pairs_mut().append_pair("filter", filter);
        if !self.experience.no_paging() {
            url.query_pairs_mut().append_pair("startIndex", "1").append_pair("count", &count.to_string());
        }
        // Form encoding writes a space as `+`, which not every server reads as one.
        let query = url.query().unwrap_or_default().replace('+', "%20");
        url.set_query(Some(&query));
        url
    }

    /// Where one resource is. An id that a URL can't name would lead a request to the whole collection.
    pub(super) fn one(&self, kind: Kind, id: &str) -> Result<Url, Error> {
        if is_usable_id(id) {
            return Ok(self.url(kind, Some(id)));
        }
        let what = format!("a request about one of /{}", kind.path());
        Err(Error::new(Class::Rejected, &what, "it was not sent: no URL can name a resource by this id"))
    }

    pub(super) fn url(&self, kind: Kind, id: Option<&str>) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(kind.path());
            segments.extend(id);
        }
        url
    }
}

/// Whether a hit is what was asked for: not every server filters by what it is told. userName and e-mail fold case in
/// any case, other attributes as `form` says.
fn fits(hit: &Resource, attribute: &str, value: &str, form: impl Fn(&str) -> String) -> bool {
    match attribute {
        "userName" => {
            let wanted = fold(value);
            hit.user_name().is_some_and(|name| fold(name) == wanted) || hit.emails().any(|email| fold(email) == wanted)
        }
        attribute => hit.get(attribute).and_then(Value::as_str).is_some_and(|shown| form(shown) == value),
    }
}

/// The body of a PATCH, RFC 7644 §3.5.2.
pub(super) fn patch_body(operations: &[PatchOperation]) -> Value {
    json!({"schemas": [PATCH_OP], "Operations": operations})
}

/// The body with its `schemas` (RFC 7643 §3): the core one, and those of the extensions used.
fn with_schemas(kind: Kind, body: &Attributes) -> Value {
    let mut schemas = vec![json!(kind.schema())];
    schemas.extend(body.keys().filter(|key| key.to_ascii_lowercase().starts_with("urn:")).map(|key| json!(key)));
    let mut body = body.clone();
    body.insert("schemas".into(), Value::Array(schemas));
    Value::Object(body)
}

/// Whether an answer shows what was sent: the name of it, at least.
fn is_sent(shown: &Attributes, sent: &Value) -> bool {
    ["userName", "displayName"].iter().any(|name| {
        let (_, shown) = shown.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).unzip();
        let (shown, sent) = (shown.and_then(Value::as_str), sent.get(*name).and_then(Value::as_str));
        shown.is_some() && shown.map(fold) == sent.map(fold)
    })
}

fn with_id(mut shown: Attributes, id: String) -> Attributes {
    shown.retain(|name, _| !name.eq_ignore_ascii_case("id"));
    shown.insert("id".into(), Value::String(id));
    shown
}

/// The text of its id, however the server spells the attribute.
fn id_in(shown: &Attributes) -> Option<&str> {
    shown.iter().find(|(name, _)| name.eq_ignore_ascii_case("id")).and_then(|(_, id)| id.as_str())
}

fn has_id(shown: &Attributes) -> bool {
    id_in(shown).is_some_and(is_usable_id)
}

/// It is the resource with this id.
pub(super) fn is_of(shown: &Attributes, id: &str) -> bool {
    id_in(shown) == Some(id)
}

fn written(answer: &Answer, resource: Option<Attributes>) -> Written {
    Written {
        resource: resource.map(Resource),
        request_id: answer.request_id(),
        pause: answer.wait(),
        created: answer.status == 201,
        date: answer.date(),
    }
}

/// The answer to a change: it may show the resource, or say nothing, which both are legal. One that shows another resource,
/// or none, says nothing of this one (promise I6): it is read by its id.
pub(super) fn shown(answer: &Answer, id: &str, body: Body) -> Written {
    match body {
        Body::Object(map) => written(answer, Some(map).filter(|map| is_of(map, id))),
        Body::Empty | Body::EmptyObject => written(answer, None),
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod client_tests;
