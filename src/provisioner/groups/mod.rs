//! Groups: what is special to them, for the engine. One write is in flight a group.

mod admission;
mod already;
mod asked;
mod awaited;
mod carried;
mod claims;
mod departure;
mod facts;
mod followed;
mod hidden;
mod identities;
mod inactive;
mod kind;
mod left;
mod losses;
mod member_rate;
mod members;
mod named;
mod naming;
pub(super) mod notes;
mod partly;
mod plan;
mod probe;
mod rejected;
mod requests;
mod served;
mod shown;
mod sweep;
mod whole;
mod writeback;

use std::collections::BTreeSet;
use std::time::Duration;

use super::Provisioner;
use super::effects::Effects;
use super::engine::{Pass, Stop};
use crate::api::{GroupState, GroupsStatus, RemoteId, ScimGroup, Uid};
use crate::directory::is_deleting;
use crate::plan::groups::{Group, GroupVerdict};
use crate::provisioner::connection::gauges::lane_name;
use crate::provisioner::schedule::queue::{Lane, Outcome};
use crate::scim::Resource;
use crate::status::{is_true, ready};

/// While members are still to come, those that came meanwhile are gathered for so long.
const GATHER: Duration = Duration::from_secs(2);

/// A pass over a group.
pub type GroupPass = Pass<Group>;

/// How it ends before its plan does.
pub type GroupStop = Stop<Group>;

/// What a pass gathers about a group.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Members put in or taken out.
    pub sent: BTreeSet<RemoteId>,
    /// Of them, those taken out.
    pub taken_out: BTreeSet<RemoteId>,
    /// Members who aren't put in, because that can't be recorded.
    pub unrecorded: BTreeSet<RemoteId>,
    /// Members whose accounts were asked for.
    pub looked_at: BTreeSet<RemoteId>,
    /// How many were looked for by userName.
    pub looked_for: usize,
    /// The group as it was read last, where groups are replaced whole.
    pub whole: Option<Resource>,
    /// A version had changed, and the group was read again.
    pub read_again: bool,
    /// Attributes were written.
    pub written: bool,
    /// A request that removed and added was refused: what is removed goes by itself.
    pub apart: bool,
    /// It was read who is in the group.
    pub looked: bool,
    /// A request took out others than those whom it named, who are put in again by replacing the group.
    pub lost: bool,
    /// A removal by a path with a filter was refused, or changed nothing, in these words: the group is replaced whole.
    pub by_path: Option<String>,
    /// Removals wait for admission, and so the pass ends with this.
    pub removals: Option<(Box<GroupVerdict>, Outcome)>,
}

impl<E: Effects> Provisioner<E> {
    /// A group is to be looked at.
    pub fn submit_group(&self, group: &ScimGroup, fresh: bool) {
        let Some(uid) = Uid::given(&group.metadata) else { return };
        let lane = self.lane_of_group(group);
        self.surroundings.metrics.submitted(&self.key.to_string(), lane_name(lane));
        let now = self.effects.instant();
        // Whatever the group waits for, whoever is dropped meanwhile doesn't (promise I18).
        if !fresh && self.directory.membership(&uid, |members| members.has_new_extra()) == Some(true) {
            return self.schedule.resume(&uid, lane, now);
        }
        self.schedule.submit(&uid, lane, fresh, now);
    }

    /// What a group waited for has come.
    pub(super) fn resume_group(&self, group: &ScimGroup) {
        self.schedule.resume(&Uid::of(&group.metadata), self.lane_of_group(group), self.effects.instant());
    }

    /// Members who leave lose access: that comes first, as removals do.
    fn lane_of_group(&self, group: &ScimGroup) -> Lane {
        let uid = Uid::of(&group.metadata);
        let status = group.status.as_ref();
        let leave = self.directory.membership(&uid, |members| !members.extra().is_empty()).unwrap_or(false);
        if is_deleting(group) || leave {
            Lane::Removal
        } else if status.and_then(|status| status.id.as_ref()).is_none() {
            Lane::Create
        } else {
            Lane::Change
        }
    }

    /// A server that takes so many members an hour has room again.
    fn outcome_of_member_rate(&self, pass: &GroupPass) -> Outcome {
        let wait = self.group_notes.wait(&pass.uid(), self.effects.instant());
        Outcome::After(wait.max(GATHER))
    }

    /// The groups of the connection, counted; none where there are none.
    pub(super) fn count_groups(&self) -> Option<GroupsStatus> {
        let mut groups = GroupsStatus::default();
        for group in self.directory.groups_of(&self.key) {
            groups.declared += 1;
            let status = group.status.as_ref();
            let conditions = status.and_then(|status| status.conditions.as_deref());
            let ready = ready(conditions).map(|ready| ready.status.as_str());
            let current = status.and_then(|status| status.observed_generation) == group.metadata.generation;
            match (ready, status.and_then(|status| status.state)) {
                (_, Some(GroupState::Held | GroupState::Planned)) => groups.held += 1,
                (Some("True"), _) if current => groups.synced += 1,
                (_, Some(GroupState::Failed | GroupState::DeletedAtServer)) => groups.failed += 1,
                _ if is_true(conditions, "Stalled") => groups.failed += 1,
                _ => groups.pending += 1,
            }
        }
        (groups.declared > 0).then_some(groups)
    }
}
