//! The connection test: keeps the session in step with the connection, its Secret and the server.
//!
//! No user is touched before it succeeds, and it judges the shape of the answer, not its status code.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::{info, warn};
use url::Url;

use super::credentials::{Material, Reader, Refusal};
use super::limiter::{Priority, RequestKind};
use super::queue::Lane;
use super::send::UNTOLD_PAUSE;
use super::session::{KeyOwner, Session, policy_for, profile_of, rates_of, server_of};
use super::{Provisioner, lock};
use crate::api::{ConnectedReason, ScimConnection, ScimUser};
use crate::scim::{Class, Client, ClientConfig, Error, Profile, forbidden_host, is_loopback_http};

/// A connection that failed is tested again after this long, doubling up to [`SLOWEST_TEST`].
const FIRST_TEST: Duration = Duration::from_secs(5);
const SLOWEST_TEST: Duration = Duration::from_secs(30 * 60);

/// Doubts of several workers within this time are settled by one test.
const TEST_PAUSE: Duration = Duration::from_secs(1);

impl Provisioner {
    /// Tests the connection when it, its Secret or an answer gives reason to, and slowly while it fails.
    pub(super) async fn keep_connected(self: Arc<Self>) {
        let mut pause = FIRST_TEST;
        while !self.stop.is_cancelled() {
            let connection = self.connection();
            let result = self.test_connection(&connection).await;
            let connected = result.is_ok();
            self.apply_test(&connection, result);
            let again = if connected { None } else { Some(pause) };
            pause = if connected { FIRST_TEST } else { (pause * 2).min(SLOWEST_TEST) };
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.test.notified() => {
                    pause = FIRST_TEST;
                    sleep(TEST_PAUSE.min(FIRST_TEST)).await;
                }
                () = async { match again { Some(pause) => sleep(pause).await, None => std::future::pending().await } } => {}
            }
        }
    }

    /// Builds a session and asks the server for one user.
    async fn test_connection(&self, connection: &ScimConnection) -> Result<Session, Refusal> {
        let spec = &connection.spec;
        let url = Url::parse(&spec.base_url)
            .map_err(|error| Refusal::new(ConnectedReason::NotFound, format!("spec.baseUrl is no URL: {error}")))?;
        self.check_target(&url)?;
        let Material { credentials, ca_bundle, secret_version, hosts, expires_at, changed_at } =
            Reader::new(self.shared.kube.clone(), &self.key.namespace).read(spec).await?;
        check_host(&url, &hosts, "the Secret's annotation scim-operator.dev/hosts")?;
        let client = Client::new(ClientConfig {
            base_url: url,
            credentials,
            ca_bundle,
            connect_timeout: spec.timeouts.connect.std(),
            request_timeout: spec.timeouts.request.std().min(Duration::from_secs(30)),
            profile: profile_of(spec),
            user_agent: concat!("scim-operator/", env!("CARGO_PKG_VERSION")).to_owned(),
        })
        .map_err(|error| Refusal::new(ConnectedReason::TlsFailed, error.to_string()))?
        .observed(self.observer());
        self.limiter.set_rates(rates_of(spec));
        let deadline = self.deadline().ok_or_else(|| {
            Refusal::new(ConnectedReason::Unreachable, "this process doesn't hold the Lease, so it sends nothing")
        })?;
        self.limiter.acquire(RequestKind::Read, Priority::Write).await;
        client.probe(deadline).await.map_err(|error| {
            if error.class() == Class::Throttled {
                self.limiter.pause(error.retry_after().unwrap_or(UNTOLD_PAUSE));
            }
            refusal(&error)
        })?;
        let generation = connection.metadata.generation.unwrap_or_default();
        let key_owner = self.key_owner(&client, &profile_of(spec), generation, secret_version.as_deref()).await;
        let policy = policy_for(connection, key_owner.as_ref());
        let mut report = lock(&self.report);
        report.secret_version(secret_version.clone());
        report.key_changed = changed_at;
        report.learnt(expires_at, key_owner.as_ref().map(|owner| owner.id.clone()));
        drop(report);
        Ok(Session { client, policy, generation, secret_version, key_owner })
    }

    /// Whom the key belongs to; asked once for each key and generation, and never a reason not to connect.
    async fn key_owner(
        &self,
        client: &Client,
        profile: &Profile,
        generation: i64,
        secret_version: Option<&str>,
    ) -> Option<KeyOwner> {
        if let Some(known) = self.session()
            && known.generation == generation
            && known.secret_version.as_deref() == secret_version
        {
            return known.key_owner.clone();
        }
        if !profile.me {
            return None;
        }
        self.limiter.acquire(RequestKind::Read, Priority::Write).await;
        let me = client.me(self.deadline()?).await.ok()?;
        Some(KeyOwner { id: me.id()?.to_owned(), user_name: me.user_name().map(str::to_owned) })
    }

    fn check_target(&self, url: &Url) -> Result<(), Refusal> {
        if let Some(why) = forbidden_host(url) {
            return Err(Refusal::new(ConnectedReason::HostNotAllowed, format!("spec.baseUrl: {why}")));
        }
        if url.scheme() == "http" && !(self.shared.allow_loopback_http && is_loopback_http(url)) {
            return Err(Refusal::new(
                ConnectedReason::PlainHttpRefused,
                "the key is never sent over plain HTTP; use https (for a server on this very host, start the operator with \
                 --allow-loopback-http)",
            ));
        }
        check_host(url, &self.shared.allowed_hosts, "the operator's --allowed-hosts")
    }

    /// Takes the outcome of a test into force.
    fn apply_test(&self, connection: &ScimConnection, result: Result<Session, Refusal>) {
        match result {
            Ok(session) => self.begin_session(connection, session),
            Err(refusal) => self.refuse_session(connection, &refusal),
        }
        self.wake.notify_one();
    }

    fn begin_session(&self, connection: &ScimConnection, session: Session) {
        // The connection may have changed while it was tested.
        let newest = self.connection();
        let session =
            if newest.metadata.generation == connection.metadata.generation { session } else { session.under(&newest) };
        let server = server_of(&connection.spec);
        let moved = self.session().is_none_or(|old| old.policy.server != server);
        if moved {
            lock(&self.snapshot).clear();
            lock(&self.groups).clear();
            lock(&self.report).swept = false;
        }
        self.shared.directory.set_server(&self.key, Some(&server));
        let was_restricted = lock(&self.removals_left).take().is_some();
        let renewed = was_restricted || self.session().is_none_or(|old| old.generation != session.generation);
        self.set_session(Some(Arc::new(session)));
        let (reason, message) = if self.shared.clock.is_trusted() {
            (ConnectedReason::Connected, "the server answered as SCIM".to_owned())
        } else {
            let message = format!(
                "the server answered as SCIM, but this operator's clock is {} s off the API server's: access windows end \
                 nobody's access until both agree",
                self.shared.clock.skew().as_secs()
            );
            (ConnectedReason::ClockSkew, message)
        };
        if lock(&self.report).connected(connection, reason, &message) {
            info!(connection = %self.key, "connected");
        }
        if renewed {
            self.resubmit();
            self.sweep.notify_one();
        }
    }

    fn refuse_session(&self, connection: &ScimConnection, refusal: &Refusal) {
        let message = &refusal.message;
        match refusal.reason {
            ConnectedReason::CredentialsRejected if self.old_key_serves(connection) => {
                let message = format!("the last good key stays in use; the new one was refused: {message}");
                warn!(connection = %self.key, "{message}");
                lock(&self.report).connected(connection, ConnectedReason::NewKeyRejected, &message);
            }
            // It asks for patience, not for an end: the pause is the limiter's.
            ConnectedReason::Throttled if self.session().is_some() => {
                self.test.notify_one();
            }
            // Removals declared before it went are served with the last good key, and all of them once the
            // connection itself is under deletion (promise I23).
            ConnectedReason::SecretNotFound if self.session().is_some() => {
                self.restrict_to_removals();
                if lock(&self.report).connected(connection, refusal.reason, message) {
                    warn!(connection = %self.key, "the Secret is gone: only removals declared before are served");
                }
            }
            reason => {
                self.set_session(None);
                if lock(&self.report).connected(connection, reason, message) {
                    warn!(connection = %self.key, reason = reason.as_str(), "not connected: {message}");
                }
            }
        }
    }

    /// The Secret is gone: what is a removal now may still be carried out, and nothing else.
    fn restrict_to_removals(&self) {
        let mut left = lock(&self.removals_left);
        if left.is_none() {
            let users = self.shared.directory.users_of(&self.key);
            let removals = users.iter().filter(|user| super::lane_of(user) == Lane::Removal);
            let known =
                removals.filter_map(|user| Some((user.metadata.uid.as_deref()?.into(), user.metadata.generation)));
            *left = Some(known.collect());
        }
    }

    /// Only removals are served: the Secret is gone.
    pub(super) fn serves_removals_only(&self) -> bool {
        lock(&self.removals_left).is_some()
    }

    /// Whether the connection serves this object now.
    pub(super) fn may_serve(&self, user: &ScimUser) -> bool {
        let left = lock(&self.removals_left);
        let Some(left) = left.as_ref() else { return true };
        let known = user.metadata.uid.as_deref().and_then(|uid| left.get(uid));
        let ending = self.connection().metadata.deletion_timestamp.is_some() && super::directory::is_deleting(user);
        ending || known == Some(&user.metadata.generation)
    }

    /// A new key was refused while the old one is known to work: only a change of the Secret's version shows that.
    fn old_key_serves(&self, connection: &ScimConnection) -> bool {
        let generation = connection.metadata.generation.unwrap_or_default();
        self.session().is_some_and(|session| session.generation == generation) && !lock(&self.report).doubted
    }

    /// Everything of this connection is looked at again: its policy changed.
    fn resubmit(&self) {
        let now = Instant::now();
        let users = self.shared.directory.users_of(&self.key);
        let mut queue = lock(&self.queue);
        for user in users {
            if let Some(uid) = user.metadata.uid.as_deref() {
                queue.submit(&uid.into(), super::lane_of(&user), false, now);
            }
        }
        for group in self.shared.directory.groups_of(&self.key) {
            if let Some(uid) = group.metadata.uid.as_deref() {
                queue.submit(&uid.into(), Lane::Change, false, now);
            }
        }
        queue.release_all(now);
    }

    /// An answer gives reason to doubt the connection itself: it is tested.
    pub(super) fn doubt(&self) {
        lock(&self.report).doubted = true;
        self.test.notify_one();
    }

    /// The instant that no request may outlive: another process may take the Lease then (promise I28).
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.shared.leadership.deadline().filter(|deadline| *deadline > Instant::now())
    }
}

