//! One operator, its cluster and its server, one small step at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use tokio::time::Instant;

use super::cluster::{Cluster, News};
use super::pass::Pass;
use super::setup::{CONNECTION, SERVER, Setup};
use super::site::Site;
use crate::api::{OperationType, ScimUser};
use crate::plan::guards::{Event as GateEvent, Gate, GuardName, Remembered, Settings};
use crate::plan::{Path, Policy, Step};
use crate::provisioner::directory::{Changed, ConnectionKey, Directory, Uid};
use crate::provisioner::lane_of;
use crate::provisioner::memory::Memory;
use crate::provisioner::queue::{Lane, Queue};
use crate::provisioner::snapshot::Snapshot;
use crate::provisioner::windows::Windows;
use crate::scim::{Resource, fold};
use crate::status::whole_seconds;

/// Accounts a page.
const PAGE: usize = 2;

/// Workers; one of them is kept for removals.
const WORKERS: usize = 3;

/// What befalls the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing takes effect: 429, 5xx, a reset.
    Refused,
    /// It takes effect, and the answer is lost.
    Lost,
    /// 404, whatever is there.
    Missing,
    /// A look-up shows how things were a while ago.
    Stale,
    /// The API server refuses the next status.
    Status,
}

/// How a listing goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    Whole,
    /// Breaks off.
    Truncated,
    /// A page is never shown.
    Gap,
    /// The first page comes twice.
    Repeated,
    /// Everything as it was a while ago.
    Stale,
    /// Nothing, in good shape.
    Empty,
}

/// A sweep under way: the pages yet to be read.
#[derive(Debug)]
struct Sweep {
    how: Listing,
    page: usize,
}

/// What a restart forgets.
pub struct Operator {
    pub directory: Directory,
    pub snapshot: Snapshot,
    pub queue: Queue,
    pub memory: Memory,
    pub gate: Gate,
    pub windows: Windows,
    pub flight: Vec<Pass>,
    pub swept: bool,
    sweep: Option<Sweep>,
    /// Objects whose operation was held when they last asked, or when a person answered.
    /// For which generation and guard; none for any.
    pub held: BTreeMap<String, Option<(i64, Option<GuardName>)>>,
}

/// What the checks remember of a history.
#[derive(Debug, Default)]
pub struct Book {
    /// Writes that the server took.
    pub writes: u64,
    /// What guards let go: when, and which operation.
    pub let_go: BTreeMap<GuardName, Vec<(i64, String)>>,
    /// Operations that a person let go.
    pub approved: BTreeSet<String>,
    /// How many operations of an object were done.
    pub done: BTreeMap<String, u64>,
    /// Accounts that were ever made or bound by us.
    pub ours: BTreeSet<String>,
    /// Which object an account was last bound to.
    pub holders: BTreeMap<String, String>,
    /// Accounts made for an object.
    pub made: BTreeMap<String, Vec<String>>,
    /// Accounts that an object was bound to, recorded or not.
    pub taken: BTreeMap<String, Vec<String>>,
    /// The account and the attributes of an object when it was last at rest, on record.
    pub carried_out: BTreeMap<String, (String, BTreeMap<Path, serde_json::Value>)>,
    /// Accounts that may stay active although no object declares them.
    pub excused: BTreeSet<String>,
    /// Whose creation was sent, and under which name.
    pub asked: BTreeSet<(String, String)>,
    /// How often the operator began.
    pub restarts: u64,
    /// Accounts that the server denied although they were there.
    pub denied: BTreeSet<String>,
}

/// Everything.
pub struct World {
    pub setup: Setup,
    pub policy: Policy,
    pub settings: Settings,
    pub site: Site,
    pub cluster: Cluster,
    pub operator: Operator,
    pub now: i64,
    pub fault: Option<Fault>,
    pub book: Book,
    pub broken: Option<String>,
    pub trace: Option<Vec<String>>,
    epoch: Instant,
}

impl Operator {
    fn new(settings: &Settings, remembered: Remembered, now: Timestamp) -> Self {
        let directory = Directory::default();
        directory.set_server(&key(), Some(SERVER));
        Self {
            directory,
            snapshot: Snapshot::default(),
            queue: Queue::new(),
            memory: Memory::default(),
            gate: Gate::new(settings, remembered, now),
            windows: Windows::default(),
            flight: Vec::new(),
            swept: false,
            sweep: None,
            held: BTreeMap::new(),
        }
    }
}

fn key() -> ConnectionKey {
    ConnectionKey { namespace: "n".into(), name: CONNECTION.into() }
}

impl World {
    pub fn new(setup: Setup, traced: bool) -> Self {
        let settings = setup.settings();
        let now = 1_000_000_000;
        let mut world = Self {
            policy: setup.policy(),
            site: setup.site(),
            cluster: Cluster::default(),
            operator: Operator::new(&settings, Remembered::default(), at(now)),
            now,
            fault: None,
            book: Book::default(),
            broken: None,
            trace: traced.then(Vec::new),
            epoch: Instant::now(),
            setup,
            settings,
        };
        world.restart();
        world
    }

