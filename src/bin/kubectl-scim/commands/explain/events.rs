//! What Kubernetes was told about an object lately.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, ListParams};
use kube::core::ObjectMeta;

use super::step::Step;
use crate::cluster::Cluster;
use crate::output::Tone;
use crate::time::{ago, seen};

/// So many are told, the newest.
const MOST: usize = 3;

/// The events about an object; none where they may not be read.
pub async fn about(cluster: &Cluster, object: &ObjectMeta) -> Vec<Event> {
    let Some(uid) = &object.uid else { return Vec::new() };
    let api = Api::<Event>::namespaced(cluster.client.clone(), object.namespace.as_deref().unwrap_or_default());
    let list = ListParams::default().fields(&format!("involvedObject.uid={uid}"));
    api.list(&list).await.map(|list| list.items).unwrap_or_default()
}

/// A step each, the oldest first.
pub fn told(mut events: Vec<Event>, now: Timestamp) -> Vec<Step> {
    events.sort_by_key(seen);
    let newest = events.len().saturating_sub(MOST);
    events.drain(..newest);
    let step = |event: Event| {
        let tone = if event.type_.as_deref() == Some("Warning") { Tone::Warning } else { Tone::Plain };
        let age = seen(&event).map_or_else(String::new, |at| format!("{} ago: ", ago(at, now)));
        let (reason, message) = (event.reason.unwrap_or_default(), event.message.unwrap_or_default());
        Step::new("event", tone, format!("{age}{reason}: {message}"))
    };
    events.into_iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_newest_events_are_told_in_their_order() {
        let event = |minute: u8, reason: &str| {
            serde_json::from_value::<Event>(json!({
                "metadata": {"name": reason, "namespace": "identity"}, "involvedObject": {}, "type": "Warning",
                "reason": reason, "message": "why", "eventTime": format!("2026-11-28T11:{minute:02}:00.000000Z"),
            }))
            .unwrap()
        };
        let events = vec![event(50, "C"), event(10, "A"), event(55, "D"), event(20, "B")];
        let told = told(events, "2026-11-28T12:00:00Z".parse().unwrap());
        let texts: Vec<&str> = told.iter().map(|step| step.found.as_str()).collect();
        assert_eq!(texts, ["40m ago: B: why", "10m ago: C: why", "5m ago: D: why"]);
    }
}
