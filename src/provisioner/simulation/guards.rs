//! No guard lets more through than its limit.

use super::cluster::is_of_second;
use super::outside::Outside;
use crate::api::{Mode, OperationType, Uid};
use crate::plan::guards::{Admission, Candidate, GuardName};
use crate::provisioner::connection::session::guard_settings;

impl Outside {
    /// No guard lets more through than its limit, but what a person let go.
    pub fn check_admission(&mut self, candidate: &Candidate, hold: Option<&str>, admission: &Admission) {
        let (uid, generation) = (candidate.uid.clone(), candidate.generation);
        let (kind, guard) = (candidate.operation, candidate.guard);
        // Each change of members is another operation.
        let members = match guard {
            Some(GuardName::Memberships) => candidate.attributes.join(" "),
            _ => String::new(),
        };
        self.observed.admitted.remove(&uid);
        if self.cluster.objects.get(&uid).is_some_and(is_of_second) {
            self.observed.held.remove(&uid);
            return;
        }
        match admission {
            Admission::Go => {}
            Admission::Held { .. } => {
                self.observed.held.insert(uid, Some((generation, guard, members)));
                return;
            }
            Admission::Rejected { .. } => {
                self.book.refused.insert((uid.clone(), generation));
                self.observed.held.remove(&uid);
                return;
            }
            Admission::RemoveFinalizer => {
                self.book.rejected.insert(uid.clone());
                self.excuse(&uid, None);
                self.observed.held.remove(&uid);
                return;
            }
            _ => {
                self.observed.held.remove(&uid);
                return;
            }
        }
        let key = self.operation_key(&uid, generation, kind);
        let spec = &self.cluster.connection.spec;
        let (plan, approved) = (spec.mode == Mode::Plan, spec.approved_hold.clone());
        // After a restart an approval is still known by the hold that the object's status names.
        let named = hold.is_some() && approved.as_deref() == hold;
        let known = self.observed.held.remove(&uid);
        let was_held = named || known.is_some_and(|of| of.is_none_or(|of| of == (generation, guard, members)));
        if was_held && (guard.is_some() || plan || candidate.moved) {
            if approved.is_none() {
                self.complain(format!("i13: {key} was held and went without an approval"));
            }
            self.book.approved.insert(key);
            return;
        }
        if self.book.approved.contains(&key) {
            return;
        }
        if candidate.moved {
            self.complain(format!("i06: {key} goes to another server without an approval"));
        }
        if plan {
            self.complain(format!("i13: {key} went under mode: Plan"));
        }
        if let Some(guard) = guard {
            self.observed.admitted.insert(uid, (guard, self.now, key));
        }
    }

    /// Names an operation of an object, and no other one before or after it.
    fn operation_key(&self, uid: &Uid, generation: i64, kind: OperationType) -> String {
        let done = self.book.done.get(uid).copied().unwrap_or_default();
        format!("{uid} {generation} {kind:?} {done}")
    }

    /// A person let this operation go, whatever a guard would say.
    pub fn is_approved(&self, uid: &Uid, generation: Option<i64>, kind: OperationType) -> bool {
        self.book.approved.contains(&self.operation_key(uid, generation.unwrap_or_default(), kind))
    }

    /// What was admitted is sent: no window has more of it than the limit.
    pub fn count(&mut self, guard: GuardName, at: i64, key: &str) {
        let window = i64::try_from(self.setup.window * 1000).unwrap_or(i64::MAX);
        let admitted = self.book.admitted.entry(guard).or_default();
        admitted.retain(|(_, known)| known != key);
        admitted.push((at, key.to_owned()));
        let within = |end: i64| admitted.iter().filter(|(at, _)| *at > end - window && *at <= end).count();
        let gone = admitted.iter().map(|(end, _)| within(*end)).max().unwrap_or_default();
        let settings = guard_settings(&self.cluster.connection.spec);
        let limit = settings.limits.get(&guard).map_or(u64::MAX, |limit| limit.of(0));
        if gone as u64 > limit {
            self.complain(format!("i13: {gone} {} within a window that allows {limit}", guard.as_str()));
        }
    }
}
