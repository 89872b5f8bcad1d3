//! The sweep of groups: listed without their members; these are read where the version changed, else in turn.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracing::debug;

use super::super::Provisioner;
use super::super::effects::Effects;
use super::GroupPass;
use crate::api::{ScimGroup, Uid};
use crate::directory::full_name;
use crate::plan::Read;
use crate::plan::groups::{GroupStep, GroupVerdict};
use crate::provisioner::connection::session::Session;
use crate::provisioner::mirror::groups::GroupMirror;
use crate::provisioner::mirror::listing::{Listed, Listing};
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::provisioner::schedule::queue::Lane;
use crate::scim::{Class, Entry, Error, Kind, MembersReadable, Page};
use crate::status::{PassLog, record_group};

/// So many groups are read in turn by each sweep, or a tenth of them.
const IN_TURN: usize = 20;

impl<E: Effects> Provisioner<E> {
    /// Looks at the groups, where an object declares any; no trouble with them is the connection's.
    pub(in super::super) async fn sweep_groups(&self, session: &Arc<Session>) {
        let groups = self.directory.groups_of(&self.key);
        if groups.is_empty() {
            return;
        }
        self.mirror.groups.change(session.epoch, |known| known.unsupported = None);
        let began = self.effects.now();
        if session.policy.profile.list_groups {
            if !self.sweep_group_list(session).await {
                return;
            }
            self.names_were_listed(&groups, began);
        }
        self.read_in_turn(session, &groups).await;
        self.probe_in_turn(session, &groups).await;
        self.look_whether_members_are_shown(session, &groups).await;
        let now = self.effects.instant();
        for group in &groups {
            let uid = Uid::of(&group.metadata);
            let owes = self.group_notes.owes_record(&uid);
            if !self.schedule.contains(&uid) && (owes || self.group_differs(session, group)) {
                debug!(object = %full_name(group), "differs");
                let lane = self.lane_of_group(group).max(Lane::Change);
                self.schedule.submit(&uid, lane, true, now);
            }
        }
    }

    /// Lists them; false where the listing counts no more, for the connection leads elsewhere or is lost.
    async fn sweep_group_list(&self, session: &Session) -> bool {
        let epoch = session.epoch;
        let known = &self.mirror.groups;
        if known.change(epoch, GroupMirror::begin).is_none() {
            return false;
        }
        let take = |page: &mut Page<Entry>, _: &Listing| {
            let resources = std::mem::take(&mut page.resources);
            known.change(epoch, |known| known.page(resources))
        };
        let listed = self.list(session, None, take, || known.look(GroupMirror::seen)).await;
        self.apply_lessons(session, session.client.lessons());
        let answered = known.change(epoch, |known| {
            known.end(matches!(listed, Ok(Listed::Complete(_))));
            known.sightings.answered()
        });
        let Some(answered) = answered else { return false };
        for group in answered.iter().filter_map(|uid| self.directory.group(uid)) {
            self.resume_group(&group);
        }
        match listed {
            Ok(Listed::Complete(_)) => self.tell_of_gap(Kind::Groups, None),
            Ok(Listed::BrokenOff) => return false,
            Ok(Listed::Incomplete(gap)) => self.tell_of_gap(Kind::Groups, Some(&gap)),
            Err(error) => self.groups_not_listed(session, &error),
        }
        true
    }

    fn groups_not_listed(&self, session: &Session, error: &Error) {
        if matches!(error.class(), Class::NotFound | Class::Unsupported) {
            self.mirror.groups.change(session.epoch, |known| known.unsupported = Some(error.to_string()));
        } else {
            self.tell_of_failed_list(Kind::Groups, error);
        }
    }

