//! One person: what is declared, how it stands, and what can be done.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt as _;
use maud::{Markup, html};
use scim_operator::api::ScimUser;

use super::addresses::{address, group_address};
use super::entry::{Entry, connection_key, connection_of};
use super::filter::Filter;
use super::members::Members;
use super::page::{self, foreign, standing, when};
use super::people::table;
use super::rights::Rights;
use super::store::Store;
use crate::objects::Object;

/// What the page of one object is made with.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    pub rights: Rights,
    pub form_word: &'a str,
    pub now: Timestamp,
    /// What was read at the server for this very page.
    pub server: Option<&'a Markup>,
    /// Why it stands as it does.
    pub steps: &'a Markup,
    /// What the audit stream tells of it.
    pub history: Option<&'a Markup>,
}

/// The page.
pub fn person(store: &Store, user: &ScimUser, shown: Shown) -> Markup {
    let object = Object::from(user.clone());
    let status = user.status.clone().unwrap_or_default();
    let target = ("user", object.namespace.as_str(), object.name.as_str());
    html! {
        (standing(&object))
        @if let Some(message) = &object.message { p.message { (foreign(message)) } }
        (held(store, &object))
        div.buttons {
            (buttons(target, Some(user.spec.suspend), shown))
            @if object.id.is_some() { (read_button(&address(&object.namespace, &object.name), "Read the account at the server", shown)) }
        }
        @if let Some(server) = shown.server { (server) }
        dl {
            dt { "Object" } dd { (object.namespace) "/" (object.name) @if object.deleting { ", under deletion" } }
            dt { "userName" } dd { (foreign(&object.called)) }
            dt { "Connection" } dd { (connection(&object)) }
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
            dd {
                (object.last_operation.as_deref().unwrap_or("none")) " " (when(object.last_change, shown.now))
                @if let Some(changed) = status.last_operation.as_ref().and_then(|last| last.attributes.as_ref()) { ": " (foreign(&changed.join(", "))) }
            }
            dt { "Groups" } dd { (memberships(store, user)) }
        }
        (shown.steps)
        (table("Attributes changed at the server", &["Attribute"], object.drift.iter().map(|path| vec![path.clone()])))
        (table("Attributes that are not written", &["Attribute and reason"], object.ignored.iter().map(|path| vec![path.clone()])))
        (table("Conditions", &["Type", "Status", "Reason", "Message"], status.conditions.iter().flatten().map(|known| {
            vec![known.type_.clone(), known.status.clone(), known.reason.clone(), known.message.clone()]
        })))
        (table("Owned attributes", &["Attribute"], status.managed_attributes.iter().flatten().map(|path| vec![path.clone()])))
        @if let Some(history) = shown.history { (history) }
        details { summary { "Manifest" } (page::manifest(&manifest(user))) }
    }
}

/// That something of it is held, and where that is answered; of a hold that is answered there is nothing to go to.
pub fn held(store: &Store, object: &Object) -> Markup {
    let Some(hold) = &object.hold else { return html! {} };
    let operation = object.held_operation.as_deref().unwrap_or("An operation");
    html! {
        @if store.has_hold(hold) { p.hold { a href={ "/holds/" (hold) } { (operation) " is held" } } }
        @else if object.message.as_deref().is_some_and(|message| message.contains("rejected; it stays")) {
            p.notice {
                (operation) " was rejected: it stays undone until the spec changes. "
                code { "kubectl scim approve " (hold) " -n " (object.namespace) } " takes that back."
            }
        } @else { p { (operation) " was held, by a hold that isn't listed any more." } }
    }
}

/// Its connection, and everybody of that.
pub fn connection(object: &Object) -> Markup {
    let name = connection_of(object);
    html! { a href=(Filter { connection: name.clone(), ..Filter::default() }.address("/people")) { (name) } }
}

/// The groups that declare the person as a member, and whether the account is recorded as put in.
fn memberships(store: &Store, user: &ScimUser) -> Markup {
    let entry = Entry::from(user.clone());
    let recorded: BTreeSet<&String> =
        user.status.iter().flat_map(|status| &status.groups).flat_map(|groups| groups.keys()).collect();
    let declared: Vec<&Entry> =
        store.groups.iter().filter(|group| Members::of(group).is_some_and(|members| members.has(&entry))).collect();
    // Another connection's server may number its groups the same.
    let connection = connection_key(&entry.object);
    let is_recorded = |group: &&Entry| {
        group.object.id.as_ref().is_some_and(|id| recorded.contains(id)) && connection_key(&group.object) == connection
    };
    let left = store
        .groups
        .iter()
        .filter(|group| is_recorded(group) && !declared.iter().any(|known| std::ptr::eq(*known, *group)));
    let left: Vec<&Entry> = left.collect();
    html! {
        @if declared.is_empty() && left.is_empty() { "in none, as far as ScimGroups declare it" }
        @for group in &declared { (linked(group)) " " }
        @for group in &left { (linked(group)) " (no longer declared) " }
    }
}

fn linked(group: &Entry) -> Markup {
    html! { a href=(group_address(&group.object.namespace, &group.object.name)) { (foreign(&group.object.called)) } }
}

/// The people in a group.
pub fn people_of_group(namespace: &str, name: &str) -> String {
    Filter { group: format!("{namespace}/{name}"), ..Filter::default() }.address("/people")
}

