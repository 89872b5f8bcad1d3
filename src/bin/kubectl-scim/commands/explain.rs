//! `explain`: why a user or a group stands as it does, step by step.

use std::fmt::Write as _;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::ObjectMeta;
use scim_operator::api::{
    CLAIMED_ACCOUNT, CLAIMED_GROUP, ConnectionKind, ConnectionRef, FINALIZER, LastOperation, ROSTER_KEY, ROSTER_LABEL,
    ScimConnection, ScimGroup, ScimUser, UserHold,
};
use scim_operator::provisioner::dry_run::PlannedObject;
use serde::Serialize;

use super::plan::{self, Access};
use crate::Outcome;
use crate::cluster::{Cluster, Kind, Target};
use crate::global::Global;
use crate::objects::{Object, connection_name};
use crate::output::{Cell, Printer, Row, Tone};
use crate::time::ago;

/// So many members are named.
const MOST_MEMBERS: usize = 10;

/// `explain`
#[derive(Debug, Args)]
pub struct Arguments {
    /// The object, as user/NAME or group/NAME
    target: Target,
    /// Read the server now, and tell what the operator would do next; as `plan`, it sends reads only
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    access: plan::KeyAccess,
}

/// One step on the way from the manifest to the server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    what: &'static str,
    #[serde(skip)]
    tone: Tone,
    found: String,
}

impl Step {
    fn new(what: &'static str, tone: Tone, found: impl Into<String>) -> Self {
        Self { what, tone, found: found.into() }
    }
}

impl Row for Step {
    const COLUMNS: &'static [&'static str] = &["STEP", "FOUND"];

    fn cells(&self) -> Vec<Cell> {
        vec![self.what.into(), Cell::toned(self.found.clone(), self.tone)]
    }
}

/// An object, as far as both kinds have the same.
struct Subject {
    metadata: ObjectMeta,
    connection: ConnectionRef,
    object: Object,
    conditions: Vec<Condition>,
    bound_to: Option<String>,
    managed: Option<usize>,
    last: Option<LastOperation>,
    hold: Option<UserHold>,
    /// What is told of it beside: managers, members.
    more: Vec<Step>,
    claim: &'static str,
    window_ends: Option<Timestamp>,
}

/// Explains.
pub async fn run(global: &Global, printer: Printer, arguments: &Arguments) -> Result<Outcome> {
    let cluster = Cluster::connect(global).await?;
    crate::cluster::one_namespace(&cluster, "explain")?;
    let name = &arguments.target.name;
    let subject = match arguments.target.kind {
        Kind::User => of_user(&cluster, name).await?,
        Kind::Group => of_group(&cluster, name).await?,
        _ => bail!("only users and groups are explained: write user/NAME or group/NAME"),
    };
    let of_cluster = subject.connection.kind == ConnectionKind::ClusterScimConnection;
    let connection = cluster.connection(of_cluster, &subject.connection.name).await.ok();
    let planned = if arguments.live { Some(live(global, arguments).await?) } else { None };
    let steps = steps(&subject, connection.as_ref(), planned.as_ref());
    let doubtful = steps.iter().any(|step| step.tone == Tone::Bad);
    printer.list(&steps)?;
    Ok(if doubtful { Outcome::Found } else { Outcome::Done })
}

/// What a plan says of it now.
async fn live(global: &Global, arguments: &Arguments) -> Result<PlannedObject> {
    let Target { kind, name } = &arguments.target;
    let kind = if *kind == Kind::User { "user" } else { "group" };
    let access = Access::of_cluster(arguments.access.clone());
    let plans = plan::plans(global, &access, Some(&format!("{kind}/{name}"))).await?;
    let mut objects = plans.into_iter().flat_map(|plan| plan.objects);
    objects.next().ok_or_else(|| anyhow!("the plan of its connection doesn't have {kind}/{name}"))
}

async fn of_user(cluster: &Cluster, name: &str) -> Result<Subject> {
    let found = cluster.within::<ScimUser>(&cluster.namespace).get_opt(name).await?;
    let user = found.ok_or_else(|| gone(cluster, Kind::User, name))?;
    let status = user.status.clone().unwrap_or_default();
    let mut more = Vec::new();
    let enterprise = user.spec.attributes.enterprise.as_ref();
    let manager = enterprise.and_then(|enterprise| enterprise.manager.as_ref());
    if let Some(reference) = manager.and_then(|manager| manager.user_ref.as_ref()) {
        let there = cluster.within::<ScimUser>(&cluster.namespace).get_opt(&reference.name).await?;
        let id = there.as_ref().and_then(|manager| manager.status.as_ref()?.id.clone());
        more.push(match (there, id) {
            (Some(_), Some(id)) => {
                Step::new("manager", Tone::Good, format!("user/{} is the account {id}", reference.name))
            }
            (Some(_), None) => {
                let why = format!("user/{} has no account yet, and is set once it has one", reference.name);
                Step::new("manager", Tone::Warning, why)
            }
            (None, _) => {
                Step::new("manager", Tone::Bad, format!("there is no user/{} in this namespace", reference.name))
            }
        });
    }
    let access = user.spec.access.clone().unwrap_or_default();
    let now = Timestamp::now();
    let edges = [access.not_before, access.not_after].into_iter().flatten().map(|edge| edge.0);
    Ok(Subject {
        metadata: user.metadata.clone(),
        connection: user.spec.connection_ref.clone(),
        conditions: status.conditions.unwrap_or_default(),
        bound_to: status.bound_to,
        managed: status.managed_attributes.map(|managed| managed.len()),
        last: status.last_operation,
        hold: status.hold,
        more,
        claim: CLAIMED_ACCOUNT,
        window_ends: edges.filter(|edge| *edge > now).min(),
        object: user.into(),
    })
}

