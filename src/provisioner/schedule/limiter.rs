//! How fast a connection may be asked: one limiter, shared by all its passes.
//!
//! [`Buckets`] is pure; [`Limiter`] adds the waiting: who goes first, and pauses.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The longest pause a server can ask for.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 3600);
const SHORTEST_NAP: Duration = Duration::from_millis(10);

/// What a request does at the server.
#[derive(Copy, Clone, Debug, Eq, PartialEq, Hash)]
pub enum RequestKind {
    /// Reads or lists.
    Read,
    /// Changes or deletes.
    Write,
    /// Creates, which is a write too.
    Create,
}

/// Who gets the next token; the order is the priority.
#[derive(Copy, Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Priority {
    /// Access ends.
    Removal,
    /// Every other write, and the reads it needs.
    Write,
    /// A sweep.
    Sweep,
}

/// The requests a rate counts.
#[derive(Copy, Clone, Debug, Eq, PartialEq, Hash)]
pub enum AppliesTo {
    /// Every request.
    All,
    /// Reads.
    Reads,
    /// Writes, creates among them.
    Writes,
    /// Creates alone.
    Creates,
}

impl AppliesTo {
    fn counts(self, kind: RequestKind) -> bool {
        match self {
            Self::All => true,
            Self::Reads => kind == RequestKind::Read,
            Self::Writes => kind != RequestKind::Read,
            Self::Creates => kind == RequestKind::Create,
        }
    }
}

/// So many requests a period, so many of them at once.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Rate {
    /// The requests it counts.
    pub applies_to: AppliesTo,
    /// Requests a period; 0 is taken as 1.
    pub requests: u32,
    /// The period.
    pub period: Duration,
    /// How many may go at once after a quiet time; 0 is taken as 1.
    pub burst: u32,
}

impl Rate {
    /// The time in which one token grows, rounded up.
    fn interval(&self) -> Duration {
        let nanos = self.period.as_nanos().div_ceil(self.requests.max(1).into());
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        Duration::from_nanos(nanos.max(1)).min(LONGEST_INTERVAL)
    }

    fn slack(&self) -> Duration {
        self.interval().saturating_mul(self.burst.max(1) - 1).min(LONGEST_INTERVAL)
    }
}

/// A token bucket kept as one instant: when it will be full again, less one interval.
#[derive(Copy, Clone, Debug)]
struct Bucket {
    rate: Rate,
    full_at: Instant,
}

impl Bucket {
    /// Holds one token from `at` on.
    fn with_one(rate: Rate, at: Instant) -> Self {
        Self { rate, full_at: at + rate.slack() }
    }

    /// When a token is there; `floor` or later.
    fn ready(&self, floor: Instant) -> Instant {
        self.full_at.checked_sub(self.rate.slack()).map_or(floor, |at| at.max(floor))
    }
}

/// Token buckets, one a rate. Pure: exact integer time, no clock.
#[derive(Clone, Debug)]
pub struct Buckets(Vec<Bucket>);

impl Buckets {
    /// Each bucket holds one token.
    pub fn new(rates: &[Rate], now: Instant) -> Self {
        Self(rates.iter().map(|rate| Bucket::with_one(*rate, now)).collect())
    }

    /// When a request of this kind may go: `now` or later.
    pub fn ready(&self, kind: RequestKind, now: Instant) -> Instant {
        self.of(kind).fold(now, |at, b| b.ready(at))
    }

    /// Lets a request through if it may go now.
    pub fn try_take(&mut self, kind: RequestKind, now: Instant) -> bool {
        if self.ready(kind, now) > now {
            return false;
        }
        for b in self.0.iter_mut().filter(|b| b.rate.applies_to.counts(kind)) {
            b.full_at = b.full_at.max(now) + b.rate.interval();
        }
        true
    }

    /// Other rates: a bucket whose rate stays is kept; a new one holds one token, no earlier than
    /// the one it replaces would have.
    pub fn set_rates(&mut self, rates: &[Rate], now: Instant) {
        let renew = |rate: &Rate| {
            if let Some(same) = self.0.iter().find(|b| b.rate == *rate) {
                return *same;
            }
            let old = self.0.iter().filter(|b| b.rate.applies_to == rate.applies_to);
            let at = old.fold(now, |at, b| b.ready(at)).min(now + rate.interval());
            Bucket::with_one(*rate, at)
        };
        self.0 = rates.iter().map(renew).collect();
    }

    /// From `at` on, each bucket holds no more than one token.
    pub fn restart(&mut self, at: Instant) {
        for b in &mut self.0 {
            b.full_at = b.full_at.max(at + b.rate.slack());
        }
    }

    fn of(&self, kind: RequestKind) -> impl Iterator<Item = &Bucket> {
        self.0.iter().filter(move |b| b.rate.applies_to.counts(kind))
    }
}

#[derive(Debug)]
struct State {
    buckets: Buckets,
    paused_until: Option<Instant>,
    /// The server refused a request for its rate, and is left alone until then.
    throttled_until: Option<Instant>,
    /// How often in a row it refused reads, and writes, without a word on how long to wait.
    untold: [u32; 2],
    waiters: BTreeMap<(Priority, u64), RequestKind>,
    seq: u64,
}

