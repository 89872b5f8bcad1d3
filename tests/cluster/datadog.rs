//! Datadog as its documents have it: the walk of its set-up guides with our resources in the portals' place, and the
//! ways in which it differs from the RFCs.

use serde_json::{Value, json};

use crate::elsewhere::{fault, held, with};
use crate::kit::{Place, condition};
use crate::support::{Front, Sandbox};

const KEY_OWNER: &str = "svc-scim@example.com";

fn datadog() -> Sandbox {
    Sandbox::start_with(&["--dialect", "datadog"])
}

/// A connection to it, as the guides set one up: the tenant URL, the secret token, the test of the connection.
async fn connected(sandbox: &Sandbox, fields: Value) -> Place {
    let base = json!({"provider": "Datadog", "guards": {"protected": [KEY_OWNER]}});
    Place::at(&sandbox.base_url, &sandbox.token, with(base, fields)).await
}

/// The account as the server shows it.
async fn shown(sandbox: &Sandbox, user_name: &str) -> Value {
    let accounts = held(sandbox, user_name).await;
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    accounts[0]["resource"].clone()
}

/// The paths that status says are not written, with the reason.
fn ignored(user: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = user["status"]["ignoredAttributes"].as_array();
    list.into_iter().flatten().map(|ignored| (text(&ignored["path"]), text(&ignored["reason"]))).collect()
}

#[tokio::test]
async fn the_attribute_table_of_the_guide_is_what_datadog_gets() {
    let sandbox = datadog();
    let place = connected(&sandbox, json!({})).await;
    // userPrincipalName, Not(IsSoftDeleted), jobTitle, mail, displayName.
    place.user(
        "ada",
        json!({
            "title": "Engineer", "displayName": "Ada King", "name": null, "nickName": "Countess", "externalId": "00u1",
        }),
    );
    let user = place.is("ada", "True", "Synced").await;
    let account = shown(&sandbox, "ada@example.com").await;
    assert_eq!(account["name"]["formatted"], "Ada King", "{account}");
    assert_eq!((&account["title"], &account["active"]), (&json!("Engineer"), &json!(true)), "{account}");
    assert_eq!(account["emails"][0]["value"], "ada@example.com", "{account}");
    assert_eq!(account["externalId"], Value::Null, "{account}");
    let unsupported = |path: &str| (path.to_owned(), "Unsupported".to_owned());
    assert_eq!(ignored(&user), [unsupported("externalId"), unsupported("nickName")]);

    // Without a displayName the name is made of its parts, and a declared one goes before both.
    place.user("ada", json!({"title": "Engineer"}));
    place.synced("ada").await;
    assert_eq!(shown(&sandbox, "ada@example.com").await["name"]["formatted"], "ada Example");
    place.user("ada", json!({"displayName": "A", "name": {"formatted": "Countess of Lovelace"}}));
    place.synced("ada").await;
    let account = shown(&sandbox, "ada@example.com").await;
    assert_eq!(account["name"]["formatted"], "Countess of Lovelace");
    assert!(["", "null"].contains(&account["title"].as_str().unwrap_or("null")), "title was dropped: {account}");
}

#[tokio::test]
async fn create_update_and_deactivate_as_the_toggles_allow() {
    let sandbox = datadog();
    let place = connected(&sandbox, json!({"actions": ["Create", "Update"]})).await;
    let roles = json!([{"value": "11111111-aaaa-bbbb-cccc-000000000001"}]);
    place.user("ada", json!({"title": "Engineer", "roles": roles}));
    let id = place.synced("ada").await;
    assert_eq!(shown(&sandbox, "ada@example.com").await["roles"][0]["value"], roles[0]["value"]);
    place.user("ada", json!({"title": "Officer", "active": false}));
    place.is("ada", "False", "ActionDisabled").await;
    assert_eq!(shown(&sandbox, "ada@example.com").await["active"], true);
    place.patch_connection(json!({"actions": ["Create", "Update", "Deprovision"]}));
    assert_eq!(place.synced("ada").await, id);
    let account = shown(&sandbox, "ada@example.com").await;
    assert_eq!((&account["active"], &account["title"]), (&json!(false), &json!("Officer")));
    // Who returns has the same account, and roles that are dropped go.
    place.user("ada", json!({"title": "Officer"}));
    assert_eq!(place.synced("ada").await, id);
    let account = shown(&sandbox, "ada@example.com").await;
    assert_eq!(account["active"], true);
    assert!(account["roles"].as_array().is_none_or(Vec::is_empty), "{account}");
}

#[tokio::test]
async fn i22_what_datadog_calls_a_deletion_disables_and_who_returns_is_enabled() {
    let sandbox = datadog();
    let place = connected(&sandbox, json!({"deletionPolicy": {"users": "Delete"}})).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    place.kubectl(&["delete", "scimuser", "ada", "--timeout=90s"]);
    assert_eq!(shown(&sandbox, "ada@example.com").await["active"], false);
    place.user("ada", json!({}));
    assert_eq!(place.synced("ada").await, id);
    assert_eq!(shown(&sandbox, "ada@example.com").await["active"], true);
}

