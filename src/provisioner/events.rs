//! Events about one object: only what a person would want to be told without asking. Routine success is in status.

use kube::runtime::events::EventType;

use super::Provisioner;
use super::effects::Effects;
use super::engine::{Kind, Pass};
use crate::api::OperationType;
use crate::plan::Binding;

impl<E: Effects> Provisioner<E> {
    /// An account or group that this object did not make is its own from now on.
    pub(super) async fn tell_of_binding<K: Kind>(&self, pass: &Pass<K>, binding: &Binding) {
        let (id, noun) = (&binding.id, K::NOUN);
        let (reason, note) = match binding.how {
            OperationType::Adopt => ("Adopted", format!("the {noun} {id} was there already and is this object's now")),
            OperationType::Handover => ("HandedOver", format!("the {noun} {id} was handed over to this object")),
            _ => return,
        };
        self.tell(pass, EventType::Normal, reason, &note).await;
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
