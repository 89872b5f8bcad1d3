//! Small worlds: who does what in each, and what may go wrong.

use super::events::{Event, Spec};
use super::group_events::{GroupEvent, GroupSpec, Named};
use super::outside::Fault;
use super::regressions::setup;
use super::setup::{GroupSetup, Setup};
use crate::api::DeletionPolicy;

/// A small world.
#[derive(Clone)]
pub struct SmallWorld {
    pub name: &'static str,
    pub setup: Setup,
    /// What was there and carried out before.
    pub before: Vec<Event>,
    /// What each of the people does, in this order.
    pub people: Vec<Vec<Event>>,
    /// What may befall requests and writes, and how often.
    pub faults: Vec<(Fault, u8)>,
    /// How often the process may die.
    pub crashes: u8,
    /// How time goes by whenever nothing else is left to be done.
    pub waits: Vec<i64>,
}

impl SmallWorld {
    /// Two people are at work on two objects: it takes longer than `make test` has time for.
    fn is_wide(&self) -> bool {
        let answers = |event: &Event| matches!(event, Event::Answer(..));
        let moves = |event: &Event| matches!(event, Event::Move(..));
        let does = |what: fn(&Event) -> bool| self.people.iter().flatten().any(what);
        (self.people.len() > 1 && !does(answers)) || does(moves)
    }
}

fn ada(slot: usize) -> Event {
    Event::Declare(slot, Spec { active: Some(true), ..Spec::named(0) })
}

fn active(slot: usize, active: bool) -> Event {
    Event::Activate(slot, Some(active))
}

fn group(slot: usize, members: &[Named]) -> Event {
    let members = members.to_vec();
    let spec = GroupSpec { name: 0, external_id: None, additive: false, members, selects: false, retain: false };
    Event::Group(GroupEvent::Declare(slot, spec))
}

/// The worlds that `make test` has time for: where one object is at work the process may die once, or an answer be lost.
/// With `more` all of them, and both in each.
pub fn worlds(more: bool) -> Vec<SmallWorld> {
    let one = |name, people: Vec<Vec<Event>>| SmallWorld {
        name,
        setup: setup(),
        before: Vec::new(),
        people,
        faults: Vec::new(),
        crashes: 0,
        waits: vec![3_000, 61_000],
    };
    let deletes = || Setup { deletion: DeletionPolicy::Delete, ..setup() };
    let holds = || Setup { limits: (0, 0, 5), ..setup() };
    let mut worlds = vec![
        one("two objects declare one account", vec![vec![ada(0)], vec![ada(1)]]),
        SmallWorld {
            setup: Setup { unique: false, ..setup() },
            ..one("the same where names aren't unique", vec![vec![ada(0)], vec![ada(1)]])
        },
        SmallWorld { before: vec![ada(0)], ..one("an object moves", vec![vec![Event::Move(0, 1, true)]]) },
        SmallWorld {
            before: vec![ada(0)],
            ..one("a name is handed on", vec![vec![Event::Rename(0, 4)], vec![ada(1)]])
        },
        SmallWorld { setup: deletes(), ..one("made and deleted", vec![vec![ada(0), Event::Remove(0)]]) },
        SmallWorld {
            faults: vec![(Fault::Refused, 1)],
            ..one("a failing server", vec![vec![ada(0), active(0, false)]])
        },
        SmallWorld {
            faults: vec![(Fault::Status, 1)],
            ..one("a failing API server", vec![vec![ada(0), active(0, false)]])
        },
        SmallWorld {
            setup: Setup { groups: GroupSetup::default(), ..deletes() },
            before: vec![ada(0), group(0, &[Named::Place(0)])],
            ..one("a member is deleted", vec![vec![Event::Remove(0)]])
        },
        one("a group is made and deleted", vec![vec![group(0, &[]), Event::Group(GroupEvent::Remove(0))]]),
        SmallWorld {
            before: vec![group(0, &[])],
            ..one("a group moves", vec![vec![Event::Group(GroupEvent::Move(0, 1, true))]])
        },
        SmallWorld {
            before: vec![group(0, &[])],
            ..one(
                "the name of a group is handed on",
                vec![vec![Event::Group(GroupEvent::Rename(0, 1))], vec![group(1, &[])]],
            )
        },
    ];
    for approve in [true, false] {
        worlds.push(SmallWorld {
            setup: holds(),
            before: vec![ada(0)],
            waits: vec![3_000, 31_000],
            ..one(
                if approve { "a hold is approved" } else { "a hold is rejected" },
                vec![vec![Event::Remove(0)], vec![Event::Answer(0, approve)]],
            )
        });
    }
    worlds
        .into_iter()
        .flat_map(|world| {
            let crashing = SmallWorld { crashes: 1, faults: Vec::new(), ..world.clone() };
            let mut lossy = world.clone();
            lossy.faults.push((Fault::Lost, 1));
            match world.people.len() + world.before.len() {
                _ if more => vec![SmallWorld { crashes: 1, ..lossy }],
                1 => vec![crashing, lossy],
                2.. if world.is_wide() => Vec::new(),
                _ => vec![world],
            }
        })
        .collect()
}
