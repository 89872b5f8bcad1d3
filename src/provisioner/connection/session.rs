//! A tested way to the server, and the policy that goes with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::defaults::{creates_guard, rate_limits, server_of};
use super::dialect::profile_of;
use crate::api::{GuardSpec, Mode, RateLimitFor, ScimConnection, ScimConnectionSpec};
use crate::plan::guards::{GuardName, Limit, Settings};
use crate::plan::protect::Protected;
use crate::plan::{Policy, Repair};
use crate::provisioner::lock;
use crate::provisioner::schedule::limiter::{AppliesTo, Rate};
use crate::scim::{Client, ObservedQuirks, PatchPaths, ServerConfig, WriteMethod};

/// What passes need to talk to the server. Replaced as a whole when the connection or its key changes.
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
    pub seen: Arc<Watched>,
}

/// What a server was seen to do, for all who see it.
#[derive(Debug, Default)]
pub struct Watched(Mutex<ObservedQuirks>);

impl Watched {
    /// Begins with what was seen already.
    pub fn new(seen: ObservedQuirks) -> Self {
        Self(Mutex::new(seen))
    }

    /// Answers what is asked of it.
    pub fn look<T>(&self, look: impl FnOnce(&ObservedQuirks) -> T) -> T {
        look(&lock(&self.0))
    }

    /// Takes in what was seen.
    pub fn take_in(&self, what: impl FnOnce(&mut ObservedQuirks)) {
        what(&mut lock(&self.0));
    }
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
        found.extend(self.seen.look(|seen| seen.differs(profile)));
        found
    }

    /// The same, with lists replaced whole.
    pub fn with_whole_lists(&self) -> Self {
        let mut session = self.clone();
        session.policy.profile.patch_paths = PatchPaths::Whole;
        session
    }

    /// The same, with attributes of extensions nested under their URN.
    pub fn with_nested_extensions(&self) -> Self {
        let mut session = self.clone();
        session.policy.profile.nested_extensions = true;
        session
    }

    /// The same, with entries of lists sent without their types.
    pub fn without_entry_types(&self) -> Self {
        let mut session = self.clone();
        session.policy.profile.entry_types = false;
        session
    }

    /// The same, with accounts created without `active`.
    pub fn without_active_at_creation(&self) -> Self {
        let mut session = self.clone();
        session.policy.profile.active_at_creation = false;
        session
    }

    /// The same, with what a group itself has changed without a path.
    pub fn with_pathless_groups(&self) -> Self {
        let mut session = self.clone();
        session.policy.profile.pathless_groups = true;
        session
    }

    /// The same, with groups replaced whole.
    pub fn with_whole_groups(&self) -> Self {
        let mut session = self.clone();
        session.policy.profile.write_groups = WriteMethod::Put;
        session
    }

    /// The same, with users replaced whole.
    pub fn with_whole_users(&self) -> Self {
        let mut session = self.clone();
        session.policy.profile.write_users = WriteMethod::Put;
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

/// The policy of a connection.
pub fn policy_of(connection: &ScimConnection) -> Policy {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i14_whose_key_it_is_is_protected() {
        let spec = serde_json::json!({"auth": {}, "baseUrl": "https://scim.example.com/v2"});
        let connection = ScimConnection::new("c", serde_json::from_value(spec).expect("a spec"));
        let owner = KeyOwner { id: "id-7".to_owned(), user_name: Some("svc@example.com".to_owned()) };
        let protected = policy_for(&connection, Some(&owner)).protected;
        for identity in ["id-7", "SVC@example.com"] {
            assert_eq!(protected.matches([identity]), Some("the owner of the key"));
        }
        assert!(policy_for(&connection, None).protected.is_empty());
    }
}
