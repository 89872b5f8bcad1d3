//! What is declared: in files, in a cluster, or in the one laid over the other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Result;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use kube::core::{NamespaceResourceScope, ObjectMeta};
use scim_operator::api::{
    ClusterScimConnection, ConnectionRef, ROSTER_LABEL, ScimConnection, ScimGroup, ScimRoster, ScimUser,
};
use scim_operator::directory::ConnectionKey;

use super::Access;
use crate::cluster::{Cluster, each, is_forbidden};
use crate::global::Global;
use crate::manifests::{self, Manifests};
use crate::output;

/// Namespace and name.
pub type Name = (String, String);

/// Everything that is declared.
#[derive(Clone, Default)]
pub struct Declared {
    pub connections: BTreeMap<ConnectionKey, ScimConnection>,
    pub users: BTreeMap<Name, ScimUser>,
    pub groups: BTreeMap<Name, ScimGroup>,
    pub rosters: BTreeMap<Name, ScimRoster>,
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
    pub removed_users: Vec<ScimUser>,
    pub removed_groups: Vec<ScimGroup>,
    /// What rosters read.
    pub sources: Manifests,
}

/// What there is, and where from.
pub struct World {
    pub declared: Declared,
    pub cluster: Option<Cluster>,
    namespace: String,
    given: BTreeSet<(&'static str, Name)>,
}

impl World {
    /// Reads files, the cluster, or both.
    pub async fn read(global: &Global, access: &Access) -> Result<Self> {
        let with_cluster = access.files.is_empty() || access.against;
        let cluster = if with_cluster { Some(Cluster::connect(global).await?) } else { None };
        let namespace = cluster.as_ref().map(|cluster| cluster.namespace.clone());
        let namespace = namespace.or(global.namespace.clone()).unwrap_or_else(|| "default".to_owned());
        let files = if access.files.is_empty() {
            Declared::default()
        } else {
            Declared::of_files(global, &namespace, &access.files, access.recursive)?
        };
        let given = files.names();
        let declared = match &cluster {
            Some(cluster) => files.laid_over(Declared::of_cluster(cluster, &given).await?),
            None => files,
        };
        Ok(Self { declared, cluster, namespace, given })
    }

    /// The namespace of objects that name none.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What the files name.
    pub fn given(&self) -> &BTreeSet<(&'static str, Name)> {
        &self.given
    }

    /// Where nothing else is said: with files every connection that they have or refer to, else those of the namespace.
    pub fn means(&self, global: &Global, declared: &Declared, key: &ConnectionKey) -> bool {
        if self.given.is_empty() {
            return self.is_here(global, &key.namespace);
        }
        let name = (key.namespace.clone(), key.name.clone());
        let of = |reference: &ConnectionRef, object: &ObjectMeta| {
            ConnectionKey::of(reference, object.namespace.clone()) == *key
        };
        let mut users = declared.users.values().filter(|user| self.has_given("ScimUser", &user.metadata));
        let mut groups = declared.groups.values().filter(|group| self.has_given("ScimGroup", &group.metadata));
        let mut rosters = declared.rosters.values().filter(|roster| self.has_given("ScimRoster", &roster.metadata));
        self.given.contains(&("ScimConnection", name))
            || users.any(|user| of(&user.spec.connection_ref, &user.metadata))
            || groups.any(|group| of(&group.spec.connection_ref, &group.metadata))
            || rosters.any(|roster| of(&roster.spec.connection_ref, &roster.metadata))
    }

    /// Users and groups that are meant, and whose connection isn't there: kind, metadata, userName or displayName.
    pub fn unconnected<'d>(
        &self,
        global: &Global,
        declared: &'d Declared,
    ) -> Vec<(ConnectionKey, &'static str, &'d ObjectMeta, &'d str)> {
        let users = declared
            .users
            .values()
            .map(|user| (&user.spec.connection_ref, "ScimUser", &user.metadata, user.spec.user_name.as_str()));
        let groups = declared
            .groups
            .values()
            .map(|group| (&group.spec.connection_ref, "ScimGroup", &group.metadata, group.spec.display_name.as_str()));
        let keyed = users.chain(groups).map(|(reference, kind, object, called)| {
            (ConnectionKey::of(reference, object.namespace.clone()), kind, object, called)
        });
        let meant = |kind, object: &ObjectMeta| {
            if self.given.is_empty() {
                return self.is_here(global, object.namespace.as_deref().unwrap_or_default());
            }
            self.has_given(kind, object) || object.labels.iter().flatten().any(|(name, _)| name == ROSTER_LABEL)
        };
        keyed.filter(|(key, kind, object, _)| !declared.connections.contains_key(key) && meant(kind, object)).collect()
    }

    fn is_here(&self, global: &Global, namespace: &str) -> bool {
        global.all_namespaces || *namespace == self.namespace
    }

