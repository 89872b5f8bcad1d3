//! Attributes that the server refuses by themselves: on record, so that nobody looks for them again, and tried again hourly.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::UserPass;
use crate::api::{IgnoredReason, Reason, RemoteId};
use crate::plan::{ACTIVE, Operation, Path, RETRY, Request, Tried, Verdict, rejection};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::engine::pause_until;
use crate::provisioner::schedule::queue::Outcome;
use crate::scim::{Class, Error, MatchBy, Resource, fold};
use crate::status::whole_seconds;

impl<E: Effects> Provisioner<E> {
    /// One attribute was refused, and nothing else with it. `active` is kept by the pass alone: it is no attribute that
    /// could be left as it is.
    pub(super) fn attribute_refused(&self, pass: &mut UserPass, part: &str, words: &str) -> bool {
        if part == ACTIVE {
            return true;
        }
        let now = self.effects.now();
        let Some(entry) = self.with_facts(pass, whole_seconds(now), |facts| rejection(facts, part, words)) else {
            return false;
        };
        self.notes.part_refused(&pass.uid(), part, now);
        let known = pass.status.ignored_attributes.get_or_insert_with(Vec::new);
        known.retain(|known| known.path != part);
        known.insert(0, entry);
        true
    }

    /// What a refused creation may go without: nothing that tells who it is. An e-mail that is the userName, too, tells that
    /// where somebody may be there already, unless another object has the account that has it.
    pub(super) fn optional_at_creation(
        &self,
        pass: &UserPass,
        operation: &Operation,
        error: &Error,
    ) -> BTreeSet<String> {
        let Request::Create(body) = &operation.request else { return BTreeSet::new() };
        let name = fold(&pass.object.spec.user_name);
        let emails = || Resource(body.clone()).emails().any(|email| fold(email) == name);
        let tells = pass.session.policy.profile.match_by == MatchBy::Email
            || (may_be_of_another(error) && emails() && !self.has_the_email_of(pass, &name));
        let tells_who = |path: &&Path| match path.name() {
            "userName" | "externalId" | ACTIVE => true,
            "emails" => tells,
            _ => false,
        };
        operation.attributes.iter().filter(|path| !tells_who(path)).map(Path::to_string).collect()
    }

    /// Another object is bound to an account that shows this e-mail.
    fn has_the_email_of(&self, pass: &UserPass, email: &str) -> bool {
        let ids: Vec<RemoteId> = self.mirror.users.look(|known| {
            let has = |id: &str| known.identity(id).is_some_and(|(_, mut emails)| emails.any(|one| fold(one) == email));
            known.accounts().map(|(id, ..)| id).filter(|id| has(id)).map(RemoteId::from).collect()
        });
        ids.iter().any(|id| self.directory.bound_to(&self.key, pass.server(), id).is_some())
    }
}

/// Whether a refusal may be about somebody who is there already.
fn may_be_of_another(error: &Error) -> bool {
    const WORDS: [&str; 6] = ["exist", "taken", "in use", "already", "duplicate", "unique"];
    error.class() == Class::Conflict || WORDS.iter().any(|word| error.words().contains(word))
}

/// When what is refused is tried again; none where nothing is. `tried`: when it was last. A sweep would find `active` to be
/// owed each time.
pub(super) fn retry(pass: &UserPass, verdict: &Verdict, tried: &Tried, now: Timestamp) -> Option<Outcome> {
    if verdict.reason != Some(Reason::Rejected) {
        return None;
    }
    let ignored = verdict.details.ignored.iter().flatten();
    let paths: BTreeSet<String> = ignored.map(|ignored| ignored.path.to_string()).collect();
    let known = pass.status.ignored_attributes.iter().flatten();
    let refused = known.filter(|known| known.reason == IgnoredReason::Rejected && paths.contains(&known.path));
    let due = refused.filter_map(|known| tried.rests_until(known)).min();
    match pass.split.refusal(ACTIVE) {
        Some(_) => Some(Outcome::After(pause_until(due.unwrap_or(now + RETRY), now))),
        None => Some(Outcome::Rests(pause_until(due?, now))),
    }
}
