//! The watches that keep the store, and what tells the browsers that something changed. The SCIM server is asked nothing.

use std::sync::Arc;
use std::time::Duration;

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

/// A watch that has reported no failure for so long goes on: it is tried again more often.
const RECOVERED: Duration = Duration::from_secs(75);

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
    loop {
        let event = match tokio::time::timeout(RECOVERED, events.next()).await {
            Ok(Some(event)) => event,
            Ok(None) => return,
            // A watch that goes on says nothing before something changes.
            Err(_) => {
                let Ok(mut store) = state.store.write() else { return };
                if of(&mut store).recover() {
                    drop(store);
                    state.changed.send_modify(|version| *version += 1);
                }
                continue;
            }
        };
        let Ok(mut store) = state.store.write() else { return };
        match event {
            Ok(event) => of(&mut store).apply(event),
            Err(error) => of(&mut store).problem = Some(sentence(&anyhow::Error::new(error))),
        }
        drop(store);
        state.changed.send_modify(|version| *version += 1);
    }
}
