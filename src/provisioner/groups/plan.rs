//! What a plan for a group rests on: the object, its members, what is known of the server, and the plan itself.

use std::collections::BTreeSet;
use std::ops::Bound;

use jiff::SignedDuration;
use kube::ResourceExt;

use super::super::Provisioner;
use super::super::effects::Effects;
use super::GroupPass;
use super::shown::drift_of_members;
use crate::api::{ClaimedGroup, GroupDrift, OperationType, Reason, RemoteId, ScimGroup};
use crate::directory::{Unfollowed, full_name, has_finalizer};
use crate::plan::groups::{GroupFacts, GroupObject, GroupStep, Members, Source, decide_group};
use crate::plan::{Account, ClaimedName, Claims, Delegated};
use crate::provisioner::mirror::Mirror;
use crate::scim::MembersReadable as Readable;
use crate::status::ledger;

/// Members are looked at this many at a time, so that nobody waits for the directory meanwhile.
pub(super) const LOOKED_AT: usize = 256;

impl<E: Effects> Provisioner<E> {
    /// The ids of all accounts that the server is known to have.
    pub(super) fn listed_accounts(&self) -> Vec<RemoteId> {
        self.mirror.users.look(|known| known.accounts().map(|(id, ..)| id.into()).collect())
    }

    /// A pass over a group begins.
    pub(super) async fn begin_group(&self, pass: &mut GroupPass) {
        self.prepare(pass);
        // What was rejected of some members keeps nobody else in.
        pass.own.apart |= self.guards.rejects_members(&pass.uid());
        self.note_dropped(pass);
        self.reads_name_again(pass);
        self.flush_record(pass).await;
    }

    /// What the profile says of members, and who is known by name alone, come into the directory.
    pub(super) fn prepare(&self, pass: &GroupPass) {
        let uid = pass.uid();
        let additive = pass.object.spec.membership == crate::api::Membership::Additive;
        let source = match pass.session.policy.profile.members_readable {
            _ if pass.bound_id().is_some_and(|id| self.is_shown_partly(id)) => Source::Ledger,
            Readable::No | Readable::Probe => Source::Ledger,
            _ if additive => Source::Additive,
            _ => Source::Exact,
        };
        let directory = &self.directory;
        let before = self
            .effects
            .now()
            .checked_sub(SignedDuration::try_from(self.connection().spec.resync_interval.std()).unwrap_or_default())
            .unwrap_or_default();
        let known = pass.bound_id().is_some_and(|id| self.knows_who_is_in(id));
        let owned = pass.status.owned_members.as_deref();
        let unseen = owned.is_some() && source == Source::Ledger;
        let accounts = if unseen { self.listed_accounts() } else { Vec::new() };
        let made_with_members = pass.status.id.is_none() && self.mirror.groups.look(|known| known.never_empty);
        directory.membership(&uid, |members| {
            members.set_source(source);
            // Whoever is to be in a group that isn't there yet comes with it.
            if made_with_members && !members.is_known() {
                members.begin_empty();
            }
            if known {
                members.know_dropped(owned, accounts);
            } else {
                members.know_owned(owned, accounts);
            }
            members.expire(before);
            if self.repairs_members(pass) {
                members.repair();
            }
        });
        self.resolve_names(pass);
        if !self.repairs_members(pass) {
            self.know_what_is_left(pass);
        }
        let ledger = ledger(pass.status.removals.iter().flatten());
        self.guards.know_group(&uid, ledger, self.effects.now());
    }

