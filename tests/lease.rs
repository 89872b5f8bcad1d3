//! One writer (promise I28): two replicas, handed over, killed, cut off.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::pedantic)]

#[path = "cluster/kit.rs"]
#[allow(dead_code, reason = "another binary uses the rest")]
mod kit;
mod support;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::{AbortHandle, JoinSet};

use kit::{PATIENCE, Place, condition, install, user};
use support::{Operator, Sandbox, eventually, http};

/// Each test has Leases of its own, so two of them would have two leaders for every object.
static TURN: Mutex<()> = Mutex::const_new(());

/// `maxInFlight` of a connection that doesn't say.
const IN_FLIGHT: usize = 4;

/// When a line of a log was written.
fn when(line: &str) -> Option<Timestamp> {
    line.split_whitespace().next()?.parse().ok()
}

/// When the process got the Lease, and when it last talked to the SCIM server.
#[derive(Debug)]
struct Reign {
    began: Option<Timestamp>,
    last_request: Option<Timestamp>,
}

fn reign(operator: &Operator) -> Reign {
    let log = operator.log();
    let lines = |text: &'static str| log.lines().filter(move |line| line.contains(text)).filter_map(when);
    Reign { began: lines("the Lease is ours").next(), last_request: lines("answered request=").next_back() }
}

async fn leads(operator: &Operator) {
    eventually(PATIENCE, "it has the Lease", async || reign(operator).began).await;
}

/// Of two, the one that has the Lease comes first.
async fn ordered(one: Operator, other: Operator) -> (Operator, Operator) {
    let first = eventually(PATIENCE, "one of the two leads", async || {
        [&one, &other].into_iter().position(|operator| reign(operator).began.is_some())
    })
    .await;
    if first == 0 { (one, other) } else { (other, one) }
}

async fn is_ready(operator: &Operator) {
    let url = format!("http://{}/readyz", operator.address().await);
    eventually(PATIENCE, "it is ready", async || {
        let answer = http().get(&url).send().await.map_err(|error| error.to_string())?;
        if answer.status().is_success() { Ok(()) } else { Err(answer.status().to_string()) }
    })
    .await;
}

/// A place with a server that is busy for a while with every few people.
async fn busy() -> (Place, Sandbox) {
    let sandbox = Sandbox::start_with(&["--latency", "30ms"]);
    let place = Place::without_operator().await;
    place.cluster.install_crds().await;
    place.secret(&sandbox.token);
    place.apply(place.connection(json!({
        "provider": "Generic", "baseUrl": sandbox.base_url,
        "rateLimits": [{"for": "All", "requests": 10, "burst": 1}],
    })));
    (place, sandbox)
}

/// Declares so many people; returns when the leader is at work on them.
async fn people(place: &Place, sandbox: &Sandbox, prefix: &str, many: usize) {
    let writes = async || sandbox.admin("GET", "/stats", None).await["writes"].as_u64().unwrap();
    let wanted = writes().await + 5;
    let items: Vec<Value> = (0..many).map(|n| user(&format!("{prefix}-{n:03}"), json!({}))).collect();
    place.apply(json!({"apiVersion": "v1", "kind": "List", "items": items}));
    eventually(PATIENCE, "the leader is at work", async || {
        let now = writes().await;
        if now >= wanted { Ok(()) } else { Err(now) }
    })
    .await;
}

async fn all_ready(place: &Place, many: usize) {
    eventually(PATIENCE, "everybody is Ready", async || {
        let users = place.users().await;
        let ready = users.iter().filter(|user| condition(user, "Ready")["status"] == "True").count();
        if ready == many { Ok(()) } else { Err(ready) }
    })
    .await;
}

