//! Admission: what guards, Plan mode and a change of server hold up before anything is sent (promise I13).

use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::events::EventType;
use tracing::info;

use super::{AdmissionRequest, Kind, ObjectStatus, Pass, Stop};
use crate::api::{Reason, Uid, UserHold, listed};
use crate::directory::{Object, full_name};
use crate::plan::guards::{Admission, Candidate, Event, Gate, GuardName, HoldReason, HoldView};
use crate::plan::{Binding, Departure, Named, Operation, Verdict};
use crate::provisioner::Provisioner;
use crate::provisioner::connection::state::{FirstSweep, PendingEvent};
use crate::provisioner::effects::{Effects, Note};
use crate::provisioner::schedule::queue::Outcome;

impl<E: Effects> Provisioner<E> {
    /// Asks for admission of an operation, unless it was admitted already.
    pub(super) async fn admit_operation<K: Kind>(
        &self,
        pass: &Pass<K>,
        operation: &Operation<K>,
    ) -> Result<(), Stop<K>> {
        // What was read since may show an account that the delegation doesn't admit.
        if pass.is_admitted(operation) && !operation.undelegated {
            return Ok(());
        }
        match K::admission_of(self, pass, operation) {
            Some(request) => self.admit(pass, request).await,
            None => Ok(()),
        }
    }

    /// Asks for taking over a resource, together with the write that would follow at once.
    pub(super) async fn admit_binding<K: Kind>(&self, pass: &mut Pass<K>, binding: &Binding) -> Result<(), Stop<K>> {
        let Some((request, attributes)) = K::admission_of_binding(self, pass, binding) else { return Ok(()) };
        self.admit(pass, request).await?;
        pass.admitted = attributes;
        Ok(())
    }

    /// What has to wait for admission waits before the read that only prepares it (promise I2).
    pub(super) async fn admit_write_after_read<K: Kind>(&self, pass: &mut Pass<K>) -> Result<(), Stop<K>> {
        let Some(operation) = K::write_after_read(self, pass).filter(|next| !pass.is_admitted(next)) else {
            return Ok(());
        };
        self.admit(pass, AdmissionRequest::of(&operation)).await?;
        pass.admitted = operation.attributes;
        Ok(())
    }

    /// Asks for admission; ends the pass unless it may go at once.
    pub(in crate::provisioner) async fn admit<K: Kind>(
        &self,
        pass: &Pass<K>,
        request: AdmissionRequest,
    ) -> Result<(), Stop<K>> {
        let operation = request.operation;
        let asked = candidate(pass, request);
        let (digest, guard, what) = (asked.digest(), asked.guard, subject(&asked));
        let now = self.effects.now();
        let base = |gate: &Gate| K::base(self, &pass.uid(), gate, guard, now);
        let (admission, revision) = self.guards.admit(asked.clone(), now, base);
        let hold = pass.status.hold().map(|hold| &*hold.id);
        self.effects.note(&Note::Admitted { candidate: &asked, hold, admission: &admission });
        match admission {
            Admission::Go => K::save_ledger(self, pass, guard, revision).await,
            // A moment, so that it is judged together: not worth a word in status.
            Admission::Wait(wait) => Err(Stop::With(Box::default(), Outcome::After(wait))),
            Admission::Queued(wait) => Err(Stop::With(Box::new(queued()), Outcome::After(wait))),
            Admission::RemoveFinalizer => Err(Stop::RemoveFinalizer(Box::new(Verdict {
                message: format!("its hold was rejected: the {} stays as it is", K::NOUN),
                departure: Departure::LeftAsIs,
                ..Verdict::default()
            }))),
            Admission::Rejected { id } => {
                self.decline(pass);
                let message = format!(
                    "{}{what} was held (hold {id}) and rejected; it stays undone until this object's spec changes",
                    operation.as_str()
                );
                let hold = UserHold { id, operation, digest };
                Err(Stop::With(Box::new(held(Reason::Held, message, Some(hold))), Outcome::Done))
            }
            Admission::Held { closes_in, id, count, reason } => {
                let (reason, why) = why_held(reason);
                let ways = self.ways_out(id.as_deref(), closes_in, count);
                let message = format!("{}{what} is held: {why}. {ways}", operation.as_str());
                let hold = id.map(|id| UserHold { id, operation, digest });
                let verdict = Verdict { unanswered: true, ..held(reason, message, hold) };
                Err(Stop::With(Box::new(verdict), Outcome::Done))
            }
        }
    }

    /// This was rejected, or some of it.
    pub(in crate::provisioner) fn is_rejected<K: Kind>(&self, pass: &Pass<K>, request: &AdmissionRequest) -> bool {
        self.guards.is_rejected(&candidate(pass, request.clone()))
    }

