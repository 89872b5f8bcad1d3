//! The effects of a pass, carried out: the SCIM server by the connection's client, the API server by server-side apply.

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::events::Event;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tracing::trace;

use super::Shared;
use super::effects::{ClockState, Effects, Note};
use super::kubernetes::{WriteError, classify};
use crate::api::{
    CLAIMED_ACCOUNT, CLAIMED_GROUP, ClaimedAccount, ClusterScimConnection, FIELD_MANAGER, FINALIZER, ScimConnection,
    ScimConnectionStatus, ScimGroup, ScimUser, ScimUserStatus,
};
use crate::directory::{ConnectionKey, Object, same_plan};
use crate::plan::Request;
use crate::provisioner::schedule::limiter::{Limiter, Priority, RequestKind};
use crate::scim::{Client, Entry, Error, Kind, Page, Recall, Start, Written};

/// Whoever waits longer for the limiter goes back to the queue: a slow limit doesn't keep a slot from a removal.
const LONGEST_TURN: Duration = Duration::from_secs(10);

/// Tries of a write that met a newer version of the object.
const TRIES: usize = 3;

/// A write.
pub(super) async fn send(
    client: &Client,
    kind: Kind,
    request: &Request,
    bare: bool,
    deadline: Instant,
) -> Result<Written, Error> {
    match request {
        Request::Create(body) => client.create(kind, body, deadline).await,
        Request::Patch { id, operations } if kind == Kind::Groups => {
            client.patch_group(id, operations, bare, deadline).await
        }
        Request::Patch { id, operations } => client.patch(kind, id, operations, None, deadline).await,
        Request::Put { id, body, if_match } => client.replace(kind, id, body, if_match.as_deref(), deadline).await,
        Request::Delete { id } => client.delete(kind, id, deadline).await,
    }
}

/// The operator's own effects.
pub struct Live(pub(super) Shared);

impl Live {
    fn users(&self, user: &ScimUser) -> Api<ScimUser> {
        Api::namespaced(self.0.kube.clone(), &user.namespace().unwrap_or_default())
    }

    fn groups(&self, group: &ScimGroup) -> Api<ScimGroup> {
        Api::namespaced(self.0.kube.clone(), &group.namespace().unwrap_or_default())
    }

    fn connections(&self, key: &ConnectionKey) -> Api<ScimConnection> {
        Api::namespaced(self.0.kube.clone(), &key.namespace)
    }

    fn cluster_connections(&self) -> Api<ClusterScimConnection> {
        Api::all(self.0.kube.clone())
    }
}

impl Effects for Live {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn clock(&self) -> ClockState {
        let clock = &self.0.clock;
        if clock.is_trusted() { ClockState::Trusted } else { ClockState::Apart(clock.skew().unsigned_abs()) }
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.leadership.deadline().filter(|deadline| *deadline > Instant::now())
    }

    async fn turn(&self, limiter: &Limiter, kind: RequestKind, priority: Priority) -> bool {
        if priority == Priority::Sweep {
            limiter.acquire(kind, priority).await;
            return true;
        }
        timeout(LONGEST_TURN, limiter.acquire(kind, priority)).await.is_ok()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

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
        send(client, kind, request, bare, deadline).await
    }

    async fn claim_user(
        &self,
        user: &ScimUser,
        present: bool,
        claimed: Option<&ClaimedAccount>,
    ) -> Result<ScimUser, WriteError> {
        let text = claimed.and_then(|claimed| serde_json::to_string(claimed).ok());
        claim(&self.users(user), user, CLAIMED_ACCOUNT, present, text.as_deref()).await
    }

    async fn write_user(&self, user: &ScimUser, status: &ScimUserStatus) -> Result<ScimUser, WriteError> {
        // Its groups are written key by key, by those who put it there.
        let status = ScimUserStatus { groups: None, ..status.clone() };
        apply_status(&self.users(user), &user.metadata, &status).await.map_err(classify)
    }

    async fn merge_user(&self, user: &ScimUser, status: Value) -> Result<ScimUser, WriteError> {
        merge_status(&self.users(user), &user.metadata, &status).await.map_err(classify)
    }

    async fn claim_group(&self, group: &ScimGroup, claimed: Option<&str>) -> Result<ScimGroup, WriteError> {
        claim(&self.groups(group), group, CLAIMED_GROUP, claimed.is_some(), claimed).await
    }

