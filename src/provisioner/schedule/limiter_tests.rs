#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use proptest::prelude::*;
use tokio::time::{advance, sleep, timeout};

use super::*;

const SEC: Duration = Duration::from_secs(1);

fn rate(applies_to: AppliesTo, requests: u32, period: Duration, burst: u32) -> Rate {
    Rate { applies_to, requests, period, burst }
}

fn rates() -> impl Strategy<Value = Vec<Rate>> {
    let which =
        prop_oneof![Just(AppliesTo::All), Just(AppliesTo::Reads), Just(AppliesTo::Writes), Just(AppliesTo::Creates)];
    let one =
        (which, 1..50_u32, 1..20_000_u64, 1..8_u32).prop_map(|(a, n, ms, b)| rate(a, n, Duration::from_millis(ms), b));
    prop::collection::vec(one, 1..4)
}

fn kind() -> impl Strategy<Value = RequestKind> {
    prop_oneof![Just(RequestKind::Read), Just(RequestKind::Write), Just(RequestKind::Create)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn i19_no_window_lets_through_more_than_burst_and_rate(
        rates in rates(),
        arrivals in prop::collection::vec((0..3_000_u64, kind()), 1..60),
        idle in 0..100_000_u64,
    ) {
        let start = Instant::now();
        let mut buckets = Buckets::new(&rates, start);
        let mut now = start + Duration::from_millis(if arrivals.len() % 2 == 0 { idle } else { 0 });
        let mut through = Vec::new();
        for (gap, kind) in arrivals {
            now += Duration::from_millis(gap / 10);
            let ready = buckets.ready(kind, now);
            prop_assert_eq!(buckets.try_take(kind, now), ready <= now);
            if ready <= now {
                through.push((now, kind));
            }
        }
        for r in &rates {
            let times: Vec<Instant> =
                through.iter().filter(|(_, k)| r.applies_to.counts(*k)).map(|(t, _)| *t).collect();
            for (i, from) in times.iter().enumerate() {
                for (n, to) in times[i..].iter().enumerate() {
                    let grown = (*to - *from).as_nanos() * u128::from(r.requests) / r.period.as_nanos();
                    prop_assert!((n as u128) < u128::from(r.burst) + grown);
                }
            }
        }
    }

    #[test]
    fn i19_after_a_start_one_token(rates in rates(), kind in kind()) {
        let now = Instant::now();
        let mut buckets = Buckets::new(&rates, now);
        prop_assert!(buckets.try_take(kind, now));
        let limited = rates.iter().any(|r| r.applies_to.counts(kind));
        prop_assert_eq!(buckets.try_take(kind, now), !limited);
    }

    #[test]
    fn a_denied_request_goes_at_the_instant_named(rates in rates(), kinds in prop::collection::vec(kind(), 1..40)) {
        let mut now = Instant::now();
        let mut buckets = Buckets::new(&rates, now);
        for kind in kinds {
            now = buckets.ready(kind, now);
            prop_assert!(buckets.try_take(kind, now));
        }
    }
}

#[test]
fn a_change_of_rates_gives_no_extra_tokens() {
    let now = Instant::now();
    let slow = rate(AppliesTo::All, 1, 10 * SEC, 5);
    let mut buckets = Buckets::new(&[slow], now);
    assert!(buckets.try_take(RequestKind::Read, now));
    buckets.set_rates(&[slow], now);
    assert_eq!(buckets.ready(RequestKind::Read, now), now + 10 * SEC);
    buckets.set_rates(&[rate(AppliesTo::All, 1, SEC, 5)], now);
    assert_eq!(buckets.ready(RequestKind::Read, now), now + SEC);
}

/// Starts a waiter that writes its name down when it is let through.
fn spawn(
    limiter: &Arc<Limiter>,
    log: &Arc<Mutex<Vec<&'static str>>>,
    name: &'static str,
    kind: RequestKind,
    priority: Priority,
) -> tokio::task::JoinHandle<()> {
    let (limiter, log) = (limiter.clone(), log.clone());
    tokio::spawn(async move {
        limiter.acquire(kind, priority).await;
        log.lock().unwrap().push(name);
    })
}

#[tokio::test(start_paused = true)]
async fn i17_removals_get_the_next_token() {
    let limiter = Arc::new(Limiter::new(vec![rate(AppliesTo::All, 1, SEC, 1)]));
    limiter.acquire(RequestKind::Write, Priority::Write).await;
    let log = Arc::default();
    let tasks = [
        spawn(&limiter, &log, "sweep", RequestKind::Read, Priority::Sweep),
        spawn(&limiter, &log, "write", RequestKind::Create, Priority::Write),
        spawn(&limiter, &log, "write 2", RequestKind::Write, Priority::Write),
    ];
    sleep(SEC / 2).await;
    let removal = spawn(&limiter, &log, "removal", RequestKind::Write, Priority::Removal);
    let start = Instant::now();
    for task in tasks.into_iter().chain([removal]) {
        task.await.unwrap();
    }
    assert_eq!(*log.lock().unwrap(), ["removal", "write", "write 2", "sweep"]);
    assert!(start.elapsed() >= 3 * SEC);
}

#[tokio::test(start_paused = true)]
async fn a_slow_bucket_holds_only_what_needs_it() {
    let limiter =
        Arc::new(Limiter::new(vec![rate(AppliesTo::Creates, 1, 60 * SEC, 1), rate(AppliesTo::All, 1, SEC, 1)]));
    limiter.acquire(RequestKind::Create, Priority::Write).await;
    let log = Arc::default();
    let create = spawn(&limiter, &log, "create", RequestKind::Create, Priority::Write);
    let start = Instant::now();
    timeout(3 * SEC, limiter.acquire(RequestKind::Read, Priority::Sweep)).await.unwrap();
    create.await.unwrap();
    assert!(start.elapsed() < 61 * SEC);
}

#[tokio::test(start_paused = true)]
async fn i19_a_pause_holds_everyone() {
    let limiter = Arc::new(Limiter::new(Vec::new()));
    let log = Arc::default();
    limiter.pause(30 * SEC);
    let start = Instant::now();
    let task = spawn(&limiter, &log, "removal", RequestKind::Write, Priority::Removal);
    sleep(5 * SEC).await;
    limiter.pause(SEC);
    limiter.set_rates(vec![rate(AppliesTo::All, 1, SEC, 10)]);
    let second = spawn(&limiter, &log, "read", RequestKind::Read, Priority::Sweep);
    sleep(24 * SEC).await;
    assert!(log.lock().unwrap().is_empty());
    assert!(limiter.paused_until().is_some());
    task.await.unwrap();
    let first = start.elapsed();
    assert!(first >= 30 * SEC && first <= 33 * SEC + SEC / 100, "{first:?}");
    second.await.unwrap();
    assert!(start.elapsed() + SEC / 100 >= first + SEC, "one token after a pause");
    assert_eq!(limiter.paused_until(), None);
    limiter.pause(Duration::MAX);
    assert!(limiter.paused_until().unwrap() <= Instant::now() + LONGEST_PAUSE);
}

#[tokio::test(start_paused = true)]
async fn i19_a_server_that_refuses_and_says_no_more_is_left_alone_longer_each_time() {
    let limiter = Limiter::new(Vec::new());
    let refused = |told| limiter.throttled(RequestKind::Write, told, 60 * SEC);
    let pause = || limiter.paused_until().map_or(Duration::ZERO, |until| until - Instant::now());
    for minutes in [1, 2, 4, 8] {
        // Four that were on their way are one refusal.
        for _ in 0..4 {
            refused(None);
        }
        let least = 60 * minutes * SEC;
        assert!((least..=least.mul_f64(1.11)).contains(&pause()), "{minutes}: {:?}", pause());
        assert!(limiter.throttled_for().is_some_and(|left| left <= least));
        sleep(pause()).await;
        assert_eq!(limiter.throttled_for(), None);
        // Reads may be answered all the while.
        limiter.taken(RequestKind::Read);
    }
    refused(Some(7 * SEC));
    assert!((7 * SEC..8 * SEC).contains(&pause()), "what it says counts");
    sleep(pause()).await;
    limiter.taken(RequestKind::Write);
    refused(None);
    assert!((60 * SEC..67 * SEC).contains(&pause()), "it took one");
    for _ in 0..20 {
        sleep(pause()).await;
        refused(None);
    }
    assert!(pause() <= LONGEST_PAUSE);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_waiter_leaves_no_trace() {
    let limiter = Arc::new(Limiter::new(vec![rate(AppliesTo::All, 1, 10 * SEC, 1)]));
    limiter.acquire(RequestKind::Read, Priority::Write).await;
    let log = Arc::default();
    let removal = spawn(&limiter, &log, "removal", RequestKind::Write, Priority::Removal);
    let write = spawn(&limiter, &log, "write", RequestKind::Write, Priority::Write);
    sleep(SEC).await;
    removal.abort();
    let start = Instant::now();
    write.await.unwrap();
    assert!(start.elapsed() <= 9 * SEC + SEC / 100);
    assert_eq!(*log.lock().unwrap(), ["write"]);
    assert!(limiter.lock().waiters.is_empty());
    advance(10 * SEC).await;
    let unlimited = Limiter::new(Vec::new());
    for _ in 0..1000 {
        unlimited.acquire(RequestKind::Create, Priority::Sweep).await;
    }
}
