//! What is counted of rosters.

use jiff::Timestamp;

use super::{Metrics, ROSTER_COUNTS, Roster, RosterCount, seconds};

impl Metrics {
    /// How a roster stands: rows, in scope, generated, rejected and held, and since when its content is in force. Of one
    /// that is suspended nobody expects that it is ready.
    pub fn roster(&self, roster: &str, ready: Option<bool>, counts: [i64; 5], good: Option<Timestamp>) {
        let label = Roster { roster: roster.to_owned() };
        match ready {
            Some(ready) => _ = self.roster_ready.get_or_create(&label).set(i64::from(ready)),
            None => _ = self.roster_ready.remove(&label),
        }
        self.roster_good.get_or_create(&label).set(good.map_or(0.0, seconds));
        for (count, value) in ROSTER_COUNTS.into_iter().zip(counts) {
            self.roster_rows.get_or_create(&RosterCount { roster: roster.to_owned(), count }).set(value);
        }
    }

    /// A roster is gone.
    pub fn roster_gone(&self, roster: &str) {
        let label = Roster { roster: roster.to_owned() };
        let _ = (self.roster_ready.remove(&label), self.roster_good.remove(&label));
        for count in ROSTER_COUNTS {
            self.roster_rows.remove(&RosterCount { roster: roster.to_owned(), count });
        }
    }
}