    async fn write_group(&self, group: &ScimGroup, status: Value) -> Result<ScimGroup, WriteError> {
        apply_status(&self.groups(group), &group.metadata, &status).await.map_err(classify)
    }

    async fn merge_group(&self, group: &ScimGroup, status: Value) -> Result<ScimGroup, WriteError> {
        merge_status(&self.groups(group), &group.metadata, &status).await.map_err(classify)
    }

    async fn write_connection(
        &self,
        key: &ConnectionKey,
        connection: &ScimConnection,
        status: &ScimConnectionStatus,
    ) -> Result<ScimConnection, kube::Error> {
        if key.is_of_cluster() {
            let written = apply_status(&self.cluster_connections(), &connection.metadata, status).await?;
            return Ok(written.into_connection());
        }
        apply_status(&self.connections(key), &connection.metadata, status).await
    }

    async fn merge_connection(&self, key: &ConnectionKey, body: &Value) -> Result<ScimConnection, kube::Error> {
        let (params, patch) = (PatchParams::default(), Patch::Merge(body));
        if key.is_of_cluster() {
            let written = self.cluster_connections().patch(&key.name, &params, &patch).await?;
            return Ok(written.into_connection());
        }
        self.connections(key).patch(&key.name, &params, &patch).await
    }

    async fn publish(&self, event: Event, about: &ObjectReference) {
        self.0.events.publish(&event, about).await;
    }

    fn note(&self, note: &Note<'_>) {
        if let Note::Decided { uid, step, .. } = note {
            trace!(%uid, ?step, "decided");
        }
    }
}

/// Writes a status by server-side apply; the uid keeps it from landing on a namesake.
async fn apply_status<K>(api: &Api<K>, metadata: &ObjectMeta, status: &impl Serialize) -> Result<K, kube::Error>
where
    K: kube::Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let name = metadata.name.as_deref().unwrap_or_default();
    let body = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": name, "uid": metadata.uid},
        "status": status,
    });
    api.patch_status(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&body)).await
}

/// Merges into a status, key by key; the uid keeps it from landing on a namesake.
async fn merge_status<K>(api: &Api<K>, metadata: &ObjectMeta, status: &Value) -> Result<K, kube::Error>
where
    K: Clone + DeserializeOwned + Debug,
{
    let body = json!({"metadata": {"uid": metadata.uid}, "status": status});
    let name = metadata.name.as_deref().unwrap_or_default();
    api.patch_status(name, &PatchParams::default(), &Patch::Merge(&body)).await
}

/// Sets our finalizer and this claim, or takes off both.
async fn claim<K>(
    api: &Api<K>,
    object: &K,
    annotation: &str,
    present: bool,
    claimed: Option<&str>,
) -> Result<K, WriteError>
where
    K: Object + ResourceExt + Clone + DeserializeOwned + Debug,
{
    let name = object.name_any();
    let mut newest = object.clone();
    for tried in 1.. {
        // It may declare something else, or be under deletion, for which this claim was not planned.
        if present && !same_plan(&newest, object) {
            return Ok(newest);
        }
        let Some(body) = claim_body(&newest, annotation, present, claimed) else { return Ok(newest) };
        match api.patch(&name, &PatchParams::default(), &Patch::Merge(&body)).await {
            Ok(written) => return Ok(written),
            Err(kube::Error::Api(status)) if status.code == 409 && tried < TRIES => {
                newest = api.get(&name).await.map_err(classify)?;
                if newest.uid() != object.uid() {
                    return Err(WriteError::Gone);
                }
            }
            Err(error) => return Err(classify(error)),
        }
    }
    Err(WriteError::Gone)
}

/// What is to be merged into an object, so that it has our finalizer and this claim, or neither; none where it is so.
fn claim_body(object: &impl ResourceExt, annotation: &str, present: bool, claimed: Option<&str>) -> Option<Value> {
    let mut finalizers = object.finalizers().to_vec();
    let known = finalizers.iter().any(|finalizer| finalizer == FINALIZER);
    let same = object.annotations().get(annotation).map(String::as_str) == claimed;
    if known == present && same {
        return None;
    }
    if present && !known {
        finalizers.push(FINALIZER.to_owned());
    } else if !present {
        finalizers.retain(|finalizer| finalizer != FINALIZER);
    }
    let mut metadata = json!({"resourceVersion": object.resource_version(), "finalizers": finalizers});
    if !same {
        metadata["annotations"] = json!({annotation: claimed});
    }
    Some(json!({"metadata": metadata}))
}
