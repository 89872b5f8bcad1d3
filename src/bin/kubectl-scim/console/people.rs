//! People: all of them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use maud::{Markup, html};

use super::addresses::address;
use super::entry::{Entry, connection_of};
use super::filter::{BY_CHANGE, BY_NAME, Filter, Page};
use super::page::{foreign, state, when};
use super::store::Store;
use crate::objects::{Object, full_name};

/// So many groups may be chosen from.
const CHOICES: usize = 200;

/// The list, with what narrows it.
pub fn list(store: &Store, filter: &Filter, now: Timestamp) -> Markup {
    let found = |of: fn(&Object) -> Option<&String>| {
        distinct(store.users.iter().filter_map(|entry| of(&entry.object)).map(String::as_str))
    };
    let (states, reasons) = (found(|object| object.state.as_ref()), found(|object| object.reason.as_ref()));
    let connections: BTreeSet<String> = store.all_connections().map(full_name).collect();
    let rosters: BTreeSet<String> = store.rosters.iter().map(full_name).collect();
    let name = |group: &Entry| format!("{}/{}", group.object.namespace, group.object.name);
    // A choice of thousands is none, and would come with the answer to each key.
    let groups: Option<BTreeSet<String>> =
        (store.groups.len() <= CHOICES).then(|| store.groups.iter().map(name).collect());
    html! {
        form.filter method="get" action="/people" role="search" data-live="results" {
            label { "Search " input type="search" name="q" value=(filter.q) placeholder="name, e-mail or id" autocomplete="off"; }
            (choice("Connection", "connection", &connections, &filter.connection))
            (choice("State", "state", &states, &filter.state))
            (choice("Reason", "reason", &reasons, &filter.reason))
            @match &groups {
                Some(groups) => (choice("Group", "group", groups, &filter.group)),
                None => label { "Group " input name="group" value=(filter.group) placeholder="namespace/name" autocomplete="off"; }
            }
            (choice("Roster", "roster", &rosters, &filter.roster))
            @if !filter.sort.is_empty() { input type="hidden" name="sort" value=(filter.sort); }
            button { "Show" }
        }
        div #results {
            @if store.users.len() == 0 && !store.users.is_known() { p { "Nobody is listed so far." } }
            (results(&filter.page(store.users.iter(), &store.groups), filter, now))
        }
    }
}

/// Each once. Of a hundred thousand nearly all are as the one before.
fn distinct<'a>(values: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let (mut found, mut last) = (BTreeSet::new(), None);
    for value in values {
        if last != Some(value) {
            last = Some(value);
            found.insert(value);
        }
    }
    found
}

fn choice(title: &str, name: &str, values: &BTreeSet<impl AsRef<str>>, chosen: &str) -> Markup {
    let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
    // What an address says stays chosen, whether anybody is so now or not.
    let other = (!chosen.is_empty() && !values.contains(&chosen)).then_some(chosen);
    html! {
        label { (title) " "
            select name=(name) {
                option value="" { "any" }
                @for value in values.into_iter().chain(other) { option value=(value) selected[value == chosen] { (value) } }
            }
        }
    }
}

fn results(page: &Page, filter: &Filter, now: Timestamp) -> Markup {
    let at = |number: usize, path: &str| Filter { page: number, ..filter.clone() }.address(path);
    html! {
        p role="status" {
            (page.total) @if page.total == 1 { " person" } @else { " people" }
            @if page.pages > 1 { ", page " (page.number) " of " (page.pages) }
            " · " a href=(at(1, "/people.csv")) { "CSV of these" }
        }
        div.wide role="region" aria-label="People" tabindex="0" {
            table {
                thead { tr { (filter.heading("userName", BY_NAME, "/people")) th { "Object" } th { "Connection" } th { "State" } th { "Reason" } (filter.heading("Last change", BY_CHANGE, "/people")) } }
                tbody {
                    @for entry in &page.entries { (row(&entry.object, now)) }
                }
            }
        }
        nav.pages aria-label="Pages of the list" {
            @if page.number > 1 { a rel="prev" href=(at(page.number - 1, "/people")) { "Previous" } }
            @if page.number < page.pages { a rel="next" href=(at(page.number + 1, "/people")) { "Next" } }
        }
    }
}

