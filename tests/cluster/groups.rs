//! Groups, as users meet them: at Jackson, which shows no member, and at scim2-server, which shows all.

use serde_json::{Value, json};

use crate::kit::{PATIENCE, Place, condition, user};
use crate::support::{Front, Sandbox, Scim2Server, Tenant, eventually};

impl Place {
    /// A ScimGroup of the connection `jackson`, with these further fields.
    pub fn group(&self, name: &str, fields: Value) {
        let mut spec = json!({"connectionRef": {"name": "jackson"}, "displayName": name, "membership": "Exact"});
        for (field, value) in fields.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        self.apply(json!({
            "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup",
            "metadata": {"name": name.to_lowercase()}, "spec": spec,
        }));
    }

    pub fn labelled(&self, name: &str, team: &str, fields: Value) {
        let mut object = user(name, fields);
        object["metadata"]["labels"] = json!({"team": team});
        self.apply(object);
    }

    pub fn get_group(&self, name: &str) -> Option<Value> {
        let shown = self.kubectl(&["get", "scimgroup", name, "--ignore-not-found", "-o", "json"]);
        serde_json::from_str(&shown).ok()
    }

    /// The group, when Ready has this reason at its newest generation and its members are so many.
    pub async fn group_is(&self, name: &str, reason: &str, members: Option<(i64, i64, i64)>) -> Value {
        eventually(PATIENCE, &format!("{name} is {reason} with {members:?}"), async || {
            let group = self.get_group(name).ok_or(Value::Null)?;
            let status = &group["status"];
            let current = status["observedGeneration"] == group["metadata"]["generation"];
            let counts = members.is_none_or(|(declared, present, waiting)| {
                status["members"] == json!({"declared": declared, "present": present, "waiting": waiting})
            });
            if condition(&group, "Ready")["reason"] == reason && current && counts {
                Ok(group)
            } else {
                Err(status.clone())
            }
        })
        .await
    }

    pub async fn group_synced(&self, name: &str, members: i64) -> String {
        let group = self.group_is(name, "Synced", Some((members, members, 0))).await;
        group["status"]["id"].as_str().unwrap_or_default().to_owned()
    }

    pub fn group_is_gone(&self, name: &str) {
        self.kubectl(&["wait", "--for=delete", &format!("scimgroup/{name}"), "--timeout=90s"]);
    }

    pub async fn told(&self, event: &str) -> usize {
        self.directory.events().await.iter().filter(|one| one["event"] == event).count()
    }
}

