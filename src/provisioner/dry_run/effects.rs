//! The effects of a dry run: reads are sent, and writes are answered as if they had been carried out.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::ResourceExt;
use kube::runtime::events::{Event, EventType};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Progress;
use super::changes::{of_bare, of_group, of_user, request as planned_request};
use super::memory::{Collection, Departed, Memory, Proposed, Shown};
use super::planned::Held;
use super::written::{mark, with};
use crate::api::{
    CLAIMED_ACCOUNT, CLAIMED_GROUP, ClaimedAccount, OperationType, ScimConnection, ScimConnectionStatus, ScimGroup,
    ScimGroupStatus, ScimUser, ScimUserStatus, Uid,
};
use crate::directory::ConnectionKey;
use crate::plan::guards::Admission;
use crate::plan::{Account, Departure, Facts, Request, Step, after_binding, decide};
use crate::provisioner::effects::{ClockState, Effects, Note};
use crate::provisioner::kubernetes::WriteError;
use crate::provisioner::schedule::limiter::{Limiter, Priority, RequestKind};
use crate::scim::{Class, Client, Error, Found, Kind, Page, Resource, Start, Written};

/// No read takes longer.
const LONGEST: Duration = Duration::from_secs(30);
/// Nobody who looks at a plan waits longer for a server to recover.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Reads, and writes nothing.
#[derive(Clone)]
pub struct ReadOnly {
    memory: Arc<Mutex<Memory>>,
    pub progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

impl ReadOnly {
    pub fn new(memory: Memory, progress: Arc<dyn Fn(Progress) + Send + Sync>) -> Self {
        Self { memory: Arc::new(Mutex::new(memory)), progress }
    }

