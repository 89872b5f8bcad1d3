//! What a cluster has beside the objects of one namespace: connections and labels of others, and other tenants' objects.

use std::collections::BTreeSet;

use anyhow::Result;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use kube::core::ObjectMeta;
use scim_operator::api::{ClusterScimConnection, ConnectionRef, ScimConnection, ScimGroup, ScimUser};
use scim_operator::directory::ConnectionKey;

use super::{Declared, insert};
use crate::cluster::{Cluster, each, is_forbidden};
use crate::output;

impl Declared {
    /// The connections of these namespaces, beside those of the cluster's own namespace.
    pub(super) async fn read_other_connections(
        &mut self,
        cluster: &Cluster,
        namespaces: &BTreeSet<&str>,
    ) -> Result<()> {
        for namespace in namespaces {
            let listed = if namespace.is_empty() {
                // Those of the cluster were listed, where they may be.
                Api::<ClusterScimConnection>::all(cluster.client.clone())
                    .list(&ListParams::default().limit(1))
                    .await
                    .map(drop)
                    .map_err(Into::into)
            } else if cluster.all || *namespace == cluster.namespace {
                Ok(())
            } else {
                let add = |connection| drop(self.connect(connection));
                each(&cluster.within::<ScimConnection>(namespace), &ListParams::default(), add).await
            };
            match listed {
                Err(error) if is_forbidden(&error) => drop(self.unseen.insert((*namespace).to_owned())),
                listed => listed?,
            }
        }
        Ok(())
    }

    /// The labels of namespaces, as far as they may be seen: cluster connections select by them.
    pub(super) async fn read_namespaces(&mut self, cluster: &Cluster) -> Result<()> {
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

    /// The objects of a cluster connection in all other namespaces: its server, its accounts and its guards are shared.
    /// False where they may not be seen.
    pub async fn read_tenants(
        &mut self,
        cluster: &Cluster,
        key: &ConnectionKey,
        known: &BTreeSet<String>,
    ) -> Result<bool> {
        let list = ListParams::default().fields(&format!("spec.connectionRef.name={}", key.name));
        let is_new = |reference: &ConnectionRef, object: &ObjectMeta| {
            let namespace = object.namespace.clone().unwrap_or_default();
            !known.contains(&namespace) && ConnectionKey::of(reference, Some(namespace)) == *key
        };
        let users = &mut self.users;
        let groups = &mut self.groups;
        let listed = async {
            let add = |user: ScimUser| {
                if is_new(&user.spec.connection_ref, &user.metadata) {
                    insert(users, user, "");
                }
            };
            each(&Api::all(cluster.client.clone()), &list, add).await?;
            let add = |group: ScimGroup| {
                if is_new(&group.spec.connection_ref, &group.metadata) {
                    insert(groups, group, "");
                }
            };
            each(&Api::all(cluster.client.clone()), &list, add).await
        };
        match listed.await {
            Err(error) if is_forbidden(&error) => Ok(false),
            listed => listed.map(|()| true),
        }
    }
}
