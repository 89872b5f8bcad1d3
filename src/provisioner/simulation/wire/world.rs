//! One operator over a cluster in memory and a sandbox, which it reaches by its own client.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::effects::{Memory, Wired};
use crate::api::{ScimConnection, ScimConnectionSpec, ScimGroup, ScimUser, Uid};
use crate::directory::{Changed, Directory};
use crate::provisioner::connection::discovery::server_status;
use crate::provisioner::connection::same_accounts::KeySource;
use crate::provisioner::connection::shared_state::Tested;
use crate::provisioner::simulation::{operator::key, setup::CONNECTION};
use crate::provisioner::{Provisioner, Surroundings};
use crate::runtime::{Audit, Metrics};
use crate::sandbox::{Options, Sandbox};
use crate::scim::{Client, ClientConfig, Credentials, Trust};

/// How often the server is listed.
const RESYNC: Duration = Duration::from_secs(60);
/// A connection that failed is tested again after this.
const TEST_AGAIN: Duration = Duration::from_secs(5);

/// The operator, its cluster and its server.
pub struct World {
    pub effects: Wired,
    pub(super) base: String,
    pub(super) token: String,
    /// What the key was read from.
    fingerprint: String,
    /// None where the server is somebody else's.
    sandbox: Option<Sandbox>,
    pub(super) http: reqwest::Client,
    pub(super) operator: Operator,
}

/// What a restart forgets.
pub(super) struct Operator {
    pub(super) provisioner: Arc<Provisioner<Wired>>,
    pub(super) reroute: UnboundedReceiver<Uid>,
    /// When the server is listed next.
    sweep: Instant,
    /// When a connection that failed is tested next.
    test: Option<Instant>,
}

impl Operator {
    /// A process begins: it knows what the API server has, and nothing else.
    fn new(effects: &Wired) -> Self {
        let (sender, reroute) = unbounded_channel();
        let clock = effects.clone();
        let surroundings = Surroundings { metrics: Metrics::default(), audit: Audit::default(), reroute: sender };
        let (connection, users, groups, now) = {
            let mut memory = effects.look();
            let now = memory.instant();
            let cluster = &mut memory.cluster;
            cluster.events.clear();
            cluster.group_events.clear();
            (Arc::new(cluster.connection.clone()), cluster.objects.clone(), cluster.groups.clone(), now)
        };
        let directory = Arc::new(Directory::by_clock(move || clock.look().now()));
        let (key, stop) = (key(CONNECTION), CancellationToken::new());
        let provisioner = Provisioner::new(effects.clone(), directory, surroundings, connection, key, stop);
        let provisioner = Arc::new(provisioner);
        for user in users.into_values() {
            provisioner.directory.upsert(user);
        }
        for group in groups.into_values() {
            provisioner.directory.upsert_group(group);
        }
        for user in provisioner.directory.all() {
            provisioner.submit(&user, &Changed { itself: true, fresh: false, others: Vec::new() });
        }
        for group in provisioner.directory.all_groups() {
            provisioner.submit_group(&group, false);
        }
        Self { provisioner, reroute, sweep: now, test: Some(now) }
    }
}

impl World {
    /// A sandbox with these quirks, and a connection that says nothing but its URL, and these fields of its policy.
    pub async fn start(quirks: &[&str], policy: Value) -> Self {
        let quirks = quirks.iter().map(|quirk| (*quirk).to_owned()).collect();
        let sandbox = Sandbox::start(Options { quirks, ..Options::default() }).await.expect("a sandbox");
        let world = Self::at(&sandbox.base, "sandbox", policy);
        Self { sandbox: Some(sandbox), ..world }
    }

    /// The same at any server.
    pub fn at(base: &str, token: &str, policy: Value) -> Self {
        // Whoever builds a client has to choose, over TLS or not.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let effects = Wired(Arc::new(std::sync::Mutex::new(Memory::new(connection(base, policy)))));
        let operator = Operator::new(&effects);
        let (base, token) = (base.to_owned(), token.to_owned());
        Self { effects, base, token, fingerprint: String::new(), sandbox: None, http: reqwest::Client::new(), operator }
    }

    /// `kill -9`, and up again.
    pub fn restart(&mut self) {
        self.operator = Operator::new(&self.effects);
    }

