//! Nothing is left to send for a group, or not yet: what is recorded of it, and what a person is told.

use jiff::SignedDuration;
use serde_json::json;

use super::differing::{NAME_AS_KEPT, all_differing, is_kept_as_shown, name_may_come};
use super::facts::{GroupDetails, GroupFacts, GroupStep, GroupVerdict, HiddenMembers};
use super::membership::MEMBERS;
use super::name::same_name;
use super::patch::part;
use super::rejected::part_of;
use super::remarks::{remark, unseen};
use super::unfound;
use crate::api::{GroupDrift, GroupState, IgnoredReason, Reason, RemoteId};
use crate::plan::Applied;
use crate::plan::outcome::settle;
use crate::scim::{PatchOperation, Resource, composed};

/// What a reading found changed is shown before it is repaired.
pub(super) fn drifted(facts: &GroupFacts, resource: &Resource, attributes: &[PatchOperation]) -> Option<GroupStep> {
    let found = drift(facts, attributes)?;
    let put_back = facts.policy.repair.attributes && !(facts.contested && attributes.is_empty());
    if !put_back || facts.object.status.drift.as_ref() == Some(&found) {
        return None;
    }
    let current = facts.object.status.observed_generation == Some(facts.object.generation);
    let mut shown = shows_drift(at_rest(facts, resource, &[]), found, "it is put back");
    (shown.details.again, shown.executed) = (true, current);
    Some(settle(shown))
}

/// What others changed: these attributes, and members.
fn drift(facts: &GroupFacts, attributes: &[PatchOperation]) -> Option<GroupDrift> {
    let mut found = facts.drift.cloned().unwrap_or_default();
    if !facts.written {
        found.attributes = attributes.iter().filter_map(|operation| operation.path.clone()).collect();
    }
    (found != GroupDrift::default()).then_some(found)
}

fn shows_drift(verdict: GroupVerdict, found: GroupDrift, what_now: &str) -> GroupVerdict {
    let mut what = found.attributes.clone();
    what.push(format!("{} declared members gone", found.lost));
    what.push(format!("{} undeclared members were added", found.foreign));
    let message = format!("changed at the server, not by us: {}; {what_now}", what.join(", "));
    let (reason, state) = (Some(Reason::Drifted), Some(GroupState::Drifted));
    let details = GroupDetails { drift: Some(found), ..verdict.details };
    GroupVerdict { reason, message, state, details, ..verdict }
}

/// Nothing is to be sent.
pub(super) fn at_rest(facts: &GroupFacts, resource: &Resource, left: &[PatchOperation]) -> GroupVerdict {
    let rest = Rest { facts, resource, left, synced: synced(facts, resource, left) };
    OBSTACLES.iter().find_map(|obstacle| obstacle(&rest)).unwrap_or(rest.synced)
}

/// A group about which nothing is to be sent.
struct Rest<'a> {
    facts: &'a GroupFacts<'a>,
    resource: &'a Resource,
    /// What others changed, and is left so.
    left: &'a [PatchOperation],
    /// How it stands where nothing speaks against it.
    synced: GroupVerdict,
}

/// What may speak against it: the first that does is told.
const OBSTACLES: [fn(&Rest) -> Option<GroupVerdict>; 10] = [
    contested,
    members_kept,
    members_unfound,
    parts_rejected,
    parts_refused,
    drift_left,
    members_absent,
    name_to_come,
    members_over_rate,
    parts_not_kept,
];

impl Rest<'_> {
    fn told(&self, reason: Reason, state: GroupState, message: String) -> GroupVerdict {
        GroupVerdict { reason: Some(reason), state: Some(state), message, ..self.synced.clone() }
    }

    /// The same, before what is to be told anyway.
    fn told_first(&self, reason: Reason, state: GroupState, message: &str) -> GroupVerdict {
        self.told(reason, state, format!("{message}; {}", self.synced.message))
    }

    /// The same, after it.
    fn told_last(&self, reason: Reason, state: GroupState, message: &str) -> GroupVerdict {
        self.told(reason, state, format!("{}; {message}", self.synced.message))
    }
}

