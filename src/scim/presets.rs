//! The presets of services that people have, from what their vendors publish. Each has a page in `docs/servers/`.

use super::profile::{ContentType, MemberRemoval, MembersReadable, Paging, PatchPaths, Profile, Rate, RateOf};

/// Datadog's sites: the domain of `datadog.site`. Each serves SCIM at `api.<site>`, and formerly at `app.<site>`.
pub const DATADOG_SITES: [&str; 9] = [
    "datadoghq.com",
    "us3.datadoghq.com",
    "us5.datadoghq.com",
    "ap1.datadoghq.com",
    "ap2.datadoghq.com",
    "uk1.datadoghq.com",
    "datadoghq.eu",
    "ddog-gov.com",
    "us2.ddog-gov.com",
];

/// The base URL of a Datadog site.
pub fn datadog_url(site: &str) -> String {
    format!("https://api.{site}/api/v2/scim")
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

impl Profile {
    /// Datadog: few attributes, no `remove` for accounts, no externalId, and an invitation for every account created.
    /// Its groups are Managed Teams, which have an externalId, and whose members PATCH takes out as elsewhere.
    pub fn datadog() -> Self {
        Self {
            // Its documents show one address of type work; the whole list says the same without a filter in a path.
            patch_paths: PatchPaths::Whole,
            patch_remove: false,
            filters: vec!["userName".into()],
            content_type: ContentType::Json,
            external_id: false,
            me: false,
            // Not among its documents.
            discovery: false,
            learns: false,
            attributes: Some(names(&["userName", "name.formatted", "title", "emails[type eq \"work\"]", "roles"])),
            derives_formatted: true,
            unsure_of_duplicates: true,
            nested_groups: false,
            delete_unlinks_groups: true,
            shared_url: true,
            sites: &DATADOG_SITES,
            owner_ends_key: true,
            creates: Some((500, 60 * 60)),
            ..Self::generic()
        }
    }

    /// AWS IAM Identity Center: lists of one value, pages by cursor; of a group's members it tells one by one only.
    pub fn aws_identity_center() -> Self {
        Self {
            patch_paths: PatchPaths::Whole,
            paging: Paging::Cursor,
            me: false,
            learns: false,
            attributes: Some(names(&[
                "userName",
                "externalId",
                "name",
                "displayName",
                "nickName",
                "profileUrl",
                "title",
                "userType",
                "preferredLanguage",
                "locale",
                "timezone",
                "emails",
                "phoneNumbers",
                "addresses",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
            ])),
            single_valued: &["emails", "phoneNumbers", "addresses"],
            member_removal: MemberRemoval::Values,
            max_members_per_patch: 100,
            members_readable: MembersReadable::Probe,
            nested_groups: false,
            ..Self::generic()
        }
    }

    /// GitHub Enterprise, with managed users: who is suspended is obfuscated, and who is deleted can't come back.
    pub fn github() -> Self {
        Self {
            // Older versions know no filters in paths.
            patch_paths: PatchPaths::Whole,
            me: false,
            learns: false,
            attributes: Some(names(&["userName", "externalId", "name", "displayName", "emails", "roles"])),
            obfuscates_inactive: true,
            delete_irreversible: true,
            members_an_hour: Some(1000),
            nested_groups: false,
            rates: &[
                Rate { of: RateOf::All, requests: 10, seconds: 1, burst: 20 },
                Rate { of: RateOf::Creates, requests: 1000, seconds: 60 * 60, burst: 20 },
            ],
            ..Self::generic()
        }
    }

    /// Google Cloud Identity: nothing is listed without a filter, a PATCH answers nothing, and a group shows no members and
    /// takes one at a time.
    pub fn google_cloud_identity() -> Self {
        Self {
            filters: names(&["userName"]),
            paging: Paging::None,
            list_users: false,
            me: false,
            discovery: false,
            learns: false,
            attributes: Some(names(&[
                "userName",
                "externalId",
                "name",
                "displayName",
                "emails",
                "addresses",
                "phoneNumbers",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
                "urn:ietf:params:scim:schemas:extension:google:2.0:CloudIdentityUser",
            ])),
            list_groups: false,
            members_readable: MembersReadable::No,
            max_members_per_patch: 1,
            nested_groups: false,
            ..Self::generic()
        }
    }

    /// Slack: one URL for all workspaces, and limits that all SCIM apps of one share.
    pub fn slack() -> Self {
        Self {
            patch_paths: PatchPaths::Whole,
            me: false,
            learns: false,
            shared_url: true,
            nested_groups: false,
            // Half of what it lets all apps together do: 180 changes of users a minute, 20 at once.
            rates: &[
                Rate { of: RateOf::All, requests: 5, seconds: 1, burst: 20 },
                Rate { of: RateOf::Writes, requests: 90, seconds: 60, burst: 10 },
            ],
            ..Self::generic()
        }
    }
}
