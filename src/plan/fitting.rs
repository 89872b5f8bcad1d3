//! Whether an object takes what fits it, as far as users and groups don't differ (promises I6 to I8).

use super::claims::{Claims, HolderState};
use super::creation::Creations;
use super::outcome::{comes_first, stalled, waits_for};
use super::person;
use super::resource_type::ResourceType;
use super::step::{Binding, Step};
use crate::api::{AdoptionPolicy, OperationType, Reason};
use crate::scim::Resource;

/// An account or group that fits an object, which isn't bound to it.
pub(super) struct Fitting<'a> {
    /// `namespace/name` of the object.
    pub full_name: &'a str,
    /// Its id.
    pub id: &'a str,
    /// Its name, as the server spells it.
    pub name: &'a str,
    /// The object's creation made it.
    pub created: bool,
    /// A creation of ours made it, or it was bound to the object, and it has another name than the one declared: it is ours
    /// under its old name too, and only its renaming can be in somebody's way.
    pub to_be_renamed: bool,
    /// The annotation `remote-id` names it.
    pub named: bool,
    /// What is done about what was there before.
    pub adoption: AdoptionPolicy,
}

impl Fitting<'_> {
    /// It is taken, unless another object comes first or the policy is against it.
    pub fn taken<T: ResourceType>(&self, claims: &Claims) -> Step<T> {
        let holder = claims.holder.as_ref().filter(|holder| holder.has_account || !self.to_be_renamed);
        let takes_over = holder.is_some_and(|holder| holder.state == HolderState::HandsOver);
        if let Some(holder) = holder.filter(|_| !takes_over) {
            return waits_for(holder);
        }
        if let Some(elder) = claims.elder.as_ref().filter(|_| !self.to_be_renamed && !takes_over) {
            return comes_first(elder);
        }
        let how = if takes_over {
            OperationType::Handover
        } else if self.created {
            OperationType::Create
        } else if self.adoption == AdoptionPolicy::Refuse && !self.named {
            return stalled(Reason::AdoptionRefused, self.refused::<T>(), T::FAILED);
        } else {
            OperationType::Adopt
        };
        Step::Bind(Binding { id: self.id.to_owned(), name: self.name.to_owned(), how })
    }

    fn refused<T: ResourceType>(&self) -> String {
        format!(
            "the server has {} with this {} already ({}), and the connection's adoptionPolicy.{} is Refuse; set it to Adopt, \
             or bind it: {}",
            T::ONE,
            T::NAME,
            person::quoted(self.id),
            T::POLICIES,
            person::way_to_bind(T::RESOURCE, self.full_name, self.id)
        )
    }
}

/// What is decided about a resource that a creation was answered with begins with that.
pub(super) fn told_of_creation<T: ResourceType>(
    mut step: Step<T>,
    creations: &Creations,
    resource: &Resource,
    name: Option<&str>,
) -> Step<T> {
    if let Step::Settle(verdict) = &mut step
        && let Some(before) = person::of_creation(creations, resource, name.unwrap_or_default())
    {
        verdict.message.insert_str(0, &before);
    }
    step
}
