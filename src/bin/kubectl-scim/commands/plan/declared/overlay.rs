//! Files over what a cluster has, as `kubectl apply` leaves them.

use anyhow::{Result, bail};
use kube::core::ObjectMeta;
use scim_operator::api::{ConnectionRef, ScimUser};

use super::Declared;
use crate::cluster::FIELD_MANAGER;

/// As applying the files to the cluster leaves it.
pub fn laid_over(files: Declared, mut cluster: Declared) -> Result<Declared> {
    for (key, mut connection) in files.connections {
        if let Some(there) = cluster.connections.remove(&key) {
            let (spec, was) = (&mut connection.spec, &there.spec);
            keep(&there.metadata, "suspend", &mut spec.suspend, &was.suspend);
            keep(&there.metadata, "approvedHold", &mut spec.approved_hold, &was.approved_hold);
            keep(&there.metadata, "rejectedHold", &mut spec.rejected_hold, &was.rejected_hold);
            let changed = *was != connection.spec;
            connection.metadata = applied(there.metadata, &connection.metadata, changed);
            connection.status = there.status;
        }
        cluster.connections.insert(key, connection);
    }
    for (name, mut user) in files.users {
        if let Some(there) = cluster.users.remove(&name) {
            stays("ScimUser", &there.metadata, &there.spec.connection_ref, &user.spec.connection_ref)?;
            keep(&there.metadata, "suspend", &mut user.spec.suspend, &there.spec.suspend);
            user = Box::new(over_user(Some(*there), *user));
        }
        cluster.users.insert(name, user);
    }
    for (name, mut group) in files.groups {
        if let Some(there) = cluster.groups.remove(&name) {
            stays("ScimGroup", &there.metadata, &there.spec.connection_ref, &group.spec.connection_ref)?;
            let changed = there.spec != group.spec;
            group.metadata = applied(there.metadata, &group.metadata, changed);
            group.status = there.status;
        }
        cluster.groups.insert(name, group);
    }
    for (name, mut roster) in files.rosters {
        if let Some(there) = cluster.rosters.remove(&name) {
            stays("ScimRoster", &there.metadata, &there.spec.connection_ref, &roster.spec.connection_ref)?;
            let (spec, was) = (&mut roster.spec, &there.spec);
            keep(&there.metadata, "suspend", &mut spec.suspend, &was.suspend);
            keep(&there.metadata, "approvedHold", &mut spec.approved_hold, &was.approved_hold);
            keep(&there.metadata, "rejectedHold", &mut spec.rejected_hold, &was.rejected_hold);
            roster.metadata = applied(there.metadata, &roster.metadata, false);
            roster.status = there.status;
        }
        cluster.rosters.insert(name, roster);
    }
    cluster.namespaces.extend(files.namespaces);
    cluster.sources = files.sources;
    Ok(cluster)
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

/// What `kubectl scim` wrote into the spec stays where the file says nothing of it.
fn keep<T: Clone + Default + PartialEq>(there: &ObjectMeta, field: &str, value: &mut T, was: &T) {
    let field = format!("f:{field}");
    let wrote = there.managed_fields.iter().flatten().any(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0["f:spec"][&field]);
        entry.manager.as_deref() == Some(FIELD_MANAGER) && fields.is_some_and(|field| !field.is_null())
    });
    if wrote && *value == T::default() {
        value.clone_from(was);
    }
}

/// The API server refuses another connection.
fn stays(kind: &str, there: &ObjectMeta, was: &ConnectionRef, given: &ConnectionRef) -> Result<()> {
    if was != given {
        bail!(
            "{kind} {}/{}: kubectl apply is refused: connectionRef can't be changed: create a second object that refers to the \
             other connection, and delete this one",
            there.namespace.as_deref().unwrap_or_default(),
            there.name.as_deref().unwrap_or_default(),
        );
    }
    Ok(())
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
