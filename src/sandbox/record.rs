//! One resource and what is remembered about it.

use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use super::schema::{Object, ResourceType, group, user};

/// Which collection a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Collection {
    Users,
    Groups,
}

impl Collection {
    /// The resource type that lives there.
    pub fn kind(self) -> &'static ResourceType {
        match self {
            Self::Users => user(),
            Self::Groups => group(),
        }
    }

    /// The attribute that no two resources share.
    pub fn unique(self) -> Option<&'static str> {
        (self == Self::Users).then_some("userName")
    }
}

/// Who writes: the client under test, or somebody by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Actor {
    Client,
    Hand,
}

/// What the client did to an account, counted.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct History {
    pub created: u64,
    pub updated: u64,
    pub deactivated: u64,
    pub reactivated: u64,
    pub deleted: u64,
    /// Writes that took effect on nothing: the account was already so.
    pub unchanged: u64,
    /// Changes that came by hand.
    pub drifted: u64,
}

impl History {
    /// How many writes of the client the account took.
    pub fn writes(self) -> u64 {
        self.created + self.updated + self.deleted + self.unchanged
    }
}

/// One resource.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub id: String,
    pub body: Object,
    /// What it was before the last change; `None` if there was nothing.
    pub before: Option<Object>,
    pub changed: Instant,
    pub history: History,
    pub version: u64,
}

impl Record {
    /// Its entity tag.
    pub fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }
}

/// What the indexes file a resource under.
pub(super) fn keys(collection: Collection, body: &Object, first_email: bool) -> Vec<(&'static str, String)> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let mut keys = Vec::new();
    let name = match collection {
        Collection::Users => "userName",
        Collection::Groups => "displayName",
    };
    keys.extend(text(name).map(|value| (name, value.to_lowercase())));
    keys.extend(text("externalId").map(|value| ("externalId", value.to_owned())));
    let list = |name: &str| body.get(name).and_then(Value::as_array).into_iter().flatten();
    let values = |name| list(name).filter_map(|one| one.get("value")?.as_str());
    match collection {
        Collection::Users => {
            let mails: Vec<_> = values("emails").collect();
            keys.extend(mails.iter().map(|mail| ("emails.value", mail.to_lowercase())));
            if first_email {
                let found = mails.first().copied().or(text("userName"));
                keys.extend(found.map(|found| ("lookup", found.to_owned())));
            }
        }
        Collection::Groups => {
            keys.extend(values("members").map(|id| ("members.value", id.to_owned())));
        }
    }
    keys
}

/// Whether an account is active: it is unless it says otherwise.
pub(super) fn active(body: &Object) -> bool {
    body.get("active") != Some(&Value::Bool(false))
}
