//! Objects that were found to be as they should: while nothing changes that this rests on, they needn't be compared again.

use std::collections::HashMap;
use std::fmt;

use crate::api::Uid;
use crate::plan::Policy;

/// What was compared, and under which circumstances.
#[derive(Default)]
pub struct Settled {
    under: Option<Circumstances>,
    /// The stamp of the account that an object was compared with.
    objects: HashMap<Uid, u64>,
}

/// What every comparison rests on, beside the account.
#[derive(Clone, Debug, PartialEq)]
pub struct Circumstances {
    /// How often it was begun anew.
    pub epoch: u64,
    /// What the connection prescribes.
    pub policy: Policy,
    /// The state of what Kubernetes declares.
    pub revision: u64,
}

impl Settled {
    /// These are the circumstances now; under others nothing is settled.
    pub fn under(&mut self, circumstances: Circumstances) {
        if self.under.as_ref() != Some(&circumstances) {
            self.objects.clear();
            self.under = Some(circumstances);
        }
    }

    /// The object was found to be as it should, by the account of this stamp.
    pub fn add(&mut self, uid: &Uid, stamp: u64) {
        self.objects.insert(uid.clone(), stamp);
    }

    /// It was, by this very account.
    pub fn holds(&self, uid: &Uid, stamp: u64) -> bool {
        self.objects.get(uid) == Some(&stamp)
    }
}

/// It is no knowledge of its own.
impl fmt::Debug for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settled")
    }
}
