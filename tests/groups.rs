//! How many requests groups cost, and what is known of members after a restart.
//!
//! Two operators would both work on every object, so these tests take turns.
//! `SCIM_OPERATOR_GROUPS=100 SCIM_OPERATOR_MEMBERS=100 SCIM_OPERATOR_LARGE=10000` counts at full size.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::pedantic)]

#[path = "cluster/kit.rs"]
#[allow(dead_code, reason = "another binary uses the rest")]
mod kit;
mod support;

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::Mutex;

use kit::{PATIENCE, Place, start_operator, user};
use support::{Front, Sandbox, eventually};

static TURN: Mutex<()> = Mutex::const_new(());

fn size(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |size| size.parse().expect("a number"))
}

fn labelled(name: &str, labels: Value) -> Value {
    let mut object = user(name, json!({}));
    object["metadata"]["labels"] = labels;
    object
}

fn group(name: &str, label: &str) -> Value {
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {"name": name},
        "spec": {
            "connectionRef": {"name": "jackson"}, "displayName": name, "membership": "Exact",
            "memberSelector": {"matchLabels": {label: "yes"}},
        },
    })
}

fn apply(place: &Place, objects: &[Value]) {
    for some in objects.chunks(500) {
        place.apply(json!({"apiVersion": "v1", "kind": "List", "items": some}));
    }
}

/// All groups, when each has as many members as it declares and that many together.
async fn members_are(place: &Place, declared: usize) {
    eventually(PATIENCE * 10, "everybody is in", async || {
        let list = place.kubectl(&["get", "scimgroup", "-o", "json"]);
        let list: Value = serde_json::from_str(&list).expect("JSON");
        let counts = list["items"].as_array().into_iter().flatten().map(|group| {
            let members = &group["status"]["members"];
            let number = |name: &str| usize::try_from(members[name].as_i64().unwrap_or(-1)).unwrap_or(usize::MAX);
            if members["present"] == members["declared"] { number("present") } else { usize::MAX }
        });
        let sum = counts.fold(0_usize, usize::saturating_add);
        if sum == declared { Ok(()) } else { Err(sum) }
    })
    .await;
}

async fn everybody_is_ready(place: &Place, people: usize) {
    eventually(PATIENCE * 10, "everybody has an account", async || {
        let status = place.get_connection().await["status"].clone();
        if status["users"]["synced"] == people { Ok(()) } else { Err(status["users"].clone()) }
    })
    .await;
}

/// Writes to groups, by method.
fn writes(front: &Front) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for seen in front.take_writes().into_iter().filter(|seen| seen.path.contains("/Groups")) {
        assert!(seen.status < 300, "{seen:?}");
        *counts.entry(seen.method).or_default() += 1;
    }
    counts
}

