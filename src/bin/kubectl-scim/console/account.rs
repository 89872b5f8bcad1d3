//! What a server has of a person or a group, read when somebody asks for it, beside what is declared.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Result, anyhow, bail};
use jiff::Timestamp;
use maud::{Markup, html};
use scim_operator::api::{ConnectionKind, ConnectionRef, ScimConnection, ScimGroup, ScimUser};
use scim_operator::plan::{Change, Declared, Path, differences};
use scim_operator::scim::{Class, Kind, MembersReadable, Profile, Resource};
use serde_json::Value;

use super::members::Members;
use super::page::foreign;
use super::people::{address, table};
use super::store::{Entry, Store, connection_of};
use crate::cluster::Cluster;
use crate::server::Server;

/// So many members are named.
const MEMBERS: usize = 1000;

/// How the console reaches servers.
pub struct Way {
    pub operator_namespace: String,
    pub allow_loopback_http: bool,
}

impl Way {
    /// Where the Secret of a connection is.
    pub fn secret_namespace<'a>(&'a self, connection: &'a ScimConnection) -> &'a str {
        connection.metadata.namespace.as_deref().unwrap_or(&self.operator_namespace)
    }

    async fn to(&self, cluster: &Cluster, connection: ScimConnection) -> Result<Server> {
        Server::of_connection(cluster, connection, &self.operator_namespace, self.allow_loopback_http).await
    }
}

/// The connection of an object.
pub async fn connection_behind(
    cluster: &Cluster,
    namespace: &str,
    reference: &ConnectionRef,
) -> Result<ScimConnection> {
    cluster.at(namespace).connection(reference.kind == ConnectionKind::ClusterScimConnection, &reference.name).await
}

/// An account, and what the comparison needs beside it.
pub struct Account {
    shown: Resource,
    profile: Profile,
    /// The id of the manager's account.
    manager: Option<String>,
}

/// Reads the account of a person: one request.
pub async fn of_user(cluster: &Cluster, way: &Way, connection: ScimConnection, user: &ScimUser) -> Result<Account> {
    let id = recorded(user.status.as_ref().and_then(|status| status.id.as_deref()))?;
    let reference = user.spec.attributes.enterprise.as_ref().and_then(|enterprise| enterprise.manager.as_ref());
    let manager = match reference.and_then(|manager| manager.user_ref.as_ref()) {
        Some(manager) => {
            let namespace = user.metadata.namespace.as_deref().unwrap_or_default();
            let manager = cluster.within::<ScimUser>(namespace).get_opt(&manager.name).await?;
            manager.and_then(|manager| manager.status).and_then(|status| status.id)
        }
        None => None,
    };
    let server = way.to(cluster, connection).await?;
    let deadline = server.read().await;
    let shown = server.client.get(Kind::Users, id, deadline).await.map_err(|error| told(error, "account", id))?;
    Ok(Account { shown, profile: server.profile, manager })
}

/// Reads a group: one request.
pub async fn of_group(cluster: &Cluster, way: &Way, connection: ScimConnection, group: &ScimGroup) -> Result<Resource> {
    let id = recorded(group.status.as_ref().and_then(|status| status.id.as_deref()))?;
    let server = way.to(cluster, connection).await?;
    let ask = server.profile.members_readable == MembersReadable::OnRequest;
    let deadline = server.read().await;
    server.client.get_group(id, ask, deadline).await.map_err(|error| told(error, "group", id))
}

fn recorded(id: Option<&str>) -> Result<&str> {
    let Some(id) = id else { bail!("status records no id at the server, so there is nothing to read") };
    Ok(id)
}

fn told(error: scim_operator::scim::Error, what: &str, id: &str) -> anyhow::Error {
    if error.class() == Class::NotFound {
        return anyhow!("the server has no {what} with the id {id}");
    }
    error.into()
}

/// One attribute on both sides.
#[derive(Debug, PartialEq)]
struct Line {
    path: String,
    declared: Option<Value>,
    shown: Option<Value>,
    verdict: &'static str,
}

