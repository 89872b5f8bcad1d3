//! Takes tickets from the queue and gives them to workers: at most `maxInFlight` at once, one of them kept
//! for removals.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::queue::{Lane, Outcome, Ticket};
use super::{Provisioner, lock};

/// With nothing due the dispatcher still looks up now and then.
const IDLE: std::time::Duration = std::time::Duration::from_secs(5);

impl Provisioner {
    /// Runs until the provisioner stops; ends when what is in flight has ended.
    pub(super) async fn dispatch(self: Arc<Self>) {
        let mut running: JoinSet<(Ticket, Outcome)> = JoinSet::new();
        let mut others = 0_usize;
        while !self.stop.is_cancelled() {
            let most = usize::try_from(self.connection().spec.max_in_flight).unwrap_or(4).clamp(2, 32);
            while running.len() < most {
                let Some(ticket) = self.next_ticket(others + 1 >= most) else { break };
                others += usize::from(ticket.lane != Lane::Removal);
                let provisioner = Arc::clone(&self);
                running.spawn(async move {
                    let outcome = provisioner.work(&ticket).await;
                    (ticket, outcome)
                });
            }
            let due = lock(&self.queue).next_due(Instant::now()).unwrap_or_else(|| Instant::now() + IDLE);
            let due = self.limiter.paused_until().map_or(due, |until| due.min(until));
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.wake.notified() => {}
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

    fn next_ticket(&self, only_removals: bool) -> Option<Ticket> {
        // Until the server was listed once, only removals with a known id can do without the list.
        let swept = lock(&self.report).swept;
        // While the server asks for patience, objects say that they wait; nobody holds a slot for it.
        let ready = self.session().is_some() && self.limiter.paused_until().is_none();
        lock(&self.queue).next(Instant::now(), only_removals || (ready && !swept), ready)
    }

    fn finish(&self, ticket: &Ticket, outcome: Outcome) {
        lock(&self.queue).finish(&ticket.uid, outcome, rand::random(), Instant::now());
    }
}
