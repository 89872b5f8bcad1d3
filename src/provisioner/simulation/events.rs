//! What may happen, and how often.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::checks::reason_of;
use super::outside::{Fault, Listing};
use super::setup::{CONNECTION, Setup};
use super::world::World;
use crate::api::{
    Access, AdoptionPolicy, ConnectionRef, DeletionPolicy, RECONCILE_REQUESTED_AT, RELEASE, ScimUser, ScimUserSpec,
};
use crate::provisioner::directory::is_deleting;

const NAMES: [&str; 5] = ["ada", "bob", "cyd", "Ada", "dee"];
const PLACES: [(&str, &str); 5] = [("n", "a"), ("n", "b"), ("n", "c"), ("n", "d"), ("n", "e")];

/// What a person declares of another.
#[derive(Clone, Debug)]
pub struct Spec {
    pub name: usize,
    pub external_id: bool,
    pub active: Option<bool>,
    pub title: Option<&'static str>,
    pub email: Option<&'static str>,
    /// Access ends after so many minutes.
    pub until: Option<i64>,
}

impl Spec {
    /// A userName and nothing else.
    pub fn named(name: usize) -> Self {
        Self { name, external_id: false, active: None, title: None, email: None, until: None }
    }
}

/// One event.
#[derive(Clone, Debug)]
pub enum Event {
    Declare(usize, Spec),
    Change(usize, Spec),
    Activate(usize, Option<bool>),
    Rename(usize, usize),
    Swap(usize, usize),
    /// Delete and declare again under another name; true: in that order.
    Move(usize, usize, bool),
    Remove(usize),
    Release(usize),
    Request(usize),
    Restart,
    /// So many small steps, in an order that the seed picks.
    Work(u32, u8),
    Time(i64),
    Sweep(Listing),
    Fault(Fault),
    Remember,
    Save,
    Retitle(usize, &'static str),
    Remail(usize, &'static str),
    Deactivate(usize),
    Reactivate(usize),
    Erase(usize),
    Invite(usize, bool),
    Answer(usize, bool),
    Plan(bool),
}

fn specs() -> impl Strategy<Value = Spec> {
    let texts = || option::of(select(vec!["x", "y"]));
    let active = select(vec![None, None, Some(true), Some(true), Some(false)]);
    let until = prop::option::weighted(0.1, 1..300_i64);
    (0..NAMES.len(), prop::bool::weighted(0.2), active, texts(), texts(), until).prop_map(
        |(name, external_id, active, title, email, until)| Spec { name, external_id, active, title, email, until },
    )
}

fn events() -> impl Strategy<Value = Event> {
    let slot = || 0..PLACES.len();
    let texts = || select(vec!["x", "y", "z"]);
    let listing = select(vec![
        Listing::Whole,
        Listing::Whole,
        Listing::Whole,
        Listing::Truncated,
        Listing::Gap,
        Listing::Repeated,
        Listing::Stale,
        Listing::Empty,
    ]);
    let faults = select(vec![Fault::Refused, Fault::Lost, Fault::Lost, Fault::Missing, Fault::Stale, Fault::Status]);
    let times = prop_oneof![1_i64..3_000, 3_000_i64..120_000, 120_000_i64..8_000_000];
    let by_people = prop_oneof![
        6 => (slot(), specs()).prop_map(|(slot, spec)| Event::Declare(slot, spec)),
        3 => (slot(), specs()).prop_map(|(slot, spec)| Event::Change(slot, spec)),
        2 => (slot(), option::of(any::<bool>())).prop_map(|(slot, active)| Event::Activate(slot, active)),
        3 => (slot(), 0..NAMES.len()).prop_map(|(slot, name)| Event::Rename(slot, name)),
        1 => (slot(), slot()).prop_map(|(one, other)| Event::Swap(one, other)),
        2 => (slot(), slot(), any::<bool>()).prop_map(|(one, other, first)| Event::Move(one, other, first)),
        4 => slot().prop_map(Event::Remove),
        1 => slot().prop_map(Event::Release),
        1 => slot().prop_map(Event::Request),
        2 => (0..3_usize, prop::bool::weighted(0.7)).prop_map(|(hold, approve)| Event::Answer(hold, approve)),
        1 => prop::bool::weighted(0.3).prop_map(Event::Plan),
    ];
    let by_hand = prop_oneof![
        2 => (slot(), texts()).prop_map(|(account, text)| Event::Retitle(account, text)),
        1 => (slot(), texts()).prop_map(|(account, text)| Event::Remail(account, text)),
        2 => slot().prop_map(Event::Deactivate),
        1 => slot().prop_map(Event::Reactivate),
        1 => slot().prop_map(Event::Erase),
        1 => (0..NAMES.len(), prop::bool::weighted(0.7)).prop_map(|(name, active)| Event::Invite(name, active)),
    ];
    prop_oneof![
        7 => (any::<u32>(), 1_u8..40).prop_map(|(seed, steps)| Event::Work(seed, steps)),
        3 => times.prop_map(Event::Time),
        3 => listing.prop_map(Event::Sweep),
        6 => by_people,
        2 => by_hand,
        2 => faults.prop_map(Event::Fault),
        1 => Just(Event::Restart),
        1 => Just(Event::Remember),
        1 => Just(Event::Save),
    ]
}

/// A connection, its server and what happens to them.
pub fn history() -> impl Strategy<Value = (Setup, Vec<Event>)> {
    let deletion = select(vec![
        DeletionPolicy::Deactivate,
        DeletionPolicy::Deactivate,
        DeletionPolicy::Deactivate,
        DeletionPolicy::Delete,
        DeletionPolicy::Delete,
        DeletionPolicy::Retain,
    ]);
    let bools = (
        prop::bool::weighted(0.9),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.2),
    );
    let repair = (prop::bool::weighted(0.8), any::<bool>(), any::<bool>());
    let limits = (0..4_u32, 0..4_u32, 1..5_u32);
    let setup = (bools, repair, deletion, limits, select(vec![600_u64, 3_600, 86_400])).prop_map(
        |((unique, silent, put, drops, protected, refuse, upserts), repair, deletion, limits, window)| Setup {
            unique,
            upserts,
            silent,
            put,
            drops,
            repair,
            deletion,
            adoption: if refuse { AdoptionPolicy::Refuse } else { AdoptionPolicy::Adopt },
            protected,
            limits,
            window,
        },
    );
    (setup, vec(events(), 1..45))
}

impl World {
    fn spec(&self, spec: &Spec) -> ScimUserSpec {
        let name = NAMES[spec.name];
        let until = spec.until.map(|minutes| self.outside().time() + SignedDuration::from_mins(minutes));
        let mut json = json!({"connectionRef": {"name": CONNECTION}, "userName": name});
        if let Some(title) = spec.title {
            json["title"] = Value::from(title);
        }
        if let Some(email) = spec.email {
            json["emails"] = json!([{"type": "work", "value": email}]);
        }
        let read: ScimUserSpec = serde_json::from_value(json).expect("a spec");
        ScimUserSpec {
            connection_ref: ConnectionRef { name: CONNECTION.into(), ..ConnectionRef::default() },
            active: spec.active,
            external_id: spec.external_id.then(|| format!("e-{}", spec.name % 3)),
            access: until
                .map(|until| Access { not_before: None, not_after: Some(Time(crate::status::whole_seconds(until))) }),
            ..read
        }
    }

