//! The way to the API server, with the rights of whoever runs this.

use std::fmt::Debug;

use anyhow::{Result, anyhow, bail};
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource, ResourceExt};
use scim_operator::api::{ClusterScimConnection, ConnectionKind, ConnectionRef, GROUP, ScimConnection};
use scim_operator::runtime::{api_error, cluster_client, cluster_config};
use serde::de::DeserializeOwned;

use crate::global::Global;

/// The name that what is written here is owned by.
pub const FIELD_MANAGER: &str = "kubectl-scim";
/// So many objects come with one request.
const PAGE: u32 = 500;

/// A cluster, and the part of it that is meant.
pub struct Cluster {
    pub client: Client,
    /// The namespace of the command line or of the context.
    pub namespace: String,
    /// All namespaces are meant.
    pub all: bool,
}

impl Cluster {
    /// As the options say; nothing is sent yet.
    pub async fn connect(global: &Global) -> Result<Self> {
        let config = cluster_config(global.kubeconfig.as_deref(), global.context.as_deref()).await?;
        let client = cluster_client(config)?;
        let namespace = global.namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned());
        Ok(Self { client, namespace, all: global.all_namespaces })
    }

    /// The same cluster, in one namespace.
    pub fn at(&self, namespace: &str) -> Self {
        Self { client: self.client.clone(), namespace: namespace.to_owned(), all: false }
    }

    /// What is meant, in words.
    pub fn place(&self) -> String {
        if self.all { "any namespace".to_owned() } else { format!("the namespace {}", self.namespace) }
    }

    /// A kind, within what is meant.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        if self.all { Api::all(self.client.clone()) } else { self.within(&self.namespace) }
    }

    /// A kind, in one namespace.
    pub fn within<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Connections of namespaces and of the cluster; those have no namespace. Whoever may not see the cluster's sees
    /// the others.
    pub async fn connections(&self) -> Result<Vec<ScimConnection>> {
        let mut found = Vec::new();
        each(&self.api::<ScimConnection>(), &ListParams::default(), |connection| found.push(connection)).await?;
        let of_cluster = Api::<ClusterScimConnection>::all(self.client.clone());
        let listed = each(&of_cluster, &ListParams::default(), |one| found.push(one.into_connection())).await;
        match listed {
            Err(error) if is_forbidden(&error) => {}
            listed => listed?,
        }
        found.sort_by_key(|connection| (connection.namespace(), connection.name_any()));
        Ok(found)
    }

    /// The connection of a name: the namespace's, or the cluster's where the kind says so.
    pub async fn connection(&self, of_cluster: bool, name: &str) -> Result<ScimConnection> {
        self.find_connection(of_cluster, &self.namespace, name).await?.ok_or_else(|| {
            let place = if of_cluster { "the cluster".to_owned() } else { format!("the namespace {}", self.namespace) };
            anyhow!("there is no connection {name} in {place}; kubectl scim get connections -A lists them all")
        })
    }

    /// The connection that an object of a namespace refers to, if it is there and may be seen.
    pub async fn connection_of(&self, reference: &ConnectionRef, namespace: &str) -> Result<Option<ScimConnection>> {
        let of_cluster = reference.kind == ConnectionKind::ClusterScimConnection;
        match self.find_connection(of_cluster, namespace, &reference.name).await {
            Err(error) if is_forbidden(&error) => Ok(None),
            found => found,
        }
    }

    async fn find_connection(&self, of_cluster: bool, namespace: &str, name: &str) -> Result<Option<ScimConnection>> {
        if of_cluster {
            let api = Api::<ClusterScimConnection>::all(self.client.clone());
            return Ok(api.get_opt(name).await?.map(ClusterScimConnection::into_connection));
        }
        Ok(self.within::<ScimConnection>(namespace).get_opt(name).await?)
    }

    /// One object of ours, of any kind.
    pub fn objects(&self, kind: Kind, namespace: Option<&str>) -> Api<DynamicObject> {
        let resource = kube::api::ApiResource {
            group: GROUP.into(),
            version: scim_operator::api::VERSION.into(),
            api_version: format!("{GROUP}/{}", scim_operator::api::VERSION),
            kind: kind.name().into(),
            plural: format!("{}s", kind.name().to_lowercase()),
        };
        match namespace {
            Some(namespace) if kind != Kind::ClusterConnection => {
                Api::namespaced_with(self.client.clone(), namespace, &resource)
            }
            _ => Api::all_with(self.client.clone(), &resource),
        }
    }
}

