//! `sync`, `suspend`, `resume`, `release`: what people tell the operator about an object.

use anyhow::{Context as _, Result, bail};
use clap::Args;
use futures::{StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use scim_operator::api::{RECONCILE_REQUESTED_AT, RELEASE};
use serde_json::{Value, json};

use super::interrupted::interrupted;
use crate::cluster::{Cluster, Kind, Target, one_namespace, patch};
use crate::objects::Selection;
use crate::{Outcome, confirm, output};

/// So many requests to the API server at a time.
const AT_ONCE: usize = 8;

/// `suspend`, `resume`
#[derive(Debug, Args)]
pub struct Arguments {
    /// The objects: user/NAME, roster/NAME, connection/NAME or clusterconnection/NAME
    #[arg(required = true, value_name = "KIND/NAME")]
    pub targets: Vec<Target>,
}

/// `sync`
#[derive(Debug, Args)]
pub struct SyncArguments {
    /// The objects: user/NAME, group/NAME, roster/NAME, connection/NAME or clusterconnection/NAME
    #[arg(required = true, value_name = "KIND/NAME")]
    pub targets: Vec<Target>,
}

/// `release`
#[derive(Debug, Args)]
pub struct ReleaseArguments {
    /// The objects: user/NAME, group/NAME, connection/NAME or clusterconnection/NAME
    #[arg(required = true, value_name = "KIND/NAME")]
    targets: Vec<Target>,
    /// The count that would be typed, for scripts; with another count nothing is changed
    #[arg(long, value_name = "COUNT")]
    yes: Option<u64>,
}

/// Has them provisioned now.
pub async fn sync(cluster: &Cluster, arguments: &SyncArguments) -> Result<Outcome> {
    let mut all: Vec<Place> = Vec::new();
    for target in &arguments.targets {
        match target.kind {
            Kind::Connection | Kind::ClusterConnection => {
                let of_connection = of_connection(cluster, target).await?;
                if of_connection.is_empty() {
                    output::note(&format!("no object refers to {}", name(target)));
                }
                all.extend(of_connection);
            }
            kind => {
                one_namespace(cluster, &name(target))?;
                let (namespace, name) = (Some(cluster.namespace.clone()), target.name.clone());
                all.push(Place { kind, namespace, name, deleting: false });
            }
        }
    }
    let asked = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    let body = json!({"metadata": {"annotations": {RECONCILE_REQUESTED_AT: asked}}});
    write_all(cluster, &all, &body).await?;
    output::note(&format!("{} asked for", counted(all.len(), "object is", "objects are")));
    Ok(Outcome::Done)
}

/// Stops every write for them, or goes on.
pub async fn suspend(cluster: &Cluster, arguments: &Arguments, suspend: bool) -> Result<Outcome> {
    for target in &arguments.targets {
        if target.kind == Kind::Group {
            bail!("a ScimGroup can't be suspended by itself; suspend its connection");
        }
    }
    let places = places(cluster, &arguments.targets)?;
    write_all(cluster, &places, &json!({"spec": {"suspend": suspend}})).await?;
    let done = if suspend { "suspended" } else { "resumed" };
    output::note(&format!(
        "{} {done}; a tool that applies manifests may set it back",
        counted(places.len(), "object is", "objects are")
    ));
    Ok(Outcome::Done)
}

/// Lets objects under deletion go without touching their accounts.
pub async fn release(cluster: &Cluster, arguments: &ReleaseArguments) -> Result<Outcome> {
    let places = places(cluster, &arguments.targets)?;
    for place in &places {
        if place.kind == Kind::Roster {
            bail!("a ScimRoster has nothing to release: its ScimUsers have");
        }
        let object = place.api(cluster).get_opt(&place.name).await?.with_context(|| place.is_missing())?;
        if object.metadata.deletion_timestamp.is_none() {
            bail!(
                "{} is not under deletion, so nothing was changed: delete it first, which waits for the operator, then release it",
                place.full_name()
            );
        }
    }
    // With a connection goes every object under deletion that refers to it.
    let mut count = places.len();
    for target in arguments.targets.iter().filter(|target| is_connection(target)) {
        count += of_connection(cluster, target).await?.iter().filter(|place| place.deleting).count();
    }
    let of = if count > places.len() { ", with those that refer to a connection among them" } else { "" };
    let what = format!("This lets {} go{of}, and the accounts stay as they are.", counted(count, "object", "objects"));
    let count = count as u64;
    confirm::by_count(&what, count, arguments.yes)?;
    write_all(cluster, &places, &json!({"metadata": {"annotations": {RELEASE: "true"}}})).await?;
    output::note(&format!("{} released", counted(places.len(), "object is", "objects are")));
    Ok(Outcome::Done)
}

/// Where an object is.
#[derive(Clone, Debug)]
struct Place {
    kind: Kind,
    namespace: Option<String>,
    name: String,
    /// It is under deletion, as far as that was looked at.
    deleting: bool,
}

impl Place {
    fn api(&self, cluster: &Cluster) -> kube::Api<kube::api::DynamicObject> {
        cluster.objects(self.kind, self.namespace.as_deref())
    }

    fn full_name(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("the {} {namespace}/{}", self.kind.name(), self.name),
            None => format!("the {} {}", self.kind.name(), self.name),
        }
    }

    fn is_missing(&self) -> String {
        format!("{} is not there; kubectl scim get -A lists all", self.full_name())
    }
}

