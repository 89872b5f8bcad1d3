//! Holds: what waits, all that is in one, and the answer to it.

use anyhow::Result;
use jiff::Timestamp;
use maud::{Markup, html};
use scim_operator::plan::GRANT_LISTS;

use super::filter::Filter;
use super::folded::folded;
use super::page::{foreign, when};
use super::rights::Rights;
use super::store::Store;
use crate::cluster::{Kind, sentence};
use crate::commands::holds::{Held, Hold};
use crate::objects::Object;

/// So many members are on a page.
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

/// Which of a hold is shown, and how.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// Narrows what is listed, never what is answered.
    pub search: &'a str,
    /// From 1.
    pub page: usize,
    /// What is in it in namespaces that the console doesn't look at, too, or why that can't be read; none where the
    /// console has all of it.
    pub everywhere: Option<&'a Result<Vec<Held>>>,
    pub rights: Rights,
    pub form_word: &'a str,
    pub now: Timestamp,
}

/// One of them.
pub fn one(store: &Store, id: &str, shown: Shown) -> Option<Markup> {
    let hold = store.holds().into_iter().find(|hold| hold.id.as_deref() == Some(id))?;
    let known = members(store, &hold, id);
    let (members, unread) = match shown.everywhere {
        None => (&known, None),
        Some(Ok(all)) => (all, None),
        Some(Err(error)) => (&known, Some(error)),
    };
    let operations = usize::try_from(hold.operations()).unwrap_or_default();
    Some(html! {
        p { "Hold " code { (id) } " of " (foreign(&hold.of)) ", " (when(hold.since, shown.now)) ": " strong { (hold.words()) } ". Stopped by: " (hold.reason) "." }
        @if hold.rejected { p.notice { "It was rejected. What is in it stays as it is." } }
        @if let Some(error) = unread {
            p.problem { "It reaches into other namespaces, and what is in it there can't be read, so it can't be answered here: " (foreign(&sentence(error))) }
        } @else if members.len() < operations {
            p.notice { "Of " (operations) " operations " (members.len()) " are known by name" (others(&hold)) }
        }
        // What is not all to be seen can't be answered.
        @if unread.is_none() && (hold.kind == Kind::Roster || members.len() >= operations) { (answers(&hold, id, operations.max(members.len()), shown.rights, shown.form_word)) }
        form.filter method="get" action={ "/holds/" (id) } role="search" data-live="results" {
            label { "Search in it " input type="search" name="q" value=(shown.search) autocomplete="off"; }
            button { "Show" }
        }
        div #results { (listed(members, id, shown)) }
    })
}

/// Where the others are that a hold doesn't name.
fn others(hold: &Hold) -> Markup {
    if hold.kind != Kind::Roster {
        return html! { "; the others are still being written." };
    }
    let roster = format!("/rosters/{}/{}", hold.namespace.as_deref().unwrap_or_default(), hold.name);
    html! { "; " a href=(roster) { "the roster's page" } " reads who else is gone." }
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

fn listed(members: &[Held], id: &str, shown: Shown) -> Markup {
    let words = folded(shown.search);
    let fits = |object: &Object| {
        let text = folded(&format!("{} {} {}", object.called, object.namespace, object.name));
        words.split_whitespace().all(|word| text.contains(word))
    };
    let mut found: Vec<(usize, &Held)> =
        members.iter().filter(|held| fits(&held.0)).map(|held| (heading(held), held)).collect();
    found.sort_by_key(|(place, _)| *place);
    let under = |place: usize| found.iter().filter(|(known, _)| *known == place).count();
    let pages = found.len().div_ceil(SHOWN).max(1);
    let page = shown.page.clamp(1, pages);
    let here: Vec<&(usize, &Held)> = found.iter().skip((page - 1) * SHOWN).take(SHOWN).collect();
    let at =
        |page: usize| Filter { q: shown.search.to_owned(), page, ..Filter::default() }.address(&format!("/holds/{id}"));
    html! {
        p role="status" {
            (found.len()) " of " (members.len()) " are shown"
            @if pages > 1 { ", page " (page) " of " (pages) }
        }
        @for group in here.chunk_by(|(place, _), (next, _)| place == next) {
            h2 { (HEADINGS[group[0].0]) " (" (under(group[0].0)) ")" }
            ul.members { @for (_, held) in group { (member(held)) } }
        }
        nav.pages aria-label="Pages of the hold" {
            @if page > 1 { a rel="prev" href=(at(page - 1)) { "Previous" } }
            @if page < pages { a rel="next" href=(at(page + 1)) { "Next" } }
        }
    }
}

fn member(held: &Held) -> Markup {
    let object = &held.0;
    let is_user = object.kind == "ScimUser";
    let page = if is_user { super::people::address } else { super::person::group_address };
    html! {
        li {
            a href=(page(&object.namespace, &object.name)) { (foreign(shown_name(object))) } @if !is_user { " (group)" }
            " " span.change { (foreign(&held.change())) }
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

    fn shown<'a>(search: &'a str, everywhere: Option<&'a Result<Vec<Held>>>) -> Shown<'a> {
        let rights = Rights { write: true, ..Rights::default() };
        let now = "2026-11-28T12:00:00Z".parse().unwrap();
        Shown { search, page: 1, everywhere, rights, form_word: "word", now }
    }

    #[test]
    fn i13_a_hold_is_shown_whole_and_answered_by_its_count() {
        let one = |id: &str, shown: Shown| one(&store(), id, shown).map(Markup::into_string);
        let all = one(ID, shown("", None)).unwrap();
        for text in [
            "ada@example.com",
            "grace@example.com",
            "Type <strong>2</strong>",
            "value=\"approve\"",
            "kubectl scim reject",
        ] {
            assert!(all.contains(text), "{text}: {all}");
        }
        let some = one(ID, shown("GRACE", None)).unwrap();
        assert!(
            !some.contains("ada@example.com") && some.contains("Type <strong>2</strong>"),
            "what is answered is all of it"
        );
        let looking = Shown { rights: Rights::default(), ..shown("", None) };
        assert!(!one(ID, looking).unwrap().contains("value=\"approve\""), "whoever may only look sees no button");
        assert!(one("0000000000000000", shown("", None)).is_none());
    }

    #[test]
    fn i13_what_is_in_other_namespaces_is_shown_too_or_nothing_is_answered() {
        let one = |everywhere: &Result<Vec<Held>>| {
            one(&store(), ID, shown("", Some(everywhere))).map(Markup::into_string).unwrap()
        };
        let elsewhere = |number: usize| {
            let (namespace, name) = ("other".to_owned(), format!("eve-{number:04}"));
            Held(Object {
                kind: "ScimUser",
                namespace,
                name,
                held_operation: Some("Delete".into()),
                ..Object::default()
            })
        };
        let all = one(&Ok((0..1200).map(elsewhere).collect()));
        assert!(all.contains("/people/other/eve-0000\"") && all.contains("Type <strong>1200</strong>"), "{all}");
        assert!(all.contains("deleted (1200)") && all.contains("page 1 of 3") && !all.contains("eve-0500"), "{all}");
        assert!(all.contains(&format!("rel=\"next\" href=\"/holds/{ID}?page=2\"")), "{all}");
        let unread = one(&Err(anyhow::anyhow!("scimusers is forbidden")));
        assert!(unread.contains("scimusers is forbidden") && !unread.contains("value=\"approve\""), "{unread}");
    }
}
