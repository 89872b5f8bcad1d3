//! Alerts, their pages and the dashboard name what is exported, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::dashboard::dashboard;
use crate::kit::{PATIENCE, Place};
use crate::support::{Helm, eventually, repository};
use crate::{ask, connected, operator};

/// The series of an exposition: names, and of each label its values.
type Series = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn series(exposition: &str) -> Series {
    let mut all = Series::new();
    for line in exposition.lines().filter(|line| !line.starts_with('#')) {
        let end = line.find(['{', ' ']).unwrap();
        let labels = all.entry(line[..end].to_owned()).or_default();
        for (name, value) in pairs(&line[end..]) {
            labels.entry(name).or_default().insert(value);
        }
    }
    all
}

/// The `name="value"` of a text; of `=~` and `!=` the name alone counts, with an empty value.
fn pairs(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        let (before, after) = (rest[..at].trim_end(), &rest[at + 1..]);
        let Some(end) = after.find('"') else { break };
        let operator: String = before.chars().rev().take_while(|c| "=~!".contains(*c)).collect();
        let name = before[..before.len() - operator.len()].rsplit(['{', ',', ' ']).next().unwrap();
        let value = if operator == "=" { &after[..end] } else { "" };
        found.push((name.to_owned(), value.to_owned()));
        rest = &after[end + 1..];
    }
    found
}

/// The metrics that an expression names, each with its matchers.
fn selectors(expression: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found = Vec::new();
    for (at, _) in expression.match_indices("scim_operator_") {
        let rest = &expression[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let matchers = rest[end..].strip_prefix('{').and_then(|inner| inner.split_once('}')).map(|(inner, _)| inner);
        found.push((rest[..end].to_owned(), pairs(matchers.unwrap_or_default())));
    }
    found
}

fn check(place: &str, expression: &str, exported: &Series) {
    let count = |c: char| expression.matches(c).count();
    assert_eq!((count('('), count('{'), count('[')), (count(')'), count('}'), count(']')), "{place}: {expression}");
    let selectors = selectors(expression);
    assert!(!selectors.is_empty(), "{place}: names no metric: {expression}");
    for (name, matchers) in selectors {
        let labels = exported.get(&name).unwrap_or_else(|| panic!("{place}: {name} is not exported"));
        for (label, value) in matchers {
            let values = labels.get(&label).unwrap_or_else(|| panic!("{place}: {name} has no label {label}"));
            assert!(value.is_empty() || values.contains(&value), "{place}: {name} has no {label}={value}");
        }
    }
    for (_, grouped) in expression.match_indices("by (").map(|(at, found)| expression.split_at(at + found.len())) {
        for label in grouped.split_once(')').unwrap().0.split(',').map(str::trim) {
            let known = exported.values().any(|labels| labels.contains_key(label));
            assert!(known, "{place}: nothing has a label {label}");
        }
    }
}

/// The alerts as the chart renders them.
pub fn rules() -> Vec<Value> {
    let args = ["--set=prometheusRule.enabled=true,whenKindMissing=render", "--show-only=templates/monitoring.yaml"];
    let rendered = Helm::offline("identity").template("scim-operator", &args);
    rendered[0]["spec"]["groups"][0]["rules"].as_array().expect("rules").clone()
}

/// A roster of one, so that its series are there.
pub fn roster(place: &Place) {
    place.apply(json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "people"},
        "spec": {"connectionRef": {"name": "jackson"}, "preset": "EntraGeneric", "source": {"inline": [{
            "userPrincipalName": "grace@example.com", "mail": "grace@example.com", "displayName": "Grace", "IsSoftDeleted": "false",
            "givenName": "Grace", "surname": "Hopper", "jobTitle": "Admiral", "department": "Navy", "employeeId": "1",
        }]}},
    }));
}

