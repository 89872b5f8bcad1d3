//! The custom resources: the contract with users.
//!
//! Attribute names inside a ScimUser are RFC 7643's, letter for letter.

mod attributes;
mod claimed;
mod cluster_connection;
mod conditions;
mod connection;
mod connection_auth;
mod connection_choices;
mod connection_datadog;
mod connection_dialect;
mod connection_guards;
mod connection_proxy;
mod connection_status;
mod crd;
mod delegation;
mod duration;
mod extension_names;
mod group;
mod identifiers;
mod kustomize;
mod operation;
mod roster;
mod roster_reasons;
mod text;
mod user;
mod user_rules;

pub use attributes::{
    Address, Email, Enterprise, Extensions, Grant, ManagerRef, MultiValued, Name, UserAttributes, UserRef,
};
pub use claimed::ClaimedAccount;
pub use cluster_connection::*;
pub use conditions::{Also, ConnectedReason, Reason};
pub use connection::*;
pub use connection_auth::*;
pub use connection_choices::*;
pub use connection_datadog::*;
pub use connection_dialect::*;
pub use connection_guards::*;
pub use connection_proxy::*;
pub use connection_status::*;
pub use crd::{crds, crds_yaml};
pub use delegation::*;
pub use duration::Interval;
pub use extension_names::{is_attribute_name, is_reserved};
pub use group::*;
pub use identifiers::{RemoteId, Uid};
pub use kustomize::is_kustomize_hash;
pub use operation::*;
pub use roster::*;
pub use roster_reasons::RosterReason;
pub use text::{hex, listed};
pub use user::*;

/// The API group.
pub const GROUP: &str = "scim-operator.dev";
/// The API version.
pub const VERSION: &str = "v1alpha1";
/// Our name in `managedFields`.
pub const FIELD_MANAGER: &str = "scim-operator";
/// Keeps an object until its account is dealt with.
pub const FINALIZER: &str = "scim-operator.dev/deprovision";
/// Annotation: an object under deletion goes without touching the server.
pub const RELEASE: &str = "scim-operator.dev/release";
/// Annotation: binds the object to this account.
pub const REMOTE_ID: &str = "scim-operator.dev/remote-id";
/// Annotation of ours on a ScimUser: the account that it is about to make or take for its own, see [`ClaimedAccount`].
pub const CLAIMED_ACCOUNT: &str = "scim-operator.dev/claimed-account";
/// Annotation of ours on a ScimGroup: the group that it is about to make or take for its own, see [`ClaimedGroup`].
pub const CLAIMED_GROUP: &str = "scim-operator.dev/claimed-group";
/// Annotation: provision this one now; answered in `status.lastHandledReconcileAt`.
pub const RECONCILE_REQUESTED_AT: &str = "scim-operator.dev/reconcile-requested-at";
/// Label that a Secret must carry before any connection may use it.
pub const CREDENTIALS_LABEL: &str = "scim-operator.dev/credentials";
/// Annotation of a Secret: the hosts that its key may be sent to, separated by commas.
pub const HOSTS: &str = "scim-operator.dev/hosts";
/// Annotation of a Secret: when its key expires, as RFC 3339 or a date; warned about at 30, 7 and 1 days.
pub const EXPIRES_AT: &str = "scim-operator.dev/expires-at";
/// Label of a generated ScimUser: the ScimRoster that it is of.
pub const ROSTER_LABEL: &str = "scim-operator.dev/roster";
/// Label that a ConfigMap or Secret must carry before any roster may read it.
pub const ROSTER_SOURCE_LABEL: &str = "scim-operator.dev/roster-source";
/// Annotation of a generated ScimUser: tells whether its row says what it said when it was last written.
pub const GENERATED: &str = "scim-operator.dev/generated";
/// Annotation of a generated ScimUser: a digest of the key that it was written for. An object may keep a name that was
/// made of another key.
pub const ROSTER_KEY: &str = "scim-operator.dev/roster-key";
