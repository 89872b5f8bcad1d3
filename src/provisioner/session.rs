//! A tested way to the server, and the policy that goes with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::defaults::{creates_guard, rate_limits, server_of};
use super::limiter::{AppliesTo, Rate};
use super::lock;
use crate::api::{
    ContentType as ApiContentType, DialectSpec, GuardSpec, MatchBy as ApiMatchBy, MemberRemoval as ApiMemberRemoval,
    MembersReadable as ApiMembersReadable, Mode, Paging as ApiPaging, PatchPaths as ApiPatchPaths, Provider,
    RateLimitFor, ScimConnection, ScimConnectionSpec, WriteMethod as ApiWriteMethod,
};
use crate::plan::guards::{GuardName, Limit, Settings};
use crate::plan::protect::Protected;
use crate::plan::{Policy, Repair};
use crate::scim::{
    Behaviour, Client, ContentType, MatchBy, MemberRemoval, MembersReadable, Paging, PatchPaths, Profile, ServerConfig,
    WriteMethod,
};

/// What workers need to talk to the server. Replaced as a whole when the connection or its key changes.
#[derive(Clone, Debug)]
pub struct Session {
    /// The client, with the key that was tested.
    pub client: Client,
    /// What the connection prescribes.
    pub policy: Policy,
    /// The connection's generation that this session carries out.
    pub generation: i64,
    /// The snapshot's epoch: answers to this session count only in it.
    pub epoch: u64,
    /// The versions of everything that the key was read from.
    pub fingerprint: String,
    /// Whom the key belongs to, where the server tells: id and userName.
    pub key_owner: Option<KeyOwner>,
    /// What the server says of itself.
    pub server_config: ServerConfig,
    /// What it was seen to do, since the connection was last changed.
    pub seen: Arc<Mutex<Behaviour>>,
}

/// Whom a key belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOwner {
    /// The account's id.
    pub id: String,
    /// Its userName, where it is shown.
    pub user_name: Option<String>,
}

impl Session {
    /// Where the dialect expects what the server says it can't, or was seen not to do.
    pub fn differs(&self) -> Vec<String> {
        let profile = &self.policy.profile;
        let mut found = self.server_config.differs(profile);
        found.extend(lock(&self.seen).differs(profile));
        found
    }

    /// The same, with lists replaced whole.
    pub fn with_whole_lists(&self) -> Self {
        let mut session = self.clone();
        session.policy.profile.patch_paths = PatchPaths::Whole;
        session
    }

    /// The same way to the same server, under the newest policy: `suspend` and `actions` are in force before the
    /// connection has been tested anew.
    pub fn under(&self, connection: &ScimConnection) -> Self {
        let mut session = self.clone();
        session.policy = Policy {
            server: self.policy.server.clone(),
            profile: self.policy.profile.clone(),
            ..policy_for(connection, self.key_owner.as_ref())
        };
        session
    }
}

/// The policy of a connection whose key belongs to `owner`, who is protected (promise I14).
pub fn policy_for(connection: &ScimConnection, owner: Option<&KeyOwner>) -> Policy {
    let mut policy = policy_of(connection);
    if let Some(owner) = owner {
        let identities = [Some(owner.id.as_str()), owner.user_name.as_deref()];
        policy.protected = policy.protected.with_identities(identities.into_iter().flatten());
    }
    policy
}

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
    if let Some(write) = dialect.write_users {
        profile.write_users = match write {
            ApiWriteMethod::Patch => WriteMethod::Patch,
            ApiWriteMethod::Put => WriteMethod::Put,
        };
    }
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
    DialectSpec {
        write_users: Some(match profile.write_users {
            WriteMethod::Patch => ApiWriteMethod::Patch,
            WriteMethod::Put => ApiWriteMethod::Put,
        }),
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

/// The policy of a connection.
fn policy_of(connection: &ScimConnection) -> Policy {
    let spec = &connection.spec;
    let repairs = |policy: crate::api::RepairPolicy| policy == crate::api::RepairPolicy::Repair;
    Policy {
        server: server_of(connection),
        profile: profile_of(spec),
        plan: spec.mode == Mode::Plan,
        suspend: spec.suspend,
        actions: spec.actions.clone(),
        adoption: spec.adoption_policy.users,
        deletion: spec.deletion_policy.users,
        group_adoption: spec.adoption_policy.groups,
        group_deletion: spec.deletion_policy.groups,
        allow_irreversible_delete: spec.allow_irreversible_delete,
        repair: Repair {
            attributes: repairs(spec.drift_policy.attributes),
            deactivated: repairs(spec.drift_policy.deactivated),
            deleted: repairs(spec.drift_policy.deleted),
        },
        protected: Protected::new(spec.guards.protected.iter().flatten().cloned()),
    }
}

/// What the guards of a connection let through.
pub fn guard_settings(spec: &ScimConnectionSpec) -> Settings {
    let number = |number: i32| u32::try_from(number).unwrap_or_default();
    let limit = |guard: &GuardSpec| Limit {
        max_percent: Some(number(guard.max_percent)),
        min_count: number(guard.min_count),
        max_count: number(guard.max_count),
        window: guard.window.std(),
    };
    let mut limits = BTreeMap::from([
        (GuardName::Removals, limit(&spec.guards.removals)),
        (GuardName::Rewrites, limit(&spec.guards.rewrites)),
        (GuardName::Memberships, limit(&(&spec.guards.memberships).into())),
        (GuardName::Groups, limit(&(&spec.guards.groups).into())),
    ]);
    if let Some(creates) = creates_guard(spec) {
        let max_count = number(creates.max_count);
        limits.insert(
            GuardName::Creates,
            Limit { max_percent: None, min_count: 0, max_count, window: creates.window.std() },
        );
    }
    Settings { plan: spec.mode == Mode::Plan, limits }
}

/// The same for the limiter.
pub fn rates_of(spec: &ScimConnectionSpec) -> Vec<Rate> {
    let positive = |number: i32| u32::try_from(number).unwrap_or(1).max(1);
    rate_limits(spec)
        .iter()
        .map(|rate| Rate {
            applies_to: match rate.for_ {
                RateLimitFor::All => AppliesTo::All,
                RateLimitFor::Reads => AppliesTo::Reads,
                RateLimitFor::Writes => AppliesTo::Writes,
                RateLimitFor::Creates => AppliesTo::Creates,
            },
            requests: positive(rate.requests),
            period: rate.period.std(),
            burst: positive(rate.burst.unwrap_or(rate.requests)),
        })
        .collect()
}
