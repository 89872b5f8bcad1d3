//! ScimConnection: one SCIM service provider, how to reach it, and the policy for everything provisioned through it.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::connection_auth::{AuthSpec, TlsSpec};
use super::connection_choices::{
    Action, AdoptionPolicy, DeletionPolicy, GroupDeletionPolicy, Mode, Provider, RepairPolicy, UnmanagedPolicy,
};
use super::connection_datadog::DatadogSpec;
use super::connection_dialect::{DialectSpec, RateLimit, TimeoutsSpec};
use super::connection_guards::GuardsSpec;
use super::connection_proxy::ProxySpec;
use super::connection_status::ScimConnectionStatus;
use super::delegation::Delegation;
use super::duration::Interval;

/// One SCIM service provider, how to reach it, and the policy for everything provisioned through it.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "scim-operator.dev",
    version = "v1alpha1",
    kind = "ScimConnection",
    plural = "scimconnections",
    shortname = "scimconn",
    category = "scim",
    namespaced,
    status = "ScimConnectionStatus",
    derive = "PartialEq",
    doc = "One SCIM service provider, how to reach it, and the policy for everything provisioned through it.",
    printcolumn(name = "Provider", type_ = "string", json_path = ".spec.provider"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Users", type_ = "integer", json_path = ".status.users.declared"),
    printcolumn(name = "Synced", type_ = "integer", json_path = ".status.users.synced"),
    printcolumn(name = "Failed", type_ = "integer", json_path = ".status.users.failed"),
    printcolumn(name = "Held", type_ = "integer", json_path = ".status.users.held"),
    printcolumn(name = "Holding", type_ = "string", json_path = ".status.conditions[?(@.type==\"Holding\")].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.effective.baseUrl", priority = 1),
    printcolumn(name = "Learned", type_ = "string", json_path = ".status.effective.learnedSummary", priority = 1),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode", priority = 1),
    printcolumn(name = "Last Sweep", type_ = "date", json_path = ".status.sweep.lastCompleted", priority = 1),
    printcolumn(name = "Unmanaged", type_ = "integer", json_path = ".status.users.unmanaged", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.approvedHold) || !has(self.rejectedHold) || self.approvedHold != self.rejectedHold",
    "message": "a hold is either approved or rejected: take its id out of one of approvedHold and rejectedHold"
}, {
    "rule": "has(self.baseUrl) != has(self.datadog)",
    "message": "write exactly one of baseUrl and datadog, such as baseUrl: https://scim.example.com/scim/v2 or datadog: {site: datadoghq.eu}"
}, {
    "rule": "!has(self.datadog) || self.provider == 'Datadog'",
    "message": "datadog names a site of Datadog's: write provider: Datadog with it, or baseUrl instead of it"
}]))]
pub struct ScimConnectionSpec {
    /// The preset of a dialect.
    #[serde(default)]
    pub provider: Provider,
    /// The base URL of the SCIM API; https, or http on localhost, 127.0.0.1 and [`::1`] where the operator allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 8, max = 1024),
        regex(pattern = "^[!-~]+$"),
        extend("x-kubernetes-validations" = [{
            "rule": "isURL(self) && url(self).getHost() != ''",
            "message": "write a whole URL, such as https://scim.example.com/scim/v2"
        }, {
            "rule": "self.startsWith('https://') || self.matches('^http://(localhost|127[.]0[.]0[.]1|[[]::1[]])(:[0-9]+)?([/?].*)?$')",
            "message": "write https://; http:// only for localhost, 127.0.0.1 or [::1]"
        }, {
            "rule": "!self.matches('(?i)/(Users|Groups)/?([?].*)?$')",
            "message": "leave /Users and /Groups out of the URL: write what stands before them, such as https://scim.example.com/scim/v2"
        }, {
            "rule": "!self.matches('^[^/]*//[^/?#]*@') && !self.contains('#')",
            "message": "leave user, password and fragment out of the URL; the key belongs into a Secret that spec.auth refers to"
        }])
    )]
    pub base_url: Option<String>,
    /// Who may use it: that of a cluster connection alone, and none of the fields of `ScimConnection`.
    #[serde(skip)]
    pub delegation: Option<Vec<Delegation>>,
    /// A site of Datadog's, in place of `baseUrl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datadog: Option<DatadogSpec>,
    /// Names what the key selects, where one URL serves all customers of a provider, as Datadog's does; there it defaults
    /// to the connection's namespace and name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub tenant: Option<String>,
    /// Overrides of single fields of the preset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<DialectSpec>,
    /// The key; exactly one kind.
    pub auth: AuthSpec,
    /// Transport security.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSpec>,
    /// The proxy that requests to the server and for tokens go by, instead of one that the operator's environment names;
    /// `NO_PROXY` of that environment excepts hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxySpec>,
    /// Apply carries out what is declared; Plan computes and shows it, and holds it.
    #[serde(default)]
    pub mode: Mode,
    /// Stops every write, removals too.
    #[serde(default)]
    pub suspend: bool,
    /// What may be done at all; Deprovision covers `active: false`.
    #[serde(default = "all_actions")]
    #[schemars(length(max = 3))]
    pub actions: Vec<Action>,
    /// What to do about an account that is already there.
    #[serde(default)]
    pub adoption_policy: AdoptionPolicySpec,
    /// What deleting an object does to its account.
    #[serde(default)]
    pub deletion_policy: DeletionPolicySpec,
    /// Needed where the dialect says that a deletion can't be taken back.
    #[serde(default)]
    pub allow_irreversible_delete: bool,
    /// What to do about changes made at the server.
    #[serde(default)]
    pub drift_policy: DriftPolicySpec,
    /// Whether accounts that no object declares are counted in status.
    #[serde(default)]
    pub unmanaged_policy: UnmanagedPolicy,
    /// From the end of one sweep to the start of the next.
    #[serde(default = "thirty_minutes")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "duration(self) >= duration('10s')",
        "message": "write at least 10s, such as 30m"
    }]))]
    pub resync_interval: Interval,
    /// How many requests may be sent; by default what the provider stands, else 10 a second with bursts of 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4), extend("x-kubernetes-validations" = [{
        "rule": "self.all(x, self.exists_one(y, (has(y.__for__) ? y.__for__ : 'All') == (has(x.__for__) ? x.__for__ : 'All')))",
        "message": "write one limit only for each of All, Reads, Writes and Creates"
    }]))]
    pub rate_limits: Option<Vec<RateLimit>>,
    /// Requests at the same time; one of them is kept for removals.
    #[serde(default = "four")]
    #[schemars(range(min = 2, max = 32))]
    pub max_in_flight: i32,
    /// How long a request may take.
    #[serde(default)]
    pub timeouts: TimeoutsSpec,
    /// What stops a change that is too large to be meant.
    #[serde(default)]
    pub guards: GuardsSpec,
    /// The id of a hold that may go. Good once; leave it out of manifests unless you approve by pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = "^[0-9a-f]{16}$"))]
    pub approved_hold: Option<String>,
    /// The id of a hold that must not go: deleted objects go without touching their accounts, edits stay held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = "^[0-9a-f]{16}$"))]
    pub rejected_hold: Option<String>,
}

