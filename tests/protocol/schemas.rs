//! What is learnt of the schemas that servers list.

use scim_operator::scim::Profile;
use serde_json::Value;

use crate::support::{Jackson, Sandbox, Scim2Server, scratch};
use crate::{client, soon};

async fn listed(base_url: &str, token: &str) -> Option<Vec<String>> {
    client(base_url, token, Profile::generic()).listed_attributes(soon()).await.unwrap()
}

#[tokio::test]
async fn servers_that_list_everything_teach_nothing() {
    let tenant = Scim2Server::shared().await.tenant();
    assert_eq!(listed(&tenant.base_url, &tenant.token).await, None);
    let sandbox = Sandbox::start();
    assert_eq!(listed(&sandbox.base_url, &sandbox.token).await, None);
    let directory = Jackson::shared().await.new_directory("generic-scim-v2").await;
    let client = client(&directory.base_url, &directory.token, Profile::jackson());
    assert!(client.listed_attributes(soon()).await.is_err(), "Jackson lists its schemas");
}

#[tokio::test]
async fn what_the_sandboxs_datadog_drops_has_no_place() {
    let sandbox = Sandbox::start_with(&["--dialect", "datadog"]);
    let places = listed(&sandbox.base_url, &sandbox.token).await.unwrap();
    let has = |place: &str| places.iter().any(|one| one == place);
    assert!(has("title") && has("emails") && has("roles") && has("name.formatted"), "{places:?}");
    assert!(!has("displayName") && !has("nickName") && !has("phoneNumbers"), "{places:?}");
}

#[tokio::test]
async fn scim2_server_with_schemas_of_its_own_lacks_what_they_lack() {
    let tenant = Scim2Server::shared().await.tenant();
    let (_, all) = tenant.scim("GET", "/Schemas", None).await;
    let mut schemas: Vec<Value> = all["Resources"].as_array().unwrap().clone();
    let lacking = ["nickName", "middleName", "costCenter"];
    for schema in &mut schemas {
        let attributes = schema["attributes"].as_array_mut().unwrap();
        attributes.retain(|attribute| !lacking.contains(&attribute["name"].as_str().unwrap()));
        for attribute in attributes {
            if let Some(subs) = attribute.get_mut("subAttributes").and_then(Value::as_array_mut) {
                subs.retain(|sub| !lacking.contains(&sub["name"].as_str().unwrap()));
            }
        }
    }
    let file = scratch().join("data/few-attributes.json");
    std::fs::write(&file, Value::Array(schemas).to_string()).unwrap();
    let server = Scim2Server::start(&["--schema", file.to_str().unwrap()]).await;
    let tenant = server.tenant();
    let places = listed(&tenant.base_url, &tenant.token).await.unwrap();
    let has = |end: &str| places.iter().any(|place| place.ends_with(end));
    assert!(has("title") && has("name.givenName") && has(":department") && has(":manager.value"), "{places:?}");
    assert!(!lacking.iter().any(|name| has(name)), "{places:?}");
}