/// What can be done with an object, where the rights suffice. `suspended` is none where it can't be.
pub fn buttons((kind, namespace, name): (&str, &str, &str), suspended: Option<bool>, shown: Shown) -> Markup {
    let button = |action: &str, title: &str| {
        html! {
            form method="post" action="/do" {
                input type="hidden" name="form" value=(shown.form_word);
                input type="hidden" name="kind" value=(kind);
                input type="hidden" name="namespace" value=(namespace);
                input type="hidden" name="name" value=(name);
                button name="action" value=(action) { (title) }
            }
        }
    };
    html! {
        @if shown.rights.write {
            // Nothing is provisioned while it is suspended.
            @if suspended != Some(true) { (button("sync", "Provision now")) }
            @match suspended {
                Some(true) => (button("resume", "Resume")),
                Some(false) => (button("suspend", "Suspend")),
                None => {}
            }
        }
    }
}

/// Asks the server, where the key may be read.
pub fn read_button(path: &str, title: &str, shown: Shown) -> Markup {
    html! {
        @if shown.rights.read_key {
            form method="post" action={ (path) "/server" } {
                input type="hidden" name="form" value=(shown.form_word);
                button { (title) }
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
    use kube::runtime::watcher::Event;
    use scim_operator::api::ScimGroup;
    use serde_json::json;

    fn user() -> ScimUser {
        serde_json::from_value(json!({
            "metadata": {"name": "ada", "namespace": "identity", "managedFields": [{"manager": "kubectl"}]},
            "spec": {"connectionRef": {"name": "datadog"}, "userName": "\u{202e}<b>ada</b>@example.com", "title": "</pre><script>"},
            "status": {"state": "Failed", "id": "7", "groups": {"g2": "7"}, "conditions": [{"type": "Ready", "status": "False",
                "reason": "Rejected", "message": "the server said: <img src=x>", "lastTransitionTime": "2026-11-28T11:00:00Z"}]},
        }))
        .unwrap()
    }

    fn page(store: &Store, rights: Rights) -> String {
        let now = "2026-11-28T12:00:00Z".parse().unwrap();
        person(store, &user(), Shown { rights, form_word: "word", now, server: None, steps: &html! {}, history: None })
            .into_string()
    }

    #[test]
    fn whoever_may_only_look_sees_no_button() {
        let store = Store::default();
        let shown = |write, read_key| page(&store, Rights { write, read_key });
        assert!(!shown(false, false).contains("<button") && !shown(false, false).contains("word\""));
        let writer = shown(true, false);
        assert!(writer.contains("Provision now") && writer.contains("value=\"word\"") && !writer.contains("/server"));
        assert!(shown(false, true).contains("action=\"/people/identity/ada/server\""));
    }

    #[test]
    fn i13_what_is_held_leads_to_its_hold_and_what_was_rejected_to_none() {
        let mut store = Store::default();
        let mut object = Object {
            hold: Some("3f2a9c0d11b2e477".into()),
            held_operation: Some("Update".into()),
            ..Object::default()
        };
        let shown = |store: &Store, object: &Object| held(store, object).into_string();
        assert!(shown(&store, &object).contains("isn't listed") && !shown(&store, &object).contains("href"));
        object.message = Some("Update was held (hold 3f2a9c0d11b2e477) and rejected; it stays undone".into());
        assert!(shown(&store, &object).contains("was rejected") && !shown(&store, &object).contains("href"));
        let connection = json!({"metadata": {"name": "datadog", "namespace": "identity"},
            "spec": {"baseUrl": "https://scim.example.com", "auth": {}},
            "status": {"holds": [{"id": "3f2a9c0d11b2e477", "reason": "rewrites", "since": "2026-11-28T11:00:00Z",
                "creates": 0, "updates": 1, "deactivations": 0, "deletes": 0}]}});
        store
            .connections
            .apply(Event::<scim_operator::api::ScimConnection>::Apply(serde_json::from_value(connection).unwrap()));
        assert!(shown(&store, &object).contains("href=\"/holds/3f2a9c0d11b2e477\""));
    }

    #[test]
    fn what_a_manifest_or_a_server_says_is_never_markup() {
        let page = page(&Store::default(), Rights { write: true, read_key: true });
        assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains("<img"), "{page}");
        assert!(!page.contains("managedFields"), "{page}");
    }

    #[test]
    fn groups_are_those_that_declare_the_person_and_those_that_no_longer_do() {
        let mut store = Store::default();
        for (name, id, members) in [
            ("platform", "g1", json!([{"userRef": {"name": "ada"}}])),
            ("old", "g2", json!([])),
            ("other", "g3", json!([])),
        ] {
            let group = json!({"metadata": {"name": name, "namespace": "identity"}, "status": {"id": id}, "spec": {
                "connectionRef": {"name": "datadog"}, "displayName": name, "membership": "Exact", "members": members}});
            store.groups.apply(Event::<ScimGroup>::Apply(serde_json::from_value(group).unwrap()));
        }
        let page = page(&store, Rights::default());
        assert!(page.contains("/groups/identity/platform\"><bdi>platform</bdi></a> <a"), "{page}");
        assert!(page.contains("<bdi>old</bdi></a> (no longer declared)") && !page.contains("other"), "{page}");
    }
}
