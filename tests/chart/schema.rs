//! values.schema.json: documented values and no others.

use serde_json::Value;

use crate::support::{Helm, chart, objects, repository};

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join("charts/scim-operator").join(path)).unwrap()
}

#[test]
fn unknown_and_wrong_values_are_refused() {
    let helm = Helm::offline("identity");
    for (set, why) in [
        ("imagee.tag=x", "additional properties 'imagee' not allowed"),
        ("image.tagg=x", "additional properties 'tagg' not allowed"),
        ("image.digest=sha256:12", "does not match pattern"),
        ("replicas=-1", "minimum: got -1, want 0"),
        ("replicas=two", "want integer"),
        ("watchNamespaces={Not_A_Name}", "does not match pattern"),
        ("allowedHosts={https://x}", "does not match pattern"),
        ("log.format=xml", "value must be one of"),
        ("whenKindMissing=ignore", "value must be one of"),
        ("audit.path=relative", "does not match pattern"),
        ("terminationGracePeriodSeconds=5", "minimum: got 5, want 35"),
        ("users.ada.userName=ada", "additional properties 'userName' not allowed"),
        ("rosters.people.scope=true", "additional properties 'scope' not allowed"),
        ("clusterConnections.shared.namespace=a", "additional properties 'namespace' not allowed"),
        ("rbac.aggregate.view=1", "want boolean"),
        ("serviceMonitor.interval=often", "does not match pattern"),
        ("admissionPolicies.approve.separate=true", "together with approve.enabled alone"),
    ] {
        let said = helm.refused(&["template", "x", &chart(), "--set", set]);
        assert!(said.contains(why), "{set}: {said}");
    }
}

/// Every value of the file is in the schema, every value of the schema in the file, with a word on it.
#[test]
fn file_and_schema_agree() {
    let values = &objects(&read("values.yaml"))[0];
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    agree("", values, &schema);
}

fn agree(path: &str, values: &Value, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else { return };
    assert_eq!(schema["additionalProperties"], false, "{path} takes anything");
    let known = values.as_object().unwrap_or_else(|| panic!("{path} is no map"));
    for (name, inner) in known {
        let of = properties.get(name).unwrap_or_else(|| panic!("{path}.{name} is not in the schema"));
        agree(&format!("{path}.{name}"), inner, of);
    }
    for name in properties.keys() {
        // What has no default that could be written down.
        if format!("{path}.{name}") != ".resources.claims" {
            assert!(known.contains_key(name), "{path}.{name} is not in values.yaml");
        }
    }
}
