//! The status of a ScimConnection.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::connection_dialect::{DialectSpec, RateLimit, TimeoutsSpec};
use super::connection_guards::GuardsSpec;

/// What is known of the connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimConnectionStatus {
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The value of the annotation `reconcile-requested-at` that was answered last: by a test of the connection, and a sweep
    /// where it succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub last_handled_reconcile_at: Option<String>,
    /// Ready, Connected, and, while true, Reconciling, Stalled, Holding, Quarantined and Terminating.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Option<Vec<Condition>>,
    /// What is in force, preset and overrides together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<EffectiveStatus>,
    /// The users, counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<UsersStatus>,
    /// The groups, counted; none where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupsStatus>,
    /// What the server said of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerStatus>,
    /// What waits for a person's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub holds: Option<Vec<HoldStatus>>,
    /// Holds that were approved: an approval is good once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(max = 16)))]
    pub spent_holds: Option<Vec<String>>,
    /// Holds that were rejected: what was in them stays so until its spec changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(max = 16)))]
    pub refused_holds: Option<Vec<String>>,
    /// How much each guard has let through, and how much it lets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub guards: Option<Vec<GuardStatus>>,
    /// Some of the accounts that no object declares, under `unmanagedPolicy: Report`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub unmanaged: Option<Vec<UnmanagedAccount>>,
    /// The last sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepStatus>,
    /// The key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<CredentialsStatus>,
}

/// What is in force, preset and overrides together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveStatus {
    /// The base URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub base_url: Option<String>,
    /// What tells the key's customer from others of the same URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub tenant: Option<String>,
    /// The dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<DialectSpec>,
    /// Which fields of it the operator found out by itself, where nobody has set them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub learned: Option<Vec<LearnedField>>,
    /// The same in a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub learned_summary: Option<String>,
    /// What that was learnt of: a hash of the server and the dialect that is set. It is forgotten with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub learned_from: Option<String>,
    /// How long a request may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<TimeoutsSpec>,
    /// How many requests may be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4))]
    pub rate_limits: Option<Vec<RateLimit>>,
    /// What stops a change that is too large to be meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guards: Option<GuardsSpec>,
}

/// A field of the dialect that the operator found out by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LearnedField {
    /// Its name, as `spec.dialect` has it where it can be set.
    #[schemars(length(max = 32))]
    pub field: String,
    /// What it is by that.
    #[schemars(length(max = 128))]
    pub value: String,
    /// What the server does.
    #[schemars(length(max = 256))]
    pub because: String,
    /// Since when it is known.
    pub since: Time,
}

/// The users of a connection, counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsersStatus {
    /// ScimUsers that refer to the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<i64>,
    /// Of these, Ready at their newest generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced: Option<i64>,
    /// Of these, waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<i64>,
    /// Of these, Stalled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<i64>,
    /// Of these, held by a guard or by Plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<i64>,
    /// Of the synced ones, changed at the server and left so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drifted: Option<i64>,
    /// Accounts that no object declares, under `unmanagedPolicy: Report`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmanaged: Option<i64>,
    /// Users whose access window ends within 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "expiring24h")]
    pub expiring_24h: Option<i64>,
}

/// The groups of a connection, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupsStatus {
    /// ScimGroups that refer to the connection.
    pub declared: i64,
    /// Of these, Ready at their newest generation.
    pub synced: i64,
    /// Of these, waiting.
    pub pending: i64,
    /// Of these, Stalled.
    pub failed: i64,
    /// Of these, held by a guard or by Plan.
    pub held: i64,
}

/// What the server said of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    /// The account that the key belongs to, where the server tells; it is protected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub key_owner: Option<String>,
    /// It says that it knows PATCH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<bool>,
    /// It says that it knows filters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<bool>,
    /// It says that it knows versions of resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<bool>,
    /// The ways in which it says that it pages: index, cursor, both or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub pagination: Option<String>,
    /// The most resources that it says it shows on a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_results: Option<i64>,
    /// Where the dialect expects what the server says it can't, or was seen not to do, and what to set instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), inner(length(max = 256)))]
    pub differs: Option<Vec<String>>,
}

/// What waits for a person's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HoldStatus {
    /// What to write into `approvedHold` or `rejectedHold`; none until the hold has closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub id: Option<String>,
    /// The guards that stopped it, or `Plan`, or `NewServer`, or `Undelegated`.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Its first arrival.
    pub since: Time,
    /// Accounts it would create.
    pub creates: i64,
    /// Accounts it would change or bind.
    pub updates: i64,
    /// Accounts it would deactivate.
    pub deactivations: i64,
    /// Accounts and groups it would delete.
    pub deletes: i64,
    /// Members it would take out of groups.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub memberships: i64,
    /// Some of its objects, as namespace/name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 512)))]
    pub sample: Vec<String>,
}

/// How much a guard has let through, and how much it lets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuardStatus {
    /// As `spec.guards` names it.
    #[schemars(length(max = 16))]
    pub name: String,
    /// What the percentage is of.
    pub base: i64,
    /// How many may go within the window.
    pub limit: i64,
    /// How many went within the window.
    pub used: i64,
    /// The ledger behind it; written before what it counts is sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 60))]
    pub buckets: Vec<GuardBucket>,
}

/// So many up to then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuardBucket {
    /// The latest of them.
    pub at: Time,
    /// How many.
    pub count: i64,
}

/// An account that no object declares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnmanagedAccount {
    /// Its id at the server.
    #[schemars(length(max = 512))]
    pub id: String,
    /// Its userName, folded.
    #[schemars(length(max = 512))]
    pub user_name: String,
}

/// The last sweep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SweepStatus {
    /// When one was last complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_completed: Option<Time>,
    /// How long the last one took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub duration: Option<String>,
    /// The last one saw every account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<bool>,
}

/// The key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsStatus {
    /// The version of the Secret that the key in use is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub secret_resource_version: Option<String>,
    /// Since when the server rejects the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_since: Option<Time>,
    /// When the key expires, by the Secret's annotation `scim-operator.dev/expires-at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for it
fn is_zero(count: &i64) -> bool {
    *count == 0
}
