//! Objects whose connection isn't there: one task writes their status, and lets the released ones go.

use std::collections::HashMap;
use std::fmt::Debug;

use jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::api::{
    ConnectionRef, FIELD_MANAGER, FINALIZER, GROUP, Reason, ScimGroup, ScimUser, ScimUserStatus, Uid, VERSION,
};
use crate::directory::{
    ConnectionKey, Object, connection_of, connection_of_group, full_name, has_finalizer, is_deleting,
};
use crate::plan::groups::Group;
use crate::plan::{ResourceType, User, Verdict, way_out};
use crate::provisioner::{Shared, back_off, bounded_note};
use crate::status::{PassLog, record, record_group};

/// The way to the task.
pub struct Unrouted(mpsc::UnboundedSender<(Waiting, bool)>);

/// By their uids: what waits here would otherwise be kept a second time, as it was.
enum Waiting {
    User(Uid),
    Group(Uid),
}

/// What is special to a kind of object.
trait Kind:
    Object
    + Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// What it stands for at the server.
    type Type: ResourceType;
    /// The event of one that goes and leaves that as it is.
    const LEFT: &'static str;

    fn connection(&self) -> (ConnectionKey, &ConnectionRef);
    fn is_to_be_released(&self) -> bool;
    /// The account or group that it is bound to, or that a creation may have made for it.
    fn left_behind(&self) -> Option<String>;
    /// What is applied of a status that says so; none where nothing is news.
    fn status(&self, message: String) -> Option<Value>;
}

impl Kind for ScimUser {
    type Type = User;
    const LEFT: &'static str = "AccountLeft";

    fn connection(&self) -> (ConnectionKey, &ConnectionRef) {
        (connection_of(self), &self.spec.connection_ref)
    }

    fn is_to_be_released(&self) -> bool {
        self.wants_release()
    }

    fn left_behind(&self) -> Option<String> {
        let id = self.status.as_ref().and_then(|status| status.id.clone());
        id.or_else(|| self.claimed_account().map(|claimed| claimed.user_name))
    }

    fn status(&self, message: String) -> Option<Value> {
        let deleting = is_deleting(self);
        let verdict = not_found::<User>(message, deleting);
        let (status, generation) = (self.status.clone().unwrap_or_default(), self.metadata.generation);
        // An object that owes nothing is not rewritten for its connection's trouble.
        if status.observed_generation == generation && !deleting {
            return None;
        }
        let new = record(&status, generation.unwrap_or_default(), &verdict, &PassLog::default(), Timestamp::now());
        // Its groups are written key by key, by those who put it there: applied, they would be this writer's own, and what
        // was forgotten meanwhile would come back.
        (self.status.as_ref() != Some(&new)).then(|| json!(ScimUserStatus { groups: None, ..new }))
    }
}

impl Kind for ScimGroup {
    type Type = Group;
    const LEFT: &'static str = "GroupLeft";

    fn connection(&self) -> (ConnectionKey, &ConnectionRef) {
        (connection_of_group(self), &self.spec.connection_ref)
    }

    fn is_to_be_released(&self) -> bool {
        self.wants_release()
    }

    fn left_behind(&self) -> Option<String> {
        let id = self.status.as_ref().and_then(|status| status.id.clone());
        id.or_else(|| self.claimed_group().map(|claimed| claimed.display_name))
    }

    fn status(&self, message: String) -> Option<Value> {
        let deleting = is_deleting(self);
        let verdict = not_found::<Group>(message, deleting);
        let (status, generation) = (self.status.clone().unwrap_or_default(), self.metadata.generation);
        if status.observed_generation == generation && !deleting {
            return None;
        }
        let new =
            record_group(&status, generation.unwrap_or_default(), &verdict, &PassLog::default(), Timestamp::now());
        if self.status.as_ref() == Some(&new) {
            return None;
        }
        let mut body = json!(new);
        if let Some(body) = body.as_object_mut() {
            // Written key by key, by whoever lets a member go.
            body.remove("leaving");
            body.remove("memberNames");
        }
        Some(body)
    }
}

fn not_found<T: ResourceType>(message: String, deleting: bool) -> Verdict<T> {
    let state = if deleting { T::DELETING } else { T::PENDING };
    Verdict { reason: Some(Reason::ConnectionNotFound), message, state: Some(state), ..Verdict::default() }
}

impl Unrouted {
    /// Starts the task; it ends with `stop`.
    pub fn start(shared: Shared, stop: CancellationToken, tasks: &mut JoinSet<()>) -> Self {
        let (sender, mut receiver) = mpsc::unbounded_channel::<(Waiting, bool)>();
        tasks.spawn(async move {
            // How often a write of one was refused in a row.
            let mut refused: HashMap<Uid, u32> = HashMap::new();
            loop {
                let (object, released) = tokio::select! {
                    () = stop.cancelled() => break,
                    told = receiver.recv() => match told {
                        Some(told) => told,
                        None => break,
                    },
                };
                let (uid, taken) = match object {
                    Waiting::User(uid) => {
                        let taken = match shared.directory.get(&uid) {
                            Some(user) => take(&shared, &*user, released).await,
                            None => true,
                        };
                        (uid, taken)
                    }
                    Waiting::Group(uid) => {
                        let taken = match shared.directory.group(&uid) {
                            Some(group) => take(&shared, &*group, released).await,
                            None => true,
                        };
                        (uid, taken)
                    }
                };
                if taken {
                    refused.remove(&uid);
                } else {
                    let times = refused.entry(uid.clone()).or_default();
                    *times = times.saturating_add(1);
                    tokio::spawn(route_again(shared.clone(), uid, *times));
                }
            }
        });
        Self(sender)
    }

