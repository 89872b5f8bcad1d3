//! How soon the standby goes on: `make bench-failover`.
//!
//! From the end of the leader, killed or asked to end, until the server gets the first request of the next one.
//! Two replicas as the chart's `replicas: 2` runs them, with the defaults of the Lease. Nothing fails for being slow.

#![allow(clippy::pedantic, clippy::unwrap_used)]

#[path = "support/saved.rs"]
mod saved;
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use saved::Run;
use serde_json::{Value, json};
use support::{ControlPlane, Operator, Sandbox, eventually};

const ROUNDS: usize = 5;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let cluster = ControlPlane::shared().await;
    cluster.install_crds().await;
    let namespace = cluster.namespace().await;
    let sandbox = Sandbox::start();
    connect(cluster, &namespace, &sandbox);
    let start = || Operator::start(cluster.admin_kubeconfig(), &namespace);
    let mut leader = start();
    quiet_after_first_request(&sandbox).await;
    let mut run = Run::of("failover");
    for (how, end) in [("kill -9", kill as fn(&Operator)), ("SIGTERM", terminate)] {
        let mut took = Vec::new();
        for _ in 0..ROUNDS {
            let standby = start();
            eventually(Duration::from_secs(60), "the standby waits", async || {
                standby.log().contains("waiting for the Lease").then_some(()).ok_or(())
            })
            .await;
            // It has seen a renewal or two, as it would have by then.
            tokio::time::sleep(Duration::from_secs(4)).await;
            let before = requests(&sandbox).await;
            let began = Instant::now();
            end(&leader);
            while requests(&sandbox).await == before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            took.push(began.elapsed().as_secs_f64());
            quiet_after_first_request(&sandbox).await;
            leader = standby;
        }
        for took in took {
            run.add(&format!("{how}, to the standby's first request"), "", "s", took);
        }
    }
    run.save();
}

fn kill(leader: &Operator) {
    leader.kill9();
}

fn terminate(leader: &Operator) {
    leader.terminate();
}

fn connect(cluster: &ControlPlane, namespace: &str, sandbox: &Sandbox) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "key", "labels": {"scim-operator.dev/credentials": "true"}},
        "stringData": {"token": sandbox.token},
    });
    let connection = json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimConnection", "metadata": {"name": "failover"},
        "spec": {
            "baseUrl": sandbox.base_url,
            "auth": {"bearerToken": {"secretKeyRef": {"name": "key", "key": "token"}}},
        },
    });
    for object in [secret, connection] {
        cluster.apply(namespace, &object.to_string());
    }
}

async fn requests(sandbox: &Sandbox) -> Value {
    sandbox.admin("GET", "/stats", None).await["requests"].clone()
}

/// The connection's test and first listing are over.
async fn quiet_after_first_request(sandbox: &Sandbox) {
    let mut last = Value::Null;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = requests(sandbox).await;
        if now == last && now != json!({}) {
            return;
        }
        last = now;
    }
}
