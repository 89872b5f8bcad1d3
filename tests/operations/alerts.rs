//! Alerts and dashboard by Prometheus itself: rules are checked and tested by promtool, and a Prometheus that scrapes the
//! operator answers what the dashboard asks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::dashboard::dashboard;
use crate::kit::PATIENCE;
use crate::monitoring::{roster, rules};
use crate::support::{Process, eventually, free_port, guarded, http, objects, part, repository, scratch};
use crate::{connected, operator};

const CASES: &str = "tests/operations/alerts.yaml";

/// The rules as the chart renders them, as a rule file of Prometheus, in a directory of its own.
fn rule_file(directory: &str) -> PathBuf {
    let directory = scratch().join("data").join(directory);
    fs::create_dir_all(&directory).unwrap();
    let groups = json!({"groups": [{"name": "scim-operator", "rules": rules()}]});
    fs::write(directory.join("rules.yaml"), groups.to_string()).unwrap();
    directory
}

fn promtool(args: &[&str]) {
    let ran = Command::new(part("bin/promtool")).args(args).output().expect("promtool");
    let (said, complained) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "promtool {args:?}\n{said}{complained}");
}

#[test]
fn alerts_fire_when_they_should_and_not_otherwise() {
    let directory = rule_file("alerts");
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", directory.join("rules.yaml").to_str().unwrap()]);
    let cases = directory.join("cases.yaml");
    fs::copy(repository().join(CASES), &cases).unwrap();
    promtool(&["test", "rules", cases.to_str().unwrap()]);
}

#[test]
fn each_alert_is_tested_both_ways() {
    let cases = &objects(&fs::read_to_string(repository().join(CASES)).unwrap())[0];
    // Whether it is to fire.
    let mut tested: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for test in cases["tests"].as_array().unwrap().iter().flat_map(|case| case["alert_rule_test"].as_array().unwrap()) {
        let fires = !test["exp_alerts"].as_array().unwrap().is_empty();
        tested.entry(test["alertname"].as_str().unwrap().to_owned()).or_default().insert(fires);
    }
    let both = BTreeSet::from([false, true]);
    let expected = rules().iter().map(|rule| (rule["alert"].as_str().unwrap().to_owned(), both.clone())).collect();
    assert_eq!(tested, expected);
}

struct Prometheus {
    process: Process,
    address: String,
}

impl Prometheus {
    /// One that scrapes the operator each second and evaluates the chart's rules.
    async fn start() -> Prometheus {
        let directory = rule_file("prometheus");
        let target = operator().await.address().await;
        let config = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [directory.join("rules.yaml")],
            "scrape_configs": [{"job_name": "scim-operator", "static_configs": [{"targets": [target]}]}],
        });
        let file = directory.join("prometheus.yaml");
        fs::write(&file, config.to_string()).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = guarded(part("bin/prometheus"));
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", directory.join("data").display()))
            .arg(format!("--web.listen-address={address}"));
        let prometheus = Prometheus { process: Process::spawn("prometheus", command), address };
        eventually(PATIENCE, "Prometheus has scraped the operator", async || {
            let found = prometheus.query("scim_operator_leader").await?;
            if found.is_empty() { Err(prometheus.process.tail(5)) } else { Ok(()) }
        })
        .await;
        prometheus
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        let answer = http().get(format!("http://{}{path}", self.address)).send().await.map_err(|e| e.to_string())?;
        let body = answer.bytes().await.map_err(|e| e.to_string())?;
        let body: Value = serde_json::from_slice(&body).map_err(|e| e.to_string())?;
        if body["status"] == "success" { Ok(body["data"].clone()) } else { Err(body.to_string()) }
    }

    async fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let encoded: String = url::form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        let data = self.get(&format!("/api/v1/query?query={encoded}")).await?;
        Ok(data["result"].as_array().cloned().unwrap_or_default())
    }
}

#[tokio::test]
async fn a_real_prometheus_answers_what_the_dashboard_asks() {
    let place = connected().await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    roster(&place);
    let prometheus = Prometheus::start().await;

    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "two panels have one id");
    for panel in panels {
        for target in panel["targets"].as_array().unwrap() {
            // As Grafana fills it in: all connections, an interval that holds several scrapes. A limit or a time of 0 is
            // left out by the panels; here they are to be seen.
            let asked = target["expr"].as_str().unwrap();
            let expression =
                asked.replace("$connection", ".*").replace("$__rate_interval", "30s").replace("> 0", ">= 0");
            assert!(!expression.contains('$'), "{expression}");
            eventually(Duration::from_secs(60), &expression, async || {
                let found = prometheus.query(&expression).await?;
                if found.is_empty() { Err("no data".to_owned()) } else { Ok(()) }
            })
            .await;
        }
    }

    let groups = prometheus.get("/api/v1/rules").await.unwrap()["groups"].clone();
    let evaluated = groups[0]["rules"].as_array().unwrap();
    assert_eq!(evaluated.len(), rules().len());
    for rule in evaluated {
        assert_eq!(rule["health"], "ok", "{rule:#}");
        if rule["name"] == "ScimOperatorNoLeader" {
            assert_eq!(rule["state"], "inactive", "{rule:#}");
        }
    }
}
