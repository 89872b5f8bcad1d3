//! Groups at work: the same queue and the same gate as for users, one write in flight a group.

mod admission;
mod parting;
mod probe;
mod record;
mod send;
mod store;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use tracing::{debug, info, warn};

pub use self::store::Store;
use super::kubernetes::WriteError;
use super::queue::{Lane, Outcome, Ticket};
use super::session::Session;
use super::snapshot::Known;
use super::worker::{UNSERVED, own_error_pause};
use super::{Provisioner, lock};
use crate::api::{
    FINALIZER, GroupState, GroupsStatus, OperationType, RECONCILE_REQUESTED_AT, Reason, ScimGroup, ScimGroupStatus,
};
use crate::plan::groups::{GroupFacts, GroupObject, GroupStep, GroupVerdict, Id, Members, Source, decide_group};
use crate::plan::{Account, Binding, Path, Read};
use crate::provisioner::directory::connection_of_group;
use crate::scim::{MembersReadable as Readable, fold};
use crate::status::{Recorded, record_group};

/// Steps of one pass; a plan that needs more doesn't converge, and that is a defect.
const MOST_STEPS: usize = 16;

/// While members are still to come, those that came meanwhile are gathered for so long.
const GATHER: Duration = Duration::from_secs(2);

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
    pub written: bool,
    /// Removals wait for leave, and so the pass ends with this.
    pub removals: Option<(Box<GroupVerdict>, Outcome)>,
    pub recorded: Recorded,
    pub looked_up_after_conflict: bool,
    pub finalizer_is_new: bool,
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
            written: false,
            removals: None,
            recorded: Recorded { answered, ..Recorded::default() },
            looked_up_after_conflict: false,
            finalizer_is_new: false,
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

impl Provisioner {
    /// A group is to be looked at.
    pub fn submit_group(&self, group: &ScimGroup, fresh: bool) {
        let Some(uid) = group.uid() else { return };
        let lane = self.lane_of_group(group);
        lock(&self.queue).submit(&uid.as_str().into(), lane, fresh, tokio::time::Instant::now());
        self.wake.notify_one();
    }

