//! One group: who is declared, who is in it, and what can be done.

use maud::{Markup, html};
use scim_operator::api::ScimGroup;

use super::addresses::group_address;
use super::entry::Entry;
use super::members::Members;
use super::membership::Membership;
use super::page::{foreign, standing, when};
use super::people::table;
use super::person::{Shown, buttons, connection, held, people_of_group, read_button};
use super::present::{named, objects};
use super::store::Store;
use crate::objects::{Object, word};
use crate::time::instant;

/// The page.
pub fn group(store: &Store, group: &ScimGroup, shown: Shown) -> Markup {
    let entry = Entry::from(group.clone());
    let object: &Object = &entry.object;
    let status = group.status.clone().unwrap_or_default();
    let target = ("group", object.namespace.as_str(), object.name.as_str());
    let drift = status.drift.clone().unwrap_or_default();
    let labels = entry.membership.as_deref().map(|declared| declared.labels().join(", ")).unwrap_or_default();
    let members = status.members.unwrap_or_default();
    html! {
        (standing(object))
        @if let Some(message) = &object.message { p.message { (foreign(message)) } }
        (held(store, object))
        div.buttons {
            (buttons(target, None, shown))
            @if object.id.is_some() { (read_button(&group_address(&object.namespace, &object.name), "Read the members at the server", shown)) }
        }
        @if let Some(server) = shown.server { (server) }
        dl {
            dt { "Object" } dd { (object.namespace) "/" (object.name) @if object.deleting { ", under deletion" } }
            dt { "displayName" } dd { (foreign(&object.called)) }
            dt { "Connection" } dd { (connection(object)) }
            dt { "Id at the server" } dd { (foreign(object.id.as_deref().unwrap_or("none"))) }
            dt { "Membership" } dd { (word(&group.spec.membership)) }
            @if !labels.is_empty() { dt { "Selected by" } dd { (foreign(&labels)) } }
            dt { "Declared" } dd { (members.declared) }
            dt { "Present" } dd { (members.present) }
            dt { "Waiting" } dd { (members.waiting) }
            @if drift.lost > 0 { dt { "Taken out by others" } dd { (drift.lost) } }
            @if drift.foreign > 0 { dt { "Put in by others" } dd { (drift.foreign) } }
            dt { "Last operation" } dd { (object.last_operation.as_deref().unwrap_or("none")) " " (when(object.last_change, shown.now)) }
        }
        (out(store, object))
        (shown.steps)
        (declared(store, &entry))
        (table("Waited for", &["Member"], status.waiting_for.iter().flatten().map(|name| vec![name.clone()])))
        (table("Attributes changed at the server", &["Attribute"], drift.attributes.iter().map(|name| vec![name.clone()])))
        (table("About to leave: the ScimUser is gone", &["Account", "Since"], status.leaving.iter().flatten().map(|(id, since)| {
            vec![id.clone(), instant(Some(since)).map(|at| at.to_string()).unwrap_or_default()]
        })))
        (table("Conditions", &["Type", "Status", "Reason", "Message"], status.conditions.iter().flatten().map(|known| {
            vec![known.type_.clone(), known.status.clone(), known.reason.clone(), known.message.clone()]
        })))
        @if let Some(history) = shown.history { (history) }
    }
}

/// Whom its spec doesn't name any more, and who are recorded as put into it.
fn out(store: &Store, group: &Object) -> Markup {
    let out = store.taken_out(&[group]).concat();
    html! {
        @if !out.is_empty() { h2 { "No longer declared, and recorded as members (" (out.len()) ")" } (named(&out)) }
    }
}

/// The declared members by how far they are: with an account, without one, and not known here.
fn declared(store: &Store, entry: &Entry) -> Markup {
    let Some(members) = Members::of(entry) else { return html! {} };
    let all: Vec<&Entry> = store.users.iter().filter(|person| members.has(person)).collect();
    let (ready, waiting): (Vec<&Entry>, Vec<&Entry>) = all.into_iter().partition(|person| person.object.id.is_some());
    let unknown = members.unknown(store.users.iter());
    let groups = entry.membership.as_deref().map(Membership::groups).unwrap_or_default();
    let people = people_of_group(&entry.object.namespace, &entry.object.name);
    html! {
        h2 { "Declared members" }
        p { a href=(people) { (ready.len() + waiting.len()) " people, as a list" } }
        @if !waiting.is_empty() { h3 { "Waiting for an account (" (waiting.len()) ")" } (named(&objects(&waiting))) }
        (table("Unknown here", &["Member"], unknown.into_iter().map(|name| vec![name])))
        (table("Groups in it", &["ScimGroup"], groups.iter().map(|name| vec![name.clone()])))
        @if !ready.is_empty() { h3 { "With an account (" (ready.len()) ")" } (named(&objects(&ready))) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rights::Rights;
    use super::*;
    use kube::runtime::watcher::Event;
    use scim_operator::api::ScimUser;
    use serde_json::json;

    #[test]
    fn members_are_shown_with_an_account_waiting_and_unknown() {
        let mut store = Store::default();
        for (name, id) in [("ada", Some("1")), ("grace", None), ("alan", Some("3"))] {
            let user = json!({"metadata": {"name": name, "namespace": "identity"}, "status": {"id": id},
                "spec": {"connectionRef": {"name": "datadog"}, "userName": format!("{name}@example.com")}});
            store.users.apply(Event::<ScimUser>::Apply(serde_json::from_value(user).unwrap()));
        }
        let declared: ScimGroup = serde_json::from_value(json!({
            "metadata": {"name": "all", "namespace": "identity"},
            "spec": {"connectionRef": {"name": "datadog"}, "displayName": "<i>All", "membership": "Exact", "members": [
                {"userRef": {"name": "ada"}}, {"userRef": {"name": "grace"}}, {"userName": "<b>nobody"}]},
            "status": {"id": "g", "state": "Pending", "members": {"declared": 3, "present": 1, "waiting": 2}},
        }))
        .unwrap();
        let now = "2026-11-28T12:00:00Z".parse().unwrap();
        let page = |rights| {
            group(
                &store,
                &declared,
                Shown { rights, form_word: "word", now, server: None, steps: &html! {}, history: None },
            )
            .into_string()
        };
        let shown = page(Rights::default());
        assert!(shown.contains("Waiting for an account (1)") && shown.contains("With an account (1)"), "{shown}");
        assert!(
            shown.contains("userName &lt;b&gt;nobody") && !shown.contains("<i>") && !shown.contains("<button"),
            "{shown}"
        );
        assert!(!shown.contains("alan"), "{shown}");
        let all = page(Rights { write: true, read_key: true });
        assert!(
            all.contains("Provision now") && all.contains("/groups/identity/all/server") && !all.contains("Suspend")
        );
    }
}
