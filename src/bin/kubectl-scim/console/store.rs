//! What the pages show: a list of the API server's objects, kept by watches, with what a search looks through.
//!
//! Of users and groups a row is kept, not the object: a hundred thousand fit into a laptop's memory.

use std::collections::HashMap;

use scim_operator::api::{ClusterScimConnection, ScimConnection, ScimRoster};
use scim_operator::roster::Members as Gone;

use super::entry::{ConnectionKey, Entry, connection_key};
use super::events::Told;
use super::kept::Kept;
use super::members::Members;
use crate::commands::holds::{self, Held, Hold, rejected};
use crate::objects::Object;

/// A connection, of a namespace or of the cluster.
#[derive(Debug)]
pub struct Connection(pub ScimConnection);

impl From<ScimConnection> for Connection {
    fn from(connection: ScimConnection) -> Self {
        Self(connection)
    }
}

impl From<ClusterScimConnection> for Connection {
    fn from(connection: ClusterScimConnection) -> Self {
        Self(connection.into_connection())
    }
}

/// Something in a hold.
#[derive(Clone, Copy)]
pub struct InHold<'a> {
    pub held: Held<&'a Object>,
    /// What a search looks through, of what is listed here.
    pub text: Option<&'a str>,
}

impl<'a> From<&'a Entry> for InHold<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self { held: Held(&entry.object), text: Some(&entry.text) }
    }
}

impl<'a> From<&'a Held> for InHold<'a> {
    fn from(held: &'a Held) -> Self {
        Self { held: Held(&held.0), text: None }
    }
}

/// Everything that is shown.
#[derive(Debug, Default)]
pub struct Store {
    pub users: Kept<Entry>,
    pub groups: Kept<Entry>,
    pub connections: Kept<Connection>,
    pub cluster_connections: Kept<Connection>,
    pub rosters: Kept<ScimRoster>,
    /// Watched since somebody wanted to see them.
    pub events: Kept<Told>,
}

impl Store {
    /// Those of namespaces and of the cluster.
    pub fn all_connections(&self) -> impl Iterator<Item = &ScimConnection> {
        self.cluster_connections.iter().chain(self.connections.iter()).map(|connection| &connection.0)
    }

    /// Everything that waits for an answer, the oldest first.
    pub fn holds(&self) -> Vec<Hold> {
        let mut found: Vec<Hold> = self.all_connections().flat_map(holds::of_connection).collect();
        found.extend(self.rosters.iter().filter_map(holds::of_roster));
        found.sort_by_key(|hold| hold.since);
        found
    }

    /// Holds that were rejected and have closed, and can be approved still: what is left of them here. Of a cluster
    /// connection that is all of it `everywhere` alone.
    pub fn rejected(&self, everywhere: bool) -> Vec<Hold> {
        let mut left: HashMap<String, (&ScimConnection, Vec<&Object>)> = HashMap::new();
        for connection in self.all_connections().filter(|one| everywhere || one.metadata.namespace.is_some()) {
            left.extend(rejected::refused(connection).into_iter().map(|id| (id, (connection, Vec::new()))));
        }
        // Nearly always nothing was rejected: then nobody is looked at.
        let is_any = !left.is_empty();
        for entry in self.users.iter().chain(self.groups.iter()).take_while(|_| is_any) {
            for object in std::iter::once(&entry.object).chain(&entry.rejected).filter(|object| !object.deleting) {
                let of = object.hold.as_ref().and_then(|id| left.get_mut(id));
                if let Some((_, objects)) = of.filter(|(one, _)| connection_key(object) == key_of(one)) {
                    objects.push(object);
                }
            }
        }
        let counted = |(id, (connection, objects))| rejected::counted(rejected::named(connection, id), objects);
        let mut found: Vec<Hold> = left.into_iter().filter_map(counted).collect();
        found.sort_by(|a, b| (a.since, &a.id).cmp(&(b.since, &b.id)));
        found
    }

    /// The hold of this id, whether it waits or was rejected.
    pub fn hold(&self, id: &str, everywhere: bool) -> Option<Hold> {
        let is_it = |hold: &Hold| hold.id.as_deref() == Some(id);
        self.holds().into_iter().find(is_it).or_else(|| self.rejected(everywhere).into_iter().find(is_it))
    }

