//! Everything that a decision rests on.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::claims::{ClaimedName, Claims, Record};
use super::creation::{Creations, is_dated, precedes};
use super::declared::{Declared, window_clock};
use super::delegation::Delegated;
use super::digests::{Applied, Digests};
use super::grants::{self, Unlisted};
use super::path::Path;
use super::protect::Protected;
use super::split::Split;
use super::tried::Tried;
use crate::api::{Action, AdoptionPolicy, DeletionPolicy, GroupDeletionPolicy, ScimUserSpec, ScimUserStatus};
use crate::scim::{Profile, Resource, fold, without_tombstone};

/// The ScimUser as the planner sees it.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    /// `namespace/name`.
    pub full_name: &'a str,
    /// What is declared.
    pub spec: &'a ScimUserSpec,
    /// What is recorded of it.
    pub status: &'a ScimUserStatus,
    /// `metadata.generation`.
    pub generation: i64,
    /// `metadata.creationTimestamp`.
    pub created: Option<Timestamp>,
    /// `metadata.deletionTimestamp` is set.
    pub deleting: bool,
    /// It carries our finalizer: something was, or may have been, sent for it.
    pub has_finalizer: bool,
    /// The account that it was about to make or to take, from the annotation `claimed-account`.
    pub claimed: Option<ClaimedName<'a>>,
    /// The annotation `release` is set.
    pub release: bool,
    /// The annotation `remote-id`.
    pub remote_id: Option<&'a str>,
    /// The annotation `reconcile-requested-at` is not answered yet.
    pub requested: bool,
}

/// What the connection permits and prescribes.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Names the server: goes into `status.boundTo` (promise I6).
    pub server: String,
    /// The server's dialect.
    pub profile: Profile,
    /// `mode: Plan`: nothing is sent without an approval.
    pub plan: bool,
    /// The connection is suspended.
    pub suspend: bool,
    /// What may be done at all.
    pub actions: Vec<Action>,
    /// What to do about an account that is already there.
    pub adoption: AdoptionPolicy,
    /// What deleting the object does.
    pub deletion: DeletionPolicy,
    /// What to do about a group that is already there.
    pub group_adoption: AdoptionPolicy,
    /// What deleting a ScimGroup does.
    pub group_deletion: GroupDeletionPolicy,
    /// The connection allows a deletion that can't be taken back.
    pub allow_irreversible_delete: bool,
    /// Which drift is repaired.
    pub repair: Repair,
    /// Identities that lose nothing (promise I14).
    pub protected: Protected,
}

/// Which drift is repaired; the rest is reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// Attributes changed at the server.
    pub attributes: bool,
    /// Accounts deactivated at the server.
    pub deactivated: bool,
    /// Accounts deleted at the server.
    pub deleted: bool,
}

/// What is known of the account.
#[derive(Clone, Debug, PartialEq)]
pub enum Account {
    /// Nothing that could be trusted.
    Unknown,
    /// It is there.
    Found {
        /// What the server shows.
        resource: Resource,
        /// It was read, or answered to a write, in this very pass.
        fresh: bool,
    },
    /// It is there under this id, and has yet to be read.
    Listed(String),
    /// It is proven not to be there (promises I11, I12).
    Absent {
        /// It was looked for by itself in this very pass.
        fresh: bool,
    },
    /// The bound id answered 404, and one look proves nothing yet.
    Missing,
    /// `userName` and `externalId` point to different accounts, or the answer doesn't fit the question.
    Contradictory(String),
}

/// The manager that `manager.userRef` names.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Manager {
    /// None is named.
    #[default]
    None,
    /// Its id at the server.
    Id(String),
    /// It has no account yet, or none that may be linked.
    Waiting(String),
    /// Its object isn't there.
    Gone(String),
    /// It belongs to another connection.
    Foreign(String),
}

