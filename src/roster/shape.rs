//! What the API takes: specs as they are read again, labels.

use k8s_openapi::DeepMerge as _;
use serde_json::{Map, Value as Json};

use crate::api::ScimUserSpec;

/// The spec without what the API would leave out, so that it compares with one that was read.
pub(super) fn as_the_api_has_it(spec: Json) -> Result<Json, String> {
    let suspend = spec.get("suspend").is_some();
    let typed: ScimUserSpec =
        serde_json::from_value(spec).map_err(|_| "a value doesn't fit its attribute".to_owned())?;
    let mut spec = serde_json::to_value(typed).map_err(|_| "a value doesn't fit its attribute".to_owned())?;
    if !suspend && let Some(spec) = spec.as_object_mut() {
        spec.remove("suspend");
    }
    Ok(spec)
}

pub(super) fn merge(map: &mut Map<String, Json>, other: Json) {
    let mut whole = Json::Object(std::mem::take(map));
    whole.merge_from(other);
    if let Json::Object(merged) = whole {
        *map = merged;
    }
}

/// What Kubernetes takes for a label's value.
pub(super) fn is_label(text: &str) -> bool {
    let ends = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
    text.len() <= 63
        && ends(text.chars().next())
        && ends(text.chars().last())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
}