    /// Members who leave lose access: that comes first, as removals do.
    fn lane_of_group(&self, group: &ScimGroup) -> Lane {
        let uid = group.uid().unwrap_or_default();
        let status = group.status.as_ref();
        let leave = self.shared.directory.membership(&uid, |members| !members.extra().is_empty()).unwrap_or(false);
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
            lock(&self.groups).drift.remove(&uid);
            self.shared.directory.membership(&uid, crate::plan::groups::Membership::repair);
        }
        let mut pass = GroupPass::new(group, status, session);
        self.prepare(&pass);
        if !self.flush_record(&mut pass).await {
            return Outcome::Retry;
        }
        for _ in 0..MOST_STEPS {
            match self.group_step(&mut pass).await {
                Ok(None) => {}
                Ok(Some(outcome)) => return outcome,
                Err(GroupStop::Silently(outcome)) => {
                    if pass.recorded.operation.is_some() {
                        return self.settle_group(&mut pass, &GroupVerdict::default(), outcome).await;
                    }
                    return outcome;
                }
                Err(GroupStop::With(verdict, outcome)) => return self.settle_group(&mut pass, &verdict, outcome).await,
                Err(GroupStop::LetGo(verdict)) => return self.let_group_go(&mut pass, &verdict).await,
            }
        }
        warn!(object = %full_name(&pass.group), "the plan does not converge; it is tried again later");
        Outcome::Retry
    }

    /// What the profile says of members, and who is known by name alone, come into the directory.
    fn prepare(&self, pass: &GroupPass) {
        let uid = pass.uid();
        let additive = pass.group.spec.membership == crate::api::Membership::Additive;
        let source = match pass.session.policy.profile.members_readable {
            Readable::No | Readable::Probe => Source::Ledger,
            _ if additive => Source::Additive,
            _ => Source::Exact,
        };
        let directory = &self.shared.directory;
        let before = Timestamp::now()
            .checked_sub(SignedDuration::try_from(self.connection().spec.resync_interval.std()).unwrap_or_default())
            .unwrap_or_default();
        directory.membership(&uid, |members| {
            members.set_source(source);
            members.expire(before);
            if pass.session.policy.repair.attributes {
                members.repair();
            }
        });
        let names = pass.group.spec.members.iter().flatten().filter_map(|member| member.user_name.as_deref().map(fold));
        let resolved: BTreeMap<String, Id> = {
            let snapshot = lock(&self.snapshot);
            let find = |name: &str| match snapshot.by_identity(name, None) {
                Known::Found(resource) => resource.id().map(Id::from),
                Known::Listed(id) => Some(id.into()),
                _ => None,
            };
            names.filter_map(|name| find(&name).map(|id| (name, id))).collect()
        };
        directory.resolve(&uid, resolved);
        let ledger = pass.status.removals.iter().flatten();
        let ledger = ledger.map(|bucket| (bucket.at.0, u64::try_from(bucket.count).unwrap_or_default()));
        lock(&self.gate).know_group(&uid, ledger, Timestamp::now());
    }

    async fn group_step(&self, pass: &mut GroupPass) -> Result<Option<Outcome>, GroupStop> {
        match self.plan_group(pass) {
            GroupStep::Read(Read::Get(id)) | GroupStep::ReadMembers(id) => self.read_group(pass, &id).await?,
            GroupStep::Read(Read::Find) => self.find_group(pass).await?,
            GroupStep::Bind(binding) => {
                self.ask_leave_to_bind_group(pass, &binding).await?;
                self.bind_group(pass, &binding).await?;
            }
            GroupStep::Send(operation) => {
                if self.ask_leave_for_group(pass, &operation).await? {
                    return self.send_group(pass, *operation).await;
                }
            }
            GroupStep::Settle(verdict) => {
                let (verdict, outcome) = self.end_of_group(pass, verdict);
                return Ok(Some(self.settle_group(pass, &verdict, outcome).await));
            }
            GroupStep::LetGo(verdict) => return Ok(Some(self.let_group_go(pass, &verdict).await)),
        }
        Ok(None)
    }

    /// How a pass ends that has nothing left to do, or nothing but removals that wait for leave.
    fn end_of_group(&self, pass: &mut GroupPass, verdict: Box<GroupVerdict>) -> (Box<GroupVerdict>, Outcome) {
        if let Some((mut waiting, outcome)) = pass.removals.take() {
            if waiting.reason.is_some() {
                waiting.members = verdict.members;
                waiting.waiting_for.clone_from(&verdict.waiting_for);
            }
            return (waiting, outcome);
        }
        if verdict.executed {
            lock(&self.gate).withdraw(&pass.uid());
            if verdict.drift.is_none() {
                lock(&self.groups).drift.remove(&pass.uid());
            }
        }
        let outcome = self.outcome_of_group(pass, &verdict);
        (verdict, outcome)
    }

    /// The plan for a group as everything stands now.
    pub(super) fn plan_group(&self, pass: &GroupPass) -> GroupStep {
        let uid = pass.uid();
        let policy = &pass.session.policy;
        let server = &policy.server;
        let account = pass.account.clone().unwrap_or_else(|| self.known_group(pass));
        let found = match &account {
            Account::Found { resource, .. } => resource.id().map(str::to_owned),
            _ => None,
        };
        let settled =
            pass.status.id.is_some() && pass.status.display_name.as_ref() == Some(&pass.group.spec.display_name);
        let claims = if settled {
            crate::plan::Claims::default()
        } else {
            self.shared.directory.group_claims(&pass.group, server, found.as_deref())
        };
        let (waiting_for, mut foreign) = self.shared.directory.unfollowed(&uid);
        foreign.splice(0..0, self.refuses_group(&pass.group));
        let (extra, here): (Vec<Id>, Vec<Id>) = self
            .shared
            .directory
            .membership(&uid, |members| {
                let here = if is_deleting(&pass.group) { members.here().cloned().collect() } else { Vec::new() };
                (members.extra().iter().cloned().collect(), here)
            })
            .unwrap_or_default();
        let protected: BTreeSet<Id> = extra.iter().filter(|id| self.protects(pass, id).is_some()).cloned().collect();
        let departed = self.shared.directory.departed(extra.iter());
        let protects = here.iter().find_map(|id| self.protects(pass, id));
        let (drift, unsupported) = {
            let store = lock(&self.groups);
            (store.drift.get(&uid).cloned(), store.unsupported.clone())
        };
        let now = Timestamp::now();
        let contested = !lock(&self.memory).contested(&uid, now).is_empty();
        let step = self.shared.directory.membership(&uid, |membership| {
            decide_group(&GroupFacts {
                object: GroupObject {
                    spec: &pass.group.spec,
                    status: &pass.status,
                    generation: pass.group.metadata.generation.unwrap_or_default(),
                    deleting: is_deleting(&pass.group),
                    has_finalizer: has_finalizer(&pass.group),
                    release: pass.group.wants_release() || self.is_released(),
                    remote_id: pass.group.remote_id(),
                    requested: pass.recorded.answered.is_some(),
                },
                policy,
                group: account.clone(),
                claims,
                members: Members {
                    membership,
                    protected: &protected,
                    protects: protects.as_deref(),
                    departed: &departed,
                    sent: &pass.sent,
                    foreign: &foreign,
                    waiting_for: &waiting_for,
                },
                written: pass.written,
                removals_wait: pass.removals.is_some(),
                drift: drift.as_ref(),
                contested,
                unsupported: unsupported.as_deref(),
                now,
            })
        });
        step.unwrap_or_else(|| GroupStep::Settle(Box::default()))
    }

    /// Why the group may not be served through a cluster connection (promise I26).
    fn refuses_group(&self, group: &ScimGroup) -> Option<String> {
        let delegated = self.shared.directory.delegated(&group.namespace().unwrap_or_default(), &self.key);
        let members = || group.spec.members.iter().flatten();
        let raw = group.remote_id().is_some() || members().any(|member| member.id.is_some());
        let names = members().filter_map(|member| member.user_name.as_deref());
        delegated.refuses_group(&group.spec.display_name, names, raw)
    }

    /// The pattern of `guards.protected` that fits an account, by all that is known of it (promise I14).
    fn protects(&self, pass: &GroupPass, id: &Id) -> Option<String> {
        let protected = &pass.session.policy.protected;
        if protected.is_empty() {
            return None;
        }
        let user = self.shared.directory.bound_to(&self.key, &pass.session.policy.server, id);
        let mut names = vec![id.to_string()];
        if let Some(user) = &user {
            names.push(user.spec.user_name.clone());
            names.extend(user.spec.attributes.emails.iter().flatten().map(|email| email.value.clone()));
        }
        names.extend(lock(&self.snapshot).name_of(id).map(str::to_owned));
        protected.matches(names.iter().map(String::as_str)).map(str::to_owned)
    }

    /// What is known without asking the server.
    fn known_group(&self, pass: &GroupPass) -> Account {
        let store = lock(&self.groups);
        let bound = pass.status.id.as_deref();
        let here = pass.status.bound_to.as_ref() == Some(&pass.session.policy.server);
        match (bound.filter(|_| here), pass.group.remote_id()) {
            (Some(id), _) | (None, Some(id)) => store.by_id(id),
            (None, None) => store.by_name(&pass.group.spec.display_name),
        }
    }

    /// The object takes the group for its own: finalizer first, so that nothing is forgotten.
    async fn bind_group(&self, pass: &mut GroupPass, binding: &Binding) -> Result<(), GroupStop> {
        self.add_group_finalizer(pass).await?;
        info!(object = %full_name(&pass.group), id = %binding.id, how = ?binding.how, "bound to a group");
        pass.recorded.operation = Some((binding.how, Vec::new(), None));
        pass.status = at_server(&pass.status, &pass.session.policy.server);
        pass.status.id = Some(binding.id.clone());
        pass.status.display_name = Some(binding.user_name.clone());
        self.shared.directory.membership(&pass.uid(), |members| {
            members.forget();
            if binding.how == OperationType::Create {
                members.begin_empty();
            }
        });
        Ok(())
    }

    /// When the group is to be looked at again.
    fn outcome_of_group(&self, pass: &GroupPass, verdict: &GroupVerdict) -> Outcome {
        let uid = pass.uid();
        match verdict.reason {
            _ if verdict.again => Outcome::Again,
            Some(Reason::Pending) => Outcome::After(Duration::from_secs(61)),
            Some(Reason::Rejected) => Outcome::Retry,
            Some(Reason::Conflict) => Outcome::After(own_error_pause(lock(&self.memory).rejected(&uid))),
            _ => {
                lock(&self.memory).accepted(&uid);
                let waits = verdict.members.is_some_and(|members| members.waiting > 0);
                if waits && pass.recorded.operation.is_some() { Outcome::After(GATHER) } else { Outcome::Done }
            }
        }
    }

    /// Writes how things stand, if that is news.
    pub(super) async fn settle_group(&self, pass: &mut GroupPass, verdict: &GroupVerdict, outcome: Outcome) -> Outcome {
        let generation = pass.group.metadata.generation.unwrap_or_default();
        if verdict.executed && verdict.reason == Some(Reason::Synced) {
            pass.status.external_id.clone_from(&pass.group.spec.external_id);
        }
        // The guard's ledger is written by itself, before what it counts.
        let newest = self.shared.directory.group(&pass.uid());
        pass.status.removals = newest.and_then(|group| group.status.as_ref()?.removals.clone());
        let status = record_group(&pass.status, generation, verdict, &pass.recorded, Timestamp::now());
        if let Some(reason) = verdict.reason {
            debug!(object = %full_name(&pass.group), reason = reason.as_str(), "{}", verdict.message);
        }
        match self.save_group(&pass.group, &status).await {
            Ok(_) => outcome,
            Err(WriteError::Gone) => Outcome::Done,
            Err(error) => {
                warn!(object = %full_name(&pass.group), "the status could not be written: {error}");
                Outcome::Retry
            }
        }
    }

    /// A group that waits says so; one that owes nothing is left as it is.
    async fn group_waits(&self, group: &Arc<ScimGroup>, reason: Reason, message: &str) -> Outcome {
        let status = group.status.clone().unwrap_or_default();
        if status.observed_generation == group.metadata.generation && !is_deleting(group) {
            return Outcome::Paused;
        }
        let verdict = GroupVerdict {
            reason: Some(reason),
            message: message.to_owned(),
            state: Some(if is_deleting(group) { GroupState::Deleting } else { GroupState::Pending }),
            ..GroupVerdict::default()
        };
        let generation = group.metadata.generation.unwrap_or_default();
        let new = record_group(&status, generation, &verdict, &Recorded::default(), Timestamp::now());
        if let Err(error) = self.save_group(group, &new).await {
            debug!(object = %full_name(group), "{error}");
        }
        Outcome::Paused
    }

    /// The groups of the connection, counted; none where there are none.
    pub(super) fn count_groups(&self) -> Option<GroupsStatus> {
        let mut groups = GroupsStatus::default();
        for group in self.shared.directory.groups_of(&self.key) {
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

    /// Members were put back, or taken out again, without a change on our side.
    fn repaired(&self, pass: &GroupPass) {
        let drifted = lock(&self.groups).drift.remove(&pass.uid()).is_some();
        if drifted {
            lock(&self.memory).repaired(&pass.uid(), &[Path::core("members")], Timestamp::now());
        }
    }
}

/// The status as far as it speaks of this server.
pub(super) fn at_server(old: &ScimGroupStatus, server: &str) -> ScimGroupStatus {
    let mut status = old.clone();
    if status.bound_to.as_deref().is_some_and(|known| known != server) {
        status = ScimGroupStatus {
            observed_generation: status.observed_generation,
            last_handled_reconcile_at: status.last_handled_reconcile_at,
            state: status.state,
            conditions: status.conditions,
            ..ScimGroupStatus::default()
        };
    }
    status.bound_to = Some(server.to_owned());
    status
}