/// Everything that a decision rests on.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The object.
    pub object: Object<'a>,
    /// What the connection prescribes.
    pub policy: &'a Policy,
    /// What is known of its account.
    pub account: Account,
    /// Why the object may not be served as it is declared (promise I26).
    pub not_allowed: Option<String>,
    /// How far the object's namespace may use the connection.
    pub delegated: Delegated,
    /// What other objects say of it.
    pub claims: Claims,
    /// What is remembered of its creations.
    pub creations: Creations,
    /// Another account than the bound one has the userName that is declared or recorded.
    pub elsewhere: Option<String>,
    /// Its manager.
    pub manager: Manager,
    /// Roles and entitlements declared by a name that the server doesn't show; `object.spec` is without their lists.
    pub unlisted: &'a [Unlisted],
    /// Paths that were written in this very pass.
    pub written: &'a BTreeSet<Path>,
    /// What the account showed before the first of these writes, as far as that is known.
    pub before: Option<&'a Resource>,
    /// What refusals of this very pass taught of the parts of its requests.
    pub split: &'a Split,
    /// When what the server refuses was sent last, as far as that is remembered.
    pub tried: &'a Tried,
    /// Paths that a second writer keeps changing back (promise I9).
    pub contested: &'a BTreeSet<Path>,
    /// The time.
    pub now: Timestamp,
    /// The clock agrees with the API server's: an access window may end somebody's access.
    pub clock_trusted: bool,
}

