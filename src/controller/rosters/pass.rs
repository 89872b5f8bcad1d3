//! One look at a roster: read, compare, write what differs, delete whose rows are gone, record.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::RosterKey;
use super::report::{guard_status, limit_of, rejections, summary};
use super::world::{self, Failed};
use crate::api::{RosterHold, RosterReason, ScimRoster};
use crate::plan::guards::{Ledger, Limit};
use crate::provisioner::Shared;
use crate::roster::{Answers, Gone, Ours, Prepared, Refused, Rejected, Verdict, judge};
use crate::status::{RosterOutcome, RosterRead};

/// Writes to the API server at once.
const CONCURRENCY: usize = 8;
/// Whose row is gone is deleted when the source has stayed the same for so long: rows may move from one object to
/// another, which are written one after the other.
const SETTLED: Duration = Duration::from_secs(10);
/// With so many to write, it is told that they are being written.
const MANY: usize = 200;
const SAMPLE: usize = 20;
const RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// What is remembered of a roster from one look to the next.
#[derive(Debug, Default)]
pub struct Memory {
    /// Bodies that the API server refused, by the ScimUsers' names: their digests, and the fields.
    refused: HashMap<String, (String, String)>,
    /// The content that was read last, and since when it has been the same.
    content: Option<(String, Instant)>,
    /// Looks in a row that something kept from being complete.
    failures: u32,
}

/// A look at one roster.
pub struct Pass {
    pub shared: Shared,
    pub key: RosterKey,
    pub roster: Arc<ScimRoster>,
    pub memory: Memory,
    pub stop: CancellationToken,
}

/// What a look leaves behind.
pub struct Looked {
    pub key: RosterKey,
    pub roster: Arc<ScimRoster>,
    pub memory: Memory,
    /// When to look again, if nothing happens before.
    pub again: Option<Duration>,
}

