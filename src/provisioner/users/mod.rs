//! Users: what is special to them, for the engine.

mod answers;
mod departure;
mod facts;
mod grants;
mod kind;
mod memberships;
pub(super) mod notes;
mod part_forms;
mod rejected;
mod requests;
mod served;
pub(super) mod whole;
mod whole_lists;
mod writes;

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Provisioner;
use super::effects::Effects;
use super::engine::{Kind as _, Pass, Stop};
use crate::api::{ScimUser, ScimUserSpec, Uid};
use crate::directory::{Changed, is_deleting};
use crate::plan::{Path, Split, Step, User, decide, next_window_edge};
use crate::provisioner::connection::gauges::lane_name;
use crate::provisioner::schedule::queue::Lane;
use crate::provisioner::schedule::windows::AHEAD;
use crate::scim::{Resource, Verb};

/// A pass over a user.
pub type UserPass = Pass<User>;

/// How it ends before its plan does.
pub type UserStop = Stop<User>;

/// What a pass gathers about a user.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Attributes written in this pass.
    pub written: BTreeSet<Path>,
    /// What the account showed before the first of these writes, as far as that is known.
    pub before: Option<Resource>,
    /// Those of them that a path with a filter named.
    pub by_filter: BTreeSet<Path>,
    /// Lists are replaced whole in this pass, because such a path changed nothing.
    pub whole_lists: bool,
    /// One was sent.
    pub list_sent: bool,
    /// The account is replaced in this pass, because no PATCH was taken; what those had taught of its parts.
    pub patched_before: Option<Split>,
    /// The answer to a write that may show less than the account: what is read next is compared with it.
    pub answer: Option<(Verb, Resource)>,
    /// The account was read since the last write.
    pub read_since: bool,
    /// What a PATCH was taken for and didn't change, while the account is replaced instead.
    pub unchanged: Option<BTreeSet<Path>>,
    /// That was sent: before, the account may have shown what was.
    pub replaced: bool,
    /// Attributes of extensions go nested in this pass, because the path to one was refused.
    pub nested: bool,
    /// Entries go without their types in this pass, because one was refused for it.
    pub untyped: bool,
    /// A creation goes without `active` in this pass, because one was refused that names it.
    pub without_active: bool,
    /// A version had changed, and the account was read again.
    pub read_again: bool,
    /// The server refuses to delete the account, so it is deactivated first.
    pub deactivates_first: bool,
    /// The server refused what was to take the account's access away.
    pub removal_refused: bool,
}

impl<E: Effects> Provisioner<E> {
    /// A user is to be looked at.
    pub fn submit(&self, user: &ScimUser, changed: &Changed) {
        let Some(uid) = Uid::given(&user.metadata) else { return };
        let lane = lane_of(user, self.effects.now());
        self.note_window(user);
        self.surroundings.metrics.submitted(&self.key.to_string(), lane_name(lane));
        self.schedule.submit(&uid, lane, changed.fresh, self.effects.instant());
    }

    /// What comes before the plan; false: it is tried again first. Nobody's removal waits for the name of a role, or for a
    /// record.
    async fn look_up_and_record(&self, pass: &mut UserPass) -> bool {
        // Its creation may have failed for saying that.
        if self.notes.doubts_active(&pass.uid()) {
            self.leaves_active_out(pass);
        }
        let takes_access = User::takes_access(self, pass);
        if takes_access && pass.status.active != Some(false) {
            return true;
        }
        if !takes_access {
            self.look_up_names(&pass.object, &pass.session).await;
        }
        match self.id_to_carry(pass) {
            Some(id) => self.carry_memberships(pass, &id).await || takes_access,
            None => true,
        }
    }

    /// Notes when the object's access window opens or closes next, or is about to close: whatever else it waits for, it is
    /// looked at then. Returns the end that is near.
    pub(super) fn note_window(&self, user: &ScimUser) -> Option<Timestamp> {
        let (uid, now) = (Uid::given(&user.metadata)?, self.effects.now());
        let Some(edge) = next_window_edge(&user.spec, now).filter(|_| !is_deleting(user)) else {
            self.schedule.set_window(&uid, None);
            return None;
        };
        let end = user.spec.access.as_ref().and_then(|access| access.not_after.as_ref());
        let closes = end.is_some_and(|end| end.0 == edge);
        let ahead = edge.checked_sub(AHEAD).ok().filter(|ahead| closes && *ahead > now);
        self.schedule.set_window(&uid, Some(ahead.unwrap_or(edge)));
        (closes && ahead.is_none()).then_some(edge)
    }

    /// The same after a pass; a removal that is near is announced.
    fn watch_window(&self, pass: &UserPass) {
        if let Some(end) = self.note_window(&pass.object)
            && let Step::Send(operation) = self.with_facts(pass, end, decide)
        {
            self.announce(pass, &operation);
        }
    }
}

/// The lane of a user, as far as it can be told without a plan.
pub(super) fn lane_of(user: &ScimUser, now: Timestamp) -> Lane {
    let status = user.status.as_ref();
    let held = status.is_some_and(|status| status.hold.is_some());
    let settled = status.and_then(|status| status.observed_generation) == user.metadata.generation && !held;
    let ended = access_has_ended(&user.spec, now);
    let active = status.and_then(|status| status.active) == Some(true);
    if is_deleting(user) || (user.spec.active == Some(false) && !settled) || (ended && active) {
        Lane::Removal
    } else if status.and_then(|status| status.id.as_ref()).is_none() {
        Lane::Create
    } else if settled {
        Lane::Drift
    } else {
        Lane::Change
    }
}

/// What is declared ends the access to an account.
pub(super) fn is_to_be_inactive(user: &ScimUser, now: Timestamp) -> bool {
    user.spec.active == Some(false) || access_has_ended(&user.spec, now)
}

/// The object's access window has ended.
fn access_has_ended(spec: &ScimUserSpec, now: Timestamp) -> bool {
    let end = spec.access.as_ref().and_then(|access| access.not_after.as_ref());
    end.is_some_and(|end| end.0 <= now)
}