    /// Users and groups in a hold. Of one that was rejected, deleted objects went without their accounts.
    pub fn held<'a>(&'a self, hold: &Hold) -> impl Iterator<Item = InHold<'a>> {
        let id = hold.id.as_deref().unwrap_or_default();
        self.users.iter().chain(self.groups.iter()).filter_map(move |entry| {
            let object = entry.held_by(id).filter(|object| !(hold.rejected && object.deleting))?;
            Some(InHold { held: Held(object), text: Some(&entry.text) })
        })
    }

    /// Everybody in a roster's hold, by what its status records; of an older status those `sampled`.
    pub fn leaving<'a>(&'a self, hold: &Hold, sampled: &'a [Held]) -> Vec<InHold<'a>> {
        let namespace = hold.namespace.as_deref().unwrap_or_default();
        let roster = self.rosters.get(namespace, &hold.name);
        let recorded = roster.and_then(|roster| roster.status.as_ref()?.hold.as_ref()?.members.as_deref());
        let gone = Gone::read(recorded);
        let is_gone = |entry: &&Entry| {
            let of = entry.roster.as_ref().filter(|roster| *roster.name == *hold.name);
            entry.object.namespace == namespace && of.is_some_and(|roster| gone.has_mark(&roster.mark))
        };
        let found: Vec<InHold> = self.users.iter().filter(is_gone).map(InHold::from).collect();
        if hold.is_all(found.iter().map(|one| &one.held)) {
            return found;
        }
        // A hold names them without their userNames.
        let known = |named: &'a Held| match self.users.get(&named.0.namespace, &named.0.name) {
            Some(entry) => InHold::from(entry),
            None => InHold::from(named),
        };
        sampled.iter().map(known).collect()
    }

    /// Of each of these groups the people whom its spec doesn't name any more, and who are recorded as put into it.
    /// All of them take one look at everybody.
    pub fn taken_out(&self, groups: &[&Object]) -> Vec<Vec<&Object>> {
        let mut by_id: HashMap<&str, Vec<(usize, Members)>> = HashMap::new();
        for (place, group) in groups.iter().enumerate() {
            let entry = self.groups.get(&group.namespace, &group.name);
            if let Some((members, id)) = entry.and_then(Members::of).zip(group.id.as_deref()) {
                by_id.entry(id).or_default().push((place, members));
            }
        }
        let mut out = vec![Vec::new(); groups.len()];
        // With no group, nobody is looked at.
        for person in self.users.iter().take_while(|_| !by_id.is_empty()) {
            for (place, members) in person.recorded.lines().filter_map(|id| by_id.get(id)).flatten() {
                if members.concern(person) && !members.has(person) {
                    out[*place].push(&person.object);
                }
            }
        }
        out
    }

    /// The hold of this id waits for an answer.
    pub fn has_hold(&self, id: &str) -> bool {
        self.holds().iter().any(|hold| hold.id.as_deref() == Some(id))
    }

    /// What can't be listed, and why. That somebody of a namespace may not see the cluster's connections is no problem.
    pub fn problems(&self) -> Vec<(&'static str, &str)> {
        let of_cluster = Some(&self.cluster_connections.problem).filter(|_| !self.cluster_connections.forbidden);
        [
            ("ScimUsers", Some(&self.users.problem)),
            ("ScimGroups", Some(&self.groups.problem)),
            ("ScimConnections", Some(&self.connections.problem)),
            ("ScimRosters", Some(&self.rosters.problem)),
            ("ClusterScimConnections", of_cluster),
        ]
        .into_iter()
        .filter_map(|(kind, problem)| Some((kind, problem?.as_deref()?)))
        .collect()
    }

    /// Everything was listed, or can't be.
    pub fn is_complete(&self) -> bool {
        self.users.is_settled()
            && self.groups.is_settled()
            && self.connections.is_settled()
            && self.rosters.is_settled()
            && self.cluster_connections.is_settled()
    }

    /// All connections that somebody may list are listed.
    pub fn knows_connections(&self) -> bool {
        let of_cluster = &self.cluster_connections;
        self.connections.is_known() && (of_cluster.is_known() || of_cluster.forbidden)
    }

    /// All holds that somebody may see are here.
    pub fn knows_holds(&self) -> bool {
        self.knows_connections() && self.rosters.is_known()
    }
}

