//! Holds that were rejected and can still be approved: the connection's status keeps their ids, and each object's what of it
//! was rejected, whatever else was settled for it since.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use kube::api::{Api, ListParams};
use kube::core::ObjectMeta;
use kube::{Resource, ResourceExt};
use scim_operator::api::{RejectedHold, ScimConnection, ScimGroup, ScimUser};
use scim_operator::plan::Digests;

use super::{Held, Hold, sort};
use crate::cluster::{Cluster, Kind, each, is_forbidden};
use crate::objects::{Object, full_name};

/// So many objects are named.
const SAMPLED: usize = 20;

/// What of a hold is left, by its id.
type Left = BTreeMap<String, Vec<Object>>;

/// Those of connections; with `only` the one of this id. Deleted objects went without their accounts, so that one with
/// nobody else in it is over.
pub async fn of_connections(
    cluster: &Cluster,
    connections: &[ScimConnection],
    only: Option<&str>,
) -> Result<Vec<Hold>> {
    let mut found = Vec::new();
    for connection in connections {
        let mut ids = refused(connection);
        ids.retain(|id| only.is_none_or(|only| id == only));
        if ids.is_empty() {
            continue;
        }
        let place = named(connection, String::new());
        match left(cluster, &place, &ids).await {
            Ok(mut left) => found.extend(ids.into_iter().filter_map(|id| {
                let objects = left.remove(&id)?;
                counted(named(connection, id), &objects)
            })),
            // Whoever may not list the objects of one, such as all of a cluster connection's, sees those of the others.
            Err(error) if is_forbidden(&error) && only.is_none() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The objects that one of them has left.
pub async fn members(cluster: &Cluster, hold: &Hold) -> Result<Vec<Held>> {
    let id = hold.id.clone().unwrap_or_default();
    let mut left = left(cluster, hold, &BTreeSet::from([id.clone()])).await?;
    let mut found: Vec<Held> = left.remove(&id).unwrap_or_default().into_iter().map(Held).collect();
    sort(&mut found);
    Ok(found)
}

/// What is left of these holds of one connection: one look at each of its objects.
async fn left(cluster: &Cluster, hold: &Hold, ids: &BTreeSet<String>) -> Result<Left> {
    let mut found = Left::new();
    let of = if hold.namespace.is_some() { hold.name.clone() } else { format!("cluster/{}", hold.name) };
    let list = ListParams::default();
    let mut add = |object: Object, known: &[RejectedHold], generation: Option<i64>| {
        if object.connection == of {
            for id in ids {
                if let Some(object) = rejected(&object, known, generation, id) {
                    found.entry(id.clone()).or_default().push(object);
                }
            }
        }
    };
    let users: Api<ScimUser> = api(cluster, hold);
    each(&users, &list, |user| {
        let (known, generation) =
            (user.status.as_ref().and_then(|status| status.rejected_holds.clone()), of_spec(user.meta()));
        add(user.into(), &known.unwrap_or_default(), generation);
    })
    .await?;
    let groups: Api<ScimGroup> = api(cluster, hold);
    each(&groups, &list, |group| {
        let (known, generation) =
            (group.status.as_ref().and_then(|status| status.rejected_holds.clone()), of_spec(group.meta()));
        add(group.into(), &known.unwrap_or_default(), generation);
    })
    .await?;
    Ok(found)
}

fn of_spec(metadata: &ObjectMeta) -> Option<i64> {
    metadata.generation
}

/// A cluster connection's are anywhere; one of a namespace has them beside it.
fn api<K>(cluster: &Cluster, hold: &Hold) -> Api<K>
where
    K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
{
    match &hold.namespace {
        Some(namespace) => cluster.within(namespace),
        None => Api::all(cluster.client.clone()),
    }
}

/// An object as far as it is in rejected holds beside the one that its status has now.
pub fn of_object(object: &Object, known: &[RejectedHold], generation: Option<i64>) -> Vec<Object> {
    let others = known.iter().filter(|one| object.hold.as_ref() != Some(&one.id));
    others.filter_map(|one| rejected(object, known, generation, &one.id)).collect()
}

/// An object as far as it is in this hold; nothing where it isn't, or what was rejected isn't asked for any more.
fn rejected(object: &Object, known: &[RejectedHold], generation: Option<i64>, id: &str) -> Option<Object> {
    if object.deleting {
        return None;
    }
    if object.hold.as_deref() == Some(id) {
        return Some(object.clone());
    }
    let stands = |one: &&RejectedHold| one.id == id && !one.deleting && generation == Some(one.generation);
    let one = known.iter().find(stands)?;
    let operation = one.operation.as_str();
    let of = if one.members {
        match Digests::read(Some(&one.parts)).len() {
            1 => " of one membership".to_owned(),
            count => format!(" of {count} memberships"),
        }
    } else {
        String::new()
    };
    Some(Object {
        hold: Some(id.to_owned()),
        held_operation: Some(operation.to_owned()),
        held_digest: None,
        message: Some(format!(
            "{operation}{of} was held (hold {id}) and rejected; it stays undone until this object's spec changes"
        )),
        ..object.clone()
    })
}

/// The ids that status remembers, but for those that are open again.
pub fn refused(connection: &ScimConnection) -> BTreeSet<String> {
    let status = connection.status.clone().unwrap_or_default();
    let open: Vec<String> = status.holds.into_iter().flatten().filter_map(|hold| hold.id).collect();
    status.refused_holds.into_iter().flatten().filter(|id| !open.contains(id)).collect()
}

pub fn named(connection: &ScimConnection, id: String) -> Hold {
    let namespace = connection.namespace();
    let kind = if namespace.is_some() { Kind::Connection } else { Kind::ClusterConnection };
    Hold {
        id: Some(id),
        namespace,
        name: connection.name_any(),
        of: full_name(connection),
        rejected: true,
        version: connection.resource_version(),
        ..Hold::of_kind(kind)
    }
}

/// What is left of it, if anything.
pub fn counted<'a>(mut hold: Hold, objects: impl IntoIterator<Item = &'a Object>) -> Option<Hold> {
    for object in objects {
        let out = Held(object).taken_out();
        match object.held_operation.as_deref() {
            _ if out > 0 => hold.memberships += out,
            Some("Create") => hold.creates += 1,
            Some("Deactivate") => hold.deactivations += 1,
            Some("Delete") => hold.deletes += 1,
            _ => hold.updates += 1,
        }
        hold.since = [hold.since, object.since].into_iter().flatten().min();
        if hold.sample.len() < SAMPLED {
            hold.sample.push(format!("{}/{}", object.namespace, object.name));
        }
    }
    (!hold.sample.is_empty()).then_some(hold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scim_operator::api::OperationType;
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
        assert_eq!(refused(&connection), BTreeSet::from(["3f2a9c0d11b2e477".to_owned()]));
        let object = |operation: &str, deleting| Object {
            namespace: "identity".into(),
            name: "ada".into(),
            held_operation: Some(operation.into()),
            hold: Some("3f2a9c0d11b2e477".into()),
            deleting,
            ..Object::default()
        };
        let hold = || named(&connection, "3f2a9c0d11b2e477".into());
        let all = [object("Update", false), object("Deactivate", true)];
        let left = |all: &[Object]| {
            let all = all.iter().filter_map(|object| rejected(object, &[], Some(1), "3f2a9c0d11b2e477"));
            counted(hold(), &all.collect::<Vec<_>>())
        };
        let some = left(&all).unwrap();
        assert_eq!((some.updates, some.deactivations, some.rejected), (1, 0, true));
        assert_eq!(some.sample, ["identity/ada"]);
        assert_eq!(left(&all[1..]), None, "who was deleted went without a request");
        let group = Object {
            kind: "ScimGroup",
            message: Some("Update of 21 memberships was held (hold 3f2a9c0d11b2e477) and rejected; it stays".into()),
            ..object("Update", false)
        };
        let members = left(&[group]).unwrap();
        assert_eq!((members.count(), members.words().as_str()), (21, "21 members taken out of groups"));
    }

    #[test]
    fn i13_what_was_rejected_is_known_whatever_was_settled_for_its_object_since() {
        let rejection = |deleting, members| RejectedHold {
            id: "3f2a9c0d11b2e477".into(),
            operation: OperationType::Update,
            generation: 3,
            deleting,
            members,
            parts: {
                let mut parts = Digests::default();
                (0..21).for_each(|number| parts.insert(&[&format!("-{number}")]));
                parts.text()
            },
        };
        let suspended = Object { kind: "ScimGroup", namespace: "identity".into(), ..Object::default() };
        let found =
            |known: &[RejectedHold], generation, id| rejected(&suspended, known, Some(generation), id).map(Held);
        let id = "3f2a9c0d11b2e477";
        assert_eq!(found(&[rejection(false, true)], 3, id).unwrap().memberships(), Some((21, 0)));
        assert_eq!(found(&[rejection(false, false)], 3, id).unwrap().change(), "Update");
        assert!(found(&[rejection(false, true)], 4, id).is_none(), "its spec says something else now");
        assert!(
            found(&[rejection(true, true)], 3, id).is_none() && found(&[rejection(false, true)], 3, "4f").is_none()
        );
        let other = Object { hold: Some("4f2a9c0d11b2e477".into()), ..suspended.clone() };
        assert!(rejected(&other, &[rejection(false, true)], Some(3), id).is_some(), "another hold has it by now");
    }
}
