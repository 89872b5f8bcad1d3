//! Watches over the whole cluster, or over given namespaces one by one.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use futures::stream::{self, BoxStream, SelectAll};
use futures::{Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use kube::api::{Api, Resource};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde::de::DeserializeOwned;

/// Where a watch looks: in one namespace, or with `None` everywhere.
pub type Scope = Option<Arc<str>>;

/// The scopes of these namespaces; of none, the whole cluster.
pub fn scopes(namespaces: &[String]) -> BTreeSet<Scope> {
    if namespaces.is_empty() {
        return BTreeSet::from([None]);
    }
    namespaces.iter().map(|namespace| Some(namespace.as_str().into())).collect()
}

/// Whether an object of this namespace lies in the scope.
pub fn within(scope: &Scope, namespace: &str) -> bool {
    scope.as_ref().is_none_or(|scope| **scope == *namespace)
}

/// An event with its scope; `None` says that the watch of a scope has ended.
pub type Scoped<K> = (Scope, Option<Result<Event<K>, watcher::Error>>);

/// One watch a scope. Lists are complete scope by scope: each has its own `Init` and `InitDone`.
pub fn events<K>(
    client: &Client,
    scopes: &BTreeSet<Scope>,
    config: &watcher::Config,
    trim: fn(&mut K),
) -> SelectAll<BoxStream<'static, Scoped<K>>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    stream::select_all(scopes.iter().map(|scope| one(client, scope.clone(), config.clone(), trim).boxed()))
}

fn one<K>(
    client: &Client,
    scope: Scope,
    config: watcher::Config,
    trim: fn(&mut K),
) -> impl Stream<Item = Scoped<K>> + use<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let api: Api<K> = match &scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let events = watcher(api, config).modify(trim).default_backoff();
    events.map(Some).chain(stream::once(async { None })).map(move |event| (scope.clone(), event))
}

/// What is never read again doesn't stay in memory.
pub fn trim<K: ResourceExt>(object: &mut K) {
    object.managed_fields_mut().clear();
    object.annotations_mut().remove("kubectl.kubernetes.io/last-applied-configuration");
}