    /// Takes an object; `released` lets it go without touching its account, if it is under deletion.
    pub fn submit(&self, user: &ScimUser, released: bool) {
        // The task lives as long as the controller does.
        let _ = self.0.send((Waiting::User(Uid::of(&user.metadata)), released));
    }

    /// The same for a group.
    pub fn submit_group(&self, group: &ScimGroup, released: bool) {
        let _ = self.0.send((Waiting::Group(Uid::of(&group.metadata)), released));
    }
}

/// A write that met a newer version, or no API server, is tried again, should the object still have no connection then.
async fn route_again(shared: Shared, uid: Uid, times: u32) {
    tokio::time::sleep(back_off(times, rand::random())).await;
    if shared.directory.get(&uid).is_some() || shared.directory.group(&uid).is_some() {
        // The receiver lives as long as the controller does.
        let _ = shared.reroute.send(uid);
    }
}

/// False where the API server didn't take what was to be written.
async fn take<K: Kind>(shared: &Shared, object: &K, released: bool) -> bool {
    let let_go = is_deleting(object) && (released || object.is_to_be_released()) && has_finalizer(object);
    let written = if let_go { release(shared, object).await } else { say_not_found(shared, object).await };
    let Err(error) = written else { return true };
    if matches!(&error, kube::Error::Api(status) if status.code == 409) {
        debug!(object = %full_name(object), "it had changed, and is looked at again: {error}");
    } else {
        shared.metrics.kubernetes_error(&object.connection().0.to_string());
        warn!(object = %full_name(object), "an object without a connection could not be written: {error}");
    }
    false
}

fn api<K: Kind>(shared: &Shared, object: &K) -> Api<K> {
    Api::namespaced(shared.kube.clone(), &object.namespace().unwrap_or_default())
}

/// The object goes. What is left of it at the server is told before nothing knows it any more.
async fn release<K: Kind>(shared: &Shared, object: &K) -> Result<(), kube::Error> {
    if let Some(left) = object.left_behind() {
        let note = format!(
            "released while its connection is not ready, or not there: the {} {left:?} stays as it is, if it is there",
            <K::Type as ResourceType>::NOUN
        );
        let event = Event {
            type_: EventType::Warning,
            reason: K::LEFT.to_owned(),
            note: Some(bounded_note(&note)),
            action: "Provision".to_owned(),
            secondary: None,
        };
        shared.events.publish(&event, &object.object_ref(&())).await;
    }
    let rest: Vec<_> = object.finalizers().iter().filter(|finalizer| *finalizer != FINALIZER).collect();
    let body = json!({"metadata": {"resourceVersion": object.resource_version(), "finalizers": rest}});
    api(shared, object).patch(&object.name_any(), &PatchParams::default(), &Patch::Merge(&body)).await?;
    info!(object = %full_name(object), "released: its {}, if any, stays as it is", <K::Type as ResourceType>::NOUN);
    Ok(())
}

async fn say_not_found<K: Kind>(shared: &Shared, object: &K) -> Result<(), kube::Error> {
    let (connection, reference) = object.connection();
    let way_out = if is_deleting(object) {
        format!(". {}", way_out::<K::Type>(&full_name(object)))
    } else {
        shared.directory.instead_of(&connection, &object.namespace().unwrap_or_default())
    };
    let message = format!("the {:?} {connection} is not there{way_out}", reference.kind);
    let Some(status) = object.status(message) else { return Ok(()) };
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api(shared, object).patch_status(&object.name_any(), &params, &Patch::Apply(&applied(object, &status))).await?;
    Ok(())
}

fn applied<K: Kind>(object: &K, status: &Value) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": K::kind(&()),
        "metadata": {"name": object.name_any(), "uid": object.uid()},
        "status": status,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i18_the_record_of_memberships_is_nothing_that_an_object_without_a_connection_applies() {
        let mut user = ScimUser::new(
            "ada",
            serde_json::from_value(json!({"connectionRef": {"name": "c"}, "userName": "ada"})).expect("a spec"),
        );
        user.metadata.uid = Some("uid".into());
        user.metadata.generation = Some(1);
        let groups = Some([("team".to_owned(), "7".to_owned())].into());
        user.status = Some(ScimUserStatus { id: Some("7".into()), groups, ..ScimUserStatus::default() });
        let body = applied(&user, &user.status("it is not there".into()).expect("news"));
        assert_eq!((&body["status"]["id"], body["status"].get("groups")), (&json!("7"), None));
        assert_eq!(user.left_behind().as_deref(), Some("7"));
    }
}
