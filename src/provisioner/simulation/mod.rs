//! Random histories of a connection at work: the operator's own code, whose effects are carried out in a cluster and at
//! a server in miniature. Events come in any order, faults strike, the process dies at any effect; what must hold is
//! looked at after each of them, and once everything has calmed down.

pub mod alone;
mod at;
mod book;
mod checks;
mod cluster;
mod cluster_groups;
mod course;
mod digest;
mod edits;
mod effects;
mod end;
mod events;
mod exhaustive;
mod forgery;
mod group_checks;
mod group_end;
mod group_events;
mod guards;
mod json_ids;
mod model;
mod operator;
mod outside;
mod people;
mod quirks;
mod regressions;
mod setup;
mod site;
mod site_groups;
mod small_world;
mod small_worlds;
mod soak;
mod wire;
mod world;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use proptest::strategy::{Strategy as _, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use self::events::{Event, history};
use self::setup::Setup;
use self::world::World;

/// Runs one history; the promise that it breaks, if it breaks one.
fn run(setup: &Setup, events: &[Event], traced: bool) -> Result<(), (String, Vec<String>)> {
    let mut world = World::new(setup.clone(), traced);
    for event in events {
        world.happen(event);
        if world.is_broken() {
            break;
        }
    }
    if !world.is_broken() {
        world.calm_down();
    }
    let mut outside = world.outside();
    outside.broken.take().map_or(Ok(()), |broken| Err((broken, outside.trace.take().unwrap_or_default())))
}

/// So many kinds of faults are told of at once.
const MOST_KINDS: usize = 8;

/// So many simpler histories are tried of one that breaks a promise.
const MOST_SIMPLER: usize = 4_000;

/// Runs so many histories, from this seed on; of each kind of fault the simplest one found is told in full.
fn run_many(count: u32, seed: u64, done: impl Fn()) -> Result<(), String> {
    let mut bytes = [0_u8; 16];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..].copy_from_slice(&(!seed).to_le_bytes());
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::XorShift, &bytes));
    let (strategy, mut told) = (history(), BTreeMap::new());
    for _ in 0..count {
        let mut tree = strategy.new_tree(&mut runner).map_err(|error| error.to_string())?;
        let (setup, events) = tree.current();
        if let Err((broken, _)) = run(&setup, &events, false) {
            let kind = kind_of(&broken);
            if let Entry::Vacant(entry) = told.entry(kind) {
                let story = simplest(&mut tree, entry.key());
                // Told at once: whoever looks on needn't wait for all others.
                println!("{story}");
                entry.insert(broken);
            }
        }
        done();
        if told.len() == MOST_KINDS {
            break;
        }
    }
    if told.is_empty() { Ok(()) } else { Err(told.into_values().collect::<Vec<_>>().join("\n\n")) }
}

/// What is said of any history that breaks the promise in the same way: words, and no names.
fn kind_of(broken: &str) -> String {
    let plain = |word: &&str| word.chars().all(|c| c.is_ascii_alphabetic()) || word.ends_with(':');
    broken.split_whitespace().filter(plain).take(5).collect::<Vec<_>>().join(" ")
}

/// The simplest history that breaks a promise in this way.
fn simplest(tree: &mut impl ValueTree<Value = (Setup, Vec<Event>)>, kind: &str) -> String {
    let breaks = |(setup, events): &(Setup, Vec<Event>)| {
        run(setup, events, false).is_err_and(|(broken, _)| kind_of(&broken) == kind)
    };
    let mut best = tree.current();
    let mut goes_on = tree.simplify();
    for _ in 0..MOST_SIMPLER {
        if !goes_on {
            break;
        }
        let simpler = tree.current();
        goes_on = if breaks(&simpler) {
            best = simpler;
            tree.simplify()
        } else {
            tree.complicate()
        };
    }
    let (setup, events) = best;
    let (broken, trace) = run(&setup, &events, true).err().unwrap_or_default();
    format!("{broken}\n{setup:#?}\n{events:#?}\n{}", trace.join("\n"))
}

#[test]
fn i01_to_i17_hold_in_any_history() {
    let seed = std::env::var("HISTORY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let count = std::env::var("HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000);
    if let Err(told) = run_many(count, seed, || {}) {
        panic!("{told}");
    }
}