    fn placed(&self, slot: usize) -> Option<String> {
        let (namespace, name) = PLACES[slot];
        self.outside().cluster.named(namespace, name).and_then(ResourceExt::uid)
    }

    /// The object in a place, if a person may still edit it.
    fn edit(&mut self, slot: usize, change: impl FnOnce(&mut ScimUser)) {
        let Some(uid) = self.placed(slot) else { return };
        if self.outside().cluster.objects.get(&uid).is_some_and(|user| !is_deleting(user)) {
            self.outside().cluster.edit(&uid, change);
        }
    }

    fn account(&self, number: usize) -> Option<String> {
        let ids: Vec<String> = self.outside().site.server.accounts.keys().cloned().collect();
        ids.get(number % ids.len().max(1)).cloned()
    }

    /// One event happens.
    pub fn happen(&mut self, event: &Event) {
        self.say(|| format!("{event:?}"));
        match event {
            Event::Work(seed, steps) => self.work(*seed, *steps),
            Event::Time(millis) => self.pass_time(*millis),
            Event::Sweep(how) => self.sweep(*how),
            Event::Fault(fault) => self.outside().fault = Some(*fault),
            Event::Restart => self.restart(),
            Event::Remember => self.outside().site.remember(),
            Event::Save => self.save(),
            Event::Answer(hold, approve) => self.answer(*hold, *approve),
            Event::Plan(plan) => self.set_plan(*plan),
            Event::Retitle(..)
            | Event::Remail(..)
            | Event::Deactivate(_)
            | Event::Reactivate(_)
            | Event::Erase(_)
            | Event::Invite(..) => self.by_hand(event),
            _ => self.by_people(event),
        }
    }

