//! Statuses that the API server didn't take: the requests behind them are not repeated.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::api::Uid;
use crate::provisioner::lock;

/// The status of each object that could not be written yet.
#[derive(Debug)]
pub struct Unsaved<S>(Mutex<HashMap<Uid, S>>);

// Not derived: that would ask for a default of the status.
impl<S> Default for Unsaved<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S: Clone> Unsaved<S> {
    /// A status that the API server didn't take.
    pub fn keep(&self, uid: &Uid, status: S) {
        lock(&self.0).insert(uid.clone(), status);
    }

    /// The status that was not written yet.
    pub fn get(&self, uid: &Uid) -> Option<S> {
        lock(&self.0).get(uid).cloned()
    }

    /// It was written, or the object is gone.
    pub fn forget(&self, uid: &Uid) {
        lock(&self.0).remove(uid);
    }
}
