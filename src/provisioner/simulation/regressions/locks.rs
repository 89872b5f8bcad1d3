//! What two threads do at once.

use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use super::super::effects::Simulated;
use super::super::world::World;
use super::setup;
use crate::provisioner::Provisioner;

/// Longer than anything takes that ends.
const FOR_EVER: Duration = Duration::from_secs(60);

/// So often the other thread is let go first.
const TURNS: usize = 2_000;

fn write_status(provisioner: &Provisioner<Simulated>) {
    let mut report = pin!(provisioner.report_now());
    // It stops where the API server would be waited for.
    while report.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {}
}

#[test]
fn whoever_writes_the_status_waits_for_the_session_with_no_lock_in_hand() {
    let world = World::new(setup(), false);
    let provisioner = Arc::clone(&world.operator.provisioner);
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || {
        let mut writer = None;
        // As when an answer teaches something: the session changes, and that is told.
        provisioner.connection.sessions.replace(|current| {
            let same = Arc::clone(&provisioner);
            writer = Some(thread::spawn(move || write_status(&same)));
            for _ in 0..TURNS {
                provisioner.connection.state.forget_unsupported();
                thread::yield_now();
            }
            current.cloned()
        });
        let _ = writer.expect("begun").join();
        let _ = sender.send(());
    });
    ended.recv_timeout(FOR_EVER).expect("each waits for a lock that the other holds");
}
