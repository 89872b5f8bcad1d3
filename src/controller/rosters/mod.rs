//! ScimRosters: who is to be looked at, and when.
//!
//! What is watched wakes a roster; a look reads its source anew, writes what differs, and records it. Looks at one
//! roster follow one another.

mod look;
mod pass;
mod report;
mod schedule;
mod wakes;
mod world;
mod writes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::PartialObjectMeta;
use kube::runtime::watcher::{self, Event};
use kube::{Client, Resource, ResourceExt};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error_span, info, warn};

use self::look::{Looked, Pass, RosterNotes};
use self::schedule::Schedule;
use super::Error;
use super::watch::{self, Read, Scope, Scoped, trim, within};
use crate::api::{RECONCILE_REQUESTED_AT, ROSTER_SOURCE_LABEL, ScimRoster};
use crate::provisioner::Shared;
use crate::runtime::api_error;

/// So many rosters are looked at together: each holds its whole table in memory.
const TOGETHER: usize = 2;

/// Names a roster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RosterKey {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl std::fmt::Display for RosterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What the watches of rosters and their sources saw.
pub enum Seen {
    /// A roster.
    Roster(Scope, Box<Event<Read<ScimRoster>>>),
    /// An object that may hold rows of rosters in this namespace.
    Source(String),
    /// Nothing that concerns anybody.
    Nothing,
    /// A watch ended, which a watch never does by itself.
    Ended,
}

/// The watches of rosters and their sources; of the latter the metadata alone.
pub fn events(client: &Client, scopes: &BTreeSet<Scope>) -> BoxStream<'static, Seen> {
    let labelled = watcher::Config::default().labels(&format!("{ROSTER_SOURCE_LABEL}=true"));
    let rosters = watch::events::<ScimRoster>(client, scopes, &watcher::Config::default(), trim);
    let config_maps = watch::events::<PartialObjectMeta<ConfigMap>>(client, scopes, &labelled, trim);
    let secrets = watch::events::<PartialObjectMeta<Secret>>(client, scopes, &labelled, trim);
    let rosters = rosters.map(|(scope, event)| match event {
        Some(Ok(event)) => Seen::Roster(scope, Box::new(event)),
        Some(Err(error)) => failed("ScimRosters", &error),
        None => Seen::Ended,
    });
    let sources = stream::select(config_maps.map(source), secrets.map(source));
    stream::select(rosters, sources).boxed()
}

fn source<K: Resource<DynamicType = ()>>((_, event): Scoped<PartialObjectMeta<K>>) -> Seen {
    match event {
        Some(Ok(Event::Apply(object) | Event::Delete(object) | Event::InitApply(object))) => {
            // Metadata can always be read.
            object.map_or(Seen::Nothing, |object| Seen::Source(object.namespace().unwrap_or_default()))
        }
        Some(Ok(Event::Init | Event::InitDone)) => Seen::Nothing,
        Some(Err(error)) => failed("roster sources", &error),
        None => Seen::Ended,
    }
}

fn failed(what: &str, error: &watcher::Error) -> Seen {
    warn!("watch of {what}: {}", api_error(error));
    Seen::Nothing
}

/// The rosters, and the task that looks at them.
pub struct Rosters {
    known: BTreeMap<RosterKey, Arc<ScimRoster>>,
    /// The keys of each list that is under way.
    listing: BTreeMap<Scope, Vec<RosterKey>>,
    tell: mpsc::UnboundedSender<Told>,
    shared: Shared,
    receiver: Option<mpsc::UnboundedReceiver<Told>>,
    task: Option<JoinHandle<()>>,
    stop: CancellationToken,
}

/// What the task is told.
enum Told {
    /// This is what the roster says now; whether it is to be looked at.
    Roster(Arc<ScimRoster>, bool),
    /// Its source is another: it is to be looked at, and what is being deleted by the older one is not gone on with.
    Source(RosterKey),
    /// It is to be looked at.
    Wake(RosterKey),
    /// It is gone.
    Gone(RosterKey),
}