    /// Declares a user, or declares it otherwise.
    pub fn user(&self, name: &str, spec: Value) {
        let mut memory = self.effects.look();
        let now = memory.now();
        let spec = serde_json::from_value(with_connection(spec)).expect("a spec");
        match memory.cluster.named("n", name).and_then(|object| Uid::given(&object.metadata)) {
            Some(uid) => memory.cluster.edit(&uid, |user| user.spec = spec),
            None => drop(memory.cluster.create("n", name, spec, now)),
        }
    }

    pub fn group(&self, name: &str, spec: Value) {
        let mut memory = self.effects.look();
        let now = memory.now();
        let spec = serde_json::from_value(with_connection(spec)).expect("a spec");
        match memory.cluster.group_named(name).and_then(|object| Uid::given(&object.metadata)) {
            Some(uid) => memory.cluster.edit_group(&uid, |group| group.spec = spec),
            None => drop(memory.cluster.create_group(name, spec, now)),
        }
    }

    /// Deletes whatever object has the name.
    pub fn delete(&self, name: &str) {
        let mut memory = self.effects.look();
        let now = memory.now();
        if let Some(uid) = memory.cluster.named("n", name).and_then(|object| Uid::given(&object.metadata)) {
            memory.cluster.delete(&uid, now);
        }
        if let Some(uid) = memory.cluster.group_named(name).and_then(|object| Uid::given(&object.metadata)) {
            memory.cluster.delete_group(&uid, now);
        }
    }

    /// An object as it is now.
    pub fn get(&self, name: &str) -> Option<ScimUser> {
        self.effects.look().cluster.named("n", name).cloned()
    }

    pub fn get_group(&self, name: &str) -> Option<ScimGroup> {
        self.effects.look().cluster.group_named(name).cloned()
    }

    /// A person rejects what is held.
    pub fn reject_hold(&self) -> bool {
        let held = self.connection().status.and_then(|status| status.holds).unwrap_or_default();
        let Some(id) = held.into_iter().find_map(|hold| hold.id) else { return false };
        self.edit_connection(|spec| spec.rejected_hold = Some(id));
        true
    }

    /// A person changes the connection.
    pub fn edit_connection(&self, edit: impl FnOnce(&mut ScimConnectionSpec)) {
        self.operator.provisioner.update(Arc::new(self.edit_unseen(edit)));
    }

    /// The same, and no operator is there to see it.
    pub fn edit_unseen(&self, edit: impl FnOnce(&mut ScimConnectionSpec)) -> ScimConnection {
        self.effects.look().cluster.set_connection(|connection| {
            edit(&mut connection.spec);
            connection.metadata.generation = connection.metadata.generation.map(|generation| generation + 1);
        })
    }

    /// A person puts another key into the Secret.
    pub fn change_key(&mut self) {
        self.use_key(&self.token.clone());
    }

    /// A person puts this key into the Secret.
    pub fn use_key(&mut self, token: &str) {
        token.clone_into(&mut self.token);
        self.fingerprint.push('+');
        self.operator.provisioner.credentials_changed();
    }

    pub fn connection(&self) -> ScimConnection {
        self.effects.look().cluster.connection.clone()
    }

    /// What was learnt, as `field: value`.
    pub fn learned(&self) -> Vec<String> {
        let status = self.connection().status.unwrap_or_default();
        let learned = status.effective.and_then(|effective| effective.learned).unwrap_or_default();
        learned.into_iter().map(|field| format!("{}: {}", field.field, field.value)).collect()
    }

