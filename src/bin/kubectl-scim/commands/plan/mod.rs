//! `plan`: what the operator would do, found out by reading alone.

mod declared;
mod keys;
mod rosters;
mod show;
mod wanted;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use kube::ResourceExt;
use scim_operator::api::{ROSTER_LABEL, ScimConnection, ScimUser};
use scim_operator::directory::ConnectionKey;
use scim_operator::provisioner::dry_run::{Action, DryRun, Plan, PlannedObject, Progress};

use url::Url;

use self::declared::{Declared, World};
pub use self::keys::{Known, are_of_one_server};
pub use self::show::changes;
use self::wanted::Wanted;
use crate::Outcome;
use crate::cluster::Cluster;
use crate::global::Global;
use crate::manifests::Manifests;
use crate::output::{self, Printer};
use crate::server::{config_of, has_key_by_hand, keys_by_hand, keys_in_cluster};

/// What exit codes mean.
pub const EXIT_CODES: &str = "Exit codes:
  0  nothing would be sent
  1  it could not be planned, or not for every object; the message on standard error says why
  2  something would be changed
  3  something would wait for a person: it would be held, or can't be carried out as it is declared";

/// `plan`
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to plan for: a connection, of a cluster connection cluster/NAME, or user/NAME or group/NAME; by default every
    /// connection
    #[arg(value_name = "CONNECTION")]
    target: Option<String>,
    #[command(flatten)]
    access: Access,
    /// What is declared so far, such as the folder of the branch that a change is for: what is in it and in no -f any
    /// more would be deleted
    #[arg(long, value_name = "FILE", requires = "files", conflicts_with = "against")]
    before: Vec<PathBuf>,
    /// Take the objects of the cluster for deleted that are in a namespace of the files and in none of them
    #[arg(long, requires = "against")]
    prune: bool,
}

/// Where objects and keys come from.
#[derive(Args, Clone, Debug)]
pub struct Access {
    /// A file or directory with the objects, for work without a cluster; - is standard input, for what kustomize or a chart
    /// prints
    #[arg(short, long = "filename", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Look into the directories in directories too
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Lay the files over what the cluster has, as applying them would
    #[arg(long, requires = "files")]
    against: bool,
    #[command(flatten)]
    keys: KeyAccess,
}

/// Where keys come from.
#[derive(Args, Clone, Debug)]
pub struct KeyAccess {
    /// The file with the key; without it the key is taken from the environment variable `SCIM_KEY`, and else, with your
    /// rights, from the connection's Secret. Where nobody names a connection, `SCIM_KEY` is taken only with --server: by `holds`,
    /// `approve`, `reject`, `unmanaged` and `explain`, and by `plan` for what is in a cluster. Its form is that of
    /// `test --key-file`
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Certificate authorities in PEM, with a key that is given so
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Permit http:// to localhost and the loopback addresses
    #[arg(long)]
    allow_loopback_http: bool,
    /// Where the key may go, and to no other: a server, and the token endpoint and the proxy on the
    /// way to it, each by its URL. Without this it goes where the connection says; `plan` with --before or --against, and `roster preview`
    /// beside a cluster, send it nowhere that it didn't go before
    #[arg(long = "server", value_name = "URL")]
    servers: Vec<Url>,
    /// Where the Secrets of cluster connections lie: the operator's own namespace
    #[arg(long, value_name = "NAME", default_value = "scim-operator")]
    operator_namespace: String,
    /// Nobody chose a server: it follows from something else, such as a hold.
    #[arg(skip)]
    any_server: bool,
}

impl KeyAccess {
    /// For a server that nobody chose: the key in the environment may be another's, and goes to one that is named alone.
    pub fn for_any_server(self) -> Self {
        Self { any_server: true, ..self }
    }

    /// Nobody has said where the key may go.
    pub fn names_no_server(&self) -> bool {
        self.servers.is_empty()
    }

    /// One key was given by hand, and is that of one server.
    pub fn are_by_hand(&self) -> bool {
        let may_be_another = self.any_server && self.key_file.is_none() && self.servers.is_empty();
        !may_be_another && has_key_by_hand(self.key_file.as_deref())
    }
}

impl Access {
    /// Everything is the cluster's.
    pub fn of_cluster(keys: KeyAccess) -> Self {
        Self { files: Vec::new(), recursive: false, against: false, keys }
    }
}

/// What may be wrong in the plan of a cluster connection of which one namespace alone may be seen.
const ONE_NAMESPACE: &str = "the objects of other namespaces may not be listed: accounts that they declare look free or unmanaged \
                             here, and guards count this namespace alone; run it with the right to list them for all of it";

