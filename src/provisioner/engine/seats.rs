//! Services that sell seats: whoever finds none waits for one, and a seat that became free is used at once.

use std::time::Duration;

use super::{Kind, Pass, Stop};
use crate::api::{OperationType, Reason, Uid};
use crate::plan::{Operation, Request};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::schedule::queue::{Lane, Outcome};
use crate::scim::Error;

/// Whoever waits first asks again after this: others may free a seat, too.
const ASK_AGAIN: Duration = Duration::from_secs(45);

impl<E: Effects> Provisioner<E> {
    /// The server has no seat left for it: the first who waits asks again soon, and all others wait for the first.
    pub(super) fn without_seat<K: Kind>(&self, pass: &Pass<K>, error: &Error) -> Stop<K> {
        self.note_failure(error);
        let first = self.notes.wants_seat(&pass.uid());
        let message = format!("{error}; it is created as soon as the server has a seat left");
        match self.own_error(pass, Reason::Rejected, message) {
            Stop::With(verdict, _) if first => Stop::With(verdict, Outcome::After(ASK_AGAIN)),
            stop => stop,
        }
    }

    /// A seat was taken, or became free: the next one is looked at.
    pub(super) fn pass_on_seat<K: Kind>(&self, pass: &Pass<K>, operation: &Operation<K>) {
        let frees = matches!(operation.kind, OperationType::Deactivate | OperationType::Delete);
        let takes = matches!(operation.request, Request::Create(_));
        if !frees && !takes {
            return;
        }
        if let Some(uid) = self.notes.seated(&pass.uid()) {
            self.schedule.submit(&uid, Lane::Create, true, self.effects.instant());
        }
    }

    /// Whoever waited for a seat and wants none any more keeps nobody else waiting.
    pub(in crate::provisioner) fn give_up_seat(&self, uid: &Uid) {
        if let Some(next) = self.notes.gave_up_seat(uid) {
            self.schedule.submit(&next, Lane::Create, true, self.effects.instant());
        }
    }

    /// How long a creation waits for removals that are being gathered: what they free is there for it.
    pub(super) fn removals_come_first<K: Kind>(&self, operation: &Operation<K>) -> Option<Duration> {
        let creates = matches!(operation.request, Request::Create(_));
        creates.then(|| self.guards.removals_gather(self.effects.now())).flatten()
    }
}
