//! Groups at real servers: a creation, members in and out, and what each server shows of it.

#![allow(clippy::unwrap_used)]

mod support;

use scim_operator::api::RemoteId;
use scim_operator::plan::groups::Change;
use scim_operator::scim::{Attributes, Class, Client, Kind, Profile, Start};
use serde_json::json;
use support::{Jackson, Library, Sandbox, Scim2Server, client, soon, unique};

async fn person(client: &Client, name: &str) -> RemoteId {
    let email = format!("{name}@example.com");
    let body = json!({
        "userName": email, "active": true, "name": {"givenName": name, "familyName": "Example"},
        "emails": [{"value": email, "type": "work", "primary": true}],
    });
    let made = client.create(Kind::Users, body.as_object().unwrap(), soon()).await.unwrap();
    made.resource.unwrap().id().unwrap().into()
}

async fn change(client: &Client, profile: &Profile, group: &str, added: &[&RemoteId], removed: &[&RemoteId]) {
    let ids = |ids: &[&RemoteId]| ids.iter().map(|id| (*id).clone()).collect();
    let operations = Change { added: ids(added), removed: ids(removed) }.operations(profile);
    client.patch(Kind::Groups, group, &operations, None, soon()).await.unwrap();
}

async fn new_group(client: &Client) -> (String, String) {
    let name = unique("group");
    let body: Attributes = json!({"displayName": name}).as_object().cloned().unwrap();
    let made = client.create(Kind::Groups, &body, soon()).await.unwrap().resource.unwrap();
    (made.id().unwrap().to_owned(), name)
}

/// Where members are shown: two in, one out with another in, then deleted.
async fn a_life(client: &Client, profile: &Profile) {
    let (group, name) = new_group(client).await;
    let (ada, bob, cyd) =
        (person(client, &unique("a")).await, person(client, &unique("b")).await, person(client, &unique("c")).await);
    change(client, profile, &group, &[&ada, &bob], &[]).await;
    change(client, profile, &group, &[&cyd], &[&ada]).await;
    let shown = client.get_group(&group, false, soon()).await.unwrap();
    let mut members: Vec<&str> = shown.members().unwrap().collect();
    members.sort_unstable();
    let mut expected = [bob.as_str(), cyd.as_str()];
    expected.sort_unstable();
    assert_eq!(members, expected);
    let found = client.find(Kind::Groups, "displayName", &name, soon()).await.unwrap().hits;
    assert_eq!(found.len(), 1);
    let listed = client.list_groups(&Start::Index(1), 100, soon()).await.unwrap();
    let listed = listed.resources.iter().find(|one| one.id() == Some(&group)).unwrap();
    assert_eq!(listed.members().map_or(0, Iterator::count), 0, "a list leaves the members out");
    client.delete(Kind::Groups, &group, soon()).await.unwrap();
    assert_eq!(client.get_group(&group, false, soon()).await.unwrap_err().class(), Class::NotFound);
}

#[tokio::test]
async fn scim2_server_shows_who_is_in_a_group() {
    let tenant = Scim2Server::shared().await.tenant();
    a_life(&client(&tenant.base_url, &tenant.token, Profile::generic()), &Profile::generic()).await;
}

#[tokio::test]
async fn libraries_show_who_is_in_a_group() {
    for tenant in [Library::scim_sdk().await.tenant(), Library::scimmy().await.tenant()] {
        a_life(&client(&tenant.base_url, &tenant.token, Profile::generic()), &Profile::generic()).await;
    }
}

#[tokio::test]
async fn aws_tells_of_one_member_at_a_time() {
    let sandbox = Sandbox::start_with(&["--dialect", "aws"]);
    let profile = Profile::aws_identity_center();
    let client = client(&sandbox.base_url, &sandbox.token, profile.clone());
    let (group, _) = new_group(&client).await;
    let (ada, bob) = (person(&client, &unique("a")).await, person(&client, &unique("b")).await);
    change(&client, &profile, &group, &[&ada, &bob], &[]).await;
    change(&client, &profile, &group, &[], &[&ada]).await;
    assert!(client.get_group(&group, false, soon()).await.unwrap().members().is_none());
    assert!(!client.is_member(&group, ada.as_str(), soon()).await.unwrap());
    assert!(client.is_member(&group, bob.as_str(), soon()).await.unwrap());
    let listed = client.list_groups(&Start::first(profile.paging), 100, soon()).await.unwrap();
    assert_eq!(listed.resources.len(), 1);
}

#[tokio::test]
async fn the_sandbox_shows_who_is_in_a_group() {
    let sandbox = Sandbox::start();
    a_life(&client(&sandbox.base_url, &sandbox.token, Profile::generic()), &Profile::generic()).await;
}

#[tokio::test]
async fn jackson_shows_nobody_and_tells_each_member_once() {
    let directory = Jackson::shared().await.new_directory("generic-scim-v2").await;
    let profile = Profile::jackson();
    let client = client(&directory.base_url, &directory.token, profile.clone());
    let (group, _) = new_group(&client).await;
    let (ada, bob) = (person(&client, "ada").await, person(&client, "bob").await);
    change(&client, &profile, &group, &[&ada, &bob], &[]).await;
    change(&client, &profile, &group, &[], &[&ada]).await;
    let shown = client.get_group(&group, false, soon()).await.unwrap();
    assert_eq!(shown.members().map_or(0, Iterator::count), 0);
    assert_eq!(directory.members(&group).await, [bob.to_string()]);
    let events = directory.events().await;
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!((count("group.user_added"), count("group.user_removed")), (2, 1));
}
