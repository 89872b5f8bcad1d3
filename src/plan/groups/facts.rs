//! What a decision about a group rests on, and what it may be.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::membership::Membership;
use super::name::NameSent;
use super::patch::Change;
use crate::api::{Action, GroupDrift, GroupState, MembersStatus, Reason, RemoteId, ScimGroupSpec, ScimGroupStatus};
use crate::plan::claims::Record;
use crate::plan::creation::{is_dated, precedes};
use crate::plan::{
    Account, Applied, ClaimedName, Claims, Creations, Operation, Path, Policy, ResourceType, Split, Step, Verdict,
};
use crate::scim::{GroupChange, ObservedQuirks, Resource, WriteMethod};

/// The ScimGroup as the planner sees it.
#[derive(Clone, Copy, Debug)]
pub struct GroupObject<'a> {
    /// `namespace/name`.
    pub full_name: &'a str,
    /// What is declared.
    pub spec: &'a ScimGroupSpec,
    /// What is recorded of it.
    pub status: &'a ScimGroupStatus,
    /// `metadata.generation`.
    pub generation: i64,
    /// `metadata.creationTimestamp`.
    pub created: Option<Timestamp>,
    /// `metadata.deletionTimestamp` is set.
    pub deleting: bool,
    /// It carries our finalizer: something was, or may have been, sent for it.
    pub has_finalizer: bool,
    /// The group that it was about to make or to take, from the annotation `claimed-group`.
    pub claimed: Option<ClaimedName<'a>>,
    /// The annotation `release` is set.
    pub release: bool,
    /// The annotation `remote-id`.
    pub remote_id: Option<&'a str>,
    /// The annotation `reconcile-requested-at` is not answered yet.
    pub requested: bool,
}

/// The members, as far as a decision needs them.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    /// Who belongs in, and who is.
    pub membership: &'a Membership,
    /// Those that stay as they are, though they are to be put in or taken out.
    pub kept: &'a KeptMembers,
    /// Of those to be taken out: whose accounts are deprovisioned, which their guard has counted.
    pub departed: &'a BTreeSet<RemoteId>,
    /// Of those to be put in: whose id the server didn't show in its last complete listing of accounts.
    pub unseen: &'a BTreeSet<RemoteId>,
    /// Put in or taken out in this very pass.
    pub sent: &'a BTreeSet<RemoteId>,
    /// Attributes and members that are not sent now: the server refused them or didn't keep them, or people rejected them.
    pub resting: &'a BTreeSet<String>,
    /// Of those: what people rejected.
    pub rejected: &'a RejectedParts,
    /// How many may be put in now; none where that isn't limited.
    pub room: Option<usize>,
    /// Those named by userName of whom it isn't known whether they have an account, and which.
    pub unfound: &'a Unfound,
    /// References that may not be followed, in words.
    pub foreign: &'a [String],
    /// Some of those that are waited for.
    pub waiting_for: &'a [String],
    /// Objects that are referred to and aren't there.
    pub absent: &'a [String],
}

/// What people rejected of a group, and what no guard counts: it stays undone until the spec changes (promise I13).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectedParts {
    /// The hold in which it was.
    pub hold: String,
    /// Attributes, and members that are to be put in.
    pub parts: BTreeSet<String>,
}

/// Members named by a userName that no object declares, whose accounts can't be told: they are neither put in nor taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unfound {
    /// Nobody was looked for yet: the first list of the server's users is still to come.
    pub unlisted: Vec<String>,
    /// Nobody was looked for yet by this name; it is done before anything is told.
    pub unsought: Vec<String>,
    /// Several accounts have the name.
    pub several: Vec<String>,
    /// The server finds nobody of the name, which proves nothing there.
    pub unproven: Vec<String>,
    /// The server doesn't look for accounts by userName.
    pub unsearchable: Vec<String>,
}

