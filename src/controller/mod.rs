//! Watches, indexes and routing: reconcilers submit, the passes of [`crate::provisioner`] write.

mod connections;
mod groups;
mod namespaces;
mod rosters;
mod unrouted;
mod users;
mod watch;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::Client;
use kube::api::{PartialObjectMeta, ResourceExt};
use kube::runtime::watcher;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::connections::Connections;
use self::groups::Groups;
use self::namespaces::Namespaces;
use self::rosters::Rosters;
use self::users::Users;
use self::watch::{Read, Scope, Scoped, trim};
use crate::api::{CREDENTIALS_LABEL, ClusterScimConnection, ScimConnection, ScimGroup, ScimUser};
use crate::directory::Directory;
use crate::provisioner::Shared;
use crate::runtime::{Audit, Clock, Events, Health, Leadership, Metrics, Options, api_error};

/// What the controller works with.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// Where that is.
    pub api_server: crate::scim::ApiServer,
    /// The operator's own namespace.
    pub namespace: String,
    /// The command line's options.
    pub options: Options,
    /// The Lease.
    pub leadership: Leadership,
    /// Counters.
    pub metrics: Metrics,
    /// Readiness.
    pub health: Health,
    /// Where writes are told.
    pub audit: Audit,
    /// Cancelled when the process is asked to end.
    pub shutdown: CancellationToken,
}

/// Why the controller ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A watch came to an end, which a watch never does by itself.
    #[error("the watch of {0} ended; the process starts anew")]
    WatchEnded(&'static str),
}

/// Runs until shutdown; the Lease is held when this is called.
///
/// Nothing is routed before users, connections and Secrets have each been listed once (promise I10).
pub async fn run(context: Context) -> Result<(), Error> {
    let Context { client, api_server, namespace, options, leadership, metrics, health, audit, shutdown } = context;
    // Who declared an object is told by the audit stream alone.
    let directory = Arc::new(Directory::new(audit.is_on()));
    let (reroute, mut rerouted) = mpsc::unbounded_channel();
    let clock = Clock::default();
    // Before anything is judged by it.
    clock.look(&client).await;
    let watched = tokio::spawn(clock.clone().keep(client.clone(), shutdown.clone()));
    let shared = Shared {
        kube: client.clone(),
        directory: Arc::clone(&directory),
        leadership,
        clock: clock.clone(),
        metrics,
        audit,
        events: Events::new(client.clone()),
        api_server,
        allow_loopback_http: options.allow_loopback_http,
        own_namespace: namespace,
        allowed_hosts: options.allowed_hosts.clone(),
        reroute,
    };
    let mut connections = Connections::new(shared.clone());
    let mut rosters = Rosters::new(shared.clone());
    let mut groups = Groups::new(Arc::clone(&directory));
    let mut users = Users::new(directory);
    let scopes = watch::scopes(&options.watch_namespaces);
    let all = watcher::Config::default();
    let mut connection_events = watch::events::<ScimConnection>(&client, &scopes, &all, |_| {});
    // Rights on what has no namespace can't be given for given namespaces.
    let whole = options.watch_namespaces.is_empty().then_some(&client);
    let mut cluster_events = watch::cluster_events::<ClusterScimConnection>(whole, all.clone(), |_| {});
    let mut namespaces = Namespaces::default();
    let mut namespace_events = watch::cluster_events::<PartialObjectMeta<Namespace>>(whole, all.clone(), trim);
    let mut user_events = watch::events::<ScimUser>(&client, &scopes, &all, |_| {});
    let mut group_events = watch::events::<ScimGroup>(&client, &scopes, &all, |_| {});
    let labelled = watcher::Config::default().labels(&format!("{CREDENTIALS_LABEL}=true"));
    let mut secret_events = watch::events::<PartialObjectMeta<Secret>>(&client, &scopes, &labelled, trim);

    let mut roster_events = rosters::events(&client, &scopes);

    let mut listed = Listed::new(&scopes, whole.is_some());
    while !shutdown.is_cancelled() {
        let was_complete = listed.complete();
        tokio::select! {
            () = shutdown.cancelled() => break,
            event = connection_events.next() => if let Some((scope, event)) = seen("ScimConnections", event)? {
                rosters.connection_seen(&event);
                if connections.observe(&scope, event) {
                    listed.connections.remove(&scope);
                }
            },
            event = cluster_events.next() => if let Some((scope, event)) = seen("ClusterScimConnections", event)? {
                let event = as_connections(event);
                rosters.connection_seen(&event);
                listed.cluster_connections |= connections.observe(&scope, event);
            },
            event = namespace_events.next() => if let Some((_, event)) = seen("Namespaces", event)? {
                listed.namespaces |= namespaces.observe(event, &users, &connections);
            },
            event = user_events.next() => if let Some((scope, event)) = seen("ScimUsers", event)? {
                rosters.user_seen(&event, users.directory());
                if users.observe(&scope, event, &connections) {
                    listed.users.remove(&scope);
                }
            },
            event = group_events.next() => if let Some((scope, event)) = seen("ScimGroups", event)?
                && groups.observe(&scope, event, &connections)
            {
                listed.groups.remove(&scope);
            },
            event = secret_events.next() => if let Some((scope, event)) = seen("Secrets", event)?
                && secret_changed(&event, &connections)
            {
                listed.secrets.remove(&scope);
            },
            Some(seen) = roster_events.next() => rosters.observe(seen)?,
            Some(uid) = rerouted.recv() => users.route_again(&uid, &connections),
        }
        if !was_complete && listed.complete() {
            info!("ScimConnections, ScimUsers, ScimGroups and Secrets are listed; provisioning begins");
            connections.begin();
            users.begin(&connections);
            groups.begin(&connections);
            rosters.begin();
            health.set_ready();
        }
    }
    rosters.stop().await;
    connections.stop().await;
    watched.abort();
    Ok(())
}

