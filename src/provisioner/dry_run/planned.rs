//! What a dry run comes to: `docs/plan.schema.json` is made of these types.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::packed::Packed;

/// What the operator would do for one connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The connection, `namespace/name`; a cluster connection has no namespace.
    pub connection: String,
    /// The base URL of its server; empty where the connection isn't there.
    pub server: String,
    /// How many objects come to what.
    pub sums: Sums,
    /// Every user and group of the connection, by kind, namespace and name; then rosters with rejected rows.
    pub objects: Vec<PlannedObject>,
    /// What would wait for a person's answer, together.
    pub holds: Vec<PlannedHold>,
    /// How much each guard lets through.
    pub guards: Vec<PlannedGuard>,
    /// What a person should know beside.
    pub notes: Vec<String>,
    /// Accounts of the server that no object declares, by userName: they are left alone.
    #[serde(skip)]
    pub unmanaged: Vec<Unmanaged>,
}

/// An account that no object declares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unmanaged {
    /// As the server shows it.
    pub user_name: String,
    /// At the server.
    pub id: String,
}

/// How many objects come to what; what is held is counted both by what it would be and as held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "as the actions")]
pub struct Sums {
    pub create: u64,
    /// Accounts and groups that are there already; nothing is sent for those without changes.
    pub adopt: u64,
    pub update: u64,
    pub reactivate: u64,
    pub deactivate: u64,
    pub delete: u64,
    /// Objects that go and whose account or group stays as it is.
    pub release: u64,
    /// Needs a correction first.
    pub refused: u64,
    /// What would be done could not be found out.
    pub unknown: u64,
    /// Waits for something else.
    pub waits: u64,
    pub nothing: u64,
    /// Of all these: waits for a person's answer.
    pub held: u64,
    /// Of all these: goes as soon as a guard's window has room.
    pub queued: u64,
    /// Requests that would be sent.
    pub requests: u64,
}

/// What would be done for an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Its account or group is deleted.
    Delete,
    /// Its account is deactivated.
    Deactivate,
    /// It goes, and its account or group stays as it is.
    Release,
    /// It can't be carried out as it is declared; the message says what to correct.
    Refused,
    /// It could not be looked at, so that nobody knows what would be done; the message says why.
    Unknown,
    /// An account or group is created.
    Create,
    /// Its account is activated again.
    Reactivate,
    /// Attributes or members are changed.
    Update,
    /// An account or group that is there already becomes its own; changes may follow.
    Adopt,
    /// It waits for something else; the message says for what.
    Waits,
    /// Nothing is sent.
    #[default]
    Nothing,
}

impl Action {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Deactivate => "deactivate",
            Self::Release => "release",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Create => "create",
            Self::Reactivate => "reactivate",
            Self::Update => "update",
            Self::Adopt => "adopt",
            Self::Waits => "waits",
            Self::Nothing => "nothing",
        }
    }
}

/// One object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedObject {
    /// `ScimUser`, `ScimGroup`, or `ScimRoster` where rows of it are rejected.
    pub kind: Cow<'static, str>,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its userName or displayName.
    pub called: String,
    /// The id of its account or group at the server, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What would be done.
    pub action: Action,
    /// What keeps it from being done at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// The attributes that would change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<AttributeChange>,
    /// The members that would.
    #[serde(default, skip_serializing_if = "MemberChanges::is_empty")]
    pub members: MemberChanges,
    /// What would be sent, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<PlannedRequest>,
    /// The reason that its Ready condition would have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What a person would be told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// What keeps an operation from being sent at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The guard's name, `NewServer`, `Undelegated`, `Plan` under `mode: Plan`, or `roster/NAME` for the guard of a roster.
    pub by: String,
    /// A person has to approve it; without that it goes as soon as the guard's window has room.
    pub needs_answer: bool,
    /// Tells whether it is the operation that an object's status has in a hold.
    #[serde(skip)]
    pub digest: Option<String>,
}

/// One attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttributeChange {
    /// In the notation of RFC 7644 §3.10.
    pub attribute: Cow<'static, str>,
    /// What the server shows; absent where it shows nothing, or wasn't asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Packed>,
    /// What it would be set to; absent where it would be taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Packed>,
}

/// The members of a group that change: names of objects, or ids where no object is bound to them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "as they are called")]
pub struct MemberChanges {
    #[serde(default)]
    pub added: Vec<String>,
    #[serde(default)]
    pub removed: Vec<String>,
}

impl MemberChanges {
    /// Nobody comes and nobody goes.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedRequest {
    /// `POST`, `PATCH`, `PUT` or `DELETE`.
    pub method: Cow<'static, str>,
    /// Below the base URL; `{new}` stands for the id of what is created before.
    pub path: String,
}

/// What would wait for a person's answer, together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "as the hold of the connection's status")]
pub struct PlannedHold {
    /// The guard's name, `NewServer`, `Undelegated`, `Plan` under `mode: Plan`, or `roster/NAME` for the guard of a roster.
    pub reason: String,
    pub creates: i64,
    pub updates: i64,
    pub deactivations: i64,
    pub deletes: i64,
    pub memberships: i64,
    /// Some of its objects, `namespace/name`.
    pub sample: Vec<String>,
}

/// How much a guard lets through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedGuard {
    /// As `spec.guards` names it.
    pub name: String,
    /// What its percentage is of.
    pub base: i64,
    /// How many may go within its window.
    pub limit: i64,
    /// How many would have gone, with those of before.
    pub used: i64,
}

impl Plan {
    /// Something would be sent, or an object would go.
    pub fn has_changes(&self) -> bool {
        self.sums.requests + self.sums.queued + self.sums.release > 0
    }

    /// Something would wait for a person: held, or refused.
    pub fn needs_person(&self) -> bool {
        self.sums.held + self.sums.refused > 0
    }

    /// Counts the objects.
    pub fn recount(&mut self) {
        let mut sums = Sums::default();
        for object in &self.objects {
            *match object.action {
                Action::Create => &mut sums.create,
                Action::Adopt => &mut sums.adopt,
                Action::Update => &mut sums.update,
                Action::Reactivate => &mut sums.reactivate,
                Action::Deactivate => &mut sums.deactivate,
                Action::Delete => &mut sums.delete,
                Action::Release => &mut sums.release,
                Action::Refused => &mut sums.refused,
                Action::Unknown => &mut sums.unknown,
                Action::Waits => &mut sums.waits,
                Action::Nothing => &mut sums.nothing,
            } += 1;
            match &object.held {
                Some(held) if held.needs_answer => sums.held += 1,
                Some(_) => sums.queued += 1,
                None => {}
            }
            sums.requests += object.requests.len() as u64;
        }
        self.sums = sums;
    }
}
