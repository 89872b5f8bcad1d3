//! What the answers to our writes show, and whether what a server takes is done: some answer with less than the account, some
//! answer 200 and do nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::Value;

use super::UserPass;
use crate::api::{IgnoredReason, OperationType, UserState};
use crate::plan::{ACTIVE, Account, Operation, Path, Request, Verdict, is_empty};
use crate::provisioner::effects::Effects;
use crate::provisioner::{Provisioner, overrides};
use crate::scim::{Lesson, ObservedQuirks, Op, Resource, Verb, WriteMethod};

/// Whoever is gone so soon after their deactivation was removed by it.
const SOON: SignedDuration = SignedDuration::from_hours(1);

impl<E: Effects> Provisioner<E> {
    /// The answer to a write shows the account. Where something is missing that was sent, or that was there before, it is
    /// read before it is judged, and from then on it is known whether such answers show all there is; so it is read where
    /// something is shown as before, for there are servers that show what was. Nobody's access counts as ended before a read
    /// has shown once that this server does what it says.
    pub(super) fn account_shown(&self, pass: &mut UserPass, operation: &Operation, shown: Resource) {
        let verb = verb_of(&operation.request);
        let (seen, learns) = (pass.session.seen.look(|seen| *seen), pass.session.policy.profile.learns);
        let known = seen.answers_whole(verb).or((!learns).then_some(true));
        let ends = operation.kind == OperationType::Deactivate;
        let certain = !ends || shown.active().is_some() && (seen.deactivates() || !learns);
        let as_before = |path: &Path| {
            let before = pass.own.before.as_ref().and_then(|before| path.read(before));
            before.is_some() && before == path.read(&shown)
        };
        let certain = certain && !operation.attributes.iter().any(as_before);
        if certain && known.unwrap_or_else(|| !lacks(pass.own.before.as_ref(), &operation.request, &shown)) {
            self.apply_response(pass, &shown);
            pass.account = Some(Account::Found { resource: shown, fresh: true });
            return;
        }
        // It is there, whatever a list says for now; and what was known of it is over, should the read fail.
        if matches!(operation.request, Request::Create(_)) {
            let mut made = shown.clone();
            made.0.entry("userName").or_insert_with(|| pass.object.spec.user_name.clone().into());
            self.apply_response(pass, &made);
        }
        if let Some(id) = shown.id() {
            self.in_mirror(pass, |known| {
                known.sightings.shown(id);
                known.invalidate(id);
            });
        }
        pass.own.answer = Some((verb, shown)).filter(|_| known.is_none());
        pass.account = Some(Account::Unknown);
    }

    /// The account was read, maybe after a write.
    pub(super) fn account_read(&self, pass: &mut UserPass, read: &Resource) {
        self.apply_response(pass, read);
        pass.own.read_since = true;
        if pass.log.active == Some(false) && read.active() == Some(false) {
            pass.session.seen.take_in(ObservedQuirks::deactivated);
        }
        let Some((verb, answer)) = pass.own.answer.take().filter(|(_, answer)| answer.id() == read.id()) else {
            return;
        };
        let whole = attributes(read).all(|name| answer.get(name).is_some());
        pass.session.seen.take_in(|seen| seen.answered(verb, whole));
    }

    /// A PATCH was taken and nothing came of it: the same is tried by replacing the user, once, where no PATCH was ever seen
    /// to change anything here. True where the pass goes on.
    pub(super) fn tries_to_replace(&self, pass: &mut UserPass, verdict: &Verdict) -> bool {
        self.learn_of_removal(pass, verdict);
        let (unchanged, changed) = outcome(pass, verdict);
        if let Some(tried) = pass.own.unchanged.take() {
            if !pass.own.replaced {
                // It was shown by the second read: nothing was amiss, and nothing is learnt of a trial that was never sent.
                pass.own.written.extend(tried);
            } else if tried.is_subset(&unchanged) {
                pass.session.seen.take_in(ObservedQuirks::put_failed);
            } else {
                self.apply_lessons(&pass.session, [Lesson::Put]);
            }
            self.go_on_as_learnt(pass);
            return false;
        }
        if changed && pass.own.read_since && pass.session.policy.profile.write_users == WriteMethod::Patch {
            pass.session.seen.take_in(ObservedQuirks::patch_changed);
        }
        !changed && self.begins_to_replace(pass, unchanged)
    }