impl State {
    /// Lets the waiter `me` through, or says when to ask again.
    ///
    /// Those ahead keep the tokens they can use now, and nobody is let through whose request would
    /// make one ahead wait longer.
    fn admit(&mut self, me: (Priority, u64), kind: RequestKind, now: Instant) -> Result<(), Instant> {
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return Err(until);
        }
        let mut left = self.buckets.clone();
        let mut held: Vec<RequestKind> = Vec::new();
        for ahead in self.waiters.range(..me).map(|(_, kind)| *kind) {
            if !left.try_take(ahead, now) && !held.contains(&ahead) {
                held.push(ahead);
            }
        }
        let before = left.clone();
        if !left.try_take(kind, now) {
            return Err(left.ready(kind, now));
        }
        if held.iter().any(|k| left.ready(*k, now) > before.ready(*k, now)) {
            let nap = self.buckets.of(kind).map(|b| b.rate.interval()).min();
            return Err(now + nap.unwrap_or_default().max(SHORTEST_NAP));
        }
        self.buckets.try_take(kind, now);
        Ok(())
    }
}

/// The rates and pauses of one connection.
#[derive(Debug)]
pub struct Limiter {
    state: Mutex<State>,
    changed: Notify,
}

/// A place in line, given up when dropped.
struct Waiter<'a> {
    limiter: &'a Limiter,
    key: (Priority, u64),
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.limiter.leave(self.key);
    }
}

impl Limiter {
    /// Each bucket holds one token; no rates means no limit but pauses.
    #[allow(clippy::needless_pass_by_value)]
    pub fn new(rates: Vec<Rate>) -> Self {
        let state = State {
            buckets: Buckets::new(&rates, Instant::now()),
            paused_until: None,
            throttled_until: None,
            untold: [0; 2],
            waiters: BTreeMap::new(),
            seq: 0,
        };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    /// Other rates, from now on and for those who wait.
    #[allow(clippy::needless_pass_by_value)]
    pub fn set_rates(&self, rates: Vec<Rate>) {
        let mut state = self.lock();
        state.buckets.set_rates(&rates, Instant::now());
        if let Some(until) = state.paused_until {
            state.buckets.restart(until);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Waits until a request may go. Of those who wait, the higher priority gets the next token,
    /// then whoever came first. Dropping the future leaves no trace.
    pub async fn acquire(&self, kind: RequestKind, priority: Priority) {
        let waiter = self.enter(kind, priority);
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let verdict = {
                let mut state = self.lock();
                let verdict = state.admit(waiter.key, kind, Instant::now());
                if verdict.is_ok() {
                    state.waiters.remove(&waiter.key);
                }
                verdict
            };
            let Err(at) = verdict else { return };
            tokio::select! {
                () = changed => {}
                () = sleep_until(at) => {}
            }
        }
    }

    /// The server refused a request for its rate: nobody goes for as long as it says, else for `least`, and twice as long
    /// each time that it refuses once more before it has taken another of that kind.
    pub fn throttled(&self, kind: RequestKind, told: Option<Duration>, least: Duration) {
        let now = Instant::now();
        let pause = {
            let mut state = self.lock();
            // Several are refused at once: that is one refusal.
            let known = state.throttled_until.is_some_and(|until| until > now);
            let untold = &mut state.untold[place(kind)];
            if told.is_none() && !known {
                *untold = untold.saturating_add(1);
            }
            told.unwrap_or_else(|| least.saturating_mul(1 << untold.saturating_sub(1).min(12)).min(LONGEST_PAUSE))
        };
        self.pause(pause);
        let mut state = self.lock();
        state.throttled_until = state.throttled_until.max(Some(now + pause));
    }

    /// The server took a request.
    pub fn taken(&self, kind: RequestKind) {
        let mut state = self.lock();
        // What was on its way before the pause says nothing of what comes after it.
        if state.throttled_until.is_none_or(|until| until <= Instant::now()) {
            state.untold[place(kind)] = 0;
        }
    }

    /// How long the server is still left alone because it refused a request for its rate.
    pub fn throttled_for(&self) -> Option<Duration> {
        self.lock().throttled_until?.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    /// The server asked for quiet: nobody goes for this long (at most 1 h, with up to 10 % more
    /// within it), and then one by one. A longer pause stays.
    pub fn pause(&self, for_: Duration) {
        let jitter = 1.0 + 0.1 * rand::random::<f64>();
        let for_ = for_.min(LONGEST_PAUSE).mul_f64(jitter).min(LONGEST_PAUSE);
        let until = Instant::now() + for_;
        let mut state = self.lock();
        state.paused_until = state.paused_until.max(Some(until));
        state.buckets.restart(until);
        drop(state);
        self.changed.notify_waiters();
    }

    /// When the pause ends, if there is one.
    pub fn paused_until(&self) -> Option<Instant> {
        self.lock().paused_until.filter(|until| *until > Instant::now())
    }

    /// The time until a pause ends was skipped.
    #[cfg(test)]
    pub fn end_pause(&self) {
        self.lock().paused_until = None;
    }

    fn enter(&self, kind: RequestKind, priority: Priority) -> Waiter<'_> {
        let mut state = self.lock();
        state.seq += 1;
        let key = (priority, state.seq);
        state.waiters.insert(key, kind);
        drop(state);
        Waiter { limiter: self, key }
    }

    fn leave(&self, key: (Priority, u64)) {
        self.lock().waiters.remove(&key);
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can be left half done by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(kind: RequestKind) -> usize {
    usize::from(kind != RequestKind::Read)
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
