use serde_json::json;

use super::*;
use crate::api::ScimGroup;

const SERVER: &str = "here";

fn key() -> ConnectionKey {
    ConnectionKey { namespace: String::new(), name: "c".into() }
}

fn user(namespace: &str, name: &str, id: &str, groups: &serde_json::Value) -> ScimUser {
    serde_json::from_value(json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser",
        "metadata": {"name": name, "namespace": namespace, "uid": format!("{namespace}/{name}"), "resourceVersion": "1"},
        "spec": {"connectionRef": {"name": "c", "kind": "ClusterScimConnection"}, "userName": format!("{name}@{namespace}")},
        "status": {"id": id, "boundTo": SERVER, "groups": groups},
    }))
    .unwrap()
}

fn board(namespace: &str, status: &serde_json::Value) -> ScimGroup {
    let mut group = json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup",
        "metadata": {"name": "board", "namespace": namespace, "uid": "g", "resourceVersion": "1"},
        "spec": {
            "connectionRef": {"name": "c", "kind": "ClusterScimConnection"}, "displayName": "board",
            "membership": "Additive", "members": [{"userName": "eve@eng"}],
        },
        "status": {"id": "board", "boundTo": SERVER},
    });
    for (name, value) in status.as_object().into_iter().flatten() {
        group["status"][name] = value.clone();
    }
    serde_json::from_value(group).unwrap()
}

/// `hr` may have whomever it likes; `eng` and `ops` may not.
fn directory(group: ScimGroup, users: Vec<ScimUser>) -> Directory {
    let directory = Directory::default();
    directory.set_server(&key(), Some(SERVER));
    let entry = |namespace: &str, trusted: bool| json!({"namespaceSelector": {"matchLabels": {"name": namespace}}, "userNames": ["*"], "trusted": trusted});
    let delegation = json!([entry("hr", true), entry("eng", false), entry("ops", false)]);
    directory.set_delegation(&key(), Some(serde_json::from_value(delegation).unwrap()));
    for namespace in ["hr", "eng", "ops"] {
        directory.set_namespace(namespace, Some([("name".to_owned(), namespace.to_owned())].into()));
    }
    directory.upsert_group(group);
    directory.membership(&"g".into(), |members| members.set_source(crate::plan::groups::Source::Additive));
    for user in users {
        directory.upsert(user);
    }
    directory
}

fn suspects(directory: &Directory) -> Vec<(String, Vec<String>)> {
    let mut all: Vec<_> = directory
        .records_to_check(&"g".into())
        .into_iter()
        .map(|(id, namespaces)| (id.to_string(), namespaces.into_iter().collect::<Vec<_>>()))
        .collect();
    all.sort();
    all
}

#[test]
fn i32_who_speaks_for_a_recorded_membership() {
    let in_board = |id: &str| json!({"board": id});
    let by = |namespaces: &[&str]| namespaces.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    // A trusted namespace, and one that isn't: what it says is checked with the server.
    let known = vec![user("hr", "ada", "1", &in_board("1")), user("eng", "eve", "2", &in_board("2"))];
    assert_eq!(suspects(&directory(board("hr", &json!({})), known)), [("2".to_owned(), by(&["eng"]))]);
    // A tenant writes a record of somebody else's account, or binds itself to that account, too.
    for id in ["1", "2"] {
        let forged = vec![user("hr", "ada", "1", &json!({})), user("eng", "eve", id, &in_board("1"))];
        assert_eq!(suspects(&directory(board("hr", &json!({})), forged)), [("1".to_owned(), by(&[]))], "{id}");
    }
    // Between two tenants, too; who is at home isn't kept from its own by it.
    let both = vec![user("eng", "eve", "2", &in_board("2")), user("ops", "olaf", "2", &in_board("2"))];
    assert_eq!(suspects(&directory(board("hr", &json!({})), both.clone())), [("2".to_owned(), by(&[]))]);
    assert_eq!(suspects(&directory(board("eng", &json!({})), both)), [("2".to_owned(), by(&["eng"]))]);
    // The group's own status is as good as who may write it.
    let own = json!({"broughtIn": ["9"], "leaving": {"8": "2026-01-01T00:00:00Z"}});
    assert_eq!(suspects(&directory(board("hr", &own), vec![])), []);
    let bounded = suspects(&directory(board("eng", &own), vec![]));
    assert_eq!(bounded, [("8".to_owned(), by(&["eng"])), ("9".to_owned(), by(&["eng"]))]);
    // An object that was bound to another account before.
    let moved = |namespace: &str| directory(board("hr", &json!({})), vec![user(namespace, "ada", "5", &in_board("1"))]);
    assert_eq!(suspects(&moved("hr")), []);
    assert_eq!(suspects(&moved("eng")), [("1".to_owned(), by(&[]))]);
}

