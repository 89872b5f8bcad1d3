//! Writes that the API server refuses as such: a right that is missing, an admission webhook, a full etcd. The connection
//! says so, since the objects themselves can't.

use jiff::{SignedDuration, Timestamp};

/// It is told for so long after the last one; what is refused is tried again within five minutes.
const TOLD: SignedDuration = SignedDuration::from_mins(10);

/// The last refusal that is worth telling.
#[derive(Debug, Default)]
pub struct WriteTrouble(Option<(String, Timestamp)>);

impl WriteTrouble {
    /// Notes a refusal; what is to be told, where that is news. The words stay the same while it lasts.
    pub fn refused(&mut self, told: String, now: Timestamp) -> Option<String> {
        let lasts = self.told(now).is_some();
        match &mut self.0 {
            Some((_, last)) if lasts => {
                *last = now;
                None
            }
            other => {
                *other = Some((told.clone(), now));
                Some(told)
            }
        }
    }

    /// What is told now.
    pub fn told(&self, now: Timestamp) -> Option<&str> {
        let (told, last) = self.0.as_ref()?;
        (now.duration_since(*last) < TOLD).then_some(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_once_while_it_lasts() {
        let mut trouble = WriteTrouble::default();
        let at = |minute: i64| Timestamp::from_second(60 * minute).unwrap();
        assert_eq!(trouble.told(at(0)), None);
        assert_eq!(trouble.refused("ada is forbidden".into(), at(0)).as_deref(), Some("ada is forbidden"));
        assert_eq!(trouble.refused("bob is forbidden".into(), at(5)), None);
        assert_eq!(trouble.told(at(14)), Some("ada is forbidden"));
        assert_eq!(trouble.told(at(15)), None);
        assert!(trouble.refused("bob is forbidden".into(), at(20)).is_some());
    }
}
