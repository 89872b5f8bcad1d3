//! The steps, in their order: declared, connection, found, owned, decided, admitted, last request, next.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use scim_operator::api::{FINALIZER, ROSTER_LABEL};
use scim_operator::provisioner::dry_run::{Action, PlannedObject};

use super::events;
use super::step::Step;
use super::subject::Subject;
use crate::commands::plan::changes;
use crate::objects::connection_name;
use crate::output::Tone;
use crate::time::ago;

impl Subject {
    /// All of them; `live` is what a plan says of it now, and `members` are those of a group.
    pub fn explained(mut self, live: Option<&PlannedObject>, members: Vec<Step>) -> Vec<Step> {
        let (more, told) = (std::mem::take(&mut self.more), std::mem::take(&mut self.events));
        let mut steps = vec![declared(&self)];
        steps.extend(self.row.take());
        steps.extend([of_connection(&self), found(&self, live), owned(&self)]);
        steps.extend(more.into_iter().chain(members));
        steps.extend([decided(&self, live), admitted(&self, live), last(&self)]);
        steps.extend(events::told(told, Timestamp::now()));
        steps.push(next(&self, live));
        steps
    }
}

fn declared(subject: &Subject) -> Step {
    let (object, metadata) = (&subject.object, &subject.metadata);
    let mut text = format!("{} {}/{} declares {}", object.kind, object.namespace, object.name, object.called);
    let labels = metadata.labels.clone().unwrap_or_default();
    if let Some(roster) = labels.get(ROSTER_LABEL) {
        let _ = write!(text, "; made by roster/{roster}");
    }
    if let Some(at) = &metadata.deletion_timestamp {
        let _ = write!(text, "; deleted {} ago", ago(at.0, Timestamp::now()));
        return Step::new("declared", Tone::Warning, text);
    }
    Step::new("declared", Tone::Good, format!("{text}; generation {}", metadata.generation.unwrap_or_default()))
}

fn of_connection(subject: &Subject) -> Step {
    let name = connection_name(&subject.reference);
    let Some(connection) = &subject.connection else {
        let why = format!("there is no connection {name}, or you may not see it");
        return Step::new("connection", Tone::Bad, why);
    };
    let conditions = connection.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let Some(connected) = conditions.iter().find(|known| known.type_ == "Connected") else {
        return Step::new("connection", Tone::Warning, format!("{name} has not been tested yet"));
    };
    let text = format!("{name}: {}: {}", connected.reason, connected.message);
    if connection.spec.suspend {
        return Step::new("connection", Tone::Warning, format!("{name} is suspended: nothing is sent"));
    }
    Step::new("connection", if connected.status == "True" { Tone::Good } else { Tone::Bad }, text)
}

fn found(subject: &Subject, live: Option<&PlannedObject>) -> Step {
    let noun = if subject.object.kind == "ScimUser" { "account" } else { "group" };
    if let Some(live) = live {
        return match &live.id {
            Some(id) => Step::new("found", Tone::Good, format!("read now: the {noun} {id}")),
            None => Step::new("found", Tone::Warning, format!("read now: the server has no {noun} of it")),
        };
    }
    match (&subject.object.id, &subject.bound_to) {
        (Some(id), Some(server)) => {
            let active = subject.object.active.map_or("", |active| if active { ", active" } else { ", inactive" });
            Step::new("found", Tone::Good, format!("bound to the {noun} {id} at {server}{active}"))
        }
        _ => Step::new("found", Tone::Warning, format!("it is bound to no {noun}")),
    }
}

fn owned(subject: &Subject) -> Step {
    let metadata = &subject.metadata;
    let ours = metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER);
    if !ours {
        return Step::new("owned", Tone::Plain, "nothing yet: the object has no finalizer of the operator's");
    }
    let claim = metadata.annotations.as_ref().and_then(|all| all.get(subject.claim));
    let claim = claim.map_or_else(String::new, |claim| format!("claimed as {claim}"));
    let managed = subject.managed.map_or_else(String::new, |count| format!("{count} attributes are its own"));
    let text = [claim, managed].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
    Step::new("owned", Tone::Good, if text.is_empty() { "by its finalizer".to_owned() } else { text })
}

fn decided(subject: &Subject, live: Option<&PlannedObject>) -> Step {
    if let Some(live) = live {
        let changes = changes(live);
        let changes = if changes.is_empty() { changes } else { format!(": {changes}") };
        let (tone, why) = match live.action {
            Action::Refused | Action::Unknown => (Tone::Bad, format!(": {}", live.message)),
            Action::Waits => (Tone::Warning, format!(": {}", live.message)),
            _ => (Tone::Plain, String::new()),
        };
        return Step::new("decided", tone, format!("now: {}{changes}{why}", live.action.as_str()));
    }
    let Some(ready) = subject.conditions.iter().find(|known| known.type_ == "Ready") else {
        return Step::new("decided", Tone::Warning, "nothing yet: it was not looked at");
    };
    let stale = ready.observed_generation != subject.metadata.generation;
    let stale = if stale { "for an earlier generation: " } else { "" };
    let tone = match ready.status.as_str() {
        "True" if subject.object.drift.is_empty() => Tone::Good,
        "True" => Tone::Warning,
        _ if subject.object.stalled => Tone::Bad,
        _ => Tone::Warning,
    };
    Step::new("decided", tone, format!("{stale}{}: {}", ready.reason, ready.message))
}

