//! The cluster connection: one that namespaces use as far as it is delegated to them.

use kube::CustomResource;
use serde::{Deserialize, Serialize};

use super::connection::{ScimConnection, ScimConnectionSpec};
use super::connection_status::ScimConnectionStatus;
use super::delegation::Delegation;

/// A connection for several namespaces. Its Secrets lie in the operator's own namespace, and only what `delegation` gives
/// to a namespace may be used there. The schema is written by [`super::crds`].
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "scim-operator.dev",
    version = "v1alpha1",
    kind = "ClusterScimConnection",
    plural = "clusterscimconnections",
    schema = "disabled",
    status = "ScimConnectionStatus",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterScimConnectionSpec {
    /// All that a connection has.
    #[serde(flatten)]
    pub connection: ScimConnectionSpec,
    /// Who may use it, and for what. A namespace may do what any entry that selects it allows.
    pub delegation: Vec<Delegation>,
}

impl ClusterScimConnection {
    /// The same as a connection without a namespace, as the provisioner works with it.
    pub fn into_connection(self) -> ScimConnection {
        let Self { metadata, spec, status } = self;
        let delegation = Some(spec.delegation);
        ScimConnection { metadata, spec: ScimConnectionSpec { delegation, ..spec.connection }, status }
    }
}