#[test]
fn i32_an_account_that_only_another_namespace_makes_a_member() {
    let elsewhere = |users| {
        let directory = directory(board("hr", &json!({})), users);
        directory.referred_from_elsewhere(&"g".into(), SERVER, &"2".into()).into_iter().collect::<Vec<_>>()
    };
    assert_eq!(elsewhere(vec![user("eng", "eve", "2", &json!({}))]), ["eng"]);
    // Whoever merely is bound to it makes nobody a member.
    assert_eq!(elsewhere(vec![user("hr", "ada", "2", &json!({})), user("eng", "eve", "2", &json!({}))]), ["eng"]);
    assert!(elsewhere(vec![user("hr", "ada", "2", &json!({}))]).is_empty());
}

/// Ids of one server may be those of another.
#[test]
fn i06_a_record_speaks_of_the_groups_of_its_own_connection() {
    let mut other = user("hr", "ada", "1", &json!({"board": "1"}));
    other.spec.connection_ref.name = "another".into();
    let ours = |directory: &Directory| directory.membership(&"g".into(), |members| members.is_ours(&"1".into()));
    let directory = directory(board("hr", &json!({})), vec![other.clone()]);
    assert_eq!(ours(&directory), Some(false));
    // Nor where the group comes later.
    directory.remove_group(&"g".into());
    let mut later = board("hr", &json!({}));
    later.metadata.uid = Some("g2".into());
    directory.upsert_group(later);
    directory.membership(&"g2".into(), |members| members.set_source(crate::plan::groups::Source::Additive));
    assert_eq!(directory.membership(&"g2".into(), |members| members.is_ours(&"1".into())), Some(false));
    // It moves to this connection, and its record with it.
    other.spec.connection_ref.name = "c".into();
    other.metadata.resource_version = Some("2".into());
    directory.upsert(other);
    assert_eq!(directory.membership(&"g2".into(), |members| members.is_ours(&"1".into())), Some(true));
}

/// The connection leads to another server, where a group has the id that another one of ours had.
#[test]
fn i06_what_is_on_record_of_members_at_one_server_says_nothing_of_another() {
    let recorded = json!({"3": "7"});
    for restarts in [false, true] {
        let mut moved = board("hr", &json!({"id": "3", "boundTo": "there"}));
        moved.metadata.resource_version = Some("2".into());
        let directory = directory(board("hr", &json!({})), vec![user("hr", "bob", "7", &recorded)]);
        assert!(directory.is_on_record(&key(), &"3".into(), &"7".into()));
        if restarts {
            directory.set_server(&key(), None);
        }
        directory.set_server(&key(), Some("there"));
        directory.upsert_group(moved);
        let ours = directory.membership(&"g".into(), |members| members.is_ours(&"7".into()));
        assert_eq!((ours, directory.is_on_record(&key(), &"3".into(), &"7".into())), (Some(false), false));
        // A connection that leads back finds them again.
        directory.set_server(&key(), Some(SERVER));
        assert!(directory.is_on_record(&key(), &"3".into(), &"7".into()));
    }
}

/// Two accounts change ids, one after the other.
#[test]
fn i10_whoever_gets_the_id_of_a_member_is_in_by_no_record() {
    let directory = directory(board("hr", &json!({})), vec![user("hr", "bob", "1", &json!({"board": "1"}))]);
    let ours = |id: &str| directory.membership(&"g".into(), |members| members.is_ours(&id.into())) == Some(true);
    assert!(ours("1"));
    let again = |version: &str, id: &str, groups| {
        let mut user = user("hr", "bob", id, &groups);
        user.metadata.resource_version = Some(version.into());
        directory.upsert(user);
    };
    again("2", "1", json!({"board": "2"}));
    again("3", "2", json!({"board": "2"}));
    assert_eq!((ours("1"), ours("2")), (false, true));
    // Where somebody else's record says so, it is theirs.
    directory.upsert(user("ops", "eve", "3", &json!({"board": "3"})));
    again("4", "3", json!({"board": "3"}));
    again("5", "4", json!({"board": "4"}));
    assert_eq!((ours("3"), ours("4")), (true, true));
}
