//! Writes of ScimUsers: each by itself, so that one that fails keeps no other.

use std::time::Duration;

use futures::{StreamExt, stream};
use kube::ResourceExt;
use tokio::time::Instant;

use super::look::{Incomplete, Pass, Refusal};
use super::world::{self, Failed};
use crate::api::RECONCILE_REQUESTED_AT;
use crate::roster::{Gone, Prepared, Rejected};

/// Writes to the API server at once.
const CONCURRENCY: usize = 8;
/// What the API server refused is sent again after so long, doubling to half an hour.
const FIRST_RESEND: Duration = Duration::from_secs(15);
const LONGEST_RESEND: Duration = Duration::from_secs(1_800);

impl Refusal {
    fn wait(tries: u32) -> Duration {
        FIRST_RESEND.saturating_mul(1 << tries.min(10)).min(LONGEST_RESEND)
    }
}

/// What came of writing everybody who differs.
#[derive(Default)]
pub struct Written {
    /// The rows that the API server refused.
    pub refused: Vec<Rejected>,
    /// The first that is tried again soon, and why.
    pub failed: Option<String>,
    /// The process may not write.
    pub stopped: bool,
}

impl Written {
    fn add(&mut self, incomplete: Incomplete, name: &str) {
        match incomplete {
            Incomplete::NotLeading | Incomplete::Outdated => self.stopped = true,
            Incomplete::Later(cause) => _ = self.failed.get_or_insert(format!("{name} could not be written: {cause}.")),
        }
    }
}

impl Pass {
    /// Writes everybody who differs.
    pub(super) async fn apply_all(&mut self, prepared: &mut Prepared) -> Written {
        let requested = self.roster.annotations().get(RECONCILE_REQUESTED_AT).cloned();
        if self.notes.requested != requested {
            self.notes.requested = requested;
            self.notes.refused.values_mut().for_each(|refusal| refusal.again = Instant::now());
        }
        let (shared, key, stop, known) = (&self.shared, &self.key, &self.stop, &self.notes.refused);
        let people = std::mem::take(&mut prepared.changes.apply);
        let write = |person: usize| {
            let (name, recorded) = (prepared.name(person).to_owned(), prepared.key(person));
            let body = (!stop.is_cancelled()).then(|| prepared.take_body(person));
            async move {
                let body = match body {
                    Some(Ok(body)) => body,
                    Some(Err(reason)) => return (person, None, Err(Failed::Refused(reason))),
                    None => return (person, None, Err(Failed::NotLeading)),
                };
                let digest = body.digest();
                let waits = known.get(&name).filter(|known| known.digest == digest && known.again > Instant::now());
                if let Some(known) = waits {
                    return (person, None, Err(Failed::Refused(known.words.clone())));
                }
                let written = world::apply(shared, key, &name, &recorded, &body).await;
                (person, Some(digest), written)
            }
        };
        let writes = stream::iter(people).map(write).buffer_unordered(CONCURRENCY);
        let results: Vec<_> = writes.filter(|result| std::future::ready(result.2.is_err())).collect().await;
        let (mut written, mut before) = (Written::default(), std::mem::take(&mut self.notes.refused));
        for (person, digest, result) in results {
            let (name, before) = (prepared.name(person).to_owned(), before.remove(prepared.name(person)));
            match result {
                Err(Failed::Refused(words)) => {
                    written.refused.push(prepared.reject(person, format!("the API server refused it: {words}")));
                    let refusal = match (digest, before) {
                        (Some(digest), before) => {
                            let tries = before.map_or(0, |before| before.tries + 1);
                            Some(Refusal { digest, words, tries, again: Instant::now() + Refusal::wait(tries) })
                        }
                        (None, before) => before,
                    };
                    self.notes.refused.extend(refusal.map(|refusal| (name, refusal)));
                }
                Err(other) => written.add(incomplete(other), &name),
                Ok(()) => {}
            }
        }
        written
    }

    /// Deletes these, as long as what was read of the roster and its source is so.
    pub(super) async fn delete_all(&self, gone: &[Gone]) -> Result<(), Incomplete> {
        let deletions = stream::iter(gone.to_vec()).map(|gone| async move {
            if self.stop.is_cancelled() {
                return Err(Incomplete::NotLeading);
            }
            if self.outdated.is_cancelled() {
                return Err(Incomplete::Outdated);
            }
            let deleted = world::delete(&self.shared, &self.key, &gone).await;
            deleted.map_err(|failed| match incomplete(failed) {
                Incomplete::Later(cause) => Incomplete::Later(format!("{} could not be deleted: {cause}", gone.name)),
                other => other,
            })
        });
        let failed = deletions.buffer_unordered(CONCURRENCY).filter_map(|result| async { result.err() });
        let failed: Vec<Incomplete> = failed.collect().await;
        failed.into_iter().next().map_or(Ok(()), Err)
    }
}

pub fn incomplete(failed: Failed) -> Incomplete {
    match failed {
        Failed::NotLeading => Incomplete::NotLeading,
        Failed::Refused(words) => Incomplete::Later(format!("the API server refused it: {words}")),
        Failed::NotThere => Incomplete::Later("the namespace is not there".to_owned()),
        Failed::Another => Incomplete::Later("somebody else wrote the object at the same time".to_owned()),
        Failed::Later(cause) => Incomplete::Later(cause),
    }
}
