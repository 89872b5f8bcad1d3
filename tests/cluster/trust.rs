//! What an administrator trusts it with: the server's identity, protected accounts, windows, keys.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::kit::{PATIENCE, Place, condition};
use crate::support::{Jackson, Sandbox, eventually};

#[tokio::test]
async fn i06_another_server_begins_with_a_hold() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({}));
    place.user("grace", json!({}));
    let id = place.synced("ada").await;
    place.synced("grace").await;
    let before = place.directory.writes().await;
    let other = Jackson::shared().await.new_directory("generic-scim-v2").await;

    let elsewhere = json!({"baseUrl": other.base_url});
    place.secret(&other.token);
    place.apply(place.connection(elsewhere.clone()));
    let held = place.is("ada", "False", "Held").await;
    assert!(condition(&held, "Ready")["message"].to_string().contains("another server"), "{held}");
    assert_eq!(held["status"]["id"], json!(id), "what it was bound to is kept");
    let status = place.status_is("held", |status| status["holds"][0]["reason"] == "NewServer").await;
    assert_eq!(status["holds"][0]["creates"], 2);
    // No removal is ever sent by the other server's id.
    place.kubectl(&["delete", "scimuser", "grace", "--wait=false"]);
    place.is("grace", "False", "BoundElsewhere").await;
    assert_eq!(other.writes().await, Vec::<Value>::new());

    // Put back, all is as it was.
    place.secret(&place.directory.token);
    place.apply(place.connection(json!({})));
    place.is_gone("grace").await;
    assert_eq!(place.synced("ada").await, id);
    assert_eq!(place.directory.writes().await.len(), before.len() + 1, "grace was deactivated, and nothing else");

    place.secret(&other.token);
    place.apply(place.connection(elsewhere));
    let hold = place.hold_id().await;
    place.answer("approvedHold", &hold);
    let there = place.synced("ada").await;
    assert_ne!(there, id);
    assert_eq!(other.users().await.len(), 1);
}

#[tokio::test]
async fn i14_the_owner_of_the_key_and_protected_identities_stay() {
    let sandbox = Sandbox::start_with(&["--owner", "svc-scim@example.com"]);
    let place = Place::new().await;
    place.secret(&sandbox.token);
    place.apply(place.connection(json!({
        "provider": "Generic", "baseUrl": sandbox.base_url, "guards": {"protected": ["*-breakglass@example.com"]},
    })));
    place.connection_is("Connected").await;
    let owner = place.status_is("the owner is known", |status| status["server"]["keyOwner"].is_string()).await;
    // As it is there: not even its e-mail could be changed.
    place.user("svc-scim", json!({"emails": null}));
    place.user("eu-breakglass", json!({}));
    assert_eq!(json!(place.synced("svc-scim").await), owner["server"]["keyOwner"]);
    place.synced("eu-breakglass").await;
    let still_active = async |name: &str| {
        let (_, found) =
            sandbox.scim("GET", &format!("/Users?filter=userName%20eq%20%22{name}@example.com%22"), None).await;
        found["Resources"][0]["active"] == true
    };
    for name in ["svc-scim", "eu-breakglass"] {
        place.user(name, json!({"active": false, "emails": null}));
        place.is(name, "False", "Protected").await;
        assert!(still_active(name).await, "{name}");
        place.kubectl(&["delete", "scimuser", name, "--timeout=60s"]);
        assert!(still_active(name).await, "{name}");
    }
    eventually(PATIENCE, "both are warned of", async || match place.events("AccountLeft") {
        warnings if warnings.len() == 2 => Ok(()),
        warnings => Err(warnings),
    })
    .await;
}

