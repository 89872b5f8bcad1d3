//! The CRDs as they are installed: what the derive can't say is added here.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::{ScimConnection, ScimGroup, ScimRoster, ScimUser};

/// Every CRD.
pub fn crds() -> Vec<CustomResourceDefinition> {
    [ScimConnection::crd(), ScimGroup::crd(), ScimRoster::crd(), ScimUser::crd()].into_iter().map(finished).collect()
}

/// Every CRD as one YAML stream.
pub fn crds_yaml() -> Result<String, serde_saphyr::ser::Error> {
    crds().iter().map(|crd| Ok(format!("---\n{}", serde_saphyr::to_string(crd)?))).collect()
}

fn finished(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) else {
            continue;
        };
        if let Some(status) = schema.properties.as_mut().and_then(|properties| properties.get_mut("status")) {
            // kstatus takes an object without a status for done; this one says that nothing was done yet.
            status.default = Some(k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSON(
                json!({"observedGeneration": -1}),
            ));
        }
    }
    // A round trip through JSON reaches every level of the schema alike; both sides are the same type.
    let Ok(mut value) = serde_json::to_value(&crd) else { return crd };
    tidy(&mut value);
    serde_json::from_value(value).unwrap_or(crd)
}

/// Lists are replaced as a whole, unless they say otherwise. Number formats that the API server warns of go, and
/// `nullable` too: without it a null in a manifest counts as absent, and defaults and rules see it so.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("type") == Some(&json!("array"))
                && map.contains_key("items")
                && !map.contains_key("x-kubernetes-list-type")
            {
                map.insert("x-kubernetes-list-type".into(), json!("atomic"));
            }
            if map.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                map.remove("format");
            }
            if map.get("nullable") == Some(&json!(true)) {
                map.remove("nullable");
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(list) => list.iter_mut().for_each(tidy),
        _ => {}
    }
}
