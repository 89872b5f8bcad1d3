//! A label that another writer takes off the Secret again and again, as External Secrets does with what isn't in its
//! template: the last good key stays in use for a while, and it is said once.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::refusal::{Refusal, Unlabelled};
use crate::api::CREDENTIALS_LABEL;
use crate::provisioner::effects::Effects;
use crate::provisioner::{Provisioner, lock};

/// So long the last good key stays in use without the label; and so long after its return it is told who removed it.
const GRACE: Duration = Duration::from_secs(600);

/// What is known of a label that is removed by another writer.
#[derive(Debug, Default)]
pub struct LabelLoss(Mutex<Option<Loss>>);

#[derive(Debug)]
struct Loss {
    /// Since when the label has been absent; none while it is there.
    since: Option<Instant>,
    /// When it was last seen absent.
    last: Instant,
    message: String,
}

impl LabelLoss {
    /// The label is absent. What is told meanwhile; none where the time is over.
    fn absent(&self, unlabelled: &Unlabelled, now: Instant) -> Option<String> {
        let mut loss = lock(&self.0);
        let loss = loss.get_or_insert_with(|| Loss { since: None, last: now, message: told(unlabelled) });
        loss.last = now;
        let since = *loss.since.get_or_insert(now);
        (now.duration_since(since) < GRACE).then(|| loss.message.clone())
    }

    /// The label is there. What is still to be told.
    fn present(&self, now: Instant) -> Option<String> {
        let mut known = lock(&self.0);
        let loss = known.as_mut()?;
        loss.since = None;
        if now.duration_since(loss.last) < GRACE {
            return Some(loss.message.clone());
        }
        *known = None;
        None
    }

    /// When it is to be looked at again.
    fn again(&self, now: Instant) -> Option<Duration> {
        let loss = lock(&self.0);
        let loss = loss.as_ref()?;
        Some((loss.since.unwrap_or(loss.last) + GRACE).saturating_duration_since(now).max(Duration::from_secs(1)))
    }
}

fn told(unlabelled: &Unlabelled) -> String {
    let Unlabelled { secret, writer, .. } = unlabelled;
    let writer = writer.as_deref().unwrap_or("another writer");
    format!(
        "the label {CREDENTIALS_LABEL} was taken off the Secret {secret}, which {writer} writes; the last good key stays in use \
         for {} minutes after each time. Have that writer set the label: an ExternalSecret has it in \
         spec.target.template.metadata.labels",
        GRACE.as_secs() / 60
    )
}

impl<E: Effects> Provisioner<E> {
    /// The Secret of the key in use has lost its label. Where a controller writes it, and puts back its own set of labels, the
    /// key stays in use for a while, and this is told; where people do, by kubectl, they mean it.
    pub(super) fn label_removed(&self, refusal: &Refusal) -> Option<String> {
        let unlabelled = refusal.unlabelled.as_ref()?;
        let session = self.session()?;
        let same = session.fingerprint.contains(&unlabelled.mark);
        unlabelled.controller().filter(|_| same)?;
        self.connection.label_loss.absent(unlabelled, self.effects.instant())
    }

    /// The label is there again. What is told for a while longer, so that the condition doesn't change with each time.
    pub(super) fn label_was_removed(&self) -> Option<String> {
        self.connection.label_loss.present(self.effects.instant())
    }

    /// When the label is to be looked at again.
    pub(super) fn label_again(&self) -> Option<Duration> {
        self.connection.label_loss.again(self.effects.instant())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unlabelled() -> Unlabelled {
        let writer = Some("externalsecrets.external-secrets.io/key".to_owned());
        Unlabelled { mark: String::new(), secret: "identity/key".to_owned(), writer }
    }

    #[test]
    fn i23_a_label_that_comes_and_goes_is_told_of_once_and_not_for_ever() {
        let (loss, began) = (LabelLoss::default(), Instant::now());
        let at = |seconds| began + Duration::from_secs(seconds);
        assert_eq!(loss.present(at(0)), None);
        let said = loss.absent(&unlabelled(), at(0)).expect("the key stays in use");
        assert!(
            said.contains("which externalsecrets.external-secrets.io/key writes")
                && said.contains("spec.target.template")
        );
        assert_eq!(loss.absent(&unlabelled(), at(599)), Some(said.clone()));
        // It comes and goes: one and the same words, and the time begins anew.
        assert_eq!(loss.present(at(599)), Some(said.clone()));
        assert_eq!(loss.absent(&unlabelled(), at(700)), Some(said.clone()));
        assert_eq!(loss.again(at(700)), Some(GRACE));
        assert_eq!(loss.absent(&unlabelled(), at(1300)), None, "it stays away");
        assert_eq!(loss.present(at(1400)), Some(said));
        assert_eq!(loss.present(at(1900)), None);
        assert_eq!(loss.again(at(1900)), None);
    }
}