/// What waits goes on by itself; the rest needs a person.
fn state_of(reason: Reason) -> GroupState {
    if reason == Reason::Pending { GroupState::Pending } else { GroupState::Failed }
}

fn synced(facts: &GroupFacts, resource: &Resource, left: &[PatchOperation]) -> GroupVerdict {
    let counts = facts.counts();
    let mut message = format!(
        "{} of {} declared members are in the group",
        counts.declared - counts.waiting - kept_out(facts) - unseen(facts),
        counts.declared
    );
    remark(facts, &mut message);
    GroupVerdict {
        reason: Some(Reason::Synced),
        message,
        state: Some(GroupState::Synced),
        executed: true,
        applied: Some(applied(facts, resource, left)),
        details: GroupDetails {
            display_name: resource.display_name().map(str::to_owned),
            members: Some(counts),
            waiting_for: facts.members.waiting_for.to_vec(),
            refused: refused(facts, resource),
            ..GroupDetails::default()
        },
        ..GroupVerdict::default()
    }
}

fn contested(rest: &Rest) -> Option<GroupVerdict> {
    let found = drift(rest.facts, rest.left);
    let found = found.filter(|_| rest.facts.contested && rest.facts.policy.repair.attributes)?;
    let what_now = "a second writer keeps changing the members back: what it changed is left so until the spec changes, and \
                    what is declared of others is carried out";
    let (reason, state) = (Some(Reason::Contested), Some(GroupState::Failed));
    Some(GroupVerdict { reason, state, ..shows_drift(rest.synced.clone(), found, what_now) })
}

fn members_kept(rest: &Rest) -> Option<GroupVerdict> {
    let (reason, message) = kept(rest.facts)?;
    Some(GroupVerdict { executed: reason != Reason::Pending, ..rest.told(reason, state_of(reason), message) })
}

fn members_unfound(rest: &Rest) -> Option<GroupVerdict> {
    let (reason, message) = unfound::told(rest.facts)?;
    Some(rest.told(reason, state_of(reason), message))
}

fn parts_rejected(rest: &Rest) -> Option<GroupVerdict> {
    let message = rejected(rest.facts, &rest.synced.details.refused)?;
    Some(rest.told_first(Reason::Held, GroupState::Held, &message))
}

fn parts_refused(rest: &Rest) -> Option<GroupVerdict> {
    let told = told(rest.facts, &rest.synced.details.refused, IgnoredReason::Rejected)?;
    let message = format!(
        "the server refuses {told}, and has everything else; it is tried again hourly, and when what is declared changes"
    );
    Some(rest.told_last(Reason::Rejected, GroupState::Failed, &message))
}

fn drift_left(rest: &Rest) -> Option<GroupVerdict> {
    let found = drift(rest.facts, rest.left).filter(|_| !rest.facts.policy.repair.attributes)?;
    Some(shows_drift(rest.synced.clone(), found, "driftPolicy.attributes leaves it so"))
}

fn members_absent(rest: &Rest) -> Option<GroupVerdict> {
    let (first, left) = absent(rest.facts)?;
    let many = rest.facts.members.absent.len();
    let them = if many > 1 { format!(" and {} more, named", many - 1) } else { ", named".to_owned() };
    let are = if many > 1 { "are" } else { "is" };
    let message =
        format!("the {first}{them} in spec.members, {are} not there: create what is missing, or correct the name");
    let reason = if left.is_some() { Reason::Pending } else { Reason::MemberNotFound };
    let mut verdict = rest.told_first(reason, state_of(reason), &message);
    verdict.details.again_after = left;
    Some(verdict)
}

fn name_to_come(rest: &Rest) -> Option<GroupVerdict> {
    let shown = rest.resource.display_name()?;
    let message = "the server took the group's name, and still shows the one before; it is looked at again in a minute";
    let verdict = || rest.told_first(Reason::Pending, GroupState::Pending, message);
    name_may_come(rest.facts, shown).then(|| GroupVerdict { executed: false, ..verdict() })
}

