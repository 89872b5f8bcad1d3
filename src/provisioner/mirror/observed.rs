//! One collection of the server, as all see it who work at once.

use std::sync::Mutex;

use super::Mirror;
use crate::api::Uid;
use crate::provisioner::lock;

/// What is known of one collection. Whatever changes it says of which time it is: of one that is over nothing counts.
#[derive(Debug, Default)]
pub struct Observed<M>(Mutex<M>);

impl<M: Mirror> Observed<M> {
    /// Answers what is asked of one instant.
    pub fn look<T>(&self, look: impl FnOnce(&M) -> T) -> T {
        look(&lock(&self.0))
    }

    /// The same; none where what is of that epoch counts no more.
    pub fn look_in<T>(&self, epoch: u64, look: impl FnOnce(&M) -> T) -> Option<T> {
        let mirror = lock(&self.0);
        mirror.is_of(epoch).then(|| look(&mirror))
    }

    /// Changes what is known; none, and unchanged, where what is of that epoch counts no more.
    pub fn change<T>(&self, epoch: u64, change: impl FnOnce(&mut M) -> T) -> Option<T> {
        let mut mirror = lock(&self.0);
        mirror.is_of(epoch).then(|| change(&mut mirror))
    }

    /// The object's search has been answered: its next pass asks anew.
    pub fn end_search(&self, uid: &Uid) {
        lock(&self.0).sightings_mut().end_search(uid);
    }

    /// The object is gone, and looks for nothing any more.
    pub fn forget_search(&self, uid: &Uid) {
        lock(&self.0).sightings_mut().forget_search(uid);
    }

    /// The connection leads to a server from now on, maybe another one.
    pub(super) fn lead_to<T>(&self, lead: impl FnOnce(&mut M) -> T) -> T {
        lead(&mut lock(&self.0))
    }
}