pub async fn members(tenant: &Tenant, id: &str) -> Vec<String> {
    let (_, shown) = tenant.scim("GET", &format!("/Groups/{id}"), None).await;
    let list = shown["members"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<String> = list.iter().filter_map(|one| one["value"].as_str().map(str::to_owned)).collect();
    ids.sort_unstable();
    ids
}

pub async fn members_are(tenant: &Tenant, id: &str, expected: &[&String]) {
    let mut expected: Vec<String> = expected.iter().map(|id| (*id).clone()).collect();
    expected.sort_unstable();
    eventually(PATIENCE, "the members are those declared", async || {
        let now = members(tenant, id).await;
        if now == expected { Ok(()) } else { Err(now) }
    })
    .await;
}

#[tokio::test]
async fn i08_a_group_follows_its_object_and_is_handed_over_by_a_deleted_one_alone() {
    let sandbox = Sandbox::start();
    let delete = json!({"deletionPolicy": {"groups": "Delete"}});
    let place = Place::at(&sandbox.base_url, &sandbox.token, delete).await;
    place.group("alpha", json!({}));
    let alpha = place.group_synced("alpha", 0).await;
    // One commit renames it, and declares its name anew.
    let group = |name: &str, display_name: &str| {
        let spec = json!({"connectionRef": {"name": "jackson"}, "displayName": display_name, "membership": "Exact"});
        json!({
            "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {"name": name}, "spec": spec,
        })
    };
    let items = [group("beta", "alpha"), group("alpha", "omega")];
    place.apply(json!({"apiVersion": "v1", "kind": "List", "items": items}));
    let beta = place.group_synced("beta", 0).await;
    assert_eq!(place.group_synced("alpha", 0).await, alpha);
    assert_ne!(beta, alpha);
    // Its manifest moves.
    place.apply(group("moved", "omega"));
    place.group_is("moved", "Conflict", None).await;
    place.kubectl(&["delete", "scimgroup", "alpha", "--timeout=90s"]);
    assert_eq!(place.group_synced("moved", 0).await, alpha);
    let moved = place.get_group("moved").expect("moved");
    assert_eq!(moved["status"]["lastOperation"]["type"], "Handover");
}

#[tokio::test]
async fn jackson_is_told_of_each_member_once_and_of_nothing_at_rest() {
    let place = Place::connected(json!({})).await;
    place.labelled("ada", "platform", json!({}));
    place.labelled("bob", "platform", json!({}));
    place.user("cyd", json!({}));
    // Before everybody has an account: who has one is in, the others follow by themselves.
    let members = json!([{"userRef": {"name": "cyd"}}, {"userRef": {"name": "eve"}}, {"userName": "fay@example.com"}]);
    let selector = json!({"matchLabels": {"team": "platform"}});
    place.group("Platform", json!({"members": members, "memberSelector": selector}));
    let group = place.group_is("platform", "Pending", Some((5, 3, 2))).await;
    let id = group["status"]["id"].as_str().expect("its id").to_owned();
    assert_eq!(group["status"]["waitingFor"], json!(["eve", "fay@example.com"]), "{group}");
    place.user("eve", json!({}));
    place.user("fay", json!({}));
    place.group_synced("platform", 5).await;
    assert_eq!(place.directory.members(&id).await.len(), 5);
    assert_eq!(place.told("group.user_added").await, 5);
    // The record lies with the members.
    let ada = place.get("ada").await.expect("ada");
    assert_eq!(ada["status"]["groups"], json!({&id: ada["status"]["id"]}), "{ada}");

    // At rest nothing is written, neither there nor here.
    place.sweeps(2).await;
    let (writes, objects) = (place.directory.writes().await.len(), place.cluster.writes(&place.namespace).len());
    place.sweeps(2).await;
    assert_eq!(place.directory.writes().await.len(), writes);
    let later = place.cluster.writes(&place.namespace).split_off(objects);
    assert!(later.iter().all(|event| event["objectRef"]["resource"] == "scimconnections"), "{later:?}");

    // A label away is a membership away; a rename is an update of the same id.
    place.kubectl(&["label", "scimuser", "ada", "team-"]);
    place.group_synced("platform", 4).await;
    assert_eq!(place.told("group.user_removed").await, 1);
    assert_eq!(place.directory.members(&id).await.len(), 4);
    let kubectl = json!({"spec": {"displayName": "Platform Team"}}).to_string();
    place.kubectl(&["patch", "scimgroup", "platform", "--type=merge", "-p", &kubectl]);
    assert_eq!(place.group_synced("platform", 4).await, id);
    assert_eq!(place.directory.groups().await[0]["name"], "Platform Team");
    assert_eq!(place.told("group.user_added").await, 5);
}

#[tokio::test]
async fn i17_deactivated_first_then_out_of_its_groups_then_deleted() {
    let place = Place::connected(json!({"deletionPolicy": {"users": "Delete"}})).await;
    place.labelled("ada", "platform", json!({}));
    place.labelled("bob", "platform", json!({}));
    place.group("Platform", json!({"memberSelector": {"matchLabels": {"team": "platform"}}}));
    place.synced("ada").await;
    let group = place.group_synced("platform", 2).await;
    let before = place.directory.events().await.len();
    place.kubectl(&["delete", "scimuser", "ada", "--timeout=90s"]);
    let told: Vec<String> =
        place.directory.events().await[before..].iter().map(|one| one["event"].to_string()).collect();
    assert_eq!(told, [r#""user.updated""#, r#""group.user_removed""#, r#""user.deleted""#]);
    assert_eq!(place.directory.members(&group).await.len(), 1);
    place.group_synced("platform", 1).await;
}

#[tokio::test]
async fn i18_whoever_merely_vanished_stays_for_one_interval() {
    let place = Place::connected(json!({})).await;
    place.labelled("ada", "platform", json!({"deletionPolicy": "Retain"}));
    place.labelled("bob", "platform", json!({}));
    place.group("Platform", json!({"memberSelector": {"matchLabels": {"team": "platform"}}}));
    let group = place.group_synced("platform", 2).await;
    let ada = place.synced("ada").await;
    place.kubectl(&["delete", "scimuser", "ada", "--timeout=90s"]);
    let shown = place.get_group("platform").expect("the group");
    assert!(shown["status"]["leaving"][&ada].is_string(), "{shown}");
    assert_eq!(place.directory.members(&group).await.len(), 2, "not at once");
    place.group_synced("platform", 1).await;
    assert_eq!(place.directory.members(&group).await.len(), 1);
    let shown = place.get_group("platform").expect("the group");
    assert_eq!(shown["status"]["leaving"].as_object().map_or(0, serde_json::Map::len), 0, "{shown}");
}

#[tokio::test]
async fn scim2_server_drift_is_shown_and_repaired() {
    let tenant = Scim2Server::shared().await.tenant();
    let front = Front::before(&tenant.base_url, &tenant.token).open();
    let place = Place::at(&front.base_url, "any", json!({})).await;
    place.labelled("ada", "platform", json!({}));
    place.labelled("bob", "platform", json!({}));
    let (ada, bob) = (place.synced("ada").await, place.synced("bob").await);
    front.take();
    place.group("Platform", json!({"memberSelector": {"matchLabels": {"team": "platform"}}, "externalId": "team-1"}));
    let id = place.group_synced("platform", 2).await;
    members_are(&tenant, &id, &[&ada, &bob]).await;
    let writes: Vec<String> = front.take_writes().iter().map(|request| request.method.clone()).collect();
    assert_eq!(writes, ["POST", "PATCH"], "created empty, then both at once");
    // They were seen to be in: who never is may be one whom the server doesn't keep.
    place.sweeps(2).await;

    // Somebody else takes one out and puts a stranger in.
    let (_, stranger) = tenant
        .scim(
            "POST",
            "/Users",
            Some(json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "stranger@example.com",
            })),
        )
        .await;
    let remove = json!({"op": "remove", "path": format!("members[value eq \"{ada}\"]")});
    let add = json!({"op": "add", "path": "members", "value": [{"value": stranger["id"]}]});
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [remove, add]});
    let (status, answer) = tenant.scim("PATCH", &format!("/Groups/{id}"), Some(body.clone())).await;
    assert!(status < 300, "{answer}");
    members_are(&tenant, &id, &[&ada, &bob]).await;
    place.group_synced("platform", 2).await;

    // Reported, it is shown and left.
    place.patch_connection(json!({"driftPolicy": {"attributes": "Report"}}));
    place.sweeps(2).await;
    tenant.scim("PATCH", &format!("/Groups/{id}"), Some(body)).await;
    let drifted = place.group_is("platform", "Drifted", None).await;
    assert_eq!(drifted["status"]["drift"], json!({"lost": 1, "foreign": 1}), "{drifted}");
    assert_eq!(condition(&drifted, "Ready")["status"], "True");
}

