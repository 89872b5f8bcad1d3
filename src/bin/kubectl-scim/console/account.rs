//! What a server has of a person or a group: read when somebody asks for it.

use anyhow::{Result, anyhow, bail};
use scim_operator::api::{ConnectionKind, ConnectionRef, ScimConnection, ScimGroup, ScimUser};
use scim_operator::plan::{Manager, Policy};
use scim_operator::provisioner::{policy_of, recorded_profile};
use scim_operator::scim::{Class, Kind, MembersReadable, Resource};

use crate::cluster::Cluster;
use crate::server::Server;

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
    pub shown: Resource,
    /// The connection's, with what the operator learnt of the server.
    pub policy: Policy,
    pub manager: Manager,
}

/// What the connection prescribes, in the dialect that the operator speaks.
fn policy(connection: &ScimConnection) -> Policy {
    Policy { profile: recorded_profile(connection), ..policy_of(connection) }
}

/// Reads the account of a person: one request.
pub async fn of_user(cluster: &Cluster, way: &Way, connection: ScimConnection, user: &ScimUser) -> Result<Account> {
    let id = recorded(user.status.as_ref().and_then(|status| status.id.as_deref()))?;
    let manager = manager(cluster, user).await?;
    let policy = policy(&connection);
    let server = way.to(cluster, connection).await?;
    let deadline = server.read().await;
    let shown = server.client.get(Kind::Users, id, deadline).await.map_err(|error| told(error, "account", id))?;
    Ok(Account { shown, policy, manager })
}

async fn manager(cluster: &Cluster, user: &ScimUser) -> Result<Manager> {
    let reference = user.spec.attributes.enterprise.as_ref().and_then(|enterprise| enterprise.manager.as_ref());
    let Some(name) = reference.and_then(|manager| manager.user_ref.as_ref()).map(|user_ref| user_ref.name.clone())
    else {
        return Ok(Manager::None);
    };
    let namespace = user.metadata.namespace.as_deref().unwrap_or_default();
    let Some(manager) = cluster.within::<ScimUser>(namespace).get_opt(&name).await? else {
        return Ok(Manager::Gone(name));
    };
    if manager.spec.connection_ref != user.spec.connection_ref {
        return Ok(Manager::Foreign(name));
    }
    Ok(manager.status.and_then(|status| status.id).map_or(Manager::Waiting(name), Manager::Id))
}

/// Reads a group: one request; another one where the server shows its members only when it is asked for them.
pub async fn of_group(cluster: &Cluster, way: &Way, connection: ScimConnection, group: &ScimGroup) -> Result<Resource> {
    let id = recorded(group.status.as_ref().and_then(|status| status.id.as_deref()))?;
    let ask = recorded_profile(&connection).members_readable == MembersReadable::OnRequest;
    let server = way.to(cluster, connection).await?;
    let read = async |ask: bool| {
        let deadline = server.read().await;
        server.client.get_group(id, ask, deadline).await.map_err(|error| told(error, "group", id))
    };
    let shown = read(ask).await?;
    if ask || shown.members().is_some() {
        return Ok(shown);
    }
    // Some leave an empty group's members out, and some take no such question.
    Ok(read(true).await.ok().filter(|asked| asked.members().is_some()).unwrap_or(shown))
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