impl Rosters {
    /// Nothing is looked at before [`Rosters::begin`].
    pub fn new(shared: Shared) -> Self {
        let (tell, receiver) = mpsc::unbounded_channel();
        Self {
            known: BTreeMap::new(),
            listing: BTreeMap::new(),
            tell,
            shared,
            receiver: Some(receiver),
            task: None,
            stop: CancellationToken::new(),
        }
    }

    /// Every ScimUser is known: nobody is taken for missing who is there.
    pub fn begin(&mut self) {
        if let Some(receiver) = self.receiver.take() {
            let looks = Looks::new(self.shared.clone(), self.stop.clone());
            self.task = Some(tokio::spawn(looks.run(receiver)));
        }
    }

    /// Takes in what a watch saw.
    pub fn observe(&mut self, seen: Seen) -> Result<(), Error> {
        match seen {
            Seen::Roster(scope, event) => self.roster(&scope, *event),
            Seen::Source(namespace) => {
                let here = self.known.keys().filter(|key| key.namespace == namespace);
                here.for_each(|key| _ = self.tell.send(Told::Source(key.clone())));
            }
            Seen::Nothing => {}
            Seen::Ended => return Err(Error::WatchEnded("ScimRosters and their sources")),
        }
        Ok(())
    }

    /// Ends; what is being written is written first.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }

    fn roster(&mut self, scope: &Scope, event: Event<Read<ScimRoster>>) {
        match event {
            Event::Init => {
                self.listing.insert(scope.clone(), Vec::new());
            }
            Event::InitApply(roster) => {
                self.listing.entry(scope.clone()).or_default().push(named(&roster));
                self.changed(roster);
            }
            Event::Apply(roster) => self.changed(roster),
            Event::Delete(roster) => self.gone(&named(&roster)),
            Event::InitDone => {
                let listed = self.listing.remove(scope).unwrap_or_default();
                let here = self.known.keys().filter(|key| within(scope, &key.namespace));
                let gone: Vec<_> = here.filter(|key| !listed.contains(key)).cloned().collect();
                for key in gone {
                    self.gone(&key);
                }
            }
        }
    }

    fn changed(&mut self, roster: Read<ScimRoster>) {
        // Of one that can't be read, what is known from before stays in force.
        let Ok(roster) = roster else { return };
        let key = key_of(&roster);
        let requested = |roster: &ScimRoster| roster.annotations().get(RECONCILE_REQUESTED_AT).cloned();
        let fresh = self.known.get(&key).is_none_or(|known| {
            known.metadata.generation != roster.metadata.generation
                || known.metadata.uid != roster.metadata.uid
                || requested(known) != requested(&roster)
        });
        let roster = Arc::new(roster);
        self.known.insert(key, Arc::clone(&roster));
        let _ = self.tell.send(Told::Roster(roster, fresh));
    }

    /// Its ScimUsers stay as they are: a roster deleted by mistake costs nobody anything.
    fn gone(&mut self, key: &RosterKey) {
        self.known.remove(key);
        let _ = self.tell.send(Told::Gone(key.clone()));
    }

    fn wake(&self, key: &RosterKey) {
        // The receiver lives as long as the looks do; after that nothing is to be looked at.
        let _ = self.tell.send(Told::Wake(key.clone()));
    }
}

/// The looks at rosters, one after the other each.
struct Looks {
    shared: Shared,
    stop: CancellationToken,
    schedule: Schedule,
    rosters: HashMap<RosterKey, Arc<ScimRoster>>,
    notes: HashMap<RosterKey, RosterNotes>,
    /// The looks under way, and what tells them that they look at what is no longer so.
    running: BTreeMap<RosterKey, CancellationToken>,
    tasks: JoinSet<Looked>,
}

impl Looks {
    fn new(shared: Shared, stop: CancellationToken) -> Self {
        Self {
            shared,
            stop,
            schedule: Schedule::default(),
            rosters: HashMap::new(),
            notes: HashMap::new(),
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
        }
    }

