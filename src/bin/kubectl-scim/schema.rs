//! What the API server does with an object before anybody sees it: fields that there aren't are refused, defaults are
//! filled in, bounds and rules are checked. By the CRDs that this version ships.

use std::collections::HashMap;

use kube_cel::{CompiledSchema, ErrorKind, Validator, apply_defaults, compile_schema};
use scim_operator::api::{GROUP, VERSION, crds};
use serde_json::{Value, json};

use crate::manifest::Manifest;

/// The schemas of our kinds.
pub struct Schemas {
    kinds: HashMap<String, Schema>,
    rules: Validator,
}

struct Schema {
    open_api: Value,
    bounds: Option<jsonschema::Validator>,
    rules: CompiledSchema,
}

impl Schemas {
    /// Those of this version.
    pub fn shipped() -> Self {
        let kinds = crds().into_iter().filter_map(|crd| {
            let version = crd.spec.versions.into_iter().find(|version| version.name == VERSION)?;
            let mut schema = serde_json::to_value(version.schema?.open_api_v3_schema?).ok()?;
            // Nobody writes a status.
            schema["properties"].as_object_mut()?.remove("status");
            let bounds = jsonschema::draft7::new(&schema).ok();
            let rules = compile_schema(&schema);
            Some((crd.spec.names.kind, Schema { open_api: schema, bounds, rules }))
        });
        Self { kinds: kinds.collect(), rules: Validator::new() }
    }

    /// The object as the API server would keep it, or everything that it would refuse it for.
    pub fn complete(&self, mut manifest: Manifest) -> Result<Manifest, Vec<String>> {
        let kind = manifest.kind().1.to_owned();
        let version = manifest.object["apiVersion"].as_str().unwrap_or_default();
        if !self.kinds.contains_key(&kind) || version != format!("{GROUP}/{VERSION}") {
            let mut kinds: Vec<&str> = self.kinds.keys().map(String::as_str).collect();
            kinds.sort_unstable();
            let why = format!("there is no {version} {kind}; {GROUP}/{VERSION} has {}", kinds.join(", "));
            return Err(vec![format!("{}: {why}", manifest.place)]);
        }
        // Where nothing is nullable, a null counts as absent.
        without_nulls(&mut manifest.object);
        as_created(&mut manifest.object);
        let metadata = &manifest.object["metadata"];
        let mut wrong = Vec::new();
        if !metadata["name"].is_string() && !metadata["generateName"].is_string() {
            wrong.push("metadata.name is missing".to_owned());
        }
        match self.check(&kind, &metadata["name"], &manifest.object["spec"]) {
            Ok(spec) if wrong.is_empty() => {
                manifest.object["spec"] = spec;
                return Ok(manifest);
            }
            Ok(_) => {}
            Err(more) => wrong.extend(more),
        }
        let told = |why: String| format!("{}: {}: {why}", manifest.place, manifest.called());
        Err(wrong.into_iter().map(told).collect())
    }

    /// A spec as the API server would keep it, or everything that it would refuse it for; without the values, which may
    /// be somebody's.
    pub fn check(&self, kind: &str, name: &Value, spec: &Value) -> Result<Value, Vec<String>> {
        let Some(known) = self.kinds.get(kind) else { return Err(vec![format!("there is no {kind}")]) };
        let mut object = json!({});
        if !spec.is_null() {
            object["spec"] = spec.clone();
        }
        let mut wrong = Vec::new();
        unknown_fields(&known.open_api, &object, "", &mut wrong);
        let mut object = apply_defaults(&known.open_api, &object);
        let errors = known.bounds.iter().flat_map(|bounds| bounds.iter_errors(&object));
        wrong.extend(errors.map(|error| {
            let place = error.instance_path().to_string().trim_start_matches('/').replace('/', ".");
            let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
            format!("{place}{}", error.masked_with("the value"))
        }));
        if wrong.is_empty() {
            object["metadata"] = json!({"name": name});
            let broken = self.rules.validate_compiled(&known.rules, &object, None).err();
            // What can't be evaluated here the API server will.
            let broken = broken.into_iter().flat_map(kube_cel::ValidationErrors::into_vec);
            let broken = broken.filter(|error| error.kind == ErrorKind::ValidationFailure);
            wrong.extend(broken.map(|error| error.to_string()));
        }
        if wrong.is_empty() { Ok(object["spec"].take()) } else { Err(wrong) }
    }
}

/// Of what a cluster wrote into an object that was taken out of it, a creation keeps nothing.
fn as_created(object: &mut Value) {
    const KEPT: [&str; 6] = ["name", "generateName", "namespace", "labels", "annotations", "finalizers"];
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|field, _| KEPT.contains(&field.as_str()));
    }
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// Fields that the schema doesn't have, which kubectl refuses too.
fn unknown_fields(schema: &Value, value: &Value, path: &str, wrong: &mut Vec<String>) {
    if schema["x-kubernetes-preserve-unknown-fields"] == json!(true) {
        return;
    }
    match value {
        Value::Object(map) => {
            let fields = schema["properties"].as_object();
            for (name, value) in map {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match fields.and_then(|fields| fields.get(name)) {
                    Some(schema) => unknown_fields(schema, value, &below, wrong),
                    None if schema["additionalProperties"].is_object() => {
                        unknown_fields(&schema["additionalProperties"], value, &below, wrong);
                    }
                    None => {
                        let names: Vec<&str> = fields.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
                        wrong.push(format!("there is no field {below}{}", alike(name, &names)));
                    }
                }
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                unknown_fields(&schema["items"], value, &format!("{path}[{at}]"), wrong);
            }
        }
        _ => {}
    }
}

/// The field that may have been meant, or all that there are.
fn alike(name: &str, names: &[&str]) -> String {
    let near = |known: &&str| strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase());
    let best = names.iter().copied().max_by(|one, other| near(one).total_cmp(&near(other)));
    match best.filter(|known| near(known) > 0.85) {
        Some(known) => format!("; {known} may be meant"),
        None if names.is_empty() => String::new(),
        None => format!("; there are {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Place;

    #[test]
    fn i22_what_a_cluster_wrote_into_an_object_is_no_declaration() {
        let object = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "ScimUser",
            "metadata": {"name": "ada", "labels": {"team": "a"}, "annotations": {"a": "b"}, "uid": "1", "resourceVersion": "7",
                "creationTimestamp": "2026-11-28T12:00:00Z", "deletionTimestamp": "2026-11-28T12:00:00Z", "generation": 3},
            "spec": {"connectionRef": {"name": "a"}, "userName": "ada@example.com"},
            "status": {"id": "7", "state": "Active"},
        });
        let made =
            Schemas::shipped().complete(Manifest { place: Place::default(), object }).expect("a ScimUser").object;
        assert_eq!(made["status"], Value::Null);
        assert_eq!(made["metadata"], json!({"name": "ada", "labels": {"team": "a"}, "annotations": {"a": "b"}}));
    }
}
