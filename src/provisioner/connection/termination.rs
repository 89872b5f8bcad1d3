//! A connection under deletion: it stays while objects need it (promise I15), and says which.

use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::json;
use tracing::debug;

use crate::api::{FINALIZER, RELEASE, ScimConnection, listed};
use crate::directory::{full_name, has_finalizer, is_deleting};
use crate::plan::Named;
use crate::provisioner::Provisioner;
use crate::provisioner::connection::state::ConnectionState;
use crate::provisioner::effects::Effects;
use crate::status::{fresh_condition, set_condition, unset_condition};

/// So many objects are named.
const NAMED: usize = 5;

impl<E: Effects> Provisioner<E> {
    /// The connection stays while objects need it (promise I15): its finalizer is there before anything is sent,
    /// and comes off when no object of it carries ours any more.
    pub(in crate::provisioner) async fn keep_while_needed(
        &self,
        connection: Arc<ScimConnection>,
    ) -> Arc<ScimConnection> {
        let deleting = connection.metadata.deletion_timestamp.is_some();
        let known = connection.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
        let objects = self.directory.users_of(&self.key);
        let groups = self.directory.groups_of(&self.key);
        let needed = objects.iter().any(has_finalizer) || groups.iter().any(has_finalizer);
        let released = connection.annotations().get(RELEASE).is_some_and(|value| value == "true");
        // Released ones are let go by passes, which end with the connection.
        let leaving = objects.iter().any(|user| is_deleting(user) && has_finalizer(user))
            || groups.iter().any(|group| is_deleting(group) && has_finalizer(group));
        let mut finalizers = connection.finalizers().to_vec();
        match (deleting, known) {
            (false, false) => finalizers.push(FINALIZER.to_owned()),
            (true, true) if !needed || (released && !leaving) => {
                finalizers.retain(|finalizer| finalizer != FINALIZER);
            }
            _ => return connection,
        }
        let body = json!({"metadata": {"resourceVersion": connection.resource_version(), "finalizers": finalizers}});
        match self.effects.merge_connection(&self.key, &body).await {
            Ok(written) => {
                let written = Arc::new(written);
                self.update(Arc::clone(&written));
                written
            }
            Err(error) => {
                debug!("its finalizer could not be written: {error}");
                connection
            }
        }
    }

    /// Why a connection under deletion is still there; none while it isn't deleted, or nothing keeps it.
    pub(in crate::provisioner) fn kept_by(&self, connection: &ScimConnection) -> Option<String> {
        connection.metadata.deletion_timestamp.as_ref()?;
        let users = self.directory.users_of(&self.key);
        let kept = users.iter().filter(has_finalizer);
        let mut names: Vec<String> = kept.map(|user| format!("scimuser {}", full_name(user))).collect();
        let every = self.directory.groups_of(&self.key);
        let kept = every.iter().filter(has_finalizer);
        names.extend(kept.map(|group| format!("scimgroup {}", full_name(group))));
        if names.is_empty() {
            return None;
        }
        names.sort_unstable();
        Some(format!(
            "kept by {}: delete them and they are deprovisioned by policy, or let all of them go without touching their \
             accounts: {}",
            listed(&names, NAMED),
            Named::connection(&self.key.namespace, &self.key.name).annotate(&format!("{RELEASE}=true")),
        ))
    }
}

impl ConnectionState {
    /// Terminating, while the connection is under deletion and something keeps it.
    pub(in crate::provisioner) fn terminating(&mut self, kept_by: Option<String>, generation: i64, now: Timestamp) {
        match kept_by {
            Some(message) => {
                let condition = fresh_condition("Terminating", "True", "ObjectsRemain", &message, generation, now);
                set_condition(&mut self.conditions, condition);
            }
            None => unset_condition(&mut self.conditions, "Terminating"),
        }
    }
}
