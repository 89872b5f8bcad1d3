//! How services in the field differ from the RFC, as data.

/// Which filters are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filters {
    /// The whole grammar.
    Full,
    /// `attr eq "value"` on these attributes.
    Only {
        users: &'static [&'static str],
        groups: &'static [&'static str],
        /// Whether several can be joined.
        and: bool,
    },
    /// Whatever follows the first `eq ` is looked up; the rest is ignored.
    AfterEq,
}

/// How errors are worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errors {
    Scim,
    /// `{"errors": ["…"]}`.
    List,
    /// Schemas and detail, nothing else.
    Bare,
    /// `schema` besides `schemas`.
    Aws,
}

/// What DELETE on a user does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delete {
    /// 204 and gone.
    Gone,
    /// 204 and deactivated.
    Disables,
    /// 200 with the user, and gone.
    GoneWithBody,
}

/// What PATCH on a group takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupPatch {
    Full,
    /// Few exact forms; everything else is 200 and does nothing.
    Silent,
    /// At most 100 members a request, and never the whole list.
    Limited,
}

/// Where `meta` points, if there is any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meta {
    Full,
    /// Locations begin with this instead of the base.
    At(&'static str),
    None,
}

/// Which ids are JSON numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    None,
    /// Those of members.
    Members,
    /// All, and members are taken in no other form.
    All,
}

/// One service's ways.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools)] // it is a table of yes and no
pub(super) struct Dialect {
    pub name: &'static str,
    pub base: &'static str,
    pub discovery: bool,
    pub service_provider_config: bool,
    pub me: bool,
    pub filters: Filters,
    pub errors: Errors,
    pub delete: Delete,
    pub meta: Meta,
    pub group_patch: GroupPatch,
    pub put_group: bool,
    pub members_readable: bool,
    /// They are shown to whoever asks with `includeMembers=true`.
    pub members_on_request: bool,
    pub members_on_write: bool,
    pub user_remove: bool,
    pub patch_user_full: bool,
    pub external_id: bool,
    pub etag: bool,
    pub sort: bool,
    pub cursor: bool,
    pub default_page: usize,
    pub max_page: usize,
    pub total_cap: Option<usize>,
    pub newest_first: bool,
    pub group_paging: bool,
    pub duplicate: (u16, &'static str),
    pub x_rate_limit: bool,
    pub user_agent: bool,
    pub scim_json: bool,
    pub location: bool,
    pub single: &'static [&'static str],
    pub dropped: &'static [&'static str],
    pub work_mail_only: bool,
    pub first_email: bool,
    pub reactivating_put: bool,
    pub obfuscates: bool,
    /// Who was deleted can never be made again.
    pub delete_irreversible: bool,
    pub strict_schemas: bool,
    /// Entries of lists have no type.
    pub untyped: bool,
    pub numbers: Numbers,
}

/// RFC 7643, RFC 7644 and RFC 9865 to the letter.
pub(super) const GENERIC: Dialect = Dialect {
    name: "generic",
    base: "/scim/v2",
    discovery: true,
    service_provider_config: true,
    me: true,
    filters: Filters::Full,
    errors: Errors::Scim,
    delete: Delete::Gone,
    meta: Meta::Full,
    group_patch: GroupPatch::Full,
    put_group: true,
    members_readable: true,
    members_on_request: false,
    members_on_write: true,
    user_remove: true,
    patch_user_full: true,
    external_id: true,
    etag: true,
    sort: true,
    cursor: true,
    default_page: 100,
    max_page: 1000,
    total_cap: None,
    newest_first: false,
    group_paging: true,
    duplicate: (409, ""),
    x_rate_limit: false,
    user_agent: false,
    scim_json: true,
    location: true,
    single: &[],
    dropped: &[],
    work_mail_only: false,
    first_email: false,
    reactivating_put: false,
    obfuscates: false,
    delete_irreversible: false,
    strict_schemas: true,
    untyped: false,
    numbers: Numbers::None,
};

