//! Pure: what to do about the Lease, and until when it lets us write. Time is an argument.
//!
//! Another's Lease has expired when it was not *seen* to change for its whole duration by our own clock, so
//! clocks need not agree; they need only run about equally fast.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::ResourceExt;
use kube::api::ObjectMeta;
use tokio::time::Instant;

/// The Lease's name.
pub(super) const NAME: &str = "scim-operator";

/// Between the last instant that we may write and the first that another may.
pub(super) const MARGIN: Duration = Duration::from_secs(2);

/// How long a Lease lasts, and how often it is renewed.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Another may take it this long after its last renewal.
    pub duration: Duration,
    /// From one renewal to the next.
    pub renewal: Duration,
}

/// What to do about the Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Take it.
    Acquire,
    /// It is ours: renew it.
    Renew,
    /// It is another's for at least this long.
    Wait(Duration),
}

/// The Lease as last seen, and since when it looks so.
#[derive(Debug)]
struct Seen {
    version: Option<String>,
    holder: String,
    duration: Duration,
    since: Instant,
}

/// One candidate's view of the Lease.
#[derive(Debug)]
pub(super) struct Election {
    me: String,
    timing: Timing,
    seen: Option<Seen>,
    renewed: Option<Instant>,
}

impl Election {
    /// A candidate that has seen nothing yet. `me` must be new with every process.
    pub fn new(me: String, timing: Timing) -> Self {
        Self { me, timing, seen: None, renewed: None }
    }

    /// The instant that no request may outlive: counted from before the renewal was sent, so that whoever saw
    /// that renewal waits longer. `None` before the first.
    pub fn deadline(&self) -> Option<Instant> {
        self.renewed.map(|renewed| renewed + self.timing.duration.saturating_sub(MARGIN))
    }

    /// Decides about the Lease as just read; `now` is not before the answer came.
    pub fn decide(&mut self, found: Option<&Lease>, now: Instant) -> Decision {
        self.look(found, now);
        let Some(seen) = &self.seen else { return Decision::Acquire };
        let unchanged = now.saturating_duration_since(seen.since);
        if seen.holder == self.me {
            Decision::Renew
        } else if seen.holder.is_empty() || unchanged >= seen.duration {
            Decision::Acquire
        } else {
            Decision::Wait(seen.duration.saturating_sub(unchanged))
        }
    }

    /// The Lease to write, over the one that was read; its resourceVersion makes a lost race a conflict.
    pub fn claim(&self, found: Option<Lease>, wall: Timestamp) -> Lease {
        let (metadata, old) = found.map_or_else(
            || (ObjectMeta { name: Some(NAME.into()), ..ObjectMeta::default() }, LeaseSpec::default()),
            |lease| (lease.metadata, lease.spec.unwrap_or_default()),
        );
        let ours = old.holder_identity.as_deref() == Some(&*self.me);
        let now = MicroTime(wall);
        let spec = LeaseSpec {
            holder_identity: Some(self.me.clone()),
            lease_duration_seconds: i32::try_from(self.timing.duration.as_secs()).ok(),
            acquire_time: old.acquire_time.filter(|_| ours).or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(old.lease_transitions.unwrap_or_default().saturating_add(i32::from(!ours))),
            ..LeaseSpec::default()
        };
        Lease { metadata, spec: Some(spec) }
    }

    /// The Lease as released, if it is ours.
    pub fn released(&self, mut found: Lease) -> Option<Lease> {
        let spec = found.spec.as_mut().filter(|spec| spec.holder_identity.as_deref() == Some(&*self.me))?;
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        Some(found)
    }

    /// Our claim was written. `began` is the instant before the first call that led to it.
    pub fn written(&mut self, lease: &Lease, began: Instant, now: Instant) {
        self.look(Some(lease), now);
        self.renewed = Some(began);
    }

    /// Remembers when the Lease was seen to change.
    fn look(&mut self, found: Option<&Lease>, now: Instant) {
        let version = found.and_then(Lease::resource_version);
        if self.seen.as_ref().is_some_and(|seen| seen.version == version) {
            return;
        }
        let Some(lease) = found else {
            // Somebody deleted it. Its holder, who can't know yet, writes on until its deadline.
            if let Some(seen) = &mut self.seen {
                (seen.version, seen.since) = (None, now);
            }
            return;
        };
        let spec = lease.spec.as_ref();
        let seconds = spec.and_then(|spec| spec.lease_duration_seconds).and_then(|seconds| u64::try_from(seconds).ok());
        self.seen = Some(Seen {
            version,
            holder: spec.and_then(|spec| spec.holder_identity.clone()).unwrap_or_default(),
            duration: seconds.filter(|seconds| *seconds > 0).map_or(self.timing.duration, Duration::from_secs),
            since: now,
        });
    }
}

#[cfg(test)]
#[path = "election_tests.rs"]
mod tests;
