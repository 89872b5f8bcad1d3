use serde_json::{Value, json};

use super::super::super::Directory;
use super::*;
use crate::api::{ScimUserStatus, UserState};

const SERVER: &str = "here";

/// A platform that may have everybody, with its group of admins, and a tenant that has engineers alone.
fn directory() -> Directory {
    let directory = Directory::default();
    let key = ConnectionKey { namespace: String::new(), name: "c".into() };
    directory.set_server(&key, Some(SERVER));
    let entry = |namespace: &str, names: &str| json!({"namespaceSelector": {"matchLabels": {"name": namespace}}, "userNames": [names], "groups": ["*"]});
    let delegation = json!([entry("trusted", "*"), entry("eng", "*@eng")]);
    directory.set_delegation(&key, Some(serde_json::from_value(delegation).unwrap()));
    for namespace in ["trusted", "eng"] {
        directory.set_namespace(namespace, Some([("name".to_owned(), namespace.to_owned())].into()));
    }
    let spec = json!({
        "connectionRef": {"name": "c", "kind": "ClusterScimConnection"}, "displayName": "admins",
        "membership": "Exact", "members": [{"userName": "CEO@top"}],
    });
    let mut group = ScimGroup::new("admins", serde_json::from_value(spec).unwrap());
    group.metadata.namespace = Some("trusted".into());
    group.metadata.uid = Some("group".into());
    directory.upsert_group(group);
    directory
}

/// The tenant's object, bound to account 5 under this name, or to none.
fn mallory(version: u32, declares: &str, account: Option<&str>) -> ScimUser {
    let spec = json!({"connectionRef": {"name": "c", "kind": "ClusterScimConnection"}, "userName": declares});
    let mut user = ScimUser::new("mallory", serde_json::from_value(spec).unwrap());
    user.metadata.namespace = Some("eng".into());
    user.metadata.uid = Some("mallory".into());
    user.metadata.resource_version = Some(version.to_string());
    user.status = Some(ScimUserStatus {
        id: account.map(|_| "5".into()),
        bound_to: Some(SERVER.into()),
        user_name: account.map(str::to_owned),
        state: Some(UserState::Failed),
        ..ScimUserStatus::default()
    });
    user
}

fn declared(directory: &Directory) -> Value {
    let declared = directory.membership(&"group".into(), |members| {
        (members.is_declared(&"5".into()), members.is_declared(&"9".into()), members.waiting())
    });
    json!(declared)
}

#[test]
fn i26_who_only_declares_a_name_is_not_the_account_that_a_group_names() {
    let directory = directory();
    directory.resolve(&"group".into(), [("ceo@top".to_owned(), "9".into())].into());
    assert_eq!(declared(&directory), json!([false, true, 0]));
    directory.upsert(mallory(1, "mallory@eng", Some("mallory@eng")));
    directory.upsert(mallory(2, "ceo@top", Some("mallory@eng")));
    assert_eq!(declared(&directory), json!([false, true, 0]), "renamed, as the tenant would have it");
    directory.upsert(mallory(3, "ceo@top", Some("ceo@top")));
    assert_eq!(declared(&directory), json!([false, true, 0]), "and with a status that says so, too");
    directory.upsert(mallory(4, "ceo@top", None));
    assert_eq!(declared(&directory), json!([false, true, 0]), "bound to nothing");
    // Whoever the server shows has it, and nobody else, as long as it shows them.
    directory.resolve(&"group".into(), [].into());
    assert_eq!(declared(&directory), json!([false, false, 1]));
}

#[test]
fn i18_an_account_is_a_member_by_its_name_once_it_has_it() {
    let directory = directory();
    let mut ceo = mallory(1, "ceo@top", Some("boss@top"));
    ceo.metadata.namespace = Some("trusted".into());
    directory.upsert(ceo.clone());
    assert_eq!(declared(&directory), json!([false, false, 1]), "its rename is still to be done");
    (ceo.metadata.resource_version, ceo.status.as_mut().unwrap().user_name) =
        (Some("2".into()), Some("ceo@top".into()));
    directory.upsert(ceo.clone());
    assert_eq!(declared(&directory), json!([true, false, 0]));
    directory.remove(&"mallory".into());
    assert_eq!(declared(&directory), json!([false, false, 1]));
}

/// Others gave the account another name than the one that was carried out.
#[test]
fn i18_whom_others_renamed_stays_a_member_by_the_name_that_was_carried_out() {
    let directory = directory();
    let mut ceo = mallory(1, "ceo@top", Some("boss@top"));
    ceo.metadata.namespace = Some("trusted".into());
    let mut applied = Applied::default();
    applied.set("userName", Some(&json!("ceo@top")));
    ceo.status.as_mut().unwrap().applied_attributes = Some(applied.text());
    directory.upsert(ceo.clone());
    assert_eq!(declared(&directory), json!([true, false, 0]));
    // A newer name isn't carried out yet: the account goes by the one that is shown.
    (ceo.metadata.resource_version, ceo.spec.user_name) = (Some("2".into()), "other@top".into());
    directory.upsert(ceo);
    assert_eq!(declared(&directory), json!([false, false, 1]));
}
