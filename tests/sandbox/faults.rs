//! Faults, administration and dialects.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::harness::{Sandbox, TOKEN, patch, user};

#[tokio::test]
async fn faults_strike_as_ordered() {
    let sandbox = Sandbox::start(&[]);
    let id = sandbox.user("a").await;
    let path = format!("/Users/{id}");
    let once = |method: &str, fault: Value| json!({"match": {"method": method, "count": 1}, "fault": fault});

    sandbox.fault(once("GET", json!({"kind": "status", "code": 429, "retry_after": 7}))).await;
    let response = sandbox.try_send("GET", &path, None).await.expect("an answer");
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"7".parse().expect("a header"))
    );

    sandbox.fault(once("POST", json!({"kind": "reset_before"}))).await;
    assert!(sandbox.try_send("POST", "/Users", Some(user("b"))).await.is_err());
    sandbox.fault(once("POST", json!({"kind": "reset_after"}))).await;
    assert!(sandbox.try_send("POST", "/Users", Some(user("c"))).await.is_err());
    sandbox.fault(once("POST", json!({"kind": "status", "code": 502, "effect": true}))).await;
    assert_eq!(sandbox.send("POST", "/Users", user("d")).await.0, 502);
    let names = sandbox.admin("GET", "/users", None).await;
    let names: Vec<_> = names.as_array().expect("a list").iter().map(|one| one["userName"].clone()).collect();
    assert_eq!(names, ["a", "c", "d"]);

    sandbox.fault(once("GET", json!({"kind": "hang", "ms": 50}))).await;
    assert!(sandbox.try_send("GET", &path, None).await.is_err());
    sandbox.fault(once("GET", json!({"kind": "truncated_body"}))).await;
    let response = sandbox.try_send("GET", &path, None).await.expect("a head");
    assert!(response.text().await.is_err());
    sandbox.fault(once("GET", json!({"kind": "slow_body", "ms": 200}))).await;
    let begun = Instant::now();
    assert_eq!(sandbox.send("GET", &path, None).await.1["userName"], "a");
    assert!(begun.elapsed() > Duration::from_millis(150));
    sandbox.fault(once("GET", json!({"kind": "huge_body", "bytes": 5_000_000}))).await;
    let response = sandbox.try_send("GET", &path, None).await.expect("a head");
    assert!(response.bytes().await.expect("a body").len() > 5_000_000);
    sandbox.fault(once("GET", json!({"kind": "html_200"}))).await;
    let response = sandbox.try_send("GET", &path, None).await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "text/html");
    sandbox.fault(once("GET", json!({"kind": "empty_object_200"}))).await;
    assert_eq!(sandbox.send("GET", &path, None).await, (200, json!({})));
    sandbox.fault(once("GET", json!({"kind": "latency", "ms": 100}))).await;
    let begun = Instant::now();
    sandbox.send("GET", &path, None).await;
    assert!(begun.elapsed() >= Duration::from_millis(100));
    let log = sandbox.admin("GET", "/faults/log", None).await;
    assert_eq!((&log["status"], &log["hang"], &log["reset_after"]), (&json!(2), &json!(1), &json!(1)));
}

#[tokio::test]
async fn a_query_can_be_ignored() {
    let sandbox = Sandbox::start(&[]);
    sandbox.user("a").await;
    sandbox.user("b").await;
    sandbox.fault(json!({"match": {"count": 1}, "fault": {"kind": "ignore_query"}})).await;
    let nobody = "/Users?count=1&filter=userName%20eq%20%22nobody%22";
    assert_eq!(sandbox.send("GET", nobody, None).await.1["Resources"].as_array().map(Vec::len), Some(2));
    assert_eq!(sandbox.send("GET", nobody, None).await.1["totalResults"], 0);
}

#[tokio::test]
async fn lists_can_lie() {
    let sandbox = Sandbox::start(&[]);
    sandbox.admin("POST", "/seed", json!({"users": 30})).await;
    let page = async |start: usize| {
        let (_, page) = sandbox.send("GET", &format!("/Users?startIndex={start}&count=10"), None).await;
        let first = page["Resources"][0]["externalId"].as_str().unwrap_or("none").to_owned();
        (page["totalResults"].clone(), first)
    };
    for (fault, start, total, first) in [
        (json!({"kind": "wrong_total", "total": 5}), 1, 5, "seed-00000"),
        (json!({"kind": "wrong_total", "delta": -2}), 1, 28, "seed-00000"),
        (json!({"kind": "repeat_page"}), 11, 30, "seed-00000"),
        (json!({"kind": "drop_page"}), 11, 30, "seed-00020"),
    ] {
        sandbox.fault(json!({"match": {"count": 1, "path_prefix": "/Users"}, "fault": fault})).await;
        assert_eq!(page(start).await, (json!(total), first.to_owned()), "{fault}");
    }
    let id = sandbox.user("fresh").await;
    sandbox.fault(json!({"match": {"path_prefix": "/Users"}, "fault": {"kind": "stale_read"}})).await;
    assert_eq!(sandbox.send("GET", &format!("/Users/{id}"), None).await.0, 404);
    sandbox.admin("DELETE", "/faults", None).await;
    assert_eq!(sandbox.send("GET", &format!("/Users/{id}"), None).await.0, 200);
}

