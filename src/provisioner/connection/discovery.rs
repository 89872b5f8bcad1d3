//! What is learnt of a server beside its answer to the connection test: whom the key belongs to, what it says of itself,
//! and what it is seen to do.

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::events::EventType;

use super::session::{KeyOwner, Session, Watched};
use crate::api::ServerStatus;
use crate::provisioner::Provisioner;
use crate::provisioner::connection::state::PendingEvent;
use crate::provisioner::effects::Effects;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::scim::{Class, Client, Error, ObservedQuirks, Page, Profile, ServerConfig, searches};

/// Doubts of several passes within this time are settled by one test.
pub(in crate::provisioner) const TEST_PAUSE: Duration = Duration::from_secs(1);

impl<E: Effects> Provisioner<E> {
    /// Whom the key belongs to, and what the server says of itself; never a reason not to connect. Asked once for each
    /// key and generation; an owner that the same key told before stays one, whatever is answered now.
    pub(in crate::provisioner) async fn learn_of_server(
        &self,
        client: &Client,
        profile: &Profile,
        generation: i64,
        fingerprint: &str,
    ) -> (Option<KeyOwner>, ServerConfig) {
        let known = self.session().filter(|known| known.fingerprint == fingerprint);
        if let Some(known) = known.as_ref().filter(|known| known.generation == generation) {
            return (known.key_owner.clone(), known.server_config.clone());
        }
        let owner = match known.and_then(|known| known.key_owner.clone()) {
            None if profile.me => self.key_owner(client).await,
            known => known,
        };
        let config = if profile.discovery { self.server_config(client, profile).await } else { None };
        (owner, config.unwrap_or_default())
    }

    async fn server_config(&self, client: &Client, profile: &Profile) -> Option<ServerConfig> {
        self.schedule.limiter().acquire(RequestKind::Read, Priority::Write).await;
        let mut config = client.server_config(self.effects.deadline()?).await.unwrap_or_default();
        if profile.learns && profile.attributes.is_none() {
            self.schedule.limiter().acquire(RequestKind::Read, Priority::Write).await;
            config.attributes = client.listed_attributes(self.effects.deadline()?).await.unwrap_or_default();
        }
        Some(config)
    }

    /// What the server is seen to do: the page of the test, and one search for nobody each time the connection changed.
    pub(in crate::provisioner) async fn watch_server(
        &self,
        client: &Client,
        profile: &Profile,
        generation: i64,
        page: &Page,
    ) -> Arc<Watched> {
        if let Some(known) = self.session().filter(|known| known.generation == generation) {
            return Arc::clone(&known.seen);
        }
        let mut seen = ObservedQuirks::default();
        let shown = page.resources.len() as u64;
        seen.page(1, shown, shown, page.total);
        // What the service of a preset does is known.
        if profile.learns && searches(profile) {
            self.schedule.limiter().acquire(RequestKind::Read, Priority::Write).await;
            if let Some(deadline) = self.effects.deadline() {
                let answer = client.find_nobody(deadline).await;
                if let Some(pause) = answer.as_ref().err().and_then(Error::retry_after) {
                    self.schedule.limiter().pause(pause);
                }
                seen.search(&answer);
            }
        }
        Arc::new(Watched::new(seen))
    }

    async fn key_owner(&self, client: &Client) -> Option<KeyOwner> {
        // A server that can't say so just now is asked once more.
        for _ in 0..2 {
            self.schedule.limiter().acquire(RequestKind::Read, Priority::Write).await;
            match client.me(self.effects.deadline()?).await {
                // As long as status takes.
                Ok(me) if me.id().is_some_and(|id| id.len() <= 512) => {
                    return Some(KeyOwner { id: me.id()?.to_owned(), user_name: me.user_name().map(str::to_owned) });
                }
                Err(error) if matches!(error.class(), Class::Transient | Class::Timeout | Class::Throttled) => {
                    self.schedule.limiter().pause(error.retry_after().unwrap_or(TEST_PAUSE));
                }
                _ => return None,
            }
        }
        None
    }

    /// Takes in what the server was seen to do, and tells what is new of it.
    pub(in crate::provisioner) fn observe(&self, session: &Session, what: impl FnOnce(&mut ObservedQuirks)) {
        // Another session's sweep says nothing of the one in force.
        let Some(session) = self.continued(session) else { return };
        let before = session.differs();
        session.seen.take_in(what);
        let new: Vec<String> = session.differs().into_iter().filter(|note| !before.contains(note)).collect();
        if new.is_empty() {
            return;
        }
        let (type_, note) = (EventType::Warning, new.join("; "));
        let event = PendingEvent { type_, reason: "ServerDiffers", action: "Sweep", note };
        self.connection.state.differs(event, server_status(&session));
    }
}

/// What the server said of itself and was seen to do, as status shows it.
pub(in crate::provisioner) fn server_status(session: &Session) -> ServerStatus {
    let (config, differs) = (&session.server_config, session.differs());
    ServerStatus {
        key_owner: session.key_owner.as_ref().map(|owner| owner.id.clone()),
        patch: config.patch,
        filter: config.filter,
        etag: config.etag,
        pagination: config.pagination(),
        max_results: config.max_results.map(i64::from),
        differs: (!differs.is_empty()).then_some(differs),
    }
}
