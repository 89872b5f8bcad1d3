//! What the API server keeps of a pass: finalizer, claim, binding, status.

use kube::Resource as _;
use kube::runtime::events::{Event, EventType};
use tracing::{debug, info, warn};

use super::{Kind, ObjectStatus, Pass, Stop};
use crate::api::{FINALIZER, OperationType, Reason};
use crate::directory::{full_name, has_finalizer, same_plan};
use crate::plan::{Account, Binding, Departure, Verdict};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::kubernetes::{WriteError, bounded_note, words_of_refusal};
use crate::provisioner::schedule::queue::Outcome;

/// The API server's words, where a person has to do something about it.
fn refused_for_good(error: &WriteError) -> Option<String> {
    match error {
        WriteError::Refused(error) => words_of_refusal(error),
        WriteError::Gone => None,
    }
}

/// Nothing is sent for an object that can't be written to.
fn write_refused<K: Kind>(what: &str, outcome: Outcome) -> Stop<K> {
    let message =
        format!("nothing is sent: {what}. Look at admission webhooks and policies, and at the operator's role");
    let (reason, state) = (Some(Reason::WriteRefused), Some(K::FAILED));
    Stop::With(Box::new(Verdict { reason, message, state, ..Verdict::default() }), outcome)
}

fn taken_off<K: Kind>() -> Stop<K> {
    let what = format!("the finalizer {FINALIZER} is taken off as it is written, by an admission webhook or policy");
    write_refused(&what, Outcome::Retry)
}

impl<E: Effects> Provisioner<E> {
    /// The object takes the account or group for its own: finalizer first, so that nothing is forgotten.
    pub(super) async fn bind<K: Kind>(&self, pass: &mut Pass<K>, binding: Binding) -> Result<(), Stop<K>> {
        if !self.claim(pass, Some(K::claim_of_binding(pass, &binding))).await? {
            pass.admitted.clear();
            return Ok(());
        }
        info!(id = %binding.id, how = ?binding.how, "bound to {}", K::ONE);
        match pass.bound_id().map(str::to_owned) {
            Some(old) if old != binding.id && binding.how != OperationType::Create => {
                self.tell_of_new_ids(&full_name(&pass.object), &old, &binding.id);
            }
            _ => self.tell_of_binding(pass, &binding).await,
        }
        // In the status already, so that the next step can tell an adoption from an object long bound.
        K::bind(self, pass, &binding).await?;
        pass.log.bound(binding.how);
        Ok(())
    }

    /// An account or group that this object did not make is its own from now on.
    async fn tell_of_binding<K: Kind>(&self, pass: &Pass<K>, binding: &Binding) {
        let (id, noun) = (&binding.id, K::NOUN);
        let (reason, note) = match binding.how {
            OperationType::Adopt => ("Adopted", format!("the {noun} {id} was there already and is this object's now")),
            OperationType::Handover => ("HandedOver", format!("the {noun} {id} was handed over to this object")),
            _ => return,
        };
        self.tell(pass, EventType::Normal, reason, &note).await;
    }

    /// Sets the finalizer and what the object claims, where they aren't there; false where that brought a newer spec, which
    /// the plan doesn't know yet.
    pub(super) async fn claim<K: Kind>(&self, pass: &mut Pass<K>, claim: Option<K::Claim>) -> Result<bool, Stop<K>> {
        if has_finalizer(&pass.object) && K::claimed(self, &pass.object) == claim {
            return Ok(true);
        }
        match K::write_claim(self, &pass.object, true, claim.as_ref()).await {
            Ok(object) if !same_plan(&object, &pass.object) => {
                // It changed right after the write: nothing was sent for it, and nothing may be taken for what it made. Where it
                // had changed before, nothing was written.
                let written = has_finalizer(&object) && K::claimed(self, &object) == claim;
                pass.object = object;
                pass.finalizer_is_new = written && pass.status.id().is_none();
                self.take_back_claim(pass).await?;
                Ok(false)
            }
            Ok(object) if !has_finalizer(&object) => Err(taken_off()),
            Ok(object) => {
                pass.object = object;
                pass.finalizer_is_new = pass.status.id().is_none();
                Ok(true)
            }
            Err(error) => {
                let outcome = self.not_written("the finalizer could not be set", &error);
                Err(match refused_for_good(&error) {
                    Some(words) => write_refused(&format!("the finalizer {FINALIZER} can't be set: {words}"), outcome),
                    None => Stop::WithoutStatus(outcome),
                })
            }
        }
    }