/// An event of an object, and where it was seen.
type Event<K> = (Scope, watcher::Event<Read<K>>);

/// The event of a watch; none where it failed and is begun anew.
fn seen<K>(what: &'static str, next: Option<Scoped<K>>) -> Result<Option<Event<K>>, Error> {
    let Some((scope, Some(event))) = next else { return Err(Error::WatchEnded(what)) };
    match event {
        Ok(event) => Ok(Some((scope, event))),
        Err(error) => {
            warn!("watch of {what}{}: {}", place(&scope), api_error(&error));
            Ok(None)
        }
    }
}

/// The scopes that were not listed once.
struct Listed {
    cluster_connections: bool,
    namespaces: bool,
    connections: BTreeSet<Scope>,
    users: BTreeSet<Scope>,
    groups: BTreeSet<Scope>,
    secrets: BTreeSet<Scope>,
}

impl Listed {
    fn new(scopes: &BTreeSet<Scope>, whole: bool) -> Self {
        Self {
            cluster_connections: !whole,
            namespaces: !whole,
            connections: scopes.clone(),
            users: scopes.clone(),
            groups: scopes.clone(),
            secrets: scopes.clone(),
        }
    }

    fn complete(&self) -> bool {
        self.cluster_connections
            && self.namespaces
            && self.connections.is_empty()
            && self.users.is_empty()
            && self.groups.is_empty()
            && self.secrets.is_empty()
    }
}

/// Cluster connections are worked on as connections without a namespace.
fn as_connections(event: watcher::Event<Read<ClusterScimConnection>>) -> watcher::Event<Read<ScimConnection>> {
    use watcher::Event;
    let read = |connection: Read<ClusterScimConnection>| connection.map(ClusterScimConnection::into_connection);
    match event {
        Event::Apply(connection) => Event::Apply(read(connection)),
        Event::Delete(connection) => Event::Delete(read(connection)),
        Event::InitApply(connection) => Event::InitApply(read(connection)),
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
    }
}

fn place(scope: &Scope) -> String {
    let namespace = scope.as_ref().filter(|namespace| !namespace.is_empty());
    namespace.map(|namespace| format!(" in {namespace}")).unwrap_or_default()
}

/// Tells the connections that use the Secret; true when the first list is complete.
fn secret_changed(event: &watcher::Event<Read<PartialObjectMeta<Secret>>>, connections: &Connections) -> bool {
    use watcher::Event;
    match event {
        Event::Apply(secret) | Event::Delete(secret) | Event::InitApply(secret) => {
            // Metadata can always be read.
            if let Ok(secret) = secret {
                connections.secret_changed(&secret.namespace().unwrap_or_default(), &secret.name_any());
            }
            false
        }
        Event::Init => false,
        Event::InitDone => true,
    }
}
