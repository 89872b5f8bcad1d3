//! Watches over the whole cluster, or over given namespaces one by one.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use futures::stream::{self, BoxStream, SelectAll};
use futures::{Stream, StreamExt};
use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use kube::api::{Api, Patch, PatchParams, Resource};
use kube::core::error_boundary::{DeserializeGuard, InvalidObject};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;
use tracing::{debug, warn};

use crate::api::Uid;

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

/// An object, or what is known of one that can't be read.
pub type Read<K> = Result<K, Box<InvalidObject>>;

/// An event with its scope; `None` says that the watch of a scope has ended.
pub type Scoped<K> = (Scope, Option<Result<Event<Read<K>>, watcher::Error>>);

/// The object's uid, whether it can be read or not.
pub fn uid_of<K: ResourceExt>(object: &Read<K>) -> Uid {
    Uid::of(match object {
        Ok(object) => object.meta(),
        Err(invalid) => &invalid.metadata,
    })
}

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
    stream::select_all(scopes.iter().map(|scope| one(client, scope, config.clone(), trim).boxed()))
}

fn one<K>(
    client: &Client,
    scope: &Scope,
    config: watcher::Config,
    trim: fn(&mut K),
) -> impl Stream<Item = Scoped<K>> + use<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    // One object that can't be read must not stop the watch of all others (promise I29).
    let api: Api<DeserializeGuard<K>> = match scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let client = client.clone();
    let home = move |namespace: &str| Api::namespaced(client.clone(), namespace);
    guarded(api, home, scope.clone(), config, trim)
}

/// The watch of a kind that has no namespaces, if there is one at all.
pub fn cluster_events<K>(
    client: Option<&Client>,
    config: watcher::Config,
    trim: fn(&mut K),
) -> BoxStream<'static, Scoped<K>>
where
    K: Resource<DynamicType = (), Scope = ClusterResourceScope> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let Some(client) = client else { return stream::pending().boxed() };
    let api: Api<DeserializeGuard<K>> = Api::all(client.clone());
    let home = {
        let api = api.clone();
        move |_: &str| api.clone()
    };
    guarded(api, home, Some("".into()), config, trim).boxed()
}

/// Whether this is the scope of what has no namespace.
pub fn is_cluster(scope: &Scope) -> bool {
    scope.as_deref() == Some("")
}

fn guarded<K>(
    api: Api<DeserializeGuard<K>>,
    home: impl Fn(&str) -> Api<DeserializeGuard<K>> + Send + 'static,
    within: Scope,
    config: watcher::Config,
    trim: fn(&mut K),
) -> impl Stream<Item = Scoped<K>>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let events = watcher(api, config).default_backoff().then(move |event| {
        let event = event.map(|event| read(event, trim));
        let invalid = match &event {
            Ok(Event::Apply(Err(invalid)) | Event::InitApply(Err(invalid))) => Some(invalid),
            _ => None,
        };
        let report = invalid.map(|invalid| {
            say_unreadable::<K>(home(invalid.metadata.namespace.as_deref().unwrap_or_default()), invalid.clone())
        });
        async move {
            if let Some(report) = report {
                report.await;
            }
            event
        }
    });
    events.boxed().map(Some).chain(stream::once(async { None })).map(move |event| (within.clone(), event))
}

/// The event with its object trimmed, if that can be read.
fn read<K>(event: Event<DeserializeGuard<K>>, trim: fn(&mut K)) -> Event<Read<K>> {
    let read = |guard: DeserializeGuard<K>| match guard.0 {
        Ok(mut object) => {
            trim(&mut object);
            Ok(object)
        }
        Err(invalid) => Err(Box::new(invalid)),
    };
    match event {
        Event::Apply(guard) => Event::Apply(read(guard)),
        Event::Delete(guard) => Event::Delete(read(guard)),
        Event::InitApply(guard) => Event::InitApply(read(guard)),
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
    }
}

/// The object alone says what is wrong with it; what is known of it from before stays in force.
async fn say_unreadable<K>(api: Api<DeserializeGuard<K>>, invalid: Box<InvalidObject>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let (kind, meta) = (K::kind(&()), &invalid.metadata);
    let (namespace, name) = (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
    warn!(object = format!("{namespace}/{name}"), "this {kind} can't be read: {}", invalid.error);
    // Always the same for the same object, so that writing it brings no further event.
    let conditions: Vec<_> = ["Ready", "Stalled"]
        .map(|type_| {
            json!({
                "type": type_, "status": if type_ == "Ready" { "False" } else { "True" }, "reason": "Rejected",
                "message": format!("this object can't be read, and is left alone: {}", invalid.error),
                "observedGeneration": meta.generation, "lastTransitionTime": meta.creation_timestamp,
            })
        })
        .into();
    let body = json!({"status": {"observedGeneration": meta.generation, "conditions": conditions}});
    if let Err(error) = api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&body)).await {
        debug!("its status could not be written: {error}");
    }
}

/// What is never read again doesn't stay in memory.
pub fn trim<K: ResourceExt>(object: &mut K) {
    object.meta_mut().managed_fields = None;
    object.annotations_mut().remove("kubectl.kubernetes.io/last-applied-configuration");
}
