//! Groups at work: the same queue and the same gate as for users, one write in flight a group.

mod admission;
mod claim;
mod created;
mod look;
mod members;
mod pace;
mod parting;
mod plan;
mod probe;
mod record;
mod send;
mod settle;
mod store;
mod sweep;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use tracing::{info, warn};

use self::settle::at_server;
pub use self::store::Store;
use super::effects::Effects;
use super::export::lane_name;
use super::queue::{Lane, Outcome, Ticket};
use super::session::Session;
use super::worker::UNSERVED;
use super::{Provisioner, lock};
use crate::api::{
    FINALIZER, GroupState, GroupsStatus, OperationType, RECONCILE_REQUESTED_AT, Reason, ScimGroup, ScimGroupStatus,
};
use crate::plan::groups::{GroupStep, GroupVerdict, Id};
use crate::plan::{Account, Binding, Creations, Read};
use crate::provisioner::directory::connection_of_group;
use crate::status::Recorded;

/// Steps of one pass; a plan that needs more doesn't converge, and that is a defect.
const MOST_STEPS: usize = 16;

/// `namespace/name` of a group.
pub fn full_name(group: &ScimGroup) -> String {
    format!("{}/{}", group.namespace().unwrap_or_default(), group.name_any())
}

pub(super) fn is_deleting(group: &ScimGroup) -> bool {
    group.metadata.deletion_timestamp.is_some()
}