/// Members that stay as they are, though they are to be put in or taken out (promises I14, I26, I31).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeptMembers {
    /// Not taken out: `guards.protected` keeps them, or the server has yet to show whose they are.
    pub leaving: BTreeSet<RemoteId>,
    /// Not put in: they lie outside of the delegation, or the server has yet to show whose they are.
    pub coming: BTreeSet<RemoteId>,
    /// Of both: whose accounts the server has yet to show.
    pub unknown: BTreeSet<RemoteId>,
    /// The server can't be asked whose those are: it shows nobody under what it names them by, and doesn't list its users.
    pub told_by_nothing: bool,
    /// Of those not taken out: they may be members that are declared, and whose accounts aren't known yet.
    pub awaited: BTreeSet<RemoteId>,
    /// Of those not put in: the ScimUsers whose status doesn't take that they are.
    pub unrecorded: Vec<String>,
    /// Not put in: their accounts are gone at the server.
    pub gone: BTreeSet<RemoteId>,
    /// The pattern that keeps one in.
    pub protected_by: Option<String>,
    /// Why one is kept out.
    pub refused: Option<String>,
    /// Why somebody may be in whom `guards.protected` keeps, where the server doesn't show who is.
    pub unseen: Option<String>,
}

/// Everything that a decision about a group rests on.
#[derive(Clone, Debug)]
pub struct GroupFacts<'a> {
    /// The object.
    pub object: GroupObject<'a>,
    /// What the connection prescribes.
    pub policy: &'a Policy,
    /// What is known of the group at the server.
    pub group: Account,
    /// What other objects say of it.
    pub claims: Claims,
    /// What is remembered of its creations.
    pub creations: Creations,
    /// Another group than the bound one has the displayName that is declared or recorded.
    pub elsewhere: Option<String>,
    /// Why the group that status names isn't to be written to (promises I26, I32).
    pub not_its_own: Option<(Reason, String)>,
    /// The delegation doesn't admit the group that status names, and may have: it has the name that it had then.
    pub undelegated: bool,
    /// Status alone doesn't tell that the group is the object's: it is read before it is written to.
    pub must_be_seen: bool,
    /// Patterns bound what the object's namespace may have through the connection.
    pub bounded: bool,
    /// Its members.
    pub members: Members<'a>,
    /// Attributes were written in this very pass.
    pub written: bool,
    /// Removals wait for admission; the rest goes on meanwhile.
    pub removals_wait: bool,
    /// A request that removed and added was refused: what is removed goes by itself.
    pub apart: bool,
    /// The group as this pass read it, with whoever is in it.
    pub whole: Option<&'a Resource>,
    /// The server shows a part of the group's members alone, and never of all who is in.
    pub shown_partly: bool,
    /// Whether the server shows nobody who is in its groups.
    pub hidden_members: HiddenMembers,
    /// What the server was seen to do.
    pub seen: ObservedQuirks,
    /// The server shows who is in a group: one that shows nobody has nobody.
    pub shows_members: bool,
    /// The server makes no group without members.
    pub never_empty: bool,
    /// What refusals of this very pass taught of the parts of its requests.
    pub split: &'a Split,
    /// What the last reading found changed, until it is shown and repaired.
    pub drift: Option<&'a GroupDrift>,
    /// The name that was sent last, if this process sent one.
    pub name_sent: Option<&'a NameSent>,
    /// A second writer keeps changing the members back (promise I9): what it changed is among those that are left so.
    pub contested: bool,
    /// Why the server has no groups, if it has none.
    pub unsupported: Option<&'a str>,
    /// The time.
    pub now: Timestamp,
}

