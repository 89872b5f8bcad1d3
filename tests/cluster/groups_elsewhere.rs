//! Groups at further services, each in its own ways, and what others do to them.

use futures::{StreamExt, TryStreamExt};
use kube::Api;
use kube::runtime::{WatchStreamExt, watcher};
use scim_operator::api::ScimGroup;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::elsewhere::with;
use crate::groups::{members, members_are};
use crate::kit::{PATIENCE, Place, condition};
use crate::support::{Front, Library, Sandbox, Scim2Server, Tenant, eventually};

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

async fn at(dialect: &str, provider: &str, fields: Value) -> (Tenant, Sandbox, Front, Place) {
    let sandbox = Sandbox::start_with(&["--dialect", dialect]);
    let front = Front::before(&sandbox.base_url, &sandbox.token).open();
    let place = Place::at(&front.base_url, "any", with(json!({"provider": provider}), fields)).await;
    let tenant = Tenant { base_url: sandbox.base_url.clone(), token: sandbox.token.clone() };
    (tenant, sandbox, front, place)
}

/// A group that somebody made by hand; returns its id.
async fn made_by_hand(tenant: &Tenant, name: &str) -> String {
    let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name});
    let (status, made) = tenant.scim("POST", "/Groups", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().expect("its id").to_owned()
}

async fn patched_by_hand(tenant: &Tenant, id: &str, operations: Value) {
    let body = json!({"schemas": [PATCH_OP], "Operations": operations});
    let (status, answer) = tenant.scim("PATCH", &format!("/Groups/{id}"), Some(body)).await;
    assert!(status < 300, "{answer}");
}

async fn everybody(place: &Place, names: &[&str]) -> Vec<String> {
    for name in names {
        place.labelled(name, "platform", json!({"displayName": name}));
    }
    let mut ids = Vec::new();
    for name in names {
        ids.push(place.synced(name).await);
    }
    ids
}

fn platform() -> Value {
    json!({"memberSelector": {"matchLabels": {"team": "platform"}}})
}

/// The first drift that a group's status shows from now on.
fn drifts(place: &Place, name: &str) -> JoinHandle<Value> {
    let api: Api<ScimGroup> = Api::namespaced(place.cluster.client(), &place.namespace);
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    tokio::spawn(async move {
        let mut seen = watcher(api, config).applied_objects().boxed();
        while let Ok(Some(group)) = seen.try_next().await {
            if let Some(drift) = group.status.and_then(|status| status.drift) {
                return json!(drift);
            }
        }
        Value::Null
    })
}

async fn first(drift: JoinHandle<Value>) -> Value {
    timeout(PATIENCE, drift).await.expect("a drift in time").expect("a drift")
}

async fn is_member(tenant: &Tenant, group: &str, member: &str) -> bool {
    let filter = format!("id%20eq%20%22{group}%22%20and%20members%20eq%20%22{member}%22");
    let (_, found) = tenant.scim("GET", &format!("/Groups?filter={filter}"), None).await;
    found["totalResults"] == 1
}

#[tokio::test]
async fn aws_is_told_values_and_asked_for_members_one_by_one() {
    let (tenant, _sandbox, front, place) =
        at("aws", "AwsIdentityCenter", json!({"dialect": {"maxMembersPerPatch": 2}})).await;
    let ids = everybody(&place, &["ada", "bob", "cyd"]).await;
    front.take();
    place.group("Platform", with(platform(), json!({"externalId": "team-1"})));
    let group = place.group_synced("platform", 3).await;
    let writes: Vec<String> = front.take_writes().iter().map(|seen| seen.method.clone()).collect();
    assert_eq!(writes, ["POST", "PATCH", "PATCH"], "two members a request");
    for id in &ids {
        assert!(is_member(&tenant, &group, id).await);
    }
    place.sweeps(2).await;
    let rest = front.take();
    assert!(rest.iter().all(|seen| seen.method == "GET"), "{rest:?}");
    assert!(rest.iter().any(|seen| seen.query.contains("members%20eq")), "nobody was asked for: {rest:?}");

    // Somebody else takes one out: it is seen though the server shows no members, told, and put back.
    let drift = drifts(&place, "platform");
    patched_by_hand(&tenant, &group, json!([{"op": "remove", "path": "members", "value": [{"value": ids[0]}]}])).await;
    assert_eq!(first(drift).await, json!({"lost": 1, "foreign": 0}));
    eventually(
        PATIENCE,
        "ada is in again",
        async || {
            if is_member(&tenant, &group, &ids[0]).await { Ok(()) } else { Err(()) }
        },
    )
    .await;
    place.group_synced("platform", 3).await;
    front.take();

    // Taken out by value, and nobody else with them.
    place.kubectl(&["label", "scimuser", "ada", "team-"]);
    place.group_synced("platform", 2).await;
    assert!(!is_member(&tenant, &group, &ids[0]).await && is_member(&tenant, &group, &ids[1]).await);
    assert_eq!(front.take_writes().len(), 1);
    let effective = place.get_connection().await["status"]["effective"]["dialect"].clone();
    assert_eq!((&effective["memberRemoval"], &effective["membersReadable"]), (&json!("Values"), &json!("Probe")));
}

