//! Guards and holds as the connection's status shows them.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::{GuardStatus, HoldStatus};
use crate::plan::guards::{GuardName, GuardView, HoldReason, HoldView};
use crate::provisioner::Provisioner;
use crate::provisioner::connection::state::ConnectionState;
use crate::provisioner::effects::Effects;
use crate::provisioner::engine::guards::Overview;
use crate::provisioner::engine::sizes;
use crate::status::{buckets, fresh_condition, set_condition, unset_condition, whole_seconds};

/// What the gate says, in the words of the API.
pub(in crate::provisioner) struct Guarded {
    pub holds: Vec<HoldStatus>,
    pub guards: Vec<GuardStatus>,
    pub spent: Vec<String>,
    pub refused: Vec<String>,
    /// The reason and message of Holding, while it is true.
    pub holding: Option<(&'static str, String)>,
    /// How many removals still go.
    pub removals_room: u64,
    /// The revision of the ledgers.
    pub revision: u64,
}

impl<E: Effects> Provisioner<E> {
    pub(in crate::provisioner) fn guarded(&self, now: Timestamp) -> Guarded {
        let Overview { holds, usage, spent, refused, revision } =
            self.guards.overview(now, |gate| self.base(gate, now));
        let removals = usage.iter().find(|guard| guard.name == GuardName::Removals);
        Guarded {
            holding: self.holding(&holds),
            removals_room: removals.map_or(u64::MAX, |guard| guard.limit.saturating_sub(guard.used)),
            holds: holds.iter().map(|hold| self.hold_status(hold)).collect(),
            guards: usage.iter().map(guard_status).collect(),
            spent,
            refused,
            revision,
        }
    }

    fn hold_status(&self, hold: &HoldView) -> HoldStatus {
        let mut sample: Vec<String> = hold.sample.iter().filter_map(|uid| self.name_of(uid)).collect();
        sample.sort_unstable();
        HoldStatus {
            id: hold.id.clone(),
            reason: hold.reason(),
            since: Time(whole_seconds(hold.since)),
            creates: number(hold.creates),
            updates: number(hold.updates),
            deactivations: number(hold.deactivations),
            deletes: number(hold.deletes),
            memberships: number(hold.memberships),
            sample,
        }
    }

    fn holding(&self, holds: &[HoldView]) -> Option<(&'static str, String)> {
        let first = holds.first()?;
        let reason = match first.reasons.last() {
            Some(HoldReason::Plan) => "Planned",
            Some(HoldReason::NewServer) => "NewServer",
            Some(HoldReason::Undelegated) => "Undelegated",
            _ => "Held",
        };
        let closed = holds.iter().filter_map(|hold| Some((hold.id.as_deref()?, hold)));
        let mut parts: Vec<String> = closed.map(|(id, hold)| format!("{} ({id})", sizes(hold))).collect();
        let open = holds.len() - parts.len();
        if open > 0 {
            parts.push(format!("{open} more still gathering"));
        }
        let spec = &self.connection().spec;
        for (field, answered) in [("approvedHold", &spec.approved_hold), ("rejectedHold", &spec.rejected_hold)] {
            let known = |id: &String| holds.iter().any(|hold| hold.id.as_ref() == Some(id));
            if let Some(id) = answered.as_ref().filter(|id| !known(id)) {
                parts.push(format!("spec.{field} refers to an unknown hold, {id}"));
            }
        }
        let commands = match holds.iter().find_map(|hold| hold.id.as_deref()) {
            Some(id) => {
                self.ways_out(Some(id), None, 0).split_once(". ").map_or(String::new(), |(_, ways)| ways.to_owned())
            }
            None => "each gets its id when it closes".to_owned(),
        };
        Some((reason, format!("held: {}. {commands}", parts.join("; "))))
    }
}

impl ConnectionState {
    /// Holding, while something is held.
    pub(in crate::provisioner) fn holding(
        &mut self,
        generation: i64,
        holding: Option<&(&'static str, String)>,
        now: Timestamp,
    ) {
        match holding {
            Some((reason, message)) => {
                let condition = fresh_condition("Holding", "True", reason, message, generation, now);
                set_condition(&mut self.conditions, condition);
            }
            None => unset_condition(&mut self.conditions, "Holding"),
        }
    }
}

fn guard_status(guard: &GuardView) -> GuardStatus {
    GuardStatus {
        name: guard.name.as_str().to_owned(),
        base: number(guard.base),
        limit: number(guard.limit),
        used: number(guard.used),
        buckets: buckets(&guard.buckets),
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
