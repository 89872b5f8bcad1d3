//! Every part that other tests stand on starts, and answers as itself.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::process::Command;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::json;

use support::{ControlPlane, Jackson, Scim2Server, eventually};

#[tokio::test]
async fn control_plane_has_rbac_controllers_and_a_memory() {
    let cluster = ControlPlane::shared().await;
    let namespace = cluster.namespace().await;
    cluster.apply(
        &namespace,
        r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"b": "c"}}"#,
    );
    let kubeconfig = cluster.kubeconfig_for_service_account(&namespace, "nobody");
    let nobody: Api<ConfigMap> = Api::namespaced(cluster.client_with(&kubeconfig), &namespace);
    let refused = nobody.list(&ListParams::default()).await.expect_err("RBAC is on");
    assert!(matches!(refused, kube::Error::Api(ref status) if status.code == 403), "{refused}");

    let namespaces: Api<Namespace> = Api::all(cluster.client());
    namespaces.delete(&namespace, &DeleteParams::default()).await.expect("a deletion");
    eventually(Duration::from_secs(60), "the namespace is gone", async || {
        match namespaces.get_opt(&namespace).await.expect("an answer") {
            None => Ok(()),
            Some(still_there) => Err(still_there.status),
        }
    })
    .await;

    // In the same test, as it would be felt by any other that runs beside it.
    let namespace = cluster.namespace().await;
    cluster.restart_apiserver().await;
    let namespaces: Api<Namespace> = Api::all(cluster.client());
    namespaces.get(&namespace).await.expect("what was there before");
}

#[tokio::test]
async fn jackson_keeps_directories_apart_and_shows_its_store() {
    let jackson = Jackson::shared().await;
    let directory = jackson.new_directory("generic-scim-v2").await;
    let other = jackson.new_directory("azure-scim-v2").await;
    assert!(other.base_url.contains('?'), "{}", other.base_url);

    let ada = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "ada@example.com",
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
        "emails": [{"value": "ada@example.com", "primary": true}],
        "active": true,
    });
    let (status, made) = directory.scim("POST", "/Users", Some(ada)).await;
    assert_eq!(status, 201, "{made}");
    let users = directory.users().await;
    assert_eq!(users.len(), 1);
    assert_eq!(users[0]["raw"]["userName"], "ada@example.com");
    assert_eq!(other.users().await, Vec::<serde_json::Value>::new());
    assert_eq!(directory.events().await[0]["event"], "user.created");
    assert_eq!(directory.writes().await.len(), 1);

    directory.deactivate().await;
    assert_eq!(directory.scim("GET", "/Users", None).await, (200, json!({})));
    directory.activate().await;
    let (_, list) = directory.scim("GET", "/Users", None).await;
    assert_eq!(list["totalResults"], 1);
}

#[tokio::test]
async fn scim2_server_keeps_tenants_apart() {
    let server = Scim2Server::shared().await;
    let (one, two) = (server.tenant(), server.tenant());
    let ada = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "ada@example.com",
    });
    let (status, made) = one.scim("POST", "/Users", Some(ada)).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(one.scim("GET", "/Users", None).await.1["totalResults"], 1);
    assert_eq!(two.scim("GET", "/Users", None).await.1["totalResults"], 0);
}

#[test]
fn conformance_tools_are_there() {
    for tool in ["python/bin/scim2", "python/bin/scim-sanity"] {
        let asked = Command::new(support::part(tool)).arg("--help").output().unwrap();
        assert!(asked.status.success(), "{tool}: {asked:?}");
    }
}
