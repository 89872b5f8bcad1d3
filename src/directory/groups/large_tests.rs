//! One group of any size: what it costs in requests, in writes, in status, and in looks at members.
//! `SCIM_OPERATOR_LARGE=100000 cargo test --lib one_group_of_any_size -- --nocapture` measures it at that size.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::*;
use crate::api::{RemoteId, ScimGroup, ScimUser, Uid};
use crate::plan::groups::{Change, Source, chunk};
use crate::scim::Profile;

const PER_REQUEST: usize = 100;

fn key() -> ConnectionKey {
    ConnectionKey { namespace: "identity".into(), name: "example".into() }
}

fn uuid(n: usize) -> String {
    format!("{n:08x}-0000-4000-8000-{n:012x}")
}

/// Version 1 has an account, later ones what is recorded of the group, too.
fn person(n: usize, team: &str, version: usize, groups: &Value) -> ScimUser {
    serde_json::from_value(json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser",
        "metadata": {
            "name": format!("p-{n}"), "namespace": "identity", "uid": format!("u-{n}"), "generation": 1,
            "resourceVersion": version.to_string(), "labels": {"team": team},
        },
        "spec": {"connectionRef": {"name": "example"}, "userName": format!("p-{n}@example.com")},
        "status": {"id": uuid(n), "boundTo": "server", "groups": groups},
    }))
    .unwrap()
}

fn everybody() -> ScimGroup {
    serde_json::from_value(json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup",
        "metadata": {"name": "everybody", "namespace": "identity", "uid": "g", "generation": 1, "resourceVersion": "1"},
        "spec": {
            "connectionRef": {"name": "example"}, "displayName": "Everybody", "membership": "Exact",
            "memberSelector": {"matchLabels": {"team": "all"}},
        },
        "status": {"id": "group", "boundTo": "server"},
    }))
    .unwrap()
}

fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: Option<usize> = pages.split_whitespace().nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * 4096
}

/// The next request's share of what is owed.
fn owed(directory: &Directory, profile: &Profile) -> Change {
    directory.membership(&"g".into(), |members| chunk(members.extra(), members.missing(), profile, false)).unwrap()
}

/// A directory in which this many people stand, after the group or before it.
fn directory(people: usize, recorded: &Value) -> Directory {
    let directory = Directory::default();
    directory.set_server(&key(), Some("server"));
    for n in 0..people {
        directory.upsert(person(n, "all", 1, recorded));
    }
    directory
}

/// As the provisioner does it: a request, then a write of the record for each member; returns both, counted.
fn fill(directory: &Directory, profile: &Profile) -> (usize, usize) {
    let (mut requests, mut writes) = (0, 0);
    loop {
        let change = owed(directory, profile);
        if change == Change::default() {
            return (requests, writes);
        }
        requests += 1;
        directory.membership(&"g".into(), |members| {
            members.added(&change.added);
            members.removed(&change.removed);
        });
        for id in &change.added {
            let user = directory.bound_to(&key(), "server", id).expect("whose account it is");
            let n = user.metadata.name.as_deref().and_then(|name| name[2..].parse().ok()).unwrap();
            let touched = directory.apply_written(person(n, "all", 2, &json!({"group": id.as_str()})));
            assert!(touched.is_empty(), "the record is no news to any group");
            writes += 1;
        }
    }
}

#[test]
fn one_group_of_any_size_costs_its_changes() {
    let people: usize = std::env::var("SCIM_OPERATOR_LARGE").map_or(2_000, |size| size.parse().expect("a number"));
    let profile = Profile { max_members_per_patch: 100, ..Profile::jackson() };
    let all = directory(people, &Value::Null);
    let before = resident();
    let began = Instant::now();
    all.upsert_group(everybody());
    all.membership(&"g".into(), |members| {
        members.set_source(Source::Ledger);
        members.begin_empty();
    });
    let gathered = began.elapsed();
    let began = Instant::now();
    let (requests, writes) = fill(&all, &profile);
    let filled = began.elapsed();
    assert_eq!((requests, writes), (people.div_ceil(PER_REQUEST), people));
    let grown = resident().saturating_sub(before);
    println!(
        "{people} members: gathered in {gathered:?}; {requests} requests and {writes} records planned in {filled:?}; \
         {} bytes a member",
        grown / people
    );

    // One label: one group is touched, one member is owed, and nobody else is looked at.
    let mut took = Duration::ZERO;
    for n in 0..100 {
        let began = Instant::now();
        let touched = all.upsert(person(n, "none", 3, &json!({"group": uuid(n)}))).others;
        let change = owed(&all, &profile);
        took += began.elapsed();
        assert_eq!((touched, &change.removed), (vec![Uid::from("g")], &vec![RemoteId::from(uuid(n))]));
        assert!(change.added.is_empty());
        all.membership(&"g".into(), |members| members.removed(&change.removed));
    }
    println!("a change of a label, and what follows of it: {:?}", took / 100);

    // The status of the group says how many, never who.
    let status = json!(all.group(&"g".into()).and_then(|group| group.status.clone())).to_string();
    assert!(status.len() < 1000, "{status}");

    // After a restart the records of the members tell who is in: nothing is owed.
    let again = Directory::default();
    again.set_server(&key(), Some("server"));
    let began = Instant::now();
    again.upsert_group(everybody());
    again.membership(&"g".into(), |members| members.set_source(Source::Ledger));
    for n in 0..people {
        again.upsert(person(n, "all", 1, &json!({"group": uuid(n)})));
    }
    println!("after a restart everybody is known within {:?}", began.elapsed());
    assert_eq!(owed(&again, &profile), Change::default());
    let counts = again.membership(&"g".into(), |members| (members.declared(), members.present()));
    assert_eq!(counts, Some((people, people)));
}

/// A connection that leads to another server costs its users and what refers to them, not each group all users.
#[test]
fn another_server_is_one_look_at_each_user() {
    let (people, groups) = (1_000, 100);
    let all = directory(people, &Value::Null);
    for g in 0..groups {
        let mut group = everybody();
        group.metadata.name = Some(format!("g-{g}"));
        group.metadata.uid = group.metadata.name.clone();
        let label = format!("team-{g}");
        group.spec.member_selector.as_mut().unwrap().match_labels = [("team".to_owned(), label.clone())].into();
        group.spec.display_name = label;
        all.upsert_group(group);
    }
    for n in 0..people {
        all.upsert(person(n, &format!("team-{}", n % groups), 2, &Value::Null));
    }
    let declared = || -> usize {
        (0..groups).filter_map(|g| all.membership(&format!("g-{g}").into(), |members| members.declared())).sum()
    };
    let waiting = || -> usize {
        (0..groups).filter_map(|g| all.membership(&format!("g-{g}").into(), |members| members.waiting())).sum()
    };
    assert_eq!((declared(), waiting()), (people, 0));
    let began = Instant::now();
    all.set_server(&key(), Some("another"));
    println!("{people} users in {groups} groups at another server: {:?}", began.elapsed());
    assert_eq!((declared(), waiting()), (people, people), "nobody has an account there yet");
    all.set_server(&key(), Some("server"));
    assert_eq!((declared(), waiting()), (people, 0));
}
