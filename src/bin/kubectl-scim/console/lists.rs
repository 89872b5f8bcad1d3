//! Groups and events.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use maud::{Markup, html};

use super::filter::Filter;
use super::folded::folded;
use super::page::{foreign, state, when};
use super::person::group_address;
use super::store::{Store, connection_of};
use crate::time::seen;

/// So many events are shown.
const EVENTS: usize = 300;

/// All groups, with their members counted.
pub fn groups(store: &Store, filter: &Filter, now: Timestamp) -> Markup {
    let page = filter.page(store.groups.iter(), &store.groups);
    let at = |number: usize| Filter { page: number, ..filter.clone() }.address("/groups");
    html! {
        form.filter method="get" action="/groups" role="search" data-live="results" {
            label { "Search " input type="search" name="q" value=(filter.q) autocomplete="off"; }
            button { "Show" }
        }
        div #results {
            p role="status" { (page.total) " groups" @if page.pages > 1 { ", page " (page.number) " of " (page.pages) } }
            div.wide role="region" aria-label="Groups" tabindex="0" {
                table {
                    thead { tr { th { "Group" } th { "Object" } th { "Connection" } th { "State" } th { "Declared" } th { "Present" } th { "Waiting" } th { "Drift" } th { "Last change" } } }
                    tbody {
                        @for entry in &page.entries {
                            @let object = &entry.object;
                            tr {
                                td { a href=(group_address(&object.namespace, &object.name)) { (foreign(&object.called)) } }
                                td { (object.namespace) "/" (object.name) }
                                td { (connection_of(object)) }
                                td { (state(object.state.as_deref().unwrap_or_default()))
                                    @if object.ready.as_deref() != Some("True") { " " (foreign(object.message.as_deref().unwrap_or_default())) } }
                                @match entry.members {
                                    Some((declared, present, waiting)) => { td { (declared) } td { (present) } td { (waiting) } }
                                    None => { td { "–" } td { "–" } td { "–" } }
                                }
                                td { (foreign(&object.drift.join(", "))) }
                                td { (when(object.last_change, now)) }
                            }
                        }
                    }
                }
            }
            nav.pages aria-label="Pages of the list" {
                @if page.number > 1 { a rel="prev" href=(at(page.number - 1)) { "Previous" } }
                @if page.number < page.pages { a rel="next" href=(at(page.number + 1)) { "Next" } }
            }
        }
    }
}

/// The events of our objects, the newest first.
pub fn events(
    mut events: Vec<Event>,
    problem: Option<&str>,
    history: Option<&Markup>,
    search: &str,
    now: Timestamp,
) -> Markup {
    let words = folded(search);
    events.retain(|event| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let whole = format!("{} {} {}", text(&event.involved_object.name), text(&event.reason), text(&event.message));
        words.split_whitespace().all(|word| folded(&whole).contains(word))
    });
    events.sort_by_key(|event| std::cmp::Reverse(seen(event)));
    html! {
        form.filter method="get" action="/events" role="search" data-live="results" {
            label { "Search " input type="search" name="q" value=(search) autocomplete="off"; }
            button { "Show" }
        }
        div #results {
            @if let Some(problem) = problem { p.problem { "Events can't be listed: " (foreign(problem)) } }
            p role="status" { (events.len()) " events" @if events.len() > EVENTS { ", the newest " (EVENTS) " are shown" } }
            div.wide role="region" aria-label="Events" tabindex="0" {
                table {
                    thead { tr { th { "When" } th { "Type" } th { "Object" } th { "Reason" } th { "Message" } } }
                    tbody {
                        @for event in events.iter().take(EVENTS) {
                            tr {
                                td { (when(seen(event), now)) }
                                td { span.state.(if event.type_.as_deref() == Some("Warning") { "bad" } else { "calm" }) { (event.type_.as_deref().unwrap_or_default()) } }
                                td { (event.involved_object.kind.as_deref().unwrap_or_default()) " " (event.involved_object.name.as_deref().unwrap_or_default()) }
                                td { (event.reason.as_deref().unwrap_or_default()) }
                                td { (foreign(event.message.as_deref().unwrap_or_default())) }
                            }
                        }
                    }
                }
            }
            @if let Some(history) = history { (history) }
            @else { p { "Events last an hour. Everything since, by whom and by which object, is in the audit stream: " code { "kubectl scim console --audit FILE" } " shows it here." } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_of_ours_are_shown_and_are_never_markup() {
        let event = |kind: &str, message: &str| -> Event {
            serde_json::from_value(
                json!({"metadata": {}, "involvedObject": {"kind": kind, "name": "ada"}, "type": "Warning",
                "message": message, "reason": "Rejected", "lastTimestamp": "2026-11-28T11:00:00Z"}),
            )
            .unwrap()
        };
        let all = || vec![event("ScimUser", "<script>alert(1)</script>")];
        let now = "2026-11-28T12:00:00Z".parse().unwrap();
        let page = events(all(), None, None, "", now).into_string();
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script") && page.contains("1 events"), "{page}");
        assert!(events(all(), None, None, "nobody", now).into_string().contains("0 events"));
        let history = html! { "what was done" };
        let page = events(Vec::new(), Some("forbidden"), Some(&history), "", now).into_string();
        assert!(page.contains("Events can't be listed: <bdi>forbidden") && page.contains("what was done"), "{page}");
    }
}
