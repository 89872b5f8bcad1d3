//! Groups: all of them.

use jiff::Timestamp;
use maud::{Markup, html};

use super::addresses::group_address;
use super::entry::connection_of;
use super::filter::{BY_CHANGE, BY_NAME, Filter};
use super::page::{foreign, state, when};
use super::store::Store;

/// All groups, with their members counted.
pub fn list(store: &Store, filter: &Filter, now: Timestamp) -> Markup {
    let page = filter.page(store.groups.iter(), &store.groups);
    let at = |number: usize| Filter { page: number, ..filter.clone() }.address("/groups");
    html! {
        form.filter method="get" action="/groups" role="search" data-live="results" {
            label { "Search " input type="search" name="q" value=(filter.q) autocomplete="off"; }
            @if !filter.sort.is_empty() { input type="hidden" name="sort" value=(filter.sort); }
            button { "Show" }
        }
        div #results {
            p role="status" { (page.total) " groups" @if page.pages > 1 { ", page " (page.number) " of " (page.pages) } }
            div.wide role="region" aria-label="Groups" tabindex="0" {
                table {
                    thead { tr { (filter.heading("Group", BY_NAME, "/groups")) th { "Object" } th { "Connection" } th { "State" } th { "Declared" } th { "Present" } th { "Waiting" } th { "Drift" } (filter.heading("Last change", BY_CHANGE, "/groups")) } }
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
