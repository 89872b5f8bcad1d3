//! What a dry run holds instead of the API server, and of the server what its requests would have made of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::changes::{MADE_UP, UserChange};
use super::packed::Packed;
use super::planned::{AttributeChange, Held, PlannedRequest};
use crate::api::{OperationType, RemoteId, ScimConnection, ScimGroup, ScimUser, Uid};
use crate::directory::Directory;
use crate::scim::{Page, Resource, Start, fold};

/// Versions that are made up stand above those of any API server.
const FIRST_VERSION: u64 = 1 << 60;

/// Everything that stands in for the outside.
#[derive(Debug)]
pub struct Memory {
    began: (Timestamp, Instant),
    /// How much later it is by now: nobody waits for what only takes time.
    later: Duration,
    version: u64,
    /// Writes are taken down, and answered as if they had been carried out; else nothing is written at all.
    pub records: bool,
    directory: Arc<Directory>,
    /// Of users, what the directory keeps elsewhere: the groups that their statuses recorded at first.
    recorded: Arc<HashMap<Uid, BTreeMap<String, String>>>,
    /// Those that were written since.
    rewritten: HashMap<Uid, BTreeMap<String, String>>,
    pub connection: Option<ScimConnection>,
    pub accounts: Collection,
    pub group_list: Collection,
    pub objects: BTreeMap<Uid, Box<Entry>>,
    /// Warnings about the connection.
    pub notes: BTreeSet<String>,
    /// The last page that could not be had.
    pub unlisted: Option<String>,
}

/// What became of one object.
#[derive(Debug, Default)]
pub struct Entry {
    /// What was decided last.
    pub proposed: Option<Proposed>,
    /// What was sent.
    pub operations: Vec<OperationType>,
    pub requests: Vec<PlannedRequest>,
    pub changes: Vec<AttributeChange>,
    pub added: BTreeSet<RemoteId>,
    pub removed: BTreeSet<RemoteId>,
    /// What keeps an operation from being sent, and what it would do.
    pub held: Option<(Held, OperationType)>,
    /// It went.
    pub departed: Option<Departed>,
    /// The server put it off the last time that it was looked at.
    pub unread: bool,
}

/// How an object goes.
#[derive(Debug)]
pub enum Departed {
    /// With its account or group, or without any.
    Whole,
    /// Its account or group stays as it is, and this is why.
    Leaving(String),
}

/// What was decided, and is not sent yet.
#[derive(Debug)]
pub enum Proposed {
    User(UserChange),
    Group { kind: OperationType, changes: Vec<AttributeChange>, added: Vec<RemoteId>, removed: Vec<RemoteId> },
}

impl Entry {
    /// It would be sent. Most objects have one request, and there are thousands of them.
    pub fn sent(&mut self, operation: OperationType, request: PlannedRequest) {
        self.operations.reserve_exact(1);
        self.operations.push(operation);
        self.requests.reserve_exact(1);
        self.requests.push(request);
    }

    /// An attribute that is changed twice is shown once, as it was at first and as it is at last.
    pub fn changed(&mut self, mut changes: Vec<AttributeChange>) {
        if self.changes.is_empty() {
            changes.shrink_to_fit();
            self.changes = changes;
            return;
        }
        for change in changes {
            match self.changes.iter_mut().find(|known| known.attribute == change.attribute) {
                Some(known) => known.new = change.new,
                None => self.changes.push(change),
            }
        }
    }
}

/// What the server would show of an id that requests would have been sent for.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// This.
    Resource(Resource),
    /// Nothing.
    Gone,
}

impl Shown {
    /// The resource, where it would be there.
    pub fn resource(self) -> Option<Resource> {
        match self {
            Self::Resource(resource) => Some(resource),
            Self::Gone => None,
        }
    }
}

