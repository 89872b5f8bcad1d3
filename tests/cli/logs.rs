//! `history` from the operator's log: what of it is the audit stream, and where it begins.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::support::{scratch, unique};
use crate::{json_of, program, stderr};

type Asked = Arc<Mutex<Vec<String>>>;

/// What an API server says of the operator's pods: one has been started anew.
async fn pods(Query(query): Query<BTreeMap<String, String>>) -> Json<Value> {
    assert_eq!(query["labelSelector"], "app.kubernetes.io/name=scim-operator");
    let pod = |name: &str, restarts: u32| {
        json!({
            "metadata": {"name": name, "namespace": "scim-operator"},
            "spec": {"containers": [{"name": "istio-proxy"}, {"name": "scim-operator"}]},
            "status": {"containerStatuses": [{"name": "scim-operator", "restartCount": restarts, "ready": true, "image": "",
                "imageID": ""}]},
        })
    };
    Json(json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [pod("one", 0), pod("two", 1)]}))
}

fn line(name: &str, at: &str) -> String {
    let object = json!({"kind": "ScimUser", "namespace": "identity", "name": name, "uid": "u", "generation": 1});
    let record = json!({"connection": "identity/datadog", "object": object, "operation": "Update", "outcome": "Done"});
    let record = record.to_string();
    format!("{at} {{\"time\":\"{at}\",{}\n", &record[1..])
}

async fn log(
    State(asked): State<Asked>,
    Path(pod): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> String {
    let previous = query.get("previous").is_some_and(|previous| previous == "true");
    asked.lock().expect("the list").push(format!("{pod} {} {previous}", query["container"]));
    assert_eq!(query["timestamps"], "true");
    let other = "2026-11-28T10:00:01Z {\"timestamp\":\"2026-11-28T10:00:01Z\",\"level\":\"INFO\",\"fields\":{\"operation\":\"list\"}}\n";
    match (pod.as_str(), previous) {
        ("one", false) => format!("2026-11-28T10:00:00Z begins\n{other}{}", line("ada", "2026-11-28T10:00:02Z")),
        ("two", false) => line("grace", "2026-11-28T12:00:00Z"),
        ("two", true) => line("joan", "2026-11-28T09:00:00Z"),
        _ => String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_stream_is_read_from_the_logs_of_all_pods() {
    let asked = Asked::default();
    let app = Router::new()
        .route("/api/v1/namespaces/scim-operator/pods", get(pods))
        .route("/api/v1/namespaces/scim-operator/pods/{pod}/log", get(log))
        .with_state(Arc::clone(&asked));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    let kubeconfig = scratch().join(unique("logs"));
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "logs",
        "clusters": [{"name": "logs", "cluster": {"server": format!("http://{address}")}}],
        "contexts": [{"name": "logs", "context": {"cluster": "logs", "user": "nobody"}}],
        "users": [{"name": "nobody", "user": {}}],
    });
    std::fs::write(&kubeconfig, config.to_string()).expect("a kubeconfig");
    let mut command = program(&kubeconfig);
    command.args(["history", "-o", "json"]);
    let output = tokio::task::spawn_blocking(move || command.output().expect("kubectl-scim")).await.expect("it ran");
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "another line of the log is none that is broken: {text}");
    let lines = json_of(&output);
    let names: Vec<&str> =
        lines.as_array().unwrap().iter().filter_map(|line| line["object"]["name"].as_str()).collect();
    assert_eq!(names, ["joan", "ada", "grace"], "in the order of time: {text}");
    for said in ["the log of one begins at 2026-11-28T10:00:00Z", "the log of two begins at 2026-11-28T09:00:00Z"] {
        assert!(text.contains(said), "{text}");
    }
    let mut asked = std::mem::take(&mut *asked.lock().expect("the list"));
    asked.sort_unstable();
    assert_eq!(asked, ["one scim-operator false", "two scim-operator false", "two scim-operator true"]);
}