fn row(object: &Object, now: Timestamp) -> Markup {
    html! {
        tr {
            td { a href=(address(&object.namespace, &object.name)) { (foreign(&object.called)) } }
            td { (object.namespace) "/" (object.name) }
            td { (connection_of(object)) }
            td { (state(object.state.as_deref().unwrap_or_default())) }
            td { (object.reason.as_deref().unwrap_or_default()) }
            td { (when(object.last_change, now)) }
        }
    }
}

/// Everything that the list shows, for a spreadsheet.
pub fn csv<'a>(entries: impl Iterator<Item = &'a Entry>) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "NAMESPACE",
        "NAME",
        "USER NAME",
        "CONNECTION",
        "STATE",
        "REASON",
        "ACTIVE",
        "ID",
        "LAST CHANGE",
    ])?;
    for Entry { object, .. } in entries {
        let connection = connection_of(object);
        let active = object.active.map(|active| active.to_string()).unwrap_or_default();
        let changed = object.last_change.map(|at| at.to_string()).unwrap_or_default();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (state, reason, id) = (text(&object.state), text(&object.reason), text(&object.id));
        let values =
            [&object.namespace, &object.name, &object.called, &connection, &state, &reason, &active, &id, &changed];
        writer.write_record(values.map(|value| crate::output::inert(value)))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// A table with a heading; nothing where it is empty.
pub fn table(title: &str, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Markup {
    let mut rows = rows.peekable();
    html! {
        @if rows.peek().is_some() {
            h2 { (title) }
            div.wide role="region" aria-label=(title) tabindex="0" {
                table {
                    thead { tr { @for column in columns { th { (column) } } } }
                    tbody { @for row in rows { tr { @for value in row { td { (foreign(&value)) } } } } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scim_operator::api::ScimUser;
    use serde_json::json;

    fn user() -> ScimUser {
        serde_json::from_value(json!({
            "metadata": {"name": "ada", "namespace": "identity", "managedFields": [{"manager": "kubectl"}]},
            "spec": {"connectionRef": {"name": "datadog"}, "userName": "\u{202e}<b>ada</b>@example.com", "title": "</pre><script>"},
            "status": {"state": "Failed", "id": "7", "conditions": [{"type": "Ready", "status": "False", "reason": "Rejected",
                "message": "the server said: <img src=x>", "lastTransitionTime": "2026-11-28T11:00:00Z"}]},
        }))
        .unwrap()
    }

    fn now() -> Timestamp {
        "2026-11-28T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn what_a_manifest_or_a_server_says_is_never_markup() {
        let mut store = Store::default();
        store.users.apply(kube::runtime::watcher::Event::Apply(user()));
        let list = list(&store, &Filter { q: "\"><script>".into(), ..Filter::default() }, now()).into_string();
        let all = list_of_all(&store);
        for page in [list, all] {
            assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains("<img"), "{page}");
        }
    }

    fn list_of_all(store: &Store) -> String {
        let page = list(store, &Filter::default(), now()).into_string();
        assert!(page.contains("&lt;b&gt;ada") && page.contains("1 person"), "{page}");
        page
    }

    #[test]
    fn thousands_of_groups_do_not_come_with_the_answer_to_each_key() {
        let mut store = Store::default();
        let page = |store: &Store| {
            list(store, &Filter { group: "identity/team-7".into(), ..Filter::default() }, now()).into_string()
        };
        assert!(page(&store).contains("<select name=\"group\">") && page(&store).contains("Nobody is listed so far"));
        for number in 0..5000 {
            let group = json!({"metadata": {"name": format!("team-{number}"), "namespace": "identity"},
                "spec": {"connectionRef": {"name": "datadog"}, "displayName": "Team", "membership": "Exact"}});
            store.groups.apply(kube::runtime::watcher::Event::<scim_operator::api::ScimGroup>::Apply(
                serde_json::from_value(group).unwrap(),
            ));
        }
        let page = page(&store);
        assert!(
            page.contains("<input name=\"group\" value=\"identity/team-7\"") && page.len() < 10_000,
            "{}",
            page.len()
        );
    }

    #[test]
    fn a_spreadsheet_takes_no_name_for_a_formula() {
        let mut evil = user();
        evil.spec.user_name = "=cmd()".into();
        let text = String::from_utf8(csv(std::iter::once(&Entry::from(evil))).unwrap()).unwrap();
        assert!(text.contains(",'=cmd(),"), "{text}");
    }
}
