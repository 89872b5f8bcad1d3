//! The audit stream, the log level, and health.

use serde_json::{Value, json};

use crate::kit::{PATIENCE, user};
use crate::support::eventually;
use crate::{ask, audited, connected, operator};

#[tokio::test]
async fn the_audit_stream_tells_every_write_and_no_value() {
    let place = connected().await;
    let mut ada = user("ada", json!({"title": "Countess of Lovelace"}));
    ada["metadata"]["annotations"] = json!({"argocd.argoproj.io/tracking-id": "people:scim/ada"});
    place.apply(ada.clone());
    place.synced("ada").await;
    ada["spec"]["title"] = json!("First Programmer");
    place.apply(ada);
    eventually(PATIENCE, "the new title is recorded", async || {
        let ada = place.get("ada").await.expect("ada");
        if ada["status"]["lastOperation"]["type"] == "Update" { Ok(()) } else { Err(ada["status"].clone()) }
    })
    .await;
    let uid = place.get("ada").await.expect("ada")["metadata"]["uid"].clone();
    place.kubectl(&["delete", "scimuser", "ada", "--timeout=90s"]);

    let lines = audited(&place.namespace);
    let operations: Vec<&Value> = lines.iter().map(|line| &line["operation"]).collect();
    assert_eq!(operations, ["Create", "Update", "Deactivate"], "{lines:#?}");
    for line in &lines {
        assert_eq!(line["connection"], format!("{}/jackson", place.namespace));
        assert_eq!(line["object"]["kind"], "ScimUser");
        assert_eq!(line["object"]["name"], "ada");
        assert_eq!(line["object"]["uid"], uid);
        assert_eq!(line["object"]["fieldManagers"], json!(["kubectl-client-side-apply"]));
        assert_eq!(line["object"]["tracking"], json!({"argocd.argoproj.io/tracking-id": "people:scim/ada"}));
        assert_eq!(line["outcome"], "Done");
        for value in ["Lovelace", "Programmer", "ada@example.com"] {
            assert!(!line.to_string().contains(value), "{line}");
        }
    }
    assert_eq!(lines[0]["object"]["generation"], 1);
    assert_eq!(lines[1]["object"]["generation"], 2);
    assert_eq!(lines[1]["attributes"], json!(["title"]));
}

#[tokio::test]
async fn the_audit_stream_tells_what_was_refused_and_who_approved() {
    let place = connected().await;
    let guards = json!({"guards": {"rewrites": {"maxPercent": 0, "minCount": 0, "maxCount": 0}}});
    place.apply(place.connection(guards.clone()));
    place.user("ada", json!({}));
    place.synced("ada").await;
    place.user("ada", json!({"userName": "countess@example.com"}));
    let hold = eventually(PATIENCE, "the rename is held, and the hold has its id", async || {
        let ada = place.get("ada").await.expect("ada");
        ada["status"]["hold"]["id"].as_str().map(str::to_owned).ok_or(ada["status"].clone())
    })
    .await;
    let before = audited(&place.namespace).len();
    let approve = json!({"spec": {"approvedHold": hold}}).to_string();
    place.kubectl(&["patch", "scimconnection", "jackson", "--type=merge", "--field-manager=boss", "-p", &approve]);
    place.synced("ada").await;
    let lines = audited(&place.namespace);
    assert_eq!(lines.len(), before + 1, "{lines:#?}");
    assert_eq!(lines[before]["hold"], json!({"id": hold, "approvedBy": ["boss"]}));
}

#[tokio::test]
async fn the_log_level_can_be_changed_at_run_time() {
    // One of its own, standing by: the shared one's log is for all tests.
    let standby = operator().await.again();
    let (status, now) = ask(&standby, "GET", "/log-level", "").await;
    assert_eq!((status, now.as_str()), (200, "info,scim_operator=debug\n"));
    assert_eq!(ask(&standby, "PUT", "/log-level", "warn").await.0, 200);
    assert_eq!(ask(&standby, "GET", "/log-level", "").await.1, "warn\n");
    let (status, why) = ask(&standby, "PUT", "/log-level", "scim_operator=loud").await;
    assert_eq!(status, 400, "{why}");
    assert_eq!(ask(&standby, "GET", "/log-level", "").await.1, "warn\n");
}

#[tokio::test]
async fn a_standby_is_ready_and_does_not_lead() {
    let leader = operator().await;
    eventually(PATIENCE, "the leader is ready", async || match ask(leader, "GET", "/readyz", "").await {
        (200, _) => Ok(()),
        other => Err(other),
    })
    .await;
    let standby = leader.again();
    eventually(PATIENCE, "the standby is ready", async || match ask(&standby, "GET", "/readyz", "").await {
        (200, _) => Ok(()),
        other => Err(other),
    })
    .await;
    assert!(ask(leader, "GET", "/metrics", "").await.1.contains("scim_operator_leader 1\n"));
    assert!(ask(&standby, "GET", "/metrics", "").await.1.contains("scim_operator_leader 0\n"));
    assert_eq!(ask(&standby, "GET", "/livez", "").await, (200, "ok\n".to_owned()));
    assert_eq!(standby.terminate().code(), Some(0));
}
