use std::time::{Duration, Instant};

use super::*;
use crate::api::ScimGroup;
use crate::api::{FINALIZER, Uid};
use serde_json::json;

/// As the API server answers a write: with what a watch event is rid of.
fn written(version: &str, annotations: &serde_json::Value) -> ScimUser {
    let user = json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser",
        "metadata": {
            "name": "ada", "namespace": "identity", "uid": "1", "generation": 1, "resourceVersion": version,
            "annotations": annotations, "managedFields": [{"manager": "kubectl"}],
        },
        "spec": {"connectionRef": {"name": "example"}, "userName": "ada@example.com"},
    });
    serde_json::from_value(user).unwrap()
}

#[test]
fn i01_a_write_of_ours_is_no_change_by_a_person() {
    let directory = Directory::default();
    let applied = json!({"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "a"});
    assert!(directory.upsert(written("1", &json!({"team": "a"}))).fresh);
    assert_eq!(directory.upsert(written("2", &applied)), Changed::default());
    assert_eq!(directory.upsert(written("3", &applied)), Changed::default());
    let kept = directory.get(&"1".into()).unwrap();
    assert!(kept.managed_fields().is_empty() && kept.annotations().len() == 1, "{kept:?}");
    assert!(directory.upsert(written("4", &json!({"team": "b"}))).fresh);
}

/// Tens of thousands of people are held once, however often and by whom they are seen.
#[test]
fn what_is_seen_twice_is_kept_once_and_without_what_nobody_reads() {
    let directory = Directory::default();
    directory.upsert(written("1", &json!({})));
    let kept = directory.get(&"1".into()).unwrap();
    assert_eq!(kept.metadata.managed_fields, None, "an empty list keeps its room");
    assert_eq!(directory.upsert(written("1", &json!({}))), Changed::default());
    assert!(Arc::ptr_eq(&kept, &directory.get(&"1".into()).unwrap()));
    directory.upsert(written("2", &json!({})));
    assert!(!Arc::ptr_eq(&kept, &directory.get(&"1".into()).unwrap()));
}

fn member(n: usize, labels: &serde_json::Value, version: usize) -> ScimUser {
    let user = json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser",
        "metadata": {
            "name": format!("p-{n}"), "namespace": "identity", "uid": format!("p-{n}"), "generation": 1,
            "resourceVersion": version.to_string(), "labels": labels,
        },
        "spec": {"connectionRef": {"name": "example"}, "userName": format!("p-{n}@example.com")},
        "status": {"id": format!("id-{n}"), "boundTo": "server"},
    });
    serde_json::from_value(user).unwrap()
}

fn team(name: &str, label: &str) -> ScimGroup {
    let group = json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup",
        "metadata": {"name": name, "namespace": "identity", "uid": name, "generation": 1, "resourceVersion": "1"},
        "spec": {
            "connectionRef": {"name": "example"}, "displayName": name, "membership": "Exact",
            "memberSelector": {"matchLabels": {"team": label}},
        },
    });
    serde_json::from_value(group).unwrap()
}

/// How long it takes to move this many people to other groups, one label each.
fn moving(people: usize, groups: usize, moved: usize) -> Duration {
    let directory = Directory::default();
    let key = ConnectionKey { namespace: "identity".into(), name: "example".into() };
    directory.set_server(&key, Some("server"));
    for g in 0..groups {
        directory.upsert_group(team(&format!("g-{g}"), &g.to_string()));
    }
    for n in 0..people {
        directory.upsert(member(n, &json!({"team": (n % groups).to_string()}), 1));
    }
    let began = Instant::now();
    for n in 0..moved {
        let (from, to) = (n % groups, (n + 1) % groups);
        let mut touched = directory.upsert(member(n, &json!({"team": to.to_string()}), 2)).others;
        touched.sort_unstable();
        let mut expected: Vec<Uid> = [from, to].map(|g| Uid::from(format!("g-{g}"))).into();
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(touched, expected, "no other group is looked at");
    }
    let took = began.elapsed();
    let declared: usize =
        (0..groups).filter_map(|g| directory.membership(&format!("g-{g}").into(), |members| members.declared())).sum();
    assert_eq!(declared, people);
    took
}

/// Each change of a label touches the group that is left and the one that is entered, whatever their size and number.
#[test]
fn a_label_touches_the_groups_that_it_changes_and_no_other() {
    for (people, groups) in [(100, 10), (10_000, 10), (10_000, 1_000)] {
        let took = moving(people, groups, 100);
        println!("{people} people in {groups} groups: {:.1} us a label", took.as_secs_f64() * 1e6 / 100.0);
    }
}

/// The same object under deletion, with the finalizers that it still has.
fn leaving(uid: &str, version: &str, finalizers: &[&str]) -> ScimUser {
    let mut user = written(version, &json!({}));
    user.metadata.uid = Some(uid.into());
    user.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::now()));
    user.metadata.finalizers = Some(finalizers.iter().map(|&finalizer| finalizer.to_owned()).collect());
    user
}

#[test]
fn i28_whoever_is_gone_is_not_brought_back_by_what_arrives_late() {
    let directory = Directory::default();
    directory.upsert(written("1", &json!({})));
    directory.apply_written(leaving("1", "3", &[]));
    assert_eq!(directory.upsert(leaving("1", "2", &[FINALIZER])), Changed::default());
    assert!(directory.get(&"1".into()).is_none(), "an event from before its end");

    let directory = Directory::default();
    directory.upsert(written("1", &json!({})));
    directory.remove(&"1".into());
    assert!(directory.apply_written(written("2", &json!({}))).is_empty());
    assert!(directory.get(&"1".into()).is_none(), "the answer to a write from before its end");
}

#[test]
fn i28_an_object_made_again_under_its_name_stays_whatever_of_the_old_one_arrives_late() {
    let directory = Directory::default();
    directory.upsert(written("1", &json!({})));
    let mut again = written("4", &json!({}));
    again.metadata.uid = Some("2".into());
    assert!(directory.apply_written(again).contains(&"2".into()));
    assert_eq!(directory.upsert(leaving("1", "3", &[FINALIZER])), Changed::default());
    // Of the oldest nothing was ever seen.
    assert_eq!(directory.upsert(leaving("0", "2", &[FINALIZER])), Changed::default());
    directory.remove(&"1".into());
    assert_eq!(directory.named("identity", "ada").and_then(|user| user.uid()).as_deref(), Some("2"));
    assert_eq!(directory.all().len(), 1);
}

#[test]
fn i12_what_was_made_while_a_list_was_read_comes_back_with_its_event() {
    let directory = Directory::default();
    directory.apply_written(written("2", &json!({})));
    let (gone, _) = directory.retain(&BTreeSet::new(), |_| true);
    assert_eq!(gone, ["1".into()]);
    assert!(directory.upsert(written("2", &json!({}))).fresh);
}

#[test]
fn i28_a_group_that_is_gone_is_not_brought_back_by_what_arrives_late() {
    let directory = Directory::default();
    directory.upsert_group(team("g-1", "a"));
    directory.remove_group(&"g-1".into());
    assert_eq!(directory.upsert_group(team("g-1", "a")), Changed::default());
    assert!(directory.group(&"g-1".into()).is_none());
}
