//! The connection's status: written at most every five seconds and only when it differs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::runtime::events::Event;
use tokio::time::sleep;
use tracing::warn;

use super::state::{ConnectionState, PendingEvent};
use crate::api::{
    CredentialsStatus, GuardsSpec, Reason, ScimConnection, ScimConnectionStatus, ScimUser, UnmanagedAccount,
    UnmanagedPolicy, UserState, UsersStatus,
};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::kubernetes::bounded_note;
use crate::status::{is_true, ready, whole_seconds};

/// So many unmanaged accounts are named.
const SAMPLE: usize = 20;

/// So many accounts are looked at before others may ask for one.
const AT_ONCE: usize = 1_000;

/// Statuses are written this far apart.
const PAUSE: Duration = Duration::from_secs(5);

impl<E: Effects> Provisioner<E> {
    /// Writes the connection's status while the provisioner runs, and once more at its end.
    pub(in crate::provisioner) async fn keep_reporting(self: Arc<Self>) {
        while !self.stop.is_cancelled() {
            self.report_now().await;
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = sleep(PAUSE) => {}
            }
        }
        self.report_now().await;
        self.surroundings.metrics.end(&self.key.to_string());
    }

    /// Writes the connection's status if it differs from the one last seen.
    pub(in crate::provisioner) async fn report_now(&self) {
        self.report_unless(|| false).await;
    }

    /// The same, unless that is `needless` by the time at which nobody else writes it.
    pub(in crate::provisioner) async fn report_unless(&self, needless: impl Fn() -> bool) {
        let write = async {
            if !needless() {
                self.write_report().await;
            }
        };
        self.connection.saving.alone(write).await;
    }

    async fn write_report(&self) {
        let connection = self.connection();
        self.publish_events(&connection).await;
        let connection = self.keep_while_needed(connection).await;
        let (status, revision) = self.status(&connection);
        self.export_metrics(&status);
        if connection.status.as_ref() == Some(&status) {
            self.guards.saved(revision);
            return;
        }
        if self.effects.deadline().is_none() {
            return;
        }
        match self.effects.write_connection(&self.key, &connection, &status).await {
            Ok(written) => {
                self.guards.saved(revision);
                self.update(Arc::new(written));
            }
            Err(error) => {
                self.note_write_failure(&error);
                warn!("its status could not be written: {error}");
            }
        }
    }

    async fn publish_events(&self, connection: &ScimConnection) {
        for PendingEvent { type_, reason, action, note } in self.connection.state.take_events() {
            let event = Event {
                type_,
                reason: reason.to_owned(),
                note: Some(bounded_note(&note)),
                action: action.to_owned(),
                secondary: None,
            };
            let reference = self.connection_reference(connection);
            self.effects.publish(event, &reference).await;
        }
    }

    /// The status as it is now, and the revision of the ledgers in it.
    fn status(&self, connection: &ScimConnection) -> (ScimConnectionStatus, u64) {
        let now = self.effects.now();
        let mut users = self.count_users(now);
        let unmanaged = self.unmanaged(connection);
        users.unmanaged = unmanaged.as_ref().map(|(count, _)| *count);
        let guarded = self.guarded(now);
        let kept_by = self.kept_by(connection);
        let generation = connection.metadata.generation.unwrap_or_default();
        // A pause that is over before the next status isn't worth one.
        let throttled = self.schedule.limiter().throttled_for().is_some_and(|left| left > PAUSE);
        let mut status = connection.status.clone().unwrap_or_default();
        self.connection.state.report(|state| {
            state.warn_of_expiry(now);
            state.warn_of_wave(users.expiring_24h.unwrap_or_default(), guarded.removals_room);
            state.terminating(kept_by, generation, now);
            state.holding(generation, guarded.holding.as_ref(), now);
            state.show(&mut status, throttled, now);
        });
        status.users = Some(users);
        status.groups = self.count_groups();
        status.unmanaged = unmanaged.map(|(_, sample)| sample).filter(|sample| !sample.is_empty());
        status.holds = Some(guarded.holds).filter(|holds| !holds.is_empty());
        status.guards = Some(guarded.guards);
        status.refused_holds = Some(guarded.refused).filter(|refused| !refused.is_empty());
        status.spent_holds = Some(guarded.spent).filter(|spent| !spent.is_empty());
        self.fill_effective(connection, &mut status);
        (status, guarded.revision)
    }

    fn fill_effective(&self, connection: &ScimConnection, status: &mut ScimConnectionStatus) {
        let spec = &connection.spec;
        let effective = status.effective.get_or_insert_with(Default::default);
        let profile =
            self.session().map_or_else(|| self.known_profile(connection), |session| session.policy.profile.clone());
        effective.dialect = Some(super::dialect::dialect_of(&profile));
        self.connection.lessons.record(effective);
        effective.timeouts = Some(spec.timeouts.clone());
        effective.base_url = Some(super::defaults::base_url(spec));
        effective.tenant = super::defaults::tenant(connection);
        effective.rate_limits = Some(super::defaults::rate_limits(spec));
        let creates = super::defaults::creates_guard(spec);
        effective.guards = Some(GuardsSpec { protected: None, creates, ..spec.guards.clone() });
    }

    fn count_users(&self, now: Timestamp) -> UsersStatus {
        let objects = self.directory.users_of(&self.key);
        let mut users = UsersStatus {
            declared: Some(0),
            synced: Some(0),
            pending: Some(0),
            failed: Some(0),
            held: Some(0),
            expiring_24h: Some(0),
            ..UsersStatus::default()
        };
        let count = |slot: &mut Option<i64>| *slot = Some(slot.unwrap_or_default() + 1);
        for user in &objects {
            count(&mut users.declared);
            let status = user.status.as_ref();
            let current = status.and_then(|status| status.observed_generation) == user.metadata.generation;
            let ready = ready(status.and_then(|status| status.conditions.as_deref()));
            if expires_within_a_day(user, now) {
                count(&mut users.expiring_24h);
            }
            let held = [Reason::Held.as_str(), Reason::Planned.as_str()];
            match (ready.map(|ready| ready.status.as_str()), status.and_then(|status| status.state)) {
                _ if ready.is_some_and(|ready| held.contains(&ready.reason.as_str())) => count(&mut users.held),
                (Some("True"), Some(UserState::Drifted)) => {
                    count(&mut users.drifted);
                    count(&mut users.synced);
                }
                (Some("True"), _) if current => count(&mut users.synced),
                (_, Some(UserState::Failed | UserState::DeactivatedAtServer | UserState::DeletedAtServer)) => {
                    count(&mut users.failed);
                }
                // Also one under deletion that can't be carried out: who left still has access.
                _ if is_true(status.and_then(|status| status.conditions.as_deref()), "Stalled") => {
                    count(&mut users.failed);
                }
                _ => count(&mut users.pending),
            }
        }
        users
    }

    /// Accounts that no object declares, counted, and some of them; where the policy is to report them and the
    /// list is complete.
    fn unmanaged(&self, connection: &ScimConnection) -> Option<(i64, Vec<UnmanagedAccount>)> {
        if connection.spec.unmanaged_policy != UnmanagedPolicy::Report {
            return None;
        }
        let (mut count, mut sample) = (0, BTreeSet::new());
        let listed = self.each_unmanaged(connection, |user_name, id| {
            count += 1;
            // The first by name, so that the sample stays the same while the accounts do.
            sample.insert((user_name.to_owned(), id.to_owned()));
            if sample.len() > SAMPLE {
                sample.pop_last();
            }
        });
        let account =
            |(user_name, id): (String, String)| UnmanagedAccount { id: bounded(&id), user_name: bounded(&user_name) };
        listed.then(|| (count, sample.into_iter().map(account).collect()))
    }

    /// Visits userName and id of each account that no object declares; false where the list isn't complete, and nobody is
    /// visited.
    pub(in crate::provisioner) fn each_unmanaged(
        &self,
        connection: &ScimConnection,
        mut visit: impl FnMut(&str, &str),
    ) -> bool {
        let server = super::defaults::server_of(connection);
        let listed = self.mirror.users.look(|known| {
            let listed = known.sightings.was_listed() && known.sightings.server() == server;
            listed.then(|| known.ids())
        });
        let Some(listed) = listed else { return false };
        // A few at a time: whoever else asks for an account waits for no hundred thousand of them.
        for ids in listed.chunks(AT_ONCE) {
            self.mirror.users.look(|known| {
                for (id, name) in ids.iter().filter_map(|id| Some((id, known.identity(id)?.0))) {
                    if !self.directory.declares(&server, name, id) {
                        visit(name, id);
                    }
                }
            });
        }
        true
    }
}

