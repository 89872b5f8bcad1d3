//! Writes to the API server as they concern the connection itself: what they refer to, and what is told of those that are
//! refused.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource as _;

use crate::api::ScimConnection;
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::kubernetes::words_of_refusal;

impl<E: Effects> Provisioner<E> {
    /// What events about the connection refer to.
    pub(in crate::provisioner) fn connection_reference(&self, connection: &ScimConnection) -> ObjectReference {
        let mut reference = connection.object_ref(&());
        if self.key.is_of_cluster() {
            reference.kind = Some("ClusterScimConnection".to_owned());
        }
        reference
    }

    /// The API server didn't take a write: counted, and told at the connection where a person has to do something.
    pub(in crate::provisioner) fn note_write_failure(&self, error: &kube::Error) {
        self.surroundings.metrics.kubernetes_error(&self.key.to_string());
        let Some(words) = words_of_refusal(error) else { return };
        let told = format!(
            "the API server refuses writes of the operator, and what can't be recorded is not carried out: {words}. Look at its \
             role, at admission webhooks and policies, and at etcd"
        );
        self.connection.state.write_refused(told, self.effects.now());
    }
}

impl Provisioner {
    /// Where the connection's Secrets lie: a cluster connection's in the operator's own namespace.
    pub(in crate::provisioner) fn secret_namespace(&self) -> &str {
        if self.key.is_of_cluster() { &self.effects.0.own_namespace } else { &self.key.namespace }
    }
}
