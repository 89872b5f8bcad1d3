//! What other objects say of the same account or group (promise I8): it follows its object, not its name.

use super::resource_type::ResourceType;
use crate::api::{Reason, Uid, listed};

/// What an object was about to make or to take for its own, from our annotation on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClaimedName<'a> {
    name: &'a str,
    server: Option<&'a str>,
    external_id: Option<&'a str>,
    by_object: bool,
}

impl<'a> ClaimedName<'a> {
    /// An account or group of this name, at this server where that is known; `by_object` where the claim names the object
    /// that makes it.
    pub fn new(name: &'a str, server: Option<&'a str>, by_object: bool) -> Self {
        Self { name, server, external_id: None, by_object }
    }

    /// The same, created with this externalId, or having it when it was to be taken.
    #[must_use]
    pub fn with_external_id(self, external_id: Option<&'a str>) -> Self {
        Self { external_id, ..self }
    }

    /// Its name, where it may be at this server.
    pub fn at(self, server: &str) -> Option<&'a str> {
        Some(self.name).filter(|_| self.server.is_none_or(|known| known == server))
    }

    /// What shows this externalId may be it: it is the one that was sent, or the one that is declared by now.
    pub fn may_show(self, shown: Option<&str>, declared: Option<&str>) -> bool {
        let known = || self.external_id.into_iter().chain(declared);
        shown.is_none_or(|shown| known().next().is_none() || known().any(|known| known == shown))
    }

    /// The object claimed it at this server: neither another object, nor elsewhere.
    pub fn is_certain(self, server: &str) -> bool {
        self.by_object && self.server == Some(server)
    }
}

/// What is on record of an object's own account or group: the one that it is bound to, and the one that it was about to
/// make or to take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    /// The connection's server.
    pub server: &'a str,
    /// The bound one.
    pub id: Option<&'a str>,
    /// The server that it is bound at.
    pub bound_to: Option<&'a str>,
    /// What it claimed.
    pub claimed: Option<ClaimedName<'a>>,
    /// It carries our finalizer.
    pub has_finalizer: bool,
}

impl<'a> Record<'a> {
    /// The one at this server, if it is bound to one.
    pub fn bound_id(self) -> Option<&'a str> {
        self.id.filter(|_| self.bound_to == Some(self.server))
    }

    /// It is bound at another server.
    pub fn is_bound_elsewhere(self) -> bool {
        self.id.is_some() && self.bound_to.is_some_and(|known| known != self.server)
    }

    /// What a creation was sent for, or what was being taken, at this server, without a record of what came of it.
    pub fn unrecorded(self) -> Option<&'a str> {
        self.claimed_without_record()?.at(self.server)
    }

    /// A creation without a record of what came of it was sent to another server.
    pub fn claims_elsewhere(self) -> bool {
        self.claimed_without_record().is_some_and(|claimed| claimed.at(self.server).is_none())
    }

    /// The claim names this server, and the object.
    pub fn is_certain(self) -> bool {
        self.claimed.is_some_and(|claimed| claimed.is_certain(self.server))
    }

    fn claimed_without_record(self) -> Option<ClaimedName<'a>> {
        self.claimed.filter(|_| self.has_finalizer && self.id.is_none())
    }
}

/// What other objects say of the same account or group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// Another object is bound to the account that was found, or to one that has the name declared, or may have made one
    /// of that name.
    pub holder: Option<Holder>,
    /// Another object declares the same name and comes first: it has an account already, or is older.
    pub elder: Option<String>,
    /// Who takes over the account of this object, which is under deletion.
    pub successor: Option<Successor>,
    /// Another living object says, too, that it is bound to this object's account, and it can't be told that it is wrong.
    pub rival: Option<String>,
}

/// Who else may have what an object under deletion was found under a new id.
pub(super) enum InTheWay<'a> {
    /// Nobody knows yet: this one gives up the name, or may take the account.
    Passing(&'a str),
    /// This one is bound to it, and declares its name.
    HasIt(&'a str),
    /// Whatever speaks against its being the object's stays so.
    Else,
}

impl Claims {
    /// What other objects have to do with it.
    pub(super) fn in_the_way(&self) -> InTheWay<'_> {
        match (&self.holder, &self.elder) {
            (Some(holder), _) if holder.goes() => InTheWay::Passing(&holder.name),
            (Some(holder), _) if holder.has_account && holder.state == HolderState::Keeps => {
                InTheWay::HasIt(&holder.name)
            }
            (None, Some(elder)) => InTheWay::Passing(elder),
            _ => InTheWay::Else,
        }
    }
}

