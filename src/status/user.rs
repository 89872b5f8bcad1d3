//! The status of a ScimUser.

use jiff::Timestamp;

use super::condition::set_object_conditions;
use super::pass_log::PassLog;
use crate::api::{Also, DriftedAttribute, IgnoredAttribute, ScimUserStatus, UserState};
use crate::plan::{Digests, Ignored, Path, Verdict};

/// Lists in status are bounded; what they have no place for is kept by digest.
const MANAGED_LIMIT: usize = 100;
const DRIFT_LIMIT: usize = 20;
const IGNORED_LIMIT: usize = 50;

/// The status after a pass. Equal to `old` when nothing changed, so that nothing need be written.
pub fn record(
    old: &ScimUserStatus,
    generation: i64,
    verdict: &Verdict,
    log: &PassLog,
    now: Timestamp,
) -> ScimUserStatus {
    let mut status = old.clone();
    if verdict.executed {
        status.observed_generation = Some(generation);
    }
    if let Some(state) = verdict.state {
        status.state = Some(state);
    }
    if let Some(active) = verdict.details.active.or(log.active) {
        status.active = Some(active);
    }
    if let Some(active) = verdict.details.applied_active.or(log.active.map(Some)) {
        status.last_applied_active = active;
    }
    if let Some(managed) = &verdict.details.managed {
        record_managed(&mut status, managed);
    }
    if let Some(applied) = &verdict.applied {
        status.applied_attributes = Some(applied.text());
    }
    if verdict.executed {
        let drift =
            verdict.details.drift.iter().take(DRIFT_LIMIT).map(|path| DriftedAttribute { path: path.to_string() });
        status.drift = some_unless_empty(drift.collect());
    }
    // A verdict that names no hold means that there is none; one that only waits says nothing of it.
    if verdict.reason.is_some_and(|reason| reason.also() != Also::Reconciling) {
        status.hold.clone_from(&verdict.hold);
    }
    if let Some(user_name) = &verdict.details.user_name {
        // As long as status takes: a longer one could never be written.
        status.user_name = Some(user_name.clone()).filter(|name| !name.is_empty() && name.len() <= 512);
    }
    if let Some(ignored) = &verdict.details.ignored {
        record_ignored(&mut status, ignored, generation);
    }
    if let Some(last) = &log.last {
        status.last_operation = Some(last.recorded(now));
    }
    if let Some(handled) = log.handled(verdict) {
        status.last_handled_reconcile_at = Some(handled.clone());
    }
    if let Some(reason) = verdict.reason {
        let conditions = status.conditions.get_or_insert_with(Vec::new);
        set_object_conditions(conditions, &reason.into(), &verdict.message, generation, now);
        if reason.also() == Also::Stalled && status.state.is_none() {
            status.state = Some(UserState::Failed);
        }
    }
    status
}

/// What is owned: the first by name, and the rest by digest.
fn record_managed(status: &mut ScimUserStatus, managed: &[Path]) {
    let names = managed.iter().take(MANAGED_LIMIT).map(ToString::to_string).collect::<Vec<_>>();
    status.managed_attributes = some_unless_empty(names);
    let mut more = Digests::default();
    managed.iter().skip(MANAGED_LIMIT).for_each(|path| more.insert(&[&path.folded()]));
    status.more_managed = (!more.is_empty()).then(|| more.text());
}

/// What is not written, and why; of what is so still, what was known of it stays.
fn record_ignored(status: &mut ScimUserStatus, ignored: &[Ignored], generation: i64) {
    let known = status.ignored_attributes.take().unwrap_or_default();
    let entries = ignored.iter().take(IGNORED_LIMIT).map(|entry| {
        let path = entry.path.to_string();
        let digest = (!entry.digest.is_empty()).then(|| entry.digest.clone());
        let same =
            known.iter().find(|other| other.path == path && other.digest == digest && other.reason == entry.reason);
        IgnoredAttribute {
            path,
            reason: entry.reason,
            generation: same.map_or(Some(generation), |other| other.generation),
            digest,
            message: same.and_then(|other| other.message.clone()),
            since: same.and_then(|other| other.since.clone()),
        }
    });
    status.ignored_attributes = some_unless_empty(entries.collect());
    let mut more = Digests::default();
    for entry in ignored.iter().skip(IGNORED_LIMIT) {
        more.insert(&[&entry.path.to_string(), entry.reason.as_str(), &entry.digest]);
    }
    status.more_ignored = (!more.is_empty()).then(|| more.text());
}

fn some_unless_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
