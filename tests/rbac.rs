//! Least privilege (promise I27): the chart's rules are what the operator asks for, no more and no less.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::pedantic)]

#[path = "cluster/kit.rs"]
#[allow(dead_code, reason = "the other binary uses the rest")]
mod kit;
mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::api::{Api, Patch, PatchParams, PostParams};
use scim_operator::api::ScimUser;
use serde_json::{Value, json};

use kit::{PATIENCE, Place};
use support::{ControlPlane, Helm, eventually};

/// An API group, a resource with its subresource, and a verb.
type Right = (String, String, String);

/// One after the other: each operator would serve the other's namespaces.
#[tokio::test]
async fn i27_every_right_is_used_and_none_is_missing() {
    with_watch_namespaces_nothing_elsewhere_is_read().await;
    every_rule_is_used().await;
}

async fn every_rule_is_used() {
    let (namespace, builder) = kit::install(&[]).await;
    let operator = builder.start();
    let cluster = ControlPlane::shared().await;
    let place = Place::without_operator().await;
    // Every namespace has this one.
    let ca = json!({"caBundle": {"configMapKeyRef": {"name": "kube-root-ca.crt", "key": "ca.crt"}}});
    place.connect(json!({"tls": ca}));
    place.connection_is("Connected").await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    // A group, whose finalizer and status are written.
    place.apply(json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {"name": "all"},
        "spec": {"connectionRef": {"name": "jackson"}, "displayName": "All", "membership": "Exact",
            "members": [{"userRef": {"name": "ada"}}]},
    }));
    place.kubectl(&["wait", "--for=condition=Ready", "scimgroup", "all", "--timeout=90s"]);
    // A cluster connection, whose finalizer and status are written although its Secret isn't there.
    cluster.apply("", &json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ClusterScimConnection",
        "metadata": {"name": place.namespace},
        "spec": {"baseUrl": place.directory.base_url, "auth": {"bearerToken": {"secretKeyRef": {"name": "key", "key": "token"}}},
            "delegation": [{"namespaceSelector": {}, "userNames": ["*"]}]},
    }).to_string());
    cluster.kubectl_ok(&[
        "wait",
        "clusterscimconnection",
        &place.namespace,
        "--for=condition=Ready=False",
        "--timeout=90s",
    ]);

    // A roster, which generates and deletes.
    let people = |names: &[&str]| {
        let rows: String = names.iter().map(|name| format!("{name}@example.com\n")).collect();
        place.apply(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"people.csv": format!("name\n{rows}")},
            "metadata": {"name": "people", "labels": {"scim-operator.dev/roster-source": "true"}},
        }));
    };
    people(&["alan", "grace"]);
    place.apply(json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "people"},
        "spec": {
            "connectionRef": {"name": "jackson"}, "source": {"configMaps": {"names": ["people"]}},
            "mappings": [{"target": "userName", "value": "row.name"}, {"target": "active", "value": "true"},
                {"target": "emails[type eq \"work\"].value", "value": "row.name"}],
        },
    }));
    place.kubectl(&["wait", "--for=condition=Ready", "scimroster", "people", "--timeout=90s"]);
    people(&["grace"]);
    eventually(PATIENCE, "alan is gone", async || match place.users().await.len() {
        2 => Ok(()),
        other => Err(other),
    })
    .await;

    // The same event twice becomes one event with a count.
    for _ in 0..2 {
        place.secret("wrong");
        place.connection_is("NewKeyRejected").await;
        place.secret(&place.directory.token);
        place.connection_is("Connected").await;
    }
    // A finalizer that meets a newer version of its object: others write to it faster than a watch can tell.
    let users: Api<ScimUser> = Api::namespaced(cluster.client(), &place.namespace);
    let mut round = 0;
    eventually(PATIENCE, "a conflict", async || {
        round += 1;
        contend(&users, &format!("busy-{round}")).await;
        let used = used(cluster, &namespace);
        used.iter().find(|right| right.1 == "scimusers" && right.2 == "get").cloned()
    })
    .await;
    place.kubectl(&["delete", "scimuser", "ada", "--timeout=90s"]);
    // Its watches end and are logged, and its Lease is released; the next one takes it.
    assert_eq!(operator.terminate().code(), Some(0));
    let operator = operator.again();
    eventually(PATIENCE, "the second one leads", async || operator.log().contains("provisioning begins").then_some(()))
        .await;
    assert_eq!(operator.terminate().code(), Some(0));

    let rendered = Helm::offline(&namespace).template("scim-operator", &[]);
    let granted = granted(&rendered);
    // Watches are logged when they have ended, which the API server notices in its own time.
    eventually(Duration::from_secs(60), "every right is used", async || {
        let unused: Vec<_> = granted.difference(&used(cluster, &namespace)).cloned().collect();
        if unused.is_empty() { Ok(()) } else { Err(unused) }
    })
    .await;
    assert_eq!(used(cluster, &namespace), granted);
    without_any_single_one_a_request_is_refused(cluster, &namespace, &rendered).await;
}

