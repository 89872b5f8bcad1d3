//! `explain`: why a user or a group stands as it does, step by step.

mod events;
mod managers;
mod members;
mod row;
mod step;
mod steps;
mod subject;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use kube::core::NamespaceResourceScope;
use scim_operator::api::{ScimGroup, ScimUser};
use scim_operator::provisioner::dry_run::PlannedObject;

pub use self::row::Rows;
pub use self::step::Step;
use super::plan::{self, Access};
use crate::Outcome;
use crate::cluster::{Cluster, Kind, Target};
use crate::global::Global;
use crate::output::{Printer, Tone};

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

/// Explains.
pub async fn run(global: &Global, printer: Printer, arguments: &Arguments) -> Result<Outcome> {
    let cluster = Cluster::connect(global).await?;
    crate::cluster::one_namespace(&cluster, "explain")?;
    let Target { kind, name } = &arguments.target;
    let (steps, unread) = match kind {
        Kind::User => {
            let user = get::<ScimUser>(&cluster, *kind, name).await?;
            let (live, unread) = live(global, arguments, &cluster.namespace).await;
            (of_user(&cluster, &user, &Rows::default(), live.as_ref()).await?, unread)
        }
        Kind::Group => {
            let group = get::<ScimGroup>(&cluster, *kind, name).await?;
            let (live, unread) = live(global, arguments, &cluster.namespace).await;
            let members = members::of(&cluster, &group, live.as_ref(), printer.is_whole()).await?;
            (subject::of_group(&cluster, &group).await?.explained(live.as_ref(), members), unread)
        }
        _ => bail!("only users and groups are explained: write user/NAME or group/NAME"),
    };
    let doubtful = steps.iter().any(|step| step.tone == Tone::Bad);
    printer.list(&steps)?;
    match unread {
        Some(error) => Err(error.context("these are the steps without what the server says now")),
        None if doubtful => Ok(Outcome::Found),
        None => Ok(Outcome::Done),
    }
}

/// The steps of a user; `live` is what a plan says of it now, and `rows` are what was read for others lately.
pub async fn of_user(
    cluster: &Cluster,
    user: &ScimUser,
    rows: &Rows,
    live: Option<&PlannedObject>,
) -> Result<Vec<Step>> {
    Ok(subject::of_user(cluster, user, rows).await?.explained(live, Vec::new()))
}

/// The steps of a group; its members are counted, not named.
pub async fn of_group(cluster: &Cluster, group: &ScimGroup) -> Result<Vec<Step>> {
    Ok(subject::of_group(cluster, group).await?.explained(None, Vec::new()))
}

async fn get<K>(cluster: &Cluster, kind: Kind, name: &str) -> Result<K>
where
    K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let found = cluster.within::<K>(&cluster.namespace).get_opt(name).await?;
    found.ok_or_else(|| anyhow!("there is no {} {name} in the namespace {}", kind.name(), cluster.namespace))
}

/// What a plan says of it now, where that was asked for; or why that can't be told: the rest is explained all the same.
async fn live(
    global: &Global,
    arguments: &Arguments,
    namespace: &str,
) -> (Option<PlannedObject>, Option<anyhow::Error>) {
    if !arguments.live {
        return (None, None);
    }
    match planned(global, arguments, namespace).await {
        Ok(planned) => (Some(planned), None),
        Err(error) => (None, Some(error)),
    }
}

async fn planned(global: &Global, arguments: &Arguments, namespace: &str) -> Result<PlannedObject> {
    let Target { kind, name } = &arguments.target;
    let kind = if *kind == Kind::User { "user" } else { "group" };
    let access = Access::of_cluster(arguments.access.clone());
    let plans = plan::plans(global, &access, Some(&format!("{kind}/{name}"))).await?;
    let mut objects = plans.into_iter().flat_map(|plan| plan.objects);
    objects
        .find(|object| object.namespace == namespace)
        .ok_or_else(|| anyhow!("the plan of its connection doesn't have {kind}/{name}"))
}