#[tokio::test]
async fn alerts_and_dashboard_name_what_is_exported() {
    let place = connected().await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    let name = format!("{}/jackson", place.namespace);
    roster(&place);
    let exported = eventually(PATIENCE, "the connection's metrics", async || {
        let (_, text) = ask(operator().await, "GET", "/metrics", "").await;
        let wanted = [
            format!("scim_operator_connected{{connection=\"{name}\"}} 1"),
            format!("scim_operator_users{{connection=\"{name}\",state=\"synced\"}} 2"),
            format!("scim_operator_operations_total{{connection=\"{name}\",type=\"Create\"}} 2"),
            format!("scim_operator_requests_total{{connection=\"{name}\",method=\"POST\",code=\"201\"}} 2"),
            "scim_operator_leader 1".to_owned(),
        ];
        let roster = format!("scim_operator_roster_rows{{roster=\"{}/people\"", place.namespace);
        let all = wanted.iter().all(|line| text.lines().any(|known| known == line)) && text.contains(&roster);
        if all { Ok(series(&text)) } else { Err(text) }
    })
    .await;

    for rule in rules() {
        check(rule["alert"].as_str().unwrap(), rule["expr"].as_str().unwrap(), &exported);
    }
    let dashboard = dashboard();
    let mut shown = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            check(panel["title"].as_str().unwrap(), expression, &exported);
            shown.extend(selectors(expression).into_iter().map(|(name, _)| name));
        }
    }
    // What fills a variable: without it every panel is empty.
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let Some(query) = variable["query"]["query"].as_str() else { continue };
        let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).expect(query);
        let (metric, label) = inner.split_once(", ").expect(query);
        let labels = exported.get(metric).unwrap_or_else(|| panic!("{query}: nothing is called so"));
        assert!(labels.contains_key(label), "{query}: {labels:?}");
    }
    // Nothing is exported that nobody is shown; of a histogram one of its three.
    for name in exported.keys() {
        let plain = ["_count", "_sum", "_bucket"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let known = shown.contains(name) || shown.contains(&format!("{plain}_bucket"));
        assert!(known, "{name} is on no panel");
    }
}

#[tokio::test]
async fn a_connections_series_go_with_it() {
    let place = connected().await;
    let name = format!("{}/jackson", place.namespace);
    place.kubectl(&["delete", "scimconnection", "jackson", "--timeout=60s"]);
    eventually(PATIENCE, "its series are gone", async || {
        let (_, text) = ask(operator().await, "GET", "/metrics", "").await;
        if text.contains(&name) { Err(text) } else { Ok(()) }
    })
    .await;
}

#[test]
fn each_alert_has_a_page_and_each_page_an_alert() {
    let pages = repository().join("docs/runbooks");
    let mut expected = BTreeSet::from(["README.md".to_owned()]);
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap();
        let page =
            std::fs::read_to_string(pages.join(format!("{name}.md"))).unwrap_or_else(|_| panic!("no page: {name}"));
        assert!(page.contains(rule["expr"].as_str().unwrap()), "{name}: another expression");
        for heading in ["## What it means", "## What to look at", "## What to do"] {
            assert!(page.contains(heading), "{name}: no {heading}");
        }
        let url = rule["annotations"]["runbook_url"].as_str().unwrap();
        assert!(url.ends_with(&format!("/docs/runbooks/{name}.md")), "{url}");
        assert!(rule["labels"]["severity"].is_string() && rule["annotations"]["summary"].is_string());
        expected.insert(format!("{name}.md"));
    }
    let there = std::fs::read_dir(pages).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(there.collect::<BTreeSet<_>>(), expected);
}

#[test]
fn alerts_can_be_left_out_and_labelled() {
    let args = [
        "--set=prometheusRule.enabled=true,whenKindMissing=render,prometheusRule.alertLabels.team=identity",
        "--set=prometheusRule.disabled={ScimUsersFailed}",
        "--show-only=templates/monitoring.yaml",
    ];
    let rendered = Helm::offline("identity").template("scim-operator", &args);
    let left = rendered[0]["spec"]["groups"][0]["rules"].as_array().unwrap();
    assert_eq!(left.len() + 1, rules().len());
    for rule in left {
        assert_ne!(rule["alert"], "ScimUsersFailed");
        assert_eq!(rule["labels"]["team"], "identity");
    }
}
