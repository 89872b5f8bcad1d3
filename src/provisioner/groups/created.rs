//! What the creation of a group was answered with: what it made, or what was there already (promise I7).

use tracing::warn;

use super::super::created::{Known, recorded_creation};
use super::super::effects::Effects;
use super::super::queue::Outcome;
use super::super::{Provisioner, lock};
use super::{GroupPass, GroupStop, full_name};
use crate::plan::groups::GroupOperation;
use crate::plan::{Account, Answered, CreationAnswer, Origin, Request, origin};
use crate::scim::{Error, Resource, Written};

impl<E: Effects> Provisioner<E> {
    /// A creation is about to be sent, or something else.
    pub(super) fn before_group_creation(&self, pass: &GroupPass, operation: &GroupOperation) -> Option<Known> {
        if !matches!(operation.request, Request::Create(_)) {
            return None;
        }
        lock(&self.memory).creates(&pass.uid());
        let store = lock(&self.groups);
        Some(Known { moment: store.moment(), listed: store.is_complete() })
    }

    /// A creation took effect. What isn't certain to be made by it meets what any group meets that is found.
    pub(super) async fn group_was_created(
        &self,
        pass: &mut GroupPass,
        operation: GroupOperation,
        written: Written,
        known: &Known,
        former: Option<String>,
    ) -> Result<Option<Outcome>, GroupStop> {
        let made = written.resource.as_ref().and_then(|made| Some((made.clone(), made.id()?.to_owned())));
        let Some((mut resource, id)) = made else {
            self.unseen_creation(&pass.uid());
            return self.group_took_effect(pass, operation, written).await;
        };
        let seen_before = lock(&self.groups).knew(&id, known.moment);
        let origin = self.origin_of_group(pass, &resource, &written, known);
        let was_bound = former.is_some();
        // One that has another name may be what this creation made all the same.
        if !matches!(origin, Origin::Existed(_)) || (written.created && !seen_before) {
            let recorded = recorded_creation(pass.status.last_operation.as_ref());
            lock(&self.memory).created(&pass.uid(), &id, recorded.zip(former), self.effects.now());
        }
        let existed = match origin {
            Origin::New => return self.group_took_effect(pass, operation, written).await,
            // One that was sent before may have made it.
            Origin::Untold if !pass.finalizer_is_new && !was_bound => {
                return self.group_took_effect(pass, operation, written).await;
            }
            Origin::Untold => None,
            Origin::Existed(why) => Some(why),
        };
        warn!(object = %full_name(&pass.group), %id, "the creation was answered with a group that may have been there");
        if let Some(pause) = written.pause {
            self.limiter.pause(pause);
        }
        self.learn_shown(pass, &resource);
        pass.creations.answered = Some(Answered { id: id.clone(), existed });
        pass.finalizer_is_new = true;
        if existed.is_some() {
            // Nothing of ours is there, whenever the claim was made: it was looked for before this creation was sent.
            pass.status.id = None;
            self.take_back_group_claim(pass).await?;
        }
        resource.0.retain(|name, _| !name.eq_ignore_ascii_case("members"));
        pass.account = Some(match resource.get("displayName") {
            Some(_) => Account::Found { resource, fresh: true },
            None => Account::Listed(id),
        });
        Ok(None)
    }

    fn origin_of_group(&self, pass: &GroupPass, resource: &Resource, written: &Written, known: &Known) -> Origin {
        let (spec, policy, id) = (&pass.group.spec, &pass.session.policy, resource.id());
        let holder = self.directory.group_claims(&pass.group, &policy.server, id).holder;
        let name = resource.get("displayName").and_then(serde_json::Value::as_str);
        origin(&CreationAnswer {
            resource,
            names: (&spec.display_name, name),
            external_id: spec.external_id.as_deref().filter(|_| policy.profile.group_external_id),
            created: written.created,
            at: written.date.unwrap_or_else(|| self.effects.now()),
            known: id.is_some_and(|id| lock(&self.groups).knew(id, known.moment)),
            listed: known.listed,
            held: holder.is_some_and(|holder| holder.has_account),
        })
    }
}

/// The server says that the group is there already, and shows none.
pub(super) fn exists_unseen(pass: &GroupPass, error: &Error) -> String {
    let words = error.detail().unwrap_or_default();
    let what = match &pass.group.spec.external_id {
        Some(external_id) if words.to_lowercase().contains("externalid") => format!(
            "the server says that another group has the externalId {external_id:?}, and shows none; look for it there, and \
             bind it by the annotation scim-operator.dev/remote-id, or declare another externalId"
        ),
        _ => "the server says that this group exists already, and shows none with this displayName".to_owned(),
    };
    if words.is_empty() { what } else { format!("{what}. The server's words: {words}") }
}