/// Each right is taken away by itself, and the API server is asked once more what it answered to the operator: it would
/// have refused something that the operator did above.
async fn without_any_single_one_a_request_is_refused(cluster: &ControlPlane, namespace: &str, rendered: &[Value]) {
    let asked = requests(cluster, namespace);
    for role in rendered.iter().filter(|object| is_role(object)) {
        let rights = granted(std::slice::from_ref(role));
        for right in &rights {
            let request = asked.iter().find(|event| rights_of(event).contains(right)).expect("a request with it");
            let rest: Vec<Value> = rights.iter().filter(|other| *other != right).map(rule).collect();
            let mut less = role.clone();
            less["rules"] = json!(rest);
            cluster.apply("", &less.to_string());
            permitted(cluster, namespace, request, right, false).await;
        }
        cluster.apply("", &role.to_string());
        let request = asked.iter().find(|event| rights_of(event).iter().any(|right| rights.contains(right)));
        let request = request.expect("a request by this role");
        for right in rights_of(request).iter().filter(|right| rights.contains(right)) {
            permitted(cluster, namespace, request, right, true).await;
        }
    }
}

fn rule((group, resource, verb): &Right) -> Value {
    json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]})
}

/// What the API server says to this request from now on; it learns of roles by watching them.
async fn permitted(cluster: &ControlPlane, namespace: &str, request: &Value, right: &Right, wanted: bool) {
    let (group, resource, verb) = right;
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let review: SubjectAccessReview = serde_json::from_value(json!({"spec": {
        "user": format!("system:serviceaccount:{namespace}:scim-operator"),
        "groups": ["system:serviceaccounts", format!("system:serviceaccounts:{namespace}"), "system:authenticated"],
        "resourceAttributes": {
            "group": group, "resource": resource, "subresource": subresource, "verb": verb,
            "namespace": request["objectRef"]["namespace"], "name": request["objectRef"]["name"],
        },
    }}))
    .unwrap();
    let reviews: Api<SubjectAccessReview> = Api::all(cluster.client());
    eventually(PATIENCE, &format!("{right:?}: {wanted}"), async || {
        let answer = reviews.create(&PostParams::default(), &review).await.expect("a review");
        answer.status.filter(|status| status.allowed == wanted)
    })
    .await;
}

/// Makes an object, and writes to it without a pause until it has its finalizer.
async fn contend(users: &Api<ScimUser>, name: &str) {
    let done = AtomicBool::new(false);
    let write = async |writer: usize| {
        for turn in 0.. {
            if done.load(Ordering::Relaxed) {
                break;
            }
            let body = json!({"metadata": {"annotations": {format!("example.com/by-{writer}"): format!("{turn}")}}});
            // It may not be there yet.
            let _ = users.patch_metadata(name, &PatchParams::default(), &Patch::Merge(&body)).await;
        }
    };
    let own = async {
        let object: ScimUser = serde_json::from_value(kit::user(name, json!({}))).unwrap();
        users.create(&PostParams::default(), &object).await.expect("an object");
        eventually(PATIENCE, "its finalizer", async || {
            let object = users.get(name).await.expect("the object");
            object.metadata.finalizers.filter(|finalizers| !finalizers.is_empty())
        })
        .await;
        done.store(true, Ordering::Relaxed);
    };
    futures::future::join(futures::future::join_all((0..8).map(write)), own).await;
}

