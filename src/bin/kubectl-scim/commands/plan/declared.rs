//! What is declared: in files, in a cluster, or in the one laid over the other.

mod elsewhere;
mod overlay;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Result;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::api::ListParams;
use kube::core::{NamespaceResourceScope, ObjectMeta};
use scim_operator::api::{
    ClusterScimConnection, ConnectionRef, ROSTER_LABEL, ScimConnection, ScimGroup, ScimRoster, ScimUser,
};
use scim_operator::directory::ConnectionKey;

pub use self::overlay::over_user;
use super::Access;
use super::keys::Known;
use crate::cluster::{Cluster, each, is_forbidden};
use crate::global::Global;
use crate::manifests::{self, Manifest, Manifests};
use crate::output;

/// Namespace and name.
pub type Name = (String, String);

/// Everything that is declared.
#[derive(Clone, Default)]
pub struct Declared {
    pub connections: BTreeMap<ConnectionKey, ScimConnection>,
    /// Nodes of a map are half empty, and a user takes much.
    pub users: BTreeMap<Name, Box<ScimUser>>,
    pub groups: BTreeMap<Name, ScimGroup>,
    pub rosters: BTreeMap<Name, ScimRoster>,
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
    pub removed_users: Vec<ScimUser>,
    pub removed_groups: Vec<ScimGroup>,
    /// Namespaces whose connections may not be listed; the cluster's have none.
    pub unseen: BTreeSet<String>,
    /// What rosters read.
    pub sources: Manifests,
}

/// What there is, and where from.
pub struct World {
    pub declared: Declared,
    pub cluster: Option<Cluster>,
    namespace: String,
    /// There are files.
    of_files: bool,
    given: BTreeSet<(&'static str, Name)>,
    /// Where the cluster's connections send their keys, where files are laid over them.
    pub known: Option<Known>,
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
        let mut known = None;
        let declared = match &cluster {
            Some(cluster) => {
                let there = Declared::of_cluster(cluster, &given).await?;
                let compared = || Known::of("the cluster", &there.connections).but_unseen(there.unseen.clone());
                known = access.against.then(compared);
                overlay::laid_over(files, there)?
            }
            None => files,
        };
        Ok(Self { declared, cluster, namespace, of_files: !access.files.is_empty(), given, known })
    }

    /// The namespaces whose objects were read.
    pub fn namespaces(&self) -> BTreeSet<String> {
        self.given.iter().map(|(_, (namespace, _))| namespace.clone()).chain([self.namespace.clone()]).collect()
    }

    /// The namespace of objects that name none.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What the files name.
    pub fn given(&self) -> &BTreeSet<(&'static str, Name)> {
        &self.given
    }

