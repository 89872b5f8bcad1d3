//! The audit stream in the logs of the operator's pods, as far as these go back.

use anyhow::{Result, anyhow, bail};
use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{ListParams, LogParams};

use super::{Arguments, Found};
use crate::cluster::Cluster;
use crate::output;

/// The operator's own container, as the chart names it.
const CONTAINER: &str = "scim-operator";

/// Reads them, and says where they begin.
pub(super) async fn read(cluster: &Cluster, arguments: &Arguments, found: &mut Found) -> Result<()> {
    let pods = cluster.within::<Pod>(&arguments.operator_namespace);
    let ours = ListParams::default().labels("app.kubernetes.io/name=scim-operator");
    let list = pods.list(&ours).await?;
    if list.items.is_empty() {
        bail!(
            "there is no pod of the operator in the namespace {}; name its namespace by --operator-namespace, or give the file of \
             the audit stream",
            arguments.operator_namespace
        );
    }
    let before = found.lines.len();
    for pod in &list.items {
        // Others may run beside it.
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let mut names = containers.map(|container| container.name.clone());
        let first = names.next();
        let container = names.find(|name| name == CONTAINER).or(first);
        let mut begin = None;
        // What a container wrote before it was started anew is a log of its own, where it is kept.
        for previous in [true, false].into_iter().filter(|previous| !previous || was_restarted(pod)) {
            // From its beginning: else nobody would know whether it goes back to --since.
            let params = LogParams { container: container.clone(), timestamps: true, previous, ..LogParams::default() };
            let stream = match pods.log_stream(&pod.name_any(), &params).await {
                Err(kube::Error::Api(_)) if previous => continue,
                stream => stream?,
            };
            let mut lines = stream.lines();
            while let Some(line) =
                lines.try_next().await.map_err(|error| anyhow!("the log of {} broke off: {error}", pod.name_any()))?
            {
                begin = begin.or_else(|| time_of(&line));
                found.take(&line, arguments);
            }
        }
        if let Some(gap) = gap(&pod.name_any(), begin, arguments.since) {
            output::note(&gap);
        }
    }
    if found.lines.len() == before {
        output::note(
            "the log has none; with audit.enabled the operator writes the stream, and a log goes back a while only",
        );
    }
    Ok(())
}

fn was_restarted(pod: &Pod) -> bool {
    let containers = pod.status.iter().filter_map(|status| status.container_statuses.as_ref()).flatten();
    containers.into_iter().any(|container| container.restart_count > 0)
}

/// The time that the API server puts before a line.
fn time_of(line: &str) -> Option<Timestamp> {
    line.split_once(' ')?.0.parse().ok()
}

/// What is asked for and older than the log.
fn gap(pod: &str, begin: Option<Timestamp>, since: Option<Timestamp>) -> Option<String> {
    let begin = begin.filter(|begin| since.is_none_or(|since| since < *begin))?;
    let begin = begin.strftime("%Y-%m-%dT%H:%M:%SZ");
    Some(format!(
        "note: the log of {pod} begins at {begin}, and what was done before is not in it: for that give the file of the audit stream"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_log_begins_later_than_asked_for_it_says_so() {
        let begin = time_of("2026-11-28T12:00:00.123456789Z {\"operation\": \"Update\"}");
        let at = |text: &str| Some(text.parse().unwrap());
        let told = gap("scim-operator-0", begin, at("2026-11-01T00:00:00Z")).unwrap_or_default();
        assert!(told.contains("the log of scim-operator-0 begins at 2026-11-28T12:00:00Z"), "{told}");
        assert!(gap("scim-operator-0", begin, None).is_some(), "all was asked for");
        assert_eq!(gap("scim-operator-0", begin, at("2026-11-29T00:00:00Z")), None);
        assert_eq!(gap("scim-operator-0", time_of("no time"), None), None);
    }
}
