//! What the operator does while no time goes by: tickets, and what the watches bring.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::world::World;
use crate::api::Uid;
use crate::directory::{Changed, awaits_name};
use crate::provisioner::schedule::queue::{Lane, Outcome, Ticket};
use crate::provisioner::simulation::cluster::WatchEvent;
use crate::provisioner::simulation::cluster_groups::GroupWatchEvent;

impl World {
    /// Works until nothing is due.
    pub(super) async fn work(&mut self) {
        let provisioner = Arc::clone(&self.operator.provisioner);
        let mut running: JoinSet<(Ticket, Outcome)> = JoinSet::new();
        let mut others = 0;
        loop {
            self.hear();
            provisioner.tick_gate();
            provisioner.submit_due_windows();
            while running.len() < 4 {
                let Some(ticket) = provisioner.next_ticket(others >= 3) else { break };
                others += usize::from(ticket.lane != Lane::Removal);
                let at_work = Arc::clone(&provisioner);
                running.spawn(async move {
                    let outcome = at_work.work(&ticket).await;
                    (ticket, outcome)
                });
            }
            match running.join_next().await {
                Some(Ok((ticket, outcome))) => {
                    others -= usize::from(ticket.lane != Lane::Removal);
                    let now = self.effects.look().instant();
                    provisioner.schedule.finish(&ticket.uid, outcome, 0.5, now);
                }
                Some(Err(failed)) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
                Some(Err(_)) => {}
                None => return,
            }
        }
    }

    /// What the watches bring.
    fn hear(&mut self) {
        let provisioner = Arc::clone(&self.operator.provisioner);
        let directory = &provisioner.directory;
        loop {
            let (user, group) = {
                let mut memory = self.effects.look();
                (memory.cluster.events.pop_front(), memory.cluster.group_events.pop_front())
            };
            let mut others: Vec<Uid> = Vec::new();
            while let Ok(uid) = self.operator.reroute.try_recv() {
                others.push(uid);
            }
            if user.is_none() && group.is_none() && others.is_empty() {
                return;
            }
            match user {
                Some(WatchEvent::Applied(user)) => {
                    let uid = Uid::of(&user.metadata);
                    let changed = directory.upsert(*user);
                    if let Some(user) = directory.get(&uid).filter(|_| changed.itself) {
                        let itself = Changed { itself: true, fresh: changed.fresh, others: Vec::new() };
                        provisioner.submit(&user, &itself);
                    }
                    others.extend(changed.others);
                }
                Some(WatchEvent::Deleted(uid)) => {
                    others.extend(directory.remove(&uid));
                    provisioner.forget(&uid);
                }
                None => {}
            }
            match group {
                Some(GroupWatchEvent::Applied(group)) => {
                    let uid = Uid::of(&group.metadata);
                    let changed = directory.upsert_group(*group);
                    if let Some(group) = directory.group(&uid).filter(|_| changed.itself) {
                        provisioner.submit_group(&group, changed.fresh);
                    }
                    others.extend(changed.others);
                }
                Some(GroupWatchEvent::Deleted(uid)) => {
                    others.extend(directory.remove_group(&uid));
                    provisioner.forget(&uid);
                }
                None => {}
            }
            for uid in others {
                if let Some(user) = directory.get(&uid) {
                    provisioner.submit(&user, &Changed { itself: true, fresh: true, others: Vec::new() });
                } else if let Some(group) = directory.group(&uid) {
                    provisioner.submit_group(&group, awaits_name(&group));
                }
            }
        }
    }
}
