//! What the pages show: a list of the API server's objects, kept by watches, with what a search looks through.
//!
//! Of users and groups a row is kept, not the object: a hundred thousand fit into a laptop's memory.

use scim_operator::api::{ClusterScimConnection, ScimConnection, ScimRoster};
use scim_operator::roster::Members as Gone;

use super::entry::{Entry, connection_of};
use super::events::Told;
use super::kept::Kept;
use super::members::Members;
use crate::commands::holds::{self, Held, Hold};
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

    /// Users and groups in a hold.
    pub fn held<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Object> {
        let all = self.users.iter().chain(self.groups.iter()).map(|entry| &entry.object);
        all.filter(move |object| object.hold.as_deref() == Some(id))
    }

    /// Everybody in a roster's hold, by what its status records; of an older status only some.
    pub fn leaving(&self, hold: &Hold) -> Vec<Held> {
        let namespace = hold.namespace.as_deref().unwrap_or_default();
        let roster = self.rosters.get(namespace, &hold.name);
        let recorded = roster.and_then(|roster| roster.status.as_ref()?.hold.as_ref()?.members.as_deref());
        let gone = Gone::read(recorded);
        let is_gone = |entry: &&Entry| {
            let of = entry.roster.as_ref().filter(|roster| *roster.name == *hold.name);
            entry.object.namespace == namespace && of.is_some_and(|roster| gone.has(&roster.uid))
        };
        let found: Vec<Held> =
            self.users.iter().filter(is_gone).map(|entry| Held::leaving(entry.object.clone())).collect();
        if hold.is_all(&found) {
            return found;
        }
        // A hold names them without their userNames.
        let sampled = hold.sampled().into_iter();
        let known = |Held(named): Held| match self.users.get(&named.namespace, &named.name) {
            Some(entry) => Held::leaving(entry.object.clone()),
            None => Held(named),
        };
        sampled.map(known).collect()
    }

    /// The people whom a group's spec doesn't name any more, and who are recorded as put into it.
    pub fn taken_out(&self, group: &Object) -> Vec<&Object> {
        let entry = self.groups.get(&group.namespace, &group.name);
        let Some((members, id)) = entry.and_then(Members::of).zip(group.id.as_deref()) else { return Vec::new() };
        // Another connection's server may number its groups the same.
        let connection = connection_of(group);
        let is_its = |person: &&Entry| person.is_recorded_in(id) && connection_of(&person.object) == connection;
        let out = self.users.iter().filter(is_its).filter(|person| !members.has(person));
        out.map(|person| &person.object).collect()
    }

    /// Whether a search for a word finds this user or group.
    pub fn says(&self, object: &Object, word: &str) -> bool {
        let of = if object.kind == "ScimGroup" { &self.groups } else { &self.users };
        of.get(&object.namespace, &object.name).is_some_and(|entry| entry.text.contains(word))
    }

    /// The hold of this id is there to be looked at.
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
        let found = store.leaving(&hold_of(&store));
        assert!(hold_of(&store).is_all(&found), "{}", found.len());
        let called = |found: &[Held]| found.iter().map(|held| held.0.called.clone()).collect::<Vec<_>>();
        assert_eq!(called(&found)[29], "u-29@example.com");
        store.rosters.apply(Event::Apply(roster(None)));
        let some = store.leaving(&hold_of(&store));
        assert_eq!(called(&some), ["u-00@example.com", "u-01@example.com"], "by their userNames, too");
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
        let group: ScimGroup = serde_json::from_value(json!({"metadata": {"name": "all", "namespace": "identity"},
            "spec": {"connectionRef": {"name": "datadog"}, "displayName": "All", "membership": "Exact",
                "members": [{"userRef": {"name": "ada"}}]}, "status": {"id": "g1"}}))
        .unwrap();
        store.groups.apply(Event::Apply(group.clone()));
        let out: Vec<&str> = store.taken_out(&group.into()).iter().map(|person| person.name.as_str()).collect();
        assert_eq!(out, ["grace"]);
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
}