    /// Says what happens, where somebody listens.
    pub fn say(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(what());
        }
    }

    /// A promise is broken; the first one counts.
    pub fn complain(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.say(|| format!("BROKEN {what}"));
        self.broken.get_or_insert(what);
    }

    pub fn time(&self) -> Timestamp {
        at(self.now)
    }

    /// The same instant on the queue's clock.
    pub fn instant(&self) -> Instant {
        self.epoch + Duration::from_millis(u64::try_from(self.now).unwrap_or(0))
    }

    /// The fault, if it is one of these: it strikes once.
    pub fn strikes(&mut self, kinds: &[Fault]) -> Option<Fault> {
        let fault = self.fault.filter(|fault| kinds.contains(fault))?;
        self.fault = None;
        self.say(|| format!("  fault {fault:?}"));
        Some(fault)
    }

    /// kill -9, and up again: the objects are listed, and all of them asked for.
    pub fn restart(&mut self) {
        self.say(|| "restart".into());
        self.book.restarts += 1;
        let remembered = self.cluster.remembered.clone();
        self.operator = Operator::new(&self.settings, remembered, self.time());
        self.cluster.news.clear();
        let (approved, rejected) = (self.cluster.approved.clone(), self.cluster.rejected.clone());
        let _ = self.operator.gate.answer(approved.as_deref(), rejected.as_deref(), self.time());
        for user in self.cluster.objects.values() {
            self.operator.directory.upsert(user.clone());
        }
        for user in self.operator.directory.all() {
            self.submit(&user, false);
        }
    }

    fn submit(&mut self, user: &ScimUser, fresh: bool) {
        let uid: Uid = user.uid().unwrap_or_default().into();
        let now = self.instant();
        self.operator.queue.submit(&uid, lane_of(user), fresh, now);
    }

    /// Routes an object again.
    pub fn route(&mut self, uid: &str) {
        if let Some(user) = self.operator.directory.get(uid) {
            self.submit(&user, true);
        }
    }

    /// The answer to a write of ours is as good as a watch event.
    pub fn learn(&mut self, written: &ScimUser) {
        let again = self.operator.directory.learn(written.clone());
        for uid in &again {
            self.route(uid);
        }
    }

    /// One watch event arrives.
    pub fn deliver(&mut self) -> bool {
        match self.cluster.news.pop_front() {
            None => return false,
            Some(News::Applied(user)) => {
                self.say(|| format!("  hear {} generation {:?}", user.name_any(), user.metadata.generation));
                let Changed { itself, fresh, others } = self.operator.directory.upsert((*user).clone());
                if itself && let Some(user) = self.operator.directory.get(&user.uid().unwrap_or_default()) {
                    self.submit(&user, fresh);
                }
                for uid in &others {
                    self.route(uid);
                }
            }
            Some(News::Deleted(uid)) => {
                let others = self.operator.directory.remove(&uid);
                self.forget(&uid);
                for uid in &others {
                    self.route(uid);
                }
            }
        }
        true
    }

    pub fn forget(&mut self, uid: &str) {
        self.operator.queue.forget(uid);
        self.operator.memory.forget(uid);
        self.operator.gate.withdraw(uid);
        self.operator.windows.set(&uid.into(), None);
        self.operator.held.remove(uid);
    }

    /// A worker takes the next ticket.
    pub fn take(&mut self) -> bool {
        let others = self.operator.flight.iter().filter(|pass| pass.ticket.lane != Lane::Removal).count();
        if self.operator.flight.len() >= WORKERS {
            return false;
        }
        let now = self.instant();
        let only_removals = others + 1 >= WORKERS || !self.operator.swept;
        let Some(ticket) = self.operator.queue.next(now, only_removals, true) else { return false };
        if ticket.lane != Lane::Removal && self.operator.queue.next(now, true, true).is_some() {
            self.complain("i17: something else was taken while a removal was due");
        }
        self.say(|| format!("take {} {:?}{}", ticket.uid, ticket.lane, if ticket.for_status { " status" } else { "" }));
        self.begin(ticket);
        true
    }

    /// A sweep begins.
    pub fn sweep(&mut self, how: Listing) {
        if self.operator.sweep.is_none() {
            self.say(|| format!("sweep {how:?}"));
            self.operator.snapshot.begin();
            self.operator.sweep = Some(Sweep { how, page: 0 });
        }
    }

    /// The sweep reads its next page, or ends.
    pub fn page(&mut self) -> bool {
        let Some(mut sweep) = self.operator.sweep.take() else { return false };
        let Some(resources) = self.pages(&sweep) else {
            self.end_sweep(false);
            return true;
        };
        sweep.page += 1;
        let directory = &self.operator.directory;
        let keep = |resource: &Resource| {
            let name = resource.user_name().map(fold).unwrap_or_default();
            directory.declares(SERVER, &name, resource.id().unwrap_or_default())
        };
        let new = self.operator.snapshot.page(resources, keep);
        if new == 0 {
            self.end_sweep(true);
        } else {
            self.operator.sweep = Some(sweep);
        }
        true
    }

    fn pages(&self, sweep: &Sweep) -> Option<Vec<Resource>> {
        let all = self.site.list(sweep.how == Listing::Stale);
        let page = match sweep.how {
            Listing::Truncated if sweep.page > 0 => return None,
            Listing::Empty => return Some(Vec::new()),
            Listing::Gap if sweep.page > 0 => sweep.page + 1,
            Listing::Repeated => sweep.page.saturating_sub(1),
            _ => sweep.page,
        };
        Some(all.into_iter().skip(page * PAGE).take(PAGE).collect())
    }

    fn end_sweep(&mut self, complete: bool) {
        self.operator.snapshot.end(complete);
        self.operator.swept = true;
        if !complete {
            return;
        }
        for user in self.operator.directory.users_of(&key()) {
            let uid: Uid = user.uid().unwrap_or_default().into();
            if !self.operator.queue.contains(&uid) && self.differs(&user) {
                self.say(|| format!("  {uid} differs"));
                let now = self.instant();
                self.operator.queue.submit(&uid, Lane::Drift, false, now);
            }
        }
    }

    fn differs(&self, user: &Arc<ScimUser>) -> bool {
        let pass = Pass::probe(Arc::clone(user));
        match self.plan(&pass) {
            Step::Settle(verdict) => {
                let generation = user.metadata.generation.unwrap_or_default();
                crate::status::record(&pass.status, generation, &verdict, &pass.recorded, self.time()) != pass.status
            }
            _ => true,
        }
    }

    /// Time goes by; what was due by itself happens.
    pub fn pass_time(&mut self, millis: i64) {
        self.now += millis;
        self.tick();
    }

    pub fn tick(&mut self) {
        let now = self.time();
        for event in self.operator.gate.tick(now) {
            match event {
                GateEvent::Closed(view) => self.say(|| format!("hold {:?} closed", view.id)),
                GateEvent::Requeue(uids) => self.requeue(&uids),
            }
        }
        for uid in self.operator.windows.due(now) {
            let user = self.operator.directory.get(&uid);
            let active = user.and_then(|user| user.status.as_ref()?.active).unwrap_or(false);
            let lane = if active { Lane::Removal } else { Lane::Change };
            let now = self.instant();
            self.operator.queue.submit(&uid, lane, false, now);
        }
    }

    fn requeue(&mut self, uids: &[Uid]) {
        let now = self.instant();
        for uid in uids {
            let lane = match self.operator.gate.operation(uid) {
                Some(OperationType::Deactivate | OperationType::Delete) => Lane::Removal,
                Some(OperationType::Create) => Lane::Create,
                _ => Lane::Change,
            };
            self.operator.queue.submit(uid, lane, true, now);
        }
    }

    /// The connection's status is written.
    pub fn save_gate(&mut self) {
        let now = self.time();
        let gate = &mut self.operator.gate;
        // Whole seconds, as Kubernetes has them, and later rather than earlier.
        let later = |(at, count): (Timestamp, u64)| (whole_seconds(at + Duration::from_millis(999)), count);
        let buckets = |buckets: Vec<_>| buckets.into_iter().map(later).collect();
        let ledgers = gate.usage(0, now).into_iter().map(|view| (view.name, buckets(view.buckets))).collect();
        let holds = gate.holds().into_iter().filter_map(|hold| hold.id).collect();
        let spent = gate.spent().map(str::to_owned).collect();
        let refused = gate.refused().map(str::to_owned).collect();
        self.cluster.remembered = Remembered { ledgers, holds, spent, refused };
        if let Some(revision) = gate.unsaved() {
            gate.saved(revision);
        }
    }

    /// A person approves or rejects a hold.
    pub fn answer(&mut self, number: usize, approve: bool) {
        let holds: Vec<String> = self.operator.gate.holds().into_iter().filter_map(|hold| hold.id).collect();
        let Some(id) = holds.get(number % holds.len().max(1)).cloned() else { return };
        self.say(|| format!("{} {id}", if approve { "approve" } else { "reject" }));
        let (mut approved, mut rejected) = (self.cluster.approved.clone(), self.cluster.rejected.clone());
        let (given, other) = if approve { (&mut approved, &mut rejected) } else { (&mut rejected, &mut approved) };
        *given = Some(id.clone());
        other.take_if(|other| *other == id);
        (self.cluster.approved, self.cluster.rejected) = (approved.clone(), rejected.clone());
        let now = self.time();
        if approve {
            let members = self.operator.gate.members(&id);
            self.operator.held.extend(members.iter().map(|uid| (uid.to_string(), None)));
        }
        let again = self.operator.gate.answer(approved.as_deref(), rejected.as_deref(), now);
        self.requeue(&again);
    }

    /// `mode` changes.
    pub fn set_plan(&mut self, plan: bool) {
        self.settings.plan = plan;
        let now = self.time();
        let again = self.operator.gate.configure(&self.settings, now);
        for uid in &again {
            self.operator.held.remove(&**uid);
        }
        self.requeue(&again);
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap_or_default()
}
