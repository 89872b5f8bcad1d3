//! Whose turn it is: lanes and back-off, the connection's rate, access windows.

mod dispatch;
pub mod limiter;
pub mod queue;
pub mod ticket;
pub(super) mod windows;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use self::limiter::{Limiter, Rate};
use self::queue::{Lane, Outcome, Queue, Ticket};
use self::windows::Windows;
use super::lock;
use crate::api::Uid;

/// Which objects of a connection wait, until when, and how fast its server may be asked.
#[derive(Debug)]
pub(super) struct Schedule {
    queue: Mutex<Queue>,
    windows: Mutex<Windows>,
    limiter: Arc<Limiter>,
    /// The dispatcher has something to look at.
    changed: Notify,
}

/// How much waits in a lane, and for how long its first ticket has.
#[derive(Debug)]
pub(super) struct Backlog {
    pub(super) lane: Lane,
    pub(super) depth: usize,
    pub(super) age: Duration,
}

impl Schedule {
    /// Nothing waits yet.
    pub(super) fn new(rates: Vec<Rate>) -> Self {
        Self {
            queue: Mutex::default(),
            windows: Mutex::default(),
            limiter: Arc::new(Limiter::new(rates)),
            changed: Notify::new(),
        }
    }

    /// How fast the server may be asked.
    pub(super) fn limiter(&self) -> &Arc<Limiter> {
        &self.limiter
    }

    /// Asks for an object to be looked at, see [`Queue::submit`].
    pub(super) fn submit(&self, uid: &Uid, lane: Lane, fresh: bool, now: Instant) {
        lock(&self.queue).submit(uid, lane, fresh, now);
        self.wake();
    }

    /// What an object waited for has come, see [`Queue::resume`].
    pub(super) fn resume(&self, uid: &Uid, lane: Lane, now: Instant) {
        lock(&self.queue).resume(uid, lane, now);
        self.wake();
    }

    /// Nothing is left of an object at work that belongs into its lane, see [`Queue::lower`].
    pub(super) fn lower(&self, uid: &Uid, lane: Lane) {
        lock(&self.queue).lower(uid, lane);
    }

    /// Asks for several at once: none of them is taken before all of them wait.
    pub(super) fn submit_all(&self, tickets: impl IntoIterator<Item = (Uid, Lane)>, fresh: bool, now: Instant) {
        {
            let mut queue = lock(&self.queue);
            for (uid, lane) in tickets {
                queue.submit(&uid, lane, fresh, now);
            }
        }
        self.wake();
    }

    /// The connection changed: these are looked at again, and nobody waits on account of an error of his own any more.
    pub(super) fn begin_anew(&self, tickets: impl IntoIterator<Item = (Uid, Lane)>, now: Instant) {
        {
            let mut queue = lock(&self.queue);
            for (uid, lane) in tickets {
                queue.submit(&uid, lane, false, now);
            }
            queue.release_all(now);
        }
        self.wake();
    }

    /// Whether the object waits or is being worked on; what waits for nothing but what the server refuses doesn't count.
    pub(super) fn contains(&self, uid: &Uid) -> bool {
        lock(&self.queue).contains(uid)
    }

    /// Whether the object's turn is to come, or has come.
    pub(super) fn is_due(&self, uid: &Uid) -> bool {
        lock(&self.queue).is_due(uid)
    }

    /// Whether nothing waits, and nothing is being worked on.
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.queue).is_empty()
    }

    /// The object is gone.
    pub(super) fn forget(&self, uid: &Uid) {
        lock(&self.queue).forget(uid);
        lock(&self.windows).set(uid, None);
        self.wake();
    }

    /// Whose turn it is, see [`Queue::next`].
    pub(super) fn next(&self, now: Instant, only_removals: bool, ready: bool) -> Option<Ticket> {
        lock(&self.queue).next(now, only_removals, ready)
    }

    /// A pass has ended.
    pub(super) fn finish(&self, uid: &Uid, outcome: Outcome, jitter: f64, now: Instant) {
        lock(&self.queue).finish(uid, outcome, jitter, now);
    }

    /// When something that waits now falls due.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        lock(&self.queue).next_due(now)
    }

    /// What waits in each lane.
    pub(super) fn backlog(&self, now: Instant) -> Vec<Backlog> {
        let (depths, ages) = {
            let queue = lock(&self.queue);
            (queue.depth(), queue.ages(now))
        };
        let of = |(lane, depth)| Backlog { lane, depth, age: ages.get(&lane).copied().unwrap_or_default() };
        depths.into_iter().map(of).collect()
    }

    /// The object's access window opens or closes then; `None` if never.
    pub(super) fn set_window(&self, uid: &Uid, at: Option<Timestamp>) {
        lock(&self.windows).set(uid, at);
    }

    /// Takes out the objects whose access window opens or closes now.
    pub(super) fn take_due_windows(&self, now: Timestamp) -> Vec<Uid> {
        lock(&self.windows).due(now)
    }

    /// How long until the next window is to be looked at.
    pub(super) fn until_next_window(&self, now: Timestamp) -> Option<Duration> {
        lock(&self.windows).wait(now)
    }

    /// The dispatcher looks for what it can do.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Until there is something to look for.
    async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Shows all that waits.
    #[cfg(test)]
    pub(super) fn inspect<T>(&self, look: impl FnOnce(&Queue, &Windows) -> T) -> T {
        look(&lock(&self.queue), &lock(&self.windows))
    }
}
