//! `kubectl scim`, as people use it: against a real API server, a real operator and real SCIM servers.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::pedantic)]

#[path = "cli/answering.rs"]
mod answering;
#[path = "cli/console.rs"]
mod console;
#[path = "cli/every.rs"]
mod every;
#[path = "cli/explaining.rs"]
mod explaining;
#[path = "cli/forms.rs"]
mod forms;
#[path = "cli/importing.rs"]
mod importing;
#[path = "cluster/kit.rs"]
#[allow(dead_code, reason = "the other binary uses the rest")]
mod kit;
#[path = "cli/logs.rs"]
mod logs;
#[path = "cli/manners.rs"]
mod manners;
#[path = "cli/pictured.rs"]
mod pictured;
#[path = "cli/planning.rs"]
mod planning;
#[path = "cli/planning_clusters.rs"]
mod planning_clusters;
#[path = "cli/planning_folders.rs"]
mod planning_folders;
#[path = "cli/planning_keys.rs"]
mod planning_keys;
#[path = "cli/planning_many.rs"]
mod planning_many;
#[path = "cli/planning_requests.rs"]
mod planning_requests;
#[path = "cli/planning_rosters.rs"]
mod planning_rosters;
#[path = "cli/previewing.rs"]
mod previewing;
#[path = "cli/reaching.rs"]
mod reaching;
#[path = "cli/seeing.rs"]
mod seeing;
mod support;
#[path = "cli/terminal.rs"]
mod terminal;
#[path = "cli/testing.rs"]
mod testing;
#[path = "cli/workflows.rs"]
mod workflows;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kit::{Place, operator_builder};
use serde_json::Value;
use support::{ControlPlane, Operator, scratch};
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

pub fn audit_file() -> PathBuf {
    scratch().join("logs/audit.jsonl")
}

/// A place where a connection is in use: to a SAML Jackson, unless these fields of its spec say otherwise.
pub async fn connected(token: Option<&str>, fields: Value) -> Place {
    operator().await;
    let place = Place::without_operator().await;
    place.secret(token.unwrap_or(&place.directory.token));
    place.apply(place.connection(fields));
    place.connection_is("Connected").await;
    place
}

/// The program, with this kubeconfig.
pub fn program(kubeconfig: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-scim"));
    command.env("KUBECONFIG", kubeconfig).env_remove("NO_COLOR");
    command
}

/// The program as admin, in a namespace; nothing is at its standard input.
pub async fn scim(namespace: &str, args: &[&str]) -> Output {
    let cluster = ControlPlane::shared().await;
    let mut command = program(cluster.admin_kubeconfig());
    command.args(["-n", namespace]).args(args).stdin(std::process::Stdio::null());
    tokio::task::spawn_blocking(move || command.output().expect("kubectl-scim")).await.expect("it ran")
}

/// A manifest of a connection to a server, and a file with its key.
pub fn by_file(name: &str, base_url: &str, key: &str, spec: Value) -> [String; 5] {
    let (manifest, key_file) = (scratch().join(format!("{name}.yaml")), scratch().join(format!("{name}.key")));
    let mut connection = serde_json::json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimConnection", "metadata": {"name": name},
        "spec": {"baseUrl": base_url, "auth": {"bearerToken": {"secretKeyRef": {"name": "key", "key": "token"}}},
            "rateLimits": [{"requests": 10_000, "period": "1s", "burst": 10_000}]},
    });
    for (field, value) in spec.as_object().into_iter().flatten() {
        connection["spec"][field] = value.clone();
    }
    std::fs::write(&manifest, connection.to_string()).expect("a manifest");
    std::fs::write(&key_file, format!("{key}\n")).expect("a key");
    let text = |file: &Path| file.to_string_lossy().into_owned();
    ["-f".into(), text(&manifest), "--key-file".into(), text(&key_file), "--allow-loopback-http".into()]
}

/// The program without a cluster.
pub async fn alone(args: &[&str]) -> Output {
    let mut command = program(Path::new("/there/is/none"));
    command.args(args).stdin(std::process::Stdio::null());
    tokio::task::spawn_blocking(move || command.output().expect("kubectl-scim")).await.expect("it ran")
}

/// What it wrote to standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What it printed.
pub fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The same as JSON.
pub fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}