#[tokio::test]
async fn i07_a_400_to_a_creation_may_mean_that_the_person_is_there() {
    let sandbox = datadog();
    let place = connected(&sandbox, json!({})).await;
    // Its documents name no 409; what it did before it said so, or somebody else, may have been quicker than our look.
    let done = json!({"kind": "status", "code": 400, "effect": true});
    fault(&sandbox, json!({"method": "POST", "count": 1}), done).await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    assert_eq!(held(&sandbox, "ada@example.com").await.len(), 1);
    // One that means what it says stays with its object, in the server's words.
    let words = json!({"errors": ["'roles' should be object"]});
    fault(&sandbox, json!({"method": "POST"}), json!({"kind": "status", "code": 400, "body": words})).await;
    place.user("grace", json!({}));
    let refused = place.is("grace", "False", "Rejected").await;
    assert!(condition(&refused, "Ready")["message"].to_string().contains("'roles' should be object"), "{refused}");
}

#[tokio::test]
async fn i14_without_a_service_account_the_warning_stands() {
    let sandbox = datadog();
    let fields = json!({"baseUrl": format!("{}?aadOptscim062020", sandbox.base_url), "guards": {}});
    let place = connected(&sandbox, fields).await;
    let message = place.connection_is("Connected").await;
    assert!(message.contains("guards.protected"), "{message}");
    place.user("ada", json!({}));
    place.synced("ada").await;
    let told = place.events("QueryLeftOut");
    assert!(told.iter().any(|note| note.contains("?aadOptscim062020")), "{told:?}");
    assert!(!place.events("KeyOwnerUnknown").is_empty());
    let status = place.status_is("what is in force", |status| status["effective"]["tenant"].is_string()).await;
    assert_eq!(status["effective"]["tenant"], format!("{}/jackson", place.namespace));
    assert_eq!(status["effective"]["guards"]["creates"], json!({"maxCount": 500, "window": "1h"}));

    place.patch_connection(json!({"guards": {"protected": [KEY_OWNER]}}));
    place
        .status_is("no word of the owner", |status| {
            let connected = condition(&json!({"status": status}), "Connected");
            connected["observedGeneration"] == 2 && !connected["message"].to_string().contains("guards.protected")
        })
        .await;
}

#[tokio::test]
async fn i19_datadogs_way_to_ask_for_patience_is_understood() {
    let sandbox = datadog();
    let place = connected(&sandbox, json!({})).await;
    fault(&sandbox, json!({"method": "POST", "count": 2}), json!({"kind": "status", "code": 429})).await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    assert_eq!(held(&sandbox, "ada@example.com").await.len(), 1);
}

#[tokio::test]
async fn i29_a_site_stands_in_place_of_the_url() {
    let place = Place::new().await;
    place.secret("an application key");
    let base = |fields: Value| {
        let mut connection = place.connection(with(json!({"provider": "Datadog"}), fields));
        if connection["spec"]["baseUrl"].is_null() {
            connection["spec"].as_object_mut().expect("a spec").remove("baseUrl");
        }
        connection
    };
    let message = place.refused(&base(json!({"datadog": {"site": "datadoghq.eu"}})));
    assert!(message.contains("exactly one of baseUrl and datadog"), "{message}");
    let message = place.refused(&base(json!({"baseUrl": null, "datadog": {"site": "datadoghq.example.com"}})));
    assert!(message.contains("Unsupported value"), "{message}");
    let generic = json!({"baseUrl": null, "provider": "Generic", "datadog": {"site": "datadoghq.eu"}});
    let message = place.refused(&base(generic));
    assert!(message.contains("provider: Datadog"), "{message}");
    let suspended = json!({"baseUrl": null, "suspend": true, "datadog": {"site": "us3.datadoghq.com"}});
    place.kubectl(&["annotate", "secret", "key", "scim-operator.dev/hosts=nowhere.example.com"]);
    place.apply(base(suspended));
    let message = place.connection_is("HostNotAllowed").await;
    assert!(message.contains("api.us3.datadoghq.com"), "{message}");
}

#[tokio::test]
async fn an_organization_may_ask_for_the_header_pair() {
    let (sandbox, place) = (datadog(), Place::new().await);
    let pair = [("DD-API-KEY", "api-key"), ("DD-APPLICATION-KEY", "application-key")];
    let door = Front::before(&sandbox.base_url, &sandbox.token);
    let front = pair.iter().fold(door, |door, (header, key)| door.asking_for(header, &format!("the {key}"))).open();
    let secret = |application: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "datadog-scim", "labels": {"scim-operator.dev/credentials": "true"}},
            "stringData": {"api-key": "the api-key", "application-key": application},
        })
    };
    place.apply(secret("of somebody else"));
    let header = |(name, key)| json!({"name": name, "secretKeyRef": {"name": "datadog-scim", "key": key}});
    let auth = json!({"headers": pair.map(header)});
    place.apply(place.connection(json!({"provider": "Datadog", "baseUrl": front.base_url, "auth": auth})));
    place.connection_is("CredentialsRejected").await;
    place.apply(secret("the application-key"));
    place.connection_is("Connected").await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    assert_eq!(shown(&sandbox, "ada@example.com").await["active"], true);
}