    fn has_given(&self, kind: &'static str, object: &ObjectMeta) -> bool {
        let name = (object.namespace.clone().unwrap_or_default(), object.name.clone().unwrap_or_default());
        self.given.contains(&(kind, name))
    }
}

impl Declared {
    /// What files hold.
    pub fn of_files(global: &Global, namespace: &str, files: &[PathBuf], recursive: bool) -> Result<Self> {
        let manifests = manifests::read(files, recursive)?;
        let namespace = global.namespace.as_deref().unwrap_or(namespace);
        let mut found = Self::default();
        // One after the other is freed: of thousands, two forms are not to be held at once.
        for manifest in manifests.ours {
            if manifest.object["metadata"]["name"].as_str().is_none() {
                output::note(&format!("{}: skipped, since its name is made at the API server", manifest.place));
                continue;
            }
            match manifest.kind().1 {
                "ScimUser" => insert(&mut found.users, manifest.read()?, namespace),
                "ScimGroup" => insert(&mut found.groups, manifest.read()?, namespace),
                "ScimRoster" => insert(&mut found.rosters, manifest.read()?, namespace),
                "ScimConnection" => drop(found.connect(placed(manifest.read()?, namespace))),
                "ClusterScimConnection" => {
                    found.connect(manifest.read::<ClusterScimConnection>()?.into_connection());
                }
                _ => {}
            }
        }
        for manifest in manifests.core.iter().filter(|manifest| manifest.kind().1 == "Namespace") {
            let namespace: Namespace = manifest.read()?;
            found.namespaces.insert(namespace.name_any(), namespace.labels().clone());
        }
        found.sources = Manifests { core: manifests.core, ..Manifests::default() };
        Ok(found)
    }

