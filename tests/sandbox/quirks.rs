//! Quirks: each by itself, and together.

use serde_json::{Value, json};

use super::harness::{Sandbox, patch, user};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

async fn with(quirks: &[&str]) -> (Sandbox, String) {
    let sandbox = Sandbox::start(&[]);
    let id = sandbox.user("a").await;
    sandbox.admin("POST", "/quirks", json!(quirks)).await;
    (sandbox, format!("/Users/{id}"))
}

fn set(path: &str, value: &Value) -> Value {
    patch(&json!([{"op": "replace", "path": path, "value": value}]))
}

#[tokio::test]
async fn each_quirk_refuses_what_it_says() {
    let two = patch(&json!([
        {"op": "replace", "path": "title", "value": "x"}, {"op": "replace", "path": "active", "value": true},
    ]));
    let four = patch(&json!(vec![json!({"op": "replace", "path": "title", "value": "x"}); 4]));
    let filtered = set("emails[type eq \"work\"].value", &json!("b@example.com"));
    let title = set("title", &json!("x"));
    let phone = set("phoneNumbers", &json!([{"value": "1"}]));
    let manager = patch(&json!([{"op": "add", "value": {ENTERPRISE: {"manager": {"value": "x"}}}}]));
    let broken = set("title", &json!("broken"));
    for (quirk, method, query, body, status) in [
        ("no_patch", "PATCH", "", Some(&title), 405),
        ("patch_501", "PATCH", "", Some(&title), 501),
        ("no_patch_route", "PATCH", "", Some(&title), 404),
        ("no_put", "PUT", "", Some(&user("a")), 405),
        ("no_filtered_paths", "PATCH", "", Some(&filtered), 400),
        ("one_operation", "PATCH", "", Some(&two), 400),
        ("active_alone", "PATCH", "", Some(&two), 400),
        ("refuses_phones", "PATCH", "", Some(&phone), 400),
        ("refuses_managers", "PATCH", "", Some(&manager), 400),
        ("few_operations", "PATCH", "", Some(&four), 413),
        ("scim_json_415", "PATCH", "", Some(&title), 415),
        ("scim_json_unread", "PATCH", "", Some(&title), 400),
        ("scim_json_unread_500", "PATCH", "", Some(&title), 500),
        ("breaks", "PATCH", "", Some(&broken), 500),
        ("accepts_json_only", "GET", "", None, 406),
        ("refuses_filters", "GET", "?filter=userName%20eq%20%22a%22", None, 400),
        ("filters_500", "GET", "?filter=userName%20eq%20%22a%22", None, 500),
        ("refuses_special_letters", "GET", "?filter=userName%20eq%20%22%C3%A9%22", None, 400),
        ("refuses_paging", "GET", "?startIndex=1", None, 400),
        ("paging_500", "GET", "?count=5", None, 500),
        ("second_page_500", "GET", "?startIndex=2&count=5", None, 500),
        ("small_pages", "GET", "?startIndex=1&count=100", None, 400),
        ("needs_filter", "GET", "?startIndex=1", None, 400),
    ] {
        let (sandbox, person) = with(&[quirk]).await;
        let path = if query.is_empty() { person.clone() } else { format!("/Users{query}") };
        let met = sandbox.send(method, &path, body.cloned()).await.0;
        assert_eq!(met, status, "{quirk}");
        // It is a switch.
        sandbox.admin("DELETE", "/quirks", None).await;
        let after = sandbox.send(method, &path, body.cloned()).await.0;
        assert!(after < 400, "{quirk}: {after}");
    }
}

#[tokio::test]
async fn an_e_mail_is_had_by_one() {
    let (sandbox, person) = with(&["unique_emails"]).await;
    let mail = json!([{"value": "Office@example.com", "type": "work"}]);
    assert_eq!(sandbox.send("PATCH", &person, set("emails", &mail)).await.0, 200);
    assert_eq!(sandbox.send("PATCH", &person, set("emails", &mail)).await.0, 200, "it is its own");
    let mut other = user("b");
    other["emails"] = mail;
    assert_eq!(sandbox.send("POST", "/Users", other).await.0, 409);
}

