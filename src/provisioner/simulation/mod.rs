//! Random histories of a connection at work: the operator's own code, whose effects are carried out in a cluster and at
//! a server in miniature. Events come in any order, faults strike, the process dies at any effect; what must hold is
//! looked at after each of them, and once everything has calmed down.

mod at;
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
mod group_checks;
mod group_end;
mod group_events;
mod guards;
mod outside;
mod people;
mod regressions;
mod setup;
mod site;
mod site_groups;
mod small_world;
mod small_worlds;
mod soak;
mod wire;
mod world;

use proptest::prelude::*;
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

/// Runs so many histories, from this seed on; the shortest one found that breaks a promise, told in full.
fn run_many(count: u32, seed: u64, done: impl Fn()) -> Result<(), String> {
    let mut bytes = [0_u8; 16];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..].copy_from_slice(&(!seed).to_le_bytes());
    let config = Config { cases: count, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::XorShift, &bytes));
    let result = runner.run(&history(), |(setup, events)| {
        let result = run(&setup, &events, false);
        done();
        result.map_err(|(broken, _)| TestCaseError::fail(broken))
    });
    let Err(proptest::test_runner::TestError::Fail(_, (setup, events))) = result else {
        return result.map_err(|error| error.to_string());
    };
    let (broken, trace) = run(&setup, &events, true).err().unwrap_or_default();
    Err(format!("{broken}\n{setup:#?}\n{events:#?}\n{}", trace.join("\n")))
}

#[test]
fn i01_to_i17_hold_in_any_history() {
    let seed = std::env::var("HISTORY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let count = std::env::var("HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000);
    if let Err(told) = run_many(count, seed, || {}) {
        panic!("{told}");
    }
}
