//! What objects and connections are called, and what every object has.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::{ConnectionKind, ConnectionRef, FINALIZER, ScimGroup, ScimUser};

/// Names a connection: its namespace and name; a cluster connection has no namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionKey {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ConnectionKey {
    /// The connection that an object of this namespace refers to.
    pub fn of(reference: &ConnectionRef, namespace: Option<String>) -> Self {
        let namespace = match reference.kind {
            ConnectionKind::ScimConnection => namespace.unwrap_or_default(),
            ConnectionKind::ClusterScimConnection => String::new(),
        };
        Self { namespace, name: reference.name.clone() }
    }

    /// It is a cluster connection.
    pub fn is_of_cluster(&self) -> bool {
        self.namespace.is_empty()
    }
}

impl std::fmt::Display for ConnectionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_of_cluster() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

/// An object of ours, by value or behind a pointer.
pub trait Object {
    /// Its metadata.
    fn metadata(&self) -> &ObjectMeta;
}

impl Object for ScimUser {
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
}

impl Object for ScimGroup {
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
}

impl<O: Object> Object for Arc<O> {
    fn metadata(&self) -> &ObjectMeta {
        (**self).metadata()
    }
}

impl<O: Object> Object for &O {
    fn metadata(&self) -> &ObjectMeta {
        (**self).metadata()
    }
}

/// The connection that an object refers to.
pub fn connection_of(user: &ScimUser) -> ConnectionKey {
    ConnectionKey::of(&user.spec.connection_ref, user.metadata.namespace.clone())
}

/// `namespace/name` of an object.
pub fn full_name(object: &impl Object) -> String {
    let metadata = object.metadata();
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    format!("{}/{}", text(&metadata.namespace), text(&metadata.name))
}

/// The object is under deletion.
pub fn is_deleting(object: &impl Object) -> bool {
    object.metadata().deletion_timestamp.is_some()
}

/// What was planned for one version of an object holds for the other.
pub fn same_plan(one: &impl Object, other: &impl Object) -> bool {
    one.metadata().generation == other.metadata().generation && is_deleting(one) == is_deleting(other)
}

/// The object carries our finalizer.
pub fn has_finalizer(object: &impl Object) -> bool {
    object.metadata().finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}