fn check_host(url: &Url, allowed: &[String], by: &str) -> Result<(), Refusal> {
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    let fits = |pattern: &String| match pattern.strip_prefix("*.") {
        Some(domain) => host.ends_with(&format!(".{}", domain.to_ascii_lowercase())),
        None => host == pattern.to_ascii_lowercase(),
    };
    if allowed.is_empty() || allowed.iter().any(fits) {
        return Ok(());
    }
    Err(Refusal::new(ConnectedReason::HostNotAllowed, format!("{by} doesn't allow the host {host}")))
}

/// The reason of `Connected` for a test that failed.
fn refusal(error: &Error) -> Refusal {
    let reason = match error.class() {
        Class::Credential => ConnectedReason::CredentialsRejected,
        Class::Forbidden => ConnectedReason::Forbidden,
        Class::NotFound => ConnectedReason::NotFound,
        Class::Throttled => ConnectedReason::Throttled,
        Class::Tls => ConnectedReason::TlsFailed,
        Class::Unreachable if error.is_unresolvable() => ConnectedReason::Unresolvable,
        Class::Unreachable | Class::Timeout => ConnectedReason::Unreachable,
        Class::NotScim | Class::Empty => ConnectedReason::NotScim,
        _ => ConnectedReason::ServerError,
    };
    Refusal::new(reason, error.to_string())
}
