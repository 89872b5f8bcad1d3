//! The overview: connections as cards, and what was done lately.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use maud::{Markup, html};
use scim_operator::api::ScimConnection;
use scim_operator::provisioner::rate_limits;

use super::filter::Filter;
use super::keys::Changed;
use super::metrics::History;
use super::page::{bar, foreign, plot, readiness, when};
use super::store::Store;
use crate::commands::holds::{self, Hold};
use crate::objects::{Object, full_name, word};
use crate::time::instant;

/// The hours that the time line shows.
const HOURS: usize = 24;

/// The minutes that the plot of the operator's metrics shows.
const MINUTES: usize = 60;

/// The page.
pub fn content(store: &Store, keys: &Changed, history: &History, now: Timestamp) -> Markup {
    let mut connections: Vec<&ScimConnection> = store.all_connections().collect();
    connections.sort_by_key(|connection| {
        let waits = !holds::of_connection(connection).is_empty();
        (is_ready(connection) && !waits, full_name(*connection))
    });
    html! {
        @if connections.is_empty() && store.is_complete() {
            p { "There is no connection here. " code { "kubectl scim console -A" } " looks into all namespaces." }
        }
        div.cards {
            @for connection in connections { (card(connection, keys.get(&full_name(connection)).copied(), now)) }
        }
        (timeline(store.users.iter().chain(store.groups.iter()).map(|entry| &entry.object), now))
        (counted(history, now))
    }
}

fn ready(connection: &ScimConnection) -> Option<&Condition> {
    let conditions = connection.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == "Ready")
}

fn is_ready(connection: &ScimConnection) -> bool {
    ready(connection).is_some_and(|condition| condition.status == "True")
}

fn card(connection: &ScimConnection, key_changed: Option<Timestamp>, now: Timestamp) -> Markup {
    let name = full_name(connection);
    let status = connection.status.clone().unwrap_or_default();
    let ready = ready(connection);
    let users = status.users.unwrap_or_default();
    let holds = holds::of_connection(connection);
    let number = |count: Option<i64>| count.unwrap_or_default();
    let people =
        |state: &str| Filter { connection: name.clone(), state: state.into(), ..Filter::default() }.address("/people");
    let (synced, drifted) = (number(users.synced), number(users.drifted));
    html! {
        section.card.(if is_ready(connection) && holds.is_empty() { "good" } else { "bad" }) {
            h2 { (foreign(&name)) }
            p { (readiness(ready.map_or("Unknown", |ready| &ready.status))) " " (ready.map_or("not looked at yet", |ready| &ready.reason)) }
            @if let Some(ready) = ready.filter(|ready| ready.status != "True") { p { (foreign(&ready.message)) } }
            @for hold in &holds { (waiting(hold)) }
            (bar(&[
                (synced - drifted, "good", "synced"), (drifted, "warning", "drifted"), (number(users.pending), "calm", "pending"),
                (number(users.held), "warning", "held"), (number(users.failed), "bad", "failed"),
            ], true))
            dl {
                dt { "People" } dd { a href=(people("")) { (number(users.declared)) } }
                dt { "Drift" } dd { a href=(people("Drifted")) { (drifted) } }
                @if let Some(groups) = status.groups {
                    dt { "Groups" } dd { (groups.declared) " (" (groups.failed) " failed, " (groups.held) " held)" }
                }
                @if let Some(unmanaged) = users.unmanaged { dt { "Unmanaged" } dd { (unmanaged) } }
                dt { "Mode" } dd { @if connection.spec.suspend { "suspended" } @else { (word(&connection.spec.mode)) } }
                @for guard in status.guards.iter().flatten() {
                    dt { "Guard " (guard.name) }
                    dd { (guard.used) " of " (guard.limit) " used" (bar(&budget(guard.used, guard.limit), false)) }
                }
                @if let Some(at) = key_changed { dt { "Key changed" } dd { (when(Some(at), now)) } }
                @if let Some(at) = status.credentials.as_ref().and_then(|key| instant(key.expires_at.as_ref())) {
                    dt { "Key expires" } dd { (when(Some(at), now)) }
                }
                @if let Some(at) = status.credentials.as_ref().and_then(|key| instant(key.rejected_since.as_ref())) {
                    dt { "Key rejected" } dd { (when(Some(at), now)) }
                }
                dt { "Rate limit" }
                dd { @for limit in rate_limits(&connection.spec) { (word(&limit.for_)) " " (limit.requests) "/" (limit.period.0) " " } }
                dt { "Last sweep" }
                dd {
                    (when(status.sweep.as_ref().and_then(|sweep| instant(sweep.last_completed.as_ref())), now))
                    @if status.sweep.is_some_and(|sweep| sweep.complete == Some(false)) { ", the last one incomplete" }
                }
            }
        }
    }
}

