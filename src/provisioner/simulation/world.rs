//! One operator, its cluster and its server, one small step at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard};

use kube::ResourceExt;

use super::cluster::{WatchEvent, is_of_second};
use super::operator::{Flight, Operator, Running, Task, poll};
use super::outside::{Listing, Outside, Place, Shared, look};
use super::setup::Setup;
use crate::api::{ScimUser, Uid};
use crate::directory::{Changed, awaits_name};
use crate::plan::guards::{Gate, HoldView};
use crate::provisioner::schedule::queue::Lane;

/// What a sweep goes by where passes go by their object.
const SWEEP: &str = "sweep";

/// Passes at once; one of them is kept for removals.
const WORKERS: usize = 3;

/// Everything.
pub struct World {
    shared: Shared,
    pub operator: Operator,
}

impl World {
    pub fn new(setup: Setup, traced: bool) -> Self {
        let shared: Shared = Arc::new(std::sync::Mutex::new(Outside::new(setup, traced)));
        let operator = Operator::new(&shared);
        let mut world = Self { shared, operator };
        world.restart();
        world
    }

    /// What is outside of the operator.
    pub fn outside(&self) -> MutexGuard<'_, Outside> {
        look(&self.shared)
    }

    /// The connection was tested, and is good.
    pub fn connect(&self) {
        self.operator.connect(&self.shared);
    }

    /// What happened so far; nothing while somebody looks at it.
    pub fn trace(&self) -> Vec<String> {
        self.shared.try_lock().ok().and_then(|outside| outside.trace.clone()).unwrap_or_default()
    }

    pub fn say(&self, what: impl FnOnce() -> String) {
        self.outside().say(what);
    }

    pub fn is_broken(&self) -> bool {
        self.outside().broken.is_some()
    }

    /// Where the pass that was begun first stands.
    pub fn place(&self) -> Option<Place> {
        let uid = &self.operator.flight.first()?.ticket.uid;
        self.outside().observed.places.get(uid).copied()
    }

    /// What is held.
    pub fn holds(&self) -> Vec<HoldView> {
        self.operator.provisioner.guards.inspect(Gate::holds)
    }

    /// Who is in a hold.
    pub fn held_by(&self, id: &str) -> Vec<Uid> {
        self.operator.provisioner.guards.inspect(|gate| gate.members(id))
    }

    /// kill -9, and up again: the objects are listed, and all of them asked for.
    pub fn restart(&mut self) {
        {
            let mut outside = self.outside();
            outside.say(|| "restart".into());
            outside.book.restarts += 1;
            outside.cluster.events.clear();
            outside.cluster.group_events.clear();
            outside.forget_unrecorded();
            outside.heard = outside.heard.take().map(|_| BTreeMap::new());
        }
        self.operator = Operator::new(&self.shared);
        // By the bound id alone nobody can tell that it shows somebody else.
        if self.outside().book.swapped.is_some() {
            self.list_at_once();
        }
        for user in self.operator.provisioner.directory.all() {
            self.submit(&user, false);
        }
        for group in self.operator.provisioner.directory.all_groups() {
            self.operator.provisioner.submit_group(&group, false);
        }
    }

    fn submit(&self, user: &ScimUser, fresh: bool) {
        self.operator.of(user).submit(user, &Changed { itself: true, fresh, ..Changed::default() });
    }

    /// Objects whose claims may stand differently are looked at again.
    fn route(&mut self) {
        while let Ok(uid) = self.operator.reroute.try_recv() {
            self.route_one(&uid);
        }
    }

    pub fn route_one(&self, uid: &Uid) {
        if let Some(user) = self.operator.provisioner.directory.get(uid) {
            self.submit(&user, true);
        } else if let Some(group) = self.operator.provisioner.directory.group(uid) {
            self.operator.provisioner.submit_group(&group, awaits_name(&group));
        }
    }

    /// One watch event arrives.
    pub fn deliver(&mut self) -> bool {
        let news = self.outside().cluster.events.pop_front();
        let directory = Arc::clone(&self.operator.provisioner.directory);
        let others = match news {
            None => return false,
            Some(WatchEvent::Applied(user)) => {
                self.say(|| format!("  hear {} generation {:?}", user.name_any(), user.metadata.generation));
                let changed = directory.upsert((*user).clone());
                if changed.itself
                    && let Some(user) = directory.get(&Uid::of(&user.metadata))
                {
                    self.submit(&user, changed.fresh);
                }
                changed.others
            }
            Some(WatchEvent::Deleted(uid)) => {
                let others = directory.remove(&uid);
                self.operator.both().into_iter().for_each(|one| one.forget(&uid));
                let mut outside = self.outside();
                outside.observed.held.remove(&uid);
                outside.observed.unsaved.remove(&uid);
                others
            }
        };
        for uid in &others {
            self.route_one(uid);
        }
        true
    }

    /// A pass begins.
    pub fn take(&mut self) -> bool {
        let others = self.operator.flight.iter().filter(|flight| flight.ticket.lane != Lane::Removal).count();
        if self.operator.flight.len() >= WORKERS {
            return false;
        }
        let next = |one: &Running| Some((Arc::clone(one), one.next_ticket(others + 1 >= WORKERS)?));
        let Some((provisioner, ticket)) = self.operator.both().into_iter().find_map(next) else { return false };
        let now = self.outside().instant();
        if ticket.lane != Lane::Removal && provisioner.schedule.next(now, true, true).is_some() {
            self.outside().complain("i17: something else was taken while a removal was due");
        }
        {
            let mut outside = self.outside();
            let status = if ticket.for_status { " status" } else { "" };
            outside.say(|| format!("take {} {:?}{status}", ticket.uid, ticket.lane));
            outside.observed.informed.remove(&ticket.uid);
            outside.observed.admitted.remove(&ticket.uid);
            let heard = outside.cluster.heard();
            outside.observed.heard.insert(ticket.uid.clone(), heard);
            outside.observed.places.remove(&ticket.uid);
        }
        let pass = {
            let (ticket, provisioner) = (ticket.clone(), Arc::clone(&provisioner));
            Box::pin(async move { provisioner.work(&ticket).await })
        };
        self.operator.flight.push(Flight { ticket, steps: 0, provisioner, pass });
        true
    }

    /// One pass goes on to the next place where it stops.
    pub fn advance(&mut self, number: usize) -> bool {
        if self.operator.flight.is_empty() {
            return false;
        }
        let mut flight = self.operator.flight.swap_remove(number % self.operator.flight.len());
        let uid = flight.ticket.uid.clone();
        flight.steps += 1;
        {
            let mut outside = self.outside();
            outside.observed.at_work = Some(uid.clone());
            outside.hearing = Some(uid.to_string());
        }
        let ended = poll(&mut flight.pass);
        self.outside().observed.at_work = None;
        self.outside().hearing = None;
        match ended {
            Some(outcome) => {
                self.say(|| format!("  {uid} ends: {outcome:?}"));
                self.outside().hears_no_more(uid.as_str());
                let now = self.outside().instant();
                flight.provisioner.schedule.finish(&flight.ticket.uid, outcome, 0.5, now);
            }
            None => self.operator.flight.push(flight),
        }
        self.route();
        true
    }

    /// A sweep begins.
    pub fn sweep(&mut self, how: Listing) {
        if self.operator.sweep.is_some() {
            return;
        }
        self.say(|| format!("sweep {how:?}"));
        self.outside().listing = how;
        let used = self.outside().cluster.objects.values().any(is_of_second);
        let swept: Vec<_> = self.operator.both().into_iter().take(1 + usize::from(used)).cloned().collect();
        self.operator.sweep = Some(Box::pin(async move {
            let mut ended = true;
            for provisioner in swept {
                let Some(session) = provisioner.session() else { continue };
                ended &= provisioner.sweep_once(&session).await;
            }
            ended
        }));
    }

    /// Something can only be found in the whole list.
    pub fn asks_for_sweep(&self) -> bool {
        let asks = |provisioner: Running| {
            let mut asked: Task<()> = Box::pin(async move { provisioner.mirror.sweep_asked().await });
            poll(&mut asked).is_some()
        };
        self.operator.both().map(|one| asks(Arc::clone(one))).contains(&true)
    }

    /// The sweep reads its next page, or ends.
    pub fn page(&mut self) -> bool {
        let Some(mut sweep) = self.operator.sweep.take() else { return false };
        self.outside().hearing = Some(SWEEP.to_owned());
        let ended = poll(&mut sweep).is_some();
        self.outside().hearing = None;
        if ended {
            self.outside().hears_no_more(SWEEP);
        } else {
            self.operator.sweep = Some(sweep);
        }
        self.route();
        true
    }

    /// Time goes by; what was due by itself happens.
    pub fn pass_time(&mut self, millis: i64) {
        self.outside().now += millis;
        self.tick();
    }

    pub fn tick(&mut self) {
        for provisioner in self.operator.both() {
            provisioner.tick_gate();
            provisioner.submit_due_windows();
        }
    }

    /// The connection's status is written, unless somebody else is just writing it.
    pub fn save(&mut self) {
        for provisioner in self.operator.both().map(Arc::clone) {
            let mut report: Task<()> = Box::pin(async move { provisioner.report_now().await });
            for _ in 0..4 {
                if poll(&mut report).is_some() {
                    break;
                }
            }
        }
    }
}