/// Our kinds, as the command line names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    User,
    Group,
    Roster,
    Connection,
    ClusterConnection,
}

impl Kind {
    /// As the API names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "ScimUser",
            Self::Group => "ScimGroup",
            Self::Roster => "ScimRoster",
            Self::Connection => "ScimConnection",
            Self::ClusterConnection => "ClusterScimConnection",
        }
    }

    /// What people write: `user`, `users`, `scimuser`, `scimusers`, `scimconn`.
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_lowercase();
        let text = text.split('.').next().unwrap_or_default();
        Some(match text.trim_end_matches('s') {
            "user" | "scimuser" => Self::User,
            "group" | "scimgroup" => Self::Group,
            "roster" | "scimroster" => Self::Roster,
            "connection" | "scimconnection" | "scimconn" | "conn" => Self::Connection,
            "clusterconnection" | "clusterscimconnection" => Self::ClusterConnection,
            _ => return None,
        })
    }
}

/// One object, as the command line names it: `user/ada`, `connection/datadog`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub kind: Kind,
    pub name: String,
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let help = "write KIND/NAME, such as user/ada, group/platform, roster/people, connection/datadog or \
                    clusterconnection/datadog";
        let (kind, name) = text.split_once('/').ok_or(help)?;
        let kind = Kind::parse(kind).ok_or_else(|| format!("there is no kind {kind:?}; {help}"))?;
        if name.is_empty() || name.contains('/') {
            return Err(help.to_owned());
        }
        Ok(Self { kind, name: name.to_owned() })
    }
}

/// Every object, page by page: only what the visitor keeps is kept.
pub async fn each<K>(api: &Api<K>, params: &ListParams, mut visit: impl FnMut(K)) -> Result<()>
where
    K: Clone + Debug + DeserializeOwned,
{
    let mut params = params.clone().limit(PAGE);
    loop {
        let list = api.list(&params).await?;
        let next = list.metadata.continue_.filter(|next| !next.is_empty());
        list.items.into_iter().for_each(&mut visit);
        match next {
            Some(next) => params.continue_token = Some(next),
            None => return Ok(()),
        }
    }
}

/// A merge patch in the name of this program.
pub async fn patch(api: &Api<DynamicObject>, name: &str, body: &serde_json::Value) -> Result<(), kube::Error> {
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    api.patch(name, &params, &Patch::Merge(body)).await.map(drop)
}

/// What failed between this and the API server, if anything did.
fn of_api(error: &anyhow::Error) -> Option<&kube::Error> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

/// The rights don't suffice.
pub fn is_forbidden(error: &anyhow::Error) -> bool {
    matches!(of_api(error), Some(kube::Error::Api(status)) if status.code == 403)
}

/// An error as one sentence, with what to do where that is known.
pub fn sentence(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let is_of_api = cause.downcast_ref::<kube::Error>().is_some();
        let text = if is_of_api { api_error(cause) } else { cause.to_string() };
        // Many an error repeats its cause.
        if !parts.iter().any(|known| known.contains(&text)) {
            parts.push(text);
        }
        if is_of_api {
            break;
        }
    }
    parts.join(": ")
}

/// Only one namespace can be meant.
pub fn one_namespace(cluster: &Cluster, what: &str) -> Result<()> {
    if cluster.all {
        bail!("{what} is of one namespace: say -n NAMESPACE instead of -A");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_as_people_name_them() {
        for (text, kind) in [
            ("user/ada", Kind::User),
            ("scimusers/ada", Kind::User),
            ("scimconn/ada", Kind::Connection),
            ("clusterscimconnections.scim-operator.dev/ada", Kind::ClusterConnection),
        ] {
            assert_eq!(text.parse(), Ok(Target { kind, name: "ada".into() }), "{text}");
        }
        for text in ["ada", "pod/ada", "user/", "user/a/b", "/ada"] {
            let refused = text.parse::<Target>().unwrap_err();
            assert!(refused.contains("write KIND/NAME"), "{refused}");
        }
    }
}
