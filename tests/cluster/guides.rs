//! The guides' walk, as examples/guides has it and docs/migrating-from-*.md tell it: adopt what is there, run beside the
//! portal in Plan mode, compare, switch. Only addresses and keys are put in their place.

use serde_json::{Value, json};

use crate::elsewhere::held;
use crate::kit::Place;
use crate::support::{Jackson, Sandbox, repository};

/// The objects of an example, to be used with the server at `base_url`.
fn example(name: &str, base_url: &str, token: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(repository().join("examples/guides").join(name)).expect("the example");
    let object = |text: &str| {
        let mut object: Value = serde_saphyr::from_str(text).expect("YAML");
        match object["kind"].as_str() {
            Some("Secret") => {
                object["metadata"]["annotations"]["scim-operator.dev/hosts"] = json!("127.0.0.1");
                let key = object["stringData"].as_object().and_then(|data| data.keys().next().cloned()).expect("a key");
                object["stringData"][key] = json!(token);
            }
            Some("ScimConnection") => {
                assert_eq!(object["spec"]["mode"], "Plan", "an example writes nothing before somebody has looked");
                object["metadata"]["name"] = json!("jackson");
                object["spec"].as_object_mut().expect("a spec").remove("datadog");
                object["spec"]["baseUrl"] = json!(base_url);
                object["spec"]["resyncInterval"] = json!("10s");
            }
            _ => object["spec"]["connectionRef"]["name"] = json!("jackson"),
        }
        object
    };
    text.split("\n---\n").map(object).collect()
}

/// What the portal's job has made before.
fn account(user_name: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": user_name, "active": true,
        "title": "Clerk", "name": {"formatted": "Ada Lovelace", "givenName": "Ada", "familyName": "Lovelace"},
        "emails": [{"value": user_name, "type": "work", "primary": true}],
    })
}

/// The walk; `shown` is the account at the server.
async fn walk(place: &Place, objects: Vec<Value>, id: &Value, shown: impl AsyncFn() -> Value) {
    // Test connection, beside the portal's job.
    for object in objects {
        place.apply(object);
    }
    place.connection_is("Connected").await;
    // Compare: one adoption, which would change a title, and nobody new.
    let hold =
        place.status_is("what would be done", |status| status["holds"][0]["updates"] == 1).await["holds"][0].clone();
    assert!(hold["creates"].as_i64().is_none_or(|creates| creates == 0), "{hold}");
    assert_eq!(shown().await["title"], "Clerk", "a plan was carried out");
    // Switch.
    place.patch_connection(json!({"mode": "Apply"}));
    assert_eq!(json!(place.synced("ada").await), *id);
    let user = place.get("ada").await.expect("ada");
    // Adopted, and then changed.
    assert_eq!(user["status"]["lastOperation"]["type"], "Update", "{user}");
    let account = shown().await;
    assert_eq!((&account["title"], &account["active"]), (&json!("Engineer"), &json!(true)), "{account}");
    // Update, deactivate.
    place.kubectl(&[
        "patch",
        "scimuser",
        "ada",
        "--type=merge",
        "-p",
        r#"{"spec":{"title":"Officer","active":false}}"#,
    ]);
    place.synced("ada").await;
    let account = shown().await;
    assert_eq!((&account["title"], &account["active"]), (&json!("Officer"), &json!(false)), "{account}");
}

#[tokio::test]
async fn i22_datadogs_guides_are_walked_beside_entra_and_okta() {
    for name in ["datadog-entra.yaml", "datadog-okta.yaml"] {
        let (sandbox, place) = (Sandbox::start_with(&["--dialect", "datadog"]), Place::new().await);
        let (status, made) = sandbox.scim("POST", "/Users", Some(account("ada@example.com"))).await;
        assert_eq!(status, 201, "{made}");
        let shown = async || held(&sandbox, "ada@example.com").await[0]["resource"].clone();
        let objects = example(name, &sandbox.base_url, &sandbox.token);
        walk(&place, objects, &made["id"], shown).await;
        assert_eq!(held(&sandbox, "ada@example.com").await.len(), 1, "{name}");
    }
}

#[tokio::test]
async fn i22_jacksons_guides_are_walked_beside_entra_and_okta() {
    for (name, kind) in [("jackson-entra.yaml", "azure-scim-v2"), ("jackson-okta.yaml", "okta-scim-v2")] {
        let (directory, place) = (Jackson::shared().await.new_directory(kind).await, Place::new().await);
        let (status, made) = directory.scim("POST", "/Users", Some(account("ada@example.com"))).await;
        assert_eq!(status, 201, "{made}");
        let id = made["id"].as_str().expect("an id").to_owned();
        let shown = async || directory.scim("GET", &format!("/Users/{id}"), None).await.1;
        let objects = example(name, &directory.base_url, &directory.token);
        walk(&place, objects, &made["id"], shown).await;
        assert_eq!(directory.users().await.len(), 1, "{name}");
    }
}
