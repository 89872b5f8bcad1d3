//! How many members were put into each group within the last hour: some servers take so many and no more.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::api::Uid;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// By the object's uid. Lost at a restart: what is too much then is refused, and tried again when the server says.
#[derive(Debug, Default)]
pub struct MemberRate(HashMap<Uid, VecDeque<(Instant, usize)>>);

impl MemberRate {
    /// So many are put in now.
    pub fn put_in(&mut self, uid: &Uid, count: usize, now: Instant) {
        self.0.entry(uid.clone()).or_default().push_back((now, count));
    }

    /// How many more may be put in now where `most` may within an hour.
    pub fn room(&mut self, uid: &Uid, most: usize, now: Instant) -> usize {
        let Some(recent) = self.0.get_mut(uid) else { return most };
        while recent.front().is_some_and(|(at, _)| *at + HOUR <= now) {
            recent.pop_front();
        }
        most.saturating_sub(recent.iter().map(|(_, count)| count).sum())
    }

    /// How long it takes until there is more room.
    pub fn wait(&self, uid: &Uid, now: Instant) -> Duration {
        let first = self.0.get(uid).and_then(VecDeque::front);
        first.map_or(Duration::ZERO, |(at, _)| (*at + HOUR).saturating_duration_since(now))
    }

    /// The object is gone.
    pub fn forget(&mut self, uid: &Uid) {
        self.0.remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whoever puts in as many as there is room for exceeds the limit in no hour, and waits no longer than told.
        #[test]
        fn i19_no_hour_has_more_members_than_the_server_takes(
            wanted in proptest::collection::vec((0..1800_u64, 1..400_usize), 1..60),
        ) {
            let (mut pace, mut put): (MemberRate, Vec<(Instant, usize)>) = Default::default();
            let mut now = Instant::now();
            for (pause, count) in wanted {
                now += Duration::from_secs(pause);
                let room = pace.room(&"g".into(), 1000, now);
                if room == 0 {
                    now += pace.wait(&"g".into(), now);
                    prop_assert!(pace.room(&"g".into(), 1000, now) > 0);
                    continue;
                }
                let count = count.min(room);
                pace.put_in(&"g".into(), count, now);
                put.push((now, count));
                let within: usize = put.iter().filter(|(at, _)| *at + HOUR > now).map(|(_, count)| count).sum();
                prop_assert!(within <= 1000);
                prop_assert_eq!(pace.room(&"other".into(), 1000, now), 1000);
            }
        }
    }
}
