//! What others change at the server is mended, or told, as the connection says.

use serde_json::{Value, json};

use crate::kit::{Place, condition};

#[tokio::test]
async fn i09_drift_is_repaired() {
    let repair = json!({"attributes": "Repair", "deactivated": "Repair", "deleted": "Repair"});
    let place = Place::connected(json!({"driftPolicy": repair})).await;
    for name in ["ada", "grace", "alan"] {
        place.user(name, json!({"title": "Officer"}));
    }
    let (ada, grace, alan) = (place.synced("ada").await, place.synced("grace").await, place.synced("alan").await);
    place.changed_by_others(&ada, "title", json!("Mistress of None")).await;
    place.changed_by_others(&grace, "active", json!(false)).await;
    place.directory.scim("DELETE", &format!("/Users/{alan}"), None).await;

    place.account_is(&ada, "the title is back", |account| account["raw"]["title"] == "Officer").await;
    place.account_is(&grace, "the account is active", |account| account["active"] == true).await;
    crate::support::eventually(crate::kit::PATIENCE, "a new account", async || {
        let accounts = place.directory.users().await;
        accounts.into_iter().find(|account| account["email"] == "alan@example.com" && account["id"] != *alan)
    })
    .await;
    for name in ["ada", "grace", "alan"] {
        place.synced(name).await;
    }
    assert_eq!(place.directory.users().await.len(), 3);
}

#[tokio::test]
async fn i09_drift_is_reported() {
    let place = Place::connected(json!({"driftPolicy": {"attributes": "Report"}})).await;
    for name in ["ada", "grace", "alan"] {
        place.user(name, json!({"title": "Officer"}));
    }
    let (ada, grace, alan) = (place.synced("ada").await, place.synced("grace").await, place.synced("alan").await);
    place.changed_by_others(&ada, "title", json!("Mistress of None")).await;
    place.changed_by_others(&grace, "active", json!(false)).await;
    place.directory.scim("DELETE", &format!("/Users/{alan}"), None).await;
    let before = place.directory.writes().await;

    let drifted = place.is("ada", "True", "Drifted").await;
    assert_eq!(drifted["status"]["drift"], json!([{"path": "title"}]));
    let off = place.is("grace", "False", "DeactivatedAtServer").await;
    assert!(condition(&off, "Ready")["message"].to_string().contains("reconcile-requested-at"), "{off}");
    place.is("alan", "False", "DeletedAtServer").await;
    place.sweeps(1).await;
    assert_eq!(place.directory.writes().await, before, "what is to be reported was repaired");

    // The way out that the messages name.
    for name in ["grace", "alan"] {
        place.kubectl(&["annotate", "scimuser", name, "scim-operator.dev/reconcile-requested-at=now"]);
    }
    assert_eq!(place.synced("grace").await, grace);
    assert_eq!(place.account(&grace).await.expect("grace")["active"], true);
    assert_ne!(place.synced("alan").await, alan);
    // And of the attribute: the declaration is written anew.
    place.kubectl(&[
        "patch",
        "scimconnection",
        "jackson",
        "--type=merge",
        "-p",
        r#"{"spec":{"driftPolicy":{"attributes":"Repair"}}}"#,
    ]);
    place.synced("ada").await;
    place.account_is(&ada, "the title is back", |account| account["raw"]["title"] == "Officer").await;
    assert_eq!(place.get("ada").await.expect("ada")["status"]["drift"], Value::Null);
}
