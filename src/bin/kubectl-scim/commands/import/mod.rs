//! `import`: the accounts and groups of a server become manifests that change nothing there.

mod conditions;
mod convert;
mod groups;
mod pages;
mod roster;
mod sink;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use kube::ResourceExt;
use scim_operator::api::{ConnectionKind, ConnectionRef};
use scim_operator::provisioner::overrides;
use scim_operator::scim::{Profile, Resource, fold};

use self::conditions::Condition;
use self::convert::Converter;
use self::pages::Walk;
use self::sink::Sink;
use crate::Outcome;
use crate::cluster::Cluster;
use crate::global::Global;
use crate::objects::{Selection, connection_name};
use crate::output;
use crate::server::{Server, ServerArguments};

/// `import`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    server: ServerArguments,
    /// What to import
    #[arg(long, value_enum, default_value_t = What::All)]
    only: What,
    /// Only accounts whose attribute fits, as PATH=PATTERN with * and ?, such as title=*Engineer or
    /// 'emails[type eq "work"].value=*@example.com'; several must all fit
    #[arg(long = "where", value_name = "PATH=PATTERN")]
    conditions: Vec<Condition>,
    /// Only accounts that no object of the cluster is bound to
    #[arg(long)]
    unmanaged: bool,
    /// Also attributes of other schemas, as they stand
    #[arg(long)]
    extensions: bool,
    /// The directory that gets a file for each object; without it all are printed
    #[arg(long, value_name = "DIRECTORY")]
    into: Option<PathBuf>,
    /// Write a table and a `ScimRoster` of this name instead of a `ScimUser` for each account
    #[arg(long, value_name = "NAME", requires = "into")]
    roster: Option<String>,
}

/// What is imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Users and groups
    All,
    /// Users
    Users,
    /// Groups; their members are named by id
    Groups,
}

/// Imports.
pub async fn run(global: &Global, arguments: &Arguments) -> Result<Outcome> {
    let server = Server::open(global, &arguments.server).await?;
    let profile = learnt(&server).await;
    let connection = reference(&server);
    let managed = if arguments.unmanaged { managed(global, &connection, &server).await? } else { HashSet::new() };
    let namespace = global.namespace.clone();
    let converter = Converter::new(connection, namespace, profile, arguments.extensions);
    let mut sink = match (&arguments.into, &arguments.roster) {
        (Some(directory), Some(name)) => Sink::roster(directory, name, &converter)?,
        (Some(directory), None) => Sink::directory(directory)?,
        (None, _) => Sink::stream(),
    };
    let mut told = Told::default();
    let mut names = HashMap::new();
    if arguments.only != What::Groups {
        users(&server, &converter, arguments, &managed, &mut sink, &mut names, &mut told).await?;
    }
    if arguments.only != What::Users && arguments.roster.is_none() {
        groups::import(&server, &converter, &names, &mut sink, &mut told).await?;
    }
    sink.finish(&mut told)?;
    Ok(told.end())
}

/// What people are told at the end.
#[derive(Default)]
struct Told {
    users: u64,
    groups: u64,
    skipped: u64,
    /// How many objects lack something that the server shows, by what.
    dropped: BTreeMap<String, u64>,
    /// How many rows lack something that an object would say, by what.
    left_out: BTreeMap<String, u64>,
    /// What needs a person.
    warnings: Vec<String>,
}

impl Told {
    fn end(self) -> Outcome {
        for (what, count) in &self.dropped {
            output::note(&format!("{count} without {what}, which an object can't declare so that nothing changes"));
        }
        for (what, count) in &self.left_out {
            output::note(&format!(
                "{count} rows without {what}, which the table can't say: the operator leaves alone what the server has of it"
            ));
        }
        if self.skipped > 0 {
            output::note(&format!("{} accounts were left out, as asked for", self.skipped));
        }
        for warning in &self.warnings {
            output::note(&format!("warning: {warning}"));
        }
        output::note(&format!("{} users and {} groups imported", self.users, self.groups));
        if self.warnings.is_empty() { Outcome::Done } else { Outcome::Found }
    }
}

