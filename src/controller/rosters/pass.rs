//! One look at a roster: read, compare, write what differs, delete whose rows are gone, record.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::info;

use super::look::{Incomplete, Looked, Pass};
use super::report::{guard_status, nobody_in_scope, rejections, summary};
use super::world;
use super::writes::incomplete;
use crate::api::{RosterHold, RosterReason, ScimRosterStatus};
use crate::directory::ConnectionKey;
use crate::plan::guards::{Ledger, Limit};
use crate::roster::{
    Answers, Gone, Guard, Held, Members, Ours, Prepared, Refused, Removals, Why, ledger_of, limit_of, spend,
};
use crate::status::{RosterOutcome, RosterRead};

/// Whose row is gone is deleted when the source has stayed the same for so long: rows may move from one object to
/// another, which are written one after the other.
const SETTLED: Duration = Duration::from_secs(10);
/// With so many to write, it is told that they are being written.
const MANY: usize = 200;
const SAMPLE: usize = 20;
const RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(300);

impl Pass {
    /// Looks.
    pub async fn run(mut self) -> Looked {
        let (outcome, mut again) = self.look().await;
        if let Some(outcome) = outcome {
            if self.record(&outcome).await.is_err() {
                again = Some(RETRY);
            }
            self.export();
        }
        let unfinished = again.is_some_and(|wait| wait.is_zero());
        self.notes.failures = if unfinished { self.notes.failures.saturating_add(1) } else { 0 };
        let backoff = RETRY.saturating_mul(1 << self.notes.failures.min(6)).min(LONGEST_RETRY);
        let again = if unfinished { Some(backoff) } else { again };
        Looked { key: self.key, roster: self.roster, notes: self.notes, again }
    }

    /// What to record, if anything, and when to look again; a wait of zero says that it failed.
    async fn look(&mut self) -> (Option<RosterOutcome>, Option<Duration>) {
        let refused = |reason, message| (Some(RosterOutcome { reason, message, read: None }), None);
        if self.roster.spec.suspend {
            return refused(
                RosterReason::Suspended,
                "spec.suspend is true: no ScimUser is written or deleted".to_owned(),
            );
        }
        let (documents, note) = match world::documents(&self.shared, &self.roster).await {
            Ok(read) => read,
            Err(unread) => {
                let again = (unread.reason == RosterReason::SourceUnavailable).then_some(Duration::ZERO);
                let (outcome, _) = refused(unread.reason, unread.message);
                return (outcome, again);
            }
        };
        let prepared = self.prepare(documents).await;
        // Whoever was made for a connection that isn't there could not be given another.
        if let (Ok(_), Some(message)) = (&prepared, self.missing_connection()) {
            return refused(RosterReason::ConnectionNotFound, message);
        }
        match prepared {
            Ok(prepared) => {
                let (mut outcome, again) = self.carry_out(prepared).await;
                if let (Some(outcome), Some(note)) = (&mut outcome, note) {
                    outcome.message = format!("{} {note}", outcome.message);
                }
                (outcome, again)
            }
            Err(Refused { reason, message }) => refused(reason, message),
        }
    }

    /// That its connection isn't there, and what may have been meant.
    fn missing_connection(&self) -> Option<String> {
        let (reference, namespace) = (&self.roster.spec.connection_ref, &self.key.namespace);
        let connection = ConnectionKey::of(reference, Some(namespace.clone()));
        let directory = &self.shared.directory;
        (!directory.has_connection(&connection)).then(|| {
            let instead = directory.instead_of(&connection, namespace);
            format!("the {:?} {connection} is not there{instead}. Nobody is changed meanwhile", reference.kind)
        })
    }

    /// Away from the threads that others wait for: thousands of rows take their time.
    async fn prepare(&self, documents: Vec<crate::roster::Document>) -> Result<Prepared, Refused> {
        let (roster, directory, key) = (Arc::clone(&self.roster), Arc::clone(&self.shared.directory), self.key.clone());
        let prepared = tokio::task::spawn_blocking(move || {
            let spec = &roster.spec;
            let columns = roster.status.as_ref().and_then(|status| status.columns.as_deref()).unwrap_or_default();
            let users =
                directory.all().into_iter().filter(|user| user.metadata.namespace.as_deref() == Some(&key.namespace));
            let connection = ConnectionKey::of(&spec.connection_ref, Some(key.namespace.clone()));
            let deletes = directory.deletes(&connection);
            let of = Ours { roster: &key.name, connection: &spec.connection_ref, deletes };
            Prepared::new(spec, columns, documents, users.collect(), of)
        });
        let broken =
            |_| Refused { reason: RosterReason::SourceInvalid, message: "the source can't be read".to_owned() };
        prepared.await.map_err(broken)?
    }

