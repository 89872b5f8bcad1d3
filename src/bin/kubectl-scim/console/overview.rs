//! The overview: connections as cards, and what was done lately.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};
use scim_operator::api::ScimConnection;

use super::card::{Beside, Standing, card};
use super::entry::{connection_called, connection_key};
use super::filter::Filter;
use super::keys::Changed;
use super::metrics::History;
use super::page::foreign;
use super::plot::Plot;
use super::store::Store;
use crate::objects::{Object, full_name};
use crate::time::ago;

/// The hours that the time line shows.
const HOURS: usize = 24;

/// The minutes that the plot of the operator's metrics shows.
const MINUTES: usize = 60;
/// Once the console was open for so long, all of them are known.
const FULL: i64 = 59 * 60;

/// So many reasons are named.
const REASONS: usize = 8;

/// The page. `everywhere`: the console looks at all namespaces.
pub fn content(store: &Store, keys: &Changed, history: &History, everywhere: bool, now: Timestamp) -> Markup {
    let mut connections: Vec<&ScimConnection> = store.all_connections().collect();
    connections.sort_by_key(|connection| (Standing::of(connection, now), full_name(*connection)));
    html! {
        @if connections.is_empty() && store.knows_connections() {
            p { "There is no connection here. " code { "kubectl scim console -A" } " looks into all namespaces." }
        }
        @if store.cluster_connections.forbidden {
            p.legend { "Cluster connections aren't shown: your rights don't reach beyond namespaces." }
        }
        div.cards {
            @for connection in connections {
                (card(connection, beside(store, connection, keys, everywhere), now))
            }
        }
        (reasons(store))
        div.plots {
            (timeline(store.users.iter().chain(store.groups.iter()).map(|entry| &entry.object), now))
            (counted(history, now))
        }
    }
}

fn beside(store: &Store, connection: &ScimConnection, keys: &Changed, everywhere: bool) -> Beside {
    let name = full_name(connection);
    let of_cluster = connection.metadata.namespace.is_none() && !everywhere;
    let here =
        || store.users.iter().filter(|person| connection_key(&person.object) == connection_called(&name)).count();
    Beside { key_changed: keys.get(&name).copied(), here: of_cluster.then(here) }
}

/// Why people aren't as they are declared, what concerns most of them first.
fn reasons(store: &Store) -> Markup {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in store.users.iter().filter(|entry| entry.object.ready.as_deref() == Some("False")) {
        *counts.entry(entry.object.reason.as_deref().unwrap_or_default()).or_default() += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().filter(|(reason, _)| !reason.is_empty()).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    html! {
        @if !counts.is_empty() {
            section {
                h2 { "Why people aren't as declared" }
                ul.reasons {
                    @for (reason, count) in counts.into_iter().take(REASONS) {
                        li { a href=(Filter { reason: reason.to_owned(), ..Filter::default() }.address("/people")) { (reason) } " " (count) }
                    }
                }
            }
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
            (Plot { columns: &hours, words: &words, names: ["changed", "began to fail"], unit: "h" }.shown())
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
    let within = match history.since() {
        Some(since) if now.as_second() - since.as_second() < FULL => {
            format!("since the console was opened, {} ago", ago(since, now))
        }
        _ => "in the last hour".to_owned(),
    };
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let words =
        format!("{} took effect and {} failed {within}.", count(operations, "operation"), count(errors, "request"));
    html! {
        section {
            h2 { "The last hour" }
            @if history.is_there() {
                p { (words) }
                (Plot { columns: &minutes, words: &words, names: ["operations", "errors"], unit: "min" }.shown())
                p.legend { "By minute, from the operator's metrics." }
            }
            @if let Some(problem) = &history.problem { p.legend { "The operator's metrics can't be read: " (foreign(problem)) } }
            @else if !history.is_there() { p.legend { "The operator's metrics are being read." } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::runtime::watcher::Event;
    use scim_operator::api::{ClusterScimConnection, ScimUser};
    use serde_json::json;

    fn now() -> Timestamp {
        "2026-11-28T12:00:00Z".parse().unwrap()
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
        assert!(shown.contains("since the console was opened"), "{shown}");
        let later = now() + jiff::SignedDuration::from_hours(1);
        history.add(later, sample(12));
        assert!(counted(&history, later).into_string().contains("in the last hour."));
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

    #[test]
    fn nothing_is_denied_before_it_is_known_and_the_commonest_reason_comes_first() {
        let mut store = Store::default();
        let page = |store: &Store| content(store, &Changed::new(), &History::default(), false, now()).into_string();
        store.connections.apply(Event::<ScimConnection>::InitDone);
        assert!(!page(&store).contains("no connection here"), "those of the cluster are still being listed");
        store.cluster_connections.apply(Event::<ClusterScimConnection>::InitDone);
        assert!(page(&store).contains("no connection here"));
        store.cluster_connections.forbidden = true;
        assert!(page(&store).contains("Cluster connections aren't shown"));
        for (name, reason) in [("a", "Conflict"), ("b", "Rejected"), ("c", "Rejected")] {
            let user = json!({"metadata": {"name": name, "namespace": "identity"},
                "spec": {"connectionRef": {"name": "datadog"}, "userName": name},
                "status": {"conditions": [{"type": "Ready", "status": "False", "reason": reason, "message": "",
                    "lastTransitionTime": "2026-11-28T11:00:00Z"}]}});
            store.users.apply(Event::<ScimUser>::Apply(serde_json::from_value(user).unwrap()));
        }
        let shown = page(&store);
        assert!(shown.contains("<a href=\"/people?reason=Rejected\">Rejected</a> 2"), "{shown}");
        assert!(shown.find("Rejected</a>") < shown.find("Conflict</a>"));
    }
}