#[tokio::test]
async fn a_datadog_team_is_unlinked_by_deletion_and_says_so_before() {
    let policy = json!({"deletionPolicy": {"groups": "Delete"}, "guards": {"protected": ["svc@example.com"]}});
    let (tenant, sandbox, _front, place) = at("datadog", "Datadog", policy).await;
    let ids = everybody(&place, &["ada", "bob"]).await;
    place.group("Platform", with(platform(), json!({"externalId": "team-1"})));
    let group = place.group_synced("platform", 2).await;
    members_are(&tenant, &group, &[&ids[0], &ids[1]]).await;
    let (_, shown) = tenant.scim("GET", &format!("/Groups/{group}"), None).await;
    assert_eq!(shown["externalId"], "team-1");
    let message = condition(&place.get_group("platform").expect("the group"), "Ready")["message"].to_string();
    assert!(message.contains("unlinks it"), "{message}");
    place.kubectl(&["label", "scimuser", "ada", "team-"]);
    place.group_synced("platform", 1).await;
    members_are(&tenant, &group, &[&ids[1]]).await;
    place.kubectl(&["delete", "scimgroup", "platform", "--timeout=90s"]);
    assert_eq!(tenant.scim("GET", &format!("/Groups/{group}"), None).await.0, 404);

    // A team that exists elsewhere, and that SCIM doesn't show: said at this group alone.
    let matches = json!({"method": "POST", "path_prefix": "/Groups"});
    let words = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "409", "detail": "handle is taken"});
    let fault = json!([{"match": matches, "fault": {"kind": "status", "code": 409, "body": words}}]);
    sandbox.admin("POST", "/faults", Some(fault)).await;
    place.group("Security", json!({}));
    let refused = place.group_is("security", "Conflict", None).await;
    assert_eq!(refused["metadata"]["finalizers"], Value::Null, "nothing was begun: {refused}");
    let message = condition(&refused, "Ready")["message"].to_string();
    assert!(message.contains("exists already") && message.contains("The server's words: handle is taken"), "{message}");
    place.group("Nested", json!({"members": [{"groupRef": {"name": "security"}}]}));
    let nested = place.group_is("nested", "NotSupported", None).await;
    assert!(condition(&nested, "Ready")["message"].to_string().contains("groupRef names security"), "{nested}");
    place.user("cyd", json!({}));
    place.synced("cyd").await;
}

#[tokio::test]
async fn a_group_within_a_group_is_waited_for_and_linked() {
    let tenant = Scim2Server::shared().await.tenant();
    let place = Place::at(&tenant.base_url, &tenant.token, json!({})).await;
    place.user("ada", json!({}));
    let ada = place.synced("ada").await;
    let all = json!([{"groupRef": {"name": "inner"}}, {"userRef": {"name": "ada"}}]);
    place.group("Outer", json!({"members": all}));
    let waiting = place.group_is("outer", "Pending", Some((2, 1, 1))).await;
    assert_eq!(waiting["status"]["waitingFor"], json!(["group inner"]), "{waiting}");
    place.group("Inner", json!({}));
    let inner = place.group_synced("inner", 0).await;
    let outer = place.group_synced("outer", 2).await;
    members_are(&tenant, &outer, &[&ada, &inner]).await;
    place.group("Outer", json!({"members": [{"groupRef": {"name": "inner"}}]}));
    place.group_synced("outer", 1).await;
    members_are(&tenant, &outer, &[&inner]).await;
}

