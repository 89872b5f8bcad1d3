//! The connection as the API server has it.

use std::sync::{Arc, PoisonError, RwLock};

use kube::ResourceExt;

use crate::api::ScimConnection;

/// Its newest version.
#[derive(Debug)]
pub struct Declared(RwLock<Arc<ScimConnection>>);

/// What a newer version changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// It isn't newer.
    Outdated,
    /// Nothing but its status.
    Status,
    /// What it asks for.
    Spec,
}

impl Declared {
    /// This version is the first.
    pub fn new(connection: Arc<ScimConnection>) -> Self {
        Self(RwLock::new(connection))
    }

    /// The newest version.
    pub fn get(&self) -> Arc<ScimConnection> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at a version and keeps it, both at once: two may come at a time.
    pub fn update(&self, connection: Arc<ScimConnection>) -> Update {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // The answer to a write of ours came before the watch event of an earlier version.
        if version(&known) > version(&connection) {
            return Update::Outdated;
        }
        let changed = known.metadata.generation != connection.metadata.generation
            || known.metadata.annotations != connection.metadata.annotations
            || known.metadata.deletion_timestamp != connection.metadata.deletion_timestamp;
        *known = connection;
        if changed { Update::Spec } else { Update::Status }
    }
}

fn version(connection: &ScimConnection) -> u64 {
    connection.resource_version().and_then(|version| version.parse().ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i03_an_older_version_takes_no_newer_ones_place() {
        let version = |version: &str| {
            let spec = serde_json::json!({"auth": {}, "suspend": version == "9"});
            let mut connection = ScimConnection::new("c", serde_json::from_value(spec).expect("a spec"));
            connection.metadata.resource_version = Some(version.to_owned());
            connection.metadata.generation = version.parse().ok();
            Arc::new(connection)
        };
        let declared = Declared::new(version("8"));
        assert_eq!(declared.update(version("9")), Update::Spec);
        assert_eq!(declared.update(version("8")), Update::Outdated);
        assert!(declared.get().spec.suspend);
    }
}