    /// Nothing is asked of the guards for the object any more.
    pub(in crate::provisioner) fn withdraw(&self, uid: &Uid) {
        self.guards.withdraw(uid);
        self.effects.note(&Note::Withdrawn { uid });
    }

    /// An access window ends in a moment: its removal takes its place in the burst, so that it is judged in time.
    pub(in crate::provisioner) fn announce<K: Kind>(&self, pass: &Pass<K>, operation: &Operation<K>) {
        let asked = candidate(pass, AdmissionRequest::of(operation));
        let (now, guard) = (self.effects.now(), asked.guard);
        // Its answer is asked for again when the window has ended.
        let _ = self.guards.admit(asked, now, |gate| K::base(self, &pass.uid(), gate, guard, now));
    }

    /// What a guard's percentage is of: accounts bound and active now, and those removed within the window;
    /// counted from our objects, never from a read.
    pub(in crate::provisioner) fn base(&self, gate: &Gate, now: Timestamp) -> u64 {
        let active = self.directory.active_of(&self.key);
        // What was let go and isn't done yet is still among the active, and counted in the ledger already.
        active.saturating_sub(gate.removing()) + gate.used(GuardName::Removals, now)
    }

    /// The ledger of the connection is written before what it counts is sent; false where it can't be now.
    pub(in crate::provisioner) async fn keep_ledger(&self, revision: u64) -> bool {
        let is_saved = || self.guards.is_saved(revision);
        if !is_saved() {
            self.report_unless(is_saved).await;
        }
        is_saved()
    }

    /// What became due by itself: bursts judged, holds closed, room for what was queued.
    pub(in crate::provisioner) fn tick_gate(&self) {
        let now = self.effects.now();
        let why = self.why_unserving();
        self.directory.set_serving(&self.key, why.as_deref().map_or(Ok(now), Err));
        let events = self.guards.tick(now);
        for event in events {
            match event {
                Event::Requeue(uids) => self.requeue(&uids),
                Event::Closed(view) => self.say_closed(&view),
            }
        }
    }

    /// Why the connection takes on nobody now: a word, as others may read it. None where it does.
    fn why_unserving(&self) -> Option<String> {
        if self.session().is_none() || self.serves_removals_only() {
            return Some(self.connection.state.reason_not_connected());
        }
        let unlisted = self.connection.state.first_sweep() == FirstSweep::Awaited;
        unlisted.then(|| "its accounts have yet to be listed".to_owned())
    }

    /// The objects are looked at again, in the lane of what they ask admission for.
    pub(in crate::provisioner) fn requeue(&self, uids: &[Uid]) {
        self.schedule.submit_all(self.guards.lanes(uids), true, self.effects.instant());
    }

    fn say_closed(&self, hold: &HoldView) {
        let id = hold.id.as_deref().unwrap_or_default();
        let count = hold.creates + hold.updates + hold.deactivations + hold.deletes + hold.memberships;
        let what = sizes(hold);
        info!(hold = id, reason = hold.reason(), "held: {what}");
        let note = format!(
            "{what} held ({}). {}",
            hold.reason(),
            self.ways_out(Some(id), None, usize::try_from(count).unwrap_or(usize::MAX))
        );
        let event = PendingEvent { type_: EventType::Warning, reason: "Held", action: "Hold", note };
        self.connection.state.tell(event);
    }

    /// What a person can do about a hold.
    pub(in crate::provisioner) fn ways_out(
        &self,
        id: Option<&str>,
        closes_in: Option<Duration>,
        count: usize,
    ) -> String {
        let Some(id) = id else {
            let seconds = closes_in.unwrap_or_default().as_secs() + 1;
            return format!("The hold has {count} so far; it closes in {seconds} s and then gets its id");
        };
        let patch = |field: &str| Named::connection(&self.key.namespace, &self.key.name).set(field, id);
        format!(
            "Hold {id} has {count}. To see them: kubectl get scimuser,scimgroup -A --field-selector status.hold.id={id}. To let them \
             go: {}. To refuse them (deleted objects go, their accounts stay; edits stay held): {}",
            patch("approvedHold"),
            patch("rejectedHold")
        )
    }

    /// `namespace/name` of an object that is still there.
    pub(in crate::provisioner) fn name_of(&self, uid: &Uid) -> Option<String> {
        let directory = &self.directory;
        let group = || directory.group(uid).map(|group| full_name(&group));
        directory.get(uid).map(|user| full_name(&user)).or_else(group)
    }
}

/// The reason of Ready for what is held, and why, for a person.
fn why_held(reason: HoldReason) -> (Reason, String) {
    match reason {
        HoldReason::Plan => (Reason::Planned, "nothing is sent under mode: Plan".to_owned()),
        HoldReason::Undelegated => {
            let why = "the connection's spec.delegation no longer admits this account for the object's namespace, and the \
                       object's status alone doesn't prove that it did; whoever keeps the connection approves it";
            (Reason::Held, why.to_owned())
        }
        HoldReason::NewServer => {
            let why = "the connection leads to another server than the one that this object is bound at";
            (Reason::Held, why.to_owned())
        }
        HoldReason::Guard(name) => {
            (Reason::Held, format!("it exceeds the connection's {} guard and needs approval", name.as_str()))
        }
    }
}