    /// What the cluster has, in the namespaces that are meant, and in those that `given` names.
    async fn of_cluster(cluster: &Cluster, given: &BTreeSet<(&'static str, Name)>) -> Result<Self> {
        let mut found = Self::default();
        for connection in cluster.connections().await? {
            found.connect(connection);
        }
        let mut namespaces: BTreeSet<&str> = given.iter().map(|(_, (namespace, _))| namespace.as_str()).collect();
        namespaces.insert(&cluster.namespace);
        namespaces.retain(|namespace| !namespace.is_empty());
        let of = |namespace: &str| if cluster.all { cluster.api() } else { cluster.within(namespace) };
        let of_groups = |namespace: &str| if cluster.all { cluster.api() } else { cluster.within(namespace) };
        let of_rosters = |namespace: &str| if cluster.all { cluster.api() } else { cluster.within(namespace) };
        if cluster.all {
            namespaces = BTreeSet::from([""]);
        }
        for namespace in namespaces {
            let list = ListParams::default();
            each(&of(namespace), &list, |user| insert(&mut found.users, user, "")).await?;
            each(&of_groups(namespace), &list, |group| insert(&mut found.groups, group, "")).await?;
            if !given.is_empty() {
                let rosters = &mut found.rosters;
                let listed = each(&of_rosters(namespace), &list, |roster| insert(rosters, roster, "")).await;
                match listed {
                    Err(error) if is_forbidden(&error) => {}
                    listed => listed?,
                }
            }
        }
        if found.connections.keys().any(ConnectionKey::is_of_cluster) {
            found.read_namespaces(cluster).await?;
        }
        Ok(found)
    }

    /// The labels of namespaces, as far as they may be seen: cluster connections select by them.
    async fn read_namespaces(&mut self, cluster: &Cluster) -> Result<()> {
        let api = Api::<Namespace>::all(cluster.client.clone());
        let found = &mut self.namespaces;
        let listed = each(&api, &ListParams::default(), |namespace: Namespace| {
            found.insert(namespace.name_any(), namespace.labels().clone());
        })
        .await;
        match listed {
            Err(error) if is_forbidden(&error) => {
                output::note(
                    "note: the labels of namespaces can't be read, so objects of cluster connections may look refused",
                );
                Ok(())
            }
            listed => listed,
        }
    }

    /// Adds a connection, and tells how it is called.
    pub fn connect(&mut self, connection: ScimConnection) -> ConnectionKey {
        let key = ConnectionKey { namespace: connection.namespace().unwrap_or_default(), name: connection.name_any() };
        self.connections.insert(key.clone(), connection);
        key
    }

    /// The connections that the users, or the groups, of a name refer to.
    pub fn connections_of(&self, users: bool, name: &str) -> BTreeSet<ConnectionKey> {
        if users {
            let all = self.users.values().chain(&self.removed_users).filter(|user| user.name_any() == name);
            return all.map(|user| ConnectionKey::of(&user.spec.connection_ref, user.namespace())).collect();
        }
        let all = self.groups.values().chain(&self.removed_groups).filter(|group| group.name_any() == name);
        all.map(|group| ConnectionKey::of(&group.spec.connection_ref, group.namespace())).collect()
    }

    /// Kind and name of everything.
    fn names(&self) -> BTreeSet<(&'static str, Name)> {
        let users = self.users.keys().map(|name| ("ScimUser", name.clone()));
        let groups = self.groups.keys().map(|name| ("ScimGroup", name.clone()));
        let rosters = self.rosters.keys().map(|name| ("ScimRoster", name.clone()));
        let keys = self.connections.keys();
        let connections = keys.map(|key| ("ScimConnection", (key.namespace.clone(), key.name.clone())));
        users.chain(groups).chain(rosters).chain(connections).collect()
    }

    /// As applying this to a cluster leaves it.
    fn laid_over(self, mut cluster: Self) -> Self {
        for (key, connection) in self.connections {
            let mut connection = connection;
            if let Some(there) = cluster.connections.remove(&key) {
                let changed = there.spec != connection.spec;
                connection.metadata = applied(there.metadata, &connection.metadata, changed);
                connection.status = there.status;
            }
            cluster.connections.insert(key, connection);
        }
        for (name, user) in self.users {
            let user = over_user(cluster.users.remove(&name), user);
            cluster.users.insert(name, user);
        }
        for (name, mut group) in self.groups {
            if let Some(there) = cluster.groups.remove(&name) {
                let changed = there.spec != group.spec;
                group.metadata = applied(there.metadata, &group.metadata, changed);
                group.status = there.status;
            }
            cluster.groups.insert(name, group);
        }
        for (name, mut roster) in self.rosters {
            if let Some(there) = cluster.rosters.remove(&name) {
                roster.metadata = applied(there.metadata, &roster.metadata, false);
                roster.status = there.status;
            }
            cluster.rosters.insert(name, roster);
        }
        cluster.namespaces.extend(self.namespaces);
        cluster.sources = self.sources;
        cluster
    }

    /// What was declared before and isn't any more would be deleted.
    pub fn remove_what_is_gone(&mut self, before: &Self) {
        let gone = before.users.iter().filter(|(name, _)| !self.users.contains_key(*name));
        let gone: Vec<ScimUser> = gone.map(|(_, user)| user.clone()).collect();
        self.removed_users.extend(gone);
        let gone = before.groups.iter().filter(|(name, _)| !self.groups.contains_key(*name));
        let gone: Vec<ScimGroup> = gone.map(|(_, group)| group.clone()).collect();
        self.removed_groups.extend(gone);
    }

    /// What no file names in the namespaces of the files would be deleted; what rosters made is theirs.
    pub fn prune(&mut self, given: &BTreeSet<(&'static str, Name)>) {
        let namespaces: BTreeSet<&String> = given.iter().map(|(_, (namespace, _))| namespace).collect();
        let goes = |kind, name: &Name| namespaces.contains(&name.0) && !given.contains(&(kind, name.clone()));
        let users = std::mem::take(&mut self.users);
        for (name, user) in users {
            if goes("ScimUser", &name) && !user.labels().contains_key(ROSTER_LABEL) {
                self.removed_users.push(user);
            } else {
                self.users.insert(name, user);
            }
        }
        let groups = std::mem::take(&mut self.groups);
        for (name, group) in groups {
            if goes("ScimGroup", &name) {
                self.removed_groups.push(group);
            } else {
                self.groups.insert(name, group);
            }
        }
    }
}

/// A user as applying it to the one that is there leaves it.
pub fn over_user(there: Option<ScimUser>, mut user: ScimUser) -> ScimUser {
    if let Some(there) = there {
        let changed = there.spec != user.spec;
        user.metadata = applied(there.metadata, &user.metadata, changed);
        user.status = there.status;
    }
    user
}

/// The metadata of an object after an apply.
fn applied(mut there: ObjectMeta, given: &ObjectMeta, changed: bool) -> ObjectMeta {
    there.labels.get_or_insert_default().extend(given.labels.clone().unwrap_or_default());
    there.annotations.get_or_insert_default().extend(given.annotations.clone().unwrap_or_default());
    if changed {
        there.generation = there.generation.map(|generation| generation + 1);
    }
    there
}

fn placed<K: ResourceExt>(mut object: K, namespace: &str) -> K {
    object.meta_mut().namespace.get_or_insert_with(|| namespace.to_owned());
    object
}

fn insert<K>(all: &mut BTreeMap<Name, K>, object: K, namespace: &str)
where
    K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    let mut object = placed(object, namespace);
    let name = (object.namespace().unwrap_or_default(), object.name_any());
    let kind = K::kind(&());
    object.meta_mut().uid.get_or_insert_with(|| format!("{kind}:{}/{}", name.0, name.1));
    all.insert(name, object);
}
