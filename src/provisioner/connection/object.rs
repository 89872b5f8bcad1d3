//! What is written to the API server about the connection itself, of either kind, refers to it by this.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource as _;

use crate::api::ScimConnection;
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;

impl<E: Effects> Provisioner<E> {
    /// What events about the connection refer to.
    pub(in crate::provisioner) fn connection_reference(&self, connection: &ScimConnection) -> ObjectReference {
        let mut reference = connection.object_ref(&());
        if self.key.is_of_cluster() {
            reference.kind = Some("ClusterScimConnection".to_owned());
        }
        reference
    }
}

impl Provisioner {
    /// Where the connection's Secrets lie: a cluster connection's in the operator's own namespace.
    pub(in crate::provisioner) fn secret_namespace(&self) -> &str {
        if self.key.is_of_cluster() { &self.effects.0.own_namespace } else { &self.key.namespace }
    }
}
