//! Who is in a hold, as a status records it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// So many bytes tell one uid from another. A status has room for every ScimUser of the largest roster.
const LENGTH: usize = 5;

/// The digest of a uid.
pub type Mark = [u8; LENGTH];

/// ScimUsers by digests of their uids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(BTreeSet<Mark>);

impl Members {
    /// Those with these uids.
    pub fn of<'a>(uids: impl IntoIterator<Item = &'a str>) -> Self {
        Self(uids.into_iter().map(mark).collect())
    }

    /// As a status has them. A text that can't be read names nobody.
    pub fn read(text: Option<&str>) -> Self {
        let bytes = text.and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
        Self(bytes.chunks_exact(LENGTH).filter_map(|bytes| bytes.try_into().ok()).collect())
    }

    /// For a status; none where there is nobody.
    pub fn text(&self) -> Option<String> {
        let bytes: Vec<u8> = self.0.iter().flatten().copied().collect();
        (!bytes.is_empty()).then(|| STANDARD.encode(bytes))
    }

    /// Whether the one with this uid is among them.
    pub fn has(&self, uid: &str) -> bool {
        !self.0.is_empty() && self.0.contains(&mark(uid))
    }

    /// Whether the one whose uid has this digest is among them.
    pub fn has_mark(&self, mark: &Mark) -> bool {
        self.0.contains(mark)
    }
}

/// The digest of a uid, to be looked up in the members of many holds.
pub fn mark(uid: &str) -> Mark {
    let mut bytes = [0; LENGTH];
    bytes.copy_from_slice(&Sha256::digest(uid)[..LENGTH]);
    bytes
}
