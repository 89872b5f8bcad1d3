//! Who is in a hold, as a status records it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// So many bytes tell one uid from another. A status has room for every ScimUser of the largest roster.
const LENGTH: usize = 5;

/// ScimUsers by digests of their uids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(BTreeSet<[u8; LENGTH]>);

impl Members {
    /// Those with these uids.
    pub fn of<'a>(uids: impl IntoIterator<Item = &'a str>) -> Self {
        Self(uids.into_iter().map(digest).collect())
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
        !self.0.is_empty() && self.0.contains(&digest(uid))
    }
}

fn digest(uid: &str) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes.copy_from_slice(&Sha256::digest(uid)[..LENGTH]);
    bytes
}
