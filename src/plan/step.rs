//! What a decision may be.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::claims::{Departure, Successor};
use super::digests::Applied;
use super::guards::GuardName;
use super::path::Path;
use super::resource_type::ResourceType;
use crate::api::{IgnoredReason, OperationType, Reason, UserHold, UserState};
use crate::scim::{Attributes, PatchOperation};

/// Accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct User;

impl ResourceType for User {
    type State = UserState;
    type Change = ();
    type Details = UserDetails;

    const RESOURCE: &str = "scimuser";
    const NOUN: &str = "account";
    const ONE: &str = "an account";
    const NAME: &str = "userName";
    const POLICIES: &str = "users";
    const PENDING: UserState = UserState::Pending;
    const HELD: UserState = UserState::Held;
    const PLANNED: UserState = UserState::Planned;
    const FAILED: UserState = UserState::Failed;
    const DELETING: UserState = UserState::Deleting;

    fn removes((): &()) -> bool {
        false
    }

    fn parts(attributes: &[Path], (): &()) -> BTreeSet<String> {
        attributes.iter().map(Path::to_string).collect()
    }
}

/// The next thing to do about an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<T: ResourceType = User> {
    /// Something must be read first.
    Read(Read),
    /// The object becomes bound to this account: finalizer, then record.
    Bind(Binding),
    /// A request is to be sent.
    Send(Box<Operation<T>>),
    /// Nothing is to be sent; this is how things stand.
    Settle(Box<Verdict<T>>),
    /// The object may go: its finalizer comes off.
    RemoveFinalizer(Box<Verdict<T>>),
}

/// What to read.
#[derive(Clone, Debug, PartialEq)]
pub enum Read {
    /// The account with this id.
    Get(String),
    /// The members of the group with this id.
    Members(String),
    /// The resource that fits by name, and by `externalId` where the server keeps it.
    Find,
}

/// A resource that the object takes for its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// Its id.
    pub id: String,
    /// Its userName or displayName, as the server spells it.
    pub name: String,
    /// How it came about: `Create`, `Adopt` or `Handover`.
    pub how: OperationType,
}

/// One request to the server.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation<T: ResourceType = User> {
    /// What it does, in the words of status.
    pub kind: OperationType,
    /// What is sent.
    pub request: Request,
    /// The attributes that it changes.
    pub attributes: Vec<Path>,
    /// The guard that counts it.
    pub guard: Option<GuardName>,
    /// What else it changes.
    pub change: T::Change,
    /// The connection's delegation doesn't admit the account or group that it is about, and may have: a person decides.
    pub undelegated: bool,
}

impl<T: ResourceType> Operation<T> {
    /// It takes access away.
    pub fn removes(&self) -> bool {
        matches!(self.kind, OperationType::Deactivate | OperationType::Delete) || T::removes(&self.change)
    }

    /// What it changes, part by part.
    pub fn parts(&self) -> BTreeSet<String> {
        T::parts(&self.attributes, &self.change)
    }
}

/// The request itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// POST, RFC 7644 §3.3.
    Create(Attributes),
    /// PATCH, RFC 7644 §3.5.2.
    Patch {
        /// The account.
        id: String,
        /// What changes.
        operations: Vec<PatchOperation>,
    },
    /// PUT, RFC 7644 §3.5.1.
    Put {
        /// The account.
        id: String,
        /// The whole resource.
        body: Attributes,
        /// The version it was read at.
        if_match: Option<String>,
    },
    /// DELETE, RFC 7644 §3.6.
    Delete {
        /// The account.
        id: String,
    },
}

impl Request {
    /// The id of the account that it is about; none for a creation.
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::Create(_) => None,
            Self::Patch { id, .. } | Self::Put { id, .. } | Self::Delete { id } => Some(id),
        }
    }
}

/// How things stand with an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict<T: ResourceType = User> {
    /// The reason of its Ready condition; none leaves the condition as it is.
    pub reason: Option<Reason>,
    /// What a person is told.
    pub message: String,
    /// The state; none leaves it as it is.
    pub state: Option<T::State>,
    /// This generation was carried out, or can't be.
    pub executed: bool,
    /// The values that are carried out by now; none leaves what is recorded.
    pub applied: Option<Applied>,
    /// The hold that keeps the operation until a person answers.
    pub hold: Option<UserHold>,
    /// How an object that goes parts with its resource.
    pub departure: Departure,
    /// The object waits under deletion until this one has taken over its resource; what it asked admission for isn't owed now.
    pub awaits: Option<Successor>,
    /// The object can't be carried out now, and may be able to by itself: whoever waits for it to take over goes on waiting.
    pub passing: bool,
    /// It waits for a person's answer: what was asked for by annotation is part of what is held, and stays asked for.
    pub unanswered: bool,
    /// What people are warned of as the object goes, though what its deletion asks for is done.
    pub warning: Option<String>,
    /// What else there is to say.
    pub details: T::Details,
}

/// What a verdict says of an account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserDetails {
    /// Whether the account is active, where it was seen.
    pub active: Option<bool>,
    /// The `active` that is in force on our side, where it was carried out.
    pub applied_active: Option<Option<bool>>,
    /// What we own from now on; none leaves it as it is.
    pub managed: Option<Vec<Path>>,
    /// What differs at the server and is left so.
    pub drift: Vec<Path>,
    /// What is not written, and why.
    pub ignored: Option<Vec<Ignored>>,
    /// The account's userName; empty where there is no account any more, whose name would keep others waiting.
    pub user_name: Option<String>,
}

// Not derived: that would ask for a default of the state, which no verdict needs.
impl<T: ResourceType> Default for Verdict<T> {
    fn default() -> Self {
        Self {
            reason: None,
            message: String::new(),
            state: None,
            executed: false,
            applied: None,
            hold: None,
            departure: Departure::default(),
            awaits: None,
            passing: false,
            unanswered: false,
            warning: None,
            details: T::Details::default(),
        }
    }
}

impl<T: ResourceType> Verdict<T> {
    /// The object can't be bound as it is declared now, and no answer to a hold would change that.
    pub fn declines(&self) -> bool {
        self.executed && !self.passing && self.state != Some(T::HELD) && self.state != Some(T::PLANNED)
    }
}

/// An attribute that is not written.
#[derive(Clone, Debug, PartialEq)]
pub struct Ignored {
    /// The attribute.
    pub path: Path,
    /// Why.
    pub reason: IgnoredReason,
    /// Tells whether the declared or the server's value has changed since.
    pub digest: String,
}
