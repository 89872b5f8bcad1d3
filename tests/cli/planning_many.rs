//! `plan` of thousands: what it holds in memory.

use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::planning::Folder;
use crate::program;
use crate::support::Sandbox;

/// So many people.
const PEOPLE: usize = 2000;
/// So much may be kept of each of them, in KiB: the object, what it would come to, and the account.
const MOST_KIB: f64 = 8.0;

fn person(number: usize) -> Value {
    let name = format!("person-{number:05}");
    let mail = format!("{name}@example.com");
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser", "metadata": {"name": name, "labels": {"team": "engines"}},
        "spec": {"connectionRef": {"name": "c"}, "userName": mail, "title": "Engineer", "displayName": name,
            "name": {"givenName": "Ada", "familyName": name}, "emails": [{"value": mail, "type": "work", "primary": true}],
            "enterprise": {"department": "Engines", "employeeNumber": number.to_string()}},
    })
}

/// The most memory that a process had of its own, in KiB, and how it ended. Pages of its program are none: how many of them are
/// there depends on what else runs.
pub fn peak(mut child: Child) -> (f64, Output) {
    let mut peak = 0.0;
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        if let Some(line) = status.lines().find_map(|line| line.strip_prefix("RssAnon:")) {
            peak = f64::max(peak, line.trim().trim_end_matches(" kB").parse().expect("a number"));
        }
        if child.try_wait().expect("its state").is_some() {
            return (peak, child.wait_with_output().expect("it ran"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The peak of a plan for these people; as that of a change to them with `before`.
async fn planned(people: &[Value], before: bool) -> f64 {
    let sandbox = Sandbox::start();
    let folder = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), people);
    let earlier = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), people);
    let mut command: Command = program(std::path::Path::new("/there/is/none"));
    command
        .args(["plan", "-R", "-f"])
        .arg(&folder.path)
        .arg("--key-file")
        .arg(&folder.key)
        .arg("--allow-loopback-http");
    if before {
        command.args(["--before", earlier.path()]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let ended = tokio::task::spawn_blocking(move || peak(command.spawn().expect("kubectl-scim")));
    let (peak, output) = ended.await.expect("it ran");
    assert_eq!(output.status.code(), Some(2));
    peak
}

#[tokio::test]
async fn a_plan_of_thousands_keeps_little_of_each() {
    let everybody: Vec<Value> = (0..PEOPLE).map(person).collect();
    for before in [false, true] {
        let one = planned(&everybody[..1], before).await;
        let many = planned(&everybody, before).await;
        #[allow(clippy::cast_precision_loss, reason = "small")]
        let each = (many - one) / PEOPLE as f64;
        let told = format!("{one:.0} KiB with one person, {many:.0} KiB with {PEOPLE}: {each:.1} KiB each, {before}");
        println!("{told}");
        assert!(each < MOST_KIB, "{told}");
    }
}
