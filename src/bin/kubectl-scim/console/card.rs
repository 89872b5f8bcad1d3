//! A connection as a card of the overview: how it stands, and why.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use maud::{Markup, html};
use scim_operator::api::{ScimConnection, ScimConnectionStatus};
use scim_operator::provisioner::rate_limits;

use super::filter::Filter;
use super::page::{foreign, readiness, when};
use super::plot::bar;
use crate::commands::holds::{self, Hold};
use crate::objects::{full_name, word};
use crate::time::{ago, instant};

/// A key that expires within so long is warned of.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// How a connection stands, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Nothing goes on, or somebody has to answer.
    Bad,
    /// It works, and something of it doesn't.
    Warning,
    Good,
}

impl Standing {
    /// By what its status says.
    pub fn of(connection: &ScimConnection, now: Timestamp) -> Self {
        let status = connection.status.clone().unwrap_or_default();
        let ready = condition(&status, "Ready");
        let waits = holds::of_connection(connection).iter().any(|hold| !hold.rejected);
        if waits || ready.is_none_or(|ready| ready.status != "True") {
            return Self::Bad;
        }
        let counted = |count: Option<i64>| count.is_some_and(|count| count > 0);
        let users = status.users.clone().unwrap_or_default();
        let groups = status.groups.unwrap_or_default();
        let key = status.credentials.clone().unwrap_or_default();
        let expires = instant(key.expires_at.as_ref()).is_some_and(|at| at.duration_since(now) < SOON);
        let is_well = ready.is_some_and(|ready| ready.reason == "Connected")
            && connection.metadata.deletion_timestamp.is_none()
            && !(counted(users.failed) || counted(users.held) || counted(users.drifted))
            && groups.failed == 0
            && groups.held == 0
            && !(expires || key.rejected_since.is_some())
            && status.sweep.is_none_or(|sweep| sweep.complete != Some(false));
        if is_well { Self::Good } else { Self::Warning }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Warning => "warning",
            Self::Good => "good",
        }
    }
}

fn condition<'a>(status: &'a ScimConnectionStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

/// What the overview knows of a connection beside its object.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside {
    /// When its key was changed.
    pub key_changed: Option<Timestamp>,
    /// How many of a cluster connection's people are in the one namespace that the console looks at.
    pub here: Option<usize>,
}

/// The card.
pub fn card(connection: &ScimConnection, beside: Beside, now: Timestamp) -> Markup {
    let name = full_name(connection);
    let status = connection.status.clone().unwrap_or_default();
    let ready = condition(&status, "Ready");
    let users = status.users.clone().unwrap_or_default();
    let number = |count: Option<i64>| count.unwrap_or_default();
    let people =
        |state: &str| Filter { connection: name.clone(), state: state.into(), ..Filter::default() }.address("/people");
    let (synced, drifted) = (number(users.synced), number(users.drifted));
    // Whoever looks at one namespace would find nobody behind a count of the cluster.
    let linked = |count: i64, state: &str| {
        html! { @if count > 0 && beside.here.is_none() { a href=(people(state)) { (count) } } @else { (count) } }
    };
    html! {
        section.card.(Standing::of(connection, now).class()) {
            h2 { (foreign(&name)) }
            p { (readiness(ready.map_or("Unknown", |ready| &ready.status))) " " (ready.map_or("not looked at yet", |ready| &ready.reason)) }
            @if let Some(ready) = ready.filter(|ready| ready.status != "True" || ready.reason != "Connected") { p.message { (foreign(&ready.message)) } }
            @if connection.metadata.deletion_timestamp.is_some() {
                p.notice { "It is under deletion. " @if let Some(left) = condition(&status, "Terminating") { (foreign(&left.message)) } }
            }
            @if let Some(why) = condition(&status, "Quarantined").filter(|why| ready.is_none_or(|ready| ready.message != why.message)) {
                p { "Quarantined: " (foreign(&why.message)) }
            }
            @for hold in &holds::of_connection(connection) { (waiting(hold)) }
            (bar(&[
                (synced - drifted, "good", "synced"), (drifted, "warning", "drifted"), (number(users.pending), "calm", "pending"),
                (number(users.held), "warning", "held"), (number(users.failed), "bad", "failed"),
            ], true))
            dl {
                dt { "People" }
                dd {
                    @match beside.here {
                        Some(here) => { (number(users.declared)) " in the cluster, " a href=(people("")) { (here) " in this namespace" } }
                        None => a href=(people("")) { (number(users.declared)) },
                    }
                }
                @if number(users.failed) > 0 { dt { "Failed" } dd { (linked(number(users.failed), "Failed")) } }
                @if number(users.held) > 0 { dt { "Held" } dd { (linked(number(users.held), "Held")) } }
                dt { "Drift" } dd { (linked(drifted, "Drifted")) }
                @if let Some(groups) = status.groups {
                    dt { "Groups" } dd { (groups.declared) " (" (groups.failed) " failed, " (groups.held) " held)" }
                }
                @if let Some(unmanaged) = users.unmanaged { dt { "Unmanaged" } dd { (unmanaged) } }
                dt { "Mode" } dd { @if connection.spec.suspend { "suspended" } @else { (word(&connection.spec.mode)) } }
                @for guard in status.guards.iter().flatten() {
                    dt { "Guard " (guard.name) }
                    dd { (guard.used) " of " (guard.limit) " used" (bar(&budget(guard.used, guard.limit), false)) }
                }
                (key(&status, beside.key_changed, now))
                dt { "Rate limit" }
                dd { @for limit in rate_limits(&connection.spec) { (word(&limit.for_)) " requests: " (limit.requests) " in " (limit.period.0) " " } }
                dt { "Last sweep" }
                dd {
                    (when(status.sweep.as_ref().and_then(|sweep| instant(sweep.last_completed.as_ref())), now))
                    @if status.sweep.as_ref().is_some_and(|sweep| sweep.complete == Some(false)) { ", " span.state.warning { "the last one incomplete" } }
                }
            }
        }
    }
}

