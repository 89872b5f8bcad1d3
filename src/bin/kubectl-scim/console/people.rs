//! People: all of them, and one of them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt as _;
use maud::{Markup, html};
use scim_operator::api::{ScimGroup, ScimUser};

use super::filter::{Filter, Page};
use super::page::{foreign, state, when};
use super::rights::Rights;
use super::store::{Entry, Store, connection_of};
use crate::objects::{Object, full_name};

/// The list, with what narrows it.
pub fn list(store: &Store, filter: &Filter, now: Timestamp) -> Markup {
    let values =
        |of: &dyn Fn(&Entry) -> Option<String>| -> BTreeSet<String> { store.users.iter().filter_map(of).collect() };
    let connections = values(&|entry| Some(connection_of(&entry.object)));
    let states = values(&|entry| entry.object.state.clone());
    let reasons = values(&|entry| entry.object.reason.clone());
    let rosters: BTreeSet<String> = store.rosters.iter().map(full_name).collect();
    html! {
        form.filter method="get" action="/people" role="search" data-live="results" {
            label { "Search " input type="search" name="q" value=(filter.q) placeholder="userName, name or id" autocomplete="off"; }
            (choice("Connection", "connection", &connections, &filter.connection))
            (choice("State", "state", &states, &filter.state))
            (choice("Reason", "reason", &reasons, &filter.reason))
            (choice("Roster", "roster", &rosters, &filter.roster))
            button { "Show" }
        }
        div #results { (results(&filter.page(store.users.iter()), filter, now)) }
    }
}

fn choice(title: &str, name: &str, values: &BTreeSet<String>, chosen: &str) -> Markup {
    html! {
        label { (title) " "
            select name=(name) {
                option value="" { "any" }
                @for value in values { option value=(value) selected[value == chosen] { (value) } }
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
                thead { tr { th { "userName" } th { "Object" } th { "Connection" } th { "State" } th { "Reason" } th { "Last change" } } }
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

/// Where a person is shown.
pub fn address(namespace: &str, name: &str) -> String {
    format!("/people/{namespace}/{name}")
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

/// One of them.
pub fn person(user: &ScimUser, groups: &[ScimGroup], rights: Rights, form_word: &str, now: Timestamp) -> Markup {
    let object = Object::from(user.clone());
    let status = user.status.clone().unwrap_or_default();
    let target = ("user", object.namespace.as_str(), object.name.as_str());
    let ids: BTreeSet<&String> = status.groups.iter().flat_map(|groups| groups.keys()).collect();
    let put_into = groups
        .iter()
        .filter(|group| group.status.as_ref().and_then(|status| status.id.as_ref()).is_some_and(|id| ids.contains(id)));
    html! {
        p { (state(object.state.as_deref().unwrap_or_default())) " " (object.reason.as_deref().unwrap_or_default()) }
        @if let Some(message) = &object.message { p { (foreign(message)) } }
        @if let Some(hold) = &object.hold { p.hold { a href={ "/holds/" (hold) } { (object.held_operation.as_deref().unwrap_or("An operation")) " is held" } } }
        (buttons(target, user.spec.suspend, rights, form_word))
        dl {
            dt { "Object" } dd { (object.namespace) "/" (object.name) @if object.deleting { ", under deletion" } }
            dt { "userName" } dd { (foreign(&object.called)) }
            dt { "Connection" } dd { (connection_of(&object)) }
            dt { "Account" }
            dd {
                @match (&object.id, object.active) {
                    (Some(id), Some(true)) => { (foreign(id)) ", active" }
                    (Some(id), Some(false)) => { (foreign(id)) ", inactive" }
                    (Some(id), None) => { (foreign(id)) }
                    (None, _) => { "none" }
                }
            }
            dt { "Last operation" }
            dd { (object.last_operation.as_deref().unwrap_or("none")) " " (when(object.last_change, now)) }
            dt { "Groups" }
            dd { @for group in put_into { (foreign(&group.spec.display_name)) " " } @if ids.is_empty() { "none recorded here; each group shows its members' count" } }
        }
        (table("Attributes changed at the server", &["Attribute"], object.drift.iter().map(|path| vec![path.clone()])))
        (table("Attributes that are not written", &["Attribute and reason"], object.ignored.iter().map(|path| vec![path.clone()])))
        (table("Conditions", &["Type", "Status", "Reason", "Message"], status.conditions.iter().flatten().map(|known| {
            vec![known.type_.clone(), known.status.clone(), known.reason.clone(), known.message.clone()]
        })))
        (table("Owned attributes", &["Attribute"], status.managed_attributes.iter().flatten().map(|path| vec![path.clone()])))
        details { summary { "Manifest" } pre tabindex="0" { (manifest(user)) } }
    }
}

/// What can be done with an object, where the rights suffice.
pub fn buttons(
    (kind, namespace, name): (&str, &str, &str),
    suspended: bool,
    rights: Rights,
    form_word: &str,
) -> Markup {
    let button = |action: &str, title: &str| {
        html! {
            form method="post" action="/do" {
                input type="hidden" name="form" value=(form_word);
                input type="hidden" name="kind" value=(kind);
                input type="hidden" name="namespace" value=(namespace);
                input type="hidden" name="name" value=(name);
                button name="action" value=(action) { (title) }
            }
        }
    };
    html! {
        @if rights.write {
            div.buttons {
                (button("sync", "Provision now"))
                @if suspended { (button("resume", "Resume")) } @else { (button("suspend", "Suspend")) }
            }
        }
    }
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

/// What was declared, without what the API server and the operator keep beside it.
fn manifest(user: &ScimUser) -> String {
    let mut declared = user.clone();
    declared.status = None;
    declared.metadata.managed_fields = None;
    declared.annotations_mut().remove("kubectl.kubernetes.io/last-applied-configuration");
    serde_saphyr::to_string(&declared).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn whoever_may_only_look_sees_no_button() {
        let shown = |write| person(&user(), &[], Rights { write }, "word", now()).into_string();
        assert!(!shown(false).contains("<button") && !shown(false).contains("word\""));
        assert!(shown(true).contains("Provision now") && shown(true).contains("value=\"word\""));
    }

    #[test]
    fn what_a_manifest_or_a_server_says_is_never_markup() {
        let mut store = Store::default();
        store.users.apply(kube::runtime::watcher::Event::Apply(user()));
        let person = person(&user(), &[], Rights { write: true }, "word", now()).into_string();
        let list = list(&store, &Filter { q: "\"><script>".into(), ..Filter::default() }, now()).into_string();
        let all = list_of_all(&store);
        for page in [person, list, all] {
            assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains("<img"), "{page}");
        }
    }

    fn list_of_all(store: &Store) -> String {
        let page = list(store, &Filter::default(), now()).into_string();
        assert!(page.contains("&lt;b&gt;ada") && page.contains("1 person"), "{page}");
        page
    }

    #[test]
    fn a_spreadsheet_takes_no_name_for_a_formula() {
        let mut evil = user();
        evil.spec.user_name = "=cmd()".into();
        let text = String::from_utf8(csv(std::iter::once(&Entry::from(evil))).unwrap()).unwrap();
        assert!(text.contains(",'=cmd(),"), "{text}");
    }
}
