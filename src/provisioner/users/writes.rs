//! The writes to the API server about one user: finalizer and status.

use crate::api::{ClaimedAccount, ScimUser, ScimUserStatus, Uid};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::kubernetes::WriteError;

impl<E: Effects> Provisioner<E> {
    /// Adds or takes off our finalizer, and nobody else's; the account that the object claims goes with it.
    pub(super) async fn set_finalizer(
        &self,
        user: &ScimUser,
        present: bool,
        claimed: Option<&ClaimedAccount>,
    ) -> Result<ScimUser, WriteError> {
        let written = self.effects.claim_user(user, present, claimed).await?;
        self.apply_written_user(&written);
        Ok(written)
    }

    /// The answer to a write is as good as a watch event.
    fn apply_written_user(&self, written: &ScimUser) {
        self.reroute(self.directory.apply_written(written.clone()));
    }

    /// Writes the status if it differs; what the API server doesn't take is kept and tried again alone.
    pub(super) async fn save_user(&self, user: &ScimUser, status: &ScimUserStatus) -> Result<(), WriteError> {
        let uid = Uid::of(&user.metadata);
        if user.status.as_ref() == Some(status) {
            // What was not taken before is as it was.
            self.user_notes.unsaved.forget(&uid);
            return Ok(());
        }
        match self.effects.write_user(user, status).await {
            Ok(written) => {
                self.apply_written_user(&written);
                self.user_notes.unsaved.forget(&uid);
                Ok(())
            }
            Err(error) => {
                if let WriteError::Refused(error) = &error {
                    self.note_write_failure(error);
                    self.user_notes.unsaved.keep(&uid, status.clone());
                }
                Err(error)
            }
        }
    }
}
