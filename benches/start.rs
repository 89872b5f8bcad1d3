//! How soon the operator serves, and what it holds with nothing to do: `make bench-start`.
//!
//! From the start of the process until `/readyz` answers 200: then it has asked for the CRDs, has the Lease, and has
//! listed every kind. The median of several starts; nothing here fails for being slow.

#![allow(clippy::pedantic, clippy::unwrap_used)]

#[path = "support/saved.rs"]
mod saved;
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use saved::Run;
use support::{ControlPlane, Operator, http};

const STARTS: usize = 7;
/// Idle for so long before it is looked at.
const IDLE: Duration = Duration::from_secs(30);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let cluster = ControlPlane::shared().await;
    cluster.install_crds().await;
    let namespace = cluster.namespace().await;
    let mut took = Vec::new();
    let mut operator = None;
    for _ in 0..STARTS {
        // Each gives its Lease back.
        if let Some(earlier) = operator.take() {
            Operator::terminate(&earlier);
        }
        let began = Instant::now();
        let started = Operator::start(cluster.admin_kubeconfig(), &namespace);
        ready(&started).await;
        took.push(began.elapsed());
        operator = Some(started);
    }
    let operator = operator.unwrap();
    tokio::time::sleep(IDLE).await;
    let mut run = Run::of("start");
    for took in took {
        run.add("start to ready", "", "ms", took.as_secs_f64() * 1e3);
    }
    run.add("idle, no objects: memory", "", "MiB", operator.process().memory_mib());
    run.add("idle, no objects: its peak", "", "MiB", operator.process().peak_mib());
    run.save();
}

async fn ready(operator: &Operator) {
    let address = operator.address().await;
    let http = http();
    loop {
        let answer = http.get(format!("http://{address}/readyz")).send().await;
        if answer.is_ok_and(|answer| answer.status() == 200) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
