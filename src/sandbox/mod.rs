//! A SCIM 2.0 server in memory, for demos, tests and benchmarks.
//!
//! It keeps to RFC 7643, RFC 7644 and RFC 9865 unless told otherwise: a
//! dialect makes it behave as some service in the field is documented to, and
//! faults injected over `/_sandbox` make it fail the way services do.
//! It must never ship in the image that holds anybody's keys.

mod admin;
mod asked;
mod dialect;
mod discovery;
mod error;
mod faults;
mod filter;
mod list;
mod matching;
mod net;
mod numbers;
mod patch;
mod projection;
mod quirks;
mod record;
mod reply;
mod schema;
mod schema_data;
mod scim;
mod server;
mod state;
mod store;
mod ways;
mod write;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use dialect::names as dialects;

/// How a sandbox is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes any.
    pub listen: SocketAddr,
    /// The bearer token that clients need.
    pub token: String,
    /// The bearer token that `/_sandbox` needs, if it needs one.
    pub admin_token: Option<String>,
    /// One of [`dialects`].
    pub dialect: String,
    /// What it does otherwise than the RFCs say; each is a switch of docs/sandbox.md.
    pub quirks: Vec<String>,
    /// What ids and faults follow from.
    pub seed: u64,
    /// How long every request waits first.
    pub latency: Duration,
    /// The `userName` that `/Me` stands for; the account is made.
    pub owner: Option<String>,
    /// The roles that there are, as ids and names; without any, users may have whatever is said.
    pub roles: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            token: "sandbox".into(),
            admin_token: None,
            dialect: "generic".into(),
            quirks: Vec::new(),
            seed: 0,
            latency: Duration::ZERO,
            owner: None,
            roles: Vec::new(),
        }
    }
}

/// A running sandbox. It stops when this is dropped.
#[derive(Debug)]
pub struct Sandbox {
    /// The SCIM base URL.
    pub base: String,
    /// The administration's base URL.
    pub admin: String,
    task: JoinHandle<io::Result<()>>,
}

impl Sandbox {
    /// Starts one.
    pub async fn start(options: Options) -> io::Result<Self> {
        let dialect = dialect::named(&options.dialect)
            .ok_or_else(|| io::Error::other(format!("no such dialect: {}", options.dialect)))?;
        let named = |name: &String| {
            quirks::Quirk::named(name).ok_or_else(|| io::Error::other(format!("no such quirk: {name}")))
        };
        let quirks = options.quirks.iter().map(named).collect::<io::Result<quirks::Quirks>>()?;
        let listener = TcpListener::bind(options.listen).await?;
        let root = format!("http://{}", listener.local_addr()?);
        let base = format!("{root}{}", dialect.base);
        let mut store = store::Store::new(options.seed);
        store.location = match dialect.meta {
            dialect::Meta::At(elsewhere) => elsewhere.to_owned(),
            _ => base.clone(),
        };
        store.first_email = dialect.first_email;
        store.numeric_ids = dialect.numbers != dialect::Numbers::None;
        store.delete_irreversible = dialect.delete_irreversible;
        store.roles = options.roles;
        if let Some(owner) = &options.owner {
            let body = json!({"userName": owner, "active": true});
            let body = body.as_object().cloned().unwrap_or_default();
            store
                .create(store::Collection::Users, body, store::Actor::Hand)
                .map_err(|fail| io::Error::other(fail.detail))?;
        }
        let opened = Arc::default();
        let state = Arc::new(state::State {
            dialect,
            base: base.clone(),
            latency: options.latency,
            owner: options.owner,
            admin_token: options.admin_token,
            store: Mutex::new(store),
            quirks: Mutex::new(quirks),
            faults: Mutex::new(faults::Faults::new(options.seed)),
            stats: Mutex::default(),
            control: Mutex::new(state::Control { token: options.token, ..state::Control::default() }),
            opened: Arc::clone(&opened),
        });
        let door = net::Door { inner: listener, opened };
        let service = Router::new()
            .fallback(server::handle)
            .with_state(state)
            .into_make_service_with_connect_info::<net::Scissors>();
        let task = tokio::spawn(async move { axum::serve(door, service).await });
        Ok(Self { base, admin: format!("{root}/_sandbox"), task })
    }

    /// The first line that `scim-sandbox` prints.
    pub fn announcement(&self) -> String {
        json!({"base": self.base, "admin": self.admin}).to_string()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}
