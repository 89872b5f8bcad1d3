//! ScimGroup: one group at one SCIM service provider, and who belongs to it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, ResourceExt};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::attributes::UserRef;
use super::claimed::is_own;
use super::connection_choices::{GroupDeletionPolicy, Membership};
use super::connection_status::GuardBucket;
use super::operation::{LastOperation, RejectedHold, UserHold};
use super::user::{ConnectionRef, IgnoredAttribute};

/// One group at one SCIM service provider, and who belongs to it.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "scim-operator.dev",
    version = "v1alpha1",
    kind = "ScimGroup",
    plural = "scimgroups",
    category = "scim",
    namespaced,
    status = "ScimGroupStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "One group at one SCIM service provider, and who belongs to it.",
    selectable = ".spec.connectionRef.name",
    selectable = ".status.state",
    selectable = ".status.hold.id",
    printcolumn(name = "Display Name", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Connection", type_ = "string", json_path = ".spec.connectionRef.name"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Members", type_ = "integer", json_path = ".status.members.present"),
    printcolumn(name = "Waiting", type_ = "integer", json_path = ".status.members.waiting"),
    printcolumn(name = "Last Change", type_ = "date", json_path = ".status.lastOperation.at"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Declared", type_ = "integer", json_path = ".status.members.declared", priority = 1),
    printcolumn(name = "Id", type_ = "string", json_path = ".status.id", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.connectionRef == oldSelf.connectionRef",
    "message": "connectionRef can't be changed: create a second object that refers to the other connection, and delete this one"
}]))]
pub struct ScimGroupSpec {
    /// The connection that it is provisioned through; can't be changed.
    pub connection_ref: ConnectionRef,
    /// The group's name at the server. Changing it renames the group.
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^\S(.*\S)?$"))]
    pub display_name: String,
    /// The id that the source of the group gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub external_id: Option<String>,
    /// Exact: whoever isn't declared is taken out. Additive: only members that this object brought in are.
    pub membership: Membership,
    /// The members, one by one. For more than a few, label ScimUsers and use `memberSelector`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub members: Option<Vec<Member>>,
    /// Members by their labels: the ScimUsers of this namespace and connection that carry all of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_selector: Option<MemberSelector>,
    /// What deleting this object does; may only soften the connection's: Delete → Retain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<GroupDeletionPolicy>,
}

/// One member: a ScimUser, a ScimGroup, or an account of the server that need not be declared anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "[has(self.userRef), has(self.groupRef), has(self.userName), has(self.id)].filter(x, x).size() == 1",
    "message": "write exactly one of userRef, groupRef, userName and id for each member"
}]))]
pub struct Member {
    /// A ScimUser of the same namespace and connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_ref: Option<UserRef>,
    /// A ScimGroup of the same namespace and connection: a nested group, where the server has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_ref: Option<GroupRef>,
    /// An account by its userName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 320))]
    pub user_name: Option<String>,
    /// An account, or a group, by its id at the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub id: Option<String>,
}

/// Names a ScimGroup of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupRef {
    /// The ScimGroup's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
}

/// Selects ScimUsers by their labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberSelector {
    /// The labels, all of which a ScimUser must carry. At least one: nobody is selected by saying nothing.
    #[schemars(schema_with = "labels")]
    pub match_labels: BTreeMap<String, String>,
}

fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 16,
        "additionalProperties": {"type": "string", "maxLength": 63}
    })
}

/// So many members of one group that are about to leave it are remembered in its status.
pub const MOST_LEAVING: usize = 5000;

fn leaving(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": MOST_LEAVING,
        "additionalProperties": {"type": "string", "format": "date-time", "maxLength": 40}
    })
}

fn names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 2 * MOST_LEAVING,
        "additionalProperties": {"type": "string", "maxLength": 512}
    })
}

