//! Dialects as data: what a server does otherwise than RFC 7644, in documented fields.

use super::form::Form;

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
    /// By `cursor` and `count`, RFC 9865.
    Cursor,
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

/// The requests that a rate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateOf {
    /// All requests.
    All,
    /// Everything but GET.
    Writes,
    /// POST of new accounts.
    Creates,
}

/// So many requests in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The requests that it counts.
    pub of: RateOf,
    /// This many …
    pub requests: u32,
    /// … in this time.
    pub seconds: u32,
    /// This many at once.
    pub burst: u32,
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
    /// Never, but it tells of one account whether it is in: `id eq "…" and members eq "…"`.
    Probe,
    /// Not at all.
    No,
}

impl MembersReadable {
    /// The members come with the group, asked for or not.
    pub fn with_group(self) -> bool {
        matches!(self, Self::Inline | Self::OnRequest)
    }
}

/// A dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// How accounts are changed.
    pub write_users: WriteMethod,
    /// How groups are changed.
    pub write_groups: WriteMethod,
    /// How entries of lists are changed by PATCH.
    pub patch_paths: PatchPaths,
    /// Attributes of extensions are changed without a path, nested under their URN.
    pub nested_extensions: bool,
    /// What a group itself has is changed without a path.
    pub pathless_groups: bool,
    /// Entries of lists are sent with their `type`.
    pub entry_types: bool,
    /// PATCH knows `remove`; where it doesn't, `""` is sent.
    pub patch_remove: bool,
    /// The attributes that accounts may be filtered by.
    pub filters: Vec<String>,
    /// Those that a server was found not to filter by: accounts that have such a value are looked for in the list.
    pub searched_in_list: Vec<String>,
    /// The forms in which it was found to keep texts, by attribute.
    pub forms: Vec<(String, Form)>,
    /// Attributes that it was found to keep nothing of.
    pub not_kept: Vec<String>,
    /// Which value the `userName` filter looks at.
    pub match_by: MatchBy,
    /// How lists are paged.
    pub paging: Paging,
    /// Accounts a page.
    pub page_size: u32,
    /// Accounts can be listed without a filter; else each is asked for by its id.
    pub list_users: bool,
    /// `totalResults` may end a listing.
    pub trust_totals: bool,
    /// The content type of requests.
    pub content_type: ContentType,
    /// Accounts have an `externalId`.
    pub external_id: bool,
    /// Inactive accounts hide who they belong to: another userName and other e-mails there mean nothing.
    pub obfuscates_inactive: bool,
    /// How a member is taken out of a group.
    pub member_removal: MemberRemoval,
    /// So many members are added and removed by one request at most.
    pub max_members_per_patch: u32,
    /// So many attributes are changed by one PATCH at most; none where that isn't limited.
    pub max_operations: Option<u32>,
    /// `active` is changed by itself, and first.
    pub active_alone: bool,
    /// A creation says `active: true`; else that is left to the server, and looked at.
    pub active_at_creation: bool,
    /// An account that is deactivated is removed.
    pub removes_inactive: bool,
    /// Members are put in with their `$ref`.
    pub member_refs: bool,
    /// Whether the server shows the members of a group.
    pub members_readable: MembersReadable,
    /// Groups can be listed page by page; else each is asked for by its id.
    pub list_groups: bool,
    /// Groups show an `externalId`, and it can be changed; else it is sent at creation alone.
    pub group_external_id: bool,
    /// A group may be a member of a group.
    pub nested_groups: bool,
    /// DELETE empties a group and ends the link to what it stands for, which stays.
    pub delete_unlinks_groups: bool,
    /// A deleted person can never be provisioned again.
    pub delete_irreversible: bool,
    /// The server may tell at `/Me` whom the key belongs to.
    pub me: bool,
    /// The server may say at `/ServiceProviderConfig` what it can do.
    pub discovery: bool,
    /// The attributes that accounts have a place for; `None`: any. Each is an attribute (`title`), one of its
    /// sub-attributes (`name.formatted`), a list's entries of one type (`emails[type eq "work"]`), or an extension's URN.
    pub attributes: Option<Vec<String>>,
    /// Lists that hold one value only.
    pub single_valued: &'static [&'static str],
    /// `name.formatted` is made of displayName, else of given and family name, where it isn't declared.
    pub derives_formatted: bool,
    /// A creation may answer 400, or even 201, for a person who is there already: an account is looked for right before,
    /// and after a 400 once more.
    pub unsure_of_duplicates: bool,
    /// One URL serves all customers: what the key selects is told apart by `tenant`.
    pub shared_url: bool,
    /// Domains whose bare name, `app.` and `api.` hosts are one and the same server.
    pub sites: &'static [&'static str],
    /// The key dies with its owner's account.
    pub owner_ends_key: bool,
    /// How many requests may be sent, where the connection doesn't say.
    pub rates: &'static [Rate],
    /// So many members may be put into one group within an hour; none where that isn't limited.
    pub members_an_hour: Option<u32>,
    /// How many accounts may be created within so many seconds, where the connection doesn't say.
    pub creates: Option<(u32, u32)>,
    /// What it says there is learnt.
    pub learns: bool,
}

/// Which fields of a dialect a person has set: nothing is learnt there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides {
    /// `writeUsers`.
    pub write_users: bool,
    /// `filters`.
    pub filters: bool,
    /// `paging`.
    pub paging: bool,
    /// `pageSize`.
    pub page_size: bool,
    /// `contentType`.
    pub content_type: bool,
    /// `patchPaths`.
    pub patch_paths: bool,
    /// `writeGroups`.
    pub write_groups: bool,
    /// `maxMembersPerPatch`.
    pub max_members: bool,
    /// `membersReadable`.
    pub members_readable: bool,
}

const USUAL_RATES: &[Rate] = &[Rate { of: RateOf::All, requests: 10, seconds: 1, burst: 20 }];

impl Profile {
    /// So many members are added and removed by one request at most: one at least.
    pub fn members_at_once(&self) -> usize {
        usize::try_from(self.max_members_per_patch).unwrap_or(usize::MAX).max(1)
    }

    /// A server that follows the RFCs.
    pub fn generic() -> Self {
        Self {
            write_users: WriteMethod::Patch,
            write_groups: WriteMethod::Patch,
            patch_paths: PatchPaths::Filter,
            nested_extensions: false,
            pathless_groups: false,
            entry_types: true,
            patch_remove: true,
            filters: vec!["userName".into(), "externalId".into()],
            searched_in_list: Vec::new(),
            forms: Vec::new(),
            not_kept: Vec::new(),
            match_by: MatchBy::UserName,
            paging: Paging::Index,
            page_size: 100,
            list_users: true,
            trust_totals: false,
            content_type: ContentType::ScimJson,
            external_id: true,
            obfuscates_inactive: false,
            member_removal: MemberRemoval::Filter,
            max_members_per_patch: 100,
            max_operations: None,
            active_alone: false,
            active_at_creation: true,
            removes_inactive: false,
            member_refs: false,
            members_readable: MembersReadable::Inline,
            list_groups: true,
            group_external_id: true,
            nested_groups: true,
            delete_unlinks_groups: false,
            delete_irreversible: false,
            me: true,
            discovery: true,
            attributes: None,
            single_valued: &[],
            derives_formatted: false,
            unsure_of_duplicates: false,
            shared_url: false,
            sites: &[],
            owner_ends_key: false,
            rates: USUAL_RATES,
            members_an_hour: None,
            creates: None,
            learns: true,
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
            nested_groups: false,
            me: false,
            discovery: false,
            learns: false,
            ..Self::generic()
        }
    }
}
