//! Effects of which requests go to a server, and everything else stays in memory; waiting is skipped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::Event;
use serde_json::Value;
use tokio::time::Instant;

use crate::api::{ClaimedAccount, ScimConnection, ScimConnectionStatus, ScimGroup, ScimUser, ScimUserStatus, Uid};
use crate::directory::ConnectionKey;
use crate::plan::Request;
use crate::provisioner::effects::{ClockState, Effects, Note};
use crate::provisioner::kubernetes::WriteError;
use crate::provisioner::live;
use crate::provisioner::schedule::limiter::{Limiter, Priority, RequestKind};
use crate::provisioner::simulation::cluster::Cluster;
use crate::scim::{Client, Entry, Error, Kind, Page, Recall, Start, Written};

/// No request takes longer.
const LONGEST: Duration = Duration::from_secs(30);

/// The API server, and the time.
pub struct Memory {
    pub cluster: Cluster,
    began: (Timestamp, Instant),
    /// How much later it is by now.
    pub later: Duration,
    /// What was told, as reason and note.
    pub events: Vec<(String, String)>,
    /// Plans that didn't converge.
    pub diverged: Vec<Uid>,
}

impl Memory {
    pub fn new(connection: ScimConnection) -> Self {
        let began = (Timestamp::now(), Instant::now());
        Self {
            cluster: Cluster::new(connection.clone(), connection),
            began,
            later: Duration::ZERO,
            events: Vec::new(),
            diverged: Vec::new(),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.began.0.checked_add(self.later).unwrap_or(self.began.0)
    }

    pub fn instant(&self) -> Instant {
        self.began.1 + self.later
    }
}

/// Sends requests, and keeps the rest.
#[derive(Clone)]
pub struct Wired(pub Arc<Mutex<Memory>>);

impl Wired {
    pub fn look(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Effects for Wired {
    fn now(&self) -> Timestamp {
        self.look().now()
    }

    fn instant(&self) -> Instant {
        self.look().instant()
    }

    fn clock(&self) -> ClockState {
        ClockState::Trusted
    }

    fn deadline(&self) -> Option<Instant> {
        Some(Instant::now() + LONGEST)
    }

    async fn turn(&self, limiter: &Limiter, _: RequestKind, _: Priority) -> bool {
        // A pause is the server's own, and is kept; the rate would only take time.
        limiter.paused_until().is_none()
    }

    async fn sleep(&self, _: Duration) {}

    async fn user_page(
        &self,
        client: &Client,
        start: &Start,
        count: u32,
        recall: Recall<'_>,
        deadline: Instant,
    ) -> Result<Page<Entry>, Error> {
        client.list_users(start, count, recall, deadline).await
    }

    async fn send(
        &self,
        client: &Client,
        kind: Kind,
        request: &Request,
        bare: bool,
        deadline: Instant,
    ) -> Result<Written, Error> {
        live::send(client, kind, request, bare, deadline).await
    }

    async fn claim_user(
        &self,
        user: &ScimUser,
        present: bool,
        claimed: Option<&ClaimedAccount>,
    ) -> Result<ScimUser, WriteError> {
        self.look().cluster.claim_user(user, present, claimed)
    }

    async fn write_user(&self, user: &ScimUser, status: &ScimUserStatus) -> Result<ScimUser, WriteError> {
        let uid = Uid::of(&user.metadata);
        self.look().cluster.set_status(&uid, status).ok_or(WriteError::Gone)
    }

    async fn merge_user(&self, user: &ScimUser, status: Value) -> Result<ScimUser, WriteError> {
        self.look().cluster.merge_user(&Uid::of(&user.metadata), &status).ok_or(WriteError::Gone)
    }

    async fn claim_group(&self, group: &ScimGroup, claimed: Option<&str>) -> Result<ScimGroup, WriteError> {
        self.look().cluster.claim_group(group, claimed)
    }

    async fn write_group(&self, group: &ScimGroup, status: Value) -> Result<ScimGroup, WriteError> {
        let uid = Uid::of(&group.metadata);
        self.look().cluster.write_group(&uid, status).ok_or(WriteError::Gone)
    }

    async fn merge_group(&self, group: &ScimGroup, status: Value) -> Result<ScimGroup, WriteError> {
        self.look().cluster.merge_group(&Uid::of(&group.metadata), &status).ok_or(WriteError::Gone)
    }

    async fn write_connection(
        &self,
        _: &ConnectionKey,
        _: &ScimConnection,
        status: &ScimConnectionStatus,
    ) -> Result<ScimConnection, kube::Error> {
        Ok(self.look().cluster.set_connection(|connection| connection.status = Some(status.clone())))
    }

    async fn merge_connection(&self, _: &ConnectionKey, body: &Value) -> Result<ScimConnection, kube::Error> {
        let finalizers = serde_json::from_value(body["metadata"]["finalizers"].clone()).unwrap_or_default();
        Ok(self.look().cluster.set_connection(|connection| connection.metadata.finalizers = finalizers))
    }

    async fn publish(&self, event: Event, _: &ObjectReference) {
        self.look().events.push((event.reason, event.note.unwrap_or_default()));
    }

    fn note(&self, note: &Note<'_>) {
        if let Note::Diverges { uid } = note {
            self.look().diverged.push((*uid).clone());
        }
    }
}
