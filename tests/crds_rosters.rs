//! Bad rosters are refused at `kubectl apply`, with words that say what to write instead (promise I29).

#![allow(missing_docs)]

mod support;

use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use scim_operator::api::ScimRoster;
use serde_json::{Value, json};

use support::ControlPlane;

async fn takes(object: &Value) -> Result<Value, String> {
    let cluster = ControlPlane::shared().await;
    let object: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
    let api: Api<DynamicObject> =
        Api::namespaced_with(cluster.client(), "default", &ApiResource::erase::<ScimRoster>(&()));
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    match api.create(&dry_run, &object).await {
        Ok(taken) => Ok(taken.data["spec"].clone()),
        Err(kube::Error::Api(refusal)) => Err(refusal.message),
        Err(error) => panic!("{error}"),
    }
}

fn roster(fields: &Value) -> Value {
    let mut spec = json!({
        "connectionRef": {"name": "a"}, "source": {"inline": [{"a": 1}]}, "preset": "EntraDatadog",
    });
    for (name, value) in fields.as_object().into_iter().flatten() {
        match value {
            Value::Null => {
                spec.as_object_mut().expect("an object").remove(name);
            }
            value => spec[name] = value.clone(),
        }
    }
    json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "r"}, "spec": spec})
}

#[tokio::test]
async fn i29_bad_rosters_are_refused() {
    ControlPlane::shared().await.install_crds().await;
    let one_source = "exactly one of source.inline, source.configMaps and source.secrets";
    let rows: Vec<Value> = (0..1001).map(|n| json!({"n": n})).collect();
    for (fields, expected) in [
        (json!({"source": {}}), one_source),
        (json!({"source": {"inline": [], "secrets": {"names": ["a"]}}}), one_source),
        (json!({"source": {"configMaps": {}}}), "exactly one of names, namePrefix and selector"),
        (json!({"source": {"configMaps": {"selector": {"matchLabels": {}}}}}), "at least 1"),
        (json!({"source": {"configMaps": {"names": ["A b"]}}}), "spec.source.configMaps.names[0]"),
        (json!({"source": {"inline": rows}}), "at most 1000"),
        (json!({"preset": "Entra"}), "spec.preset"),
        (json!({"preset": null}), "a preset, or a mapping with target: userName"),
        (
            json!({"mappings": [{"target": "title", "value": "1"}, {"target": "title", "value": "2"}]}),
            "Duplicate value",
        ),
        (json!({"mappings": [{"target": "a b", "value": "1"}]}), "spec.mappings[0].target"),
        (json!({"labels": {"scim-operator.dev/roster": "row.a"}}), "is not for labels of yours"),
        (json!({"labels": {"a b": "row.a"}}), "names that a label may have"),
        (json!({"guard": {"maxPercent": 101}}), "spec.guard.maxPercent"),
        (
            json!({"approvedHold": "0123456789abcdef", "rejectedHold": "0123456789abcdef"}),
            "either approved or rejected",
        ),
    ] {
        let refusal = takes(&roster(&fields)).await.expect_err(&fields.to_string());
        assert!(refusal.contains(expected), "{fields}: {refusal}");
    }
    let mut long = roster(&json!({}));
    long["metadata"]["name"] = json!("r".repeat(64));
    let refusal = takes(&long).await.expect_err("a long name");
    assert!(refusal.contains("at most 63 characters"), "{refusal}");
}

#[tokio::test]
async fn good_rosters_are_taken() {
    ControlPlane::shared().await.install_crds().await;
    for fields in [
        json!({}),
        json!({
            "preset": null, "scope": "row.department == \"Engineering\" && !row.isSoftDeleted",
            "source": {"configMaps": {"selector": {"matchLabels": {"part": "people"}}, "key": "users.csv"}, "format": "Csv"},
            "key": "row.objectId", "labels": {"team": "slug(row.team)", "example.com/site": "row.site"},
            "assigned": ["ada@example.com"], "userTemplate": {"deletionPolicy": "Retain"},
            "mappings": [
                {"target": "userName", "value": "row.upn"},
                {"target": "emails[type eq \"work\"].value", "value": "row.mail", "onCreate": true},
                {"target": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "row.d"},
                {"target": "title", "value": ""},
            ],
        }),
    ] {
        let spec = takes(&roster(&fields)).await.unwrap_or_else(|refusal| panic!("{fields}: {refusal}"));
        assert_eq!(spec["guard"], json!({"maxPercent": 10, "minCount": 5, "maxCount": 500, "window": "24h"}));
    }
}
