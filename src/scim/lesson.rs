//! What a server's answers teach of its dialect (promise I33): each lesson is one field, and is learnt from a refusal that
//! went away with it. None of them can create or remove anything.

use super::form::Form;
use super::profile::{ContentType, MembersReadable, Overrides, Paging, PatchPaths, Profile, WriteMethod};

/// A lesson.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lesson {
    /// `startIndex` and `count` are refused: lists are asked for without them.
    NoPaging,
    /// More than so many a page are refused.
    PageSize(u32),
    /// `application/scim+json` is refused, or isn't read.
    PlainJson,
    /// Nobody is listed without a filter: accounts are asked for one by one.
    NoUserList,
    /// There is no PATCH for users.
    Put,
    /// There is no PUT for users.
    Patch,
    /// There is no PATCH for groups.
    PutGroups,
    /// There is no PUT for groups.
    PatchGroups,
    /// No group is listed without a filter: groups are asked for one by one.
    NoGroupList,
    /// Members are shown with a group only if they are asked for.
    MembersOnRequest,
    /// Members are never shown, but it tells of one account whether it is in.
    MembersProbed,
    /// Members are never shown.
    MembersHidden,
    /// Paths with a filter are refused: lists are replaced whole.
    WholeLists,
    /// A path to an attribute of an extension is refused: it is sent nested under its URN.
    NestedExtensions,
    /// A path to a group's name is refused, or changes nothing: it is sent without.
    PathlessGroups,
    /// A `type` of entries is refused: lists are sent without.
    NoEntryTypes,
    /// More attributes than so many in one PATCH are refused.
    Operations(u32),
    /// More members than so many in one request are refused.
    MembersAtOnce(u32),
    /// No member is taken without its `$ref`.
    MemberRefs,
    /// `active` is refused beside anything else.
    ActiveAlone,
    /// `active` is refused at a creation.
    NoActiveAtCreation,
    /// An account that is deactivated is removed.
    RemovesInactive,
    /// A filter by this attribute is refused or ignored: accounts are looked for in the list.
    NoFilter(String),
    /// The server keeps the texts of this attribute in this form.
    KeptAs(String, Form),
    /// The server takes this attribute and keeps nothing of it.
    NotKept(String),
}