/// How old the key is, and how long it is good.
fn key(status: &ScimConnectionStatus, changed: Option<Timestamp>, now: Timestamp) -> Markup {
    let key = status.credentials.clone().unwrap_or_default();
    html! {
        @if let Some(at) = changed { dt { "Key changed" } dd { (when(Some(at), now)) } }
        @if let Some(at) = instant(key.expires_at.as_ref()) {
            dt { "Key" }
            dd {
                @if at <= now { span.state.bad { "expired " (ago(at, now)) " ago" } }
                @else if at.duration_since(now) < SOON { span.state.warning { "expires " (ago(at, now)) } }
                @else { "expires " (ago(at, now)) }
            }
        }
        @if let Some(at) = instant(key.rejected_since.as_ref()) {
            dt { "Key rejected" } dd { span.state.bad { (when(Some(at), now)) } }
        }
    }
}

/// A hold, as its card shows it.
fn waiting(hold: &Hold) -> Markup {
    html! {
        @match &hold.id {
            Some(id) if hold.rejected => p { a href={ "/holds/" (id) } { "A rejected hold: " (hold.words()) } },
            Some(id) => p.hold { a href={ "/holds/" (id) } { "A hold waits: " (hold.words()) } },
            None => p.hold { "A hold is closing: " (hold.words()) },
        }
    }
}