fn counted(posts: usize, patches: usize) -> BTreeMap<String, usize> {
    let all = [("POST".to_owned(), posts), ("PATCH".to_owned(), patches)];
    all.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn unlimited(front: &Front) -> Value {
    json!({
        "provider": "Generic", "baseUrl": front.base_url, "resyncInterval": "1h", "maxInFlight": 16,
        "rateLimits": [{"requests": 10_000, "period": "1s", "burst": 10_000}],
    })
}

#[tokio::test]
async fn i02_a_change_of_a_membership_is_one_request_a_group() {
    let _turn = TURN.lock().await;
    let (groups, members) = (size("SCIM_OPERATOR_GROUPS", 8), size("SCIM_OPERATOR_MEMBERS", 8));
    let _operator = start_operator().await;
    let sandbox = Sandbox::start();
    let front = Front::before(&sandbox.base_url, &sandbox.token).open();
    let place = Place::without_operator().await;
    place.secret("any");
    place.apply(place.connection(unlimited(&front)));
    place.connection_is("Connected").await;
    // Everybody is in every other group: twice as many people as members.
    let labels = |n: usize| -> Value {
        let mine = (0..groups).filter(|g| (n + g).is_multiple_of(2));
        mine.map(|g| (format!("in-{g}"), json!("yes"))).collect::<serde_json::Map<_, _>>().into()
    };
    let people: Vec<Value> = (0..2 * members).map(|n| labelled(&format!("p-{n}"), labels(n))).collect();
    apply(&place, &people);
    everybody_is_ready(&place, people.len()).await;
    front.take();
    let began = Instant::now();
    let all: Vec<Value> = (0..groups).map(|g| group(&format!("g-{g}"), &format!("in-{g}"))).collect();
    apply(&place, &all);
    members_are(&place, groups * members).await;
    // Created empty, then filled, a hundred at a time.
    let first = writes(&front);
    println!("{groups} groups with {members} members each, from nothing: {first:?} in {:?}", began.elapsed());
    assert_eq!(first, counted(groups, groups * members.div_ceil(100)));

    // One in for half of the groups, one out for the others.
    let mut now = groups * members;
    for g in 0..groups {
        let (name, label) = if g % 4 < 2 {
            now += 1;
            (format!("p-{}", (g + 1) % 2 + 2 * (g / 2 % members)), format!("in-{g}=yes"))
        } else {
            now -= 1;
            (format!("p-{}", g % 2 + 2 * (g / 2 % members)), format!("in-{g}-"))
        };
        place.kubectl(&["label", "scimuser", &name, &label]);
    }
    members_are(&place, now).await;
    let churn = writes(&front);
    println!("one change in each: {churn:?}");
    assert_eq!(churn, counted(0, groups), "the least that can be");
}

/// Applies a group of all people, and awaits that they are in; returns the requests that this took.
async fn filled(place: &Place, front: &Front, name: &str, in_all: usize) -> BTreeMap<String, usize> {
    front.take();
    let began = Instant::now();
    place.apply(group(name, "all"));
    members_are(place, in_all).await;
    let took = writes(front);
    println!("{name}, from nothing: {took:?} in {:?}", began.elapsed());
    took
}

#[tokio::test]
async fn i02_one_change_in_a_large_group_is_one_request() {
    let _turn = TURN.lock().await;
    let large = size("SCIM_OPERATOR_LARGE", 250);
    let operator = start_operator().await;
    let peak = || format!("{:.0} MiB at most", operator.process().peak_mib());
    let sandbox = Sandbox::start();
    let front = Front::before(&sandbox.base_url, &sandbox.token).open();
    let place = Place::without_operator().await;
    place.secret("any");
    place.apply(place.connection(unlimited(&front)));
    place.connection_is("Connected").await;
    let people: Vec<Value> = (0..large).map(|n| labelled(&format!("p-{n}"), json!({"all": "yes"}))).collect();
    apply(&place, &people);
    everybody_is_ready(&place, large).await;
    println!("{large} people: {}", peak());
    assert_eq!(filled(&place, &front, "shown", large).await, counted(1, large.div_ceil(100)));
    println!("in a group whose members the server shows: {}", peak());

    // The same where the server shows none, and the record lies with the members.
    let unread = json!({"spec": {"dialect": {"membersReadable": "No"}}}).to_string();
    place.kubectl(&["patch", "scimconnection", "jackson", "--type=merge", "-p", &unread]);
    eventually(PATIENCE, "it is in force", async || {
        let effective = place.get_connection().await["status"]["effective"]["dialect"].clone();
        if effective["membersReadable"] == "No" { Ok(()) } else { Err(effective) }
    })
    .await;
    assert_eq!(filled(&place, &front, "recorded", 2 * large).await, counted(1, large.div_ceil(100)));
    println!("and in one whose members are recorded: {}", peak());

    let began = Instant::now();
    place.apply(labelled("newcomer", json!({"all": "yes"})));
    members_are(&place, 2 * large + 2).await;
    let change = writes(&front);
    println!("one more in both: {change:?} in {:?}", began.elapsed());
    assert_eq!(change, counted(0, 2));
    for name in ["shown", "recorded"] {
        let status = place.kubectl(&["get", "scimgroup", name, "-o", "jsonpath={.status}"]);
        let mut status: Value = serde_json::from_str(&status).expect("its status");
        // Whom an exact group brought in is on record, by six bytes each.
        let owned = status["ownedMembers"].take();
        assert!(owned.as_str().is_none_or(|owned| owned.len() <= 12 * (large + 2)), "{owned}");
        let status = status.to_string();
        assert!(status.len() < 2000, "says how many, not who: {status}");
    }
}

#[tokio::test]
async fn i30_after_a_restart_the_record_tells_who_is_in() {
    let _turn = TURN.lock().await;
    let operator = start_operator().await;
    let place = Place::without_operator().await;
    place.connect(json!({}));
    place.connection_is("Connected").await;
    let all: Vec<Value> = ["ada", "bob", "cyd"].iter().map(|name| labelled(name, json!({"all": "yes"}))).collect();
    apply(&place, &all);
    place.apply(group("everybody", "all"));
    members_are(&place, 3).await;
    operator.terminate();
    // While nobody looks, one leaves and one comes.
    place.kubectl(&["label", "scimuser", "ada", "all-"]);
    place.apply(labelled("dan", json!({"all": "yes"})));
    let told = async |name: &str| place.directory.events().await.iter().filter(|event| event["event"] == name).count();
    assert_eq!((told("group.user_added").await, told("group.user_removed").await), (3, 0));

    let _operator = operator.again();
    eventually(PATIENCE, "each is told once", async || {
        let now = (told("group.user_added").await, told("group.user_removed").await);
        if now == (4, 1) { Ok(()) } else { Err(now) }
    })
    .await;
    place.sweeps(1).await;
    assert_eq!((told("group.user_added").await, told("group.user_removed").await), (4, 1));
}
