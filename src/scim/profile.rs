//! Dialects as data: what a server does otherwise than RFC 7644, in documented fields.

/// How accounts are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMethod {
    /// PATCH, RFC 7644 §3.5.2.
    Patch,
    /// GET, merge and PUT, RFC 7644 §3.5.1.
    Put,
}

/// How entries of lists are changed by PATCH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchPaths {
    /// By a path with a filter.
    Filter,
    /// The whole list is replaced.
    Whole,
}

/// How the server pages its lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// By `startIndex` and `count`, RFC 7644 §3.4.2.4.
    Index,
    /// Not at all.
    None,
}

/// The content type of requests; that of answers is never enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// `application/scim+json`, RFC 7644 §3.1.
    ScimJson,
    /// `application/json`.
    Json,
}

/// Which value the server's `userName` filter looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchBy {
    /// The userName.
    UserName,
    /// The first e-mail address.
    Email,
}

/// How a member is taken out of a group by PATCH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberRemoval {
    /// By a path with a filter: `members[value eq "…"]`.
    Filter,
    /// By the path `members` and a list of values.
    Values,
}

/// Whether the server shows the members of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembersReadable {
    /// With the group.
    Inline,
    /// With the group, if they are asked for.
    OnRequest,
    /// Not at all.
    No,
}

/// A dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// How accounts are changed.
    pub write_users: WriteMethod,
    /// How entries of lists are changed by PATCH.
    pub patch_paths: PatchPaths,
    /// PATCH knows `remove`; where it doesn't, `""` is sent.
    pub patch_remove: bool,
    /// The attributes that accounts may be filtered by.
    pub filters: Vec<String>,
    /// Which value the `userName` filter looks at.
    pub match_by: MatchBy,
    /// How lists are paged.
    pub paging: Paging,
    /// Accounts a page.
    pub page_size: u32,
    /// `totalResults` may end a listing.
    pub trust_totals: bool,
    /// The content type of requests.
    pub content_type: ContentType,
    /// Accounts have an `externalId`.
    pub external_id: bool,
    /// How a member is taken out of a group.
    pub member_removal: MemberRemoval,
    /// So many members are added and removed by one request at most.
    pub max_members_per_patch: u32,
    /// Whether the server shows the members of a group.
    pub members_readable: MembersReadable,
    /// Groups can be listed page by page; else each is asked for by its id.
    pub list_groups: bool,
    /// Groups show an `externalId`, and it can be changed; else it is sent at creation alone.
    pub group_external_id: bool,
    /// A deleted person can never be provisioned again.
    pub delete_irreversible: bool,
    /// The server may tell at `/Me` whom the key belongs to.
    pub me: bool,
    /// The server may say at `/ServiceProviderConfig` what it can do.
    pub discovery: bool,
}

impl Profile {
    /// A server that follows the RFCs.
    pub fn generic() -> Self {
        Self {
            write_users: WriteMethod::Patch,
            patch_paths: PatchPaths::Filter,
            patch_remove: true,
            filters: vec!["userName".into(), "externalId".into()],
            match_by: MatchBy::UserName,
            paging: Paging::Index,
            page_size: 100,
            trust_totals: false,
            content_type: ContentType::ScimJson,
            external_id: true,
            member_removal: MemberRemoval::Filter,
            max_members_per_patch: 100,
            members_readable: MembersReadable::Inline,
            list_groups: true,
            group_external_id: true,
            delete_irreversible: false,
            me: true,
            discovery: true,
        }
    }

    /// SAML Jackson (Ory Polis): PUT is its most deterministic write; its filter and its uniqueness look at the
    /// first e-mail; its totals stop at 50. It lists 50 groups at most, and never shows a member.
    pub fn jackson() -> Self {
        Self {
            write_users: WriteMethod::Put,
            patch_paths: PatchPaths::Whole,
            patch_remove: false,
            filters: vec!["userName".into()],
            match_by: MatchBy::Email,
            page_size: 50,
            content_type: ContentType::Json,
            members_readable: MembersReadable::No,
            list_groups: false,
            group_external_id: false,
            me: false,
            discovery: false,
            ..Self::generic()
        }
    }
}