/// By an e-mail that nothing but the server knows, and before anything was listed: the connection is suspended until the
/// edit and the deletion are there.
#[tokio::test]
async fn i14_nobody_protected_leaves_a_group_that_is_emptied_or_deleted() {
    let sandbox = Sandbox::start();
    let place = Place::new().await;
    place.secret(&sandbox.token);
    let connection = |suspend: bool| {
        place.apply(place.connection(json!({
            "provider": "Generic", "baseUrl": sandbox.base_url, "suspend": suspend,
            "guards": {"protected": ["*-breakglass@example.com"]}, "adoptionPolicy": {"groups": "Adopt"},
            "deletionPolicy": {"groups": "Delete"},
        })));
    };
    let schema = |kind: &str| format!("urn:ietf:params:scim:schemas:core:2.0:{kind}");
    let make = async |collection: &str, body: Value| {
        let (status, made) = sandbox.scim("POST", collection, Some(body)).await;
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().expect("an id").to_owned()
    };
    let person = |name: &str, email: &str| json!({"schemas": [schema("User")], "userName": name, "emails": [{"value": email, "type": "work"}]});
    let glass = make("/Users", person("eve", "eu-breakglass@example.com")).await;
    let stranger = make("/Users", person("bob", "bob@example.com")).await;
    let mut groups = Vec::new();
    for name in ["emptied", "deleted"] {
        let members = json!([{"value": glass}, {"value": stranger}]);
        let body = json!({"schemas": [schema("Group")], "displayName": name, "members": members});
        groups.push(make("/Groups", body).await);
        place.apply(json!({
            "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {"name": name},
            "spec": {"connectionRef": {"name": "jackson"}, "displayName": name, "membership": "Additive"},
        }));
    }
    connection(false);
    for name in ["emptied", "deleted"] {
        place.kubectl(&["wait", "scimgroup", name, "--for=condition=Ready", "--timeout=90s"]);
    }
    connection(true);
    place.kubectl(&["patch", "scimgroup", "emptied", "--type=merge", "-p", r#"{"spec":{"membership":"Exact"}}"#]);
    place.kubectl(&["delete", "scimgroup", "deleted", "--wait=false"]);
    connection(false);
    let wanted = r#"jsonpath={.status.conditions[?(@.type=="Ready")].reason}=Protected"#;
    place.kubectl(&["wait", "scimgroup", "emptied", &format!("--for={wanted}"), "--timeout=90s"]);
    place.kubectl(&["wait", "scimgroup", "deleted", "--for=delete", "--timeout=90s"]);
    let members = async |group: &String| {
        let (_, shown) = sandbox.scim("GET", &format!("/Groups/{group}"), None).await;
        let members = shown["members"].as_array().cloned().unwrap_or_default();
        members.iter().map(|member| member["value"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(members(&groups[0]).await, std::slice::from_ref(&glass), "the stranger goes, the other stays");
    assert!(members(&groups[1]).await.contains(&glass), "the group stays with who is in it");
}

#[tokio::test]
async fn an_access_window_opens_and_closes_by_itself() {
    let place = Place::connected(json!({})).await;
    let at = |seconds: i64| (Timestamp::now() + SignedDuration::from_secs(seconds)).to_string();
    let (opens, closes) = (at(12), at(20));
    place.user("guest", json!({"access": {"notBefore": opens, "notAfter": closes}}));
    let early = place.is("guest", "True", "OutsideAccessWindow").await;
    assert_eq!(early["status"]["state"], "NotCreated");
    let id = place.synced("guest").await;
    place.status_is("it is counted as expiring", |status| status["users"]["expiring24h"] == 1).await;
    let late = place.is("guest", "True", "OutsideAccessWindow").await;
    assert_eq!(late["status"]["active"], false);
    assert_eq!(place.account(&id).await.expect("guest")["active"], false);
    let operation = &late["status"]["lastOperation"];
    let (ended, closed): (Timestamp, Timestamp) =
        (operation["at"].as_str().unwrap().parse().unwrap(), closes.parse().unwrap());
    // Whole seconds in status.
    assert!(ended.as_second() >= closed.as_second(), "nobody loses access early: {operation}");
    eprintln!("a window ended {} s late at most", ended.as_second() - closed.as_second() + 1);
    place.status_is("it expires no more", |status| status["users"]["expiring24h"] == 0).await;
}

#[tokio::test]
async fn i23_without_its_secret_a_connection_only_finishes_removals() {
    let nothing = json!({"maxPercent": 0, "minCount": 0, "maxCount": 0});
    let place = Place::connected(json!({"guards": {"removals": nothing}})).await;
    for name in ["ada", "grace", "alan"] {
        place.user(name, json!({}));
    }
    let ada = place.synced("ada").await;
    let grace = place.synced("grace").await;
    place.synced("alan").await;
    // Declared before the Secret goes, and not carried out yet.
    place.user("ada", json!({"active": false}));
    place.is("ada", "False", "Held").await;
    let hold = place.hold_id().await;
    place.kubectl(&["delete", "secret", "key"]);
    place.connection_is("SecretNotFound").await;
    place.user("alan", json!({"title": "Officer"}));
    place.kubectl(&["delete", "scimuser", "grace", "--wait=false"]);
    place.answer("approvedHold", &hold);
    place.is("ada", "True", "Synced").await;
    assert_eq!(place.account(&ada).await.expect("ada")["active"], false);
    place.is("alan", "False", "ConnectionNotReady").await;
    assert_eq!(place.account(&grace).await.expect("grace")["active"], true, "declared after the Secret went");

    place.secret(&place.directory.token);
    place.connection_is("Connected").await;
    place.synced("alan").await;
}

#[tokio::test]
async fn i23_a_key_that_expires_is_warned_of() {
    let place = Place::connected(json!({})).await;
    let soon = (Timestamp::now() + SignedDuration::from_hours(24 * 5)).to_string();
    place.kubectl(&["annotate", "secret", "key", &format!("scim-operator.dev/expires-at={soon}")]);
    let status = place.status_is("the expiry is shown", |status| status["credentials"]["expiresAt"].is_string()).await;
    assert_eq!(status["credentials"]["expiresAt"].as_str().map(|at| at[..19].to_owned()), Some(soon[..19].to_owned()));
    let warnings = eventually(PATIENCE, "a warning", async || {
        Some(place.events("KeyExpires")).filter(|warnings| !warnings.is_empty())
    })
    .await;
    assert!(warnings.len() == 1 && warnings[0].contains("within 7 days"), "{warnings:?}");
}

#[tokio::test]
async fn unmanaged_accounts_are_counted_named_and_left_alone() {
    let place = Place::connected(json!({"unmanagedPolicy": "Report"})).await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    let stranger = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "Stranger@example.com", "active": true,
        "emails": [{"value": "stranger@example.com", "primary": true}],
    });
    let (status, made) = place.directory.scim("POST", "/Users", Some(stranger)).await;
    assert_eq!(status, 201);
    let before = place.directory.writes().await;
    let status = place.status_is("one is unmanaged", |status| status["users"]["unmanaged"] == 1).await;
    assert_eq!(status["unmanaged"], json!([{"id": made["id"], "userName": "stranger@example.com"}]));
    place.sweeps(1).await;
    assert_eq!(place.directory.writes().await, before);
}

#[tokio::test]
async fn i21_a_connection_in_quarantine_says_so_and_comes_back_by_itself() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    place.directory.deactivate().await;
    let quarantined = place
        .status_is("it is quarantined", |status| {
            let conditions = status["conditions"].as_array();
            conditions.into_iter().flatten().any(|known| known["type"] == "Quarantined" && known["reason"] == "NotScim")
        })
        .await;
    let ada = place.get("ada").await;
    assert_eq!(quarantined["users"]["synced"], 1, "users that owe nothing are as they were: {ada:#?}");
    place.directory.activate().await;
    place
        .status_is("it is back", |status| {
            let conditions = status["conditions"].as_array();
            !conditions.into_iter().flatten().any(|known| known["type"] == "Quarantined")
        })
        .await;
    place.connection_is("Connected").await;
}
