//! The mistakes that people make with an operator that is new to them: each is tried at a real API server with the operator
//! at work, what they are told is read, and followed where it is a command. docs/troubleshooting.md is the table of them.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::pedantic)]

#[path = "mistakes/apart.rs"]
mod apart;
#[path = "mistakes/clusters.rs"]
mod clusters;
#[path = "cluster/elsewhere.rs"]
#[allow(dead_code, reason = "another binary uses the rest")]
mod elsewhere;
#[path = "mistakes/full_etcd.rs"]
mod full_etcd;
#[path = "mistakes/ipv6.rs"]
mod ipv6;
#[path = "mistakes/keys.rs"]
mod keys;
#[path = "cluster/kit.rs"]
#[allow(dead_code, reason = "another binary uses the rest")]
mod kit;
#[path = "mistakes/objects.rs"]
mod objects;
#[path = "mistakes/policies.rs"]
mod policies;
#[path = "mistakes/proxies.rs"]
mod proxies;
#[path = "mistakes/rights.rs"]
mod rights;
#[path = "mistakes/rosters.rs"]
mod rosters;
mod support;
#[path = "mistakes/surroundings.rs"]
mod surroundings;
#[path = "mistakes/table.rs"]
mod table;
#[path = "mistakes/webhooks.rs"]
mod webhooks;

use kit::{PATIENCE, Place, condition};
use serde_json::Value;
use support::eventually;

impl Place {
    /// `Reason: message` of Connected when it has this reason.
    pub async fn connection_tells(&self, reason: &str) -> String {
        format!("{reason}: {}", self.connection_is(reason).await)
    }

    /// The same of Ready, of any object.
    pub async fn tells(&self, object: &str, reason: &str) -> String {
        eventually(PATIENCE, &format!("{object} is {reason}"), async || {
            let found = self.kubectl(&["get", object, "-o", "json"]);
            let found: Value = serde_json::from_str(&found).expect("JSON");
            let ready = condition(&found, "Ready");
            let message = ready["message"].as_str().unwrap_or_default();
            if ready["reason"] == reason { Ok(format!("{reason}: {message}")) } else { Err(found["status"].clone()) }
        })
        .await
    }

    /// Runs the command that a message ends with.
    pub fn follow(&self, told: &str) {
        let command = told.split(": kubectl ").nth(1).unwrap_or_else(|| panic!("no command in: {told}"));
        self.cluster.kubectl_ok(&command.split(' ').collect::<Vec<_>>());
    }
}
