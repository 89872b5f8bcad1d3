//! What is told of a look: status, events, metrics, words.

use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::events::EventType;
use tracing::warn;

use super::RosterKey;
use super::look::Pass;
use super::world::{self, Failed};
use crate::api::{Also, RECONCILE_REQUESTED_AT, RosterGuardStatus, ScimRoster, ScimRosterSpec};
use crate::plan::Named;
use crate::plan::guards::{Ledger, Limit};
use crate::roster::{Held, Why};
use crate::status::{RosterOutcome, RosterRead, buckets, is_true, ready, record_roster};

/// As long as status takes.
const LONGEST_REQUEST: usize = 256;

impl Pass {
    /// Writes the status if it differs, and tells what a person should know.
    pub(super) async fn record(&mut self, outcome: &RosterOutcome) -> Result<(), Failed> {
        let old = self.roster.status.clone().unwrap_or_default();
        let mut status =
            record_roster(&old, self.roster.metadata.generation.unwrap_or_default(), outcome, Timestamp::now());
        if outcome.ends()
            && let Some(requested) = self.roster.annotations().get(RECONCILE_REQUESTED_AT)
        {
            status.last_handled_reconcile_at = Some(requested.chars().take(LONGEST_REQUEST).collect());
        }
        if Some(&status) == self.roster.status.as_ref() {
            return Ok(());
        }
        let written = match world::write_status(&self.shared, &self.roster, &status).await {
            Ok(written) => written,
            Err(failed) => {
                self.tell_unwritten(&failed).await;
                return Err(failed);
            }
        };
        self.notes.status_refused = None;
        // A spec that was changed meanwhile is for the next look.
        let mut newest = ScimRoster::clone(&self.roster);
        newest.status = Some(status);
        newest.metadata.resource_version = written.metadata.resource_version;
        self.roster = Arc::new(newest);
        let before = ready(old.conditions.as_deref()).map(|ready| &*ready.reason);
        let news = before != Some(outcome.reason.as_str())
            || old.hold.as_ref().map(|hold| &hold.id)
                != outcome.read.as_ref().and_then(|read| Some(&read.hold.as_ref()?.id));
        if news && outcome.reason.also() == Also::Stalled {
            world::tell(&self.shared, &self.roster, EventType::Warning, outcome.reason.as_str(), &outcome.message)
                .await;
        }
        Ok(())
    }

    /// What keeps the status from being written is told where it still can be: in the log, and once in an event.
    async fn tell_unwritten(&mut self, failed: &Failed) {
        warn!("its status could not be written: {failed}");
        let Failed::Refused(words) = failed else { return };
        if self.notes.status_refused.as_ref() != Some(words) {
            let note = format!("the status can't be written, so that nobody whose row is gone is deleted: {words}");
            world::tell(&self.shared, &self.roster, EventType::Warning, "WritesRefused", &note).await;
            self.notes.status_refused = Some(words.clone());
        }
    }

    /// How the roster stands, for metrics.
    pub(super) fn export(&self) {
        let Some(status) = &self.roster.status else { return };
        let ready = is_true(status.conditions.as_deref(), "Ready");
        let ready = (!self.roster.spec.suspend).then_some(ready);
        let held = status.hold.as_ref().filter(|hold| !hold.rejected).map_or(0, |hold| hold.removals);
        let counts = [status.rows, status.in_scope, status.generated, status.rejected_rows, Some(held)];
        let good = status.last_good.as_ref().map(|at| at.0);
        self.shared.metrics.roster(&self.key.to_string(), ready, counts.map(Option::unwrap_or_default), good);
    }

    /// What a person can do about those that are gone; so many stay since a hold of theirs was rejected.
    pub(super) fn ways_out(&self, held: &Held, kept: usize) -> String {
        let RosterKey { namespace, name } = &self.key;
        let (removals, id) = (held.gone.len(), &held.id);
        let patch = |field: &str| Named::namespaced("scimroster", namespace, name).set(field, id);
        if held.rejected {
            return format!(
                "{removals} ScimUsers whose rows are gone stay, since their hold was rejected. To delete them after all: {}.",
                patch("approvedHold")
            );
        }
        let why = match held.why {
            Why::AnotherKey => {
                "were written for another key, or have that of another ScimUser, and a row with another key or userName may be \
                 theirs by now"
            }
            Why::Before => {
                "had none when this roster was first read: what an earlier one of this name was answered about them is not \
                 known any more"
            }
            Why::Limit => "are more than the guard admits",
        };
        let others =
            if kept > 0 { format!(" {kept} others stay, since their hold was rejected.") } else { String::new() };
        format!(
            "{removals} ScimUsers whose rows are gone {why}; status.hold names some. To delete them: {}. To keep them: {}.{others}",
            patch("approvedHold"),
            patch("rejectedHold")
        )
    }
}

/// The first of the rejected rows, and how many there are.
pub(super) fn rejections(read: &RosterRead) -> String {
    let Some(first) = read.rejected.first() else { return String::new() };
    let place = first.source.as_ref().map(|source| format!("{source} ")).unwrap_or_default();
    let count = read.rejected.len();
    let all = if count == 1 { "1 row is rejected".to_owned() } else { format!("{count} rows are rejected, the first") };
    format!("{all}: {place}row {}: {}.", first.row, first.reason)
}

/// What may keep everybody out.
pub(super) fn nobody_in_scope(spec: &ScimRosterSpec) -> String {
    let at_fault = match (&spec.scope, &spec.assigned) {
        (Some(_), Some(_)) => "no row is both in spec.scope and in spec.assigned",
        (None, Some(_)) => "spec.assigned names no row by its userName or key",
        _ => "spec.scope is false for every row; texts are compared letter by letter",
    };
    format!("{at_fault}. `kubectl scim roster preview` shows what becomes of each row.")
}

pub(super) fn summary(read: &RosterRead) -> String {
    format!("{} of {} rows are in scope, {} ScimUsers are generated", read.in_scope, read.rows, read.generated)
}

pub(super) fn guard_status(ledger: &Ledger, limit: &Limit, base: usize, now: Timestamp) -> RosterGuardStatus {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let base = base as u64 + ledger.used(now);
    RosterGuardStatus {
        base: number(base),
        limit: number(limit.of(base)),
        used: number(ledger.used(now)),
        buckets: buckets(ledger.buckets()),
    }
}