/// What requests would have made of a collection.
#[derive(Debug, Default)]
pub struct Collection {
    /// What would have been written by now; nothing of what would be gone.
    now: HashMap<String, Option<Packed>>,
    /// So many would have been made; their ids are numbered.
    made: u64,
    /// Which of them has a value, by a hash of both: what it finds is compared.
    by_value: HashMap<u64, u64>,
    /// As it was seen, without members.
    pub seen: HashMap<String, Resource>,
    /// Members that would have come and gone.
    members: HashMap<String, (BTreeSet<String>, BTreeSet<String>)>,
    /// Entries that were put before those of the server in the running listing.
    ahead: u64,
}

/// The attributes that resources are looked for by.
const KEYS: [&str; 3] = ["userName", "externalId", "displayName"];

fn made_up(number: u64) -> String {
    format!("{MADE_UP}{number}")
}

fn hash_of(key: &str, value: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, fold(value)).hash(&mut hasher);
    hasher.finish()
}

impl Collection {
    /// What it would show of an id, if anything would have been done about it.
    pub fn shows(&self, id: &str) -> Option<Shown> {
        Some(match self.now.get(id)? {
            Some(kept) => match kept.value() {
                Value::Object(attributes) => Shown::Resource(Resource(attributes)),
                _ => Shown::Gone,
            },
            None => Shown::Gone,
        })
    }

    /// It would be so from now on.
    pub fn set(&mut self, id: &str, shown: Shown) {
        self.now.insert(id.to_owned(), shown.resource().map(|resource| Packed::from(&Value::Object(resource.0))));
    }

    /// It would have been made; its id is made up.
    pub fn make(&mut self, body: &crate::scim::Attributes) -> Resource {
        self.made += 1;
        let id = made_up(self.made);
        let mut resource = Resource(body.clone());
        resource.0.insert("id".into(), json!(id));
        for key in KEYS {
            if let Some(value) = resource.get(key).and_then(Value::as_str) {
                self.by_value.insert(hash_of(key, value), self.made);
            }
        }
        self.set(&id, Shown::Resource(resource.clone()));
        resource
    }

    /// Those that would have been made with this value.
    pub fn having(&self, attribute: &str, value: &str) -> Option<Resource> {
        let key = KEYS.into_iter().find(|key| *key == attribute)?;
        let found = self.shows(&made_up(*self.by_value.get(&hash_of(key, value))?))?.resource()?;
        let has = found.get(key).and_then(Value::as_str).is_some_and(|has| fold(has) == fold(value));
        has.then_some(found)
    }

    /// Members would have come and gone.
    pub fn change_members(&mut self, group: &str, added: &[RemoteId], removed: &[RemoteId]) {
        let (come, gone) = self.members.entry(group.to_owned()).or_default();
        for id in added {
            gone.remove(id.as_str());
            come.insert(id.to_string());
        }
        for id in removed {
            come.remove(id.as_str());
            gone.insert(id.to_string());
        }
    }

    /// Whether somebody would be a member by now, where a request would have changed that.
    pub fn has_member(&self, group: &str, member: &str) -> Option<bool> {
        let (come, gone) = self.members.get(group)?;
        if come.contains(member) { Some(true) } else { gone.contains(member).then_some(false) }
    }

    /// A group as it would be shown by now, after requests about its members.
    pub fn with_members(&self, mut group: Resource) -> Resource {
        let Some((come, gone)) = group.id().and_then(|id| self.members.get(id)) else { return group };
        let shown = group.get("members").and_then(Value::as_array).cloned().unwrap_or_default();
        let id_of = |member: &Value| member.get("value").and_then(Value::as_str).map(str::to_owned);
        let stays = |member: &Value| id_of(member).is_none_or(|id| !gone.contains(&id) && !come.contains(&id));
        let mut members: Vec<Value> = shown.into_iter().filter(stays).collect();
        members.extend(come.iter().map(|id| json!({"value": id})));
        group.0.retain(|name, _| !name.eq_ignore_ascii_case("members"));
        group.0.insert("members".into(), Value::Array(members));
        group
    }