fn admitted(subject: &Subject, live: Option<&PlannedObject>) -> Step {
    match (live.and_then(|live| live.held.as_ref()), &subject.hold) {
        (_, Some(hold)) if subject.is_rejected() => {
            let text = format!(
                "{} was rejected (hold {}), and stays undone until the object's spec changes",
                hold.operation.as_str(),
                hold.id
            );
            Step::new("admitted", Tone::Bad, text)
        }
        (_, Some(hold)) => {
            let holds = subject.connection.iter().filter_map(|connection| connection.status.as_ref()?.holds.as_ref());
            let by = holds.flatten().find(|known| known.id.as_ref() == Some(&hold.id));
            let by = by.map_or_else(String::new, |by| format!(" of {}", by.reason));
            let text = format!(
                "{} is in the hold {}{by}; kubectl scim holds {} shows all of it",
                hold.operation.as_str(),
                hold.id,
                hold.id
            );
            Step::new("admitted", Tone::Bad, text)
        }
        (Some(held), None) if held.needs_answer => {
            Step::new("admitted", Tone::Bad, format!("would be held by {} until a person approves it", held.by))
        }
        (Some(held), None) => Step::new("admitted", Tone::Warning, format!("waits until guards.{} has room", held.by)),
        (None, None) => Step::new("admitted", Tone::Good, "nothing of it is held"),
    }
}

fn last(subject: &Subject) -> Step {
    let Some(last) = &subject.last else {
        return match refused(subject, None) {
            Some(why) => Step::new("last request", Tone::Bad, format!("{why}; none has taken effect")),
            None => Step::new("last request", Tone::Plain, "none has taken effect"),
        };
    };
    let attributes = last.attributes.clone().unwrap_or_default();
    let attributes = if attributes.is_empty() { String::new() } else { format!(" of {}", attributes.join(", ")) };
    let request = last.request_id.as_ref().map_or_else(String::new, |id| format!("; the server calls it {id}"));
    let age = ago(last.at.0, Timestamp::now());
    let done = format!("{}{attributes} {age} ago{request}", last.type_.as_str());
    match refused(subject, Some(last.at.0)) {
        Some(why) => Step::new("last request", Tone::Bad, format!("{why}; before that {done}")),
        None => Step::new("last request", Tone::Good, done),
    }
}

/// What the server said to a request that is newer than the last one that took effect.
fn refused(subject: &Subject, done: Option<Timestamp>) -> Option<String> {
    const BY_THE_SERVER: [&str; 2] = ["Rejected", "NotSupported"];
    let ready = subject.conditions.iter().find(|known| known.type_ == "Ready")?;
    let at = ready.last_transition_time.0;
    let newer = BY_THE_SERVER.contains(&ready.reason.as_str()) && done.is_none_or(|done| at >= done);
    newer.then(|| format!("refused {} ago ({}): {}", ago(at, Timestamp::now()), ready.reason, ready.message))
}

fn next(subject: &Subject, live: Option<&PlannedObject>) -> Step {
    let now = Timestamp::now();
    if let Some(hold) = subject.hold.as_ref().filter(|_| subject.is_rejected()) {
        let text =
            format!("nothing before its spec changes; kubectl scim approve {} takes the rejection back", hold.id);
        return Step::new("next", Tone::Warning, text);
    }
    if let Some(hold) = &subject.hold {
        let text = format!("a person answers: kubectl scim approve {id}, or kubectl scim reject {id}", id = hold.id);
        return Step::new("next", Tone::Warning, text);
    }
    let requests = live.map(|live| live.requests.as_slice()).unwrap_or_default();
    if !requests.is_empty() {
        let sent = requests.iter().map(|request| format!("{} {}", request.method, request.path));
        let text = format!("the operator sends {}", sent.collect::<Vec<_>>().join(", "));
        return Step::new("next", Tone::Warning, text);
    }
    if subject.suspended {
        return Step::new("next", Tone::Warning, "nothing before spec.suspend is false: kubectl scim resume");
    }
    if subject.connection.as_ref().is_some_and(|connection| connection.spec.suspend) {
        return Step::new("next", Tone::Warning, "nothing before its connection is resumed: kubectl scim resume");
    }
    if subject.object.stalled {
        return Step::new(
            "next",
            Tone::Bad,
            "nothing before the spec, the server or the connection is corrected as said above",
        );
    }
    if matches!(subject.object.reason.as_deref(), Some("Pending" | "RateLimited" | "ConnectionNotReady")) {
        let text =
            "the operator goes on by itself: at once when what it waits for is there, within 5 minutes after an error";
        return Step::new("next", Tone::Plain, text);
    }
    let sweep = subject.connection.as_ref().and_then(|connection| {
        let last = connection.status.as_ref()?.sweep.as_ref()?.last_completed.as_ref()?.0;
        let interval = SignedDuration::try_from(connection.spec.resync_interval.std()).ok()?;
        last.checked_add(interval).ok()
    });
    let window = subject.window_ends.map(|at| format!("its access window changes {}", ago(at, now)));
    let sweep = sweep.map(|at| {
        if at <= now {
            "a sweep reads it again, which is due".to_owned()
        } else {
            format!("a sweep reads it again {}", ago(at, now))
        }
    });
    let text = [window, sweep].into_iter().flatten().collect::<Vec<_>>().join("; ");
    Step::new(
        "next",
        Tone::Plain,
        if text.is_empty() { "it is looked at when something changes".to_owned() } else { text },
    )
}
