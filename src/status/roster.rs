//! The status of a ScimRoster.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::condition::{set_object_conditions, whole_seconds};
use crate::api::{Also, RejectedRow, RosterGuardStatus, RosterHold, RosterReason, ScimRosterStatus};

/// So many rejected rows are named.
const REJECTED_LIMIT: usize = 50;
/// So long a reason is, in characters.
const REASON_LIMIT: usize = 400;

/// What came of a look at a roster.
#[derive(Clone, Debug, PartialEq)]
pub struct RosterOutcome {
    /// Why it is Ready, or is not.
    pub reason: RosterReason,
    /// The same for a person.
    pub message: String,
    /// What a source that could be read says; none where what was read before stays in force.
    pub read: Option<RosterRead>,
}

impl RosterOutcome {
    /// The generation is carried out, or can't be. What is suspended is neither.
    pub fn ends(&self) -> bool {
        self.reason.also() != Also::Reconciling && self.reason != RosterReason::Suspended
    }
}

/// What a source says, and what was made of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RosterRead {
    /// Its rows.
    pub rows: usize,
    /// Those in scope.
    pub in_scope: usize,
    /// The ScimUsers.
    pub generated: usize,
    /// Rows that can't be used, in their order.
    pub rejected: Vec<RejectedRow>,
    /// Rows that name a manager that no row is.
    pub managers_missing: usize,
    /// Tells it from others.
    pub version: String,
    /// The columns that are read.
    pub columns: Vec<String>,
    /// The guard.
    pub guard: RosterGuardStatus,
    /// Whom a person is asked about.
    pub hold: Option<RosterHold>,
    /// Who stays since a hold of theirs was rejected.
    pub kept: Option<String>,
    /// Whose deletion was admitted and goes on.
    pub deleting: Option<String>,
    /// Answers that are used up.
    pub spent: Vec<String>,
}

/// The status after a look. Equal to `old` when nothing changed, so that nothing need be written.
pub fn record_roster(
    old: &ScimRosterStatus,
    generation: i64,
    outcome: &RosterOutcome,
    now: Timestamp,
) -> ScimRosterStatus {
    let mut status = old.clone();
    if outcome.ends() {
        status.observed_generation = Some(generation);
    }
    if let Some(read) = &outcome.read {
        if status.source_version.as_ref() != Some(&read.version) || status.last_good.is_none() {
            status.last_good = Some(Time(whole_seconds(now)));
        }
        status.source_version = Some(read.version.clone());
        status.rows = Some(number(read.rows));
        status.in_scope = Some(number(read.in_scope));
        status.generated = Some(number(read.generated));
        status.rejected_rows = Some(number(read.rejected.len()));
        let rejected: Vec<RejectedRow> = read.rejected.iter().take(REJECTED_LIMIT).map(bounded).collect();
        status.rejected = (!rejected.is_empty()).then_some(rejected);
        status.managers_not_found = (read.managers_missing > 0).then(|| number(read.managers_missing));
        status.columns = Some(read.columns.iter().take(256).cloned().collect());
        status.guard = Some(read.guard.clone());
        status.hold.clone_from(&read.hold);
        status.kept.clone_from(&read.kept);
        status.deleting.clone_from(&read.deleting);
        status.spent_holds = (!read.spent.is_empty()).then(|| read.spent.clone());
    }
    let conditions = status.conditions.get_or_insert_with(Vec::new);
    set_object_conditions(conditions, &outcome.reason.into(), &outcome.message, generation, now);
    status
}

fn bounded(row: &RejectedRow) -> RejectedRow {
    RejectedRow { reason: row.reason.chars().take(REASON_LIMIT).collect(), ..row.clone() }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_read_leaves_what_was_read_before() {
        let now = |minute: i64| Timestamp::from_second(60 * minute).expect("an instant");
        let read = RosterRead { rows: 300, generated: 299, version: "a".to_owned(), ..RosterRead::default() };
        let good = RosterOutcome { reason: RosterReason::Generated, message: String::new(), read: Some(read) };
        let first = record_roster(&ScimRosterStatus::default(), 1, &good, now(1));
        assert_eq!(record_roster(&first, 1, &good, now(2)), first, "at rest nothing changes");
        let message = "people/users.csv has no rows".to_owned();
        let empty = RosterOutcome { reason: RosterReason::SourceEmpty, message, read: None };
        let then = record_roster(&first, 1, &empty, now(3));
        assert_eq!((then.rows, then.generated, &then.last_good), (Some(300), Some(299), &first.last_good));
        let kinds: Vec<_> =
            then.conditions.iter().flatten().map(|one| (one.type_.as_str(), one.status.as_str())).collect();
        assert_eq!(kinds, [("Ready", "False"), ("Stalled", "True")]);

        let suspended = RosterOutcome { reason: RosterReason::Suspended, message: String::new(), read: None };
        let waits = record_roster(&first, 2, &suspended, now(4));
        assert_eq!(waits.observed_generation, Some(1), "its newest generation waits");
    }

    #[test]
    fn i29_the_first_rejected_rows_are_named_and_all_are_counted() {
        let rejected = |row| RejectedRow { source: None, row, reason: "x".repeat(REASON_LIMIT + 1) };
        let read = RosterRead { rejected: (1..=60).map(rejected).collect(), ..RosterRead::default() };
        let reason = RosterReason::RowsRejected;
        let outcome = RosterOutcome { reason, message: String::new(), read: Some(read) };
        let status = record_roster(&ScimRosterStatus::default(), 1, &outcome, Timestamp::UNIX_EPOCH);
        let named = status.rejected.unwrap_or_default();
        assert_eq!((status.rejected_rows, named.len()), (Some(60), REJECTED_LIMIT));
        assert!(named.iter().zip(1..).all(|(row, number)| row.row == number), "in their order");
        assert!(named.iter().all(|row| row.reason.len() == REASON_LIMIT));
    }
}
