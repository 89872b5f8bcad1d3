//! Events of our objects, and the page that shows them.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use maud::{Markup, html};
use scim_operator::api::{GROUP, VERSION};

use super::State;
use super::addresses::{address, group_address, is_name, roster_address};
use super::folded::searched;
use super::kept::Kept;
use super::page::{foreign, when};
use crate::time::seen;

/// So many are on the page.
const SHOWN: usize = 300;
/// So many are kept, the newest.
pub const KEPT: usize = 20_000;
/// The first page waits so long for them.
const LONGEST: Duration = Duration::from_secs(5);

/// What a page shows of an event.
#[derive(Debug)]
pub struct Told {
    pub at: Option<Timestamp>,
    kind: String,
    namespace: String,
    name: String,
    type_: String,
    reason: String,
    message: String,
}

impl From<Event> for Told {
    fn from(event: Event) -> Self {
        Self {
            at: seen(&event),
            kind: event.involved_object.kind.unwrap_or_default(),
            namespace: event.involved_object.namespace.unwrap_or_default(),
            name: event.involved_object.name.unwrap_or_default(),
            type_: event.type_.unwrap_or_default(),
            reason: event.reason.unwrap_or_default(),
            message: event.message.unwrap_or_default(),
        }
    }
}

/// Which of a cluster's events are about our objects.
pub fn selector() -> String {
    format!("involvedObject.apiVersion={GROUP}/{VERSION}")
}

/// Has them watched from now on, and waits a little for the first list.
pub async fn ask(state: &State) {
    state.events_wanted.notify_one();
    let mut changed = state.changes.subscribe();
    let is_there = || state.store.read().is_ok_and(|store| store.events.complete || store.events.problem.is_some());
    let listed = async {
        while !is_there() {
            if changed.changed().await.is_err() {
                return;
            }
        }
    };
    // Without them the page says that they are still being listed.
    let _ = tokio::time::timeout(LONGEST, listed).await;
}

/// The newest first, and below them what was done.
pub fn page(events: &Kept<Told>, history: Option<&Markup>, search: &str, now: Timestamp) -> Markup {
    let text = searched(search);
    let words: Vec<&str> = text.split_whitespace().collect();
    let fits = |event: &&Told| {
        let text = || {
            searched(&format!("{} {}/{}\n{}\n{}", event.kind, event.namespace, event.name, event.reason, event.message))
        };
        words.is_empty() || words.iter().all(|word| text().contains(word))
    };
    let mut found: Vec<&Told> = events.iter().filter(fits).collect();
    found.sort_by_key(|event| std::cmp::Reverse(event.at));
    html! {
        form.filter method="get" action="/events" role="search" data-live="results" {
            label { "Search " input type="search" name="q" value=(search) autocomplete="off"; }
            button { "Show" }
        }
        div #results {
            @if let Some(problem) = &events.problem { p.problem { "Events can't be listed: " (foreign(problem)) } }
            @else if !events.complete { p.notice role="status" { "Still listing: what is shown is not everything yet." } }
            p role="status" {
                (found.len()) @if found.len() == 1 { " event" } @else { " events" }
                @if found.len() > SHOWN { ", the newest " (SHOWN) " are shown" }
                @if events.len() >= KEPT { "; the console keeps the newest " (KEPT) }
            }
            div.wide role="region" aria-label="Events" tabindex="0" {
                table {
                    thead { tr { th { "When" } th { "Type" } th { "Object" } th { "Reason" } th { "Message" } } }
                    tbody { @for event in found.iter().take(SHOWN) { (row(event, now)) } }
                }
            }
            @if let Some(history) = history { (history) }
            @else { p { "Events last an hour. Everything since, by whom and by which object, is in the audit stream: " code { "kubectl scim console --audit FILE" } " shows it here." } }
        }
    }
}

/// The object, with its page where it has one. Anybody may write an event: what it says is no address.
fn named(event: &Told) -> Markup {
    let (namespace, name) = (event.namespace.as_str(), event.name.as_str());
    let page = match event.kind.as_str() {
        _ if !(is_name(namespace) && is_name(name)) => None,
        "ScimUser" => Some(address(namespace, name)),
        "ScimGroup" => Some(group_address(namespace, name)),
        "ScimRoster" => Some(roster_address(namespace, name)),
        _ => None,
    };
    let full = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
    html! { @match page { Some(page) => a href=(page) { (foreign(&full)) }, None => (foreign(&full)) } }
}

fn row(event: &Told, now: Timestamp) -> Markup {
    html! {
        tr {
            td { (when(event.at, now)) }
            td { span.state.(if event.type_ == "Warning" { "bad" } else { "calm" }) { (event.type_) } }
            td { (foreign(&event.kind)) " " (named(event)) }
            td { (foreign(&event.reason)) }
            td { (foreign(&event.message)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::runtime::watcher::Event as Watched;
    use serde_json::json;

    fn event(number: usize, message: &str) -> Event {
        serde_json::from_value(json!({
            "metadata": {"name": format!("ada.{number:06}"), "namespace": "identity"},
            "involvedObject": {"kind": "ScimUser", "namespace": "identity", "name": "ada"}, "type": "Warning", "message": message, "reason": "Rejected",
            "lastTimestamp": format!("2026-11-28T{:02}:{:02}:{:02}Z", number / 3600 % 24, number / 60 % 60, number % 60),
        }))
        .unwrap()
    }

    #[test]
    fn events_are_text_and_are_found_by_their_words() {
        let mut events = Kept::<Told>::default();
        events.apply(Watched::Apply(event(1, "<script>alert(1)</script>")));
        let now = "2026-11-28T12:00:00Z".parse().unwrap();
        let shown = |events: &Kept<Told>, search: &str| page(events, None, search, now).into_string();
        let all = shown(&events, "REJECTED ada");
        assert!(all.contains("&lt;script&gt;") && !all.contains("<script") && all.contains("1 event<"), "{all}");
        assert!(all.contains("Still listing"), "the list has not ended: {all}");
        assert!(all.contains("<a href=\"/people/identity/ada\"><bdi>identity/ada</bdi></a>"), "{all}");
        assert!(shown(&events, "nobody").contains("0 events"));
        events.problem = Some("events is forbidden".to_owned());
        let refused = page(&events, Some(&html! { "what was done" }), "", now).into_string();
        assert!(refused.contains("forbidden") && refused.contains("what was done"), "{refused}");
    }

    #[test]
    fn of_very_many_the_newest_are_kept_and_that_is_told() {
        let mut events = Kept::<Told>::default();
        for number in (0..KEPT + 3000).rev() {
            events.apply(Watched::Apply(event(number, "why")));
            events.keep_newest(KEPT, |event| event.at);
        }
        assert!((KEPT..KEPT + 2001).contains(&events.len()), "{}", events.len());
        let newest = events.iter().map(|event| event.at).max();
        assert_eq!(newest, Some(Told::from(event(KEPT + 2999, "")).at), "the newest is there");
        let now = "2026-11-28T12:00:00Z".parse().unwrap();
        assert!(page(&events, None, "", now).into_string().contains("keeps the newest 20000"));
    }
}