    async fn carry_out(&mut self, mut prepared: Prepared) -> (Option<RosterOutcome>, Option<Duration>) {
        let since = self.content_since(&prepared.version);
        let mut read = self.read_of(&prepared);
        if prepared.changes.apply.len() > MANY {
            let message = format!("{} ScimUsers are being written", prepared.changes.apply.len());
            let outcome = RosterOutcome { reason: RosterReason::Generating, message, read: Some(read.clone()) };
            if self.record(&outcome).await.is_err() {
                return (None, Some(Duration::ZERO));
            }
        }
        // What keeps one row from being written keeps no other, nor anybody whose row is gone.
        let written = self.apply_all(&mut prepared).await;
        read.generated = prepared.generated_without(&written.refused);
        read.rejected = prepared.rejected(&written.refused);
        if written.stopped {
            return (None, Some(RETRY));
        }
        let (outcome, again) = self.part(&prepared, read, since).await;
        let resend = self.notes.refused.values().map(|refusal| refusal.again).min();
        let resend = resend.map(|at| at.saturating_duration_since(Instant::now()).max(Duration::from_secs(1)));
        let again = again.into_iter().chain(resend).min();
        match (written.failed, outcome) {
            (Some(message), Some(outcome)) => {
                let message = format!("{message} {}", outcome.message);
                let held = outcome.reason == RosterReason::Held;
                let reason = if held { outcome.reason } else { RosterReason::WriteFailed };
                (Some(RosterOutcome { reason, message, ..outcome }), Some(Duration::ZERO))
            }
            (_, outcome) => (outcome, again),
        }
    }

    /// Rows that are gone.
    async fn part(
        &mut self,
        prepared: &Prepared,
        mut read: RosterRead,
        since: Instant,
    ) -> (Option<RosterOutcome>, Option<Duration>) {
        let gone = &prepared.changes.gone;
        let settled = since + SETTLED;
        let mut notes = Vec::new();
        let mut again = None;
        let reason = if gone.is_empty() {
            RosterReason::Generated
        } else if let Some(row) = prepared.unidentified() {
            let source = row.source.map(|source| format!("{source} ")).unwrap_or_default();
            notes.push(format!(
                "{} ScimUsers have no row and stay, since {source}row {} may be any of them: {}.",
                gone.len(),
                row.row,
                row.reason
            ));
            RosterReason::RowsRejected
        } else if settled > Instant::now() {
            again = Some(settled - Instant::now());
            notes.push(format!(
                "{} rows are gone; their ScimUsers are deleted once the source has settled.",
                gone.len()
            ));
            RosterReason::Generating
        } else {
            match self.remove(prepared, &mut read).await {
                Ok((reason, note)) => {
                    notes.extend(note);
                    reason
                }
                Err(Incomplete::NotLeading) => return (None, Some(RETRY)),
                Err(Incomplete::Outdated) => return (None, None),
                Err(Incomplete::Later(message)) => {
                    let outcome = RosterOutcome { reason: RosterReason::WriteFailed, message, read: Some(read) };
                    return (Some(outcome), Some(Duration::ZERO));
                }
            }
        };
        let reason = match reason {
            RosterReason::Generated if !read.rejected.is_empty() => RosterReason::RowsRejected,
            RosterReason::Generated if prepared.changes.waits => RosterReason::Generating,
            RosterReason::Generated if read.in_scope == 0 && read.rows > 0 && read.hold.is_none() => {
                notes.push(nobody_in_scope(&self.roster.spec));
                RosterReason::NobodyInScope
            }
            reason => reason,
        };
        let message = [rejections(&read), notes.join(" "), summary(&read)].join(" ").trim().to_owned();
        (Some(RosterOutcome { reason, message, read: Some(read) }), again)
    }

