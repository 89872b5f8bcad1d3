//! What waits in each lane, and what belongs in a lower one by now.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::super::ticket::LANES;
use super::{Lane, Place, Queue};
use crate::api::Uid;

impl Queue {
    /// Nothing is left of a ticket in flight that belongs into its lane: should it wait for anything else, whatever comes in a
    /// higher lane ends that wait.
    pub fn lower(&mut self, uid: &Uid, lane: Lane) {
        let Some(e) = self.entries.get_mut(uid) else { return };
        if matches!(e.place, Place::InFlight { .. }) && e.lane < lane {
            self.count[e.lane as usize] -= 1;
            self.count[lane as usize] += 1;
            e.lane = lane;
            if let Some(owed) = e.owed.take() {
                self.owed.remove(&(owed, e.seq));
            }
        }
    }

    /// The tickets of each lane, delayed and in flight included.
    pub fn depth(&self) -> BTreeMap<Lane, usize> {
        LANES.into_iter().zip(self.count).collect()
    }

    /// How long the first ticket of each lane has waited for its turn; of removals, how long the oldest has been owed, however
    /// often it was tried.
    pub fn ages(&self, now: Instant) -> BTreeMap<Lane, Duration> {
        let first = |lane| {
            if lane == Lane::Removal {
                let (owed, _) = self.owed.first()?;
                return Some((lane, now.saturating_duration_since(*owed)));
            }
            let (_, uid) = self.due.range((lane, 0)..=(lane, u64::MAX)).next()?;
            match self.entries.get(uid)?.place {
                Place::Due(since) => Some((lane, now.saturating_duration_since(since))),
                _ => None,
            }
        };
        LANES.into_iter().filter_map(first).collect()
    }
}
