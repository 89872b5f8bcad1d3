//! The writes to the API server about one object: finalizer and status.

use kube::ResourceExt;

use super::effects::Effects;
use super::{Provisioner, lock};
use crate::api::{ClaimedAccount, ScimUser, ScimUserStatus};

/// Our name in `managedFields`.
pub const FIELD_MANAGER: &str = "scim-operator";

/// Why a write to the API server did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The object is gone, or is another one under the same name.
    #[error("the object is gone")]
    Gone,
    /// The API server didn't take it.
    #[error("the API server didn't take the write: {0}")]
    Refused(#[from] Box<kube::Error>),
}

impl WriteError {
    /// The object had changed meanwhile: no failure of the API server.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused(error) if matches!(&**error, kube::Error::Api(status) if status.code == 409))
    }
}

pub(super) fn classify(error: kube::Error) -> WriteError {
    match &error {
        kube::Error::Api(status) if status.code == 404 => WriteError::Gone,
        // Server-side apply with the uid of an object that isn't there any more.
        kube::Error::Api(status) if status.code == 409 && status.message.contains("uid") => WriteError::Gone,
        _ => WriteError::Refused(Box::new(error)),
    }
}

impl<E: Effects> Provisioner<E> {
    /// Writes the status.
    pub(super) async fn write_status(&self, user: &ScimUser, status: &ScimUserStatus) -> Result<ScimUser, WriteError> {
        let written = self.effects.write_user(user, status).await?;
        self.learn(&written);
        Ok(written)
    }

    /// Adds or takes off our finalizer, and nobody else's; the account that the object claims goes with it.
    pub(super) async fn set_finalizer(
        &self,
        user: &ScimUser,
        present: bool,
        claimed: Option<&ClaimedAccount>,
    ) -> Result<ScimUser, WriteError> {
        let written = self.effects.claim_user(user, present, claimed).await?;
        self.learn(&written);
        Ok(written)
    }

    /// The answer to a write is as good as a watch event.
    fn learn(&self, written: &ScimUser) {
        for uid in self.directory.learn(written.clone()) {
            // The receiver lives as long as the controller does.
            let _ = self.reroute.send(uid);
        }
    }

    /// Writes the status if it differs; what the API server doesn't take is kept and tried again alone.
    pub(super) async fn save(&self, user: &ScimUser, status: &ScimUserStatus) -> Result<(), WriteError> {
        if user.status.as_ref() == Some(status) {
            return Ok(());
        }
        let uid = user.uid().unwrap_or_default();
        match self.write_status(user, status).await {
            Ok(_) => {
                lock(&self.memory).saved(&uid);
                Ok(())
            }
            Err(error) => {
                if matches!(error, WriteError::Refused(_)) {
                    self.metrics.kubernetes_error(&self.key.to_string());
                    lock(&self.memory).keep_unsaved(&uid, status.clone());
                }
                Err(error)
            }
        }
    }
}
