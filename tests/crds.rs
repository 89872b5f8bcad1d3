//! The CRDs that are shipped are those of the Rust types.

use std::path::Path;

use serde_json::{Value, json};

#[test]
fn the_crds_are_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds/crds.yaml");
    let shipped = std::fs::read_to_string(&file).expect("crds/crds.yaml is there");
    let current = scim_operator::api::crds_yaml().expect("the CRDs can be written");
    assert!(shipped == current, "crds/crds.yaml is not what the types say; write it anew: make crds");
}

#[test]
fn the_chart_has_the_same_crds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect(path);
    let (canonical, copy) = (read("crds/crds.yaml"), read("charts/scim-operator/files/crds.yaml"));
    assert!(
        canonical == copy,
        "charts/scim-operator/files/crds.yaml is not crds/crds.yaml; write both anew: make crds"
    );
}

#[test]
fn a_new_object_is_not_done_before_it_was_looked_at() {
    for crd in scim_operator::api::crds() {
        let schema = crd.spec.versions[0].schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
        let status = schema.and_then(|schema| schema.properties.as_ref()?.get("status")?.default.as_ref());
        assert_eq!(status.map(|status| status.0["observedGeneration"].clone()), Some(serde_json::json!(-1)));
    }
}

/// Argo CD compares lists as a whole: one that the API server completes would be `OutOfSync` for ever.
#[test]
fn no_list_is_completed_by_the_api_server() {
    fn walk(schema: &Value, path: &str, below: bool, found: &mut Vec<String>) {
        if below && schema.get("default").is_some() {
            found.push(path.to_owned());
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            walk(field, &format!("{path}.{name}"), below, found);
        }
        if schema["items"].is_object() {
            walk(&schema["items"], &format!("{path}[]"), true, found);
        }
        if schema["additionalProperties"].is_object() {
            walk(&schema["additionalProperties"], &format!("{path}{{}}"), below, found);
        }
    }
    let mut found = Vec::new();
    for crd in scim_operator::api::crds() {
        for version in &crd.spec.versions {
            let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
            let schema = serde_json::to_value(schema.expect("a schema")).expect("JSON");
            walk(&schema, &crd.spec.names.kind, false, &mut found);
        }
    }
    assert!(found.is_empty(), "the types supply these defaults, not the schema: {found:?}");
}

#[test]
fn what_a_list_leaves_out_is_supplied() {
    use scim_operator::api::{Delegation, Mapping, RateLimit};
    let limit: RateLimit = serde_json::from_value(json!({"requests": 5})).expect("a limit");
    let limit = serde_json::to_value(limit).expect("JSON");
    assert_eq!((&limit["for"], &limit["period"]), (&json!("All"), &json!("1s")));
    let mapping: Mapping = serde_json::from_value(json!({"target": "title", "value": "row.a"})).expect("a mapping");
    assert!(!mapping.on_create);
    let delegation: Delegation = serde_json::from_value(json!({"namespaceSelector": {}})).expect("a delegation");
    assert!(!delegation.trusted);
}
