//! Names that are shown with a domain before them, and taken with it and without.

use axum::body::Bytes;
use serde_json::Value;

use crate::sandbox::asked::Asked;
use crate::sandbox::reply::Reply;

const DOMAIN: &str = "PRIMARY/";

/// The body as it is kept, where it names the domain.
pub(super) fn without_domain(asked: &Asked<'_>) -> Option<Bytes> {
    let text = asked.text();
    let named = format!("\"{DOMAIN}");
    text.contains(&named).then(|| Bytes::from(text.replace(&named, "\"")))
}

/// A filter as it is heeded.
pub(super) fn in_filter(filter: &str) -> String {
    filter.replace(&format!("\"{DOMAIN}"), "\"")
}

/// The name as it is shown.
pub(super) fn with_domain(name: &str) -> String {
    if name.starts_with(DOMAIN) { name.to_owned() } else { format!("{DOMAIN}{name}") }
}

/// Users and groups as they are shown.
pub(super) fn show(asked: &Asked<'_>, reply: &mut Reply) {
    let attribute = if asked.path.starts_with("/Groups") { "displayName" } else { "userName" };
    let Some(body) = &mut reply.body else { return };
    let all: Vec<&mut Value> = match body.get_mut("Resources") {
        Some(Value::Array(list)) => list.iter_mut().collect(),
        _ => vec![body],
    };
    for resource in all.into_iter().filter_map(Value::as_object_mut) {
        if let Some(name) = resource.get(attribute).and_then(Value::as_str).map(with_domain) {
            resource.insert(attribute.into(), name.into());
        }
    }
}
