//! Finalizer and claim of a group: set before anything is sent, so that nothing that was made is forgotten (promise I7).

use tracing::debug;

use super::super::Provisioner;
use super::super::effects::Effects;
use super::super::kubernetes::WriteError;
use super::super::queue::Outcome;
use super::{GroupPass, GroupStop, full_name, has_finalizer, is_deleting};

impl<E: Effects> Provisioner<E> {
    /// The object is about to make, or to take for its own, the group of this displayName.
    pub(super) async fn claim_group(&self, pass: &mut GroupPass, display_name: &str) -> Result<(), GroupStop> {
        if has_finalizer(&pass.group) && pass.group.claimed_group() == Some(display_name) {
            return Ok(());
        }
        let planned = (pass.group.metadata.generation, is_deleting(&pass.group));
        self.refresh(pass);
        if (pass.group.metadata.generation, is_deleting(&pass.group)) != planned {
            // Planned for an older spec: nothing is claimed, nor sent, for what isn't declared any more.
            return Err(GroupStop::Silently(Outcome::Again));
        }
        self.set_group_finalizer(pass, Some(display_name)).await?;
        pass.finalizer_is_new = pass.status.id.is_none();
        Ok(())
    }

    /// The server refused the very first creation: whatever group is found was there before.
    pub(super) async fn take_back_group_claim(&self, pass: &mut GroupPass) -> Result<(), GroupStop> {
        if std::mem::take(&mut pass.finalizer_is_new) {
            self.refresh(pass);
            self.set_group_finalizer(pass, None).await?;
        }
        Ok(())
    }

    /// Sets our finalizer with what is claimed, or takes off both; nobody else's is touched. A version newer than the
    /// pass's is no success: it may say something else.
    pub(super) async fn set_group_finalizer(
        &self,
        pass: &mut GroupPass,
        claimed: Option<&str>,
    ) -> Result<(), GroupStop> {
        match self.effects.claim_group(&pass.group, claimed).await {
            Ok(written) => {
                pass.group = self.learn_group(written);
                Ok(())
            }
            Err(WriteError::Gone) => Err(GroupStop::Silently(Outcome::Done)),
            Err(error) => {
                // A newer version is on its way by watch.
                if !error.is_conflict() {
                    self.metrics.kubernetes_error(&self.key.to_string());
                }
                debug!(object = %full_name(&pass.group), "the finalizer could not be written: {error}");
                Err(GroupStop::Silently(Outcome::Retry))
            }
        }
    }
}