fn members_over_rate(rest: &Rest) -> Option<GroupVerdict> {
    let over = Some(over_rate(rest.facts)).filter(|over| *over > 0)?;
    let message = format!(
        "this server takes only so many new members a group and hour; {over} are still to be put in, and follow by themselves"
    );
    Some(GroupVerdict { executed: false, ..rest.told(Reason::RateLimited, GroupState::Pending, message) })
}

fn parts_not_kept(rest: &Rest) -> Option<GroupVerdict> {
    let told = told(rest.facts, &rest.synced.details.refused, IgnoredReason::NotPersisted)?;
    let hint = if rest.facts.hidden_members == HiddenMembers::Possible { HIDDEN } else { "" };
    let message = format!("the server took and doesn't show {told}{hint}");
    Some(rest.told_last(Reason::NotPersisted, GroupState::Synced, &message))
}

/// What is told where nobody was ever shown.
const HIDDEN: &str = ". No group showed anybody so far: if this server never does, set spec.dialect.membersReadable of the \
     connection to No";

/// Attributes and members that are owed and not sent.
fn refused(facts: &GroupFacts, resource: &Resource) -> Vec<String> {
    let members = &facts.members;
    let operations = all_differing(facts, resource);
    let owes = |part: &&String| match part.split_at_checked(1) {
        Some(("+", id)) => members.membership.missing().contains(&id.into()),
        Some(("-", id)) => members.membership.extra().contains(&id.into()),
        _ => operations.iter().any(|operation| operation.path.as_ref() == Some(part)),
    };
    members.resting.iter().filter(owes).cloned().collect()
}

/// What of that people rejected, in words.
fn rejected(facts: &GroupFacts, refused: &[String]) -> Option<String> {
    let rejected = facts.members.rejected;
    let (members, names): (Vec<&String>, Vec<&String>) =
        refused.iter().filter(|part| rejected.parts.contains(*part)).partition(|part| part.starts_with('+'));
    let coming = format!("{} members to be put in", members.len());
    let mut what: Vec<&str> = names.into_iter().map(String::as_str).collect();
    what.extend((!members.is_empty()).then_some(&*coming));
    (!what.is_empty()).then(|| {
        let what = what.join(", ");
        format!(
            "{what}: held (hold {}) and rejected, so that stays undone until this object's spec changes",
            rejected.hold
        )
    })
}

/// Those of them that are so for this reason, named, with the server's words; some of many.
fn told(facts: &GroupFacts, refused: &[String], reason: IgnoredReason) -> Option<String> {
    const MOST: usize = 5;
    let known = facts.object.status.ignored_attributes.iter().flatten().filter(|entry| entry.reason == reason);
    let owed = known.filter(|entry| part_of(entry).is_some_and(|part| refused.contains(&part)));
    let told: Vec<String> = owed
        .map(|entry| match &entry.message {
            Some(words) => format!("{} ({words})", entry.path),
            None => entry.path.clone(),
        })
        .collect();
    let more = told.len().saturating_sub(MOST);
    let text = told.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join("; ");
    (!told.is_empty()).then(|| if more > 0 { format!("{text}; and {more} more") } else { text })
}

/// Declared members that are kept out because the server refuses them, or doesn't keep them.
fn kept_out(facts: &GroupFacts) -> i64 {
    let members = &facts.members;
    let missing = members.membership.missing();
    let rests = |id: &&RemoteId| !members.resting.is_empty() && members.resting.contains(&part(id, true));
    let out = missing.iter().filter(|id| members.sent.contains(*id) || rests(id)).count();
    i64::try_from(out).unwrap_or(i64::MAX)
}

