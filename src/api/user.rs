//! ScimUser: one person at one SCIM service provider.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, ResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::attributes::UserAttributes;
use super::claimed::{ClaimedAccount, is_own};
use super::connection_choices::DeletionPolicy;
use super::operation::{LastOperation, RejectedHold, UserHold};
use super::user_rules;

/// One person at one SCIM service provider. Attribute names are RFC 7643's, letter for letter.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "scim-operator.dev",
    version = "v1alpha1",
    kind = "ScimUser",
    plural = "scimusers",
    category = "scim",
    namespaced,
    status = "ScimUserStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "One person at one SCIM service provider. Attribute names are RFC 7643's, letter for letter.",
    selectable = ".spec.connectionRef.name",
    selectable = ".status.state",
    selectable = ".status.hold.id",
    printcolumn(name = "User Name", type_ = "string", json_path = ".spec.userName"),
    printcolumn(name = "Connection", type_ = "string", json_path = ".spec.connectionRef.name"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Active", type_ = "boolean", json_path = ".status.active"),
    printcolumn(name = "Last Change", type_ = "date", json_path = ".status.lastOperation.at"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Id", type_ = "string", json_path = ".status.id", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = user_rules::of_spec()))]
pub struct ScimUserSpec {
    /// The connection that it is provisioned through; can't be changed.
    pub connection_ref: ConnectionRef,
    /// The name that the person is known by at the server; unique there, whatever its letter case.
    #[schemars(
        length(min = 1, max = 320),
        regex(pattern = r"^\S(.*\S)?$"),
        extend("x-kubernetes-validations" = [{
            "rule": "!self.matches('[\\u00a0\\u00ad\\u1680\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u3000\\ufeff]')",
            "message": "write userName anew by hand: it has a letter that nobody sees, such as a zero-width or a non-breaking space, and would be another name"
        }])
    )]
    pub user_name: String,
    /// The id that the source of the person's data gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub external_id: Option<String>,
    /// true and false are enforced; left out: created active, then left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// The attributes that are enforced.
    #[serde(flatten)]
    pub attributes: UserAttributes,
    /// Attributes that are sent once, at creation, and not enforced after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_create: Option<Box<UserAttributes>>,
    /// Attributes that must be absent at the server: `title`, `name.middleName`, `phoneNumbers[type eq "fax"]`,
    /// `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "user_rules::clear")]
    pub clear: Option<Vec<String>>,
    /// The account is inactive outside this window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// What deleting this object does; may only soften the connection's: Delete → Deactivate → Retain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Nothing is sent for this object, removals included.
    #[serde(default)]
    pub suspend: bool,
}

/// The kinds of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConnectionKind {
    /// One of the object's own namespace.
    #[default]
    ScimConnection,
    /// One of the cluster, as far as it is delegated to the object's namespace.
    ClusterScimConnection,
}

/// Names a connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionRef {
    /// Its kind.
    #[serde(default)]
    pub kind: ConnectionKind,
    /// Its name.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
}

/// An access window; either end may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.notBefore) || !has(self.notAfter) || self.notBefore < self.notAfter",
    "message": "access.notBefore must lie before access.notAfter"
}, {
    "rule": "has(self.notBefore) || has(self.notAfter)",
    "message": "write access.notBefore, access.notAfter or both; leave access out where there is no limit"
}]))]
pub struct Access {
    /// Inactive before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "user_rules::instant")]
    pub not_before: Option<Time>,
    /// Inactive from this instant on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "user_rules::instant")]
    pub not_after: Option<Time>,
}

/// What is recorded of a user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimUserStatus {
    /// The generation that was carried out, or can't be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The value of the annotation `reconcile-requested-at` that was answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub last_handled_reconcile_at: Option<String>,
    /// How things stand, in a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<UserState>,
    /// The account's id at the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub id: Option<String>,
    /// The server that the id belongs to: a hash over its base URL and tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub bound_to: Option<String>,
    /// The account's userName, as the server spells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub user_name: Option<String>,
    /// Whether the account is active, as last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// The `active` that was last in force on our side, or is about to be: tells a declared return from a change at the
    /// server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_applied_active: Option<bool>,
    /// The last request that took effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_operation: Option<LastOperation>,
    /// What we own: drop one from the spec and it is removed at the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), inner(length(max = 1024)))]
    pub managed_attributes: Option<Vec<String>>,
    /// What we own beyond these, by digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub more_managed: Option<String>,
    /// The values that were carried out last, by digest: what differs from one of them was changed at the server, not
    /// declared since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub applied_attributes: Option<String>,
    /// Attributes that were changed at the server and are left so; never their values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub drift: Option<Vec<DriftedAttribute>>,
    /// Attributes that are not written, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub ignored_attributes: Option<Vec<IgnoredAttribute>>,
    /// Attributes that are not written beyond these, by digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub more_ignored: Option<String>,
    /// The groups that we put this account into, by their ids, and the account's id then; where the server doesn't
    /// show members, or the ScimGroup is Additive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "user_rules::groups")]
    pub groups: Option<BTreeMap<String, String>>,
    /// The hold that keeps an operation of this object until a person answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<UserHold>,
    /// Holds that were rejected: what they were about stays undone until the spec changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub rejected_holds: Option<Vec<RejectedHold>>,
    /// Ready, and, while true, Reconciling or Stalled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Option<Vec<Condition>>,
}

