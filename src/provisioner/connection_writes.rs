//! Writes to the API server about the connection itself, of either kind.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource as _;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use super::Provisioner;
use super::kubernetes::FIELD_MANAGER;
use crate::api::{ClusterScimConnection, GROUP, ScimConnection, ScimConnectionStatus, VERSION};

impl Provisioner {
    /// Writes the status by server-side apply; the uid keeps it from landing on a namesake.
    pub(super) async fn write_connection_status(
        &self,
        connection: &ScimConnection,
        status: &ScimConnectionStatus,
    ) -> Result<ScimConnection, kube::Error> {
        let kind = if self.key.is_of_cluster() { "ClusterScimConnection" } else { "ScimConnection" };
        let body = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": kind,
            "metadata": {"name": self.key.name, "uid": connection.metadata.uid},
            "status": status,
        });
        let (params, patch) = (PatchParams::apply(FIELD_MANAGER).force(), Patch::Apply(&body));
        if self.key.is_of_cluster() {
            let written = self.cluster_connections().patch_status(&self.key.name, &params, &patch).await?;
            return Ok(written.into_connection());
        }
        self.connections().patch_status(&self.key.name, &params, &patch).await
    }

    /// Writes something of its metadata.
    pub(super) async fn patch_connection(&self, body: &Value) -> Result<ScimConnection, kube::Error> {
        let (params, patch) = (PatchParams::default(), Patch::Merge(body));
        if self.key.is_of_cluster() {
            let written = self.cluster_connections().patch(&self.key.name, &params, &patch).await?;
            return Ok(written.into_connection());
        }
        self.connections().patch(&self.key.name, &params, &patch).await
    }

    /// What events about the connection refer to.
    pub(super) fn connection_reference(&self, connection: &ScimConnection) -> ObjectReference {
        let mut reference = connection.object_ref(&());
        if self.key.is_of_cluster() {
            reference.kind = Some("ClusterScimConnection".to_owned());
        }
        reference
    }

    /// Where the connection's Secrets lie: a cluster connection's in the operator's own namespace.
    pub(super) fn secret_namespace(&self) -> &str {
        if self.key.is_of_cluster() { &self.shared.own_namespace } else { &self.key.namespace }
    }

    fn connections(&self) -> Api<ScimConnection> {
        Api::namespaced(self.shared.kube.clone(), &self.key.namespace)
    }

    fn cluster_connections(&self) -> Api<ClusterScimConnection> {
        Api::all(self.shared.kube.clone())
    }
}