#[tokio::test]
async fn members_that_vanish_are_told_before_they_are_put_back() {
    let tenant = Scim2Server::shared().await.tenant();
    let place = Place::at(&tenant.base_url, &tenant.token, json!({})).await;
    let ids = everybody(&place, &["ada", "bob", "cyd"]).await;
    place.group("Platform", platform());
    let group = place.group_synced("platform", 3).await;
    let drift = drifts(&place, "platform");
    let gone = ids[..2].iter().map(|id| json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")}));
    patched_by_hand(&tenant, &group, gone.collect()).await;
    assert_eq!(first(drift).await, json!({"lost": 2, "foreign": 0}));
    members_are(&tenant, &group, &[&ids[0], &ids[1], &ids[2]]).await;
    let quiet = place.group_is("platform", "Synced", Some((3, 3, 0))).await;
    assert_eq!(quiet["status"]["drift"], Value::Null, "{quiet}");
}

/// The same life at libraries that double a member who is added twice: nobody is.
#[tokio::test]
async fn each_library_has_everybody_once() {
    for tenant in [Library::scim_sdk().await.tenant(), Library::scimmy().await.tenant()] {
        let place = Place::at(&tenant.base_url, &tenant.token, json!({})).await;
        let ids = everybody(&place, &["ada", "bob", "cyd"]).await;
        place.group("Platform", platform());
        let group = place.group_synced("platform", 3).await;
        members_are(&tenant, &group, &[&ids[0], &ids[1], &ids[2]]).await;
        place.kubectl(&["label", "scimuser", "bob", "team-"]);
        place.group_synced("platform", 2).await;
        place.sweeps(2).await;
        assert_eq!(members(&tenant, &group).await.len(), 2);
        members_are(&tenant, &group, &[&ids[0], &ids[2]]).await;
    }
}

#[tokio::test]
async fn additive_leaves_whom_others_brought_in() {
    let tenant = Scim2Server::shared().await.tenant();
    let place = Place::at(&tenant.base_url, &tenant.token, json!({"adoptionPolicy": {"groups": "Adopt"}})).await;
    let ids = everybody(&place, &["ada", "bob"]).await;
    place.user("eve", json!({}));
    let eve = place.synced("eve").await;
    let group = made_by_hand(&tenant, "Platform").await;
    patched_by_hand(&tenant, &group, json!([{"op": "add", "path": "members", "value": [{"value": eve}]}])).await;
    place.group("Platform", with(platform(), json!({"membership": "Additive"})));
    members_are(&tenant, &group, &[&ids[0], &ids[1], &eve]).await;
    place.kubectl(&["label", "scimuser", "ada", "bob", "team-"]);
    members_are(&tenant, &group, &[&eve]).await;
}

/// As Ory Polis answers `includeMembers=true`.
#[tokio::test]
async fn members_that_are_shown_on_request_are_asked_for() {
    let fields = json!({"dialect": {"membersReadable": "OnRequest"}});
    let (tenant, _sandbox, front, place) = at("polis", "Jackson", fields).await;
    let ids = everybody(&place, &["ada", "bob"]).await;
    place.group("Platform", platform());
    let group = place.group_synced("platform", 2).await;
    front.take();
    place.sweeps(2).await;
    let rest = front.take();
    assert!(rest.iter().all(|seen| seen.method == "GET"), "{rest:?}");
    assert!(rest.iter().any(|seen| seen.query.contains("includeMembers=true")), "{rest:?}");
    let drift = drifts(&place, "platform");
    let gone = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", ids[0])}]);
    patched_by_hand(&tenant, &group, gone).await;
    assert_eq!(first(drift).await, json!({"lost": 1, "foreign": 0}));
    let asked = format!("/Groups/{group}?includeMembers=true");
    eventually(PATIENCE, "both are in", async || {
        let (_, shown) = tenant.scim("GET", &asked, None).await;
        if shown["members"].as_array().map(Vec::len) == Some(2) { Ok(()) } else { Err(shown) }
    })
    .await;
    place.group_synced("platform", 2).await;
}

#[tokio::test]
async fn i13_groups_deleted_at_once_are_held() {
    let tenant = Scim2Server::shared().await.tenant();
    let guards = json!({"groups": {"minCount": 1, "maxPercent": 0}});
    let fields = json!({"deletionPolicy": {"groups": "Delete"}, "guards": guards});
    let place = Place::at(&tenant.base_url, &tenant.token, fields).await;
    let names = ["a", "b", "c"];
    let mut ids = Vec::new();
    for name in names {
        place.group(name, json!({}));
    }
    for name in names {
        ids.push(place.group_synced(name, 0).await);
    }
    let there = async || {
        let mut count = 0;
        for id in &ids {
            count += usize::from(tenant.scim("GET", &format!("/Groups/{id}"), None).await.0 == 200);
        }
        count
    };
    place.kubectl(&["delete", "scimgroup", "a", "b", "c", "--wait=false"]);
    let hold = place.hold_id().await;
    assert_eq!(there().await, 3, "none goes unseen");
    place.answer("approvedHold", &hold);
    for name in names {
        place.group_is_gone(name);
    }
    assert_eq!(there().await, 0);
}
