//! Whether a deletion is done that the server says it did: there are servers that answer it 204 and do nothing, or do it later.

use kube::runtime::events::EventType;

use super::failure::waiting;
use super::{Kind, LOOK_AGAIN, Pass, Stop};
use crate::api::{OperationType, Reason};
use crate::plan::{Account, Operation};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::mirror::Mirror;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::provisioner::schedule::queue::Outcome;
use crate::scim::{Class, Resource};

/// So often it is answered that it is deleted, and still shown, before that is told.
const TAKEN_FOR_GOOD: u32 = 2;

impl<E: Effects> Provisioner<E> {
    /// What the server still shows after it answered that it is deleted; it is asked until one was seen to be gone. An account
    /// that is inactive gives nobody access.
    pub(super) async fn still_there<K: Kind>(&self, pass: &Pass<K>, id: &str) -> Option<Resource> {
        let session = &pass.session;
        if !session.policy.profile.learns || session.seen.look(|seen| seen.deletes(K::COLLECTION)) {
            return None;
        }
        let deadline = self.in_turn(session, RequestKind::Read, Priority::Removal).await?;
        match self.effects.get(&session.client, K::COLLECTION, id, false, deadline).await {
            Ok(shown) => (shown.active() != Some(false)).then_some(shown),
            Err(error) => {
                if error.class() == Class::NotFound {
                    session.seen.take_in(|seen| seen.deleted(K::COLLECTION));
                }
                None
            }
        }
    }

    /// It is still there: access ends by another way, if there is one, and else it is tried again.
    pub(super) async fn not_deleted<K: Kind>(
        &self,
        pass: &mut Pass<K>,
        operation: &Operation<K>,
        shown: Resource,
    ) -> Result<(), Stop<K>> {
        self.in_mirror(pass, |mirror| mirror.apply(&shown));
        pass.account = Some(Account::Found { resource: K::without_members(shown), fresh: true });
        let message = format!("the server answers that it deleted the {}, and still shows it", K::NOUN);
        let (times, _) = self.notes.troubled(&pass.uid(), self.effects.now());
        let deactivated = pass.log.ends_with(OperationType::Deactivate);
        // What was read may be older than the deletion.
        if times < TAKEN_FOR_GOOD && !deactivated {
            let mut verdict = waiting(pass, format!("{message}; it is deleted once more in a minute"));
            // What it met counts for the spec as it is.
            verdict.executed = true;
            return Err(Stop::With(Box::new(verdict), Outcome::After(LOOK_AGAIN)));
        }
        if K::removes_otherwise(self, pass, operation) {
            let note = format!(
                "the server answered that it deleted the {}, and still shows it: it is made inactive instead",
                K::NOUN
            );
            self.tell(pass, EventType::Warning, "NotDeleted", &note).await;
            return Ok(());
        }
        Err(self.own_error(pass, Reason::Rejected, format!("{message}; delete it there")))
    }
}
