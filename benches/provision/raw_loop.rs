//! The plain loop that the operator is compared with.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use scim_operator::api::{CLAIMED_ACCOUNT, FINALIZER, GROUP, ScimUser, VERSION};
use serde_json::{Value, json};

use crate::measured::{Server, requests, total};
use crate::saved::Run;
use crate::support::{ControlPlane, Sandbox, http, waiting};
use crate::{CONCURRENCY, attributes, create_users, name, remove_users};

/// What the operator does for a new person, and no more: finalizer, POST, status. The objects are as the operator finds
/// them, with the status of those who wait; and as the operator does, the loop is told of each change and keeps the objects.
pub async fn raw_loop(run: &mut Run, cluster: &ControlPlane, users: usize, column: &str) -> Duration {
    let namespace = cluster.namespace().await;
    create_users(cluster, &namespace, users).await;
    let sandbox = Sandbox::start();
    let api: Api<ScimUser> = Api::namespaced(cluster.client(), &namespace);
    let client = http();
    let url = format!("{}/Users", sandbox.base_url);
    let apply = PatchParams::apply("scim-operator").force();
    stream::iter(0..users)
        .for_each_concurrent(2 * CONCURRENCY, async |n| {
            let waiting = Patch::Apply(waiting(&name(n)));
            api.patch_status(&name(n), &apply, &waiting).await.expect("a status");
        })
        .await;
    let listed = api.list(&ListParams::default()).await.expect("the objects").items;
    assert_eq!(listed.len(), users);
    let watcher = watch(&api, users).await;
    let server = Server::now(cluster).await;
    let began = Instant::now();
    stream::iter(listed)
        .for_each_concurrent(CONCURRENCY, async |user| {
            let name = user.metadata.name.as_deref().unwrap();
            let finalizer = json!({"metadata": {
                "resourceVersion": user.metadata.resource_version, "finalizers": [FINALIZER],
                "annotations": {CLAIMED_ACCOUNT: json!({"userName": user.spec.user_name}).to_string()},
            }});
            api.patch(name, &PatchParams::default(), &Patch::Merge(&finalizer)).await.expect("a finalizer");
            let mut body = attributes(name);
            body["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:User"]);
            let answer = client
                .post(&url)
                .bearer_auth(&sandbox.token)
                .header("content-type", "application/scim+json")
                .body(body.to_string())
                .send()
                .await
                .expect("an answer");
            assert_eq!(answer.status(), 201);
            let account: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
            api.patch_status(name, &apply, &Patch::Apply(&status(&user, &account))).await.expect("a status");
        })
        .await;
    let took = began.elapsed();
    eprintln!("{users} users: the loop took {:.1} s", took.as_secs_f64());
    server.until_now(run, cluster, "plain loop", users, column).await;
    watcher.abort();
    assert_eq!(total(&requests(&sandbox).await, "POST"), users as u64);
    remove_users(cluster, &namespace, users).await;
    took
}

/// As large as what the operator writes.
fn status(user: &ScimUser, account: &Value) -> Value {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = |kind: &str| {
        json!({"type": kind, "status": "True", "reason": "Synced", "message": "The account is as declared",
            "observedGeneration": 1, "lastTransitionTime": now})
    };
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "ScimUser",
        "metadata": {"name": user.metadata.name, "uid": user.metadata.uid},
        "status": {
            "observedGeneration": 1,
            "state": "Active",
            "id": account["id"],
            "boundTo": "0000000000000000",
            "userName": account["userName"],
            "active": true,
            "lastAppliedActive": true,
            "lastOperation": {"type": "Create", "at": now},
            "managedAttributes": ["displayName", "emails", "externalId", "name.familyName", "name.givenName",
                "preferredLanguage", "title"],
            "conditions": [condition("Ready")],
        },
    })
}

/// Keeps these objects from now on, by a watch.
async fn watch(api: &Api<ScimUser>, users: usize) -> tokio::task::JoinHandle<()> {
    let (store, writer) = reflector::store();
    let watched = watcher(api.clone(), watcher::Config::default()).reflect(writer).applied_objects();
    let task = tokio::spawn(watched.for_each(|event| async { drop(event.expect("an event")) }));
    store.wait_until_ready().await.expect("a list");
    assert_eq!(store.len(), users);
    task
}
