//! `kubectl scim plan` of 10,000 people, against a sandbox: `make bench-plan`; `BENCH_USERS=1000` for another size.
//!
//! Once for people who all have their account already, as after an import, and once for people who are all new. The
//! server's own time is that of reading the same list with a plain client. Where a round is beyond a goal, that is told, and the
//! exit code is 3.

#![allow(clippy::pedantic, clippy::unwrap_used)]

#[path = "support/saved.rs"]
mod saved;
#[path = "../tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use saved::Run;
use serde_json::{Value, json};
use support::{Sandbox, scratch};

const ROUNDS: usize = 3;
/// What people may expect on two cores, with 10,000 people: seconds beyond the server's own time, and MiB.
const BEYOND_SERVER: f64 = 5.0;
const MEMORY: f64 = 100.0;
/// A round was beyond one of them.
const BEYOND: i32 = 3;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let beyond = runtime.block_on(measure());
    if !beyond.is_empty() {
        beyond.iter().for_each(|told| eprintln!("{told}"));
        std::process::exit(BEYOND);
    }
}

/// What was beyond its goal.
async fn measure() -> Vec<String> {
    let users: usize = std::env::var("BENCH_USERS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let column = format!("{users} people");
    let mut run = Run::of("plan");
    let full = Sandbox::start();
    full.admin("POST", "/seed", Some(json!({"users": users}))).await;
    let there = folder("bench-plan-there", &full);
    let import = ["import", "-f", &text(&there.join("connection.json")), "--into", &text(&there.join("people"))];
    let (imported, _, peak) = measured(&import, &full.token);
    run.add("import: time", &column, "s", imported.as_secs_f64());
    run.add("import: peak memory", &column, "MiB", peak);
    let empty = Sandbox::start();
    let new = folder("bench-plan-new", &empty);
    let people: Vec<Value> = (0..users).map(person).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": people});
    std::fs::create_dir_all(new.join("people")).unwrap();
    std::fs::write(new.join("people/all.json"), list.to_string()).unwrap();
    let mut beyond_goal = Vec::new();
    let mut judge = |what: &str, unit: &str, value: f64, goal: f64| {
        if value >= goal {
            beyond_goal.push(format!("{what}: {value:.1} {unit}, and the goal is below {goal:.0} {unit}"));
        }
    };
    for _ in 0..ROUNDS {
        let began = Instant::now();
        read_all(&full).await;
        let server = began.elapsed();
        run.add("the server's own time", &column, "s", server.as_secs_f64());
        for (what, folder, sandbox) in [("as declared", &there, &full), ("all new", &new, &empty)] {
            let (took, cpu, peak) = measured(&["plan", "-R", "-f", &text(folder)], &sandbox.token);
            // A server with nobody in it takes no time of its own.
            let beyond = if what == "all new" { took } else { took.saturating_sub(server) };
            let (time, memory) = (format!("{what}: beyond the server's own time"), format!("{what}: peak memory"));
            judge(&time, "s", beyond.as_secs_f64(), BEYOND_SERVER);
            judge(&memory, "MiB", peak, MEMORY);
            run.add(&time, &column, "s", beyond.as_secs_f64());
            run.add(&format!("{what}: CPU"), &column, "s", cpu);
            run.add(&memory, &column, "MiB", peak);
        }
    }
    run.save();
    beyond_goal
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn folder(name: &str, sandbox: &Sandbox) -> PathBuf {
    let path = scratch().join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    let connection = json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimConnection", "metadata": {"name": "c"},
        "spec": {"baseUrl": sandbox.base_url, "auth": {"bearerToken": {"secretKeyRef": {"name": "key", "key": "token"}}},
            "rateLimits": [{"requests": 10_000, "period": "1s", "burst": 10_000}]},
    });
    std::fs::write(path.join("connection.json"), connection.to_string()).unwrap();
    path
}

fn person(number: usize) -> Value {
    let name = format!("person-{number:06}");
    let mail = format!("{name}@example.com");
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser", "metadata": {"name": name, "labels": {"team": "engines"}},
        "spec": {"connectionRef": {"name": "c"}, "userName": mail, "title": "Engineer", "displayName": name,
            "name": {"givenName": "Ada", "familyName": name}, "emails": [{"value": mail, "type": "work", "primary": true}]},
    })
}

/// The whole list, as anybody reads it.
async fn read_all(sandbox: &Sandbox) {
    let mut seen = 0;
    loop {
        let (_, page) = sandbox.scim("GET", &format!("/Users?startIndex={}&count=100", seen + 1), None).await;
        seen += page["Resources"].as_array().unwrap().len();
        if seen as u64 >= page["totalResults"].as_u64().unwrap() {
            return;
        }
    }
}

/// How long the program took, its CPU in seconds, and its peak in MiB.
fn measured(args: &[&str], key: &str) -> (Duration, f64, f64) {
    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-scim"));
    command.args(args).arg("--allow-loopback-http").env("SCIM_KEY", key).env("KUBECONFIG", "/there/is/none");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (mut cpu, mut peak) = (0.0, 0.0);
    loop {
        let file = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", child.id())).unwrap_or_default();
        if let Some(line) = file("status").lines().find_map(|line| line.strip_prefix("VmHWM:")) {
            peak = line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0;
        }
        let stat = file("stat");
        if let Some((_, fields)) = stat.rsplit_once(')') {
            let fields: Vec<&str> = fields.split_whitespace().collect();
            cpu = (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0;
        }
        if let Some(status) = child.try_wait().unwrap() {
            assert!(matches!(status.code(), Some(0 | 2)), "{args:?}: {status}");
            return (began.elapsed(), cpu, peak);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
