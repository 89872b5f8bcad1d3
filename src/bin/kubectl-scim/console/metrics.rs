//! What the operator counts, read from its `/metrics` where whoever runs the console may reach it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Client, ResourceExt as _};
use url::Url;

use super::State;
use super::changes::Changed;
use crate::cluster::{Cluster, sentence};

/// It is read this often.
const EVERY: Duration = Duration::from_secs(10);
/// A read takes no longer.
const LONGEST: Duration = Duration::from_secs(10);
/// So many samples are kept: an hour.
const KEPT: usize = 361;
/// The operator's pods, as the chart labels them.
const PODS: &str = "app.kubernetes.io/name=scim-operator";

/// Writes that took effect and requests that failed, since an operator began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub operations: u64,
    pub errors: u64,
}

/// By connection: `namespace/name`, of the cluster's the name.
pub type Sample = BTreeMap<String, Counts>;

/// The last hour.
#[derive(Debug, Default)]
pub struct History {
    /// What happened between two samples, by the instant of the later one.
    steps: VecDeque<(Timestamp, Sample)>,
    last: Option<Sample>,
    /// Why it can't be read.
    pub problem: Option<String>,
}

impl History {
    /// Takes in what was counted by now, and says whether it shows. A counter that fell has begun anew.
    pub fn add(&mut self, at: Timestamp, sample: Sample) -> bool {
        let is_first = !self.is_there();
        if let Some(last) = &self.last {
            let since = |new: u64, old: u64| new.checked_sub(old).unwrap_or(new);
            let step = sample.iter().map(|(connection, new)| {
                // A connection that is new was at zero before.
                let old = last.get(connection).copied().unwrap_or_default();
                let counts =
                    Counts { operations: since(new.operations, old.operations), errors: since(new.errors, old.errors) };
                (connection.clone(), counts)
            });
            self.steps.push_back((at, step.collect()));
            if self.steps.len() > KEPT {
                self.steps.pop_front();
            }
        }
        let shows = self.steps.back().is_some_and(|(_, step)| step.values().any(|counts| *counts != Counts::default()));
        let had_problem = self.problem.take().is_some();
        self.last = Some(sample);
        shows || had_problem || (is_first && self.is_there())
    }

    /// It can't be read; says whether that is new.
    fn fail(&mut self, why: String) -> bool {
        let is_new = self.problem.as_ref() != Some(&why);
        self.problem = Some(why);
        is_new
    }

    /// It was read at least twice, so that there is something to show.
    pub fn is_there(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Since when it is known.
    pub fn since(&self) -> Option<Timestamp> {
        self.steps.front().map(|(at, _)| *at)
    }

    /// What happened in each of the last minutes, the newest last.
    pub fn by_minute(&self, minutes: usize, now: Timestamp) -> Vec<Counts> {
        let mut found = vec![Counts::default(); minutes];
        for (at, step) in &self.steps {
            let ago = usize::try_from(now.as_second() - at.as_second()).unwrap_or_default() / 60;
            let Some(place) = minutes.checked_sub(ago + 1) else { continue };
            for counts in step.values() {
                found[place].operations += counts.operations;
                found[place].errors += counts.errors;
            }
        }
        found
    }
}

/// Reads the counters of an exposition, and adds them to what other processes count.
fn add(text: &str, sample: &mut Sample) {
    for line in text.lines() {
        let Some((name, rest)) = line.split_once('{') else { continue };
        let Some((labels, value)) = rest.rsplit_once("} ") else { continue };
        // A connection's name holds no character that the format escapes.
        let connection = labels.split(',').find_map(|label| label.strip_prefix("connection=\"")?.strip_suffix('"'));
        let value = value.split(' ').next().and_then(|value| value.parse::<u64>().ok());
        let (Some(connection), Some(value)) = (connection, value) else { continue };
        match name {
            "scim_operator_operations_total" => sample.entry(connection.to_owned()).or_default().operations += value,
            "scim_operator_errors_total" => sample.entry(connection.to_owned()).or_default().errors += value,
            _ => {}
        }
    }
}

/// Reads it again and again.
pub async fn keep(state: Arc<State>, url: Option<Url>) {
    let http = reqwest::Client::new();
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let read = async {
            match &url {
                Some(url) => by_url(&http, url).await,
                None => by_pods(&state.cluster, &state.way.operator_namespace).await,
            }
        };
        let read = tokio::time::timeout(LONGEST, read).await.context("no answer within 10 s").flatten();
        let Ok(mut history) = state.counted.write() else { return };
        let shows = match read {
            Ok(sample) => history.add(Timestamp::now(), sample),
            Err(error) => history.fail(sentence(&error)),
        };
        drop(history);
        if shows {
            state.changes.add(Changed::Page("/".to_owned()));
        }
    }
}