#[tokio::test]
async fn i28_two_replicas_take_turns_and_never_write_together() {
    let _turn = TURN.lock().await;
    let (place, sandbox) = busy().await;
    let (_, builder) = install(&[]).await;
    let (leader, standby) = ordered(builder.clone().start(), builder.clone().start()).await;
    is_ready(&leader).await;
    is_ready(&standby).await;
    assert_eq!(reign(&standby).began, None);

    people(&place, &sandbox, "first", 60).await;
    // Asked to end, it gives the Lease back.
    assert!(leader.terminate().success());
    leads(&standby).await;
    let (first, second) = (reign(&leader), reign(&standby));
    assert!(first.last_request < second.began, "{first:?} {second:?}");
    assert!(leader.log().contains("scim-operator has ended"), "what was in flight ended first");

    let third = builder.start();
    people(&place, &sandbox, "second", 60).await;
    standby.kill9();
    leads(&third).await;
    let (second, third_reign) = (reign(&standby), reign(&third));
    assert!(second.last_request < third_reign.began, "{second:?} {third_reign:?}");

    all_ready(&place, 120).await;
    let journal = sandbox.admin("GET", "/journal", None).await;
    let created = journal.as_array().unwrap().iter().filter(|write| write["outcome"] == "created").count();
    assert_eq!(created, 120, "nobody was made twice");
}

/// A Lease that no patience outlasts: who takes it, was given it.
#[tokio::test]
async fn i28_asked_to_end_it_gives_the_lease_back() {
    let _turn = TURN.lock().await;
    let (namespace, builder) = install(&[]).await;
    let place = Place::without_operator().await;
    let builder = builder.without(kit::SHORT_LEASE[0]).arg("--lease-duration=3600");
    let (leader, standby) = ordered(builder.clone().start(), builder.start()).await;
    // It has seen the Lease as another's, and would wait an hour for it.
    is_ready(&standby).await;
    assert!(leader.terminate().success());
    leads(&standby).await;
    assert!(standby.terminate().success());
    let holder = "jsonpath={.spec.holderIdentity}";
    let lease = ["-n", &namespace, "get", "lease", "scim-operator", "-o", holder];
    assert_eq!(place.cluster.kubectl_ok(&lease), "", "nobody holds it");
}

