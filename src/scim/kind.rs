//! The collections that there are.

const CORE_USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const CORE_GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// A collection, RFC 7644 §3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `/Users`.
    Users,
    /// `/Groups`.
    Groups,
}

impl Kind {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Users => "Users",
            Self::Groups => "Groups",
        }
    }

    pub(super) fn schema(self) -> &'static str {
        match self {
            Self::Users => CORE_USER,
            Self::Groups => CORE_GROUP,
        }
    }
}