/// Every attribute that is declared or shown, those that differ first.
fn lines(user: &ScimUser, account: &Account, now: Timestamp) -> Vec<Line> {
    let status = user.status.clone().unwrap_or_default();
    let owned: BTreeSet<Path> = status.managed_attributes.iter().flatten().map(|path| Path::parse(path)).collect();
    let ignored: BTreeSet<&str> =
        status.ignored_attributes.iter().flatten().map(|ignored| ignored.path.as_str()).collect();
    let declared = Declared::new(&user.spec, account.manager.as_deref(), &account.profile, now);
    let different = differences(&declared, &account.shown, &owned);
    let mut lines: BTreeMap<&Path, Line> = BTreeMap::new();
    let line = |path: &Path, declared: Option<&Value>, verdict| Line {
        path: path.to_string(),
        declared: declared.cloned(),
        shown: path.read(&account.shown).cloned(),
        verdict,
    };
    for (path, value) in &declared.attributes {
        lines.insert(path, line(path, Some(value), "as declared"));
    }
    for (path, change) in &different {
        let (value, verdict) = match change {
            _ if ignored.contains(path.to_string().as_str()) => (declared.attributes.get(path), "not written"),
            Change::Set(value) => (Some(value), "to be written"),
            Change::Remove => (None, "to be removed"),
        };
        lines.insert(path, line(path, value, verdict));
    }
    let all = Path::all_in(&account.shown);
    let own = all.iter().filter(|path| {
        !matches!(path.name(), "schemas" | "meta" | "id" | "active")
            && !matches!(path, Path::Entry { value: Some(_), .. })
    });
    for path in own {
        lines.entry(path).or_insert_with(|| line(path, None, "only at the server"));
    }
    let mut lines: Vec<Line> = lines.into_values().collect();
    let (active, shown) = (declared.active.map(Value::Bool), account.shown.get("active").cloned());
    let same = active.is_none() || declared.active == account.shown.active();
    let verdict = if same { "as declared" } else { "to be written" };
    lines.push(Line { path: "active".to_owned(), declared: active, shown, verdict });
    // What is owed comes first; the order within stays.
    lines.sort_by_key(|line| line.verdict == "as declared" || line.verdict == "only at the server");
    lines
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(all)) => all.iter().map(|one| text(Some(one))).collect::<Vec<_>>().join("; "),
        Some(Value::Object(parts)) => entry(parts),
        Some(other) => other.to_string(),
    }
}

/// An entry of a list by its value, with what else is said of it: `ada@example.com (work, primary)`.
fn entry(parts: &serde_json::Map<String, Value>) -> String {
    let value = parts.get("value").or_else(|| parts.get("formatted"));
    let rest =
        parts.iter().filter(|(name, part)| !value.is_some_and(|value| std::ptr::eq(value, *part)) && *name != "$ref");
    let rest: Vec<String> = rest
        .filter_map(|(name, part)| match (name.as_str(), part) {
            ("type", part) => Some(text(Some(part))),
            ("primary", part) => (part == &Value::Bool(true)).then(|| "primary".to_owned()),
            (name, part) => Some(format!("{name}: {}", text(Some(part)))),
        })
        .collect();
    match (value, rest.is_empty()) {
        (Some(value), true) => text(Some(value)),
        (Some(value), false) => format!("{} ({})", text(Some(value)), rest.join(", ")),
        (None, _) => rest.join(", "),
    }
}

/// The account beside the manifest.
pub fn compared(user: &ScimUser, account: &Account, now: Timestamp) -> Markup {
    let lines = lines(user, account, now);
    let owed = lines.iter().filter(|line| line.verdict.starts_with("to be")).count();
    html! {
        section #server data-still {
            h2 { "At the server" }
            p role="status" {
                "Read just now. "
                @if owed == 0 { "Everything that is declared is there." }
                @else { (owed) @if owed == 1 { " attribute is" } @else { " attributes are" } " owed." }
            }
            (table("Attribute by attribute", &["Attribute", "Declared", "At the server", "What follows"], lines.iter().map(|line| {
                vec![line.path.clone(), text(line.declared.as_ref()), text(line.shown.as_ref()), line.verdict.to_owned()]
            })))
        }
    }
}

/// The members of a group at the server beside those that are declared.
pub fn members(store: &Store, entry: &Entry, group: &Resource) -> Markup {
    let heading = html! { h2 { "At the server" } };
    let Some(ids) = group.members() else {
        return html! { section #server data-still { (heading) p { "The server doesn't show who is in this group." } } };
    };
    let connection = connection_of(&entry.object);
    let people = store.users.iter().filter(|person| connection_of(&person.object) == connection);
    let by_id: HashMap<&str, &Entry> =
        people.filter_map(|person| Some((person.object.id.as_deref()?, person))).collect();
    let declared = Members::of(entry);
    let is_declared = |person: &Entry| declared.as_ref().is_some_and(|members| members.has(person));
    let ids: BTreeSet<&str> = ids.collect();
    let (mut there, mut foreign_ones) = (Vec::new(), Vec::new());
    for id in &ids {
        match by_id.get(id) {
            Some(person) if is_declared(person) => there.push(*person),
            Some(person) => foreign_ones.push(person.object.called.as_str()),
            None => foreign_ones.push(*id),
        }
    }
    let absent: Vec<&Entry> =
        by_id.iter().filter(|(id, person)| !ids.contains(*id) && is_declared(person)).map(|(_, one)| *one).collect();
    html! {
        section #server data-still {
            (heading)
            p role="status" { "Read just now: " (ids.len()) " members; " (there.len()) " are declared people, "
                (foreign_ones.len()) " are not, and " (absent.len()) " declared people with an account are not in it." }
            @if !absent.is_empty() { h3 { "Declared, and not in it" } (named(&absent)) }
            @if !foreign_ones.is_empty() {
                h3 { "In it, and not declared as people" }
                ul.members { @for name in foreign_ones.iter().take(MEMBERS) { li { (foreign(name)) } } }
            }
            @if !there.is_empty() { h3 { "In it, as declared" } (named(&there)) }
        }
    }
}

