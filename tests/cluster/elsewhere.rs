//! More ways to look at a place, and connections to other servers than its own directory.

use serde_json::{Value, json};

use crate::kit::{PATIENCE, Place, condition};
use crate::support::{Directory, Sandbox, eventually};

impl Place {
    /// With its connection leading to another server, and tested.
    pub async fn at(base_url: &str, token: &str, fields: Value) -> Place {
        let place = Place::new().await;
        place.secret(token);
        place.apply(place.generic(base_url, fields));
        place.connection_is("Connected").await;
        place
    }

    /// The connection, to a server that follows the RFCs.
    pub fn generic(&self, base_url: &str, fields: Value) -> Value {
        self.connection(with(json!({"provider": "Generic", "baseUrl": base_url}), fields))
    }

    /// The message of Ready when it has this reason, whatever generation it is about.
    pub async fn says(&self, name: &str, reason: &str) -> String {
        eventually(PATIENCE, &format!("{name} says {reason}"), async || {
            let user = self.get(name).await.ok_or(Value::Null)?;
            let ready = condition(&user, "Ready");
            let said = ready["message"].as_str().unwrap_or_default().to_owned();
            if ready["reason"] == reason { Ok(said) } else { Err(user["status"].clone()) }
        })
        .await
    }

    /// Asks for the object's deletion, and doesn't wait for it.
    pub fn delete(&self, name: &str) {
        self.kubectl(&["delete", "scimuser", name, "--wait=false"]);
    }

    pub fn annotate(&self, name: &str, annotation: &str) {
        let annotation = format!("scim-operator.dev/{annotation}");
        self.kubectl(&["annotate", "--overwrite", "scimuser", name, &annotation]);
    }

    /// Merges into the spec of the connection.
    pub fn patch_connection(&self, spec: Value) {
        let patch = json!({"spec": spec}).to_string();
        self.kubectl(&["patch", "scimconnection", "jackson", "--type=merge", "-p", &patch]);
    }
}

/// One object's fields over another's.
pub fn with(mut base: Value, fields: Value) -> Value {
    for (field, value) in fields.as_object().into_iter().flatten() {
        base[field] = value.clone();
    }
    base
}

/// What a real directory was asked since `before` requests, as `METHOD path`.
pub async fn asked(directory: &Directory, before: usize) -> Vec<String> {
    let seen = directory.requests().await;
    seen[before..].iter().map(|request| format!("{} {}", request["method"], request["path"]).replace('"', "")).collect()
}

/// Makes a sandbox do this to requests that match.
pub async fn fault(sandbox: &Sandbox, matching: Value, fault: Value) {
    sandbox.admin("POST", "/faults", Some(json!([{"match": matching, "fault": fault}]))).await;
}

/// The accounts that a sandbox holds under this userName, as its own records show them.
pub async fn held(sandbox: &Sandbox, user_name: &str) -> Vec<Value> {
    let found = sandbox.admin("GET", &format!("/users?userName={user_name}"), None).await;
    found.as_array().cloned().unwrap_or_default().into_iter().filter(|account| account["exists"] == true).collect()
}
