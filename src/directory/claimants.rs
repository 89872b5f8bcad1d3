//! Who claims one account or name: nearly always one object, and there are two claims for each account.

use std::collections::BTreeSet;
use std::iter::{Chain, Flatten};
use std::option;

use crate::api::Uid;

/// At least one object.
#[derive(Debug)]
pub(super) enum Claimants {
    /// A set of its own would take ten times as much.
    One(Uid),
    Several(BTreeSet<Uid>),
}

impl Claimants {
    pub(super) fn insert(&mut self, uid: &Uid) {
        match self {
            Self::One(known) if known == uid => {}
            Self::One(known) => *self = Self::Several(BTreeSet::from([known.clone(), uid.clone()])),
            Self::Several(all) => {
                all.insert(uid.clone());
            }
        }
    }

    /// Removes one; whether nobody is left.
    pub(super) fn remove(&mut self, uid: &Uid) -> bool {
        match self {
            Self::One(known) => known == uid,
            Self::Several(all) => {
                all.remove(uid);
                all.is_empty()
            }
        }
    }

    pub(super) fn iter(&self) -> <&Self as IntoIterator>::IntoIter {
        self.into_iter()
    }
}

/// In the order of their uids.
impl<'a> IntoIterator for &'a Claimants {
    type Item = &'a Uid;
    type IntoIter = Chain<option::IntoIter<&'a Uid>, Flatten<option::IntoIter<&'a BTreeSet<Uid>>>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, several) = match self {
            Claimants::One(uid) => (Some(uid), None),
            Claimants::Several(all) => (None, Some(all)),
        };
        one.into_iter().chain(several.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_becomes_several_and_goes_with_the_last() {
        let [a, b, c] = ["a", "b", "c"].map(Uid::from);
        let mut claimants = Claimants::One(b.clone());
        claimants.insert(&b);
        assert!(matches!(claimants, Claimants::One(_)) && !claimants.remove(&a));
        claimants.insert(&a);
        claimants.insert(&c);
        assert_eq!(claimants.iter().collect::<Vec<_>>(), [&a, &b, &c]);
        assert!(!claimants.remove(&b) && !claimants.remove(&a) && !claimants.remove(&b));
        assert_eq!(claimants.iter().collect::<Vec<_>>(), [&c]);
        assert!(claimants.remove(&c));
        assert!(Claimants::One(a.clone()).remove(&a));
    }
}