/// Whatever way the leader goes, each process has sent its last request before the next may send its first, and the
/// server takes no write in between.
#[tokio::test]
async fn i28_many_hands_never_write_together() {
    const ROUNDS: usize = 4;
    let _turn = TURN.lock().await;
    let (place, sandbox) = busy().await;
    let (_, builder) = install(&[]).await;
    let (mut leader, mut standby) = ordered(builder.clone().start(), builder.clone().start()).await;
    let mut gone = Vec::new();
    for round in 0..ROUNDS {
        people(&place, &sandbox, &format!("round-{round}"), 40).await;
        // What a killed process had sent may still be carried out.
        let in_flight = if round % 2 == 0 {
            assert!(leader.terminate().success());
            0
        } else {
            leader.kill9();
            IN_FLIGHT
        };
        let ended = Timestamp::now();
        leads(&standby).await;
        gone.push((leader, ended, in_flight));
        (leader, standby) = (standby, builder.clone().start());
    }
    all_ready(&place, 40 * ROUNDS).await;

    let journal = sandbox.admin("GET", "/journal", None).await;
    let journal = journal.as_array().unwrap();
    let written = |write: &Value| write["at"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let mut next: Vec<Reign> = gone.iter().skip(1).map(|(operator, ..)| reign(operator)).collect();
    next.push(reign(&leader));
    for ((operator, ended, in_flight), next) in gone.iter().zip(next) {
        let before = reign(operator);
        let began = next.began.expect("it leads");
        assert!(before.last_request < Some(began), "{before:?} {next:?}");
        let between: Vec<&Value> = journal.iter().filter(|write| (*ended..began).contains(&written(write))).collect();
        assert!(between.len() <= *in_flight, "written after the end at {ended} and before {began}: {between:?}");
    }
    let created = journal.iter().filter(|write| write["outcome"] == "created").count();
    assert_eq!(created, 40 * ROUNDS, "nobody was made twice");
}

/// A Lease may be shorter than the slowest request, for it is renewed while the answer is awaited.
#[tokio::test]
async fn i28_a_request_outlasts_the_lease_that_it_began_under() {
    let _turn = TURN.lock().await;
    let (place, sandbox) = busy().await;
    let slow = json!([{"match": {"method": "POST"}, "fault": {"kind": "latency", "ms": 9000}}]);
    sandbox.admin("POST", "/faults", Some(slow)).await;
    let (_, builder) = install(&[]).await;
    let builder = kit::SHORT_LEASE.iter().fold(builder, |builder, arg| builder.without(arg));
    let operator = builder.arg("--lease-duration=5").arg("--lease-renewal=1").start();
    leads(&operator).await;
    place.apply(user("ada", json!({})));
    all_ready(&place, 1).await;
    let journal = sandbox.admin("GET", "/journal", None).await;
    assert_eq!(journal.as_array().unwrap().len(), 1, "{journal}");
    let attempts = operator.log().lines().filter(|line| line.contains("POST /Users")).count();
    assert_eq!(attempts, 1, "the answer to the first was awaited: {}", operator.process().tail(20));
}

#[tokio::test]
async fn i28_who_loses_the_lease_ends_with_an_error() {
    let _turn = TURN.lock().await;
    let (place, sandbox) = busy().await;
    let (namespace, builder) = install(&[]).await;
    let operator = builder.start();
    leads(&operator).await;
    people(&place, &sandbox, "person", 40).await;
    let stolen = json!({"spec": {"holderIdentity": "somebody-else"}}).to_string();
    place.cluster.kubectl_ok(&["-n", &namespace, "patch", "lease", "scim-operator", "--type=merge", "-p", &stolen]);
    let ended = eventually(PATIENCE, "it ends", async || operator.process().ended()).await;
    assert!(!ended.success(), "{ended}");
    assert!(operator.log().contains("the Lease is lost"), "{}", operator.process().tail(5));
    let before = sandbox.admin("GET", "/stats", None).await["writes"].clone();

    // Who stole it never renews: the next one takes over, and finishes.
    let next = operator.again();
    leads(&next).await;
    assert_eq!(sandbox.admin("GET", "/stats", None).await["writes"], before, "nobody wrote without the Lease");
    all_ready(&place, 40).await;
}

/// A way to the API server that can be cut.
struct Way {
    port: u16,
    task: AbortHandle,
}

impl Way {
    async fn to(server: &str) -> Way {
        let target = server.trim_start_matches("https://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            // Dropped with the task, and every connection with it.
            let mut connections = JoinSet::new();
            while let Ok((mut inner, _)) = listener.accept().await {
                let target = target.clone();
                connections.spawn(async move {
                    let mut outer = TcpStream::connect(target).await?;
                    tokio::io::copy_bidirectional(&mut inner, &mut outer).await
                });
            }
        });
        Way { port, task: task.abort_handle() }
    }
}

#[tokio::test]
async fn i28_who_is_cut_off_ends_before_another_may_lead() {
    let _turn = TURN.lock().await;
    let (place, sandbox) = busy().await;
    let (namespace, builder) = install(&[]).await;
    let way = Way::to(&place.cluster.server()).await;
    let direct = place.cluster.kubeconfig_for_service_account(&namespace, "scim-operator");
    let kubeconfig = std::fs::read_to_string(&direct).unwrap();
    let detour = direct.with_extension("detour");
    std::fs::write(&detour, kubeconfig.replace(&place.cluster.server(), &format!("https://127.0.0.1:{}", way.port)))
        .unwrap();
    let cut_off = Operator::builder(&detour, &namespace)
        .arg("--lease-duration=5")
        .arg("--lease-renewal=1")
        .arg("--log-level=info,scim_operator=debug")
        .start();
    leads(&cut_off).await;
    let standby = builder.start();
    is_ready(&standby).await;
    people(&place, &sandbox, "person", 80).await;

    way.task.abort();
    let ended = eventually(Duration::from_secs(60), "it ends", async || cut_off.process().ended()).await;
    assert!(!ended.success(), "{ended}");
    leads(&standby).await;
    let (first, second) = (reign(&cut_off), reign(&standby));
    assert!(first.last_request < second.began, "{first:?} {second:?}");
    all_ready(&place, 80).await;
    let journal = sandbox.admin("GET", "/journal", None).await;
    let created = journal.as_array().unwrap().iter().filter(|write| write["outcome"] == "created").count();
    assert_eq!(created, 80, "nobody was made twice");
}
