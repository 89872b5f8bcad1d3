//! Servers that have PATCH and understand next to nothing of it: `active` without a path alone, as one of the portals sends
//! it. What one request after the other is refused for is tried by replacing the user, once, and where that helped, from then
//! on.

use std::sync::Arc;

use serde_json::Value;

use super::UserPass;
use crate::plan::{ACTIVE, Account, Operation, Path, Request};
use crate::provisioner::effects::Effects;
use crate::provisioner::{Provisioner, overrides};
use crate::scim::{Class, Error, Lesson, ObservedQuirks, PatchOperation, WriteMethod};

/// So often a 500 is met before it is taken for what the server has to say to this form of a request.
pub(in crate::provisioner) const TAKEN_FOR_GOOD: u32 = 2;

impl<E: Effects> Provisioner<E> {
    /// A PATCH was refused, and none was ever taken here: the same is to be tried by PUT. False where there is nothing to try.
    pub(super) fn tries_whole_user(&self, pass: &mut UserPass, operation: &Operation, error: &Error) -> bool {
        let Request::Patch { .. } = operation.request else { return false };
        let for_good = match error.class() {
            Class::Rejected => {
                operation.attributes == [Path::core(ACTIVE)]
                    || (operation.parts().len() == 1 && !pass.split.has_taken())
            }
            Class::Transient => {
                error.status() == Some(500)
                    && error.retry_after().is_none()
                    && self.notes.troubles(&pass.uid()) >= TAKEN_FOR_GOOD
            }
            _ => false,
        };
        let profile = &pass.session.policy.profile;
        let possible = for_good
            && profile.learns
            && profile.write_users == WriteMethod::Patch
            && pass.own.patched_before.is_none()
            && pass.session.seen.look(|seen| !seen.patches_users() && !seen.put_is_no_better())
            && Lesson::Put.is_open(overrides(&self.connection().spec));
        if possible {
            self.note_failure(error);
            pass.own.patched_before = Some(std::mem::take(&mut pass.split));
            pass.session = Arc::new(pass.session.with_whole_users());
            // What replaces an account is made of what is there now.
            pass.account = Some(Account::Unknown);
        }
        possible
    }

    /// The user was replaced, and that was taken: so it is done from now on.
    pub(super) fn learn_whole_users(&self, pass: &mut UserPass, request: &Request) {
        match request {
            // There are servers that have it for active alone.
            Request::Patch { operations, .. } if !operations.iter().all(is_of_active) => {
                pass.session.seen.take_in(ObservedQuirks::user_patched);
            }
            Request::Put { .. } if pass.own.patched_before.take().is_some() => {
                self.apply_lessons(&pass.session, [Lesson::Put]);
                self.go_on_as_learnt(pass);
            }
            _ => {}
        }
    }

    /// To replace the user was refused, too: it goes on by PATCH, and isn't tried again. False where it wasn't a trial.
    pub(super) fn gives_up_whole_user(&self, pass: &mut UserPass, request: &Request, error: &Error) -> bool {
        let final_word = !matches!(error.class(), Class::Precondition | Class::Transient | Class::Throttled);
        if !matches!(request, Request::Put { .. }) || !final_word {
            return false;
        }
        match (pass.own.patched_before.take(), pass.own.unchanged.take()) {
            (Some(split), _) => pass.split = split,
            // What a PATCH didn't change stays so.
            (None, Some(unchanged)) => pass.own.written.extend(unchanged),
            (None, None) => return false,
        }
        self.note_failure(error);
        pass.session.seen.take_in(ObservedQuirks::put_failed);
        self.go_on_as_learnt(pass);
        true
    }
}

/// It changes nothing but `active`, whatever its form.
fn is_of_active(operation: &PatchOperation) -> bool {
    let alone = |value: &Value| value.as_object().is_some_and(|values| values.keys().all(|name| name == ACTIVE));
    match operation.path.as_deref() {
        Some(path) => path == ACTIVE,
        None => operation.value.as_ref().is_some_and(alone),
    }
}
