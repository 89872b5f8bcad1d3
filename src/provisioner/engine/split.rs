//! A request that was refused for one of its parts: everything else is sent, and the part is named.

use super::{Kind, Pass};
use crate::api::OperationType;
use crate::directory::full_name;
use crate::plan::{Operation, Request};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::scim::{Class, Error};

impl<E: Effects> Provisioner<E> {
    /// A change was refused: true where the pass goes on with other parts of it, or without the one at fault.
    pub(super) fn goes_on_in_parts<K: Kind>(
        &self,
        pass: &mut Pass<K>,
        operation: &Operation<K>,
        error: &Error,
    ) -> bool {
        let concerns_parts = matches!(error.class(), Class::Rejected | Class::Conflict | Class::NotFound);
        let changes = matches!(operation.request, Request::Patch { .. } | Request::Put { .. });
        if !concerns_parts || !changes || operation.kind == OperationType::Deactivate {
            return false;
        }
        let (parts, words) = (operation.parts(), words(error));
        if !pass.split.refuse(&parts, &words, error.is_too_many()) {
            return false;
        }
        if parts.len() == 1 && !parts.first().is_some_and(|part| K::refused_part(self, pass, part, &words)) {
            return false;
        }
        self.note_failure(&full_name(&pass.object), error);
        // What was counted before isn't counted once more for going in parts.
        pass.counted.extend(parts);
        true
    }

    /// A creation was refused, and so made nothing: true where it is tried with less.
    pub(super) fn creates_with_less<K: Kind>(
        &self,
        pass: &mut Pass<K>,
        operation: &Operation<K>,
        error: &Error,
    ) -> bool {
        let mut optional = K::optional_at_creation(self, pass, operation, error);
        optional.extend(pass.split.omitted().into_iter().flatten().cloned());
        // A conflict may be about who it is: only what the server names may be missing.
        let by_words = error.class() == Class::Conflict;
        if optional.is_empty() || !pass.split.omit(&optional, error.detail(), by_words) {
            return false;
        }
        self.note_failure(&full_name(&pass.object), error);
        pass.counted.extend(operation.parts());
        true
    }
}

/// The server's words, or what stands for them.
fn words(error: &Error) -> String {
    let status = || error.status().map(|status| format!("the server answered {status}"));
    error.detail().map(str::to_owned).or_else(status).unwrap_or_default()
}
