//! The switches, by name.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Quirk {
    /// PATCH answers 405.
    #[serde(rename = "no_patch")]
    NoPatch,
    /// PATCH answers 501.
    #[serde(rename = "patch_501")]
    Patch501,
    /// There is no route for PATCH: 404 and a line of text.
    NoPatchRoute,
    /// PATCH of users takes `active` alone, and without a path: anything else is 422.
    #[serde(rename = "pathless_patch_422")]
    PathlessPatch422,
    /// The same with 500.
    #[serde(rename = "pathless_patch_500")]
    PathlessPatch500,
    /// PATCH of users is answered 200, and nothing is done.
    IgnoresPatches,
    /// The same, and the answer shows what was asked for.
    PretendsPatches,
    /// PATCH of users changes `active` alone: anything else is answered 200, and nothing of it is done.
    HeedsActiveAlone,
    /// The same, and anything else is answered 400.
    PatchesActiveAlone,
    /// PUT answers 405.
    NoPut,
    /// A PUT that says what is read-only is answered 400.
    RefusesReadOnly,
    /// `active: false` is answered 400.
    RefusesInactive,
    /// No account shows `active`.
    HidesActive,
    /// Changes are answered with the account or group as it was before.
    AnswersBefore,
    /// A deletion without a body is answered 415.
    DeletesWantBodies,
    /// A member is taken out by a path with a filter, in word alone: 200, and nothing is done.
    IgnoresMemberPaths,
    /// A PUT of a group leaves its members as they are.
    PutKeepsMembers,
    /// It says of itself that it has no PATCH.
    SaysNoPatch,
    /// A path with a filter is answered 400 `noTarget`.
    NoFilteredPaths,
    /// A member is taken out by no path with a filter: 501.
    NoMemberPaths,
    /// The same with 500.
    #[serde(rename = "member_paths_500")]
    MemberPaths500,
    /// A path to an attribute of an extension is answered 400 `noTarget`.
    NoExtensionPaths,
    /// A PATCH of several operations is answered 400.
    OneOperation,
    /// `active` is refused beside anything else.
    ActiveAlone,
    /// Phone numbers are refused.
    RefusesPhones,
    /// E-mails that have a `type` are refused.
    RefusesTypes,
    /// A manager is refused.
    RefusesManagers,
    /// An e-mail that another account has is answered 409.
    UniqueEmails,
    /// A filter is answered 400.
    RefusesFilters,
    /// A filter is answered 500.
    #[serde(rename = "filters_500")]
    Filters500,
    /// A filter is not heeded.
    IgnoresFilters,
    /// A filter finds nobody.
    FiltersFindNobody,
    /// A search that finds nobody is answered 404.
    #[serde(rename = "finds_404")]
    Finds404,
    /// A filter with quotes, backslashes or accents in its value is answered 400.
    RefusesSpecialLetters,
    /// A filter by `externalId` is answered 400.
    RefusesExternalIdFilters,
    /// The same with 500.
    #[serde(rename = "external_id_filters_500")]
    ExternalIdFilters500,
    /// A filter by `externalId` finds nobody.
    ExternalIdFindsNobody,
    /// `startIndex` and `count` are answered 400.
    RefusesPaging,
    /// `startIndex` and `count` are answered 500.
    #[serde(rename = "paging_500")]
    Paging500,
    /// A `startIndex` beyond the first is answered 500.
    #[serde(rename = "second_page_500")]
    SecondPage500,
    /// `startIndex` isn't heeded, and the total is what the page shows.
    OnePage,
    /// `startIndex` counts from 0.
    #[serde(rename = "counts_from_0")]
    CountsFrom0,
    /// `startIndex` isn't heeded, and a list goes on by its cursor alone.
    CursorsOnly,
    /// A page beyond the end is answered 404.
    #[serde(rename = "ends_404")]
    Ends404,
    /// More than ten a page are refused.
    SmallPages,
    /// A list without a filter is answered 400 `tooMany`.
    NeedsFilter,
    /// A list of groups without a filter is answered 500.
    #[serde(rename = "group_list_500")]
    GroupList500,
    /// Lists show groups without their members.
    ListsWithoutMembers,
    /// Inactive accounts are in no list, and no search finds them.
    HidesInactive,
    /// Lists and searches count users, and show none.
    HollowLists,
    /// `application/scim+json` is answered 415.
    #[serde(rename = "scim_json_415")]
    ScimJson415,
    /// The body of `application/scim+json` isn't read: 400, something required is missing.
    ScimJsonUnread,
    /// The same, with 500.
    #[serde(rename = "scim_json_unread_500")]
    ScimJsonUnread500,
    /// An `Accept` of anything but `application/json` is answered 406.
    AcceptsJsonOnly,
    /// More than three operations, or five members, are answered 413.
    FewOperations,
    /// A member that there isn't sinks the request: 404.
    UnknownMember,
    /// The same with 400, and words that name each of them.
    #[serde(rename = "unknown_member_400")]
    UnknownMember400,
    /// The same with 500.
    #[serde(rename = "unknown_member_500")]
    UnknownMember500,
    /// A member that there isn't is left out without a word.
    DropsUnknownMembers,
    /// Groups show who is in them only if `attributes` asks for it.
    MembersOnRequest,
    /// Nothing ever shows who is in a group.
    HidesMembers,
    /// Groups take members, and keep none.
    KeepsNoMembers,
    /// Groups name their members by `userName`, and take both that and ids.
    MembersByName,
    /// A user who is made inactive is taken out of all groups.
    DeactivationLeavesGroups,
    /// A member who is inactive is answered 400.
    RefusesInactiveMembers,
    /// A member who is in and is put in again is answered 409.
    #[serde(rename = "members_again_409")]
    MembersAgain409,
    /// A member who isn't in and is taken out is answered 404.
    #[serde(rename = "strangers_out_404")]
    StrangersOut404,
    /// Groups show no version, and no later time than that of their creation.
    GroupsNeverModified,
    /// A member who is taken out by a path with a filter takes all others along: 200.
    RemoveEmpties,
    /// Several members who are taken out in one request: the first goes, and then others than those named.
    RemovesByIndex,
    /// Whoever is put in replaces all who are in.
    AddReplaces,
    /// A replacement of anything of a group but its name takes out all who are in.
    ReplaceEmpties,
    /// A group shows the first five of its members alone.
    ShowsFiveMembers,
    /// A group whose name another has, in whatever letters, isn't made: 409.
    UniqueGroupNames,
    /// A group without members is answered 400.
    NoEmptyGroups,
    /// A member without its `$ref` is answered 400.
    NeedsMemberRefs,
    /// The answer to a creation shows the name for the id.
    AnswersNamesForIds,
    /// Users who are made are never shown again: no list, search or read finds them.
    HidesCreated,
    /// Names are shown with a domain before them, and taken with it and without.
    NamesInDomain,
    /// The answer to a creation repeats what was sent, whatever was kept.
    EchoesCreations,
    /// There are two seats: with as many active accounts a creation is answered 403.
    TwoSeats,
    /// No user is deleted: 405.
    NoDeletes,
    /// A deletion is answered 204, and nothing is done.
    IgnoresDeletes,
    /// A user who is in a group isn't deleted: 500.
    #[serde(rename = "deletes_members_500")]
    DeletesMembers500,
    /// A creation of a user who is there is answered 500.
    #[serde(rename = "duplicates_500")]
    Duplicates500,
    /// A creation of a user whose name or e-mail is there is answered 200, with that account.
    Upserts,
    /// A creation of whoever was removed is answered 200, with what was removed, under its id.
    Revives,
    /// A creation that says `active` is answered 500.
    #[serde(rename = "active_at_creation_500")]
    ActiveAtCreation500,
    /// A group's name is changed by no PATCH: 501.
    NoGroupRenames,
    /// A group's name is changed by no path: 400.
    PathlessGroupRenames,
    /// The same with 200, and nothing is done.
    IgnoresGroupRenames,
    /// A limit of the rate is answered 403.
    #[serde(rename = "rate_403")]
    Rate403,
    /// An account that is deactivated is removed.
    RemovesInactive,
    /// An account stays inactive after its creation, and after it was re-activated.
    Invites,
    /// `userName` is kept as the first e-mail.
    NamesByEmail,
    /// `userName` is kept in lower case.
    LowersNames,
    /// A group's name is kept in lower case.
    LowersGroupNames,
    /// What stands in `userName` from a `+` to the `@` is left out.
    CutsNames,
    /// Phone numbers are kept as their digits.
    DigitsOnly,
    /// Texts are kept in their composed form.
    Composes,
    /// Texts are kept without the spaces at their ends.
    Trims,
    /// A user's `displayName` is the server's own.
    OwnDisplayNames,
    /// Neither `name` nor `displayName` is kept.
    DropsNames,
    /// Entries of lists lose their `type`.
    DropsTypes,
    /// Writes that say `broken` are answered 500.
    Breaks,
    /// Changes are answered 204.
    EmptyChanges,
    /// Changes are answered with the id and the name alone.
    ShortAnswers,
    /// Creations and changes are answered with the id alone.
    BareAnswers,
    /// Changes are answered with a word.
    WordAnswers,
    /// Creations are answered 201, and nothing in it.
    EmptyCreations,
    /// The attributes of the core schema are shown under its URN.
    CoreNested,
    /// The names of attributes begin with a capital letter.
    PascalCase,
    /// `active` is shown as text.
    TextBooleans,
    /// Answers begin with a byte order mark.
    Bom,
    /// Lists have `resources`, and their total is text.
    LowerCaseLists,
    /// Times are those of the year 1.
    ZeroDates,
    /// All were created on one day of 2015.
    OneDate,
    /// Times have no zone.
    TimesWithoutZone,
    /// Errors are `{"message": …}`.
    ErrorsAsMessage,
    /// Errors are `{"error": {"message": …}}`.
    ErrorsNested,
    /// Errors are a problem of RFC 9457 with `errors`.
    ErrorsAsProblem,
    /// Errors say nothing.
    ErrorsMute,
    /// Errors are one line of text.
    ErrorsAsText,
    /// What else is answered 400 is answered 412.
    #[serde(rename = "errors_412")]
    Errors412,
    /// Errors are answered 200, and say their status in their body alone.
    #[serde(rename = "errors_200")]
    Errors200,
}

impl Quirk {
    /// The switch of that name.
    pub fn named(name: &str) -> Option<Self> {
        serde_json::from_value(Value::String(name.to_owned())).ok()
    }
}

/// The switches that are on.
pub(in super::super) type Quirks = BTreeSet<Quirk>;
