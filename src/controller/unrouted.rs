//! Objects whose connection isn't there: one task writes their status, and lets the released ones go.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::unrouted_groups;
use crate::api::{
    FIELD_MANAGER, FINALIZER, GROUP, Reason, ScimGroup, ScimUser, ScimUserStatus, Uid, UserState, VERSION,
};
use crate::directory::{connection_of, full_name, has_finalizer, is_deleting};
use crate::plan::{User, Verdict, way_out};
use crate::provisioner::Shared;
use crate::status::{PassLog, record};

/// After a write that the API server didn't take.
const RETRY: Duration = Duration::from_secs(5);

/// The way to the task.
pub struct Unrouted(mpsc::UnboundedSender<(Object, bool)>);

/// By their uids: what waits here would otherwise be kept a second time, as it was.
enum Object {
    User(Uid),
    Group(Uid),
}

impl Unrouted {
    /// Starts the task; it ends with `stop`.
    pub fn start(shared: Shared, stop: CancellationToken, tasks: &mut JoinSet<()>) -> Self {
        let (sender, mut receiver) = mpsc::unbounded_channel::<(Object, bool)>();
        tasks.spawn(async move {
            loop {
                let (object, released) = tokio::select! {
                    () = stop.cancelled() => break,
                    told = receiver.recv() => match told {
                        Some(told) => told,
                        None => break,
                    },
                };
                let (uid, result) = match object {
                    Object::User(uid) => {
                        let Some(user) = shared.directory.get(&uid) else { continue };
                        (uid, say_not_found(&shared, &user, released).await)
                    }
                    Object::Group(uid) => {
                        let Some(group) = shared.directory.group(&uid) else { continue };
                        (uid, unrouted_groups::say_not_found(&shared, &group, released).await)
                    }
                };
                if let Err(error) = result {
                    debug!(%uid, "an object without a connection could not be written: {error}");
                    tokio::spawn(route_again(shared.clone(), uid));
                }
            }
        });
        Self(sender)
    }

    /// Takes an object; `released` lets it go without touching its account, if it is under deletion.
    pub fn submit(&self, user: &ScimUser, released: bool) {
        // The task lives as long as the controller does.
        let _ = self.0.send((Object::User(Uid::of(&user.metadata)), released));
    }

    /// The same for a group.
    pub fn submit_group(&self, group: &ScimGroup, released: bool) {
        let _ = self.0.send((Object::Group(Uid::of(&group.metadata)), released));
    }
}

/// A write that met a newer version, or no API server, is tried again, should the object still have no connection then.
async fn route_again(shared: Shared, uid: Uid) {
    tokio::time::sleep(RETRY).await;
    if shared.directory.get(&uid).is_some() || shared.directory.group(&uid).is_some() {
        // The receiver lives as long as the controller does.
        let _ = shared.reroute.send(uid);
    }
}

async fn say_not_found(shared: &Shared, user: &ScimUser, released: bool) -> Result<(), kube::Error> {
    let api: Api<ScimUser> = Api::namespaced(shared.kube.clone(), &user.namespace().unwrap_or_default());
    let name = user.name_any();
    if is_deleting(user) && (released || user.wants_release()) && has_finalizer(user) {
        let rest: Vec<_> = user.finalizers().iter().filter(|finalizer| *finalizer != FINALIZER).collect();
        let body = json!({"metadata": {"resourceVersion": user.resource_version(), "finalizers": rest}});
        api.patch(&name, &PatchParams::default(), &Patch::Merge(&body)).await?;
        info!(object = %full_name(user), "released: its account, if any, stays as it is");
        return Ok(());
    }
    let status = user.status.clone().unwrap_or_default();
    // An object that owes nothing is not rewritten for its connection's trouble.
    if status.observed_generation == user.metadata.generation && !is_deleting(user) {
        return Ok(());
    }
    let connection = connection_of(user);
    let way_out = if is_deleting(user) {
        format!(". {}", way_out::<User>(&full_name(user)))
    } else {
        shared.directory.instead_of(&connection, &user.namespace().unwrap_or_default())
    };
    let verdict = Verdict {
        reason: Some(Reason::ConnectionNotFound),
        message: format!("the {:?} {connection} is not there{way_out}", user.spec.connection_ref.kind),
        state: Some(if is_deleting(user) { UserState::Deleting } else { UserState::Pending }),
        ..Verdict::default()
    };
    let generation = user.metadata.generation.unwrap_or_default();
    let new = record(&status, generation, &verdict, &PassLog::default(), Timestamp::now());
    if user.status.as_ref() == Some(&new) {
        return Ok(());
    }
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch_status(&name, &params, &Patch::Apply(&applied(user, new))).await?;
    Ok(())
}

/// What is applied of a status. Its groups are written key by key, by those who put it there: applied, they would be this
/// writer's own, and what was forgotten meanwhile would come back.
fn applied(user: &ScimUser, status: ScimUserStatus) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "ScimUser",
        "metadata": {"name": user.name_any(), "uid": user.uid()},
        "status": ScimUserStatus { groups: None, ..status },
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
        let groups = Some([("team".to_owned(), "7".to_owned())].into());
        let body = applied(&user, ScimUserStatus { id: Some("7".into()), groups, ..ScimUserStatus::default() });
        assert_eq!((&body["status"]["id"], body["status"].get("groups")), (&json!("7"), None));
    }
}
