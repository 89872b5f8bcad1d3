//! Objects as a write would have left them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api::FINALIZER;
use crate::provisioner::kubernetes::merge;

pub(super) fn mark(finalizers: &mut Vec<String>, present: bool) {
    finalizers.retain(|finalizer| finalizer != FINALIZER);
    if present {
        finalizers.reserve_exact(1);
        finalizers.push(FINALIZER.to_owned());
    }
}

/// A status with this merged into it.
pub(super) fn with<T: Serialize + DeserializeOwned + Clone>(status: T, change: &Value) -> T {
    let mut body = json!(status);
    merge(&mut body, change);
    serde_json::from_value(body).unwrap_or(status)
}
