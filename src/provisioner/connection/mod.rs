//! The connection: its test, its key, its dialect, its status, its end.

pub(super) mod credentials;
pub(super) mod declared;
pub(super) mod defaults;
pub(super) mod dialect;
pub(super) mod discovery;
pub(super) mod gauges;
mod guarded;
pub(super) mod hosts;
mod key_loss;
mod key_text;
pub(super) mod label_loss;
pub(super) mod lessons;
mod object;
pub(super) mod probe;
mod reconcile_request;
pub(super) mod refusal;
pub(super) mod report;
pub(super) mod same_accounts;
mod saving;
pub(super) mod session;
mod sessions;
pub(super) mod shared_state;
pub(super) mod state;
mod termination;
mod write_trouble;

use std::sync::Arc;

use tokio::sync::Notify;

use self::declared::Declared;
use self::label_loss::LabelLoss;
use self::lessons::LearntLessons;
use self::saving::Saving;
use self::session::Session;
use self::sessions::Sessions;
use self::shared_state::SharedState;
use crate::api::ScimConnection;

/// One connection: as it is declared, the way to its server, and what is known of it. Each part locks for itself.
#[derive(Debug)]
pub(super) struct Connection {
    /// As the API server has it.
    pub(super) declared: Declared,
    /// The way to its server.
    pub(super) sessions: Sessions,
    /// What is known of it.
    pub(super) state: SharedState,
    /// What was found out of the server's dialect.
    lessons: LearntLessons,
    /// What is known of a label that another writer removes.
    label_loss: LabelLoss,
    saving: Saving,
    /// The connection, its Secret, or what was seen of the server gives reason to test it.
    test: Notify,
    /// The generation that an earlier process recorded.
    recorded: Option<i64>,
}

impl Connection {
    /// With what its status remembers of an earlier process.
    pub(super) fn new(connection: Arc<ScimConnection>) -> Self {
        let status = connection.status.clone().unwrap_or_default();
        Self {
            recorded: status.observed_generation,
            lessons: LearntLessons::recorded(status.effective.as_ref()),
            state: SharedState::new(status),
            declared: Declared::new(connection),
            sessions: Sessions::default(),
            label_loss: LabelLoss::default(),
            saving: Saving::default(),
            test: Notify::new(),
        }
    }

    /// Whether it has changed since the session before this one, or since an earlier process looked at it: what it is, or
    /// what its key is read from.
    pub(super) fn has_changed(&self, session: &Session) -> bool {
        match self.sessions.last_good() {
            Some(last) => (last.generation, &last.fingerprint) != (session.generation, &session.fingerprint),
            None => self.recorded.is_some_and(|recorded| recorded != session.generation),
        }
    }

    /// Until something gives reason to test it.
    pub(super) async fn test_asked(&self) {
        self.test.notified().await;
    }

    /// Something gives reason to test it.
    pub(super) fn ask_for_test(&self) {
        self.test.notify_one();
    }
}
