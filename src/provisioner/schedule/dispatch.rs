//! Takes tickets from the queue and begins their passes: at most `maxInFlight` at once, one of them kept
//! for removals.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::queue::{Lane, Outcome, Ticket};
use super::windows::LOOK;
use crate::provisioner::Provisioner;
use crate::provisioner::connection::state::FirstSweep;
use crate::provisioner::effects::Effects;

/// With nothing due the dispatcher still looks up now and then.
const IDLE: Duration = Duration::from_secs(5);

impl<E: Effects> Provisioner<E> {
    /// Runs until the provisioner stops; ends when what is in flight has ended.
    pub(in crate::provisioner) async fn dispatch(self: Arc<Self>) {
        let mut running: JoinSet<(Ticket, Outcome)> = JoinSet::new();
        let mut others = 0_usize;
        while !self.stop.is_cancelled() {
            self.tick_gate();
            self.submit_due_windows();
            let most = usize::try_from(self.connection().spec.max_in_flight).unwrap_or(4).clamp(2, 32);
            while running.len() < most {
                let Some(ticket) = self.next_ticket(others + 1 >= most) else { break };
                others += usize::from(ticket.lane != Lane::Removal);
                let provisioner = Arc::clone(&self);
                running.spawn(async move {
                    let began = Instant::now();
                    let outcome = provisioner.work(&ticket).await;
                    let name = outcome_name(outcome);
                    provisioner.surroundings.metrics.pass(&provisioner.key.to_string(), name, began.elapsed());
                    (ticket, outcome)
                });
            }
            let due = self.schedule.next_due(self.effects.instant());
            let due = due.unwrap_or_else(|| self.effects.instant() + IDLE);
            let due = self.schedule.limiter().paused_until().map_or(due, |until| due.min(until));
            let due = self.wall_clock_wait().map_or(due, |wait| due.min(self.effects.instant() + wait));
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.schedule.changed() => {}
                Some(Ok((ticket, outcome))) = running.join_next() => {
                    others -= usize::from(ticket.lane != Lane::Removal);
                    self.finish(&ticket, outcome);
                }
                () = sleep_until(due), if running.len() < most => {}
            }
        }
        // In flight when asked to stop: it ends, bounded by its own deadlines, and is recorded.
        while let Some(ended) = running.join_next().await {
            if let Ok((ticket, outcome)) = ended {
                self.finish(&ticket, outcome);
            }
        }
    }

    /// The objects whose access window opens or closes now.
    pub(in crate::provisioner) fn submit_due_windows(&self) {
        let due = self.schedule.take_due_windows(self.effects.now());
        for uid in due {
            let user = self.directory.get(&uid);
            // No pass may come to it before its next instant.
            if let Some(user) = &user {
                self.note_window(user);
            }
            let active = user.and_then(|user| user.status.as_ref()?.active).unwrap_or(false);
            let lane = if active { Lane::Removal } else { Lane::Change };
            // Whatever it waits for: its window doesn't.
            self.schedule.submit(&uid, lane, true, self.effects.instant());
        }
    }

    /// How long until the gate or a window has something to do; short enough for a clock that is set meanwhile.
    fn wall_clock_wait(&self) -> Option<Duration> {
        let now = self.effects.now();
        let gate = self.guards.next_instant();
        let gate = gate.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        let windows = self.schedule.until_next_window(now);
        let wait = gate.into_iter().chain(windows).min()?;
        // A moment more, so that the instant has come when it is looked at.
        Some(wait.min(LOOK) + Duration::from_millis(1))
    }

    pub(in crate::provisioner) fn next_ticket(&self, only_removals: bool) -> Option<Ticket> {
        // Until the server was listed once, only removals with a known id can do without the list.
        let swept = self.connection.state.first_sweep() != FirstSweep::Awaited;
        // While the server asks for patience, objects say that they wait; nobody holds a slot for it.
        let ready = self.session().is_some() && self.schedule.limiter().paused_until().is_none();
        self.schedule.next(self.effects.instant(), only_removals || (ready && !swept), ready)
    }

    fn finish(&self, ticket: &Ticket, outcome: Outcome) {
        self.schedule.finish(&ticket.uid, outcome, rand::random(), self.effects.instant());
    }
}

/// A bounded name for metrics.
fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Again => "again",
        Outcome::Retry => "retry",
        Outcome::After(_) | Outcome::Rests(_) => "after",
        Outcome::Paused => "paused",
    }
}
