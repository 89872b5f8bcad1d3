//! SCIM 2.0 on the wire (RFC 7643, RFC 7644). Knows nothing of Kubernetes.
//!
//! Lenient on read, strict on write; the shape of an answer counts, not its status code alone.

mod answer;
mod auth;
mod client;
mod discovery;
mod echo;
mod error;
mod experience;
mod filter;
mod form;
mod grants;
mod groups;
mod host;
mod ids;
mod kind;
mod lesson;
mod limits;
mod members;
mod oauth;
mod observed_quirks;
mod paging;
mod patch;
mod presets;
mod profile;
mod proxy;
mod resource;
mod schemas;
mod spelling;
mod tls;
mod transport;
mod words;

pub use answer::is_invisible;
pub use auth::Credentials;
pub use client::{Client, ClientConfig, Entry, Exchange, Found, Observer, Page, Recall, Recalled, Text, Written};
pub use discovery::ServerConfig;
pub use error::{Class, Error, ScimType};
pub use filter::{is_as_special, is_special};
pub use form::Form;
pub use host::{ApiServer, forbidden_host, is_loopback_http, leads_to_forbidden};
#[cfg(test)]
pub(crate) use ids::Ids;
pub use kind::Kind;
pub use lesson::Lesson;
pub use oauth::ClientCredentials;
pub use observed_quirks::{GroupChange, ObservedQuirks, Verb, searches};
pub use paging::Start;
pub use patch::{Op, PatchOperation};
pub use presets::{DATADOG_SITES, datadog_url};
pub use profile::{
    ContentType, MatchBy, MemberRemoval, MembersReadable, Overrides, Paging, PatchPaths, Profile, Rate, RateOf,
    WriteMethod,
};
pub use proxy::{Proxy, environment_proxy};
pub use resource::{Attributes, Resource, composed, emails_of, fold, without_tombstone};
pub use schemas::OTHER_EXTENSIONS;
pub use tls::{ClientCertificate, ConfigError, Trust};
