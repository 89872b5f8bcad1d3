//! Where an object is from: who owns its spec, and by what GitOps tools and helm know it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::ResourceExt;

use crate::api::FIELD_MANAGER;

/// Annotations and labels by which others know an object.
const TRACKING: [&str; 8] = [
    "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/installation-id",
    "helm.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/namespace",
    "kustomize.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/namespace",
    "meta.helm.sh/release-name",
    "meta.helm.sh/release-namespace",
];

/// Those who own this field of the spec, or the spec itself. Of an entry without fields nothing else was kept.
pub fn managers(entries: &[ManagedFieldsEntry], field: &str) -> Vec<String> {
    let owns = |entry: &&ManagedFieldsEntry| {
        entry.subresource.is_none()
            && entry.fields_v1.as_ref().is_none_or(|fields| match field {
                "f:spec" => fields.0.get("f:spec").is_some(),
                field => fields.0.get("f:spec").and_then(|spec| spec.get(field)).is_some(),
            })
    };
    let names = entries.iter().filter(owns).filter_map(|entry| entry.manager.clone());
    let mut names: Vec<String> = names.filter(|name| name != FIELD_MANAGER).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Of the managers of an object, their names alone: what the audit stream needs of them.
pub fn keep_names_of_managers(entries: &mut Vec<ManagedFieldsEntry>) {
    let names = managers(entries, "f:spec");
    *entries = names
        .into_iter()
        .map(|name| ManagedFieldsEntry { manager: Some(name), ..ManagedFieldsEntry::default() })
        .collect();
}

/// Where an object is from, as far as that is told: by what GitOps tools and helm know it, and who owns its spec.
pub fn origin(object: &impl ResourceExt) -> Vec<String> {
    tracking(object).into_values().chain(managers(object.managed_fields(), "f:spec")).collect()
}

/// By what others know an object.
pub fn tracking(object: &impl ResourceExt) -> BTreeMap<String, String> {
    let known = |name: &str| object.annotations().get(name).or_else(|| object.labels().get(name)).cloned();
    TRACKING.iter().filter_map(|name| Some(((*name).to_owned(), known(name)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn entries(value: Value) -> Vec<ManagedFieldsEntry> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn only_owners_of_the_spec_are_named_also_when_only_their_names_were_kept() {
        let mut found = entries(json!([
            {"manager": "argocd-controller", "operation": "Apply", "fieldsV1": {"f:spec": {"f:userName": {}}}},
            {"manager": "kubectl-annotate", "operation": "Update", "fieldsV1": {"f:metadata": {}}},
            {"manager": "scim-operator", "operation": "Apply", "subresource": "status", "fieldsV1": {"f:status": {}}},
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:title": {}}}},
        ]));
        assert_eq!(managers(&found, "f:spec"), ["argocd-controller", "kubectl-edit"]);
        assert_eq!(managers(&found, "f:title"), ["kubectl-edit"]);
        keep_names_of_managers(&mut found);
        assert_eq!(managers(&found, "f:spec"), ["argocd-controller", "kubectl-edit"]);
    }
}
