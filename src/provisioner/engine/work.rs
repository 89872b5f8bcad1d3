//! A ticket: whether the connection serves its object now, and the pass over it.

use std::sync::Arc;
use std::time::Duration;

use kube::core::object::HasStatus;
use tracing::{Instrument, debug, error_span};

use super::failure::with_way_out;
use super::{Kind, LOOK_AGAIN, ObjectStatus, Pass};
use crate::api::{Reason, Uid};
use crate::directory::{Object, connection_of, connection_of_group, full_name, is_deleting};
use crate::plan::groups::Group;
use crate::plan::{Step, User, Verdict};
use crate::provisioner::Provisioner;
use crate::provisioner::connection::state::FirstSweep;
use crate::provisioner::effects::Effects;
use crate::provisioner::schedule::queue::{Lane, Outcome, Ticket};
use crate::status::waits_already;

/// What an object is told of which something else is declared than a removal.
const REMOVALS_ONLY: &str = "the connection is under deletion and serves removals only";

/// A connection that is usable and doesn't serve this object now: it waits until the connection changes.
const UNSERVED: Outcome = Outcome::After(Duration::from_secs(60 * 60));

impl<E: Effects> Provisioner<E> {
    /// Works on one ticket.
    pub(in crate::provisioner) async fn work(&self, ticket: &Ticket) -> Outcome {
        if let Some(group) = self.directory.group(&ticket.uid) {
            let ours = connection_of_group(&group) == self.key;
            return if ours { self.pass_over::<Group>(ticket, group).await } else { Outcome::Done };
        }
        let Some(user) = self.directory.get(&ticket.uid) else {
            self.forget(&ticket.uid);
            return Outcome::Done;
        };
        let ours = connection_of(&user) == self.key;
        if ours { self.pass_over::<User>(ticket, user).await } else { Outcome::Done }
    }

    /// Whatever is logged meanwhile says of which connection and object it is.
    async fn pass_over<K: Kind>(&self, ticket: &Ticket, object: Arc<K::Object>) -> Outcome {
        // Of the highest level, so that a line of any level has it.
        let span = error_span!("pass", connection = %self.key, object = %full_name(&object));
        self.work_on::<K>(ticket, object).instrument(span).await
    }

    async fn work_on<K: Kind>(&self, ticket: &Ticket, object: Arc<K::Object>) -> Outcome {
        let Some(session) = self.session() else {
            let why = self.connection.state.why_not_connected();
            return self.say_pending::<K>(&object, Reason::ConnectionNotReady, &why).await;
        };
        if K::unserved(self, &object) {
            let why = self.connection.state.why_not_connected();
            self.say_pending::<K>(&object, Reason::ConnectionNotReady, &why).await;
            return UNSERVED;
        }
        let ends = self.connection().metadata.deletion_timestamp.is_some();
        if ends && !is_deleting(&object) && !K::ends_access(self, &object) {
            self.say_pending::<K>(&object, Reason::ConnectionNotReady, REMOVALS_ONLY).await;
            return UNSERVED;
        }
        if ticket.for_status {
            return if self.schedule.limiter().paused_until().is_some() {
                self.say_pending::<K>(&object, Reason::RateLimited, "the server asks for fewer requests").await
            } else {
                self.say_pending::<K>(&object, Reason::Pending, "queued behind other work for this connection").await
            };
        }
        let uid = &ticket.uid;
        let status = K::unsaved(self).get(uid).or_else(|| object.status().cloned()).unwrap_or_default();
        if status.observed_generation() != object.metadata().generation && ticket.attempt == 0 {
            self.notes.new_generation(uid);
        }
        self.guards.know_rejections(uid, status.rejected_holds());
        let mut pass = Pass::<K>::answering(object, status, session);
        if self.waits_for_list(ticket, &pass) {
            return Outcome::After(LOOK_AGAIN);
        }
        if !K::prepare(self, &mut pass).await {
            return Outcome::Retry;
        }
        let outcome = self.carry_through(&mut pass).await;
        // What met somebody's trouble wasn't its turn: nobody loses an account on account of that (promise I8).
        if outcome != Outcome::Paused && (pass.judged || pass.status.id().is_some()) {
            self.directory.had_turn(uid, pass.status.id().is_some(), self.effects.now());
        }
        K::after_pass(self, &pass);
        K::mirror(self).end_search(uid);
        // What no status names yet stays reserved: nobody else may take it for unclaimed.
        if pass.status.id().is_none() || K::unsaved(self).get(uid).is_none() {
            self.directory.release(uid);
        }
        outcome
    }

    /// Only what ends access is carried out of an object that isn't deleted itself.
    pub(in crate::provisioner) fn serves_departures_only<K: Kind>(&self, pass: &Pass<K>) -> bool {
        let ends = self.connection().metadata.deletion_timestamp.is_some();
        !pass.is_deleting() && (ends || self.serves_removals_only())
    }

    /// What such an object is told, where more is declared of it.
    pub(in crate::provisioner) fn serves_no_more<K: Kind>(&self, pass: &Pass<K>) -> Box<Verdict<K>> {
        if pass.status.observed_generation() == pass.object.metadata().generation {
            return Box::default();
        }
        let without_key = self.serves_removals_only();
        let message = if without_key { self.connection.state.why_not_connected() } else { REMOVALS_ONLY.to_owned() };
        let (reason, state) = (Some(Reason::ConnectionNotReady), Some(K::PENDING));
        Box::new(Verdict { reason, message, state, ..Verdict::default() })
    }

    /// What owes nothing isn't read by itself because the list is late, unless a person asks for it.
    fn waits_for_list<K: Kind>(&self, ticket: &Ticket, pass: &Pass<K>) -> bool {
        let late = self.connection.state.first_sweep() == FirstSweep::Delayed;
        late && ticket.lane == Lane::Drift
            && pass.log.answered.is_none()
            && matches!(K::plan(self, pass), Step::Read(_))
    }

    /// An object that waits says so; one that owes nothing is left as it is.
    async fn say_pending<K: Kind>(&self, object: &Arc<K::Object>, reason: Reason, message: &str) -> Outcome {
        // What is known and not written yet stays known.
        let unsaved = K::unsaved(self).get(&Uid::of(object.metadata()));
        let status = unsaved.or_else(|| object.status().cloned()).unwrap_or_default();
        let generation = object.metadata().generation;
        let owes = status.observed_generation() != generation || is_deleting(object);
        let waits = reason == Reason::Pending && waits_already(status.conditions(), generation);
        if !owes || waits {
            return Outcome::Paused;
        }
        let verdict = Verdict {
            reason: Some(reason),
            message: with_way_out::<K>(object, message.to_owned()),
            state: Some(if is_deleting(object) { K::DELETING } else { K::PENDING }),
            ..Verdict::default()
        };
        let new = K::record_waiting(&status, generation.unwrap_or_default(), &verdict, self.effects.now());
        if let Err(error) = K::save(self, object, &new).await {
            debug!("{error}");
        }
        Outcome::Paused
    }
}
