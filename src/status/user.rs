//! The status of a ScimUser.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::condition::{fresh_condition, set_condition, unset_condition, whole_seconds};
use crate::api::{Also, DriftedAttribute, IgnoredAttribute, LastOperation, OperationType, ScimUserStatus, UserState};
use crate::plan::{Digests, Verdict};

/// Lists in status are bounded; what they have no place for is kept by digest.
const MANAGED_LIMIT: usize = 100;
const DRIFT_LIMIT: usize = 20;
const IGNORED_LIMIT: usize = 50;

/// What was done in a pass, beside the verdict at its end.
#[derive(Clone, Debug, Default)]
pub struct PassLog {
    /// The last request that took effect: its type, attributes and request id.
    pub operation: Option<(OperationType, Vec<String>, Option<String>)>,
    /// The annotation `reconcile-requested-at` that this pass answers, once it has carried out what was asked for or met
    /// what only a person can mend.
    pub answered: Option<String>,
    /// Whether the account is active by a request of this pass.
    pub active: Option<bool>,
}

impl PassLog {
    /// A request took effect; `shown` is the account's `active` in the answer, where that showed one. What made the
    /// account active or inactive is recorded however the pass ends: unrecorded, it would be somebody else's doing later
    /// (promises I16, I22).
    pub fn took_effect(
        &mut self,
        kind: OperationType,
        attributes: Vec<String>,
        request_id: Option<String>,
        shown: Option<bool>,
    ) {
        match kind {
            OperationType::Deactivate => self.active = Some(false),
            OperationType::Reactivate if shown == Some(true) => self.active = Some(true),
            _ => {}
        }
        self.operation = Some((kind, attributes, request_id));
    }
}

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
        let names = managed.iter().take(MANAGED_LIMIT).map(ToString::to_string).collect::<Vec<_>>();
        status.managed_attributes = some_unless_empty(names);
        let mut more = Digests::default();
        managed.iter().skip(MANAGED_LIMIT).for_each(|path| more.insert(&[&path.folded()]));
        status.more_managed = (!more.is_empty()).then(|| more.text());
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
        let known = old.ignored_attributes.clone().unwrap_or_default();
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
    if let Some((kind, attributes, request_id)) = &log.operation {
        status.last_operation = Some(LastOperation {
            type_: *kind,
            at: Time(whole_seconds(now)),
            attributes: some_unless_empty(attributes.iter().take(MANAGED_LIMIT).cloned().collect()),
            request_id: request_id.clone(),
        });
    }
    if log.answered.is_some() && verdict.executed && !verdict.unanswered {
        status.last_handled_reconcile_at.clone_from(&log.answered);
    }
    conditions(&mut status, generation, verdict, now);
    status
}

fn conditions(status: &mut ScimUserStatus, generation: i64, verdict: &Verdict, now: Timestamp) {
    let Some(reason) = verdict.reason else { return };
    let conditions = status.conditions.get_or_insert_with(Vec::new);
    let known = conditions.iter().find(|condition| condition.type_ == "Ready").map(|ready| ready.status.clone());
    // A suspended object keeps the Ready that it had: nothing is known to have changed.
    let ready = match reason.ready() {
        Some(ready) => ready.to_owned(),
        None => known.unwrap_or_else(|| "Unknown".to_owned()),
    };
    let text = reason.as_str();
    let message = &verdict.message;
    set_condition(conditions, fresh_condition("Ready", &ready, text, message, generation, now));
    for (kind, also) in [("Reconciling", Also::Reconciling), ("Stalled", Also::Stalled)] {
        if reason.also() == also {
            set_condition(conditions, fresh_condition(kind, "True", text, message, generation, now));
        } else {
            unset_condition(conditions, kind);
        }
    }
    if reason.also() == Also::Stalled && status.state.is_none() {
        status.state = Some(UserState::Failed);
    }
}

fn some_unless_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