#[tokio::test]
async fn adoption_is_refused_unless_declared_and_deletion_follows_policy() {
    let tenant = Scim2Server::shared().await.tenant();
    let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Platform"});
    let (status, there) = tenant.scim("POST", "/Groups", Some(body)).await;
    assert_eq!(status, 201, "{there}");
    let there = there["id"].as_str().expect("its id").to_owned();
    let place = Place::at(&tenant.base_url, &tenant.token, json!({})).await;
    place.group("Platform", json!({}));
    place.group_is("platform", "AdoptionRefused", None).await;
    // Refused, it may go, and nothing was begun.
    place.kubectl(&["annotate", "scimgroup", "platform", &format!("scim-operator.dev/remote-id={there}")]);
    assert_eq!(place.group_synced("platform", 0).await, there);
    place.apply(json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {"name": "second"},
        "spec": {"connectionRef": {"name": "jackson"}, "displayName": "Platform", "membership": "Additive"},
    }));
    place.group_is("second", "Conflict", None).await;
    place.kubectl(&["delete", "scimgroup", "second", "--timeout=60s"]);

    // Retain is the default; Delete is asked for.
    place.kubectl(&["delete", "scimgroup", "platform", "--timeout=60s"]);
    assert_eq!(tenant.scim("GET", &format!("/Groups/{there}"), None).await.0, 200);
    place.patch_connection(json!({"adoptionPolicy": {"groups": "Adopt"}, "deletionPolicy": {"groups": "Delete"}}));
    place.group("Platform", json!({}));
    assert_eq!(place.group_synced("platform", 0).await, there);
    place.kubectl(&["delete", "scimgroup", "platform", "--wait=false"]);
    place.group_is_gone("platform");
    assert_eq!(tenant.scim("GET", &format!("/Groups/{there}"), None).await.0, 404);
}

#[tokio::test]
async fn i13_too_many_members_taken_out_are_held_and_others_put_in_meanwhile() {
    let place = Place::connected(json!({"guards": {"memberships": {"minCount": 1, "maxPercent": 0}}})).await;
    for name in ["ada", "bob", "cyd"] {
        place.labelled(name, "platform", json!({}));
    }
    place.group("Platform", json!({"memberSelector": {"matchLabels": {"team": "platform"}}}));
    let id = place.group_synced("platform", 3).await;
    place.kubectl(&["label", "scimuser", "ada", "bob", "team-"]);
    place.labelled("dan", "platform", json!({}));
    let held = place.group_is("platform", "Held", None).await;
    eventually(PATIENCE, "dan is in", async || match place.directory.members(&id).await.len() {
        4 => Ok(()),
        other => Err(other),
    })
    .await;
    assert_eq!(held["status"]["state"], "Held");
    let hold = place.hold_id().await;
    let status = place.get_connection().await["status"].clone();
    assert_eq!(status["holds"][0]["memberships"], 2, "{status}");
    place.answer("approvedHold", &hold);
    place.group_synced("platform", 2).await;
    assert_eq!(place.directory.members(&id).await.len(), 2);
    assert_eq!(place.told("group.user_removed").await, 2);
}

#[tokio::test]
async fn a_server_without_groups_is_said_at_the_group_and_disturbs_nobody() {
    let sandbox = Sandbox::start();
    let fault = json!([{"match": {"path_prefix": "/Groups"}, "fault": {"kind": "status", "code": 404}}]);
    sandbox.admin("POST", "/faults", Some(fault)).await;
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
    place.group("Platform", json!({}));
    let group = place.group_is("platform", "NotSupported", None).await;
    assert_eq!(group["metadata"]["finalizers"], Value::Null, "nothing was begun: {group}");
    place.user("ada", json!({}));
    place.synced("ada").await;
    place.sweeps(1).await;
    place.connection_is("Connected").await;
}
