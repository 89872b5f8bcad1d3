//! The parts of a connection's spec that its status shows as they are in force: dialect, rates, timeouts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::connection_choices::{
    ContentType, MatchBy, MemberRemoval, MembersReadable, Paging, PatchPaths, RateLimitFor, WriteMethod,
};
use super::duration::Interval;

/// Overrides of single fields of a preset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DialectSpec {
    /// How accounts are changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_users: Option<WriteMethod>,
    /// How groups are changed; Put only where the server shows who is in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_groups: Option<WriteMethod>,
    /// How entries of lists are changed by PATCH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_paths: Option<PatchPaths>,
    /// Whether PATCH knows `remove`; where it doesn't, `""` is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_remove: Option<bool>,
    /// The attributes that accounts may be looked up by; an empty list: none, accounts are found in the whole list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4), inner(length(max = 32), regex(pattern = "^(userName|externalId)$")))]
    pub filters: Option<Vec<String>>,
    /// How the server pages its lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paging: Option<Paging>,
    /// Accounts a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub page_size: Option<i32>,
    /// Whether `totalResults` may end a listing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_totals: Option<bool>,
    /// The content type of requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<ContentType>,
    /// Which value the server's `userName` filter looks at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_by: Option<MatchBy>,
    /// The attributes that accounts have a place for, such as `title`, `name.formatted`, `emails[type eq "work"]` or the URN
    /// of an extension; `*`: any; `urn:*`: any extension but the enterprise one. What else is declared is listed as
    /// Unsupported and not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 256)))]
    pub attributes: Option<Vec<String>>,
    /// How a member is taken out of a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_removal: Option<MemberRemoval>,
    /// So many members are added and removed by one request at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_members_per_patch: Option<i32>,
    /// Whether the server shows the members of a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members_readable: Option<MembersReadable>,
    /// Whether a group may be a member of a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nested_groups: Option<bool>,
    /// Whether a deleted person can never be provisioned again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_irreversible: Option<bool>,
}

/// How many requests may be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// The requests that it counts; default All.
    #[serde(rename = "for", default)]
    pub for_: RateLimitFor,
    /// This many …
    #[schemars(range(min = 1, max = 100_000))]
    pub requests: i32,
    /// … in this time; from 100ms to 24h, default 1s.
    #[serde(default = "one_second")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "duration(self) >= duration('100ms') && duration(self) <= duration('24h')",
        "message": "write a period from 100ms to 24h, such as 1s"
    }]))]
    pub period: Interval,
    /// This many at once; default: as many as `requests`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub burst: Option<i32>,
}

fn one_second() -> Interval {
    Interval::new("1s")
}

/// How long a request may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimeoutsSpec {
    /// To connect; default 5s.
    #[serde(default = "five_seconds")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "duration(self) >= duration('100ms') && duration(self) <= duration('30s')",
        "message": "write a time from 100ms to 30s, such as 5s"
    }]))]
    pub connect: Interval,
    /// In all; default and at most 30s.
    #[serde(default = "thirty_seconds")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "duration(self) >= duration('1s') && duration(self) <= duration('30s')",
        "message": "write a time from 1s to 30s: a request must end before another operator could take over"
    }]))]
    pub request: Interval,
}

impl Default for TimeoutsSpec {
    fn default() -> Self {
        Self { connect: five_seconds(), request: thirty_seconds() }
    }
}

fn five_seconds() -> Interval {
    Interval::new("5s")
}

fn thirty_seconds() -> Interval {
    Interval::new("30s")
}
