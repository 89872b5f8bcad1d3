//! When which roster is looked at. Pure: every instant is given to it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::RosterKey;

/// What belongs together arrives together: a look waits until nothing has changed for so long …
pub const QUIET: Duration = Duration::from_secs(2);
/// … and at the latest so long after the first change.
pub const LONGEST: Duration = Duration::from_secs(10);

/// The rosters that are to be looked at.
#[derive(Debug, Default)]
pub struct Schedule {
    due: BTreeMap<RosterKey, Due>,
}

#[derive(Clone, Copy, Debug)]
struct Due {
    first: Instant,
    at: Instant,
}

impl Schedule {
    /// Something about it has changed.
    pub fn wake(&mut self, key: &RosterKey, now: Instant) {
        let fresh = Due { first: now, at: now + QUIET };
        // What only waits for its time is not a change that others would have to follow soon.
        let known = self.due.get(key).copied().filter(|known| known.at <= now + QUIET);
        let due = known.map_or(fresh, |known| Due { first: known.first, at: (now + QUIET).min(known.first + LONGEST) });
        self.due.insert(key.clone(), due);
    }

    /// It is to be looked at again at this instant, unless it is sooner.
    pub fn again(&mut self, key: &RosterKey, at: Instant) {
        let due = self.due.entry(key.clone()).or_insert(Due { first: at, at });
        if at < due.at {
            *due = Due { first: at, at };
        }
    }

    /// It is gone.
    pub fn forget(&mut self, key: &RosterKey) {
        self.due.remove(key);
    }

    /// When the next is due.
    pub fn next(&self, busy: impl Fn(&RosterKey) -> bool) -> Option<Instant> {
        self.due.iter().filter(|(key, _)| !busy(key)).map(|(_, due)| due.at).min()
    }

    /// One that is due, if any.
    pub fn take(&mut self, now: Instant, busy: impl Fn(&RosterKey) -> bool) -> Option<RosterKey> {
        let due = self.due.iter().filter(|(key, due)| due.at <= now && !busy(key)).min_by_key(|(_, due)| due.at);
        let key = due.map(|(key, _)| key.clone())?;
        self.due.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> RosterKey {
        RosterKey { namespace: "identity".to_owned(), name: name.to_owned() }
    }

    #[test]
    fn a_burst_is_looked_at_once_and_not_put_off_for_ever() {
        let (mut schedule, begin) = (Schedule::default(), Instant::now());
        let at = |tenths: u64| begin + Duration::from_millis(100 * tenths);
        for tenths in 0..200 {
            schedule.wake(&key("a"), at(tenths));
            let due = schedule.next(|_| false).expect("it is due");
            assert!(due <= begin + LONGEST, "after {tenths} tenths");
        }
        assert_eq!(schedule.take(at(99), |_| false), None);
        assert_eq!(schedule.take(at(200), |_| true), None, "one at a time");
        assert_eq!(schedule.take(at(200), |_| false), Some(key("a")));
        assert_eq!(schedule.next(|_| false), None);
    }

    #[test]
    fn a_change_does_not_wait_for_what_is_due_later() {
        let (mut schedule, begin) = (Schedule::default(), Instant::now());
        schedule.again(&key("a"), begin + Duration::from_secs(300));
        schedule.wake(&key("a"), begin);
        assert_eq!(schedule.next(|_| false), Some(begin + QUIET));
        schedule.again(&key("a"), begin + Duration::from_secs(300));
        assert_eq!(schedule.next(|_| false), Some(begin + QUIET));
    }
}
