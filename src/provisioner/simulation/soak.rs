//! `make soak`: many more histories than `make test` has time for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::run_many;

/// So many before the next line of progress.
const BATCH: u32 = 10_000;

#[test]
#[ignore = "long: run by make soak"]
fn i01_to_i17_hold_in_a_million_histories() {
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (wanted, seed) = (number("SOAK_HISTORIES", 1_000_000), number("SOAK_SEED", 1));
    let batches = wanted.div_ceil(u64::from(BATCH));
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let began = Instant::now();
    let work = || -> Result<(), String> {
        loop {
            let batch = next.fetch_add(1, Ordering::SeqCst);
            if batch >= batches {
                return Ok(());
            }
            let size = u64::from(BATCH).min(wanted - batch * u64::from(BATCH));
            let seed = seed.wrapping_mul(1_000_003).wrapping_add(batch);
            run_many(u32::try_from(size).unwrap_or(BATCH), seed, || {
                done.fetch_add(1, Ordering::Relaxed);
            })
            .inspect_err(|_| next.store(batches, Ordering::SeqCst))?;
            let done = done.load(Ordering::Relaxed);
            println!("{done} of {wanted} histories in {} s", began.elapsed().as_secs());
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let results: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker ends")).collect()
    });
    let told: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}