    /// These were taken and not done by PATCH: false where there is nothing to try.
    pub(super) fn begins_to_replace(&self, pass: &mut UserPass, unchanged: BTreeSet<Path>) -> bool {
        let profile = &pass.session.policy.profile;
        let possible = !unchanged.is_empty()
            && profile.learns
            && profile.write_users == WriteMethod::Patch
            && pass.own.patched_before.is_none()
            && pass.session.seen.look(|seen| !seen.patch_changes() && !seen.put_is_no_better())
            && Lesson::Put.is_open(overrides(&self.connection().spec));
        if possible {
            // A guard has counted it.
            pass.counted.extend(unchanged.iter().map(Path::to_string));
            pass.own.written.retain(|path| !unchanged.contains(path));
            pass.own.unchanged = Some(unchanged);
            pass.session = Arc::new(pass.session.with_whole_users());
            // What replaces an account is made of what is there now.
            pass.account = Some(Account::Unknown);
        }
        possible
    }

    /// Whoever was deactivated by us is gone soon after: at several accounts that is what this server does.
    fn learn_of_removal(&self, pass: &UserPass, verdict: &Verdict) {
        let gone = matches!(pass.account, Some(Account::Absent { .. })) && verdict.state == Some(UserState::Inactive);
        let last = pass.status.last_operation.as_ref().filter(|last| last.type_ == OperationType::Deactivate);
        let soon = last.is_some_and(|last| self.effects.now().duration_since(last.at.0) < SOON);
        let by_us = soon || pass.log.active == Some(false);
        if gone && by_us && pass.bound_id().is_some() && pass.session.policy.profile.learns {
            self.learn_of_attributes(&pass.session, &pass.uid(), vec![(Lesson::RemovesInactive, true)]);
        }
    }
}

fn verb_of(request: &Request) -> Verb {
    match request {
        Request::Create(_) => Verb::Post,
        Request::Put { .. } => Verb::Put,
        Request::Patch { .. } | Request::Delete { .. } => Verb::Patch,
    }
}

/// Of what this pass wrote, and what is owed still, what the account shows as before; and whether anything was changed.
fn outcome(pass: &UserPass, verdict: &Verdict) -> (BTreeSet<Path>, bool) {
    let (Some(before), Some(Account::Found { resource: now, .. })) = (&pass.own.before, &pass.account) else {
        return (BTreeSet::new(), false);
    };
    // Of whoever was made just now nothing was there before.
    if before.id().is_none() || before.id() != now.id() {
        return (BTreeSet::new(), false);
    }
    let (active, ignored) = (Path::core(ACTIVE), verdict.details.ignored.as_deref().unwrap_or_default());
    let lost = |path: &Path| {
        let unkept = ignored.iter().any(|entry| entry.path == *path && entry.reason == IgnoredReason::NotPersisted);
        (unkept && path.read(before).is_some())
            || (*path == active && pass.log.active == Some(false) && now.active() == Some(true))
    };
    let same = |path: &&Path| path.read(before) == path.read(now);
    let unchanged = pass.own.written.iter().filter(same).filter(|path| lost(path)).cloned().collect();
    // There are servers that change active by PATCH, and nothing else.
    (unchanged, pass.own.written.iter().any(|path| *path != active && !same(&path)))
}

