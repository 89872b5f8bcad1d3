//! Metrics of groups.

use super::{Metrics, STATES, State, Type};

const CHANGES: [&str; 2] = ["added", "removed"];

impl Metrics {
    pub(super) fn begin_groups(&self, connection: &str) {
        for name in STATES {
            self.groups(connection, name, 0);
        }
        self.members(connection, 0, 0);
    }

    pub(super) fn end_groups(&self, connection: &str) {
        for name in STATES {
            self.groups.remove(&State::new(connection, name));
        }
        for name in CHANGES {
            self.memberships.remove(&Type::new(connection, name));
        }
    }

    /// The groups in a state.
    pub fn groups(&self, connection: &str, state: &'static str, count: i64) {
        self.groups.get_or_create(&State::new(connection, state)).set(count);
    }

    /// So many members were put into a group, and so many taken out.
    pub fn members(&self, connection: &str, added: usize, removed: usize) {
        for (name, count) in CHANGES.into_iter().zip([added, removed]) {
            self.memberships
                .get_or_create(&Type::new(connection, name))
                .inc_by(u64::try_from(count).unwrap_or_default());
        }
    }
}
