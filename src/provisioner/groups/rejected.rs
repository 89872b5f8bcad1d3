//! Members and attributes of a group that the server refuses by themselves, or takes and doesn't keep: on record, and tried
//! again hourly.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::GroupPass;
use crate::api::{IgnoredReason, Reason, RemoteId};
use crate::directory::full_name;
use crate::plan::Tried;
use crate::plan::groups::{Group, GroupVerdict, Membership, part, path_of, record_part, resting};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::engine::{Kind as _, LOOK_AGAIN, pause_until};
use crate::provisioner::schedule::queue::Outcome;
use crate::scim::{Error, Lesson};
use crate::status::whole_seconds;

impl<E: Effects> Provisioner<E> {
    /// When a group is looked at again, where it knows better than its reason.
    pub(super) fn group_outcome(&self, pass: &GroupPass, verdict: &GroupVerdict) -> Option<Outcome> {
        if verdict.details.again {
            return Some(Outcome::Again);
        }
        // Whoever comes meanwhile is put in at once.
        if verdict.details.again_after.is_some() {
            return Some(Group::rest(pass, verdict));
        }
        if !pass.own.unrecorded.is_empty() || self.group_notes.owes_record(&pass.uid()) {
            return Some(Outcome::Retry);
        }
        let tried = self.notes.tried(&pass.uid());
        let rest = retry(pass, verdict, &tried, self.effects.now());
        match verdict.reason {
            Some(Reason::RateLimited) => Some(self.outcome_of_member_rate(pass)),
            // What rests for an hour keeps nothing else of the group waiting.
            Some(Reason::Pending) => rest.map(|rest| Outcome::After(rest.min(LOOK_AGAIN))),
            _ => rest.map(Outcome::Rests),
        }
    }

    /// One member or attribute was refused, and nothing else with it.
    pub(super) fn part_refused(&self, pass: &mut GroupPass, part: &str, words: &str) {
        if self.was_never_in(pass, part) {
            return;
        }
        self.note_part(pass, part, IgnoredReason::Rejected, words);
    }

    /// Somebody was to be taken out whom no reading showed, at a server that shows who is in: a refusal says that they aren't.
    fn was_never_in(&self, pass: &GroupPass, part: &str) -> bool {
        let Some(id) = part.strip_prefix('-').map(RemoteId::from) else { return false };
        let shows_somebody = self.mirror.groups.look(|known| known.shows_somebody);
        let never_in = self.directory.membership(&pass.uid(), |members| {
            let never_in = shows_somebody && !members.is_here(&id) && members.unshown().any(|unshown| *unshown == id);
            if never_in {
                members.lose(std::slice::from_ref(&id));
            }
            never_in
        });
        never_in == Some(true)
    }

    /// Members were taken, and the answer doesn't show them; true where that is news.
    pub(super) fn note_unkept(&self, pass: &mut GroupPass) -> bool {
        // Whoever was taken out, and is declared anew meanwhile, is put in by the next pass.
        let sent: BTreeSet<RemoteId> = pass.own.sent.difference(&pass.own.taken_out).cloned().collect();
        let unkept = self.directory.membership(&pass.uid(), |members| {
            let unkept: Vec<RemoteId> = sent.iter().filter(|id| members.missing().contains(*id)).cloned().collect();
            unkept
        });
        let known = self.resting(pass);
        let mut unkept = unkept.unwrap_or_default();
        unkept.retain(|id| !known.contains(&part(id, true)));
        for id in &unkept {
            self.note_part(pass, &part(id, true), IgnoredReason::NotPersisted, "");
        }
        !unkept.is_empty()
    }

    /// A reading doesn't show members that the server took before.
    pub(super) fn note_dropped(&self, pass: &mut GroupPass) {
        let dropped = self.directory.membership(&pass.uid(), Membership::take_dropped);
        for id in dropped.unwrap_or_default() {
            self.note_part(pass, &part(&id, true), IgnoredReason::NotPersisted, "");
        }
    }

    /// Members were refused for want of their `$ref`: true where they are sent again with it.
    pub(super) fn sends_references(&self, pass: &mut GroupPass, error: &Error) -> bool {
        let wants = error.says_missing() && error.has_word("ref");
        if !wants || pass.session.policy.profile.member_refs {
            return false;
        }
        self.note_failure(error);
        self.apply_lessons(&pass.session, [Lesson::MemberRefs]);
        self.go_on_as_learnt(pass);
        pass.session.policy.profile.member_refs
    }

    pub(super) fn note_part(&self, pass: &mut GroupPass, part: &str, reason: IgnoredReason, words: &str) {
        if let Some(id) = part.strip_prefix('+')
            && !self.wait_for_accounts(pass, vec![id.into()]).is_empty()
        {
            return;
        }
        let user = part.get(1..).and_then(|id| self.directory.bound_to(&self.key, pass.server(), &id.into()));
        let told: Vec<String> =
            user.iter().map(full_name).chain([words.to_owned()]).filter(|text| !text.is_empty()).collect();
        let now = self.effects.now();
        self.notes.part_refused(&pass.uid(), &path_of(part), now);
        record_part(&mut pass.status, &pass.object.spec, part, reason, &told.join(": "), whole_seconds(now));
    }

    /// What isn't sent now.
    pub(super) fn resting(&self, pass: &GroupPass) -> BTreeSet<String> {
        let mut resting = self.recorded_resting(pass);
        resting.append(&mut self.barred(pass));
        resting
    }

    /// What the server refused, or didn't keep; a person who asks is heeded, but not twice in a pass.
    pub(super) fn recorded_resting(&self, pass: &GroupPass) -> BTreeSet<String> {
        let mut resting = resting(&pass.status, &pass.object.spec, &self.notes.tried(&pass.uid()), self.effects.now());
        if pass.log.answered.is_some() {
            let sent = |part: &String| part.get(1..).is_some_and(|id| pass.own.sent.contains(&id.into()));
            resting.retain(|part| pass.split.refusal(part).is_some() || sent(part));
        }
        resting.extend(self.rejected_parts(pass).parts);
        resting
    }
}

/// How long until what is refused, or isn't kept, is tried again; none where nothing is.
pub(super) fn retry(pass: &GroupPass, verdict: &GroupVerdict, tried: &Tried, now: Timestamp) -> Option<Duration> {
    if verdict.details.refused.is_empty() {
        return None;
    }
    let due = pass.status.ignored_attributes.iter().flatten().filter_map(|entry| tried.rests_until(entry)).min()?;
    Some(pause_until(due, now))
}
