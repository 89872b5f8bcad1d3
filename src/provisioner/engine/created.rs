//! What a creation was answered with: what it made, or what was there already (promise I7).

use jiff::Timestamp;
use kube::core::object::HasStatus as _;
use kube::runtime::events::EventType;
use tracing::{info, warn};

use super::{Kind, ObjectStatus, Pass, Stop};
use crate::api::{LastOperation, OperationType, Uid};
use crate::plan::{Account, Answered, CreationAnswer, Creations, OTHER_NAME, Operation, Origin, Request, origin};
use crate::provisioner::Provisioner;
use crate::provisioner::connection::state::PendingEvent;
use crate::provisioner::effects::Effects;
use crate::provisioner::mirror::Mirror;
use crate::provisioner::schedule::queue::Outcome;
use crate::scim::{Resource, Written, emails_of};

/// What was known of the collection before a creation was sent.
pub(super) struct Known {
    /// What had been seen.
    moment: u64,
    /// All of it.
    listed: bool,
    /// What the object was bound to at this server.
    own: Option<String>,
}

impl<E: Effects> Provisioner<E> {
    /// A creation is about to be sent.
    pub(super) fn before_creation<K: Kind>(&self, pass: &Pass<K>, own: Option<String>) -> Known {
        self.notes.creates(&pass.uid());
        K::mirror(self).look(|mirror| Known {
            moment: mirror.moment(),
            listed: mirror.is_of(pass.session.epoch) && mirror.is_complete(),
            own,
        })
    }

    /// A creation took effect. What isn't certain to be made by it meets what anything meets that is found.
    pub(super) async fn created<K: Kind>(
        &self,
        pass: &mut Pass<K>,
        operation: Operation<K>,
        written: Written,
        known: &Known,
        former: Option<String>,
    ) -> Result<Option<Outcome>, Stop<K>> {
        let made = written.resource.as_ref().and_then(|made| Some((made.clone(), made.id()?.to_owned())));
        let Some((resource, id)) = made else {
            self.unconfirmed_creation(&pass.uid());
            return self.took_effect(pass, operation, written).await;
        };
        let seen_before = K::mirror(self).look(|mirror| mirror.knew(&id, known.moment));
        let emails: Vec<&str> = match &operation.request {
            Request::Create(body) => emails_of(body.get("emails")).collect(),
            _ => Vec::new(),
        };
        let origin = self.origin(pass, (&resource, &written), &emails, known, seen_before);
        let was_bound = former.is_some();
        // One that has another name may be what this creation made all the same.
        if !matches!(origin, Origin::Existed(_)) || (written.created && !seen_before) {
            let recorded = recorded_creation(pass.object.status().and_then(ObjectStatus::last_operation));
            self.notes.created(&pass.uid(), &id, recorded.zip(former), self.effects.now());
        }
        if written.created && !seen_before && origin == Origin::Existed(OTHER_NAME) {
            self.notes.made_strange(&pass.uid(), &id);
        }
        if !matches!(origin, Origin::Existed(_)) {
            self.in_mirror(pass, |mirror| mirror.sightings_mut().answered_creation(&id));
        }
        let existed = match origin {
            Origin::New => return self.took_effect(pass, operation, written).await,
            // One that was sent before may have made it.
            Origin::Untold if !pass.finalizer_is_new && !was_bound => {
                return self.took_effect(pass, operation, written).await;
            }
            Origin::Untold | Origin::Own => None,
            Origin::Existed(why) => Some(why),
        };
        warn!(%id, "the creation was answered with {} that may have been there", K::ONE);
        if let Some(pause) = written.pause {
            self.schedule.limiter().pause(pause);
        }
        self.apply_response(pass, &resource);
        pass.creations.answered = Some(Answered { id: id.clone(), existed, own: origin == Origin::Own });
        pass.finalizer_is_new = true;
        if existed.is_some() {
            // Nothing of ours is there, whenever the claim was made: it was looked for before this creation was sent.
            pass.status.unbind();
            self.take_back_claim(pass).await?;
        }
        pass.account = Some(match K::shown_name(&resource) {
            Some(_) => Account::Found { resource: K::without_members(resource), fresh: true },
            None => Account::Listed(id),
        });
        Ok(None)
    }

    /// What is known of the creations of the object, with what this pass knows.
    pub(in crate::provisioner) fn creations<K: Kind>(&self, pass: &Pass<K>) -> Creations {
        let uid = pass.uid();
        let (earlier, made) = self.notes.creations(&uid, self.effects.now());
        let unseen = self.is_unseen(pass);
        Creations { unseen, ..pass.creations.remember(earlier, made, self.notes.strange(&uid)) }
    }

    /// Nothing but the answer to its creation ever showed what the object is bound to.
    fn is_unseen<K: Kind>(&self, pass: &Pass<K>) -> bool {
        let is_unseen = |id: &str| {
            K::mirror(self).look_in(pass.session.epoch, |mirror| mirror.sightings().is_only_answered(id)) == Some(true)
        };
        pass.bound_id().is_some_and(is_unseen)
    }

    /// A creation took effect, and what it made wasn't shown: it counts as one that did (promise I7).
    pub(super) fn unconfirmed_creation(&self, uid: &Uid) {
        self.notes.created(uid, "(not shown)", None, self.effects.now());
    }

    fn origin<K: Kind>(
        &self,
        pass: &Pass<K>,
        (resource, written): (&Resource, &Written),
        emails: &[&str],
        known: &Known,
        seen_before: bool,
    ) -> Origin {
        let (name, external_id) = K::created_as(pass);
        let holder = K::claims(self, pass, resource.id()).holder;
        origin(&CreationAnswer {
            resource,
            names: (name, K::shown_name(resource)),
            emails,
            external_id,
            created: written.created,
            at: written.date.unwrap_or_else(|| self.effects.now()),
            known: seen_before,
            listed: known.listed,
            held: holder.is_some_and(|holder| holder.has_account),
            undated: resource
                .created()
                .is_some_and(|created| pass.session.seen.look(|seen| seen.is_everyones(created))),
            own: known.own.is_some() && known.own.as_deref() == resource.id(),
        })
    }

    /// The server gave out new ids: said once for all whom it concerns.
    pub(super) fn tell_of_new_ids(&self, object: &str, old: &str, new: &str) {
        info!(%old, %new, "bound anew: the server shows it under another id");
        if self.notes.renumbered(self.effects.now()) {
            self.connection.state.tell(PendingEvent {
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
fn recorded_creation(last: Option<&LastOperation>) -> Option<Timestamp> {
    last.filter(|last| last.type_ == OperationType::Create).map(|last| last.at.0)
}