impl Lesson {
    /// The field of the dialect that it is about.
    pub fn field(&self) -> &'static str {
        match self {
            Self::NoPaging => "paging",
            Self::PageSize(_) => "pageSize",
            Self::PlainJson => "contentType",
            Self::NoUserList => "listUsers",
            Self::Put | Self::Patch => "writeUsers",
            Self::PutGroups | Self::PatchGroups => "writeGroups",
            Self::NoGroupList => "listGroups",
            Self::MembersOnRequest | Self::MembersProbed | Self::MembersHidden => "membersReadable",
            Self::WholeLists => "patchPaths",
            Self::NestedExtensions => "extensionPaths",
            Self::PathlessGroups => "groupPaths",
            Self::NoEntryTypes => "entryTypes",
            Self::Operations(_) => "maxOperations",
            Self::MembersAtOnce(_) => "maxMembersPerPatch",
            Self::MemberRefs => "memberRefs",
            Self::ActiveAlone => "activeAlone",
            Self::NoActiveAtCreation => "activeAtCreation",
            Self::RemovesInactive => "deactivation",
            Self::NoFilter(_) => "filters",
            Self::KeptAs(..) => "keptAs",
            Self::NotKept(_) => "notKept",
        }
    }

    /// What the field is by it.
    pub fn value(&self) -> String {
        match self {
            Self::NoPaging | Self::PathlessGroups => "None".to_owned(),
            Self::PageSize(size) | Self::Operations(size) | Self::MembersAtOnce(size) => size.to_string(),
            Self::PlainJson => "Json".to_owned(),
            Self::NoUserList | Self::NoGroupList | Self::NoActiveAtCreation | Self::NoEntryTypes => "false".to_owned(),
            Self::Put | Self::PutGroups => "Put".to_owned(),
            Self::Patch | Self::PatchGroups => "Patch".to_owned(),
            Self::MembersOnRequest => "OnRequest".to_owned(),
            Self::MembersProbed => "Probe".to_owned(),
            Self::MembersHidden => "No".to_owned(),
            Self::WholeLists => "Whole".to_owned(),
            Self::NestedExtensions => "Nested".to_owned(),
            Self::ActiveAlone | Self::MemberRefs => "true".to_owned(),
            Self::RemovesInactive => "Removes".to_owned(),
            Self::NoFilter(attribute) => format!("without {attribute}"),
            Self::KeptAs(attribute, form) => format!("{attribute} {}", form.as_str()),
            Self::NotKept(attribute) => attribute.clone(),
        }
    }

    /// The lesson that was recorded so.
    pub fn read(field: &str, value: &str) -> Option<Self> {
        let plain = [
            Self::NoPaging,
            Self::PlainJson,
            Self::NoUserList,
            Self::Put,
            Self::Patch,
            Self::PutGroups,
            Self::PatchGroups,
            Self::NoGroupList,
            Self::MembersOnRequest,
            Self::MembersProbed,
            Self::MembersHidden,
            Self::WholeLists,
            Self::NestedExtensions,
            Self::PathlessGroups,
            Self::NoEntryTypes,
            Self::MemberRefs,
            Self::ActiveAlone,
            Self::NoActiveAtCreation,
            Self::RemovesInactive,
        ];
        let number = |value: &str| value.parse().ok().filter(|size| *size > 0);
        let known = plain.into_iter().find(|lesson| lesson.field() == field && lesson.value() == value);
        known.or_else(|| match field {
            "pageSize" => number(value).map(Self::PageSize),
            "maxOperations" => number(value).map(Self::Operations),
            "maxMembersPerPatch" => number(value).map(Self::MembersAtOnce),
            "filters" => value.strip_prefix("without ").map(|attribute| Self::NoFilter(attribute.to_owned())),
            "keptAs" => {
                let (attribute, form) = value.rsplit_once(' ')?;
                Form::named(form).map(|form| Self::KeptAs(attribute.to_owned(), form))
            }
            "notKept" if !value.is_empty() => Some(Self::NotKept(value.to_owned())),
            _ => None,
        })
    }

    /// What the server does, for people.
    pub fn because(&self) -> String {
        match self {
            Self::NoPaging => "the server refuses startIndex and count, and lists without them".to_owned(),
            Self::PageSize(size) => format!("the server refuses a larger page, and shows {size}"),
            Self::PlainJson => "the server takes application/json where it refuses application/scim+json".to_owned(),
            Self::NoUserList => {
                "the server lists nobody without a filter: accounts are asked for one by one".to_owned()
            }
            Self::Put => "the server has no PATCH for users, or one that changes nothing".to_owned(),
            Self::Patch => "the server has no PUT for users".to_owned(),
            Self::PutGroups => {
                "the server has no PATCH for groups that does what it says: each is read and replaced whole".to_owned()
            }
            Self::PatchGroups => "the server has no PUT for groups".to_owned(),
            Self::NoGroupList => {
                "the server lists no group without a filter: groups are asked for one by one".to_owned()
            }
            Self::MembersOnRequest => "the server shows who is in a group only if it is asked for that".to_owned(),
            Self::MembersProbed => {
                "the server shows nobody who is in a group, and tells of one account whether it is: who is in is known from the \
                 operator's own record, which is compared"
                    .to_owned()
            }
            Self::MembersHidden => {
                "the server shows nobody whom it took into a group: who is in is known from the operator's own record".to_owned()
            }
            Self::WholeLists => "the server changes no entry of a list by a path with a filter".to_owned(),
            Self::NestedExtensions => {
                "the server knows no path to an attribute of an extension: it is sent nested under its URN".to_owned()
            }
            Self::PathlessGroups => "the server changes a group's name by no path: it is sent without".to_owned(),
            Self::NoEntryTypes => "the server refuses the type of entries: lists are sent without".to_owned(),
            Self::Operations(size) => format!("the server refuses more than {size} changes in one PATCH"),
            Self::MembersAtOnce(size) => format!("the server refuses more than {size} members in one request"),
            Self::MemberRefs => "the server takes no member without its $ref".to_owned(),
            Self::ActiveAlone => "the server refuses active beside other changes: it goes first, by itself".to_owned(),
            Self::NoActiveAtCreation => {
                "the server refuses active at a creation: accounts are made without it".to_owned()
            }
            Self::RemovesInactive => {
                "the server removes accounts that are deactivated: to be active again, they are created anew".to_owned()
            }
            Self::NoFilter(attribute) => {
                format!("the server refuses or ignores a filter by {attribute}: accounts are looked for in the list")
            }
            Self::KeptAs(attribute, form) => {
                format!("the server keeps {attribute} in another form ({}): that is no difference", form.as_str())
            }
            Self::NotKept(attribute) => {
                format!(
                    "the server takes {attribute} and keeps nothing of it: an account found without it owes nothing"
                )
            }
        }
    }

    /// Whether nobody has set the field: what a person says is never learnt otherwise.
    pub fn is_open(&self, overrides: Overrides) -> bool {
        !match self {
            Self::NoPaging => overrides.paging,
            Self::PageSize(_) => overrides.page_size,
            Self::PlainJson => overrides.content_type,
            Self::NoUserList
            | Self::NoGroupList
            | Self::Operations(_)
            | Self::ActiveAlone
            | Self::NoActiveAtCreation
            | Self::RemovesInactive
            | Self::NestedExtensions
            | Self::PathlessGroups
            | Self::NoEntryTypes
            | Self::MemberRefs
            | Self::KeptAs(..)
            | Self::NotKept(_) => false,
            Self::MembersAtOnce(_) => overrides.max_members,
            Self::Put | Self::Patch => overrides.write_users,
            Self::PutGroups | Self::PatchGroups => overrides.write_groups,
            Self::MembersOnRequest | Self::MembersProbed | Self::MembersHidden => overrides.members_readable,
            Self::WholeLists => overrides.patch_paths,
            Self::NoFilter(_) => overrides.filters,
        }
    }

    /// Whether the two can't both be so: then neither is a dialect, and the first stands.
    pub fn contradicts(&self, other: &Self) -> bool {
        let users = matches!((self, other), (Self::Put, Self::Patch) | (Self::Patch, Self::Put));
        users || matches!((self, other), (Self::PutGroups, Self::PatchGroups) | (Self::PatchGroups, Self::PutGroups))
    }

    /// Whether the other says the same more strictly: of several limits only the smallest counts.
    pub fn is_outdone_by(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::PageSize(one), Self::PageSize(other))
            | (Self::Operations(one), Self::Operations(other))
            | (Self::MembersAtOnce(one), Self::MembersAtOnce(other)) => other < one,
            _ => false,
        }
    }

    /// It is about single attributes, of which there are many.
    pub fn is_of_an_attribute(&self) -> bool {
        matches!(self, Self::KeptAs(..) | Self::NotKept(_))
    }

    /// Whether the profile is so already.
    pub fn is_known(&self, profile: &Profile) -> bool {
        let mut taught = profile.clone();
        self.teach(&mut taught);
        taught == *profile
    }

    /// Makes the profile so.
    pub fn teach(&self, profile: &mut Profile) {
        match self {
            Self::NoPaging => profile.paging = Paging::None,
            Self::PageSize(size) => profile.page_size = profile.page_size.min(*size),
            Self::PlainJson => profile.content_type = ContentType::Json,
            Self::NoUserList => profile.list_users = false,
            Self::Put => profile.write_users = WriteMethod::Put,
            Self::Patch => profile.write_users = WriteMethod::Patch,
            Self::PutGroups => profile.write_groups = WriteMethod::Put,
            Self::PatchGroups => profile.write_groups = WriteMethod::Patch,
            Self::NoGroupList => profile.list_groups = false,
            Self::MembersOnRequest => profile.members_readable = MembersReadable::OnRequest,
            Self::MembersProbed => profile.members_readable = MembersReadable::Probe,
            Self::MembersHidden => profile.members_readable = MembersReadable::No,
            Self::WholeLists => profile.patch_paths = PatchPaths::Whole,
            Self::NestedExtensions => profile.nested_extensions = true,
            Self::PathlessGroups => profile.pathless_groups = true,
            Self::NoEntryTypes => profile.entry_types = false,
            Self::Operations(size) => profile.max_operations = Some(profile.max_operations.unwrap_or(*size).min(*size)),
            Self::MembersAtOnce(size) => profile.max_members_per_patch = profile.max_members_per_patch.min(*size),
            Self::ActiveAlone => profile.active_alone = true,
            Self::NoActiveAtCreation => profile.active_at_creation = false,
            Self::RemovesInactive => profile.removes_inactive = true,
            Self::MemberRefs => profile.member_refs = true,
            Self::KeptAs(attribute, form) => {
                let known = (attribute.clone(), *form);
                if !profile.forms.contains(&known) {
                    profile.forms.push(known);
                }
            }
            Self::NotKept(attribute) => {
                if !profile.not_kept.contains(attribute) {
                    profile.not_kept.push(attribute.clone());
                }
            }
            Self::NoFilter(attribute) => {
                profile.filters.retain(|filter| filter != attribute);
                if !profile.searched_in_list.contains(attribute) {
                    profile.searched_in_list.push(attribute.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i33_a_lesson_is_recorded_and_read_again() {
        let lessons = [
            Lesson::NoPaging,
            Lesson::PageSize(20),
            Lesson::PlainJson,
            Lesson::NoUserList,
            Lesson::Put,
            Lesson::Patch,
            Lesson::PutGroups,
            Lesson::PatchGroups,
            Lesson::NoGroupList,
            Lesson::MembersOnRequest,
            Lesson::MembersProbed,
            Lesson::MembersHidden,
            Lesson::WholeLists,
            Lesson::NestedExtensions,
            Lesson::PathlessGroups,
            Lesson::NoEntryTypes,
            Lesson::MemberRefs,
            Lesson::Operations(3),
            Lesson::MembersAtOnce(5),
            Lesson::ActiveAlone,
            Lesson::NoActiveAtCreation,
            Lesson::RemovesInactive,
            Lesson::NoFilter("userName".to_owned()),
            Lesson::KeptAs("phoneNumbers.value".to_owned(), Form::Digits),
            Lesson::NotKept("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department".to_owned()),
        ];
        for lesson in lessons {
            assert_eq!(Lesson::read(lesson.field(), &lesson.value()).as_ref(), Some(&lesson));
            let mut profile = Profile { write_users: WriteMethod::Put, ..Profile::generic() };
            if lesson == Lesson::Put {
                profile.write_users = WriteMethod::Patch;
            }
            if lesson == Lesson::PatchGroups {
                profile.write_groups = WriteMethod::Put;
            }
            assert!(!lesson.is_known(&profile), "{lesson:?}");
            lesson.teach(&mut profile);
            assert!(lesson.is_known(&profile), "{lesson:?}");
            assert!(lesson.because().len() <= 256 && lesson.value().len() <= 128);
        }
        for (field, value) in [("paging", "Cursor"), ("pageSize", "0"), ("nonsense", "None"), ("filters", "userName")] {
            assert_eq!(Lesson::read(field, value), None, "{field} {value}");
        }
    }

    #[test]
    fn i33_what_a_person_has_set_is_not_learnt_otherwise() {
        let all = Overrides {
            write_users: true,
            filters: true,
            paging: true,
            page_size: true,
            content_type: true,
            patch_paths: true,
            max_members: true,
            write_groups: true,
            members_readable: true,
        };
        for lesson in [Lesson::NoPaging, Lesson::PlainJson, Lesson::Put, Lesson::WholeLists, Lesson::MembersAtOnce(5)] {
            assert!(lesson.is_open(Overrides::default()) && !lesson.is_open(all), "{lesson:?}");
        }
        assert!(Lesson::Put.contradicts(&Lesson::Patch) && !Lesson::Put.contradicts(&Lesson::WholeLists));
    }
}
