//! What the API server keeps of a pass over a user: finalizer, claim, binding, status.

use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::events::EventType;
use tracing::{debug, info, warn};

use super::Provisioner;
use super::directory::{full_name, has_finalizer, same_plan};
use super::effects::{Effects, Note};
use super::kubernetes::WriteError;
use super::look_up::claimed_by;
use super::queue::Outcome;
use super::worker::{Pass, Stop};
use crate::api::{ClaimedAccount, ScimUserStatus};
use crate::plan::{Binding, Departure, Verdict, bound_status};
use crate::status::{record, whole_seconds};

impl<E: Effects> Provisioner<E> {
    /// The object takes the account for its own: finalizer first, so that nothing is forgotten.
    pub(super) async fn bind(&self, pass: &mut Pass, binding: Binding) -> Result<(), Stop> {
        if !self.add_finalizer(pass, Some(claimed_by(pass, &binding))).await? {
            pass.leave.clear();
            return Ok(());
        }
        let server = pass.session.policy.server.clone();
        self.effects.note(&Note::Binds { uid: &pass.user.uid().unwrap_or_default(), id: &binding.id });
        info!(object = %full_name(&pass.user), id = %binding.id, how = ?binding.how, "bound to an account");
        match pass.status.id.clone().filter(|_| pass.status.bound_to.as_ref() == Some(&server)) {
            Some(old) if old != binding.id => self.tell_of_new_ids(&full_name(&pass.user), &old, &binding.id),
            _ => self.tell_of_binding(&pass.user, &binding).await,
        }
        pass.recorded.operation = Some((binding.how, Vec::new(), None));
        // In the status already, so that the next step can tell an adoption from an object long bound.
        pass.status = bound_status(&pass.status, &binding, &server, whole_seconds(self.effects.now()));
        Ok(())
    }

    /// Sets the finalizer and what the object claims, where they aren't there; false where that brought a newer spec, which
    /// the plan doesn't know yet.
    pub(super) async fn add_finalizer(&self, pass: &mut Pass, claimed: Option<ClaimedAccount>) -> Result<bool, Stop> {
        if has_finalizer(&pass.user) && pass.user.claimed_account() == claimed {
            return Ok(true);
        }
        match self.set_finalizer(&pass.user, true, claimed.as_ref()).await {
            Ok(user) => {
                let known = same_plan(&user, &pass.user);
                pass.user = Arc::new(user);
                pass.finalizer_is_new = pass.status.id.is_none();
                if !known {
                    // Nothing was sent for it, and nothing may be taken for what it made.
                    self.take_back_finalizer(pass).await?;
                }
                Ok(known)
            }
            Err(WriteError::Gone) => Err(Stop::Silently(Outcome::Done)),
            Err(error) => {
                self.metrics.kubernetes_error(&self.key.to_string());
                warn!(object = %full_name(&pass.user), "the finalizer could not be set: {error}");
                Err(Stop::Silently(Outcome::Retry))
            }
        }
    }

    /// The server refused the very first creation: nothing of ours is there, and whatever account is found was there
    /// before (promise I22). With the finalizer still on it would pass for a creation whose answer was lost.
    pub(super) async fn take_back_finalizer(&self, pass: &mut Pass) -> Result<(), Stop> {
        if !std::mem::take(&mut pass.finalizer_is_new) {
            return Ok(());
        }
        match self.set_finalizer(&pass.user, false, None).await {
            Ok(user) => {
                pass.user = Arc::new(user);
                Ok(())
            }
            Err(WriteError::Gone) => Err(Stop::Silently(Outcome::Done)),
            Err(error) => {
                warn!(object = %full_name(&pass.user), "the finalizer could not be taken back: {error}");
                Err(Stop::Silently(Outcome::Retry))
            }
        }
    }

    pub(super) async fn let_go(&self, pass: &mut Pass, verdict: &Verdict) -> Outcome {
        let id = pass.status.id.clone();
        if !self.note_vanishing(pass).await {
            return Outcome::Retry;
        }
        self.effects.note(&Note::Departs { user: &pass.user, status: &pass.status, verdict });
        info!(object = %full_name(&pass.user), id = id.as_deref().unwrap_or("-"), "let go: {}", verdict.message);
        if verdict.departure == Departure::LeftAsIs && id.is_some() {
            self.tell(&pass.user, EventType::Warning, "AccountLeft", &verdict.message).await;
        }
        match self.set_finalizer(&pass.user, false, None).await {
            Ok(_) | Err(WriteError::Gone) => {
                self.withdraw(&pass.user.uid().unwrap_or_default());
                Outcome::Done
            }
            Err(error) => {
                self.metrics.kubernetes_error(&self.key.to_string());
                warn!(object = %full_name(&pass.user), "the finalizer could not be taken off: {error}");
                Outcome::Retry
            }
        }
    }

    /// The object isn't bound as it is declared now: whoever waited for it to take over an account waits no longer.
    pub(super) fn decline(&self, pass: &Pass) {
        for uid in self.directory.decline(&pass.user, &pass.session.policy.server) {
            // The receiver lives as long as the controller does.
            let _ = self.reroute.send(uid);
        }
    }

    /// Writes how things stand, if that is news.
    pub(super) async fn settle(&self, pass: &mut Pass, verdict: &Verdict, outcome: Outcome) -> Outcome {
        if verdict.declines() && pass.status.id.is_none() {
            self.decline(pass);
        }
        match self.write_down(pass, verdict).await {
            Ok(_) => {
                self.effects.note(&Note::Settled { user: &pass.user, status: &pass.status, verdict });
                outcome
            }
            Err(failed) => failed,
        }
    }

    /// The status as it is written now; how the pass ends where it can't be.
    pub(super) async fn write_down(&self, pass: &Pass, verdict: &Verdict) -> Result<ScimUserStatus, Outcome> {
        let generation = pass.user.metadata.generation.unwrap_or_default();
        let status = record(&pass.status, generation, verdict, &pass.recorded, self.effects.now());
        if let Some(reason) = verdict.reason {
            debug!(object = %full_name(&pass.user), reason = reason.as_str(), "{}", verdict.message);
        }
        match self.save(&pass.user, &status).await {
            Ok(()) => Ok(status),
            Err(WriteError::Gone) => Err(Outcome::Done),
            Err(error) => {
                warn!(object = %full_name(&pass.user), "the status could not be written: {error}");
                Err(Outcome::Retry)
            }
        }
    }
}
