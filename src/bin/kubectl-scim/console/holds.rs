//! Holds: what waits, all that is in one, and the answer to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};
use scim_operator::plan::GRANT_LISTS;

use super::folded::folded;
use super::page::{foreign, when};
use super::rights::Rights;
use super::store::Store;
use crate::cluster::Kind;
use crate::commands::holds::{Held, Hold};
use crate::objects::Object;

/// So many members are on a page; a search finds the others.
const SHOWN: usize = 500;

/// All of them.
pub fn list(store: &Store, now: Timestamp) -> Markup {
    let holds = store.holds();
    html! {
        @if holds.is_empty() { p { "Nothing is held." } }
        @else {
            div.wide role="region" aria-label="Holds" tabindex="0" {
                table {
                    thead { tr { th { "Hold" } th { "Of" } th { "Reason" } th { "Since" } th { "What it would do" } } }
                    tbody {
                        @for hold in &holds {
                            tr {
                                td { @match &hold.id { Some(id) => a href={ "/holds/" (id) } { (id) }, None => "not closed yet" } }
                                td { (foreign(&hold.of)) }
                                td { (hold.reason) @if hold.rejected { " (rejected)" } }
                                td { (when(hold.since, now)) }
                                td { (hold.words()) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// One of them. `search` narrows what is listed, never what is answered.
pub fn one(store: &Store, id: &str, search: &str, rights: Rights, form_word: &str, now: Timestamp) -> Option<Markup> {
    let hold = store.holds().into_iter().find(|hold| hold.id.as_deref() == Some(id))?;
    let members: Vec<Held> = members(store, &hold, id);
    let operations = usize::try_from(hold.operations()).unwrap_or_default();
    Some(html! {
        p { "Hold " code { (id) } " of " (foreign(&hold.of)) ", " (when(hold.since, now)) ": " strong { (hold.words()) } ". Stopped by: " (hold.reason) "." }
        @if hold.rejected { p.notice { "It was rejected. What is in it stays as it is." } }
        @if members.len() < operations {
            p.notice { "Of " (operations) " operations " (members.len()) " are known by name"
                @match hold.kind {
                    Kind::Roster => { "." }
                    Kind::ClusterConnection => { "; the others are in namespaces that this console doesn't show, or still being written: kubectl scim console -A shows all, and can answer." }
                    _ => { "; the others are still being written." }
                } }
        }
        // What is not all to be seen can't be answered.
        @if hold.kind == Kind::Roster || members.len() >= operations {
            (answers(&hold, id, operations.max(members.len()), rights, form_word))
        }
        form.filter method="get" action={ "/holds/" (id) } role="search" data-live="results" {
            label { "Search in it " input type="search" name="q" value=(search) autocomplete="off"; }
            button { "Show" }
        }
        div #results { (listed(&members, search)) }
    })
}

fn members(store: &Store, hold: &Hold, id: &str) -> Vec<Held> {
    if hold.kind == Kind::Roster {
        return hold.sampled();
    }
    store.held(id).map(|object| Held(object.clone())).collect()
}

/// Approve, reject, and the commands that do the same.
fn answers(hold: &Hold, id: &str, count: usize, rights: Rights, form_word: &str) -> Markup {
    let goes = match hold.kind {
        Kind::Roster => "Reject: the ScimUsers stay",
        _ => "Reject: deleted objects go without touching their accounts, edits stay held",
    };
    let form = |action: &str, title: &str, class: &str| {
        html! {
            form.answer method="post" action="/do" {
                input type="hidden" name="form" value=(form_word);
                input type="hidden" name="id" value=(id);
                label { (title) ". Type " strong { (count) } " to confirm: "
                    input name="count" inputmode="numeric" pattern="[0-9]+" required autocomplete="off"; }
                button.(class) name="action" value=(action) { @if action == "approve" { "Approve" } @else { "Reject" } }
            }
        }
    };
    html! {
        @if rights.write {
            div.answers {
                (form("reject", goes, "calm"))
                (form("approve", "Approve: all of it is carried out", "bad"))
            }
        }
        p { "Or: " code { "kubectl scim approve " (id) } " · " code { "kubectl scim reject " (id) } }
    }
}

/// What somebody would call the change, those first that take something away.
const HEADINGS: [&str; 9] = [
    "Leaving: the account is deleted",
    "Leaving: the account is deactivated",
    "Losing or changing roles",
    "Groups that change or lose members",
    "Renamed",
    "Joining: an account is created",
    "Returning: the account is activated",
    "Bound to an account that is there",
    "Changed: other attributes",
];

/// The place of its heading.
fn heading(held: &Held) -> usize {
    let change = held.change();
    let changes = |names: &[&str]| {
        let attributes = change.split_once(" of ").map_or("", |(_, attributes)| attributes);
        attributes.split(", ").any(|path| names.iter().any(|name| path.split(['[', '.']).next() == Some(name)))
    };
    match held.0.held_operation.as_deref().unwrap_or_default() {
        "Delete" => 0,
        "Deactivate" => 1,
        _ if changes(&GRANT_LISTS) => 2,
        "Update" if held.0.kind == "ScimGroup" => 3,
        _ if changes(&["userName"]) => 4,
        "Create" => 5,
        "Reactivate" => 6,
        "Adopt" | "Handover" => 7,
        _ => 8,
    }
}

fn listed(members: &[Held], search: &str) -> Markup {
    let words = folded(search);
    let fits = |object: &Object| {
        let text = folded(&format!("{} {} {}", object.called, object.namespace, object.name));
        words.split_whitespace().all(|word| text.contains(word))
    };
    let found: Vec<&Held> = members.iter().filter(|held| fits(&held.0)).collect();
    let mut groups: BTreeMap<usize, Vec<&Held>> = BTreeMap::new();
    for held in &found {
        groups.entry(heading(held)).or_default().push(held);
    }
    // Each heading says how many are under it, and shows of them what there is room for.
    let room = SHOWN / groups.len().max(1);
    html! {
        p role="status" { (found.len()) " of " (members.len()) " are shown" }
        @for (place, members) in groups {
            h2 { (HEADINGS[place]) " (" (members.len()) ")" }
            @if members.len() > room { p { "The first " (room) " are listed; search for others." } }
            ul.members {
                @for held in members.iter().take(room) {
                    li {
                        @if held.0.kind == "ScimUser" { a href=(super::people::address(&held.0.namespace, &held.0.name)) { (foreign(shown_name(&held.0))) } }
                        @else { a href=(super::person::group_address(&held.0.namespace, &held.0.name)) { (foreign(shown_name(&held.0))) } " (group)" }
                        " " span.change { (foreign(&held.change())) }
                    }
                }
            }
        }
    }
}

fn shown_name(object: &Object) -> &str {
    if object.called.is_empty() { &object.name } else { &object.called }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::runtime::watcher::Event;
    use serde_json::json;

    const ID: &str = "3f2a9c0d11b2e477";

    fn store() -> Store {
        let mut store = Store::default();
        let connection = json!({
            "metadata": {"name": "datadog", "namespace": "identity"},
            "spec": {"baseUrl": "https://scim.example.com", "auth": {}},
            "status": {"holds": [{"id": ID, "reason": "removals", "since": "2026-11-28T11:00:00Z",
                "creates": 0, "updates": 0, "deactivations": 0, "deletes": 2}]},
        });
        store
            .connections
            .apply(Event::<scim_operator::api::ScimConnection>::Apply(serde_json::from_value(connection).unwrap()));
        for name in ["ada", "grace"] {
            let user = json!({
                "metadata": {"name": name, "namespace": "identity"},
                "spec": {"connectionRef": {"name": "datadog"}, "userName": format!("{name}@example.com")},
                "status": {"state": "Held", "hold": {"id": ID, "operation": "Delete", "digest": "0"}},
            });
            store.users.apply(Event::<scim_operator::api::ScimUser>::Apply(serde_json::from_value(user).unwrap()));
        }
        store
    }

    #[test]
    fn i13_what_is_in_a_hold_is_grouped_by_what_it_means_for_people() {
        let held = |operation: &str, message: &str, kind| {
            let object = Object {
                kind,
                held_operation: Some(operation.into()),
                message: Some(format!("{message} is held: it is more. Hold 3f")),
                ..Object::default()
            };
            HEADINGS[heading(&Held(object))]
        };
        assert!(held("Delete", "Delete", "ScimUser").starts_with("Leaving"));
        assert_eq!(held("Update", "Update of title, userName", "ScimUser"), "Renamed");
        assert_eq!(held("Update", "Update of roles, userName", "ScimUser"), "Losing or changing roles");
        assert_eq!(held("Update", "Update of title, name.formatted", "ScimUser"), "Changed: other attributes");
        assert!(held("Update", "Update of members", "ScimGroup").starts_with("Groups that"));
        assert!(held("Reactivate", "Reactivate", "ScimUser").starts_with("Returning"));
    }

    #[test]
    fn i13_a_hold_is_shown_whole_and_answered_by_its_count() {
        let now = "2026-11-28T12:00:00Z".parse().unwrap();
        let one = |id: &str, search: &str, write| {
            one(&store(), id, search, Rights { write, ..Rights::default() }, "word", now).map(Markup::into_string)
        };
        let all = one(ID, "", true).unwrap();
        for text in [
            "ada@example.com",
            "grace@example.com",
            "Type <strong>2</strong>",
            "value=\"approve\"",
            "kubectl scim reject",
        ] {
            assert!(all.contains(text), "{text}: {all}");
        }
        let some = one(ID, "GRACE", true).unwrap();
        assert!(
            !some.contains("ada@example.com") && some.contains("Type <strong>2</strong>"),
            "what is answered is all of it"
        );
        assert!(!one(ID, "", false).unwrap().contains("value=\"approve\""), "whoever may only look sees no button");
        assert!(one("0000000000000000", "", true).is_none());
    }
}
