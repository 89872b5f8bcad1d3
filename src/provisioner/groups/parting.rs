//! Who is deprovisioned is deactivated first, leaves its groups next, and is deleted last (promise I17).

use std::time::Duration;

use tracing::{debug, warn};

use super::super::admission::Wanted;
use super::super::directory::{full_name, is_deleting};
use super::super::effects::Effects;
use super::super::queue::{Lane, Outcome};
use super::super::worker::{Pass, Stop};
use super::super::{Provisioner, lock};
use crate::api::{Action, MOST_LEAVING, Reason, UserState};
use crate::plan::{Operation, Read, Step, Verdict, deactivate_before, way_out};

impl<E: Effects> Provisioner<E> {
    /// An account is about to be deleted: while it is in groups of ours it is deactivated first, and leaves them.
    pub(in super::super) async fn before_deletion(&self, pass: &mut Pass, operation: &Operation) -> Result<(), Stop> {
        let Some(groups) = self.groups_to_leave(pass) else { return Ok(()) };
        // One leave for all of it: it is one removal.
        self.ask_leave(pass, Wanted::of(operation)).await?;
        // A read where the form of the write asks for one, then the write.
        for _ in 0..2 {
            match self.with_facts(pass, self.effects.now(), deactivate_before) {
                Some(Step::Read(Read::Get(id))) => self.read_account(pass, &id).await?,
                Some(Step::Send(first)) => {
                    match self.send(pass, *first).await {
                        // Refused for good: what comes after it isn't, and takes the access away as well.
                        Err(Stop::With(verdict, _)) if verdict.executed => {
                            debug!(object = %full_name(&pass.user), "not deactivated first: {}", verdict.message);
                        }
                        ended => ended?,
                    }
                    break;
                }
                _ => break,
            }
        }
        Err(self.leave_groups(pass, &groups))
    }

    /// The object is about to go, its account inactive or gone: its groups are left first.
    pub(in super::super) fn before_going(&self, pass: &Pass) -> Result<(), Stop> {
        match self.groups_to_leave(pass) {
            Some(groups) => Err(self.leave_groups(pass, &groups)),
            None => Ok(()),
        }
    }

    fn groups_to_leave(&self, pass: &Pass) -> Option<Vec<String>> {
        let policy = &pass.session.policy;
        let id = pass.status.id.as_deref().filter(|_| pass.status.bound_to.as_deref() == Some(&policy.server))?;
        if !is_deleting(&pass.user) || policy.suspend || !policy.actions.contains(&Action::Update) {
            return None;
        }
        let (_, left) = self.directory.groups_left(&pass.user, id, &policy.server);
        (!left.is_empty()).then_some(left)
    }

    fn leave_groups(&self, pass: &Pass, groups: &[String]) -> Stop {
        let id = pass.status.id.clone().unwrap_or_default();
        let now = self.effects.instant();
        for uid in self.directory.depart(&pass.user, &id) {
            lock(&self.queue).submit(&uid, Lane::Removal, true, now);
        }
        self.wake.notify_one();
        let named = groups.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        let verdict = Verdict {
            reason: Some(Reason::Pending),
            message: format!(
                "the account leaves its groups ({} left: {named}). {}",
                groups.len(),
                way_out(&full_name(&pass.user))
            ),
            state: Some(UserState::Deleting),
            active: Some(false),
            ..Verdict::default()
        };
        Stop::With(Box::new(verdict), Outcome::After(Duration::from_secs(61)))
    }

    /// The object goes and its account stays: in its groups, too, for one `resyncInterval` (promise I18). That
    /// outlives this process only if it is written down.
    pub(in super::super) async fn note_vanishing(&self, pass: &Pass) -> bool {
        let server = &pass.session.policy.server;
        let Some(id) = pass.status.id.clone().filter(|_| pass.status.bound_to.as_ref() == Some(server)) else {
            return true;
        };
        let directory = &self.directory;
        if directory.groups_left(&pass.user, &id, server).0 {
            return true;
        }
        for group in directory.groups_with(&self.key, &id) {
            let leaving = group.status.as_ref().and_then(|status| status.leaving.as_ref());
            if leaving.is_some_and(|leaving| leaving.len() >= MOST_LEAVING && !leaving.contains_key(&id)) {
                // Whoever is let go is never kept for want of room: this process remembers it all the same.
                warn!(object = %full_name(&pass.user), "its group has no room to note that it goes");
                continue;
            }
            if !self.leaving(&group, vec![(id.clone(), Some(self.effects.now()))]).await {
                debug!(object = %full_name(&pass.user), "it stays until its groups know that it goes");
                return false;
            }
        }
        true
    }
}
