//! A request that was refused for one of its parts: everything else is sent, and the part is named.

use super::{Kind, Pass};
use crate::api::OperationType;
use crate::plan::{Operation, Refusal, Request, is_named};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::scim::{Class, Error, Kind as Collection, Lesson};

impl<E: Effects> Provisioner<E> {
    /// A change was refused: true where the pass goes on with other parts of it, or without the one at fault.
    pub(super) fn goes_on_in_parts<K: Kind>(
        &self,
        pass: &mut Pass<K>,
        operation: &Operation<K>,
        error: &Error,
    ) -> bool {
        let how = match error.class() {
            _ if error.is_too_many() => Refusal::TooMany,
            // A right may be lacking for one of them alone, as where a group's owner can't be taken out.
            Class::Forbidden if pass.split.is_idle() && is_one_attribute(operation) => return false,
            Class::Forbidden if pass.split.is_idle() && self.is_to_be_waited_out(pass, error) => return false,
            Class::Rejected | Class::Conflict | Class::NotFound | Class::Forbidden => Refusal::Content,
            // What names others is answered so, too, by servers that don't look whether they are there.
            Class::Transient if K::members_changed(operation).is_some() => Refusal::Trouble,
            _ => return false,
        };
        let changes = matches!(operation.request, Request::Patch { .. } | Request::Put { .. });
        if !changes || operation.kind == OperationType::Deactivate {
            return false;
        }
        let (parts, words) = (operation.parts(), words(error));
        if !pass.split.refuse(&parts, &words, how) {
            return false;
        }
        if parts.len() == 1 && !parts.first().is_some_and(|part| K::refused_part(self, pass, part, &words)) {
            return false;
        }
        self.note_failure(error);
        // The test of a connection asks for users.
        if error.class() == Class::Forbidden && K::COLLECTION == Collection::Users {
            self.request_probe();
        }
        // What was counted before isn't counted once more for going in parts.
        pass.counted.extend(parts);
        true
    }

    /// A request went through: what fits is known for the connection, where more was refused before.
    pub(super) fn went_in_parts<K: Kind>(&self, pass: &mut Pass<K>, operation: &Operation<K>) {
        if pass.split.is_idle() {
            return;
        }
        pass.split.take(&operation.parts());
        let fits = pass.split.fits().and_then(|most| u32::try_from(most).ok());
        let alone = pass.split.active_goes_alone().then_some(Lesson::ActiveAlone);
        self.apply_lessons(&pass.session, fits.map(|most| K::at_once(operation, most)).into_iter().chain(alone));
    }

    /// A creation was refused, and so made nothing: true where it is tried with less.
    pub(super) fn creates_with_less<K: Kind>(
        &self,
        pass: &mut Pass<K>,
        operation: &Operation<K>,
        error: &Error,
    ) -> bool {
        let mut optional = K::optional_at_creation(self, pass, operation, error);
        // Where something is missing that wasn't sent, less doesn't help.
        let words = error.words();
        if error.says_missing() && !optional.iter().any(|part| is_named(words, part)) {
            return false;
        }
        optional.extend(pass.split.omitted().into_iter().flatten().cloned());
        // A conflict may be about who it is: only what the server names may be missing.
        let by_words = error.class() == Class::Conflict;
        if optional.is_empty() || !pass.split.omit(&optional, Some(words), by_words) {
            return false;
        }
        self.note_failure(error);
        pass.counted.extend(operation.parts());
        true
    }
}

/// Nothing can be learnt of its parts: it has one, and that is no member.
fn is_one_attribute<K: Kind>(operation: &Operation<K>) -> bool {
    K::members_changed(operation).is_none() && operation.parts().len() < 2
}

/// The server's words, or what stands for them.
fn words(error: &Error) -> String {
    let status = || error.status().map(|status| format!("the server answered {status}"));
    error.detail().map(str::to_owned).or_else(status).unwrap_or_default()
}