/// How things stand with a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UserState {
    /// Waiting.
    Pending,
    /// As declared, and active.
    Active,
    /// As declared, and inactive.
    Inactive,
    /// As declared but for being inactive: the server waits for an invitation to be accepted.
    Invited,
    /// No account is created before it is to be active.
    NotCreated,
    /// Changed at the server, and left so.
    Drifted,
    /// Held by a guard until a person answers.
    Held,
    /// What would be done is shown; nothing is sent under `mode: Plan`.
    Planned,
    /// Needs a person; the Ready condition says why.
    Failed,
    /// Deactivated at the server, not by us.
    DeactivatedAtServer,
    /// Deleted at the server, not by us.
    DeletedAtServer,
    /// Under deletion, and waiting.
    Deleting,
    /// Suspended.
    Suspended,
}

/// An attribute that was changed at the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftedAttribute {
    /// The attribute.
    #[schemars(length(max = 1024))]
    pub path: String,
}

/// An attribute that is not written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IgnoredAttribute {
    /// The attribute.
    #[schemars(length(max = 1024))]
    pub path: String,
    /// Why.
    pub reason: IgnoredReason,
    /// Since this generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// Tells whether the declared or the server's value has changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub digest: Option<String>,
    /// The server's words, where it refused the attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub message: Option<String>,
    /// Since when the server refuses it, or doesn't keep it; it is tried again hourly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// Why an attribute is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IgnoredReason {
    /// The server takes it and doesn't keep it.
    NotPersisted,
    /// The server has no place for it, or no way to remove it.
    Unsupported,
    /// A second writer keeps changing it back.
    Contested,
    /// The server keeps it in a form of its own: what it showed after it was written counts as what was declared, until
    /// either changes.
    Reworded,
    /// The server refuses it by itself, and takes everything else. It is tried again hourly, and when the declared value
    /// changes.
    Rejected,
}

impl IgnoredReason {
    /// The name, as in status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotPersisted => "NotPersisted",
            Self::Unsupported => "Unsupported",
            Self::Contested => "Contested",
            Self::Reworded => "Reworded",
            Self::Rejected => "Rejected",
        }
    }
}

impl ScimUserStatus {
    /// The account that the object is bound to at this server.
    pub fn id_at(&self, server: &str) -> Option<&str> {
        self.id.as_deref().filter(|_| self.bound_to.as_deref() == Some(server))
    }
}

impl ScimUser {
    /// What the annotation `claimed-account` says; none where nothing was ever made or taken, it can't be read, or another
    /// object claims it.
    pub fn claimed_account(&self) -> Option<ClaimedAccount> {
        let claimed: ClaimedAccount = serde_json::from_str(self.annotations().get(super::CLAIMED_ACCOUNT)?).ok()?;
        let declared = claimed.user_name.eq_ignore_ascii_case(&self.spec.user_name);
        is_own(claimed.uid.as_deref(), &self.metadata, declared).then_some(claimed)
    }

    /// The same, where it may be about an account of this server.
    pub fn claimed_at(&self, server: &str) -> Option<ClaimedAccount> {
        self.claimed_account().filter(|claimed| claimed.server.as_deref().unwrap_or(server) == server)
    }

    /// The annotation `release` asks that it go without touching its account.
    pub fn wants_release(&self) -> bool {
        self.annotations().get(super::RELEASE).is_some_and(|value| value == "true")
    }

    /// The account that the annotation `remote-id` names.
    pub fn remote_id(&self) -> Option<&str> {
        self.annotations().get(super::REMOTE_ID).map(String::as_str).filter(|id| !id.is_empty())
    }
}
