//! The watches that keep the store, and what tells the browsers that something changed. The SCIM server is asked nothing.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Event;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, DefaultBackoff, watcher};
use kube::{Api, Resource};
use scim_operator::api::{ClusterScimConnection, ScimConnection, ScimGroup, ScimRoster, ScimUser};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::State;
use super::addresses::{address, group_address};
use super::changes::{Changed, Changes};
use super::events::{self, Told};
use super::kept::Kept;
use super::store::Store;
use crate::cluster::{is_forbidden, sentence};

/// What failed is tried again after this at the latest.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A try takes at most 30 s to connect: a watch that hasn't failed again for this long works.
const WORKS_AFTER: Duration = Duration::from_secs(45);

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
    tasks.spawn(keep_events(state.clone()));
    tasks
}

async fn keep<K, T>(state: Arc<State>, api: Api<K>, of: fn(&mut Store) -> &mut Kept<T>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
    T: From<K> + Send,
{
    let events = watcher(api, watcher::Config::default()).backoff(Soon::default());
    follow(&state.store, &state.changes, events, of).await;
}

/// Once somebody wants to see them.
async fn keep_events(state: Arc<State>) {
    state.events_wanted.notified().await;
    let config = watcher::Config::default().fields(&events::selector());
    let told = watcher(state.cluster.api::<Event>(), config).backoff(Soon::default());
    follow(&state.store, &state.changes, told, newest_events).await;
}

fn newest_events(store: &mut Store) -> &mut Kept<Told> {
    store.events.keep_newest(events::KEPT, |event| event.at);
    &mut store.events
}

/// Takes in what a watch tells, and why it can't, for as long as it can't.
async fn follow<K, T>(
    store: &RwLock<Store>,
    changes: &Changes,
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>>,
    of: impl Fn(&mut Store) -> &mut Kept<T>,
) where
    K: Resource<DynamicType = ()>,
    T: From<K>,
{
    let mut events = std::pin::pin!(events);
    loop {
        let event = tokio::time::timeout(WORKS_AFTER, events.next()).await;
        let Ok(mut store) = store.write() else { return };
        let kept = of(&mut store);
        let change = match &event {
            Ok(Some(Ok(watcher::Event::Apply(object) | watcher::Event::Delete(object)))) => changed(object),
            _ => Changed::Everything,
        };
        match event {
            Ok(None) => return,
            Ok(Some(Ok(event))) => kept.apply(event),
            Ok(Some(Err(error))) => {
                let error = anyhow::Error::new(error);
                kept.forbidden = is_forbidden(&error);
                kept.problem = Some(sentence(&error));
            }
            // A watch that goes on where it was interrupted says nothing of it.
            Err(_) if kept.complete && kept.problem.is_some() => (kept.problem, kept.forbidden) = (None, false),
            Err(_) => continue,
        }
        drop(store);
        changes.add(change);
    }
}

/// The page that shows an object; what every page depends on is no page's.
fn changed<K: Resource<DynamicType = ()>>(object: &K) -> Changed {
    let (namespace, name) = (object.meta().namespace.as_deref(), object.meta().name.as_deref());
    let (namespace, name) = (namespace.unwrap_or_default(), name.unwrap_or_default());
    match &*K::kind(&()) {
        "ScimUser" => Changed::Page(address(namespace, name)),
        "ScimGroup" => Changed::Page(group_address(namespace, name)),
        "Event" => Changed::Page("/events".to_owned()),
        _ => Changed::Everything,
    }
}

/// As controllers wait, and not as long: somebody is looking.
#[derive(Default)]
struct Soon(DefaultBackoff);

impl Iterator for Soon {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|wait| wait.min(LONGEST_WAIT))
    }
}

impl Backoff for Soon {
    fn reset(&mut self) {
        self.0.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use serde_json::json;

    fn user() -> ScimUser {
        serde_json::from_value(json!({"metadata": {"name": "ada", "namespace": "identity"},
            "spec": {"connectionRef": {"name": "datadog"}, "userName": "ada@example.com"}}))
        .unwrap()
    }

    /// What is said of the users after each of these events, and after a while without any.
    async fn told(events: Vec<watcher::Result<watcher::Event<ScimUser>>>) -> Vec<bool> {
        let (store, changes) = (RwLock::<Store>::default(), Changes::default());
        let problem = || store.read().unwrap().users.problem.is_some();
        let mut said = Vec::new();
        let events = stream::iter(events).then(async |event| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            event
        });
        let watched = follow(&store, &changes, events.chain(stream::pending()), |store| &mut store.users);
        let mut watched = std::pin::pin!(watched);
        for wait in [1500, 1000, 1000, 1000, 60_000] {
            let _ = tokio::time::timeout(Duration::from_millis(wait), &mut watched).await;
            said.push(problem());
        }
        said
    }

    fn hiccup() -> watcher::Result<watcher::Event<ScimUser>> {
        Err(watcher::Error::NoResourceVersion)
    }

    #[tokio::test(start_paused = true)]
    async fn what_works_again_is_no_problem_any_more() {
        use watcher::Event::{Apply, Init, InitDone};
        let [quiet, busy, never] = [
            told(vec![Ok(InitDone), hiccup(), hiccup()]).await,
            told(vec![Ok(InitDone), hiccup(), Ok(Apply(user()))]).await,
            told(vec![hiccup(), Ok(Init), hiccup()]).await,
        ];
        assert_eq!(quiet, [false, true, true, true, false], "it goes on, with nothing to tell");
        assert_eq!(busy, [false, true, false, false, false], "it goes on");
        assert_eq!(never, [true, true, true, true, true], "an attempt is no success");
    }

    #[test]
    fn the_page_of_somebody_hears_of_them_alone_and_every_page_of_a_connection() {
        assert_eq!(changed(&user()), Changed::Page("/people/identity/ada".to_owned()));
        let connection: ScimConnection =
            serde_json::from_value(json!({"metadata": {"name": "datadog", "namespace": "identity"},
            "spec": {"baseUrl": "https://scim.example.com", "auth": {}}}))
            .unwrap();
        assert_eq!(changed(&connection), Changed::Everything);
    }
}