    /// Where the server is to be asked for what would begin here.
    pub fn begin(&mut self, start: &Start) -> Start {
        if start.is_first() {
            self.ahead = self.made;
        }
        match start {
            Start::Index(index) if !start.is_first() => Start::Index(index.saturating_sub(self.ahead).max(1)),
            other => other.clone(),
        }
    }

    /// A page as it would be by now: those that would have been made stand before all others.
    pub fn page(&mut self, start: &Start, mut page: Page, keeps: bool) -> Page {
        for resource in &mut page.resources {
            if keeps && let Some(id) = resource.id() {
                let mut seen = resource.clone();
                seen.0.retain(|name, _| !name.eq_ignore_ascii_case("members"));
                self.seen.insert(id.to_owned(), seen);
            }
            if let Some(Shown::Resource(now)) = resource.id().and_then(|id| self.shows(id)) {
                *resource = now;
            }
        }
        page.resources.retain(|resource| resource.id().is_none_or(|id| self.now.get(id) != Some(&None)));
        if start.is_first() {
            let made = (1..=self.made).filter_map(|number| self.shows(&made_up(number))?.resource());
            page.resources.extend(made);
            page.shown += self.ahead;
        }
        page.total = page.total.map(|total| total + self.ahead);
        page
    }
}

impl Memory {
    /// Nothing was done yet to what is in the directory.
    pub fn new(directory: Arc<Directory>, recorded: Arc<HashMap<Uid, BTreeMap<String, String>>>) -> Self {
        Self {
            began: (Timestamp::now(), Instant::now()),
            later: Duration::ZERO,
            version: FIRST_VERSION,
            records: true,
            directory,
            recorded,
            rewritten: HashMap::new(),
            connection: None,
            accounts: Collection::default(),
            group_list: Collection::default(),
            objects: BTreeMap::new(),
            notes: BTreeSet::new(),
            unlisted: None,
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.began.0.checked_add(self.later).unwrap_or(self.began.0)
    }

    /// The same for queues.
    pub fn instant(&self) -> Instant {
        self.began.1 + self.later
    }

    /// How much time has been skipped.
    pub fn skipped(&self) -> Duration {
        self.later
    }

    /// It is later by so much.
    pub fn skip(&mut self, time: Duration) {
        self.later += time;
    }

    /// A version newer than all others.
    pub fn next_version(&mut self) -> String {
        self.version += 1;
        self.version.to_string()
    }

    /// What is known of an object.
    pub fn entry(&mut self, uid: &Uid) -> &mut Entry {
        self.objects.entry(uid.clone()).or_default()
    }

    /// The user as it is stored.
    pub fn user(&self, given: &ScimUser) -> ScimUser {
        let uid = Uid::of(&given.metadata);
        let mut user = self.directory.get(&uid).map_or_else(|| given.clone(), |known| (*known).clone());
        if let Some(groups) = self.rewritten.get(&uid).or_else(|| self.recorded.get(&uid)) {
            user.status.get_or_insert_default().groups = Some(groups.clone());
        }
        user
    }

    /// The same of a group.
    pub fn group(&self, given: &ScimGroup) -> ScimGroup {
        let uid = Uid::of(&given.metadata);
        self.directory.group(&uid).map_or_else(|| given.clone(), |known| (*known).clone())
    }

    /// A user that is written; whoever writes it tells the directory.
    pub fn put_user(&mut self, mut user: ScimUser) -> ScimUser {
        user.metadata.resource_version = Some(self.next_version());
        if let Some(groups) = user.status.as_ref().and_then(|status| status.groups.clone()) {
            self.rewritten.insert(Uid::of(&user.metadata), groups);
        }
        user
    }

    /// The same of a group.
    pub fn put_group(&mut self, mut group: ScimGroup) -> ScimGroup {
        group.metadata.resource_version = Some(self.next_version());
        group
    }
}