impl ConnectionState {
    /// Shows itself in status.
    fn show(&self, status: &mut ScimConnectionStatus, throttled: bool, now: Timestamp) {
        status.observed_generation = self.observed_generation;
        status.last_handled_reconcile_at.clone_from(&self.reconcile_request.handled);
        status.conditions = Some(self.conditions.clone());
        let throttled =
            throttled.then_some("throttled: the server asks for fewer requests, and all of them wait for now");
        let gaps = self.gaps.values().map(String::as_str);
        for more in throttled.into_iter().chain(gaps).chain(self.write_trouble.told(now)) {
            say_as_well(status.conditions.iter_mut().flatten(), more);
        }
        status.sweep.clone_from(&self.sweep);
        status.server.clone_from(&self.server);
        status.credentials = Some(CredentialsStatus {
            secret_resource_version: self.secret_version.clone(),
            rejected_since: self.rejected_since.clone(),
            expires_at: self.expires_at.map(|at| Time(whole_seconds(at))),
        });
    }
}

/// A connection that works, and what else is to be known of it.
fn say_as_well<'a>(conditions: impl Iterator<Item = &'a mut Condition>, what: &str) {
    for known in conditions.filter(|known| known.type_ == "Connected" && known.status == "True") {
        known.message.push_str("; ");
        known.message.push_str(what);
    }
}

fn expires_within_a_day(user: &ScimUser, now: Timestamp) -> bool {
    let end = user.spec.access.as_ref().and_then(|access| access.not_after.as_ref());
    let active = user.status.as_ref().and_then(|status| status.active) == Some(true);
    active && end.is_some_and(|end| end.0 > now && end.0.duration_since(now) <= SignedDuration::from_hours(24))
}

/// A server's text in status: bounded, and without control characters.
fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(256).collect()
}