    /// Reads the groups whose version tells of a change, and some of those where no version tells anything.
    async fn read_in_turn(&self, session: &Arc<Session>, groups: &[Arc<ScimGroup>]) {
        let profile = &session.policy.profile;
        if !profile.members_readable.with_group() && profile.list_groups {
            return;
        }
        let server = &session.policy.server;
        let bound = groups.iter().filter_map(|group| {
            let id = group.status.as_ref()?.id_at(server)?;
            Some((group, id.to_owned()))
        });
        let bound: Vec<(&Arc<ScimGroup>, String)> = bound.collect();
        let mut chosen: BTreeSet<usize> = BTreeSet::new();
        let mut untold = Vec::new();
        for (place, (group, id)) in bound.iter().enumerate() {
            let known = self.directory.membership(&Uid::of(&group.metadata), |members| members.is_known());
            match self.mirror.groups.look(|known| known.unchanged(id)) {
                Some(false) if known == Some(true) => {
                    chosen.insert(place);
                }
                Some(true) => {}
                _ => untold.push(place),
            }
        }
        if !untold.is_empty() {
            let share = IN_TURN.max(bound.len() / 10).min(untold.len());
            let Some(turn) = self.mirror.groups.change(session.epoch, |known| known.take_turn(share)) else { return };
            chosen.extend((0..share).map(|step| untold[turn.wrapping_add(step) % untold.len()]));
        }
        for place in chosen {
            let (group, id) = &bound[place];
            let uid = Uid::of(&group.metadata);
            // Whoever is at work on it knows better.
            if self.schedule.contains(&uid) {
                continue;
            }
            let turn = self.effects.turn(self.schedule.limiter(), RequestKind::Read, Priority::Sweep).await;
            let Some(deadline) = self.effects.deadline().filter(|_| turn) else { return };
            let asked = profile.members_readable == MembersReadable::OnRequest;
            let began = self.directory.membership(&uid, |members| members.changes());
            let shown = match self.effects.get(&session.client, Kind::Groups, id, asked, deadline).await {
                Ok(resource) => self.with_members_asked(session, Priority::Sweep, resource).await,
                Err(error) => Err(error),
            };
            match shown {
                Ok(None) => return,
                Ok(Some(resource)) => {
                    let still = self.directory.membership(&uid, |members| members.changes()) == began;
                    let status = group.status.clone().unwrap_or_default();
                    let pass = GroupPass::new(Arc::clone(group), status, Arc::clone(session));
                    if still {
                        self.prepare(&pass);
                        let shown = (&resource, true);
                        self.find_out_whether_all_are_shown(&pass, Priority::Sweep, shown, (&[], &[])).await;
                        self.group_shown(&pass, &resource, true);
                    }
                }
                Err(error) if error.class() == Class::NotFound => {
                    // Its own pass looks again before anything is concluded.
                    self.mirror.groups.change(session.epoch, |known| known.invalidate(id));
                    self.schedule.submit(&uid, Lane::Drift, true, self.effects.instant());
                }
                Err(error) if error.is_too_large() || error.class() == Class::Rejected => {
                    debug!(object = %full_name(group), "not read: {error}");
                }
                Err(error) => {
                    debug!(object = %full_name(group), "not read: {error}");
                    return;
                }
            }
        }
    }

    fn group_differs(&self, session: &Arc<Session>, group: &Arc<ScimGroup>) -> bool {
        let Some(group) = self.directory.group(&Uid::of(&group.metadata)) else { return false };
        let status = group.status.clone().unwrap_or_default();
        let pass = GroupPass::new(Arc::clone(&group), status, Arc::clone(session));
        self.prepare(&pass);
        match self.plan_group(&pass) {
            GroupStep::Settle(verdict) if self.has_names_to_look_for(&pass, &verdict) => true,
            GroupStep::Settle(verdict) => self.is_group_news(&pass, &verdict) || pass.owes_finalizer(&verdict),
            // Who is in a group that is as declared is read in turn.
            GroupStep::Read(Read::Members(_)) => pass.status.observed_generation != group.metadata.generation,
            // What the last pass could not do, or must not, is not tried again by each sweep.
            GroupStep::Send(_) if pass.status.hold.is_some() => false,
            // Not listed, and not its turn.
            GroupStep::Read(_) => session.policy.profile.list_groups || pass.status.id.is_none(),
            _ => true,
        }
    }

    fn is_group_news(&self, pass: &GroupPass, verdict: &GroupVerdict) -> bool {
        let generation = pass.object.metadata.generation.unwrap_or_default();
        record_group(&pass.status, generation, verdict, &PassLog::default(), self.effects.now()) != pass.status
    }
}
