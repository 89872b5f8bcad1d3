//! What is to be explained: an object, and everything about it that its steps are made of.

use anyhow::Result;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::ObjectMeta;
use scim_operator::api::{
    CLAIMED_ACCOUNT, CLAIMED_GROUP, ConnectionKind, ConnectionRef, LastOperation, ScimConnection, ScimGroup, ScimUser,
    UserHold,
};

use super::row::Rows;
use super::step::Step;
use super::{events, managers};
use crate::cluster::Cluster;
use crate::objects::Object;
use crate::output::Tone;

/// So many of those that are waited for are named.
const MOST_WAITING: usize = 10;

/// An object, as far as both kinds have the same.
pub struct Subject {
    pub metadata: ObjectMeta,
    pub reference: ConnectionRef,
    /// What the reference leads to, where that is there and may be seen.
    pub connection: Option<ScimConnection>,
    pub object: Object,
    pub conditions: Vec<Condition>,
    pub bound_to: Option<String>,
    pub managed: Option<usize>,
    pub last: Option<LastOperation>,
    pub hold: Option<UserHold>,
    /// Which row of a roster it is.
    pub row: Option<Step>,
    /// What is told of it beside: managers, members.
    pub more: Vec<Step>,
    pub events: Vec<Event>,
    pub claim: &'static str,
    pub window_ends: Option<Timestamp>,
    /// By its own spec.
    pub suspended: bool,
}

impl Subject {
    /// Its hold was rejected: the connection remembers that, and lists it no longer as open.
    pub fn is_rejected(&self) -> bool {
        let status = self.connection.as_ref().and_then(|connection| connection.status.as_ref());
        let (Some(hold), Some(status)) = (&self.hold, status) else { return false };
        let refused = status.refused_holds.iter().flatten().any(|id| *id == hold.id);
        refused && !status.holds.iter().flatten().any(|open| open.id.as_ref() == Some(&hold.id))
    }
}

async fn connection(cluster: &Cluster, reference: &ConnectionRef) -> Option<ScimConnection> {
    let of_cluster = reference.kind == ConnectionKind::ClusterScimConnection;
    cluster.connection(of_cluster, &reference.name).await.ok()
}

/// A user.
pub async fn of_user(cluster: &Cluster, user: &ScimUser, rows: &Rows) -> Result<Subject> {
    let cluster = cluster.at(user.metadata.namespace.as_deref().unwrap_or_default());
    let status = user.status.clone().unwrap_or_default();
    let access = user.spec.access.clone().unwrap_or_default();
    let now = Timestamp::now();
    let edges = [access.not_before, access.not_after].into_iter().flatten().map(|edge| edge.0);
    Ok(Subject {
        metadata: user.metadata.clone(),
        connection: connection(&cluster, &user.spec.connection_ref).await,
        reference: user.spec.connection_ref.clone(),
        conditions: status.conditions.unwrap_or_default(),
        bound_to: status.bound_to,
        managed: status.managed_attributes.map(|managed| managed.len()),
        last: status.last_operation,
        hold: status.hold,
        row: rows.step(&cluster, user).await,
        more: managers::of(&cluster, user).await?,
        suspended: user.spec.suspend,
        events: events::about(&cluster, &user.metadata).await,
        claim: CLAIMED_ACCOUNT,
        window_ends: edges.filter(|edge| *edge > now).min(),
        object: user.clone().into(),
    })
}

/// A group; its members are counted.
pub async fn of_group(cluster: &Cluster, group: &ScimGroup) -> Result<Subject> {
    let cluster = cluster.at(group.metadata.namespace.as_deref().unwrap_or_default());
    let status = group.status.clone().unwrap_or_default();
    let mut more = Vec::new();
    if let Some(members) = &status.members {
        let text =
            format!("{} declared, {} in the group, {} waited for", members.declared, members.present, members.waiting);
        let tone = if members.waiting > 0 { Tone::Warning } else { Tone::Good };
        more.push(Step::new("members", tone, text));
    }
    let waiting = status.waiting_for.clone().unwrap_or_default();
    if !waiting.is_empty() {
        let named = waiting.iter().take(MOST_WAITING).cloned().collect::<Vec<_>>().join(", ");
        more.push(Step::new("waits for", Tone::Warning, named));
    }
    Ok(Subject {
        metadata: group.metadata.clone(),
        connection: connection(&cluster, &group.spec.connection_ref).await,
        reference: group.spec.connection_ref.clone(),
        conditions: status.conditions.unwrap_or_default(),
        bound_to: status.bound_to,
        managed: None,
        last: status.last_operation,
        hold: status.hold,
        row: None,
        more,
        suspended: false,
        events: events::about(&cluster, &group.metadata).await,
        claim: CLAIMED_GROUP,
        window_ends: None,
        object: group.clone().into(),
    })
}