/// Plans.
pub async fn run(global: &Global, printer: Printer, arguments: &Arguments) -> Result<Outcome> {
    let (access, target) = (&arguments.access, arguments.target.as_deref());
    let plans = planned(global, access, target, &arguments.before, arguments.prune).await?;
    show::show(printer, &plans)?;
    let unknown: u64 = plans.iter().map(|plan| plan.sums.unknown).sum();
    if unknown > 0 {
        bail!(
            "{unknown} objects could not be looked at, so the plan is not whole; run it again once the server answers"
        );
    }
    Ok(outcome(&plans))
}

/// The plans of what is declared now.
pub async fn plans(global: &Global, access: &Access, target: Option<&str>) -> Result<Vec<Plan>> {
    planned(global, access, target, &[], false).await
}

async fn planned(
    global: &Global,
    access: &Access,
    target: Option<&str>,
    before: &[PathBuf],
    prune: bool,
) -> Result<Vec<Plan>> {
    let mut world = World::read(global, access).await?;
    let mut declared = std::mem::take(&mut world.declared);
    let mut earlier = Declared::default();
    let mut known = world.known.take();
    if !before.is_empty() {
        earlier = Declared::of_files(global, world.namespace(), before, access.recursive)?;
        known = Some(Known::of("--before", &earlier.connections));
        one_side_is_there(&declared.sources, &earlier.sources)?;
        if earlier.rosters.is_empty() {
            // Rows become users over those that are there; without rosters, what stays is needed once.
            earlier
                .users
                .retain(|name, user| user.labels().contains_key(ROSTER_LABEL) || !declared.users.contains_key(name));
        }
        rosters::expand(&mut earlier, None, &[], false).await?;
    }
    if before.is_empty() {
        declared.sources.has_no_empty_directory()?;
    }
    let mut expanded = Vec::new();
    if !access.files.is_empty() {
        let cluster = world.cluster.as_ref().filter(|_| access.against);
        let generated = earlier.users.values().filter(|user| user.labels().contains_key(ROSTER_LABEL));
        let generated: Vec<_> = generated.map(|user| (**user).clone()).collect();
        expanded = rosters::expand(&mut declared, cluster, &generated, prune).await?;
    }
    declared.remove_what_is_gone(earlier);
    if prune {
        declared.prune(world.given());
    }
    let target = Wanted::parse(target)?;
    // Whoever may write an object in the cluster chooses its connection, and whoever may write a connection its server.
    let chosen = match target {
        Wanted::Connection { .. } => true,
        Wanted::Object(_) => world.cluster.is_none(),
        Wanted::All => world.cluster.is_none() || !access.files.is_empty(),
    };
    let key_access = if chosen { access.keys.clone() } else { access.keys.clone().for_any_server() };
    let keys = target.connections(global, &world, &declared)?;
    let mut plans = if matches!(target, Wanted::All) { unconnected(&world, global, &declared) } else { Vec::new() };
    if keys.is_empty() && plans.is_empty() {
        let all: Vec<String> = declared.connections.keys().map(ToString::to_string).collect();
        bail!("nothing here is of a connection; there are: {}. Name one, or its namespace by -n", all.join(", "));
    }
    let namespaces = target.namespaces(&declared);
    let mut notes = BTreeMap::new();
    if let Some(cluster) = world.cluster.as_ref().filter(|cluster| !cluster.all) {
        for key in keys.iter().filter(|key| key.is_of_cluster()) {
            if !declared.read_tenants(cluster, key, &world.namespaces()).await? {
                notes.insert(key.clone(), ONE_NAMESPACE);
            }
        }
    }
    if let Some(known) = known.filter(|_| key_access.names_no_server()) {
        keys.iter().try_for_each(|key| known.leads(key, &declared.connections[key]))?;
        if world.cluster.is_some() && !key_access.are_by_hand() {
            keys.iter().try_for_each(|key| known.is_its_secret(key, &declared.connections[key]))?;
        }
    }
    if world.cluster.is_none() || key_access.are_by_hand() {
        are_of_one_server(keys.iter().map(|key| (key, &declared.connections[key])))?;
    }
    let bar = bar();
    // The names of everything that was read are needed no longer.
    let World { cluster, .. } = world;
    let (connections, run) = dry_run(declared, &bar);
    for key in keys {
        let connection = &connections[&key];
        let mut plan = plan_one(&run, &key, connection, cluster.as_ref(), &key_access).await?;
        plan.notes.extend(notes.get(&key).map(|note| (*note).to_owned()));
        rosters::tell(&mut plan, &key, &expanded);
        plans.push(target.narrowed(plan, &namespaces));
    }
    bar.finish_and_clear();
    Ok(plans)
}

