//! The members that a group has at the server, beside those that are declared.

use std::collections::{BTreeSet, HashMap};

use maud::{Markup, html};
use scim_operator::scim::Resource;

use super::addresses::{address, group_address};
use super::entry::{Entry, connection_key};
use super::members::Members;
use super::membership::Membership;
use super::page::foreign;
use super::store::Store;
use crate::objects::Object;

/// So many members are named.
const MEMBERS: usize = 1000;

/// Who is in it, and who is not. `everywhere`: the console looks at all namespaces.
pub fn members(store: &Store, entry: &Entry, group: &Resource, everywhere: bool) -> Markup {
    let heading = html! { h2 { "At the server" } };
    let Some(ids) = group.members() else {
        return html! { section #server data-still { (heading) p { "The server doesn't show who is in this group, also when it is asked for that." } } };
    };
    let of_connection = |object: &Object| connection_key(object) == connection_key(&entry.object);
    let people = store.users.iter().filter(|person| of_connection(&person.object));
    let by_id: HashMap<&str, &Entry> =
        people.filter_map(|person| Some((person.object.id.as_deref()?, person))).collect();
    let groups = store.groups.iter().filter(|one| of_connection(&one.object));
    let groups: HashMap<&str, &Object> =
        groups.filter_map(|one| Some((one.object.id.as_deref()?, &one.object))).collect();
    let declared = Members::of(entry);
    let is_declared = |person: &Entry| declared.as_ref().is_some_and(|members| members.has(person));
    let ids: BTreeSet<&str> = ids.collect();
    let (mut there, mut others, mut nested, mut unknown) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for id in &ids {
        match (by_id.get(id), groups.get(id)) {
            (Some(person), _) if is_declared(person) => there.push(*person),
            (Some(person), _) => others.push(*person),
            (None, Some(group)) => nested.push(*group),
            (None, None) => unknown.push(*id),
        }
    }
    let absent: Vec<&Entry> =
        by_id.iter().filter(|(id, person)| !ids.contains(*id) && is_declared(person)).map(|(_, one)| *one).collect();
    let by_reference = entry.membership.as_deref().map(Membership::groups).unwrap_or_default();
    let is_nested = |group: &Object| group.namespace == entry.object.namespace && by_reference.contains(&group.name);
    let beyond = entry.object.connection.starts_with("cluster/") && !everywhere;
    let elsewhere =
        if beyond { "Accounts that nobody in this namespace declares" } else { "Accounts that nobody here declares" };
    html! {
        section #server data-still {
            (heading)
            p role="status" { "Read just now: " (ids.len()) " members; " (there.len()) " are declared people, " (nested.len()) " are groups, "
                (others.len() + unknown.len()) " are others, and " (absent.len()) " declared people with an account are not in it." }
            @if !absent.is_empty() { h3 { "Declared, and not in it" } (named(&objects(&absent))) }
            @if !others.is_empty() { h3 { "In it, and not declared as members" } (named(&objects(&others))) }
            @if !unknown.is_empty() {
                h3 { (elsewhere) }
                ul.members { @for id in unknown.iter().take(MEMBERS) { li { (foreign(id)) } } }
                (more(unknown.len()))
            }
            @if !nested.is_empty() {
                h3 { "Groups in it" }
                ul.members {
                    @for group in nested.iter().take(MEMBERS) {
                        li { a href=(group_address(&group.namespace, &group.name)) { (foreign(&group.called)) } @if !is_nested(group) { " (not declared as a member)" } }
                    }
                }
                (more(nested.len()))
            }
            @if !there.is_empty() { h3 { "In it, as declared" } (named(&objects(&there))) }
        }
    }
}

/// People, with links to them.
pub fn named(people: &[&Object]) -> Markup {
    html! {
        ul.members {
            @for person in people.iter().take(MEMBERS) {
                li { a href=(address(&person.namespace, &person.name)) { (foreign(&person.called)) } }
            }
        }
        (more(people.len()))
    }
}

/// What they are, without what a search looks through.
pub fn objects<'a>(entries: &[&'a Entry]) -> Vec<&'a Object> {
    entries.iter().map(|entry| &entry.object).collect()
}

fn more(count: usize) -> Markup {
    html! { @if count > MEMBERS { p { "and " (count - MEMBERS) " more" } } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scim_operator::api::{ScimGroup, ScimUser};
    use serde_json::{Value, json};

    #[test]
    fn members_at_the_server_are_told_from_those_that_are_declared() {
        use kube::runtime::watcher::Event;
        let mut store = Store::default();
        for (name, id) in [("ada", "1"), ("grace", "2"), ("alan", "3")] {
            let user = json!({"metadata": {"name": name, "namespace": "identity"}, "status": {"id": id},
                "spec": {"connectionRef": {"name": "datadog"}, "userName": format!("{name}@example.com")}});
            store.users.apply(Event::<ScimUser>::Apply(serde_json::from_value(user).unwrap()));
        }
        let nested = json!({"metadata": {"name": "ops", "namespace": "identity"}, "status": {"id": "g7"}, "spec": {
            "connectionRef": {"name": "datadog"}, "displayName": "Ops", "membership": "Exact"}});
        store.groups.apply(Event::<ScimGroup>::Apply(serde_json::from_value(nested).unwrap()));
        let group = json!({"metadata": {"name": "all", "namespace": "identity"}, "spec": {"connectionRef": {"name": "datadog"},
            "displayName": "All", "membership": "Exact", "members": [{"userRef": {"name": "ada"}}, {"userRef": {"name": "grace"}}, {"groupRef": {"name": "ops"}}]}});
        let entry = Entry::from(serde_json::from_value::<ScimGroup>(group).unwrap());
        let shown =
            |group: Value| members(&store, &entry, &Resource(group.as_object().cloned().unwrap()), false).into_string();
        let page =
            shown(json!({"id": "g", "members": [{"value": "1"}, {"value": "3"}, {"value": "<9>"}, {"value": "g7"}]}));
        assert!(
            page.contains("4 members; 1 are declared people, 1 are groups, 2 are others, and 1 declared people"),
            "{page}"
        );
        assert!(
            page.contains("alan@example.com") && page.contains("&lt;9&gt;") && page.contains("/people/identity/grace")
        );
        assert!(page.contains("/groups/identity/ops\"><bdi>Ops</bdi></a></li>"), "by its name: {page}");
        let many: Vec<Value> = (0..1200).map(|id| json!({"value": format!("x{id}")})).collect();
        assert!(shown(json!({"id": "g", "members": many})).contains("and 200 more"));
        assert!(shown(json!({"id": "g"})).contains("doesn't show who"));
    }
}
