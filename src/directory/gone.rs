//! Objects that are known to be gone.

use std::collections::{HashSet, VecDeque};

use crate::api::Uid;

/// More than are deleted while one event or one answer is under way.
const REMEMBERED: usize = 10_000;

/// The uids of those that went last. An event or the answer to a write from before their end may arrive after it, and
/// must not bring them back: nobody would take them away again, and meanwhile they would be worked on.
#[derive(Debug, Default)]
pub(super) struct Gone {
    known: HashSet<Uid>,
    order: VecDeque<Uid>,
}

impl Gone {
    /// A uid is never given again, so this is for good.
    pub fn remember(&mut self, uid: &Uid) {
        let uid = uid.clone();
        if !self.known.insert(uid.clone()) {
            return;
        }
        self.order.push_back(uid);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// The object with this uid went, as far as is remembered.
    pub fn knows(&self, uid: &Uid) -> bool {
        self.known.contains(uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_that_went_are_remembered_and_no_more() {
        let mut gone = Gone::default();
        for n in 0..=REMEMBERED {
            gone.remember(&n.to_string().into());
            gone.remember(&n.to_string().into());
        }
        assert!(!gone.knows(&"0".into()) && gone.knows(&"1".into()) && gone.knows(&REMEMBERED.to_string().into()));
        assert_eq!((gone.known.len(), gone.order.len()), (REMEMBERED, REMEMBERED));
    }
}
