//! The series of a connection: there from its beginning, gone with its end.

use std::time::Duration;

use super::{
    Connection, GUARDS, Guard, HELD, LANES, Lane, METHODS, Method, Metrics, OPERATIONS, OUTCOMES, Outcome, REASONS,
    Reason, STATES, State, Type, requests,
};

impl Metrics {
    /// A connection begins: all its series are there.
    pub fn begin(&self, connection: &str) {
        for method in &METHODS[..5] {
            drop(self.request_duration.get_or_create(&Method::new(connection, method)));
        }
        drop(self.requests.get_or_create(&requests(connection, "GET", "200".to_owned())));
        for family in [&self.wait_duration, &self.pass_duration] {
            drop(family.get_or_create(&Connection::new(connection)));
        }
        drop(self.kubernetes_errors.get_or_create(&Connection::new(connection)));
        for lane in LANES {
            drop(self.submitted.get_or_create(&Lane::new(connection, lane)));
            self.queue(connection, lane, 0, Duration::ZERO);
        }
        for name in OUTCOMES {
            drop(self.passes.get_or_create(&Outcome::new(connection, name)));
        }
        for name in OPERATIONS {
            drop(self.operations.get_or_create(&Type::new(connection, name)));
        }
        for name in REASONS {
            drop(self.errors.get_or_create(&Reason::new(connection, name)));
        }
        for name in STATES {
            self.users(connection, name, 0);
        }
        for name in GUARDS {
            self.guard(connection, name, 0, 0);
        }
        self.holds(connection, 0, [0; 5]);
        self.begin_groups(connection);
        self.accounts(connection, 0, 0);
        self.connection(connection, false, false, false);
        self.sweep(connection, Duration::ZERO);
        self.key(connection, None, None, false);
    }

    /// A connection is gone, and all its series with it.
    pub fn end(&self, connection: &str) {
        let codes = (100..=599).map(|code| code.to_string()).chain(["other".to_owned(), "none".to_owned()]);
        for code in codes {
            for method in METHODS {
                self.requests.remove(&requests(connection, method, code.clone()));
            }
        }
        for name in METHODS {
            self.request_duration.remove(&Method::new(connection, name));
        }
        for lane in LANES {
            let label = Lane::new(connection, lane);
            let _ = (self.submitted.remove(&label), self.queue_depth.remove(&label), self.queue_age.remove(&label));
        }
        for name in OUTCOMES {
            self.passes.remove(&Outcome::new(connection, name));
        }
        for name in OPERATIONS {
            self.operations.remove(&Type::new(connection, name));
        }
        for name in HELD {
            self.held.remove(&Type::new(connection, name));
        }
        for name in REASONS {
            self.errors.remove(&Reason::new(connection, name));
        }
        for name in STATES {
            self.users.remove(&State::new(connection, name));
        }
        self.end_groups(connection);
        for guard in GUARDS {
            let label = Guard::new(connection, guard);
            let _ = (self.guard_used.remove(&label), self.guard_limit.remove(&label));
        }
        let label = Connection::new(connection);
        let _ = (self.wait_duration.remove(&label), self.pass_duration.remove(&label));
        self.kubernetes_errors.remove(&label);
        for family in [
            &self.paused,
            &self.drifted,
            &self.unmanaged,
            &self.holds,
            &self.connected,
            &self.quarantined,
            &self.key_refused,
        ] {
            family.remove(&label);
        }
        for family in [&self.sweep_duration, &self.sweep_completed, &self.key_changed, &self.key_expires] {
            family.remove(&label);
        }
    }
}
