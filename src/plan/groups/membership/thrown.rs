//! Members whom a request of ours took out though it didn't name them: they come back as they were, and nobody else did it.

use super::Membership;
use crate::api::RemoteId;

impl Membership {
    /// A request of ours took these out, and wasn't about them.
    pub fn throw_out(&mut self, ids: &[RemoteId]) {
        self.changes += 1;
        for id in ids {
            if let Some(present) = &mut self.present {
                present.remove(id);
            }
            self.thrown.insert(id.clone());
            self.sort(id);
        }
    }

    /// It is to be put in again, because a request of ours took it out.
    pub fn is_thrown(&self, id: &RemoteId) -> bool {
        self.thrown.contains(id)
    }

    /// Of those that a request of ours puts in: who comes back. It is whose it was.
    pub(super) fn comes_back(&mut self, id: &RemoteId) -> bool {
        self.thrown.remove(id)
    }
}