fn places(cluster: &Cluster, targets: &[Target]) -> Result<Vec<Place>> {
    let place = |target: &Target| {
        let of_cluster = target.kind == Kind::ClusterConnection;
        if !of_cluster {
            one_namespace(cluster, &name(target))?;
        }
        let namespace = (!of_cluster).then(|| cluster.namespace.clone());
        Ok(Place { kind: target.kind, namespace, name: target.name.clone(), deleting: false })
    };
    targets.iter().map(place).collect()
}

fn is_connection(target: &Target) -> bool {
    matches!(target.kind, Kind::Connection | Kind::ClusterConnection)
}

fn name(target: &Target) -> String {
    format!("the {} {}", target.kind.name(), target.name)
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Every user and group that refers to a connection.
async fn of_connection(cluster: &Cluster, target: &Target) -> Result<Vec<Place>> {
    let of_cluster = target.kind == Kind::ClusterConnection;
    if !of_cluster {
        one_namespace(cluster, &name(target))?;
    }
    // It says so itself where there is no such connection.
    cluster.connection(of_cluster, &target.name).await?;
    let selection = Selection::both(vec![format!("spec.connectionRef.name={}", target.name)]);
    let wanted = if of_cluster { format!("cluster/{}", target.name) } else { target.name.clone() };
    let mut found = Vec::new();
    let everywhere = Cluster {
        client: cluster.client.clone(),
        namespace: cluster.namespace.clone(),
        all: of_cluster || cluster.all,
    };
    let visit = |object: crate::objects::Object| {
        if object.connection == wanted {
            let kind = if object.kind == Kind::Group.name() { Kind::Group } else { Kind::User };
            let deleting = object.deleting;
            found.push(Place { kind, namespace: Some(object.namespace), name: object.name, deleting });
        }
    };
    selection.each(&everywhere, visit).await?;
    Ok(found)
}

/// The same patch for all; the first that fails ends it and says how far it went.
async fn write_all(cluster: &Cluster, places: &[Place], body: &Value) -> Result<()> {
    let bar = ProgressBar::new(places.len() as u64);
    // The template is one of ours.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    let mut writes = stream::iter(places)
        .map(async |place| (place, patch(&place.api(cluster), &place.name, body).await))
        .buffer_unordered(AT_ONCE);
    let mut done = 0_usize;
    let mut interrupted = std::pin::pin!(interrupted());
    loop {
        let next = tokio::select! {
            next = writes.next() => next,
            () = &mut interrupted => {
                bail!("interrupted: {done} of {} are written, and a few more may be; run it again for all", places.len())
            }
        };
        let Some((place, written)) = next else { break };
        match written {
            Ok(()) => done += 1,
            Err(kube::Error::Api(status)) if status.code == 404 => {
                bail!("{}; {done} others are written", place.is_missing())
            }
            Err(error) => {
                return Err(anyhow::Error::new(error)
                    .context(format!("{} is not written; {done} others are", place.full_name())));
            }
        }
        if places.len() > AT_ONCE {
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(())
}