/// The dialect with what the server says of itself, as the operator comes to use it.
async fn learnt(server: &Server) -> Profile {
    let profile = &server.profile;
    if !profile.discovery {
        return profile.clone();
    }
    let deadline = server.read().await;
    let mut config = server.client.server_config(deadline).await.unwrap_or_default();
    if profile.learns && profile.attributes.is_none() {
        let deadline = server.read().await;
        config.attributes = server.client.listed_attributes(deadline).await.unwrap_or_default();
    }
    config.teach(profile, overrides(&server.connection.spec))
}

fn reference(server: &Server) -> ConnectionRef {
    let connection = &server.connection;
    // Of a file nobody knows the namespace; only a cluster's connection says whom it is delegated to.
    let of_cluster = connection.spec.delegation.is_some() || (connection.namespace().is_none() && server.from_cluster);
    let kind = if of_cluster { ConnectionKind::ClusterScimConnection } else { ConnectionKind::ScimConnection };
    ConnectionRef { kind, name: connection.name_any() }
}

/// The accounts that objects of the cluster are bound to.
async fn managed(global: &Global, connection: &ConnectionRef, server: &Server) -> Result<HashSet<String>> {
    let cluster = Cluster::connect(global).await?;
    let mut selection = Selection::both(vec![format!("spec.connectionRef.name={}", connection.name)]);
    selection.groups = false;
    let of_cluster = connection.kind == ConnectionKind::ClusterScimConnection;
    selection.namespace = if of_cluster { None } else { server.connection.namespace() };
    let cluster = Cluster { all: of_cluster || cluster.all, ..cluster };
    let wanted = connection_name(connection);
    let mut found = HashSet::new();
    let visit = |object: crate::objects::Object| {
        if object.connection == wanted {
            found.extend(object.id);
            // Not bound yet, and about to be.
            found.insert(format!("userName:{}", fold(&object.called)));
        }
    };
    selection.each(&cluster, visit).await?;
    Ok(found)
}

async fn users(
    server: &Server,
    converter: &Converter,
    arguments: &Arguments,
    managed: &HashSet<String>,
    sink: &mut Sink,
    names: &mut HashMap<String, String>,
    told: &mut Told,
) -> Result<()> {
    let mut walk = Walk::users(server, &converter.profile);
    let bar = bar();
    while let Some(page) = walk.next().await? {
        if let Some(total) = walk.total {
            bar.set_length(total.max(walk.seen()));
        }
        for account in page {
            bar.inc(1);
            if !arguments.conditions.iter().all(|condition| condition.fits(&account)) || is_managed(&account, managed) {
                told.skipped += 1;
                continue;
            }
            one(converter, &account, sink, names, told)?;
        }
    }
    bar.finish_and_clear();
    told.warnings.extend(walk.warnings("accounts"));
    if told.users == 0 && arguments.conditions.is_empty() && !arguments.unmanaged && walk.seen() == 0 {
        bail!("the server shows no account");
    }
    Ok(())
}

fn is_managed(account: &Resource, managed: &HashSet<String>) -> bool {
    let id = account.id().is_some_and(|id| managed.contains(id));
    id || account.user_name().is_some_and(|name| managed.contains(&format!("userName:{}", fold(name))))
}

fn one(
    converter: &Converter,
    account: &Resource,
    sink: &mut Sink,
    names: &mut HashMap<String, String>,
    told: &mut Told,
) -> Result<()> {
    let user = match converter.user(account) {
        Ok(user) => user,
        Err(why) => {
            told.warnings.push(why);
            return Ok(());
        }
    };
    let id = account.id().unwrap_or_default();
    if !sink.takes(&user.name) {
        // The lesser id, in whatever order they are listed: else the next import may give the object the other account.
        let known = names.iter().find(|(_, name)| **name == user.name).map(|(known, _)| known.clone());
        let replaced = known.filter(|known| id < known.as_str() && sink.writes_again());
        let left_out = replaced.as_deref().unwrap_or(id);
        told.warnings.push(format!(
            "the account {left_out} was left out: another is called the same but for letter case, and an object means either"
        ));
        let Some(replaced) = replaced else { return Ok(()) };
        names.remove(&replaced);
        told.users -= 1;
    }
    names.insert(id.to_owned(), user.name.clone());
    for path in &user.dropped {
        *told.dropped.entry(path.clone()).or_default() += 1;
    }
    sink.user(&user)?;
    told.users += 1;
    Ok(())
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    // The template is one of ours.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {eta}") {
        bar.set_style(style);
    }
    bar
}