async fn of_group(cluster: &Cluster, name: &str) -> Result<Subject> {
    let found = cluster.within::<ScimGroup>(&cluster.namespace).get_opt(name).await?;
    let group = found.ok_or_else(|| gone(cluster, Kind::Group, name))?;
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
        let named = waiting.iter().take(MOST_MEMBERS).cloned().collect::<Vec<_>>().join(", ");
        more.push(Step::new("waits for", Tone::Warning, named));
    }
    Ok(Subject {
        metadata: group.metadata.clone(),
        connection: group.spec.connection_ref.clone(),
        conditions: status.conditions.unwrap_or_default(),
        bound_to: status.bound_to,
        managed: None,
        last: status.last_operation,
        hold: status.hold,
        more,
        claim: CLAIMED_GROUP,
        window_ends: None,
        object: group.into(),
    })
}

fn gone(cluster: &Cluster, kind: Kind, name: &str) -> anyhow::Error {
    anyhow!("there is no {} {name} in the namespace {}", kind.name(), cluster.namespace)
}

fn steps(subject: &Subject, connection: Option<&ScimConnection>, live: Option<&PlannedObject>) -> Vec<Step> {
    let mut steps = vec![declared(subject), of_connection(subject, connection)];
    steps.push(found(subject, live));
    steps.push(owned(subject));
    steps.extend(subject.more.iter().map(|step| Step { what: step.what, tone: step.tone, found: step.found.clone() }));
    steps.push(decided(subject, live));
    steps.push(admitted(subject, live));
    steps.push(last(subject));
    steps.push(next(subject, connection, live));
    steps
}

fn declared(subject: &Subject) -> Step {
    let (object, metadata) = (&subject.object, &subject.metadata);
    let mut text = format!("{} {}/{} declares {}", object.kind, object.namespace, object.name, object.called);
    let labels = metadata.labels.clone().unwrap_or_default();
    if let Some(roster) = labels.get(ROSTER_LABEL) {
        let key = metadata.annotations.as_ref().and_then(|all| all.get(ROSTER_KEY));
        let row = key.map_or_else(String::new, |key| format!(", its row is that of {key}"));
        let _ = write!(text, "; made by roster/{roster}{row}");
    }
    if let Some(at) = &metadata.deletion_timestamp {
        let _ = write!(text, "; deleted {} ago", ago(at.0, Timestamp::now()));
        return Step::new("declared", Tone::Warning, text);
    }
    Step::new("declared", Tone::Good, format!("{text}; generation {}", metadata.generation.unwrap_or_default()))
}

fn of_connection(subject: &Subject, connection: Option<&ScimConnection>) -> Step {
    let name = connection_name(&subject.connection);
    let Some(connection) = connection else {
        let why = format!("there is no connection {name}, or you may not see it");
        return Step::new("connection", Tone::Bad, why);
    };
    let conditions = connection.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let Some(connected) = conditions.iter().find(|known| known.type_ == "Connected") else {
        return Step::new("connection", Tone::Warning, format!("{name} has not been tested yet"));
    };
    let text = format!("{name}: {}: {}", connected.reason, connected.message);
    if connection.spec.suspend {
        return Step::new("connection", Tone::Warning, format!("{name} is suspended: nothing is sent"));
    }
    Step::new("connection", if connected.status == "True" { Tone::Good } else { Tone::Bad }, text)
}

fn found(subject: &Subject, live: Option<&PlannedObject>) -> Step {
    let noun = if subject.object.kind == "ScimUser" { "account" } else { "group" };
    if let Some(live) = live {
        return match &live.id {
            Some(id) => Step::new("found", Tone::Good, format!("read now: the {noun} {id}")),
            None => Step::new("found", Tone::Warning, format!("read now: the server has no {noun} of it")),
        };
    }
    match (&subject.object.id, &subject.bound_to) {
        (Some(id), Some(server)) => {
            let active = subject.object.active.map_or("", |active| if active { ", active" } else { ", inactive" });
            Step::new("found", Tone::Good, format!("bound to the {noun} {id} at {server}{active}"))
        }
        _ => Step::new("found", Tone::Warning, format!("it is bound to no {noun}")),
    }
}

