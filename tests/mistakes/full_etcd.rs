//! An etcd that takes nothing more.

use std::time::Duration;

use serde_json::{Value, json};

use crate::apart::Apart;
use crate::elsewhere::held;
use crate::kit::condition;
use crate::support::{http, scratch};
use crate::table::told;

#[tokio::test]
async fn i28_a_full_etcd_stops_everything_and_loses_nothing() {
    let mut apart = Apart::new("full", &["--quota-backend-bytes=50331648"]).await;
    apart.place.user("ada", json!({}));
    apart.place.synced("ada").await;
    it_fills_while_the_operator_runs(&mut apart).await;
    apart.operator.kill9();
    apart.place.user("bob", json!({}));
    let refused = fill(&apart);
    told("etcd-full", &refused);
    apart.operator = apart.builder.clone().start();
    told("etcd-full-operator", &apart.logs(&["the Lease", "space exceeded"]).await);
    assert!(held(&apart.sandbox, "bob@example.com").await.is_empty(), "nothing is sent without the Lease");
    make_room(&apart).await;
    // Whoever gave up is started again, as a kubelet does.
    if apart.operator.process().ended().is_some() {
        apart.operator = apart.builder.clone().start();
    }
    apart.place.synced("bob").await;
    apart.place.synced("ada").await;
    for name in ["ada", "bob"] {
        apart.is_there_once(name).await;
    }
    assert_eq!(condition(&apart.place.get_connection().await, "Connected")["status"], "True");
}

/// The operator says so, and ends with its Lease; what it is asked for afterwards is done once.
async fn it_fills_while_the_operator_runs(apart: &mut Apart) {
    fill(apart);
    told("etcd-full-running", &apart.logs(&["the Lease", "could not be written", "space exceeded"]).await);
    apart.has_ended().await;
    make_room(apart).await;
    apart.operator = apart.builder.clone().start();
    apart.place.user("ada", json!({"title": "Officer"}));
    apart.place.synced("ada").await;
    let account = held(&apart.sandbox, "ada@example.com").await;
    assert_eq!((account.len(), &account[0]["resource"]["title"]), (1, &json!("Officer")), "{account:?}");
}

/// Until nothing more is taken; what is said then.
fn fill(apart: &Apart) -> String {
    for number in 0..200 {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("filler-{number}"), "labels": {"fills": "etcd"}},
            "data": {"text": format!("{number}").repeat(900_000 / format!("{number}").len())},
        });
        let file = scratch().join("filler.json");
        std::fs::write(&file, object.to_string()).expect("a file");
        let made = apart.cluster.kubectl(&["-n", &apart.place.namespace, "create", "-f", &file.to_string_lossy()]);
        if !made.status.success() {
            return String::from_utf8_lossy(&made.stderr).into_owned();
        }
    }
    panic!("etcd takes everything");
}

/// As an administrator does it: what fills it is deleted, the history compacted, the file made smaller, the alarm ended.
async fn make_room(apart: &Apart) {
    apart.place.kubectl(&["delete", "configmap", "-l", "fills=etcd"]);
    let etcd = async |path: &str, body: Value| -> Value {
        let url = format!("{}{path}", apart.cluster.etcd_url());
        let answer =
            http().post(url).body(body.to_string()).timeout(Duration::from_secs(60)).send().await.expect("etcd");
        serde_json::from_str(&answer.text().await.expect("its answer")).expect("JSON")
    };
    let header = etcd("/v3/kv/range", json!({"key": "AA=="})).await["header"].clone();
    let (revision, member) = (&header["revision"], &header["member_id"]);
    etcd("/v3/kv/compaction", json!({"revision": revision, "physical": true})).await;
    etcd("/v3/maintenance/defragment", json!({})).await;
    etcd("/v3/maintenance/alarm", json!({"action": "DEACTIVATE", "memberID": member, "alarm": "NOSPACE"})).await;
}
