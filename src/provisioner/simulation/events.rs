//! What may happen, and how often.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::group_events::{GroupEvent, group_events, group_setups};
use super::outside::{Fault, Listing};
use super::quirks::{Quirks, quirks};
use super::setup::Setup;
use crate::api::{AdoptionPolicy, DeletionPolicy};

pub const NAMES: [&str; 5] = ["ada", "bob", "cyd", "Ada", "dee"];
pub const PLACES: [(&str, &str); 5] = [("n", "a"), ("n", "b"), ("n", "c"), ("n", "d"), ("n", "e")];

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
    /// The same, and the other object is the other connection's.
    MoveAway(usize, usize, bool),
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
    /// Whoever was invited accepts.
    Accept(usize),
    Invite(usize, bool),
    Answer(usize, bool),
    Plan(bool),
    /// An edit leads the connection to the server of this number.
    Lead(usize),
    /// The server's database is built anew: everything is there, under other ids.
    Renumber,
    /// A tenant writes the id of this account into the status of the object in this place.
    Forge(usize, usize),
    /// Two accounts change ids.
    SwapIds,
    Group(GroupEvent),
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
        Listing::Short,
        Listing::Circling,
        Listing::Unreadable,
    ]);
    let faults = select(vec![
        Fault::Refused,
        Fault::Lost,
        Fault::Lost,
        Fault::Missing,
        Fault::Stale,
        Fault::Status,
        Fault::Throttled,
        Fault::ContentType,
        Fault::Method,
        Fault::Forbidden,
        Fault::Turn,
    ]);
    let times = prop_oneof![1_i64..3_000, 3_000_i64..120_000, 120_000_i64..8_000_000];
    let by_people = prop_oneof![
        6 => (slot(), specs()).prop_map(|(slot, spec)| Event::Declare(slot, spec)),
        3 => (slot(), specs()).prop_map(|(slot, spec)| Event::Change(slot, spec)),
        2 => (slot(), option::of(any::<bool>())).prop_map(|(slot, active)| Event::Activate(slot, active)),
        3 => (slot(), 0..NAMES.len()).prop_map(|(slot, name)| Event::Rename(slot, name)),
        1 => (slot(), slot()).prop_map(|(one, other)| Event::Swap(one, other)),
        2 => (slot(), slot(), any::<bool>()).prop_map(|(one, other, first)| Event::Move(one, other, first)),
        1 => (slot(), slot(), any::<bool>()).prop_map(|(one, other, first)| Event::MoveAway(one, other, first)),
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
        1 => slot().prop_map(Event::Accept),
        1 => (0..NAMES.len(), prop::bool::weighted(0.7)).prop_map(|(name, active)| Event::Invite(name, active)),
        1 => prop::bool::weighted(0.3).prop_map(|there| Event::Lead(usize::from(there))),
        1 => Just(Event::Renumber),
        1 => (slot(), slot()).prop_map(|(slot, account)| Event::Forge(slot, account)),
        1 => Just(Event::SwapIds),
    ];
    prop_oneof![
        7 => (any::<u32>(), 1_u8..40).prop_map(|(seed, steps)| Event::Work(seed, steps)),
        3 => times.prop_map(Event::Time),
        3 => listing.prop_map(Event::Sweep),
        6 => by_people,
        2 => by_hand,
        2 => faults.prop_map(Event::Fault),
        4 => group_events().prop_map(Event::Group),
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
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.1),
    );
    let repair = (prop::bool::weighted(0.8), any::<bool>(), any::<bool>());
    let limits = (0..4_u32, 0..4_u32, 1..5_u32);
    let window = select(vec![600_u64, 3_600, 86_400]);
    // Half of the servers do everything as the RFCs say.
    let quirks = prop_oneof![Just(Quirks::default()), quirks()];
    let setup = (bools, repair, deletion, limits, window, quirks, group_setups()).prop_map(
        |((unique, silent, put, protected, refuse), repair, deletion, limits, window, quirks, groups)| Setup {
            unique,
            silent,
            put,
            quirks,
            repair,
            deletion,
            adoption: if refuse { AdoptionPolicy::Refuse } else { AdoptionPolicy::Adopt },
            protected,
            limits,
            window,
            groups,
        },
    );
    (setup, vec(events(), 1..45))
}
