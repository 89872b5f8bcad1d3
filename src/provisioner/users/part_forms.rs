//! Servers that refuse the form in which a part is sent: the `type` of entries, which they say, or the path to an attribute of
//! an extension. It is sent in another form, and where that helped, from then on.

use std::sync::Arc;

use serde_json::Value;

use super::UserPass;
use crate::plan::{Account, Operation, Path, Request, Split};
use crate::provisioner::effects::Effects;
use crate::provisioner::{Provisioner, overrides};
use crate::scim::{Error, Lesson, PatchOperation};

impl<E: Effects> Provisioner<E> {
    /// A request was refused for a `type`: the same is to be tried without. False where there is nothing to try.
    pub(super) fn tries_without_types(&self, pass: &mut UserPass, request: &Request, error: &Error) -> bool {
        let profile = &pass.session.policy.profile;
        let possible =
            error.has_word("type") && profile.learns && profile.entry_types && !pass.own.untyped && has_types(request);
        if possible {
            self.note_failure(error);
            pass.own.untyped = true;
            pass.session = Arc::new(pass.session.without_entry_types());
            if request.target().is_some() {
                pass.account = Some(Account::Unknown);
            }
        }
        possible
    }

    /// An attribute of an extension was refused by itself: it is to be sent without a path. False where there is nothing to
    /// try.
    pub(super) fn tries_nested(&self, pass: &mut UserPass, operation: &Operation, error: &Error) -> bool {
        let [Path::Attribute { schema: Some(_), .. }] = operation.attributes.as_slice() else { return false };
        let profile = &pass.session.policy.profile;
        let patch = matches!(operation.request, Request::Patch { .. });
        let possible = patch && profile.learns && !profile.nested_extensions && !pass.own.nested;
        if possible {
            self.note_failure(error);
            pass.own.nested = true;
            pass.session = Arc::new(pass.session.with_nested_extensions());
            pass.counted.extend(operation.parts());
            // Whatever was refused with it may have been refused for this.
            pass.split = Split::default();
        }
        possible
    }

    /// A creation was refused in words that name `active`: it is to be tried without. False where there is nothing to try.
    pub(super) fn leaves_active_out(&self, pass: &mut UserPass) -> bool {
        let profile = &pass.session.policy.profile;
        let open = Lesson::NoActiveAtCreation.is_open(overrides(&self.connection().spec));
        let possible = open && profile.learns && profile.active_at_creation && !pass.own.without_active;
        if possible {
            pass.own.without_active = true;
            pass.session = Arc::new(pass.session.without_active_at_creation());
        }
        possible
    }

    /// A request was taken: what was tried in another form goes in that from now on. Not where it was taken for being less
    /// than what was refused: the form may not have been at fault.
    pub(super) fn learn_forms(&self, pass: &UserPass, request: &Request) {
        if pass.split != Split::default() {
            return;
        }
        let pathless = |one: &PatchOperation| one.path.is_none();
        if pass.own.nested && matches!(request, Request::Patch { operations, .. } if operations.iter().any(pathless)) {
            self.apply_lessons(&pass.session, [Lesson::NestedExtensions]);
        }
        if pass.own.without_active && matches!(request, Request::Create(_)) {
            self.apply_lessons(&pass.session, [Lesson::NoActiveAtCreation]);
        }
        if pass.own.untyped && !pass.session.policy.profile.entry_types && has_entries(request) {
            self.apply_lessons(&pass.session, [Lesson::NoEntryTypes]);
        }
    }
}

/// Whether a request says entries of a list.
fn has_entries(request: &Request) -> bool {
    let entries = |value: &Value| value.as_array().into_iter().flatten().any(Value::is_object);
    match request {
        Request::Create(body) | Request::Put { body, .. } => body.values().any(entries),
        Request::Patch { operations, .. } => operations.iter().filter_map(|one| one.value.as_ref()).any(entries),
        Request::Delete { .. } => false,
    }
}

/// Whether a request says the type of an entry.
fn has_types(request: &Request) -> bool {
    let typed = |value: &Value| value.as_array().into_iter().flatten().any(|entry| entry.get("type").is_some());
    match request {
        Request::Create(body) | Request::Put { body, .. } => body.values().any(typed),
        Request::Patch { operations, .. } => operations.iter().any(|operation| {
            let by_type = operation.path.as_deref().is_some_and(|path| path.contains("[type eq"));
            by_type || operation.value.as_ref().is_some_and(|value| typed(value) || value.get("type").is_some())
        }),
        Request::Delete { .. } => false,
    }
}
