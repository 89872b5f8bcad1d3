//! When access windows open and close: one ordered map of instants a connection, against the wall clock.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::api::Uid;

/// A clock may be set meanwhile: the map is looked at this often at least.
pub const LOOK: Duration = Duration::from_secs(30);

/// A removal is announced to its guard so long before its window ends.
pub const AHEAD: SignedDuration = SignedDuration::from_secs(2);

/// The next instant of each object that has one.
#[derive(Debug, Default)]
pub struct Windows {
    order: BTreeSet<(Timestamp, Uid)>,
    at: HashMap<Uid, Timestamp>,
}

impl Windows {
    /// The object is to be looked at then; `None` if never.
    pub fn set(&mut self, uid: &Uid, at: Option<Timestamp>) {
        if let Some(old) = self.at.remove(uid) {
            self.order.remove(&(old, uid.clone()));
        }
        if let Some(at) = at {
            self.at.insert(uid.clone(), at);
            self.order.insert((at, uid.clone()));
        }
    }

    /// Takes out the objects whose instant has come.
    pub fn due(&mut self, now: Timestamp) -> Vec<Uid> {
        let mut due = Vec::new();
        while let Some((at, uid)) = self.order.first().cloned()
            && at <= now
        {
            self.set(&uid, None);
            due.push(uid);
        }
        due
    }

    /// How long until the next instant, and no longer than [`LOOK`]; none where there is no instant.
    pub fn wait(&self, now: Timestamp) -> Option<Duration> {
        let (at, _) = self.order.first()?;
        Some(Duration::try_from(at.duration_since(now)).unwrap_or_default().min(LOOK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn objects_come_when_their_instant_does() {
        let mut windows = Windows::default();
        let (ada, bob): (Uid, Uid) = ("ada".into(), "bob".into());
        assert_eq!(windows.wait(at(0)), None);
        windows.set(&ada, Some(at(100)));
        windows.set(&bob, Some(at(10)));
        assert_eq!(windows.wait(at(0)), Some(Duration::from_secs(10)));
        windows.set(&bob, Some(at(50)));
        assert!(windows.due(at(49)).is_empty());
        assert_eq!(windows.due(at(50)), [bob]);
        assert_eq!(windows.wait(at(50)), Some(LOOK), "a clock may be set forward");
        // It was.
        assert_eq!(windows.due(at(5_000)), [ada]);
        assert_eq!(windows.wait(at(5_000)), None);
    }
}