/// What is carried out by now: what is left differs, and had been carried out before.
fn applied(facts: &GroupFacts, resource: &Resource, left: &[PatchOperation]) -> Applied {
    let spec = facts.object.spec;
    let mut now = Applied::default();
    let taken = |path: &str| !facts.members.resting.contains(path);
    let comes = resource.display_name().is_some_and(|shown| name_may_come(facts, shown));
    if taken("displayName") && !comes {
        now.set("displayName", Some(&json!(composed(&spec.display_name))));
        let other = resource.display_name().filter(|shown| !same_name(shown, &spec.display_name));
        if let Some(shown) = other.filter(|shown| is_kept_as_shown(facts, shown)) {
            now.set(NAME_AS_KEPT, Some(&json!(shown)));
        }
    }
    if let Some(external_id) = spec.external_id.as_ref().filter(|_| taken("externalId")) {
        now.set("externalId", Some(&json!(external_id)));
    }
    for operation in left {
        now.set(operation.path.as_deref().unwrap_or_default(), operation.value.as_ref());
    }
    // Whoever wasn't put in yet was never in, be it for want of an account that is shown or of room, and whoever is still to
    // be taken out isn't left there. What is refused or protected is known by that.
    let kept = facts.members.kept;
    let waits =
        facts.removals_wait || !(kept.unknown.is_empty() && kept.awaited.is_empty() && kept.unrecorded.is_empty());
    // Put in a moment ago, and dropped since.
    let reversed = facts.members.sent.iter().any(|id| facts.members.membership.extra().contains(id));
    let rejected = facts.members.rejected.parts.iter().any(|part| part.starts_with('+'));
    if !waits && !reversed && !rejected && unseen(facts) == 0 && over_rate(facts) == 0 {
        now.set(MEMBERS, Some(&json!(facts.members.membership.fingerprint())));
    }
    now
}

/// Why members stay as they are that are to be put in or taken out.
fn kept(facts: &GroupFacts) -> Option<(Reason, String)> {
    let kept = facts.members.kept;
    let protected = |id: &&RemoteId| !kept.unknown.contains(*id) && !kept.awaited.contains(*id);
    let leaving = kept.leaving.iter().filter(protected).count();
    let coming = kept.coming.difference(&kept.unknown).count();
    if leaving > 0 && !facts.removals_wait {
        let message = format!(
            "guards.protected keeps {leaving} members in this group that are to leave it; take the pattern out, or declare them"
        );
        return Some((Reason::Protected, message));
    }
    if let Some(first) = kept.unrecorded.first() {
        let message = format!(
            "{} members are not put in, because that can't be recorded in the status of their ScimUsers ({first}): look at \
             admission webhooks and policies, and at the operator's role",
            kept.unrecorded.len()
        );
        return Some((Reason::WriteRefused, message));
    }
    if let Some(why) = kept.refused.as_ref().filter(|_| coming > 0) {
        return Some((Reason::NotAllowed, format!("{coming} members are not put in: {why}")));
    }
    let unknown = kept.unknown.first().filter(|_| !facts.removals_wait)?;
    if kept.told_by_nothing {
        let message = format!(
            "{} members stay as they are: the server names one {unknown:?}, shows no account of this id, and doesn't list all \
             its users, so it can't be told whose they are, and who is declared may be among them. Allow the key to list \
             users, declare these members, or take them out at the server",
            kept.unknown.len()
        );
        return Some((Reason::NotSupported, message));
    }
    let message = format!(
        "{} members stay as they are until the server has shown whose accounts they are: guards.protected or the delegation may \
         speak against a change, or they are declared by a userName",
        kept.unknown.len()
    );
    Some((Reason::Pending, message))
}

/// What is applied together arrives one after the other: a group may come so much sooner than its members.
pub const ARRIVAL: SignedDuration = SignedDuration::from_secs(60);

/// The first member that is referred to and isn't there, and how long it may still be on its way.
fn absent<'a>(facts: &'a GroupFacts) -> Option<(&'a str, Option<SignedDuration>)> {
    let first = facts.members.absent.first()?;
    let age = facts.object.created.map_or(ARRIVAL, |created| facts.now.duration_since(created));
    Some((first, (age < ARRIVAL).then(|| ARRIVAL - age.max(SignedDuration::ZERO))))
}

/// Whom the server takes only later.
fn over_rate(facts: &GroupFacts) -> usize {
    let members = &facts.members;
    if members.room != Some(0) {
        return 0;
    }
    members.membership.missing().iter().filter(|id| !members.sent.contains(*id)).count()
}