    /// What others changed and is left so: as long as it differs from what is declared, and over a restart (promise I30).
    pub(super) fn know_what_is_left(&self, pass: &GroupPass) {
        let uid = pass.uid();
        let left = self.directory.membership(&uid, |members| members.is_shown().then(|| members.left())).flatten();
        match (left, &pass.status.drift) {
            (Some((0, 0)), _) => _ = self.group_notes.mended(&uid),
            (Some((lost, foreign)), _) => self.group_notes.drifted(&uid, drift_of_members(lost, foreign)),
            (None, Some(recorded)) if recorded.lost > 0 || recorded.foreign > 0 => {
                self.group_notes.had_drifted(&uid, GroupDrift { attributes: Vec::new(), ..recorded.clone() });
            }
            (None, _) => {}
        }
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

    /// The plan for a group as everything stands now.
    pub(super) fn plan_group(&self, pass: &GroupPass) -> GroupStep {
        let uid = pass.uid();
        let policy = &pass.session.policy;
        let account = pass.account.clone().unwrap_or_else(|| self.known_group(pass));
        let found = match &account {
            Account::Found { resource, .. } => resource.id().map(str::to_owned),
            _ => None,
        };
        let claims = self.claims_on(pass, found.as_deref());
        let Unfollowed { waiting: waiting_for, mut foreign, absent } = self.directory.unfollowed(&uid);
        foreign.splice(0..0, self.refuses_group(&pass.object));
        let departed = self.directory.departed(&uid);
        let mut kept = self.kept_members(pass, &departed);
        self.let_back_in(pass, &mut kept);
        let shown = match &account {
            Account::Found { resource, .. } => resource.display_name(),
            _ => None,
        };
        let delegated = self.delegated_to(&pass.object);
        let not_its_own = self.not_its_own(pass, shown).filter(|_| shown.is_some());
        let must_be_seen = shown.is_none() && (self.not_its_own(pass, None).is_some() || delegated != Delegated::Whole);
        let recorded = pass.object.status.as_ref().and_then(|status| status.last_operation.as_ref());
        let last = pass.log.last.as_ref().map(|last| last.operation).or(recorded.map(|last| last.type_));
        // Made by us, and nobody was put in since.
        let empty = || self.directory.membership(&uid, |members| members.here().next().is_none()) == Some(true);
        let made = last == Some(OperationType::Create) && empty();
        let (seen, never_empty, unsupported) =
            self.mirror.groups.look(|known| (known.shows_members, known.never_empty, known.unsupported.clone()));
        let shows_members = made || seen;
        let most = policy.profile.members_an_hour.and_then(|most| usize::try_from(most).ok());
        let room = most.map(|most| self.group_notes.room(&uid, most, self.effects.instant()));
        let drift = self.group_notes.drift(&uid);
        let (name, claimed) = (full_name(&pass.object), self.claimed_group(&pass.object));
        let now = self.effects.now();
        let (creations, elsewhere) = (self.creations(pass), self.group_elsewhere(pass));
        let (unseen, resting) = (self.unseen_members(pass), self.resting(pass));
        let rejected = self.rejected_parts(pass);
        let hidden_members = self.hidden_members(pass);
        let unfound = self.unfound(pass);
        let (contested, name_sent) = (self.is_contested(pass), self.group_notes.name(&uid));
        let step = self.directory.membership(&uid, |membership| {
            decide_group(&GroupFacts {
                object: GroupObject {
                    full_name: &name,
                    spec: &pass.object.spec,
                    status: &pass.status,
                    generation: pass.object.metadata.generation.unwrap_or_default(),
                    created: pass.object.creation_timestamp().map(|made| made.0),
                    deleting: pass.is_deleting(),
                    has_finalizer: has_finalizer(&pass.object),
                    claimed: claimed.as_ref().map(|known| {
                        ClaimedName::new(&known.display_name, known.server.as_deref(), known.uid.is_some())
                            .with_external_id(known.external_id.as_deref())
                    }),
                    release: pass.object.wants_release() || self.is_released(),
                    remote_id: pass.object.remote_id(),
                    requested: pass.log.answered.is_some(),
                },
                policy,
                group: account.clone(),
                claims,
                creations,
                elsewhere,
                not_its_own,
                must_be_seen,
                bounded: delegated.is_bounded(),
                undelegated: shown.is_some_and(|shown| delegated.refuses_group(shown, [], false).is_some()),
                members: Members {
                    membership,
                    kept: &kept,
                    departed: &departed,
                    unseen: &unseen,
                    sent: &pass.own.sent,
                    resting: &resting,
                    rejected: &rejected,
                    room,
                    unfound: &unfound,
                    foreign: &foreign,
                    waiting_for: &waiting_for,
                    absent: &absent,
                },
                written: pass.own.written,
                removals_wait: pass.own.removals.is_some(),
                apart: pass.own.apart,
                whole: pass.own.whole.as_ref(),
                shown_partly: pass.bound_id().is_some_and(|id| self.is_shown_partly(id)),
                hidden_members,
                seen: pass.session.seen.look(|seen| *seen),
                shows_members,
                never_empty,
                split: &pass.split,
                drift: drift.as_ref(),
                contested,
                name_sent: name_sent.as_ref(),
                unsupported: unsupported.as_deref(),
                now,
            })
        });
        step.unwrap_or_else(|| GroupStep::Settle(Box::default()))
    }

    /// Of those who are to be put in, whose account the server's last complete listing didn't show: its id may be an old
    /// one by now. As many as the next request has to know of.
    fn unseen_members(&self, pass: &GroupPass) -> BTreeSet<RemoteId> {
        let server = pass.server();
        let most = usize::try_from(pass.session.policy.profile.max_members_per_patch).unwrap_or(100).max(1);
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
        let id = status.id.as_deref().filter(|_| status.bound_to.as_deref() == Some(pass.server()))?;
        // Nobody asks where the names agree, as they nearly always do.
        let declared = pass.object.spec.display_name.as_str();
        self.mirror.groups.look(|known| {
            let shown = known.name_of(id);
            let names = [Some(declared), status.display_name.as_deref()];
            let mut names = names.into_iter().flatten().filter(|_| shown != Some(declared));
            names.find_map(|name| known.namesake_of(id, name)).map(str::to_owned)
        })
    }

    /// Why the group may not be served through a cluster connection (promise I26).
    fn refuses_group(&self, group: &ScimGroup) -> Option<String> {
        let delegated = self.delegated_to(group);
        let members = || group.spec.members.iter().flatten();
        let raw = group.remote_id().is_some() || members().any(|member| member.id.is_some());
        let names = members().filter_map(|member| member.user_name.as_deref());
        delegated.refuses_group(&group.spec.display_name, names, raw)
    }

    /// What the object claims, as far as its namespace may: anybody there could have written it (promise I26).
    pub(super) fn claimed_group(&self, group: &ScimGroup) -> Option<ClaimedGroup> {
        let delegated = self.delegated_to(group);
        group.claimed_group().filter(|claimed| delegated.refuses_group(&claimed.display_name, [], false).is_none())
    }

    /// The group that a creation was sent for, or that was being taken, without a record of what came of it.
    pub(super) fn unrecorded_group(&self, pass: &GroupPass) -> Option<ClaimedGroup> {
        let unrecorded = pass.status.id.is_none() && has_finalizer(&pass.object);
        self.claimed_group(&pass.object).filter(|claimed| unrecorded && claimed.may_be_at(pass.server()))
    }

    /// Why the group that status names isn't to be written to: another object is recorded as bound to it, or it has a name
    /// that the namespace may not have.
    fn not_its_own(&self, pass: &GroupPass, shown: Option<&str>) -> Option<(Reason, String)> {
        let id = pass.status.id.as_deref()?;
        // Before anything is told of others.
        let delegated = self.delegated_to(&pass.object);
        let refused = shown.and_then(|shown| delegated.refuses_group(shown, [], false));
        if let Some(refused) = refused.filter(|_| !Self::may_be_removed(pass, shown)) {
            return Some((Reason::NotAllowed, format!("the group that was found is left alone: {refused}")));
        }
        let rival = self.directory.rival_of_group(&pass.object, &id.into(), pass.server(), shown);
        rival.map(|rival| {
            let message = format!(
                "{rival} is recorded as bound to this group ({id}), too, and nothing is written before one of the two is \
                 deleted; status.id is the operator's record, and never to be written by others"
            );
            (Reason::Conflict, message)
        })
    }

    /// Under deletion, and as it was when it was served last: it may have been delegated then, and a person decides.
    fn may_be_removed(pass: &GroupPass, shown: Option<&str>) -> bool {
        pass.is_deleting() && shown.is_some() && shown == pass.status.display_name.as_deref()
    }

    /// What is known without asking the server.
    fn known_group(&self, pass: &GroupPass) -> Account {
        let bound = pass.status.id.as_deref();
        let here = pass.status.bound_to.as_deref() == Some(pass.server());
        let known = self.mirror.groups.look_in(pass.session.epoch, |known| {
            match (bound.filter(|_| here), pass.object.remote_id()) {
                (Some(id), _) | (None, Some(id)) => known.by_id(id),
                // What a lost creation made may have another name by now than the one declared: the server is asked.
                (None, None) if self.unrecorded_group(pass).is_some() => Account::Unknown,
                (None, None) => known.by_name(&pass.object.spec.display_name),
            }
        });
        known.unwrap_or(Account::Unknown)
    }
}
