//! A connection's dialect: the provider's preset with the connection's overrides, and the words of the API for it.

use crate::api::{
    ContentType as ApiContentType, DialectSpec, MatchBy as ApiMatchBy, MemberRemoval as ApiMemberRemoval,
    MembersReadable as ApiMembersReadable, Paging as ApiPaging, PatchPaths as ApiPatchPaths, Provider,
    ScimConnectionSpec, WriteMethod as ApiWriteMethod,
};
use crate::scim::{ContentType, MatchBy, MemberRemoval, MembersReadable, Paging, PatchPaths, Profile, WriteMethod};

/// The profile of a connection: the provider's preset with the connection's overrides.
pub fn profile_of(spec: &ScimConnectionSpec) -> Profile {
    let mut profile = match spec.provider {
        Provider::Generic => Profile::generic(),
        Provider::Jackson => Profile::jackson(),
        Provider::Datadog => Profile::datadog(),
        Provider::AwsIdentityCenter => Profile::aws_identity_center(),
        Provider::GitHub => Profile::github(),
        Provider::Slack => Profile::slack(),
        Provider::GoogleCloudIdentity => Profile::google_cloud_identity(),
    };
    if let Some(dialect) = &spec.dialect {
        overlay(&mut profile, dialect);
    }
    profile
}

fn overlay(profile: &mut Profile, dialect: &DialectSpec) {
    let method = |write| match write {
        ApiWriteMethod::Patch => WriteMethod::Patch,
        ApiWriteMethod::Put => WriteMethod::Put,
    };
    profile.write_users = dialect.write_users.map_or(profile.write_users, method);
    profile.write_groups = dialect.write_groups.map_or(profile.write_groups, method);
    if let Some(paths) = dialect.patch_paths {
        profile.patch_paths = match paths {
            ApiPatchPaths::Filter => PatchPaths::Filter,
            ApiPatchPaths::Whole => PatchPaths::Whole,
        };
    }
    if let Some(paging) = dialect.paging {
        profile.paging = match paging {
            ApiPaging::Index => Paging::Index,
            ApiPaging::Cursor => Paging::Cursor,
            ApiPaging::None => Paging::None,
        };
    }
    if let Some(content_type) = dialect.content_type {
        profile.content_type = match content_type {
            ApiContentType::ScimJson => ContentType::ScimJson,
            ApiContentType::Json => ContentType::Json,
        };
    }
    if let Some(match_by) = dialect.match_by {
        profile.match_by = match match_by {
            ApiMatchBy::UserName => MatchBy::UserName,
            ApiMatchBy::Email => MatchBy::Email,
        };
    }
    if let Some(filters) = &dialect.filters {
        profile.filters.clone_from(filters);
    }
    if let Some(attributes) = &dialect.attributes {
        profile.attributes = Some(attributes.clone());
    }
    if let Some(removal) = dialect.member_removal {
        profile.member_removal = match removal {
            ApiMemberRemoval::Filter => MemberRemoval::Filter,
            ApiMemberRemoval::Values => MemberRemoval::Values,
        };
    }
    if let Some(readable) = dialect.members_readable {
        profile.members_readable = match readable {
            ApiMembersReadable::Inline => MembersReadable::Inline,
            ApiMembersReadable::OnRequest => MembersReadable::OnRequest,
            ApiMembersReadable::Probe => MembersReadable::Probe,
            ApiMembersReadable::No => MembersReadable::No,
        };
    }
    let most = dialect.max_members_per_patch.and_then(|most| u32::try_from(most).ok());
    profile.max_members_per_patch = most.unwrap_or(profile.max_members_per_patch);
    profile.nested_groups = dialect.nested_groups.unwrap_or(profile.nested_groups);
    profile.patch_remove = dialect.patch_remove.unwrap_or(profile.patch_remove);
    profile.page_size = dialect.page_size.and_then(|size| u32::try_from(size).ok()).unwrap_or(profile.page_size);
    profile.trust_totals = dialect.trust_totals.unwrap_or(profile.trust_totals);
    profile.delete_irreversible = dialect.delete_irreversible.unwrap_or(profile.delete_irreversible);
}

/// A profile in the words of the API, as `status.effective` shows it.
pub fn dialect_of(profile: &Profile) -> DialectSpec {
    let method = |write| match write {
        WriteMethod::Patch => ApiWriteMethod::Patch,
        WriteMethod::Put => ApiWriteMethod::Put,
    };
    DialectSpec {
        write_users: Some(method(profile.write_users)),
        write_groups: Some(method(profile.write_groups)),
        patch_paths: Some(match profile.patch_paths {
            PatchPaths::Filter => ApiPatchPaths::Filter,
            PatchPaths::Whole => ApiPatchPaths::Whole,
        }),
        patch_remove: Some(profile.patch_remove),
        filters: Some(profile.filters.clone()),
        paging: Some(match profile.paging {
            Paging::Index => ApiPaging::Index,
            Paging::Cursor => ApiPaging::Cursor,
            Paging::None => ApiPaging::None,
        }),
        page_size: i32::try_from(profile.page_size).ok(),
        trust_totals: Some(profile.trust_totals),
        content_type: Some(match profile.content_type {
            ContentType::ScimJson => ApiContentType::ScimJson,
            ContentType::Json => ApiContentType::Json,
        }),
        match_by: Some(match profile.match_by {
            MatchBy::UserName => ApiMatchBy::UserName,
            MatchBy::Email => ApiMatchBy::Email,
        }),
        member_removal: Some(match profile.member_removal {
            MemberRemoval::Filter => ApiMemberRemoval::Filter,
            MemberRemoval::Values => ApiMemberRemoval::Values,
        }),
        max_members_per_patch: i32::try_from(profile.max_members_per_patch).ok(),
        members_readable: Some(match profile.members_readable {
            MembersReadable::Inline => ApiMembersReadable::Inline,
            MembersReadable::OnRequest => ApiMembersReadable::OnRequest,
            MembersReadable::Probe => ApiMembersReadable::Probe,
            MembersReadable::No => ApiMembersReadable::No,
        }),
        nested_groups: Some(profile.nested_groups),
        delete_irreversible: Some(profile.delete_irreversible),
        attributes: profile.attributes.clone(),
    }
}
