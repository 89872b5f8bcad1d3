//! In which words accounts were shown: whoever is shown in the same ones again is as known.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// Whose words have which digest. The key is another one in each process, so that nobody can find two texts of one digest.
#[derive(Default)]
pub struct Words {
    key: RandomState,
    of: HashMap<u64, Arc<str>>,
}

impl Words {
    /// The digest of words.
    pub fn digest(&self, text: &str) -> u64 {
        self.key.hash_one(text)
    }

    /// Whose words they are.
    pub fn of(&self, digest: u64) -> Option<&Arc<str>> {
        self.of.get(&digest)
    }

    /// They are those of this id.
    pub fn remember(&mut self, digest: u64, id: &Arc<str>) {
        self.of.insert(digest, Arc::clone(id));
    }

    /// They are no longer.
    pub fn forget(&mut self, digest: u64) {
        self.of.remove(&digest);
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words")
    }
}
