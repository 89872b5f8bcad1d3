//! Events about one object: only what a person would want to be told without asking. Routine success is in status.

use kube::Resource as _;
use kube::runtime::events::{Event, EventType};

use super::Provisioner;
use super::effects::Effects;
use crate::api::{OperationType, ScimUser};
use crate::plan::Binding;

impl<E: Effects> Provisioner<E> {
    /// Publishes an event about the object. One that fails is nobody's error.
    pub(super) async fn tell(&self, user: &ScimUser, type_: EventType, reason: &str, note: &str) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(bounded_note(note)),
            action: "Provision".to_owned(),
            secondary: None,
        };
        self.effects.publish(event, &user.object_ref(&())).await;
    }

    /// An account that this object did not make is its own from now on.
    pub(super) async fn tell_of_binding(&self, user: &ScimUser, binding: &Binding) {
        let id = &binding.id;
        let (reason, note) = match binding.how {
            OperationType::Adopt => ("Adopted", format!("the account {id} was there already and is this object's now")),
            OperationType::Handover => ("HandedOver", format!("the account {id} was handed over to this object")),
            _ => return,
        };
        self.tell(user, EventType::Normal, reason, &note).await;
    }
}

/// The API server refuses notes of over 1 kB.
pub fn bounded_note(note: &str) -> String {
    let mut end = note.len().min(1000);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    note[..end].to_owned()
}
