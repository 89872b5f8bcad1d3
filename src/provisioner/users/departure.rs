//! Who is deprovisioned is deactivated first, leaves its groups next, and is deleted last (promise I17).

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::events::EventType;
use tracing::debug;

use super::{UserPass, UserStop};
use crate::api::{Action, GroupState, OperationType, Reason, RemoteId, ScimGroup, Uid, UserState, listed};
use crate::directory::full_name;
use crate::plan::{
    ACTIVE, Account, Operation, Path, Read, Step, User, UserDetails, Verdict, deactivate_before, way_out,
};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::engine::{AdmissionRequest, LOOK_AGAIN};
use crate::provisioner::mirror::Mirror as _;
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
        let refused = self.deactivate_first(pass).await?;
        match groups {
            // The deletion alone ends the access, and waits for nothing.
            Some(_) if refused || shows_active(pass) => Ok(()),
            Some(groups) => Err(self.leave_groups(pass, &groups)),
            None => Ok(()),
        }
    }

    /// A read where the form of the write asks for one, then the write. Where nothing comes after it that takes the access
    /// away, it is looked at, and tried in another form if nothing came of it. True: the server refuses it.
    async fn deactivate_first(&self, pass: &mut UserPass) -> Result<bool, UserStop> {
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
                        return Ok(true);
                    }
                    Err(stop) => return Err(stop),
                },
                _ => {
                    if pass.own.unchanged.take().is_some() && pass.own.replaced {
                        self.apply_lessons(&pass.session, [Lesson::Put]);
                    }
                    break;
                }
            }
        }
        Ok(false)
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

    /// The account of a deleted object can't be made inactive, and a person has to see to that: it leaves its groups
    /// meanwhile, which at most servers are the access.
    pub(super) fn leaves_groups_meanwhile(&self, pass: &UserPass, verdict: &Verdict) -> Option<Verdict> {
        let tried = pass.own.removal_refused || pass.own.written.contains(&Path::core(ACTIVE));
        let refused = matches!(verdict.reason, Some(Reason::Rejected | Reason::NotSupported | Reason::Conflict));
        if !(tried && refused && verdict.executed && pass.is_deleting()) {
            return None;
        }
        self.groups_to_leave(pass)?;
        self.submit_departure(pass);
        let message = format!("the account is taken out of its groups meanwhile; {}", verdict.message);
        Some(Verdict { message, ..verdict.clone() })
    }

    /// The groups that the account leaves before the object may go on.
    fn groups_to_leave(&self, pass: &UserPass) -> Option<Vec<String>> {
        let policy = &pass.session.policy;
        let id = pass.bound_id()?;
        if !pass.is_deleting() || policy.suspend || !policy.actions.contains(&Action::Update) {
            return None;
        }
        let (told, left) = self.directory.groups_left(&pass.object, &id.into(), &policy.server);
        let late = told && self.notes.leaves_for_long(&pass.uid(), self.effects.now());
        let left: Vec<String> =
            left.iter().filter(|group| self.is_waited_for(group, told, late)).map(|group| group.name_any()).collect();
        (!left.is_empty()).then_some(left)
    }

    /// The group may still let the account go. Once it had its turn and couldn't, or took too `late`, nobody waits for it: the
    /// removal of the account itself would otherwise be kept up by a group that needs a person (promise I15).
    fn is_waited_for(&self, group: &ScimGroup, told: bool, late: bool) -> bool {
        if self.is_gone_at_server(group) {
            return false;
        }
        if !told || self.schedule.is_due(&Uid::of(&group.metadata)) {
            return true;
        }
        let state = group.status.as_ref().and_then(|status| status.state);
        !late && !matches!(state, Some(GroupState::Failed | GroupState::DeletedAtServer))
    }

    /// The group is known to be gone: nobody can be taken out of it.
    fn is_gone_at_server(&self, group: &ScimGroup) -> bool {
        let Some(status) = group.status.as_ref().filter(|status| status.state == Some(GroupState::DeletedAtServer))
        else {
            return false;
        };
        let shows = |id: &str| self.mirror.groups.look(|known| known.shows(id));
        !status.id.as_deref().is_some_and(shows)
    }

    fn leave_groups(&self, pass: &UserPass, groups: &[String]) -> UserStop {
        self.submit_departure(pass);
        let named = groups.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        let verdict = Verdict {
            reason: Some(Reason::Pending),
            message: format!(
                "the account leaves its groups ({} left: {named}). {}",
                groups.len(),
                way_out::<User>(&full_name(&pass.object))
            ),
            state: Some(UserState::Deleting),
            details: UserDetails { active: Some(false), ..UserDetails::default() },
            ..Verdict::default()
        };
        UserStop::With(Box::new(verdict), Outcome::After(LOOK_AGAIN))
    }

    /// The account is taken out of every group that it is in.
    fn submit_departure(&self, pass: &UserPass) {
        let id = pass.status.id.as_deref().unwrap_or_default();
        let departing = self.directory.depart(&pass.object, &id.into());
        let departing = departing.into_iter().map(|uid| (uid, Lane::Removal));
        self.schedule.submit_all(departing, true, self.effects.instant());
    }

    /// The object goes and its account stays: in its groups, too, for one `resyncInterval` (promise I18). That
    /// outlives this process only if it is written down. So does that it is owed a group's letting it go.
    pub(super) async fn note_vanishing(&self, pass: &UserPass) -> bool {
        let Some(id) = pass.bound_id().map(RemoteId::from) else { return true };
        let (told, mut left) = self.directory.groups_left(&pass.object, &id, pass.server());
        if !told {
            return self.note_leaving(&pass.session, &id).await;
        }
        left.retain(|group| !self.is_gone_at_server(group));
        if left.is_empty() {
            return true;
        }
        self.tell_of_groups(pass, &left).await;
        // With its account gone, it is in none by what the server says.
        matches!(pass.account, Some(Account::Absent { .. })) || self.note_leaving(&pass.session, &id).await
    }

    async fn tell_of_groups(&self, pass: &UserPass, groups: &[Arc<ScimGroup>]) {
        let named = listed(&groups.iter().map(full_name).collect::<Vec<_>>(), 5);
        let note = format!(
            "the account may still be a member of {named}: it could not be taken out, and its removal didn't wait for that. \
             The condition of the ScimGroup says why; look at the group at the server"
        );
        self.tell(pass, EventType::Warning, "StaysInGroups", &note).await;
    }
}

/// The server shows the account as active.
fn shows_active(pass: &UserPass) -> bool {
    matches!(&pass.account, Some(Account::Found { resource, .. }) if resource.active() == Some(true))
}
