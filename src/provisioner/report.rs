//! The connection's status: gathered in memory, written at most every five seconds and only when it differs.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Resource as _, ResourceExt};
use serde_json::json;
use tokio::time::sleep;
use tracing::debug;

use super::directory::has_finalizer;
use super::kubernetes::FIELD_MANAGER;
use super::session::profile_of;
use super::{Provisioner, lock};
use crate::api::{
    ConnectedReason, CredentialsStatus, FINALIZER, GROUP, RELEASE, ScimConnection, ScimConnectionStatus, SweepStatus,
    UserState, UsersStatus, VERSION,
};
use crate::scim::fold;
use crate::status::{fresh_condition, set_condition, unset_condition, whole_seconds};

/// Statuses are written this far apart.
const PAUSE: Duration = Duration::from_secs(5);

/// What is known of the connection itself.
#[derive(Debug)]
pub struct Report {
    conditions: Vec<Condition>,
    observed_generation: Option<i64>,
    secret_version: Option<String>,
    rejected_since: Option<Time>,
    sweep: Option<SweepStatus>,
    /// A first sweep has ended, complete or not.
    pub swept: bool,
    /// An answer since the last good test gives reason to doubt the connection.
    pub doubted: bool,
    /// A Warning or a note that is to become an event.
    news: Vec<(EventType, ConnectedReason, String)>,
}

impl Report {
    /// Begins with what an earlier process recorded.
    pub fn new(status: ScimConnectionStatus) -> Self {
        let credentials = status.credentials.unwrap_or_default();
        Self {
            conditions: status.conditions.unwrap_or_default(),
            observed_generation: status.observed_generation,
            secret_version: credentials.secret_resource_version,
            rejected_since: credentials.rejected_since,
            sweep: status.sweep,
            swept: false,
            doubted: false,
            news: Vec::new(),
        }
    }

    /// Takes in the outcome of a test; true where it is news.
    pub fn connected(&mut self, connection: &ScimConnection, reason: ConnectedReason, message: &str) -> bool {
        let now = Timestamp::now();
        let generation = connection.metadata.generation.unwrap_or_default();
        let good = matches!(reason, ConnectedReason::Connected | ConnectedReason::NewKeyRejected);
        let status = if good { "True" } else { "False" };
        let news = self
            .conditions
            .iter()
            .find(|known| known.type_ == "Connected")
            .is_none_or(|known| known.reason != reason.as_str() || known.status != status);
        for kind in ["Connected", "Ready"] {
            set_condition(
                &mut self.conditions,
                fresh_condition(kind, status, reason.as_str(), message, generation, now),
            );
        }
        if good {
            unset_condition(&mut self.conditions, "Stalled");
            self.rejected_since = None;
            self.doubted = false;
        } else if reason.needs_change() {
            set_condition(
                &mut self.conditions,
                fresh_condition("Stalled", "True", reason.as_str(), message, generation, now),
            );
        } else {
            unset_condition(&mut self.conditions, "Stalled");
        }
        if reason == ConnectedReason::CredentialsRejected && self.rejected_since.is_none() {
            self.rejected_since = Some(Time(whole_seconds(now)));
        }
        self.observed_generation = Some(generation);
        if news {
            let kind = if reason == ConnectedReason::Connected { EventType::Normal } else { EventType::Warning };
            self.news.push((kind, reason, message.to_owned()));
        }
        news
    }

    /// Notes the version of the Secret that the key is from.
    pub fn secret_version(&mut self, version: Option<String>) {
        self.secret_version = version;
    }

    /// A sweep has ended.
    pub fn sweep_ended(&mut self, complete: bool, took: Duration) {
        let last_completed = if complete {
            Some(Time(whole_seconds(Timestamp::now())))
        } else {
            self.sweep.as_ref().and_then(|sweep| sweep.last_completed.clone())
        };
        self.sweep = Some(SweepStatus {
            last_completed,
            duration: Some(format!("{}ms", took.as_millis())),
            complete: Some(complete),
        });
    }

    /// Why the connection can't be used, for the objects that wait for it.
    pub fn why_not_connected(&self) -> String {
        self.conditions.iter().find(|known| known.type_ == "Connected" && known.status == "False").map_or_else(
            || "the connection has not been tested yet".to_owned(),
            |known| format!("the connection is not usable ({}): {}", known.reason, known.message),
        )
    }
}