/// What is recorded of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimGroupStatus {
    /// The generation that was carried out, or can't be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The value of the annotation `reconcile-requested-at` that was answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub last_handled_reconcile_at: Option<String>,
    /// How things stand, in a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<GroupState>,
    /// The group's id at the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub id: Option<String>,
    /// The server that the id belongs to: a hash over its base URL and tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub bound_to: Option<String>,
    /// The group's name at the server, as last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub display_name: Option<String>,
    /// The externalId that was sent last: drop it from the spec and it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub external_id: Option<String>,
    /// The attributes and members that were carried out last, by digest: what differs from them was changed at the server,
    /// not declared since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub applied_attributes: Option<String>,
    /// The members, counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<MembersStatus>,
    /// Some of those that are waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), inner(length(max = 512)))]
    pub waiting_for: Option<Vec<String>>,
    /// Attributes and members that are not sent, and why; tried again hourly. A member is named as
    /// `members[value eq "its id"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub ignored_attributes: Option<Vec<IgnoredAttribute>>,
    /// The last request that took effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_operation: Option<LastOperation>,
    /// What was changed at the server, not by us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<GroupDrift>,
    /// The hold that keeps an operation of this object until a person answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<UserHold>,
    /// Holds that were rejected: what they were about stays undone until the spec changes, and whoever was to be taken out
    /// stays in until they belong in again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub rejected_holds: Option<Vec<RejectedHold>>,
    /// Members taken out lately: the ledger of the guard `memberships`, written before they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 60))]
    pub removals: Option<Vec<GuardBucket>>,
    /// Members without a ScimUser that this object brought in, by their ids, where the server doesn't show them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 5000), inner(length(max = 512)))]
    pub brought_in: Option<Vec<String>>,
    /// Members that were declared while `membership` was Exact, by digest, up to 5000: they are taken out once they aren't
    /// declared any more, whatever `membership` says by then. `more`: there were more, and none of them is on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 60000))]
    pub owned_members: Option<String>,
    /// Members that others took out or put in, and that are left so by `driftPolicy`, by digest, up to 5000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 60000))]
    pub left_members: Option<String>,
    /// Members whose ScimUser vanished without being deprovisioned, and since when: they stay for one
    /// `resyncInterval`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "leaving")]
    pub leaving: Option<BTreeMap<String, Time>>,
    /// The userNames that the accounts in `broughtIn` and `leaving` had when they were put there: under their ids there may
    /// be others by now, where the server gave out new ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "names")]
    pub member_names: Option<BTreeMap<String, String>>,
    /// Ready, and, while true, Reconciling or Stalled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Option<Vec<Condition>>,
}

/// The members of a group, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MembersStatus {
    /// Declared, by reference, selector, userName or id.
    pub declared: i64,
    /// In the group at the server, as far as it shows, or as we put them there.
    pub present: i64,
    /// Declared, and without an account yet.
    pub waiting: i64,
}

/// What was changed of a group at the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupDrift {
    /// Attributes that were changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 256)))]
    pub attributes: Vec<String>,
    /// Declared members that are gone from the group.
    #[serde(default)]
    pub lost: i64,
    /// Members that nobody declared.
    #[serde(default)]
    pub foreign: i64,
}

/// How things stand with a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GroupState {
    /// Waiting.
    Pending,
    /// As declared.
    Synced,
    /// Changed at the server, and left so or about to be repaired.
    Drifted,
    /// Held by a guard until a person answers.
    Held,
    /// What would be done is shown; nothing is sent under `mode: Plan`.
    Planned,
    /// Needs a person; the Ready condition says why.
    Failed,
    /// Deleted at the server, not by us.
    DeletedAtServer,
    /// Under deletion, and waiting.
    Deleting,
    /// Suspended.
    Suspended,
}

/// What identifies the group that an object is about to make or to take for its own. It is written with the finalizer,
/// before anything is sent: should the answer be lost and the object renamed, the group is still found (promise I7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimedGroup {
    /// Its displayName.
    pub display_name: String,
    /// The externalId that it was created with, or had when it was to be taken: another may be declared by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The server that it is at, as `status.boundTo` names it; none in the claim of an operator that didn't say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The uid of the object that claims it; none in the claim of an operator that didn't say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

impl ClaimedGroup {
    /// From the annotation. That of an operator which named no server is the displayName alone.
    fn read(text: &str) -> Self {
        let claimed = serde_json::from_str(text).ok().filter(|claimed: &Self| claimed.server.is_some());
        claimed.unwrap_or_else(|| Self { display_name: text.to_owned(), external_id: None, server: None, uid: None })
    }

    /// It may be about a group of this server.
    pub fn may_be_at(&self, server: &str) -> bool {
        self.server.as_deref().is_none_or(|known| known == server)
    }

    /// For the annotation.
    pub fn text(&self) -> String {
        // Strings are always written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl ScimGroupStatus {
    /// The group that the object is bound to at this server.
    pub fn id_at(&self, server: &str) -> Option<&str> {
        self.id.as_deref().filter(|_| self.bound_to.as_deref() == Some(server))
    }
}

impl ScimGroup {
    /// What the annotation `claimed-group` says; none where nothing was ever made or taken, or another object claims it.
    pub fn claimed_group(&self) -> Option<ClaimedGroup> {
        let claimed = ClaimedGroup::read(self.annotations().get(super::CLAIMED_GROUP)?);
        let declared = claimed.display_name == self.spec.display_name;
        is_own(claimed.uid.as_deref(), &self.metadata, declared).then_some(claimed)
    }

    /// The displayName that it says, where that may be about a group of this server.
    pub fn claimed_at(&self, server: &str) -> Option<String> {
        self.claimed_group().filter(|claimed| claimed.may_be_at(server)).map(|claimed| claimed.display_name)
    }

    /// The annotation `release` asks that it go without touching its group.
    pub fn wants_release(&self) -> bool {
        self.annotations().get(super::RELEASE).is_some_and(|value| value == "true")
    }

    /// The group that the annotation `remote-id` names.
    pub fn remote_id(&self) -> Option<&str> {
        self.annotations().get(super::REMOTE_ID).map(String::as_str).filter(|id| !id.is_empty())
    }
}
