//! Everything that a decision about a group rests on, and the decision itself.

use std::collections::BTreeSet;
use std::ops::Bound;

use kube::ResourceExt;

use super::GroupPass;
use super::plan::LOOKED_AT;
use crate::api::{ClaimedGroup, GroupDrift, OperationType, Reason, RemoteId};
use crate::directory::{Unfollowed, full_name, has_finalizer};
use crate::plan::groups::{
    GroupFacts, GroupObject, GroupStep, HiddenMembers, KeptMembers, Members, Membership, NameSent, RejectedParts,
    Unfound, decide_group,
};
use crate::plan::{Account, ClaimedName, Claims, Creations, Delegated};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::mirror::Mirror;
use crate::scim::{ObservedQuirks, Resource};

/// What is known of a group beside its object, its pass and its membership.
struct Gathered {
    full_name: String,
    claimed: Option<ClaimedGroup>,
    released: bool,
    account: Account,
    claims: Claims,
    creations: Creations,
    elsewhere: Option<String>,
    not_its_own: Option<(Reason, String)>,
    must_be_seen: bool,
    bounded: bool,
    undelegated: bool,
    kept: KeptMembers,
    departed: BTreeSet<RemoteId>,
    unseen: BTreeSet<RemoteId>,
    resting: BTreeSet<String>,
    rejected: RejectedParts,
    unfound: Unfound,
    unfollowed: Unfollowed,
    room: Option<usize>,
    shown_partly: bool,
    hidden_members: HiddenMembers,
    seen: ObservedQuirks,
    shows_members: bool,
    never_empty: bool,
    unsupported: Option<String>,
    drift: Option<GroupDrift>,
    name_sent: Option<NameSent>,
    contested: bool,
    now: jiff::Timestamp,
}

impl<E: Effects> Provisioner<E> {
    /// The plan for a group as everything stands now.
    pub(super) fn plan_group(&self, pass: &GroupPass) -> GroupStep {
        let gathered = self.gather(pass);
        let decide = |members: &mut Membership| decide_group(&gathered.facts(pass, members));
        self.directory.membership(&pass.uid(), decide).unwrap_or_else(|| GroupStep::Settle(Box::default()))
    }

    fn gather(&self, pass: &GroupPass) -> Gathered {
        let (uid, policy) = (pass.uid(), &pass.session.policy);
        let account = pass.account.clone().unwrap_or_else(|| self.known_group(pass));
        let found = match &account {
            Account::Found { resource, .. } => Some(resource),
            _ => None,
        };
        let shown = found.and_then(Resource::display_name);
        let claims = self.claims_on(pass, found.and_then(Resource::id));
        let mut unfollowed = self.directory.unfollowed(&uid);
        unfollowed.foreign.splice(0..0, self.refuses_group(&pass.object));
        let departed = self.directory.departed(&uid);
        let mut kept = self.kept_members(pass, &departed);
        self.let_back_in(pass, &mut kept);
        let delegated = self.delegated_to(&pass.object);
        let (seen, never_empty, unsupported) =
            self.mirror.groups.look(|known| (known.shows_members, known.never_empty, known.unsupported.clone()));
        let most = policy.profile.members_an_hour.and_then(|most| usize::try_from(most).ok());
        Gathered {
            full_name: full_name(&pass.object),
            claimed: self.claimed_group(&pass.object),
            released: self.is_released(),
            claims,
            creations: self.creations(pass),
            elsewhere: self.group_elsewhere(pass),
            not_its_own: self.not_its_own(pass, shown).filter(|_| shown.is_some()),
            must_be_seen: shown.is_none() && (self.not_its_own(pass, None).is_some() || delegated != Delegated::Whole),
            bounded: delegated.is_bounded(),
            undelegated: shown.is_some_and(|shown| delegated.refuses_group(shown, [], false).is_some()),
            account,
            kept,
            departed,
            unseen: self.unseen_members(pass),
            resting: self.resting(pass),
            rejected: self.rejected_parts(pass),
            unfound: self.unfound(pass),
            unfollowed,
            room: most.map(|most| self.group_notes.room(&uid, most, self.effects.instant())),
            shown_partly: pass.bound_id().is_some_and(|id| self.is_shown_partly(id)),
            hidden_members: self.hidden_members(pass),
            seen: pass.session.seen.look(|seen| *seen),
            shows_members: seen || self.is_made_empty(pass),
            never_empty,
            unsupported,
            drift: self.group_notes.drift(&uid),
            name_sent: self.group_notes.name(&uid),
            contested: self.is_contested(pass),
            now: self.effects.now(),
        }
    }

    /// Made by us, and nobody was put in since.
    fn is_made_empty(&self, pass: &GroupPass) -> bool {
        let recorded = pass.object.status.as_ref().and_then(|status| status.last_operation.as_ref());
        let last = pass.log.last.as_ref().map(|last| last.operation).or(recorded.map(|last| last.type_));
        let empty = || self.directory.membership(&pass.uid(), |members| members.here().next().is_none()) == Some(true);
        last == Some(OperationType::Create) && empty()
    }

    /// What others claim of the group; none is looked for where it is bound to this object and has the declared name.
    fn claims_on(&self, pass: &GroupPass, found: Option<&str>) -> Claims {
        let id = pass.status.id.as_deref();
        let own = id.is_some() && (found.is_none() || found == id);
        let named = pass.status.display_name.as_ref() == Some(&pass.object.spec.display_name);
        if own && named && !pass.is_deleting() {
            return Claims::default();
        }
        self.directory.group_claims(&pass.object, &pass.session.policy.server, found)
    }