    /// The server refused the very first creation: nothing of ours is there, and whatever is found was there before
    /// (promise I22). With the finalizer still on it would pass for a creation whose answer was lost.
    pub(in crate::provisioner) async fn take_back_claim<K: Kind>(&self, pass: &mut Pass<K>) -> Result<(), Stop<K>> {
        if !std::mem::take(&mut pass.finalizer_is_new) {
            return Ok(());
        }
        match K::write_claim(self, &pass.object, false, None).await {
            Ok(object) => {
                pass.object = object;
                Ok(())
            }
            Err(error) => Err(Stop::WithoutStatus(self.not_written("the finalizer could not be taken back", &error))),
        }
    }

    /// The object goes.
    pub(super) async fn remove_finalizer<K: Kind>(&self, pass: &mut Pass<K>, verdict: &Verdict<K>) -> Outcome {
        let id = pass.status.id().map(str::to_owned);
        if !K::before_finalizer(self, pass, verdict).await {
            return Outcome::Retry;
        }
        K::departs(self, pass, verdict);
        info!(id = id.as_deref().unwrap_or("-"), "its finalizer is removed: {}", verdict.message);
        // What a creation without an answer made may be the one that was found, or one of several.
        let may_be_its_own = matches!(pass.account, Some(Account::Found { .. } | Account::Contradictory(_)));
        if verdict.departure == Departure::LeftAsIs && (id.is_some() || may_be_its_own) {
            self.tell(pass, EventType::Warning, K::LEFT, &verdict.message).await;
        }
        if let Some(warning) = &verdict.warning {
            self.tell(pass, EventType::Warning, K::LEFT, warning).await;
        }
        match K::write_claim(self, &pass.object, false, None).await {
            Ok(_) | Err(WriteError::Gone) => {
                self.withdraw(&pass.uid());
                Outcome::Done
            }
            Err(error) => {
                let outcome = self.not_written("the finalizer could not be taken off", &error);
                let Some(words) = refused_for_good(&error) else { return outcome };
                let message = format!("{}; but the finalizer {FINALIZER} can't be taken off: {words}", verdict.message);
                let told = Verdict {
                    reason: Some(Reason::WriteRefused),
                    message,
                    state: Some(K::DELETING),
                    ..Verdict::default()
                };
                self.settle(pass, &told, outcome).await
            }
        }
    }

    /// How a pass ends where the API server didn't take a write; a newer version is on its way by watch.
    fn not_written(&self, what: &str, error: &WriteError) -> Outcome {
        let refused = match error {
            WriteError::Gone => return Outcome::Done,
            WriteError::Refused(refused) => refused,
        };
        if error.is_conflict() {
            debug!("{what}: {error}");
        } else {
            self.note_write_failure(refused);
            warn!("{what}: {error}");
        }
        Outcome::Retry
    }

    /// The object isn't bound as it is declared now: whoever waited for it to take over waits no longer.
    pub(super) fn decline<K: Kind>(&self, pass: &Pass<K>) {
        self.reroute(K::decline(self, pass));
    }

    /// Writes how things stand, if that is news.
    pub(in crate::provisioner) async fn settle<K: Kind>(
        &self,
        pass: &mut Pass<K>,
        verdict: &Verdict<K>,
        outcome: Outcome,
    ) -> Outcome {
        if verdict.declines() && pass.status.id().is_none() {
            self.decline(pass);
        }
        pass.judged |= (verdict.executed || verdict.reason == Some(Reason::Suspended)) && !verdict.passing;
        let told = K::settles(self, pass, verdict);
        let verdict = told.as_ref().unwrap_or(verdict);
        match self.write_down(pass, verdict).await {
            Ok(_) => {
                K::settled(self, pass, verdict);
                outcome
            }
            Err(failed) => failed,
        }
    }

    /// The status as it is written now; how the pass ends where it can't be.
    pub(in crate::provisioner) async fn write_down<K: Kind>(
        &self,
        pass: &mut Pass<K>,
        verdict: &Verdict<K>,
    ) -> Result<K::Status, Outcome> {
        let rejected = self.guards.rejections(&pass.uid(), pass.generation(), pass.is_deleting());
        pass.status.set_rejected_holds(rejected);
        let status = K::record(self, pass, verdict);
        if let Some(reason) = verdict.reason {
            debug!(reason = reason.as_str(), "{}", verdict.message);
        }
        match K::save(self, &pass.object, &status).await {
            Ok(()) => Ok(status),
            Err(WriteError::Gone) => Err(Outcome::Done),
            Err(error) => {
                warn!("the status could not be written: {error}");
                Err(Outcome::Retry)
            }
        }
    }

    /// Publishes an event about the object. One that fails is nobody's error.
    pub(in crate::provisioner) async fn tell<K: Kind>(
        &self,
        pass: &Pass<K>,
        type_: EventType,
        reason: &str,
        note: &str,
    ) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(bounded_note(note)),
            action: "Provision".to_owned(),
            secondary: None,
        };
        self.effects.publish(event, &pass.object.object_ref(&())).await;
    }
}
