//! Admission policies that are in the way.

use serde_json::{Value, json};

use crate::apart::Apart;
use crate::elsewhere::held;
use crate::kit::{PATIENCE, user};
use crate::support::eventually;
use crate::table::told;

/// An admission policy for ScimUsers of the place, and its binding.
async fn policy(apart: &Apart, kind: &str, mut spec: Value) -> Vec<Value> {
    let version = "admissionregistration.k8s.io/v1";
    spec["matchConstraints"] = json!({"resourceRules": [{
        "apiGroups": ["scim-operator.dev"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": ["scimusers"],
    }]});
    let policy = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "house-rules"}, "spec": spec});
    let mut bound = json!({"policyName": "house-rules"});
    if kind == "ValidatingAdmissionPolicy" {
        bound["validationActions"] = json!(["Deny"]);
    }
    let binding = json!({
        "apiVersion": version, "kind": format!("{kind}Binding"), "metadata": {"name": "house-rules"}, "spec": bound,
    });
    apart.cluster.apply("", &policy.to_string());
    apart.cluster.apply("", &binding.to_string());
    // A policy is in force a moment after it is there.
    let probe = "policy-probe";
    eventually(PATIENCE, "the policy is in force", async || {
        let mut probed = user(probe, json!({"suspend": true, "connectionRef": {"name": "nobody"}}));
        probed["metadata"]["finalizers"] = json!(["scim-operator.dev/deprovision"]);
        probed["metadata"]["labels"] = json!({"scim-operator.dev/roster": "probe"});
        let tried = apart.cluster.try_apply(&apart.place.namespace, &probed.to_string());
        let metadata = apart.place.get(probe).await.map(|found| found["metadata"].clone());
        let clear = json!({"metadata": {"finalizers": null}}).to_string();
        if metadata.is_some() {
            apart.place.kubectl(&["patch", "scimuser", probe, "--type=merge", "-p", &clear]);
            apart.place.kubectl(&["delete", "scimuser", probe, "--timeout=60s"]);
        }
        let whole = metadata.as_ref().is_some_and(|metadata| {
            metadata["finalizers"].is_array() && metadata["labels"]["scim-operator.dev/roster"] == "probe"
        });
        if tried.status.success() && whole { Err(metadata) } else { Ok(()) }
    })
    .await;
    vec![binding, policy]
}

async fn without_policy(apart: &Apart, objects: Vec<Value>) {
    for object in objects {
        let kind = object["kind"].as_str().expect("a kind").to_lowercase();
        apart.cluster.kubectl_ok(&["delete", &kind, "house-rules"]);
    }
    // And out of force a moment after it is gone.
    eventually(PATIENCE, "the policy is out of force", async || {
        let mut probed = user("policy-probe", json!({"suspend": true, "connectionRef": {"name": "nobody"}}));
        probed["metadata"]["finalizers"] = json!(["scim-operator.dev/deprovision"]);
        probed["metadata"]["labels"] = json!({"scim-operator.dev/roster": "probe"});
        let taken = apart.cluster.try_apply(&apart.place.namespace, &probed.to_string()).status.success();
        let Some(found) = apart.place.get("policy-probe").await else { return Err(taken) };
        let metadata = &found["metadata"];
        let whole = metadata["finalizers"].is_array() && metadata["labels"]["scim-operator.dev/roster"] == "probe";
        let clear = json!({"metadata": {"finalizers": null}}).to_string();
        apart.place.kubectl(&["patch", "scimuser", "policy-probe", "--type=merge", "-p", &clear]);
        apart.place.kubectl(&["delete", "scimuser", "policy-probe", "--timeout=60s"]);
        if whole { Ok(()) } else { Err(taken) }
    })
    .await;
}

pub async fn a_policy_refuses_finalizers(apart: &Apart) {
    let rule = json!({
        "expression": "!has(object.metadata.finalizers) || size(object.metadata.finalizers) == 0",
        "message": "no finalizers in this house",
    });
    let objects = policy(apart, "ValidatingAdmissionPolicy", json!({"validations": [rule]})).await;
    apart.place.user("dan", json!({}));
    told("policy-refuses", &apart.place.tells("scimuser/dan", "WriteRefused").await);
    assert!(held(&apart.sandbox, "dan@example.com").await.is_empty());
    without_policy(apart, objects).await;
    apart.place.annotate("dan", "reconcile-requested-at=now");
    apart.place.synced("dan").await;
    apart.is_there_once("dan").await;
}

/// Takes a field out of each ScimUser as it is written.
fn takes_off(condition: &str, path: &str) -> Value {
    let expression = format!("[JSONPatch{{op: \"remove\", path: \"{path}\"}}]");
    json!({
        "failurePolicy": "Fail", "reinvocationPolicy": "Never",
        "matchConditions": [{"name": "has-it", "expression": condition}],
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}],
    })
}

pub async fn a_policy_takes_finalizers_off(apart: &Apart) {
    let spec =
        takes_off("has(object.metadata.finalizers) && size(object.metadata.finalizers) > 0", "/metadata/finalizers");
    let objects = policy(apart, "MutatingAdmissionPolicy", spec).await;
    apart.place.user("eve", json!({}));
    told("policy-takes-finalizers-off", &apart.place.tells("scimuser/eve", "WriteRefused").await);
    assert!(held(&apart.sandbox, "eve@example.com").await.is_empty());
    without_policy(apart, objects).await;
    apart.place.annotate("eve", "reconcile-requested-at=now");
    apart.place.synced("eve").await;
    apart.is_there_once("eve").await;
}

pub async fn a_policy_takes_labels_off(apart: &Apart) {
    const LABEL: &str = "scim-operator.dev/roster";
    let spec = takes_off(
        &format!("has(object.metadata.labels) && '{LABEL}' in object.metadata.labels"),
        "/metadata/labels/scim-operator.dev~1roster",
    );
    let objects = policy(apart, "MutatingAdmissionPolicy", spec).await;
    apart.place.apply(json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "people"},
        "spec": {
            "connectionRef": {"name": "jackson"}, "source": {"inline": [{"mail": "fay@example.com"}]},
            "mappings": [{"target": "userName", "value": "row.mail"}, {"target": "active", "value": "true"}],
        },
    }));
    told("policy-takes-labels-off", &apart.place.tells("scimroster/people", "RowsRejected").await);
    without_policy(apart, objects).await;
    // As the message says, or by itself.
    let users: Vec<String> =
        apart.place.users().await.iter().map(|user| user["metadata"]["name"].to_string()).collect();
    let fay = users.iter().find(|name| name.contains("fay")).expect("fay").trim_matches('"').to_owned();
    apart.place.kubectl(&["label", "scimuser", &fay, &format!("{LABEL}=people")]);
    apart.place.tells("scimroster/people", "Generated").await;
    apart.place.synced(&fay).await;
    apart.is_there_once("fay").await;
}