/// A folder in which there is nothing yet, or nothing any more, is a declaration too, if the other side of a change has one.
fn one_side_is_there(now: &Manifests, before: &Manifests) -> Result<()> {
    if !before.empty.is_empty() && !now.empty.is_empty() {
        return now.has_no_empty_directory();
    }
    let told = now.empty.iter().map(|none| format!("{none}: nothing is declared there any more"));
    let told = told.chain(before.empty.iter().map(|none| format!("{none}: nothing was declared there before")));
    told.for_each(|note| output::note(&note));
    Ok(())
}

/// What would become of these users at the server of a connection, as if nothing were known of them so far.
pub async fn of_users(
    connection: ScimConnection,
    users: Vec<ScimUser>,
    cluster: Option<&Cluster>,
    keys: &KeyAccess,
) -> Result<Plan> {
    let bar = bar();
    let mut declared = Declared::default();
    let key = declared.connect(connection);
    for user in users {
        declared.users.insert((key.namespace.clone(), user.name_any()), Box::new(user));
    }
    let (connections, run) = dry_run(declared, &bar);
    let plan = plan_one(&run, &key, &connections[&key], cluster, keys).await;
    bar.finish_and_clear();
    plan
}

/// Objects whose connection isn't there: a plan for each such connection, in which all of them are refused.
fn unconnected(world: &World, global: &Global, declared: &Declared) -> Vec<Plan> {
    let mut plans: BTreeMap<ConnectionKey, Plan> = BTreeMap::new();
    for (key, kind, object, called) in world.unconnected(global, declared) {
        let plan = plans.entry(key.clone()).or_insert_with(|| Plan { connection: key.to_string(), ..Plan::default() });
        plan.objects.push(PlannedObject {
            kind: kind.into(),
            namespace: object.namespace.clone().unwrap_or_default(),
            name: object.name.clone().unwrap_or_default(),
            called: called.to_owned(),
            action: Action::Refused,
            message: format!("there is no connection {key}, or you may not see it"),
            ..PlannedObject::default()
        });
    }
    plans.values_mut().for_each(Plan::recount);
    plans.into_values().collect()
}

fn outcome(plans: &[Plan]) -> Outcome {
    if plans.iter().any(Plan::needs_person) {
        Outcome::Waits
    } else if plans.iter().any(Plan::has_changes) {
        Outcome::Found
    } else {
        Outcome::Done
    }
}

/// The objects, where the operator's own code looks for them.
fn dry_run(declared: Declared, bar: &ProgressBar) -> (BTreeMap<ConnectionKey, ScimConnection>, DryRun) {
    let (looked, listed, waits) = (bar.clone(), bar.clone(), bar.clone());
    let mut run = DryRun::new(move |progress| match progress {
        Progress::Listed(count) => {
            listed.set_message("accounts listed");
            listed.inc(count);
        }
        Progress::Looked => {
            if looked.message() != "objects looked at" {
                looked.set_message("objects looked at");
                looked.set_position(0);
            }
            looked.inc(1);
        }
        Progress::Paused(pause) => {
            waits.println(format!("the server asks for patience: the plan goes on in {} s", pause.as_secs().max(1)));
        }
    });
    for (name, labels) in declared.namespaces {
        run.namespace(&name, labels);
    }
    for connection in declared.connections.values() {
        run.connection(connection.clone());
    }
    for user in declared.users.into_values() {
        run.user(*user);
    }
    for group in declared.groups.into_values() {
        run.group(group);
    }
    for user in declared.removed_users {
        run.removed_user(user);
    }
    for group in declared.removed_groups {
        run.removed_group(group);
    }
    (declared.connections, run)
}

async fn plan_one(
    run: &DryRun,
    key: &ConnectionKey,
    connection: &ScimConnection,
    cluster: Option<&Cluster>,
    access: &KeyAccess,
) -> Result<Plan> {
    keys::are_named(&access.servers, key, connection)?;
    let keys = match cluster {
        Some(cluster) if !access.are_by_hand() => {
            keys_in_cluster(cluster, connection, &access.operator_namespace).await?
        }
        _ => keys_by_hand(connection, access.key_file.as_deref(), access.ca_file.as_deref())?,
    };
    let config = config_of(connection, keys, access.allow_loopback_http)?;
    let url = config.base_url.clone();
    run.plan(key, config).await.map_err(|refusal| {
        anyhow!("the connection {key} can't be used at {url} ({}): {}", refusal.reason.as_str(), refusal.message)
    })
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar
}
