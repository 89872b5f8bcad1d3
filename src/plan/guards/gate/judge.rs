//! What the gate does when a time has come or a person has answered.

use jiff::Timestamp;

use super::super::terms::Event;
use super::{Gate, GuardName, Place, SPENT};
use crate::api::Uid;
use crate::plan::holds::{HoldReason, digest};

impl Gate {
    /// Judges the bursts that have settled and closes the holds that are due.
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.now = now;
        let mut settled = Vec::new();
        for (name, guard) in &mut self.guards {
            if guard.settled(now) {
                settled.push(*name);
            }
        }
        for name in settled {
            self.judge(name, now);
        }
        for uid in self.settled_groups(now) {
            self.judge_group(&uid, now);
        }
        // A hold stays open while a burst of its guard still gathers: they are one.
        for (name, guard) in self.guards.iter().filter(|(_, guard)| !guard.burst.is_empty()) {
            self.holds.touch(HoldReason::Guard(*name), guard.last);
        }
        for key in self.holds.due(now) {
            self.close(key, now);
        }
    }

    /// All of a burst go, or none. What an open hold gathers of the same guard waits as well: the
    /// stragglers of a burst that was stopped don't slip through.
    fn judge(&mut self, name: GuardName, now: Timestamp) {
        let gathered = self.holds.iter().filter(|hold| hold.id.is_none());
        let gathered = gathered.flat_map(|hold| &hold.members);
        let gathered = gathered.filter(|uid| self.of(uid).is_some_and(|held| held.guard == Some(name))).count() as u64;
        let Some(guard) = self.guards.get_mut(&name) else {
            return;
        };
        let burst = std::mem::take(&mut guard.burst);
        let count = burst.len() as u64;
        let goes = guard.room(now) >= count.saturating_add(gathered);
        if goes {
            guard.ledger.add(count, now);
            self.revision += 1;
        }
        for uid in &burst {
            if let Some(member) = self.members.get_mut(uid) {
                member.place = if goes {
                    self.removing += u64::from(name == GuardName::Removals);
                    Place::Released { counted: Some((name, now)), approved: false }
                } else {
                    let reason = HoldReason::Guard(name);
                    self.holds.join(uid.clone(), reason, None, now);
                    Place::Hold
                };
            }
        }
        self.events.push(Event::Requeue(burst.into_iter().collect()));
    }

    /// The members that leave one group go together, or none does.
    fn judge_group(&mut self, uid: &Uid, now: Timestamp) {
        let (Some(guard), Some(member)) = (self.groups.get_mut(uid), self.members.get_mut(uid)) else {
            return;
        };
        guard.burst.clear();
        let name = GuardName::Memberships;
        let count = member.candidate.weight();
        if guard.room(now) >= count {
            guard.ledger.add(count, now);
            self.revision += 1;
            member.place = Place::Released { counted: Some((name, now)), approved: false };
        } else {
            self.holds.join(uid.clone(), HoldReason::Guard(name), None, now);
            member.place = Place::Hold;
        }
        self.events.push(Event::Requeue(vec![uid.clone()]));
    }

    /// Gives a hold its id. An answer that is there already, because the hold is an earlier run's,
    /// takes effect at once.
    fn close(&mut self, key: u64, now: Timestamp) {
        let Some(hold) = self.holds.get_mut(key) else {
            return;
        };
        let members = &self.members;
        let id = (0..).find_map(|round| {
            let found = hold.members.iter().filter_map(|uid| members.get(uid));
            let id = digest(found.map(|member| &member.candidate), round);
            let answered = self.spent.contains(&id) || self.refused.contains(&id);
            (!answered).then_some(id)
        });
        let Some(id) = id else {
            return;
        };
        hold.id = Some(id.clone());
        let uids: Vec<Uid> = hold.members.iter().cloned().collect();
        let view = hold.view(|uid| members.get(uid).map(|member| &member.candidate));
        if self.approved.as_ref() == Some(&id) {
            self.approve(&id, now);
        } else if self.rejected.as_ref() == Some(&id) {
            self.reject(&id);
        } else {
            self.events.push(Event::Closed(view));
        }
        self.events.push(Event::Requeue(uids));
    }

    /// Lets go what is in the hold, counted but not limited. A rejection can be taken back for
    /// what is still there; who was let go untouched stays untouched.
    pub(super) fn approve(&mut self, id: &str, now: Timestamp) -> Vec<Uid> {
        if self.spent.iter().any(|spent| spent == id) {
            return Vec::new();
        }
        let hold = self.holds.key_of(id).and_then(|key| self.holds.take(key));
        let uids: Vec<Uid> = if let Some(hold) = hold {
            hold.members.into_iter().collect()
        } else {
            let rejected = self.members.iter().filter(|(_, member)| {
                !member.candidate.deleted && matches!(&member.place, Place::Rejected(of) if of == id)
            });
            rejected.map(|(uid, _)| uid.clone()).collect()
        };
        let others = self.rejected_in(id);
        self.take_back_rejections(id);
        if uids.is_empty() {
            // What it was about is held no longer: it is good for nothing that is held later.
            if !others.is_empty() || !self.may_come_back(id) {
                self.approval_is_spent(id);
            }
            return others;
        }
        for uid in &uids {
            let Some(member) = self.members.get_mut(uid) else {
                continue;
            };
            let guard = member.candidate.guard;
            let counted = guard.filter(|name| self.guards.contains_key(name));
            let counts = match counted {
                Some(GuardName::Memberships) => self.groups.get_mut(uid),
                counted => counted.and_then(|name| self.guards.get_mut(&name)),
            };
            if let Some(guard) = counts {
                guard.ledger.add(member.candidate.weight(), now);
            }
            self.removing += u64::from(counted == Some(GuardName::Removals));
            member.place = Place::Released { counted: counted.map(|name| (name, now)), approved: true };
        }
        // That is written before anything of it goes, counted or not.
        self.approval_is_spent(id);
        uids.into_iter().chain(others).collect()
    }

    fn approval_is_spent(&mut self, id: &str) {
        self.revision += 1;
        self.refused.retain(|refused| refused != id);
        self.spend(id);
    }

    fn spend(&mut self, id: &str) {
        self.spent.push_back(id.to_owned());
        while self.spent.len() > SPENT {
            self.spent.pop_front();
        }
    }

    /// A hold of an earlier run whose members may still ask, or what was rejected and may be approved after all.
    fn may_come_back(&self, id: &str) -> bool {
        self.remembered.iter().chain(&self.refused).any(|known| known == id)
    }

    /// Deleted objects go without touching their accounts, edits stay held.
    pub(super) fn reject(&mut self, id: &str) -> Vec<Uid> {
        let hold = self.holds.key_of(id).and_then(|key| self.holds.take(key));
        let uids: Vec<Uid> = hold.map_or_else(Vec::new, |hold| hold.members.into_iter().collect());
        if !uids.is_empty() || !(self.may_come_back(id) || self.spent.iter().any(|spent| spent == id)) {
            self.refused.push_back(id.to_owned());
            while self.refused.len() > SPENT {
                self.refused.pop_front();
            }
        }
        for uid in &uids {
            self.rejected(uid, id);
            if let Some(member) = self.members.get_mut(uid) {
                member.place = Place::Rejected(id.to_owned());
            }
        }
        uids
    }
}