    fn by_people(&mut self, event: &Event) {
        let now = self.outside().time();
        match event {
            Event::Declare(slot, spec) => {
                let (namespace, name) = PLACES[*slot];
                let spec = self.spec(spec);
                self.outside().cluster.create(namespace, name, spec, now);
            }
            Event::Change(slot, spec) => {
                let spec = self.spec(spec);
                self.edit(*slot, |user| {
                    let user_name = user.spec.user_name.clone();
                    user.spec = ScimUserSpec { user_name, ..spec };
                });
            }
            Event::Activate(slot, active) => self.edit(*slot, |user| user.spec.active = *active),
            Event::Rename(slot, name) => self.rename(*slot, NAMES[*name]),
            Event::Swap(one, other) => {
                let name = |slot| {
                    let uid = self.placed(slot)?;
                    Some(self.outside().cluster.objects.get(&uid)?.spec.user_name.clone())
                };
                if let (Some(first), Some(second)) = (name(*one), name(*other)) {
                    self.rename(*one, &second);
                    self.rename(*other, &first);
                }
            }
            Event::Move(from, to, first) => self.relocate(*from, *to, *first),
            Event::Remove(slot) => {
                if let Some(uid) = self.placed(*slot) {
                    self.outside().cluster.delete(&uid, now);
                }
            }
            Event::Release(slot) => {
                if let Some(uid) = self.placed(*slot) {
                    self.outside().cluster.edit(&uid, |user| {
                        user.annotations_mut().insert(RELEASE.into(), "true".into());
                    });
                }
            }
            Event::Request(slot) => {
                let asked = self.outside().now.to_string();
                self.edit(*slot, |user| {
                    user.annotations_mut().insert(RECONCILE_REQUESTED_AT.into(), asked);
                });
            }
            _ => {}
        }
    }

    fn rename(&mut self, slot: usize, name: &str) {
        self.edit(slot, |user| user.spec.user_name = name.to_owned());
    }

    fn relocate(&mut self, from: usize, to: usize, delete_first: bool) {
        let now = self.outside().time();
        let Some(uid) = self.placed(from) else { return };
        let Some(spec) = self.outside().cluster.objects.get(&uid).map(|user| user.spec.clone()) else { return };
        let (namespace, name) = PLACES[to];
        if delete_first {
            self.outside().cluster.delete(&uid, now);
        }
        if self.outside().cluster.create(namespace, name, spec, now).is_some() {
            self.outside().cluster.delete(&uid, now);
        }
    }

