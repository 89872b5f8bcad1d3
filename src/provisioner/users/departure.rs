//! Who is deprovisioned is deactivated first, leaves its groups next, and is deleted last (promise I17).

use std::collections::BTreeSet;

use tracing::debug;

use super::{UserPass, UserStop};
use crate::api::{Action, OperationType, Reason, RemoteId, UserState};
use crate::directory::full_name;
use crate::plan::{ACTIVE, Operation, Path, Read, Step, UserDetails, Verdict, deactivate_before, way_out};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::engine::{AdmissionRequest, LOOK_AGAIN};
use crate::provisioner::schedule::queue::{Lane, Outcome};
use crate::scim::Lesson;

/// A read and a write, a look at it, and the same in another form.
const MOST_STEPS: usize = 7;

impl<E: Effects> Provisioner<E> {
    /// An account is about to be deleted: while it is in groups of ours it is deactivated first, and leaves them.
    pub(super) async fn before_deletion(&self, pass: &mut UserPass, operation: &Operation) -> Result<(), UserStop> {
        let groups = self.groups_to_leave(pass);
        if groups.is_none() && !pass.own.deactivates_first {
            return Ok(());
        }
        // One admission for all of it: it is one removal.
        self.admit(pass, AdmissionRequest::of(operation)).await?;
        self.deactivate_first(pass).await?;
        groups.map_or(Ok(()), |groups| Err(self.leave_groups(pass, &groups)))
    }

    /// A read where the form of the write asks for one, then the write. Where nothing comes after it that takes the access
    /// away, it is looked at, and tried in another form if nothing came of it.
    async fn deactivate_first(&self, pass: &mut UserPass) -> Result<(), UserStop> {
        let active = Path::core(ACTIVE);
        for _ in 0..MOST_STEPS {
            match self.with_facts(pass, self.effects.now(), deactivate_before) {
                Some(Step::Read(Read::Get(id))) => self.read(pass, &id).await?,
                Some(Step::Send(_)) if pass.own.written.contains(&active) => {
                    if !self.begins_to_replace(pass, BTreeSet::from([active.clone()])) {
                        break;
                    }
                }
                Some(Step::Send(first)) => match self.send(pass, *first).await {
                    Ok(_) if pass.own.deactivates_first => {}
                    Ok(_) => break,
                    // Refused for good: what comes after it isn't, and takes the access away as well.
                    Err(UserStop::With(verdict, _)) if verdict.executed => {
                        debug!("not deactivated first: {}", verdict.message);
                        break;
                    }
                    Err(stop) => return Err(stop),
                },
                _ => {
                    if pass.own.unchanged.take().is_some() {
                        self.apply_lessons(&pass.session, [Lesson::Put]);
                    }
                    break;
                }
            }
        }
        Ok(())
    }

    /// The server refuses to delete the account: whoever has it loses their access all the same, and it is tried once more
    /// then. False where it is inactive already.
    pub(super) fn deactivates_first(&self, pass: &mut UserPass, operation: &Operation) -> bool {
        let refused = operation.kind == OperationType::Delete && !pass.own.deactivates_first;
        let owed = refused && self.with_facts(pass, self.effects.now(), deactivate_before).is_some();
        pass.own.deactivates_first |= owed;
        owed
    }

    /// The object is about to go, its account inactive or gone: its groups are left first.
    pub(super) fn before_going(&self, pass: &UserPass) -> Result<(), UserStop> {
        match self.groups_to_leave(pass) {
            Some(groups) => Err(self.leave_groups(pass, &groups)),
            None => Ok(()),
        }
    }

    fn groups_to_leave(&self, pass: &UserPass) -> Option<Vec<String>> {
        let policy = &pass.session.policy;
        let id = pass.status.id.as_deref().filter(|_| pass.status.bound_to.as_deref() == Some(&policy.server))?;
        if !pass.is_deleting() || policy.suspend || !policy.actions.contains(&Action::Update) {
            return None;
        }
        let (_, left) = self.directory.groups_left(&pass.object, &id.into(), &policy.server);
        (!left.is_empty()).then_some(left)
    }

    fn leave_groups(&self, pass: &UserPass, groups: &[String]) -> UserStop {
        let id = pass.status.id.as_deref().unwrap_or_default();
        let departing = self.directory.depart(&pass.object, &id.into());
        let departing = departing.into_iter().map(|uid| (uid, Lane::Removal));
        self.schedule.submit_all(departing, true, self.effects.instant());
        let named = groups.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        let verdict = Verdict {
            reason: Some(Reason::Pending),
            message: format!(
                "the account leaves its groups ({} left: {named}). {}",
                groups.len(),
                way_out(&full_name(&pass.object))
            ),
            state: Some(UserState::Deleting),
            details: UserDetails { active: Some(false), ..UserDetails::default() },
            ..Verdict::default()
        };
        UserStop::With(Box::new(verdict), Outcome::After(LOOK_AGAIN))
    }

    /// The object goes and its account stays: in its groups, too, for one `resyncInterval` (promise I18). That
    /// outlives this process only if it is written down.
    pub(super) async fn note_vanishing(&self, pass: &UserPass) -> bool {
        let server = &pass.session.policy.server;
        let Some(id) =
            pass.status.id.as_deref().map(RemoteId::from).filter(|_| pass.status.bound_to.as_ref() == Some(server))
        else {
            return true;
        };
        self.directory.groups_left(&pass.object, &id, server).0 || self.note_leaving(&pass.session, &id).await
    }
}
