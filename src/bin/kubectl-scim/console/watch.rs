//! The watches that keep the store, and what tells the browsers that something changed. The SCIM server is asked nothing.

use std::sync::Arc;

use futures::StreamExt as _;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Resource};
use scim_operator::api::{ClusterScimConnection, ScimConnection, ScimGroup, ScimRoster, ScimUser};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::State;
use super::store::{Kept, Store};
use crate::cluster::sentence;

/// Starts one for each kind.
pub fn start(state: &Arc<State>) -> JoinSet<()> {
    let cluster = &state.cluster;
    let mut tasks = JoinSet::new();
    tasks.spawn(keep(state.clone(), cluster.api::<ScimUser>(), |store| &mut store.users));
    tasks.spawn(keep(state.clone(), cluster.api::<ScimGroup>(), |store| &mut store.groups));
    tasks.spawn(keep(state.clone(), cluster.api::<ScimConnection>(), |store| &mut store.connections));
    tasks.spawn(keep(state.clone(), cluster.api::<ScimRoster>(), |store| &mut store.rosters));
    let of_cluster = Api::<ClusterScimConnection>::all(cluster.client.clone());
    tasks.spawn(keep(state.clone(), of_cluster, |store| &mut store.cluster_connections));
    tasks
}

async fn keep<K, T>(state: Arc<State>, api: Api<K>, of: fn(&mut Store) -> &mut Kept<T>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
    T: From<K> + Send,
{
    let mut events = watcher(api, watcher::Config::default()).default_backoff().boxed();
    while let Some(event) = events.next().await {
        let Ok(mut store) = state.store.write() else { return };
        match event {
            Ok(event) => of(&mut store).apply(event),
            Err(error) => of(&mut store).problem = Some(sentence(&anyhow::Error::new(error))),
        }
        drop(store);
        state.changed.send_modify(|version| *version += 1);
    }
}