pub(super) fn has_finalizer(group: &ScimGroup) -> bool {
    group.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// What one pass has gathered about its group.
pub(super) struct GroupPass {
    pub group: Arc<ScimGroup>,
    pub status: ScimGroupStatus,
    pub session: Arc<Session>,
    pub account: Option<Account>,
    pub sent: BTreeSet<Id>,
    /// Members whose accounts were asked for.
    pub looked_at: BTreeSet<Id>,
    pub written: bool,
    /// Removals wait for leave, and so the pass ends with this.
    /// A request that removed and added was refused: what is removed goes by itself.
    pub apart: bool,
    pub removals: Option<(Box<GroupVerdict>, Outcome)>,
    pub recorded: Recorded,
    pub looked_up_after_conflict: bool,
    pub finalizer_is_new: bool,
    /// What it came to know of creations.
    pub creations: Creations,
}

impl GroupPass {
    fn new(group: Arc<ScimGroup>, status: ScimGroupStatus, session: Arc<Session>) -> Self {
        let asked = group.annotations().get(RECONCILE_REQUESTED_AT);
        // As long as status takes.
        let asked = asked.map(|asked| asked.chars().take(256).collect::<String>());
        let answered = asked.filter(|asked| status.last_handled_reconcile_at.as_ref() != Some(asked));
        Self {
            group,
            status,
            session,
            account: None,
            sent: BTreeSet::new(),
            looked_at: BTreeSet::new(),
            written: false,
            removals: None,
            apart: false,
            recorded: Recorded { answered, ..Recorded::default() },
            looked_up_after_conflict: false,
            finalizer_is_new: false,
            creations: Creations::default(),
        }
    }

    pub fn uid(&self) -> String {
        self.group.uid().unwrap_or_default()
    }
}

/// How a pass ends before its plan does.
pub(super) enum GroupStop {
    /// With this verdict in status, and this outcome for the ticket.
    With(Box<GroupVerdict>, Outcome),
    /// Without a word in status.
    Silently(Outcome),
    /// The object goes, and its group stays as it is.
    LetGo(Box<GroupVerdict>),
}

impl<E: Effects> Provisioner<E> {
    /// A group is to be looked at.
    pub fn submit_group(&self, group: &ScimGroup, fresh: bool) {
        let Some(uid) = group.uid() else { return };
        let lane = self.lane_of_group(group);
        self.metrics.submitted(&self.key.to_string(), lane_name(lane));
        lock(&self.queue).submit(&uid.as_str().into(), lane, fresh, self.effects.instant());
        self.wake.notify_one();
    }

    /// Members who leave lose access: that comes first, as removals do.
    fn lane_of_group(&self, group: &ScimGroup) -> Lane {
        let uid = group.uid().unwrap_or_default();
        let status = group.status.as_ref();
        let leave = self.directory.membership(&uid, |members| !members.extra().is_empty()).unwrap_or(false);
        if is_deleting(group) || leave {
            Lane::Removal
        } else if status.and_then(|status| status.id.as_ref()).is_none() {
            Lane::Create
        } else {
            Lane::Change
        }
    }

    /// Works on one group's ticket.
    pub(super) async fn work_group(&self, ticket: &Ticket, group: Arc<ScimGroup>) -> Outcome {
        if connection_of_group(&group) != self.key {
            return Outcome::Done;
        }
        let Some(session) = self.session() else {
            let why = lock(&self.report).why_not_connected();
            return self.group_waits(&group, Reason::ConnectionNotReady, &why).await;
        };
        if self.serves_removals_only() {
            let why = lock(&self.report).why_not_connected();
            self.group_waits(&group, Reason::ConnectionNotReady, &why).await;
            return UNSERVED;
        }
        if self.connection().metadata.deletion_timestamp.is_some() && !is_deleting(&group) {
            let why = "the connection is under deletion and serves removals only";
            self.group_waits(&group, Reason::ConnectionNotReady, why).await;
            return UNSERVED;
        }
        if ticket.for_status {
            return self.group_waits(&group, Reason::Pending, "queued behind other work for this connection").await;
        }
        let uid = group.uid().unwrap_or_default();
        let unsaved = lock(&self.groups).unsaved.get(&uid).cloned();
        let status = unsaved.or_else(|| group.status.clone()).unwrap_or_default();
        if status.observed_generation != group.metadata.generation && ticket.attempt == 0 {
            lock(&self.memory).new_generation(&uid);
        }
        let mut pass = GroupPass::new(group, status, session);
        self.prepare(&pass);
        if !self.flush_record(&mut pass).await {
            return Outcome::Retry;
        }
        let outcome = self.carry_group_through(&mut pass).await;
        // A group that no status names yet stays reserved.
        if !lock(&self.groups).unsaved.contains_key(&uid) {
            self.directory.release(&uid);
        }
        lock(&self.groups).sightings.end_search(&uid);
        outcome
    }

    async fn carry_group_through(&self, pass: &mut GroupPass) -> Outcome {
        for _ in 0..MOST_STEPS {
            match self.group_step(pass).await {
                Ok(None) => {}
                Ok(Some(outcome)) => return outcome,
                Err(GroupStop::Silently(outcome)) => {
                    if pass.recorded.operation.is_some() {
                        return self.settle_group(pass, &GroupVerdict::default(), outcome).await;
                    }
                    return outcome;
                }
                Err(GroupStop::With(verdict, outcome)) => return self.settle_group(pass, &verdict, outcome).await,
                Err(GroupStop::LetGo(verdict)) => return self.let_group_go(pass, &verdict).await,
            }
        }
        warn!(object = %full_name(&pass.group), "the plan does not converge; it is tried again later");
        Outcome::Retry
    }

    async fn group_step(&self, pass: &mut GroupPass) -> Result<Option<Outcome>, GroupStop> {
        self.look_at_members(pass).await?;
        match self.plan_group(pass) {
            GroupStep::Read(Read::Get(id)) | GroupStep::ReadMembers(id) => self.read_group(pass, &id).await?,
            GroupStep::Read(Read::Find) => self.find_group(pass).await?,
            GroupStep::Bind(binding) => {
                self.ask_leave_to_bind_group(pass, &binding).await?;
                if self.reserve_group(pass, &binding.id, &GroupStep::Bind(binding.clone()))? {
                    self.bind_group(pass, &binding).await?;
                }
            }
            GroupStep::Send(operation) => {
                // Nobody takes the group over while it is deleted.
                let target = operation.request.target().filter(|_| is_deleting(&pass.group)).map(str::to_owned);
                if let Some(id) = target
                    && !self.reserve_group(pass, &id, &GroupStep::Send(operation.clone()))?
                {
                    return Ok(None);
                }
                if self.ask_leave_for_group(pass, &operation).await? {
                    return self.send_group(pass, *operation).await;
                }
            }
            GroupStep::Settle(verdict) => {
                if self.gives_up(pass, &verdict) {
                    return Ok(None);
                }
                // What a creation was answered with didn't become its own.
                if pass.creations.answered.is_some() && pass.status.id.is_none() {
                    self.take_back_group_claim(pass).await?;
                }
                let (verdict, outcome) = self.end_of_group(pass, verdict);
                return Ok(Some(self.settle_group(pass, &verdict, outcome).await));
            }
            GroupStep::LetGo(verdict) => return Ok(Some(self.let_group_go(pass, &verdict).await)),
        }
        Ok(None)
    }

    /// Nobody else takes over or deletes the group meanwhile; false where something has changed before that.
    fn reserve_group(&self, pass: &GroupPass, id: &str, step: &GroupStep) -> Result<bool, GroupStop> {
        let server = &pass.session.policy.server;
        if !self.directory.reserve_group(server, id, &pass.uid().into()) {
            return Err(GroupStop::Silently(Outcome::After(Duration::from_secs(1))));
        }
        Ok(self.plan_group(pass) == *step)
    }

    /// The object takes the group for its own: finalizer first, so that nothing is forgotten.
    async fn bind_group(&self, pass: &mut GroupPass, binding: &Binding) -> Result<(), GroupStop> {
        self.claim_group(pass, &binding.user_name).await?;
        info!(object = %full_name(&pass.group), id = %binding.id, how = ?binding.how, "bound to a group");
        if let Some(old) = pass.status.id.clone().filter(|old| *old != binding.id)
            && pass.status.bound_to.as_ref() == Some(&pass.session.policy.server)
        {
            self.tell_of_new_ids(&full_name(&pass.group), &old, &binding.id);
        }
        pass.recorded.operation = Some((binding.how, Vec::new(), None));
        pass.status = at_server(&pass.status, &pass.session.policy.server);
        pass.status.id = Some(binding.id.clone());
        pass.status.display_name = Some(binding.user_name.clone());
        // Of this group nothing is known to be as declared.
        pass.status.applied_attributes = Some(String::new());
        self.directory.membership(&pass.uid(), |members| {
            members.forget();
            if binding.how == OperationType::Create {
                members.begin_empty();
            }
        });
        Ok(())
    }

    /// The groups of the connection, counted; none where there are none.
    pub(super) fn count_groups(&self) -> Option<GroupsStatus> {
        let mut groups = GroupsStatus::default();
        for group in self.directory.groups_of(&self.key) {
            groups.declared += 1;
            let status = group.status.as_ref();
            let conditions = status.and_then(|status| status.conditions.as_ref()).into_iter().flatten();
            let ready = conditions.clone().find(|known| known.type_ == "Ready").map(|ready| ready.status.as_str());
            let current = status.and_then(|status| status.observed_generation) == group.metadata.generation;
            match (ready, status.and_then(|status| status.state)) {
                (_, Some(GroupState::Held | GroupState::Planned)) => groups.held += 1,
                (Some("True"), _) if current => groups.synced += 1,
                (_, Some(GroupState::Failed | GroupState::DeletedAtServer)) => groups.failed += 1,
                _ => groups.pending += 1,
            }
        }
        (groups.declared > 0).then_some(groups)
    }
}
