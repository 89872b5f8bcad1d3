//! Small worlds, searched whole: every order in which the steps of a few people and passes can come, and everything that
//! may go wrong at any of them.
//!
//! Nothing of a state is stored but its digest: each way is played from the beginning, and ends where it comes to a state
//! that was seen before.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use super::events::Event;
use super::outside::{Fault, Listing, Place};
use super::small_world::{SmallWorld, worlds};
use super::world::World;

/// Steps of one way; one that takes more doesn't end.
const LONGEST: usize = 400;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Hear,
    HearOfGroups,
    Take,
    Page,
    /// A pass goes on.
    Advance(usize),
    /// One of the people does the next thing.
    Person(usize),
    /// Time goes by.
    Wait,
    /// Everything has been done: it all comes to rest, as declared.
    Rest,
    /// A pass goes on, and this befalls its request.
    Strike(usize, usize),
    Crash,
}

impl Choice {
    fn is_of_operator(self) -> bool {
        matches!(self, Self::Hear | Self::HearOfGroups | Self::Take | Self::Page | Self::Advance(_))
    }
}

/// How far a way has come.
struct Way<'a> {
    of: &'a SmallWorld,
    world: World,
    left: Left,
}

/// What may still happen.
#[derive(Debug)]
struct Left {
    people: Vec<usize>,
    faults: Vec<u8>,
    crashes: u8,
    waits: usize,
}

impl<'a> Way<'a> {
    fn begin(of: &'a SmallWorld, traced: bool) -> Self {
        let mut world = World::new(of.setup.clone(), traced);
        world.sweep(Listing::Whole);
        world.drain();
        for event in &of.before {
            world.happen(event);
            world.drain();
            world.pass_time(3_000);
            world.drain();
        }
        world.outside().heard = Some(BTreeMap::new());
        let left = Left {
            people: vec![0; of.people.len()],
            faults: of.faults.iter().map(|(_, most)| *most).collect(),
            crashes: of.crashes,
            waits: 0,
        };
        Self { of, world, left }
    }

    /// What may come next, what the operator does first.
    fn choices(&self) -> Vec<Choice> {
        let flight = self.world.operator.flight.len();
        let mut choices = vec![Choice::Hear, Choice::HearOfGroups, Choice::Take, Choice::Page];
        choices.extend((0..flight).map(Choice::Advance));
        choices.extend((0..self.left.people.len()).map(Choice::Person));
        choices.extend([Choice::Wait, Choice::Rest]);
        let faults = || (0..self.left.faults.len()).filter(|fault| self.left.faults[*fault] > 0);
        choices.extend((0..flight).flat_map(|pass| faults().map(move |fault| Choice::Strike(pass, fault))));
        // Between passes it is as if it had died right before the next one.
        if self.left.crashes > 0 && flight > 0 {
            choices.push(Choice::Crash);
        }
        choices
    }

    /// Does it, and hears what the operator knows already; false where it can't be done now, and nothing was.
    fn go(&mut self, choice: Choice) -> bool {
        let went = self.goes(choice);
        if went {
            self.world.hear_echoes();
        }
        went
    }

    fn goes(&mut self, choice: Choice) -> bool {
        match choice {
            Choice::Hear => self.world.deliver(),
            Choice::HearOfGroups => self.world.deliver_group(),
            Choice::Take => self.world.take(),
            Choice::Page => self.world.page(),
            Choice::Advance(pass) => self.world.advance(pass),
            Choice::Person(number) => {
                let Some(event) = self.of.people[number].get(self.left.people[number]) else { return false };
                // Nobody answers what nobody asks.
                if matches!(event, Event::Answer(..)) && !self.world.holds().iter().any(|hold| hold.id.is_some()) {
                    return false;
                }
                self.left.people[number] += 1;
                self.world.happen(event);
                true
            }
            Choice::Wait => {
                let Some(time) = self.of.waits.get(self.left.waits) else { return false };
                self.left.waits += 1;
                self.world.pass_time(*time);
                true
            }
            Choice::Rest => {
                self.world.calm_down();
                true
            }
            Choice::Strike(pass, number) => {
                let fault = self.of.faults[number].0;
                if !self.may_strike(pass, fault) {
                    return false;
                }
                self.left.faults[number] -= 1;
                self.world.outside().fault = Some(fault);
                self.world.advance(pass);
                self.world.outside().fault = None;
                true
            }
            Choice::Crash => {
                self.left.crashes -= 1;
                self.world.restart();
                self.world.sweep(Listing::Whole);
                while self.world.page() {}
                true
            }
        }
    }

