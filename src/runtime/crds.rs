//! Waits for the CRDs of this version with one clear line instead of a crash loop: the API server would drop, or refuse,
//! what an older schema doesn't have.

use std::time::Duration;

use kube::Client;
use serde_json::Value;
use tokio::time::sleep;
use tracing::{info, warn};

use super::reaching::api_error;
use crate::api::{GROUP, VERSION, crds, listed};

const PAUSE: Duration = Duration::from_secs(2);
/// So many fields are named.
const NAMED: usize = 5;

/// Returns when the API server serves these resources, with every field that this operator knows.
pub async fn wait_for_crds(client: &Client, plurals: &[&str]) {
    let mut last_text = None;
    loop {
        let text = match missing(client, plurals).await {
            Ok(None) => break,
            Ok(Some(missing)) => missing,
            Err(error) => format!("waiting for the API server: {}", api_error(&error)),
        };
        if last_text.as_ref() != Some(&text) {
            warn!("{text}");
            last_text = Some(text);
        }
        sleep(PAUSE).await;
    }
    if last_text.is_some() {
        info!("the CRDs are there");
    }
}

/// What is still to be waited for.
async fn missing(client: &Client, plurals: &[&str]) -> Result<Option<String>, kube::Error> {
    let served = match client.list_api_group_resources(&format!("{GROUP}/{VERSION}")).await {
        Ok(list) => list.resources,
        Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
        Err(error) => return Err(error),
    };
    let absent: Vec<&str> =
        plurals.iter().filter(|plural| !served.iter().any(|known| known.name == **plural)).copied().collect();
    if !absent.is_empty() {
        return Ok(Some(format!(
            "waiting for the CRDs {} in {GROUP}: kubectl apply --server-side -f crds/",
            absent.join(", ")
        )));
    }
    let fields = fields_missing(client, plurals).await?;
    Ok((!fields.is_empty()).then(|| {
        format!(
            "waiting for the CRDs of this version: those in the cluster lack {}: kubectl apply --server-side -f crds/",
            listed(&fields, NAMED)
        )
    }))
}

/// The fields that the CRDs in the cluster don't have. Whoever may do nothing else may read the API server's schemas.
async fn fields_missing(client: &Client, plurals: &[&str]) -> Result<Vec<String>, kube::Error> {
    let path = format!("/openapi/v3/apis/{GROUP}/{VERSION}");
    let request = http::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
    let raw: Value = match client.request(request).await {
        Ok(schemas) => schemas,
        // It can't say: that is no reason to wait.
        Err(kube::Error::Api(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let domain: Vec<&str> = GROUP.rsplit('.').collect();
    let mut missing = Vec::new();
    for crd in crds().into_iter().filter(|crd| plurals.contains(&crd.spec.names.plural.as_str())) {
        let kind = &crd.spec.names.kind;
        let theirs = &raw["components"]["schemas"][format!("{}.{VERSION}.{kind}", domain.join("."))];
        let ours = crd.spec.versions.iter().find_map(|version| version.schema.as_ref()?.open_api_v3_schema.as_ref());
        let ours = serde_json::to_value(ours).unwrap_or_default();
        for part in ["spec", "status"] {
            let (ours, theirs) = (&ours["properties"][part], &theirs["properties"][part]);
            compare(&format!("{kind}.{part}"), ours, theirs, &mut missing);
        }
    }
    Ok(missing)
}

/// Notes each property of one schema that the other doesn't have.
fn compare(path: &str, ours: &Value, theirs: &Value, missing: &mut Vec<String>) {
    for (name, property) in ours["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        match &theirs["properties"][name] {
            Value::Null => missing.push(path),
            theirs => compare(&path, property, theirs, missing),
        }
    }
    for inner in ["items", "additionalProperties"] {
        if ours[inner].is_object() {
            compare(path, &ours[inner], &theirs[inner], missing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_an_older_schema_lacks_is_named_by_its_path() {
        let list = |fields: Value| json!({"items": {"properties": fields}});
        let ours = json!({"properties": {
            "a": {"type": "string"}, "b": {"properties": {"c": {}, "d": {}}}, "e": list(json!({"f": {}, "g": {}})),
        }});
        let theirs = json!({"properties": {"b": {"properties": {"c": {}}}, "e": list(json!({"f": {}})), "newer": {}}});
        let mut missing = Vec::new();
        compare("Kind.spec", &ours, &theirs, &mut missing);
        assert_eq!(missing, ["Kind.spec.a", "Kind.spec.b.d", "Kind.spec.e.g"]);
    }
}
