//! One object twice: files don't say which of the two is in force, and so neither does this.

use std::collections::HashMap;

use scim_operator::api::{GROUP, ROSTER_SOURCE_LABEL};

use crate::manifest::{Manifest, Place};

/// Where each object of the files stands.
pub struct Declarations {
    /// The namespace of objects that name none.
    namespace: String,
    /// By kind, namespace and name.
    places: HashMap<(String, String, String), Place>,
}

impl Declarations {
    /// None yet.
    pub fn new(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), places: HashMap::new() }
    }

    /// Notes where an object stands, or tells where it stands already: overlays of Kustomize have the same object, each for
    /// its own namespace or server.
    pub fn add(&mut self, manifest: &Manifest) -> Result<(), String> {
        let metadata = &manifest.object["metadata"];
        let Some(name) = metadata["name"].as_str().filter(|_| is_read(manifest)) else { return Ok(()) };
        let kind = manifest.kind().1;
        let of_cluster = kind == "ClusterScimConnection";
        let namespace = metadata["namespace"].as_str().filter(|_| !of_cluster).unwrap_or(&self.namespace);
        let key = (kind.to_owned(), namespace.to_owned(), name.to_owned());
        let Some(first) = self.places.get(&key) else {
            self.places.insert(key, manifest.place.clone());
            return Ok(());
        };
        Err(format!(
            "{}: {} is in {first} already, and only one of them can be in force: give what belongs together alone, such as one \
             overlay by kubectl kustomize DIRECTORY and -f -",
            manifest.place,
            manifest.called()
        ))
    }
}

/// Objects of our kinds, and those that hold rows; of others it makes no difference here.
fn is_read(manifest: &Manifest) -> bool {
    manifest.kind().0 == GROUP || manifest.object["metadata"]["labels"][ROSTER_SOURCE_LABEL] == "true"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest(line: usize, object: serde_json::Value) -> Manifest {
        Manifest { place: Place { file: "all.yaml".into(), document: line, line }, object }
    }

    #[test]
    fn an_object_stands_in_one_place() {
        let version = "scim-operator.dev/v1alpha1";
        let of = |kind: &str, metadata| json!({"apiVersion": version, "kind": kind, "metadata": metadata});
        let map =
            |labels| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": labels}});
        let rows = || map(json!({ROSTER_SOURCE_LABEL: "true"}));
        let mut found = Declarations::new("identity");
        for (object, is_new) in [
            (of("ScimUser", json!({"name": "ada"})), true),
            (of("ScimUser", json!({"name": "ada", "namespace": "other"})), true),
            (of("ScimUser", json!({"name": "ada", "namespace": "identity"})), false),
            (of("ScimGroup", json!({"name": "ada"})), true),
            (of("ScimUser", json!({"generateName": "ada-"})), true),
            (of("ScimUser", json!({"generateName": "ada-"})), true),
            (of("ClusterScimConnection", json!({"name": "shared"})), true),
            (of("ClusterScimConnection", json!({"name": "shared", "namespace": "other"})), false),
            (map(json!({})), true),
            (map(json!({})), true),
            (rows(), true),
            (rows(), false),
        ] {
            assert_eq!(found.add(&manifest(1, object.clone())).is_ok(), is_new, "{object}");
        }
        let told = found.add(&manifest(7, rows())).expect_err("it is there already");
        assert!(told.starts_with("all.yaml: document 7 (line 7): ConfigMap a is in all.yaml: document 1"), "{told}");
    }
}