    async fn remove(
        &mut self,
        prepared: &Prepared,
        read: &mut RosterRead,
    ) -> Result<(RosterReason, Option<String>), Incomplete> {
        let (gone, now) = (&prepared.changes.gone, Timestamp::now());
        // With the hold as it stands, or as it begins.
        let status = self.roster.status.clone().unwrap_or_default();
        let status = ScimRosterStatus { hold: read.hold.clone(), ..status };
        let answers = Answers::of(&self.roster.spec, Some(&status));
        let guard = Guard::of(&self.roster, prepared.left, now);
        let removals = Removals::judge(gone, &prepared.changes.unsure, &answers, &guard);
        let deleted = [removals.deleting, removals.go.clone()].concat();
        read.kept = Gone::members(&removals.kept).text();
        read.deleting = Gone::members(&deleted).text();
        read.hold = removals.held.as_ref().map(hold_of);
        if !removals.go.is_empty() {
            // The ledger first: a crash over-counts, never under-counts. So are an approval used up and who is deleted.
            spend(&mut read.spent, removals.used_up.as_deref().as_slice());
            let mut ledger = self.ledger(guard.limit, now);
            ledger.add(removals.go.len() as u64, now);
            read.guard = guard_status(&ledger, &guard.limit, prepared.left + gone.len(), now);
            let message = format!("{} ScimUsers whose rows are gone are being deleted", removals.go.len());
            let outcome = RosterOutcome { reason: RosterReason::Generating, message, read: Some(read.clone()) };
            self.record(&outcome).await.map_err(incomplete)?;
            info!("{} rows are gone, and their ScimUsers are deleted", removals.go.len());
        }
        self.delete_all(&deleted).await?;
        let Some(held) = removals.held else { return Ok((RosterReason::Generated, None)) };
        let note = self.ways_out(&held, removals.kept.len());
        Ok((if held.rejected { RosterReason::Generated } else { RosterReason::Held }, Some(note)))
    }

    /// Since when the content has been this one.
    fn content_since(&mut self, version: &str) -> Instant {
        match &self.notes.content {
            Some((known, since)) if known == version => *since,
            _ => {
                let now = Instant::now();
                self.notes.content = Some((version.to_owned(), now));
                now
            }
        }
    }

    fn read_of(&self, prepared: &Prepared) -> RosterRead {
        let now = Timestamp::now();
        let limit = limit_of(&self.roster.spec.guard);
        let ledger = self.ledger(limit, now);
        let status = self.roster.status.as_ref();
        let answers = Answers::of(&self.roster.spec, status);
        let is_first = status.is_none_or(|status| status.last_good.is_none());
        // Whose row is back is judged anew, should it be gone once more.
        let gone = &prepared.changes.gone;
        let still = |members: &Members| gone.iter().filter(|gone| members.has(&gone.uid)).cloned().collect::<Vec<_>>();
        RosterRead {
            rows: prepared.rows(),
            in_scope: prepared.in_scope(),
            generated: prepared.changes.generated,
            rejected: prepared.rejected([]),
            managers_missing: prepared.changes.managers_missing,
            version: prepared.version.clone(),
            columns: prepared.columns(),
            guard: guard_status(&ledger, &limit, prepared.left + gone.len(), now),
            hold: if is_first {
                Held::before(gone).as_ref().map(hold_of)
            } else {
                status.and_then(|status| status.hold.clone()).filter(|_| answers.hold_stands(gone))
            },
            kept: Gone::members(&still(&answers.kept)).text(),
            deleting: Gone::members(&still(&answers.deleting)).text(),
            spent: spent(&answers, prepared),
        }
    }

    fn ledger(&self, limit: Limit, now: Timestamp) -> Ledger {
        ledger_of(&self.roster, limit, now)
    }
}

/// The answers that are used up, those included that nobody waits for any more.
fn spent(answers: &Answers, prepared: &Prepared) -> Vec<String> {
    let mut spent = answers.spent.to_vec();
    spend(&mut spent, &answers.outlived(&prepared.changes.gone, &prepared.changes.unsure));
    spent
}

fn hold_of(held: &Held) -> RosterHold {
    RosterHold {
        id: held.id.clone(),
        removals: i64::try_from(held.gone.len()).unwrap_or(i64::MAX),
        sample: held.gone.iter().take(SAMPLE).map(|gone| gone.name.clone()).collect(),
        members: Gone::members(&held.gone).text(),
        rejected: held.rejected,
        until_answered: held.why == Why::Before,
    }
}
