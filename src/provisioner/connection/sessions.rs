//! The session in force, the last good one, and what is served without a key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::session::Session;
use crate::api::Uid;
use crate::provisioner::lock;

/// Removals that are still served, and the generation that each was declared in.
pub type Removals = HashMap<Uid, Option<i64>>;

/// The sessions of one connection.
#[derive(Debug, Default)]
pub struct Sessions {
    current: RwLock<Option<Arc<Session>>>,
    /// The session before the connection was lost: its key may be good when a newer one is not.
    last_good: Mutex<Option<Arc<Session>>>,
    /// The Secret is gone: these removals, declared before, are still served (promise I23).
    removals_left: Mutex<Option<Removals>>,
}

impl Sessions {
    /// The session in force.
    pub fn current(&self) -> Option<Arc<Session>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last one that was good, whether it is in force or not.
    pub fn last_good(&self) -> Option<Arc<Session>> {
        lock(&self.last_good).clone()
    }

    /// A session comes into force.
    pub fn begin(&self, session: Session) {
        let session = Arc::new(session);
        *lock(&self.last_good) = Some(Arc::clone(&session));
        self.replace(|_| Some(session));
    }

    /// The connection can't be used any more.
    pub fn end(&self) {
        self.replace(|_| None);
    }

    /// Another one takes the place of the one in force, as `next` says of it; meanwhile none begins or ends.
    pub fn replace(&self, next: impl FnOnce(Option<&Arc<Session>>) -> Option<Arc<Session>>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let next = next(current.as_ref());
        *current = next;
    }

    /// Only these removals are served from now on, unless that is so already.
    pub fn restrict(&self, removals: impl FnOnce() -> Removals) {
        lock(&self.removals_left).get_or_insert_with(removals);
    }

    /// Everything is served again; true where it wasn't.
    pub fn lift(&self) -> bool {
        lock(&self.removals_left).take().is_some()
    }

    /// Only removals are served.
    pub fn is_restricted(&self) -> bool {
        lock(&self.removals_left).is_some()
    }

    /// Whether the object is served as it was declared in this generation; none where everything is.
    pub fn serves(&self, uid: &Uid, generation: Option<i64>) -> Option<bool> {
        let left = lock(&self.removals_left);
        let known = left.as_ref().and_then(|left| left.get(uid));
        left.as_ref().map(|_| known == Some(&generation))
    }
}
