//! Further services, each in its own ways: AWS IAM Identity Center, GitHub and Slack.

use serde_json::{Value, json};

use crate::elsewhere::{held, with};
use crate::kit::{PATIENCE, Place, condition};
use crate::support::{Front, Sandbox, eventually};

async fn at(dialect: &str, provider: &str, fields: Value) -> (Sandbox, Front, Place) {
    let sandbox = Sandbox::start_with(&["--dialect", dialect]);
    let front = Front::before(&sandbox.base_url, &sandbox.token).open();
    let place = Place::at(&front.base_url, "any", with(json!({"provider": provider}), fields)).await;
    (sandbox, front, place)
}

async fn shown(sandbox: &Sandbox, user_name: &str) -> Value {
    let accounts = held(sandbox, user_name).await;
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    accounts[0].clone()
}

fn writes(front: &Front) -> Vec<String> {
    front.take().into_iter().map(|seen| seen.method).filter(|method| method != "GET").collect()
}

#[tokio::test]
async fn aws_gets_one_address_and_is_walked_by_cursor() {
    let (sandbox, front, place) = at("aws", "AwsIdentityCenter", json!({"dialect": {"pageSize": 1}})).await;
    let emails = json!([
        {"value": "home@example.com", "type": "home"},
        {"value": "ada@example.com", "type": "work", "primary": true},
    ]);
    place.user("ada", json!({"displayName": "Ada", "emails": emails, "roles": [{"value": "admin"}]}));
    let user = place.is("ada", "True", "Synced").await;
    let ignored = user["status"]["ignoredAttributes"].to_string();
    assert!(ignored.contains("home") && ignored.contains("roles") && ignored.contains("Unsupported"), "{ignored}");
    let account = shown(&sandbox, "ada@example.com").await["resource"].clone();
    assert_eq!(account["emails"].as_array().map(Vec::len), Some(1), "{account}");
    assert_eq!(account["emails"][0]["value"], "ada@example.com");

    for name in ["grace", "alan"] {
        place.user(name, json!({"displayName": name, "title": "Engineer"}));
        place.synced(name).await;
    }
    // What somebody else changed on the last of the pages is seen.
    let id = shown(&sandbox, "alan@example.com").await["id"].as_str().unwrap_or_default().to_owned();
    let operations = json!([{"op": "replace", "path": "title", "value": "Nobody"}]);
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
    let (status, answer) = sandbox.scim("PATCH", &format!("/Users/{id}"), Some(body)).await;
    assert!(status < 300, "{answer}");
    eventually(PATIENCE, "the title is back", async || {
        let account = shown(&sandbox, "alan@example.com").await;
        if account["resource"]["title"] == "Engineer" { Ok(()) } else { Err(account) }
    })
    .await;
    let asked = front.take();
    assert!(asked.iter().any(|seen| seen.query.contains("cursor=") && !seen.query.contains("cursor=&")), "{asked:?}");
}

#[tokio::test]
async fn i09_who_is_suspended_at_github_hides_and_comes_back_as_themselves() {
    let (sandbox, front, place) = at("github", "GitHub", json!({})).await;
    place.user("ada", json!({"externalId": "00u1"}));
    let id = place.synced("ada").await;
    place.user("ada", json!({"externalId": "00u1", "active": false}));
    place.synced("ada").await;
    front.take();
    let (_, hidden) = sandbox.scim("GET", &format!("/Users/{id}"), None).await;
    assert_ne!(hidden["userName"], "ada@example.com", "the sandbox hides nobody: {hidden}");
    place.sweeps(2).await;
    let quiet = place.synced("ada").await;
    assert_eq!((quiet, writes(&front)), (id.clone(), Vec::<String>::new()));
    place.user("ada", json!({"externalId": "00u1"}));
    assert_eq!(place.synced("ada").await, id);
    assert_eq!(shown(&sandbox, "ada@example.com").await["active"], true);

    // A new object of somebody who is suspended takes their account, and makes no other.
    place.kubectl(&["delete", "scimuser", "ada", "--timeout=90s"]);
    place.user("ada-again", json!({"userName": "ada@example.com", "externalId": "00u1"}));
    assert_eq!(place.synced("ada-again").await, id);
}

#[tokio::test]
async fn i15_a_deletion_at_github_waits_until_it_is_allowed() {
    let (sandbox, _front, place) = at("github", "GitHub", json!({"deletionPolicy": {"users": "Delete"}})).await;
    place.user("ada", json!({"externalId": "00u1"}));
    place.synced("ada").await;
    place.delete("ada");
    place.says("ada", "IrreversibleDelete").await;
    assert_eq!(held(&sandbox, "ada@example.com").await.len(), 1);
    place.patch_connection(json!({"allowIrreversibleDelete": true}));
    place.is_gone("ada").await;
    assert_eq!(held(&sandbox, "ada@example.com").await.len(), 0);
    let effective = place.get_connection().await["status"]["effective"]["rateLimits"].clone();
    assert!(effective.to_string().contains(r#""for":"Creates","period":"1h","requests":1000"#), "{effective}");
}

#[tokio::test]
async fn slacks_deletion_deactivates_and_its_limits_are_halved() {
    let (sandbox, _front, place) = at("slack", "Slack", json!({"deletionPolicy": {"users": "Delete"}})).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    place.kubectl(&["delete", "scimuser", "ada", "--timeout=90s"]);
    assert_eq!(shown(&sandbox, "ada@example.com").await["active"], false);
    place.user("ada", json!({}));
    assert_eq!(place.synced("ada").await, id);
    let connection = place.get_connection().await;
    assert_eq!(connection["status"]["effective"]["tenant"], format!("{}/jackson", place.namespace));
    assert!(connection["status"]["effective"]["rateLimits"].to_string().contains("90"), "{connection}");
    assert_eq!(condition(&connection, "Connected")["status"], "True");
}
