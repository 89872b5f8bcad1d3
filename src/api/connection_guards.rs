//! Guards: how much may change within a window before a person is asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::Interval;

/// What stops a change that is too large to be meant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuardsSpec {
    /// Accounts deactivated or deleted.
    #[serde(default)]
    pub removals: GuardSpec,
    /// Members taken out of a group; counted for each group by itself.
    #[serde(default)]
    pub memberships: MembershipsGuardSpec,
    /// Groups deleted; their members are not counted in memberships.
    #[serde(default)]
    pub groups: GroupsGuardSpec,
    /// userNames and e-mails changed, roles and entitlements taken away, adoptions that change the account.
    #[serde(default)]
    pub rewrites: GuardSpec,
    /// Accounts created: what is over the limit waits for its turn and is never held. Without it
    /// they are counted only where the provider mails an invitation for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creates: Option<CreatesGuardSpec>,
    /// Patterns (`*`, `?`) over userName, e-mail and id of accounts that are never deactivated, deleted or renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 320)))]
    pub protected: Option<Vec<String>>,
}

/// The limit is max(minCount, min(maxCount, maxPercent of the active accounts)) within the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuardSpec {
    /// Of the accounts that objects of this connection are bound to and that are active; default 10.
    #[serde(default = "ten")]
    #[schemars(range(min = 0, max = 100))]
    pub max_percent: i32,
    /// So many may always go; default 5.
    #[serde(default = "five")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub min_count: i32,
    /// More may never go, unless minCount is larger; default 500.
    #[serde(default = "five_hundred")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub max_count: i32,
    /// The time in which they are counted; from 1m to 720h, default 24h.
    #[serde(default = "one_day")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "duration(self) >= duration('1m') && duration(self) <= duration('720h')",
        "message": "write a window from 1m to 720h, such as 24h"
    }]))]
    pub window: Interval,
}

/// Like the others, with a default of its own: a fifth of a group's members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MembershipsGuardSpec {
    /// Of the group's members; default 20.
    #[serde(default = "twenty")]
    #[schemars(range(min = 0, max = 100))]
    pub max_percent: i32,
    /// So many may always go; default 5.
    #[serde(default = "five")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub min_count: i32,
    /// More may never go, unless minCount is larger; default 500.
    #[serde(default = "five_hundred")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub max_count: i32,
    /// The time in which they are counted; from 1m to 720h, default 24h.
    #[serde(default = "one_day")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "duration(self) >= duration('1m') && duration(self) <= duration('720h')",
        "message": "write a window from 1m to 720h, such as 24h"
    }]))]
    pub window: Interval,
}

/// Like the others, with defaults of its own: deleting groups is rare.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupsGuardSpec {
    /// Of the groups that objects of this connection are bound to; default 10.
    #[serde(default = "ten")]
    #[schemars(range(min = 0, max = 100))]
    pub max_percent: i32,
    /// So many may always go; default 2.
    #[serde(default = "two")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub min_count: i32,
    /// More may never go, unless minCount is larger; default 50.
    #[serde(default = "fifty")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub max_count: i32,
    /// The time in which they are counted; from 1m to 720h, default 24h.
    #[serde(default = "one_day")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "duration(self) >= duration('1m') && duration(self) <= duration('720h')",
        "message": "write a window from 1m to 720h, such as 24h"
    }]))]
    pub window: Interval,
}

impl Default for MembershipsGuardSpec {
    fn default() -> Self {
        Self { max_percent: twenty(), min_count: five(), max_count: five_hundred(), window: one_day() }
    }
}

impl Default for GroupsGuardSpec {
    fn default() -> Self {
        Self { max_percent: ten(), min_count: two(), max_count: fifty(), window: one_day() }
    }
}

impl From<&MembershipsGuardSpec> for GuardSpec {
    fn from(spec: &MembershipsGuardSpec) -> Self {
        let MembershipsGuardSpec { max_percent, min_count, max_count, window } = spec.clone();
        Self { max_percent, min_count, max_count, window }
    }
}

impl From<&GroupsGuardSpec> for GuardSpec {
    fn from(spec: &GroupsGuardSpec) -> Self {
        let GroupsGuardSpec { max_percent, min_count, max_count, window } = spec.clone();
        Self { max_percent, min_count, max_count, window }
    }
}

impl Default for GuardSpec {
    fn default() -> Self {
        Self { max_percent: ten(), min_count: five(), max_count: five_hundred(), window: one_day() }
    }
}

/// How many accounts may be created within the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatesGuardSpec {
    /// So many; default 500.
    #[serde(default = "five_hundred")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_count: i32,
    /// The time in which they are counted; from 1m to 720h, default 1h.
    #[serde(default = "one_hour")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "duration(self) >= duration('1m') && duration(self) <= duration('720h')",
        "message": "write a window from 1m to 720h, such as 1h"
    }]))]
    pub window: Interval,
}

fn two() -> i32 {
    2
}

fn twenty() -> i32 {
    20
}

fn fifty() -> i32 {
    50
}

fn ten() -> i32 {
    10
}

fn five() -> i32 {
    5
}

fn five_hundred() -> i32 {
    500
}

fn one_day() -> Interval {
    Interval::new("24h")
}

fn one_hour() -> Interval {
    Interval::new("1h")
}
