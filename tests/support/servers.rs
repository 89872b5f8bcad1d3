//! Real SCIM servers that are not ours.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Process, eventually, free_port, guarded, http, part, repository, unique};

pub(super) async fn blocking<T: Send + Sync>(shared: &'static LazyLock<T>) -> &'static T {
    match tokio::task::spawn_blocking(|| &**shared).await {
        Ok(shared) => shared,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

/// SAML Jackson, through tests/parts/jackson/server.mjs.
pub struct Jackson {
    origin: String,
    _process: Process,
}

/// One of Jackson's directories; each test has its own.
#[derive(Clone, Debug)]
pub struct Directory {
    origin: String,
    pub id: String,
    /// As Jackson gives it; that of an `azure-scim-v2` directory ends in a query.
    pub base_url: String,
    pub token: String,
}

impl Jackson {
    pub async fn shared() -> &'static Jackson {
        static SHARED: LazyLock<Jackson> = LazyLock::new(|| Jackson::start("jackson", "mem"));
        blocking(&SHARED).await
    }

    /// The same on its SQL engine, with PostgreSQL.
    pub async fn on_sql() -> &'static Jackson {
        static SHARED: LazyLock<Jackson> = LazyLock::new(|| Jackson::start("jackson-sql", "sql"));
        blocking(&SHARED).await
    }

    fn start(name: &str, store: &str) -> Jackson {
        let mut command = guarded("node");
        command.env("STORE", store);
        command.arg(repository().join("tests/parts/jackson/server.mjs"));
        command.env("JACKSON_MODULES", part("jackson"));
        let (process, hello) = Process::announcing(name, command);
        Jackson { origin: text(&hello["origin"]), _process: process }
    }

    /// `kind`: `generic-scim-v2`, `azure-scim-v2`, `okta-scim-v2`.
    pub async fn new_directory(&self, kind: &str) -> Directory {
        let url = format!("{}/_directories", self.origin);
        let made = answer(http().post(url).body(json!({"type": kind}).to_string())).await;
        Directory {
            origin: self.origin.clone(),
            id: text(&made["id"]),
            base_url: text(&made["base"]),
            token: text(&made["token"]),
        }
    }
}

impl Directory {
    /// What Jackson's own store holds, all pages: `id`, `email`, `active`, …, and
    /// under `raw` what SCIM shows.
    pub async fn users(&self) -> Vec<Value> {
        self.list(&format!("_users/{}", self.id)).await
    }

    pub async fn groups(&self) -> Vec<Value> {
        self.list(&format!("_groups/{}", self.id)).await
    }

    /// The ids of a group's members, which SCIM doesn't show here.
    pub async fn members(&self, group: &str) -> Vec<String> {
        self.list(&format!("_members/{group}")).await.iter().map(text).collect()
    }

    /// What Jackson told its application: `event`, `data`.
    pub async fn events(&self) -> Vec<Value> {
        self.list(&format!("_events?directory={}", self.id)).await
    }

    /// The SCIM requests it was sent: `method`, `path`, `query`, `status`.
    pub async fn requests(&self) -> Vec<Value> {
        self.list(&format!("_requests?directory={}", self.id)).await
    }

    /// Those of them that could change something.
    pub async fn writes(&self) -> Vec<Value> {
        let mut seen = self.requests().await;
        seen.retain(|request| request["method"] != "GET");
        seen
    }

    /// A switched-off directory answers everything with `200 {}`.
    pub async fn deactivate(&self) {
        self.switch("deactivate").await;
    }

    pub async fn activate(&self) {
        self.switch("activate").await;
    }

    /// A SCIM request by hand: drift, or somebody else at work.
    pub async fn scim(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let base = self.base_url.split("/?").next().unwrap_or(&self.base_url);
        by_hand(&format!("{base}{path}"), &self.token, method, body).await
    }

    async fn switch(&self, verb: &str) {
        let url = format!("{}/_directories/{}/{verb}", self.origin, self.id);
        answer(http().post(url)).await;
    }

    async fn list(&self, what: &str) -> Vec<Value> {
        match answer(http().get(format!("{}/{what}", self.origin))).await {
            Value::Array(list) => list,
            other => panic!("{what}: not a list: {other}"),
        }
    }
}

/// scim2-server, which makes a tenant of every first path segment it meets.
pub struct Scim2Server {
    origin: String,
    _process: Process,
}

/// A tenant with users and groups of its own.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub base_url: String,
    pub token: String,
}

const SCIM2_TOKEN: &str = "only-for-tests";

impl Scim2Server {
    /// The server of this test binary.
    pub async fn shared() -> &'static Scim2Server {
        static SHARED: tokio::sync::OnceCell<Scim2Server> = tokio::sync::OnceCell::const_new();
        SHARED.get_or_init(|| Scim2Server::start(&[])).await
    }

    /// A server with switches of its own, e.g. `--service-provider-config FILE`.
    pub async fn start(switches: &[&str]) -> Scim2Server {
        let port = free_port();
        let mut command = guarded(part("python/bin/scim2-server"));
        command.args(["--dynamic-tenants", "--bearer-token", SCIM2_TOKEN]);
        command.args(["--port", &port.to_string()]).args(switches);
        let process = Process::spawn(&unique("scim2-server"), command);
        let origin = format!("http://127.0.0.1:{port}");
        let ready = format!("{origin}/ready/v2/ServiceProviderConfig");
        eventually(Duration::from_secs(60), "scim2-server answers", async || {
            if let Some(status) = process.ended() {
                panic!("scim2-server ended with {status}\n{}", process.tail(20));
            }
            let client = http();
            client.get(&ready).send().await.and_then(reqwest::Response::error_for_status)
        })
        .await;
        Scim2Server { origin, _process: process }
    }

    pub fn tenant(&self) -> Tenant {
        let base_url = format!("{}/{}/v2", self.origin, unique("tenant"));
        Tenant { base_url, token: SCIM2_TOKEN.to_owned() }
    }
}

impl Tenant {
    /// A SCIM request by hand.
    pub async fn scim(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        by_hand(&format!("{}{path}", self.base_url), &self.token, method, body).await
    }
}

pub(super) async fn by_hand(url: &str, token: &str, method: &str, body: Option<Value>) -> (u16, Value) {
    let method = method.parse().expect("a method");
    let mut request = http().request(method, url).bearer_auth(token);
    if let Some(body) = body {
        request = request.header("content-type", "application/scim+json").body(body.to_string());
    }
    let response = request.send().await.unwrap_or_else(|error| panic!("{url}: {error}"));
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap_or_default();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

pub(super) async fn answer(request: reqwest::RequestBuilder) -> Value {
    let response = request.send().await.expect("an answer");
    let (url, status) = (response.url().clone(), response.status());
    let body = response.text().await.expect("a body");
    assert!(status.is_success(), "{url}: {status}: {body}");
    serde_json::from_str(&body).unwrap_or(Value::Null)
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text, but {value}")).to_owned()
}
