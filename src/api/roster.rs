//! ScimRoster: people from a table, each of which becomes a ScimUser.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::connection_choices::DeletionPolicy;
use super::connection_guards::GuardSpec;
use super::connection_status::GuardBucket;
use super::user::ConnectionRef;

/// One row of a table: values by their columns.
pub type Row = Map<String, Value>;

/// People from a table, each of which becomes a ScimUser: the provisioning job of Entra and Okta as one object.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "scim-operator.dev",
    version = "v1alpha1",
    kind = "ScimRoster",
    plural = "scimrosters",
    category = "scim",
    namespaced,
    status = "ScimRosterStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "People from a table, each of which becomes a ScimUser: the provisioning job of Entra and Okta as one object.",
    selectable = ".spec.connectionRef.name",
    printcolumn(name = "Connection", type_ = "string", json_path = ".spec.connectionRef.name"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Rows", type_ = "integer", json_path = ".status.rows"),
    printcolumn(name = "In Scope", type_ = "integer", json_path = ".status.inScope"),
    printcolumn(name = "Generated", type_ = "integer", json_path = ".status.generated"),
    printcolumn(name = "Rejected", type_ = "integer", json_path = ".status.rejectedRows"),
    printcolumn(name = "Last Good", type_ = "date", json_path = ".status.lastGood"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Held", type_ = "integer", json_path = ".status.hold.removals", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[kube(validation = Rule::new("self.metadata.name.size() <= 63")
    .message("write a name of at most 63 characters: the ScimUsers carry it as a label"))]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.connectionRef == oldSelf.connectionRef",
    "message": "connectionRef can't be changed: create a second roster that refers to the other connection, and delete this one"
}, {
    "rule": "has(self.preset) || (has(self.mappings) && self.mappings.exists(x, x.target == 'userName'))",
    "message": "write a preset, or a mapping with target: userName"
}, {
    "rule": "!has(self.approvedHold) || !has(self.rejectedHold) || self.approvedHold != self.rejectedHold",
    "message": "a hold is either approved or rejected: take it out of approvedHold or of rejectedHold"
}]))]
pub struct ScimRosterSpec {
    /// The connection that the people are provisioned through; can't be changed.
    pub connection_ref: ConnectionRef,
    /// Where the rows are.
    pub source: RosterSource,
    /// Which rows count, as CEL over `row`: `row.department == "Engineering" && !row.isSoftDeleted`. Without it all do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub scope: Option<String>,
    /// The only people that count, by userName or key, whatever their letter case. Without it all do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000), inner(length(min = 1, max = 320)))]
    pub assigned: Option<Vec<String>>,
    /// A table of mappings to begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// Target attributes, each with the CEL expression of its value. The same target overrides the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["target"]))]
    pub mappings: Option<Vec<Mapping>>,
    /// Labels of the ScimUsers, each with the CEL expression of its value: what a ScimGroup's `memberSelector` selects
    /// by. A value that is empty or null leaves the label out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "label_expressions")]
    pub labels: Option<BTreeMap<String, String>>,
    /// CEL: what tells one person from all others and never changes, such as `row.objectId`. The ScimUser's name is
    /// made of it. Without it the userName is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub key: Option<String>,
    /// How many ScimUsers may be deleted because their rows are gone.
    #[serde(default)]
    pub guard: GuardSpec,
    /// What every ScimUser says beside its mapped attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_template: Option<UserTemplate>,
    /// No ScimUser is written or deleted.
    #[serde(default)]
    pub suspend: bool,
    /// The id of a hold that may go. Good once; leave it out of manifests unless you approve by pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = "^[0-9a-f]{16}$"))]
    pub approved_hold: Option<String>,
    /// The id of a hold that must not go: its ScimUsers stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = "^[0-9a-f]{16}$"))]
    pub rejected_hold: Option<String>,
}

/// Where the rows of a roster are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "[has(self.inline), has(self.configMaps), has(self.secrets)].filter(x, x).size() == 1",
    "message": "write exactly one of source.inline, source.configMaps and source.secrets"
}]))]
pub struct RosterSource {
    /// The rows themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "inline_rows")]
    pub inline: Option<Vec<Row>>,
    /// ConfigMaps labelled `scim-operator.dev/roster-source: "true"`, of the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_maps: Option<SourceObjects>,
    /// Secrets labelled `scim-operator.dev/roster-source: "true"`, of the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<SourceObjects>,
    /// How ConfigMaps and Secrets are written.
    #[serde(default)]
    pub format: SourceFormat,
}

/// The objects that hold rows, together one table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "[has(self.names), has(self.selector), has(self.namePrefix)].filter(x, x).size() == 1",
    "message": "write exactly one of names, namePrefix and selector"
}]))]
pub struct SourceObjects {
    /// Their names. Each must be there: rows of one that is missing are not taken for gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 100),
        inner(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))
    )]
    pub names: Option<Vec<String>>,
    /// The name that Kustomize's `configMapGenerator` or a chart adds a hash to: of `people-7h2k9mf4dt` and the like the
    /// newest is read, and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 242), regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    pub name_prefix: Option<String>,
    /// Their labels. Of two that differ only in such a hash the newer is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<SourceSelector>,
    /// The key of their data. Without it every key is read, in the order of the names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))]
    pub key: Option<String>,
}