    /// Asks the sandbox behind the client's back.
    pub async fn admin(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let Some(sandbox) = &self.sandbox else { return Value::Null };
        let mut request = self.http.request(method, format!("{}{path}", sandbox.admin));
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let text = request.send().await.expect("an answer").text().await.expect("a body");
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    /// Every account of that userName there ever was.
    pub async fn accounts(&self, user_name: &str) -> Vec<Value> {
        let all = self.admin("GET", &format!("/users?userName={user_name}"), None).await;
        all.as_array().cloned().unwrap_or_default()
    }

    /// Requests that the client sent since this was last asked.
    pub async fn requests(&self) -> u64 {
        let stats = self.admin("GET", "/stats", None).await;
        self.admin("DELETE", "/stats", None).await;
        let by_method = stats["requests"].as_object().into_iter().flat_map(|methods| methods.values());
        let by_path = by_method.flat_map(|paths| paths.as_object().into_iter().flat_map(|paths| paths.values()));
        let counts = by_path.flat_map(|counts| counts.as_object().into_iter().flat_map(|counts| counts.values()));
        counts.filter_map(Value::as_u64).sum()
    }

    /// Lets so much time go by.
    pub async fn pass(&mut self, time: Duration) {
        let end = self.effects.look().instant() + time;
        loop {
            self.work().await;
            let now = self.effects.look().instant();
            if self.operator.test.is_some_and(|at| at <= now) || self.wants_test() {
                self.connect().await;
            } else if self.operator.sweep <= now || self.wants_sweep() {
                self.sweep().await;
            } else if let Some(until) = self.operator.provisioner.schedule.limiter().paused_until() {
                self.advance(until.saturating_duration_since(Instant::now())).await;
                self.operator.provisioner.schedule.limiter().end_pause();
            } else if now >= end {
                break;
            } else {
                self.skip(end).await;
            }
        }
        self.operator.provisioner.report_now().await;
    }

    fn wants_test(&self) -> bool {
        self.operator.provisioner.connection.test_asked().now_or_never().is_some()
    }

    fn wants_sweep(&self) -> bool {
        self.operator.provisioner.mirror.sweep_asked().now_or_never().is_some()
    }

    /// Skips to the next instant at which something is due.
    async fn skip(&self, end: Instant) {
        let provisioner = &self.operator.provisioner;
        let (now, instant) = {
            let memory = self.effects.look();
            (memory.now(), memory.instant())
        };
        let queue = provisioner.schedule.next_due(instant);
        let gate = provisioner.guards.next_instant();
        let gate = gate.map(|at| instant + Duration::try_from(at.duration_since(now)).unwrap_or_default());
        let due = [queue, gate, Some(self.operator.sweep), self.operator.test];
        let next = due.into_iter().flatten().min().unwrap_or(end).min(end);
        self.advance(next.saturating_duration_since(instant) + Duration::from_millis(1)).await;
    }

    /// So much time goes by, here and at the server.
    async fn advance(&self, time: Duration) {
        let ahead = {
            let mut memory = self.effects.look();
            memory.later += time;
            memory.later.as_secs()
        };
        self.admin("POST", "/clock", Some(json!({"ahead": ahead}))).await;
    }

    async fn connect(&mut self) {
        let provisioner = &self.operator.provisioner;
        let connection = provisioner.connection();
        let client = Client::new(ClientConfig {
            base_url: Url::parse(&self.base).expect("a URL"),
            credentials: Credentials::Bearer(SecretString::from(self.token.as_str())),
            trust: Trust::default(),
            proxy: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(20),
            profile: provisioner.known_profile(&connection),
            user_agent: "simulation".into(),
        });
        let client = client.expect("a client").observed(provisioner.observer());
        let client = match provisioner.earlier_client(&connection) {
            Some(earlier) => client.with_experience_of(&earlier),
            None => client,
        };
        let version = Some(format!("1{}", self.fingerprint));
        let key = KeySource { fingerprint: self.fingerprint.clone(), secret_version: version.clone() };
        let tested = provisioner.session_by(&connection, client, key).await;
        let now = self.effects.look().instant();
        self.operator.test = tested.is_err().then(|| now + TEST_AGAIN);
        if let Ok(session) = &tested {
            let server = server_status(session);
            let tested = Tested { secret_version: version, key_changed: None, expires_at: None, server };
            provisioner.connection.state.tested(tested);
        }
        provisioner.apply_test(&connection, tested);
    }

    async fn sweep(&mut self) {
        let now = self.effects.look().instant();
        self.operator.sweep = now + RESYNC;
        let Some(session) = self.operator.provisioner.session() else { return };
        if !self.operator.provisioner.sweep_once(&session).await {
            self.operator.sweep = now + TEST_AGAIN;
        }
    }
}

fn with_connection(mut spec: Value) -> Value {
    spec["connectionRef"] = json!({"name": CONNECTION});
    spec
}

fn connection(base: &str, policy: Value) -> ScimConnection {
    let mut spec = json!({
        "provider": "Generic",
        "baseUrl": base,
        "auth": {"bearerToken": {"secretKeyRef": {"name": "key", "key": "token"}}},
    });
    if let Value::Object(policy) = policy {
        policy.into_iter().for_each(|(field, value)| spec[field] = value);
    }
    let key = key(CONNECTION);
    let mut connection = ScimConnection::new(&key.name, serde_json::from_value(spec).expect("a connection's spec"));
    connection.metadata.namespace = Some(key.namespace);
    connection.metadata.uid = Some("uid-connection".into());
    connection.metadata.generation = Some(1);
    connection.metadata.resource_version = Some("1".into());
    connection
}
