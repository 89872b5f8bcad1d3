//! What a pass asks admission for.

use crate::api::OperationType;
use crate::plan::guards::GuardName;
use crate::plan::{Operation, Path, ResourceType};

/// What admission is asked for.
#[derive(Clone)]
pub struct AdmissionRequest {
    /// The operation.
    pub operation: OperationType,
    /// The account or group, where it is known.
    pub remote_id: Option<String>,
    /// What is changed.
    pub attributes: Vec<String>,
    /// The guard that counts it.
    pub guard: Option<GuardName>,
    /// The delegation doesn't admit the account or group.
    pub undelegated: bool,
}

impl AdmissionRequest {
    /// For one request to the server.
    pub fn of<T: ResourceType>(operation: &Operation<T>) -> Self {
        Self {
            operation: operation.kind,
            remote_id: operation.request.target().map(str::to_owned),
            attributes: operation.attributes.iter().map(Path::to_string).collect(),
            guard: operation.guard,
            undelegated: operation.undelegated,
        }
    }
}
