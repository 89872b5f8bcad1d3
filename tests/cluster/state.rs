//! What is owed, and what is known of a server, rests on what was recorded of it.

use serde_json::{Value, json};

use crate::elsewhere::{fault, held};
use crate::kit::{PATIENCE, Place, condition};
use crate::support::{Front, Sandbox, eventually};

const NAMES: [&str; 8] = ["ada", "grace", "alan", "kay", "joan", "edith", "radia", "karen"];

fn mail(address: &str) -> Value {
    json!({"emails": [{"value": address, "type": "work", "primary": true}]})
}

async fn emails(sandbox: &Sandbox, name: &str) -> Value {
    held(sandbox, &format!("{name}@example.com")).await[0]["resource"]["emails"].clone()
}

#[tokio::test]
async fn i09_under_report_drift_survives_a_suspension() {
    let place = Place::connected(json!({"driftPolicy": {"attributes": "Report"}})).await;
    place.user("ada", json!({"title": "Officer"}));
    let id = place.synced("ada").await;
    place.changed_by_others(&id, "title", json!("Nobody")).await;
    place.is("ada", "True", "Drifted").await;
    place.patch_connection(json!({"suspend": true}));
    place.says("ada", "Suspended").await;
    place.patch_connection(json!({"suspend": false}));
    place.is("ada", "True", "Drifted").await;
    // Something else is declared, and that alone is written.
    place.user("ada", json!({"title": "Officer", "nickName": "Countess"}));
    place.account_is(&id, "the nickName is there", |account| account["raw"]["nickName"] == "Countess").await;
    place.is("ada", "True", "Drifted").await;
    place.sweeps(1).await;
    assert_eq!(place.account(&id).await.expect("ada")["raw"]["title"], "Nobody");
}

#[tokio::test]
async fn i09_what_is_changed_back_three_times_is_contested() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({"title": "Officer"}));
    let id = place.synced("ada").await;
    for _ in 0..3 {
        place.changed_by_others(&id, "title", json!("Nobody")).await;
        place.account_is(&id, "the title is back", |account| account["raw"]["title"] == "Officer").await;
        place.synced("ada").await;
    }
    place.changed_by_others(&id, "title", json!("Nobody")).await;
    let ada = place.is("ada", "False", "Contested").await;
    assert_eq!(ada["status"]["ignoredAttributes"][0]["reason"], "Contested", "{ada}");
    place.sweeps(1).await;
    assert_eq!(place.account(&id).await.expect("ada")["raw"]["title"], "Nobody");
    place.user("ada", json!({"title": "Admiral"}));
    place.account_is(&id, "the new title is there", |account| account["raw"]["title"] == "Admiral").await;
}

#[tokio::test]
async fn i19_a_403_that_is_a_rate_limit_pauses_the_connection_and_stalls_nobody() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({"resyncInterval": "1h"})).await;
    let body =
        json!({"message": "You have exceeded a secondary rate limit.", "documentation_url": "https://example.com"});
    let refused = json!({"kind": "status", "code": 403, "body": body});
    fault(&sandbox, json!({"method": "POST", "nth": 3, "count": 1}), refused).await;
    for name in NAMES {
        place.user(name, json!({}));
    }
    eventually(PATIENCE, "the connection says that it is throttled", async || {
        let connected = condition(&place.get_connection().await, "Connected");
        let said = connected["message"].to_string();
        if connected["status"] == "True" && said.contains("throttled") { Ok(()) } else { Err(connected) }
    })
    .await;
    for user in place.users().await {
        assert_eq!(condition(&user, "Stalled"), Value::Null, "{user}");
    }
    for name in NAMES {
        place.synced(name).await;
    }
    let connected = condition(&place.get_connection().await, "Connected");
    assert_eq!(connected["status"], "True", "{connected}");
}