impl ScimConnectionSpec {
    /// Whether the account of a ScimUser that goes is deleted, unless that asks for less.
    pub fn deletes_accounts(&self) -> bool {
        self.deletion_policy.users == DeletionPolicy::Delete && self.actions.contains(&Action::Deprovision)
    }
}

fn all_actions() -> Vec<Action> {
    vec![Action::Create, Action::Update, Action::Deprovision]
}

fn thirty_minutes() -> Interval {
    Interval::new("30m")
}

fn four() -> i32 {
    4
}

/// What to do about what is already there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdoptionPolicySpec {
    /// Accounts.
    #[serde(default)]
    pub users: AdoptionPolicy,
    /// Groups; default Refuse.
    #[serde(default = "refuse")]
    pub groups: AdoptionPolicy,
}

impl Default for AdoptionPolicySpec {
    fn default() -> Self {
        Self { users: AdoptionPolicy::Adopt, groups: refuse() }
    }
}

fn refuse() -> AdoptionPolicy {
    AdoptionPolicy::Refuse
}

/// What deleting an object does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletionPolicySpec {
    /// Accounts.
    #[serde(default)]
    pub users: DeletionPolicy,
    /// Groups; default Retain.
    #[serde(default)]
    pub groups: GroupDeletionPolicy,
}

/// What to do about changes made at the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftPolicySpec {
    /// Attributes that were changed there; default Repair.
    #[serde(default = "repair")]
    pub attributes: RepairPolicy,
    /// Accounts that were deactivated there; default Report.
    #[serde(default)]
    pub deactivated: RepairPolicy,
    /// Accounts that were deleted there; default Report.
    #[serde(default)]
    pub deleted: RepairPolicy,
}

impl Default for DriftPolicySpec {
    fn default() -> Self {
        Self { attributes: repair(), deactivated: RepairPolicy::Report, deleted: RepairPolicy::Report }
    }
}

fn repair() -> RepairPolicy {
    RepairPolicy::Repair
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Whom nobody may deprovision keeps the account, whatever the policy: nobody else may be given its name before.
    #[test]
    fn accounts_are_deleted_only_where_that_is_permitted() {
        let deletes = |users: &str, actions: &[&str]| {
            let spec: ScimConnectionSpec = serde_json::from_value(json!({
                "baseUrl": "https://scim.example.com",
                "auth": {"bearerToken": {"secretKeyRef": {"name": "key", "key": "token"}}},
                "deletionPolicy": {"users": users}, "actions": actions,
            }))
            .expect("a spec");
            spec.deletes_accounts()
        };
        assert!(deletes("Delete", &["Create", "Deprovision"]));
        assert!(!deletes("Delete", &["Create", "Update"]) && !deletes("Deactivate", &["Create", "Deprovision"]));
    }
}
