//! Memberships at a server that shows no members and tells of one: our record is verified, some of it by each sweep.

use std::sync::Arc;

use tracing::{debug, info};

use super::super::Provisioner;
use super::super::effects::Effects;
use super::GroupPass;
use crate::api::{RemoteId, ScimGroup, Uid};
use crate::directory::full_name;
use crate::plan::groups::Membership;
use crate::provisioner::connection::session::Session;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::scim::MembersReadable;

/// So many memberships are asked for by each sweep …
const AT_LEAST: usize = 20;

/// … or this part of them, so that each was asked for within so many sweeps: a day, at the usual interval.
const SWEEPS: usize = 50;

impl<E: Effects> Provisioner<E> {
    /// Asks of some recorded members whether they are still in; whoever isn't was taken out by others.
    pub(super) async fn probe_in_turn(&self, session: &Arc<Session>, groups: &[Arc<ScimGroup>]) {
        if session.policy.profile.members_readable != MembersReadable::Probe {
            return;
        }
        let all = self.recorded_members(session, groups);
        if all.is_empty() {
            return;
        }
        let share = AT_LEAST.max(all.len().div_ceil(SWEEPS)).min(all.len());
        let turn = self.mirror.groups.change(session.epoch, |known| known.take_probe_turn(share, all.len()));
        let Some(begin) = turn else { return };
        for (place, member) in (0..share).map(|step| &all[(begin + step) % all.len()]) {
            if !self.probe_member(session, &groups[*place], member).await {
                return;
            }
        }
    }

    /// Every group's members by our record, in an order that lasts from sweep to sweep.
    fn recorded_members(&self, session: &Session, groups: &[Arc<ScimGroup>]) -> Vec<(usize, RemoteId)> {
        let mut all = Vec::new();
        for (place, group) in groups.iter().enumerate() {
            let status = group.status.as_ref();
            if status.and_then(|status| status.bound_to.as_ref()) != Some(&session.policy.server) {
                continue;
            }
            let here = self.directory.membership(&Uid::of(&group.metadata), |members| {
                let mut here: Vec<RemoteId> = members.here().cloned().collect();
                here.sort_unstable();
                here
            });
            all.extend(here.into_iter().flatten().map(|id| (place, id)));
        }
        all
    }

    /// False where the server does not answer such questions now.
    async fn probe_member(&self, session: &Arc<Session>, group: &Arc<ScimGroup>, member: &RemoteId) -> bool {
        let uid = Uid::of(&group.metadata);
        let Some(id) = group.status.as_ref().and_then(|status| status.id.clone()) else { return true };
        // Whoever is at work on it knows better.
        if self.schedule.contains(&uid) {
            return true;
        }
        let turn = self.effects.turn(self.schedule.limiter(), RequestKind::Read, Priority::Sweep).await;
        let Some(deadline) = self.effects.deadline().filter(|_| turn) else { return false };
        let directory = &self.directory;
        let began = directory.membership(&uid, |members| members.changes());
        match self.effects.is_member(&session.client, &id, member.as_str(), deadline).await {
            Ok(true) => {}
            Ok(false) => {
                if directory.membership(&uid, |members| members.changes()) == began {
                    info!(object = %full_name(group), %member, "was taken out of the group, not by us");
                    let status = group.status.clone().unwrap_or_default();
                    let pass = GroupPass::new(Arc::clone(group), status, Arc::clone(session));
                    self.member_lost(&pass, member);
                }
            }
            Err(error) => {
                debug!(object = %full_name(group), "its members can't be asked for: {error}");
                return false;
            }
        }
        true
    }

    /// Shown as drift, and then put back or left so.
    fn member_lost(&self, pass: &GroupPass, member: &RemoteId) {
        self.prepare(pass);
        let repairs = self.repairs_members(pass);
        let lost = self.directory.membership(&pass.uid(), |members| members.lose(std::slice::from_ref(member)));
        let lost = lost.unwrap_or_default();
        if lost.is_empty() || !self.wait_for_accounts(pass, lost.clone()).is_empty() {
            return;
        }
        // A process that begins finds once more what is left so, and status counts it already (promise I30).
        let left = |members: &mut Membership| {
            members.keep_as_is(lost);
            members.left().0
        };
        let left = if repairs { None } else { self.directory.membership(&pass.uid(), left) };
        let left = left.map(|left| i64::try_from(left).unwrap_or(i64::MAX));
        self.group_notes.member_lost(&pass.uid(), left);
    }
}
