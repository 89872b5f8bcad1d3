//! The CRDs as they are installed: what the derive can't say is added here.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::{Delegation, ScimConnection, ScimGroup, ScimRoster, ScimUser};

/// Every CRD.
pub fn crds() -> Vec<CustomResourceDefinition> {
    [ScimConnection::crd(), cluster_connection(), ScimGroup::crd(), ScimRoster::crd(), ScimUser::crd()]
        .into_iter()
        .map(finished)
        .collect()
}

/// Every CRD as one YAML stream.
pub fn crds_yaml() -> Result<String, serde_saphyr::ser::Error> {
    crds().iter().map(|crd| Ok(format!("---\n{}", serde_saphyr::to_string(crd)?))).collect()
}

/// The ScimConnection's CRD for the whole cluster, with `delegation`: the two can't come to differ.
fn cluster_connection() -> CustomResourceDefinition {
    let mut crd = ScimConnection::crd();
    crd.metadata.name = Some(format!("clusterscimconnections.{}", crd.spec.group));
    crd.spec.scope = "Cluster".into();
    crd.spec.names.kind = "ClusterScimConnection".into();
    crd.spec.names.plural = "clusterscimconnections".into();
    crd.spec.names.singular = Some("clusterscimconnection".into());
    crd.spec.names.short_names = Some(vec!["cscimconn".into()]);
    let settings = schemars::generate::SchemaSettings::openapi3().with(|settings| settings.inline_subschemas = true);
    let delegation = settings.into_generator().into_root_schema_for::<Vec<Delegation>>();
    let Ok(mut delegation) = serde_json::to_value(delegation) else { return crd };
    if let Some(schema) = delegation.as_object_mut() {
        schema.retain(|name, _| name == "type" || name == "items");
        schema.insert("description".into(), json!(
            "Who may use the connection, and for what. A namespace may do what any entry that selects it allows; a namespace that \
             no entry selects may not refer to it."
        ));
        schema.insert("minItems".into(), json!(1));
        schema.insert("maxItems".into(), json!(64));
    }
    for version in &mut crd.spec.versions {
        let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        let Some(schema) = schema else { continue };
        schema.description = Some(
            "A connection for several namespaces. Its Secrets lie in the operator's own namespace, and only what delegation \
             gives to a namespace may be used there."
                .into(),
        );
        let Some(spec) = schema.properties.as_mut().and_then(|properties| properties.get_mut("spec")) else { continue };
        if let Ok(delegation) = serde_json::from_value(delegation.clone()) {
            spec.properties.get_or_insert_default().insert("delegation".into(), delegation);
            spec.required.get_or_insert_default().push("delegation".into());
        }
    }
    crd
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
    without_defaults_in_lists(&mut value, false);
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

/// No default below a list: a list is compared as a whole, so that one which the API server completes differs from its
/// manifest for ever, as Argo CD sees it. The types supply these defaults when they read.
fn without_defaults_in_lists(value: &mut Value, below: bool) {
    match value {
        Value::Object(map) => {
            // What `properties` holds are names of fields; one of them may be called `default`.
            if below && map.contains_key("type") && !map.get("type").is_some_and(Value::is_object) {
                map.remove("default");
            }
            for (name, inner) in map {
                without_defaults_in_lists(inner, below || name == "items");
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| without_defaults_in_lists(inner, below)),
        _ => {}
    }
}
