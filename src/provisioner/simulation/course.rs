//! The course of a history: small steps in any order, and how it all calms down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::ResourceExt;

use super::cluster::WatchEvent;
use super::cluster_groups::GroupWatchEvent;
use super::outside::Listing;
use super::world::World;
use crate::api::Uid;

/// So often a day whatever is due gets its turn.
const TIMES: u64 = 8;

impl World {
    /// What the watches bring of the operator's own writes, whose answers it has had, is no news.
    pub fn hear_echoes(&mut self) {
        let version = |version: Option<String>| version.and_then(|version| version.parse::<u64>().ok());
        let directory = Arc::clone(&self.operator.provisioner.directory);
        loop {
            let (of_user, of_group) = {
                let outside = self.outside();
                let user = match outside.cluster.events.front() {
                    Some(WatchEvent::Applied(user)) => Some((Uid::of(&user.metadata), user.resource_version())),
                    _ => None,
                };
                let group = match outside.cluster.group_events.front() {
                    Some(GroupWatchEvent::Applied(group)) => Some((Uid::of(&group.metadata), group.resource_version())),
                    _ => None,
                };
                (user, group)
            };
            let known = |uid: &Uid| directory.get(uid).and_then(|user| version(user.resource_version()));
            let known_group = |uid: &Uid| directory.group(uid).and_then(|group| version(group.resource_version()));
            if of_user.is_some_and(|(uid, news)| known(&uid) >= version(news) && known(&uid).is_some()) {
                self.deliver();
            } else if of_group
                .is_some_and(|(uid, news)| known_group(&uid) >= version(news) && known_group(&uid).is_some())
            {
                self.deliver_group();
            } else {
                return;
            }
        }
    }

    /// One event of the watch of ScimGroups arrives.
    pub fn deliver_group(&mut self) -> bool {
        let news = self.outside().cluster.group_events.pop_front();
        let provisioner = Arc::clone(&self.operator.provisioner);
        let others = match news {
            None => return false,
            Some(GroupWatchEvent::Applied(group)) => {
                self.say(|| format!("  hear {} generation {:?}", group.name_any(), group.metadata.generation));
                let uid = Uid::of(&group.metadata);
                let changed = provisioner.directory.upsert_group(*group);
                if changed.itself
                    && let Some(group) = provisioner.directory.group(&uid)
                {
                    provisioner.submit_group(&group, changed.fresh);
                }
                changed.others
            }
            Some(GroupWatchEvent::Deleted(uid)) => {
                let others = provisioner.directory.remove_group(&uid);
                provisioner.forget(&uid);
                let mut outside = self.outside();
                outside.observed.held.remove(&uid);
                outside.observed.group_sent.remove(&uid);
                others
            }
        };
        for uid in &others {
            self.route_one(uid);
        }
        true
    }

    /// Small steps in the order that a seed picks.
    pub fn work(&mut self, seed: u32, steps: u8) {
        let mut state = seed | 1;
        for _ in 0..steps {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let number = usize::try_from(state >> 8).unwrap_or(0);
            let _ = match state % 16 {
                0..=2 => self.deliver(),
                3 => self.deliver_group() || self.deliver(),
                4..=6 => self.take(),
                7..=8 => self.page(),
                9 => {
                    self.tick();
                    true
                }
                _ => self.advance(number),
            };
            if self.is_broken() {
                return;
            }
        }
    }

    /// Everything that can be done now is done.
    pub fn drain(&mut self) {
        for _ in 0..20_000 {
            if !(self.deliver() || self.deliver_group() || self.page() || self.take() || self.advance(0))
                || self.is_broken()
            {
                return;
            }
        }
        self.outside().complain("i04: the work does not end");
    }

    /// A sweep, and a day in which whatever waits gets its turn; whose objects, or accounts, were written.
    fn day(&mut self) -> BTreeSet<Uid> {
        let before = self.writes();
        let asked = self.outside().book.requests.clone();
        self.drain();
        // Who was not found a moment ago counts as gone only a minute later.
        self.pass_time(61_000);
        self.sweep(Listing::Whole);
        self.drain();
        self.sweep_as_asked();
        for seconds in [3, 61, 31, 62, 301, 90_000] {
            self.pass_time(seconds * 1_000);
            self.save();
            for hold in 0..10 {
                self.answer(hold, true);
            }
            self.drain();
            self.sweep_as_asked();
        }
        let after = self.writes();
        let mut written: BTreeSet<Uid> = after.keys().cloned().collect();
        written.retain(|uid| before.get(uid) != after.get(uid));
        // Of whoever is tried again something may be written each time.
        let calm = |uid: &Uid| {
            let (before, after) = (before.get(uid).copied().unwrap_or_default(), after[uid]);
            after.0 <= before.0 + TIMES && after.1 <= before.1 + 2 * TIMES
        };
        let tried = self.outside().tried_again();
        written.retain(|uid| !(tried.contains(uid) && calm(uid)));
        if written.is_empty() {
            self.outside().check_requests(&asked);
        }
        written
    }

    /// Whoever has to be looked for in the whole list has it listed at once.
    fn sweep_as_asked(&mut self) {
        if self.asks_for_sweep() {
            self.sweep(Listing::Whole);
            self.drain();
        }
    }

    /// Writes at the server, and to objects.
    pub fn writes(&self) -> BTreeMap<Uid, (u64, u64)> {
        let outside = self.outside();
        let (taken, written) = (&outside.book.writes, &outside.cluster.writes);
        let of = |counts: &BTreeMap<Uid, u64>, uid: &Uid| counts.get(uid).copied().unwrap_or_default();
        taken.keys().chain(written.keys()).map(|uid| (uid.clone(), (of(taken, uid), of(written, uid)))).collect()
    }

    /// Nothing happens any more, and nothing goes wrong: it all comes to rest, as declared.
    pub fn calm_down(&mut self) {
        self.say(|| "calm".into());
        self.outside().fault = None;
        self.set_plan(false);
        let mut quiet = 0;
        for _ in 0..14 {
            quiet = if self.day().is_empty() { quiet + 1 } else { 0 };
            if quiet == 2 || self.is_broken() {
                break;
            }
        }
        if quiet < 2 {
            self.outside().complain("i01: it does not come to rest");
        }
        self.outside().check_end();
        if self.is_broken() {
            return;
        }
        let mut excused = self.outside().refused();
        let forgotten = self.outside().book.groups.forgotten.clone();
        self.restart();
        // Whoever was refused tries again, and what was on no record any more is put in once more.
        let mut written = self.day();
        excused.extend(self.outside().put_in_again(&forgotten));
        written.retain(|uid| !excused.contains(uid));
        if !written.is_empty() {
            self.outside().complain(format!("i30: a restart writes {written:?} although nothing changed"));
        }
    }
}