    async fn run(mut self, mut told: mpsc::UnboundedReceiver<Told>) {
        while !self.stop.is_cancelled() {
            self.start_due();
            let room = self.running.len() < TOGETHER;
            let next = self.schedule.next(|key| self.running.contains_key(key)).filter(|_| room);
            tokio::select! {
                () = self.stop.cancelled() => break,
                Some(told) = told.recv() => self.hear(told),
                Some(ended) = self.tasks.join_next() => if let Ok(looked) = ended { self.looked(looked) },
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
        while self.tasks.join_next().await.is_some() {}
    }

    fn start_due(&mut self) {
        while self.running.len() < TOGETHER
            && let Some(key) = self.schedule.take(Instant::now(), |key| self.running.contains_key(key))
        {
            let Some(roster) = self.rosters.get(&key) else { continue };
            if roster.metadata.deletion_timestamp.is_some() {
                continue;
            }
            let outdated = CancellationToken::new();
            let pass = Pass {
                shared: self.shared.clone(),
                key: key.clone(),
                roster: Arc::clone(roster),
                notes: self.notes.remove(&key).unwrap_or_default(),
                stop: self.stop.child_token(),
                outdated: outdated.clone(),
            };
            let span = error_span!("roster", roster = %key);
            self.running.insert(key, outdated);
            self.tasks.spawn(pass.run().instrument(span));
        }
    }

    fn hear(&mut self, told: Told) {
        match told {
            Told::Roster(roster, fresh) => {
                let key = key_of(&roster);
                if !self.rosters.contains_key(&key) {
                    info!(roster = %key, "starting");
                }
                self.keep_newest(&key, roster);
                if fresh {
                    self.changed(&key);
                }
            }
            Told::Source(key) => self.changed(&key),
            Told::Wake(key) => self.schedule.wake(&key, Instant::now()),
            Told::Gone(key) => {
                if let Some(outdated) = self.running.get(&key) {
                    outdated.cancel();
                }
                self.rosters.remove(&key);
                self.notes.remove(&key);
                self.schedule.forget(&key);
                self.shared.metrics.roster_gone(&key.to_string());
            }
        }
    }

    /// What it says, or what its source says, is not what a look under way has read.
    fn changed(&mut self, key: &RosterKey) {
        if let Some(outdated) = self.running.get(key) {
            outdated.cancel();
        }
        self.schedule.wake(key, Instant::now());
    }

    fn looked(&mut self, looked: Looked) {
        let Looked { key, roster, notes, again } = looked;
        self.running.remove(&key);
        let Some(known) = self.rosters.get(&key) else {
            self.shared.metrics.roster_gone(&key.to_string());
            return;
        };
        // Deleted and made again meanwhile: what was learnt is of another one.
        if known.metadata.uid != roster.metadata.uid {
            return;
        }
        self.keep_newest(&key, roster);
        self.notes.insert(key.clone(), notes);
        if let Some(wait) = again {
            self.schedule.again(&key, Instant::now() + wait);
        }
    }

    /// The answer to a write of the status may come before the watch event of an earlier version, or after that of a
    /// later one.
    fn keep_newest(&mut self, key: &RosterKey, roster: Arc<ScimRoster>) {
        match self.rosters.get(key) {
            Some(known) if known.metadata.uid == roster.metadata.uid && version(known) > version(&roster) => {}
            _ => _ = self.rosters.insert(key.clone(), roster),
        }
    }
}

fn version(roster: &ScimRoster) -> u64 {
    roster.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}

fn key_of(roster: &ScimRoster) -> RosterKey {
    RosterKey { namespace: roster.namespace().unwrap_or_default(), name: roster.name_any() }
}

fn named(roster: &Read<ScimRoster>) -> RosterKey {
    match roster {
        Ok(roster) => key_of(roster),
        Err(invalid) => RosterKey {
            namespace: invalid.metadata.namespace.clone().unwrap_or_default(),
            name: invalid.metadata.name.clone().unwrap_or_default(),
        },
    }
}
