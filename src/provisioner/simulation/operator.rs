//! The operator of a history: one provisioner for each of two connections, the passes under way, and the sweep.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::cluster::is_of_second;
use super::effects::Simulated;
use super::outside::{Observed, Shared, look};
use super::setup::{BASE_URLS, CONNECTION, SECOND};
use crate::api::{ScimConnection, ScimUser, Uid};
use crate::directory::{ConnectionKey, Directory};
use crate::plan::Policy;
use crate::provisioner::connection::session::{Session, policy_for};
use crate::provisioner::schedule::queue::{Outcome, Ticket};
use crate::provisioner::{Provisioner, Surroundings};
use crate::runtime::{Audit, Metrics};
use crate::scim::{Client, ClientConfig, Credentials, Ids, Kind, Lesson, Profile, Trust};

pub type Task<T> = Pin<Box<dyn Future<Output = T>>>;

/// A connection at work.
pub type Running = Arc<Provisioner<Simulated>>;

/// A pass under way.
pub struct Flight {
    pub ticket: Ticket,
    /// How often it went on.
    pub steps: usize,
    pub provisioner: Running,
    pub pass: Task<Outcome>,
}

/// The operator: what a restart forgets.
pub struct Operator {
    pub provisioner: Running,
    /// The same of the second connection.
    pub second: Running,
    pub flight: Vec<Flight>,
    pub sweep: Option<Task<bool>>,
    pub reroute: UnboundedReceiver<Uid>,
}

/// Nothing is ever sent by them: the effects stand in for the wire.
static CLIENTS: LazyLock<[Client; 2]> = LazyLock::new(|| BASE_URLS.map(client));

fn client(base_url: &str) -> Client {
    let config = ClientConfig {
        base_url: Url::parse(base_url).expect("a URL"),
        credentials: Credentials::Bearer(SecretString::from("key")),
        trust: Trust::default(),
        proxy: None,
        connect_timeout: Duration::from_secs(1),
        request_timeout: Duration::from_secs(1),
        profile: Profile::generic(),
        user_agent: "simulation".into(),
    };
    Client::new(config).expect("a client")
}

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::default);

pub fn key(name: &str) -> ConnectionKey {
    ConnectionKey { namespace: "n".into(), name: name.into() }
}

/// One poll: up to the next place where a pass stops.
pub fn poll<T>(task: &mut Task<T>) -> Option<T> {
    match task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

impl Operator {
    /// A process begins: it knows what the API server has, and nothing else.
    pub fn new(shared: &Shared) -> Self {
        let (connection, second, objects, groups) = {
            let mut outside = look(shared);
            outside.observed = Observed::default();
            let cluster = &outside.cluster;
            let connection = Arc::new(cluster.connection.clone());
            let second = Arc::new(cluster.second.clone());
            (connection, second, cluster.objects.clone(), cluster.groups.clone())
        };
        let clock = Arc::clone(shared);
        let (sender, reroute) = unbounded_channel();
        let directory = Arc::new(Directory::by_clock(move || look(&clock).time()));
        let begin = |connection: Arc<ScimConnection>, name| {
            let surroundings =
                Surroundings { metrics: METRICS.clone(), audit: Audit::default(), reroute: sender.clone() };
            let effects = Simulated(Arc::clone(shared));
            let (of, stop) = (Arc::clone(&directory), CancellationToken::new());
            Arc::new(Provisioner::new(effects, of, surroundings, connection, key(name), stop))
        };
        let (provisioner, second) = (begin(connection, CONNECTION), begin(second, SECOND));
        for user in objects.into_values() {
            provisioner.directory.upsert(user);
        }
        for group in groups.into_values() {
            provisioner.directory.upsert_group(group);
        }
        let operator = Self { provisioner, second, flight: Vec::new(), sweep: None, reroute };
        operator.connect(shared);
        operator
    }

    /// The connection was tested, and is good.
    pub fn connect(&self, shared: &Shared) {
        let (server, lists) = {
            let mut outside = look(shared);
            // The test lists one of them.
            outside.observed.ids = Ids::default();
            let first = outside.site.list(false).into_iter().next();
            let _ = first.map(|first| outside.received(Kind::Users, first));
            (outside.server, !outside.site.quirks.no_list)
        };
        Self::begin_session(&self.provisioner, server, lists);
        if self.second.session().is_none() {
            Self::begin_session(&self.second, 0, lists);
        }
    }

    fn begin_session(provisioner: &Provisioner<Simulated>, server: usize, lists: bool) {
        let connection = provisioner.connection();
        let mut profile = provisioner.known_profile(&connection);
        if !lists {
            provisioner.take_in(&connection, &mut profile, [Lesson::NoUserList]);
        }
        let session = Session {
            client: CLIENTS[server].clone(),
            policy: Policy { profile, ..policy_for(&connection, None) },
            generation: connection.metadata.generation.unwrap_or_default(),
            epoch: 0,
            fingerprint: String::new(),
            key_owner: None,
            server_config: crate::scim::ServerConfig::default(),
            seen: Arc::default(),
        };
        provisioner.begin_session(&connection, session);
    }

    /// The one that serves the object.
    pub fn of(&self, user: &ScimUser) -> &Running {
        if is_of_second(user) { &self.second } else { &self.provisioner }
    }

    pub fn both(&self) -> [&Running; 2] {
        [&self.provisioner, &self.second]
    }
}