/// The used part of a guard's budget, and what is left of it.
fn budget(used: i64, limit: i64) -> [(i64, &'static str, &'static str); 2] {
    let class = if used >= limit { "bad" } else { "info" };
    [(used.min(limit), class, "used"), ((limit - used).max(0), "rest", "left")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn now() -> Timestamp {
        "2026-11-28T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_card_is_red_where_the_connection_is_not_ready_and_leads_to_the_hold() {
        let connection: ScimConnection = serde_json::from_value(json!({
            "metadata": {"name": "datadog", "namespace": "identity"},
            "spec": {"baseUrl": "https://scim.example.com", "auth": {}},
            "status": {
                "conditions": [{"type": "Ready", "status": "False", "reason": "Holding", "message": "25 <deletions> wait",
                    "lastTransitionTime": "2026-11-28T11:00:00Z"}],
                "users": {"declared": 25, "synced": 0, "held": 25},
                "holds": [{"id": "3f2a9c0d11b2e477", "reason": "removals", "since": "2026-11-28T11:00:00Z",
                    "creates": 0, "updates": 0, "deactivations": 0, "deletes": 25}],
                "guards": [{"name": "removals", "base": 100, "limit": 10, "used": 10, "buckets": []}],
                "credentials": {"expiresAt": "2026-12-08T12:00:00Z"},
                "sweep": {"lastCompleted": "2026-11-28T11:55:00Z", "complete": false},
            },
        }))
        .unwrap();
        let card = card(&connection, Beside { key_changed: Some(now()), here: None }, now()).into_string();
        assert!(
            card.starts_with("<section class=\"card bad\">") && card.contains("25 &lt;deletions&gt; wait"),
            "{card}"
        );
        assert!(card.contains("<a href=\"/holds/3f2a9c0d11b2e477\">A hold waits: 25 deletions</a>"), "{card}");
        assert!(card.contains("/people?connection=identity%2Fdatadog"), "{card}");
        for text in
            ["10 of 10 used", "expires in 10d", "Key changed", "Rate limit", "5m ago", "the last one incomplete"]
        {
            assert!(card.contains(text), "{text}: {card}");
        }
    }

    fn with(status: &Value) -> ScimConnection {
        let mut all = json!({"conditions": [{"type": "Ready", "status": "True", "reason": "Connected", "message": "",
            "lastTransitionTime": "2026-11-28T11:00:00Z"}], "users": {"declared": 25, "synced": 25}});
        all.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
        let connection = json!({"metadata": {"name": "datadog"}, "spec": {"baseUrl": "https://scim.example.com", "auth": {}}, "status": all});
        serde_json::from_value(connection).unwrap()
    }

    #[test]
    fn a_card_is_green_only_where_nothing_is_wrong() {
        let ready = |reason: &str, message: &str| {
            json!({"conditions": [{"type": "Ready", "status": "True", "reason": reason, "message": message,
                "lastTransitionTime": "2026-11-28T11:00:00Z"}]})
        };
        for (status, told) in [
            (ready("NewKeyRejected", "the server refuses the new <key>"), "refuses the new &lt;key&gt;"),
            (json!({"credentials": {"rejectedSince": "2026-11-28T11:00:00Z"}}), "Key rejected"),
            (json!({"credentials": {"expiresAt": "2026-12-08T12:00:00Z"}}), "expires in 10d"),
            (json!({"credentials": {"expiresAt": "2026-11-25T12:00:00Z"}}), "expired 3d ago"),
            (json!({"users": {"declared": 300, "failed": 300}}), ">300</a>"),
            (json!({"users": {"declared": 300, "drifted": 1}}), "state=Drifted"),
            (json!({"groups": {"declared": 1, "synced": 0, "pending": 0, "failed": 1, "held": 0}}), "1 failed"),
            (json!({"sweep": {"complete": false}}), "incomplete"),
        ] {
            let card = card(&with(&status), Beside::default(), now()).into_string();
            assert!(card.starts_with("<section class=\"card warning\">") && card.contains(told), "{status}: {card}");
        }
        let well = json!({"credentials": {"expiresAt": "2027-11-28T12:00:00Z"}, "sweep": {"complete": true}});
        assert_eq!(Standing::of(&with(&well), now()), Standing::Good);
        let mut going = with(&json!({}));
        going.metadata.deletion_timestamp = serde_json::from_value(json!("2026-11-28T11:00:00Z")).unwrap();
        assert!(card(&going, Beside::default(), now()).into_string().contains("under deletion"));
    }

    #[test]
    fn a_rejected_hold_waits_for_nobody() {
        let hold = json!({"holds": [{"id": "3f2a9c0d11b2e477", "reason": "removals", "since": "2026-11-28T11:00:00Z",
            "creates": 0, "updates": 2, "deactivations": 0, "deletes": 0}], "refusedHolds": ["3f2a9c0d11b2e477"]});
        let card = card(&with(&hold), Beside::default(), now()).into_string();
        assert!(
            card.starts_with("<section class=\"card good\">") && card.contains("A rejected hold: 2 updates"),
            "{card}"
        );
    }

    #[test]
    fn of_a_cluster_connection_it_is_told_how_many_are_in_this_namespace() {
        let users = json!({"users": {"declared": 2500, "synced": 2500}});
        let card = card(&with(&users), Beside { key_changed: None, here: Some(3) }, now()).into_string();
        assert!(
            card.contains("2500 in the cluster, <a href=\"/people?connection=datadog\">3 in this namespace"),
            "{card}"
        );
    }
}
