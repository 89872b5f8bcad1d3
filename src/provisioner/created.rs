//! What a creation was answered with: what it made, or what was there already (promise I7).

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::events::EventType;
use tracing::{info, warn};

use super::directory::full_name;
use super::effects::Effects;
use super::report::News;
use super::worker::{Pass, Stop};
use super::{Provisioner, lock};
use crate::api::{LastOperation, OperationType};
use crate::plan::{Account, Answered, CreationAnswer, Operation, Origin, origin};
use crate::scim::{Error, Resource, Written};

/// What was known of the server's accounts before a creation was sent.
pub(super) struct Known {
    /// What had been seen.
    pub moment: u64,
    /// All of it.
    pub listed: bool,
}

impl<E: Effects> Provisioner<E> {
    /// A creation is about to be sent.
    pub(super) fn before_creation(&self, pass: &Pass) -> Known {
        lock(&self.memory).creates(&pass.user.uid().unwrap_or_default());
        let snapshot = lock(&self.snapshot);
        Known { moment: snapshot.moment(), listed: snapshot.is_of(pass.session.epoch) && snapshot.is_complete() }
    }

    /// A creation took effect. What isn't certain to be made by it meets what any account meets that is found.
    pub(super) async fn created(
        &self,
        pass: &mut Pass,
        operation: &Operation,
        written: Written,
        known: &Known,
        former: Option<String>,
    ) -> Result<(), Stop> {
        let Some((resource, id)) =
            written.resource.as_ref().and_then(|made| Some((made.clone(), made.id()?.to_owned())))
        else {
            self.unseen_creation(&pass.user.uid().unwrap_or_default());
            self.took_effect(pass, operation, written);
            return Ok(());
        };
        let seen_before = lock(&self.snapshot).knew(&id, known.moment);
        let origin = self.origin(pass, &resource, &written, known);
        let was_bound = former.is_some();
        let (uid, now) = (pass.user.uid().unwrap_or_default(), self.effects.now());
        // One that has another name may be what this creation made all the same.
        if !matches!(origin, Origin::Existed(_)) || (written.created && !seen_before) {
            let recorded =
                recorded_creation(pass.user.status.as_ref().and_then(|status| status.last_operation.as_ref()));
            lock(&self.memory).created(&uid, &id, recorded.zip(former), now);
        }
        let existed = match origin {
            Origin::New => None,
            // One that was sent before may have made it.
            Origin::Untold if !pass.finalizer_is_new && !was_bound => None,
            Origin::Untold => Some(Answered { id: id.clone(), existed: None }),
            Origin::Existed(why) => Some(Answered { id: id.clone(), existed: Some(why) }),
        };
        let Some(answered) = existed else {
            self.took_effect(pass, operation, written);
            return Ok(());
        };
        warn!(object = %full_name(&pass.user), %id, "the creation was answered with an account that may have been there");
        if let Some(pause) = written.pause {
            self.limiter.pause(pause);
        }
        self.learn_account(pass, &resource);
        // Nothing of ours is there, whenever the claim was made: it was looked for before this creation was sent.
        let existed = answered.existed.is_some();
        pass.creations.answered = Some(answered);
        pass.finalizer_is_new = true;
        if existed {
            self.take_back_finalizer(pass).await?;
        }
        pass.account = Some(match resource.user_name() {
            Some(_) => Account::Found { resource, fresh: true },
            None => Account::Listed(id),
        });
        Ok(())
    }

    /// A creation took effect, and what it made wasn't shown: it counts as one that did (promise I7).
    pub(super) fn unseen_creation(&self, uid: &str) {
        lock(&self.memory).created(uid, "(not shown)", None, self.effects.now());
    }

    fn origin(&self, pass: &Pass, resource: &Resource, written: &Written, known: &Known) -> Origin {
        let spec = &pass.user.spec;
        let policy = &pass.session.policy;
        let id = resource.id();
        let holder = self.claims(pass, &policy.server, id).holder;
        origin(&CreationAnswer {
            resource,
            names: (&spec.user_name, resource.user_name()),
            external_id: spec.external_id.as_deref().filter(|_| policy.profile.external_id),
            created: written.created,
            at: written.date.unwrap_or_else(|| self.effects.now()),
            known: id.is_some_and(|id| lock(&self.snapshot).knew(id, known.moment)),
            listed: known.listed,
            held: holder.is_some_and(|holder| holder.has_account),
        })
    }

    /// The server gave out new ids: said once for all whom it concerns.
    pub(super) fn tell_of_new_ids(&self, object: &str, old: &str, new: &str) {
        info!(%object, %old, %new, "bound anew: the server shows it under another id");
        if lock(&self.memory).renumbered(self.effects.now()) {
            lock(&self.report).tell(News {
                type_: EventType::Warning,
                reason: "NewIds",
                action: "Bind",
                note: format!(
                    "the server has given out new ids: {object} was bound to {old:?}, which is gone, and its name is {new:?}'s \
                     now. It was bound anew, and so is everybody else whom this befalls, by name and as adoptionPolicy allows"
                ),
            });
        }
    }
}

/// When status records a creation as the last thing that was done.
pub(super) fn recorded_creation(last: Option<&LastOperation>) -> Option<Timestamp> {
    last.filter(|last| last.type_ == OperationType::Create).map(|last| last.at.0)
}

/// The server says that somebody is there already, and shows nobody.
pub(super) fn exists_unseen(pass: &Pass, error: &Error) -> String {
    let words = error.detail().unwrap_or_default();
    let names_external_id = words.to_lowercase().contains("externalid");
    let what = match &pass.user.spec.external_id {
        Some(external_id) if names_external_id => format!(
            "the server says that another account has the externalId {external_id:?}, and shows none: it may be inactive, or \
             hidden from this key. Look for it there, and bind it by the annotation scim-operator.dev/remote-id, or declare \
             another externalId"
        ),
        _ => "the server says that this user exists already, and shows no account with this userName; look there for one \
              with the same e-mail"
            .to_owned(),
    };
    if words.is_empty() { what } else { format!("{what}. The server's words: {words}") }
}
