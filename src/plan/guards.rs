//! Guards: how many operations of a kind may go within a window.

mod gate;
mod memberships;
mod terms;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::Uid;

pub use super::holds::{Candidate, HoldReason, HoldView};
pub use gate::{Gate, Rejection};
pub use terms::{Admission, Event, GuardView, Remembered, Settings};

/// A burst is judged when nothing has arrived for so long …
pub const SETTLED: Duration = Duration::from_secs(2);
/// … and at the latest so long after its first arrival.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// So many buckets a ledger has at most.
pub const BUCKETS: usize = 60;

/// What a guard counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GuardName {
    /// Accounts deactivated or deleted.
    Removals,
    /// userName and e-mail changed, roles and entitlements taken away, adoptions that change.
    Rewrites,
    /// Accounts created: queued, never held.
    Creates,
    /// Members taken out of a group: counted for each group by itself, member by member.
    Memberships,
    /// Groups deleted.
    Groups,
}

impl GuardName {
    /// As `spec.guards` names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Removals => "removals",
            Self::Rewrites => "rewrites",
            Self::Creates => "creates",
            Self::Memberships => "memberships",
            Self::Groups => "groups",
        }
    }
}

/// How much a guard lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Of the base; none if only the count matters.
    pub max_percent: Option<u32>,
    /// So many always go.
    pub min_count: u32,
    /// More never go, unless `min_count` is larger.
    pub max_count: u32,
    /// The window in which they are counted.
    pub window: Duration,
}

impl Limit {
    /// max(minCount, min(maxCount, ⌊maxPercent × base / 100⌋)).
    pub fn of(&self, base: u64) -> u64 {
        let share = self.max_percent.map_or(u64::MAX, |percent| {
            let share = u128::from(percent) * u128::from(base) / 100;
            u64::try_from(share).unwrap_or(u64::MAX)
        });
        share.min(u64::from(self.max_count)).max(u64::from(self.min_count))
    }
}

/// What was let go lately, in at most [`BUCKETS`] buckets. A bucket carries the instant of the
/// latest that it counts and is kept for one bucket's width longer than the window, so that the
/// ledger over-counts and never under-counts, also when the window is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    window: Duration,
    buckets: Vec<(Timestamp, u64)>,
}

impl Ledger {
    /// From status. What lies in the future counts as of now.
    pub fn restore(window: Duration, buckets: impl IntoIterator<Item = (Timestamp, u64)>, now: Timestamp) -> Self {
        let mut kept: Vec<_> = buckets.into_iter().map(|(at, n)| (at.min(now), n)).collect();
        kept.sort_unstable();
        let mut ledger = Self { window, buckets: Vec::new() };
        for (at, count) in kept {
            ledger.push(at, count);
        }
        ledger.prune(now);
        ledger
    }

    /// For status.
    pub fn buckets(&self) -> &[(Timestamp, u64)] {
        &self.buckets
    }

    /// How many the window holds.
    pub fn used(&self, now: Timestamp) -> u64 {
        let live = self.buckets.iter().filter(|(at, _)| self.counts(*at, now));
        live.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Counts what is about to be let go.
    pub fn add(&mut self, count: u64, now: Timestamp) {
        if count > 0 {
            self.prune(now);
            self.push(now, count);
        }
    }

    /// When the oldest bucket leaves the window.
    pub fn next_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        let live = self.buckets.iter().find(|(at, _)| self.counts(*at, now))?;
        Some(self.expiry(live.0))
    }

    /// Whether what was counted at `at` still counts.
    fn counts(&self, at: Timestamp, now: Timestamp) -> bool {
        self.expiry(at) > now
    }

    /// Counts again, as of now, what was counted at `at` and goes only now (or once more). False
    /// if nothing had to change.
    fn renew(&mut self, at: Timestamp, now: Timestamp) -> bool {
        if self.slot(at) >= self.slot(now) {
            return false;
        }
        if let Some(bucket) = self.buckets.iter_mut().find(|(latest, _)| *latest >= at) {
            bucket.1 = bucket.1.saturating_sub(1);
        }
        self.buckets.retain(|(_, count)| *count > 0);
        self.add(1, now);
        true
    }

    fn set_window(&mut self, window: Duration, now: Timestamp) {
        *self = Self::restore(window, std::mem::take(&mut self.buckets), now);
    }

    fn push(&mut self, at: Timestamp, count: u64) {
        let slot = self.slot(at);
        let newest = self.buckets.last().map(|(latest, _)| self.slot(*latest));
        match self.buckets.last_mut() {
            Some(last) if newest >= Some(slot) => {
                last.0 = last.0.max(at);
                last.1 = last.1.saturating_add(count);
            }
            _ => self.buckets.push((at, count)),
        }
    }

    fn prune(&mut self, now: Timestamp) {
        let mut buckets = std::mem::take(&mut self.buckets);
        buckets.retain(|(at, _)| self.counts(*at, now));
        self.buckets = buckets;
    }

    fn expiry(&self, at: Timestamp) -> Timestamp {
        after(after(at, self.window), Duration::from_millis(self.width()))
    }

    /// Milliseconds; such that a window, one width more and a part of a slot make 60 slots.
    fn width(&self) -> u64 {
        let window = u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX);
        window.div_ceil(BUCKETS as u64 - 2).max(1)
    }

    fn slot(&self, at: Timestamp) -> i64 {
        let width = i64::try_from(self.width()).unwrap_or(i64::MAX);
        at.as_millisecond().div_euclid(width)
    }
}

/// A guard with what it has let go and what waits for its judgement.
#[derive(Debug)]
struct Guard {
    limit: Limit,
    ledger: Ledger,
    base: u64,
    burst: BTreeSet<Uid>,
    first: Timestamp,
    last: Timestamp,
}

impl Guard {
    fn new(limit: Limit, ledger: Ledger, now: Timestamp) -> Self {
        Self { limit, ledger, base: 0, burst: BTreeSet::new(), first: now, last: now }
    }

    fn room(&self, now: Timestamp) -> u64 {
        let limit = self.limit.of(self.base);
        limit.saturating_sub(self.ledger.used(now))
    }

    fn arrive(&mut self, uid: Uid, now: Timestamp) {
        if self.burst.is_empty() {
            self.first = now;
        }
        self.last = now;
        self.burst.insert(uid);
    }

    fn settles_at(&self) -> Option<Timestamp> {
        let at = after(self.last, SETTLED).min(after(self.first, PATIENCE));
        (!self.burst.is_empty()).then_some(at)
    }

    /// A clock that went backwards makes nobody wait longer.
    fn settled(&mut self, now: Timestamp) -> bool {
        self.first = self.first.min(now);
        self.last = self.last.min(now);
        self.settles_at().is_some_and(|at| at <= now)
    }
}

/// `at` and so much later, or the end of time.
pub(super) fn after(at: Timestamp, wait: Duration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// From `now` until `at`; nothing if that is past.
pub(super) fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}
