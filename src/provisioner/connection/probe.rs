//! The connection test: keeps the session in step with the connection, its Secret and the server.
//!
//! No user is touched before it succeeds, and it judges the shape of the answer, not its status code.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use tokio::time::sleep;
use tracing::{info, warn};
use url::Url;

use super::credentials::{Material, Reader, token_url};
use super::defaults::{base_url, overrides, server_of, warnings};
use super::hosts::check_host;
use super::refusal::Refusal;
use super::same_accounts::KeySource;
use super::session::{Session, policy_for, rates_of};
use super::shared_state::Tested;
use crate::api::{ConnectedReason, RECONCILE_REQUESTED_AT, ScimConnection, ScimConnectionSpec};
use crate::provisioner::Provisioner;
use crate::provisioner::connection::discovery::{TEST_PAUSE, server_status};
use crate::provisioner::effects::{ClockState, Effects};
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::provisioner::schedule::queue::Lane;
use crate::provisioner::users::lane_of;
use crate::scim::{Class, Client, ClientConfig, Error, forbidden_host, is_loopback_http, leads_to_forbidden};

/// A connection that failed is tested again after this long, doubling up to [`SLOWEST_TEST`].
const FIRST_TEST: Duration = Duration::from_secs(5);
const SLOWEST_TEST: Duration = Duration::from_secs(30 * 60);