/// So many of each, in words.
pub fn sizes(hold: &HoldView) -> String {
    let parts = [
        (hold.deletes, "deletions"),
        (hold.deactivations, "deactivations"),
        (hold.memberships, "memberships"),
        (hold.updates, "updates"),
        (hold.creates, "creations"),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    parts.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

/// So many attributes are named: the message has more to say.
const MOST_NAMED: usize = 6;

/// What is held of an object: its members, counted, or its attributes, named.
fn subject(candidate: &Candidate) -> String {
    let count = candidate.attributes.len();
    if count > 0 && candidate.guard == Some(GuardName::Memberships) {
        let members = if count == 1 { " of one membership".to_owned() } else { format!(" of {count} memberships") };
        // Under Plan those that are to come are held as well, and no guard counts them.
        let out = usize::try_from(candidate.weight()).unwrap_or(count);
        return if out < count { format!("{members} ({} put in)", count - out) } else { members };
    }
    let names: Vec<&str> = candidate.attributes.iter().map(|name| name.rsplit(':').next().unwrap_or(name)).collect();
    if count == 0 { String::new() } else { format!(" of {}", listed(&names, MOST_NAMED)) }
}

/// The operation as the gate sees it.
fn candidate<K: Kind>(pass: &Pass<K>, request: AdmissionRequest) -> Candidate {
    let status = &pass.status;
    let server = pass.server();
    let mut candidate = Candidate {
        uid: pass.uid(),
        server: server.to_owned(),
        generation: pass.generation(),
        operation: request.operation,
        remote_id: request.remote_id,
        attributes: request.attributes,
        guard: request.guard,
        moved: status.id().is_some() && status.bound_to().is_some_and(|known| known != server),
        undelegated: request.undelegated,
        deleted: pass.is_deleting(),
        held: None,
        held_before: None,
    };
    let digest = candidate.digest();
    candidate.held = status.hold().filter(|hold| hold.digest == digest).map(|hold| hold.id.clone());
    let hold = status.hold().filter(|_| status.observed_generation() == pass.object.metadata().generation);
    let same = hold.filter(|hold| hold.operation == candidate.operation);
    candidate.held_before = same.map(|hold| hold.id.clone());
    candidate
}

fn held<K: Kind>(reason: Reason, message: String, hold: Option<UserHold>) -> Verdict<K> {
    let planned = reason == Reason::Planned;
    Verdict {
        reason: Some(reason),
        message,
        state: Some(if planned { K::PLANNED } else { K::HELD }),
        executed: !planned,
        hold,
        ..Verdict::default()
    }
}

fn queued<K: Kind>() -> Verdict<K> {
    Verdict {
        reason: Some(Reason::Pending),
        message: "over guards.creates of the connection; it is created as soon as the window has room".to_owned(),
        state: Some(K::PENDING),
        ..Verdict::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::OperationType;

    fn candidate(operation: OperationType, attributes: &[&str], guard: Option<GuardName>) -> Candidate {
        Candidate {
            uid: "g".into(),
            server: "here".into(),
            generation: 1,
            operation,
            remote_id: None,
            attributes: attributes.iter().map(|name| (*name).to_owned()).collect(),
            guard,
            moved: false,
            undelegated: false,
            deleted: false,
            held: None,
            held_before: None,
        }
    }

    #[test]
    fn i13_what_is_held_of_a_group_is_said_as_it_is() {
        let create = candidate(OperationType::Create, &["displayName", "externalId"], None);
        assert_eq!(subject(&create), " of displayName, externalId");
        assert_eq!(subject(&candidate(OperationType::Delete, &[], Some(GuardName::Groups))), "");
        let members = candidate(OperationType::Update, &["-1", "-2"], Some(GuardName::Memberships));
        assert_eq!(subject(&members), " of 2 memberships");
        let both = candidate(OperationType::Update, &["+3", "-1"], Some(GuardName::Memberships));
        assert_eq!(subject(&both), " of 2 memberships (1 put in)");
        let joins = candidate(OperationType::Update, &["+3"], Some(GuardName::Memberships));
        assert_eq!(subject(&joins), " of one membership (1 put in)");
        assert_eq!(why_held(HoldReason::NewServer).0, Reason::Held);
        assert!(why_held(HoldReason::NewServer).1.contains("another server"));
        assert!(why_held(HoldReason::Guard(GuardName::Groups)).1.contains("groups guard"));
        assert_eq!(why_held(HoldReason::Plan).0, Reason::Planned);
    }
}