const DATADOG: Dialect = Dialect {
    name: "datadog",
    base: "/api/v2/scim",
    service_provider_config: false,
    me: false,
    filters: Filters::Only { users: &["userName"], groups: &["displayName", "externalId", "id", "members"], and: true },
    errors: Errors::List,
    delete: Delete::Disables,
    meta: Meta::At("https://app.datadoghq.com/api/scim/v2"),
    user_remove: false,
    external_id: false,
    etag: false,
    sort: false,
    cursor: false,
    x_rate_limit: true,
    scim_json: false,
    dropped: &[
        "nickName",
        "profileUrl",
        "userType",
        "preferredLanguage",
        "locale",
        "timezone",
        "displayName",
        "phoneNumbers",
        "ims",
        "photos",
        "addresses",
        "entitlements",
        "x509Certificates",
        "password",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    ],
    work_mail_only: true,
    strict_schemas: false,
    ..GENERIC
};

const JACKSON: Dialect = Dialect {
    name: "jackson",
    base: "/api/scim/v2.0/sandbox",
    discovery: false,
    service_provider_config: false,
    me: false,
    filters: Filters::AfterEq,
    errors: Errors::Bare,
    delete: Delete::GoneWithBody,
    meta: Meta::None,
    group_patch: GroupPatch::Silent,
    members_readable: false,
    members_on_write: false,
    etag: false,
    sort: false,
    cursor: false,
    default_page: 50,
    max_page: 50,
    total_cap: Some(50),
    newest_first: true,
    group_paging: false,
    duplicate: (409, "User already exists"),
    scim_json: false,
    location: false,
    first_email: true,
    reactivating_put: true,
    strict_schemas: false,
    ..GENERIC
};

/// What became of Jackson.
const POLIS: Dialect = Dialect { name: "polis", members_on_request: true, ..JACKSON };

const AWS: Dialect = Dialect {
    name: "aws",
    me: false,
    filters: Filters::Only {
        users: &["userName", "externalId", "id", "manager"],
        groups: &["displayName", "externalId", "id", "members"],
        and: true,
    },
    errors: Errors::Aws,
    group_patch: GroupPatch::Limited,
    put_group: false,
    members_readable: false,
    patch_user_full: false,
    etag: false,
    sort: false,
    default_page: 100,
    max_page: 100,
    duplicate: (409, "Refused to create a new, duplicate resource."),
    single: &["emails", "phoneNumbers", "addresses"],
    strict_schemas: false,
    ..GENERIC
};

const GITHUB: Dialect = Dialect {
    name: "github",
    filters: Filters::Only {
        users: &["userName", "externalId", "id"],
        groups: &["displayName", "externalId", "id"],
        and: false,
    },
    me: false,
    etag: false,
    sort: false,
    cursor: false,
    default_page: 30,
    max_page: 100,
    user_agent: true,
    obfuscates: true,
    delete_irreversible: true,
    ..GENERIC
};

const SLACK: Dialect = Dialect {
    name: "slack",
    delete: Delete::Disables,
    me: false,
    etag: false,
    cursor: false,
    strict_schemas: false,
    ..GENERIC
};

/// As ZITADEL shows e-mails.
const UNTYPED: Dialect = Dialect { name: "untyped", untyped: true, ..GENERIC };

const NUMERIC_IDS: Dialect = Dialect { name: "numericIds", numbers: Numbers::All, ..GENERIC };

const NUMERIC_MEMBERS: Dialect = Dialect { name: "numericMembers", numbers: Numbers::Members, ..GENERIC };

const ALL: [Dialect; 10] =
    [GENERIC, DATADOG, JACKSON, POLIS, AWS, GITHUB, SLACK, UNTYPED, NUMERIC_IDS, NUMERIC_MEMBERS];

/// The dialect of that name.
pub(super) fn named(name: &str) -> Option<Dialect> {
    ALL.into_iter().find(|dialect| dialect.name == name)
}

/// What the dialects are called.
pub fn names() -> [&'static str; 10] {
    ALL.map(|dialect| dialect.name)
}