    fn may_strike(&self, pass: usize, fault: Fault) -> bool {
        let uid = self.world.operator.flight[pass].ticket.uid.clone();
        let place = self.world.outside().observed.places.get(&uid).copied();
        match fault {
            Fault::Status => place == Some(Place::Status),
            Fault::Refused => matches!(place, Some(Place::Request | Place::Read)),
            Fault::Stale => place == Some(Place::Read),
            _ => place == Some(Place::Request),
        }
    }
}

/// A place on the way where others branch off.
struct Fork {
    /// What came next here.
    taken: Choice,
    /// What else may.
    open: Vec<Choice>,
    /// The operator had something to do here.
    busy: bool,
    /// Somebody had.
    stirred: bool,
    /// What each pass had heard before.
    heard: Option<BTreeMap<String, u64>>,
}

/// What a search came to.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    states: usize,
    ways: usize,
    steps: usize,
    longest: usize,
}

/// Searches a small world; what breaks a promise, told in full.
fn search(small: &SmallWorld) -> Result<Found, String> {
    let (mut seen, mut found) = (HashSet::new(), Found::default());
    let mut forks: Vec<Fork> = Vec::new();
    let mut way = Way::begin(small, false);
    let mut next = (way.choices(), false, false);
    loop {
        let (mut open, mut busy, mut stirred) = next;
        open.reverse();
        let heard = way.world.outside().heard.clone();
        let mut taken = None;
        while let Some(choice) = open.pop() {
            let may = match choice {
                Choice::Wait | Choice::Rest => !busy && !stirred,
                _ => true,
            };
            if may && way.go(choice) {
                busy |= choice.is_of_operator();
                stirred |= matches!(choice, Choice::Person(_) | Choice::Wait);
                taken = Some(choice);
                break;
            }
        }
        open.reverse();
        let mut ends = taken.is_none();
        if let Some(taken) = taken {
            found.steps += 1;
            forks.push(Fork { taken, open, busy, stirred, heard });
            found.longest = found.longest.max(forks.len());
            if way.world.is_broken() || forks.len() > LONGEST {
                return Err(told(small, &forks));
            }
            ends = taken == Choice::Rest || !seen.insert(way.world.digest(&way.left));
        }
        if !ends {
            next = (way.choices(), false, false);
            continue;
        }
        if taken.is_some() {
            found.ways += 1;
        }
        while forks.last().is_some_and(|fork| fork.open.is_empty()) {
            forks.pop();
        }
        let Some(last) = forks.pop() else { break };
        way = Way::begin(small, false);
        // What was heard on the way here is known.
        way.world.outside().heard = None;
        for fork in &forks {
            way.go(fork.taken);
            found.steps += 1;
        }
        way.world.outside().heard = last.heard;
        next = (last.open, last.busy, last.stirred);
    }
    found.states = seen.len();
    Ok(found)
}

/// The same way once more, and everything that is said on it.
fn told(small: &SmallWorld, forks: &[Fork]) -> String {
    let mut way = Way::begin(small, true);
    for fork in forks {
        way.go(fork.taken);
    }
    let broken = way.world.outside().broken.take().unwrap_or_else(|| "i04: it doesn't end".to_owned());
    let choices: Vec<Choice> = forks.iter().map(|fork| fork.taken).collect();
    format!("{}: {broken}\n{choices:?}\n{}", small.name, way.world.trace().join("\n"))
}

/// Searches all of them, and tells what was found.
fn search_all(more: bool) -> Found {
    let mut all = Found::default();
    for small in worlds(more) {
        let began = Instant::now();
        let found = search(&small).unwrap_or_else(|broken| panic!("{broken}"));
        let line = format!(
            "{:>8} states {:>8} interleavings {:>4} steps at most {:>6.1} s  {}, crashes {}",
            found.states,
            found.ways,
            found.longest,
            began.elapsed().as_secs_f64(),
            small.name,
            small.crashes,
        );
        println!("{line}");
        all.states += found.states;
        all.ways += found.ways;
        all.steps += found.steps;
    }
    println!("{} states, {} interleavings, {} steps", all.states, all.ways, all.steps);
    all
}

#[test]
fn i01_to_i17_hold_in_every_order_of_a_small_world() {
    let found = search_all(false);
    assert!(found.states > 500, "{found:?}");
}

#[test]
#[ignore = "long: run by make soak"]
fn i01_to_i17_hold_in_every_order_of_a_small_world_where_more_goes_wrong() {
    search_all(true);
}