async fn by_url(http: &reqwest::Client, url: &Url) -> Result<Sample> {
    let text = http.get(url.clone()).send().await?.error_for_status()?.text().await?;
    let mut sample = Sample::default();
    add(&text, &mut sample);
    Ok(sample)
}

/// Through the API server: nothing else need be reachable.
async fn by_pods(cluster: &Cluster, namespace: &str) -> Result<Sample> {
    let pods = cluster.within::<Pod>(namespace).list(&ListParams::default().labels(PODS)).await?.items;
    let mut sample = Sample::default();
    let running =
        pods.iter().filter(|pod| pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running"));
    let mut found = false;
    for pod in running {
        add(&of_pod(&cluster.client, namespace, pod).await?, &mut sample);
        found = true;
    }
    if !found {
        bail!("no pod of the operator runs in the namespace {namespace}; --operator-namespace names another");
    }
    Ok(sample)
}

async fn of_pod(client: &Client, namespace: &str, pod: &Pod) -> Result<String> {
    let request = http::Request::get(proxied(namespace, pod)).body(Vec::new())?;
    Ok(client.request_text(request).await?)
}

/// Where the API server passes a request on to the metrics of a pod.
fn proxied(namespace: &str, pod: &Pod) -> String {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let mut ports = containers.flat_map(|container| container.ports.iter().flatten());
    let port = ports.find(|port| port.name.as_deref() == Some("http")).map_or(8080, |port| port.container_port);
    format!("/api/v1/namespaces/{namespace}/pods/{}:{port}/proxy/metrics", pod.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample(operations: u64, errors: u64) -> Sample {
        Sample::from([("identity/datadog".to_owned(), Counts { operations, errors })])
    }

    #[test]
    fn counters_of_all_pods_are_added_by_connection() {
        let metrics = scim_operator::runtime::Metrics::default();
        metrics.begin("identity/datadog");
        metrics.operation("identity/datadog", "Create");
        metrics.operation("identity/datadog", "Update");
        metrics.error("identity/datadog", "throttled");
        let mut read = Sample::default();
        add(&metrics.encode(), &mut read);
        assert_eq!(read, sample(2, 1));
        add(&metrics.encode(), &mut read);
        assert_eq!(read, sample(4, 2), "another process's");
        let mut nothing = Sample::default();
        add("<html>{}</html>\n{} 1\nscim_operator_operations_total{connection=\"a\"} x", &mut nothing);
        assert!(nothing.is_empty());
    }

    #[test]
    fn a_minute_shows_what_happened_in_it_and_a_restart_is_no_fall() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let mut history = History::default();
        history.add(at("2026-11-28T11:57:00Z"), sample(1000, 0));
        assert!(!history.is_there());
        history.add(at("2026-11-28T11:58:30Z"), sample(1010, 1));
        // The operator was restarted.
        history.add(at("2026-11-28T11:59:30Z"), sample(3, 0));
        let minutes = history.by_minute(2, at("2026-11-28T12:00:00Z"));
        let counts = |operations, errors| Counts { operations, errors };
        assert_eq!(minutes, [counts(10, 1), counts(3, 0)]);
        for second in 0..1000 {
            history.add(at("2026-11-28T12:00:00Z") + jiff::SignedDuration::from_secs(second), sample(3, 0));
        }
        assert_eq!(history.steps.len(), KEPT);
    }

    #[test]
    fn pages_are_told_of_what_shows_and_of_nothing_else() {
        let mut history = History::default();
        let mut add = |operations| history.add(Timestamp::now(), sample(operations, 0));
        assert!(!add(3), "there is nothing to show yet");
        assert!(add(3), "there is a plot now");
        assert!(!add(3), "nothing happened");
        assert!(add(4));
        assert!(!add(4));
        assert!(history.fail("no pod".to_owned()) && !history.fail("no pod".to_owned()));
        assert!(history.add(Timestamp::now(), sample(4, 0)), "it can be read again");
    }

    #[test]
    fn a_pod_is_asked_through_the_api_server() {
        let pod: Pod =
            serde_json::from_value(json!({"metadata": {"name": "scim-operator-7f"}, "spec": {"containers": [
            {"name": "a", "ports": [{"name": "http", "containerPort": 9090}]}]}}))
            .unwrap();
        assert_eq!(
            proxied("scim-operator", &pod),
            "/api/v1/namespaces/scim-operator/pods/scim-operator-7f:9090/proxy/metrics"
        );
    }
}