/// People, with links to them.
pub fn named(people: &[&Entry]) -> Markup {
    html! {
        ul.members {
            @for person in people.iter().take(MEMBERS) {
                li { a href=(address(&person.object.namespace, &person.object.name)) { (foreign(&person.object.called)) } }
            }
        }
        @if people.len() > MEMBERS { p { "and " (people.len() - MEMBERS) " more" } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn user() -> ScimUser {
        serde_json::from_value(json!({
            "metadata": {"name": "ada", "namespace": "identity"},
            "spec": {"connectionRef": {"name": "datadog"}, "userName": "Ada@example.com", "title": "Countess", "active": true,
                "nickName": "A.", "emails": [{"type": "work", "value": "ada@example.com"}]},
            "status": {"id": "7", "managedAttributes": ["title", "displayName", "emails[type eq \"work\"]"],
                "ignoredAttributes": [{"path": "nickName", "reason": "NotPersisted"}]},
        }))
        .unwrap()
    }

    fn account(shown: &Value) -> Account {
        let shown = Resource(shown.as_object().cloned().unwrap());
        Account { shown, profile: Profile::generic(), manager: None }
    }

    fn now() -> Timestamp {
        "2026-11-28T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn i05_each_attribute_is_shown_on_both_sides_with_what_is_owed_first() {
        let account =
            account(&json!({"id": "7", "userName": "ada@example.com", "title": "<b>Engineer", "displayName": "Ada",
            "emails": [{"type": "Work", "value": "ada@example.com"}], "active": false, "locale": "en", "schemas": []}));
        let lines = lines(&user(), &account, now());
        let told: Vec<(&str, &str)> = lines.iter().map(|line| (line.path.as_str(), line.verdict)).collect();
        for expected in [
            ("title", "to be written"),
            ("displayName", "to be removed"),
            ("active", "to be written"),
            ("nickName", "not written"),
            ("userName", "as declared"),
            ("emails[type eq \"work\"]", "as declared"),
            ("locale", "only at the server"),
        ] {
            assert!(told.contains(&expected), "{expected:?}: {told:?}");
        }
        assert_eq!(told.len(), 7, "each once: {told:?}");
        let settled = told.iter().position(|(_, verdict)| *verdict == "as declared").unwrap();
        assert!(told[settled..].iter().all(|(_, verdict)| !verdict.starts_with("to be")), "{told:?}");
        let page = compared(&user(), &account, now()).into_string();
        assert!(page.contains("3 attributes are owed") && page.contains("&lt;b&gt;Engineer"), "{page}");
    }

    #[test]
    fn a_complex_value_reads_as_people_would_write_it() {
        let shown = |value: Value| text(Some(&value));
        let work = json!({"type": "work", "value": "ada@example.com", "primary": true});
        assert_eq!(shown(work), "ada@example.com (primary, work)");
        let roles = json!([{"value": "7", "display": "Admin", "primary": false}, "auditor"]);
        assert_eq!(shown(roles), "7 (display: Admin); auditor");
        assert_eq!(
            shown(json!({"streetAddress": "1 Main St", "country": "GB"})),
            "country: GB, streetAddress: 1 Main St"
        );
        assert_eq!(text(None), "–");
    }

    #[test]
    fn members_at_the_server_are_told_from_those_that_are_declared() {
        use kube::runtime::watcher::Event;
        let mut store = Store::default();
        for (name, id) in [("ada", "1"), ("grace", "2"), ("alan", "3")] {
            let user = json!({"metadata": {"name": name, "namespace": "identity"}, "status": {"id": id},
                "spec": {"connectionRef": {"name": "datadog"}, "userName": format!("{name}@example.com")}});
            store.users.apply(Event::<ScimUser>::Apply(serde_json::from_value(user).unwrap()));
        }
        let group = json!({"metadata": {"name": "all", "namespace": "identity"}, "spec": {"connectionRef": {"name": "datadog"},
            "displayName": "All", "membership": "Exact", "members": [{"userRef": {"name": "ada"}}, {"userRef": {"name": "grace"}}]}});
        let entry = Entry::from(serde_json::from_value::<ScimGroup>(group).unwrap());
        let shown =
            |group: Value| members(&store, &entry, &Resource(group.as_object().cloned().unwrap())).into_string();
        let page = shown(json!({"id": "g", "members": [{"value": "1"}, {"value": "3"}, {"value": "<9>"}]}));
        assert!(page.contains("3 members; 1 are declared people, 2 are not, and 1 declared people"), "{page}");
        assert!(
            page.contains("alan@example.com") && page.contains("&lt;9&gt;") && page.contains("/people/identity/grace")
        );
        assert!(shown(json!({"id": "g"})).contains("doesn't show who"));
    }
}