    fn by_hand(&mut self, event: &Event) {
        let chosen = match event {
            Event::Retitle(number, _)
            | Event::Remail(number, _)
            | Event::Deactivate(number)
            | Event::Reactivate(number)
            | Event::Erase(number) => self.account(*number),
            _ => None,
        };
        match (event, chosen) {
            (Event::Invite(name, active), _) => self.outside().site.invite(NAMES[*name], *active),
            (Event::Retitle(_, text), Some(id)) => {
                self.outside().site.meddle(&id, |account| {
                    account.insert("title".into(), Value::from(*text));
                });
            }
            (Event::Remail(_, text), Some(id)) => {
                self.outside().site.meddle(&id, |account| {
                    account.insert("emails".into(), json!([{"type": "work", "value": text}]));
                });
            }
            (Event::Deactivate(_), Some(id)) => {
                self.outside().site.meddle(&id, |account| {
                    account.insert("active".into(), Value::Bool(false));
                });
                self.outside().site.deactivated_by_hand.insert(id);
            }
            (Event::Reactivate(_), Some(id)) => {
                self.outside().site.meddle(&id, |account| {
                    account.insert("active".into(), Value::Bool(true));
                });
                self.outside().site.deactivated_by_hand.remove(&id);
                self.outside().site.activated_by_hand.insert(id);
            }
            (Event::Erase(_), Some(id)) => {
                self.outside().site.server.accounts.remove(&id);
                self.outside().site.deleted_by_hand.insert(id);
            }
            _ => {}
        }
    }

    /// Small steps in the order that a seed picks.
    fn work(&mut self, seed: u32, steps: u8) {
        let mut state = seed | 1;
        for _ in 0..steps {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let number = usize::try_from(state >> 8).unwrap_or(0);
            let _ = match state % 16 {
                0..=3 => self.deliver(),
                4..=6 => self.take(),
                7..=8 => self.page(),
                9 => {
                    self.tick();
                    true
                }
                _ => self.advance(number),
            };
            if self.is_broken() {
                return;
            }
        }
    }

    /// Everything that can be done now is done.
    pub fn drain(&mut self) {
        for _ in 0..20_000 {
            if !(self.deliver() || self.page() || self.take() || self.advance(0)) || self.is_broken() {
                return;
            }
        }
        self.outside().complain("i04: the work does not end");
    }

    /// A sweep, and a day in which whatever waits gets its turn; true where nothing was written.
    fn quiet_day(&mut self) -> bool {
        let before = self.writes();
        self.drain();
        // Who was not found a moment ago counts as gone only a minute later.
        self.pass_time(61_000);
        self.sweep(Listing::Whole);
        self.drain();
        for seconds in [3, 61, 31, 62, 301, 90_000] {
            self.pass_time(seconds * 1_000);
            self.save();
            for hold in 0..10 {
                self.answer(hold, true);
            }
            self.drain();
        }
        before == self.writes()
    }

    /// Writes at the server, and to objects.
    pub fn writes(&self) -> (u64, u64) {
        let outside = self.outside();
        (outside.book.writes, outside.cluster.writes)
    }

    /// Nothing happens any more, and nothing goes wrong: it all comes to rest, as declared.
    pub fn calm_down(&mut self) {
        self.say(|| "calm".into());
        self.outside().fault = None;
        self.set_plan(false);
        let mut quiet = 0;
        for _ in 0..14 {
            quiet = if self.quiet_day() { quiet + 1 } else { 0 };
            if quiet == 2 || self.is_broken() {
                break;
            }
        }
        if quiet < 2 {
            self.outside().complain("i01: it does not come to rest");
        }
        self.outside().check_end();
        if self.is_broken() {
            return;
        }
        // Whoever was refused tries again, and asks leave for it again.
        let refused = |user: &ScimUser| user.status.as_ref().is_some_and(|status| reason_of(status) == "Conflict");
        let refused = self.outside().cluster.objects.values().any(refused);
        self.restart();
        if !self.quiet_day() && !refused {
            self.outside().complain("i30: a restart writes although nothing changed");
        }
    }
}
