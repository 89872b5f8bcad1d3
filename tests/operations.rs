//! What those who run the operator see of it: metrics, alerts, dashboard, audit stream, log level, health.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::pedantic)]

#[path = "cluster/kit.rs"]
#[allow(dead_code, reason = "the other binary uses the rest")]
mod kit;
mod support;

#[path = "operations/alerts.rs"]
mod alerts;
#[path = "operations/argocd.rs"]
mod argocd;
#[path = "operations/commands.rs"]
mod commands;
#[path = "operations/dashboard.rs"]
mod dashboard;
#[path = "operations/demo.rs"]
mod demo;
#[path = "operations/documented.rs"]
mod documented;
#[path = "operations/flux.rs"]
mod flux;
#[path = "operations/gitops.rs"]
mod gitops;
#[path = "operations/monitoring.rs"]
mod monitoring;
#[path = "operations/running.rs"]
mod running;
#[path = "operations/tutorial.rs"]
mod tutorial;

use std::path::PathBuf;

use kit::{Place, operator_builder};
use serde_json::Value;
use support::{Operator, http, scratch};
use tokio::sync::OnceCell;

/// The operator of this test binary, with an audit stream.
pub async fn operator() -> &'static Operator {
    static SHARED: OnceCell<Operator> = OnceCell::const_new();
    let start = async || {
        let audit = format!("--audit-log={}", audit_file().display());
        operator_builder().await.arg(&audit).start()
    };
    SHARED.get_or_init(start).await
}

fn audit_file() -> PathBuf {
    scratch().join("logs/audit.jsonl")
}

/// The lines of the audit stream about one namespace.
pub fn audited(namespace: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(audit_file()).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["object"]["namespace"] == namespace).collect()
}

/// A place where a connection is in use.
pub async fn connected() -> Place {
    operator().await;
    let place = Place::without_operator().await;
    place.connect(serde_json::json!({}));
    place.connection_is("Connected").await;
    place
}

/// Status and body of a request to an operator.
pub async fn ask(operator: &Operator, method: &str, path: &str, body: &str) -> (u16, String) {
    let url = format!("http://{}{path}", operator.address().await);
    let request = http().request(method.parse().unwrap(), url).body(body.to_owned());
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a body"))
}