#[tokio::test]
async fn members_that_there_are_not_sink_a_request() {
    let (sandbox, person) = with(&["unknown_member"]).await;
    let id = person.trim_start_matches("/Users/");
    let schemas = ["urn:ietf:params:scim:schemas:core:2.0:Group"];
    let group = |members: Value| json!({"schemas": schemas, "displayName": "G", "members": members});
    assert_eq!(sandbox.send("POST", "/Groups", group(json!([{"value": "nobody"}]))).await.0, 404);
    let (status, made) = sandbox.send("POST", "/Groups", group(json!([{"value": id}]))).await;
    assert_eq!(status, 201, "{made}");
    let add = patch(&json!([{"op": "add", "path": "members", "value": [{"value": id}, {"value": "nobody"}]}]));
    let path = format!("/Groups/{}", made["id"].as_str().expect("an id"));
    assert_eq!(sandbox.send("PATCH", &path, add).await.0, 404);
    assert_eq!(sandbox.send("GET", &path, None).await.0, 200);
}

#[tokio::test]
async fn what_is_kept_is_not_what_was_sent() {
    let all = ["invites", "lowers_names", "digits_only", "drops_names", "drops_types"];
    let (sandbox, person) = with(&all).await;
    let mut body = user("Ada@Example.com");
    body["displayName"] = json!("Ada");
    body["phoneNumbers"] = json!([{"value": "+49 30 / 1", "type": "work"}]);
    let (status, made) = sandbox.send("POST", "/Users", body).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!((&made["userName"], &made["active"]), (&json!("ada@example.com"), &json!(false)));
    assert_eq!((&made["displayName"], &made["emails"][0]["type"]), (&Value::Null, &Value::Null));
    assert_eq!(made["phoneNumbers"][0]["value"], "49301");
    // Re-activated, and still invited; a name is taken and not kept.
    sandbox.send("PATCH", &person, set("active", &json!(false))).await;
    sandbox.send("PATCH", &person, set("active", &json!(true))).await;
    sandbox.send("PATCH", &person, set("displayName", &json!("A"))).await;
    let kept = sandbox.send("GET", &person, None).await.1;
    assert_eq!((&kept["active"], &kept["displayName"]), (&json!(false), &Value::Null));
}

#[tokio::test]
async fn filters_are_ignored_or_find_nobody() {
    let nobody = "/Users?filter=userName%20eq%20%22nobody%22";
    let (sandbox, _) = with(&["ignores_filters"]).await;
    assert_eq!(sandbox.send("GET", nobody, None).await.1["totalResults"], 1);
    let (sandbox, _) = with(&["filters_find_nobody"]).await;
    assert_eq!(sandbox.send("GET", "/Users?filter=userName%20eq%20%22a%22", None).await.1["totalResults"], 0);
}

#[tokio::test]
async fn answers_have_other_forms() {
    let (sandbox, person) = with(&["bom", "lower_case_lists", "times_without_zone"]).await;
    let text = sandbox.try_send("GET", "/Users", None).await.expect("an answer").bytes().await.expect("a body");
    assert!(text.starts_with(b"\xef\xbb\xbf"));
    let list: Value = serde_json::from_slice(&text[3..]).expect("JSON");
    assert_eq!((&list["totalResults"], &list["Resources"]), (&json!("1"), &Value::Null));
    let created = list["resources"][0]["meta"]["created"].as_str().expect("a time");
    assert!(!created.ends_with('Z'), "{created}");
    drop(person);
    for (quirk, fits) in [
        ("errors_as_message", "{\"message\":\"Resource x not found\"}"),
        ("errors_nested", "\"error\":{\"code\":404,\"message\":\"Resource x not found\"}"),
        ("errors_as_problem", "\"errors\":{\"request\":[\"Resource x not found\"]}"),
        ("errors_as_text", "Resource x not found"),
    ] {
        let (sandbox, _) = with(&[quirk]).await;
        let answer = sandbox.try_send("GET", "/Users/x", None).await.expect("an answer").text().await.expect("a body");
        assert!(answer.contains(fits), "{quirk}: {answer}");
    }
    let sandbox = Sandbox::start(&["--quirk", "rate_403", "--quirk", "errors_as_message"]);
    sandbox.admin("POST", "/rate", json!({"per_second": 1, "burst": 1})).await;
    sandbox.send("GET", "/Users", None).await;
    let (status, body) = sandbox.send("GET", "/Users", None).await;
    assert_eq!((status, &body["message"]), (403, &json!("API rate limit exceeded")));
}
