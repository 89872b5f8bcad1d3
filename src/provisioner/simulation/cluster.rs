//! The API server of a history: objects, finalizers, status, and events that arrive late.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::core::Status;

use super::cluster_groups::GroupWatchEvent;
use super::setup::{SECOND, SERVERS};
use crate::api::{
    CLAIMED_ACCOUNT, ClaimedAccount, FINALIZER, ScimConnection, ScimGroup, ScimUser, ScimUserSpec, ScimUserStatus, Uid,
};
use crate::directory::{has_finalizer, is_deleting, same_plan};
use crate::provisioner::kubernetes::WriteError;

/// What a watch brings.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    Applied(Box<ScimUser>),
    Deleted(Uid),
}

/// The API server.
#[derive(Debug)]
pub struct Cluster {
    pub objects: BTreeMap<Uid, ScimUser>,
    pub events: VecDeque<WatchEvent>,
    pub groups: BTreeMap<Uid, ScimGroup>,
    pub group_events: VecDeque<GroupWatchEvent>,
    /// Whether an object declares the account for the group, and since which version.
    pub wants: BTreeMap<(Uid, String), (bool, u64)>,
    /// When a group last declared something else.
    pub respecified: BTreeMap<Uid, u64>,
    /// Accounts whose object was ever under deletion.
    pub leaving: BTreeSet<String>,
    pub connection: ScimConnection,
    pub second: ScimConnection,
    /// The server that the first one leads to.
    pub server: String,
    /// Writes by the operator, by object.
    pub writes: BTreeMap<Uid, u64>,
    version: u64,
    born: u64,
}

