//! How soon the operator serves, and what it holds with nothing to do: `make bench-start`.
//!
//! From the start of the process until `/readyz` answers 200: then it has asked for the CRDs, has the Lease, and has
//! listed every kind. The median of several starts; nothing here fails for being slow.

#![allow(clippy::pedantic, clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

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
    took.sort();
    let operator = operator.unwrap();
    tokio::time::sleep(IDLE).await;
    let (now, peak) = (operator.process().memory_mib(), operator.process().peak_mib());
    println!("| start to ready, median of {STARTS}  | {:>5.0} ms |", took[STARTS / 2].as_secs_f64() * 1e3);
    println!("| start to ready, the slowest | {:>5.0} ms |", took[STARTS - 1].as_secs_f64() * 1e3);
    println!("| idle, no objects: memory    | {now:>4.1} MiB |");
    println!("| idle, no objects: its peak  | {peak:>4.1} MiB |");
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
