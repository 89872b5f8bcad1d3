//! Users: what is special to them, for the engine.

mod departure;
mod facts;
mod grants;
mod kind;
mod rejected;
mod requests;
mod whole_lists;
mod writes;

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::effects::Effects;
use super::engine::{Pass, Stop};
use super::{Provisioner, Uid, is_deleting};
use crate::plan::{Path, Step, User, decide, next_window_edge};
use crate::provisioner::schedule::windows::AHEAD;
use crate::scim::Resource;

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
    /// A version had changed, and the account was read again.
    pub read_again: bool,
    /// The server refuses to delete the account, so it is deactivated first.
    pub deactivates_first: bool,
}

impl<E: Effects> Provisioner<E> {
    /// Notes when the object's access window opens or closes next, and announces a removal that is near.
    fn watch_window(&self, pass: &UserPass) {
        let Some(uid) = pass.object.uid().map(Uid::from) else { return };
        let (spec, now) = (&pass.object.spec, self.effects.now());
        let Some(edge) = next_window_edge(spec, now).filter(|_| !is_deleting(&pass.object)) else {
            self.schedule.set_window(&uid, None);
            return;
        };
        let closes = spec.access.as_ref().and_then(|access| access.not_after.as_ref()).is_some_and(|at| at.0 == edge);
        let ahead = edge.checked_sub(AHEAD).unwrap_or(edge);
        if closes && ahead > now {
            self.schedule.set_window(&uid, Some(ahead));
            return;
        }
        if closes && let Step::Send(operation) = self.with_facts(pass, edge, decide) {
            self.announce(pass, &operation);
        }
        self.schedule.set_window(&uid, Some(edge));
    }
}
