//! What is done of a user while its connection serves removals only: whoever is to be inactive is deactivated, and nothing
//! else changes unless the object itself goes (promises I15, I23).

use super::UserPass;
use super::requests::unrecorded;
use crate::plan::Step;
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;

impl<E: Effects> Provisioner<E> {
    /// Nothing but removals is sent. An account that has another id by now is bound under it first, and so is what a creation
    /// made whose answer was never recorded.
    pub(super) fn user_as_far_as_served(&self, pass: &UserPass, step: Step) -> Step {
        let is_more = match &step {
            Step::Send(operation) => !operation.removes(),
            Step::Bind(_) => pass.bound_id().is_none() && unrecorded(pass).is_none(),
            _ => false,
        };
        if is_more && self.serves_departures_only(pass) { Step::Settle(self.serves_no_more(pass)) } else { step }
    }
}