impl Provisioner {
    /// Tests the connection when it, its Secret or an answer gives reason to, and slowly while it fails.
    pub(in crate::provisioner) async fn keep_connected(self: Arc<Self>) {
        let mut pause = FIRST_TEST;
        while !self.stop.is_cancelled() {
            let connection = self.connection();
            let result = tokio::select! {
                () = self.stop.cancelled() => break,
                result = self.test_connection(&connection) => result,
            };
            let connected = result.is_ok();
            if let Err(refusal) = &result {
                self.fall_back(&connection, refusal).await;
            }
            self.apply_test(&connection, result);
            let again = self.label_again().into_iter().chain((!connected).then_some(pause)).min();
            pause = if connected { FIRST_TEST } else { (pause * 2).min(SLOWEST_TEST) };
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.connection.test_asked() => {
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
        let url = Url::parse(&base_url(spec)).map_err(|error| {
            Refusal::new(ConnectedReason::NotFound, format!("spec.baseUrl is not a valid URL: {error}"))
        })?;
        self.check_target(&url, "spec.baseUrl")?;
        let token_url = spec.auth.oauth2_client_credentials.as_ref().map(token_url).transpose()?;
        if let Some(url) = &token_url {
            self.check_target(url, "spec.auth.oauth2ClientCredentials.tokenUrl")?;
        }
        self.connection.state.test_begins();
        let Material {
            credentials,
            trust,
            secret_version,
            fingerprint,
            proxy,
            hosts,
            expires_at,
            changed_at,
            suspicion,
        } = Reader::new(self.effects.0.kube.clone(), self.secret_namespace()).read(spec).await?;
        self.connection.state.tries(&fingerprint);
        // Each Secret binds its own key: what one allows says nothing of another's.
        for bound in &hosts {
            let (proxy, name) = (proxy.as_ref().map(|proxy| &proxy.url), trust.server_name.as_deref());
            bound.check(std::iter::once(&url).chain(&token_url), proxy, name)?;
        }
        if let Some(proxy) = &proxy {
            self.check_proxy(&proxy.url, std::iter::once(&url).chain(&token_url)).await?;
        }
        let client = Client::away_from(
            self.effects.0.api_server.clone(),
            ClientConfig {
                base_url: url,
                credentials,
                trust,
                proxy,
                connect_timeout: spec.timeouts.connect.std(),
                request_timeout: spec.timeouts.request.std().min(Duration::from_secs(30)),
                profile: self.known_profile(connection),
                user_agent: concat!("scim-operator/", env!("CARGO_PKG_VERSION")).to_owned(),
            },
        )
        .map_err(|error| {
            let of_the_key = error.is_of_the_key();
            let reason = if of_the_key { ConnectedReason::SecretKeyMissing } else { ConnectedReason::TlsFailed };
            Refusal::new(reason, error.to_string())
        })?
        .observed(self.observer())
        .extended_by(self.effects.0.leadership.deadlines());
        let client = match self.earlier_client(connection) {
            Some(earlier) => client.with_experience_of(&earlier),
            None => client,
        };
        let key = KeySource { fingerprint, secret_version: secret_version.clone() };
        let session = self.session_by(connection, client, key).await.map_err(|refusal| {
            let at_key = suspicion.filter(|_| refusal.reason == ConnectedReason::CredentialsRejected);
            let hint = at_key.or_else(|| address_hint(&base_url(spec), refusal.reason));
            match hint.or_else(|| proxy_hint(spec, refusal.reason)) {
                Some(hint) => Refusal { message: format!("{}; {hint}", refusal.message), ..refusal },
                None => refusal,
            }
        })?;
        let server = server_status(&session);
        self.connection.state.tested(Tested { secret_version, key_changed: changed_at, expires_at, server });
        Ok(session)
    }

    /// The proxy is a host that keys are sent to. What it leads to is resolved by it, so that it is asked here what the
    /// names lead to, as far as they are known here (promise I24).
    async fn check_proxy(&self, proxy: &Url, ends: impl Iterator<Item = &Url>) -> Result<(), Refusal> {
        let api_server = &self.effects.0.api_server;
        let refused = |why: &str| Refusal::new(ConnectedReason::HostNotAllowed, format!("spec.proxy: {why}"));
        if let Some(why) = forbidden_host(proxy, api_server) {
            return Err(refused(why));
        }
        check_host(proxy, &self.effects.0.allowed_hosts, "the operator's --allowed-hosts (spec.proxy)")?;
        for end in ends {
            if leads_to_forbidden(end, api_server).await {
                return Err(refused(&format!(
                    "the name {} leads to the cluster's own API server, or to link-local or metadata addresses",
                    end.host_str().unwrap_or_default()
                )));
            }
        }
        Ok(())
    }

    fn check_target(&self, url: &Url, field: &str) -> Result<(), Refusal> {
        if let Some(why) = forbidden_host(url, &self.effects.0.api_server) {
            return Err(Refusal::new(ConnectedReason::HostNotAllowed, format!("{field}: {why}")));
        }
        if url.scheme() == "http" && !(self.effects.0.allow_loopback_http && is_loopback_http(url)) {
            return Err(Refusal::new(
                ConnectedReason::PlainHttpRefused,
                "the key is never sent over plain HTTP; use https (for a server on this very host, start the operator with \
                 --allow-loopback-http)",
            ));
        }
        check_host(url, &self.effects.0.allowed_hosts, "the operator's --allowed-hosts")
    }
}

impl<E: Effects> Provisioner<E> {
    /// The client of the last session under this generation, also where that was lost since: what was learnt of the
    /// server stays known until the connection changes.
    pub(in crate::provisioner) fn earlier_client(&self, connection: &ScimConnection) -> Option<Client> {
        let last = self.last_session(connection)?;
        (Some(last.generation) == connection.metadata.generation).then(|| last.client.clone())
    }

    /// The session in force, or else the last good one, if the connection leads to the same server still.
    pub(super) fn last_session(&self, connection: &ScimConnection) -> Option<Arc<Session>> {
        let last = self.session().or_else(|| self.connection.sessions.last_good())?;
        (last.policy.server == server_of(connection)).then_some(last)
    }

    /// Asks the server for one user and for what it says of itself; `key` tells what the client's was read from.
    pub(in crate::provisioner) async fn session_by(
        &self,
        connection: &ScimConnection,
        client: Client,
        key: KeySource,
    ) -> Result<Session, Refusal> {
        self.schedule.limiter().set_rates(rates_of(&connection.spec));
        let deadline = self.effects.deadline().ok_or_else(|| {
            Refusal::new(ConnectedReason::Unreachable, "this process doesn't hold the Lease, so it sends nothing")
        })?;
        self.schedule.limiter().acquire(RequestKind::Read, Priority::Write).await;
        let page = client.probe(deadline).await.map_err(|error| refusal(&error))?;
        self.check_same_accounts(connection, &client, &key).await?;
        let fingerprint = key.fingerprint;
        let generation = connection.metadata.generation.unwrap_or_default();
        let mut profile = self.known_profile(connection);
        self.take_in(connection, &mut profile, client.lessons());
        let (key_owner, server_config) = self.learn_of_server(&client, &profile, generation, &fingerprint).await;
        let mut policy = policy_for(connection, key_owner.as_ref());
        // What it was seen to do counts more than what it says of itself.
        policy.profile = self.with_lessons(&server_config.teach(&profile, overrides(&connection.spec)), connection);
        let seen = self.watch_server(&client, &policy.profile, generation, &page).await;
        if profile.learns {
            let lessons = seen.look(|seen| seen.lessons(&policy.profile));
            self.take_in(connection, &mut policy.profile, lessons);
        }
        // Its epoch is given when it comes into force.
        Ok(Session { client, policy, generation, epoch: 0, fingerprint, key_owner, server_config, seen })
    }

    /// Takes the outcome of a test into force.
    pub(in crate::provisioner) fn apply_test(&self, connection: &ScimConnection, result: Result<Session, Refusal>) {
        match result {
            Ok(session) => self.begin_session(connection, session),
            Err(refusal) => self.refuse_session(connection, &refusal),
        }
        let sweeps = self.session().is_some() && !self.serves_removals_only();
        let asked = connection.annotations().get(RECONCILE_REQUESTED_AT);
        if self.connection.state.answers_request(asked, sweeps) {
            self.mirror.ask_for_sweep();
        }
        self.schedule.wake();
    }

    pub(in crate::provisioner) fn begin_session(&self, connection: &ScimConnection, session: Session) {
        let was_restricted = self.connection.sessions.lift();
        self.bring_into_force(connection, session, was_restricted);
    }

    /// The session is in force from now on. Whom it serves isn't changed by that; `was_restricted` where it was just now.
    pub(super) fn bring_into_force(&self, connection: &ScimConnection, session: Session, was_restricted: bool) {
        // The connection may have changed while it was tested.
        let newest = self.connection();
        let server = server_of(connection);
        if server_of(&newest) != server {
            return;
        }
        let mut session =
            if newest.metadata.generation == connection.metadata.generation { session } else { session.under(&newest) };
        let old = self.session();
        session.epoch = if let Some(old) = &old {
            old.epoch
        } else {
            self.connection.state.await_first_sweep();
            self.notes.serves_from(self.effects.now());
            let (epoch, other) = self.mirror.lead_to(&server);
            if other {
                self.group_notes.forget_drift();
            }
            epoch
        };
        let changed = self.connection.has_changed(&session);
        if changed {
            self.notes.begin_anew(self.effects.now());
        }
        let renewed = was_restricted || old.is_none_or(|old| old.generation != session.generation);
        let owner_is_known = session.key_owner.is_some();
        let differs = session.differs();
        self.connection.sessions.begin(session);
        let mut warnings = warnings(&connection.spec, owner_is_known);
        // In one event: of several with the same reason and action only the first would be kept.
        warnings.extend((!differs.is_empty()).then(|| ("ServerDiffers", differs.join("; "))));
        let standing = warnings.iter().find(|(reason, _)| *reason == "KeyOwnerUnknown");
        let standing = standing.map_or_else(String::new, |(_, note)| format!("; {note}"));
        if renewed {
            self.connection.state.warn(warnings);
        }
        let (reason, message) = if let Some(message) = self.label_was_removed() {
            (ConnectedReason::SecretLabelRemoved, message)
        } else if let ClockState::Apart(skew) = self.effects.clock() {
            let message = format!(
                "the server answered as SCIM, but this operator's clock is {} s off the API server's: access windows \
                 are not enforced until the clocks agree",
                skew.as_secs()
            );
            (ConnectedReason::ClockSkew, message)
        } else {
            (ConnectedReason::Connected, format!("the server answered as SCIM{standing}"))
        };
        if self.connection.state.connected(connection, reason, &message) {
            info!("connected");
        }
        if renewed {
            self.resubmit();
            self.mirror.ask_for_sweep();
        } else if changed {
            // Another key: whatever waits for the server to think otherwise.
            self.schedule.begin_anew([], self.effects.instant());
        }
    }

    fn refuse_session(&self, connection: &ScimConnection, refusal: &Refusal) {
        let message = &refusal.message;
        let serves = self.session().is_some();
        if let Some(told) = self.label_removed(refusal) {
            self.connection.state.connected(connection, ConnectedReason::SecretLabelRemoved, &told);
            return;
        }
        match refusal.reason {
            // The API server could not say: that is no news of the Secret, and the test is repeated.
            _ if refusal.unread && serves => warn!("{message}"),
            ConnectedReason::CredentialsRejected | ConnectedReason::Forbidden | ConnectedReason::SecretKeyMissing
                if self.old_key_serves() =>
            {
                let message = format!("the last good key stays in use; the new one was refused: {message}");
                warn!("{message}");
                self.connection.state.connected(connection, ConnectedReason::NewKeyRejected, &message);
                // There is a Secret again, if a bad one.
                if self.connection.sessions.lift() {
                    self.resubmit();
                }
            }
            // It asks for patience, not for an end: the pause is the limiter's.
            ConnectedReason::Throttled if serves => self.connection.ask_for_test(),
            // Removals declared before it went are served with the last good key, and all of them once the
            // connection itself is under deletion (promise I23).
            ConnectedReason::SecretNotFound if serves => {
                self.restrict_to_removals();
                if self.connection.state.connected(connection, refusal.reason, message) {
                    warn!("the Secret is gone: only removals declared before are served");
                }
            }
            reason => {
                self.connection.sessions.end();
                if self.connection.state.connected(connection, reason, message) {
                    warn!(reason = reason.as_str(), "not connected: {message}");
                }
            }
        }
    }

    /// Everything of this connection is looked at again: its policy changed.
    fn resubmit(&self) {
        let (instant, now) = (self.effects.instant(), self.effects.now());
        let users = self.directory.users_of(&self.key);
        let groups = self.directory.groups_of(&self.key);
        let users = users.iter().filter_map(|user| Some((user.metadata.uid.as_deref()?.into(), lane_of(user, now))));
        let groups = groups.iter().filter_map(|group| Some((group.metadata.uid.as_deref()?.into(), Lane::Change)));
        self.schedule.begin_anew(users.chain(groups), instant);
    }

    /// An answer gives reason to probe the connection itself.
    pub(in crate::provisioner) fn request_probe(&self) {
        self.connection.ask_for_test();
    }

    /// The server refused the key in use.
    pub(in crate::provisioner) fn request_key_probe(&self) {
        self.connection.state.doubt_key();
        self.connection.ask_for_test();
    }
}

/// What may be wrong with a base URL at which there is no SCIM.
fn address_hint(base_url: &str, reason: ConnectedReason) -> Option<String> {
    if !matches!(reason, ConnectedReason::NotFound | ConnectedReason::NotScim) {
        return None;
    }
    let url = Url::parse(base_url).ok()?;
    let versioned = url.path_segments()?.any(|part| {
        part.strip_prefix(['v', 'V']).is_some_and(|number| number.starts_with(|digit: char| digit.is_ascii_digit()))
    });
    let hint = "most SCIM addresses end with a version, such as /scim/v2, and this one has none";
    (!versioned).then(|| hint.to_owned())
}

/// What stands between where nothing comes through.
fn proxy_hint(spec: &ScimConnectionSpec, reason: ConnectedReason) -> Option<String> {
    use ConnectedReason::{TlsFailed, Unreachable, Unresolvable};
    let proxy = spec.proxy.as_ref().filter(|_| matches!(reason, TlsFailed | Unreachable | Unresolvable))?;
    Some(format!("requests go by the proxy {} (spec.proxy)", proxy.url))
}

/// The reason of `Connected` for a test that failed.
pub fn refusal(error: &Error) -> Refusal {
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