impl GroupFacts<'_> {
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

    /// The object's group at this server, if it is bound to one.
    pub fn bound_id(&self) -> Option<&str> {
        self.record().bound_id()
    }

    /// The group that a creation was sent for, or that was being taken, without a record of what came of it.
    pub fn unrecorded(&self) -> Option<&str> {
        self.record().unrecorded()
    }

    /// A creation whose answer was never recorded may have made this group: it has the name that was claimed, and nothing
    /// speaks against it.
    pub fn claims_group(&self, resource: &Resource) -> bool {
        // Under a claim that names no server, or no object, it may be another's.
        self.record().is_certain()
            && self.is_believed(resource)
            && self.claims_name_of(resource)
            && !precedes(resource, self.object.created)
    }

    /// Whoever may write the object could have written its claim, too: see the same of users (promise I32).
    pub(super) fn is_believed(&self, resource: &Resource) -> bool {
        !self.bounded || is_dated(resource, self.object.created)
    }

    /// It has the name that was claimed: a creation made it, or it was about to be taken.
    pub(super) fn claims_name_of(&self, resource: &Resource) -> bool {
        let shown = resource.display_name();
        let claimed = self.unrecorded();
        claimed.is_some() && claimed == shown && self.may_be_claimed(resource) && !self.creations.existed(resource)
    }

    /// No externalId speaks against it: neither the one that was sent nor the one that is declared by now.
    fn may_be_claimed(&self, resource: &Resource) -> bool {
        let declared = self.object.spec.external_id.as_deref();
        let keeps = self.policy.profile.group_external_id;
        !keeps || self.object.claimed.is_some_and(|claimed| claimed.may_show(resource.external_id(), declared))
    }

    /// The externalId that is declared and the other one that the group shows: it stands for something else.
    pub fn another<'r>(&self, resource: &'r Resource) -> Option<(&str, &'r str)> {
        let declared = self.object.spec.external_id.as_deref().filter(|_| self.policy.profile.group_external_id)?;
        resource.external_id().filter(|shown| *shown != declared).map(|shown| (declared, shown))
    }

    /// The object is bound to a group of another server.
    pub fn bound_elsewhere(&self) -> bool {
        self.record().is_bound_elsewhere()
    }

    /// A creation without a record of what came of it was sent to another server.
    pub fn claims_elsewhere(&self) -> bool {
        self.record().claims_elsewhere()
    }

    /// Which values were carried out last.
    pub fn applied(&self) -> Applied {
        let status = self.object.status;
        let settled = status.id.is_some() && status.observed_generation == Some(self.object.generation);
        Applied::read(status.applied_attributes.as_deref(), settled)
    }

    /// Whether the connection permits an action.
    pub fn may(&self, action: Action) -> bool {
        self.policy.actions.contains(&action)
    }

    /// Several members who are taken out at once take others along.
    pub(super) fn removes_one_by_one(&self) -> bool {
        let by_patch = self.policy.profile.write_groups == WriteMethod::Patch;
        by_patch && self.seen.throws_out(GroupChange::Removals)
    }

    /// The members, counted.
    pub fn counts(&self) -> MembersStatus {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let membership = self.members.membership;
        MembersStatus {
            declared: number(membership.declared()),
            present: number(membership.present()),
            waiting: number(membership.waiting() + membership.inactive()),
        }
    }
}

/// The next thing to do about a group.
pub type GroupStep = Step<Group>;

/// One request about a group.
pub type GroupOperation = Operation<Group>;

/// How things stand with a group.
pub type GroupVerdict = Verdict<Group>;

/// Groups.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Group;

impl ResourceType for Group {
    type State = GroupState;
    type Change = Change;
    type Details = GroupDetails;

    const RESOURCE: &str = "scimgroup";
    const NOUN: &str = "group";
    const ONE: &str = "a group";
    const NAME: &str = "displayName";
    const POLICIES: &str = "groups";
    const PENDING: GroupState = GroupState::Pending;
    const HELD: GroupState = GroupState::Held;
    const PLANNED: GroupState = GroupState::Planned;
    const FAILED: GroupState = GroupState::Failed;
    const DELETING: GroupState = GroupState::Deleting;

    fn removes(change: &Change) -> bool {
        !change.removed.is_empty()
    }

    fn parts(attributes: &[Path], change: &Change) -> BTreeSet<String> {
        if change == &Change::default() {
            return attributes.iter().map(Path::to_string).collect();
        }
        change.parts().collect()
    }
}

/// What a verdict says of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupDetails {
    /// The group's name at the server.
    pub display_name: Option<String>,
    /// The members, counted.
    pub members: Option<MembersStatus>,
    /// Some of those that are waited for.
    pub waiting_for: Vec<String>,
    /// What was changed at the server.
    pub drift: Option<GroupDrift>,
    /// Attributes and members that are owed and not sent, for the server refuses them or doesn't keep them.
    pub refused: Vec<String>,
    /// It is looked at again at once: what was found is shown, and is now to be repaired.
    pub again: bool,
    /// It is looked at again after this long, whatever happens.
    pub again_after: Option<SignedDuration>,
}

/// Whether the server shows nobody who is in its groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HiddenMembers {
    /// It shows somebody, or a person has set otherwise.
    #[default]
    None,
    /// It showed nobody so far, though somebody was put in.
    Possible,
    /// That was learnt: who is in is known from our own record.
    Learnt,
}
