//! Users and groups as clients see them.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::harness::{GROUP, Sandbox, TOKEN, patch, user};

#[test]
fn sigterm_ends_it() {
    let mut sandbox = Sandbox::start(&[]);
    let id = sandbox.child.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &id]).status();
    assert!(sent.expect("kill runs").success());
    let until = Instant::now() + Duration::from_secs(5);
    let status = loop {
        if let Some(status) = sandbox.child.try_wait().expect("it can be waited for") {
            break status;
        }
        assert!(Instant::now() < until, "still running");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn users_live_and_die() {
    let sandbox = Sandbox::start(&["--owner", "boss"]);
    let response = sandbox.try_send("POST", "/Users", Some(user("Ada"))).await.expect("201");
    let tag = response.headers()["etag"].to_str().expect("text").to_owned();
    let location = response.headers()["location"].to_str().expect("text").to_owned();
    let made: Value = serde_json::from_str(&response.text().await.expect("a body")).expect("JSON");
    let id = made["id"].as_str().expect("an id");
    let path = format!("/Users/{id}");
    assert_eq!(location, format!("{}{path}", sandbox.base));
    assert_eq!((&made["meta"]["version"], &made["meta"]["location"]), (&json!(tag), &json!(location)));

    let (status, body) = sandbox.send("POST", "/Users", user("aDA")).await;
    assert_eq!((status, &body["scimType"], &body["status"]), (409, &json!("uniqueness"), &json!("409")));
    for filter in ["userName eq \"ADA\"", "externalId eq \"x-Ada\"", "emails.value eq \"ada@example.com\""] {
        let query: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let (_, found) = sandbox.send("GET", &format!("/Users?filter={query}"), None).await;
        assert_eq!((&found["totalResults"], &found["Resources"][0]["id"]), (&json!(1), &json!(id)), "{filter}");
    }
    let off = patch(&json!([{"op": "replace", "path": "active", "value": false}]));
    let request = |tag: &str| {
        let request = sandbox.client.patch(format!("{}{path}", sandbox.base));
        request.bearer_auth(TOKEN).header("if-match", tag).body(off.to_string()).send()
    };
    assert_eq!(request("W/\"0\"").await.expect("an answer").status(), 412);
    assert_eq!(request(&tag).await.expect("an answer").status(), 200);
    assert_eq!(request(&tag).await.expect("an answer").status(), 412);

    let bad = patch(&json!([{"op": "replace", "path": "title", "value": "T"}, {"op": "remove"}]));
    assert_eq!(sandbox.send("PATCH", &path, bad).await.0, 400);
    let (_, now) = sandbox.send("GET", &path, None).await;
    assert_eq!((&now["active"], &now["title"]), (&json!(false), &Value::Null));

    let on = patch(&json!([{"op": "replace", "value": {"active": true}}]));
    assert_eq!(sandbox.send("PATCH", &path, on.clone()).await.0, 200);
    assert_eq!(sandbox.send("PATCH", &path, on).await.0, 200);
    assert_eq!(sandbox.send("DELETE", &path, None).await.0, 204);
    assert_eq!(sandbox.send("DELETE", &path, None).await.0, 404);
    assert_eq!(sandbox.send("GET", &path, None).await.0, 404);
    assert_eq!(sandbox.send("GET", "/Me", None).await.1["userName"], "boss");

    let seen = sandbox.admin("GET", "/users?userName=ada", None).await;
    let history = json!({"created": 1, "updated": 2, "deactivated": 1, "reactivated": 1,
        "deleted": 1, "unchanged": 1, "drifted": 0});
    assert_eq!((&seen[0]["history"], &seen[0]["exists"]), (&history, &json!(false)));
    let counted = sandbox.admin("GET", "/stats", None).await;
    assert_eq!((&counted["writes"], &counted["writes_per_user"]["Ada"]), (&json!(5), &json!(5)));
    assert_eq!(counted["requests"]["PATCH"]["Users"], json!({"200": 3, "400": 1, "412": 2}));
    assert_eq!(sandbox.admin("GET", "/journal", None).await[1]["outcome"], "deactivated");
}

#[tokio::test]
async fn groups_have_members() {
    let sandbox = Sandbox::start(&[]);
    let (a, b) = (sandbox.user("a").await, sandbox.user("b").await);
    let group = json!({"schemas": [GROUP], "displayName": "G", "members": [{"value": a}]});
    let (status, group) = sandbox.send("POST", "/Groups", group).await;
    assert_eq!(status, 201);
    let path = format!("/Groups/{}", group["id"].as_str().expect("an id"));
    let add = patch(&json!([{"op": "add", "path": "members", "value": [{"value": a}, {"value": b}]}]));
    let (_, group) = sandbox.send("PATCH", &path, add).await;
    assert_eq!(group["members"].as_array().expect("members").len(), 2);
    let (_, user) = sandbox.send("GET", &format!("/Users/{b}"), None).await;
    assert_eq!(user["groups"][0]["display"], "G");
    sandbox.send("DELETE", &format!("/Users/{a}"), None).await;
    let (_, group) = sandbox.send("GET", &path, None).await;
    assert_eq!(group["members"], json!([{"value": b}]));
    let (_, slim) = sandbox.send("GET", &format!("{path}?excludedAttributes=members"), None).await;
    assert_eq!((&slim["members"], &slim["displayName"]), (&Value::Null, &json!("G")));
    let (_, slim) = sandbox.send("GET", "/Users?attributes=emails.value", None).await;
    assert_eq!(slim["Resources"][0]["emails"], json!([{"value": "b@example.com"}]));
    assert_eq!(slim["Resources"][0]["userName"], Value::Null);
}

#[tokio::test]
async fn ten_thousand_in_pages() {
    let sandbox = Sandbox::start(&["--seed", "3"]);
    sandbox.admin("POST", "/seed", json!({"users": 10_000})).await;
    let begun = Instant::now();
    let (mut ids, mut start) = (std::collections::HashSet::new(), 1);
    loop {
        let (_, page) = sandbox.send("GET", &format!("/Users?startIndex={start}&count=500"), None).await;
        let found = page["Resources"].as_array().expect("a list");
        if found.is_empty() {
            break;
        }
        start += found.len();
        ids.extend(found.iter().map(|one| one["id"].to_string()));
        assert_eq!(page["totalResults"], 10_000);
    }
    assert_eq!(ids.len(), 10_000);
    let (mut cursor, mut seen) = (String::new(), 0);
    loop {
        let (_, page) = sandbox.send("GET", &format!("/Users?cursor={cursor}&count=1000"), None).await;
        seen += page["Resources"].as_array().expect("a list").len();
        match page["nextCursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(seen, 10_000);
    assert_eq!(sandbox.send("GET", "/Users?cursor=nonsense", None).await.1["scimType"], "invalidCursor");
    let (_, sorted) = sandbox.send("GET", "/Users?sortBy=userName&sortOrder=descending&count=1", None).await;
    assert_eq!(sorted["Resources"][0]["userName"], "seed-09999@example.com");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}
