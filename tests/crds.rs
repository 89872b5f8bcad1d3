//! The CRDs that are shipped are those of the Rust types.

use std::path::Path;

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