impl Cluster {
    pub fn new(connection: ScimConnection, second: ScimConnection) -> Self {
        Self {
            objects: BTreeMap::new(),
            events: VecDeque::new(),
            groups: BTreeMap::new(),
            group_events: VecDeque::new(),
            wants: BTreeMap::new(),
            respecified: BTreeMap::new(),
            leaving: BTreeSet::new(),
            connection,
            second,
            server: SERVERS[0].clone(),
            writes: BTreeMap::new(),
            version: 1,
            born: 0,
        }
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    pub(super) fn next_uid(&mut self) -> Uid {
        self.born += 1;
        format!("uid-{:04}", self.born).into()
    }

    /// Up to this version everything was heard; 0 where something is still to come, for the two watches may be apart.
    pub fn heard(&self) -> u64 {
        if self.events.is_empty() && self.group_events.is_empty() { self.version } else { 0 }
    }

    /// The server of the object's connection.
    pub fn server_of(&self, user: &ScimUser) -> &str {
        if is_of_second(user) { &SERVERS[0] } else { &self.server }
    }

    /// Changes the connection.
    pub fn set_connection(&mut self, change: impl FnOnce(&mut ScimConnection)) -> ScimConnection {
        change(&mut self.connection);
        self.version += 1;
        self.connection.metadata.resource_version = Some(self.version.to_string());
        self.connection.clone()
    }

    /// The connection leads to another server: no account there is anybody's yet.
    pub fn lead_to(&mut self, server: &str) {
        self.version += 1;
        server.clone_into(&mut self.server);
        self.note_wants();
    }

    /// Creates an object, unless one has the name.
    pub fn create(&mut self, namespace: &str, name: &str, spec: ScimUserSpec, now: Timestamp) -> Option<Uid> {
        if self.named(namespace, name).is_some() {
            return None;
        }
        let uid = self.next_uid();
        let mut user = ScimUser::new(name, spec);
        user.metadata.namespace = Some(namespace.to_owned());
        user.metadata.uid = Some(uid.to_string());
        user.metadata.generation = Some(1);
        user.metadata.creation_timestamp = Some(Time(crate::status::whole_seconds(now)));
        self.store(user);
        Some(uid)
    }

    pub fn named(&self, namespace: &str, name: &str) -> Option<&ScimUser> {
        self.objects.values().find(|user| user.namespace().as_deref() == Some(namespace) && user.name_any() == name)
    }

    /// A person edits an object; a changed spec is a new generation.
    pub fn edit(&mut self, uid: &Uid, change: impl FnOnce(&mut ScimUser)) {
        let Some(mut user) = self.objects.get(uid).cloned() else { return };
        let before = user.spec.clone();
        change(&mut user);
        if user.spec != before {
            user.metadata.generation = user.metadata.generation.map(|generation| generation + 1);
        }
        self.store(user);
    }

    /// A person deletes an object: at once where no finalizer keeps it.
    pub fn delete(&mut self, uid: &Uid, now: Timestamp) {
        let Some(mut user) = self.objects.get(uid).cloned().filter(|user| !is_deleting(user)) else { return };
        if has_finalizer(&user) {
            user.metadata.deletion_timestamp = Some(Time(now));
            user.metadata.generation = user.metadata.generation.map(|generation| generation + 1);
            self.store(user);
        } else {
            self.purge(uid);
        }
    }

    /// The operator writes an object.
    pub(super) fn count(&mut self, uid: &Uid) {
        *self.writes.entry(uid.clone()).or_default() += 1;
    }

    /// The operator sets or takes off its finalizer and its claim; nothing is set on a version for which it wasn't planned.
    pub fn claim_user(
        &mut self,
        known: &ScimUser,
        present: bool,
        claimed: Option<&ClaimedAccount>,
    ) -> Result<ScimUser, WriteError> {
        let uid = &Uid::of(&known.metadata);
        let Some(mut user) = self.objects.get(uid).cloned() else { return Err(WriteError::Gone) };
        let same = has_finalizer(&user) == present && user.claimed_account().as_ref() == claimed;
        if same || present && !same_plan(&user, known) {
            return Ok(user);
        }
        if present && !has_finalizer(&user) && is_deleting(&user) {
            return Err(refused(422, "no new finalizers can be added if the object is being deleted"));
        }
        self.count(uid);
        user.annotations_mut().remove(CLAIMED_ACCOUNT);
        if let Some(claimed) = claimed {
            let text = serde_json::to_string(claimed).unwrap_or_default();
            user.annotations_mut().insert(CLAIMED_ACCOUNT.into(), text);
        }
        if present {
            user.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
            self.store(user);
        } else {
            user.metadata.finalizers = None;
            self.store(user);
            if self.objects.get(uid).is_some_and(is_deleting) {
                let last = self.objects.get(uid).cloned();
                self.purge(uid);
                return last.ok_or(WriteError::Gone);
            }
        }
        self.objects.get(uid).cloned().ok_or(WriteError::Gone)
    }

    /// The operator writes a status.
    pub fn set_status(&mut self, uid: &Uid, status: &ScimUserStatus) -> Option<ScimUser> {
        let mut user = self.objects.get(uid).cloned()?;
        self.count(uid);
        // Its groups are written key by key.
        let groups = user.status.as_mut().and_then(|status| status.groups.take());
        let status = ScimUserStatus { groups, ..status.clone() };
        if self.objects.get(uid).and_then(|user| user.status.as_ref()) != Some(&status) {
            user.status = Some(status);
            self.store(user);
        }
        self.objects.get(uid).cloned()
    }

    pub(super) fn store(&mut self, mut user: ScimUser) {
        let version = self.next_version();
        user.metadata.resource_version = Some(version.to_string());
        self.events.push_back(WatchEvent::Applied(Box::new(user.clone())));
        self.objects.insert(Uid::of(&user.metadata), user);
        self.note_wants();
    }

    fn purge(&mut self, uid: &Uid) {
        if self.objects.remove(uid).is_some() {
            self.events.push_back(WatchEvent::Deleted(uid.clone()));
            self.note_wants();
        }
    }
}

/// The API server's refusal.
fn refused(code: u16, message: &str) -> WriteError {
    let status = Status { code, message: message.to_owned(), ..Status::default() };
    WriteError::Refused(Box::new(kube::Error::Api(Box::new(status))))
}

/// The object is the second connection's.
pub fn is_of_second(user: &ScimUser) -> bool {
    user.spec.connection_ref.name == SECOND
}
