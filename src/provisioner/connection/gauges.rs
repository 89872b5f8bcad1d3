//! What the metrics are told regularly of a connection.

use std::sync::Arc;
use std::time::Duration;

use crate::api::{ConnectedReason, ScimConnectionStatus};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::schedule::limiter::RequestKind;
use crate::provisioner::schedule::queue::Lane;
use crate::scim::{Class, Exchange, Observer};

/// After a 429 that doesn't say how long.
const UNTOLD_PAUSE: Duration = Duration::from_secs(5);

/// The same after a 403: GitHub asks for a minute at least.
const UNTOLD_PAUSE_OF_403: Duration = Duration::from_secs(60);

impl<E: Effects> Provisioner<E> {
    /// Tells the metrics of every request of a client, and the limiter what its answer means for all others: the server
    /// refused it for its rate, or took it and says that nothing remains (promise I19).
    pub(in crate::provisioner) fn observer(&self) -> Observer {
        let (metrics, name) = (self.surroundings.metrics.clone(), self.key.to_string());
        let limiter = Arc::clone(self.schedule.limiter());
        Arc::new(move |seen: Exchange| {
            metrics.request(&name, seen.method, seen.status, seen.took);
            let kind = if seen.method == "GET" { RequestKind::Read } else { RequestKind::Write };
            match (seen.class, seen.status) {
                (Some(Class::Throttled), status) => {
                    let least = if status == Some(403) { UNTOLD_PAUSE_OF_403 } else { UNTOLD_PAUSE };
                    limiter.throttled(kind, seen.pause, least);
                }
                (None, Some(_)) => {
                    limiter.taken(kind);
                    if let Some(pause) = seen.pause {
                        limiter.pause(pause);
                    }
                }
                _ => {}
            }
        })
    }

    pub(in crate::provisioner) fn export_metrics(&self, status: &ScimConnectionStatus) {
        let (metrics, name) = (&self.surroundings.metrics, self.key.to_string());
        for waiting in self.schedule.backlog(self.effects.instant()) {
            metrics.queue(&name, lane_name(waiting.lane), waiting.depth, waiting.age);
        }
        let number = |count: Option<i64>| count.unwrap_or_default();
        if let Some(users) = &status.users {
            let counts =
                [("synced", users.synced), ("failed", users.failed), ("pending", users.pending), ("held", users.held)];
            for (state, count) in counts {
                metrics.users(&name, state, number(count));
            }
            metrics.accounts(&name, number(users.drifted), number(users.unmanaged));
        }
        let groups = status.groups.unwrap_or_default();
        let counts =
            [("synced", groups.synced), ("failed", groups.failed), ("pending", groups.pending), ("held", groups.held)];
        for (state, count) in counts {
            metrics.groups(&name, state, count);
        }
        let holds = status.holds.as_deref().unwrap_or_default();
        let held = holds.iter().fold([0; 5], |sum: [i64; 5], hold| {
            let more = [hold.creates, hold.updates, hold.deactivations, hold.deletes, hold.memberships];
            std::array::from_fn(|n| sum[n] + more[n])
        });
        metrics.holds(&name, holds.len(), held);
        for guard in status.guards.iter().flatten() {
            metrics.guard(&name, &guard.name, guard.used, guard.limit);
        }
        let conditions = status.conditions.as_deref().unwrap_or_default();
        let quarantined = conditions.iter().any(|known| known.type_ == "Quarantined" && known.status == "True");
        metrics.connection(
            &name,
            // Without its Secret nothing but removals is sent, which an alert is to say.
            self.session().is_some() && !self.serves_removals_only(),
            quarantined,
            self.schedule.limiter().paused_until().is_some(),
        );
        let key = self.connection.state.key_times();
        let refused = conditions.iter().any(|known| known.reason == ConnectedReason::NewKeyRejected.as_str());
        metrics.key(&name, key.0, key.1, refused);
    }
}

/// A bounded name for metrics.
pub(in crate::provisioner) fn lane_name(lane: Lane) -> &'static str {
    match lane {
        Lane::Removal => "removal",
        Lane::Change => "change",
        Lane::Create => "create",
        Lane::Drift => "drift",
    }
}