fn owned(subject: &Subject) -> Step {
    let metadata = &subject.metadata;
    let ours = metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER);
    if !ours {
        return Step::new("owned", Tone::Plain, "nothing yet: the object has no finalizer of the operator's");
    }
    let claim = metadata.annotations.as_ref().and_then(|all| all.get(subject.claim));
    let claim = claim.map_or_else(String::new, |claim| format!("claimed as {claim}"));
    let managed = subject.managed.map_or_else(String::new, |count| format!("{count} attributes are its own"));
    let text = [claim, managed].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
    Step::new("owned", Tone::Good, if text.is_empty() { "by its finalizer".to_owned() } else { text })
}

fn decided(subject: &Subject, live: Option<&PlannedObject>) -> Step {
    if let Some(live) = live {
        let changes: Vec<&str> = live.changes.iter().map(|change| change.attribute.as_str()).collect();
        let attributes = if changes.is_empty() { String::new() } else { format!(": {}", changes.join(", ")) };
        let members = live.members.added.len() + live.members.removed.len();
        let members = if members > 0 { format!(", {members} members") } else { String::new() };
        return Step::new("decided", Tone::Plain, format!("now: {}{attributes}{members}", live.action.as_str()));
    }
    let Some(ready) = subject.conditions.iter().find(|known| known.type_ == "Ready") else {
        return Step::new("decided", Tone::Warning, "nothing yet: it was not looked at");
    };
    let stale = ready.observed_generation != subject.metadata.generation;
    let stale = if stale { "for an earlier generation: " } else { "" };
    let tone = match ready.status.as_str() {
        "True" if subject.object.drift.is_empty() => Tone::Good,
        "True" => Tone::Warning,
        _ if subject.object.stalled => Tone::Bad,
        _ => Tone::Warning,
    };
    Step::new("decided", tone, format!("{stale}{}: {}", ready.reason, ready.message))
}

fn admitted(subject: &Subject, live: Option<&PlannedObject>) -> Step {
    match (live.and_then(|live| live.held.as_ref()), &subject.hold) {
        (_, Some(hold)) => {
            let text = format!(
                "{} is in the hold {}; kubectl scim holds {} shows all of it",
                hold.operation.as_str(),
                hold.id,
                hold.id
            );
            Step::new("admitted", Tone::Bad, text)
        }
        (Some(held), None) if held.needs_answer => {
            Step::new("admitted", Tone::Bad, format!("would be held by {} until a person approves it", held.by))
        }
        (Some(held), None) => Step::new("admitted", Tone::Warning, format!("waits until guards.{} has room", held.by)),
        (None, None) => Step::new("admitted", Tone::Good, "nothing of it is held"),
    }
}

fn last(subject: &Subject) -> Step {
    let Some(last) = &subject.last else {
        return Step::new("last request", Tone::Plain, "none has taken effect");
    };
    let attributes = last.attributes.clone().unwrap_or_default();
    let attributes = if attributes.is_empty() { String::new() } else { format!(" of {}", attributes.join(", ")) };
    let request = last.request_id.as_ref().map_or_else(String::new, |id| format!("; the server calls it {id}"));
    let age = ago(last.at.0, Timestamp::now());
    Step::new("last request", Tone::Good, format!("{}{attributes} {age} ago{request}", last.type_.as_str()))
}

fn next(subject: &Subject, connection: Option<&ScimConnection>, live: Option<&PlannedObject>) -> Step {
    let now = Timestamp::now();
    if let Some(hold) = &subject.hold {
        let text = format!("a person answers: kubectl scim approve {id}, or kubectl scim reject {id}", id = hold.id);
        return Step::new("next", Tone::Warning, text);
    }
    let requests = live.map(|live| live.requests.as_slice()).unwrap_or_default();
    if !requests.is_empty() {
        let sent = requests.iter().map(|request| format!("{} {}", request.method, request.path));
        let text = format!("the operator sends {}", sent.collect::<Vec<_>>().join(", "));
        return Step::new("next", Tone::Warning, text);
    }
    if subject.object.stalled {
        return Step::new(
            "next",
            Tone::Bad,
            "nothing before the spec, the server or the connection is corrected as said above",
        );
    }
    let sweep = connection.and_then(|connection| {
        let last = connection.status.as_ref()?.sweep.as_ref()?.last_completed.as_ref()?.0;
        let interval = SignedDuration::try_from(connection.spec.resync_interval.std()).ok()?;
        last.checked_add(interval).ok()
    });
    let window = subject.window_ends.map(|at| format!("its access window changes {}", ago(at, now)));
    let sweep = sweep.map(|at| {
        if at <= now {
            "a sweep reads it again, which is due".to_owned()
        } else {
            format!("a sweep reads it again {}", ago(at, now))
        }
    });
    let text = [window, sweep].into_iter().flatten().collect::<Vec<_>>().join("; ");
    Step::new(
        "next",
        Tone::Plain,
        if text.is_empty() { "it is looked at when something changes".to_owned() } else { text },
    )
}