fn key_of(connection: &ScimConnection) -> ConnectionKey<'_> {
    (connection.metadata.namespace.as_deref(), connection.metadata.name.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::runtime::watcher::Event;
    use scim_operator::api::{ScimGroup, ScimUser};
    use serde_json::json;

    fn user(name: &str) -> ScimUser {
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "identity"},
            "spec": {"connectionRef": {"name": "datadog"}, "userName": format!("{name}@Example.com")},
        }))
        .unwrap()
    }

    #[test]
    fn what_a_new_list_does_not_show_is_gone_when_the_list_ends_and_not_before() {
        let mut users = Kept::<Entry>::default();
        for event in [Event::Init, Event::InitApply(user("ada")), Event::InitApply(user("grace")), Event::InitDone] {
            users.apply(event);
        }
        users.apply(Event::Apply(user("alan")));
        users.apply(Event::Delete(user("grace")));
        let names = |users: &Kept<Entry>| users.iter().map(|entry| entry.object.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&users), ["ada", "alan"]);
        users.apply(Event::<ScimUser>::Init);
        users.apply(Event::InitApply(user("alan")));
        assert_eq!(names(&users), ["ada", "alan"]);
        users.apply(Event::<ScimUser>::InitDone);
        assert_eq!(names(&users), ["alan"]);
        assert!(users.complete && users.iter().all(|entry| entry.text.contains("alan@example.com")));
    }

    fn hold_of(store: &Store) -> Hold {
        store.holds().remove(0)
    }

    #[test]
    fn i29_everybody_in_a_rosters_hold_is_known_by_name_and_nobody_else() {
        let mut store = Store::default();
        let person = |name: &str, roster: &str| -> ScimUser {
            serde_json::from_value(json!({
                "metadata": {"name": name, "namespace": "identity", "uid": format!("uid-{name}"),
                    "labels": {"scim-operator.dev/roster": roster}},
                "spec": {"connectionRef": {"name": "datadog"}, "userName": format!("{name}@example.com")}}))
            .unwrap()
        };
        let names: Vec<String> = (0..30).map(|number| format!("u-{number:02}")).collect();
        for name in &names {
            store.users.apply(Event::Apply(person(name, "people")));
        }
        for (name, roster) in [("stays", "people"), ("other", "another")] {
            store.users.apply(Event::Apply(person(name, roster)));
        }
        let uids: Vec<String> = names.iter().map(|name| format!("uid-{name}")).collect();
        let recorded = Gone::of(uids.iter().map(String::as_str)).text();
        let roster = |members: Option<&String>| -> ScimRoster {
            serde_json::from_value(json!({
                "metadata": {"name": "people", "namespace": "identity"},
                "spec": {"connectionRef": {"name": "datadog"}, "source": {"inline": []}},
                "status": {"hold": {"id": "3f2a9c0d11b2e477", "removals": 30, "sample": ["u-00", "u-01"], "members": members}}}))
            .unwrap()
        };
        store.rosters.apply(Event::Apply(roster(recorded.as_ref())));
        let called = |store: &Store| {
            let (hold, sampled) = (hold_of(store), hold_of(store).sampled());
            let found = store.leaving(&hold, &sampled);
            found.iter().map(|one| one.held.object().called.clone()).collect::<Vec<_>>()
        };
        assert_eq!((called(&store).len(), called(&store)[29].as_str()), (30, "u-29@example.com"));
        store.rosters.apply(Event::Apply(roster(None)));
        assert_eq!(called(&store), ["u-00@example.com", "u-01@example.com"], "by their userNames, too");
    }

    #[test]
    fn i13_whom_a_group_would_lose_is_known_by_name() {
        let mut store = Store::default();
        for (name, group) in [("ada", "g1"), ("grace", "g1"), ("alan", "g2")] {
            let user = json!({"metadata": {"name": name, "namespace": "identity"}, "status": {"id": name, "groups": {group: name}},
                "spec": {"connectionRef": {"name": "datadog"}, "userName": format!("{name}@example.com")}});
            store.users.apply(Event::<ScimUser>::Apply(serde_json::from_value(user).unwrap()));
        }
        let elsewhere = json!({"metadata": {"name": "kim", "namespace": "identity"}, "status": {"id": "9", "groups": {"g1": "9"}},
            "spec": {"connectionRef": {"name": "another"}, "userName": "kim@example.com"}});
        store.users.apply(Event::<ScimUser>::Apply(serde_json::from_value(elsewhere).unwrap()));
        let mut group = |name: &str, id: &str, connection: &str| -> Object {
            let group: ScimGroup = serde_json::from_value(json!({"metadata": {"name": name, "namespace": "identity"},
                "spec": {"connectionRef": {"name": connection}, "displayName": name, "membership": "Exact",
                    "members": [{"userRef": {"name": "ada"}}]}, "status": {"id": id}}))
            .unwrap();
            store.groups.apply(Event::Apply(group.clone()));
            group.into()
        };
        let groups = [
            ("all", "g1", "datadog"),
            ("none", "g3", "datadog"),
            ("theirs", "g1", "another"),
            ("few", "g2", "datadog"),
        ];
        let groups = groups.map(|(name, id, connection)| group(name, id, connection));
        let out = store.taken_out(&groups.each_ref());
        let names: Vec<Vec<&str>> =
            out.iter().map(|out| out.iter().map(|person| person.name.as_str()).collect()).collect();
        assert_eq!(names, [vec!["grace"], vec![], vec!["kim"], vec!["alan"]]);
        assert!(store.taken_out(&[]).is_empty());
    }

    #[test]
    fn what_nobody_of_a_namespace_may_list_is_no_problem_and_what_is_not_listed_yet_is_not_nothing() {
        let mut store = Store::default();
        assert!(!store.knows_connections() && !store.is_complete());
        store.connections.apply(Event::<ScimConnection>::InitDone);
        assert!(!store.knows_connections(), "the cluster's are not listed yet");
        store.cluster_connections.problem = Some("forbidden".into());
        assert!(!store.knows_connections() && store.problems().len() == 1, "they can't be");
        store.cluster_connections.forbidden = true;
        assert!(store.knows_connections() && store.problems().is_empty());
        assert!(!store.knows_holds(), "rosters hold, too");
    }

    #[test]
    fn i13_what_was_rejected_is_listed_as_long_as_it_can_be_approved() {
        let mut store = Store::default();
        let (now, before) = ("3f2a9c0d11b2e477", "4f2a9c0d11b2e477");
        let connection = json!({"metadata": {"name": "datadog", "namespace": "identity"},
            "spec": {"baseUrl": "https://scim.example.com", "auth": {}}, "status": {"refusedHolds": [now, before]}});
        store.connections.apply(Event::<ScimConnection>::Apply(serde_json::from_value(connection).unwrap()));
        let mut add = |name: &str, connection: &str, deleted: Option<&str>| {
            let user = json!({"metadata": {"name": name, "namespace": "identity", "generation": 3, "deletionTimestamp": deleted},
                "spec": {"connectionRef": {"name": connection}, "userName": name},
                "status": {"hold": {"id": now, "operation": "Update", "digest": "0"}, "rejectedHolds": [
                    {"id": now, "operation": "Update", "generation": 3, "parts": ""},
                    {"id": before, "operation": "Deactivate", "generation": 3, "parts": ""}]}});
            store.users.apply(Event::<ScimUser>::Apply(serde_json::from_value(user).unwrap()));
        };
        add("ada", "datadog", None);
        add("grace", "datadog", Some("2026-11-28T12:00:00Z"));
        add("kim", "another", None);
        assert!(store.holds().is_empty() && !store.has_hold(now), "nobody has to answer");
        let found = store.rejected(false);
        let words: Vec<_> = found.iter().map(|hold| (hold.id.as_deref().unwrap(), hold.words())).collect();
        assert_eq!(words, [(now, "1 updates".to_owned()), (before, "1 deactivations".to_owned())]);
        for hold in found {
            let held: Vec<_> = store.held(&hold).map(|one| one.held).collect();
            assert!(hold.rejected && hold.is_all(&held) && held[0].object().name == "ada", "{hold:?}");
            assert_eq!(store.hold(hold.id.as_deref().unwrap(), false), Some(hold));
        }
    }
}