    /// Of those who are to be put in, whose account the server's last complete listing didn't show: its id may be an old
    /// one by now. As many as the next request has to know of.
    fn unseen_members(&self, pass: &GroupPass) -> BTreeSet<RemoteId> {
        let server = pass.server();
        let most = pass.session.policy.profile.members_at_once();
        let (mut unseen, mut seen, mut last) = (BTreeSet::new(), 0, Bound::Unbounded);
        let doubted = self.doubts_ids(pass);
        while seen < most {
            let some: Option<Vec<RemoteId>> = self.directory.membership(&pass.uid(), |members| {
                members.missing().range((last.clone(), Bound::Unbounded)).take(LOOKED_AT).cloned().collect()
            });
            let Some(some) = some.filter(|some| !some.is_empty()) else { break };
            last = some.last().cloned().map_or(Bound::Unbounded, Bound::Excluded);
            let hidden = self.mirror.users.look_in(pass.session.epoch, |known| {
                let hidden =
                    some.iter().filter(|id| (doubted || !known.shows(id.as_str())) && !pass.own.sent.contains(*id));
                (doubted || known.is_complete()).then(|| hidden.cloned().collect::<Vec<RemoteId>>())
            });
            let Some(hidden) = hidden.flatten() else { break };
            // Groups and what is named by its id aren't listed among the accounts.
            let old = |id: &RemoteId| self.directory.bound_to(&self.key, server, id).is_some();
            let before = unseen.len();
            unseen.extend(hidden.into_iter().filter(old));
            seen += some.len() - (unseen.len() - before);
        }
        unseen
    }

    /// Another group than the bound one that has its displayName, declared or recorded.
    fn group_elsewhere(&self, pass: &GroupPass) -> Option<String> {
        let status = &pass.status;
        let id = pass.bound_id()?;
        // Nobody asks where the names agree, as they nearly always do.
        let declared = pass.object.spec.display_name.as_str();
        self.mirror.groups.look(|known| {
            let shown = known.name_of(id);
            let names = [Some(declared), status.display_name.as_deref()];
            let mut names = names.into_iter().flatten().filter(|_| shown != Some(declared));
            names.find_map(|name| known.namesake_of(id, name)).map(str::to_owned)
        })
    }

    /// What is known without asking the server.
    fn known_group(&self, pass: &GroupPass) -> Account {
        let known = self.mirror.groups.look_in(pass.session.epoch, |known| {
            match (pass.bound_id(), pass.object.remote_id()) {
                (Some(id), _) | (None, Some(id)) => known.by_id(id),
                // What a lost creation made may have another name by now than the one declared: the server is asked.
                (None, None) if self.unrecorded_group(pass).is_some() => Account::Unknown,
                (None, None) => known.by_name(&pass.object.spec.display_name),
            }
        });
        known.unwrap_or(Account::Unknown)
    }
}

impl Gathered {
    fn facts<'a>(&'a self, pass: &'a GroupPass, membership: &'a Membership) -> GroupFacts<'a> {
        GroupFacts {
            object: self.object(pass),
            policy: &pass.session.policy,
            group: self.account.clone(),
            claims: self.claims.clone(),
            creations: self.creations.clone(),
            elsewhere: self.elsewhere.clone(),
            not_its_own: self.not_its_own.clone(),
            must_be_seen: self.must_be_seen,
            bounded: self.bounded,
            undelegated: self.undelegated,
            members: Members {
                membership,
                kept: &self.kept,
                departed: &self.departed,
                unseen: &self.unseen,
                sent: &pass.own.sent,
                resting: &self.resting,
                rejected: &self.rejected,
                room: self.room,
                unfound: &self.unfound,
                foreign: &self.unfollowed.foreign,
                waiting_for: &self.unfollowed.waiting,
                absent: &self.unfollowed.absent,
            },
            written: pass.own.written,
            removals_wait: pass.own.removals.is_some(),
            apart: pass.own.apart,
            whole: pass.own.whole.as_ref(),
            shown_partly: self.shown_partly,
            hidden_members: self.hidden_members,
            seen: self.seen,
            shows_members: self.shows_members,
            never_empty: self.never_empty,
            split: &pass.split,
            drift: self.drift.as_ref(),
            contested: self.contested,
            name_sent: self.name_sent.as_ref(),
            unsupported: self.unsupported.as_deref(),
            now: self.now,
        }
    }

    fn object<'a>(&'a self, pass: &'a GroupPass) -> GroupObject<'a> {
        let object = &pass.object;
        let claimed = self.claimed.as_ref().map(|known| {
            ClaimedName::new(&known.display_name, known.server.as_deref(), known.uid.is_some())
                .with_external_id(known.external_id.as_deref())
        });
        GroupObject {
            full_name: &self.full_name,
            spec: &object.spec,
            status: &pass.status,
            generation: object.metadata.generation.unwrap_or_default(),
            created: object.creation_timestamp().map(|made| made.0),
            deleting: pass.is_deleting(),
            has_finalizer: has_finalizer(object),
            claimed,
            release: object.wants_release() || self.released,
            remote_id: object.remote_id(),
            requested: pass.log.answered.is_some(),
        }
    }
}