/// The object that is bound to an account.
#[derive(Clone, Debug, PartialEq)]
pub struct Holder {
    /// `namespace/name`.
    pub name: String,
    /// It is bound to the very account that was found, not only to one that has the name declared.
    pub has_account: bool,
    /// What it does with the account's name.
    pub state: HolderState,
}

/// What the object that is bound to an account does with the account's name.
#[derive(Clone, Debug, PartialEq)]
pub enum HolderState {
    /// It declares the name that the account has.
    Keeps,
    /// It declares another name, and its account is renamed.
    Renames,
    /// It declares another name, and each of these objects waits for the name of the next one's account.
    InRing(Vec<String>),
    /// It is under deletion.
    Leaves,
    /// It is under deletion, and the object that asks takes over its account.
    HandsOver,
}

/// The object that takes over the account of one under deletion.
#[derive(Clone, Debug, PartialEq)]
pub struct Successor {
    /// `namespace/name`.
    pub name: String,
    /// The object's uid.
    pub uid: Uid,
    /// It is bound to the account, and its status says so.
    pub bound: bool,
    /// Its binding is held, until a person answers.
    pub held: bool,
    /// Its connection serves nobody now, and why.
    pub unserved: Option<String>,
}

impl Successor {
    /// What keeps it from taking over, where that is known, behind a message.
    pub(super) fn kept_by(&self) -> String {
        self.unserved.as_ref().map(|why| format!("; {why}")).unwrap_or_default()
    }
}

/// How an object under deletion parts with its account or group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Departure {
    /// What the deletion asks for is done, or there was nothing to do.
    #[default]
    Done,
    /// Another object, which is named, is bound to the account.
    HandedOver(String),
    /// The account stays as it is, and no object is bound to it.
    LeftAsIs,
}

/// Objects of a ring that a message names.
const MOST_NAMED: usize = 10;

impl Holder {
    /// It has nothing to do with the name any more once it has done what it declares.
    pub fn goes(&self) -> bool {
        matches!(self.state, HolderState::Renames | HolderState::Leaves | HolderState::HandsOver)
    }

    /// Why the object waits for this one, and what a person is told.
    pub(super) fn in_the_way<T: ResourceType>(&self) -> (Reason, String) {
        let (what, name) = (T::NOUN, T::NAME);
        let holder = &self.name;
        match &self.state {
            HolderState::Keeps if self.has_account => {
                (Reason::Conflict, format!("{holder} is bound to this {what}; {}", ways_apart::<T>(holder)))
            }
            HolderState::Keeps => (
                Reason::Conflict,
                format!("{holder} is bound to the {what} with this {name}; {}", ways_apart::<T>(holder)),
            ),
            HolderState::InRing(ring) => (
                Reason::Conflict,
                format!(
                    "each of these objects declares the {name} that the next one's {what} has, and all of them wait: {}; \
                     give one of them an interim {name}, and the declared one once the others have theirs",
                    listed(ring, MOST_NAMED)
                ),
            ),
            HolderState::Renames => (
                Reason::Pending,
                format!(
                    "{holder} has, or may have made, the {what} with this {name}, and is to rename it; this object waits \
                     until the {name} is free"
                ),
            ),
            HolderState::Leaves | HolderState::HandsOver => (
                Reason::Pending,
                format!(
                    "{holder} has, or may have made, the {what} with this {name}, and is under deletion; this object waits \
                     until it is gone"
                ),
            ),
        }
    }
}

/// What whoever comes second is told.
pub(super) fn elder_comes_first<T: ResourceType>(elder: &str) -> String {
    let (what, name) = (T::NOUN, T::NAME);
    format!(
        "{elder} declares the same {name} and comes first: it has its {what} already, or is older; {}",
        ways_apart::<T>(elder)
    )
}

/// What is to be done about two objects of one name. Not the deletion of the other one: its account would come to this
/// object, which is right for a manifest that moves, and wrong for two people.
fn ways_apart<T: ResourceType>(first: &str) -> String {
    let (what, name) = (T::NOUN, T::NAME);
    format!(
        "if both stand for the same {what}, delete this object; if not, give it another {name}. Deleting {first} instead \
         hands its {what} over to this object"
    )
}