#[tokio::test]
async fn administration() {
    let sandbox = Sandbox::start(&[]);
    let id = sandbox.user("a").await;
    let path = format!("/Users/{id}");
    sandbox.admin("POST", &format!("/users/{id}/change"), json!({"title": "drift", "externalId": null})).await;
    let (_, now) = sandbox.send("GET", &path, None).await;
    assert_eq!((&now["title"], &now["externalId"]), (&json!("drift"), &Value::Null));
    let seen = sandbox.admin("GET", "/users/a", None).await;
    assert_eq!((&seen["writes"], &seen["history"]["drifted"]), (&json!(1), &json!(1)));

    sandbox.admin("POST", "/rate", json!({"per_second": 1, "burst": 2, "retry_after": 2})).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(sandbox.send("GET", &path, None).await.0);
    }
    assert_eq!(statuses, [200, 200, 429, 429]);
    sandbox.admin("DELETE", "/rate", None).await;
    sandbox.admin("POST", "/unavailable", json!({"status": 503})).await;
    assert_eq!(sandbox.send("GET", &path, None).await.0, 503);
    sandbox.admin("DELETE", "/unavailable", None).await;
    sandbox.admin("DELETE", &format!("/users/{id}"), None).await;
    assert_eq!(sandbox.send("GET", &path, None).await.0, 404);
    sandbox.admin("DELETE", "/stats", None).await;
    assert_eq!(sandbox.admin("GET", "/stats", None).await["writes"], 0);
    sandbox.admin("POST", "/token", json!({"token": "other"})).await;
    assert_eq!(sandbox.send("GET", "/Users", None).await.0, 401);
    let locked = Sandbox::start(&["--admin-token", "secret"]);
    let url = format!("{}/stats", locked.admin);
    assert_eq!(locked.client.get(&url).send().await.expect("an answer").status(), 401);
    let opened = locked.client.get(&url).bearer_auth("secret").send().await;
    assert_eq!(opened.expect("an answer").status(), 200);
}

#[tokio::test]
async fn dialects_differ() {
    let datadog = Sandbox::start(&["--dialect", "datadog"]);
    let id = datadog.user("a").await;
    let path = format!("/Users/{id}");
    let (_, shown) = datadog.send("GET", &path, None).await;
    assert_eq!(shown["externalId"], Value::Null);
    let location = shown["meta"]["location"].as_str().expect("a location");
    assert!(location.starts_with("https://app.datadoghq.com/api/scim/v2/Users/"));
    let remove = patch(&json!([{"op": "remove", "path": "title"}]));
    let (status, body) = datadog.send("PATCH", &path, remove).await;
    assert!(status == 400 && body["errors"][0].is_string(), "{body}");
    assert_eq!(datadog.send("GET", "/Users?filter=externalId%20eq%20%22x%22", None).await.0, 400);
    assert_eq!(datadog.send("GET", "/ServiceProviderConfig", None).await.0, 404);
    assert_eq!(datadog.send("DELETE", &path, None).await.0, 204);
    assert_eq!(datadog.send("GET", &path, None).await.1["active"], false);

    let jackson = Sandbox::start(&["--dialect", "jackson"]);
    jackson.admin("POST", "/seed", json!({"users": 60})).await;
    let id = jackson.user("login").await;
    let (_, list) = jackson.send("GET", "/Users", None).await;
    assert_eq!((&list["totalResults"], &list["Resources"][0]["userName"]), (&json!(50), &json!("login")));
    let (_, none) = jackson.send("GET", "/Users?filter=userName%20eq%20%22login%22", None).await;
    assert_eq!(none["totalResults"], 0);
    let (_, one) = jackson.send("GET", "/Users?filter=userName%20eq%20%22login@example.com%22", None).await;
    assert_eq!(one["totalResults"], 1);
    let group = json!({"displayName": "G", "members": [{"value": id}]});
    assert_eq!(jackson.send("POST", "/Groups", group).await.1["members"], json!([]));
    assert_eq!(jackson.send("DELETE", &format!("/Users/{id}"), None).await.0, 200);

    let aws = Sandbox::start(&["--dialect", "aws"]);
    let mut two = user("a");
    two["emails"] = json!([{"value": "a@x"}, {"value": "b@x"}]);
    assert_eq!(aws.send("POST", "/Users", two).await.0, 400);
    let github = Sandbox::start(&["--dialect", "github"]);
    let url = format!("{}/Users", github.base);
    let bare = github.client.get(&url).bearer_auth(TOKEN).send().await;
    assert_eq!(bare.expect("an answer").status(), 403);
    let slack = Sandbox::start(&["--dialect", "slack"]);
    let id = slack.user("a").await;
    slack.send("DELETE", &format!("/Users/{id}"), None).await;
    assert_eq!(slack.send("GET", &format!("/Users/{id}"), None).await.1["active"], false);
}
