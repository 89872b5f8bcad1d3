//! What each dialect is known to do otherwise, and what the RFCs leave no choice about.

use serde_json::{Value, json};

use super::harness::{Sandbox, TOKEN, patch, user};

fn filter(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

async fn found(sandbox: &Sandbox, collection: &str, text: &str) -> Value {
    sandbox.send("GET", &format!("/{collection}?filter={}", filter(text)), None).await.1
}

async fn group(sandbox: &Sandbox, members: &[&str]) -> String {
    let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
    let body = json!({"schemas": [super::harness::GROUP], "displayName": "G", "members": members});
    let (status, made) = sandbox.send("POST", "/Groups", body).await;
    assert_eq!(status, 201, "{made}");
    format!("/Groups/{}", made["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn filters_have_the_whole_grammar() {
    let sandbox = Sandbox::start(&[]);
    for name in ["ada", "bob", "eve"] {
        sandbox.user(name).await;
    }
    for (text, count) in [
        ("userName sw \"a\" or userName ew \"E\"", 2),
        ("not (userName co \"b\")", 2),
        ("userName gt \"ada\" and userName le \"eve\"", 2),
        ("emails[type eq \"work\" and value sw \"bob@\"]", 1),
        ("USERNAME pr and title pr", 0),
        ("userName ne \"ada\"", 2),
    ] {
        assert_eq!(found(&sandbox, "Users", text).await["totalResults"], count, "{text}");
    }
    assert_eq!(found(&sandbox, "Users", "userName eq").await["scimType"], "invalidFilter");
    assert_eq!(sandbox.send("GET", "/Schemas?filter=id%20pr", None).await.0, 403);
    let search = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": "userName sw \"b\"", "attributes": ["userName"]});
    let (_, hits) = sandbox.send("POST", "/Users/.search", search).await;
    assert_eq!((&hits["totalResults"], &hits["Resources"][0]["userName"]), (&json!(1), &json!("bob")));
    assert_eq!(hits["Resources"][0]["emails"], Value::Null);
}

#[tokio::test]
async fn pages_and_versions_are_as_announced() {
    let sandbox = Sandbox::start(&["--owner", "boss"]);
    let (_, config) = sandbox.send("GET", "/ServiceProviderConfig", None).await;
    for what in ["patch", "filter", "sort", "etag"] {
        assert_eq!(config[what]["supported"], true, "{what}");
    }
    assert_eq!((&config["pagination"]["cursor"], &config["pagination"]["index"]), (&json!(true), &json!(true)));
    let (_, none) = sandbox.send("GET", "/Users?count=0", None).await;
    assert_eq!((&none["totalResults"], &none["Resources"]), (&json!(1), &json!([])));
    let (_, past) = sandbox.send("GET", "/Users?startIndex=9", None).await;
    assert_eq!((&past["totalResults"], &past["Resources"]), (&json!(1), &json!([])));
    let title = patch(&json!([{"op": "add", "path": "title", "value": "CEO"}]));
    assert_eq!(sandbox.send("PATCH", "/Me", title).await.1["title"], "CEO");
    let first = sandbox.try_send("GET", "/Me", None).await.expect("an answer");
    let tag = first.headers()["etag"].clone();
    let again = sandbox.client.get(format!("{}/Me", sandbox.base)).bearer_auth(TOKEN).header("if-none-match", tag);
    assert_eq!(again.send().await.expect("an answer").status(), 304);
}

#[tokio::test]
async fn a_429_may_say_when_or_not() {
    for (dialect, header) in [("generic", "retry-after"), ("datadog", "x-ratelimit-reset")] {
        let sandbox = Sandbox::start(&["--dialect", dialect]);
        for (after, shown) in [
            (json!(3), Some("3")),
            (json!("Wed, 21 Oct 2026 07:28:00 GMT"), Some("Wed, 21 Oct 2026 07:28:00 GMT")),
            (Value::Null, None),
        ] {
            let fault = json!({"kind": "status", "code": 429, "retry_after": after});
            sandbox.fault(json!({"match": {"count": 1}, "fault": fault})).await;
            let answer = sandbox.try_send("GET", "/Users", None).await.expect("an answer");
            let given = answer.headers().get(header).map(|value| value.to_str().expect("text").to_owned());
            assert_eq!((answer.status().as_u16(), given.as_deref()), (429, shown));
        }
        sandbox.admin("POST", "/rate", json!({"per_second": 1, "burst": 9})).await;
        let answer = sandbox.try_send("GET", "/Users", None).await.expect("an answer");
        assert_eq!(answer.headers().contains_key("x-ratelimit-remaining"), dialect == "datadog");
    }
}

#[tokio::test]
async fn jackson_takes_much_and_does_little() {
    let sandbox = Sandbox::start(&["--dialect", "jackson"]);
    let id = sandbox.user("ada").await;
    let path = format!("/Users/{id}");
    let off = patch(&json!([{"op": "replace", "path": "active", "value": false}]));
    assert_eq!(sandbox.send("PATCH", &path, off).await.1["active"], false);
    let (_, put) = sandbox.send("PUT", &path, user("ada")).await;
    assert_eq!((&put["active"], &put["meta"]), (&json!(true), &Value::Null), "a PUT without active re-activates");
    let mut moved = user("ada");
    moved["emails"][0]["value"] = json!("new@example.com");
    sandbox.send("PUT", &path, moved).await;
    assert_eq!(
        found(&sandbox, "Users", "userName eq \"ada@example.com\"").await["totalResults"],
        1,
        "its index is old"
    );
    assert_eq!(found(&sandbox, "Users", "userName eq \"new@example.com\"").await["totalResults"], 0);
    assert_eq!(sandbox.send("POST", "/Users", user("ada")).await.1["detail"], "User already exists");
    let group = group(&sandbox, &[&id]).await;
    for operation in [
        json!({"op": "Add", "path": "members", "value": [{"value": id}]}),
        json!({"op": "replace", "path": "members", "value": []}),
    ] {
        assert_eq!(sandbox.send("PATCH", &group, patch(&json!([operation]))).await.0, 200);
    }
    let refused = sandbox.try_send("GET", "/Users?filter=userName%20sw%20%22a%22", None).await.expect("an answer");
    assert_eq!(refused.status(), 500);
    assert_eq!(sandbox.send("GET", "/Schemas", None).await.0, 404);
}

#[tokio::test]
async fn aws_limits_groups_and_never_shows_their_members() {
    let sandbox = Sandbox::start(&["--dialect", "aws"]);
    let id = sandbox.user("ada").await;
    let group = group(&sandbox, &[&id]).await;
    assert_eq!(sandbox.send("GET", &group, None).await.1["members"].as_array().map_or(0, Vec::len), 0);
    let asked = format!("id eq \"{}\" and members eq \"{id}\"", group.trim_start_matches("/Groups/"));
    assert_eq!(found(&sandbox, "Groups", &asked).await["totalResults"], 1);
    assert_eq!(found(&sandbox, "Users", "userName eq \"a\" or userName eq \"b\"").await["totalResults"], Value::Null);
    let many: Vec<Value> = (0..101).map(|n| json!({"value": n.to_string()})).collect();
    for operation in [
        json!({"op": "add", "path": "members", "value": many}),
        json!({"op": "replace", "path": "members", "value": []}),
        json!({"op": "remove", "path": "members"}),
    ] {
        assert_eq!(sandbox.send("PATCH", &group, patch(&json!([operation]))).await.0, 400);
    }
    let one = patch(&json!([{"op": "remove", "path": "members", "value": [{"value": id}]}]));
    assert!(sandbox.send("PATCH", &group, one).await.0 < 300);
    assert_eq!(found(&sandbox, "Groups", &asked).await["totalResults"], 0);
    assert_eq!(sandbox.send("PUT", &group, json!({"displayName": "H"})).await.0, 501);
    let (status, body) = sandbox.send("POST", "/Users", user("ADA")).await;
    assert_eq!((status, body["detail"].as_str()), (409, Some("Refused to create a new, duplicate resource.")));
}

#[tokio::test]
async fn github_hides_who_is_inactive_and_forgets_nobody_deleted() {
    let sandbox = Sandbox::start(&["--dialect", "github"]);
    let id = sandbox.user("ada").await;
    let path = format!("/Users/{id}");
    let off = patch(&json!([{"op": "replace", "path": "active", "value": false}]));
    let (_, hidden) = sandbox.send("PATCH", &path, off).await;
    assert_ne!(hidden["userName"], "ada");
    assert_ne!(hidden["emails"][0]["value"], "ada@example.com");
    let on = patch(&json!([{"op": "replace", "path": "active", "value": true}]));
    assert_eq!(sandbox.send("PATCH", &path, on).await.1["userName"], "ada");
    assert_eq!(sandbox.send("DELETE", &path, None).await.0, 204);
    assert_eq!(sandbox.send("POST", "/Users", user("ada")).await.0, 409, "a deletion can't be taken back");
    assert_eq!(sandbox.send("POST", "/Users", user("bob")).await.0, 201);
}
