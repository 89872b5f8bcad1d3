//! What a history's connection and server are like.

use std::sync::LazyLock;

use serde_json::json;

use super::quirks::{Methods, Quirks};
use super::site::Site;
use super::site_groups::Strangers;
use crate::api::{AdoptionPolicy, DeletionPolicy, GroupDeletionPolicy, MemberRemoval, MembersReadable, ScimConnection};
use crate::plan::Policy;
use crate::provisioner::connection::defaults::server_of;
use crate::provisioner::connection::session::policy_for;

/// Where the connection leads to at first, and where an edit may lead it.
pub const BASE_URLS: [&str; 2] = ["https://here.example.com/scim/v2", "https://there.example.com/scim/v2"];
pub const CONNECTION: &str = "c";
/// Another connection, which always leads to the first server.
pub const SECOND: &str = "d";

/// The names of the servers.
pub static SERVERS: LazyLock<[String; 2]> =
    LazyLock::new(|| BASE_URLS.map(|url| server_of(&connection(&json!({"baseUrl": url})))));

/// The userName that `guards.protected` names, where it names any.
pub const PROTECTED: &str = "cyd";

/// What a history's connection and server are like.
#[derive(Clone, Debug)]
pub struct Setup {
    pub unique: bool,
    pub silent: bool,
    /// The connection says that accounts are changed by PUT.
    pub put: bool,
    pub quirks: Quirks,
    pub repair: (bool, bool, bool),
    pub deletion: DeletionPolicy,
    pub adoption: AdoptionPolicy,
    pub protected: bool,
    /// Removals, rewrites and creations that go within the window.
    pub limits: (u32, u32, u32),
    pub window: u64,
    pub groups: GroupSetup,
}

/// The same of groups.
#[derive(Clone, Debug)]
pub struct GroupSetup {
    /// displayNames are unique.
    pub unique: bool,
    pub readable: MembersReadable,
    pub removal: MemberRemoval,
    pub strangers: Strangers,
    pub silent: bool,
    pub versions: bool,
    pub deletion: GroupDeletionPolicy,
    pub adoption: AdoptionPolicy,
    /// Memberships taken out of a group, and groups deleted, that go within the window.
    pub limits: (u32, u32),
    /// So many members a request.
    pub most: u32,
}

impl Default for GroupSetup {
    fn default() -> Self {
        Self {
            unique: true,
            readable: MembersReadable::Inline,
            removal: MemberRemoval::Filter,
            strangers: Strangers::Taken,
            silent: false,
            versions: true,
            deletion: GroupDeletionPolicy::Delete,
            adoption: AdoptionPolicy::Adopt,
            limits: (5, 5),
            most: 100,
        }
    }
}

impl Setup {
    pub fn connection(&self) -> ScimConnection {
        let repair = |repairs: bool| if repairs { "Repair" } else { "Report" };
        let (attributes, deactivated, deleted) = self.repair;
        let window = format!("{}s", self.window);
        let limit = |count: u32| json!({"maxPercent": 0, "minCount": count, "maxCount": count, "window": window});
        let (removals, rewrites, creates) = self.limits;
        let (memberships, groups) = self.groups.limits;
        connection(&json!({
            "deletionPolicy": {"users": self.deletion, "groups": self.groups.deletion},
            "adoptionPolicy": {"users": self.adoption, "groups": self.groups.adoption},
            "driftPolicy": {
                "attributes": repair(attributes),
                "deactivated": repair(deactivated),
                "deleted": repair(deleted),
            },
            "dialect": {
                "writeUsers": match self.put {
                    // It isn't said, and is found out.
                    _ if self.quirks.users != Methods::Both => None,
                    true => Some("Put"),
                    false => Some("Patch"),
                },
                "memberRemoval": self.groups.removal,
                "membersReadable": self.groups.readable,
                "maxMembersPerPatch": self.groups.most,
            },
            "guards": {
                "removals": limit(removals),
                "rewrites": limit(rewrites),
                "memberships": limit(memberships),
                "groups": limit(groups),
                "creates": {"maxCount": creates.max(1), "window": window},
                "protected": self.protected.then_some([PROTECTED]),
            },
        }))
    }

    /// The same under another name, whose guards let everything go.
    pub fn second(&self) -> ScimConnection {
        let mut second = json!(self.connection());
        second["metadata"] =
            json!({"name": SECOND, "namespace": "n", "uid": "uid-second", "generation": 1, "resourceVersion": "1"});
        let all = json!({"maxPercent": 0, "minCount": 1_000, "maxCount": 1_000, "window": "1h"});
        for guard in ["removals", "rewrites", "memberships", "groups"] {
            second["spec"]["guards"][guard] = all.clone();
        }
        second["spec"]["guards"]["creates"] = json!({"maxCount": 1_000, "window": "1h"});
        serde_json::from_value(second).expect("a connection")
    }

    pub fn policy(&self) -> Policy {
        policy_for(&self.connection(), None)
    }

    /// One of the servers; no two of them show the same id.
    pub fn site(&self, number: usize) -> Site {
        let mut site = Site::default();
        site.begin_ids_at(number * 1_000);
        site.quirks = self.quirks.clone();
        site.unique = self.unique;
        site.server.silent = self.silent;
        site.server.drops = self.quirks.drops.into_iter().collect();
        site.server.numbers = self.quirks.numbers;
        site.groups.numbers = self.quirks.numbers;
        site.groups.unique = self.groups.unique;
        site.groups.readable = self.policy().profile.members_readable;
        site.groups.strangers = self.groups.strangers;
        site.groups.silent = self.groups.silent;
        site.groups.versions = self.groups.versions;
        site
    }
}

fn connection(more: &serde_json::Value) -> ScimConnection {
    let mut spec = json!({
        "provider": "Generic",
        "baseUrl": BASE_URLS[0],
        "auth": {"bearerToken": {"secretKeyRef": {"name": "key", "key": "token"}}},
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        spec[name] = value.clone();
    }
    let mut connection = ScimConnection::new(CONNECTION, serde_json::from_value(spec).expect("a connection's spec"));
    connection.metadata.namespace = Some("n".into());
    connection.metadata.uid = Some("uid-connection".into());
    connection.metadata.generation = Some(1);
    connection.metadata.resource_version = Some("1".into());
    connection
}
