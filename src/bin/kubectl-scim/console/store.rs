//! What the pages show: a list of the API server's objects, kept by watches, with what a search looks through.
//!
//! Of users and groups a row is kept, not the object: a hundred thousand fit into a laptop's memory.

use kube::ResourceExt as _;
use scim_operator::api::{ClusterScimConnection, ROSTER_LABEL, ScimConnection, ScimGroup, ScimRoster, ScimUser};

use super::events::Told;
use super::folded::folded;
use super::kept::Kept;
use super::membership::{self, Membership};
use crate::commands::holds::{self, Hold};
use crate::objects::Object;

/// A user or a group.
#[derive(Debug)]
pub struct Entry {
    pub object: Object,
    /// What a search looks through, folded.
    pub text: String,
    /// The roster that it is of.
    pub roster: Option<String>,
    /// Its labels, a line each: `key=value`.
    pub labels: Box<str>,
    /// The members of a group: declared, present, waiting.
    pub members: Option<(i64, i64, i64)>,
    /// Who is in it, of a group.
    pub membership: Option<Box<Membership>>,
}

impl From<ScimUser> for Entry {
    fn from(user: ScimUser) -> Self {
        let (roster, labels) = (user.labels().get(ROSTER_LABEL).cloned(), membership::labels(user.labels()));
        Self { roster, labels, ..Self::of(user.into()) }
    }
}

impl From<ScimGroup> for Entry {
    fn from(group: ScimGroup) -> Self {
        let counted = group.status.as_ref().and_then(|status| status.members);
        let members = counted.map(|members| (members.declared, members.present, members.waiting));
        let membership = Some(Box::new(Membership::from(&group)));
        Self { members, membership, ..Self::of(group.into()) }
    }
}

impl Entry {
    fn of(object: Object) -> Self {
        let id = object.id.as_deref().unwrap_or_default();
        let text = folded(&format!("{}\n{}\n{}\n{id}", object.called, object.namespace, object.name));
        Self { object, text, roster: None, labels: Box::default(), members: None, membership: None }
    }
}

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

    /// What can't be listed, and why.
    pub fn problems(&self) -> Vec<(&'static str, &str)> {
        [
            ("ScimUsers", &self.users.problem),
            ("ScimGroups", &self.groups.problem),
            ("ScimConnections", &self.connections.problem),
            ("ScimRosters", &self.rosters.problem),
            ("ClusterScimConnections", &self.cluster_connections.problem),
        ]
        .into_iter()
        .filter_map(|(kind, problem)| Some((kind, problem.as_deref()?)))
        .collect()
    }

    /// Everything was listed, or can't be.
    pub fn is_complete(&self) -> bool {
        [
            (self.users.complete, &self.users.problem),
            (self.groups.complete, &self.groups.problem),
            (self.connections.complete, &self.connections.problem),
            (self.rosters.complete, &self.rosters.problem),
        ]
        .into_iter()
        .all(|(complete, problem)| complete || problem.is_some())
    }
}

/// The connection of an object as its own name is shown: `namespace/name`, of a cluster connection the name alone.
pub fn connection_of(object: &Object) -> String {
    match object.connection.strip_prefix("cluster/") {
        Some(name) => name.to_owned(),
        None => format!("{}/{}", object.namespace, object.connection),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::runtime::watcher::Event;
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
}
