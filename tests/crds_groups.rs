//! Bad groups are refused at `kubectl apply`, with words that say what to write instead (promise I29).

#![allow(missing_docs)]

mod support;

use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use scim_operator::api::{ScimConnection, ScimGroup};
use serde_json::{Value, json};

use support::ControlPlane;

async fn takes<K: kube::Resource<DynamicType = ()>>(object: &Value) -> Result<Value, String> {
    let cluster = ControlPlane::shared().await;
    let object: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client(), "default", &ApiResource::erase::<K>(&()));
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    match api.create(&dry_run, &object).await {
        Ok(taken) => Ok(taken.data["spec"].clone()),
        Err(kube::Error::Api(refusal)) => Err(refusal.message),
        Err(error) => panic!("{error}"),
    }
}

fn group(fields: &Value) -> Value {
    let mut spec = json!({"connectionRef": {"name": "a"}, "displayName": "Platform", "membership": "Exact"});
    for (name, value) in fields.as_object().into_iter().flatten() {
        match value {
            Value::Null => {
                spec.as_object_mut().expect("an object").remove(name);
            }
            value => spec[name] = value.clone(),
        }
    }
    json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {"name": "g"}, "spec": spec})
}

#[tokio::test]
async fn i29_bad_groups_are_refused() {
    ControlPlane::shared().await.install_crds().await;
    let one_kind = "exactly one of userRef, groupRef, userName and id";
    let many: Vec<Value> = (0..1001).map(|n| json!({"id": n.to_string()})).collect();
    for (fields, expected) in [
        (json!({"membership": null}), "spec.membership: Required value"),
        (json!({"membership": "Some"}), "spec.membership"),
        (json!({"displayName": ""}), "spec.displayName"),
        (json!({"displayName": " Platform"}), "spec.displayName"),
        (json!({"connectionRef": null}), "spec.connectionRef: Required value"),
        (json!({"members": [{}]}), one_kind),
        (json!({"members": [{"id": "1", "userName": "ada"}]}), one_kind),
        (json!({"members": [{"userRef": {"name": "A B"}}]}), "spec.members[0].userRef.name"),
        (json!({"members": many}), "at most 1000"),
        (json!({"memberSelector": {}}), "matchLabels: Required value"),
        (json!({"memberSelector": {"matchLabels": {}}}), "at least 1"),
        (json!({"deletionPolicy": "Deactivate"}), "spec.deletionPolicy"),
    ] {
        let refusal = takes::<ScimGroup>(&group(&fields)).await.expect_err(&fields.to_string());
        assert!(refusal.contains(expected), "{fields}: {refusal}");
    }
}

#[tokio::test]
async fn good_groups_are_taken_and_defaults_stand_in_the_schema() {
    ControlPlane::shared().await.install_crds().await;
    let members = json!([{"userRef": {"name": "ada"}}, {"groupRef": {"name": "g"}}, {"userName": "x@y"}, {"id": "1"}]);
    for fields in [
        json!({}),
        json!({"membership": "Additive", "externalId": "1", "deletionPolicy": "Retain", "members": members}),
        json!({"memberSelector": {"matchLabels": {"team": "platform"}}}),
    ] {
        takes::<ScimGroup>(&group(&fields)).await.unwrap_or_else(|refusal| panic!("{fields}: {refusal}"));
    }
    let connection = json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimConnection", "metadata": {"name": "a"},
        "spec": {
            "baseUrl": "https://scim.example.com/scim/v2",
            "auth": {"bearerToken": {"secretKeyRef": {"name": "scim", "key": "token"}}},
            "guards": {"memberships": {"minCount": 10}},
            "dialect": {"memberRemoval": "Values", "maxMembersPerPatch": 50, "membersReadable": "OnRequest"},
        },
    });
    let spec = takes::<ScimConnection>(&connection).await.expect("it is good");
    assert_eq!(spec["adoptionPolicy"]["groups"], "Refuse");
    assert_eq!(spec["deletionPolicy"]["groups"], "Retain");
    assert_eq!(spec["guards"]["memberships"]["maxPercent"], 20);
    assert_eq!((&spec["guards"]["groups"]["minCount"], &spec["guards"]["groups"]["maxCount"]), (&json!(2), &json!(50)));
}
