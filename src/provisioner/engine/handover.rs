//! How long an object under deletion waits for whoever is to take over its account or group (promises I8, I15).

use jiff::{SignedDuration, Timestamp};

/// So long an object under deletion waits for whoever is to take over its account, or for its groups (promises I8, I15).
pub const HANDOVER: SignedDuration = SignedDuration::from_mins(10);

/// So long at most, though that one could not be served.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// So long after the deletion nobody is waited for any more, however often it was begun anew.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How it stands with whoever is to take over an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// It may still come to it: it hasn't been served for long enough.
    Awaited,
    /// It could have been served, and never had its turn.
    Forgotten,
    /// It had its turn, and time enough since.
    Overdue,
    /// Whatever kept it from being served has lasted for too long.
    Expired,
}

/// An object's wait for another one.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// When the object was deleted.
    pub deleted: Timestamp,
    /// When the other one had its turn last.
    pub turn: Option<Timestamp>,
    /// Since when the other one's connection serves.
    pub serving: Option<Timestamp>,
    /// That connection is the object's own, of its namespace or of the cluster: any other one is waited for no longer
    /// because it serves nobody, as whoever makes it need not be able to use this server.
    pub near: bool,
}

impl Wait {
    /// How it stands; the wait counts from `since`, and the other one had its `first` turn then.
    pub fn judge(self, since: Timestamp, first: Option<Timestamp>, now: Timestamp) -> Handover {
        let waited = now.duration_since(since);
        let ends =
            waited >= LONGEST || now.duration_since(self.deleted) >= WEEK || !self.near && self.serving.is_none();
        if ends && waited >= HANDOVER {
            return Handover::Expired;
        }
        let from = [Some(since), first, self.serving].into_iter().flatten().max().unwrap_or(now);
        let long = now.duration_since(from) >= HANDOVER;
        match (first, self.serving) {
            (Some(_), Some(_)) if long => Handover::Overdue,
            (None, Some(_)) if long => Handover::Forgotten,
            _ => Handover::Awaited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn i15_whoever_can_not_be_served_is_not_waited_for_without_end() {
        let ask = |near, serving: Option<i64>, since, now| {
            let wait = Wait { deleted: at(0), turn: None, serving: serving.map(at), near };
            wait.judge(at(since), None, at(now))
        };
        let day = 24 * 60;
        assert_eq!(ask(true, None, 0, day - 1), Handover::Awaited, "its own namespace's");
        assert_eq!(ask(true, None, 0, day), Handover::Expired);
        assert_eq!(ask(false, None, 0, 9), Handover::Awaited, "another namespace's");
        assert_eq!(ask(false, None, 0, 10), Handover::Expired);
        assert_eq!(ask(false, Some(5), 0, 14), Handover::Awaited, "it serves");
        assert_eq!(ask(true, Some(0), 0, day), Handover::Expired, "it never has its turn");
        // The process began anew every few hours.
        assert_eq!(ask(true, None, 7 * day - 5, 7 * day + 4), Handover::Awaited);
        assert_eq!(ask(true, None, 7 * day - 5, 7 * day + 5), Handover::Expired);
    }
}
