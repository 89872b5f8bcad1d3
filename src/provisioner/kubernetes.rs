//! What a write to the API server may come to.

use serde_json::{Value, json};

/// Why a write to the API server did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The object is gone, or is another one under the same name.
    #[error("the object is gone")]
    Gone,
    /// The API server didn't take it.
    #[error("the API server didn't take the write: {0}")]
    Refused(#[from] Box<kube::Error>),
}

impl WriteError {
    /// The object had changed meanwhile: no failure of the API server.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused(error) if matches!(&**error, kube::Error::Api(status) if status.code == 409))
    }
}

pub fn classify(error: kube::Error) -> WriteError {
    match &error {
        kube::Error::Api(status) if status.code == 404 => WriteError::Gone,
        // Server-side apply with the uid of an object that isn't there any more.
        kube::Error::Api(status) if status.code == 409 && status.message.contains("uid") => WriteError::Gone,
        _ => WriteError::Refused(Box::new(error)),
    }
}

/// The API server's own words, where it refuses what was written, and not only this version of it or just now.
pub fn words_of_refusal(error: &kube::Error) -> Option<String> {
    let kube::Error::Api(status) = error else { return None };
    let full = status.code == 500 && status.message.contains("etcdserver");
    let words = status.message.chars().filter(|letter| !letter.is_control()).take(300).collect();
    (matches!(status.code, 400 | 403 | 413 | 422 | 507) || full).then_some(words)
}

/// The API server refuses notes of events of over 1 kB.
pub fn bounded_note(note: &str) -> String {
    let mut end = note.len().min(1000);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    note[..end].to_owned()
}

/// A merge patch as the API server carries it out, RFC 7386; where its answer is simulated.
pub fn merge(target: &mut Value, change: &Value) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_person_can_mend_is_told() {
        let answered = |code, message: &str| {
            let status = serde_json::json!({"status": "Failure", "message": message, "reason": "", "code": code});
            kube::Error::Api(Box::new(serde_json::from_value(status).unwrap()))
        };
        assert!(words_of_refusal(&answered(403, "scimusers is forbidden")).is_some());
        assert!(words_of_refusal(&answered(500, "etcdserver: mvcc: database space exceeded")).is_some());
        for (code, message) in [(409, "conflict"), (404, "not found"), (500, "boom"), (429, "slow down")] {
            assert_eq!(words_of_refusal(&answered(code, message)), None, "{code}");
        }
    }
}
