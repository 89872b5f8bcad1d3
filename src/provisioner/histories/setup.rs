//! What a history's connection and server are like.

use std::time::Duration;

use super::site::Site;
use crate::api::{Action, AdoptionPolicy, DeletionPolicy};
use crate::plan::guards::{GuardName, Limit, Settings};
use crate::plan::protect::Protected;
use crate::plan::{Policy, Repair};
use crate::scim::{Profile, WriteMethod};

pub const SERVER: &str = "here";
pub const CONNECTION: &str = "c";

/// The userName that `guards.protected` names, where it names any.
pub const PROTECTED: &str = "cyd";

/// What a history's connection and server are like.
#[derive(Clone, Debug)]
pub struct Setup {
    pub unique: bool,
    pub upserts: bool,
    pub silent: bool,
    pub put: bool,
    pub drops: bool,
    pub repair: (bool, bool, bool),
    pub deletion: DeletionPolicy,
    pub adoption: AdoptionPolicy,
    pub protected: bool,
    /// Removals, rewrites and creations that go within the window.
    pub limits: (u32, u32, u32),
    pub window: u64,
}

impl Setup {
    pub fn policy(&self) -> Policy {
        let (attributes, deactivated, deleted) = self.repair;
        let write_users = if self.put { WriteMethod::Put } else { WriteMethod::Patch };
        Policy {
            server: SERVER.into(),
            profile: Profile { write_users, ..Profile::generic() },
            plan: false,
            suspend: false,
            actions: vec![Action::Create, Action::Update, Action::Deprovision],
            adoption: self.adoption,
            deletion: self.deletion,
            group_adoption: AdoptionPolicy::Refuse,
            group_deletion: crate::api::GroupDeletionPolicy::Retain,
            allow_irreversible_delete: false,
            repair: Repair { attributes, deactivated, deleted },
            protected: Protected::new(self.protected.then_some(PROTECTED)),
        }
    }

    pub fn settings(&self) -> Settings {
        let window = Duration::from_secs(self.window);
        let limit = |count| Limit { max_percent: None, min_count: count, max_count: count, window };
        let (removals, rewrites, creates) = self.limits;
        let limits = [
            (GuardName::Removals, limit(removals)),
            (GuardName::Rewrites, limit(rewrites)),
            (GuardName::Creates, limit(creates.max(1))),
        ];
        Settings { plan: false, limits: limits.into() }
    }

    pub fn site(&self) -> Site {
        let mut site = Site::default();
        site.unique = self.unique;
        site.upserts = self.upserts;
        site.server.silent = self.silent;
        site.server.drops = if self.drops { vec!["title"] } else { Vec::new() };
        site
    }
}