/// A hold, as its card shows it.
fn waiting(hold: &Hold) -> Markup {
    html! {
        p.hold {
            @match &hold.id {
                Some(id) => a href={ "/holds/" (id) } { "A hold waits: " (hold.words()) },
                None => { "A hold is closing: " (hold.words()) }
            }
            @if hold.rejected { " (rejected)" }
        }
    }
}

/// Per hour, how many objects were last changed and how many have failed since then; the newest hour last.
fn by_hour<'a>(objects: impl Iterator<Item = &'a Object>, now: Timestamp) -> Vec<(usize, usize)> {
    let mut hours = vec![(0, 0); HOURS];
    let place = |at: Option<Timestamp>| {
        let ago = usize::try_from(now.as_second() - at?.as_second()).ok()? / 3600;
        (HOURS - 1).checked_sub(ago)
    };
    for object in objects {
        if let Some(hour) = place(object.last_change) {
            hours[hour].0 += 1;
        }
        if let Some(hour) = place(object.since.filter(|_| object.fails() && object.hold.is_none())) {
            hours[hour].1 += 1;
        }
    }
    hours
}

fn timeline<'a>(objects: impl Iterator<Item = &'a Object>, now: Timestamp) -> Markup {
    let hours = by_hour(objects, now);
    let (changed, failed) = hours.iter().fold((0, 0), |sum, hour| (sum.0 + hour.0, sum.1 + hour.1));
    let words =
        format!("In the last {HOURS} hours {changed} users and groups were changed, and {failed} began to fail.");
    html! {
        section {
            h2 { "The last day" }
            p { (words) }
            (plot(&hours, &words))
            p.legend { "By hour, from status; each object counts where it was changed last, and where it began to fail." }
        }
    }
}

/// What the operator's own counters say of the last hour.
fn counted(history: &History, now: Timestamp) -> Markup {
    let minutes: Vec<(usize, usize)> = history
        .by_minute(MINUTES, now)
        .into_iter()
        .map(|counts| {
            (usize::try_from(counts.operations).unwrap_or_default(), usize::try_from(counts.errors).unwrap_or_default())
        })
        .collect();
    let (operations, errors) = minutes.iter().fold((0, 0), |sum, minute| (sum.0 + minute.0, sum.1 + minute.1));
    let words = format!("{operations} operations took effect and {errors} requests failed while the console was open.");
    html! {
        section {
            h2 { "The last hour" }
            @if history.is_there() {
                p { (words) }
                (plot(&minutes, &words))
                p.legend { "By minute, from the operator's metrics, since the console was opened." }
            }
            @if let Some(problem) = &history.problem { p.legend { "The operator's metrics can't be read: " (foreign(problem)) } }
            @else if !history.is_there() { p.legend { "The operator's metrics are being read." } }
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
    use serde_json::json;

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
        let card = card(&connection, Some(now()), now()).into_string();
        assert!(
            card.starts_with("<section class=\"card bad\">") && card.contains("25 &lt;deletions&gt; wait"),
            "{card}"
        );
        assert!(card.contains("<a href=\"/holds/3f2a9c0d11b2e477\">A hold waits: 25 deletions</a>"), "{card}");
        assert!(card.contains("/people?connection=identity%2Fdatadog"), "{card}");
        for text in ["10 of 10 used", "in 10d", "Key changed", "Rate limit", "5m ago", "the last one incomplete"] {
            assert!(card.contains(text), "{text}: {card}");
        }
    }

    #[test]
    fn the_operators_counters_are_plotted_or_it_is_said_why_not() {
        use super::super::metrics::{Counts, Sample};
        let mut history = History::default();
        assert!(counted(&history, now()).into_string().contains("are being read"));
        let sample = |operations| Sample::from([("identity/datadog".to_owned(), Counts { operations, errors: 0 })]);
        history.add(now(), sample(5));
        history.add(now(), sample(12));
        let shown = counted(&history, now()).into_string();
        assert!(shown.contains("7 operations took effect") && shown.contains("<svg class=\"plot\""), "{shown}");
        history.problem = Some("pods is <forbidden>".into());
        assert!(counted(&history, now()).into_string().contains("pods is &lt;forbidden&gt;"));
    }

    #[test]
    fn the_time_line_counts_by_the_hour() {
        let at = |text: &str| Some(text.parse().unwrap());
        let objects = [
            Object { last_change: at("2026-11-28T11:59:00Z"), ..Object::default() },
            Object { since: at("2026-11-28T10:30:00Z"), stalled: true, ..Object::default() },
            Object { last_change: at("2026-11-20T11:59:00Z"), ..Object::default() },
            Object { last_change: at("2026-11-28T12:00:30Z"), ..Object::default() },
        ];
        let hours = by_hour(objects.iter(), now());
        assert_eq!((hours[23], hours[22]), ((1, 0), (0, 1)));
        assert_eq!(
            hours.iter().map(|hour| hour.0 + hour.1).sum::<usize>(),
            2,
            "what lies ahead or long ago isn't shown"
        );
    }
}
