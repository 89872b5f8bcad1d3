//! Identifiers that are never to be taken for one another: none of them is looked up by, or compared with, mere text.

use std::fmt;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

macro_rules! identifier {
    ($(#[$about:meta])* $name:ident) => {
        $(#[$about])*
        #[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Its text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

identifier! {
    /// `metadata.uid` of an object in Kubernetes.
    Uid
}

identifier! {
    /// The `id` that the SCIM server gives an account or a group.
    RemoteId
}

impl Uid {
    /// The uid of the object that this is the metadata of; none as long as the API server hasn't given it any.
    pub fn given(metadata: &ObjectMeta) -> Option<Self> {
        metadata.uid.as_deref().map(Self::from)
    }

    /// The same, where the object is known to have one; an empty uid otherwise.
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self::given(metadata).unwrap_or_default()
    }
}
