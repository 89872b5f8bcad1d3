//! What is remembered of ScimUsers beside their status; lost at a restart, and that is harmless.

use crate::api::{ScimUserStatus, Uid};
use crate::provisioner::engine::Unsaved;

/// Notes about users, by the object's uid.
#[derive(Debug, Default)]
pub struct UserNotes {
    /// Statuses that could not be written yet.
    pub unsaved: Unsaved<ScimUserStatus>,
}

impl UserNotes {
    /// Everything about an object that is gone.
    pub fn forget(&self, uid: &Uid) {
        self.unsaved.forget(uid);
    }
}