async fn with_watch_namespaces_nothing_elsewhere_is_read() {
    let cluster = ControlPlane::shared().await;
    let (watched, other) = (Place::without_operator().await, Place::without_operator().await);
    let only = &watched.namespace;
    let (set, arg) = (format!("--set=watchNamespaces={{{only}}}"), format!("--watch-namespaces={only}"));
    let (namespace, builder) = kit::install(&[&set]).await;
    let operator = builder.arg(&arg).start();
    other.connect(json!({}));
    other.user("ada", json!({}));
    watched.connect(json!({}));
    watched.user("ada", json!({}));
    watched.synced("ada").await;
    watched.sweeps(1).await;
    let ignored = other.get("ada").await.expect("ada");
    assert_eq!(ignored["status"], json!({"observedGeneration": -1}));
    assert!(other.directory.writes().await.is_empty());

    let account = format!("--as=system:serviceaccount:{namespace}:scim-operator");
    for elsewhere in [&other.namespace, &namespace] {
        let asked = cluster.kubectl(&["auth", "can-i", "get", "secrets", "-n", elsewhere, &account]);
        assert!(!asked.status.success(), "it may read Secrets in {elsewhere}");
    }
    // What was deleted while a namespace is listed anew is noticed there, and nothing elsewhere.
    watched.kubectl(&["delete", "scimuser", "ada", "--timeout=90s"]);
    assert_eq!(operator.terminate().code(), Some(0));
    let places: BTreeSet<String> =
        requests(cluster, &namespace).iter().map(|event| text(&event["objectRef"]["namespace"])).collect();
    assert_eq!(places, BTreeSet::from([only.clone(), namespace.clone()]));
}

/// What the operator asked for about objects; each was permitted.
fn requests(cluster: &ControlPlane, namespace: &str) -> Vec<Value> {
    let mut asked = cluster.requests_of(namespace, "scim-operator");
    for event in &asked {
        assert_ne!(event["responseStatus"]["code"], 403, "forbidden: {event}");
    }
    asked.retain(|event| event["objectRef"]["resource"].is_string());
    assert!(!asked.is_empty(), "nothing was logged");
    asked
}

fn used(cluster: &ControlPlane, namespace: &str) -> BTreeSet<Right> {
    requests(cluster, namespace).iter().flat_map(rights_of).collect()
}

/// What a request needed.
fn rights_of(event: &Value) -> Vec<Right> {
    let object = &event["objectRef"];
    let resource = match object["subresource"].as_str() {
        Some(subresource) => format!("{}/{subresource}", text(&object["resource"])),
        None => text(&object["resource"]),
    };
    let right = |verb: String| (text(&object["apiGroup"]), resource.clone(), verb);
    let verb = text(&event["verb"]);
    // An apply that makes an object is asked for the right to create it, too.
    let creates = verb == "patch" && event["responseStatus"]["code"] == 201;
    [Some(right(verb)), creates.then(|| right("create".to_owned()))].into_iter().flatten().collect()
}

fn is_role(object: &Value) -> bool {
    object["kind"] == "ClusterRole" || object["kind"] == "Role"
}

fn granted(objects: &[Value]) -> BTreeSet<Right> {
    let list = |value: &Value| value.as_array().unwrap().iter().map(text).collect::<Vec<_>>();
    let mut rights = BTreeSet::new();
    for rule in objects.iter().filter(|object| is_role(object)).flat_map(|role| role["rules"].as_array().unwrap()) {
        for group in list(&rule["apiGroups"]) {
            for resource in list(&rule["resources"]) {
                for verb in list(&rule["verbs"]) {
                    rights.insert((group.clone(), resource.clone(), verb));
                }
            }
        }
    }
    rights
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
