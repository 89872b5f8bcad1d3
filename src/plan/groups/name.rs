//! The name that a group was given, and what the server makes of it.

use crate::plan::creation::is_made_of;
use crate::plan::domain::is_same_in_domain;

/// A name that was sent, as far as this process remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameSent {
    /// What was sent.
    pub sent: String,
    /// What the group was named before; none where it was made.
    pub before: Option<String>,
    /// In so many forms it was sent, and nothing came of it.
    pub in_vain: u8,
}

impl NameSent {
    /// The server shows this for the declared name: the same letters, in a form of its own.
    pub fn is_kept_as(&self, declared: &str, shown: &str) -> bool {
        let same = is_made_of(shown, declared) || is_same_in_domain(shown, declared);
        self.sent == declared && self.before.as_deref() != Some(shown) && same
    }
}