impl Provisioner {
    /// Writes the connection's status while the provisioner runs, and once more at its end.
    pub(super) async fn keep_reporting(self: Arc<Self>) {
        while !self.stop.is_cancelled() {
            self.report_now().await;
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = sleep(PAUSE) => {}
            }
        }
        self.report_now().await;
    }

    /// Writes the connection's status if it differs from the one last seen.
    pub(super) async fn report_now(&self) {
        let _saving = self.saving.lock().await;
        let connection = self.connection();
        self.publish_events(&connection).await;
        let connection = self.keep_while_needed(connection).await;
        let status = self.status(&connection);
        self.export_metrics(&status);
        if connection.status.as_ref() == Some(&status) || self.deadline().is_none() {
            return;
        }
        let body = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "ScimConnection",
            "metadata": {"name": connection.name_any(), "uid": connection.uid()},
            "status": status,
        });
        let api: Api<ScimConnection> = Api::namespaced(self.shared.kube.clone(), &self.key.namespace);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match api.patch_status(&self.key.name, &params, &Patch::Apply(&body)).await {
            Ok(written) => self.update(Arc::new(written)),
            Err(error) => debug!(connection = %self.key, "its status could not be written: {error}"),
        }
    }

    /// The connection stays while objects need it (promise I15): its finalizer is there before anything is sent,
    /// and comes off when no object of it carries ours any more.
    async fn keep_while_needed(&self, connection: Arc<ScimConnection>) -> Arc<ScimConnection> {
        let deleting = connection.metadata.deletion_timestamp.is_some();
        let known = connection.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
        let needed = self.shared.directory.users_of(&self.key).iter().any(|user| has_finalizer(user));
        let mut finalizers = connection.finalizers().to_vec();
        match (deleting, known) {
            (false, false) => finalizers.push(FINALIZER.to_owned()),
            (true, true) if !needed || connection.annotations().get(RELEASE).is_some_and(|value| value == "true") => {
                finalizers.retain(|finalizer| finalizer != FINALIZER);
            }
            _ => return connection,
        }
        let body = json!({"metadata": {"resourceVersion": connection.resource_version(), "finalizers": finalizers}});
        let api: Api<ScimConnection> = Api::namespaced(self.shared.kube.clone(), &self.key.namespace);
        match api.patch(&self.key.name, &PatchParams::default(), &Patch::Merge(&body)).await {
            Ok(written) => {
                let written = Arc::new(written);
                self.update(Arc::clone(&written));
                written
            }
            Err(error) => {
                debug!(connection = %self.key, "its finalizer could not be written: {error}");
                connection
            }
        }
    }

    async fn publish_events(&self, connection: &ScimConnection) {
        let news = std::mem::take(&mut lock(&self.report).news);
        for (type_, reason, message) in news {
            let event = Event {
                type_,
                reason: reason.as_str().to_owned(),
                note: Some(message.chars().take(500).collect()),
                action: "Connect".to_owned(),
                secondary: None,
            };
            let reference = connection.object_ref(&());
            // A failed event is nobody's error.
            if let Err(error) = self.shared.recorder.publish(&event, &reference).await {
                debug!(connection = %self.key, "an event could not be published: {error}");
            }
        }
    }

    fn export_metrics(&self, status: &ScimConnectionStatus) {
        let name = self.key.to_string();
        for (lane, depth) in lock(&self.queue).depth() {
            self.shared.metrics.queue_depth(&name, lane_name(lane), depth);
        }
        if let Some(users) = &status.users {
            for (state, count) in [("synced", users.synced), ("failed", users.failed), ("pending", users.pending)] {
                self.shared.metrics.users(&name, state, count.unwrap_or_default());
            }
        }
    }

    /// The status as it is now.
    fn status(&self, connection: &ScimConnection) -> ScimConnectionStatus {
        let users = self.count_users(connection);
        let report = lock(&self.report);
        let mut status = connection.status.clone().unwrap_or_default();
        status.observed_generation = report.observed_generation;
        status.conditions = Some(report.conditions.clone());
        status.users = Some(users);
        status.sweep.clone_from(&report.sweep);
        status.credentials = Some(CredentialsStatus {
            secret_resource_version: report.secret_version.clone(),
            rejected_since: report.rejected_since.clone(),
        });
        Self::fill_effective(connection, &mut status);
        status
    }

    fn fill_effective(connection: &ScimConnection, status: &mut ScimConnectionStatus) {
        let profile = profile_of(&connection.spec);
        let effective = status.effective.get_or_insert_with(Default::default);
        effective.dialect = Some(super::session::dialect_of(&profile));
        effective.timeouts = Some(connection.spec.timeouts.clone());
    }

    fn count_users(&self, connection: &ScimConnection) -> UsersStatus {
        let objects = self.shared.directory.users_of(&self.key);
        let mut users = UsersStatus {
            declared: Some(0),
            synced: Some(0),
            pending: Some(0),
            failed: Some(0),
            ..UsersStatus::default()
        };
        let count = |slot: &mut Option<i64>| *slot = Some(slot.unwrap_or_default() + 1);
        for user in &objects {
            count(&mut users.declared);
            let status = user.status.as_ref();
            let current = status.and_then(|status| status.observed_generation) == user.metadata.generation;
            let ready = status
                .and_then(|status| status.conditions.as_ref())
                .into_iter()
                .flatten()
                .find(|known| known.type_ == "Ready");
            match (ready.map(|ready| ready.status.as_str()), status.and_then(|status| status.state)) {
                (Some("True"), Some(UserState::Drifted)) => {
                    count(&mut users.drifted);
                    count(&mut users.synced);
                }
                (Some("True"), _) if current => count(&mut users.synced),
                (_, Some(UserState::Failed | UserState::DeactivatedAtServer | UserState::DeletedAtServer)) => {
                    count(&mut users.failed);
                }
                _ => count(&mut users.pending),
            }
        }
        users.unmanaged = self.count_unmanaged(connection);
        users
    }

    /// Accounts that no object declares, where the policy is to report them and the list is complete.
    fn count_unmanaged(&self, connection: &ScimConnection) -> Option<i64> {
        let snapshot = lock(&self.snapshot);
        let server = super::session::server_of(&connection.spec);
        if connection.spec.unmanaged_policy != crate::api::UnmanagedPolicy::Report || !snapshot.is_complete() {
            return None;
        }
        let unmanaged =
            snapshot.accounts().filter(|(id, name, _)| !self.shared.directory.declares(&server, &fold(name), id));
        i64::try_from(unmanaged.count()).ok()
    }
}

fn lane_name(lane: super::queue::Lane) -> &'static str {
    match lane {
        super::queue::Lane::Removal => "removal",
        super::queue::Lane::Change => "change",
        super::queue::Lane::Create => "create",
        super::queue::Lane::Drift => "drift",
    }
}
