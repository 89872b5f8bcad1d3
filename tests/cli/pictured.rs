//! The pictures of the documentation: the console before a made-up company, in both schemes. `make pictures` keeps them.
//!
//! An API server in memory has its objects, with the statuses of a day that a test couldn't wait for.

#[path = "pictured/company.rs"]
mod company;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse as _, Json, Response};
use futures::{StreamExt as _, stream};
use http::StatusCode;
use serde_json::{Value, json};

use crate::console::{browse_with, console};
use crate::support::{Sandbox, scratch};
use company::Company;

/// The objects of a resource.
fn of<'a>(all: &'a [(&'static str, Value)], resource: &str) -> Vec<&'a Value> {
    all.iter().filter(|(of, _)| *of == resource).map(|(_, object)| object).collect()
}

/// What the console asks of an API server.
async fn answer(
    State(company): State<Arc<Company>>,
    Query(asked): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    let path = request.uri().path().trim_end_matches('/').to_owned();
    if asked.contains_key("watch") {
        // Nothing ever changes.
        return Body::from_stream(stream::pending::<Result<Bytes, Infallible>>().boxed()).into_response();
    }
    if path.ends_with("/selfsubjectaccessreviews") {
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {}, "status": {"allowed": true}});
        return Json(review).into_response();
    }
    if path == "/metrics" {
        return company.metrics().into_response();
    }
    let parts: Vec<&str> = path.split('/').collect();
    let all = company.objects.as_slice();
    if let [.., resource, name] = parts.as_slice()
        && let Some(object) = of(all, resource).into_iter().find(|object| object["metadata"]["name"] == *name)
    {
        return Json(object.clone()).into_response();
    }
    let resource = parts.last().copied().unwrap_or_default();
    let uid = asked.get("fieldSelector").and_then(|selector| selector.strip_prefix("involvedObject.uid="));
    let fits = |object: &&Value| uid.is_none_or(|uid| object["involvedObject"]["uid"] == uid);
    if company.has(resource) {
        let items: Vec<&Value> = of(all, resource).into_iter().filter(fits).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items, "metadata": {"resourceVersion": "1"}});
        return Json(list).into_response();
    }
    let status = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not found"});
    (StatusCode::NOT_FOUND, Json(status)).into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_a_company_is_shown_in_light_and_dark_and_its_picture_taken() {
    let sandbox = Sandbox::start();
    let (_, account) = sandbox.scim("POST", "/Users", Some(company::account())).await;
    let company = Company::new(&sandbox.base_url, &sandbox.token, account["id"].as_str().expect("an id"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let router = Router::new().fallback(answer).with_state(Arc::new(company));
    tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
    let kubeconfig = scratch().join("pictured.kubeconfig");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "a", "users": [{"name": "a", "user": {}}],
        "clusters": [{"name": "a", "cluster": {"server": format!("http://{address}")}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a", "namespace": "identity"}}],
    });
    std::fs::write(&kubeconfig, config.to_string()).expect("a kubeconfig");
    let metrics = format!("http://{address}/metrics");
    let (_console, link) =
        console("console-pictured", &kubeconfig, "identity", &["--allow-loopback-http", "--metrics", &metrics]);
    browse_with("pictures", "identity", &[("LINK", link)]).await;
}
