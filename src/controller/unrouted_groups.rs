//! Groups whose connection isn't there.

use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use tracing::info;

use crate::api::{FIELD_MANAGER, FINALIZER, GROUP, GroupState, Reason, ScimGroup, VERSION};
use crate::directory::connection_of_group;
use crate::directory::full_name;
use crate::plan::groups::{Group, GroupVerdict};
use crate::plan::way_out;
use crate::provisioner::Shared;
use crate::status::{PassLog, record_group};

/// Says so, or lets a released one go.
pub async fn say_not_found(shared: &Shared, group: &ScimGroup, released: bool) -> Result<(), kube::Error> {
    let api: Api<ScimGroup> = Api::namespaced(shared.kube.clone(), &group.namespace().unwrap_or_default());
    let name = group.name_any();
    let deleting = group.metadata.deletion_timestamp.is_some();
    let ours = group.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    if deleting && ours && (released || group.wants_release()) {
        let rest: Vec<_> = group.finalizers().iter().filter(|finalizer| *finalizer != FINALIZER).collect();
        let body = json!({"metadata": {"resourceVersion": group.resource_version(), "finalizers": rest}});
        api.patch(&name, &PatchParams::default(), &Patch::Merge(&body)).await?;
        info!(object = %full_name(group), "released: its group, if any, stays as it is");
        return Ok(());
    }
    let status = group.status.clone().unwrap_or_default();
    // An object that owes nothing is not rewritten for its connection's trouble.
    if status.observed_generation == group.metadata.generation && !deleting {
        return Ok(());
    }
    let connection = connection_of_group(group);
    let way_out = if deleting {
        format!(". {}", way_out::<Group>(&full_name(group)))
    } else {
        shared.directory.instead_of(&connection, &group.namespace().unwrap_or_default())
    };
    let verdict = GroupVerdict {
        reason: Some(Reason::ConnectionNotFound),
        message: format!("the {:?} {connection} is not there{way_out}", group.spec.connection_ref.kind),
        state: Some(if deleting { GroupState::Deleting } else { GroupState::Pending }),
        ..GroupVerdict::default()
    };
    let generation = group.metadata.generation.unwrap_or_default();
    let new = record_group(&status, generation, &verdict, &PassLog::default(), Timestamp::now());
    if group.status.as_ref() == Some(&new) {
        return Ok(());
    }
    let mut body = json!(new);
    if let Some(body) = body.as_object_mut() {
        // Written key by key, by whoever lets a member go.
        body.remove("leaving");
        body.remove("memberNames");
    }
    let body = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "ScimGroup",
        "metadata": {"name": name, "uid": group.uid()},
        "status": body,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch_status(&name, &params, &Patch::Apply(&body)).await?;
    Ok(())
}
