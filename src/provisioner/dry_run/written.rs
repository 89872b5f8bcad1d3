//! Objects as a write would have left them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api::FINALIZER;

pub(super) fn mark(finalizers: &mut Vec<String>, present: bool) {
    finalizers.retain(|finalizer| finalizer != FINALIZER);
    if present {
        finalizers.push(FINALIZER.to_owned());
    }
}

/// A status with this merged into it.
pub(super) fn with<T: Serialize + DeserializeOwned + Clone>(status: T, change: &Value) -> T {
    let mut body = json!(status);
    merge(&mut body, change);
    serde_json::from_value(body).unwrap_or(status)
}

/// RFC 7386.
fn merge(target: &mut Value, change: &Value) {
    let Value::Object(change) = change else {
        *target = change.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(target) = target.as_object_mut() else { return };
    for (name, value) in change {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