/// Selects the objects that hold rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceSelector {
    /// The labels, all of which an object must carry.
    #[schemars(schema_with = "labels")]
    pub match_labels: BTreeMap<String, String>,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SourceFormat {
    /// By the end of the key (`.csv`, `.json`, `.yaml`, `.yml`), else by how the text begins.
    #[default]
    Auto,
    /// Comma-separated values, RFC 4180, the first row being the header. Semicolons and tabs are understood too.
    Csv,
    /// A list of objects, or `{"value": [...]}` as Microsoft Graph answers.
    Json,
    /// A list of maps.
    Yaml,
}

/// A table of mappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Preset {
    /// The table of Datadog's guide for Entra ID.
    EntraDatadog,
    /// What Entra ID maps for an application of its own.
    EntraGeneric,
    /// The table of Datadog's guide for Okta.
    OktaDatadog,
    /// What Okta maps for an application of its own.
    OktaGeneric,
    /// The user download of Google Workspace's admin console.
    GoogleWorkspace,
    /// `Get-ADUser -Properties * | Export-Csv`.
    ActiveDirectory,
}

/// One line of a table: where a value goes, and what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mapping {
    /// The attribute: `userName`, `title`, `name.givenName`, `emails[type eq "work"].value`, `enterprise.department`,
    /// `manager` (of another row, by its key, userName or externalId), `access.notAfter`, or an attribute of another
    /// schema with its URN.
    #[schemars(length(min = 1, max = 256), regex(pattern = r#"^[A-Za-z][!-~]*( eq "[^"\\]+"\](\.[A-Za-z]+)?)?$"#))]
    pub target: String,
    /// CEL over `row`: `row.jobTitle`, `"Employee"`, `coalesce(row.mail, row.userPrincipalName)`. A value that is
    /// empty or null leaves the attribute out; an empty expression takes a line of the preset away.
    #[schemars(length(max = 2048))]
    pub value: String,
    /// Sent at creation only, and not enforced after; default false.
    #[serde(default)]
    pub on_create: bool,
}

/// What every ScimUser of a roster says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserTemplate {
    /// What deleting a ScimUser does; may only soften the connection's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Nothing is sent for any of them.
    #[serde(default)]
    pub suspend: bool,
}

/// What is recorded of a roster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimRosterStatus {
    /// The generation that was carried out, or can't be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The value of the annotation `reconcile-requested-at` that was answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub last_handled_reconcile_at: Option<String>,
    /// The rows of the last source that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<i64>,
    /// Those of them that count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_scope: Option<i64>,
    /// The ScimUsers of this roster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<i64>,
    /// How many rows are rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_rows: Option<i64>,
    /// Some of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub rejected: Option<Vec<RejectedRow>>,
    /// How many name a manager that no row has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managers_not_found: Option<i64>,
    /// Tells one content of the source from another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub source_version: Option<String>,
    /// Since when this content has been in force; what can't be read since doesn't count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<Time>,
    /// The columns that the mappings read: one that vanishes is not taken for empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(max = 256)))]
    pub columns: Option<Vec<String>>,
    /// The guard: what it is of, its limit, and what it let go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<RosterGuardStatus>,
    /// ScimUsers that would be deleted, until a person answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<RosterHold>,
    /// ScimUsers whose rows are gone and that stay, since a hold of theirs was rejected: digests of their uids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1_400_000))]
    pub kept: Option<String>,
    /// ScimUsers whose deletion was admitted and goes on: digests of their uids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1_400_000))]
    pub deleting: Option<String>,
    /// Answers that are used up: each is good once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(max = 16)))]
    pub spent_holds: Option<Vec<String>>,
    /// Ready, and, while true, Reconciling or Stalled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Option<Vec<Condition>>,
}

/// A row that made no ScimUser, or didn't change it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RejectedRow {
    /// Its object and key; left out for inline rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub source: Option<String>,
    /// Its number as a spreadsheet shows it: the header of a CSV is 1. Of JSON, YAML and inline the first row is 1.
    pub row: i64,
    /// What is wrong, and where; never a value.
    #[schemars(length(max = 512))]
    pub reason: String,
}

/// What a roster's guard counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RosterGuardStatus {
    /// The ScimUsers that its percentage is of.
    pub base: i64,
    /// How many may be deleted within the window.
    pub limit: i64,
    /// How many were.
    pub used: i64,
    /// The ledger.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 60))]
    pub buckets: Vec<GuardBucket>,
}

/// ScimUsers whose rows are gone, too many to be meant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RosterHold {
    /// For `approvedHold` or `rejectedHold`. Another set of ScimUsers has another id.
    #[schemars(length(max = 16))]
    pub id: String,
    /// How many would be deleted.
    pub removals: i64,
    /// Some of them.
    #[schemars(length(max = 20), inner(length(max = 253)))]
    pub sample: Vec<String>,
    /// Who is in it: digests of their uids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1_400_000))]
    pub members: Option<String>,
    /// It was rejected: they stay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rejected: bool,
    /// They had no row when the roster was first read, and wait for an answer however few they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub until_answered: bool,
}

fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 16,
        "additionalProperties": {"type": "string", "maxLength": 63}
    })
}

fn label_expressions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 2048},
        "x-kubernetes-validations": [{
            "rule": "self.all(name, !name.contains('scim-operator.dev/') && name.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$'))",
            "message": "write names that a label may have, such as team or example.com/team; scim-operator.dev/ is not for labels of yours"
        }]
    })
}

fn inline_rows(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 1000,
        "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}
    })
}
