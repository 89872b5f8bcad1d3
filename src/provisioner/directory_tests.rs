use super::*;
use serde_json::json;

/// As the API server answers a write: with what a watch event is rid of.
fn written(version: &str, annotations: &serde_json::Value) -> ScimUser {
    let user = json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser",
        "metadata": {
            "name": "ada", "namespace": "identity", "uid": "1", "generation": 1, "resourceVersion": version,
            "annotations": annotations, "managedFields": [{"manager": "kubectl"}],
        },
        "spec": {"connectionRef": {"name": "example"}, "userName": "ada@example.com"},
    });
    serde_json::from_value(user).unwrap()
}

#[test]
fn i01_a_write_of_ours_is_no_change_by_a_person() {
    let directory = Directory::default();
    let applied = json!({"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "a"});
    assert!(directory.upsert(written("1", &json!({"team": "a"}))).fresh);
    assert_eq!(directory.upsert(written("2", &applied)), Changed::default());
    assert_eq!(directory.upsert(written("3", &applied)), Changed::default());
    let kept = directory.get("1").unwrap();
    assert!(kept.managed_fields().is_empty() && kept.annotations().len() == 1, "{kept:?}");
    assert!(directory.upsert(written("4", &json!({"team": "b"}))).fresh);
}