    pub fn look(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn collection(memory: &mut Memory, kind: Kind) -> &mut Collection {
    match kind {
        Kind::Users => &mut memory.accounts,
        Kind::Groups => &mut memory.group_list,
    }
}

impl Effects for ReadOnly {
    fn now(&self) -> Timestamp {
        self.look().now()
    }

    fn instant(&self) -> Instant {
        self.look().instant()
    }

    fn clock(&self) -> ClockState {
        ClockState::Trusted
    }

    fn deadline(&self) -> Option<Instant> {
        Some(Instant::now() + LONGEST)
    }

    async fn turn(&self, limiter: &Limiter, kind: RequestKind, priority: Priority) -> bool {
        if kind == RequestKind::Read {
            limiter.acquire(kind, priority).await;
            return true;
        }
        self.look().records
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time.min(LONGEST_PAUSE)).await;
    }

    async fn get(
        &self,
        client: &Client,
        kind: Kind,
        id: &str,
        members: bool,
        deadline: Instant,
    ) -> Result<Resource, Error> {
        let known = collection(&mut self.look(), kind).shows(id);
        match (known, kind) {
            (Some(Shown::Resource(resource)), Kind::Users) => Ok(resource),
            (Some(Shown::Resource(resource)), Kind::Groups) => Ok(self.look().group_list.with_members(resource)),
            (Some(Shown::Gone), _) => Err(Error::simulated(Class::NotFound)),
            (None, Kind::Users) => client.get(kind, id, deadline).await,
            (None, Kind::Groups) => {
                let group = client.get_group(id, members, deadline).await?;
                let mut memory = self.look();
                let mut seen = group.clone();
                seen.0.retain(|name, _| !name.eq_ignore_ascii_case("members"));
                memory.group_list.seen.insert(id.to_owned(), seen);
                Ok(memory.group_list.with_members(group))
            }
        }
    }

    async fn find(
        &self,
        client: &Client,
        kind: Kind,
        attribute: &str,
        value: &str,
        deadline: Instant,
    ) -> Result<Found, Error> {
        let mut found = client.find(kind, attribute, value, deadline).await?;
        let mut memory = self.look();
        let now = collection(&mut memory, kind);
        found.hits.retain_mut(|hit| match hit.id().and_then(|id| now.shows(id)) {
            Some(Shown::Resource(shown)) => {
                *hit = shown;
                true
            }
            Some(Shown::Gone) => false,
            None => true,
        });
        let made = now.having(attribute, value);
        found.hits.extend(made);
        Ok(found)
    }

    async fn page(
        &self,
        client: &Client,
        kind: Kind,
        start: &Start,
        count: u32,
        deadline: Instant,
    ) -> Result<Page, Error> {
        let from = collection(&mut self.look(), kind).begin(start);
        let answer = client.list_page(kind, &from, count, deadline).await;
        let mut memory = self.look();
        match answer {
            Ok(page) => {
                memory.unlisted = None;
                let page = collection(&mut memory, kind).page(start, page, kind == Kind::Groups);
                drop(memory);
                (self.progress)(Progress::Listed(page.shown));
                Ok(page)
            }
            Err(error) => {
                memory.unlisted = Some(error.to_string());
                Err(error)
            }
        }
    }

    async fn is_member(&self, client: &Client, group: &str, member: &str, deadline: Instant) -> Result<bool, Error> {
        let known = {
            let memory = self.look();
            let made = memory.group_list.shows(group).map(|_| false);
            memory.group_list.has_member(group, member).or(made)
        };
        match known {
            Some(known) => Ok(known),
            None => client.is_member(group, member, deadline).await,
        }
    }

    /// Nothing is sent.
    async fn send(&self, _: &Client, kind: Kind, request: &Request, _: bool, _: Instant) -> Result<Written, Error> {
        let mut memory = self.look();
        let now = collection(&mut memory, kind);
        let resource = match request {
            Request::Create(body) => Some(now.make(body)),
            Request::Delete { id } => {
                now.set(id, Shown::Gone);
                None
            }
            Request::Patch { id, .. } | Request::Put { id, .. } if kind == Kind::Users => {
                now.shows(id).and_then(Shown::resource)
            }
            Request::Patch { .. } | Request::Put { .. } => None,
        };
        Ok(Written { created: matches!(request, Request::Create(_)), resource, ..Written::default() })
    }

    async fn claim_user(
        &self,
        user: &ScimUser,
        present: bool,
        claimed: Option<&ClaimedAccount>,
    ) -> Result<ScimUser, WriteError> {
        let mut memory = self.look();
        let mut user = memory.user(user);
        mark(user.finalizers_mut(), present);
        user.annotations_mut().remove(CLAIMED_ACCOUNT);
        if let Some(text) = claimed.and_then(|claimed| serde_json::to_string(claimed).ok()) {
            user.annotations_mut().insert(CLAIMED_ACCOUNT.to_owned(), text);
        }
        Ok(memory.put_user(user))
    }

    async fn write_user(&self, user: &ScimUser, status: &ScimUserStatus) -> Result<ScimUser, WriteError> {
        let mut memory = self.look();
        let mut user = memory.user(user);
        let groups = user.status.take().and_then(|status| status.groups);
        user.status = Some(ScimUserStatus { groups, ..kept(status) });
        if status.id.is_some() {
            // It said whom the account is made for, should the answer be lost.
            user.annotations_mut().remove(CLAIMED_ACCOUNT);
            user.metadata.annotations.take_if(|annotations| annotations.is_empty());
        }
        Ok(memory.put_user(user))
    }

    async fn merge_user(&self, user: &ScimUser, status: Value) -> Result<ScimUser, WriteError> {
        let mut memory = self.look();
        let mut user = memory.user(user);
        user.status = Some(with(user.status.take().unwrap_or_default(), &status));
        Ok(memory.put_user(user))
    }

    async fn claim_group(&self, group: &ScimGroup, claimed: Option<&str>) -> Result<ScimGroup, WriteError> {
        let mut memory = self.look();
        let mut group = memory.group(group);
        mark(group.finalizers_mut(), claimed.is_some());
        group.annotations_mut().remove(CLAIMED_GROUP);
        if let Some(claimed) = claimed {
            group.annotations_mut().insert(CLAIMED_GROUP.to_owned(), claimed.to_owned());
        }
        Ok(memory.put_group(group))
    }

    async fn write_group(&self, group: &ScimGroup, status: Value) -> Result<ScimGroup, WriteError> {
        let mut memory = self.look();
        let mut group = memory.group(group);
        let before = group.status.take().unwrap_or_default();
        let (leaving, member_names) = (before.leaving, before.member_names);
        let status: ScimGroupStatus = serde_json::from_value(status).unwrap_or_default();
        group.status = Some(ScimGroupStatus { leaving, member_names, ..status });
        Ok(memory.put_group(group))
    }

    async fn merge_group(&self, group: &ScimGroup, status: Value) -> Result<ScimGroup, WriteError> {
        let mut memory = self.look();
        let mut group = memory.group(group);
        group.status = Some(with(group.status.take().unwrap_or_default(), &status));
        Ok(memory.put_group(group))
    }

    async fn write_connection(
        &self,
        _: &ConnectionKey,
        connection: &ScimConnection,
        status: &ScimConnectionStatus,
    ) -> Result<ScimConnection, kube::Error> {
        let mut memory = self.look();
        let mut connection = connection.clone();
        connection.status = Some(status.clone());
        connection.metadata.resource_version = Some(memory.next_version());
        memory.connection = Some(connection.clone());
        Ok(connection)
    }

    async fn merge_connection(&self, _: &ConnectionKey, body: &Value) -> Result<ScimConnection, kube::Error> {
        let mut memory = self.look();
        let version = memory.next_version();
        let mut connection = memory.connection.clone().ok_or(kube::Error::LinesCodecMaxLineLengthExceeded)?;
        connection.metadata.finalizers = serde_json::from_value(body["metadata"]["finalizers"].clone()).ok();
        connection.metadata.resource_version = Some(version);
        memory.connection = Some(connection.clone());
        Ok(connection)
    }

    async fn publish(&self, event: Event, about: &ObjectReference) {
        let of_connection = about.kind.as_deref().is_some_and(|kind| kind.ends_with("ScimConnection"));
        let of_plan = ["Held", "Connected"].contains(&event.reason.as_str());
        if of_connection && event.type_ == EventType::Warning && !of_plan {
            self.look().notes.extend(event.note);
        }
    }

    fn note(&self, note: &Note<'_>) {
        let mut memory = self.look();
        match note {
            Note::Decided { uid, facts, step } => {
                if let Some(proposed) = proposed(facts, step) {
                    memory.entry(uid).proposed = Some(Proposed::User(proposed));
                }
            }
            Note::GroupDecided { uid, step: Step::Send(operation) } => {
                let id = operation.request.target();
                let known = id.and_then(|id| memory.group_list.seen.get(id));
                let change = &operation.change;
                memory.entry(uid).proposed = Some(Proposed::Group {
                    kind: operation.kind,
                    changes: of_group(operation, known),
                    added: change.added.clone(),
                    removed: change.removed.clone(),
                });
            }
            Note::Admitted { candidate, admission, .. } => {
                let by = || candidate.guard.map_or("Plan", |guard| guard.as_str()).to_owned();
                let held = match admission {
                    Admission::Go | Admission::RemoveFinalizer => None,
                    Admission::Held { reason, .. } => Some((reason.as_str().to_owned(), true)),
                    Admission::Rejected { .. } => Some((by(), true)),
                    Admission::Wait(_) | Admission::Queued(_) => Some((by(), false)),
                };
                memory.entry(&candidate.uid).held = held.map(|(by, needs_answer)| {
                    (Held { by, needs_answer, digest: Some(candidate.digest()) }, candidate.operation)
                });
            }
            Note::Sends { uid, operation } => self::sends(&mut memory, uid, operation),
            Note::GroupSends { group, operation } => {
                let uid = Uid::of(&group.metadata);
                let known = operation.request.target().and_then(|id| memory.group_list.seen.get(id));
                let changes = of_group(operation, known);
                let request = planned_request(Kind::Groups, &operation.request);
                if let Some(id) = operation.request.target() {
                    memory.group_list.change_members(id, &operation.change.added, &operation.change.removed);
                }
                let entry = memory.entry(&uid);
                entry.sent(operation.kind, request);
                entry.changed(changes);
                entry.added.extend(operation.change.added.iter().cloned());
                entry.removed.extend(operation.change.removed.iter().cloned());
            }
            Note::Departs { user, verdict, .. } => {
                memory.entry(&Uid::of(&user.metadata)).departed = Some(departed(&verdict.departure, &verdict.message));
            }
            Note::GroupDeparts { group, verdict, .. } => {
                memory.entry(&Uid::of(&group.metadata)).departed = Some(departed(&verdict.departure, &verdict.message));
            }
            _ => {}
        }
    }
}

/// What is read of a status again. There are thousands of them.
fn kept(status: &ScimUserStatus) -> ScimUserStatus {
    let conditions = status.conditions.iter().flatten().filter(|condition| condition.type_ == "Ready").cloned();
    let conditions = conditions.collect();
    ScimUserStatus { conditions: Some(conditions), last_operation: None, ..status.clone() }
}

/// What is about to be asked for, or sent.
fn proposed(facts: &Facts, step: &Step) -> Option<super::changes::UserChange> {
    match step {
        Step::Send(operation) => Some(of_user(facts, operation)),
        Step::Bind(binding) => after_binding(facts, binding).map(|operation| of_user(facts, &operation)),
        // A read that only prepares a write, which is asked for before it.
        Step::Read(_) => {
            let Account::Found { resource, fresh: false } = &facts.account else { return None };
            let account = Account::Found { resource: resource.clone(), fresh: true };
            match decide(&Facts { account, ..facts.clone() }) {
                Step::Send(operation) => Some(of_user(facts, &operation)),
                _ => None,
            }
        }
        Step::Settle(_) | Step::RemoveFinalizer(_) => None,
    }
}

fn sends(memory: &mut Memory, uid: &Uid, operation: &crate::plan::Operation) {
    let target = operation.request.target().map(str::to_owned);
    let known = target.as_deref().and_then(|id| memory.accounts.shows(id)).and_then(Shown::resource);
    let decided = match memory.entry(uid).proposed.take() {
        Some(Proposed::User(change)) if change.kind == operation.kind => change,
        _ => of_bare(operation, known.as_ref()),
    };
    let request = planned_request(Kind::Users, &operation.request);
    let entry = memory.entry(uid);
    entry.sent(operation.kind, request);
    entry.changed(decided.changes);
    let Some(id) = target.filter(|_| operation.kind != OperationType::Delete) else { return };
    // Of an account that nothing showed, no more is known than what was just done about it.
    let active = operation.kind != OperationType::Deactivate;
    let bare = || crate::scim::Resource(json!({"id": id, "active": active}).as_object().cloned().unwrap_or_default());
    let after = decided.after.unwrap_or_else(bare);
    memory.accounts.set(&id, Shown::Resource(after));
}

fn departed(departure: &Departure, message: &str) -> Departed {
    if *departure == Departure::LeftAsIs { Departed::Leaving(message.to_owned()) } else { Departed::Whole }
}