/// Whether an answer lacks something that was sent, or that was there before and wasn't taken away.
fn lacks(before: Option<&Resource>, request: &Request, shown: &Resource) -> bool {
    let none = Vec::new();
    let (body, operations) = match request {
        Request::Create(body) | Request::Put { body, .. } => (Some(body), &none),
        Request::Patch { operations, .. } => (None, operations),
        Request::Delete { .. } => (None, &none),
    };
    let stems = |set: bool| {
        let sets = move |op: Op, value: Option<&Value>| op != Op::Remove && value.is_some_and(|value| !is_blank(value));
        let those = operations.iter().filter(move |one| sets(one.op, one.value.as_ref()) == set);
        those.filter_map(|one| one.path.as_deref()).map(stem)
    };
    let sent = body.into_iter().flatten().filter(|(_, value)| !is_blank(value)).map(|(name, _)| name.as_str());
    let taken: Vec<&str> = stems(false).collect();
    let kept = before.filter(|_| body.is_none()).into_iter().flat_map(attributes);
    let kept = kept.filter(|name| !taken.iter().any(|taken| taken.eq_ignore_ascii_case(name)));
    sent.chain(stems(true)).chain(kept).any(|name| shown.get(name).is_none_or(is_blank))
}

/// There is nothing in it: RFC 7643 §2.5 has null and no values, and some servers show no text.
fn is_blank(value: &Value) -> bool {
    is_empty(value) || value.as_str() == Some("")
}

/// The attribute that a path leads to, or the extension.
fn stem(path: &str) -> &str {
    let name = path.split('[').next().unwrap_or(path);
    match name.rsplit_once(':').filter(|_| name.starts_with("urn:")) {
        Some((urn, _)) => urn,
        None => name.split('.').next().unwrap_or(name),
    }
}

/// What a resource has beside what every resource has.
fn attributes(resource: &Resource) -> impl Iterator<Item = &str> {
    let common =
        |name: &str| ["id", "schemas", "meta", "groups"].iter().any(|common| name.eq_ignore_ascii_case(common));
    let filled = resource.0.iter().filter(|(_, value)| !is_blank(value)).map(|(name, _)| name.as_str());
    filled.filter(move |name| !common(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::PatchOperation;
    use serde_json::json;

    fn resource(value: Value) -> Resource {
        serde_json::from_value(value).map(Resource).unwrap_or_default()
    }

    fn patch(op: Op, path: &str, value: Value) -> Request {
        let operation = PatchOperation { op, path: Some(path.to_owned()), value: Some(value) };
        Request::Patch { id: "1".into(), operations: vec![operation] }
    }

    #[test]
    fn an_answer_is_short_where_something_is_missing_that_must_be_there() {
        let before = resource(json!({"id": "1", "userName": "ada", "active": true, "title": "Cook", "nickName": ""}));
        let short = resource(json!({"id": "1", "schemas": ["urn:x"], "userName": "ada"}));
        let whole = resource(json!({"id": "1", "UserName": "ada", "active": true, "title": "Admiral"}));
        let title = patch(Op::Replace, "title", json!("Admiral"));
        assert!(lacks(Some(&before), &title, &short) && !lacks(Some(&before), &title, &whole));
        let dropped = resource(json!({"id": "1", "userName": "ada", "active": true}));
        assert!(!lacks(Some(&before), &patch(Op::Remove, "title", Value::Null), &dropped));
        assert!(!lacks(Some(&before), &patch(Op::Replace, "title", json!("")), &dropped));
        let led = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        assert!(lacks(None, &patch(Op::Add, &format!("{led}:department"), json!("Fleet")), &whole));
        let Value::Object(body) = json!({"userName": "ada", "emails": [{"value": "a@b.example"}], "title": null})
        else {
            return;
        };
        assert!(lacks(None, &Request::Create(body.clone()), &resource(json!({"id": "1", "userName": "ada"}))));
        let all = resource(json!({"id": "1", "userName": "ada", "emails": [{"value": "a@b.example"}]}));
        assert!(!lacks(None, &Request::Create(body), &all));
    }
}
