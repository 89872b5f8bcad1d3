//! Holds that were rejected and can still be approved: status keeps their ids, and what is in them says so itself.

use anyhow::Result;
use kube::ResourceExt;
use scim_operator::api::ScimConnection;

use super::{Hold, members};
use crate::cluster::{Cluster, Kind, is_forbidden};
use crate::objects::full_name;

/// Those of connections; with `only` the one of this id. Deleted objects went without their accounts, so that one with
/// nobody else in it is over.
pub async fn of_connections(
    cluster: &Cluster,
    connections: &[ScimConnection],
    only: Option<&str>,
) -> Result<Vec<Hold>> {
    let mut found = Vec::new();
    for connection in connections {
        for id in refused(connection).into_iter().filter(|id| only.is_none_or(|only| id == only)) {
            let hold = named(connection, id);
            match members(cluster, &hold).await {
                Ok(members) => found.extend(counted(hold, members.iter().map(|member| &member.0))),
                // Whoever may not list objects is shown what waits.
                Err(error) if is_forbidden(&error) && only.is_none() => return Ok(found),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}

/// The ids that status remembers, but for those that are open again.
fn refused(connection: &ScimConnection) -> Vec<String> {
    let status = connection.status.clone().unwrap_or_default();
    let open: Vec<String> = status.holds.into_iter().flatten().filter_map(|hold| hold.id).collect();
    status.refused_holds.into_iter().flatten().filter(|id| !open.contains(id)).collect()
}

fn named(connection: &ScimConnection, id: String) -> Hold {
    let namespace = connection.namespace();
    Hold {
        id: Some(id),
        kind: if namespace.is_some() { Kind::Connection } else { Kind::ClusterConnection },
        namespace,
        name: connection.name_any(),
        of: full_name(connection),
        reason: String::new(),
        since: None,
        creates: 0,
        updates: 0,
        deactivations: 0,
        deletes: 0,
        memberships: 0,
        sample: Vec::new(),
        rejected: true,
        version: connection.resource_version(),
    }
}

/// What is left of it, if anything.
fn counted<'o>(mut hold: Hold, members: impl Iterator<Item = &'o crate::objects::Object>) -> Option<Hold> {
    for object in members.filter(|object| !object.deleting) {
        *match object.held_operation.as_deref() {
            Some("Create") => &mut hold.creates,
            Some("Deactivate") => &mut hold.deactivations,
            Some("Delete") => &mut hold.deletes,
            _ => &mut hold.updates,
        } += 1;
        hold.since = [hold.since, object.since].into_iter().flatten().min();
        hold.sample.push(format!("{}/{}", object.namespace, object.name));
    }
    hold.sample.truncate(20);
    (!hold.sample.is_empty()).then_some(hold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Object;
    use serde_json::json;

    #[test]
    fn i13_what_was_rejected_and_is_still_there_can_be_approved() {
        let connection: ScimConnection = serde_json::from_value(json!({
            "metadata": {"name": "datadog", "namespace": "identity"},
            "spec": {"baseUrl": "https://scim.example.com", "auth": {}},
            "status": {"refusedHolds": ["3f2a9c0d11b2e477", "4f2a9c0d11b2e477"],
                "holds": [{"id": "4f2a9c0d11b2e477", "reason": "rewrites", "since": "2026-11-28T12:00:00Z",
                    "creates": 0, "updates": 1, "deactivations": 0, "deletes": 0}]},
        }))
        .unwrap();
        assert_eq!(refused(&connection), ["3f2a9c0d11b2e477"]);
        let object = |operation: &str, deleting| Object {
            namespace: "identity".into(),
            name: "ada".into(),
            held_operation: Some(operation.into()),
            deleting,
            ..Object::default()
        };
        let hold = || named(&connection, "3f2a9c0d11b2e477".into());
        let all = [object("Update", false), object("Deactivate", true)];
        let left = counted(hold(), all.iter()).unwrap();
        assert_eq!((left.updates, left.deactivations, left.rejected), (1, 0, true));
        assert_eq!(left.sample, ["identity/ada"]);
        assert_eq!(counted(hold(), all[1..].iter()), None, "who was deleted went without a request");
    }
}
