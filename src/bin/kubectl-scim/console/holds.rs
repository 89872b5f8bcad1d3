//! Holds: what waits, all that is in one, and the answer to it.

use std::sync::Arc;

use anyhow::Result;
use jiff::Timestamp;
use maud::{Markup, html};

use super::addresses::{address, group_address, roster_address};
use super::answers::{Commands, answers};
use super::filter::Filter;
use super::found::found;
use super::heading::{HEADINGS, change, reason};
use super::page::{foreign, when};
use super::rights::Rights;
use super::store::{InHold, Store};
use crate::cluster::{Kind, sentence};
use crate::commands::holds::{Held, Hold};
use crate::objects::Object;

/// So many members are on a page.
const SHOWN: usize = 500;
/// So many people are named of a group that loses them,
const NAMED: usize = 100;
/// fewer where hundreds of groups do, so that about so many are named on a page,
const NAMED_OF_ALL: usize = 1000;
/// and so many in any case.
const NAMED_AT_LEAST: usize = 2;

/// All of them.
pub fn list(store: &Store, everywhere: bool, now: Timestamp) -> Markup {
    let mut holds = store.holds();
    holds.extend(store.rejected(everywhere));
    html! {
        @if holds.is_empty() {
            @if store.knows_holds() { p { "Nothing is held." } } @else { p { "No hold is listed so far." } }
        } @else {
            div.wide role="region" aria-label="Holds" tabindex="0" {
                table {
                    thead { tr { th { "Hold" } th { "Of" } th { "Stopped by" } th { "Since" } th { "What it would do" } } }
                    tbody {
                        @for hold in &holds {
                            tr {
                                td { @match &hold.id { Some(id) => a href={ "/holds/" (id) } { (id) }, None => "not closed yet" } }
                                td { (foreign(&hold.of)) }
                                td { (reason(&hold.reason)) @if hold.rejected { " (rejected)" } }
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
    /// What is in it in namespaces that the console doesn't watch, or why that can't be read; none where it watches all of
    /// it.
    pub elsewhere: Option<&'a Result<Arc<Vec<Held>>>>,
    pub rights: Rights,
    pub form_word: &'a str,
    /// How the console was started, for the commands.
    pub commands: &'a Commands,
    pub now: Timestamp,
}

/// One of them.
pub fn one(store: &Store, id: &str, shown: Shown) -> Option<Markup> {
    let hold = store.hold(id, shown.elsewhere.is_none())?;
    let sampled = hold.sampled();
    let mut members: Vec<InHold> = match hold.kind {
        Kind::Roster => store.leaving(&hold, &sampled),
        _ => store.held(&hold).collect(),
    };
    let unread = shown.elsewhere.and_then(|elsewhere| elsewhere.as_ref().err());
    let elsewhere = shown.elsewhere.and_then(|elsewhere| elsewhere.as_ref().ok());
    members.extend(elsewhere.into_iter().flat_map(|held| held.iter()).map(InHold::from));
    // What is not all to be seen can't be answered, but for what changes nothing.
    let is_all = unread.is_none() && hold.is_all(members.iter().map(|one| &one.held));
    Some(html! {
        p { "Hold " code { (id) } " of " (foreign(&hold.of)) ", " (when(hold.since, shown.now)) ": " strong { (hold.words()) } "." @if !hold.reason.is_empty() { " Stopped by " (reason(&hold.reason)) "." } }
        @if hold.rejected { p.notice { "It was rejected: what is in it stays as it is. Approving it takes that back." } }
        @if hold.kind == Kind::Roster { p { (of_accounts(&hold)) } }
        @if let Some(error) = unread {
            p.problem { "It reaches into other namespaces, and what is in it there can't be read, so it can't be answered here: " (foreign(&sentence(error))) }
        } @else if !is_all { p.notice { (missing(&hold, members.len())) } }
        (answers(&hold, id, is_all, shown.rights, shown.form_word, shown.commands))
        @if hold.updates + hold.memberships > 0 {
            p { "The old and the new values, read at the server: " code { (shown.commands.of_hold("holds", id, &hold)) } }
        }
        @if is_all || hold.kind != Kind::Roster { (search(id, shown.search)) }
        div #results { (listed(store, &hold, &members, id, shown)) }
    })
}

/// What a roster's deletions mean for accounts: that is the connection's to say.
fn of_accounts(hold: &Hold) -> Markup {
    let people = Filter { roster: hold.of.trim_start_matches("roster ").to_owned(), ..Filter::default() };
    html! {
        "Deleting a ScimUser does to its account what " code { "deletionPolicy.users" } " of its connection says: by default the \
         account is deactivated. The connection's own guards count that, and may hold it again. "
        a href=(people.address("/people")) { "Everybody of the roster" } "."
    }
}

/// Who isn't known by name, and where they are.
fn missing(hold: &Hold, known: usize) -> Markup {
    let count = hold.count();
    if hold.kind != Kind::Roster {
        return html! { "Not all of " (hold.words()) " say yet that they are in it: " (known) " objects are listed. It can be answered when all do." };
    }
    let roster = roster_address(hold.namespace.as_deref().unwrap_or_default(), &hold.name);
    html! {
        "Of " (count) " ScimUsers " (known) " are known by name, so it can't be approved here; "
        a href=(roster) { "the roster's page" } " reads who else is gone."
    }
}

fn search(id: &str, search: &str) -> Markup {
    html! {
        form.filter method="get" action={ "/holds/" (id) } role="search" data-live="results" {
            label { "Search in it " input type="search" name="q" value=(search) placeholder="name or attribute" autocomplete="off"; }
            button { "Show" }
        }
    }
}

fn listed(store: &Store, hold: &Hold, members: &[InHold], id: &str, shown: Shown) -> Markup {
    let found = found(hold, members, shown.search);
    let count: usize = found.iter().map(Vec::len).sum();
    let pages = count.div_ceil(SHOWN).max(1);
    let page = shown.page.clamp(1, pages);
    let all = found.iter().enumerate().flat_map(|(place, under)| under.iter().map(move |one| (place, one.held)));
    let here: Vec<(usize, Held<&Object>)> = all.skip((page - 1) * SHOWN).take(SHOWN).collect();
    let groups: Vec<&Object> =
        here.iter().filter(|(_, held)| held.memberships().is_some()).map(|(_, held)| held.0).collect();
    let named = (NAMED_OF_ALL / groups.len().max(1)).clamp(NAMED_AT_LEAST, NAMED);
    let mut out = store.taken_out(&groups).into_iter();
    let at =
        |page: usize| Filter { q: shown.search.to_owned(), page, ..Filter::default() }.address(&format!("/holds/{id}"));
    html! {
        p role="status" {
            (count) " of " (members.len()) " are shown"
            @if pages > 1 { ", page " (page) " of " (pages) }
        }
        @for under in here.chunk_by(|(place, _), (next, _)| place == next) {
            h2 { (HEADINGS[under[0].0]) " (" (found[under[0].0].len()) ")" }
            ul.members {
                @for (_, held) in under {
                    @let out = held.memberships().and_then(|_| out.next()).unwrap_or_default();
                    (member(hold, *held, &out, named))
                }
            }
        }
        nav.pages aria-label="Pages of the hold" {
            @if page > 1 { a rel="prev" href=(at(page - 1)) { "Previous" } }
            @if page < pages { a rel="next" href=(at(page + 1)) { "Next" } }
        }
    }
}

/// One of them. `out`: whom it would take out of a group.
fn member(whole: &Hold, held: Held<&Object>, out: &[&Object], named: usize) -> Markup {
    let object = held.object();
    let is_user = object.kind == "ScimUser";
    let page = if is_user { address } else { group_address };
    // Members that somebody else put in, accounts whose ScimUser is gone, people of other namespaces.
    let unnamed = held.taken_out().saturating_sub_unsigned(out.len() as u64);
    html! {
        li {
            a href=(page(&object.namespace, &object.name)) { (foreign(shown_name(object))) } @if !is_user { " (group)" }
            " " span.change { (foreign(change(whole, &held))) }
            @if !out.is_empty() {
                ul {
                    @for person in out.iter().take(named) {
                        li { "out: " a href=(address(&person.namespace, &person.name)) { (foreign(shown_name(person))) } }
                    }
                    @if out.len() > named { li { "and " (out.len() - named) " more who are out" } }
                }
            }
            @if unnamed > 0 {
                p { (unnamed) " of the " (held.taken_out()) " who are out are no ScimUsers that are known here; the command above names them all." }
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
    const PLAIN: Commands = Commands { context: None, kubeconfig: None };

    /// A connection that holds as much as this.
    fn hold(store: &mut Store, counts: &serde_json::Value) {
        let mut hold = json!({"id": ID, "reason": "removals", "since": "2026-11-28T11:00:00Z",
            "creates": 0, "updates": 0, "deactivations": 0, "deletes": 0});
        hold.as_object_mut().unwrap().extend(counts.as_object().unwrap().clone());
        let connection = json!({"metadata": {"name": "datadog", "namespace": "identity"},
            "spec": {"baseUrl": "https://scim.example.com", "auth": {}}, "status": {"holds": [hold]}});
        store
            .connections
            .apply(Event::<scim_operator::api::ScimConnection>::Apply(serde_json::from_value(connection).unwrap()));
    }

    fn store() -> Store {
        let mut store = Store::default();
        hold(&mut store, &json!({"deletes": 2}));
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

    fn shown<'a>(search: &'a str, elsewhere: Option<&'a Result<Arc<Vec<Held>>>>) -> Shown<'a> {
        let rights = Rights { write: true, ..Rights::default() };
        let now = "2026-11-28T12:00:00Z".parse().unwrap();
        Shown { search, page: 1, elsewhere, rights, form_word: "word", commands: &PLAIN, now }
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
        let mut store = store();
        hold(&mut store, &json!({"deletes": 1202}));
        let one = |search: &str, elsewhere: &Result<Arc<Vec<Held>>>| {
            one(&store, ID, shown(search, Some(elsewhere))).map(Markup::into_string).unwrap()
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
        let others = Ok(Arc::new((0..1200).map(elsewhere).collect()));
        let all = one("", &others);
        assert!(all.contains("/people/other/eve-0000\"") && all.contains("Type <strong>1202</strong>"), "{all}");
        assert!(
            all.contains("deleted (1202)")
                && all.contains("ada@example.com")
                && all.contains("page 1 of 3")
                && !all.contains("eve-0500"),
            "{all}"
        );
        assert!(all.contains(&format!("rel=\"next\" href=\"/holds/{ID}?page=2\"")), "{all}");
        assert!(one("EVE-0777", &others).contains("1 of 1202 are shown"), "it is found, too");
        let unread = one("", &Err(anyhow::anyhow!("scimusers is forbidden")));
        assert!(unread.contains("scimusers is forbidden") && !unread.contains("value=\"approve\""), "{unread}");
    }

    #[test]
    fn i13_nothing_is_said_to_be_held_or_not_before_it_is_known() {
        let now = "2026-11-28T12:00:00Z".parse().unwrap();
        let mut store = Store::default();
        assert!(!list(&store, true, now).into_string().contains("Nothing is held"));
        store.connections.apply(Event::<scim_operator::api::ScimConnection>::InitDone);
        store.rosters.apply(Event::<scim_operator::api::ScimRoster>::InitDone);
        store.cluster_connections.apply(Event::<scim_operator::api::ClusterScimConnection>::InitDone);
        assert!(list(&store, true, now).into_string().contains("Nothing is held"));
        store.rosters.problem = Some("unreachable".into());
        assert!(!list(&store, true, now).into_string().contains("Nothing is held"));
    }

    fn of_a_roster(people: usize, members: Option<&str>) -> Store {
        let mut store = Store::default();
        for number in 0..people {
            let user = json!({
                "metadata": {"name": format!("u-{number}"), "namespace": "identity", "uid": format!("uid-{number}"),
                    "labels": {"scim-operator.dev/roster": "people"}},
                "spec": {"connectionRef": {"name": "datadog"}, "userName": format!("person-{number}@example.com"),
                    "displayName": format!("Person {number}")}});
            store.users.apply(Event::<scim_operator::api::ScimUser>::Apply(serde_json::from_value(user).unwrap()));
        }
        let sample: Vec<String> = (0..people.min(20)).map(|number| format!("u-{number}")).collect();
        let roster = json!({"metadata": {"name": "people", "namespace": "identity"},
            "spec": {"connectionRef": {"name": "datadog"}, "source": {"inline": []}},
            "status": {"hold": {"id": ID, "removals": people, "sample": sample, "members": members}}});
        store.rosters.apply(Event::<scim_operator::api::ScimRoster>::Apply(serde_json::from_value(roster).unwrap()));
        store
    }

    #[test]
    fn i29_a_rosters_hold_shows_everybody_finds_them_and_is_else_not_approved() {
        let uids: Vec<String> = (0..2000).map(|number| format!("uid-{number}")).collect();
        let members = scim_operator::roster::Members::of(uids.iter().map(String::as_str)).text();
        let whole = of_a_roster(2000, members.as_deref());
        let one = |store: &Store, search: &str| one(store, ID, shown(search, None)).map(Markup::into_string).unwrap();
        let found = one(&whole, "person-1999@example");
        assert!(found.contains("1 of 2000 are shown") && found.contains("person-1999@example.com"), "{found}");
        assert!(one(&whole, "PERSON 1998").contains("1 of 2000"), "by the name that people know");
        assert!(found.contains("value=\"approve\"") && found.contains("the ScimUser is deleted (1)"), "{found}");
        assert!(!found.contains("the account is deleted (") && found.contains("deletionPolicy.users"), "{found}");
        let some = one(&of_a_roster(2000, None), "");
        assert!(!some.contains("value=\"approve\"") && some.contains("value=\"reject\""), "{some}");
        assert!(some.contains("Of 2000 ScimUsers 20 are known by name") && !some.contains("type=\"search\""), "{some}");
    }

    #[test]
    fn i13_a_groups_members_are_counted_named_and_never_stand_for_people() {
        let mut store = store();
        hold(&mut store, &json!({"updates": 1, "deletes": 2, "memberships": 21}));
        let group = json!({"metadata": {"name": "all", "namespace": "identity"},
            "spec": {"connectionRef": {"name": "datadog"}, "displayName": "All", "membership": "Exact"},
            "status": {"id": "g1", "state": "Held", "hold": {"id": ID, "operation": "Update", "digest": "0"}, "conditions": [
                {"type": "Ready", "status": "False", "reason": "Held", "lastTransitionTime": "2026-11-28T11:00:00Z",
                    "message": "Update of 21 memberships is held: it is more. Hold 3f"}]}});
        store.groups.apply(Event::<scim_operator::api::ScimGroup>::Apply(serde_json::from_value(group).unwrap()));
        let out = json!({"metadata": {"name": "alan", "namespace": "identity"}, "status": {"id": "3", "groups": {"g1": "3"}},
            "spec": {"connectionRef": {"name": "datadog"}, "userName": "alan@example.com"}});
        store.users.apply(Event::<scim_operator::api::ScimUser>::Apply(serde_json::from_value(out).unwrap()));
        let one = |store: &Store| one(store, ID, shown("", None)).map(Markup::into_string).unwrap();
        let unseen = one(&store);
        assert!(!unseen.contains("value=\"approve\"") && unseen.contains("3 objects are listed"), "{unseen}");
        assert!(unseen.contains(&format!("kubectl scim holds {ID} -n identity")), "the values of the update: {unseen}");
        let renamed = json!({"metadata": {"name": "kim", "namespace": "identity"},
            "spec": {"connectionRef": {"name": "datadog"}, "userName": "kim@example.com"},
            "status": {"hold": {"id": ID, "operation": "Update", "digest": "0"}}});
        store.users.apply(Event::<scim_operator::api::ScimUser>::Apply(serde_json::from_value(renamed).unwrap()));
        let all = one(&store);
        assert!(all.contains("Type <strong>24</strong>") && all.contains("Groups whose members change (1)"), "{all}");
        assert!(all.contains("out: <a href=\"/people/identity/alan\">"), "who is out is named: {all}");
        assert!(all.contains("20 of the 21 who are out are no ScimUsers that are known here"), "{all}");
    }
}
