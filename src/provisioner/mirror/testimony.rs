//! What the server tells by another way of accounts that it took into groups, and whom no group shows.

use std::collections::HashSet;

use tokio::time::Instant;

use super::LOOK_AGAIN;
use crate::api::RemoteId;
use crate::scim::Lesson;

/// So many are asked for without any that is in: the server doesn't keep whom it takes, or not yet.
const MOST_IN_VAIN: usize = 5;

/// Of whom it was asked, and what it told.
#[derive(Debug, Default)]
pub struct Testimony {
    asked: HashSet<RemoteId>,
    last: Option<Instant>,
    /// Who is in, by what, and since when that is known.
    told: Vec<(RemoteId, Lesson, Instant)>,
}

impl Testimony {
    /// It may still turn out that nobody is ever shown.
    pub fn is_open(&self) -> bool {
        self.asked.len() < MOST_IN_VAIN + self.told.len()
    }

    /// Who of these is asked for now: somebody else each time, and not at once, for what is read may be as old as what is
    /// told.
    pub fn next<'a>(&self, put_in: &'a [RemoteId], now: Instant) -> Option<&'a RemoteId> {
        let due = self.last.is_none_or(|last| now.saturating_duration_since(last) >= LOOK_AGAIN);
        put_in.iter().find(|id| !self.asked.contains(*id)).filter(|_| due && self.is_open())
    }

    /// The account is in, by this; or nothing says so. Returns what two accounts at two moments say alike.
    pub fn told(&mut self, id: &RemoteId, lesson: Option<Lesson>, now: Instant) -> Option<Lesson> {
        self.asked.insert(id.clone());
        self.last = Some(now);
        let lesson = lesson?;
        let before = |(other, known, at): &(RemoteId, Lesson, Instant)| {
            other != id && *known == lesson && now.saturating_duration_since(*at) >= LOOK_AGAIN
        };
        let certain = self.told.iter().any(before);
        self.told.push((id.clone(), lesson.clone(), now));
        certain.then_some(lesson)
    }

    /// The account says that it isn't in: whoever said so before may have been in for a moment.
    pub fn denied(&mut self) {
        self.told.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn i33_one_account_or_one_moment_is_no_proof_that_members_are_hidden() {
        let (ada, bea, cyd) = (RemoteId::from("ada"), RemoteId::from("bea"), RemoteId::from("cyd"));
        let (now, hidden) = (Instant::now(), Some(Lesson::MembersHidden));
        let mut known = Testimony::default();
        let all = [ada.clone(), bea.clone(), cyd.clone()];
        assert_eq!(known.next(&all, now), Some(&ada));
        assert_eq!(known.told(&ada, hidden.clone(), now), None);
        assert_eq!(known.next(&all, now), None, "at the same moment nobody else is asked for");
        let later = now + LOOK_AGAIN;
        assert_eq!(known.next(&all[..1], later), None, "nor the same one later");
        assert_eq!(known.next(&all, later), Some(&bea));
        let mut denied = Testimony::default();
        denied.told(&ada, hidden.clone(), now);
        denied.denied();
        assert_eq!(denied.told(&bea, hidden.clone(), later), None);
        assert_eq!(known.told(&bea, Some(Lesson::MembersProbed), later), None, "by another way");
        assert_eq!(known.told(&cyd, hidden, later), Some(Lesson::MembersHidden));
    }
}