#[tokio::test]
async fn i21_a_server_that_reads_plain_json_alone_stalls_nobody() {
    let sandbox = Sandbox::start();
    let refused = json!({"kind": "status", "code": 415});
    fault(&sandbox, json!({"content_type": "application/scim+json"}), refused).await;
    let fields = json!({"maxInFlight": 8, "rateLimits": [{"for": "All", "requests": 100, "period": "1s"}]});
    let place = Place::at(&sandbox.base_url, &sandbox.token, fields).await;
    for name in NAMES {
        place.user(name, json!({}));
    }
    for name in NAMES {
        place.synced(name).await;
    }
    let struck = async || sandbox.admin("GET", "/faults/log", None).await["status"].as_u64().unwrap_or_default();
    let met = struck().await;
    assert!((1..=8).contains(&met), "{met}");
    for name in &NAMES[..4] {
        place.user(name, json!({"active": false}));
    }
    for name in &NAMES[..4] {
        place.synced(name).await;
        assert_eq!(held(&sandbox, &format!("{name}@example.com")).await[0]["resource"]["active"], false);
    }
    assert_eq!(struck().await, met, "it was learnt");
}

#[tokio::test]
async fn i03_lists_are_replaced_whole_where_a_path_with_a_filter_changes_nothing() {
    for does in [json!({"kind": "status", "code": 400}), json!({"kind": "empty_object_200"})] {
        let sandbox = Sandbox::start();
        fault(&sandbox, json!({"method": "PATCH", "body_contains": "[type eq"}), does.clone()).await;
        let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
        for name in ["ada", "grace"] {
            place.user(name, json!({}));
            place.synced(name).await;
        }
        for name in ["ada", "grace"] {
            place.user(name, mail(&format!("{name}@new.example")));
            place.synced(name).await;
            let shown = emails(&sandbox, name).await;
            assert_eq!(shown.as_array().map(Vec::len), Some(1), "{shown}");
            assert_eq!(shown[0]["value"], json!(format!("{name}@new.example")));
        }
        let log = sandbox.admin("GET", "/faults/log", None).await;
        assert_eq!(log[does["kind"].as_str().unwrap_or_default()], 1, "what it changes nothing by is sent once: {log}");
        let status = place
            .status_is("what was learnt is shown", |status| status["effective"]["dialect"]["patchPaths"] == "Whole");
        let learned = status.await["effective"]["learned"].to_string();
        assert!(learned.contains("patchPaths") && learned.contains("path with a filter"), "{learned}");
    }
}

#[tokio::test]
async fn i03_an_entry_that_is_shown_without_a_type_is_changed_and_not_doubled() {
    let sandbox = Sandbox::start_with(&["--dialect", "untyped"]);
    let front = Front::before(&sandbox.base_url, &sandbox.token).open();
    let place = Place::at(&front.base_url, "any", json!({})).await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    front.take();
    place.user("ada", mail("ada@new.example"));
    place.synced("ada").await;
    place.sweeps(2).await;
    assert_eq!(front.take_writes().len(), 1, "one change, one write");
    assert_eq!(emails(&sandbox, "ada").await, json!([{"value": "ada@new.example", "primary": true}]));
}

#[tokio::test]
async fn i21_a_key_that_may_not_touch_groups_is_said_at_the_group() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
    fault(&sandbox, json!({"method": "POST", "path_prefix": "/Groups"}), json!({"kind": "status", "code": 401})).await;
    place.group("Team", json!({}));
    eventually(PATIENCE, "the group says why it waits", async || {
        let group = place.get_group("team").ok_or(Value::Null)?;
        let ready = condition(&group, "Ready");
        let said = ready["message"].to_string();
        if ready["reason"] == "Pending" && said.contains("401") { Ok(()) } else { Err(group["status"].clone()) }
    })
    .await;
    place.connection_is("Connected").await;
}

#[tokio::test]
async fn i13_a_group_says_what_is_held_of_it() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({"mode": "Plan"})).await;
    place.group("Team", json!({}));
    let group = place.group_is_planned("team").await;
    let said = condition(&group, "Ready")["message"].to_string();
    assert!(said.contains("Create of displayName is held: nothing is sent under mode: Plan"), "{said}");
}

impl Place {
    async fn group_is_planned(&self, name: &str) -> Value {
        eventually(PATIENCE, "the group is planned", async || {
            let group = self.get_group(name).ok_or(Value::Null)?;
            if condition(&group, "Ready")["reason"] == "Planned" { Ok(group) } else { Err(group["status"].clone()) }
        })
        .await
    }
}