/// What keeps a look from being complete.
enum Incomplete {
    /// The process may not write: another look, if it may again.
    NotLeading,
    /// It is tried again.
    Later(String),
}

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
        self.memory.failures = if unfinished { self.memory.failures.saturating_add(1) } else { 0 };
        let backoff = RETRY.saturating_mul(1 << self.memory.failures.min(6)).min(LONGEST_RETRY);
        let again = if unfinished { Some(backoff) } else { again };
        Looked { key: self.key, roster: self.roster, memory: self.memory, again }
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
        let documents = match world::documents(&self.shared, &self.roster).await {
            Ok(documents) => documents,
            Err(unread) => {
                let again = (unread.reason == RosterReason::SourceUnavailable).then_some(Duration::ZERO);
                let (outcome, _) = refused(unread.reason, unread.message);
                return (outcome, again);
            }
        };
        match self.prepare(documents).await {
            Ok(prepared) => self.carry_out(prepared).await,
            Err(Refused { reason, message }) => refused(reason, message),
        }
    }

    /// Away from the threads that others wait for: thousands of rows take their time.
    async fn prepare(&self, documents: Vec<crate::roster::Document>) -> Result<Prepared, Refused> {
        let (roster, directory, key) = (Arc::clone(&self.roster), Arc::clone(&self.shared.directory), self.key.clone());
        let prepared = tokio::task::spawn_blocking(move || {
            let spec = &roster.spec;
            let columns = roster.status.as_ref().and_then(|status| status.columns.as_deref()).unwrap_or_default();
            let users =
                directory.all().into_iter().filter(|user| user.metadata.namespace.as_deref() == Some(&key.namespace));
            let of = Ours { roster: &key.name, connection: &spec.connection_ref.name };
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
        let (refused, incomplete) = self.apply_all(&mut prepared).await;
        read.generated = read.generated.saturating_sub(refused.len());
        read.rejected = prepared.rejected(&refused);
        match incomplete {
            Some(Incomplete::NotLeading) => return (None, Some(RETRY)),
            Some(Incomplete::Later(message)) => {
                let outcome = RosterOutcome { reason: RosterReason::WriteFailed, message, read: Some(read) };
                return (Some(outcome), Some(Duration::ZERO));
            }
            None => {}
        }
        self.part(&prepared, read, since).await
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
        } else if prepared.has_strangers() {
            notes.push("Whoever is gone stays while a row can't be told whose it is.".to_owned());
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
                Err(Incomplete::Later(message)) => {
                    let outcome = RosterOutcome { reason: RosterReason::WriteFailed, message, read: Some(read) };
                    return (Some(outcome), Some(Duration::ZERO));
                }
            }
        };
        let reason = match reason {
            RosterReason::Generated if !read.rejected.is_empty() => RosterReason::RowsRejected,
            RosterReason::Generated if prepared.changes.waits => RosterReason::Generating,
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
        let spec = &self.roster.spec;
        let limit = limit_of(&spec.guard);
        let mut ledger = self.ledger(limit, now);
        let answers = Answers { approved: spec.approved_hold.as_deref(), rejected: spec.rejected_hold.as_deref() };
        match judge(gone, prepared.left, &limit, &ledger, answers, now) {
            Verdict::Held { id, rejected } => {
                let sample = gone.iter().take(SAMPLE).map(|gone| gone.name.clone()).collect();
                let removals = i64::try_from(gone.len()).unwrap_or(i64::MAX);
                let note = self.ways_out(&id, gone.len(), rejected);
                read.hold = Some(RosterHold { id, removals, sample, rejected });
                Ok((if rejected { RosterReason::Generated } else { RosterReason::Held }, Some(note)))
            }
            Verdict::Go => {
                // The ledger first: a crash over-counts, never under-counts.
                ledger.add(gone.len() as u64, now);
                read.guard = guard_status(&ledger, &limit, prepared.left + gone.len(), now);
                let message = format!("{} ScimUsers whose rows are gone are being deleted", gone.len());
                let outcome = RosterOutcome { reason: RosterReason::Generating, message, read: Some(read.clone()) };
                self.record(&outcome).await.map_err(incomplete)?;
                info!(roster = %self.key, "{} rows are gone, and their ScimUsers are deleted", gone.len());
                self.delete_all(gone).await.map(|()| (RosterReason::Generated, None))
            }
        }
    }

    /// Writes everybody who differs. Those whom the API server refuses, and what kept it from the others.
    async fn apply_all(&mut self, prepared: &mut Prepared) -> (Vec<Rejected>, Option<Incomplete>) {
        let (shared, key, stop, known) = (&self.shared, &self.key, &self.stop, &self.memory.refused);
        let people = std::mem::take(&mut prepared.changes.apply);
        let write = |person: usize| {
            let name = prepared.name(person).to_owned();
            let body = (!stop.is_cancelled()).then(|| prepared.take_body(person));
            async move {
                let body = match body {
                    Some(Ok(body)) => body,
                    Some(Err(reason)) => return (person, None, Err(Failed::Refused(reason))),
                    None => return (person, None, Err(Failed::NotLeading)),
                };
                let digest = body.digest();
                if let Some((_, fields)) = known.get(&name).filter(|(refused, _)| *refused == digest) {
                    return (person, Some(digest), Err(Failed::Refused(fields.clone())));
                }
                let written = world::apply(shared, key, &name, &body).await;
                (person, Some(digest), written)
            }
        };
        let writes = stream::iter(people).map(write).buffer_unordered(CONCURRENCY);
        let results: Vec<_> = writes.filter(|result| std::future::ready(result.2.is_err())).collect().await;
        let (mut refused, mut failed) = (Vec::new(), None);
        self.memory.refused.clear();
        for (person, digest, result) in results {
            match result {
                Err(Failed::Refused(fields)) => {
                    refused.push(prepared.reject(person, format!("the API server refused {fields}")));
                    if let Some(digest) = digest {
                        self.memory.refused.insert(prepared.name(person).to_owned(), (digest, fields));
                    }
                }
                Err(other) => failed = Some(incomplete(other)),
                Ok(()) => {}
            }
        }
        (refused, failed)
    }

    async fn delete_all(&self, gone: &[Gone]) -> Result<(), Incomplete> {
        let namespace = &self.key.namespace;
        let deletions = stream::iter(gone.to_vec()).map(|gone| async move {
            if self.stop.is_cancelled() {
                return Err(Failed::NotLeading);
            }
            world::delete(&self.shared, namespace, &gone).await
        });
        let failed = deletions.buffer_unordered(CONCURRENCY).filter_map(|result| async { result.err() });
        let failed: Vec<Failed> = failed.collect().await;
        failed.into_iter().next().map_or(Ok(()), |failed| Err(incomplete(failed)))
    }

    /// Since when the content has been this one.
    fn content_since(&mut self, version: &str) -> Instant {
        match &self.memory.content {
            Some((known, since)) if known == version => *since,
            _ => {
                let now = Instant::now();
                self.memory.content = Some((version.to_owned(), now));
                now
            }
        }
    }

    fn read_of(&self, prepared: &Prepared) -> RosterRead {
        let now = Timestamp::now();
        let limit = limit_of(&self.roster.spec.guard);
        let ledger = self.ledger(limit, now);
        RosterRead {
            rows: prepared.rows(),
            in_scope: prepared.in_scope(),
            generated: prepared.changes.generated,
            rejected: prepared.rejected([]),
            managers_missing: prepared.changes.managers_missing,
            version: prepared.version.clone(),
            columns: prepared.columns(),
            guard: guard_status(&ledger, &limit, prepared.left + prepared.changes.gone.len(), now),
            hold: None,
        }
    }

    fn ledger(&self, limit: Limit, now: Timestamp) -> Ledger {
        let guard = self.roster.status.as_ref().and_then(|status| status.guard.as_ref());
        let buckets = guard.into_iter().flat_map(|guard| &guard.buckets);
        let buckets = buckets.map(|bucket| (bucket.at.0, u64::try_from(bucket.count).unwrap_or_default()));
        Ledger::restore(limit.window, buckets, now)
    }
}

fn incomplete(failed: Failed) -> Incomplete {
    match failed {
        Failed::NotLeading => Incomplete::NotLeading,
        Failed::Refused(fields) => Incomplete::Later(format!("the API server refused {fields}")),
        Failed::Another => Incomplete::Later("somebody else wrote the object at the same time".to_owned()),
        Failed::Later(said) => Incomplete::Later(said),
    }
}