impl Facts<'_> {
    /// What the object declares, as everything stands.
    pub(super) fn declared(&self) -> Declared {
        let manager = match &self.manager {
            Manager::Id(id) => Some(id.as_str()),
            _ => None,
        };
        let object = &self.object;
        let clock = window_clock(object.spec, object.status, self.now);
        let mut declared = Declared::new(object.spec, manager, &self.policy.profile, clock);
        declared.unsupported.extend(grants::left(self.unlisted));
        // What a creation of this pass went without follows at once.
        for path in self.split.omitted().into_iter().flatten().map(|part| Path::parse(part)) {
            if let Some(value) = declared.on_create.remove(&path) {
                declared.attributes.entry(path).or_insert(value);
            }
        }
        if declared.active == Some(false)
            && let Some(name) = self.buried()
        {
            declared.attributes.insert(Path::core("userName"), name.into());
        }
        declared
    }

    /// The bound account's own name where the declared one is its tombstone: whoever is deleted in Entra ID is not renamed,
    /// so that who is restored finds the account (promise I6).
    fn buried(&self) -> Option<&str> {
        let Account::Found { resource, .. } = &self.account else { return None };
        let shown = resource.user_name().filter(|_| resource.id().is_some() && resource.id() == self.bound_id())?;
        without_tombstone(&self.object.spec.user_name).is_some_and(|name| fold(name) == fold(shown)).then_some(shown)
    }

    fn record(&self) -> Record<'_> {
        let (object, status) = (&self.object, self.object.status);
        Record {
            server: &self.policy.server,
            id: status.id.as_deref(),
            bound_to: status.bound_to.as_deref(),
            claimed: object.claimed,
            has_finalizer: object.has_finalizer,
        }
    }

    /// The object's account at this server, if it is bound to one.
    pub fn bound_id(&self) -> Option<&str> {
        self.record().bound_id()
    }

    /// The account that a creation was sent for, or that was being taken, without a record of what came of it.
    pub fn unrecorded(&self) -> Option<&str> {
        self.record().unrecorded()
    }

    /// A creation whose answer was never recorded may have made this account: it has the name that was claimed, and nothing
    /// speaks against it.
    pub fn claims_account(&self, resource: &Resource) -> bool {
        // Under a claim that names no server, or no object, it may be another's.
        self.record().is_certain()
            && self.is_believed(resource)
            && self.claims_name_of(resource)
            && !precedes(resource, self.object.created)
    }

    /// Whoever may write the object could have written its claim, too. That takes nothing that isn't theirs to take, unless
    /// patterns bound them, and the server doesn't show that the account is no older than the object (promise I32).
    pub(super) fn is_believed(&self, resource: &Resource) -> bool {
        !self.delegated.is_bounded() || is_dated(resource, self.object.created)
    }

    /// It has the name that was claimed: a creation made it, or it was about to be taken.
    pub(super) fn claims_name_of(&self, resource: &Resource) -> bool {
        let named = resource.user_name().map(fold);
        let claimed = self.unrecorded().map(fold);
        claimed.is_some() && claimed == named && self.may_be_claimed(resource) && !self.creations.existed(resource)
    }

    /// No externalId speaks against it: neither the one that was sent nor the one that is declared by now.
    fn may_be_claimed(&self, resource: &Resource) -> bool {
        let declared = self.object.spec.external_id.as_deref();
        let keeps = self.policy.profile.external_id;
        !keeps || self.object.claimed.is_some_and(|claimed| claimed.may_show(resource.external_id(), declared))
    }

    /// The externalId that is declared and the other one that the account shows: another person's (promise I6).
    pub fn other_person<'r>(&self, resource: &'r Resource) -> Option<(&str, &'r str)> {
        let declared = self.object.spec.external_id.as_deref().filter(|_| self.policy.profile.external_id)?;
        resource.external_id().filter(|shown| *shown != declared).map(|shown| (declared, shown))
    }

    /// The object is bound to an account of another server.
    pub fn bound_elsewhere(&self) -> bool {
        self.record().is_bound_elsewhere()
    }

    /// A creation without a record of what came of it was sent to another server.
    pub fn claims_elsewhere(&self) -> bool {
        self.record().claims_elsewhere()
    }

    /// What was declared before, and is ours to take away, as far as the account shows it where status has no place for
    /// all names.
    pub fn owned(&self, shown: &Resource) -> BTreeSet<Path> {
        let status = self.object.status;
        let mut owned: BTreeSet<Path> =
            status.managed_attributes.iter().flatten().map(|path| Path::parse(path)).collect();
        let more = Digests::read(status.more_managed.as_deref());
        if !more.is_empty() {
            owned.extend(Path::all_in(shown).into_iter().filter(|path| more.contains(&[&path.folded()])));
        }
        // Whoever may write a status could have written that, too (promise I32).
        owned.retain(|path| !path.is_misnamed() && self.delegated.may_own(path));
        owned
    }

    /// Which values were carried out last.
    pub fn applied(&self) -> Applied {
        let status = self.object.status;
        let settled = status.managed_attributes.is_some() && status.observed_generation == Some(self.object.generation);
        Applied::read(status.applied_attributes.as_deref(), settled)
    }

    /// What is declared and can't be resolved now: it stays at the server as it is, and stays ours where it was.
    pub fn left(&self) -> BTreeSet<Path> {
        let manager = match self.manager {
            Manager::None | Manager::Id(_) => None,
            Manager::Waiting(_) | Manager::Gone(_) | Manager::Foreign(_) => Some(Path::manager()),
        };
        grants::left(self.unlisted).into_iter().chain(manager).collect()
    }

    /// Whether the connection permits an action.
    pub fn may(&self, action: Action) -> bool {
        self.policy.actions.contains(&action)
    }
}

/// An inactive account whose userName is hidden is known by its externalId.
pub(super) fn hides_them(facts: &Facts, resource: &Resource) -> bool {
    let wanted = facts.object.spec.external_id.as_deref().filter(|_| facts.policy.profile.external_id);
    is_hidden(facts, resource) && wanted.is_some() && resource.external_id() == wanted
}

/// What an inactive account shows says nothing, at a server that obfuscates it (promise I9).
pub(super) fn is_hidden(facts: &Facts, resource: &Resource) -> bool {
    facts.policy.profile.obfuscates_inactive && resource.active() == Some(false)
}