    /// Where nothing else is said: with files every connection that they have or refer to, else those of the namespace
    /// and those that its objects refer to.
    pub fn means(&self, global: &Global, declared: &Declared, key: &ConnectionKey) -> bool {
        let by_itself = if self.of_files {
            self.given.contains(&("ScimConnection", (key.namespace.clone(), key.name.clone())))
        } else {
            global.all_namespaces || key.namespace == self.namespace
        };
        let meant = |kind, object: &ObjectMeta| {
            if !self.of_files {
                return self.is_here(global, object.namespace.as_deref().unwrap_or_default());
            }
            self.has_given(kind, object)
        };
        let refers = |kind, reference: &ConnectionRef, object: &ObjectMeta| {
            ConnectionKey::of(reference, object.namespace.clone()) == *key && meant(kind, object)
        };
        let mut users = declared.users.values();
        let mut groups = declared.groups.values();
        let mut rosters = declared.rosters.values();
        by_itself
            || declared.removed().any(|gone| gone == *key)
            || users.any(|user| refers("ScimUser", &user.spec.connection_ref, &user.metadata))
            || groups.any(|group| refers("ScimGroup", &group.spec.connection_ref, &group.metadata))
            || rosters.any(|roster| refers("ScimRoster", &roster.spec.connection_ref, &roster.metadata))
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
            if !self.of_files {
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
        let namespace = global.namespace.as_deref().unwrap_or(namespace);
        let mut found = Self::default();
        found.sources = manifests::each(files, recursive, namespace, |manifest| found.add(&manifest, namespace))?;
        for manifest in found.sources.core.iter().filter(|manifest| manifest.kind().1 == "Namespace") {
            let namespace: Namespace = manifest.read()?;
            found.namespaces.insert(namespace.name_any(), namespace.labels().clone());
        }
        Ok(found)
    }

    fn add(&mut self, manifest: &Manifest, namespace: &str) -> Result<()> {
        if manifest.object["metadata"]["name"].as_str().is_none() {
            output::note(&format!("{}: skipped, since its name is made at the API server", manifest.place));
            return Ok(());
        }
        match manifest.kind().1 {
            "ScimUser" => insert(&mut self.users, manifest.read::<ScimUser>()?, namespace),
            "ScimGroup" => insert(&mut self.groups, manifest.read::<ScimGroup>()?, namespace),
            "ScimRoster" => insert(&mut self.rosters, manifest.read::<ScimRoster>()?, namespace),
            "ScimConnection" => drop(self.connect(placed(manifest.read()?, namespace))),
            "ClusterScimConnection" => {
                self.connect(manifest.read::<ClusterScimConnection>()?.into_connection());
            }
            _ => {}
        }
        Ok(())
    }

    /// What the cluster has, in the namespaces that are meant, and in those that `given` names.
    async fn of_cluster(cluster: &Cluster, given: &BTreeSet<(&'static str, Name)>) -> Result<Self> {
        let mut found = Self::default();
        for connection in cluster.connections().await? {
            found.connect(connection);
        }
        let mut namespaces: BTreeSet<&str> = given.iter().map(|(_, (namespace, _))| namespace.as_str()).collect();
        namespaces.insert(&cluster.namespace);
        found.read_other_connections(cluster, &namespaces).await?;
        namespaces.retain(|namespace| !namespace.is_empty());
        let of = |namespace: &str| if cluster.all { cluster.api() } else { cluster.within(namespace) };
        let of_groups = |namespace: &str| if cluster.all { cluster.api() } else { cluster.within(namespace) };
        let of_rosters = |namespace: &str| if cluster.all { cluster.api() } else { cluster.within(namespace) };
        if cluster.all {
            namespaces = BTreeSet::from([""]);
        }
        for namespace in namespaces {
            let list = ListParams::default();
            each(&of(namespace), &list, |user: ScimUser| insert(&mut found.users, user, "")).await?;
            each(&of_groups(namespace), &list, |group: ScimGroup| insert(&mut found.groups, group, "")).await?;
            if !given.is_empty() {
                let rosters = &mut found.rosters;
                let listed =
                    each(&of_rosters(namespace), &list, |roster: ScimRoster| insert(rosters, roster, "")).await;
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

    /// Adds a connection, and tells how it is called.
    pub fn connect(&mut self, connection: ScimConnection) -> ConnectionKey {
        let key = ConnectionKey { namespace: connection.namespace().unwrap_or_default(), name: connection.name_any() };
        self.connections.insert(key.clone(), connection);
        key
    }

    /// The connections that the users, or the groups, of a name refer to.
    pub fn connections_of(&self, users: bool, name: &str) -> BTreeSet<ConnectionKey> {
        if users {
            let all = self.users_named(name);
            return all.map(|user| ConnectionKey::of(&user.spec.connection_ref, user.namespace())).collect();
        }
        self.groups_named(name).map(|group| ConnectionKey::of(&group.spec.connection_ref, group.namespace())).collect()
    }

    /// The namespaces that have a user, or a group, of a name.
    pub fn namespaces_of(&self, users: bool, name: &str) -> BTreeSet<String> {
        if users {
            return self.users_named(name).filter_map(ResourceExt::namespace).collect();
        }
        self.groups_named(name).filter_map(ResourceExt::namespace).collect()
    }

    fn users_named(&self, name: &str) -> impl Iterator<Item = &ScimUser> {
        let all = self.users.values().map(|user| &**user).chain(&self.removed_users);
        all.filter(move |user| user.name_any() == name)
    }

    fn groups_named(&self, name: &str) -> impl Iterator<Item = &ScimGroup> {
        self.groups.values().chain(&self.removed_groups).filter(move |group| group.name_any() == name)
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

    /// The connections of what would be deleted.
    fn removed(&self) -> impl Iterator<Item = ConnectionKey> {
        let users = self.removed_users.iter();
        let users = users.map(|user| ConnectionKey::of(&user.spec.connection_ref, user.namespace()));
        let groups = self.removed_groups.iter();
        users.chain(groups.map(|group| ConnectionKey::of(&group.spec.connection_ref, group.namespace())))
    }

    /// What was declared before and isn't any more would be deleted. The users of a roster that is gone or suspended stay.
    pub fn remove_what_is_gone(&mut self, before: Self) {
        let name = |user: &ScimUser| (user.namespace().unwrap_or_default(), user.name_any());
        let leaving: BTreeSet<Name> = self.removed_users.iter().map(name).collect();
        for (name, user) in before.users.into_iter().filter(|(name, _)| !leaving.contains(name)) {
            if user.labels().contains_key(ROSTER_LABEL) {
                self.users.entry(name).or_insert(user);
            } else if !self.users.contains_key(&name) {
                self.removed_users.push(*user);
            }
        }
        let gone = before.groups.into_iter().filter(|(name, _)| !self.groups.contains_key(name));
        self.removed_groups.extend(gone.map(|(_, group)| group));
        // A connection that is deleted together with its objects stays until they are gone.
        let removed: BTreeSet<ConnectionKey> = self.removed().collect();
        for (key, connection) in before.connections {
            let used =
                self.users.values().any(|user| ConnectionKey::of(&user.spec.connection_ref, user.namespace()) == key)
                    || self
                        .groups
                        .values()
                        .any(|group| ConnectionKey::of(&group.spec.connection_ref, group.namespace()) == key);
            if removed.contains(&key) && !used {
                self.connections.entry(key).or_insert(connection);
            }
        }
    }

    /// What no file names in the namespaces of the files would be deleted; what rosters made is theirs.
    pub fn prune(&mut self, given: &BTreeSet<(&'static str, Name)>) {
        let namespaces: BTreeSet<&String> = given.iter().map(|(_, (namespace, _))| namespace).collect();
        let goes = |kind, name: &Name| namespaces.contains(&name.0) && !given.contains(&(kind, name.clone()));
        let users = std::mem::take(&mut self.users);
        for (name, user) in users {
            if goes("ScimUser", &name) && !user.labels().contains_key(ROSTER_LABEL) {
                self.removed_users.push(*user);
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

fn placed<K: ResourceExt>(mut object: K, namespace: &str) -> K {
    object.meta_mut().namespace.get_or_insert_with(|| namespace.to_owned());
    object
}

fn insert<K, Kept: From<K>>(all: &mut BTreeMap<Name, Kept>, object: K, namespace: &str)
where
    K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    let mut object = placed(object, namespace);
    let name = (object.namespace().unwrap_or_default(), object.name_any());
    let kind = K::kind(&());
    object.meta_mut().uid.get_or_insert_with(|| format!("{kind}:{}/{}", name.0, name.1));
    all.insert(name, object.into());
}
